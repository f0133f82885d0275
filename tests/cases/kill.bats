#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# kill -9 of cntr at any moment leaves nothing: no process, mount, cgroup or file, inside or outside.

load ../bed/bed

setup_file()
{
	bed_engine_up runc
	runc_run web busybox
	traces >"$BED/traces.before"
}

# What a failed test left must not make the next one fail.
teardown()
{
	local p
	for p in $(pgrep -f '^(sleep|dd) '); do
		[ "$p" = "$BED_NETWORK_PID" ] || kill -KILL "$p" 2>/dev/null || :
	done
}

teardown_file()
{
	[ -z "${TPID:-}" ] || runc_down
}

setup()
{
	before=$(<"$BED/traces.before")
}

# killed_after SECONDS CMD...: attach, and kill -9 cntr then. It must have been started.
killed_after()
{
	local delay=$1
	shift
	spawn "$BED/attach.log" "$CNTR" attach "$TARGET" -- "$@"
	CPID=$!
	sleep "$delay"
	kill -KILL "$CPID" 2>/dev/null || :
	wait "$CPID" 2>/dev/null || :
}

@test "traces: an attach that ends leaves none" {
	attach true
	no_traces "$before" 2
}

@test "traces: the check sees a process, a mount, a cgroup, a file" {
	spawn /dev/null nsenter -t "$TPID" -p sleep 86040
	wait_for 5 find_process 'sleep 86040' >/dev/null
	[ "$(traces)" != "$before" ]
	kill -KILL "$(find_process 'sleep 86040')"
	wait $! || :
	mount -t tmpfs x /mnt && [ "$(traces)" != "$before" ]
	umount /mnt
	touch /tmp/x && [ "$(traces)" != "$before" ]
	rm /tmp/x
	mkdir "$(cgroup_mounts | tail -n 1)/$BED_CGROUP/x" && [ "$(traces)" != "$before" ]
	rmdir "$(cgroup_mounts | tail -n 1)/$BED_CGROUP/x"
	no_traces "$before" 2
}

@test "killed at 20 moments of its first 30 ms" {
	local i ms
	# It does start: else nothing is tested here.
	attach true
	for i in {1..20}; do
		ms=$((RANDOM % 30 + 1))
		killed_after "$(printf '0.%03d' "$ms")" sleep 86041
		no_traces "$before" 3 || fail "killed after $ms ms"
	done
}

@test "killed when a command runs" {
	attach_start -- sleep 86042
	kill -KILL "$CPID"
	no_traces "$before" 3
}

@test "killed when children run in the background, one in a session of its own" {
	attach_start -- sh -c 'sleep 86043 & setsid sleep 86044 & (trap "" HUP TERM; exec sleep 86045) & wait'
	wait_for 5 find_process 'sleep 86045' >/dev/null
	wait_for 5 find_process 'sleep 86044' >/dev/null
	kill -KILL "$CPID"
	no_traces "$before" 3
}

@test "killed when a child has made a mount namespace of its own" {
	attach_start --privileged -- sh -c 'unshare -m sleep 86052 & wait'
	wait_for 5 find_process 'sleep 86052' >/dev/null
	kill -KILL "$CPID"
	no_traces "$before" 3
}

@test "traces: a command that ends takes along a child with a mount namespace of its own" {
	cntr attach --privileged "$TARGET" -- sh -c 'unshare -m sleep 86053 & sleep 0.2'
	no_traces "$before" 3
}

@test "killed with a shell on a terminal" {
	need pty
	/usr/bin/python3 "$BED_DIR/terminal.py" "$CNTR" attach "$TARGET" -- bash --norc -i >"$BED/attach.log" 2>&1 <<-'END' || :
		send sleep 86046 & sh -c 'echo sle""eps; exec sleep 86047'\n
		expect sleeps
		kill KILL
	END
	no_traces "$before" 3
}

@test "killed while it writes, and while it reads" {
	attach_start -- dd if=/dev/zero bs=64k of=/dev/null
	kill -KILL "$CPID"
	no_traces "$before" 3
	(sleep 1 | killed_after 0.2 cat)
	no_traces "$before" 3
}

@test "killed helpers: each process of cntr in turn" {
	local i pid
	for i in 1 2 3 4; do
		attach_start -- sleep 86048
		pid=$(descendants_of "$CPID" | sed -n "${i}p")
		if [ -z "$pid" ]; then
			attach_stop
			break
		fi
		kill -KILL "$pid"
		# It ends now, or goes on as if nothing was; but then it still ends when it is told to.
		sleep 0.3
		kill -TERM "$CPID" 2>/dev/null || :
		wait "$CPID" || :
		no_traces "$before" 3 || fail "killed process $i"
	done
}

@test "the other signals: TERM, INT, HUP, QUIT end it and the command" {
	local sig s
	for sig in TERM INT HUP QUIT; do
		attach_start -- sleep 86049
		kill -"$sig" "$CPID"
		s=0
		wait "$CPID" || s=$?
		same $((128 + $(kill -l "$sig"))) "$s"
		no_traces "$before" 3
	done
}

@test "union view: killed when a command runs" {
	need overlay_fd
	attach_start --view union -- sleep 86050
	kill -KILL "$CPID"
	no_traces "$before" 3
}

@test "image archive: killed while it is unpacked, the next attach works" {
	local tar ms
	tar=$(image_archive debian)
	for ms in 005 050 200 600; do
		spawn /dev/null "$CNTR" attach --tools "$tar" "$TARGET" -- true
		CPID=$!
		sleep "0.$ms"
		kill -KILL "$CPID" 2>/dev/null || :
		wait "$CPID" || :
	done
	same 12 "$(cntr attach --tools "$tar" "$TARGET" -- sh -c '. /etc/os-release; echo $VERSION_ID')"
	# The image itself, and no half of one. (An archive that isn't new any more has a link to it.)
	same 1 "$(find /var/cache/cntr -mindepth 1 -maxdepth 1 ! -name '.file-*' | wc -l)" "number of files in the cache: $(ls -A /var/cache/cntr)"
	same "" "$(find /var/cache/cntr -name '.file-*' ! -lname 'v1-*')"
	rm -r /var/cache/cntr
	no_traces "$before" 3
}
