#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# cntr exec: the container's own programs in its own view.

load ../bed/bed

setup_file()
{
	bed_engine_up runc
	runc_run web busybox '.process.cwd = "/home"'
	WEB=$TARGET WEB_PID=$TPID
	export WEB WEB_PID
}

teardown_file()
{
	[ -z "${WEB:-}" ] || runc_down
}

setup()
{
	TARGET=$WEB TPID=$WEB_PID
}

ex()
{
	cntr exec "$TARGET" -- "$@"
}

@test "exec: / is the container's" {
	same ID=bed-image "$(ex /bin/cat /etc/os-release)"
	same 1 "$(status ex /bin/test -e "$BED")"
}

@test "exec: its shell is the default" {
	same bed-image "$(echo '. /etc/os-release; echo $ID' | cntr exec "$TARGET")"
}

@test "exec: its PATH finds the command" {
	runc_run paths busybox '.process.env = ["PATH=/bin"]'
	same ID=bed-image "$(ex cat /etc/os-release)"
}

@test "exec: its environment" {
	run ex /bin/env
	matches "$output" $'(^|\n)BED_MARK=of-the-container(\n|$)'
	matches "$output" $'(^|\n)PATH=/only/here(\n|$)'
}

@test "exec: its working directory" {
	same /home "$(ex /bin/pwd)"
}

@test "exec: its namespaces, cgroups and limits" {
	spawn /dev/null "$CNTR" exec "$TARGET" -- /bin/sleep 86060
	wait_for 10 find_process '/bin/sleep 86060' >/dev/null
	local p
	p=$(find_process '/bin/sleep 86060')
	same "$(ns_of "$TPID")" "$(ns_of "$p")"
	same "$(readlink "/proc/$TPID/ns/mnt")" "$(readlink "/proc/$p/ns/mnt")"
	same "$(cat "/proc/$TPID/cgroup")" "$(cat "/proc/$p/cgroup")"
	same "$(cat "/proc/$TPID/limits")" "$(cat "/proc/$p/limits")"
	same "$(status_of "$TPID" Uid Gid Groups Umask NoNewPrivs Seccomp)" \
		"$(status_of "$p" Uid Gid Groups Umask NoNewPrivs Seccomp)"
	kill "$p"
}

@test "exec: exit status" {
	same 3 "$(status ex /bin/sh -c 'exit 3')"
	same 126 "$(status ex /etc)"
	same 127 "$(status ex /no/such/command)"
	same 137 "$(status ex /bin/sh -c 'kill -9 $$')"
}

@test "exec: standard input and output are clean" {
	head -c 4M /dev/urandom >"$BATS_TEST_TMPDIR/in"
	ex /bin/cat <"$BATS_TEST_TMPDIR/in" | cmp - "$BATS_TEST_TMPDIR/in"
}

@test "exec: a container without a shell says so" {
	runc_run bare distroless
	local s=0
	said=$(cntr exec "$TARGET" 2>&1 </dev/null) || s=$?
	same 127 "$s"
	matches "$said" 'shell|/bin/sh'
}

@test "exec: --user" {
	same 65532 "$(cntr exec --user nonroot "$TARGET" -- /bin/id -u)"
}

@test "exec: the container's mounts stay as they were" {
	local before
	before=$(cat "/proc/$TPID/mountinfo")
	ex /bin/true
	same "$before" "$(cat "/proc/$TPID/mountinfo")"
}

@test "exec: on a terminal" {
	need pty
	local s=0
	run timeout 300 /usr/bin/python3 "$BED_DIR/terminal.py" 31x97 "$CNTR" exec "$TARGET" -- /bin/stty size </dev/null
	same 0 "$status"
	matches "$output" '31 97'
}

# no_way_out VERB: a working directory, a PATH and a shell that name a descriptor of cntr's lead nowhere.
no_way_out()
{
	local n dir=
	for n in {3..45}; do
		tool_error 125 cntr "$1" -w "/proc/self/fd/$n" "$TARGET" -- /bin/true
		dir+=:/proc/self/fd/$n/../bin:/proc/self/fd/$n/../..$BED/bin
	done
	tool_error 127 cntr "$1" -e "PATH=${dir#:}" "$TARGET" -- cntr --version
}

@test "exec: no descriptor of the host's is reached by /proc/self/fd" {
	no_way_out exec
	# The same for links that the container has put there.
	ln -sfn /proc/self/fd/4 "$BED/runc/web/rootfs/home/link"
	tool_error 125 cntr exec -w /home/link "$TARGET" -- /bin/true
}

@test "attach: no descriptor of the host's is reached by /proc/self/fd" {
	no_way_out attach
}
