#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What docker adds to a container: users, limits, volumes, profiles.

load ../bed/bed

setup_file()
{
	bed_engine_up docker
}

teardown_file()
{
	[ -z "${DOCKER:-}" ] || docker_down
}

teardown()
{
	"$DOCKER" ps -aq | xargs -r "$DOCKER" rm -f >/dev/null
}

@test "a scratch container: one static program, no /etc, no /proc of its own to speak of" {
	docker_run web scratch
	same 0 "$(status attach /var/lib/cntr/bin/sh)" || same 127 "$(status attach /var/lib/cntr/bin/sh)"
	attach test -x /var/lib/cntr/app
	same "$(printf '%s\n' /app 'ps -eo args=')" "$(attach ps -eo args= | sort)"
	attach_sh 'echo x >/var/lib/cntr/new'
	same x "$(cat "/proc/$TPID/root/new")"
}

@test "a read-only container stays read-only, and can be attached to" {
	docker_run web distroless --read-only
	run attach touch /var/lib/cntr/new
	matches "$output" 'Read-only file system'
	same ID=bed-image "$(attach cat /var/lib/cntr/etc/os-release)"
}

@test "volumes are seen, and written through" {
	mkdir -p "$BED/volume"
	docker_run web distroless -v "$BED/volume:/data" --tmpfs /scratch
	attach_sh 'echo from-the-shell >/var/lib/cntr/data/file; test -d /var/lib/cntr/scratch && stat -f -c %T /var/lib/cntr/scratch' >"$BATS_TEST_TMPDIR/out"
	same from-the-shell "$(cat "$BED/volume/file")"
	same tmpfs "$(cat "$BATS_TEST_TMPDIR/out")"
}

@test "a volume that is mounted later is seen by the next shell" {
	docker_run web distroless
	mkdir "/proc/$TPID/root/late"
	/usr/bin/python3 "$BED_DIR/mount-in.py" "$TPID" tmpfs /late
	same tmpfs "$(attach stat -f -c %T /var/lib/cntr/late)"
}

@test "--user of docker run" {
	docker_run web distroless --user 65532:65532 --group-add 7
	same 65532:65532 "$(attach_sh 'echo $(id -u):$(id -g)')"
	matches " $(attach id -G) " ' 7 '
}

@test "docker's seccomp profile holds in the shell" {
	need seccomp
	docker_run web distroless
	run attach unshare --user true
	[ "$status" -ne 0 ]
	matches "$output" 'not permitted'
	docker_run open distroless --security-opt seccomp=unconfined
	same 0 "$(status attach unshare --user true)"
}

@test "docker's capabilities hold: --cap-drop ALL, --cap-add" {
	docker_run bare distroless --cap-drop ALL --cap-add NET_ADMIN
	attach_start --cap-drop sys_ptrace -- sleep 86020
	same "$(caps_of "$TPID")" "$(caps_of "$APID")"
	attach_stop
}

@test "docker's --privileged holds: every capability, no filter" {
	need all_capabilities
	docker_run web distroless --privileged
	attach_start -- sleep 86021
	same "$(caps_of "$TPID")" "$(caps_of "$APID")"
	same "$(status_of "$TPID" Seccomp)" "$(status_of "$APID" Seccomp)"
	attach_stop
}

@test "docker's limits hold: ulimit, oom-score-adj" {
	docker_run web distroless --ulimit nofile=100:200 --oom-score-adj 77
	same '100 77' "$(attach_sh 'echo $(ulimit -n) $(cat /proc/self/oom_score_adj)')"
}

@test "the memory limit holds for a program started in the shell" {
	need memcg
	docker_run web distroless -m 64m --memory-swap 64m
	same 0 "$(status attach /usr/bin/python3 -c 'bytearray(16 << 20)')"
	same 137 "$(status attach /usr/bin/python3 -c 'bytearray(256 << 20)')"
	# And what was killed is the program, not the container.
	alive "$TPID"
}

@test "the container's environment, hosts and name" {
	docker_run web distroless -e GREETING='hello world' --hostname webhost --add-host far:10.9.8.7
	same 'hello world' "$(attach printenv GREETING)"
	same webhost "$(attach hostname)"
	matches "$(attach cat /etc/hosts)" 10.9.8.7
	matches "$(attach cat /etc/hostname)" webhost
}

@test "shared namespaces: --pid host, --network host, --ipc host, --uts host" {
	docker_run web distroless --pid host --uts host --ipc host
	attach_start -- sleep 86022
	same "$(ns_of "$TPID")" "$(ns_of "$APID")"
	attach_stop
}

@test "found by id, by a prefix of it, by name, with and without the engine" {
	local id ref
	docker_run web distroless
	id=$("$DOCKER" inspect -f '{{.Id}}' web)
	for ref in "$id" "${id:0:12}" "${id:0:3}" web "docker:$id" "docker:${id:0:12}" docker:web; do
		TARGET=$ref
		same ID=bed-image "$(attach cat /var/lib/cntr/etc/os-release)" "$ref"
	done
}

@test "found over DOCKER_HOST" {
	docker_run web distroless
	mv /run/docker.sock /run/other.sock
	run env DOCKER_HOST="unix:///run/other.sock" timeout "$PATIENCE_S" "$CNTR" attach docker:web -- cat /var/lib/cntr/etc/os-release
	mv /run/other.sock /run/docker.sock
	same ID=bed-image "$output"
}

@test "found without the daemon's socket, from its state" {
	docker_run web distroless
	mv /run/docker.sock /run/away.sock
	run attach cat /var/lib/cntr/etc/os-release
	mv /run/away.sock /run/docker.sock
	same ID=bed-image "$output"
}

@test "a paused container" {
	docker_run web distroless
	"$DOCKER" pause web
	# A process that joins a frozen cgroup would freeze, too: better not to start.
	tool_error 125 "$CNTR" attach "$TARGET" -- true
	matches "$said" paused
	"$DOCKER" unpause web
	same 0 "$(status attach true)"
}

@test "a restarted container is found anew" {
	docker_run web distroless
	attach true
	"$DOCKER" restart -t 1 web >/dev/null
	same ID=bed-image "$(attach cat /var/lib/cntr/etc/os-release)"
}

@test "the container stops while somebody is attached" {
	docker_run web distroless
	attach_start -- sleep 86023
	"$DOCKER" rm -f web >/dev/null
	local s=0
	wait "$CPID" || s=$?
	same 137 "$s"
}

@test "gdb reads the target's memory" {
	need debugger
	docker_run web distroless
	run attach gdb -p 1 -batch -ex 'info proc' -ex 'info registers rip'
	matches "$output" 'rip +0x'
}
