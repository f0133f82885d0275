#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# vmsh on machines of a small hypervisor: names, cores, and what goes wrong with them.

load ../bed/bed

setup_file()
{
	need kvm
	install -D "$BUILD/vmsh" "$BED/bin/vmsh"
	chmod 755 "$BED" "$BED/bin" # another user's runs, too
	export VMSH=$BED/bin/vmsh
}

# machine NAME KNOB...: one that runs until the case ends; its pid is $machine.
machine()
{
	mkfifo "$BATS_TEST_TMPDIR/$1.in"
	spawn "$BATS_TEST_TMPDIR/$1.out" bash -c 'exec "$@" <>"$0"' "$BATS_TEST_TMPDIR/$1.in" "$BUILD/tests/kvm/minivmm" "${@:2}"
	machine=$!
	wait_for 10 grep -q ready "$BATS_TEST_TMPDIR/$1.out"
	machines+=("$machine")
}

setup()
{
	machines=()
	cd "$BATS_TEST_TMPDIR" || return
}

# None of them has ended meanwhile, or stands.
teardown()
{
	local pid
	for pid in "${machines[@]}"; do
		alive "$pid"
		wait_for 5 runs "$pid"
		kill -KILL "$pid"
	done
}

# No thread of it is stopped by a tracer.
runs() { ! grep -qE '^[0-9]+ \(.*\) t ' "/proc/$1"/task/*/stat; }

# one_sentence STATUS REGEX: what the last run said, which is all of it.
one_sentence()
{
	same "$1" "$status" "$output"
	one_line
	matches "$output" "$2"
}

@test "a processor of which the hypervisor has two descriptors is one" {
	machine two linux copies
	run "$VMSH" ps --json --quick
	same 0 "$status" "$output"
	same 1 "$(jq --argjson p "$machine" '.[] | select(.pid == $p) | .cpus' <<<"$output")"
	run --separate-stderr "$VMSH" coredump --json "$machine" core
	same 0 "$status" "$stderr"
	same 1 "$(jq .cpus <<<"$output")"
}

@test "ps: names as libvirt gives them, and those that no terminal should see" {
	machine a -name guest=debian12,debug-threads=on
	machine b -name $'guest=bad\e[31m,,name,debug-threads=on'
	run "$VMSH" ps --json --quick
	same 0 "$status" "$output"
	same "debian12 minivmm 1" "$(jq -r --argjson p "${machines[0]}" '.[] | select(.pid == $p) | "\(.name) \(.hypervisor) \(.cpus)"' <<<"$output")"
	same $'bad\e[31m,name' "$(jq -r --argjson p "$machine" '.[] | select(.pid == $p) | .name' <<<"$output")"
	run "$VMSH" ps --quick
	matches "$output" 'bad\\x1b\[31m,name'
	misses "$output" $'\e'
	same $'debian12\n'"$machine" "$("$VMSH" ps --names | sort -r)"
}

@test "a name that two machines have is refused, a pid is not" {
	machine a linux -name guest=twin
	machine b linux -name guest=twin
	run "$VMSH" coredump twin core
	one_sentence 1 "2 machines are called 'twin'"
	run "$VMSH" coredump no-such-machine core
	one_sentence 1 "no virtual machine is called 'no-such-machine'"
	run "$VMSH" coredump $$ core
	one_sentence 1 "is no virtual machine"
	[ ! -e core ]
	"$VMSH" coredump "$machine" core
	machine c linux -name guest=4194305
	"$VMSH" coredump 4194305 core-of-a-number
	run "$VMSH" coredump 4194306 core-of-none
	one_sentence 1 'no process has the pid 4194306'
}

@test "coredump: an ELF core with holes, for nobody else, and the pause is told" {
	machine a linux large -name guest=big
	run --separate-stderr "$VMSH" coredump big core
	same 0 "$status" "$stderr"
	matches "$output" "^'core' has 3136M of memory, .* paused [0-9.]+ ms$"
	same 600 "$(stat -c %a core)" mode
	[ "$(stat -c %s core)" -gt $((3136 << 20)) ]
	[ "$(stat -c %b core)" -lt 2048 ]
	matches "$(readelf -h core)" 'CORE \(Core file\)'
	matches "$(readelf -n core)" 'NT_PRSTATUS'
	for how in --live --pause; do
		run --separate-stderr "$VMSH" coredump "$how" --json -f big core
		same 0 "$status" "$stderr"
		same "$((3136 << 20)) 1 0 $([ "$how" = --live ] && echo true || echo false)" \
			"$(jq -r '"\(.memory) \(.cpus) \(.pages_unreadable) \(.live)"' <<<"$output")"
	done
}

@test "coredump: what is there is replaced with --force only, and only if it is a file" {
	machine a linux
	echo mine >core
	run "$VMSH" coredump "$machine" core
	one_sentence 1 "'core' exists; --force replaces it"
	same mine "$(<core)"
	"$VMSH" coredump --force "$machine" core
	matches "$(readelf -h core)" CORE
	mkdir directory
	for words in '' -f; do
		# shellcheck disable=SC2086 # words
		run "$VMSH" coredump $words "$machine" directory
		one_sentence 1 "'directory' is there, and is not a regular file"
		# shellcheck disable=SC2086 # words
		run "$VMSH" coredump $words "$machine" /dev/full
		one_sentence 1 "'/dev/full' is there, and is not a regular file"
	done
	run "$VMSH" coredump "$machine" no/such/core
	one_sentence 1 "cannot open the directory 'no/such/'"
	exec 8<core
	flock 8
	run "$VMSH" coredump -f "$machine" core
	exec 8<&-
	one_sentence 1 "'core' is in use"
	same './core' "$(find . -name '*core*')"
}

@test "coredump: a full disk and a limit on files leave nothing" {
	machine a linux
	mkdir small
	mount -t tmpfs -o size=20k tmpfs small
	for how in --live --pause; do
		run "$VMSH" coredump "$how" "$machine" small/core
		matches "${lines[-1]}" "cannot write 'small/core': No space left on device"
		same 1 "$status"
		same '' "$(ls -A small)"
	done
	umount small
	run bash -c "ulimit -f 1000; exec '$VMSH' coredump $machine core"
	same 1 "$status"
	matches "${lines[-1]}" "cannot make 'core' 16 MiB long: File too large"
	[ ! -e core ]
}

@test "coredump: where files can't be without a name, kill -9 leaves none either" {
	machine a linux large
	mkdir lower upper work merged
	mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay merged || skip "overlay: can't be mounted here"
	"$VMSH" coredump "$machine" merged/core
	killed merged/other
	umount merged
}

# nothing_of FILE: neither that nor one with a name that begins so.
nothing_of() { [ -z "$(find "${1%/*}" -name "*${1##*/}*")" ]; }

