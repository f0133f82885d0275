#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# stress-ng in the library OS, each class for some seconds: no crash, no hang, and all is back at the start. `make stress` runs longer.

load ../bed/bed

setup()
{
	need libos
}

# class NAME
class()
{
	run -0 "$ROOT/scripts/stress" --build "$BUILD" --seconds 6 --warm 2 "$1"
}

@test "cpu" { class cpu; }
@test "vm" { class vm; }
@test "fork" { class fork; }
@test "signal" { class signal; }
@test "futex" { class futex; }
@test "pipe" { class pipe; }
@test "socket" { class socket; }
@test "filesystem" { class filesystem; }
