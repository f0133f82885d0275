#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# MariaDB as Debian has it, from an encrypted image under rktio: sysbench, shutdown, the loss of its machine, and
# what the host sees of it.

load ../bed/bed

setup_file()
{
	need libos image packages
	programs_image mariadb 1400M mariadb-server,sysbench,e2fsprogs,procps
}

setup()
{
	need libos image packages
	# shellcheck disable=SC2016 # expanded inside
	INSIDE_LIB='
		D=/srv/my S=/run/mysqld/s
		as() { setpriv --reuid mysql --regid mysql --clear-groups env HOME=$D "$@"; }
		sql() { mariadb -S $S -u root -N -B -e "$1"; }
		start()
		{
			install -d -o mysql -g mysql $D /run/mysqld
			[ -d $D/mysql ] || as mariadb-install-db --no-defaults --datadir=$D --auth-root-authentication-method=normal \
				--skip-test-db >/tmp/install.log 2>&1 || { cat /tmp/install.log; exit 1; }
			as mariadbd --no-defaults --datadir=$D --socket=$S --bind-address=127.0.0.1 --innodb-buffer-pool-size=256M >$D/log 2>&1 &
			server=$!
			until mariadb-admin -S $S -u root ping >/dev/null 2>&1; do
				sleep 0.1
				kill -0 $server || { cat $D/log; exit 1; }
			done
		}
		stop() { mariadb-admin -S $S -u root shutdown; wait $server; }
		bench() { sysbench oltp_read_write --db-driver=mysql --mysql-socket=$S --mysql-user=root --tables=2 --table-size=10000 --threads=8 "$@"; }
		tables() { sql "create database sbtest" 2>/dev/null && bench prepare >/dev/null || :; }'
}

# Deadlocks of its threads are not counted: a victim now and then is what InnoDB does about them.
@test "sysbench oltp_read_write with 8 threads: no error, sound tables, a clean shutdown" {
	said 'start; tables
		bench --time='"$LOAD_S"' run | grep -E "transactions:|reconnects:"
		mariadb-check -S $S -u root --extended sbtest
		stop; grep -o "mariadbd: Shutdown complete" $D/log
		start; grep -c "Starting crash recovery" $D/log || :; stop'
	matches "${lines[0]}" 'transactions: +[1-9][0-9]+ '
	matches "${lines[1]}" 'reconnects: +0 '
	matches "${lines[2]}" 'sbtest.sbtest1 +OK'
	matches "${lines[3]}" 'sbtest.sbtest2 +OK'
	same 'mariadbd: Shutdown complete' "${lines[4]}"
	same 0 "${lines[5]}" "recoveries after a clean shutdown"
}

@test "a client over TCP" {
	said 'start; sql "create user c@127.0.0.1 identified by '\''x y'\''"
		mariadb -h 127.0.0.1 -u c "-px y" -N -B -e "select current_user(), 6 * 7"; sql "drop user c@127.0.0.1"; stop'
	same $'c@127.0.0.1\t42' "$output"
}

@test "kill -9 of rktio under load: what was committed is there, and the tables are sound" {
	local pids seen
	starts_inside 'start; tables
		sql "create table if not exists sbtest.seen (i integer primary key); delete from sbtest.seen"
		bench --time=100 run >/dev/null 2>&1 &
		for ((i = 1; i < 100000; i++)); do echo "insert into seen values ($i); select '\''committed'\'', $i;"; done |
			mariadb -S $S -u root -n -N -B sbtest'
	logged 120 '^committed.40$'
	mapfile -t pids < <(machine_pids)
	kill -KILL "$RUN"
	wait_for 10 no_machine "${pids[@]}"
	seen=$(sed -n 's/^committed.//p' "$LOG" | tail -n 1)
	said 'start; grep -c "Starting crash recovery" $D/log
		sql "select max(i) from sbtest.seen"; sql "select count(*) = max(i) from sbtest.seen"
		mariadb-check -S $S -u root --extended sbtest
		bench --time=0 --events=50 run | grep "reconnects:"; stop
		fsck_root'
	same 1 "${lines[0]}" "recoveries"
	[ "${lines[1]}" -ge "$seen" ] || fail "committed until $seen, found until ${lines[1]}"
	same 1 "${lines[2]}"
	matches "${lines[3]}" 'sbtest.sbtest1 +OK'
	matches "${lines[4]}" 'sbtest.sbtest2 +OK'
	matches "${lines[5]}" 'sbtest.seen +OK'
	matches "${lines[6]}" 'reconnects: +0 '
	same 'sysrq: Emergency Remount R/O' "${lines[*]:7}"
}

