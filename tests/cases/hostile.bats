#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Containers that mean harm. Attaching works, or fails with one sentence; it never hangs, and never
# shows, changes or runs anything of the host's.

load ../bed/bed

setup()
{
	bed_engine_up runc
	runc_run web busybox
	R=$BED/runc/web/rootfs
	echo secret-of-the-host >"$BED/secret"
}

teardown()
{
	runc_down 2>/dev/null || :
}

# survives CMD...: attach gives CMD's 0, or 125 with one line. Leaves in $output what came.
survives()
{
	local s=0
	attach "$@" </dev/null >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || s=$?
	output=$(<"$BATS_TEST_TMPDIR/out")
	said=$(<"$BATS_TEST_TMPDIR/err")
	case $s in
	0) ;;
	125) same 1 "$(grep -vc '^cntr: warning: ' "$BATS_TEST_TMPDIR/err")" "number of lines: $said" ;;
	*) fail "exit status $s: $said" ;;
	esac
	misses "$said" $'[\001-\010\013-\037]'
	wait_for 5 no_cntr
}

# works CMD...: it must not only survive; a warning is allowed.
works()
{
	survives "$@"
	same '' "$(grep -v '^cntr: warning: ' <<<"$said")" "what it said"
}

@test "/etc/passwd is a FIFO" {
	rm "$R/etc/passwd" && mkfifo "$R/etc/passwd"
	works true
	survives timeout 60 id
}

@test "/etc/passwd, group, hosts, resolv.conf are devices, directories, sockets" {
	rm "$R/etc/passwd" "$R/etc/group"
	mknod "$R/etc/passwd" c 1 5
	mkdir "$R/etc/group"
	/usr/bin/python3 -c "import socket,os; os.chdir('$R/etc'); socket.socket(socket.AF_UNIX).bind('hosts')"
	works true
}

@test "/etc/passwd is 5 GB, and has lines of a megabyte" {
	truncate -s 5G "$R/etc/passwd"
	works true
	/usr/bin/python3 -c 'print("x" * 1000000 + ":x:0:0::/:/bin/sh"); print("root:" * 100000)' >"$R/etc/passwd"
	works true
	# --user has to read it.
	run cntr attach --user root "$TARGET" -- true
	[ "$status" = 0 ] || [ "$status" = 125 ]
}

@test "/etc/passwd with hostile fields" {
	printf 'root:x:0:0::/:/bin/sh\nneg:x:-1:-1::/:/bin/sh\nbig:x:4294967295:99999999999::/:/bin/sh\nshort:x\n:::::::::\n\0nul:x:1:1\n' >"$R/etc/passwd"
	works true
	local u
	for u in neg big short ''; do
		run cntr attach --user "$u" "$TARGET" -- id -u
		[ "$status" = 125 ] || [ "$status" = 2 ] || fail "user '$u' gave $status: $output"
	done
}

@test "symbolic links to the host's files, from each file that is taken over" {
	local f
	for f in passwd group hosts resolv.conf hostname localtime; do
		rm -f "$R/etc/$f"
		ln -s "../../../../../../../../..$BED/secret" "$R/etc/$f"
	done
	for f in passwd group hosts resolv.conf hostname; do
		survives cat "/etc/$f"
		misses "$output" secret-of-the-host
	done
	rm "$R/etc/hosts" && ln -s "$BED/secret" "$R/etc/hosts"
	survives cat /etc/hosts
	misses "$output" secret-of-the-host
}

@test "symbolic links through /proc: magic links lead nowhere" {
	rm "$R/etc/passwd" && ln -s /proc/self/root/../../../etc/shadow "$R/etc/passwd"
	survives cat /etc/passwd
	misses "$output" 'root:[*!$]'
	rm "$R/etc/passwd" && ln -s /proc/1/root/etc/shadow "$R/etc/passwd"
	survives cat /etc/passwd
	misses "$output" 'root:[*!$]'
}

@test "loops of symbolic links: /etc, /proc, /dev, /sys, /tmp, /var" {
	local d
	for d in etc tmp var run root home; do
		rm -rf "${R:?}/$d" && ln -s "$d" "$R/$d"
	done
	works true
	for d in a b; do
		ln -s "../$([ $d = a ] && echo b || echo a)/x" "$R/$d"
	done
	works ls /var/lib/cntr
}

@test "/proc is mounted over" {
	/usr/bin/python3 "$BED_DIR/mount-in.py" "$TPID" tmpfs /proc
	mkdir -p "/proc/$TPID/root/proc/self/ns" "/proc/$TPID/root/proc/1"
	echo 'Name: fake' >"/proc/$TPID/root/proc/self/status"
	survives ps -eo args=
	misses "$output" init.bash
}

@test "/ is mounted over, and the root is not the root of the mount namespace" {
	bed_engine_up unshare
	unshare_run jail busybox
	works cat /var/lib/cntr/etc/os-release
	same ID=bed-image "$output"
	# What lies above the chroot must not be reached from the base directory.
	survives ls /var/lib/cntr/..
	works sh -c 'ls /var/lib/cntr'
	misses "$output" "dvs-bed"
	unshare_rm jail
}

@test "10,000 mounts" {
	mkdir "$R/many"
	/usr/bin/python3 "$BED_DIR/mount-in.py" "$TPID" binds /many 10000
	same 10000 "$(grep -c ' /many ' "/proc/$TPID/mountinfo")"
	survives sh -c 'grep -c /many /proc/self/mountinfo || :'
	same 10000 "$(grep -c ' /many ' "/proc/$TPID/mountinfo")"
	cntr inspect "$TARGET" >/dev/null
}

