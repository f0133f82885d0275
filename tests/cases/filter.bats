#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Filters taken from a container's process and those compiled from its configuration answer alike, for
# every system call of every architecture.

load ../bed/bed

setup_file()
{
	bed_engine_up docker
	docker_run web distroless
	CONFIG=$(find "$BED/docker/exec" -path "*/$("$DOCKER" inspect -f '{{.Id}}' web)/config.json")
	export CONFIG
}

teardown_file()
{
	[ -n "${TPID:-}" ] || return 0
	docker_rm web
	docker_down
}

compare()
{
	"$BUILD/tests/unit/filter-compare" "$@"
}

@test "filters: process and configuration answer alike" {
	run compare "$TPID" "$CONFIG"
	same 0 "$status" "$output"
	matches "$output" 'with 3'
	[ "$(grep -c ' 0 differ' <<<"$output")" -eq 4 ]
	same S "$(status_of "$TPID" State | cut -d' ' -f2)"
	same 0 "$(status_of "$TPID" TracerPid | cut -d' ' -f2)"
}

@test "filters: one name less in the configuration is seen" {
	jq '.linux.seccomp.syscalls[0].names -= ["getuid"]' "$CONFIG" >"$BATS_TEST_TMPDIR/config.json"
	run compare "$TPID" "$BATS_TEST_TMPDIR/config.json"
	same 1 "$status"
	matches "$output" 'x86_64 call 102\('
}

@test "filters: a paused container is not stopped, it is told" {
	"$DOCKER" pause web
	run timeout "$PATIENCE_S" "$BUILD/tests/unit/filter-compare" "$TPID" "$CONFIG"
	"$DOCKER" unpause web
	same 1 "$status"
	matches "$output" 'paused'
}
