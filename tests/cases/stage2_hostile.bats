#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# vmsh-stage2 and the host's side of a session, against peers that break the protocol (tests/bed/wire.py).

load ../bed/bed
load ../bed/guest

@test "a hostile guest harms nobody" {
	run timeout 400 /usr/bin/python3 "$BED_DIR/wire.py" guests "$ATTACH_TRY"
	same 0 "$status" "$output"
}

@test "a hostile host leaves nothing in the guest" {
	run timeout 400 /usr/bin/python3 "$BED_DIR/wire.py" hosts "$ENTER"
	same 0 "$status" "$output"
	guest_as_before "$BEFORE" 20
}
