#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# nginx, redis and sqlite3 as Debian has them, from an encrypted image under rktio. Clients are inside, too, but for one case.

load ../bed/bed

setup_file()
{
	need libos image packages
	programs_image web 600M nginx-light,curl,openssl,redis-server,sqlite3,e2fsprogs,procps
}

setup()
{
	need libos image packages
	# shellcheck disable=SC2016 # expanded inside
	INSIDE_LIB='
		web()
		{
			mkdir -p /srv/www
			echo hello >/srv/www/index.html
			[ -s /srv/www/big ] || head -c 20000000 /dev/urandom >/srv/www/big
			openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /root/tls.key -out /root/tls.crt \
				-days 2 -subj /CN=localhost 2>/dev/null
			cat >/root/nginx.conf <<-END
				user www-data; worker_processes 2; error_log /var/log/nginx/error.log info; pid /run/nginx.pid;
				events { }
				http { sendfile on; tcp_nopush on; root /srv/www; server { listen 80; listen 443 ssl http2;
					ssl_certificate /root/tls.crt; ssl_certificate_key /root/tls.key; ssl_protocols TLSv1.2 TLSv1.3; } }
			END
			nginx -c /root/nginx.conf
		}
		workers() { pgrep -fc "nginx: worker process$" || :; }
		until_true() { for ((n = 0; n < 4000; n++)); do ! eval "$1" || return 0; sleep 0.05; done; echo "never: $1"; return 1; }
		redis()
		{
			redis-server --dir /srv --save "" "$@" --daemonize yes --logfile /srv/redis.log >/dev/null
			until_true "redis-cli ping 2>&1 | grep -q PONG"
			until_true "! redis-cli info persistence | grep -q loading:1"
		}'
}

@test "nginx: a master and two workers, sendfile, TLS, HTTP/2" {
	said 'web; until_true "[ \$(workers) = 2 ]"
		for u in http://127.0.0.1 https://127.0.0.1 "https://[::1]"; do
			case $u in *::1*) continue;; esac
			curl -gsk $u/; curl -gsk $u/big | cmp - /srv/www/big
		done
		for ((i = 0; i < 6; i++)); do curl -s http://127.0.0.1/big | cmp - /srv/www/big & done; wait
		curl -sk --http2 -o /dev/null -w "%{http_version} %{http_code}\n" https://127.0.0.1/none
		for v in 2 3; do openssl s_client -connect 127.0.0.1:443 -tls1_$v </dev/null 2>/dev/null | grep -o "New, TLSv1.$v"; done
		grep -cE "\[(alert|crit|emerg)\]" /var/log/nginx/error.log || :'
	same $'hello\nhello\n2 404\nNew, TLSv1.2\nNew, TLSv1.3\n0' "$output"
}

