#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Processes that are no usual container: some namespaces shared with the caller, odd roots, short lives.

load ../bed/bed

teardown()
{
	[ -z "${TPID:-}" ] || kill -KILL "$TPID" 2>/dev/null || :
}

# target CMD...: it becomes the target once it runs "sleep".
target()
{
	spawn "$BED/target.log" "$@"
	TPID=$!
	TARGET=$TPID
	wait_for 10 grep -qx sleep "/proc/$TPID/comm"
}

# jail DIR: a root directory with /bin/sleep.
jail()
{
	mkdir -p "$1"
	image_copy busybox "$1"
}

@test "the caller's own shell: nothing to join" {
	same 'ok' "$(cntr attach $$ -- sh -c "[ -e /var/lib/cntr$BED ] && echo ok")"
	same 'ok' "$(cntr exec $$ -- echo ok)"
}

@test "the caller's own shell, tools from a container" {
	bed_engine_up runc
	runc_run tools busybox
	same ID=bed-image "$(cntr attach --tools runc:tools $$ -- /bin/cat /etc/os-release)"
	runc_down
	TPID=
}

@test "another user namespace alone" {
	target unshare -Ur sleep 86070
	same 0 "$(attach_sh "[ -e /var/lib/cntr$BED ] && id -u")"
	same 0 "$(cntr exec "$TARGET" -- id -u)"
}

@test "another user namespace alone, of a normal user" {
	target "$AS_USER" unshare -Ur sleep 86071
	CNTR_AS=$AS_USER
	same 0 "$(attach_sh "touch /var/lib/cntr$BED/user/made && id -u")"
	same 61000 "$(stat -c %u "$BED/user/made")"
	rm "$BED/user/made"
	same 0 "$(cntr exec "$TARGET" -- id -u)"
}

@test "another mount namespace alone" {
	target unshare -m sleep 86072
	mount_of=$(mktemp -d -p "$BED")
	nsenter -t "$TPID" -m mount -t tmpfs x "$mount_of"
	same tmpfs "$(attach stat -f -c %T "/var/lib/cntr$mount_of")"
}

@test "a root directory alone: what is above it stays out" {
	jail "$BED/jail"
	target chroot "$BED/jail" /bin/sleep 86073
	same ID=bed-image "$(attach cat /var/lib/cntr/etc/os-release)"
	same 1 "$(status cntr exec "$TARGET" -- /bin/ls "/../../../..$BED")"
	same 2 "$(status attach ls "/var/lib/cntr/../cntr/../cntr$BED")"
}

@test "a user namespace without a single id" {
	target unshare -U sleep 86074
	tool_error 125 attach true
	matches "$said" 'has no ids'
}

@test "a user namespace without root" {
	target unshare -Um --map-user=5 --map-group=5 sleep 86075
	same 5 "$(attach id -u)"
	same 5 "$(cntr exec "$TARGET" -- id -u)"
}

@test "a root directory that is deleted, or not mounted any more" {
	jail "$BED/deleted"
	target chroot "$BED/deleted" /bin/sleep 86076
	rm -rf "${BED:?}/deleted"
	tool_error 125 attach true
	matches "$said" 'has been deleted'
	kill -KILL "$TPID"
	mkdir "$BED/gone" && mount -t tmpfs x "$BED/gone"
	jail "$BED/gone"
	target chroot "$BED/gone" /bin/sleep 86077
	umount -l "$BED/gone"
	tool_error 125 attach true
	matches "$said" 'not mounted any more'
	same 0 "$(status cntr exec "$TARGET" -- /bin/true)"
}

@test "the base directory: anywhere but in what is the session's own" {
	local dir
	target unshare -m sleep 86078
	ln -s /usr "$BED/link"
	for dir in /mnt /a/b/c /etc/x/y "$BED/link/x" '/x y' /run/x /home; do
		same 0 "$(status env CNTR_BASE_DIR="$dir" "$CNTR" attach "$TARGET" -- test -e "$dir$BED")"
		[ ! -e "$dir$BED" ]
	done
	for dir in /tmp /tmp/x /proc/x /dev/x /dev/shm/x /sys x /x/ /..x //x /x/../y; do
		tool_error 125 env CNTR_BASE_DIR="$dir" "$CNTR" attach "$TARGET" -- true
		matches "$said" CNTR_BASE_DIR
	done
}

@test "targets that end meanwhile: its status, or one sentence that says so" {
	local i s p pid
	# Asked once: it may be the one of the round before, which is gone when it is asked again.
	found() { pid=$(find_process 'sleep 86079'); }
	for i in {1..60}; do
		spawn /dev/null unshare -pfm --mount-proc --kill-child sleep 86079
		p=$!
		wait_for 5 found
		spawn "$BED/short.log" "$CNTR" attach "$pid" -- true
		CPID=$!
		sleep "0.00$((i % 8))"
		kill -KILL "$p"
		s=0
		wait "$CPID" || s=$?
		case $s in
		0 | 137) ;;
		125) matches "$(<"$BED/short.log")" 'ended|gone|no process' ;;
		*) fail "exit status $s: $(<"$BED/short.log")" ;;
		esac
		wait "$p" || :
	done
	wait_for 5 no_cntr
}
