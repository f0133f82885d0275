#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A disk's back end that is killed comes again, and a program notices a pause; one that ends, lies or is another does not.

load ../bed/bed

setup_file()
{
	need libos image
	export RKTIO=$BUILD/rktio TREE=$BED/tree IMG=$BED/disk.img KEY=$BED/key DYING_COUNT=$BED/count
	gcc -std=gnu17 -D_GNU_SOURCE -O2 -static -o "$BED/blocks" "$ROOT/tests/libos/blocks.c"
	mkdir -p "$TREE" "$BED/dying"
	"$ROOT/tests/libos/initramfs" "$BED/tree.cpio" /bin/true sqlite3 /sbin/e2fsck "$BED/blocks"
	(cd "$TREE" && cpio --quiet -idu <"$BED/tree.cpio")
	head -c 32 /dev/urandom >"$KEY"
	chmod 600 "$KEY"
	"$BED/blocks" write "$TREE/root/given" 3000 7
	"$RKTIO" image create "$BED/plain.fresh" --quiet --dir "$TREE" --size 128M
	"$RKTIO" image create "$BED/enc.fresh" --quiet --dir "$TREE" --size 128M --encrypt --key-file "$KEY"
	"$RKTIO" image create "$BED/sealed.img" --quiet --dir "$TREE" --verity
	cp "$BUILD/rktio-init" "$VMLINUX" "$BED/dying/"
	cp "$BUILD/tests/vhost/dying-blk" "$BED/dying/rktio-blk"
	# The same with a Linux that waits for another one longer than any test.
	cp -r "$BED/dying" "$BED/patient"
	printf '#!/bin/sh\nexec %s "$@" vhost_patience=3000\n' "$VMLINUX" >"$BED/patient/${VMLINUX##*/}"
}

setup()
{
	need libos image
	rm -f "$DYING_COUNT"
}

teardown()
{
	[ -z "${RUN:-}" ] || kill -KILL "$RUN" 2>/dev/null || true
}

# fresh KIND: a new image; sets DISK, what rktio run is told of it.
fresh()
{
	cp "$BED/$1.fresh" "$IMG"
	DISK=$IMG
	[ "$1" = plain ] || DISK=$IMG,key-file=$KEY
}

# dies HOW:N,... COMMAND...: the first back end dies so, the second so.
dies()
{
	local DYING=$1
	export DYING
	rm -f "$DYING_COUNT"
	shift
	RKTIO_LIBEXEC=${LIBEXEC:-$BED/dying} timeout -k 5 300 "$RKTIO" run --disk "$DISK" -- "$@" </dev/null
}

back_ends() { wc -c <"$DYING_COUNT"; }
sound() { e2fsck -fn "$IMG" >"$BED/fsck" 2>&1 || { cat "$BED/fsck"; return 1; }; }

@test "a back end that is killed at each request, before it, meanwhile and after it" {
	local n how=(before flying after)
	fresh plain
	for n in $(seq 1 12) $(seq 17 9 400); do
		run -0 dies "${how[n % 3]}:$n" sh -c "blocks log /root/l 30 >/dev/null; mkdir /root/d$n; echo 3 >/proc/sys/vm/drop_caches; blocks check /root/l 30 0"
		matches "$output" 'right 30 unreadable 0 wrong 0 old 0' "at request $n"
		sound
		[ "$(back_ends)" -gt 1 ] || break
		matches "$output" 'the disk.s back end was ended by signal 9, and is started again'
	done
	echo "$n requests"
	[ "$n" -gt 60 ]
}

@test "the same with an encrypted disk, some requests, and three back ends in a row" {
	local n how=(before flying after)
	fresh enc
	for n in 1 2 $(seq 3 13 100); do
		run -0 dies "${how[n % 3]}:$n,${how[(n + 1) % 3]}:$((n % 7 + 1)),${how[(n + 2) % 3]}:$((n % 5 + 1))" \
			sh -c "blocks write /root/f 300 $n; echo 3 >/proc/sys/vm/drop_caches; blocks check /root/f 300 $n"
		matches "$output" 'right 300 unreadable 0 wrong 0 old 0'
		misses "$output" 'INTEGRITY'
	done
	same 4 "$(back_ends)"
	"$RKTIO" image verify "$IMG" --quiet --key-file "$KEY"
}