@test "nginx: reload and a lost worker go unnoticed, quit ends all" {
	said 'web; until_true "[ \$(workers) = 2 ]"
		old=$(pgrep -f "nginx: worker process$")
		(while curl -s http://127.0.0.1/; do :; done >/tmp/said; echo ended >/tmp/ended) &
		until_true "[ -s /tmp/said ]"
		nginx -c /root/nginx.conf -s reload 2>/dev/null
		until_true "! kill -0 $(echo $old) 2>/dev/null"
		kill -9 $(pgrep -f "nginx: worker process$" | head -n 1)
		until_true "[ \$(workers) = 2 ]"; curl -s http://127.0.0.1/
		nginx -c /root/nginx.conf -s quit 2>/dev/null; until_true "! pgrep nginx >/dev/null"; wait
		sort /tmp/said | uniq -c | wc -l'
	same $'hello\n1' "$output"
}

@test "clients of the host, through published ports: redis-benchmark, files of nginx" {
	local big
	INSIDE_OPTS='--publish 127.0.0.1:16379:6379 --publish 127.0.0.1:18080:80' starts_inside 'web
		redis --bind 0.0.0.0 --protected-mode no; echo "big $(md5sum </srv/www/big)"; echo up; exec sleep 1000'
	logged 60 '^up$'
	big=$(sed -n 's/^big //p' "$LOG")
	run timeout 300 redis-benchmark -p 16379 -t set,get -n 5000 -c 20 --csv
	same 0 "$status" "$output"
	matches "$output" '"SET","[0-9.]+"'
	matches "$output" '"GET","[0-9.]+"'
	run timeout 300 python3 -c 'import hashlib, urllib.request as u
print(u.urlopen("http://127.0.0.1:18080/").read().decode(), end="")
print(hashlib.md5(u.urlopen("http://127.0.0.1:18080/big").read()).hexdigest() + "  -")'
	same $'hello\n'"$big" "$output"
	kill -TERM "$RUN"
	wait "$RUN" || :
}

@test "redis: an append-only file survives the loss of the machine; a save in a fork while it serves" {
	local pids seen
	starts_inside 'redis --appendonly yes --appendfsync always
		redis-cli eval "for i = 1, 20000 do redis.call(\"set\", \"k\" .. i, string.rep(\"x\", 100)) end" 0 >/dev/null
		redis-cli bgrewriteaof >/dev/null
		redis-cli bgsave schedule >/dev/null
		for ((i = 1; i < 100000; i++)); do echo "set seen $i"; echo "get seen"; done | stdbuf -oL redis-cli --raw'
	logged 120 '^400$'
	mapfile -t pids < <(machine_pids)
	kill -KILL "${pids[0]}"
	wait_for 10 no_machine "${pids[@]}"
	seen=$(grep -E '^[0-9]+$' "$LOG" | tail -n 1)
	said 'redis --appendonly yes; redis-cli --raw get seen; redis-cli --raw dbsize
		redis-cli bgsave >/dev/null; redis-cli --raw set during yes; until_true "! redis-cli info persistence | grep -q rdb_bgsave_in_progress:1"
		redis-cli info persistence | grep -o rdb_last_bgsave_status:ok
		redis-cli shutdown; until_true "! pgrep redis-server >/dev/null"; redis-check-rdb /srv/dump.rdb | grep -o "RDB looks OK"'
	[ "${lines[0]}" -ge "$seen" ] || fail "set until $seen, found $output"
	same $'20001\nOK\nrdb_last_bgsave_status:ok\nRDB looks OK' "$(tail -n +2 <<<"$output")"
}

@test "redis-benchmark, with pipelines and without: each test ends, and redis goes on" {
	said 'redis; redis-benchmark -q -n 5000 -c 20 -t ping,set,get,lpush,lrange_100,mset | tr "\r" "\n" | grep -c "requests per second"
		redis-benchmark -q -n 20000 -P 16 -t set,get | tr "\r" "\n" | grep -c "requests per second"
		redis-cli ping; redis-cli shutdown nosave'
	same $'8\n2\nPONG' "$output"
}

@test "sqlite3: a million rows with a write-ahead log, writers at once, integrity" {
	INSIDE_OPTS='--memory 512M' said 'cd /srv; rm -f a.db*
		sqlite3 a.db "pragma journal_mode=wal; create table t(a integer primary key, b text); create index i on t(b);
			with recursive c(x) as (select 1 union all select x+1 from c where x<1000000) insert into t select x, hex(x * 2654435761 % 4294967296) from c;"
		for i in 1 2 3; do sqlite3 a.db ".timeout 20000" "insert into t(b) select b from t limit 1000;" & done; wait
		sqlite3 a.db "select count(*) from t; pragma wal_checkpoint(truncate); pragma integrity_check;"'
	same $'wal\n1003000\n0|0|0\nok' "$output"
}

@test "sqlite3: what was committed survives kill -9 of the machine" {
	local pids seen
	starts_inside 'cd /srv; rm -f b.db*; sqlite3 b.db "pragma journal_mode=wal; create table t(i integer primary key)" >/dev/null
		(echo "pragma synchronous=full;"; for ((i = 1; i < 100000; i++)); do echo "insert into t values ($i); select '\''committed '\'' || $i;"; done) | stdbuf -oL sqlite3 b.db'
	logged 60 '^committed 50$'
	mapfile -t pids < <(machine_pids)
	kill -KILL "${pids[1]}"
	wait_for 10 no_machine "${pids[@]}"
	seen=$(sed -n 's/^committed //p' "$LOG" | tail -n 1)
	said 'sqlite3 /srv/b.db "select max(i) from t; pragma integrity_check; select count(*) = max(i) from t"'
	[ "${lines[0]}" -ge "$seen" ] || fail "committed until $seen, found until ${lines[0]}"
	same $'ok\n1' "$(tail -n +2 <<<"$output")"
}
