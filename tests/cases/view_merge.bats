#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# attach --view fuse --merge: the container's root over the tools, written through.

load ../bed/bed

setup_file()
{
	need fuse
	bed_engine_up runc
	runc_run web busybox
	cat "/proc/$TPID/mountinfo" >"$BED/mountinfo.before"
}

teardown_file()
{
	[ -z "${TPID:-}" ] || runc_down
}

setup() { need fuse; }

m()
{
	cntr attach --view fuse --merge "$TARGET" -- "$@"
}

@test "the container's files are at /, and win; the tools are there as well" {
	same ID=bed-image "$(m cat /etc/os-release)"
	m test -x /app
	matches "$(m gdb --version)" 'GNU gdb'
	m cmp /etc/passwd - <"/proc/$TPID/root/etc/passwd"
	same 1 "$(m sh -c 'ls -a / | grep -cx etc')"
	same ID=bed-image "$(m cat /var/lib/cntr/etc/os-release)"
	same "$(printf '%s\n' /app 'ps -eo args=')" "$(m ps -eo args= | sort)"
}

@test "what is written to the container's files and directories is written to the container" {
	local root=/proc/$TPID/root
	same 0 "$(status m sh -c 'echo one >/etc/new && mkdir /srv-of-us && echo two >/srv-of-us/f && chmod 640 /etc/new')"
	same one "$(cat "$root/etc/new")"
	same 640 "$(stat -c %a "$root/etc/new")"
	same two "$(cat "$root/srv-of-us/f")"
	same 0 "$(status m sh -c 'echo more >>/etc/new && mv /etc/new /etc/newer && rm -r /srv-of-us')"
	same "$(printf 'one\nmore')" "$(cat "$root/etc/newer")"
	[ ! -e "$root/srv-of-us" ] && [ ! -e "$root/etc/new" ]
	m rm /etc/newer
	[ ! -e "$root/etc/newer" ]
}

@test "a file of the tools that is changed or removed: in a scratch layer, and it is said" {
	local sum
	sum=$(sha256sum /usr/bin/env /usr/bin/xargs /etc/login.defs | sha256sum)
	run m sh -c 'echo x >>/usr/bin/env; tail -c 2 /usr/bin/env; rm /usr/bin/xargs; test -e /usr/bin/xargs || echo gone; echo y >/usr/share/new; cat /usr/share/new
		getfattr --only-values -n user.cntr.layer /usr/bin/env; echo; getfattr --only-values -n user.cntr.layer /app'
	same 0 "$status" "$output"
	matches "$output" $'x\ngone\ny\n'
	matches "$output" 'scratch'
	matches "$output" 'upper'
	matches "$output" '1 files of the tools were changed and 1 names removed'
	same "$sum" "$(sha256sum /usr/bin/env /usr/bin/xargs /etc/login.defs | sha256sum)"
	[ ! -e /usr/share/new ] && [ ! -e "/proc/$TPID/root/usr/share/new" ]
	# And nothing is said if nothing was.
	same '' "$(m true 2>&1)"
}

@test "the mount table of the container stays as it was" {
	attach_start --view fuse --merge -- sleep 86170
	cmp "$BED/mountinfo.before" "/proc/$TPID/mountinfo"
	attach_stop
	cmp "$BED/mountinfo.before" "/proc/$TPID/mountinfo"
}

@test "a directory of the container where the tools have a link" {
	runc_run alpine musl
	matches "$(m gdb --version)" 'GNU gdb'
	same "hello from musl" "$(m hello)"
	m sh -c 'echo x >/lib/new'
	same x "$(cat "/proc/$TPID/root/lib/new")"
	runc_rm alpine
}

@test "without root" {
	local tools=$BED/user/tools
	bed_engine_up rootless
	rootless_run alpine musl
	export CNTR_AS=$AS_USER
	image_copy merged "$tools"
	cp "$tools/app" "$tools/usr/bin/dynamic"
	chown -R bed: "$tools"
	same "hello from musl" "$(cntr attach --view fuse --merge --tools "$tools" "$TARGET" -- hello)"
	matches "$(cntr attach --view fuse --merge --tools "$tools" "$TARGET" -- /lib64/ld-linux-x86-64.so.2 --list /bin/dynamic)" 'libc\.so\.6 => /lib'
	rootless_down
}

@test "a FUSE file system of the container, that nobody answers for, holds nobody up" {
	runc_run slow busybox
	/usr/bin/python3 - "$TPID" <<-'END' &
		import ctypes, os, sys, time
		libc = ctypes.CDLL(None, use_errno=True)
		dev = os.open("/dev/fuse", os.O_RDWR)
		ns = os.open("/proc/%s/ns/mnt" % sys.argv[1], os.O_RDONLY)
		assert libc.setns(ns, 0x20000) == 0
		os.makedirs("/mnt", exist_ok=True)
		data = "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other" % dev
		assert libc.mount(b"slow", b"/mnt", b"fuse", 0, data.encode()) == 0
		time.sleep(1000)
	END
	local pid=$!
	wait_for 10 grep -q ' /mnt .* fuse' "/proc/$TPID/mountinfo"
	same 0 "$(status timeout "$PATIENCE_S" "$CNTR" attach --view fuse --merge "$TARGET" -- ls -l /mnt /)"
	kill -KILL "$pid"
	runc_rm slow
}

@test "wrong usage is said" {
	tool_error 2 "$CNTR" attach --merge "$TARGET"
	tool_error 2 "$CNTR" attach --view union --merge "$TARGET"
	tool_error 2 "$CNTR" attach --view fuse --merge --rw "$TARGET"
	tool_error 2 "$CNTR" attach --view nonsense "$TARGET"
}
