#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# cntrfs: a directory mounted a second time, through FUSE. What other suites of file systems found is here, too.

load ../bed/bed
load ../bed/cntrfs

@test "it goes to the background once it is mounted, and ends when it is unmounted" {
	"$CNTRFS" "$BACK" "$MNT"
	mountpoint "$MNT"
	same fuse.cntrfs "$(findmnt -no FSTYPE "$MNT")"
	same "$BACK" "$(findmnt -no SOURCE "$MNT")"
	echo one >"$MNT/a"
	same one "$(cat "$BACK/a")"
	pid=$(pgrep -of "^$CNTRFS $BACK")
	umount "$MNT"
	wait_for 10 test ! -e "/proc/$pid"
}

@test "mount(8) finds it, with the options of a line in fstab" {
	ln -sf "$CNTRFS" /sbin/mount.fuse.cntrfs 2>/dev/null || skip "cannot put a helper into /sbin"
	run mount -t fuse.cntrfs -o ro,nosuid,nodev,noatime,x-systemd.automount,attr_timeout=0.5 "$BACK" "$MNT"
	rm /sbin/mount.fuse.cntrfs
	same 0 "$status" "$output"
	matches "$(findmnt -no OPTIONS "$MNT")" 'ro,nosuid,nodev,noatime'
	run ! touch "$MNT/a"
	matches "$output" 'Read-only file system'
	umount "$MNT"
}

@test "closed standard descriptors: none of its own gets to stand there" {
	local how
	for how in '<&-' '>&-' '2>&-' '<&- >&- 2>&-'; do
		eval "$CNTRFS $BACK $MNT $how"
		mountpoint -q "$MNT"
		umount "$MNT"
	done
}

@test "wrong usage is said, and nothing is mounted" {
	run -2 "$CNTRFS"
	run -2 "$CNTRFS" "$BACK"
	run -2 "$CNTRFS" -o nonsense "$BACK" "$MNT"
	matches "$output" "no option 'nonsense'"
	run -2 "$CNTRFS" -o attr_timeout=-1 "$BACK" "$MNT"
	run -2 "$CNTRFS" -o threads=0 "$BACK" "$MNT"
	run -1 "$CNTRFS" "$BACK/none" "$MNT"
	matches "$output" "cannot open .*/none"
	run -1 "$CNTRFS" "$BACK" "$MNT/none"
	run -1 user "$CNTRFS" -f "$BACK" "$MNT"
	matches "$output" 'be root'
	run ! mountpoint -q "$MNT"
}

@test "SIGTERM unmounts; what was written is there" {
	mounted
	echo data >"$MNT/a"
	kill -TERM "$SERVER"
	ends 0
	run ! mountpoint -q "$MNT"
	same data "$(cat "$BACK/a")"
}

@test "SIGTERM of a mount that is in use: it is gone, who uses it gets an error, nobody hangs" {
	mounted -o nopassthrough
	seq 100000 >"$BACK/a"
	exec 7<"$MNT/a"
	kill -TERM "$SERVER"
	ends 0
	run ! mountpoint -q "$MNT"
	run timeout 100 cat <&7
	exec 7<&-
	same 1 "$status" "$output"
}

# Each uses the mount until that gives an error, and says which.
users()
{
	cat >"$BED/users.py" <<-'END'
		import ctypes, errno, fcntl, mmap, os, sys, threading
		mnt, kind = sys.argv[1:]
		libc = ctypes.CDLL(None, use_errno=True)
		name = mnt + "/" + kind
		def read(): open(mnt + "/a", "rb").read()
		def write():
		    f = os.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND)
		    os.write(f, bytes(5000)); os.fsync(f); os.close(f)
		def mapped():
		    with open(mnt + "/a", "r+b") as f:
		        m = mmap.mmap(f.fileno(), 4096)
		        m[0:1] = b"1"; m.flush(); m.close()
		def names():
		    os.mkdir(name); os.rename(name, name + "2"); os.rmdir(name + "2"); os.listdir(mnt)
		def lock():
		    with open(mnt + "/lock", "w") as f: fcntl.flock(f, fcntl.LOCK_EX)
		def sync():
		    f = os.open(mnt, os.O_RDONLY)
		    if libc.syncfs(f): raise OSError(ctypes.get_errno(), "syncfs")
		    os.close(f)
		while True:
		    try: locals()[kind]()
		    except OSError as e:
		        print(errno.errorcode[e.errno])
		        break
	END
	for kind in read write mapped names lock sync; do
		spawn "$LOG.$kind" /usr/bin/python3 "$BED/users.py" "$MNT" "$kind"
		workers+=($!)
	done
}

