#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# rktio run: programs of images, in the library OS.

load ../bed/bed

setup_file()
{
	need libos image
	RKTIO=$BUILD/rktio
	export RKTIO DISK=$BED/plain.img ENC=$BED/enc.img KEY=$BED/key SEALED=$BED/sealed.img
	image_tree busybox >/dev/null
	head -c 64 /dev/urandom >"$KEY"
	chmod 600 "$KEY"
	"$RKTIO" image create "$DISK" --quiet --dir "$(image_tree busybox)" --size 64M
	"$RKTIO" image create "$ENC" --quiet --dir "$(image_tree busybox)" --size 64M --encrypt --key-file "$KEY"
	"$RKTIO" image create "$SEALED" --quiet --dir "$(image_tree busybox)" --verity
}

setup()
{
	need libos image
}

plain() { "$RKTIO" run --disk "$DISK" -- "$@"; }
crypt() { "$RKTIO" run --disk "$ENC,key-file=$KEY" -- "$@"; }

@test "a program, its arguments and its output" {
	same 'a b|c' "$(plain sh -c 'echo "$1|$2"' x 'a b' c)"
}

@test "exit status: the program's, 126, 127, 128+n" {
	same 3 "$(status plain sh -c 'exit 3')"
	same 127 "$(status plain no-such-program)"
	same 126 "$(status plain /etc)"
	same 137 "$(status plain sh -c 'kill -9 $$')"
}

@test "standard streams are binary-clean, and end" {
	head -c 8388608 /dev/urandom >"$BED/random"
	plain cat <"$BED/random" >"$BED/random.out"
	cmp "$BED/random" "$BED/random.out"
	same err "$(plain sh -c 'echo err >&2' 2>&1 >/dev/null)"
}

@test "what is written stays in the image" {
	plain sh -c 'echo kept >/root/kept'
	same kept "$(plain cat /root/kept)"
	e2fsck -fn "$DISK"
}

@test "an image whose name has a comma" {
	ln -s "$DISK" "$BED/a,ro"
	same ok "$("$RKTIO" run --disk "$BED/a\\,ro" -- sh -c 'echo ok >/root/comma; cat /root/comma')"
}

@test "the environment is ours alone" {
	same 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root A=b' \
		"$(SECRET=1 "$RKTIO" run --disk "$DISK" --env A=b -- sh -c 'echo PATH=$PATH HOME=$HOME A=$A$SECRET')"
	same /tmp "$("$RKTIO" run --disk "$DISK" --workdir /tmp -- pwd)"
	same '65532 /home/nonroot' "$("$RKTIO" run --disk "$DISK" -u nonroot -- sh -c 'echo $(id -u) $HOME; echo x >/dev/stderr' 2>"$BED/err")"
	same x "$(<"$BED/err")"
}

@test "it can look itself up, and what the image says of hosts stays" {
	matches "$(plain cat /etc/hosts)" $'127.0.0.1\tlocalhost\n.*127.0.1.1\trktio$'
	matches "$(plain ping -c 1 "$(plain hostname)")" ' 0% packet loss'
	plain sh -c 'echo "127.0.0.1 mine" >/etc/hosts'
	same '127.0.0.1 mine' "$(plain cat /etc/hosts)"
}

@test "a loop device comes into being with the first use of its node" {
	plain sh -c 'mknod /tmp/loop b 7 5 && [ ! -e /sys/block/loop5 ] && dd if=/tmp/loop of=/dev/null count=1 2>/dev/null && [ -e /sys/block/loop5 ]'
}

@test "signals reach the program" {
	spawn "$BED/run.log" "$RKTIO" run --disk "$DISK" -- \
		sh -c 'trap "echo got; exit 7" TERM; echo ready; while :; do sleep 0.1; done'
	p=$!
	wait_for 30 grep -q ready "$BED/run.log"
	kill -TERM "$p"
	s=0
	wait "$p" || s=$?
	same 7 "$s"
	grep -q got "$BED/run.log"
}

@test "a terminal: its size, keys, job control, and its modes afterwards" {
	need pty
	terminal_works /dev/console "$RKTIO" run --disk "$DISK" -- sh -i
}

