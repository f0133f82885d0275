#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Mistakes of the user and of the moment: one sentence that says what to do, exit code 125, nothing changed.

load ../bed/bed

setup_file()
{
	bed_engine_up docker
	bed_engine_up podman
	docker_run web distroless
	TARGET_WEB=$TARGET PID_WEB=$TPID
	export TARGET_WEB PID_WEB
}

teardown_file()
{
	[ -z "${DOCKER:-}" ] || docker_down
	podman_down 2>/dev/null || :
}

setup()
{
	TARGET=$TARGET_WEB TPID=$PID_WEB
}

@test "an unknown target, with and without its engine" {
	local t
	for t in nothing docker:nothing podman:nothing lxc:nothing containerd:nothing runc:nothing nspawn:nothing; do
		tool_error 125 "$CNTR" attach "$t" -- true
		matches "$said" nothing
	done
}

@test "a hint when nothing is found: how to list what there is" {
	tool_error 125 "$CNTR" attach nothing -- true
	matches "$said" 'cntr ps'
}

@test "an unknown engine" {
	tool_error 125 "$CNTR" attach nosuchengine:web -- true
	matches "$said" nosuchengine
}

@test "odd targets: empty, huge, control characters, paths" {
	local t
	for t in '' 0 -1 99999999999999999999 4194305 '../../etc' 'docker:' ':web' 'docker:../x' "$(head -c 5000 /dev/zero | tr '\0' x)" $'new\nline' $'\033[31mred'; do
		tool_error 125 "$CNTR" attach -- "$t" true 2>/dev/null ||
			tool_error 125 "$CNTR" attach "$t" -- true 2>/dev/null ||
			tool_error 2 "$CNTR" attach "$t" -- true
	done
}

@test "a stopped container" {
	docker_run 'done' distroless
	"$DOCKER" stop -t 1 'done' >/dev/null
	tool_error 125 "$CNTR" attach docker:'done' -- true
	matches "$said" 'stopped|not running|exited'
	tool_error 125 "$CNTR" attach 'done' -- true
	"$DOCKER" rm 'done' >/dev/null
}

@test "an ambiguous name lists its meanings" {
	podman_run web distroless
	local s=0
	"$CNTR" attach web -- true </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 || s=$?
	same 125 "$s"
	matches "$(<"$BATS_TEST_TMPDIR/out")" docker:web
	matches "$(<"$BATS_TEST_TMPDIR/out")" podman:web
	same 0 "$(status cntr attach podman:web -- true)"
	podman_rm web
}

@test "an ambiguous prefix of an id" {
	local ids id n=0
	# Seventeen containers must share a first digit; prefixes of one or two are too short anyway.
	tool_error 125 "$CNTR" attach "docker:$("$DOCKER" inspect -f '{{.Id}}' web | head -c 1)" -- true
}

@test "a pid that is no process" {
	sleep 0 &
	local pid=$!
	wait "$pid"
	tool_error 125 "$CNTR" attach "$pid" -- true
	matches "$said" "$pid"
}

@test "a zombie" {
	/usr/bin/python3 -c 'import os, time
pid = os.fork()
if pid == 0: os._exit(0)
print(pid, flush=True)
time.sleep(1000)' >"$BATS_TEST_TMPDIR/pid" 3>&- 4>&- &
	local parent=$!
	wait_for 5 test -s "$BATS_TEST_TMPDIR/pid"
	tool_error 125 "$CNTR" attach "$(<"$BATS_TEST_TMPDIR/pid")" -- true
	kill "$parent"
}

@test "a target that vanishes while one attaches: works, or says so" {
	local i s pid
	for i in {1..15}; do
		runc_run gone scratch
		(sleep "0.0$((RANDOM % 4))$((RANDOM % 10))" && kill -KILL "$TPID") &
		s=0
		timeout "$PATIENCE_S" "$CNTR" attach "$TPID" -- true </dev/null >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || s=$?
		wait $!
		case $s in
		0 | 137) ;;
		125) same 1 "$(wc -l <"$BATS_TEST_TMPDIR/err")" "lines of: $(<"$BATS_TEST_TMPDIR/err")" ;;
		*) fail "exit status $s: $(<"$BATS_TEST_TMPDIR/err")" ;;
		esac
		runc_rm gone
	done
	wait_for 5 no_cntr
}

