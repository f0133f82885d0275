#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The library OS on a disk: its in-tree drivers over vhost-user, with our back end and with QEMU's.

load ../bed/bed

PROGRAMS=(bash sqlite3 redis-server redis-cli)

setup_file()
{
	need libos
	mkdir -p "$BED/disk/root"
	"$ROOT/tests/libos/initramfs" "$BED/disk/root.cpio" /bin/true "${PROGRAMS[@]}"
	(cd "$BED/disk/root" && cpio --quiet -id <"$BED/disk/root.cpio")
}

# image SCRIPT: an ext4 file system whose init that is.
image()
{
	printf '#!/bin/sh\nmount -t proc proc /proc; mount -t tmpfs tmpfs /tmp; ip link set lo up 2>/dev/null\n%s\n' "$1" \
		>"$BED/disk/root/init"
	chmod +x "$BED/disk/root/init"
	rm -f "$BED/disk/image"
	mke2fs -q -t ext4 -d "$BED/disk/root" "$BED/disk/image" 256M
}

# boots BACKEND-OPTION... -- WORD...: prints what it prints; messages go to a file.
boots()
{
	local options=()
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	timeout -k 5 300 "$ROOT/tests/libos/with-disk" "${options[@]}" -- "$VMLINUX" root=/dev/vda rw init=/init quiet "$@" \
		</dev/null 2>"$BED/disk/messages" || { local status=$?; cat "$BED/disk/messages"; return "$status"; }
}

sound()
{
	e2fsck -fn "$BED/disk/image" >"$BED/disk/fsck" 2>&1 || { cat "$BED/disk/fsck"; return 1; }
}

SQLITE='sqlite3 /root/a.db "pragma journal_mode=wal; create table t(a integer primary key, b text);
	with recursive c(x) as (select 1 union all select x+1 from c where x<20000)
	insert into t select x, hex(randomblob(16)) from c; pragma wal_checkpoint(truncate);"
	echo 3 >/proc/sys/vm/drop_caches
	sqlite3 /root/a.db "select count(*) from t; pragma integrity_check;"'

@test "a program's data is on the disk, and sound" {
	image "$SQLITE
	mount -o remount,ro /; poweroff -f"
	run -0 boots --file "$BED/disk/image" --
	same $'wal\n0|0|0\n20000\nok' "$output"
	sound
	same "pragma: ok" "pragma: $(debugfs -R "dump /root/a.db $BED/disk/a.db" "$BED/disk/image" 2>/dev/null; sqlite3 "$BED/disk/a.db" 'pragma integrity_check')"
}

@test "with QEMU's storage daemon as well" {
	need qsd
	image "$SQLITE
	mount -o remount,ro /; poweroff -f"
	spawn "$BED/disk/qsd.log" timeout 1000 qemu-storage-daemon \
		--blockdev "driver=file,node-name=n,filename=$BED/disk/image,cache.direct=on" \
		--export "type=vhost-user-blk,id=e,node-name=n,addr.type=unix,addr.path=$BED/disk/qsd,writable=on"
	local daemon=$!
	wait_for 10 test -S "$BED/disk/qsd"
	run -0 boots --connect "$BED/disk/qsd" --
	same $'wal\n0|0|0\n20000\nok' "$output"
	kill "$daemon"
	sound
}

@test "redis saves to the disk from a fork" {
	image 'redis-server --port 6379 --save "" --dir /root --enable-debug-command yes >/tmp/log 2>&1 &
	until redis-cli ping 2>/dev/null | grep -q PONG; do sleep 0.05; done
	redis-cli debug populate 20000 k 100 >/dev/null
	redis-cli bgsave >/dev/null
	while redis-cli info persistence | grep -q rdb_bgsave_in_progress:1; do sleep 0.05; done
	redis-cli shutdown nosave; wait
	redis-server --port 6379 --save "" --dir /root >/tmp/log 2>&1 &
	until redis-cli ping 2>/dev/null | grep -q PONG; do sleep 0.05; done
	redis-cli --raw dbsize; mount -o remount,ro /; poweroff -f'
	run -0 boots --file "$BED/disk/image" --
	same 20000 "$(tr -d '\r' <<<"$output")"
	sound
}