# killed FILE: vmsh is, while the machine stands for it; that runs on, and nothing is left.
killed()
{
	local i
	for i in {1..50}; do
		"$VMSH" coredump --pause "$machine" "$1" >said 2>&1 &
		while runs "$machine" && [ -e /proc/$! ]; do :; done
		# the two short stops at first are no such
		sleep "0.0$((RANDOM % 10))"
		if ! runs "$machine" && kill -KILL $!; then
			wait $! || :
			wait_for 5 runs "$machine"
			wait_for 5 nothing_of "$1"
			return
		fi
		wait $! || :
		rm -f "$1"
	done
	fail "it never stood long enough"
}

@test "coredump --pause: kill -9 lets the machine run, and leaves no file" {
	machine a linux large
	mkdir there
	killed there/core
	same '' "$(ls -A there)"
}

@test "coredump: a guest that is no Linux, and a process of somebody else" {
	machine a nopaging
	run "$VMSH" coredump "$machine" core
	one_sentence 1 'no Linux was found .* real mode'
	[ ! -e core ]
	run "$AS_USER" "$VMSH" coredump "$machine" "$BED/user/core"
	one_sentence 1 'CAP_SYS_PTRACE'
	[ ! -e "$BED/user/core" ]
}

@test "coredump: no progress on a terminal that can't move its cursor" {
	machine a linux
	for term in dumb xterm; do
		run env TERM=$term /usr/bin/python3 -c 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)' "$VMSH" coredump -f "$machine" core
		same 0 "$status" "$output"
		same "$([ $term = dumb ] || echo found)" "$(grep -q $'\e' <<<"$output" && echo found)" "control characters for $term"
	done
}

# at_width COLUMNS COMMAND...: on a terminal that is so wide.
at_width()
{
	TERM=xterm /usr/bin/python3 -c 'import pty, sys; sys.exit(pty.spawn(["sh", "-c", "stty cols $0; exec \"$@\"", *sys.argv[1:]]) >> 8)' "$@"
}

