#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# rktio's networks: a tap, published ports, back ends that go or lie. All in a network namespace of the case.

load ../bed/bed

setup_file()
{
	need libos image netns
	export DISK=$BED/net.img TREE=$BED/net.tree
	rktio_for_users
	cp -a "$(image_tree busybox)" "$TREE"
	"$RKTIO" image create "$DISK" --quiet --dir "$TREE" --size 64M
	ip netns add bed
	ip -n bed link set lo up
	tap t0
	ip -n bed addr add 10.9.0.1/24 dev t0
	ip -n bed addr add fd09::1/64 dev t0 nodad
	mkdir -p "$BED/www"
	head -c 104857600 /dev/urandom >"$BED/www/100m"
	echo small >"$BED/www/small"
	spawn "$BED/www.log" ip netns exec bed python3 -m http.server --bind :: --directory "$BED/www" 8000
	wait_for 20 in_bed python3 -c 'import socket; socket.create_connection(("10.9.0.1", 8000))'
}

setup()
{
	need libos image netns
}

teardown()
{
	[ -z "${MACHINE:-}" ] || stop_pid "$MACHINE"
}

# In the namespace of the case.
in_bed() { ip netns exec bed "$@" 2>"$BED/in_bed.err" || { local s=$?; cat "$BED/in_bed.err" >&2; return "$s"; }; }
tap() { ip -n bed tuntap add "$1" mode tap && ip -n bed link set "$1" up; }

NET=tap:t0,ip=10.9.0.2/24,ip=fd09::2/64,gw=10.9.0.1,dns=10.9.0.1,dns=fd09::1

# rktio with the disk.
runs() { in_bed timeout -k 5 1000 "$RKTIO" run --disk "$DISK" "$@"; }

# starts OPTION... -- PROGRAM...: in the background, until it has said "up".
starts()
{
	spawn "$BED/run.log" ip netns exec bed timeout -k 5 1000 "$RKTIO" run --disk "$DISK" "$@"
	MACHINE=$!
	wait_for 300 grep -q up "$BED/run.log"
}

# ends [STATUS]
ends()
{
	local status=0
	wait "$MACHINE" || status=$?
	same "${1:-0}" "$status" "$(<"$BED/run.log")"
}

