#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The library OS: Debian's programs on it, what Linux must do, and how it ends.

load ../bed/bed

setup_file()
{
	local name
	mkdir -p "$BED/libos/static"
	for name in t_huge t_mem t_patch t_process t_ptrace t_signal t_thread t_vector; do
		gcc -std=gnu17 -D_GNU_SOURCE -O2 -static -pthread -o "$BED/libos/static/$name" "$ROOT/tests/libos/$name.c"
	done
}

setup()
{
	need libos
}

# boots INIT-SCRIPT PROGRAM...: prints what it prints, status and all. LIBOS_ARGS goes to the kernel.
boots()
{
	printf '#!/bin/sh\nmount -t proc proc /proc; mount -t devtmpfs dev /dev; mount -t tmpfs tmpfs /tmp; ip link set lo up\n%s\n' "$1" >"$BED/libos/init"
	shift
	"$ROOT/tests/libos/initramfs" "$BED/libos/root.cpio" "$BED/libos/init" "$@"
	# shellcheck disable=SC2086
	timeout -k 5 "${LIBOS_SECONDS:-300}" "$VMLINUX" initrd="$BED/libos/root.cpio" quiet ${LIBOS_ARGS:-} </dev/null
}

# No host process of it is there any more. For wait_for: its last ones may be seen for a moment.
none_left()
{
	! pgrep -f "^$VMLINUX" >/dev/null
}

@test "boots, runs init, hands its exit status on" {
	run -42 boots 'echo up; exit 42'
	same up "$output"
	wait_for 5 none_left
}

@test "the end of init by a signal is 128 and the signal" {
	run -139 boots 'exec t_process crash' "$BED/libos/static/t_process"
	wait_for 5 none_left
}

@test "power off is status 0" {
	run -0 boots 'poweroff -f'
	matches "$output" "Power down"
	wait_for 5 none_left
}

@test "a kernel panic ends all with its message and status 125" {
	run -125 boots 'echo c >/proc/sysrq-trigger'
	matches "$output" 'Kernel panic'
	wait_for 5 none_left
}

@test "pipelines, here documents, exit codes of a shell" {
	run -3 boots 'exec bash -c "for i in 1 2 3; do (echo sub \$i | tr a-z A-Z); done; seq 1 1000 | wc -l; (exit 5); echo \$?; exit 3"' bash
	same $'SUB 1\nSUB 2\nSUB 3\n1000\n5' "$output"
}

@test "stdin reaches a program, and its end" {
	printf '#!/bin/sh\nexec tr a-z A-Z\n' >"$BED/libos/init"
	"$ROOT/tests/libos/initramfs" "$BED/libos/root.cpio" "$BED/libos/init"
	same $'ONE\nTWO' "$(printf 'one\ntwo\n' | timeout 300 "$VMLINUX" initrd="$BED/libos/root.cpio" quiet)"
}

@test "a reader of its output that leaves does not end it" {
	printf '#!/bin/sh\nmount -t devtmpfs dev /dev\nyes | head -n 50000\nexit 4\n' >"$BED/libos/init"
	"$ROOT/tests/libos/initramfs" "$BED/libos/root.cpio" "$BED/libos/init"
	timeout 300 "$VMLINUX" initrd="$BED/libos/root.cpio" quiet </dev/null | head -n 1 >/dev/null
	same 4 "${PIPESTATUS[0]}"
}

# t NAME: dynamic and static, with patched and with trapped system calls.
t()
{
	local count
	count=$(grep -c '^		{ "' "$ROOT/tests/libos/$1.c")
	for LIBOS_ARGS in "" nopatch; do
		run -0 boots "$1 && exec $1-static" "$BUILD/tests/libos/$1" "$BED/libos/static/$1-static"
		same $((2 * count)) "$(grep -c '^ok ' <<<"$output")" "cases of $1 with '$LIBOS_ARGS'"
	done
}