@test "a back end that is killed gives errors to the program, and nothing hangs" {
	# No program is started after the loss, for it would have to be read: the shell's own words, used once before.
	image 'tell() { while read -r l; do case $l in *"Input/output error" | *"Read-only file system") echo "seen $l" ;; esac; done; }
	echo "x: Input/output error" | tell >/dev/null
	dd if=/dev/zero of=/root/f bs=1M count=4 conv=fsync 2>/dev/null && echo before
	while dd if=/dev/zero of=/root/f bs=64k count=1 conv=fsync 2>/tmp/why; do :; done
	tell </tmp/why; exit 9'
	spawn "$BED/disk/log" env WITH_DISK_PID="$BED/disk/pid" timeout -k 5 300 "$ROOT/tests/libos/with-disk" \
		--file "$BED/disk/image" -- "$VMLINUX" root=/dev/vda rw init=/init quiet
	local system=$! status=0
	wait_for 60 grep -q before "$BED/disk/log"
	kill -KILL "$(<"$BED/disk/pid")"
	wait "$system" || status=$?
	same 9 "$status" "$(<"$BED/disk/log")"
	matches "$(<"$BED/disk/log")" 'the back end is gone: it closed the connection'
	matches "$(<"$BED/disk/log")" 'seen .*(Input/output error|Read-only file system)'
}

@test "a back end that breaks the rules loses its device, and that is all" {
	local how
	printf '#!/bin/sh\nmount -t devtmpfs dev /dev; i=0
	while dd if=/dev/vda of=/dev/null bs=4k count=50 skip=$i iflag=direct 2>/dev/null && [ $i -lt 500 ]; do i=$((i + 50)); done
	echo $i; exit 3' >"$BED/disk/init"
	"$ROOT/tests/libos/initramfs" "$BED/disk/hostile.cpio" "$BED/disk/init"
	for how in id twice length index garbage talk; do
		run -3 timeout -k 5 300 "$ROOT/tests/libos/with-disk" --hostile "$how" -- "$VMLINUX" \
			initrd="$BED/disk/hostile.cpio" quiet </dev/null
		case $how in
		garbage) ;; # each request fails, for its status is none
		talk) matches "$output" 'the back end is gone: it closed the connection or broke silence' ;;
		*) matches "$output" 'the back end is gone: it broke a queue' ;;
		esac
		matches "$output" 'I/O error, dev vda'
	done
}

@test "several programs write at once, and read what they wrote" {
	image 'for n in 1 2 3 4; do
		(dd if=/dev/urandom of=/tmp/$n bs=1M count=8; cp /tmp/$n /root/$n; sync) 2>/dev/null &
	done; wait
	echo 3 >/proc/sys/vm/drop_caches
	for n in 1 2 3 4; do cmp /tmp/$n /root/$n && echo same & done; wait
	mount -o remount,ro /; poweroff -f'
	run -0 boots --file "$BED/disk/image" --
	same $'same\nsame\nsame\nsame' "$output"
	sound
}

@test "a disk that only reads" {
	image 'touch /root/x || echo refused; poweroff -f'
	run -0 boots --file "$BED/disk/image" --read-only -- ro
	matches "$output" 'refused'
}

@test "no back end, or one that is none, is one sentence, and then there is no disk" {
	run -125 timeout 300 "$VMLINUX" vhost=blk:77 root=/dev/vda quiet panic=-1 </dev/null
	matches "$output" 'vhost=blk:77: no such device: its back end does not answer'
	run timeout 300 "$VMLINUX" vhost=disk:0 root=/dev/vda quiet </dev/null
	matches "$output" 'vhost=disk:0: it is TYPE:FD, of blk, net, console, rng'
}
