#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# cntrfs with two trees, with other owners, with places that are hidden or cannot be changed, and without root.

load ../bed/bed

CNTRFS=$BUILD/cntrfs

# A file system of its own, with access lists and attributes.
setup_file()
{
	need fuse
	mkdir -p "$BED/views"
	truncate -s 64M "$BED/views.img"
	mkfs.ext4 -q "$BED/views.img"
	mount -o loop "$BED/views.img" "$BED/views" || skip "no loop device"
}

teardown_file() { umount --lazy "$BED/views" 2>/dev/null || :; }

setup()
{
	need fuse
	DIR=$BED/views/$BATS_TEST_NUMBER
	U=$DIR/u L=$DIR/l S=$DIR/s MNT=$DIR/m
	mkdir -p "$U" "$L" "$S" "$MNT"
}

teardown()
{
	umount --lazy "$MNT" 2>/dev/null || :
	rm -rf "$DIR"
}

# mounted OPTIONS: goes to the background once it is there.
mounted() { timeout 100 "$CNTRFS" -o "$1" "$U" "$MNT"; }

layer() { getfattr --absolute-names --only-values -n user.cntr.layer "$MNT/$1"; }

@test "merged: what is where, and what is written where" {
	mkdir -p "$U/both" "$L/both" "$L/low/deep"
	echo upper >"$U/both/a"
	echo lower | tee "$L/both/a" "$L/both/b" "$L/low/deep/f" >/dev/null
	chmod 750 "$L/low" && chown 12:34 "$L/low/deep/f" && setfattr -n user.x -v y "$L/low/deep/f"
	mounted "lower=$L,scratch=$S"
	same "$(printf 'upper\nlower')" "$(cat "$MNT/both/a" "$MNT/both/b")"
	same "$(printf 'a\nb')" "$(ls "$MNT/both")"
	echo more >>"$MNT/both/a"
	echo more >>"$MNT/low/deep/f"
	same "$(printf 'upper\nmore')" "$(cat "$U/both/a")"
	same "$(printf 'lower\nmore')" "$(cat "$S/low/deep/f")"
	same lower "$(cat "$L/low/deep/f")"
	same 750 "$(stat -c %a "$S/low")"
	same 12:34 "$(stat -c %u:%g "$S/low/deep/f")"
	same y "$(getfattr --absolute-names --only-values -n user.x "$MNT/low/deep/f")"
	same upper+lower "$(layer both)"
	same upper "$(layer both/a)"
	same scratch "$(layer low/deep/f)"
	same lower "$(layer both/b)"
	rm "$MNT/both/b" && rm -r "$MNT/low"
	same a "$(ls "$MNT/both")"
	[ -e "$L/low/deep/f" ] && [ -e "$L/both/b" ] && [ ! -e "$U/low" ]
	# The scratch layer is one that the next mount can have.
	umount "$MNT"
	mounted "lower=$L,scratch=$S"
	same both "$(ls "$MNT")"
	same a "$(ls "$MNT/both")"
}

@test "merged: programs run, mappings see what is written, files that are open stay what they were" {
	cp /usr/bin/expr "$L/tool"
	echo old >"$L/f"
	mounted "lower=$L,scratch=$S"
	same 3 "$("$MNT/tool" 1 + 2)"
	/usr/bin/python3 - "$MNT" <<-'END'
		import mmap, os, sys
		os.chdir(sys.argv[1])
		old = os.open("f", os.O_RDONLY)
		new = os.open("f", os.O_RDWR)
		assert os.pread(new, 9, 0) == b"old\n"
		m = mmap.mmap(new, 4)
		m[:3] = b"new"
		assert os.pread(new, 9, 0) == b"new\n"
		assert os.pread(old, 9, 0) == b"old\n"
		assert open("f").read() == "new\n"
		os.truncate("f", 1)
		assert os.stat("f").st_size == 1
		# As editors do: a new file in place of the old one.
		open("f.tmp", "w").write("edited")
		os.rename("f.tmp", "f")
		assert open("f").read() == "edited"
		os.utime("tool", (1, 2))
		assert os.stat("tool").st_mtime == 2
	END
	same edited "$(cat "$U/f")"
	same old "$(cat "$L/f")"
}