@test "kill -9, of a server that answers and of one that hangs: ENOTCONN, no process waits for ever, the next mount works" {
	for option in passthrough nopassthrough; do
		for state in CONT STOP; do
			workers=()
			rm -rf "${BACK:?}"/*
			seq 5000 >"$BACK/a"
			mounted -o "$option"
			users
			sleep 0.5
			kill "-$state" "$SERVER"
			sleep 0.2
			for worker in "${workers[@]}"; do alive "$worker"; done
			kill -KILL "$SERVER"
			ends 137
			for worker in "${workers[@]}"; do
				# Also not in state D, in which nothing could end it.
				wait_for 10 eval "! alive $worker"
			done
			# ECONNABORTED: one that waited for an answer; ECANCELED: through a ring.
			same '' "$(grep -vxE 'ENOTCONN|ECONNABORTED|ECANCELED' "$LOG".{read,write,mapped,names,lock,sync})"
			run ! timeout 100 stat "$MNT"
			# The second is of a request that waits in a ring.
			matches "$output" 'not connected|connection abort'
			umount --lazy "$MNT"
		done
	done
	mounted
	touch "$MNT/b"
}

@test "attributes are those of the file behind" {
	mounted
	touch "$MNT/f"
	mkdir "$MNT/d"
	ln -s f "$MNT/l"
	mkfifo "$MNT/p"
	mknod "$MNT/c" c 300 70000
	ln "$MNT/f" "$MNT/h"
	chown 12:34 "$MNT/f"
	chown -h 56:78 "$MNT/l"
	chmod 4711 "$MNT/f"
	touch -d '2001-02-03 04:05:06.123456789' "$MNT/f"
	truncate -s 5G "$MNT/f"
	for x in f d l p c h .; do
		both "$x" '%f %h %u %g %t %T %s %i %X %.9Y %.9Z'
	done
	both f '%.9W'
	same f "$(readlink "$MNT/l")"
	same '12:34 2 4711' "$(stat -c '%u:%g %h %a' "$BACK/h")"
}

@test "a file is of its maker; umask, set-group-id and default access lists do what they do behind it" {
	mounted
	(umask 027; user touch "$MNT/a")
	same '1234 1234 640' "$(stat -c '%u %g %a' "$BACK/a")"
	mkdir -m 2777 "$BACK/sgid"
	chown 0:77 "$BACK/sgid"
	chmod 2777 "$BACK/sgid"
	user mkdir "$MNT/sgid/d"
	user touch "$MNT/sgid/f"
	same '1234 77 2755' "$(stat -c '%u %g %a' "$BACK/sgid/d")"
	same '1234 77' "$(stat -c '%u %g' "$BACK/sgid/f")"
	mkdir "$BACK/acl"
	chmod 777 "$BACK/acl"
	setfacl -d -m u::rwx,g::rwx,o::rwx,u:99:rw "$BACK/acl"
	(umask 077; user touch "$MNT/acl/f")
	same 666 "$(stat -c %a "$BACK/acl/f")"
	same "$(getfacl -cn "$BACK/acl/f")" "$(getfacl -cn "$MNT/acl/f")"
	matches "$(getfacl -cn "$MNT/acl/f")" 'user:99:rw-'
}

@test "permissions are checked, with groups and access lists" {
	mounted
	echo secret >"$BACK/a"
	chmod 600 "$BACK/a"
	run ! user cat "$MNT/a"
	matches "$output" 'Permission denied'
	setfacl -m u:1234:r "$MNT/a"
	same secret "$(user cat "$MNT/a")"
	setfacl -b "$BACK/a"
	chown 0:55 "$BACK/a"
	chmod 640 "$BACK/a"
	sleep 1.1
	same secret "$(setpriv --reuid 1234 --regid 1234 --groups 55 cat "$MNT/a")"
	run ! user chmod 777 "$MNT/a"
	mkdir -m 700 "$BACK/d"
	run ! user ls "$MNT/d"
}

@test "a write takes set-user-id; a chmod by one who is not in the group set-group-id" {
	mounted
	for option in passthrough small=always nopassthrough; do
		umount "$MNT"
		ends 0
		mounted -o "$option"
		rm -f "$BACK/a"
		user sh -c "echo x >'$MNT/a'; chmod 4777 '$MNT/a'"
		same 4777 "$(stat -c %a "$BACK/a")"
		user sh -c "echo y >>'$MNT/a'"
		same 777 "$(stat -c %a "$BACK/a")" "$option"
		user chmod 4777 "$MNT/a"
		user sh -c ": >'$MNT/a'"
		same 777 "$(stat -c %a "$BACK/a")" "$option"
		user chmod 4777 "$MNT/a"
		user truncate -s 9 "$MNT/a"
		same 777 "$(stat -c %a "$BACK/a")" "$option"
	done
	chown 1234:55 "$BACK/a"
	sleep 1.1
	user chmod 2777 "$MNT/a"
	same 777 "$(stat -c %a "$BACK/a")"
	# The same by an access list.
	chmod 2777 "$BACK/a"
	sleep 1.1
	user setfacl -m u:99:r "$MNT/a"
	run ! test -g "$BACK/a"
}

@test "set-id bits: root's writes keep them, all that others write takes them, and the mount shows that at once" {
	for option in passthrough small=always nopassthrough; do
		mounted -o "$option"
		rm -f "$BACK"/[ab]
		user /usr/bin/python3 - "$MNT" <<-'END'
			import ctypes, mmap, os, sys
			a, b = (sys.argv[1] + x for x in ("/a", "/b"))
			libc = ctypes.CDLL(None, use_errno=True)
			libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
			page = mmap.mmap(-1, 4096)
			with open(b, "wb") as f: f.write(bytes(16384))
			with open(a, "wb") as f: f.write(bytes(16384))
			source = os.open(b, os.O_RDONLY)
			def mode(): return os.stat(a).st_mode & 0o7777
			def tried(name, flags, write):
			    os.chmod(a, 0o6777)
			    f = os.open(a, os.O_RDWR | flags)
			    write(f)
			    assert mode() == 0o777, (name, oct(mode()))
			    os.close(f)
			tried("write", 0, lambda f: os.write(f, b"x"))
			tried("append", os.O_APPEND, lambda f: os.write(f, b"x"))
			tried("direct", os.O_DIRECT, lambda f: os.pwritev(f, [page], 0))
			tried("allocate", 0, lambda f: libc.fallocate(f, 0, 0, 40000))
			tried("hole", 0, lambda f: libc.fallocate(f, 3, 0, 4096))
			tried("zero", 0, lambda f: libc.fallocate(f, 16, 0, 4096))
			tried("copy", 0, lambda f: os.copy_file_range(source, f, 4096))
			tried("truncate", 0, lambda f: os.ftruncate(f, 5000))
			tried("open", os.O_TRUNC, lambda f: None)
			# Without group execution set-group-id is no set-id bit; who is in the group keeps it.
			os.chmod(a, 0o2766)
			os.truncate(a, 9)
			assert mode() == 0o2766, oct(mode())
		END
		chmod 6777 "$MNT/a"
		echo x >>"$MNT/a"
		same 6777 "$(stat -c %a "$MNT/a")" "$option"
		umount "$MNT"
		ends 0
	done
}

@test "a file that can only be appended to, one that cannot be changed; the time of change of an attribute" {
	for option in passthrough small=always nopassthrough; do
		mounted -o "$option"
		echo one >"$MNT/a"
		before=$(stat -c %Z "$MNT/a")
		sleep 1.1
		chattr +a "$MNT/a"
		[ "$(stat -c %Z "$MNT/a")" -gt "$before" ]
		echo two >>"$MNT/a"
		same 'one two' "$(xargs <"$BACK/a")"
		run ! sh -c "echo three >'$MNT/a'"
		run ! rm "$MNT/a"
		# A mapping would write where it likes.
		/usr/bin/python3 - "$MNT/a" <<-'END'
			import mmap, os, sys
			f = os.open(sys.argv[1], os.O_RDWR | os.O_APPEND)
			m = mmap.mmap(f, 8)
			m[0:3] = b"bad"
			try: m.flush()
			except OSError: pass
		END
		same 'one two' "$(xargs <"$BACK/a")"
		chattr -a +i "$MNT/a"
		run ! sh -c "echo three >>'$MNT/a'"
		chattr -i "$MNT/a"
		rm "$MNT/a"
		umount "$MNT"
		ends 0
	done
}

@test "times of access are kept as the mount's options say" {
	echo x >"$BACK/a"
	for option in noatime strictatime ro,strictatime; do
		touch -d '2 days ago' "$BACK/a"
		touch -ad '1 day ago' "$BACK/a"
		before=$(stat -c %X "$BACK/a")
		mounted -o "$option"
		cat "$MNT/a" >/dev/null
		after=$(stat -c %X "$MNT/a")
		case $option in
		noatime | ro,*) same "$before" "$after" ;;
		*) [ "$after" -gt "$before" ] ;;
		esac
		umount "$MNT"
		ends 0
	done
}

@test "mount -o remount: read-only and back, with other attributes" {
	mounted -o nosuid
	"$CNTRFS" -o remount,ro,noexec "$BACK" "$MNT"
	matches "$(findmnt -no OPTIONS "$MNT")" '^ro,noexec'
	run ! touch "$MNT/a"
	matches "$output" 'Read-only file system'
	"$CNTRFS" -o remount,rw "$BACK" "$MNT"
	touch "$MNT/a"
	run ! grep -E 'nosuid|noexec' <<<"$(findmnt -no OPTIONS "$MNT")"
	run -1 "$CNTRFS" -o remount,ro "$BACK" "$BACK"
	matches "$output" 'no mount of cntrfs'
}

@test "extended attributes: set, listed, removed; root's own are root's" {
	mounted
	touch "$MNT/a"
	chmod 666 "$MNT/a"
	setfattr -n user.x -v 1 "$MNT/a"
	setfattr -n trusted.y -v 2 "$MNT/a"
	same "$(getfattr --absolute-names -dm- "$BACK/a" | tail -n +2)" "$(getfattr --absolute-names -dm- "$MNT/a" | tail -n +2)"
	matches "$(getfattr -dm- "$MNT/a")" 'trusted.y="2"'
	run user getfattr -dm- "$MNT/a"
	matches "$output" 'user.x="1"'
	run ! grep -q trusted <<<"$output"
	setfattr -x user.x "$MNT/a"
	run ! getfattr -n user.x "$MNT/a"
	matches "$output" 'No such attribute'
}

@test "data: read, written, mapped, copied, with holes, past the cache; both ways" {
	for option in passthrough small=always nopassthrough; do
		mounted -o "$option"
		/usr/bin/python3 - "$MNT" "$BACK" <<-'END'
			import ctypes, fcntl, mmap, os, sys
			mnt, back = sys.argv[1:]
			def there(name): return open(back + "/" + name, "rb").read()
			f = os.open(mnt + "/f", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
			data = os.urandom(3 << 20)
			assert os.write(f, data) == len(data)
			assert there("f") == data and os.pread(f, 1 << 21, 12345) == data[12345:12345 + (1 << 21)]
			m = mmap.mmap(f, len(data))
			m[100:105] = b"hello"
			m.flush()
			assert there("f")[100:105] == b"hello"
			del m
			os.fsync(f); os.fdatasync(f)
			os.posix_fallocate(f, 0, 4 << 20)
			assert os.fstat(f).st_size == 4 << 20
			libc = ctypes.CDLL(None, use_errno=True)
			libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
			assert libc.fallocate(f, 3, 1 << 20, 1 << 20) == 0  # a hole, the size kept
			assert os.lseek(f, 0, os.SEEK_HOLE) == 1 << 20
			assert os.lseek(f, 1 << 20, os.SEEK_DATA) == 2 << 20
			g = os.open(mnt + "/g", os.O_RDWR | os.O_CREAT)
			assert os.copy_file_range(f, g, 1 << 20, 0, 0) == 1 << 20
			assert there("g") == there("f")[:1 << 20]
			d = os.open(mnt + "/g", os.O_RDWR | os.O_DIRECT)
			page = mmap.mmap(-1, 8192)
			page[:] = b"D" * 8192
			assert os.pwritev(d, [page], 4096) == 8192
			assert there("g")[4096:12288] == b"D" * 8192
			assert os.preadv(d, [page], 0) == 8192 and page[4096:] == b"D" * 4096
			a = os.open(mnt + "/g", os.O_WRONLY | os.O_APPEND)
			os.write(a, b"end")
			assert there("g").endswith(b"end")
			# A mapping of a file that is open for appending, or past the cache, is written where it is.
			for flag in os.O_APPEND, os.O_DIRECT:
			    h = os.open(mnt + "/h", os.O_RDWR | os.O_CREAT | flag)
			    os.truncate(mnt + "/h", 5000)
			    m = mmap.mmap(h, 5000)
			    m[10:15] = m[4990:4995] = b"there"
			    m.flush()
			    assert len(there("h")) == 5000 and there("h")[10:15] == there("h")[4990:4995] == b"there"
			    del m
			    os.close(h)
			    os.unlink(mnt + "/h")
			# What somebody appended to the file behind is not written over.
			with open(back + "/g", "ab") as b: b.write(b"behind")
			os.write(a, b"more")
			assert there("g").endswith(b"endbehindmore")
			# With the name gone the file stays, as long as it is open.
			os.unlink(mnt + "/g")
			assert os.fstat(g).st_nlink == 0 and os.pread(g, 4, 4096) == b"DDDD"
			t = os.open(mnt, os.O_RDWR | os.O_TMPFILE, 0o600)
			os.write(t, b"nameless")
			fd = b"/proc/self/fd/%d" % t
			assert libc.linkat(-100, fd, -100, (mnt + "/named").encode(), 0x400) == 0  # AT_SYMLINK_FOLLOW
			assert there("named") == b"nameless"
			os.open(mnt + "/f", os.O_WRONLY | os.O_TRUNC)
			assert there("f") == b""
			for n in "f", "named": os.unlink(mnt + "/" + n)
			fcntl.flock(t, fcntl.LOCK_EX)
			fcntl.lockf(t, fcntl.LOCK_EX)
		END
		umount "$MNT"
		ends 0
	done
}

@test "a limit on the size of files, and a full disk, are the caller's errors" {
	for option in passthrough small=always nopassthrough; do
		mounted -o "$option"
		run bash -c "trap '' XFSZ; ulimit -f 1; dd if=/dev/zero of='$MNT/a' bs=4096 count=2"
		matches "$output" 'File too large'
		same 1024 "$(stat -c %s "$BACK/a")"
		run user dd if=/dev/zero of="$MNT/b" bs=1M
		matches "$output" 'No space left on device'
		rm "$MNT/a" "$MNT/b"
		umount "$MNT"
		ends 0
	done
}

# disk NAME SIZE TYPE: a file system of its own at $BACK/NAME.
disk()
{
	grep -qw "$3" /proc/filesystems || skip "this kernel has no $3"
	mkdir "$BACK/$1"
	truncate -s "$2" "$BED/$1.img"
	"mkfs.$3" -q "$BED/$1.img"
	mount -o loop "$BED/$1.img" "$BACK/$1"
}

@test "a quota that ends is the caller's error" {
	disk quota 128M btrfs
	btrfs quota enable "$BACK/quota"
	btrfs qgroup limit 2M "$BACK/quota"
	for option in passthrough small=always nopassthrough; do
		mounted -o "$option"
		run dd if=/dev/urandom of="$MNT/quota/a" bs=64k count=100 conv=fsync
		same 1 "$status" "$output"
		matches "$output" 'Disk quota exceeded'
		rm "$MNT/quota/a"
		umount "$MNT"
		ends 0
	done
	umount --lazy "$BACK/quota"
}

@test "a snapshot's files, whose numbers are those of the origin, are others" {
	disk origin 128M btrfs
	btrfs subvolume create "$BACK/origin/vol" >/dev/null
	echo old >"$BACK/origin/vol/a"
	btrfs subvolume snapshot "$BACK/origin/vol" "$BACK/origin/snap" >/dev/null
	mounted
	same old "$(<"$MNT/origin/vol/a")"
	echo new >"$MNT/origin/snap/a"
	same old "$(<"$BACK/origin/vol/a")"
	same new "$(<"$BACK/origin/snap/a")"
	same old "$(<"$MNT/origin/vol/a")"
	[ "$(stat -c %i "$MNT/origin/vol/a")" != "$(stat -c %i "$MNT/origin/snap/a")" ]
	umount "$MNT"
	ends 0
	umount --lazy "$BACK/origin"
}

@test "a disk that fails and a tree that is read-only are the caller's errors" {
	disk bad 16M ext4
	head -c 12M /dev/urandom >"$BACK/bad/a"
	mkdir -m 777 "$BACK/ro"
	touch "$BACK/ro/a"
	mount --bind "$BACK/ro" "$BACK/ro"
	mount -o remount,bind,ro "$BACK/ro"
	# Nothing of it is in memory, and most of it is no longer on the disk.
	umount "$BACK/bad"
	mount -o loop "$BED/bad.img" "$BACK/bad"
	truncate -s 4M "$BED/bad.img"
	for option in passthrough small=always nopassthrough; do
		mounted -o "$option"
		run dd if="$MNT/bad/a" of=/dev/null bs=1M
		same 1 "$status" "$output"
		matches "$output" 'Input/output error'
		for command in 'touch $MNT/ro/b' 'rm $MNT/ro/a' 'tee -a $MNT/ro/a' 'chmod 600 $MNT/ro/a' 'truncate -s 1 $MNT/ro/a' \
			'ln $MNT/ro/a $MNT/ro/b' 'setfattr -n user.x -v 1 $MNT/ro/a'; do
			run timeout 100 sh -c "MNT='$MNT'; $command" </dev/null
			same 1 "$status" "$command: $output"
			matches "$output" 'Read-only file system'
		done
		umount "$MNT"
		ends 0
	done
	umount --lazy "$BACK/bad" "$BACK/ro"
}

@test "renames: over, not over, exchanged" {
	mounted
	echo 1 >"$MNT/a"
	echo 2 >"$MNT/b"
	/usr/bin/python3 - "$MNT" <<-'END'
		import ctypes, errno, sys
		libc = ctypes.CDLL(None, use_errno=True)
		a, b = (sys.argv[1] + x for x in ("/a", "/b"))
		def rename(a, b, flags): return libc.renameat2(-100, a.encode(), -100, b.encode(), flags)
		assert rename(a, b, 1) == -1 and ctypes.get_errno() == errno.EEXIST
		assert rename(a, b, 2) == 0
	END
	same '2 1' "$(cat "$MNT/a" "$MNT/b" | xargs)"
	mv "$MNT/a" "$MNT/b"
	same 2 "$(cat "$BACK/b")"
	run ! test -e "$MNT/a"
}

@test "names that are too long, targets that are too deep" {
	mounted
	long=$(printf 'x%.0s' {1..256})
	run ! touch "$MNT/$long"
	matches "$output" 'File name too long'
	touch "$MNT/${long:1}"
	test -e "$BACK/${long:1}"
	run ! mkdir "$MNT/$long"
	matches "$output" 'File name too long'
	run ! mv "$MNT/${long:1}" "$MNT/$long"
	matches "$output" 'File name too long'
}

@test "a directory of 3,000 entries, that changes while it is read" {
	mounted
	(cd "$BACK" && seq -f 'f%.0f' 3000 | xargs touch)
	same 3000 "$(find "$MNT" -mindepth 1 | wc -l)"
	/usr/bin/python3 - "$MNT" <<-'END'
		import os, sys
		seen = set()
		with os.scandir(sys.argv[1]) as it:
		    for i, e in enumerate(it):
		        assert e.name not in seen
		        seen.add(e.name)
		        # What is not reached yet and stays is seen once.
		        if i == 100: os.unlink(sys.argv[1] + "/" + e.name)
		        if i == 200: open(sys.argv[1] + "/new", "w")
		assert len(seen - {"new"}) == 3000
	END
}

@test "a file handle is good after the caches are gone" {
	mounted
	echo handle >"$MNT/a"
	mkdir -p "$MNT/d/e"
	echo deep >"$MNT/d/e/f"
	flock --shared "$CACHES_LOCK" /usr/bin/python3 - "$MNT" <<-'END'
		import ctypes, os, sys, time
		libc = ctypes.CDLL(None, use_errno=True)
		mnt = sys.argv[1]
		class handle(ctypes.Structure):
		    _fields_ = [("bytes", ctypes.c_uint), ("type", ctypes.c_int), ("data", ctypes.c_ubyte * 128)]
		def get(path):
		    h, m = handle(bytes=128), ctypes.c_int()
		    assert libc.name_to_handle_at(-100, path.encode(), ctypes.byref(h), ctypes.byref(m), 0) == 0
		    return h
		all = [(get(mnt + p), want) for p, want in (("/a", b"handle\n"), ("/d/e/f", b"deep\n"))]
		gone = get(mnt + "/a")
		top = os.open(mnt, os.O_RDONLY)
		open("/proc/sys/vm/drop_caches", "w").write("2")
		for h, want in all:
		    fd = libc.open_by_handle_at(top, ctypes.byref(h), os.O_RDONLY)
		    assert fd >= 0, os.strerror(ctypes.get_errno())
		    assert os.read(fd, 100) == want
		    os.close(fd)
		os.unlink(mnt + "/a")
		for wait in range(1000):  # the server forgets when it comes to it
		    open("/proc/sys/vm/drop_caches", "w").write("2")
		    fd = libc.open_by_handle_at(top, ctypes.byref(gone), os.O_RDONLY)
		    if fd == -1: break
		    os.close(fd)
		    time.sleep(0.1)
		assert fd == -1
	END
}

@test "a mount inside of its own source, and file systems mounted in the source" {
	MNT=$BACK/here
	mkdir "$MNT" "$BACK/other"
	mount -t tmpfs none "$BACK/other"
	echo other >"$BACK/other/f"
	mounted -o threads=1
	echo new >"$MNT/a"
	same '' "$(timeout 100 ls "$MNT/here")"
	same new "$(timeout 100 cat "$BACK/a")"
	same other "$(timeout 100 cat "$MNT/other/f")"
	(cd "$MNT/other" && touch g && mv g h && ln h i)
	same '2' "$(stat -c %h "$BACK/other/h")"
	# One device for both, so the numbers have to differ; a directory tells the same as the file itself.
	mkdir "$BACK/second"
	mount --bind "$BACK/other" "$BACK/second"
	umount "$MNT"
	ends 0
	mounted -o threads=1
	[ "$(stat -c %i "$MNT/other/h")" != "$(stat -c %i "$MNT/second/h")" ]
	same "$(stat -c %i "$MNT/second/f")" "$(find "$MNT/second" -name f -printf '%i')"
	/usr/bin/python3 - "$MNT/second" <<-'END'
		import os, sys
		for e in os.scandir(sys.argv[1]): assert e.inode() == os.stat(e.path).st_ino
	END
	run ! ln "$MNT/a" "$MNT/other/a"
	matches "$output" 'Invalid cross-device link'
	umount "$MNT"
	ends 0
	umount "$BACK/second" "$BACK/other"
}

@test "attributes that chattr sets; ioctls that are not known" {
	mounted
	touch "$MNT/a"
	chattr +d "$MNT/a"
	matches "$(lsattr "$BACK/a")" '^-*d'
	same "$(lsattr "$BACK/a" | cut -d' ' -f1)" "$(lsattr "$MNT/a" | cut -d' ' -f1)"
	run ! user chattr +d "$MNT/a"
}

@test "nothing leads out of the tree and no FIFO or device is opened, while another exchanges names" {
	BACK=$BACK/tree
	mkdir -m 777 "$BACK"
	mounted -o entry_timeout=0,attr_timeout=0
	run timeout $((LOAD_S + 300)) /usr/bin/python3 "$BED_DIR/tree-race.py" "$BACK" "$MNT" "${BACK%/*}/outside" "$LOAD_S"
	same 0 "$status" "$output"
	run ! grep -E 'error|warn' "$LOG"
}

@test "descriptors come back: as many after 5,000 files as before" {
	mounted
	before=$(find "/proc/$SERVER/fd" -mindepth 1 | wc -l)
	(cd "$MNT" && seq 5000 | xargs touch)
	ls -l "$MNT" >/dev/null
	rm -r "${MNT:?}"/*
	drop_caches 2
	# Forgets have no answer.
	wait_for 10 fewer_fds $((before + 2))
}

@test "many small files, written through the server: each write, past the end or not, is what it would be behind it" {
	for option in small=auto small=always small=never; do
		mounted -o "$option"
		user /usr/bin/python3 - "$MNT" "$BACK" <<-'END'
			import mmap, os, sys
			mnt, back = sys.argv[1:]
			NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL
			def there(name): return open(back + "/" + name, "rb").read()
			os.mkdir(mnt + "/d")
			for i in range(40):
			    name, data = f"d/{i}", os.urandom(1 + i * 700)
			    f = os.open(mnt + "/" + name, NEW)
			    assert os.write(f, data) == len(data) and there(name) == data
			    assert os.fstat(f).st_size == len(data)
			    assert open(mnt + "/" + name, "rb").read() == data
			    os.close(f)
			    assert open(mnt + "/" + name, "rb").read() == data
			# Opened by another while it is: to read, to write, and mapped, before and after a write.
			f = os.open(mnt + "/d/w", NEW)
			r = os.open(mnt + "/d/w", os.O_RDWR)
			os.write(f, b"a" * 5000)
			m = mmap.mmap(r, 5000)
			assert m[4990:] == b"a" * 10 and os.pread(r, 9, 0) == b"a" * 9
			os.pwrite(f, b"bb", 4998)
			assert m[4990:] == b"a" * 8 + b"bb" and os.pread(r, 9, 4995) == b"aaabb"
			m[0:2] = b"cc"
			m.flush()
			assert there("d/w") == b"cc" + b"a" * 4996 + b"bb"
			del m
			os.close(f)
			assert os.pread(r, 3, 0) == b"cca"
			os.close(r)
			with open(back + "/d/w", "r+b") as b: b.write(b"d")
			assert os.read(os.open(mnt + "/d/w", os.O_RDONLY), 3) == b"dca"
			# What is there: appended to, also behind our back, cut, written with holes.
			for i in range(9):
			    a = os.open(mnt + "/d/3", os.O_WRONLY | os.O_APPEND)
			    with open(back + "/d/3", "ab") as b: b.write(b"behind")
			    os.write(a, b"%d" % i)
			    assert there("d/3").endswith(b"behind%d" % i)
			    os.close(a)
			s = os.open(mnt + "/d/3", os.O_WRONLY | os.O_TRUNC | os.O_DSYNC)
			os.pwrite(s, b"x", 100000)
			os.pwritev(s, [b"y"], 3, os.RWF_SYNC)
			assert there("d/3") == bytes(3) + b"y" + bytes(99996) + b"x"
			os.ftruncate(s, 4)
			assert os.fstat(s).st_size == 4 and there("d/3") == bytes(3) + b"y"
			os.close(s)
			# A large one among them, a program among them, and one of no bytes.
			big = os.urandom(3 << 20)
			for i in range(2):
			    with open(mnt + "/d/big", "wb") as f: f.write(big)
			    assert there("d/big") == big
			with open(mnt + "/d/true", "wb") as f: f.write(open("/bin/true", "rb").read())
			os.chmod(mnt + "/d/true", 0o755)
			assert os.spawnv(os.P_WAIT, mnt + "/d/true", ["true"]) == 0
			os.close(os.open(mnt + "/d/none", NEW))
			assert there("d/none") == b""
			# Whom it belongs to, and what may not be.
			assert os.stat(back + "/d/1").st_uid == os.getuid()
			try: os.read(os.open(mnt + "/d/1", os.O_WRONLY), 1)
			except OSError as e: assert e.errno == 9
			else: raise AssertionError
		END
		rm -r "$BACK/d"
		umount "$MNT"
		ends 0
	done
	run -2 "$CNTRFS" -o small=sometimes "$BACK" "$MNT"
	matches "$output" 'none of auto, never, always'
}
