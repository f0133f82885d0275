#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What a user does with a running machine: rktio exec, ps, stats, trace.

load ../bed/bed

setup_file()
{
	need libos image
	export DISK=$BED/exec.img
	rktio_for_users
	"$RKTIO" image create "$DISK" --quiet --dir "$(image_tree busybox)" --size 64M
}

# machine COMMAND...: running, its launcher's pid in $P; COMMAND has to say "ready".
machine()
{
	end_machine
	rm -f "$BED/machine.log"
	spawn "$BED/machine.log" "$RKTIO" run --disk "$DISK" --env MARK=of-run -- "$@"
	P=$!
	wait_for 30 grep -q ready "$BED/machine.log"
}

end_machine()
{
	[ -n "${P:-}" ] || return 0
	kill -KILL "$P" 2>/dev/null || :
	wait "$P" 2>/dev/null || :
	P=
	wait_for 10 unused "$DISK"
}

setup()
{
	need libos image
	machine sh -c 'echo ready; while :; do sleep 1; done'
}

teardown()
{
	end_machine
}

inside() { "$RKTIO" exec "$P" -- "$@"; }

@test "a program, its arguments, its streams apart, its exit status" {
	same 'a b|c' "$(inside sh -c 'echo "$1|$2"' x 'a b' c)"
	same err "$(inside sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)"
	same 3 "$(status inside sh -c 'exit 3')"
	same 137 "$(status inside sh -c 'kill -9 $$')"
	same 127 "$(status inside no-such-program)"
	same 126 "$(status inside /etc)"
	# The same kernel: it sees the first program.
	inside ps | grep -q 'sh -c echo ready'
}

@test "standard streams are binary-clean, and end" {
	head -c 4194304 /dev/urandom >"$BED/random"
	inside cat <"$BED/random" >"$BED/random.out"
	cmp "$BED/random" "$BED/random.out"
	same 5 "$(printf 12345 | inside wc -c | tr -d ' ')"
}

@test "a reader that stops does not stop another session, nor fill memory" {
	mkfifo "$BED/slow"
	sleep 1000 <>"$BED/slow" 3>&- 4>&- &
	slow=$!
	"$RKTIO" exec "$P" -- sh -c 'cat /dev/zero' >"$BED/slow" 3>&- 4>&- &
	exec=$!
	wait_for 10 eval 'inside ps | grep -q "cat /dev/zero"'
	same hello "$(timeout "$PATIENCE_S" "$RKTIO" exec "$P" -- echo hello)"
	before=$(rss)
	# What would not be held up would be hundreds of MB by the time that others have come and gone.
	for i in {1..20}; do
		same hello "$(timeout "$PATIENCE_S" "$RKTIO" exec "$P" -- echo hello)"
	done
	[ "$(rss)" -lt $((before + 4096)) ] || fail "from $before to $(rss) KiB"
	kill -KILL "$exec" "$slow"
	wait "$exec" "$slow" || :
	rm "$BED/slow"
	# The client was killed: so is its program.
	wait_for 10 eval '! inside ps | grep -q "cat /dev/zero"'
}

# rss: KiB of the launcher in memory.
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$P/status"; }

@test "several at once" {
	pids=()
	for i in 1 2 3 4 5 6 7 8; do
		"$RKTIO" exec "$P" -- sh -c "sleep 1; cat; exit $i" <<<"text $i" >"$BED/out.$i" 3>&- 4>&- &
		pids+=($!)
	done
	for i in 1 2 3 4 5 6 7 8; do
		s=0
		wait "${pids[i - 1]}" || s=$?
		same "$i" "$s"
		same "text $i" "$(<"$BED/out.$i")"
	done
}

@test "more sessions than there can be: a sentence" {
	pids=()
	another()
	{
		"$RKTIO" exec "$P" -- sleep 1000 </dev/null 3>&- 4>&- &
		pids+=($!)
	}
	too_many()
	{
		another
		run inside true
		[[ $status = 125 && $output == *'too many'* ]]
	}
	for i in $(seq 16); do
		another
	done
	# The one that is looked with takes a place for a moment, too.
	wait_for 20 too_many
	one_line
	kill -KILL "${pids[@]}"
	wait "${pids[@]}" 2>/dev/null || :
	wait_for 10 eval '[ "$(status inside true)" = 0 ]'
}

@test "environment, directory, user" {
	same of-run "$(inside sh -c 'echo $MARK')"
	same 'other x' "$("$RKTIO" exec -e MARK=other -e X=x "$P" -- sh -c 'echo $MARK $X')"
	same '' "$(SECRET=1 "$RKTIO" exec "$P" -- sh -c 'echo $SECRET')"
	same /tmp "$("$RKTIO" exec -w /tmp "$P" -- pwd)"
	same '65532 65532 65532 65533 /home/nonroot' \
		"$("$RKTIO" exec -u nonroot "$P" -- sh -c 'echo $(id -u; id -g; id -G) $HOME')"
	same '7:8' "$("$RKTIO" exec -u 7:8 "$P" -- sh -c 'echo $(id -u):$(id -g)')"
	same ok "$("$RKTIO" exec -u nonroot "$P" -- sh -c 'echo ok >/dev/stderr' 2>&1 >/dev/null)"
	run "$RKTIO" exec -u nobody-here "$P" -- true
	same 125 "$status"
	matches "$output" 'nobody-here'
}