@test "merged: a directory that changes while it is read" {
	(cd "$L" && seq -f 'l%.0f' 2000 | xargs touch)
	(cd "$U" && seq -f 'u%.0f' 2000 | xargs touch && seq -f 'l%.0f' 500 | xargs touch)
	mounted "lower=$L,scratch=$S"
	/usr/bin/python3 - "$MNT" <<-'END'
		import os, sys
		seen = set()
		with os.scandir(sys.argv[1]) as it:
		    for i, e in enumerate(it):
		        assert e.name not in seen, e.name
		        seen.add(e.name)
		        if i == 100:
		            os.unlink(sys.argv[1] + "/l1999"); os.unlink(sys.argv[1] + "/u7"); os.unlink(sys.argv[1] + "/l7")
		            open(sys.argv[1] + "/new", "w")
		assert {"u%d" % i for i in range(1, 2001)} - seen <= {"u7"}
		assert {"l%d" % i for i in range(1, 2001)} - seen <= {"l1999", "l7"}
		assert len(os.listdir(sys.argv[1])) == 4000 - 3 + 1
	END
}

@test "merged: many at once, while the upper tree changes behind" {
	mkdir -p "$L/d" "$U/d"
	(cd "$L/d" && seq 200 | xargs touch)
	mounted "lower=$L,scratch=$S,entry_timeout=0,attr_timeout=0"
	spawn "$DIR/log" sh -c "cd '$U' && while :; do mv d e; mkdir d; touch d/x; rm -r d; mv e d; done"
	local racer=$!
	/usr/bin/python3 - "$MNT/d" <<-'END'
		import os, random, sys, threading, time
		end = time.monotonic() + 4
		bad = []
		def work(n):
		    r = random.Random(n)
		    while time.monotonic() < end:
		        p = "%s/%d" % (sys.argv[1], r.randint(1, 200))
		        try:
		            match r.randint(0, 5):
		                case 0: os.listdir(sys.argv[1])
		                case 1: open(p, "a").write("x")
		                case 2: os.unlink(p)
		                case 3: os.rename(p, p + "x")
		                case 4: os.stat(p)
		                case 5: os.mkdir(p); os.rmdir(p)
		        except OSError: pass
		        except BaseException as e: bad.append(e)
		t = [threading.Thread(target=work, args=(i,)) for i in range(4)]
		[x.start() for x in t]; [x.join() for x in t]
		assert not bad, bad
	END
	kill "$racer"
	wait "$racer" || :
	mountpoint -q "$MNT"
	timeout 100 ls "$MNT" >/dev/null
	same 200 "$(find "$L/d" -type f -empty | wc -l)" "files of the lower tree"
}

@test "merged: without a scratch layer the lower tree is read-only" {
	mkdir -p "$L/low" "$U/up"
	echo x >"$L/low/f"
	mounted "lower=$L"
	run ! sh -c "echo y >>'$MNT/low/f'"
	matches "$output" 'Read-only'
	run ! rm "$MNT/low/f"
	run ! touch "$MNT/low/new"
	touch "$MNT/up/new" "$MNT/new"
	same x "$(cat "$MNT/low/f")"
}

