#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The test bed itself: each engine starts a container and leaves nothing.

load ../bed/bed

# bed_check ENGINE IMAGE
bed_check()
{
	bed_engine_up "$1"
	"${1}_run" probe "$2"
	alive "$TPID"
	same /app "$(tr -d '\0' <"/proc/$TPID/cmdline")" "command of the container"
	"${1}_rm" probe
	wait_for 5 bed_gone "$TPID"
	"${1}_down"
}

bed_gone() { ! alive "$1"; }

@test "docker" { bed_check docker scratch; }
@test "podman" { bed_check podman scratch; }
@test "podman with mapped ids" { bed_check podman_uidmap scratch; }
@test "podman as a normal user" { bed_check rootless scratch; }
@test "containerd" { bed_check containerd scratch; }
@test "runc" { bed_check runc scratch; }
@test "lxc" { bed_check lxc busybox; }
@test "lxc with mapped ids" { bed_check lxc_idmap busybox; }
@test "systemd-nspawn" { bed_check nspawn busybox; }
@test "bubblewrap" { bed_check bwrap busybox; }
@test "unshare" { bed_check unshare busybox; }

@test "images: distroless runs, and has no shell" {
	bed_engine_up runc
	runc_run probe distroless
	alive "$TPID"
	[ ! -e "/proc/$TPID/root/bin/sh" ]
	runc_rm probe
}

@test "images: debian" {
	bed_engine_up runc
	runc_run probe debian
	grep -q '^VERSION_ID="12"' "/proc/$TPID/root/etc/os-release"
	runc_rm probe
}

@test "a file of cases shows its table, also where all is well" {
	local file=$BED/table.tap # a bed has a /tmp of its own
	printf '#!/bin/sh\necho "ok 1 - it"\necho "# | guest  inspect"\necho "# not this"\necho 1..1\n' >"$file"
	chmod +x "$file"
	run "$ROOT/scripts/run-tests" --build "$BUILD" "$file"
	[ "$status" = 0 ]
	[[ $output == *$'passed'*$'\n  guest  inspect\n1 passed'* && $output != *"not this"* ]]
}
