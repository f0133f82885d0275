#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What must be true in an attached shell, for each engine. tests/cases/attach-ENGINE.bats are links
# to this file: the name of the link says which engine it is, and attach-ENGINE-VIEW.bats which --view.

load ../bed/bed

setup_file()
{
	ENGINE=$(basename "$BATS_TEST_FILENAME" .bats)
	export ENGINE=${ENGINE#attach-}
	if [[ $ENGINE == *-* ]]; then
		export ATTACH_VIEW=${ENGINE#*-}
		ENGINE=${ENGINE%%-*}
	fi
	if [ "$ENGINE" = rootless ]; then
		export CNTR_AS=$AS_USER
	fi
	bed_engine_up "$ENGINE"
	"${ENGINE}_run" web distroless
	# As the target has been before anybody attached to it.
	cat "/proc/$TPID/mountinfo" >"$BED/mountinfo.before"
	cat /proc/self/mountinfo >"$BED/mountinfo.host"
	in_pidns "$TPID" >"$BED/pidns.before"
	echo on-the-host >"$BED/on-the-host"
}

teardown_file()
{
	[ -n "${TPID:-}" ] || return 0
	attached_end
	"${ENGINE}_rm" web
	"${ENGINE}_down"
}

# --- files ---

@test "files: / is the tools tree" {
	same on-the-host "$(attach cat "$BED/on-the-host")"
}

@test "files: the container is at /var/lib/cntr" {
	attach test -x /var/lib/cntr/app
	attach cmp /var/lib/cntr/etc/os-release - <<<"ID=bed-image"
}

@test "files: with each of its mounts" {
	local want got dev path
	attached
	got=$(awk '{ print $3, $5 }' "/proc/$APID/mountinfo")
	while read -r dev path; do
		path=/var/lib/cntr${path%/}
		grep -qxF "$dev $path" <<<"$got" || fail "missing in the shell: $dev $path" "it has:" "$got"
	done < <(awk '{ print $3, $5 }' "/proc/$TPID/mountinfo")
}

@test "files: CNTR_BASE_DIR says where" {
	same ID=bed-image "$(${CNTR_AS:-} env CNTR_BASE_DIR=/mnt timeout "$ATTACH_TIMEOUT_S" "$CNTR" attach --view "${ATTACH_VIEW:-bind}" "$TARGET" -- cat /mnt/etc/os-release)"
}

@test "files: what is written there is the container's" {
	attach_sh 'echo written >/var/lib/cntr/tmp/from-the-shell'
	same written "$(cat "/proc/$TPID/root/tmp/from-the-shell")"
	same "$(status_of "$TPID" Uid | cut -d' ' -f5)" "$(stat -c %u "/proc/$TPID/root/tmp/from-the-shell")" owner
	same "$(status_of "$TPID" Gid | cut -d' ' -f5)" "$(stat -c %g "/proc/$TPID/root/tmp/from-the-shell")" group
}

@test "files: what the container writes is seen" {
	${CNTR_AS:-} sh -c 'echo changed >"/proc/$1/root/tmp/from-the-container"' sh "$TPID"
	same changed "$(attach cat /var/lib/cntr/tmp/from-the-container)"
}

@test "files: the tools tree is read-only" {
	run attach touch /usr/from-the-shell
	[ "$status" -ne 0 ]
	matches "$output" 'Read-only file system|Permission denied'
	[ ! -e /usr/from-the-shell ]
}

@test "files: the tools belong to whom they should" {
	if [ "$ENGINE" = rootless ]; then
		# The files of host's root can't be root's inside; those of the user can.
		touch "$BED/user/mine" && chown bed: "$BED/user/mine"
		same 0 "$(attach stat -c %u "$BED/user/mine")"
	else
		same 0:0 "$(attach stat -c %u:%g /usr/bin/env)"
	fi
}

@test "files: /tmp is private" {
	same tmpfs "$(attach stat -f -c %T /tmp)"
	attach touch /tmp/from-the-shell
	[ ! -e /tmp/from-the-shell ]
}

@test "files: the shell starts in the container's tree" {
	same /var/lib/cntr "$(attach pwd)"
}

@test "files: the container's name service is the shell's" {
	local f seen=0
	for f in passwd group hosts resolv.conf hostname; do
		if [ -f "/proc/$TPID/root/etc/$f" ]; then
			attach cmp "/etc/$f" "/var/lib/cntr/etc/$f"
			seen=$((seen + 1))
		fi
	done
	[ "$seen" -ge 2 ]
	attach id nonroot
}

@test "files: the container's local time is the shell's" {
	same +0545 "$(attach env -u TZ date +%z)"
}

@test "target: its mount table stays as it was" {
	attach_start -- sleep 86001
	cmp "$BED/mountinfo.before" "/proc/$TPID/mountinfo"
	attach_stop
	cmp "$BED/mountinfo.before" "/proc/$TPID/mountinfo"
}

@test "target: the host's mount table stays as it was" {
	attach_start -- sleep 86002
	cmp "$BED/mountinfo.host" /proc/self/mountinfo
	attach_stop
	cmp "$BED/mountinfo.host" /proc/self/mountinfo
}

# --- processes ---

@test "processes: ps shows the container's and its own" {
	attached_end
	same "$( (cat "$BED/pidns.before" && echo 'ps -eo args=') | sort)" "$(attach ps -eo args= | sort)" "output of ps"
}

@test "processes: /proc is that of the container" {
	attached
	same "$(inner_pid "$TPID")" "$(attach pgrep -x app)" "pid of the target"
}

@test "processes: none is left" {
	attached_end
	attach true
	same "$(cat "$BED/pidns.before")" "$(in_pidns "$TPID")" "processes of the container"
}

@test "processes: /sys shows the container's network" {
	local nic
	same "$(nsenter -t "$TPID" -n ip -br link | wc -l)" "$(attach ip -br link | wc -l)" "number of interfaces"
	# The host's other interfaces must not be seen, whether the container has a /sys or not.
	for nic in /sys/class/net/*; do
		nic=${nic##*/}
		nsenter -t "$TPID" -n ip link show "$nic" >/dev/null 2>&1 ||
			same 1 "$(status attach test -e "/sys/class/net/$nic")" "shows the host's $nic"
	done
}

@test "namespaces: those of the target" {
	attached
	same "$(ns_of "$TPID")" "$(ns_of "$APID")" namespaces
	same "$(readlink "/proc/$APID/ns/pid")" "$(readlink "/proc/$APID/ns/pid_for_children")"
	same "$(readlink "/proc/$APID/ns/time")" "$(readlink "/proc/$APID/ns/time_for_children")"
}

@test "namespaces: a mount namespace of its own" {
	attached
	[ "$(readlink "/proc/$APID/ns/mnt")" != "$(readlink "/proc/$TPID/ns/mnt")" ]
	[ "$(readlink "/proc/$APID/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ]
}

@test "cgroups: those of the target, in each hierarchy" {
	attached
	same "$(cat "/proc/$TPID/cgroup")" "$(cat "/proc/$APID/cgroup")" cgroups
}

@test "namespaces: ids are mapped as the target's" {
	case $ENGINE in
	*map | rootless) [ "$(tr -s ' ' <"/proc/$TPID/uid_map")" != " 0 0 4294967295" ] ;;
	esac
	attached
	same "$(cat "/proc/$TPID/uid_map")" "$(cat "/proc/$APID/uid_map")"
	same "$(cat "/proc/$TPID/gid_map")" "$(cat "/proc/$APID/gid_map")"
}