@test "owners: mapped both ways, in access lists, too" {
	touch "$U/a" "$U/other" && chown 100005:100006 "$U/a"
	chown 100000:100000 "$U" && setfacl -m u:100007:r "$U/a"
	mounted "map-users=0:100000:1000,map-groups=0:100000:1000"
	same 5:6 "$(stat -c %u:%g "$MNT/a")"
	same 65534:65534 "$(stat -c %u:%g "$MNT/other")"
	matches "$(getfacl -n "$MNT/a" 2>/dev/null)" 'user:7:r'
	touch "$MNT/new" && chown 9:10 "$MNT/new" && setfacl -m g:11:rw "$MNT/new"
	same 100009:100010 "$(stat -c %u:%g "$U/new")"
	matches "$(getfacl -n "$U/new" 2>/dev/null)" 'group:100011:rw'
	chmod 777 "$MNT"
	setpriv --reuid 50 --regid 60 --clear-groups mkdir "$MNT/d"
	same 100050:100060 "$(stat -c %u:%g "$U/d")"
	run ! chown 5000 "$MNT/new"
	matches "$output" 'Value too large'
	run ! setfacl -m u:5000:r "$MNT/new"
	run ! setpriv --reuid 5000 --regid 5000 --clear-groups touch "$MNT/e"
	matches "$output" 'Value too large'
	[ ! -e "$U/e" ]
	# It is 65534 that they look like, and that is nobody's right.
	run ! setpriv --reuid 65534 --regid 65534 --clear-groups touch "$MNT/e"
	echo s >"$U/other" && chmod 600 "$U/other"
	run ! setpriv --reuid 65534 --regid 65534 --clear-groups cat "$MNT/other"
	matches "$output" 'Permission denied'
	run ! sh -c "echo x >>'$MNT/other'" # nor root's
	run ! chown 5 "$MNT/other"
	same s "$(<"$U/other")"
	# What a program may do would hold for all.
	run ! setcap cap_net_raw+ep "$MNT/a"
	run ! setfattr -n security.x -v 1 "$MNT/a"
	matches "$output" 'not permitted'
}

@test "policy: what is hidden is not there, and not to be had by a handle" {
	mkdir -p "$U/secret" "$U/open" "$U/ro/deep"
	echo s >"$U/secret/f" && echo r >"$U/ro/deep/f" && echo "o" >"$U/open/f"
	mounted "hide=/secret,hide=ro/none,ro=/ro"
	same "$(printf 'open\nro')" "$(ls "$MNT")"
	run ! cat "$MNT/secret/f"
	matches "$output" 'No such file'
	run ! mkdir "$MNT/secret"
	run ! mv "$MNT/open" "$MNT/secret"
	run ! mv "$MNT/ro" "$MNT/elsewhere"
	run ! sh -c "echo x >'$MNT/ro/deep/f'"
	matches "$output" 'Read-only'
	run ! ln "$MNT/ro/deep/f" "$MNT/open/link"
	matches "$output" 'cross-device'
	run ! mv "$MNT/open/f" "$MNT/ro/f"
	run ! chattr +d "$MNT/ro/deep/f"
	same r "$(cat "$MNT/ro/deep/f")"
	mv "$MNT/open" "$MNT/opened"
	# A rename behind brings nothing into the open.
	mv "$U/opened" "$U/secret2" && mv "$U/secret" "$U/old" && mv "$U/secret2" "$U/secret"
	wait_for 5 test ! -e "$MNT/opened"
	[ ! -e "$MNT/secret" ] && [ -e "$MNT/old/f" ]
	umount "$MNT"
	# The handle of a node is its number on the mount: one of another mount opens nothing that is hidden here.
	mounted ""
	/usr/bin/python3 - "$CNTRFS" "$U" "$MNT" <<-'END'
		import ctypes, os, subprocess, sys
		libc = ctypes.CDLL(None, use_errno=True)
		class handle(ctypes.Structure):
		    _fields_ = [("bytes", ctypes.c_uint), ("type", ctypes.c_int), ("data", ctypes.c_ubyte * 128)]
		cntrfs, back, mnt = sys.argv[1:]
		h, m = handle(bytes=128), ctypes.c_int()
		assert libc.name_to_handle_at(-100, (mnt + "/secret/f").encode(), ctypes.byref(h), ctypes.byref(m), 0) == 0
		subprocess.check_call(["umount", mnt])
		subprocess.check_call([cntrfs, "-o", "hide=/secret", back, mnt])
		top = os.open(mnt, os.O_RDONLY)
		for node in range(64):
		    h.data[0] = node
		    fd = libc.open_by_handle_at(top, ctypes.byref(h), os.O_RDONLY)
		    assert fd < 0 or not os.path.exists("/proc/self/fd/%d/f" % fd) or os.fstat(fd).st_ino != os.stat(back + "/secret").st_ino
	END
}

