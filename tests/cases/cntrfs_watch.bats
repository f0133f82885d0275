#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# cntrfs and what changes behind it: the kernel may believe for minutes, if it is told.

load ../bed/bed
load ../bed/cntrfs

# long OPTION...: so long that nothing is seen by a timeout here. (1 second is how long a test would wait for it.)
long() { mounted -o "entry_timeout=1000,attr_timeout=1000,negative_timeout=1000${1:+,$1}"; }

seen() { wait_for 10 bash -c "$@"; }

requests() # NAME: how many there were, by the server's own report at its end
{
	sed -n "s/.*vfs: $1: //p" "$LOG"
}

@test "changes by others are seen at once, however long the kernel may believe: names, attributes, data" {
	for option in passthrough nopassthrough; do
		echo old >"$BACK/a"
		mkdir -p "$BACK/d/e"
		touch "$BACK/d/e/f"
		long "$option"
		run ! test -e "$MNT/new"
		run ! test -e "$MNT/new"
		echo new >"$BACK/new"
		seen "test -e '$MNT/new'"
		same new "$(cat "$MNT/new")"
		same old "$(cat "$MNT/a")"
		# As long as before, so that only the data tells.
		echo OLD >"$BACK/a"
		seen "grep -q OLD '$MNT/a'"
		echo longer >>"$BACK/a"
		seen "test \$(stat -c %s '$MNT/a') = 11"
		same 644 "$(stat -c %a "$MNT/a")"
		chmod 640 "$BACK/a"
		seen "test \$(stat -c %a '$MNT/a') = 640"
		chown 12:34 "$BACK/d"
		seen "test \$(stat -c %u:%g '$MNT/d') = 12:34"
		same 1 "$(stat -c %h "$MNT/a")"
		ln "$BACK/a" "$BACK/h"
		seen "test \$(stat -c %h '$MNT/a') = 2"
		setfacl -m u:99:r "$BACK/a"
		seen "getfacl -cnp '$MNT/a' | grep -q user:99:r--"
		test -e "$MNT/d/e/f"
		mv "$BACK/d" "$BACK/D"
		seen "test -e '$MNT/D/e/f' && ! test -e '$MNT/d'"
		mv "$BACK/new" "$BACK/a"
		seen "grep -q new '$MNT/a' && ! test -e '$MNT/new'"
		rm "$BACK/a"
		seen "! test -e '$MNT/a'"
		rm -r "$BACK/D"
		seen "! test -e '$MNT/D'"
		rm "$BACK/h"
		umount "$MNT"
		ends 0
	done
}

@test "what is made through the mount needs no notification; what is not there is asked for once" {
	caches_stay
	long
	for i in {1..100}; do
		mkdir "$MNT/$i"
		mv "$MNT/$i" "$MNT/x$i"
		rmdir "$MNT/x$i"
		test ! -e "$MNT/none"
	done
	umount "$MNT"
	ends 0
	read -r others own told <<<"$(sed -n 's/.*vfs: \([0-9]*\) changes by others, \([0-9]*\) of our own; \([0-9]*\) not.*/\1 \2 \3/p' "$LOG")"
	# Two names each. What happens to one while nobody reads is one event.
	[ "$own" -ge 200 ] || fail "$(cat "$LOG")"
	[ "$told" -le "$((others + 10))" ] && [ "$told" -lt 100 ] || fail "$(cat "$LOG")"
	# One for each name that is made, one for "none".
	[ "$(requests lookup)" -le 350 ] || fail "$(cat "$LOG")"
}

