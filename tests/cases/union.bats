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
	run u sh -c "$STRACED" sh 1
	matches "$output" attached
}

@test "union: on a root that is a plain directory" {
	runc_run plain distroless
	same ID=bed-image "$(u cat /etc/os-release)"
	matches "$(u gdb --version)" 'GNU gdb'
	runc_down
}

@test "union: a directory of the container where the tools have a link" {
	docker_run alpine musl
	[ -L /lib ] && [ -d "/proc/$TPID/root/lib" ] && [ ! -L "/proc/$TPID/root/lib" ]
	matches "$(u gdb --version)" 'GNU gdb'
	same "hello from musl" "$(u hello)"
	# The container's own files still win, and nothing is written to it.
	u cmp /lib/ld-musl-x86_64.so.1 - <"/proc/$TPID/root/lib/ld-musl-x86_64.so.1"
	same 0 "$(status u sh -c 'echo x >/lib/new && rm /lib/ld-musl-x86_64.so.1')"
	[ ! -e "/proc/$TPID/root/lib/new" ] && [ -e "/proc/$TPID/root/lib/ld-musl-x86_64.so.1" ]
	# In a container whose root is a plain directory, and that mounts something below it.
	runc_run plain musl '.mounts += [{"destination": "/lib/modules", "type": "tmpfs", "source": "tmpfs"}]'
	matches "$(u gdb --version)" 'GNU gdb'
	same "hello from musl" "$(u hello)"
	same tmpfs "$(u stat -f -c %T /lib/modules)"
	runc_down
}

@test "union: a link of the container where the tools have a directory" {
	docker_run debian merged
	image_copy musl "$BED/musl"
	same "hello from musl" "$(cntr attach --view union --tools "$BED/musl" "$TARGET" -- hello)"
	# /bin, /lib and /lib64 are the container's own, and what they lead to is there.
	same usr/lib "$(cntr attach --view union --tools "$BED/musl" "$TARGET" -- readlink /lib)"
	same 0 "$(status cntr attach --view union --tools "$BED/musl" "$TARGET" -- /lib64/ld-linux-x86-64.so.2 --list /app)"
}

@test "union: links that lead the view astray" {
	local link
	image_copy musl "$BED/musl"
	for link in / . .. ../.. /proc/self/fd /dev/../.. usr/lib/ loop "$(printf 'a:b,c\\d\n')"; do
		runc_run evil busybox
		rm -rf "/proc/$TPID/root/lib"
		ln -s "$link" "/proc/$TPID/root/lib"
		ln -s loop "/proc/$TPID/root/loop"
		mkdir -p "/proc/$TPID/root/$(printf 'a:b,c\\d\n')" "/proc/$TPID/root/usr/lib"
		same mark "$(cntr attach --view union --tools "$BED/musl" "$TARGET" -- /bin/busybox echo mark)"
		matches "$(u /bin/busybox ls /)" app
		runc_rm evil
	done
}

@test "union: with mapped ids" {
	need idmap
	runc_idmap_run mapped musl
	matches "$(u gdb --version)" 'GNU gdb'
	same "hello from musl" "$(u hello)"
	same 0:0 "$(u stat -c %u:%g /usr/bin/env)" "owner of a tool"
	same 0:0 "$(u stat -c %u:%g /bin/hello)" "owner of a file of the container"
	same 0 "$(status u touch /lib/new)"
	runc_idmap_down
}

@test "union: without root" {
	local tools=$BED/user/tools
	bed_engine_up rootless
	export CNTR_AS=$AS_USER
	rootless_run alpine musl
	image_copy merged "$tools"
	cp "$tools/app" "$tools/usr/bin/dynamic"
	chown -R bed: "$tools"
	same "hello from musl" "$(cntr attach --view union --tools "$tools" "$TARGET" -- hello)"
	# A program that needs what is behind the tools' /lib64 and /lib.
	matches "$(cntr attach --view union --tools "$tools" "$TARGET" -- /lib64/ld-linux-x86-64.so.2 --list /bin/dynamic)" 'libc\.so\.6 => /lib'
	rootless_down
}

@test "union: with tools from elsewhere" {
	image_copy busybox "$BED/tree"
	echo mark-of-the-dir >"$BED/tree/mark"
	same mark-of-the-dir "$(cntr attach --view union --tools "$BED/tree" "$TARGET" -- cat /mark)"
}

@test "union: a kernel that does not take descriptors as layers says so" {
	tool_error 125 /usr/bin/python3 "$BED_DIR/nosys.py" fsconfig -- "$CNTR" attach --view union "$TARGET" -- true
}