@test "long arguments, and arguments that are too long" {
	long=$(head -c 100000 /dev/zero | tr '\0' x)
	same 100000 "$(inside sh -c 'echo ${#1}' x "$long")"
	run "$RKTIO" exec "$P" -- true "$long" "$long" "$long"
	same 125 "$status"
	matches "$output" 'too long'
}

@test "signals go to the program" {
	rm -f "$BED/exec.log"
	spawn "$BED/exec.log" "$RKTIO" exec "$P" -- \
		sh -c 'trap "echo got; exit 7" TERM; echo ready; while :; do sleep 0.1; done'
	p=$!
	wait_for 20 grep -q ready "$BED/exec.log" 2>/dev/null
	kill -TERM "$p"
	s=0
	wait "$p" || s=$?
	same 7 "$s"
	grep -q got "$BED/exec.log"
}

@test "a terminal: its size, keys, job control, and its modes afterwards" {
	need pty
	terminal_works /dev/pts/ "$RKTIO" exec "$P" -- sh -i
}

@test "a terminal that hangs up ends what runs in it" {
	need pty
	run timeout 300 /usr/bin/python3 "$BED_DIR/terminal.py" 24x80 "$RKTIO" exec "$P" -- sh -i <<-'END'
		expect #
		send sh -c 'echo sle""eps; exec sleep 4711'\n
		expect sleeps
		hangup
	END
	misses "$output" 'terminal: '
	wait_for 10 eval '! inside ps | grep -q "sleep 4711"'
}

@test "the machine is found by any of its processes, by its user and root alone" {
	child=$(pgrep -P "$P" rktio-linux)
	same hi "$("$RKTIO" exec "$child" -- echo hi)"
	same hi "$("$RKTIO" exec "$(pgrep -P "$child" | head -n 1)" -- echo hi)"
	run "$RKTIO" exec $$ -- true
	same 125 "$status"
	matches "$output" 'not part of'
	run "$RKTIO" exec 4194304 -- true
	same 125 "$status"
	run "$AS_USER" "$RKTIO" exec "$P" -- true
	same 125 "$status" "$output"
	matches "$output" 'belongs to another user'
	run "$RKTIO" exec nonsense -- true
	same 2 "$status"
}

@test "the end of the machine ends its sessions: of its program, and kill -9 of a host process" {
	machine sh -c 'mount -t tmpfs tmpfs /dev/shm; echo ready; until [ -e /dev/shm/end ]; do sleep 0.1; done; exit 5'
	rm -f "$BED/exec.log"
	spawn "$BED/exec.log" "$RKTIO" exec "$P" -- sh -c 'echo ready; sleep 1000'
	p=$!
	wait_for 20 grep -q ready "$BED/exec.log"
	# It may be ended by what it makes before it has ended itself.
	inside touch /dev/shm/end || :
	s=0
	wait "$p" || s=$?
	same 137 "$s"
	s=0
	wait "$P" || s=$?
	same 5 "$s"
	machine sh -c 'echo ready; sleep 1000'
	rm -f "$BED/exec.log"
	spawn "$BED/exec.log" "$RKTIO" exec "$P" -- sh -c 'echo ready; sleep 1000'
	p=$!
	wait_for 20 grep -q ready "$BED/exec.log" 2>/dev/null
	# One of those in the middle, not the first.
	kill -KILL "$(pgrep -P "$(pgrep -P "$P" rktio-linux)" | head -n 1)"
	s=0
	wait "$p" || s=$?
	same 125 "$s"
	grep -q 'has ended' "$BED/exec.log"
	s=0
	wait "$P" || s=$?
	same 125 "$s"
	wait_for 5 eval '! pgrep -f "rktio-linux.*mem=" >/dev/null'
}

@test "ps lists what runs, and nothing that has ended" {
	wait_for 5 eval '[ "$("$RKTIO" ps --quiet)" = "$P" ]' # what the last case had killed may be there for a moment
	matches "$("$RKTIO" ps)" "$P +1G +.* $DISK +sh -c echo ready"
	same "$P $DISK 1073741824" "$("$RKTIO" ps --json | jq -r '.[] | "\(.pid) \(.image) \(.memory)"')"
	kill -KILL "$P"
	wait "$P" || :
	wait_for 5 eval '[ -z "$("$RKTIO" ps --quiet)" ]'
	run "$RKTIO" exec "$P" -- true
	same 125 "$status"
}

# counter NAME
counter() { "$RKTIO" stats "$P" | awk -v n="$1" '$1 == n { print $2 }'; }

