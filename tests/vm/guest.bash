# SPDX-License-Identifier: MIT
# guest.bash - what must hold under this kernel; speaks TAP. Runs as root of the guest, once.
#
# One program runs in the attached shell and tells all that can be seen from there (look); the tests
# compare. With software emulation, each further process counts.
set -u
cd / || exit
source /vm/find.bash
source /vm/containers.bash

tests=0
# it NAME FUNCTION ARG...: a test; it fails where a command of it fails.
it()
{
	local name=$1 said status
	shift
	tests=$((tests + 1))
	said=$(set -e; "$@" 2>&1)
	status=$?
	[ "$status" = 0 ] && echo "ok $tests - $name" && return
	echo "not ok $tests - $name"
	echo "# ${said//$'\n'/$'\n'# }"
}

# same WANT GOT WHAT
same()
{
	[ "$1" = "$2" ] || { echo "$3: wanted '$1', got '$2'"; return 1; }
}

kernel_at_least() # MAJOR MINOR
{
	local major minor
	IFS=.- read -r major minor _ </proc/sys/kernel/osrelease
	((major > $1 || (major == $1 && minor >= $2)))
}

# CNTR_AS becomes a command, as exec does.
cntr() { ( ${CNTR_AS:-exec} timeout -k 2 300 /usr/bin/cntr "$@" ); }
attach() { cntr attach "$TARGET" -- "$@"; }

status_of() # PID
{
	grep -E '^(Uid|Gid|Groups|Cap...|NoNewPrivs|Seccomp|Umask):' "/proc/$1/status"
}

namespaces_of() # PID: all but that of mounts
{
	local n
	for n in cgroup ipc net pid time user uts; do
		readlink "/proc/$1/ns/$n" || :
	done
}

# --- what the attached shell sees ---

# shellcheck disable=SC2016 # for the shell inside
LOOK='
say() { echo "$1=$2"; }
say marker "$(cat /marker)"
say release "$(cat ${CNTR_BASE_DIR:-/var/lib/cntr}/etc/os-release)"
say ps "$(ps -eo args= | grep -E "^(/bin/)?sleep " | tr "\n" ,)"
say self "$(readlink /proc/self >/dev/null && echo yes)"
say passwd "$(cut -d: -f5 /etc/passwd | sed 1q)"
say resolv "$(cat /etc/resolv.conf)"
say owner "$(stat -c %u:%g /usr/bin/env)"
say id "$(id -u):$(id -g)"
say devices "$(ls /dev | tr "\n" " ")"
echo x 2>/dev/null >/dev/null && say null works
(touch /usr/new) 2>/dev/null || say tools read-only
touch /tmp/private /var/lib/cntr/tmp/new && say written yes
say mark "$MARK"
'

look() # NAME [OPTION...]
{
	local name=$1
	shift
	cntr attach "$@" "$TARGET" -- sh -c "$LOOK" >"/run/$name.seen" 2>"/run/$name.said" ||
		{ echo "status $?"; cat "/run/$name.said" "/run/$name.seen"; return 1; }
}

# seen NAME KEY WANT
seen()
{
	same "$3" "$(sed -n "s/^$2=//p" "/run/$1.seen")" "$2"
}

see_files()
{
	seen "$1" marker of-the-host
	seen "$1" release ID=image
	seen "$1" tools read-only
	seen "$1" written yes
	[ -e "/proc/$TPID/root/tmp/new" ] || { echo "not written in the container"; return 1; }
	[ ! -e /tmp/private ] || { echo "/tmp is the host's"; return 1; }
}

see_proc()
{
	seen "$1" self yes
	# A chroot shares the processes of the machine; the others have theirs alone.
	[ "$1" = chroot ] || seen "$1" ps "$(tr '\0' ' ' <"/proc/$TPID/cmdline" | sed 's/ $//'),"
}

see_etc()
{
	seen "$1" passwd 'root of the image'
	seen "$1" resolv 'nameserver 192.0.2.1'
	seen "$1" mark of-the-container
}

see_dev()
{
	local d
	seen "$1" null works
	for d in null zero tty ptmx pts; do
		grep -q "^devices=.*\<$d\>" "/run/$1.seen" || { echo "no /dev/$d"; grep devices "/run/$1.seen"; return 1; }
	done
	! grep -q '^devices=.*vda' "/run/$1.seen"
}

see_owners()
{
	seen "$1" id 0:0
	seen "$1" owner "${2:-0:0}"
	same "$(stat -c %u:%g "/proc/$TPID/root/etc")" "$(stat -c %u:%g "/proc/$TPID/root/tmp/new")" "owner of a new file"
}