@test "who writes many small files needs no question and no notification for each; who reads them again, no question for each" {
	caches_stay
	long
	/usr/bin/python3 - "$MNT" <<-'END'
		import os, sys
		os.mkdir(sys.argv[1] + "/d")
		for i in range(150):
		    f = os.open(f"{sys.argv[1]}/d/{i}", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
		    os.write(f, b"text" * 200)
		    os.close(f)
	END
	for i in 1 2 3; do
		same 150 "$(grep -rl text "$MNT/d" | wc -l)"
	done
	umount "$MNT"
	ends 0
	# The first few are passed through. Without the two, there would be 150 and 450.
	[ "$(requests getxattr)" -le 20 ] || fail "$(cat "$LOG")"
	[ "$(requests write)" -ge 140 ] || fail "$(cat "$LOG")"
	[ "$(($(requests getattr) - $(requests create)))" -le 60 ] || fail "$(cat "$LOG")"
}

@test "SIGUSR2: how many requests of each kind there were" {
	mounted
	touch "$MNT/a" "$MNT/b"
	kill -USR2 "$SERVER"
	wait_for 10 grep -q 'create: 2' "$LOG"
	touch "$MNT/c"
	kill -TERM "$SERVER"
	ends 0
	matches "$(cat "$LOG")" 'create: 3'
}

@test "set-user-id that a write took away is gone for the kernel, too" {
	for option in passthrough nopassthrough; do
		long "$option"
		user sh -c "echo x >'$MNT/a'; chmod 4777 '$MNT/a'"
		same 4777 "$(stat -c %a "$MNT/a")"
		user sh -c "echo y >>'$MNT/a'"
		seen "test \$(stat -c %a '$MNT/a') = 777"
		user chmod 4777 "$MNT/a"
		user sh -c ": >'$MNT/a'"
		seen "test \$(stat -c %a '$MNT/a') = 777"
		umount "$MNT"
		ends 0
		rm "$BACK/a"
	done
}

@test "more changes than the kernel keeps: all is asked for again" {
	echo old >"$BACK/a"
	mkdir "$BACK/d"
	long
	same 644 "$(stat -c %a "$MNT/a")"
	run ! test -e "$MNT/d/new"
	kill -STOP "$SERVER"
	/usr/bin/python3 - "$BACK" "$(cat /proc/sys/fs/fanotify/max_queued_events)" <<-'END'
		import os, sys
		os.chdir(sys.argv[1])
		for i in range(int(sys.argv[2]) + 500):
		    os.link("a", f"l{i}")
		    os.unlink(f"l{i}")
	END
	# These are lost.
	touch "$BACK/d/new"
	chmod 600 "$BACK/a"
	kill -CONT "$SERVER"
	seen "test -e '$MNT/d/new'"
	seen "test \$(stat -c %a '$MNT/a') = 600"
	umount "$MNT"
	ends 0
	matches "$(cat "$LOG")" 'too many changes at one time'
}

@test "a file system whose changes are not told: short timeouts, by themselves" {
	mount -t ramfs none "$BACK"
	mounted
	run ! test -e "$MNT/new"
	touch "$BACK/new"
	test -e "$MNT/new"
	same 644 "$(stat -c %a "$MNT/new")"
	chmod 600 "$BACK/new"
	sleep 1.1
	same 600 "$(stat -c %a "$MNT/new")"
	umount "$MNT"
	ends 0
	umount "$BACK"
	matches "$(cat "$LOG")" 'seen by timeouts only'
}

@test "a file system mounted in the source: what is in it is seen within a second, and a file on two mounts" {
	mkdir "$BACK/sub" "$BACK/dir"
	touch "$BACK/dir/f"
	mount --bind "$BACK/dir" "$BACK/sub"
	mounted
	stat "$MNT/sub/f" "$MNT/dir/f" >/dev/null
	chmod 600 "$MNT/sub/f"
	seen "test \$(stat -c %a '$MNT/dir/f') = 600"
	chmod 640 "$MNT/dir/f"
	sleep 1.1
	same 640 "$(stat -c %a "$MNT/sub/f")"
	umount "$MNT"
	ends 0
	umount "$BACK/sub"
}

@test "capabilities of a file are seen, also if they are set just after it was made, here or there" {
	long
	for where in "$MNT" "$BACK"; do
		echo x >"$MNT/f"
		setcap cap_net_raw+ep "$where/f"
		seen "getcap '$MNT/f' | grep -q cap_net_raw"
		echo y >>"$MNT/f"
		same '' "$(getcap "$BACK/f")"
		seen "test -z \"\$(getcap '$MNT/f')\""
		rm "$MNT/f"
	done
}

# free_again KIB: at least as much as before.
free_again() { [ "$(df --output=avail "$DISK" | tail -1)" -ge "$1" ]; }

@test "a file that was read and is removed, here or behind, gives its space back; read again, it is what it is by then" {
	before=$(df --output=avail "$DISK" | tail -1)
	mounted
	for where in "$MNT" "$BACK"; do
		head -c 20M /dev/zero >"$BACK/f"
		cat "$MNT/f" "$MNT/f" >/dev/null
		rm "$where/f"
		wait_for 10 free_again "$((before - 512))"
	done
	echo one >"$BACK/g"
	same one "$(cat "$MNT/g")"
	echo two >>"$BACK/g"
	same 'one two' "$(cat "$MNT/g" | xargs)"
	# Who only reads has no descriptor in the server; what needs one gets one.
	exec 7<"$MNT/g"
	/usr/bin/python3 -c 'import os; os.fsync(7); assert os.lseek(7, 0, os.SEEK_HOLE) == 8'
	exec 7<&-
	chmod u+s "$MNT/g"
	same 'one two' "$(cat "$MNT/g" | xargs)"
	cp /bin/true "$MNT/x"
	cat "$MNT/x" >/dev/null
	"$MNT/x"
	echo more >>"$MNT/x"
}

@test "stateless: what is in memory is read without a message, and is what is there" {
	caches_stay
	run -2 "$CNTRFS" -o stateless "$BACK" "$MNT"
	matches "$output" 'stateless takes ro'
	run -2 "$CNTRFS" -o stateless,ro,hide=/a "$BACK" "$MNT"
	for i in {1..40}; do echo "text $i" >"$BACK/$i"; done
	mkdir "$BACK/d"
	cp /bin/true "$BACK/d/true"
	truncate -s 1M "$BACK/holes"
	long ro,stateless
	for i in 1 2 3; do
		same 40 "$(grep -rlx 'text [0-9]*' "$MNT" | wc -l)"
	done
	"$MNT/d/true"
	# Seen: data, names, attributes, that one name is another file.
	echo 'TEXT 1' >"$BACK/1"
	seen "grep -q TEXT '$MNT/1'"
	echo longer >>"$BACK/1"
	seen "test \$(wc -l <'$MNT/1') = 2"
	touch "$BACK/d/new"
	seen "ls '$MNT/d' | grep -qx new"
	mv "$BACK/2" "$BACK/3"
	seen "grep -q 'text 2' '$MNT/3' && ! test -e '$MNT/2' && ! ls '$MNT' | grep -qx 2"
	# What wants an open file gets one.
	/usr/bin/python3 - "$MNT" <<-'END'
		import mmap, os, sys
		f = os.open(sys.argv[1] + "/holes", os.O_RDONLY)
		assert os.lseek(f, 0, os.SEEK_HOLE) == 0
		os.fsync(f)
		d = os.open(sys.argv[1], os.O_RDONLY)
		os.fsync(d)
		m = mmap.mmap(os.open(sys.argv[1] + "/4", os.O_RDONLY), 7, prot=mmap.PROT_READ)
		assert m[:] == b"text 4\n"
	END
	same "$(lsattr -d "$BACK/d" | cut -d' ' -f1)" "$(lsattr -d "$MNT/d" | cut -d' ' -f1)"
	same "$(lsattr "$BACK/4" | cut -d' ' -f1)" "$(lsattr "$MNT/4" | cut -d' ' -f1)"
	# The tree is read-only whatever the mount is.
	"$CNTRFS" -o remount,rw "$BACK" "$MNT"
	for command in 'echo x >>$MNT/4' ': >$MNT/4' 'touch $MNT/none' 'rm $MNT/4' 'truncate -s 1 $MNT/4'; do
		run timeout 100 bash -c "MNT='$MNT'; $command"
		[ "$status" != 0 ] || fail "$command"
		matches "$output" 'Read-only file system'
	done
	same 'text 4' "$(<"$BACK/4")"
	umount "$MNT"
	ends 0
	for what in open opendir; do
		[ "$(requests $what)" -le 4 ] || fail "$(cat "$LOG")"
	done
	# Once each, and again what was changed.
	[ "$(requests read)" -le 60 ] || fail "$(cat "$LOG")"
}

@test "stateless and without sockets: a file that was read is not asked for again" {
	caches_stay
	for i in {1..40}; do echo "text $i" >"$BACK/$i"; done
	long ro,stateless,nosockets
	for i in 1 2 3; do
		same 40 "$(grep -rlx 'text [0-9]*' "$MNT" | wc -l)"
	done
	umount "$MNT"
	ends 0
	[ "$(requests read)" = 40 ] || fail "$(cat "$LOG")"
	[ "$(requests getattr)" -le 8 ] || fail "$(cat "$LOG")"
}

@test "stateless: a directory of 3,000 entries, that changes behind while it is read" {
	(cd "$BACK" && seq -f 'f%.0f' 3000 | xargs touch)
	long ro,stateless
	/usr/bin/python3 - "$MNT" "$BACK" <<-'END'
		import os, sys
		mnt, back = sys.argv[1:]
		seen = set()
		with os.scandir(mnt) as it:
		    for i, e in enumerate(it):
		        assert e.name not in seen
		        seen.add(e.name)
		        if i % 100 == 50: os.unlink(back + "/" + e.name)
		        if i % 100 == 70: open(back + "/new%d" % i, "w")
		assert len({n for n in seen if n[0] == "f"}) == 3000
	END
	umount "$MNT"
	ends 0
}