@test "an encrypted image's key from a descriptor, a pipe or standard input" {
	run -0 "$RKTIO" run --disk "$ENC,key-file=/dev/fd/9" -- echo inside 9<"$KEY"
	same inside "$output"
	run -0 "$RKTIO" run --disk "$ENC,key-file="<(cat "$KEY") -- echo inside
	same inside "$output"
	# What is left of standard input after the key is nothing.
	run -0 sh -c 'cat "$1" | "$RKTIO" run --disk "$2,key-file=/dev/stdin" -- wc -c' sh "$KEY" "$ENC"
	same 0 "$output"
	run "$RKTIO" run --disk "$ENC,key-file="<(:) -- true
	same 125 "$status" "$output"
	matches "$output" 'key'
}

@test "an encrypted image: read, written, unreadable outside, and no changed block is believed" {
	crypt sh -c 'echo planted-secret-4711 >/root/secret; sync'
	same planted-secret-4711 "$(crypt cat /root/secret)"
	same 1 "$(status grep -q planted-secret "$ENC")"
	"$RKTIO" image verify "$ENC" --quiet --key-file "$KEY"
}

@test "a sealed image: only read, only as it was" {
	root=$(<"$SEALED.roothash")
	same 1 "$(status "$RKTIO" run --disk "$SEALED,verity=$root" -- touch /x)"
	same 0 "$(status "$RKTIO" run --disk "$SEALED,verity=$root" -- true)"
	run "$RKTIO" run --disk "$SEALED,verity=${root//[0-4]/5}" -- true
	same 125 "$status"
}

@test "an image that is less than was asked for is refused" {
	run "$RKTIO" run --disk "$DISK,key-file=$KEY" -- true
	same 125 "$status"
	matches "$output" 'not encrypted'
	run "$RKTIO" run --disk "$ENC" -- true
	same 125 "$status"
	matches "$output" 'key-file'
	head -c 64 /dev/zero >"$BED/wrong"
	run "$RKTIO" run --disk "$ENC,key-file=$BED/wrong" -- true
	same 125 "$status"
	run "$RKTIO" run --disk "$BED/none.img" -- true
	same 125 "$status"
	matches "$output" 'none.img'
	run "$RKTIO" run -- true
	same 2 "$status"
}

@test "an image in use: one writer, or readers" {
	spawn "$BED/run.log" "$RKTIO" run --disk "$DISK" -- sh -c 'echo ready; sleep 1000'
	p=$!
	wait_for 30 grep -q ready "$BED/run.log"
	run plain true
	same 125 "$status"
	one_line
	matches "$output" 'in use'
	run "$RKTIO" image create "$DISK" --quiet --force --dir "$BED/bin"
	same 1 "$status"
	run "$RKTIO" image verify "$DISK"
	same 1 "$status"
	matches "$output" 'in use'
	kill -TERM "$p"
	wait "$p" || :
	root=$(<"$SEALED.roothash")
	spawn "$BED/run.log" "$RKTIO" run --disk "$SEALED,verity=$root" -- sh -c 'echo ready; sleep 1000'
	p=$!
	wait_for 30 grep -q ready "$BED/run.log"
	same 0 "$(status "$RKTIO" run --disk "$SEALED,verity=$root" -- true)"
	kill -TERM "$p"
	wait "$p" || :
}

@test "kill -9 of the launcher leaves nothing, and the file system recovers" {
	spawn "$BED/run.log" "$RKTIO" run --disk "$DISK" -- sh -c 'echo x >/root/log; sync; echo ready; while :; do echo x >>/root/more; done'
	p=$!
	wait_for 30 grep -q ready "$BED/run.log"
	kill -KILL "$p"
	wait "$p" || :
	wait_for 5 eval '! pgrep -f "rktio-(linux|blk)" >/dev/null'
	wait_for 5 unused "$DISK"
	same ok "$(plain sh -c 'test -s /root/log && echo ok')"
}

@test "the Linux that it runs on can be chosen" {
	matches "$(plain uname -r)" "^${RKTIO_LINUX:-6.1}[.]"
	matches "$(RKTIO_LINUX=9.9 plain true 2>&1)" "rktio-linux-9.9' is missing"
	version=${RKTIO_LINUX:-6.1}
	matches "$(RKTIO_LINUX=9.9 "$RKTIO" run --disk "$DISK" --linux "$version" -- uname -r)" "^${version}[.]"
}
