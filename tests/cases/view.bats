#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# attach --view fuse: what is of this view alone. What it has in common with the others: attach-ENGINE-fuse.bats.

load ../bed/bed

setup_file()
{
	need fuse
	bed_engine_up runc
	runc_run web busybox
	traces >"$BED/traces.before"
}

teardown_file()
{
	[ -z "${TPID:-}" ] || runc_down
}

setup()
{
	need fuse
	export ATTACH_VIEW=fuse
	before=$(<"$BED/traces.before")
}

# server_of PID: the server that this cntr has started.
server_of() { pgrep -x attach-files -P "$1"; }

reads_without_end='while :; do ls -lR /usr/share/doc /etc; cat /usr/bin/env /etc/passwd; done >/dev/null 2>&1'

@test "/ is a FUSE file system, and the only one" {
	same fuse.cntrfs "$(attach findmnt -no FSTYPE /)"
	# Where the tools lack a mount point, parts of it are mounted beside that.
	same 1 "$(attach awk '/ - fuse.cntrfs / { print $3 }' /proc/self/mountinfo | sort -u | wc -l)"
}

@test "kill -9 of cntr: nothing is left, nobody waits" {
	attach_start -- sh -c "$reads_without_end"
	sleep 0.3
	kill -KILL "$CPID"
	no_traces "$before" 5
}

@test "kill -9 of cntr, whose server stands still: nothing is left, nobody waits" {
	attach_start -- sh -c "$reads_without_end"
	kill -STOP "$(server_of "$CPID")"
	sleep 0.3
	kill -KILL "$CPID"
	no_traces "$before" 5
}

@test "kill -9 of the server: the command gets errors and ends, the next attach works" {
	attach_start -- sh -c 'while ls /usr/bin/env; do :; done; echo over; exit 3'
	kill -KILL "$(server_of "$CPID")"
	local s=0
	wait "$CPID" || s=$?
	[ "$s" -ne 0 ]
	no_traces "$before" 5
	attach true
}

@test "a command that leaves a process behind: it is ended, and so is the server" {
	attach sh -c 'setsid sh -c "while :; do cat /usr/bin/env >/dev/null; done" & sleep 0.2'
	no_traces "$before" 5
}

@test "--rw: files are made, mapped for writing, and are there afterwards" {
	mkdir -p "$BED/shared"
	cntr attach --rw "$TARGET" -- /usr/bin/python3 - "$BED/shared/f" <<-'END'
		import mmap, os, sys
		f = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
		os.truncate(f, 8192)
		m = mmap.mmap(f, 8192)
		m[4096:4101] = b"later"
		os._exit(0)
	END
	same later "$(tr -d '\0' <"$BED/shared/f")"
}

@test "without --rw nothing of the tools can be written, by nobody and by no mount" {
	run attach touch /usr/new
	matches "$output" 'Read-only file system'
	run cntr attach --cap-add all "$TARGET" -- sh -c 'mount -o remount,rw /; mount --bind /usr /mnt; mount -o remount,bind,rw /mnt; touch /usr/new /mnt/new'
	[ "$status" -ne 0 ]
	[ ! -e /usr/new ]
}

@test "owners are mapped where a mount cannot map them" {
	need userns
	[ -x "$BUILD/cntrfs" ]
	mkdir -p "$BED/lower" "$BED/tools"
	image_copy busybox "$BED/lower"
	chown 7:8 "$BED/lower/app"
	"$BUILD/cntrfs" "$BED/lower" "$BED/tools"
	runc_idmap_run mapped busybox
	local bind fuse
	bind=$(cntr attach --view bind --tools "$BED/tools" "$TARGET" -- /bin/busybox stat -c %u:%g /app 2>/dev/null)
	fuse=$(cntr attach --tools "$BED/tools" "$TARGET" -- /bin/busybox stat -c %u:%g /app)
	# Merged: the container's files belong to whom they do there, the tools to root.
	same 0:0 "$(cntr attach --merge "$TARGET" -- stat -c %u:%g /usr/bin/env)" "owner of a tool"
	same 0:0 "$(cntr attach --merge "$TARGET" -- stat -c %u:%g /app)" "owner of a file of the container"
	same 0 "$(status cntr attach --merge "$TARGET" -- sh -c 'touch /etc/new /usr/share/new')"
	same "$(awk '{ print $2; exit }' "/proc/$TPID/uid_map")" "$(stat -c %u "/proc/$TPID/root/etc/new")"
	runc_rm mapped
	wait_for 5 umount "$BED/tools" # who served it may be ending
	same 7:8 "$fuse"
	[ "$bind" != 7:8 ]
}

@test "--hide: it is not there, at its name nothing can be made, the rest is" {
	run cntr attach --hide /usr/share/doc --hide etc/hostname2 --rw "$TARGET" -- sh -c 'test -e /usr/share/doc || echo none; ls /usr/share | grep -cx doc; mkdir /usr/share/doc; ls -d /usr/share/man'
	matches "$output" $'none\n0\n.*not permitted\n/usr/share/man'
	[ -d /usr/share/doc ]
	run cntr attach --merge --hide /app --hide /usr/bin/gdb "$TARGET" -- sh -c 'test -e /app || test -e /usr/bin/gdb || ls /etc/os-release'
	same /etc/os-release "$output"
	# Where a link in the path leads is meant, too.
	if [ -L /bin ]; then
		run cntr attach --hide /bin/gdb "$TARGET" -- sh -c 'test -e /bin/gdb || test -e /usr/bin/gdb || ls /usr/bin/env'
		same /usr/bin/env "$output"
	fi
	tool_error 2 "$CNTR" attach --view bind --hide /app "$TARGET"
	tool_error 2 "$CNTR" attach --view fuse --hide / "$TARGET"
}

@test "without /dev/fuse it says so" {
	mount --bind /dev/null /dev/fuse
	tool_error 125 "$CNTR" attach --view fuse "$TARGET" -- true
	umount /dev/fuse
	matches "$said" fuse
}