@test "policy: what is hidden has no other name: links, hard links, a second mount" {
	mkdir -p "$U/usr/bin" "$U/data" "$U/pub" "$U/mnt"
	echo s | tee "$U/usr/bin/su" "$U/data/key" >/dev/null
	echo o | tee "$U/usr/bin/ls" "$U/data/open" >/dev/null
	ln -s usr/bin "$U/bin" && ln -s ../data/key "$U/pub/key" && ln -s ../data "$U/pub/dir" && ln -s "$MNT/data" "$U/pub/out"
	ln "$U/data/key" "$U/pub/hard"
	mount --bind "$U/data" "$U/mnt"
	mounted "hide=/bin/su,hide=/pub/key,ro=/bin"
	for path in bin/su usr/bin/su usr/bin/../bin/su pub/key data/key pub/dir/key pub/out/key pub/hard mnt/key \
		pub/../data/key; do
		run ! cat "$MNT/$path"
		matches "$output" 'No such file'
	done
	run ! sh -c "echo x >'$MNT/pub/hard'"
	run ! mv "$MNT/data/open" "$MNT/pub/hard"
	run ! touch "$MNT/usr/bin/new"
	matches "$output" 'Read-only'
	same "$(printf 'o\no\no')" "$(cat "$MNT/bin/ls" "$MNT/usr/bin/ls" "$MNT/pub/dir/open")"
	# Also if it comes to be one later, by whomever.
	ln "$U/data/key" "$U/pub/later"
	ln -s data/key "$U/later"
	run ! cat "$MNT/pub/later" "$MNT/later"
	same s "$(<"$U/data/key")"
	umount "$MNT"
	umount "$U/mnt"
}

@test "policy: in a directory that ignores case" {
	truncate -s 8M "$DIR/fold.img"
	mkfs.ext4 -q -O casefold "$DIR/fold.img"
	mount -o loop "$DIR/fold.img" "$U" 2>/dev/null || skip "this kernel has no file system that ignores case"
	mkdir "$U/case"
	chattr +F "$U/case"
	mkdir "$U/case/Secret"
	echo s >"$U/case/Secret/f"
	mounted "hide=/case/secret"
	for path in case/Secret/f case/SECRET/f case/secret; do
		run ! cat "$MNT/$path"
		matches "$output" 'No such file'
	done
	run ! mkdir "$MNT/case/SECRET"
	umount "$MNT"
	umount "$U"
}

@test "without root: in a user namespace of one's own" {
	need userns
	local dir=$BED/user/views
	mkdir -p "$dir/u" "$dir/l" "$dir/s" "$dir/m"
	echo l >"$dir/l/f"
	cp "$CNTRFS" "$BED/user/cntrfs"
	chown -R bed: "$dir" "$BED/user/cntrfs"
	run timeout 100 "$AS_USER" unshare -Urm sh -ec "cd '$dir'
		'$BED/user/cntrfs' -o lower=l,scratch=s u m
		cat m/f; echo new >>m/f; cat m/f; touch m/g; stat -c %u:%g m/g
		umount m
		'$BED/user/cntrfs' u m
		echo plain >m/p; ls m; umount m"
	same 0 "$status" "$output"
	same "$(printf 'l\nl\nnew\n0:0\ng\np')" "$output"
	same "61000:61000" "$(stat -c %u:%g "$dir/u/g")"
	same l "$(cat "$dir/l/f")"
	rm -rf "$dir"
}