@test "mounts with names of newlines and escapes" {
	local name=$'new\nline \033[31m \\040 tab\t end'
	mkdir "$R/$name"
	/usr/bin/python3 "$BED_DIR/mount-in.py" "$TPID" tmpfs "/$name"
	works stat -f -c %T "/var/lib/cntr/$name"
	same tmpfs "$output"
	run cntr inspect "$TARGET"
	same 0 "$status"
	misses "$output" $'\033'
	cntr inspect --json "$TARGET" | jq -e . >/dev/null
}

@test "process names with newlines and escapes do not reach the terminal" {
	spawn /dev/null bash -c 'exec -a "$0" unshare -Urpf --kill-child --root="$1" /app' $'evil\n\033]0;title\007' "$R"
	local pid=$!
	wait_for 10 bare_app "$pid" >/dev/null
	run cntr ps
	misses "$output" $'\033'
	misses "$output" $'\007'
	cntr ps --json | jq -e . >/dev/null
	kill -KILL "$pid"
}

@test "environment: 10,000 variables, without '=', with newlines" {
	runc_run env busybox '.process.env = ([range(10000)] | map("V\(.)=x")) + ["NEWLINE=a\nb", "EMPTY="]'
	works sh -c 'echo "$NEWLINE" "$V9999"'
	same $'a\nb x' "$output"
	same -1 "$(attach printenv LD_PRELOAD || echo -1)"
}

@test "environment: what loads code into the tools is left out" {
	runc_run env busybox '.process.env += ["LD_PRELOAD=/var/lib/cntr/evil.so", "LD_LIBRARY_PATH=/var/lib/cntr/lib", "LD_AUDIT=/x.so", "BASH_ENV=/var/lib/cntr/evil.sh", "ENV=/var/lib/cntr/evil.sh"]'
	echo 'echo evil code ran' >"$BED/runc/env/rootfs/evil.sh"
	works bash -c true
	misses "$output" evil
	same '' "$(attach env | grep '^LD_' || :)"
}

@test "programs of the container are not run by accident" {
	mkdir -p "$R/usr/bin" "$R/bin"
	local p
	for p in sh bash id cat; do
		rm -f "$R/bin/$p" "$R/usr/bin/$p"
		printf '#!/bin/false\nevil' >"$R/usr/bin/$p" && chmod 755 "$R/usr/bin/$p"
	done
	works sh -c 'id -u'
	same 0 "$output"
}

# watch SCRIPT CAPABILITY...: a root process of the container runs SCRIPT for each new process p that it sees.
watch()
{
	local script=$1 caps
	shift
	caps=$(printf '"%s",' "$@")
	runc_run watch busybox ".process.capabilities = ({} | .bounding = [${caps%,}] | .permitted = .bounding | .effective = .bounding)" \
		'.process.args = ["/bin/sh", "-c", "export PATH=/bin; while :; do for p in /proc/[0-9]*; do [ $p = /proc/1 ] || { '"$script"'; }; done; done"]'
	R=$BED/runc/watch/rootfs
}

@test "the container does not reach out through the processes that attach starts" {
	# All of what docker gives, and reading everything: but not ptrace.
	# Its own children are busybox; of others it can see that they are there, but follow no link.
	watch "cat \$p/root$BED/secret >>/caught 2>/dev/null; exe=\$(readlink \$p/exe) && [ \$exe != /bin/busybox ] && echo \$p \$exe >>/caught; for f in \$p/fd/1?; do [ ! -e \$f ] || echo \$f >>/caught; done" \
		CAP_DAC_READ_SEARCH CAP_DAC_OVERRIDE CAP_KILL CAP_SYS_CHROOT CAP_SETUID
	local i
	for i in {1..40}; do
		attach true
	done
	attach sleep 0.5
	same '' "$(cat "$R/caught" 2>/dev/null)" "what the container read"
}

@test "the program cntr can't be overwritten from the container, even with ptrace" {
	# Through /proc/PID/exe, which is kept open until the program is no longer busy.
	watch 'case $(readlink $p/exe) in */cntr) echo $p >>/seen; (exec 3<$p/exe && i=0; while [ $i -lt 300 ]; do echo evil 2>/dev/null >>/proc/self/fd/3 && break; i=$((i + 1)); done) 2>/dev/null & ;; esac' \
		CAP_SYS_PTRACE CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH
	local sum i
	sum=$(sha256sum <"$CNTR")
	for i in {1..40}; do
		attach true || :
		# At last it is not running, and not busy.
		sleep 0.05
	done
	same "$sum" "$(sha256sum <"$CNTR")"
}

@test "a tree whose directories nobody may enter" {
	chmod 0 "$R/etc" "$R/tmp" "$R/root"
	works true
}

@test "a full disk, a full /tmp, no inodes: nothing is needed in the container" {
	/usr/bin/python3 "$BED_DIR/mount-in.py" "$TPID" tmpfs /tmp
	head -c 1M /dev/zero >"/proc/$TPID/root/tmp/fill"
	nsenter -t "$TPID" -m -F -- /bin/busybox mount -o remount,size=1m /tmp 2>/dev/null || :
	works true
}

@test "a container that is being frozen" {
	need cgroup1
	local freezer
	freezer=$(cgroup_of_controller freezer)/$BED_CGROUP/web
	echo FROZEN >"$freezer/freezer.state"
	local s=0
	timeout -k 5 "$PATIENCE_S" "$CNTR" attach "$TARGET" -- true </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 || s=$?
	echo THAWED >"$freezer/freezer.state"
	same 125 "$s"
	matches "$(<"$BATS_TEST_TMPDIR/out")" 'frozen|paused'
}

@test "a cgroup that is full" {
	need cgroup1
	local pids
	pids=$(cgroup_of_controller pids)/$BED_CGROUP/web
	echo 1 >"$pids/pids.max"
	survives true
}