@test "what is shown on a terminal is no wider than that" {
	local columns
	machine a linux large -name guest=a-machine-that-has-a-name-that-is-rather-long
	for columns in 20 40 60 79; do
		run at_width "$columns" "$VMSH" coredump -f "$machine" core
		same 0 "$status" "$output"
		# Each line of it, without what takes back the one before.
		sed 's/\r/\n/g; s/\x1b\[K//g' <<<"$output" | grep -E '^(copying|writing)' >progress
		same '' "$(awk -v most="$columns" 'length >= most' progress)"
		same "$([ "$columns" -lt 60 ] || echo bar)" "$(grep -q '\[#' progress && echo bar)"
	done
	run at_width 79 "$VMSH" ps
	same '' "$(awk 'length > 80' <<<"$output")"
	matches "$output" 'a-machine-that.*\.\.\.'
	matches "$("$VMSH" ps)" 'a-machine-that-has-a-name-that-is-rather-long'
}

@test "coredump: the command line" {
	for words in 'x' '' 'x y z' '--live --pause x y' '--nonsense x y' 'x -'; do
		# shellcheck disable=SC2086 # words
		run "$VMSH" coredump $words
		one_sentence 2 "see 'vmsh coredump --help'"
	done
}

@test "doctor: says what cores and sessions take" {
	run "$AS_USER" "$VMSH" doctor
	same 0 "$status"
	matches "$output" 'no +attach +it takes CAP_SYS_PTRACE and CAP_SYS_ADMIN'
	run "$VMSH" doctor
	same 0 "$status"
	matches "$output" 'yes +attach'
	matches "$output" 'yes +pagemap'
	matches "$output" 'yes +machines +(none|[0-9]+) running'
}

@test "detach: nothing to undo; names of memory that are not ours, and what nobody holds" {
	machine a linux -name guest=clean
	run "$VMSH" detach clean
	one_sentence 0 '^nothing to undo$'
	same 'false 0 0' "$("$VMSH" detach --json --force clean | jq -r '"\(.undone > 0) \(.used) \(.ended)"')"
	same '[] 0' "$("$VMSH" ps --json --quick | jq -r --argjson p "$machine" '.[] | select(.pid == $p) | "\(.attached) \(.left_behind)"')"
	matches "$("$VMSH" ps --quick)" 'ATTACHED'
	matches "$("$VMSH" ps --quick | grep " clean ")" ' no *$'
	for name in nobody 0 4294967296 ''; do
		run "$VMSH" detach "$name"
		one_sentence 1 "no virtual machine is called '$name'; 'vmsh ps' lists those that run"
	done
	run "$VMSH" detach $$
	one_sentence 1 'is no virtual machine'
	run "$VMSH" detach
	one_sentence 2 'no TARGET given'
}

# traces PID: what a hypervisor has open and mapped.
traces() { find "/proc/$1/fd" -printf '%f %l\n' | sort; cut -d ' ' -f 1,2,6- "/proc/$1/maps"; }

@test "each verb: no machine, no Linux, another's, one of several is a sentence, and nothing is changed" {
	local before verb status_of
	machine real nopaging
	before=$(traces "$machine")
	for verb in 'attach --tools none' inspect guest-ps dmesg lsmod; do
		[ "${verb%% *}" = attach ] && status_of=125 || status_of=1
		# shellcheck disable=SC2086 # words
		run "$VMSH" $verb "$machine"
		one_sentence "$status_of" 'no Linux was found .* real mode: .*; nothing was changed$'
		# shellcheck disable=SC2086
		run "$VMSH" $verb $$
		one_sentence "$status_of" 'is no virtual machine'
		# shellcheck disable=SC2086
		run "$AS_USER" "$VMSH" $verb "$machine"
		one_sentence "$status_of" 'CAP_SYS_PTRACE'
	done
	run "$AS_USER" "$VMSH" attach "$machine"
	one_sentence 125 'CAP_SYS_ADMIN'
	same "$before" "$(traces "$machine")"
	machine plain linux
	before=$(traces "$machine")
	run "$VMSH" attach --tools none "$machine"
	one_sentence 125 "the symbols of the guest's kernel were not found"
	same "$before" "$(traces "$machine")"
	machine two linux second
	run "$VMSH" inspect "$machine"
	one_sentence 1 "process $machine has 2 machines; name one of them, such as $machine:[0-9]+"
	run "$VMSH" coredump "$machine:999" core
	one_sentence 1 "descriptor 999 of process $machine is no virtual machine"
	"$VMSH" coredump "$("$VMSH" ps --names | grep "^$machine:" | tail -n 1)" core
}

