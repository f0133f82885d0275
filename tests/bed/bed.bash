# SPDX-License-Identifier: MIT
# bed.bash - what every case loads: capabilities, waiting, facts about processes.
#
# Theory of operation
#
# A case runs inside "tests/bed/enter", so it may start what it likes under the engines' default
# paths. `need CAP...` at its start skips it with a reason where the machine can't; the runner
# turns that into a failure if MUST_RUN names CAP. An engine's file has the functions
#
#	ENGINE_up		start its daemon, if it has one
#	ENGINE_run NAME IMAGE	start a container; sets TARGET (what cntr is given) and TPID
#	ENGINE_rm NAME		stop and remove it
#	ENGINE_down		stop the daemon
#
# and a cap_ENGINE that says why not. Images are names of trees made by images.bash.
# State goes through exported variables and files below $BED, since bats runs each test in a
# process of its own.

BED_DIR=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
ROOT=$(dirname "$(dirname "$BED_DIR")")
AS_USER=$BED_DIR/as-user
# The library OS that cases on Linux as a library boot.
VMLINUX=${BUILD:-}/rktio-linux-${RKTIO_LINUX:-6.1}
export ROOT BED_DIR AS_USER VMLINUX
[ -n "${BED:-}" ] || {
	echo "run cases through 'make check T=FILE' or tests/bed/enter, not with bats alone" >&2
	exit 1
}
# A failure is to be read by a stranger: no colours, no translations.
export LC_ALL=C.UTF-8 TERM=xterm
if declare -F bats_require_minimum_version >/dev/null; then
	bats_require_minimum_version 1.5.0
fi

# Nothing that is waited for takes so many seconds, on the slowest machine: only what hangs reaches such a bound.
export PATIENCE_S=120

# shellcheck source=/dev/null
for bed_file in "$BED_DIR"/{caps,images,proc,find,attach,traces,programs}.bash "$BED_DIR"/engine-*.bash; do
	source "$bed_file"
done

# rktio_for_users: RKTIO, and the programs that it starts, where a user may reach them too.
rktio_for_users()
{
	install "$BUILD"/rktio{,-init,-blk,-net} "$VMLINUX" "$BED/bin/"
	export RKTIO=$BED/bin/rktio
}

# terminal_works TTY COMMAND...: a shell's terminal is called TTY; its size, keys and job control, and our modes afterwards.
terminal_works()
{
	run timeout 300 /usr/bin/python3 "$BED_DIR/terminal.py" 41x117 "${@:2}" <<-END
		expect #
		send stty size; tty\\n
		expect 41 117
		expect $1
		resize 33x44
		send until [ "\$(stty size)" = "33 44" ]; do sleep 0.1; done; sh -c "echo si''zed; exec sleep 100"\\n
		expect sized
		send \\x03
		expect #
		send sh -c "echo sle''eps; exec sleep 50"\\n
		expect sleeps
		send \\x1a
		expect Stopped
		send kill %1; exit 9\\n
		send exit 9\\n
		modes
	END
	same 9 "$status" "$output"
	matches "$output" 'modes same'
}

# unused IMAGE: no disk's back end has it any more.
unused() { flock --nonblock "$1" true; }

# bed_engine_up ENGINE: need it, start it.
bed_engine_up()
{
	need "$1"
	"${1}_up"
}

# bound SECONDS: when a wait ends that takes no more than that on a machine at rest.
bound() { echo $((SECONDS + ($1 > PATIENCE_S ? $1 : PATIENCE_S))); }

# wait_for SECONDS CMD...: until CMD succeeds.
wait_for()
{
	local end
	end=$(bound "$1")
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || {
			echo "gave up waiting for: $*"
			return 1
		}
		sleep 0.05
	done
}

# The caches of the machine are dropped by some, and others, in other beds, count what they spare: not at the same time.
CACHES_LOCK=/var/tmp/dvs-caches.lock
drop_caches() { flock --shared "$CACHES_LOCK" sh -c 'echo "$1" >/proc/sys/vm/drop_caches' sh "$1"; }
# caches_stay: until this shell ends.
caches_stay() { exec 5<>"$CACHES_LOCK" && flock 5; }

# spawn LOG CMD...: a program, not a function, in the background; its pid is $!. It must not hold bats's
# descriptors, or bats waits for it. (A redirection of a function would: the shell keeps the old ones aside.)
spawn()
{
	local log=$1
	shift
	: >"$log" # before anybody waits for a word in it
	(
		exec </dev/null >"$log" 2>&1 3>&- 4>&- 5>&-
		# A shell ignores INT and QUIT in what it starts in the background.
		exec env --default-signal=INT,QUIT "$@"
	) &
}

# start_daemon NAME CMD...: in the background, log and pid below $BED.
start_daemon()
{
	local name=$1
	shift
	spawn "$BED/$name.log" "$@"
	echo $! >"$BED/$name.pid"
}

# stop_pid PID [SECONDS]: TERM, then KILL.
stop_pid()
{
	local end
	end=$(bound "${2:-10}")
	kill -TERM "$1" 2>/dev/null || return 0
	while alive "$1"; do
		if [ "$SECONDS" -ge "$end" ]; then
			kill -KILL "$1" 2>/dev/null || return 0
		fi
		sleep 0.02
	done
}

# stop_daemon NAME
stop_daemon()
{
	[ -f "$BED/$1.pid" ] || return 0
	stop_pid "$(<"$BED/$1.pid")"
	rm "$BED/$1.pid"
}

# --- assertions: each says what it expected and what it got ---

fail()
{
	printf '%s\n' "$@" >&2
	return 1
}

# same WANT GOT [WHAT]
same()
{
	[ "$1" = "$2" ] || fail "${3:-values} differ" "wanted: $1" "got:    $2"
}

# one_line: all that the last run said. LeakSanitizer's remark on a thread that ended while it looked is not the program's.
one_line()
{
	same 1 "$(grep -cvE '^$|^==[0-9]+==Unable to get registers from thread [0-9]+\.$' <<<"$output")" "lines of '$output'"
}

# matches TEXT REGEX
matches()
{
	[[ $1 =~ $2 ]] || fail "no match for: $2" "in: $1"
}

# misses TEXT REGEX
misses()
{
	! [[ $1 =~ $2 ]] || fail "unwanted match for: $2" "in: $1"
}
