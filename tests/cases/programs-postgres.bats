#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# PostgreSQL as Debian has it, from an encrypted image under rktio: benchmark, shutdown, and the loss of its machine.

load ../bed/bed

setup_file()
{
	need libos image packages
	programs_image postgres 900M postgresql,e2fsprogs,procps
}

setup()
{
	need libos image packages
	# shellcheck disable=SC2016 # expanded inside
	INSIDE_LIB='
		export PATH=/usr/lib/postgresql/15/bin:$PATH PGDATA=/srv/pg/data PGHOST=/tmp PGDATABASE=postgres
		as() { setpriv --reuid postgres --regid postgres --clear-groups env HOME=/srv/pg "$@"; }
		start()
		{
			cd /tmp
			[ -d $PGDATA ] || {
				install -d -o postgres /srv/pg
				as initdb >/tmp/initdb.log 2>&1 || { cat /tmp/initdb.log; exit 1; }
			}
			as pg_ctl -w -l /srv/pg/log -o "-k /tmp" start >/dev/null 2>&1 || { cat /srv/pg/log; exit 1; }
			# pg_ctl takes what a machine that was killed a second ago left for the server that it has started: the pids are the same.
			until as pg_isready -q; do sleep 0.1; done
		}
		stop() { as pg_ctl -w -m fast stop >/dev/null; }
		sql() { as psql -XAtqc "$1"; }
		tables() { [ -n "$(sql "select 1 from pg_tables where tablename = '\'pgbench_history\''")" ] || as pgbench -iq -s 2 2>/dev/null; }
		# What TPC-B keeps equal, whatever happens.
		balances() { sql "select (select sum(abalance) from pgbench_accounts) = (select coalesce(sum(delta), 0) from pgbench_history),
			(select sum(tbalance) from pgbench_tellers) = (select sum(bbalance) from pgbench_branches),
			(select sum(bbalance) from pgbench_branches) = (select coalesce(sum(delta), 0) from pgbench_history)"; }'
}

@test "initdb, pgbench with 8 clients: no transaction fails, and the books agree" {
	said 'start; tables
		as pgbench -n -c 8 -j 2 -T '"$LOAD_S"' 2>&1 | grep -E "number of (transactions|failed)"
		as pgbench -n -S -M prepared -c 8 -j 2 -T 2 2>&1 | grep -E "number of failed" | sed s/^/select:/
		balances; stop; tail -n 1 /srv/pg/log'
	matches "$output" 'actually processed: [1-9][0-9]+'
	matches "$output" $'\nnumber of failed transactions: 0 '
	matches "$output" 'select:number of failed transactions: 0 '
	matches "$output" $'\nt[|]t[|]t\n'
	matches "$output" 'database system is shut down$'
}

@test "sorts, joins in parallel workers and large rows come out right" {
	said 'start
		sql "set max_parallel_workers_per_gather = 2; set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0; set work_mem = '\'1MB\'';
			create temp table d as select 1;
			create table if not exists n as select i, md5(i::text) m from generate_series(1, 200000) i;
			select count(*), sum(length(a.m)) from n a join n b using (i);
			select m from n order by m limit 1;
			select length(string_agg(m, null)) from n"
		stop'
	same "200000|6400000"$'\n'"$(seq 200000 | python3 -c 'import sys, hashlib
print(min(hashlib.md5(line.strip().encode()).hexdigest() for line in sys.stdin))')"$'\n6400000' "$output"
}

@test "kill -9 of a host process under load: what was committed is there, and the books agree" {
	local pids seen
	starts_inside 'start; tables
		sql "drop table if exists seen; create table seen (i integer primary key)"
		as pgbench -n -c 4 -T 100 >/dev/null 2>&1 &
		for ((i = 1; i < 100000; i++)); do echo "insert into seen values ($i);"; echo "\\echo committed $i"; done |
			as stdbuf -oL psql -Xq'
	logged 120 '^committed 40$'
	mapfile -t pids < <(machine_pids)
	[ "${#pids[@]}" -gt 8 ] || fail "only ${#pids[@]} host processes"
	kill -KILL "${pids[-1]}"
	wait_for 10 no_machine "${pids[@]}"
	seen=$(sed -n 's/^committed //p' "$LOG" | tail -n 1)
	said 'start; grep -ao "automatic recovery in progress" /srv/pg/log || { cat /srv/pg/log; exit 1; }
		sql "select max(i) from seen"; sql "select count(*) = max(i) from seen"; balances
		as pgbench -n -c 4 -t 50 2>&1 | grep -E "number of failed"; stop
		fsck_root'
	same 'automatic recovery in progress' "${lines[0]}"
	[ "${lines[1]}" -ge "$seen" ] || fail "committed until $seen, found until ${lines[1]}"
	same t "${lines[2]}"
	same 't|t|t' "${lines[3]}"
	matches "${lines[4]}" ': 0 '
	same 'sysrq: Emergency Remount R/O' "${lines[*]:5}"
}
