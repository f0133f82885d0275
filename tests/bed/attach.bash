# SPDX-License-Identifier: MIT
# attach.bash - running cntr on $TARGET, and looking at what it started.

ATTACH_TIMEOUT_S=$PATIENCE_S

# cntr ARG...: as the user that owns the container, with an end; attach with the view $ATTACH_VIEW, if that is set.
cntr()
{
	if [ "$1" = attach ] && [ -n "${ATTACH_VIEW:-}" ]; then
		set -- attach --view "$ATTACH_VIEW" "${@:2}"
	fi
	${CNTR_AS:-} timeout -k 5 "$ATTACH_TIMEOUT_S" "$CNTR" "$@"
}

# attach CMD...
attach()
{
	cntr attach "$TARGET" -- "$@"
}

# attach_sh SCRIPT [ARG...]
attach_sh()
{
	cntr attach "$TARGET" -- sh -c "$@"
}

# status CMD...: prints its exit status, shows what it said only if that is needed.
status()
{
	local s=0
	"$@" >"$BATS_TEST_TMPDIR/status.out" 2>&1 || s=$?
	cat "$BATS_TEST_TMPDIR/status.out" >&2
	echo "$s"
}

# attach_start [OPTION...] -- CMD...: in the background. CMD must be unlike any other. Sets CPID (cntr) and APID (CMD).
attach_start()
{
	local options=(${ATTACH_VIEW:+--view "$ATTACH_VIEW"})
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	# shellcheck disable=SC2086 # none, or one word
	spawn "$BED/attach.log" ${CNTR_AS:-} "$CNTR" attach "${options[@]}" "$TARGET" -- "$@"
	CPID=$!
	local end
	end=$(bound 10)
	until APID=$(find_process "$*"); do
		if [ "$SECONDS" -ge "$end" ] || ! alive "$CPID"; then
			fail "no attached process '$*'; cntr said:" "$(cat "$BED/attach.log")"
			return 1
		fi
		sleep 0.02
	done
}

# attach_stop: end what attach_start began.
attach_stop()
{
	kill -TERM "$APID" 2>/dev/null || :
	wait "$CPID" 2>/dev/null || :
}

# attached: sets APID to one attached "sleep" that all tests of this file look at.
attached()
{
	local was=$BED/attached.pid
	if [ -e "$was" ] && alive "$(<"$was")"; then
		APID=$(<"$was")
		return
	fi
	attach_start -- sleep 86399
	echo "$APID" >"$was"
	echo "$CPID" >"$was.cntr"
}

# attached_end: for teardown_file, and for who wants nobody else to be attached.
attached_end()
{
	[ -e "$BED/attached.pid" ] || return 0
	stop_pid "$(<"$BED/attached.pid")"
	# It may not be a child of this shell.
	wait_for 10 has_ended "$(<"$BED/attached.pid.cntr")"
	rm "$BED/attached.pid"
}

# straced PID: strace of it, until it has said something, as all that it says. For the attached shell.
# shellcheck disable=SC2016 # expanded there
STRACED='strace -p "$1" 2>&1 | { read -r line; echo "$line"; pkill -INT -x strace; cat; }'

# in_pidns PID: command lines of all processes in the pid namespace of PID.
in_pidns()
{
	local ns p
	ns=$(readlink "/proc/$1/ns/pid")
	for p in /proc/[0-9]*; do
		if [ "$(readlink "$p/ns/pid" 2>/dev/null)" = "$ns" ]; then
			tr '\0' ' ' <"$p/cmdline" 2>/dev/null | sed 's/ $//' || :
			echo
		fi
	done | sed '/^$/d' | sort
}

# inner_pid PID: as its own pid namespace numbers it.
inner_pid()
{
	awk '$1 == "NSpid:" { print $NF }' "/proc/$1/status"
}

# tool_error STATUS COMMAND...: it fails with this status and one line that says why.
# Leaves the line in $said.
tool_error()
{
	local want=$1 got=0
	shift
	"$@" </dev/null >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || got=$?
	said=$(<"$BATS_TEST_TMPDIR/err")
	same "$want" "$got" "exit status (it said: $said)"
	same 1 "$(wc -l <"$BATS_TEST_TMPDIR/err")" "number of lines on stderr ($said)"
	same '' "$(cat "$BATS_TEST_TMPDIR/out")" stdout
	misses "$said" $'[\001-\010\013-\037]'
	[ "${#said}" -ge 20 ] || fail "that is no sentence: $said"
}

# cap_bits NAME...: as a hexadecimal mask of the style of /proc/PID/status.
cap_bits()
{
	local n mask=0
	for n; do
		case $n in
		net_admin) mask=$((mask | 1 << 12)) ;;
		sys_ptrace) mask=$((mask | 1 << 19)) ;;
		sys_admin) mask=$((mask | 1 << 21)) ;;
		sys_time) mask=$((mask | 1 << 25)) ;;
		*) fail "cap_bits does not know $n" ;;
		esac
	done
	printf '%016x\n' "$mask"
}

# caps_of PID [ADD [DROP]]: "CapX: bits" lines; the bits ADD are added to the bounding, permitted and
# effective set, the bits DROP are taken from all.
caps_of()
{
	local name bits add
	while read -r name bits; do
		case $name in
		CapPrm: | CapEff: | CapBnd:) add=${2:-0} ;;
		*) add=0 ;;
		esac
		printf '%s %016x\n' "$name" $(((0x$bits | 0x$add) & ~0x${3:-0}))
	done < <(status_of "$1" CapInh CapPrm CapEff CapBnd CapAmb)
}