# A program that writes until it can't, and ends with 9. It is in memory, and so is what it takes.
WRITES='cp /bin/busybox /tmp/; while /tmp/busybox dd if=/dev/zero of=/root/f bs=64k count=4 conv=fsync 2>/dev/null; do :; done; exit 9'

@test "the fourth that is killed is the last one: I/O errors" {
	fresh plain
	run -9 dies after:60,flying:1,before:1,after:3 sh -c "mount -t tmpfs tmpfs /tmp; $WRITES"
	same 4 "$(back_ends)"
	matches "$output" 'the back end is gone: it closed the connection'
}

@test "one that ends by itself is not waited for" {
	local LIBEXEC=$BED/patient
	fresh plain
	run -9 dies end:60 sh -c "mount -t tmpfs tmpfs /tmp; $WRITES"
	same 1 "$(back_ends)"
	matches "$output" 'the back end is gone: no other one came'
	fresh plain
	run -9 dies after:60,end:20 sh -c "mount -t tmpfs tmpfs /tmp; $WRITES"
	same 2 "$(back_ends)"
}

@test "a second back end that breaks rules, or is another, loses the device, and that is all" {
	local how
	for how in id length twice talk other; do
		fresh plain
		run -9 dies "after:60,$how:5" sh -c "mount -t tmpfs tmpfs /tmp; $WRITES"
		same 2 "$(back_ends)" "$how"
		case $how in
		talk) matches "$output" 'the back end is gone: it closed the connection or broke silence' ;;
		other) matches "$output" 'it is another back end than it was' ;;
		*) matches "$output" 'the back end is gone: it broke a queue' ;;
		esac
		matches "$output" 'I/O error, dev vda'
	done
}

# --- rktio-blk itself, killed from outside ---

# child NAME: the process of the launcher $RUN that runs the program NAME.
child() { pgrep -P "$RUN" -f "^[^ ]*/$1 "; }
has_other() { local now; now=$(child rktio-blk) && [ "$now" != "$1" ]; }

# starts DISK SCRIPT: in the background, until it says "up". It goes on until /dev/shm/stop is there, and says what round it is in.
starts()
{
	spawn "$BED/run.log" "$RKTIO" run --disk "$1" -- sh -c "mount -t tmpfs tmpfs /dev/shm; $2"
	RUN=$!
	wait_for 60 grep -q up "$BED/run.log"
}

stop() { "$RKTIO" exec "$RUN" -- touch /dev/shm/stop; }

rounds() { grep -c '^round' "$BED/run.log" || :; }
further() { [ "$(rounds)" -gt "$1" ] || has_ended "$RUN"; }

# goes_on: it does a round from here on.
goes_on()
{
	local n
	n=$(rounds)
	wait_for 20 further "$n"
	[ "$(rounds)" -gt "$n" ] || fail "it does not go on:" "$(<"$BED/run.log")"
}

# kill_three: each in a round, and each time another one comes.
kill_three()
{
	local n old
	for n in 1 2 3; do
		goes_on
		old=$(child rktio-blk)
		kill -KILL "$old"
		wait_for 20 has_other "$old" || { cat "$BED/run.log"; return 1; }
	done
	goes_on
}

ends() # STATUS
{
	local status=0
	wait "$RUN" || status=$?
	RUN=
	same "$1" "$status" "$(<"$BED/run.log")"
}

# Writes, each block synced; a database; then all is read from the disk.
# shellcheck disable=SC2016 # expanded inside
LOAD='echo up
blocks log /root/log 100000 >/dev/shm/n & log=$!
sqlite3 /root/a.db "pragma journal_mode=wal; create table t(a integer primary key, b text);" >/dev/null
i=0
until [ -e /dev/shm/stop ]; do
	i=$((i + 1))
	echo round $i
	sqlite3 /root/a.db "with recursive c(x) as (select 1 union all select x+1 from c where x<200) insert into t(b) select hex(randomblob(100)) from c;" || exit 3
	blocks write /root/w 200 $i || exit 4