quiet() { same '' "$(cat "/run/$1.said")" warnings; }

# --- the rest ---

terminal()
{
	local said
	said=$(${CNTR_AS:-exec} script -qec "timeout 300 /usr/bin/cntr attach $TARGET -- sh -c 'tty; exit 7'; echo \$?" /dev/null </dev/null)
	[[ $said =~ ^/dev/pts/[0-9]+.*7 ]] || { echo "tty said: $said"; return 1; }
}

statuses()
{
	local s=0
	attach sh -c 'exit 3' || s=$?
	same 3 "$s" status
	s=0 && attach /etc || s=$?
	same 126 "$s" status
	s=0 && attach no-such-command || s=$?
	same 127 "$s" status
	s=0 && attach sh -c 'kill -9 $$' || s=$?
	same 137 "$s" status
}

# An attached process has the rights, namespaces and cgroup of the target, and ends with cntr.
rights_and_kill()
{
	local cpid apid before host want
	before=$(cat "/proc/$TPID/mountinfo")
	host=$(cat /proc/self/mountinfo; find_cgroups)
	${CNTR_AS:-exec} /usr/bin/cntr attach --cap-drop sys_ptrace "$TARGET" -- sleep 91000 >/run/attach.log 2>&1 &
	cpid=$!
	wait_for find_process "sleep 91000" >/run/apid || { cat /run/attach.log; return 1; }
	apid=$(</run/apid)
	# It is dropped from the target's, too, which have it unless an engine took it.
	want=$(status_of "$TPID" | while read -r k v; do
		case $k in
		Cap*) printf '%s\t%016x\n' "$k" $((0x$v & ~(1 << 19))) ;;
		*) printf '%s\t%s\n' "$k" "$v" ;;
		esac
	done)
	same "$want" "$(status_of "$apid" | while read -r k v; do printf '%s\t%s\n' "$k" "$v"; done)" rights
	same "$(namespaces_of "$TPID")" "$(namespaces_of "$apid")" namespaces
	same "$(cat "/proc/$TPID/cgroup")" "$(cat "/proc/$apid/cgroup")" cgroup
	same "$before" "$(cat "/proc/$TPID/mountinfo")" "mounts of the target"
	kill -KILL "$cpid"
	wait "$cpid" || :
	wait_for nothing_left
	same "$before" "$(cat "/proc/$TPID/mountinfo")" "mounts of the target"
	same "$host" "$(cat /proc/self/mountinfo; find_cgroups)" "mounts and cgroups of the machine"
}

find_cgroups() { busybox find /sys/fs/cgroup -type d; }

nothing_left()
{
	! find_process "sleep 91000" >/dev/null && ! busybox pgrep -x cntr >/dev/null
}

seccomp()
{
	local said
	said=$(attach busybox hostname x 2>&1) || :
	[[ $said == *"Unknown error 42"* || $said == *"No message"* ]] || { echo "$said"; return 1; }
}

exec_shell()
{
	same ID=image "$(cntr exec "$TARGET" -- /bin/cat /etc/os-release)" "os-release"
}

base_dir()
{
	same ID=image "$(export CNTR_BASE_DIR=/nowhere/at/all; cntr attach "$TARGET" -- cat /nowhere/at/all/etc/os-release)"
	[ ! -e /nowhere ] || { echo "made on the host"; return 1; }
}

union()
{
	local said
	said=$(cntr attach --view union "$TARGET" -- sh -c 'cat /etc/os-release; ls /vm; echo x >/scratch && cat /scratch')
	same $'ID=image\ncontainers.bash\nfind.bash\nguest.bash\ninit.bash\nx' "$said" "the union"
	[ ! -e "/proc/$TPID/root/scratch" ] && [ ! -e /scratch ]
}

# Overlayfs takes no tree with locked mounts below it; a directory without any will do.
union_locked()
{
	local s=0
	cntr attach --view union "$TARGET" -- true >/run/out 2>/run/said || s=$?
	same 125 "$s" status
	same 1 "$(wc -l </run/said)" "lines of '$(cat /run/said)'"
	grep -q 'locked' /run/said || { cat /run/said; return 1; }
	same $'ID=image\n/tools-mark' "$(cntr attach --view union --tools /run/tools "$TARGET" -- \
		sh -c 'cat /etc/os-release; ls /tools-mark')" "the union"
}