# --- rights ---

@test "rights: capabilities are the target's and CAP_SYS_PTRACE" {
	attached
	same "$(caps_of "$TPID" "$(cap_bits sys_ptrace)")" "$(caps_of "$APID")" capabilities
}

@test "rights: without CAP_SYS_PTRACE they are the target's" {
	attach_start --cap-drop sys_ptrace -- sleep 86003
	same "$(caps_of "$TPID" 0 "$(cap_bits sys_ptrace)")" "$(caps_of "$APID")" capabilities
	attach_stop
}

@test "rights: user, groups, umask" {
	attached
	same "$(status_of "$TPID" Uid Gid Groups Umask)" "$(status_of "$APID" Uid Gid Groups Umask)"
}

@test "rights: no_new_privs and seccomp mode" {
	attached
	same "$(status_of "$TPID" NoNewPrivs Seccomp)" "$(status_of "$APID" NoNewPrivs Seccomp)"
}

@test "rights: resource limits" {
	attached
	same "$(cat "/proc/$TPID/limits")" "$(cat "/proc/$APID/limits")"
}

@test "rights: oom_score_adj" {
	attached
	same "$(cat "/proc/$TPID/oom_score_adj")" "$(cat "/proc/$APID/oom_score_adj")"
}

@test "rights: AppArmor label" {
	need apparmor
	attached
	same "$(cat "/proc/$TPID/attr/current")" "$(cat "/proc/$APID/attr/current")"
}

