# SPDX-License-Identifier: MIT
# programs.bash - encrypted images of Debian packages, and scripts that run in them under rktio.
#
# Theory of operation
#
# An image of packages takes a minute to make, so it is kept in $DVS_CACHE/programs under a hash of
# what it is made of: packages, size, and the source that makes images. A bed gets a copy, to write to.
#
#	programs_image NAME SIZE PACKAGES	sets IMG and KEY
#	inside SCRIPT [ARG...]			runs SCRIPT with bash -eu in it, $1... being ARGs
#	said SCRIPT [ARG...]			runs it with bats' run, and wants status 0
#	starts_inside SCRIPT [ARG...]		the same in the background, with its output in $LOG;
#						sets RUN, the pid of rktio
#	machine_pids				the host processes of the library OS that RUN has started
#
# INSIDE_OPTS has further options for rktio run, INSIDE_LIB what each script starts with. Scripts may call
# `fsck_root` at their end: what is wrong with the file system, behind the kernel's
# line that it is read-only now.

# With SOAK set, as `make soak` does, loads take LOAD_S = 60 seconds instead of 5.

INSIDE_SECONDS=$((${SOAK:+900} + 600))
LOAD_S=$((${SOAK:+55} + 5))
# shellcheck disable=SC2016 # expanded inside
INSIDE_COMMON='
	fsck_root()
	{
		sync; echo u >/proc/sysrq-trigger
		until grep -q "^/dev/[^ ]* / ext4 ro" /proc/mounts; do sleep 0.05; done
		e2fsck -fn "$(sed -n "s,^\(/dev/[^ ]*\) / .*,\1,p" /proc/mounts)" >/dev/shm/fsck 2>&1 || cat /dev/shm/fsck
	}'

programs_image()
{
	local cache=$DVS_CACHE/programs kept
	kept=$cache/$1-$(programs_hash "$@").img
	mkdir -p "$cache"
	chmod 700 "$cache"
	(
		flock 8
		[ -s "$cache/key" ] || (umask 077 && head -c 64 /dev/urandom >"$cache/key")
		[ -s "$kept" ] || {
			rm -f "$cache/$1"-*.img
			TMPDIR=/var/tmp nsenter --net="/proc/$BED_NETWORK_PID/ns/net" "$BUILD/rktio" image create "$kept" --quiet \
				--size "$2" --packages "$3" --encrypt --key-file "$cache/key"
		}
		cp --reflink=auto "$kept" "$BED/$1.img"
	) 8>"$cache/$1.lock" >&2
	cp "$cache/key" "$BED/$1.key"
	export IMG=$BED/$1.img KEY=$BED/$1.key LOG=$BED/$1.log
}

programs_hash()
{
	{
		printf '%s\n' "$@"
		cat "$ROOT"/lib/disk/*.[ch]
	} | sha256sum | cut -c 1-16
}

inside()
{
	local script=$1
	shift
	# shellcheck disable=SC2086 # words of a command line
	timeout -k 5 "$INSIDE_SECONDS" "$BUILD/rktio" run --disk "$IMG,key-file=$KEY" ${INSIDE_OPTS:-} -- \
		bash -euc "$INSIDE_COMMON${INSIDE_LIB:-}"$'\n'"$script" inside "$@"
}

said()
{
	run inside "$@"
	# shellcheck disable=SC2154 # of run
	same 0 "$status" "$output"
}

starts_inside()
{
	local script=$1
	shift
	# shellcheck disable=SC2086
	spawn "$LOG" "$BUILD/rktio" run --disk "$IMG,key-file=$KEY" ${INSIDE_OPTS:-} -- \
		bash -euc "$INSIDE_COMMON${INSIDE_LIB:-}"$'\n'"$script" inside "$@"
	RUN=$!
}

# logged SECONDS REGEX: until a line of $LOG matches; what it says if none does.
logged()
{
	wait_for "$1" eval "grep -qE '$2' '$LOG' || ! alive $RUN" || :
	grep -qE "$2" "$LOG" || fail "no '$2' in:" "$(tail -n 40 "$LOG")"
}

machine_pids()
{
	local pid
	for pid in $(descendants_of "$RUN"); do
		[[ $(readlink "/proc/$pid/exe") != */rktio-linux-* ]] || echo "$pid"
	done
}

# no_machine PID...: these have ended, and so has rktio.
no_machine()
{
	local pid
	for pid in "$RUN" "$@"; do
		! alive "$pid" || return 1
	done
}