@test "stats: what is counted grows with what is done" {
	calls=$(counter trapped) direct=$(counter direct) clones=$(counter hostprocs) requests=$(counter device_requests)
	inside sh -c 'i=0; while [ $i -lt 300 ]; do : </etc/passwd; i=$((i + 1)); done; echo x >/root/x; sync'
	[ $(($(counter trapped) + $(counter direct) - calls - direct)) -gt 600 ]
	[ "$(counter device_requests)" -gt "$requests" ]
	[ "$(counter host_processes)" -ge 2 ]
	[ "$(counter host_vmas)" -gt "$(counter host_processes)" ]
	[ "$clones" -le "$(counter hostprocs)" ]
	"$RKTIO" stats --json "$P" | jq -e '.trapped > 0 and .host_mmap > 0' >/dev/null
	run "$RKTIO" stats 4194304
	same 1 "$status"
}

@test "stats at the end are those of a running machine, in the same form" {
	end_machine
	run "$RKTIO" run --disk "$DISK" --stats -- true
	same 0 "$status"
	matches "$output" $'(^|\n)trapped [1-9][0-9]*'
	matches "$output" $'\nhost_mmap [1-9][0-9]*'
}

# counts_execve: a summary of what is called meanwhile. That it is attached by then cannot be seen before its end, so there are
# more calls each time: a program that runs inside takes as long as it takes to attach.
counts_execve()
{
	local p n
	spawn "$BED/trace.log" "$RKTIO" trace -c "$P"
	p=$!
	calls=$((2 * ${calls:-1}))
	for ((n = 0; n < calls; n++)); do
		inside true
	done
	kill -INT "$p"
	wait "$p" || :
	grep -q ' execve$' "$BED/trace.log"
}

@test "trace: calls, strings, flags, errors; and then nothing is left of it" {
	spawn "$BED/trace.log" "$RKTIO" trace "$P" -o "$BED/trace" -e openat,open,read,exit_group,mkdir,write
	p=$!
	# It is attached once a program that runs for it is to be seen.
	wait_for 10 eval 'inside true; [ -s "$BED/trace" ]'
	inside sh -c 'cat /etc/os-release; cat /no/such/file; mkdir /tmp; echo "a	b" >/tmp/file; exit 3' >/dev/null 2>&1 || :
	wait_for 10 grep -q 'exit_group(3) = ?' "$BED/trace" || { cat "$BED/trace.log" "$BED/trace"; return 1; }
	# Whoever looks at the file sees all of it, and no whole blocks alone.
	wait_for 10 eval 'inside true; [ $(($(stat -c %s "$BED/trace") % 4096)) != 0 ]'
	kill -INT "$p"
	wait "$p"
	cat "$BED/trace.log"
	grep -q '^\[pid  *[0-9]*\] openat(AT_FDCWD, "/etc/os-release", O_RDONLY.*) = [0-9]' "$BED/trace" ||
		grep -q '^\[pid  *[0-9]*\] open("/etc/os-release", O_RDONLY.*) = [0-9]' "$BED/trace"
	grep -q '"/no/such/file", O_RDONLY.*) = -1 ENOENT (No such file or directory)' "$BED/trace"
	grep -q 'mkdir("/tmp", 0777) = -1 EEXIST (File exists)' "$BED/trace"
	grep -q '"/tmp/file", O_WRONLY|O_CREAT|O_TRUNC.*, 0666) = ' "$BED/trace"
	grep -q 'write(1, "a\\tb\\n", 4) = 4' "$BED/trace"
	grep -q 'exit_group(3) = ?' "$BED/trace"
	same 0 "$(grep -cv '^\[pid' "$BED/trace")"
	same 0 "$(status inside true)"
	# One at a time, and again after that.
	spawn "$BED/trace.log" "$RKTIO" trace "$P" -o "$BED/second"
	p=$!
	wait_for 20 eval 'inside true; [ -s "$BED/second" ]'
	run timeout "$PATIENCE_S" "$RKTIO" trace -c "$P"
	same 1 "$status"
	kill -INT "$p"
	wait "$p"
	wait_for 30 counts_execve
	same 2 "$(status "$RKTIO" trace -e no_such_call "$P")"
}

@test "a tracer that is killed while its ring is full holds nobody up" {
	rm -f "$BED/trace"
	spawn "$BED/trace.log" "$RKTIO" trace "$P" -o "$BED/trace"
	p=$!
	wait_for 20 eval 'inside true; [ -s "$BED/trace" ]'
	kill -STOP "$p"
	# 256 KiB of records, and what is on its way, are filled by this; then it waits.
	spawn "$BED/busy.log" "$RKTIO" exec "$P" -- sh -c 'i=0; while [ $i -lt 20000 ]; do : </etc/passwd; i=$((i + 1)); done; echo done'
	b=$!
	sleep 3
	same '' "$(<"$BED/busy.log")"
	kill -KILL "$p"
	wait "$p" || :
	wait "$b"
	same "done" "$(<"$BED/busy.log")"
}