@test "rights: strace of the target works" {
	need debugger
	run attach_sh "$STRACED" sh "$(inner_pid "$TPID")"
	matches "$output" 'attached'
	misses "$output" 'ptrace.*not permitted|No such process'
}

# --- environment ---

@test "environment: the container's, not ours" {
	export BED_SECRET=of-the-host
	run attach env
	matches "$output" $'(^|\n)BED_MARK=of-the-container(\n|$)'
	misses "$output" BED_SECRET
	matches "$output" $'(^|\n)TERM='
	matches "$output" $'(^|\n)HOME='
}

@test "environment: PATH is the tools'" {
	same /usr/bin/env "$(attach_sh 'command -v env')"
	misses "$(attach printenv PATH)" /only/here
}

# --- the command ---

@test "status: of the command" {
	same 0 "$(status attach true)"
	same 3 "$(status attach sh -c 'exit 3')"
	same 126 "$(status attach /etc)"
	same 127 "$(status attach no-such-command)"
	same 137 "$(status attach sh -c 'kill -9 $$')"
	same 143 "$(status attach sh -c 'kill $$')"
}

@test "stdio: what goes in comes out, and nothing else" {
	head -c 1048577 /dev/urandom >"$BATS_TEST_TMPDIR/in"
	attach cat <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err"
	cmp "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/out"
	same '' "$(grep -v '^cntr: warning: ' "$BATS_TEST_TMPDIR/err")" "standard error"
}

@test "exec: a program of the container, in the container's own tree" {
	run cntr exec "$TARGET" -- /lib64/ld-linux-x86-64.so.2 --list /app
	same 0 "$status"
	matches "$output" 'libc\.so'
	same 127 "$(status cntr exec "$TARGET" -- sh)"
}

@test "target: found by ps, with its pid" {
	run cntr ps --json
	same 0 "$status"
	jq -re '.[].pid' <<<"$output" | while read -r pid; do
		[ "$(readlink "/proc/$pid/ns/pid")" != "$(readlink "/proc/$TPID/ns/pid")" ] || echo found
	done | grep -q found
}

@test "target: found by pid, and by its bare name" {
	same ID=bed-image "$(cntr attach "$TPID" -- cat /var/lib/cntr/etc/os-release)"
	case $TARGET in
	*:*) same ID=bed-image "$(cntr attach "${TARGET#*:}" -- cat /var/lib/cntr/etc/os-release)" ;;
	esac
}

@test "target: inspect shows its namespaces and cgroups" {
	run cntr inspect "$TARGET"
	same 0 "$status"
	matches "$output" "$(readlink "/proc/$TPID/ns/pid" | tr -dc 0-9)"
	matches "$output" "$(tail -n 1 "/proc/$TPID/cgroup" | cut -d: -f3-)"
	cntr inspect --json "$TARGET" | jq -e . >/dev/null
}
