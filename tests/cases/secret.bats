#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What an encrypted disk promises: its secrets are nowhere else, a flipped bit is an error, and what was synced stays.

load ../bed/bed

setup_file()
{
	need libos image
	export RKTIO=$BUILD/rktio TREE=$BED/tree ENC=$BED/enc.img KEY=$BED/key
	image_copy busybox "$TREE"
	gcc -std=gnu17 -D_GNU_SOURCE -O2 -static -o "$TREE/bin/blocks" "$ROOT/tests/libos/blocks.c"
	head -c 32 /dev/urandom >"$KEY"
	chmod 600 "$KEY"
	"$RKTIO" image create "$BED/fresh.img" --quiet --dir "$TREE" --size 64M --encrypt --key-file "$KEY"
}

setup()
{
	need libos image
	cp "$BED/fresh.img" "$ENC"
	chmod 600 "$ENC"
}

teardown()
{
	[ -z "${p:-}" ] || kill -KILL "$p" 2>/dev/null || true
}

crypt() { "$RKTIO" run --disk "$ENC,key-file=$KEY" -- "$@"; }

# child NAME: the process of the launcher $p that runs the program NAME.
child() { pgrep -P "$p" -f "^[^ ]*/$1 "; }

scan() { "$BED_DIR/memscan.py" "$@"; }

# keeps_secret DISK: a program got a secret on its standard input, has it in a file, a megabyte of it, and waits. Sets p.
keeps_secret()
{
	: >"$BED/log" # before anybody waits for a word in it
	"$RKTIO" run --disk "$1" -- sh -c 's=$(cat); yes "$s" | head -n 20000 >/root/secret; sync; echo 3 >/proc/sys/vm/drop_caches; cat /root/secret >/dev/null; echo ready; sleep 1000' \
		<"$BED/secret" >"$BED/log" 2>&1 3>&- 4>&- &
	p=$!
	wait_for 60 grep -q ready "$BED/log"
}

@test "a program's secret is in no image, window or page cache, and the key in no process but the library OS" {
	head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$BED/secret"
	cryptsetup luksDump --batch-mode --dump-volume-key --key-file "$KEY" --volume-key-file "$BED/volume-key" "$ENC"
	keeps_secret "$ENC,key-file=$KEY"
	# The page cache is what a read of the file gives.
	run -1 grep -qaF -f "$BED/secret" "$ENC"
	scan "$(child rktio-blk)" "$BED/secret" "$KEY" "$BED/volume-key"
	scan "$p" "$BED/secret" "$KEY" "$BED/volume-key"
	# They are found where they have to be.
	run -1 scan "$(child "${VMLINUX##*/}")" "$BED/volume-key"
	kill -KILL "$p"
}

@test "the same on a disk that is not encrypted finds it" {
	head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$BED/secret"
	"$RKTIO" image create "$BED/plain.img" --quiet --dir "$TREE" --size 64M --force
	keeps_secret "$BED/plain.img"
	grep -qaF -f "$BED/secret" "$BED/plain.img"
	run -1 scan "$(child rktio-blk)" "$BED/secret"
	kill -KILL "$p"
}

# flip FILE OFFSET...: a bit at each.
flip()
{
	python3 - "$@" <<-'EOF'
		import sys
		with open(sys.argv[1], "r+b") as f:
		    for off in map(int, sys.argv[2:]):
		        f.seek(off)
		        byte = f.read(1)[0] ^ 0x10
		        f.seek(off)
		        f.write(bytes([byte]))
	EOF
}

# places WHAT: offsets in the image, "data" and "tags" from the third area of 16 MiB on, or "journal".
places()
{
	"$RKTIO" image info --json "$ENC" | python3 -c '
import json, sys
d = json.load(sys.stdin)
start = d["luks2"]["offset"] + 4096
areas = start + d["integrity"]["journal_size"]
tags, data = 128 << 10, 16 << 20
for area in (2, 3):
    at = areas + area * (tags + data)
    if sys.argv[1] == "data":
        print(*range(at + tags + 777, at + tags + (12 << 20), 1 << 20))
    if sys.argv[1] == "tags":
        print(*range(at + 50, at + (90 << 10), 10007))
if sys.argv[1] == "journal":
    print(*range(start + 700, areas, 60013))
' "$1"
}

# counted WORD TEXT: the number behind it.
counted() { sed -n "s/.*\\b$1 \\([0-9]*\\).*/\\1/p" <<<"$2" | tail -n 1; }

never_wrong()
{
	same 0 "$(counted wrong "$1")" "blocks that are wrong: $1"
	same 11000 "$(($(counted right "$1") + $(counted unreadable "$1")))"
}

@test "a flipped bit of the data, or of a tag, is an error in the program and a line in the log" {
	local what said
	crypt blocks write /root/f 11000 0
	same "right 11000 unreadable 0 wrong 0 old 0" "$(crypt blocks check /root/f 11000 0)"
	cp "$ENC" "$BED/whole.img"
	for what in data tags; do
		cp "$BED/whole.img" "$ENC"
		# shellcheck disable=SC2046
		flip "$ENC" $(places "$what")
		said=$(crypt blocks check /root/f 11000 0 2>&1)
		never_wrong "$said"
		[ "$(counted unreadable "$said")" -ge 10 ] || fail "$what: few errors: $said"
		matches "$said" 'INTEGRITY AEAD ERROR'
	done
}

@test "a flipped bit of the journal never makes data that was not written" {
	local said
	crypt blocks write /root/f 11000 0
	spawn "$BED/log" "$RKTIO" run --disk "$ENC,key-file=$KEY" -- sh -c 'blocks write /root/f 800 1; echo ready; sleep 1000'
	p=$!
	wait_for 60 grep -q ready "$BED/log"
	kill -KILL "$(child "${VMLINUX##*/}")"
	wait "$p" || true
	wait_for 10 unused "$ENC"
	# shellcheck disable=SC2046
	flip "$ENC" $(places journal)
	said=$(crypt blocks check /root/f 800 1 2>&1) || true
	echo "$said"
	# A block of the journal's own lists is not authenticated: what it loses is as before, never something else.
	case $said in
	*right*) same "$(counted wrong "$said")" "$(counted old "$said")" "blocks that are wrong and not old: $said" ;;
	*) matches "$said" 'mounting|error|EXT4-fs' ;;
	esac
}

