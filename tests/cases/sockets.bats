#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Sockets through a file system of ours: who connects through the mount reaches who listens behind it.

load ../bed/bed

CNTRFS=$BUILD/cntrfs

setup_file() { need fuse; }

setup()
{
	BACK=$BED/back.$BATS_TEST_NUMBER
	MNT=$BED/mnt.$BATS_TEST_NUMBER
	LOG=$BED/log.$BATS_TEST_NUMBER
	mkdir -p "$BACK" "$MNT"
	chmod 777 "$BACK"
	# Where any user may read it.
	install -m 644 "$BED_DIR/sockets.py" "$BED/sockets.py"
}

teardown()
{
	[ -z "${PEER:-}" ] || stop_pid "$PEER"
	umount --lazy "$MNT" 2>/dev/null || :
}

sockets() { timeout -k 5 400 /usr/bin/python3 "$BED/sockets.py" "$@"; }

# mounted OPTION...: as $SERVER.
mounted()
{
	spawn "$LOG" "$CNTRFS" -f -o "${CNTRFS_OPTIONS:-rw}" "$@" "$BACK" "$MNT"
	SERVER=$!
	wait_for 10 mountpoint -q "$MNT"
}

# listening PATH...: somebody, as $PEER.
listening()
{
	spawn "$LOG.peer" /usr/bin/python3 "$BED/sockets.py" serve "$@"
	PEER=$!
	wait_for 10 grep -q ready "$LOG.peer"
}

ends() # STATUS
{
	local status=0
	wait "$SERVER" || status=$?
	same "$1" "$status" "$(cat "$LOG")"
}

# helpers_of PID: those of the sockets, below it.
helpers_of() { pgrep -P "$1"; pgrep -P "$(pgrep -P "$1")"; }

user() { setpriv --reuid 1234 --regid 1234 --groups 77,88 "$@"; }

@test "a stream and packets: data, the end of one direction, who is at the other end" {
	listening "$BACK/a" "$BACK/b.seq"
	chown 44:55 "$BACK/a"
	for threads in 1 4; do
		mounted -o threads=$threads
		matches "$(sockets ask "$MNT/a")" 'uid 0 gid 0 .*server uid 44 gid 55.*bye'
		# As the one who connects, not as the server of the file system.
		matches "$(user /usr/bin/python3 "$BED/sockets.py" ask "$MNT/a")" 'uid 1234 gid 1234 groups \[77, 88\]'
		same "$(user /usr/bin/python3 "$BED/sockets.py" ask "$BACK/b.seq")" \
			"$(user /usr/bin/python3 "$BED/sockets.py" ask "$MNT/b.seq")"
		same 'borders kept' "$(sockets packets "$MNT/b.seq")"
		same 'Protocol wrong type for socket' "$(sockets refused "$MNT/a" seqpacket)"
		same 'Protocol wrong type for socket' "$(sockets refused "$MNT/b.seq" stream)"
		same "$(stat -c '%f %h %u %g %Y' "$BACK/a")" "$(stat -c '%f %h %u %g %Y' "$MNT/a")"
		umount "$MNT"
		ends 0
	done
}

@test "with owners mapped: the client sees the mount's" {
	listening "$BACK/a"
	chown 44:55 "$BACK/a"
	mounted -o map-users=100:0:1000,map-groups=200:0:1000
	same '144 255' "$(stat -c '%u %g' "$MNT/a")"
	matches "$(sockets ask "$MNT/a")" 'server uid 144 gid 255'
}

@test "200 connections at once, each with its own data; none is left" {
	listening "$BACK/a"
	mounted
	same '200 of 200' "$(sockets many "$MNT/a" 200)"
	read -r _ carrier < <(helpers_of "$SERVER" | xargs)
	wait_for 10 few_fds "$carrier"
}
few_fds() { [ "$(find "/proc/$1/fd" -mindepth 1 | wc -l)" -lt 12 ]; }

@test "one who does not read holds up himself, and not without bound" {
	listening "$BACK/a"
	mounted
	same 'meanwhile all bounded' "$(sockets slow "$MNT/a" | xargs)"
}