# The observer is strace: it sees what each of the host's processes asks of the host. What the program asks of Linux inside
# never becomes a call of the host: the host turns it into a signal before a tracer could see it.
@test "under load no file or socket call reaches the host; what does is of the filter's list" {
	local pids pid args=() tracer transactions=300
	mkfifo "$BED/go"
	exec 7<>"$BED/go"
	start_with_input "$BED/go" 'start; tables; bench --time=0 --events=50 run >/dev/null
		echo ready; read -r go
		bench --time=0 --events='$transactions' run | grep "transactions:"
		echo over; read -r go; stop'
	logged 120 '^ready$'
	mapfile -t pids < <(machine_pids)
	for pid in "${pids[@]}"; do
		args+=(-p "$pid")
	done
	spawn "$BED/strace.log" strace -f -qq -y -s 0 -e signal=none -o "$BED/calls" "${args[@]}"
	tracer=$!
	wait_for 20 traced "${pids[@]}"
	echo go >&7
	logged 120 '^over$'
	kill -INT "$tracer"
	wait "$tracer" || :
	echo go >&7
	exec 7>&-
	wait "$RUN"
	matches "$(<"$LOG")" "transactions: +$transactions "
	host_calls <"$BED/calls" >"$BED/kinds"
	awk -v n=$transactions '{ sum[$1] += $3 } END { printf "# host calls a transaction:"; for (c in sum) printf " %s %.1f", c, sum[c] / n; print "" }' "$BED/kinds" >&3
	grep -q '^futex ' "$BED/kinds" || fail "hardly a call was seen:" "$(<"$BED/kinds")"
	same '' "$(grep -vE "$allowed_calls" "$BED/kinds" || :)" "calls beyond those"
}

# By name, and by what their descriptors are.
allowed_calls='^((munmap|mprotect|madvise|futex|sched_setaffinity|clock_gettime|ppoll|rt_sigreturn|restart_syscall|clone|prctl|setitimer|getppid|wait4|exit_group) -|(mmap|fallocate|lseek) memfd|mmap -|(read|write) (eventfd|stdio)) [0-9]+$'

# host_calls: of strace's lines, "CALL KIND COUNT". KIND is what the descriptor is, "-" if it has none.
host_calls()
{
	awk '/ <\.\.\. [a-z_0-9]+ resumed>/ || / (\+\+\+|---) / { next }
		match($0, / [a-z_0-9]+\(/) {
			call = substr($0, RSTART + 1, RLENGTH - 2)
			kind = "-"
			if (call != "ppoll" && match($0, /[0-9]+<[^>]*>/)) {
				kind = substr($0, RSTART, RLENGTH)
				if (kind ~ /anon_inode:\[eventfd\]/) kind = "eventfd"
				else if (kind ~ /memfd:|<\/libos-ram>/) kind = "memfd"
				else if (kind ~ /<(pipe:|[^>]*\/(go|[a-z]*\.log)>)/) kind = "stdio"
				gsub(/ /, "_", kind)
			}
			count[call " " kind]++
		}
		END { for (k in count) print k, count[k] }'
}

# start_with_input FILE SCRIPT
start_with_input()
{
	(
		exec <"$1" >"$LOG" 2>&1 3>&- 4>&-
		exec "$BUILD/rktio" run --disk "$IMG,key-file=$KEY" -- bash -euc "$INSIDE_COMMON$INSIDE_LIB"$'\n'"$2" inside
	) &
	RUN=$!
}

# traced PID...: each of them has a tracer.
traced()
{
	local pid
	for pid in "$@"; do
		[ "$(status_of "$pid" TracerPid)" != "TracerPid: 0" ] || return 1
	done
}
