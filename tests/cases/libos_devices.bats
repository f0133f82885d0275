#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Network and random number devices of back ends that are toys, or lie.

load ../bed/bed

setup()
{
	need libos
}

# A machine with one toy device and an init of its own.
toy() # TYPE HOW SCRIPT
{
	printf '#!/bin/sh\nmount -t proc proc /proc; mount -t devtmpfs dev /dev; mount -t sysfs sys /sys; ifconfig lo up\n%s\npoweroff -f\n' "$3" >"$BED/init"
	"$ROOT/tests/libos/initramfs" "$BED/toy.cpio" "$BED/init"
	# shellcheck disable=SC2086 # not every toy has a way to lie
	run timeout -k 5 60 "$ROOT/tests/libos/with-disk" --toy "$1" $2 -- "$VMLINUX" \
		initrd="$BED/toy.cpio" quiet </dev/null
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
