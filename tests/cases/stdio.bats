#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Without a terminal standard input, output and error are the command's own: binary-clean, in both directions.

load ../bed/bed

setup_file()
{
	bed_engine_up runc
	runc_run web distroless
}

teardown_file()
{
	[ -z "${TPID:-}" ] || runc_down
}

@test "64 MiB of noise through cat come back identical" {
	head -c 64M /dev/urandom >"$BED/noise"
	attach cat <"$BED/noise" >"$BED/echo"
	cmp "$BED/noise" "$BED/echo"
}

@test "64 MiB over pipes on both ends" {
	same "$(sha256sum <"$BED/noise")" "$(cat "$BED/noise" | attach cat | cat | sha256sum)"
}

@test "output and error stay apart" {
	attach_sh 'echo out; echo err >&2' >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err"
	same out "$(<"$BATS_TEST_TMPDIR/out")"
	same err "$(<"$BATS_TEST_TMPDIR/err")"
}

@test "end of input is seen" {
	same 0 "$(attach wc -c </dev/null)"
	same 6 "$(printf 'abcdef' | attach wc -c)"
}

@test "a reader that goes away: SIGPIPE, as without cntr" {
	run timeout "$PATIENCE_S" bash -c '"$0" attach "$1" -- sh -c "yes; exit 9" | head -n 1; exit "${PIPESTATUS[0]}"' "$CNTR" "$TARGET"
	matches "$output" '^y'
	[ "$status" -ne 124 ]
}

@test "a command that reads nothing does not wait for input" {
	local input=$BATS_TEST_TMPDIR/input
	mkfifo "$input"
	# For as long as this shell has it open for writing, too, it has no end.
	exec 9<>"$input"
	same 0 "$(status timeout "$PATIENCE_S" "$CNTR" attach "$TARGET" -- true <&9)"
	exec 9<&-
}

@test "a command that is killed while it copies" {
	local s=0
	(attach_sh 'kill -9 $$; cat' <"$BED/noise" >/dev/null) || s=$?
	same 137 "$s"
}

@test "closed descriptors: none of 0, 1, 2 becomes something else" {
	local s=0
	"$CNTR" attach "$TARGET" -- sh -c 'exit 7' <&- || s=$?
	same 7 "$s"
	s=0
	"$CNTR" attach "$TARGET" -- sh -c 'exit 7' >&- 2>&- || s=$?
	same 7 "$s"
}

@test "a limit on the size of files: no signal for cntr, the default for the command" {
	local s=0 said ours theirs
	said=$( (ulimit -f 0; exec "$CNTR" exec "$TARGET" -- true) 2>&1) || s=$?
	same 125 "$s" "$said"
	matches "$said" 'ulimit -f'
	ours=$(grep SigIgn /proc/self/status)
	theirs=$("$CNTR" attach "$TARGET" -- grep SigIgn /proc/self/status)
	same "$ours" "$theirs"
}

@test "no descriptor of ours reaches the command" {
	# ls has one for the directory that it reads.
	same '0 1 2 3' "$(attach sh -c 'echo $(ls /proc/self/fd)' 3>&- 4>&-)"
}

@test "the caller's other descriptors do not reach the command" {
	exec 9<"$BED/noise"
	same '0 1 2 3' "$(attach sh -c 'echo $(ls /proc/self/fd)' 3>&- 4>&-)"
	exec 9<&-
}

@test "arguments arrive as they are" {
	same $'a b|$HOME|*||\n|--' "$(attach sh -c 'IFS="|"; printf %s "$*"' sh 'a b' '$HOME' '*' '' $'\n' --)"
}

@test "signals: dispositions and mask are the defaults" {
	same 'SigBlk: 0000000000000000' "$(attach grep SigBlk /proc/self/status | tr -s '\t' ' ')"
	same 0 "$( (trap '' PIPE; attach_sh 'yes | head -n 1 >/dev/null; echo 0') )"
}