@test "memory" { ln -f "$BED"/libos/static/t_mem{,-static}; t t_mem; }
@test "huge pages" { ln -f "$BED"/libos/static/t_huge{,-static}; t t_huge; }
@test "processes" { ln -f "$BED"/libos/static/t_process{,-static}; t t_process; }
@test "debuggers" { ln -f "$BED"/libos/static/t_ptrace{,-static}; t t_ptrace; }
@test "signals" { ln -f "$BED"/libos/static/t_signal{,-static}; t t_signal; }
@test "threads" { ln -f "$BED"/libos/static/t_thread{,-static}; t t_thread; }
@test "vector registers, sums and ciphers" { ln -f "$BED"/libos/static/t_vector{,-static}; t t_vector; }

@test "system calls that jump, clocks without a call" { ln -f "$BED"/libos/static/t_patch{,-static}; t t_patch; }

@test "sites of each form are patched, and counted" {
	LIBOS_ARGS=stats run -0 boots 'exec t_patch results' "$BUILD/tests/libos/t_patch"
	matches "$output" 'patched_before [1-9]'
	matches "$output" 'patched_across [1-9]'
	matches "$output" 'patched_after [1-9]'
	matches "$output" 'trapping_rarely [1-9]'
	LIBOS_ARGS="stats nopatch" run -0 boots 'exec t_patch results' "$BUILD/tests/libos/t_patch"
	matches "$output" 'patched 0'
}

@test "sqlite3 with a write-ahead log is sound" {
	run -0 boots 'sqlite3 /tmp/a.db "pragma journal_mode=wal; create table t(a integer primary key, b text);
		with recursive c(x) as (select 1 union all select x+1 from c where x<50000)
		insert into t select x, hex(randomblob(16)) from c;"
		for i in 1 2 3; do sqlite3 /tmp/a.db ".timeout 10000" "insert into t(b) select b from t limit 1000;" & done; wait
		sqlite3 /tmp/a.db "select count(*) from t; pragma integrity_check;"' sqlite3
	same $'wal\n53000\nok' "$output"
}

@test "redis saves in a fork while it serves" {
	run -0 boots 'redis-server --port 6379 --save "" --dir /tmp >/tmp/log 2>&1 &
		until redis-cli ping 2>/dev/null | grep -q PONG; do sleep 0.05; done
		redis-cli eval "for i = 1, 20000 do redis.call(\"set\", \"k\" .. i, string.rep(\"x\", 100)) end" 0 >/dev/null
		redis-cli bgsave >/dev/null
		redis-cli --raw set seen yes; redis-cli --raw get seen
		while redis-cli info persistence | grep -q rdb_bgsave_in_progress:1; do sleep 0.05; done
		redis-cli info persistence | grep -o "rdb_last_bgsave_status:ok"
		redis-cli shutdown nosave; wait
		redis-server --port 6379 --save "" --dir /tmp >/tmp/log 2>&1 &
		until redis-cli ping 2>/dev/null | grep -q PONG; do sleep 0.05; done
		redis-cli --raw dbsize' redis-server redis-cli
	same $'OK\nyes\nrdb_last_bgsave_status:ok\n20000' "$(tr -d '\r' <<<"$output")"
}

@test "kill -9 of any host process ends all of them" {
	local victim first status pids
	"$ROOT/tests/libos/initramfs" "$BED/libos/root.cpio" <(printf '#!/bin/sh\nmount -t devtmpfs dev /dev\nsleep 1000 &\nsleep 1000 &\nsleep 1000\n')
	for victim in first zygote last; do
		spawn "$BED/libos/log" "$VMLINUX" initrd="$BED/libos/root.cpio" quiet
		first=$!
		wait_for 20 at_least_processes 5
		mapfile -t pids < <(pgrep -f "^$VMLINUX")
		case $victim in
		first) kill -KILL "${pids[0]}" ;;
		zygote) kill -KILL "${pids[1]}" ;;
		last) kill -KILL "${pids[-1]}" ;;
		esac
		wait_for 10 none_left
		status=0
		wait "$first" || status=$?
		if [ "$victim" = first ]; then
			same 137 "$status"
		else
			same 125 "$status"
			matches "$(<"$BED/libos/log")" 'a host process of it was killed'
		fi
	done
}

