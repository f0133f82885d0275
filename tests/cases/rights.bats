#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Rights that are chosen one by one, on a runc container.

load ../bed/bed

setup()
{
	bed_engine_up runc
}

teardown()
{
	runc_down 2>/dev/null || :
}

# errno_of PYTHON-CALL: what the system call gives in the attached shell: 0, or the errno.
errno_of()
{
	attach /usr/bin/python3 -c "
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(0 if libc.syscall($1) >= 0 else ctypes.get_errno())"
}

# A filter that answers a harmless call with an errno that nothing else gives (EPROTO is 71).
SECCOMP='.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
	"syscalls": [{"names": ["personality"], "action": "SCMP_ACT_ERRNO", "errnoRet": 71}]}'

@test "seccomp: the container's filter answers in the shell" {
	need seccomp
	runc_run web distroless "$SECCOMP"
	same 71 "$(errno_of '135, 0xffffffff')"
}

@test "seccomp: without one, the shell has none" {
	runc_run web distroless
	same 0 "$(errno_of '135, 0xffffffff')"
}

@test "seccomp: taken from the process, not from files" {
	need seccomp
	runc_run web distroless "$SECCOMP"
	rm -r "$BED/runc/web/config.json"
	TARGET=$TPID
	same 71 "$(errno_of '135, 0xffffffff')"
}

@test "seccomp: --privileged leaves it out" {
	need seccomp
	runc_run web distroless "$SECCOMP"
	run cntr attach --privileged "$TARGET" -- grep Seccomp: /proc/self/status
	matches "$output" '0$'
}

@test "seccomp: a filter that kills, kills" {
	need seccomp
	runc_run web distroless "${SECCOMP/'SCMP_ACT_ERRNO", "errnoRet": 71'/SCMP_ACT_KILL_PROCESS\"}"
	same 159 "$(status attach /usr/bin/python3 -c 'import ctypes; ctypes.CDLL(None).personality(0xffffffff)')"
}

@test "no_new_privs: as in the container, on and off" {
	runc_run on distroless '.process.noNewPrivileges = true'
	attach_start -- sleep 86010
	same 'NoNewPrivs: 1' "$(status_of "$APID" NoNewPrivs)"
	attach_stop
	runc_run off distroless '.process.noNewPrivileges = false'
	attach_start -- sleep 86011
	same 'NoNewPrivs: 0' "$(status_of "$APID" NoNewPrivs)"
	attach_stop
}

@test "limits: each as in the container, soft and hard" {
	runc_run web distroless '.process.rlimits = [
		{"type": "RLIMIT_NOFILE", "soft": 111, "hard": 222},
		{"type": "RLIMIT_NPROC", "soft": 333, "hard": 444},
		{"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
		{"type": "RLIMIT_STACK", "soft": 4194304, "hard": 8388608}]'
	attach_start -- sleep 86012
	same "$(cat "/proc/$TPID/limits")" "$(cat "/proc/$APID/limits")"
	same 111 "$(attach_sh 'ulimit -n')"
	attach_stop
}

@test "limits: memory of the address space, too small for us, not for the command" {
	runc_run web distroless '.process.rlimits = [{"type": "RLIMIT_AS", "soft": 50000000, "hard": 50000000}]'
	same 50000000 "$(attach /bin/sh -c 'while read -r a b c soft d; do case "$a $b" in "Max address") echo $soft;; esac; done </proc/self/limits')"
}

@test "limits: one process, and the container has it" {
	# The helper of cntr must not need a process of the container's user.
	runc_run web distroless '.process.rlimits = [{"type": "RLIMIT_NPROC", "soft": 1, "hard": 1}]'
	same 0 "$(status attach true)"
}

@test "oom_score_adj: as in the container" {
	runc_run web distroless '.process.oomScoreAdj = 321'
	same 321 "$(attach cat /proc/self/oom_score_adj)"
}

@test "umask: as in the container" {
	runc_run web distroless '.process.user.umask = 23'
	same "$(status_of "$TPID" Umask)" "$(attach grep Umask: /proc/self/status | tr -s '\t' ' ')"
	same 'Umask: 0027' "$(status_of "$TPID" Umask)"
}

@test "user: uid, gid and groups of the container's" {
	runc_run web distroless '.process.user = {"uid": 65532, "gid": 65532, "additionalGids": [65533, 7]}'
	same "65532 65532" "$(attach_sh 'echo $(id -u) $(id -g)')"
	same "$(status_of "$TPID" Uid Gid Groups)" "$(attach grep -E '^(Uid|Gid|Groups):' /proc/self/status | tr -s '\t ' ' ')"
}

@test "user: a normal one has no capability in effect but the default one" {
	runc_run web distroless '.process.user = {"uid": 65532, "gid": 65532}' \
		'.process.capabilities = {"bounding": ["CAP_KILL"], "permitted": [], "effective": [], "inheritable": [], "ambient": []}'
	attach_start --cap-drop sys_ptrace -- sleep 86013
	same "$(caps_of "$TPID")" "$(caps_of "$APID")"
	attach_stop
}

