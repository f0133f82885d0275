#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Mapped ids: what is seen through them, and what is written through them. As root, and without root.

load ../bed/bed

teardown()
{
	unset CNTR_AS
	[ ! -e "$BED/used-podman" ] || podman_down 2>/dev/null
	[ ! -e "$BED/used-rootless" ] || rootless_down 2>/dev/null
	[ ! -e "$BED/docker.pid" ] || docker_down
	bare_down
}

podman_mapped()
{
	bed_engine_up podman_uidmap
	touch "$BED/used-podman"
	podman_uidmap_run "$@"
}

rootless()
{
	bed_engine_up rootless
	touch "$BED/used-rootless"
	export CNTR_AS=$AS_USER
	rootless_run "$@"
}

@test "mapped: root of the tools is root inside" {
	need idmap
	podman_mapped web distroless
	same 0:0 "$(attach stat -c %u:%g /usr/bin/env)"
	# A user of the host that the container has an id for keeps its number.
	touch "$BED/owned" && chown 1234:567 "$BED/owned"
	same 1234:567 "$(attach stat -c %u:%g "$BED/owned")"
}

@test "mapped: what is written belongs to the container's root, as the host sees it too" {
	podman_mapped web distroless
	attach_sh 'touch /var/lib/cntr/tmp/new && chown 65532 /var/lib/cntr/tmp/new'
	same 2065532:2000000 "$(stat -c %u:%g "/proc/$TPID/root/tmp/new")"
}

@test "mapped: setuid programs of the tools do not reach the host's root" {
	podman_mapped web distroless
	attach_start -- sleep 86080
	same "$(cat "/proc/$TPID/uid_map")" "$(cat "/proc/$APID/uid_map")"
	same 2000000 "$(status_of "$APID" Uid | cut -d' ' -f2)"
	attach_stop
}

@test "mapped: --rw writes to the tools as the host's root, not as a stranger" {
	need idmap
	podman_mapped web distroless
	mkdir -p "$BED/shared"
	same 0 "$(status cntr attach --rw "$TARGET" -- touch "$BED/shared/new")"
	same 0:0 "$(stat -c %u:%g "$BED/shared/new")"
}

@test "mapped: another user of the container" {
	podman_mapped web distroless --user 65532:65532
	same 65532 "$(attach id -u)"
	attach_sh 'touch /var/lib/cntr/tmp/new'
	same 2065532 "$(stat -c %u "/proc/$TPID/root/tmp/new")"
}

@test "mapped: docker with remapped ids, found over its socket and from its state" {
	bed_engine_up docker_idmap
	docker_idmap_run web distroless
	attach_sh 'touch /var/lib/cntr/tmp/new && chown 65532 /var/lib/cntr/tmp/new'
	same 2165532:2100000 "$(stat -c %u:%g "/proc/$TPID/root/tmp/new")"
	same 0:0 "$(attach stat -c %u:%g /usr/bin/env)"
	mv /run/docker.sock /run/away.sock
	run attach cat /var/lib/cntr/etc/os-release
	mv /run/away.sock /run/docker.sock
	same ID=bed-image "$output"
}

@test "rootless: the user attaches, without root" {
	rootless web distroless
	same ID=bed-image "$(attach cat /var/lib/cntr/etc/os-release)"
	same 0 "$(attach id -u)"
}

@test "rootless: the user's files are root's inside, and new ones are the user's outside" {
	rootless web distroless
	"$AS_USER" touch "$BED/user/mine"
	same 0:0 "$(attach stat -c %u:%g "$BED/user/mine")"
	attach touch /var/lib/cntr/tmp/new
	same 61000:61000 "$(stat -c %u:%g "/proc/$TPID/root/tmp/new")"
}

@test "rootless: ps shows the container's" {
	rootless web distroless
	same "$(printf '%s\n' /app 'ps -eo args=')" "$(attach ps -eo args= | sort)"
}

@test "rootless: cntr ps shows it to its user, and to root" {
	rootless web distroless
	same "$TPID" "$(cntr ps --json | jq '.[] | select(.name == "web") | .pid')"
	unset CNTR_AS
	matches "$(cntr ps --json | jq '.[].pid')" "$TPID"
}

@test "rootless: root attaches, too" {
	rootless web distroless
	unset CNTR_AS
	TARGET=$TPID
	same ID=bed-image "$(attach cat /var/lib/cntr/etc/os-release)"
	same 0:0 "$(attach stat -c %u:%g /usr/bin/env)"
	attach touch /var/lib/cntr/tmp/by-root
	same 61000:61000 "$(stat -c %u:%g "/proc/$TPID/root/tmp/by-root")"
}

@test "rootless: another user's --user" {
	rootless web distroless
	same 65532 "$(cntr attach --user nonroot "$TARGET" -- id -u)"
}

@test "rootless: exec" {
	rootless web busybox
	same ID=bed-image "$(cntr exec "$TARGET" -- /bin/cat /etc/os-release)"
}

@test "rootless: kill -9 leaves nothing" {
	rootless web distroless
	local before
	before=$(traces)
	attach_start -- sleep 86081
	kill -KILL "$CPID"
	no_traces "$before" 3
}

@test "a container of another normal user is not entered" {
	rootless web distroless
	local s=0
	said=$(cd / && setpriv --reuid=61001 --regid=61001 --clear-groups env -i PATH="$PATH" timeout "$PATIENCE_S" "$CNTR" attach "$TPID" -- true 2>&1) || s=$?
	same 125 "$s"
}

@test "one id is mapped: unshare -Ur by a normal user" {
	need userns
	image_copy busybox "$BED/user/tree"
	chown -R bed: "$BED/user/tree"
	mkdir -p "$BED/user/tree/proc"
	export CNTR_AS=$AS_USER
	spawn "$BED/unshare.log" "$AS_USER" unshare -Urmpf --kill-child --mount-proc --root="$BED/user/tree" /app
	wait_for 10 find_process /app >/dev/null
	TPID=$(find_process /app)
	TARGET=$TPID
	same ID=bed-image "$(attach cat /var/lib/cntr/etc/os-release)"
	same 0 "$(attach id -u)"
	kill -KILL "$TPID"
}
