#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# --view union: the container's root stays at /, the tools lie under it.

load ../bed/bed

setup_file()
{
	need overlay_fd
	bed_engine_up docker
	docker_run web distroless
	cat "/proc/$TPID/mountinfo" >"$BED/mountinfo.before"
	tree_state "/proc/$TPID/root/" >"$BED/files.before"
}

teardown_file()
{
	[ -z "${TPID:-}" ] || docker_down
}

setup()
{
	need overlay_fd
}

u()
{
	cntr attach --view union "$TARGET" -- "$@"
}

@test "union: the container's files are at /" {
	same ID=bed-image "$(u cat /etc/os-release)"
	u test -x /app
}

@test "union: the tools are simply there" {
	matches "$(u gdb --version)" 'GNU gdb'
	same /usr/bin/env "$(u sh -c 'command -v env')"
}

@test "union: the container wins where both have a file" {
	u cmp /etc/passwd - <"/proc/$TPID/root/etc/passwd"
}

@test "union: the container's mounts are there" {
	same "$(stat -c %d:%i "/proc/$TPID/root/etc/hosts")" "$(u stat -c %d:%i /etc/hosts)"
	same tmpfs "$(u stat -f -c %T /dev)"
}

@test "union: ps shows the container's" {
	same "$(printf '%s\n' /app 'ps -eo args=')" "$(u ps -eo args= | sort)"
}

@test "union: writes go to a scratch layer" {
	same 0 "$(status u sh -c 'echo x >/new && echo y >>/etc/os-release && rm /app && cat /new')"
	cmp "$BED/files.before" <(tree_state "/proc/$TPID/root/")
	[ ! -e /new ]
	same ID=bed-image "$(u cat /etc/os-release)"
}

@test "union: the target's mount table stays as it was" {
	attach_start --view union -- sleep 86070
	cmp "$BED/mountinfo.before" "/proc/$TPID/mountinfo"
	attach_stop
	cmp "$BED/mountinfo.before" "/proc/$TPID/mountinfo"
}

@test "union: strace of the target works" {
	run u timeout -s INT 1 strace -p 1
	matches "$output" attached
}

@test "union: on a root that is a plain directory" {
	runc_run plain distroless
	same ID=bed-image "$(u cat /etc/os-release)"
	matches "$(u gdb --version)" 'GNU gdb'
	runc_down
}

@test "union: with tools from elsewhere" {
	image_copy busybox "$BED/tree"
	echo mark-of-the-dir >"$BED/tree/mark"
	same mark-of-the-dir "$(cntr attach --view union --tools "$BED/tree" "$TARGET" -- cat /mark)"
}

@test "union: a kernel that does not take descriptors as layers says so" {
	tool_error 125 /usr/bin/python3 "$BED_DIR/nosys.py" fsconfig -- "$CNTR" attach --view union "$TARGET" -- true
}