@test "a container of another user" {
	tool_error 125 "$AS_USER" "$CNTR" attach "$TPID" -- true
	matches "$said" '[Pp]ermi|root|sudo|denied'
	tool_error 125 "$AS_USER" "$CNTR" attach docker:web -- true
}

@test "a root that lacks capabilities: which" {
	tool_error 125 setpriv --bounding-set=-sys_ptrace,-chown "$CNTR" attach "$TPID" -- true
	matches "$said" 'capabilities that this root lacks, such as chown'
}

@test "a command that is missing, or can't be executed" {
	tool_error 127 "$CNTR" attach "$TARGET" -- no-such-command
	matches "$said" no-such-command
	tool_error 127 "$CNTR" attach "$TARGET" -- /no/such/command
	tool_error 126 "$CNTR" attach "$TARGET" -- /etc/passwd
	matches "$said" /etc/passwd
	tool_error 126 "$CNTR" attach "$TARGET" -- /usr
	tool_error 127 "$CNTR" attach "$TARGET" -- ''
}

# A verb that runs a command leaves 2 to it: its own mistakes are 125.
@test "wrong usage: exit code 2 or 125, and where help is" {
	local s
	for args in 'attach' 'attach --no-such-option web' 'attach --view sideways web' 'frobnicate' 'exec' 'inspect' 'ps extra' 'attach --user'; do
		s=0
		# shellcheck disable=SC2086 # words on purpose
		said=$("$CNTR" $args 2>&1 </dev/null) || s=$?
		[ "$s" = 2 ] || [[ $s = 125 && $args = @(attach|exec)* ]] || fail "'$args' gave $s: $said"
		matches "$said" 'help|usage|Usage|cntr ps'
	done
}

@test "bad values: --cap-add, --user, CNTR_BASE_DIR" {
	local args
	for args in --cap-{add,drop}={nonsense,,',','chown,,kill'} --user={,0:,:0,4294967296,99999999999}; do
		tool_error 2 "$CNTR" attach "$args" "$TARGET" -- true
	done
	tool_error 125 "$CNTR" attach --user nobody-of-it "$TARGET" -- true
	matches "$said" "the container's /etc/passwd has no user"
	tool_error 125 env CNTR_BASE_DIR=not/absolute "$CNTR" attach "$TARGET" -- true
	tool_error 125 env CNTR_BASE_DIR=/var/lib/../../etc "$CNTR" attach "$TARGET" -- true
	tool_error 125 env CNTR_BASE_DIR=/ "$CNTR" attach "$TARGET" -- true
}

@test "a kernel without the mount API" {
	local calls
	# Before Linux 5.2 all is missing, before 5.12 mount_setattr.
	for calls in 'open_tree move_mount fsopen fsconfig fsmount mount_setattr' mount_setattr; do
		# shellcheck disable=SC2086 # words on purpose
		tool_error 125 /usr/bin/python3 "$BED_DIR/nosys.py" $calls -- "$CNTR" attach "$TARGET" -- true
		matches "$said" 'mount_setattr|[Ll]inux|kernel'
	done
}

@test "a kernel without pidfds" {
	tool_error 125 /usr/bin/python3 "$BED_DIR/nosys.py" pidfd_open -- "$CNTR" attach "$TARGET" -- true
}