# guest_of [KIND [KNOB]]: a machine with a kernel's tables, as tests/kvm/tables.py makes them.
guest_of()
{
	/usr/bin/python3 "$BATS_TEST_DIRNAME/../kvm/tables.py" "tables$1" "$1"
	machine "guest$1" linux "tables=$PWD/tables$1" "${@:2}"
}

@test "inspect, guest-ps, lsmod, dmesg: what a kernel has of itself" {
	local before verb
	guest_of
	before=$(traces "$machine")
	same '6.1.0-mini 0x0 1204 4 16777216' "$("$VMSH" inspect --json "$machine" | jq -r '"\(.kernel) \(.kaslr) \(.symbols) \(.paging_levels) \(.memory)"')"
	matches "$("$VMSH" inspect "$machine")" 'virtio_blk +no'
	misses "$("$VMSH" inspect "$machine")" 'logged'
	same $'1 0 1000 S init\n2 0 1000 S bad?[31m\n3 0 1000 S last' \
		"$("$VMSH" guest-ps --json "$machine" | jq -r '.[] | "\(.pid) \(.ppid) \(.uid) \(.state) \(.comm)"')"
	matches "$("$VMSH" guest-ps "$machine")" '2 +0 +1000 +S +0 +\[bad\?\[31m\]'
	same $'first 0\nsecond 0' "$("$VMSH" lsmod --json "$machine" | jq -r '.[] | "\(.name) \(.references)"')"
	same '[    1.000000] line 1 of the guest' "$("$VMSH" dmesg "$machine" | sed -n 2p)"
	same '0 1 2' "$("$VMSH" dmesg --json "$machine" | jq -r '[.[].seq] | join(" ")')"
	for verb in inspect guest-ps lsmod dmesg; do
		run --separate-stderr "$VMSH" "$verb" --json --verbose "$machine"
		same 0 "$status" "$stderr"
		jq -e . <<<"$output" >/dev/null
		matches "$stderr" '^vmsh: main: the machine stood for [0-9.]+ ms, and for another [0-9.]+ ms for its memory slots$'
	done
	run bash -c "'$VMSH' dmesg --json $machine >/dev/full"
	one_sentence 1 'writing to standard output: No space left'
	run "$VMSH" attach --tools none "$machine"
	one_sentence 125 "has no .*, which is needed inside of it; nothing was changed"
	same "$before" "$(traces "$machine")"
}

@test "detach: what can't be undone is told, and the rest is undone" {
	local at
	guest_of '' left
	at=$(grep -m 1 memfd:vmsh: "/proc/$machine/maps")
	same 2 "$("$VMSH" ps --json --quick | jq --argjson p "$machine" '.[] | select(.pid == $p) | .left_behind')"
	run --separate-stderr "$VMSH" detach "$machine"
	same 1 "$status" "$stderr"
	same 'what 1 vmsh left is undone' "$output"
	matches "$stderr" "^vmsh: what was left at 0x${at%%-*} in process $machine is still there: memory of process $machine that is called vmsh's is not$"
	same "${at%% *}" "$(grep memfd:vmsh: "/proc/$machine/maps" | cut -d ' ' -f 1)"
	run --separate-stderr "$VMSH" detach --json "$machine"
	same '1 0 0 1' "$status $(jq -r '"\(.undone) \(.unknown) \(.failed)"' <<<"$output")"
	matches "$stderr" 'is still there'
	run "$VMSH" detach --force "$machine"
	one_sentence 1 'is still there'
}

@test "detach --verbose: the time that it took to undo things is told, too" {
	guest_of '' left
	run --separate-stderr "$VMSH" detach --verbose "$machine"
	matches "${stderr_lines[0]}" '^vmsh: main: the machine stood for [0-9.]+ ms to be looked at, and for ([1-9][0-9]*\.[0-9]|0\.[1-9]) ms to be undone$'
}

