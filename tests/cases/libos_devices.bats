#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Networks, consoles and random numbers of back ends that are toys, or lie.

load ../bed/bed

setup()
{
	need libos
}

# A machine with one toy device and an init of its own.
toy() # TYPE HOW SCRIPT [WORD...]
{
	printf '#!/bin/sh\nmount -t proc proc /proc; mount -t devtmpfs dev /dev; mount -t sysfs sys /sys; ifconfig lo up\n%s\npoweroff -f\n' "$3" >"$BED/init"
	"$ROOT/tests/libos/initramfs" "$BED/toy.cpio" "$BED/init"
	# shellcheck disable=SC2086 # not every toy has a way to lie
	run timeout -k 5 300 "$ROOT/tests/libos/with-disk" --toy "$1" $2 -- "$VMLINUX" \
		initrd="$BED/toy.cpio" quiet "${@:4}" </dev/null
	same 0 "$status" "$output"
}

@test "a network that breaks the rules of its rings loses its device, and that is all" {
	local how
	for how in id twice length index; do
		toy net "$how" 'ifconfig eth0 10.1.1.1; for i in $(seq 100); do ping -c 1 -W 1 10.1.1.2 >/dev/null 2>&1
			[ "$(cat /sys/class/net/eth0/carrier)" = 1 ] || break; done; cat /sys/class/net/eth0/carrier; echo alive'
		matches "$output" 'the back end is gone: it broke a queue'
		matches "$output" $'0\r?\nalive'
	done
}

# pings REGEX COUNT CARRIER: until Linux has said that so many times and the link is so, and once more.
pings()
{
	echo "ifconfig eth0 10.1.1.1; for i in \$(seq 100); do
			[ \$(dmesg | grep -c '$1') = $2 ] && [ \$(cat /sys/class/net/eth0/carrier) = $3 ] && break
			ping -c 1 -W 1 10.1.1.2 >/dev/null 2>&1
		done
		ping -c 1 -W 1 10.1.1.2 >/dev/null 2>&1; echo \"carrier \$(cat /sys/class/net/eth0/carrier)\"; dmesg | grep 'virtio_net.*back end'"
}

@test "a network's back end that leaves, and one that comes: the same, another, one that breaks rules" {
	toy net 'leave --again short' "$(pings again 1 1); head -n 1 /proc/net/dev >/dev/null && echo alive"
	matches "$output" 'there is a back end again'
	matches "$output" 'carrier 1'
	toy net 'leave --again config' "$(pings 'another back end' 1 0); echo alive"
	matches "$output" 'it is another back end than it was'
	matches "$output" 'carrier 0'
	toy net 'leave --again id' "$(pings 'broke a queue' 1 0); echo alive"
	matches "$output" 'it broke a queue'
	matches "$output" 'carrier 0'
	toy net 'leave --again leave --again short' "$(pings again 2 1); cat /sys/class/net/eth0/carrier; echo alive"
	matches "$output" $'1\r?\nalive'
	# A driver that leaves speaks to the back end that is there, and to no other.
	toy net 'leave --again short' "$(pings again 1 1); cd /sys/bus/virtio/drivers/virtio_net; echo virtio0 >unbind; sleep 1; ls /sys/class/net; echo alive"
	misses "$output" '(BUG|WARNING)'
	matches "$output" $'again\r?\nlo\r?\nalive'
	toy net leave "$(pings gone: 1 0); echo alive"
	matches "$output" 'carrier 0'
	matches "$output" 'alive'
}

@test "packets and a configuration that lie harm nobody" {
	local how
	for how in buffers short offload garbage config; do
		toy net "$how" 'ifconfig eth0 hw ether 52:54:00:00:00:01; ifconfig eth0 10.1.1.1; ip -6 addr add fd00::1/64 dev eth0
			for i in 1 2 3; do ping -c 1 -W 1 10.1.1.2 >/dev/null 2>&1; done
			cat /sys/class/net/eth0/mtu; ping -c 1 127.0.0.1 >/dev/null && echo alive'
		matches "$output" $'1500\r?\nalive'
		misses "$output" '(BUG|WARNING|Oops|gone)'
	done
}

@test "a device of random numbers, and one without" {
	toy rng '' 'head -c 4 /dev/hwrng | od -An -tx1'
	matches "$output" 'a5 a5 a5 a5'
	toy rng '' 'head -c 16 /dev/urandom | od -An -tx1; cat /proc/sys/kernel/random/entropy_avail'
	misses "$output" 'a5 a5 a5'
	matches "$output" '256'
}

# What a console is asked to say back.
ASKS='stty -F /dev/hvc0 raw -echo; exec 3<>/dev/hvc0; stty -F /dev/hvc0 raw -echo'

@test "a console hears and says" {
	toy console '' "$ASKS; echo hello >&3; head -n 1 <&3; seq 20000 >/tmp/n; cat /tmp/n >&3 & head -c 108894 <&3 | cmp - /tmp/n && echo same"
	matches "$output" $'hello\r?\nsame'
}

@test "the kernel's own messages go to a console as well" {
	toy console print 'for i in $(seq 500); do echo "message $i" >/dev/kmsg; done; dmesg -n 1; echo to-hvc0 >/dev/hvc0' \
		console=ttyLO console=hvc0 loglevel=7
	matches "$output" $'message 1\r\n.*message 500\r\n'
	matches "$output" 'to-hvc0'
}

@test "a console that takes nothing loses what is written, and that is all" {
	toy console deaf 'seq 20000 >/dev/hvc0; dmesg -n 7; for i in $(seq 500); do echo message $i >/dev/kmsg; done; echo alive' \
		console=hvc0 console=ttyLO
	matches "$output" 'the back end takes nothing: what is written is lost'
	matches "$output" alive
}

@test "a console that breaks the rules of its rings loses its device, and that is all" {
	toy console twice 'seq 20000 >/dev/hvc0; dmesg -n 7; echo message >/dev/kmsg; dmesg | grep gone: ; echo alive' console=hvc0 console=ttyLO
	matches "$output" 'the back end is gone: it broke a queue'
	matches "$output" alive
}