@test "user: ambient and inheritable capabilities of a normal user" {
	runc_run web distroless '.process.user = {"uid": 65532, "gid": 65532}' \
		'.process.capabilities = ({} | .bounding = ["CAP_NET_ADMIN"] | .permitted = .bounding | .effective = .bounding |
			.inheritable = .bounding | .ambient = .bounding)'
	attach_start --cap-drop sys_ptrace -- sleep 86014
	same "$(caps_of "$TPID")" "$(caps_of "$APID")"
	matches "$(caps_of "$APID")" 'CapAmb: 0000000000001000'
	attach_stop
}

@test "user: strace works for a normal one, too" {
	need debugger
	runc_run web distroless '.process.user = {"uid": 65532, "gid": 65532}'
	run attach_sh "$STRACED" sh 1
	matches "$output" attached
}

@test "--user: by name of the container, by number, with a group" {
	runc_run web distroless
	same 65532:65532 "$(cntr attach --user nonroot "$TARGET" -- sh -c 'echo $(id -u):$(id -g)')"
	matches "$(cntr attach --user nonroot "$TARGET" -- id -G)" 65533
	same 1234 "$(cntr attach --user 1234 "$TARGET" -- id -u)"
	same 1234:567 "$(cntr attach --user 1234:567 "$TARGET" -- sh -c 'echo $(id -u):$(id -g)')"
}

@test "--user: one the container does not know" {
	runc_run web distroless
	tool_error 125 "$CNTR" attach --user nobody-knows "$TARGET" -- true
	matches "$said" nobody-knows
}

@test "--cap-add: one more" {
	runc_run web distroless
	attach_start --cap-add net_admin -- sleep 86015
	same "$(caps_of "$TPID" "$(cap_bits net_admin sys_ptrace)")" "$(caps_of "$APID")"
	attach_stop
}

@test "--cap-add: a name in capitals, with its prefix; and one that is none" {
	runc_run web distroless
	same 0 "$(status cntr attach --cap-add CAP_NET_ADMIN "$TARGET" -- true)"
	run cntr attach --cap-add make_coffee "$TARGET" -- true
	[ "$status" = 125 ] || [ "$status" = 2 ]
	matches "$output" make_coffee
}

@test "--cap-drop: a capability that the container has" {
	runc_run web distroless
	attach_start --cap-drop kill -- sleep 86016
	same "$(caps_of "$TPID" "$(cap_bits sys_ptrace)" 20)" "$(caps_of "$APID")"
	attach_stop
}

@test "--privileged: the caller's rights" {
	runc_run web distroless
	attach_start --privileged -- sleep 86017
	same "$(status_of self CapEff CapBnd)" "$(status_of "$APID" CapEff CapBnd)"
	same 'NoNewPrivs: 0' "$(status_of "$APID" NoNewPrivs)"
	attach_stop
}

@test "securebits: as in the container" {
	# Root without powers: the bit NOROOT is locked, and nothing is permitted.
	runc_run web distroless '.process.capabilities = {"bounding": ["CAP_KILL"], "permitted": [], "effective": [], "inheritable": [], "ambient": []}'
	attach_start --cap-drop sys_ptrace -- sleep 86018
	same "$(caps_of "$TPID" | grep -E 'Bnd|Inh|Amb')" "$(caps_of "$APID" | grep -E 'Bnd|Inh|Amb')"
	attach_stop
}

@test "time: a time namespace is joined" {
	need timens
	bed_engine_up unshare
	unshare_run clock distroless --time --boottime 1000000
	[ "$(readlink "/proc/$TPID/ns/time")" != "$(readlink /proc/self/ns/time)" ]
	local up
	up=$(attach cut -d. -f1 /proc/uptime)
	[ "$up" -ge 1000000 ]
	unshare_rm clock
}

@test "cgroups: a new process of the shell is in all of the target's" {
	runc_run web distroless
	attach_start -- sh -c 'sleep 86019 & wait'
	local p
	wait_for 10 find_process 'sleep 86019' >/dev/null
	p=$(find_process 'sleep 86019')
	same "$(cat "/proc/$TPID/cgroup")" "$(cat "/proc/$p/cgroup")"
	attach_stop
}

@test "cgroups: the limit of processes holds" {
	need cgroup1
	runc_run web distroless '.linux.resources.pids.limit = 12'
	run attach /usr/bin/python3 -c '
import os, time
n = 0
try:
    while n < 50:
        if os.fork() == 0:
            time.sleep(3); os._exit(0)
        n += 1
except OSError: pass
print(n)'
	[ "${lines[-1]}" -lt 12 ]
}

@test "the caller's umask closes nothing to the container's user" {
	runc_run web distroless '.process.user = {"uid": 1000, "gid": 1000}'
	umask 077
	CNTR_BASE_DIR=/nowhere/at/all
	export CNTR_BASE_DIR
	run attach sh -c 'test -w /dev/null && test -w /tmp && test -w /dev/shm && cat /etc/passwd /nowhere/at/all/etc/passwd'
	same 0 "$status" "$output"
}