@test "engine state that is damaged does not stop the others" {
	mkdir -p /run/runc/broken /run/containerd/io.containerd.runtime.v2.task/x/y /var/lib/lxc/broken
	echo '{"id": "broken", "init_process_pid": ' >/run/runc/broken/state.json
	head -c 4096 /dev/urandom >/run/containerd/io.containerd.runtime.v2.task/x/y/config.json
	same 0 "$(status attach true)"
	cntr ps >/dev/null
	rm -r /run/runc/broken /run/containerd/io.containerd.runtime.v2.task/x /var/lib/lxc/broken
}

@test "a docker socket that nobody listens to, or that answers nonsense" {
	mv /run/docker.sock /run/away.sock
	/usr/bin/python3 -c '
import socket
s = socket.socket(socket.AF_UNIX); s.bind("/run/docker.sock"); s.listen(5)
print("ready", flush=True)
while True:
    c, _ = s.accept(); c.recv(4096)
    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n[{\"Id\": " + b"[" * 100000); c.close()' >"$BATS_TEST_TMPDIR/fake" 3>&- 4>&- &
	local fake=$! s=0
	wait_for 5 test -s "$BATS_TEST_TMPDIR/fake"
	timeout "$PATIENCE_S" "$CNTR" attach docker:web -- true </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 || s=$?
	kill "$fake"
	rm /run/docker.sock
	# Nobody listens: the state files are the fallback.
	/usr/bin/python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("/run/docker.sock")'
	run timeout "$PATIENCE_S" "$CNTR" attach docker:web -- true
	rm /run/docker.sock
	mv /run/away.sock /run/docker.sock
	[ "$s" = 0 ] || [ "$s" = 125 ] || fail "a daemon that talks nonsense gave $s: $(<"$BATS_TEST_TMPDIR/out")"
	same 0 "$status" "attach without a daemon ($output)"
}

@test "a docker daemon that says nothing is not waited for for ever" {
	mv /run/docker.sock /run/away.sock
	/usr/bin/python3 -c '
import socket, time
s = socket.socket(socket.AF_UNIX); s.bind("/run/docker.sock"); s.listen(5)
print("ready", flush=True); time.sleep(1000)' >"$BATS_TEST_TMPDIR/fake" 3>&- 4>&- &
	local fake=$! s=0
	wait_for 5 test -s "$BATS_TEST_TMPDIR/fake"
	timeout "$PATIENCE_S" "$CNTR" attach docker:web -- true </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 || s=$?
	kill "$fake"
	rm /run/docker.sock
	mv /run/away.sock /run/docker.sock
	[ "$s" = 0 ] || [ "$s" = 125 ] || fail "gave $s: $(<"$BATS_TEST_TMPDIR/out")"
}

@test "a misspelt log level is said, once" {
	local v
	for v in inof inof,view=debug view=nonsense; do
		run --separate-stderr env CNTR_LOG="$v" "$CNTR" attach "$TARGET" -- true
		same 0 "$status"
		same 1 "$(grep -c 'is no log level' <<<"$stderr")"
	done
}

# Of every program: what it prints is done only when it is written.
@test "a standard output that is full: exit code 1, and the reason" {
	local words count=0
	while read -r words; do
		# shellcheck disable=SC2086 # words on purpose
		run --separate-stderr eval "$BUILD/$words >/dev/full"
		same 1 "$status" "exit code of '$words'"
		same 1 "${#stderr_lines[@]}" "lines of '$stderr'"
		matches "$stderr" '^[a-z-]+: writing to standard output: No space left on device$'
		count=$((count + 1))
	done <<-END
		cntr --help
		cntr attach --help
		cntr --version
		cntr completions bash
		cntr doctor
		cntr doctor --json
		cntr ps
		cntr ps --json
		cntr ps --names
		cntr inspect $TPID
		cntr inspect --json $TPID
		vmsh --help
		vmsh doctor
		vmsh doctor --json
		vmsh ps --json
		rktio --help
		rktio doctor
		rktio doctor --json
		rktio ps --json
		cntrfs --help
		cntrfs --version
		rktio-blk --help
		rktio-blk --print-capabilities
		rktio-net --version
		rktio-net --print-capabilities
	END
	same 25 "$count"
}