# get URL FILE, on the host's side.
get() { in_bed python3 -c 'import sys, urllib.request as u, shutil
with u.urlopen(sys.argv[1], timeout=60) as f, open(sys.argv[2], "wb") as to: shutil.copyfileobj(f, to)' "$@"; }

@test "a tap: addresses, routes, name servers, ping, 4 and 6" {
	run -0 runs --net "$NET" -- sh -c 'ip -o addr show eth0; ip route; cat /etc/resolv.conf; ping -c 2 10.9.0.1; ping -6 -c 2 fd09::1'
	matches "$output" 'inet 10\.9\.0\.2/24'
	matches "$output" 'inet6 fd09::2/64'
	matches "$output" 'default via 10\.9\.0\.1'
	matches "$output" $'nameserver 10.9.0.1\nnameserver fd09::1'
	same 2 "$(grep -c ' 0% packet loss' <<<"$output")" "$output"
	same 0 "$(debugfs -R 'cat /etc/resolv.conf' "$DISK" 2>/dev/null | wc -c)"
}

@test "a tap: 100 MB each way, over TCP, and the host's ping" {
	starts --net "$NET,mac=52:54:00:00:09:02" -- sh -c 'mount -t tmpfs tmpfs /tmp; cd /tmp; wget -q http://10.9.0.1:8000/100m
		mkdir six; cd six; wget -q "http://[fd09::1]:8000/100m"; cmp 100m ../100m && echo six; cd ..; httpd -p 80; echo up; sleep 1000'
	grep -q six "$BED/run.log"
	in_bed busybox ping -c 2 -W 5 10.9.0.2
	in_bed busybox ping -6 -c 2 -W 5 fd09::2
	get http://10.9.0.2/100m "$BED/got"
	cmp "$BED/got" "$BED/www/100m"
	get 'http://[fd09::2]/100m' "$BED/got"
	cmp "$BED/got" "$BED/www/100m"
	matches "$(ip -n bed neigh show 10.9.0.2)" '52:54:00:00:09:02'
	kill -TERM "$MACHINE"
	ends 143
}

@test "loopback only, if nothing is said" {
	run -0 runs -- sh -c 'ls /sys/class/net; ping -c 1 127.0.0.1; ping -6 -c 1 ::1'
	misses "$output" eth
	same 2 "$(grep -c ' 0% packet loss' <<<"$output")" "$output"
	run -0 runs --net none -- ls /sys/class/net
	same lo "$output"
}

# Served inside: a file, and what a client sends until it ends.
SERVES='mount -t tmpfs tmpfs /tmp; cd /tmp; echo inside >small; dd if=/dev/zero of=/tmp/big bs=1M count=100 2>/dev/null
	httpd -p 80; nc -l -p 81 -e md5sum & until grep -q ":0051 .* 0A " /proc/net/tcp /proc/net/tcp6; do sleep 0.1; done; echo up; sleep 1000'

@test "published ports, for root and for a user: files, half-closed connections, many at once" {
	local who
	chmod 711 "$BED"
	chmod 666 "$DISK"
	for who in root: user:"$AS_USER"; do
		# shellcheck disable=SC2086 # none, or a program
		spawn "$BED/run.log" ip netns exec bed ${who#*:} timeout -k 5 1000 "$RKTIO" run --disk "$DISK" \
			--publish 8080:80 --publish 127.0.0.1:8081:81 --publish '[::1]:8082:80' -- sh -c "$SERVES"
		MACHINE=$!
		wait_for 60 grep -q up "$BED/run.log"
		get http://127.0.0.1:8080/small "$BED/got"
		same inside "$(<"$BED/got")"
		get 'http://[::1]:8082/small' "$BED/got"
		same inside "$(<"$BED/got")"
		get http://10.9.0.1:8080/big "$BED/got"
		same 104857600 "$(stat -c %s "$BED/got")"
		same "$(md5sum <"$BED/www/100m")" "$(in_bed python3 -c 'import socket, sys
s = socket.create_connection(("127.0.0.1", 8081)); s.sendall(open(sys.argv[1], "rb").read()); s.shutdown(socket.SHUT_WR)
print(s.makefile().read(), end="")' "$BED/www/100m")"
		in_bed python3 -c 'import socket
all = [socket.create_connection(("127.0.0.1", 8080)) for n in range(100)]
for s in all: s.sendall(b"GET /small HTTP/1.0\r\n\r\n")
for s in all: assert s.makefile().read().endswith("inside\n")'
		kill -TERM "$MACHINE"
		ends 143
	done
	chmod 600 "$DISK"
}

@test "a published port leads nowhere but inside, and inside there is no way out" {
	starts --publish 8080:80 --publish 8083:83 -- sh -c "ping -c 1 -W 1 10.9.0.1 || echo shut; $SERVES"
	grep -q shut "$BED/run.log"
	run in_bed python3 -c 'import socket; s = socket.create_connection(("127.0.0.1", 8083)); assert s.recv(1) == b""'
	same 0 "$status" "$output"
	get http://127.0.0.1:8080/small "$BED/got"
	kill -TERM "$MACHINE"
	ends 143
	run in_bed python3 -c 'import socket; socket.create_connection(("127.0.0.1", 8080))'
	matches "$output" 'refused'
}

@test "a port published beside a tap" {
	starts --net "$NET" --publish 8080:80 -- sh -c "$SERVES"
	get http://127.0.0.1:8080/small "$BED/got"
	same inside "$(<"$BED/got")"
	kill -TERM "$MACHINE"
	ends 143
}

# The launcher's child: it may have one itself. And then another than OLD.
back_end() { pgrep -f -P "$(pgrep -P "$MACHINE" -x rktio)" 'rktio-net --fd'; }
has_back_end() { local now; now=$(back_end) && [ "$now" != "$1" ]; }
kill_back_end() # [last]
{
	local old
	old=$(back_end)
	kill -KILL "$old"
	[ "${1:-}" = last ] || wait_for 20 has_back_end "$old" || { cat "$BED/run.log"; return 1; }
}

@test "a back end that is killed is started again, and a connection goes on; three times" {
	local n
	spawn "$BED/lines.log" ip netns exec bed python3 -c 'import socket, time
l = socket.create_server(("10.9.0.1", 9001)); s = l.accept()[0]
for n in range(100): s.sendall(b"line %d\n" % n); time.sleep(0.1)'
	starts --net "$NET" -- sh -c 'ping -c 1 10.9.0.1 >/dev/null; (nc 10.9.0.1 9001 | tee /dev/stderr | md5sum) & sleep 1; echo up; wait
		until [ "$(cat /sys/class/net/eth0/carrier)" = 0 ]; do sleep 0.1; done; echo carrier lost; ping -c 1 -W 1 10.9.0.1 >/dev/null || exit 7'
	for n in 1 2 3; do
		kill_back_end
		# What is on its way just then may be lost.
		wait_for 30 in_bed busybox ping -c 1 -W 1 10.9.0.2
	done
	wait_for 60 grep -q "$(for n in $(seq 0 99); do echo "line $n"; done | md5sum | cut -c1-32)" "$BED/run.log"
	kill_back_end last
	ends 7
	matches "$(<"$BED/run.log")" 'the back end is gone: it closed the connection'
	matches "$(<"$BED/run.log")" 'carrier lost'
}

@test "a published port is there again after a back end was killed" {
	starts --publish 8080:80 -- sh -c "$SERVES"
	get http://127.0.0.1:8080/small "$BED/got"
	kill_back_end
	wait_for 20 get http://127.0.0.1:8080/small "$BED/got"
	get http://127.0.0.1:8080/big "$BED/got"
	same 104857600 "$(stat -c %s "$BED/got")"
	kill -TERM "$MACHINE"
	ends 143
}

@test "many machines of a user hold no descriptors in flight" {
	local n all=()
	# Linux allows a user as many in flight, of all processes, as one of them may have open.
	cp "$DISK" "$BED/many.img"
	chmod 711 "$BED"
	chmod 644 "$BED/many.img"
	for n in 1 2 3 4 5; do
		spawn "$BED/many.$n" ip netns exec bed "$AS_USER" prlimit --nofile=64 timeout -k 5 1000 "$RKTIO" run --memory 64M --disk "$BED/many.img,ro" \
			--publish "$((8100 + n)):80" -- sh -c 'echo up; sleep 1000'
		all+=($!)
	done
	for n in 1 2 3 4 5; do
		wait_for 30 grep -q up "$BED/many.$n" || { cat "$BED/many.$n"; break; }
	done
	for n in "${all[@]}"; do stop_pid "$n"; done
	for n in 1 2 3 4 5; do
		matches "$(<"$BED/many.$n")" up
	done
}

# dpdk: testpmd in the background, its pid in PMD. Two ports, and what one receives the other sends.
dpdk()
{
	rm -f "$BED/dpdk.in" "$BED/dpdk.sock"
	mkfifo "$BED/dpdk.in"
	spawn "$BED/dpdk.log" ip netns exec bed sh -c 'exec dpdk-testpmd <>"$2/dpdk.in" --no-huge -m 256 --no-pci --no-telemetry --file-prefix="$1" \
		--vdev "net_vhost0,iface=$2/dpdk.sock" --vdev net_tap0,iface=d0 -- \
		--no-mlockall --total-num-mbufs=8192 --auto-start --forward-mode=io' sh "bed$$" "$BED"
	PMD=$!
	wait_for 100 test -S "$BED/dpdk.sock"
	wait_for 100 sh -c 'ip -n bed link show d0 >/dev/null 2>&1'
	ip -n bed addr add 10.6.0.1/24 dev d0
	ip -n bed link set d0 up
}

@test "DPDK as the back end: pings, and TCP both ways; it is killed, and another one is found" {
	need dpdk
	dpdk
	starts --net "vhost-user:$BED/dpdk.sock,ip=10.6.0.2/24,gw=10.6.0.1" -- sh -c 'ping -c 2 -W 5 10.6.0.1; mount -t tmpfs tmpfs /tmp; cd /tmp
		wget -q http://10.9.0.1:8000/100m; httpd -p 80; echo up; sleep 1000'
	matches "$(<"$BED/run.log")" ' 0% packet loss'
	get http://10.6.0.2/100m "$BED/got"
	cmp "$BED/got" "$BED/www/100m"
	stop_pid "$PMD"
	wait_for 60 grep -q "the network's back end is gone, and is waited for" "$BED/run.log"
	dpdk
	wait_for 60 in_bed busybox ping -c 1 -W 1 10.6.0.2
	get http://10.6.0.2/100m "$BED/again"
	cmp "$BED/again" "$BED/www/100m"
	kill -TERM "$MACHINE"
	ends 143
	stop_pid "$PMD"
	misses "$(<"$BED/run.log")" '(BUG|WARNING|broke a queue)'
}

@test "a tap that is removed takes the link down" {
	tap t1
	starts --net tap:t1,ip=10.8.0.2/24 -- sh -c 'echo up; until [ "$(cat /sys/class/net/eth0/carrier)" = 0 ]; do sleep 0.1; done; exit 8'
	ip -n bed link del t1
	ends 8
	matches "$(<"$BED/run.log")" 'the tap is gone'
}

# refused STATUS SENTENCE OPTION...: one line, that says it.
refused()
{
	local want=$1 sentence=$2
	shift 2
	run runs "$@" -- true
	same "$want" "$status" "$output"
	matches "$output" "$sentence"
	[ "$want" = 2 ] || one_line
}

@test "what cannot be is one sentence" {
	refused 125 "there is no tap 'nope'" --net tap:nope
	refused 125 "'lo' is no tap" --net tap:lo
	refused 125 "/nope" --net vhost-user:/nope
	tap t2
	spawn "$BED/busy.log" ip netns exec bed "$BUILD/rktio-net" --tap t2 --socket-path "$BED/busy"
	local busy=$!
	wait_for 10 test -S "$BED/busy"
	wait_for 10 sh -c 'ip -n bed link show t2 | grep -q LOWER_UP'
	refused 125 "tap 't2' is in use" --net tap:t2
	kill "$busy"
	refused 125 "port 8000 is in use" --publish 8000:80
	chmod 711 "$BED"
	chmod 666 "$DISK"
	ip -n bed tuntap add t3 mode tap user root
	run in_bed "$AS_USER" "$RKTIO" run --disk "$DISK" --net tap:t3 -- true
	same 125 "$status" "$output"
	matches "$output" "tap 't3' is not for this user"
	run in_bed "$AS_USER" "$RKTIO" run --disk "$DISK" --publish 80:80 -- true
	matches "$output" 'port 80 is not for this user'
	chmod 600 "$DISK"
	run ip netns exec bed unshare -m sh -c 'mount -t tmpfs tmpfs /dev/net; exec "$0" run --disk "$1" --net tap:t0 -- true' "$RKTIO" "$DISK"
	same 125 "$status" "$output"
	matches "$output" 'cannot open /dev/net/tun'
}

@test "wrong options are usage errors" {
	local words
	while IFS='|' read -r words sentence; do
		# shellcheck disable=SC2086
		refused 2 "$sentence" $words
	done <<-'END'
		--net bridge:x|is not tap:NAME, vhost-user:SOCKET or none
		--net tap:|is no name of an interface
		--net tap:averyveryverylongname|is no name of an interface
		--net tap:t0,ip=10.9.0.2|is not an address with its length
		--net tap:t0,ip=10.9.0.2/33|is not an address with its length
		--net tap:t0,ip=fd09::2/129|is not an address with its length
		--net tap:t0,ip=10.9.0/24|is not an address with its length
		--net tap:t0,gw=x|is not an address
		--net tap:t0,mac=01:00:00:00:00:00|is not one of an interface
		--net tap:t0,mtu=9|is no part of --net
		--net none,ip=10.0.0.1/8|has no parts
		--net none --net none|can be given once
		--publish 80|is not .*PORT:PROGRAMPORT
		--publish 0:80|is not .*PORT:PROGRAMPORT
		--publish 65536:80|is not .*PORT:PROGRAMPORT
		--publish x:80:80|is not .*PORT:PROGRAMPORT
		--publish [::1:80:80|is not .*PORT:PROGRAMPORT
		--net tap:t0 --publish 80:80|needs an IPv4 address
		--net vhost-user:/x --publish 80:80|does not go with
	END
}

@test "WireGuard between two programs: what crosses the host's network is not what was said" {
	local n
	need wireguard
	for n in 1 2; do
		wg genkey >"$BED/wg$n"
		wg pubkey <"$BED/wg$n" >"$BED/wg$n.pub"
		tap "w$n"
		ip -n bed addr add "10.9$n.0.1/24" dev "w$n"
	done
	ip netns exec bed sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
	"$ROOT/tests/libos/initramfs" "$BED/wg.cpio" /bin/true wg /sbin/ip
	mkdir -p "$BED/wg.tree"
	(cd "$BED/wg.tree" && cpio --quiet -id <"$BED/wg.cpio")
	for n in 1 2; do
		cp "$BED/wg$n" "$BED/wg$((3 - n)).pub" "$BED/wg.tree/root/"
		"$RKTIO" image create "$BED/wg$n.img" --quiet --dir "$BED/wg.tree" --size 64M
	done
	# machine N SCRIPT: behind its end of the tunnel.
	machine()
	{
		echo "ip link add wg0 type wireguard; ip addr add 172.31.0.$1/24 dev wg0
			wg set wg0 private-key /root/wg$1 listen-port 51820 peer \$(cat /root/wg$((3 - $1)).pub) \
				endpoint 10.9$((3 - $1)).0.2:51820 allowed-ips 172.31.0.0/24
			ip link set wg0 up; $2"
	}
	spawn "$BED/sniff" ip netns exec bed python3 -c 'import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
print("sniffs", flush=True); seen = 0; p = b""
while b"the-last-one" not in p:
    p = s.recv(70000); seen += 1
    print("packet", seen, "PLAIN" if b"planted-secret" in p else "", flush=True)'
	local sniffer=$!
	wait_for 10 grep -q sniffs "$BED/sniff"
	spawn "$BED/run.log" ip netns exec bed timeout -k 5 1000 "$RKTIO" run --disk "$BED/wg1.img" --net tap:w1,ip=10.91.0.2/24,gw=10.91.0.1 -- \
		sh -c "$(machine 1 'while nc -l -p 7 -e cat; do :; done & until grep -q ":0007 .* 0A " /proc/net/tcp /proc/net/tcp6; do sleep 0.1; done; echo up; sleep 1000')"
	MACHINE=$!
	wait_for 300 grep -q up "$BED/run.log"
	run in_bed timeout -k 5 1000 "$RKTIO" run --disk "$BED/wg2.img" --net tap:w2,ip=10.92.0.2/24,gw=10.92.0.1 -- \
		sh -c "$(machine 2 'ping -c 1 -W 60 172.31.0.1 >/dev/null; echo planted-secret | nc -w 60 172.31.0.1 7; wg show wg0 | grep handshake')"
	in_bed python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"the-last-one", ("127.0.0.1", 9))'
	wait "$sniffer"
	matches "$output" 'planted-secret'
	matches "$output" 'latest handshake'
	grep -q 'packet 9' "$BED/sniff"
	same 0 "$(grep -c PLAIN "$BED/sniff")"
}
