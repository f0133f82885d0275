#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# cntrfs over io_uring: the cases of the device once more; and what happens where the kernel has no such thing.

load ../bed/bed

CNTRFS=$BUILD/cntrfs
SWITCH=/sys/module/fuse/parameters/enable_uring

cap_uring()
{
	[ -e "$SWITCH" ] || { echo "this kernel has no FUSE over io_uring"; return 1; }
	[ "$(cat /proc/sys/kernel/io_uring_disabled 2>/dev/null || echo 0)" != 2 ] || { echo "io_uring is disabled"; return 1; }
	[ "$(cat "$SWITCH")" = Y ] || { echo Y >"$SWITCH"; } 2>/dev/null || { echo "FUSE over io_uring is switched off"; return 1; }
}

setup_file()
{
	export WAS=
	[ ! -e "$SWITCH" ] || WAS=$(cat "$SWITCH")
}

teardown_file() { [ -z "$WAS" ] || [ "$(cat "$SWITCH")" = "$WAS" ] || echo "$WAS" >"$SWITCH"; }

setup()
{
	BACK=$BED/back MNT=$BED/mnt LOG=$BED/log
	mkdir -p "$BACK" "$MNT"
}

teardown() { umount --lazy "$MNT" 2>/dev/null || :; }

mounted()
{
	spawn "$LOG" env CNTR_LOG=info "$CNTRFS" -f -o io_uring "$BACK" "$MNT"
	SERVER=$!
	wait_for 10 mountpoint -q "$MNT"
}

@test "over io_uring the same cases pass as over the device" {
	need uring
	run env -u BATS_TEST_NUMBER CNTRFS_OPTIONS=io_uring bats --tap --filter \
		'SIGTERM|kill -9|attributes are|of its maker|data: read|full disk|renames:|directory of 3,000|file handle is|by others' \
		"$BATS_TEST_DIRNAME/cntrfs.bats" "$BATS_TEST_DIRNAME/cntrfs_watch.bats"
	echo "$output"
	same 0 "$status"
	matches "$output" '^1\.\.12'
	run ! grep -q '# skip' <<<"$output"
}

@test "sockets over io_uring: the same cases pass; a lookup waits in the ring while others are answered" {
	need uring
	run env -u BATS_TEST_NUMBER CNTRFS_OPTIONS=io_uring bats --tap --filter \
		'a stream and packets|200 connections|nobody listens|as who it is|more sockets than|kill -9 of the server' "$BATS_TEST_DIRNAME/sockets.bats"
	echo "$output"
	same 0 "$status"
	matches "$output" '^1\.\.6'
	run ! grep -q '# skip' <<<"$output"
	# More at one time than a queue has entries, of one processor: those who cannot wait are refused, and come again.
	paths=()
	for i in {1..40}; do paths+=("$BACK/s$i"); done
	spawn "$LOG.peer" /usr/bin/python3 "$BED_DIR/sockets.py" serve "${paths[@]}"
	PEER=$!
	wait_for 10 grep -q ready "$LOG.peer"
	mounted
	matches "$(cat "$LOG")" 'FUSE over io_uring'
	run timeout 400 taskset -c 0 /usr/bin/python3 - "$MNT" <<-'END'
		import socket, sys, threading, time
		bad, go = [], threading.Barrier(40)
		def work(i):
		    go.wait()
		    end = time.monotonic() + 300
		    while True:
		        try:
		            with socket.socket(socket.AF_UNIX) as s:
		                return s.connect(sys.argv[1] + "/s%d" % i)
		        except ConnectionRefusedError:
		            if time.monotonic() > end: return bad.append(i)
		all = [threading.Thread(target=work, args=(i + 1,)) for i in range(40)]
		for t in all: t.start()
		for t in all: t.join()
		assert not bad, bad
	END
	same 0 "$status" "$output"
	stop_pid "$PEER"
	rm "${paths[@]}"
	umount "$MNT"
	wait "$SERVER"
}

@test "requests come by the queues of all processors, forgets by the device" {
	need uring
	mounted
	matches "$(cat "$LOG")" 'FUSE over io_uring, [0-9]+ queues'
	workers=()
	for cpu in $(seq 0 $(($(nproc) - 1))); do
		spawn "$LOG.$cpu" taskset -c "$cpu" sh -c "cd '$MNT' && seq -f f$cpu.%.0f 200 | xargs touch && cat f$cpu.* && rm f$cpu.*"
		workers+=("$!")
	done
	for pid in "${workers[@]}"; do
		wait "$pid"
	done
	same '' "$(ls "$BACK")"
	drop_caches 2
	umount "$MNT"
	wait "$SERVER"
	run ! grep -q 'is refused' "$LOG"
	matches "$(cat "$LOG")" 'forget: [1-9]'
}

@test "a long write, a long read and a long list go through one entry" {
	need uring
	mounted
	umount "$MNT"
	wait "$SERVER"
	spawn "$LOG" env CNTR_LOG=info "$CNTRFS" -f -o io_uring,nopassthrough "$BACK" "$MNT"
	SERVER=$!
	wait_for 10 mountpoint -q "$MNT"
	head -c 5000001 /dev/urandom >"$BED/data"
	cp "$BED/data" "$MNT/f"
	cmp "$BED/data" "$BACK/f"
	drop_caches 3
	cmp "$BED/data" "$MNT/f"
	(cd "$BACK" && seq -f "$(printf 'x%.0s' {1..200})%.0f" 2000 | xargs touch)
	same 2001 "$(find "$MNT" -mindepth 1 | wc -l)"
	rm -r "${MNT:?}"/*
}

@test "where the kernel has it switched off, the device is used, and that is said" {
	[ -e "$SWITCH" ] || need fuse
	if [ -e "$SWITCH" ] && [ "$(cat "$SWITCH")" = Y ]; then
		echo N >"$SWITCH" || skip "uring: it cannot be switched off"
	fi
	mounted
	matches "$(cat "$LOG")" 'no FUSE over io_uring'
	echo one >"$MNT/a"
	same one "$(cat "$BACK/a")"
	umount "$MNT"
	wait "$SERVER"
}
