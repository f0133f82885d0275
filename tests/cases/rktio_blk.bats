#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# rktio-blk: an image for vhost-user front ends, ours and QEMU's; and our front end with QEMU's back end.

load ../bed/bed

BLK=$BUILD/rktio-blk
TRY=$BUILD/tests/vhost/disk-try

setup()
{
	DISK=$BATS_TEST_TMPDIR
	IMAGE=$DISK/image
	SOCKET=$DISK/socket
	truncate -s 32M "$IMAGE"
}

# serves OPTION...: rktio-blk in the background, listening.
serves()
{
	rm -f "$SOCKET"
	spawn "$DISK/log" timeout 1400 "$BLK" --socket-path "$SOCKET" "$@"
	SERVER=$!
	wait_for 10 test -S "$SOCKET"
}

# ends STATUS
ends()
{
	local status=0
	wait "$SERVER" || status=$?
	same "$1" "$status" "$(cat "$DISK/log")"
}

# sandboxed PID: its child has a filter.
sandboxed() { grep -q '^Seccomp:.2' "/proc/$(tr -d ' ' <"/proc/$1/task/$1/children")/status"; }

qemu_serves() # OPTION...
{
	spawn "$DISK/log" timeout 1000 qemu-storage-daemon --blockdev "driver=file,node-name=n,filename=$IMAGE,locking=on" \
		--export "type=vhost-user-blk,id=e,node-name=n,addr.type=unix,addr.path=$SOCKET,writable=on"
	SERVER=$!
	wait_for 10 test -S "$SOCKET"
}

@test "what is written is read, by io_uring, by system calls, through the page cache" {
	local option
	for option in --read-write --no-uring --no-direct; do
		serves --file "$IMAGE" ${option/#--read-write/--poll-us=50}
		run -0 timeout 400 "$TRY" "$SOCKET" verify 20000 7
		same same "$output"
		ends 0
		truncate -s 0 "$IMAGE"
		truncate -s 32M "$IMAGE"
	done
}

@test "without polling it sleeps until it is kicked" {
	serves --file "$IMAGE" --poll-us 0
	run -0 timeout 400 "$TRY" "$SOCKET" verify 3000 8
	same same "$output"
	ends 0
}

@test "a second front end, when the first is gone" {
	serves --file "$IMAGE" --keep
	wait_for 5 sandboxed "$SERVER"
	for _ in 1 2; do
		run -0 "$TRY" "$SOCKET" status 0 0 512
		same 0 "$output"
	done
	kill "$SERVER"
}

@test "QEMU's storage daemon is driven the same way" {
	need qsd
	qemu_serves
	run -0 timeout 400 "$TRY" "$SOCKET" verify 10000 9
	same same "$output"
	run -1 "$BLK" --socket-path "$DISK/other" --file "$IMAGE"
	same "rktio-blk: '$IMAGE' is in use by another process" "$output"
	kill "$SERVER"
}

@test "a Debian guest of QEMU writes and reads it" {
	need qsd
	local size
	serves --file "$IMAGE"
	run timeout 1250 "$ROOT/tests/vm/disk-guest" "$SOCKET"
	[ "$status" != 77 ] || skip "vm: $output"
	same 0 "$status" "$output"
	ends 0
	matches "$(head -n 1 "$IMAGE" | tr -d '\0')" '^sound [0-9]+$'
	size=$(head -n 1 "$IMAGE" | tr -dc 0-9)
	same "$(for _ in 1 2 3; do cat "$(command -v busybox)"; done | sha256sum)" \
		"$(tail -c +4097 "$IMAGE" | head -c "$size" | sha256sum)"
}

@test "an image that is in use is refused, readers of one that nobody writes are not" {
	serves --file "$IMAGE"
	run -1 "$BLK" --socket-path "$DISK/other" --file "$IMAGE" --read-only
	same "rktio-blk: '$IMAGE' is in use by another process" "$output"
	[ ! -e "$DISK/other" ]
	kill "$SERVER"
	ends 143
	serves --file "$IMAGE" --read-only
	run -0 timeout 300 "$BLK" --print-capabilities
	spawn "$DISK/log2" timeout 300 "$BLK" --socket-path "$DISK/other" --file "$IMAGE" --read-only
	wait_for 10 test -S "$DISK/other"
	run -0 "$TRY" "$DISK/other" status 0 0 512
	same 0 "$output"
	run -0 "$TRY" "$SOCKET" status 1 0 512
	same 1 "$output" "a write to a read-only disk"
	ends 0
}

@test "bad input is one sentence" {
	run -1 "$BLK" --socket-path "$SOCKET" --file /nowhere
	same "rktio-blk: cannot open '/nowhere': No such file or directory" "$output"
	: >"$DISK/empty"
	run -1 "$BLK" --socket-path "$SOCKET" --file "$DISK/empty"
	same "rktio-blk: '$DISK/empty' is empty: a disk has at least one sector of 512 bytes" "$output"
	run -1 "$BLK" --socket-path "$SOCKET" --file /dev/zero
	same "rktio-blk: '/dev/zero' is neither a file nor a block device" "$output"
	: >"$DISK/file"
	run -1 "$BLK" --socket-path "$DISK/file" --null
	same "rktio-blk: cannot listen at '$DISK/file': Address already in use" "$output"
	run -1 "$BLK" --socket-path "$(printf '%0200d' 0)" --null
	matches "$output" 'cannot be a socket: 1 to 107 bytes can$'
	run -2 "$BLK" --null
	matches "$output" 'give one of --socket-path and --fd'
	run -2 "$BLK" --socket-path "$SOCKET"
	matches "$output" 'give one of --blk-file and --null'
	run -2 "$BLK" --socket-path "$SOCKET" --null --num-queues 99
	matches "$output" '--num-queues takes a number from 1 to 8'
}

@test "a front end that talks nonsense ends the session with one sentence" {
	serves --null
	python3 -c 'import socket, struct, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
s.send(struct.pack("III", 99, 1, 0)); s.recv(1)' "$SOCKET"
	ends 1
	same "rktio-blk: the front end sent unknown request (99): there is no such request" "$(<"$DISK/log")"
}
