# SPDX-License-Identifier: MIT
# cntrfs.bash - a mount of cntrfs over a directory of a file system of its own, for each case.

CNTRFS=$BUILD/cntrfs

# A file system of its own, with access lists and attributes, whose free space we may use up.
setup_file()
{
	need fuse
	export DISK=$BED/cntrfs
	mkdir -p "$DISK"
	truncate -s 64M "$DISK.img"
	mkfs.ext4 -q "$DISK.img"
	mount -o loop "$DISK.img" "$DISK" || skip "no loop device"
}

# Who still has it writes to it for a moment: the next one makes another file.
teardown_file()
{
	umount --lazy "$DISK" 2>/dev/null || :
	rm -f "$DISK.img"
}

setup()
{
	BACK=$DISK/$BATS_TEST_NUMBER
	MNT=$BED/mnt.$BATS_TEST_NUMBER
	LOG=$BED/log.$BATS_TEST_NUMBER
	mkdir -p "$BACK" "$MNT"
	chmod 777 "$BACK"
}

teardown()
{
	umount --lazy "$MNT" 2>/dev/null || :
	rm -rf "$BACK"
}

# mounted OPTION...: in the foreground of a background process, which is $SERVER.
mounted()
{
	spawn "$LOG" env CNTR_LOG=info "$CNTRFS" -f -o "${CNTRFS_OPTIONS:-rw}" "$@" "$BACK" "$MNT"
	SERVER=$!
	wait_for 10 mountpoint -q "$MNT"
}

ends() # STATUS
{
	local status=0
	wait "$SERVER" || status=$?
	same "$1" "$status" "$(cat "$LOG")"
}

# fewer_fds N: the server has not more than so many.
fewer_fds() { [ "$(find "/proc/$SERVER/fd" -mindepth 1 | wc -l)" -le "$1" ]; }

user() { setpriv --reuid 1234 --regid 1234 --clear-groups "$@"; }

# both PATH FORMAT: what stat says of it is the same on both sides.
both() { same "$(stat -c "$2" "$BACK/$1")" "$(stat -c "$2" "$MNT/$1")"; }
