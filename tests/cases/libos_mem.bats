#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The memory of the library OS: what its mappings cost the host, and what happens when something runs out.

load ../bed/bed

setup()
{
	need libos
	mkdir -p "$BED/mem"
	LOG=$BED/mem/log
}

teardown()
{
	[ -z "${PID:-}" ] || stop_pid "$PID"
}

# starts INIT-SCRIPT PROGRAM...: in the background, pid in PID, output in LOG. LIBOS_ARGS goes to the kernel, LIBOS_UNDER is what starts it.
starts()
{
	printf '#!/bin/sh\nmount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs tmpfs /tmp\n%s\n' \
		"$1" >"$BED/mem/init"
	shift
	"$ROOT/tests/libos/initramfs" "$BED/mem/root.cpio" "$BED/mem/init" "$@"
	# shellcheck disable=SC2086
	spawn "$LOG" ${LIBOS_UNDER:-} "$VMLINUX" initrd="$BED/mem/root.cpio" quiet ${LIBOS_ARGS:-}
	PID=$!
}

# said REGEX: so far.
said() { grep -qE "$1" "$LOG"; }

# ended STATUS SECONDS: it ends within that time, with that status.
ended()
{
	local status=0
	wait_for "$2" is_gone "$PID"
	wait "$PID" || status=$?
	PID=
	same "$1" "$status" "exit status"
}

is_gone() { ! alive "$1"; }