@test "ssh-agent" {
	need_ssh
	eval "$(ssh-agent -a "$BACK/agent")"
	mounted -o ro
	ssh-keygen -q -t ed25519 -N '' -f "$BED/key"
	SSH_AUTH_SOCK=$MNT/agent ssh-add -q "$BED/key"
	same "$(SSH_AUTH_SOCK=$BACK/agent ssh-add -l)" "$(SSH_AUTH_SOCK=$MNT/agent ssh-add -l)"
	matches "$(SSH_AUTH_SOCK=$MNT/agent ssh-add -l)" ED25519
	ssh-agent -k
	run ! env SSH_AUTH_SOCK="$MNT/agent" ssh-add -l
}
need_ssh() { has ssh-agent ssh-add ssh-keygen || skip "ssh: not installed"; }

@test "a descriptor that is sent along is refused, and said; other connections stay" {
	listening "$BACK/a" "$BACK/b.seq"
	mounted
	spawn "$LOG.held" /usr/bin/python3 "$BED/sockets.py" hold "$MNT/a"
	wait_for 10 grep -q held "$LOG.held"
	matches "$(sockets rights "$MNT/a")" "Connection|got b''"
	matches "$(sockets rights "$MNT/b.seq")" "Connection|got b''"
	wait_for 5 grep -q 'sent descriptors (SCM_RIGHTS), which cannot be carried on' "$LOG"
	run ! grep -q end "$LOG.held"
}

@test "permissions are those of the node" {
	listening "$BACK/a"
	chmod 600 "$BACK/a"
	mounted
	same 'Permission denied' "$(user /usr/bin/python3 "$BED/sockets.py" refused "$MNT/a" stream)"
	same connected "$(sockets refused "$MNT/a" stream)"
	setfacl -m u:1234:rw "$MNT/a" || skip "no access lists"
	same connected "$(user /usr/bin/python3 "$BED/sockets.py" refused "$MNT/a" stream)"
}

@test "nobody listens: refused, at once after the end, and again after a new beginning" {
	listening "$BACK/a"
	mounted
	ls -l "$MNT" >/dev/null
	same connected "$(sockets refused "$MNT/a" stream)"
	kill -KILL "$PEER"
	wait "$PEER" || :
	same 'Connection refused' "$(sockets refused "$MNT/a" stream)"
	test -S "$MNT/a"
	rm "$BACK/a"
	listening "$BACK/a"
	same connected "$(sockets refused "$MNT/a" stream)"
	# And one that has it without listening.
	/usr/bin/python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).bind(sys.argv[1])' "$BACK/d"
	same 'Connection refused' "$(sockets refused "$MNT/d" stream)"
	same 'Connection refused' "$(sockets refused "$MNT/d" dgram)"
}

@test "a server that binds through the mount is reached there; unlinked, and bound anew" {
	mounted
	for i in 1 2; do
		listening "$MNT/a"
		same connected "$(sockets refused "$MNT/a" stream)"
		same "server uid 0 gid 0" "$(sockets ask "$MNT/a" | grep server)"
		test -S "$BACK/a"
		stop_pid "$PEER"
		same 'Connection refused' "$(sockets refused "$MNT/a" stream)"
		rm "$MNT/a"
	done
}

