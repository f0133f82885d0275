#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What the attached command does to its own view stays there, even if it has CAP_SYS_ADMIN in it.

load ../bed/bed

setup()
{
	bed_engine_up runc
	# As systemd has it on a host; the mount namespace is the bed's own.
	mount --make-rshared /
}

teardown()
{
	runc_down 2>/dev/null || :
}

# admin_run NAME [JQ...]: a container whose root may mount, in a user namespace of its own.
admin_run()
{
	runc_run "$1" busybox \
		'.linux.namespaces += [{"type":"user"}]
		| .linux.uidMappings = [{"containerID":0,"hostID":2000000,"size":65536}]
		| .linux.gidMappings = .linux.uidMappings
		| .process.capabilities = (["CAP_SYS_ADMIN","CAP_SYS_PTRACE","CAP_CHOWN","CAP_FOWNER","CAP_DAC_OVERRIDE","CAP_SYS_CHROOT"] | {bounding:., permitted:., effective:.})' \
		"${@:2}"
}

# unchanged CMD...: it works, but neither the host's nor the container's mounts are others after it.
unchanged()
{
	local host container s
	host=$(</proc/self/mountinfo)
	container=$(<"/proc/$TPID/mountinfo")
	s=$(status "$@")
	same "$host" "$(</proc/self/mountinfo)" "the host's mounts"
	same "$container" "$(<"/proc/$TPID/mountinfo")" "the container's mounts"
	same 0 "$s"
}

@test "mounts on device nodes do not reach the host" {
	admin_run web
	unchanged attach_sh 'mount --bind /dev/zero /dev/null && mount --bind /dev/zero /dev/tty'
}

@test "mounts do not reach a container whose own are shared" {
	admin_run web
	/usr/bin/python3 "$BED_DIR/mount-in.py" "$TPID" shared /
	unchanged attach_sh 'for d in /dev/shm /sys /proc /var/lib/cntr/tmp /tmp; do mount -t tmpfs x $d || exit; done'
	unchanged attach_sh 'mount --bind /etc/profile /etc/passwd && mount --bind /etc/profile /var/lib/cntr/etc/passwd'
	need overlay_fd
	runc_run plain busybox '.process.capabilities = (["CAP_SYS_ADMIN"] | {bounding:., permitted:., effective:.})'
	/usr/bin/python3 "$BED_DIR/mount-in.py" "$TPID" shared /
	unchanged cntr attach --view union "$TARGET" -- sh -c 'for d in /dev/shm /sys /proc /home /tmp; do mount -t tmpfs x $d || exit; done'
}

@test "the host's device nodes keep mode and owner" {
	runc_run web busybox '.process.capabilities = (["CAP_FOWNER","CAP_CHOWN"] | {bounding:., permitted:., effective:.})'
	local before
	before=$(stat -c '%a %u %g' /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty)
	attach_sh 'for n in null zero full random urandom tty; do chmod 600 /dev/$n; chown 1:1 /dev/$n; done' 2>/dev/null || :
	chmod 666 /dev/{null,zero,full,random,urandom,tty} # for the next test, if this one fails
	same "$before" "$(stat -c '%a %u %g' /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty)"
	attach_sh 'echo x >/dev/null && head -c 1 /dev/zero >/dev/null'
}

@test "union: set-user-ID programs of the tools give no rights" {
	need overlay_fd
	runc_run web busybox
	matches "$(cntr attach --view union "$TARGET" -- findmnt -no OPTIONS /)" 'nosuid,nodev'
}

@test "root of a user namespace cannot make the tools writable, nor uncover what is hidden of them" {
	admin_run web
	local how f
	for how in 'mount -o remount,rw,bind /' 'mount --bind / /tmp && mount -o remount,rw,bind /tmp' \
		'umount /run' 'mount -o remount,suid,dev,bind /' \
		'unshare -Urm sh -c "mount -o remount,rw,bind /"'; do
		[ "$(status attach_sh "$how")" != 0 ] || fail "it could: $how"
	done
	attach_sh 'mount -o remount,rw,bind /; touch /etc/dvs-owned' 2>/dev/null || :
	f=0
	[ ! -e /etc/dvs-owned ] || f=1
	rm -f /etc/dvs-owned
	same 0 "$f" "a file of the host's was written"
}

@test "union: root of a user namespace writes to no mount of the tools" {
	need overlay_fd
	bed_engine_up podman_uidmap
	podman_uidmap_run web distroless
	mkdir -p "$BED/own"
	mount -t tmpfs own "$BED/own"
	attach_sh true
	cntr attach --view union "$TARGET" -- sh -c "touch '$BED/own/new' && test -e '$BED/own/new'"
	local s=0
	[ ! -e "$BED/own/new" ] || s=1
	wait_for 5 umount "$BED/own" # who had it in a view may be ending
	podman_uidmap_down
	same 0 "$s" "a file of the host's was written"
}

@test "sockets of the host's daemons are not reached; links in /run are there" {
	runc_run web busybox
	ln -s /usr/bin /run/current-system
	spawn /dev/null /usr/bin/python3 -c 'import socket, time
s = socket.socket(socket.AF_UNIX); s.bind("/run/host.sock"); s.listen(); time.sleep(1000)'
	local pid=$!
	wait_for 5 test -S /run/host.sock
	same 1 "$(status attach test -e /run/host.sock)"
	same 1 "$(status cntr attach --rw "$TARGET" -- test -e /run/host.sock)"
	same /usr/bin "$(attach readlink /run/current-system)"
	kill -KILL "$pid"
	rm /run/current-system /run/host.sock
}

# program_kept ATTACH...: a script of the container's whose interpreter is /proc/self/exe runs no program of the host's.
program_kept()
{
	printf '#!/proc/self/exe\n' >"$BED/runc/web/rootfs/evil"
	chmod 755 "$BED/runc/web/rootfs/evil"
	spawn "$BED/evil.log" strace -f -qq -e trace=execve,execveat -o "$BED/evil.trace" "$CNTR" "$@"
	wait $! || :
	matches "$(<"$BED/evil.trace")" 'execveat\([0-9]+, "", .*AT_EMPTY_PATH'
	matches "$(<"$BED/evil.trace")" 'execve\("[^"]*evil"'
}

@test "programs of the container are executed from a sealed copy of cntr only" {
	runc_run web busybox
	program_kept attach "$TARGET" -- /var/lib/cntr/evil
	program_kept attach -w /var/lib/cntr "$TARGET" -- ./evil
	program_kept attach -e PATH=/var/lib/cntr "$TARGET" -- evil
	program_kept exec "$TARGET" -- /evil
	need overlay_fd
	program_kept attach --view union -e PATH=/ "$TARGET" -- evil
}

@test "a sealed copy runs where memory is not executable unless one asks" {
	[ -e /proc/sys/vm/memfd_noexec ] || skip "memfd_noexec: this kernel has no such setting"
	runc_run web busybox
	# Of the bed's pid namespace, and stays within it.
	echo 1 >/proc/sys/vm/memfd_noexec
	same 0 "$(status cntr exec "$TARGET" -- /bin/true)"
}

@test "what engines keep mounted for other containers is not among the tools" {
	runc_run web busybox
	mkdir -p /var/lib/docker/secrets
	mount -t tmpfs x /var/lib/docker/secrets
	echo secret >/var/lib/docker/secrets/key
	same 1 "$(status attach test -e /var/lib/docker/secrets/key)"
	umount /var/lib/docker/secrets
}