# ram: the RAM's file, as a path.
ram()
{
	local fd
	for fd in /proc/"$PID"/fd/*; do
		case $(readlink "$fd") in
		*libos-ram*) echo "$fd" ;;
		esac
	done
}

# mappings: the most that one of its host processes has.
mappings()
{
	local pid n most=0
	for pid in $(pgrep -f "^$VMLINUX"); do
		n=$(wc -l <"/proc/$pid/maps") || continue
		[ "$n" -le "$most" ] || most=$n
	done
	echo "$most"
}

# fills_a_pool THP: 2 GiB in no order, with or without huge pages.
fills_a_pool()
{
	[ "$(awk '/^MemAvailable/ { print int($2 / 1048576) }' /proc/meminfo)" -ge 4 ] || skip "needs 4 GiB of memory"
	LIBOS_ARGS=mem=3G starts "echo $1 >/sys/kernel/mm/transparent_hugepage/enabled; sleep 1000 | libosbench pool_fill" \
		"$BUILD/bench/libosbench"
	wait_for 300 said '^pool_fill'
	local n
	n=$(mappings)
	echo "$n mappings; $(grep pool_fill "$LOG") ns a page"
	[ "$n" -gt 500 ] || fail "the pool has $n mappings? It was not looked at"
	[ "$n" -lt 20000 ]
}

@test "2 GiB filled in no order take less than 20,000 mappings of the host" { fills_a_pool always; }
@test "the same without huge pages" { fills_a_pool never; }

@test "a fork takes no page faults, a start of a program not many" {
	# Each figure of libosbench is of 7 batches of 100 forks, or of 50 starts.
	starts 'faults() { awk "/^faults/ { print \$2 }" /proc/lo/stats; }
		a=$(faults); libosbench fork_exit_wait >/dev/null; b=$(faults); libosbench spawn_exec_wait >/dev/null; c=$(faults)
		echo "for 100: $(((b - a) / 7)) $(((c - b) * 2 / 7))"' "$BUILD/bench/libosbench"
	ended 0 60
	local forks spawns
	read -r _ _ forks spawns <<<"$(grep '^for 100:' "$LOG" | tr -d '\r')"
	echo "page faults: $forks for 100 forks, $spawns for 100 starts"
	[ "$forks" -lt 300 ]
	[ "$spawns" -lt 4800 ]
}

@test "more mappings than the host allows: right, and it says so" {
	LIBOS_ARGS=mem=1G starts 't_many mapped_and_read; r=$?; dmesg | grep vm.max_map_count; exit $r' "$BUILD/tests/libos/t_many"
	ended 0 100
	same 'ok mapped_and_read' "$(head -n 1 "$LOG")"
	same 1 "$(grep -c 'Raise vm.max_map_count' "$LOG")" "messages"
}

@test "a program whose memory is taken by another one leaves the host no mappings" {
	starts 't_many left_behind; echo done; sleep 1000' "$BUILD/tests/libos/t_many"
	wait_for 60 said '^done'
	same 'ok left_behind' "$(head -n 1 "$LOG" | tr -d '\r')"
	local n
	n=$(mappings)
	echo "$n mappings"
	[ "$n" -lt 200 ]
}

@test "RAM is a file of a tmpfs with huge pages; without the right to mount one, a memfd" {
	starts 'echo up; exec sleep 1000'
	wait_for 30 said '^up'
	same '/libos-ram (deleted)' "$(readlink "$(ram)")"
	stop_pid "$PID"
	LIBOS_UNDER='setpriv --bounding-set=-sys_admin' starts 'echo up; exec sleep 1000'
	wait_for 30 said '^up'
	same '/memfd:libos-ram (deleted)' "$(readlink "$(ram)")"
}

@test "out of memory: Linux ends the one that took it, and the rest goes on" {
	LIBOS_ARGS=mem=128M starts 'echo 1 >/proc/sys/vm/overcommit_memory
		dd if=/dev/zero of=/dev/null bs=200M count=1 2>/dev/null; echo status $?
		dd if=/dev/zero of=/tmp/a bs=1M count=20 2>/dev/null && echo alive; exit 3'
	ended 3 60
	same $'status 137\nalive' "$(grep -E '^(status|alive)' "$LOG" | tr -d '\r')"
}

@test "the host has no memory for it: one sentence, status 125" {
	starts 'echo ready; while :; do dd if=/dev/zero of=/tmp/x bs=1M count=100 2>/dev/null; done'
	wait_for 30 said ready
	truncate -s 1M "$(ram)"
	ended 125 20
	same 'libos: the host has no memory left for it; this is the end of all' "$(grep '^libos:' "$LOG")"
	same "" "$(pgrep -f "^$VMLINUX")"
}

@test "memory that is free again goes back to the host" {
	local full
	mkfifo "$BED/mem/go"
	printf '#!/bin/sh\nexec "$@" <>%s\n' "$BED/mem/go" >"$BED/mem/hears"
	chmod +x "$BED/mem/hears"
	LIBOS_UNDER=$BED/mem/hears starts 'dd if=/dev/zero of=/tmp/x bs=1M count=400 2>/dev/null; echo full; read -r go; rm /tmp/x; echo free; sleep 1000'
	wait_for 60 said full
	full=$(stat -L -c %b "$(ram)")
	echo go >"$BED/mem/go"
	wait_for 10 said free
	# In blocks of 512 bytes: three quarters of it.
	wait_for 30 gave_back "$full" 600000
}

gave_back() { [ "$(stat -L -c %b "$(ram)")" -lt $(($1 - $2)) ]; }

@test "a memory cgroup smaller than the RAM that was asked for: an end, and a sentence" {
	local at
	need memcg image
	at=$(cgroup_of_controller memory)/$BED_CGROUP.mem # a name that traces of other beds know
	mkdir "$at"
	echo 100M >"$at/$([ -e "$at/memory.max" ] && echo memory.max || echo memory.limit_in_bytes)"
	[ ! -e "$at/memory.swap.max" ] || echo 0 >"$at/memory.swap.max"
	"$BUILD/rktio" image create "$BED/mem.img" --quiet --dir "$(image_tree busybox)" --size 64M
	run timeout -k 5 300 sh -c 'echo $$ >"$1/cgroup.procs"; exec "$2" run --memory 1G --disk "$3" -- sh -c "
		mount -t tmpfs tmpfs /tmp; dd if=/dev/zero of=/tmp/x bs=1M count=300; echo not-reached"' sh "$at" "$BUILD/rktio" "$BED/mem.img"
	wait_for 10 rmdir "$at"
	same 125 "$status" "$output"
	matches "$output" 'was killed'
	misses "$output" 'not-reached'
}