# holder BYTE: a process that is no vmsh has the lock of what was left in $machine, as if it were attached (0) or its guard (1).
holder()
{
	local at
	at=$(grep -m 1 memfd:vmsh: "/proc/$machine/maps")
	spawn "$BATS_TEST_TMPDIR/holder" /usr/bin/python3 -c 'import fcntl, sys, time
f = open(sys.argv[1], "r+b")
fcntl.lockf(f, fcntl.LOCK_EX, 1, int(sys.argv[2]))
print("holds", flush=True)
time.sleep(1000)' "/proc/$machine/map_files/${at%% *}" "$1"
	holder=$!
	wait_for 10 grep -q holds "$BATS_TEST_TMPDIR/holder"
}

@test "detach --force: a session that can't be ended is named, once, and the rest is undone" {
	local byte words
	for byte in 0 1; do
		guest_of '' left
		holder "$byte"
		same "$holder 1" "$("$VMSH" ps --json --quick | jq -r --argjson p "$machine" '.[] | select(.pid == $p) | "\(.attached[]) \(.left_behind)"')"
		for words in '' --json; do
			# shellcheck disable=SC2086 # words
			run --separate-stderr "$VMSH" detach --force $words "$machine"
			same 1 "$status" "$stderr"
			same "vmsh: process $holder is said to be attached, but does not look like vmsh; it was not ended" "$stderr"
		done
		same '0 0 1 0 0' "$(jq -r '"\(.undone) \(.ended) \(.used) \(.unknown) \(.failed)"' <<<"$output")"
		run "$VMSH" detach "$machine"
		one_sentence 1 "process $holder is attached to '.*'; --force ends its session"
		kill -KILL "$holder"
		kill -KILL "$machine"
		machines=()
		rm "$BATS_TEST_TMPDIR/guest.in"
	done
}

@test "attach: a machine that is being migrated gets nothing" {
	local before
	guest_of '' logged
	before=$(traces "$machine")
	matches "$("$VMSH" inspect "$machine")" 'slot 0 .*writes are logged'
	same true "$("$VMSH" inspect --json "$machine" | jq .slots[0].logged)"
	run "$VMSH" attach --tools none "$machine"
	one_sentence 125 "process $machine is being migrated or saved, or its writes are logged for that; nothing was changed"
	same "$before" "$(traces "$machine")"
}

# broken KIND VERB MOST REGEX: such a guest's list ends soon, with a sentence.
broken()
{
	guest_of "$1"
	run timeout 300 "$VMSH" "$2" "$machine"
	same 1 "$status" "$output"
	matches "$output" "$4"
	[ "${#lines[@]}" -le "$3" ]
}

@test "a hostile guest: lists that lead back, a log without end, symbols and types that are none" {
	broken tasks guest-ps 12 'the list of processes broke off'
	broken modules lsmod 12 'the list of modules broke off'
	broken log dmesg 10 'the list of log records broke off'
	run --separate-stderr timeout 300 "$VMSH" dmesg --json "$machine"
	same 1 "$status" "$stderr"
	[ "$(jq length <<<"$output")" -le 8 ]
	broken symbols guest-ps 1 'symbols .* were not found'
	broken types guest-ps 1 "does not say where 'struct task_struct' has"
	same 6.1.0-mini "$("$VMSH" inspect --json "$machine" | jq -r .kernel)"
}

@test "attach: options that exclude each other" {
	run "$VMSH" attach --guest-pid 5 --guest-container web x
	one_sentence 2 'exclude each other'
	run "$VMSH" attach --guest-container '' x
	one_sentence 2 'guest-container takes a name'
	for other in '--rw' '--tools /' '--tools none'; do
		# shellcheck disable=SC2086 # words
		run "$VMSH" attach --image /x $other x
		one_sentence 2 'image is where the tools are'
	done
	for other in '--device --tools /' '--device --rw --tools none'; do
		# shellcheck disable=SC2086 # words
		run "$VMSH" attach --image /x $other x
		one_sentence 2 'image is where the tools are'
	done
	for other in '--tools none' '--device --image /x'; do
		# shellcheck disable=SC2086 # words
		run "$VMSH" attach --archive /x $other x
		one_sentence 2 'archive is what a guest without FUSE gets: no --'
	done
	run "$VMSH" attach --device x
	one_sentence 2 'device is about an --image'
	run "$VMSH" attach --device --image "$BED/none" x
	one_sentence 125 "image '.*none': No such file"
	run "$VMSH" attach --image "$BED/none" x
	one_sentence 125 "image '.*none': No such file"
}
