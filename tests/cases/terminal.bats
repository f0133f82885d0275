#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# An attached shell on a terminal: its own pty, sizes, job control, signals, modes.

load ../bed/bed

setup_file()
{
	need pty
	bed_engine_up runc
	runc_run web distroless
}

teardown_file()
{
	[ -z "${TPID:-}" ] || runc_down
}

# on_tty [SIZE] CMD... <<<STEPS: see terminal.py. Sets status and output, without carriage returns.
on_tty()
{
	status=0
	output=$(timeout 300 /usr/bin/python3 "$BED_DIR/terminal.py" "$@" 2>&1) || status=$?
	output=${output//$'\r'/}
}


@test "pty: the driver itself: size, status, modes" {
	on_tty 33x44 sh -c 'stty size; exit 5' <<<modes
	same 5 "$status"
	matches "$output" '33 44'
	matches "$output" 'modes same'
}

@test "a terminal of its own" {
	on_tty "$CNTR" attach "$TARGET" -- sh -c 'tty; test -t 0 && test -t 1 && test -t 2 && echo all-tty' </dev/null
	same 0 "$status"
	matches "$output" '/dev/pts/[0-9]+'
	matches "$output" 'all-tty'
}

@test "its name leads to it" {
	on_tty "$CNTR" attach "$TARGET" -- sh -c 'echo through-the-name >"$(tty)"; echo through-dev-tty >/dev/tty' </dev/null
	same 0 "$status"
	matches "$output" through-the-name
	matches "$output" through-dev-tty
}

@test "new terminals can be opened in the shell" {
	on_tty "$CNTR" attach "$TARGET" -- script -qec 'echo in-a-script' /dev/null </dev/null
	matches "$output" in-a-script
}

@test "no terminal without one" {
	run attach tty
	matches "$output" 'not a tty'
}

@test "size at the start" {
	on_tty 41x117 "$CNTR" attach "$TARGET" -- stty size </dev/null
	matches "$output" '41 117'
}

@test "size when it changes" {
	on_tty 24x80 "$CNTR" attach "$TARGET" -- bash -c 'trap "stty size; exit 0" WINCH; echo ready; while :; do sleep 0.1; done' <<-'END'
		expect ready
		resize 50x132
		expect 50 132
	END
	same 0 "$status"
}

@test "exit status" {
	on_tty "$CNTR" attach "$TARGET" -- sh -c 'exit 3' </dev/null
	same 3 "$status"
	on_tty "$CNTR" attach "$TARGET" -- sh -c 'kill -9 $$' </dev/null
	same 137 "$status"
	on_tty "$CNTR" attach "$TARGET" -- no-such-command </dev/null
	same 127 "$status"
	on_tty "$CNTR" attach "$TARGET" -- /etc </dev/null
	same 126 "$status"
	on_tty "$CNTR" attach no-such-container </dev/null
	same 125 "$status"
}

@test "^C ends the program, not the shell" {
	on_tty "$CNTR" attach "$TARGET" -- bash --norc --noprofile -i <<-'END'
		send PS1=REA''DY\\ ; sh -c 'echo sle""eps; exec sleep 86030'\n
		expect sleeps
		send \x03
		expect READY
		send echo status=$?\n
		expect status=130
		send exit 0\n
	END
	same 0 "$status"
}

@test "^Z stops, fg goes on, bg works" {
	on_tty "$CNTR" attach "$TARGET" -- bash --norc --noprofile -i <<-'END'
		send PS1=REA''DY\\ \n
		expect READY
		send bash -c 'trap "echo go""es on" CONT; echo sta""rts; while :; do sleep 0.1; done'\n
		expect starts
		send \x1a
		expect Stopped
		send fg\n
		expect goes on
		send \x1a
		expect Stopped
		send bg; jobs\n
		expect Running
		send kill %1; wait; exit 4\n
	END
	same 4 "$status"
	misses "$output" 'no job control'
	misses "$output" 'cannot set terminal process group'
}

@test "^D ends the shell" {
	on_tty "$CNTR" attach "$TARGET" -- bash --norc --noprofile -i <<-'END'
		send PS1=REA''DY\\ \n
		expect READY
		send \x04
	END
	same 0 "$status"
}

@test "^\\ quits the program" {
	# Not bash: it ignores SIGQUIT for as long as it is there.
	on_tty "$CNTR" attach "$TARGET" -- dash -c 'ulimit -c 0; echo ready; exec sleep 86032' <<-'END'
		expect ready
		send \x1c
	END
	same 131 "$status"
}

@test "what is typed is echoed once" {
	on_tty "$CNTR" attach "$TARGET" -- sh -c 'echo ready; exec cat' <<-'END'
		expect ready
		send only-once\n
		expect only-once
		expect only-once
		send \x04
	END
	same 0 "$status"
	same 2 "$(grep -c only-once <<<"$output")" "echo of the terminal, and of cat"
}

@test "modes are put back at the end" {
	on_tty "$CNTR" attach "$TARGET" -- true <<<modes
	same 0 "$status"
	matches "$output" 'modes same'
}

@test "modes are put back when a signal ends it" {
	on_tty "$CNTR" attach "$TARGET" -- bash -c 'echo ready; sleep 86033' <<-'END'
		modes
		expect ready
		kill TERM
	END
	same 143 "$status"
	matches "$output" 'modes same'
}

@test "modes are put back when an error ends it" {
	on_tty "$CNTR" attach no-such-container <<<modes
	same 125 "$status"
	matches "$output" 'modes same'
}

@test "hangup ends what was attached" {
	on_tty "$CNTR" attach "$TARGET" -- bash -c 'echo ready; sleep 86034' <<-'END'
		expect ready
		hangup
	END
	[ "$status" -ne 99 ]
	wait_for 5 no_process 'sleep 86034'
}

no_process() { ! find_process "$1" >/dev/null; }

@test "no output is lost: a million bytes and an end" {
	on_tty "$CNTR" attach "$TARGET" -- /usr/bin/python3 -c 'print("x" * 79 + "\n", end=""); print(("y" * 79 + "\n") * 12500 + "the-end")' </dev/null
	same 0 "$status"
	same 12500 "$(grep -c '^y\{79\}$' <<<"$output")"
	matches "$output" the-end
}

@test "the default command is a shell of the tools" {
	on_tty "$CNTR" attach "$TARGET" <<-'END'
		send PS1=REA''DY\\ \n
		expect READY
		send test -x /var/lib/cntr/app && echo is-"attached" to $PWD\n
		expect is-attached to /var/lib/cntr
		send exit 6\n
	END
	same 6 "$status"
}

@test "stdin from a file, output on the terminal; and the other way round" {
	on_tty sh -c 'echo from-a-file | "$1" attach "$2" -- cat' sh "$CNTR" "$TARGET" </dev/null
	same 0 "$status"
	matches "$output" from-a-file
	on_tty sh -c '"$1" attach "$2" -- printf "a\nb\n" | od -c' sh "$CNTR" "$TARGET" </dev/null
	matches "$output" 'a  \\n   b  \\n'
}

@test "screen programs: less and tmux" {
	need tmux
	on_tty "$CNTR" attach "$TARGET" -- tmux -S /tmp/tmux.sock new 'echo in-tmux; read -r _; exit 0' <<-'END'
		expect in-tmux
		send \r
	END
	same 0 "$status" "$output"
}