done
kill $log; wait $log 2>/dev/null
sync; echo 3 >/proc/sys/vm/drop_caches
n=$(tail -n 1 /dev/shm/n)
blocks check /root/log $n 0 | sed "s/^right $n /log &/; s/right $n/right/"
blocks check /root/w 200 $i
[ "$(sqlite3 /root/a.db "select count(*) from t")" = $((i * 200)) ] && echo all rows
sqlite3 /root/a.db "pragma integrity_check"
echo u >/proc/sysrq-trigger
until grep -q "^/dev/[^ ]* / ext4 ro" /proc/mounts; do sleep 0.05; done
e2fsck -fn "$(sed -n "s,^\(/dev/[^ ]*\) / .*,\1,p" /proc/mounts)" >/dev/shm/fsck 2>&1 && echo clean || cat /dev/shm/fsck'

load_was_right()
{
	stop
	ends 0
	matches "$(<"$BED/run.log")" 'log right unreadable 0 wrong 0 old 0'
	matches "$(<"$BED/run.log")" 'right 200 unreadable 0 wrong 0 old 0'
	matches "$(<"$BED/run.log")" $'all rows\nok\n'
	matches "$(<"$BED/run.log")" 'clean'
	misses "$(<"$BED/run.log")" 'INTEGRITY|I/O error|EXT4-fs error'
}

@test "killed under load, three times: a plain disk" {
	fresh plain
	starts "$DISK" "$LOAD"
	kill_three
	load_was_right
	sound
}

@test "killed under load, three times: an encrypted disk" {
	fresh enc
	starts "$DISK" "$LOAD"
	kill_three
	load_was_right
	"$RKTIO" image verify "$IMG" --quiet --key-file "$KEY"
}

@test "killed while it is read, three times: a sealed disk, and one that is only read" {
	local disk
	fresh plain
	for disk in "$BED/sealed.img,verity=$(<"$BED/sealed.img.roothash")" "$IMG,ro"; do
		starts "$disk" 'echo up; until [ -e /dev/shm/stop ]; do echo 3 >/proc/sys/vm/drop_caches; echo round $(blocks check /root/given 3000 7); done'
		kill_three
		stop
		ends 0
		same "$(rounds)" "$(grep -c '^round right 3000 unreadable 0 wrong 0 old 0' "$BED/run.log")"
		misses "$(<"$BED/run.log")" 'corrupted|I/O error'
	done
	cmp "$IMG" "$BED/plain.fresh"
}

@test "killed a fourth time: I/O errors, and what was synced is there" {
	fresh plain
	starts "$DISK" "mount -t tmpfs tmpfs /tmp; blocks write /root/kept 500 1; echo up; ${WRITES/:;/echo round;}"
	kill_three
	kill -KILL "$(child rktio-blk)"
	ends 9
	same 'right 500 unreadable 0 wrong 0 old 0' "$("$RKTIO" run --disk "$DISK" -- blocks check /root/kept 500 1)"
}

@test "between two back ends the image is in use all the same" {
	fresh plain
	local old
	starts "$DISK" 'echo up; sleep 1000'
	old=$(child rktio-blk)
	kill -STOP "$RUN" # it starts none
	kill -KILL "$old"
	wait_for 5 has_ended "$old"
	run flock --nonblock "$IMG" true
	same 1 "$status"
	run "$RKTIO" run --disk "$IMG" -- true
	same 125 "$status" "$output"
	matches "$output" 'in use'
	kill -CONT "$RUN"
	wait_for 20 child rktio-blk
	kill -TERM "$RUN"
	ends 143
}

@test "nobody comes: programs wait no longer than they should" {
	printf '#!/bin/sh\nmount -t devtmpfs dev /dev; dd if=/dev/vda of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null && echo before
		while dd if=/dev/vda of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null; do :; done; exit 9' >"$BED/init"
	"$ROOT/tests/libos/initramfs" "$BED/never.cpio" "$BED/init"
	fresh plain
	spawn "$BED/run.log" env WITH_DISK_PID="$BED/pid" timeout -k 5 300 "$ROOT/tests/libos/with-disk" --file "$IMG" --again never -- \
		"$VMLINUX" initrd="$BED/never.cpio" vhost_patience=3 quiet
	RUN=$!
	wait_for 30 grep -q before "$BED/run.log"
	SECONDS=0
	kill -KILL "$(<"$BED/pid")"
	ends 9
	# Not the 30 that it would be if nothing was said.
	[ "$SECONDS" -ge 2 ] && [ "$SECONDS" -lt 30 ]
	matches "$(<"$BED/run.log")" 'the back end is gone: no other one came'
}
