#!/bin/sh
# SPDX-License-Identifier: MIT
# vmsh-host.sh - in L1 of vmsh.tap: starts the guest, runs vmsh on it, and writes what it said to the disk.
mkdir -p /tmp/out /tmp/log
cd /tmp/out || exit 1

# said NAME COMMAND...: standard output and error of it.
said()
{
	name=$1
	shift
	"$@" >"$name" 2>"$name.err"
	echo "$?" >"$name.status"
}

up() { cut -d' ' -f1 /proc/uptime; }

truncate -s 64M /tmp/truth.img
qemu-system-x86_64 -machine pc -accel kvm -cpu host -m 256 -name guest=the-guest,debug-threads=on \
	-kernel /boot/vmlinux -initrd /boot/initramfs -display none -nodefaults -serial file:/tmp/log/l2 -no-reboot \
	-drive file=/tmp/truth.img,format=raw,if=virtio \
	-append "console=ttyS0 quiet loglevel=7 printk.devkmsg=on mitigations=off log_buf_len=256K tsc=reliable no_timer_check nohz=off highres=off idle=poll" >/tmp/log/qemu 2>&1 &
vmm=$!
# busybox's readlink takes one name
while kill -0 "$vmm" && ! find "/proc/$vmm/fd" -exec readlink {} \; 2>/dev/null | grep -q kvm-vcpu; do usleep 20000; done
said early vmsh inspect the-guest
said early-core vmsh coredump the-guest /tmp/early-core
[ -e /tmp/early-core ] && echo "it is there" >>early-core.err
# Some 45 s of a machine that does nothing else.
until grep -q L2-READY /tmp/log/l2 2>/dev/null || [ "$(up | cut -d. -f1)" -gt 240 ]; do
	kill -0 "$vmm" || break
	usleep 100000
done
echo "L1: the guest is up after $(up) s; the end of its console:" >/dev/console
tail -n 4 /tmp/log/l2 >/dev/console

said ps vmsh ps --json
said inspect vmsh inspect --json the-guest
said guest-ps vmsh guest-ps --json "$vmm"
said lsmod vmsh lsmod --json "$vmm"
said dmesg vmsh dmesg -v "$vmm"
said text vmsh inspect "$vmm"
said coredump vmsh coredump --json the-guest /tmp/out/core
du -k core >core.blocks
said again vmsh coredump the-guest /tmp/out/core
said paused vmsh coredump --json --pause the-guest /tmp/paused-core
rm -f /tmp/paused-core
echo "L1: vmsh is done after $(up) s" >/dev/console

# A guest that stands has a clock that stands: what it writes every second goes on.
mkfifo /tmp/in
minivmm nopaging </tmp/in >/dev/null &
exec 8>/tmp/in
usleep 300000
said real vmsh inspect $!
exec 8>&-
kill -0 "$vmm" && echo yes >alive
cp /tmp/log/* .
cp /tmp/truth.img .
tar -c -f /dev/vda . && sync
kill "$vmm"