@test "what was synced is there after kill -9, in every block" {
	local n
	# So large that it is written to for longer than we may stand.
	"$RKTIO" image create "$ENC" --quiet --force --dir "$TREE" --size 256M --encrypt --key-file "$KEY"
	"$RKTIO" run --disk "$ENC,key-file=$KEY" -- blocks log /root/l 50000 </dev/null >"$BED/log" 2>&1 3>&- 4>&- &
	p=$!
	wait_for 60 at_least 300 "$BED/log"
	kill -KILL "$(child "${VMLINUX##*/}")"
	wait "$p" || true
	n=$(grep -cx '[0-9]*' "$BED/log")
	[ "$n" -lt 50000 ] || fail "it was through before it was killed"
	wait_for 10 unused "$ENC"
	same "right $n unreadable 0 wrong 0 old 0" "$(crypt blocks check /root/l "$n" 0)"
	"$RKTIO" image verify "$ENC" --quiet --key-file "$KEY"
}

# lossy_disk: an image for them, $BED/loss.img, and a directory with a back end that loses its power.
lossy_disk()
{
	mkdir -p "$BED/lossy" "$BED/loss"
	cp "$BUILD/rktio-init" "$VMLINUX" "$BED/lossy/"
	cp "$BUILD/tests/vhost/lossy-blk" "$BED/lossy/rktio-blk"
	"$ROOT/tests/libos/initramfs" "$BED/loss.cpio" /bin/true /sbin/e2fsck "$TREE/bin/blocks"
	(cd "$BED/loss" && cpio --quiet -idu <"$BED/loss.cpio")
	"$RKTIO" image create "$BED/loss.img" --quiet --dir "$BED/loss" --size 64M --encrypt --key-file "$KEY" --force
}

# recovers SEED: a disk that loses its power at some write or flush, and what it had not flushed in part.
recovers()
{
	local n log=$BED/log.$1
	cp "$BED/loss.img" "$ENC"
	LOSSY_SEED=$1 LOSSY_AFTER=$((300 + $1 * 37)) RKTIO_LIBEXEC=$BED/lossy timeout 300 "$RKTIO" run --disk "$ENC,key-file=$KEY" -- \
		sh -c 'mkdir -p /root/d; blocks files /root/d 100000' </dev/null >"$log" 2>&1 || true
	matches "$(<"$log")" 'the power is gone' || return 1
	n=$(grep -x '[0-9]*' "$log" | tail -n 1)
	[ "${n:-0}" -gt 5 ] || fail "little was done: $(<"$log")" || return 1
	# The first run recovers and ends cleanly; what it says is said before anything could mend it.
	run crypt blocks files-check /root/d "$n"
	same "lost 0 wrong 0" "$output" "seed $1, after $n" || return 1
	run crypt sh -c 'mount -o remount,ro / && e2fsck -fn "$(sed -n "s, / ext4.*,,p" /proc/mounts | tail -n 1)"'
	same 0 "$status" "seed $1: $output"
}

@test "what was synced is there when the disk loses its power, and the file system is sound" {
	local seed
	lossy_disk
	for seed in {1..12}; do
		recovers "$seed"
	done
}

@test "a disk that says it has flushed, and hasn't, loses what was synced: the test above would see it" {
	local seed
	lossy_disk
	export LOSSY_LIES=1
	for seed in {1..12}; do
		recovers "$seed" 2>"$BED/why" || break
	done
	matches "$(<"$BED/why")" 'lost 0 wrong 0'
	matches "$(<"$BED/why")" 'got:'
}

at_least() { [ "$(grep -c . "$2")" -ge "$1" ]; }

@test "a flipped bit of a sealed image is an error in the program and a line in the log" {
	local root what said size
	"$TREE/bin/blocks" write "$TREE/f" 11000 0
	root=$("$RKTIO" image create "$BED/sealed.img" --quiet --dir "$TREE" --verity --force)
	rm "$TREE/f"
	cp "$BED/sealed.img" "$BED/whole.img"
	size=$("$RKTIO" image info --json "$BED/sealed.img" | python3 -c 'import json,sys; print(json.load(sys.stdin)["ext4"]["size"])')
	for what in data tree; do
		cp "$BED/whole.img" "$BED/sealed.img"
		# shellcheck disable=SC2046
		case $what in
		data) flip "$BED/sealed.img" $(seq $((size / 2)) 1000003 $((size * 3 / 4))) ;;
		tree) flip "$BED/sealed.img" $(seq $((size + 100000)) 50021 $((size + 300000))) ;;
		esac
		said=$("$RKTIO" run --disk "$BED/sealed.img,verity=$root" -- blocks check /f 11000 0 2>&1) || true
		never_wrong "$said"
		[ "$(counted unreadable "$said")" -ge 3 ] || fail "$what: few errors: $said"
		matches "$said" 'verity.*corrupted'
	done
}