@test "no process of it may make other calls of the host than the data path's" {
	local pid pids
	"$ROOT/tests/libos/initramfs" "$BED/libos/root.cpio" <(printf '#!/bin/sh\nmount -t devtmpfs dev /dev\nsleep 1000 &\necho up\nexec sleep 1000\n')
	spawn "$BED/libos/log" "$VMLINUX" initrd="$BED/libos/root.cpio" verbose
	wait_for 20 grep -q up "$BED/libos/log"
	wait_for 20 at_least_processes 4 # and no more that come or go
	mapfile -t pids < <(pgrep -f "^$VMLINUX")
	for pid in "${pids[@]}"; do
		same 2 "$(awk '/^Seccomp:/ { print $2 }' "/proc/$pid/status")" "filter mode of process $pid"
		same 1 "$(awk '/^NoNewPrivs:/ { print $2 }' "/proc/$pid/status")" "no_new_privs of process $pid"
	done
	stop_pid "${pids[0]}"
	matches "$(<"$BED/libos/log")" 'host call allowed: mmap'
	misses "$(<"$BED/libos/log")" 'host call allowed: (open|socket|execve|ptrace)'
}

at_least_processes() { [ "$(pgrep -fc "^$VMLINUX")" -ge "$1" ]; }

# processors_of STATE: what each host process in that state, all if empty, may run on; a line each.
processors_of()
{
	local pid
	for pid in $(pgrep -f "^$VMLINUX"); do
		awk -v state="$1" '/^State:/ { is = $2 } /^Cpus_allowed_list:/ && (state == "" || is == state) { print $2 }' \
			"/proc/$pid/status" 2>/dev/null
	done
}

computes() { [ "$(processors_of R | wc -l)" -eq 1 ] && [ "$(processors_of "" | wc -l)" -ge 3 ]; }

runner_may_use() { [ "$(processors_of R)" = "$1" ]; }

@test "who computes for long may run on all processors again, who waits stays bound; nobody on others than it was started on" {
	local all one
	all=$(awk '/^Cpus_allowed_list:/ { print $2 }' /proc/self/status)
	one=${all%%[,-]*}
	"$ROOT/tests/libos/initramfs" "$BED/libos/root.cpio" <(printf '#!/bin/sh\nfor i in $(seq 100); do /bin/true; done\necho now >&2\nwhile :; do :; done\n')
	spawn "$BED/libos/log" "$VMLINUX" initrd="$BED/libos/root.cpio" quiet
	wait_for 30 grep -q now "$BED/libos/log"
	wait_for 20 computes
	wait_for 20 runner_may_use "$all"
	if [ "$one" != "$all" ]; then
		matches "$(processors_of S)" '(^|[[:space:]])[0-9]+([[:space:]]|$)' "one that waits is bound"
	fi
	stop_pid "$(pgrep -of "^$VMLINUX")"
	wait_for 20 none_left
	spawn "$BED/libos/log" taskset -c "$one" "$VMLINUX" initrd="$BED/libos/root.cpio" quiet
	wait_for 30 grep -q now "$BED/libos/log"
	same "$one" "$(processors_of "" | sort -u)"
	stop_pid "$(pgrep -of "^$VMLINUX")"
}

@test "bad arguments are one sentence and status 125" {
	run -125 "$VMLINUX" initrd=/no/such
	same "libos: cannot open the initrd: /no/such" "$output"
	run -125 "$VMLINUX" mem=1M
	matches "$output" 'mem= must be from 32M'
	dd if=/dev/zero of="$BED/libos/big" bs=1M count=40 status=none
	run -125 "$VMLINUX" mem=64M initrd="$BED/libos/big"
	matches "$output" 'too small for the initrd'
}