@test "a server that binds through the mount is reached from behind, as soon as it listens, and as who it is" {
	mounted
	(umask 027; user mkfifo "$MNT/f"; user /usr/bin/python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$MNT/s")
	same '1234 1234 750' "$(stat -c '%u %g %a' "$BACK/s")"
	same "$(stat -c '%u %g' "$BACK/f")" "$(stat -c '%u %g' "$BACK/s")"
	same 'Connection refused' "$(sockets refused "$BACK/s" stream)"
	for i in 1 2; do
		listening "$MNT/a"
		wait_for 5 connects "$BACK/a"
		matches "$(user /usr/bin/python3 "$BED/sockets.py" ask "$BACK/a")" 'uid 1234 gid 1234 groups \[77, 88\].*bye'
		same '100 of 100' "$(sockets many "$BACK/a" 100)"
		same '20 of 20' "$(sockets many "$MNT/a" 20)"
		kill -KILL "$PEER"
		wait "$PEER" || :
		same 'Connection refused' "$(sockets refused "$MNT/a" stream)"
		wait_for 10 refuses "$BACK/a"
		rm "$BACK/a"
	done
	# Who connects behind sees whose server it is, not us.
	chmod 777 "$BACK"
	spawn "$LOG.peer" setpriv --reuid 1234 --regid 1234 --clear-groups /usr/bin/python3 "$BED/sockets.py" serve "$MNT/u"
	PEER=$!
	wait_for 10 grep -q ready "$LOG.peer"
	wait_for 5 connects "$BACK/u"
	matches "$(sockets ask "$BACK/u")" 'server uid 1234 gid 1234'
	stop_pid "$PEER"
	# The same name, now with a server behind.
	listening "$BACK/a"
	same connected "$(sockets refused "$MNT/a" stream)"
	run ! /usr/bin/python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$MNT/a"
	matches "$output" 'Address already in use'
}
connects() { [ "$(sockets refused "$1" stream)" = connected ]; }
refuses() { [ "$(sockets refused "$1" stream)" = 'Connection refused' ]; }

@test "more sockets than there is room for: the latest work, and those before them when they are asked for" {
	paths=()
	for i in $(seq 300); do paths+=("$BACK/s$i"); done
	listening "${paths[@]}"
	mounted
	ls -l "$MNT" >/dev/null
	for i in 1 300 150 1; do
		same connected "$(sockets refused "$MNT/s$i" stream)"
	done
}

@test "servers at the mount leave room: those of too many are reached there alone" {
	paths=()
	for i in $(seq 200); do paths+=("$MNT/s$i"); done
	mounted
	listening "${paths[@]}"
	wait_for 5 connects "$BACK/s1"
	wait_for 5 connects "$BACK/s128"
	for i in 129 200; do
		same connected "$(sockets refused "$MNT/s$i" stream)"
		same 'Connection refused' "$(sockets refused "$BACK/s$i" stream)"
	done
	stop_pid "$PEER"
	# Those behind still have theirs.
	listening "$BACK/a"
	same connected "$(sockets refused "$MNT/a" stream)"
}

@test "-o nosockets: no helpers, and refused" {
	listening "$BACK/a"
	mounted -o nosockets
	run ! pgrep -P "$SERVER"
	same 'Connection refused' "$(sockets refused "$MNT/a" stream)"
}

@test "unmounted, connected or not: all is over, nobody is left" {
	listening "$BACK/a"
	mounted
	helpers=$(helpers_of "$SERVER")
	spawn "$LOG.held" /usr/bin/python3 "$BED/sockets.py" hold "$MNT/a"
	wait_for 10 grep -q held "$LOG.held"
	umount "$MNT"
	ends 0
	wait_for 10 grep -q end "$LOG.held"
	for pid in $helpers; do
		wait_for 10 test ! -e "/proc/$pid"
	done
}

@test "kill -9 of the server: connections end, nobody hangs, nobody is left" {
	listening "$BACK/a"
	mounted
	helpers=$(helpers_of "$SERVER")
	spawn "$LOG.held" /usr/bin/python3 "$BED/sockets.py" hold "$MNT/a"
	wait_for 10 grep -q held "$LOG.held"
	kill -KILL "$SERVER"
	ends 137
	wait_for 10 grep -q end "$LOG.held"
	matches "$(sockets refused "$MNT/a" stream)" 'not connected|Transport endpoint'
	for pid in $helpers; do
		wait_for 10 test ! -e "/proc/$pid"
	done
	umount "$MNT"
	mounted
	same connected "$(sockets refused "$MNT/a" stream)"
}

@test "kill -9 while sockets come and go: nobody hangs" {
	paths=()
	for i in $(seq 100); do paths+=("$BACK/s$i"); done
	listening "${paths[@]}"
	for round in 1 2 3 4; do
		mounted
		spawn "$LOG.stat" sh -c "stat '$MNT'/s* >/dev/null"
		worker=$!
		sleep "0.00$round"
		kill -KILL "$SERVER"
		ends 137
		wait_for 10 test ! -e "/proc/$worker/root"
		umount "$MNT"
	done
}
