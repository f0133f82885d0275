#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# cntr attach --forward: ports of the container, sockets of either side, for as long as the session lasts.

load ../bed/bed

setup_file()
{
	need unshare pty
	unshare_up
	unshare_run web busybox
	nsenter --net="/proc/$TPID/ns/net" ip link set lo up
	spawn "$BED/port.log" nsenter --net="/proc/$TPID/ns/net" /usr/bin/python3 "$BED_DIR/sockets.py" port 8080
	echo $! >"$BED/port.pid"
	wait_for 10 grep -q ready "$BED/port.log"
	ssh-agent -a "$BED/agent" >"$BED/agent.env"
}

teardown_file()
{
	[ -n "${TPID:-}" ] || return 0
	stop_daemon port
	# shellcheck source=/dev/null
	(source "$BED/agent.env" && ssh-agent -k)
	unshare_down
}

setup() { SESSION=''; }
teardown() { [ -z "$SESSION" ] || stop_pid "$SESSION"; }

sockets() { timeout -k 5 400 /usr/bin/python3 "$BED_DIR/sockets.py" "$@"; }

# session OPTION...: one that waits, as $SESSION; said to be there in $LOG.
session()
{
	LOG=$BED/session.$BATS_TEST_NUMBER
	spawn "$LOG" "$CNTR" attach "$@" "$TARGET" -- sh -c 'echo there; exec sleep 1000'
	SESSION=$!
	wait_for 20 grep -q there "$LOG" || { cat "$LOG"; return 1; }
}

over()
{
	stop_pid "$SESSION"
	SESSION=''
}

listens() { ss -Hltn "sport = :$1" | grep -q .; }
silent() { ! listens "$1"; }

@test "a port of the container: under another number, under its own, at another address" {
	session --forward 18080:8080 --forward 8080 --forward '[::1]:18081:8080' --forward 127.0.0.2:8080
	same WHO "$(sockets ask 18080 | sed -n 1p)"
	same '100 of 100' "$(sockets many 8080 100)"
	same 'meanwhile all bounded' "$(sockets slow 18080 | xargs)"
	/usr/bin/python3 -c 'import socket; socket.create_connection(("::1", 18081)); socket.create_connection(("127.0.0.2", 8080))'
	# Of the host's addresses the loopback only.
	same '127.0.0.1:18080' "$(ss -Hltn 'sport = :18080' | awk '{ print $4 }')"
	# It is the container's network, which the view has nothing to do with.
	over
	wait_for 5 silent 18080
	wait_for 5 silent 8080
	session --view union --forward 18080:8080
	same WHO "$(sockets ask 18080 | sed -n 1p)"
}

@test "nobody listens in the container: the connection ends, the session does not" {
	session --forward 18082:9
	same '' "$(timeout "$PATIENCE_S" bash -c 'cat </dev/tcp/127.0.0.1/18082' 2>/dev/null)"
	alive "$SESSION"
}

@test "a web server in a container of docker" {
	need docker
	docker_up
	docker_run www busybox
	"$DOCKER" exec -d www /bin/busybox httpd -p 80 -h /etc
	session --forward 18083:80
	wait_for 10 fetches ID=bed-image http://127.0.0.1:18083/os-release
	docker_rm www
	docker_down
}
# fetches LINE URL
fetches() { /usr/bin/python3 -c 'import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())' "$2" | grep -qx "$1"; }

@test "the command finds it there, from its first instruction on" {
	ssh-keygen -q -t ed25519 -N '' -f "$BED/key"
	SSH_AUTH_SOCK=$BED/agent ssh-add -q "$BED/key"
	for view in bind union; do
		same "$(SSH_AUTH_SOCK=$BED/agent ssh-add -l)" \
			"$(cntr attach --view $view --forward "$BED/agent:/tmp/agent" -e SSH_AUTH_SOCK=/tmp/agent "$TARGET" -- ssh-add -l)"
	done
	same '600 0' "$(cntr attach --forward "$BED/agent:/tmp/agent" "$TARGET" -- stat -c '%a %u' /tmp/agent)"
	# In the container's own tree its processes find it, too; afterwards it is gone.
	tree=/proc/$TPID/root
	session --forward "$BED/agent:/var/lib/cntr/run/agent"
	matches "$(SSH_AUTH_SOCK=$tree/run/agent ssh-add -l)" ED25519
	over
	test ! -e "$tree/run/agent"
}

@test "a socket of the container on the host" {
	spawn "$BED/inner.log" /usr/bin/python3 "$BED_DIR/sockets.py" serve "/proc/$TPID/root/run/a" "/proc/$TPID/root/run/b.seq"
	peer=$!
	wait_for 10 grep -q ready "$BED/inner.log"
	session --forward "$BED/a:/var/lib/cntr/run/a" --forward "$BED/b.seq:/var/lib/cntr/run/b.seq"
	matches "$(sockets ask "$BED/a")" 'uid 0 gid 0.*bye'
	same '50 of 50' "$(sockets many "$BED/a" 50)"
	same 'borders kept' "$(sockets packets "$BED/b.seq")"
	same '600' "$(stat -c %a "$BED/a")"
	# By its path, each time: another server there is reached as well.
	stop_pid "$peer"
	rm "/proc/$TPID/root/run/a" "/proc/$TPID/root/run/b.seq"
	spawn "$BED/inner.log" /usr/bin/python3 "$BED_DIR/sockets.py" serve "/proc/$TPID/root/run/a"
	peer=$!
	wait_for 10 grep -q ready "$BED/inner.log"
	matches "$(sockets ask "$BED/a")" bye
	stop_pid "$peer"
	rm "/proc/$TPID/root/run/a"
	# What somebody else put there stays.
	rm "$BED/a"
	echo mine >"$BED/a"
	over
	same mine "$(cat "$BED/a")"
	test ! -e "$BED/b.seq"
}