traces_another()
{
	local said
	# Until it has said something.
	# shellcheck disable=SC2016 # for the shell inside
	said=$(attach sh -c 'strace -p "$1" 2>/tmp/said & until [ -s /tmp/said ]; do sleep 0.1; done; kill $!; wait; cat /tmp/said' \
		sh "$(sed -n 's/^NSpid:.*\t//p' "/proc/$TPID/status")" 2>&1) || :
	[[ $said == *attached* ]] || { echo "$said"; return 1; }
}

# Tools on a tmpfs: their owners can be mapped since Linux 6.3; before, they are nobody's, and that is said.
tmpfs_tools()
{
	local want=$2
	[ "$1" != userns ] || kernel_at_least 6 3 || want=65534:65534
	same "$want" "$(cntr attach --tools /run/tools "$TARGET" -- busybox stat -c %u:%g /bin/busybox 2>/run/said)" owner
	[ "$1" != userns ] || [ "$want" = 0:0 ] || grep -q 'warning' /run/said || { echo "no warning:"; cat /run/said; return 1; }
}

doctor()
{
	same "$2" "$(cntr doctor >/run/doctor 2>&1; echo $?)" status
	grep -qE "$3" /run/doctor || { cat /run/doctor; return 1; }
}

# Everything that holds for each kind of container.
check() # NAME [OWNER OF TOOLS [UNION]]
{
	local name=$1
	"${name}_start" >/run/start.log 2>&1
	it "$name: it runs" test -n "${TPID:-}"
	it "$name: attach" look "$name"
	it "$name: / is the tools, the container is at /var/lib/cntr" see_files "$name"
	it "$name: /proc is the container's" see_proc "$name"
	it "$name: /etc and environment are the container's" see_etc "$name"
	it "$name: a private /dev" see_dev "$name"
	it "$name: owners" see_owners "$name" "${2:-0:0}"
	it "$name: nothing to warn of" quiet "$name"
	it "$name: a base directory that is nowhere yet" base_dir
	it "$name: a terminal" terminal
	it "$name: exit statuses" statuses
	it "$name: rights, namespaces, cgroup; kill -9 leaves nothing" rights_and_kill
	it "$name: exec" exec_shell
	it "$name: union" "${3:-union}"
	it "$name: tools on a tmpfs" tmpfs_tools "$name" "${2:-0:0}"
}

# Before Linux 5.12 there is no mount_setattr(2): one sentence, and nothing has happened.
too_old() # VERB [OPTION...]
{
	local s=0 before
	before=$(cat "/proc/$TPID/mountinfo" /proc/self/mountinfo)
	cntr "$@" "$TARGET" -- /bin/true >/run/out 2>/run/said || s=$?
	same 125 "$s" status
	same 1 "$(wc -l </run/said)" "lines of '$(cat /run/said)'"
	grep -q 'Linux 5\.12' /run/said || { cat /run/said; return 1; }
	same "$before" "$(cat "/proc/$TPID/mountinfo" /proc/self/mountinfo)" mounts
	nothing_left
}

main()
{
	local name
	echo "# Linux $(</proc/sys/kernel/osrelease), booted in $(cut -d' ' -f1 /proc/uptime) s"
	echo of-the-host >/marker
	mkdir -p /ctr /etc
	# The tools' own are links, one of them to nowhere: ours go where they are, not where they point.
	echo 'root:x:0:0:root of the host:/root:/bin/bash' >/etc/passwd
	ln -s ../run/resolv.conf /etc/resolv.conf
	ln -s /usr/share/zoneinfo/none /etc/localtime
	make_tree /run/tools
	echo >/run/tools/tools-mark
	if ! kernel_at_least 5 12; then
		for name in bare userns; do
			"${name}_start" >/run/start.log 2>&1
			it "$name: it runs" test -n "${TPID:-}"
			it "$name: attach says which kernel it takes" too_old attach
			it "$name: with --view union, too" too_old attach --view union
			it "$name: exec, too" too_old exec
		done
		it "doctor: says so" doctor x 1 'no +mount API'
	else
		for name in bare userns chroot runc; do
			TPID='' TARGET=''
			check "$name"
		done
		it "runc: seccomp filter" seccomp
		it "runc: strace of the target" traces_another
		TPID='' TARGET=''
		# The machine's root is nobody there, and its mounts are locked together.
		check user 65534:65534 union_locked
		unset CNTR_AS
		it "doctor: all is well" doctor x 0 'yes +mount API'
	fi
	[ ! -s /run/doctor ] || sed 's/^/# /' /run/doctor
	echo "1..$tests"
	echo "# done after $(cut -d' ' -f1 /proc/uptime) s"
}

main