@test "a view that is served: sockets of the tools tree, and forwards, work in it as in others" {
	# Where the view has it, too: /tmp is the container's.
	cp "$BED_DIR/sockets.py" "$BED"
	spawn "$BED/tools.log" /usr/bin/python3 "$BED_DIR/sockets.py" serve "$BED/tools" "$BED/tools.seq"
	peer=$!
	wait_for 10 grep -q ready "$BED/tools.log"
	inner=$TARGET
	# As the container of this file, but of the host's users.
	plain_run
	for view in '--view fuse' '--view fuse --merge' '--view bind'; do
		# shellcheck disable=SC2086 # options
		matches "$(cntr attach $view "$TARGET" -- /usr/bin/python3 "$BED/sockets.py" ask "$BED/tools")" 'uid 0 gid 0.*bye'
		# shellcheck disable=SC2086
		same 'borders kept' "$(cntr attach $view "$TARGET" -- /usr/bin/python3 "$BED/sockets.py" packets "$BED/tools.seq")"
	done
	unshare_rm plain
	# Root of another user namespace is not to reach what the mode of a file keeps for the host's.
	TARGET=$inner
	for view in '--view fuse' '--view fuse --merge'; do
		# shellcheck disable=SC2086
		same 'Connection refused' "$(cntr attach $view "$TARGET" -- /usr/bin/python3 "$BED/sockets.py" refused "$BED/tools" stream)"
	done
	run -125 "$CNTR" attach --view fuse --forward "$BED/agent:/tmp/x" "$TARGET" -- true
	matches "$output" 'you may not make a socket there'
	session --view fuse --forward 18086:8080
	same WHO "$(sockets ask 18086 | sed -n 1p)"
	stop_pid "$peer"
	rm "$BED"/tools{,.seq}
}

plain_run()
{
	image_copy busybox "$BED/unshare/plain"
	mkdir -p "$BED/unshare/plain/proc"
	bare_start plain unshare -mpfn --kill-child --mount-proc --root="$BED/unshare/plain" /app
	bare_target plain
}

@test "kill -9 of cntr: nothing listens any more, what was made is gone" {
	session --forward 18084:8080 --forward "$BED/agent:/var/lib/cntr/run/agent"
	listens 18084
	kill -KILL "$SESSION"
	wait "$SESSION" || :
	SESSION=''
	wait_for 10 silent 18084
	wait_for 10 test ! -e "/proc/$TPID/root/run/agent"
}

@test "the process that forwards does not end: the session does, and what was made is gone" {
	session --forward "$BED/agent:/var/lib/cntr/run/agent"
	peer=$(pgrep -P "$SESSION" -x attach-forward)
	# It has few rights: dac_override, dac_read_search, fowner.
	same 'CapPrm: 000000000000000e NoNewPrivs: 1' "$(grep -E '^(CapPrm|NoNewPrivs):' "/proc/$peer/status" | xargs)"
	kill -STOP "$peer"
	kill -TERM "$SESSION"
	wait_for 10 has_ended "$SESSION"
	SESSION=''
	test ! -e "/proc/$TPID/root/run/agent"
	wait_for 5 has_ended "$peer"
}

# says STATUS REGEX FORWARD...
says()
{
	run "-$1" "$CNTR" attach "${@:3}" "$TARGET" -- true
	matches "$output" "$2"
	one_line
}

@test "what cannot be forwarded is said in one sentence" {
	session --forward 18085:8080
	says 125 "port 18085 is in use" --forward 18085:80
	for x in 0 65536 80:x a:b:c 1:2:3:4 '' 300.1.1.1:80 ssh:22:22; do
		says 2 "--forward takes .ADDRESS:.PORT" --forward "$x"
	done
	says 2 'must be an absolute path' --forward "$BED/agent:./x"
	says 2 'both sides are paths' --forward "$BED/agent:x"
	says 2 'both sides are paths' --forward "/tmp/:/tmp/x"
	says 125 "no socket '/tmp/none' on the host, nor '/tmp/x' in the session" --forward /tmp/none:/tmp/x
	says 125 "'/etc/passwd' is not a socket" --forward /etc/passwd:/tmp/x
	says 125 "there is something at '/dev/null'" --forward "$BED/agent:/dev/null"
	says 125 "no such directory in the session" --forward "$BED/agent:/none/x"
	says 125 "nothing can be made there" --forward "$BED/agent:/etc/x"
	/usr/bin/python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$BED/dead"
	says 125 "nobody listens at '$BED/dead'" --forward "$BED/dead:/tmp/x"
	run -125 setpriv --reuid 61000 --regid 61000 --clear-groups "$CNTR" attach --forward 18085:80 "$TARGET" -- true
}
