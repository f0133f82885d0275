#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# disk-guest.sh - init of disk.tap's guest: /dev/vda is our encrypted image, vdb our sealed one, vdc an empty
# disk. SETTINGS, put in when the initramfs is made: tests, AREAS, TAGS and AREA (bytes: where areas begin in
# vda, the size of one's tags and of its data), FS_SIZE and ROOT (of vdb).
# The modules stand in {modules}. Numbers of areas are meant to be whole ones.
# shellcheck shell=dash disable=SC2154,SC2153,SC1083,SC2043,SC2017,SC3043
export PATH=/bin
SETTINGS
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mkdir -p /sys /run /tmp /mnt /sealed
mount -t sysfs sys /sys
for m in {modules}; do insmod "/$m.ko" || :; done
until ls /dev/vport*p1 >/dev/null 2>&1; do usleep 20000; done
for tap in /dev/vport*p1; do exec >"$tap" 2>&1; done

# it NAME COMMAND...
it()
{
	local name=$1
	shift
	tests=$((tests + 1))
	if "$@" >/tmp/said 2>&1; then
		echo "ok $tests - $name"
	else
		echo "not ok $tests - $name"
		sed 's/^/# /' /tmp/said
	fi
}

no() { ! "$@"; }
all_sums() { (cd "$1" && sha256sum -c SHA256SUMS >/dev/null); }
open_crypt() { cryptsetup open --key-file /key /dev/vda crypt && mount "$@" /dev/mapper/crypt /mnt; }
close_crypt() { umount /mnt && cryptsetup close crypt; }

# Everything that was read is forgotten, the tags in dm-bufio too, which has its own shrinker.
forget() { sync && echo 3 >/proc/sys/vm/drop_caches; }

# flip DEVICE OFFSET: one bit
flip()
{
	local byte
	byte=$(dd if="$1" bs=1 skip="$2" count=1 2>/dev/null | od -An -tu1 | tr -d ' ')
	printf '%b' "\\0$(printf %03o $((byte ^ 16)))" | dd of="$1" bs=1 seek="$2" conv=notrunc,fsync 2>/dev/null
}

# data_at BLOCK, tag_at BLOCK: offsets in vda
data_at() { echo $((AREAS + $1 * 4096 / AREA * (TAGS + AREA) + TAGS + $1 * 4096 % AREA)); }
tag_at() { echo $((AREAS + $1 * 4096 / AREA * (TAGS + AREA) + $1 * 4096 % AREA / 4096 * 32)); }

# cat gets an error, and no other one.
read_fails() # FILE
{
	no cat "$1" >/dev/null 2>/tmp/why || { echo "it was read"; return 1; }
	grep -q 'Input/output error' /tmp/why || { cat /tmp/why; return 1; }
}

# Each two hundredth block of the file, another bit in each; another file is as it was meanwhile.
flipped_blocks()
{
	local block n=0
	for block in $(debugfs -R 'blocks /big' /dev/mapper/crypt 2>/dev/null); do
		n=$((n + 1))
		[ $((n % 200)) = 1 ] || continue
		flip /dev/vda $(($(data_at "$block") + n % 4096))
		forget
		read_fails /mnt/big || { echo "block $block"; return 1; }
		sha256sum /mnt/text | cut -d' ' -f1 | grep -qf - /mnt/SHA256SUMS || { echo "text changed"; return 1; }
		flip /dev/vda $(($(data_at "$block") + n % 4096))
	done
	[ "$n" -gt 1000 ] || { echo "only $n blocks"; return 1; }
	forget
	all_sums /mnt
}

flipped_tag()
{
	local block
	block=$(debugfs -R 'blocks /big' /dev/mapper/crypt 2>/dev/null | cut -d' ' -f300)
	[ "$block" -gt 0 ] && close_crypt && flip /dev/vda $(($(tag_at "$block") + 31)) && open_crypt -o ro &&
		read_fails /mnt/big && close_crypt && flip /dev/vda $(($(tag_at "$block") + 31)) && open_crypt -o ro &&
		all_sums /mnt
}

copy() # IN SKIP OUT SEEK COUNT
{
	dd if="$1" of="$3" bs=1 skip="$2" seek="$4" count="$5" conv=notrunc,fsync 2>/dev/null
}

# A block and its tag take the place of another block: the tag is right, the place is not.
moved_block()
{
	local blocks first second
	blocks=$(debugfs -R 'blocks /big' /dev/mapper/crypt 2>/dev/null)
	first=$(echo "$blocks" | cut -d' ' -f10) second=$(echo "$blocks" | cut -d' ' -f20)
	close_crypt
	copy /dev/vda "$(data_at "$first")" /tmp/data 0 4096
	copy /dev/vda "$(tag_at "$first")" /tmp/tag 0 32
	copy /dev/vda "$(data_at "$second")" /dev/vda "$(data_at "$first")" 4096
	copy /dev/vda "$(tag_at "$second")" /dev/vda "$(tag_at "$first")" 32
	open_crypt -o ro && read_fails /mnt/big && close_crypt || return 1
	copy /tmp/data 0 /dev/vda "$(data_at "$first")" 4096
	copy /tmp/tag 0 /dev/vda "$(tag_at "$first")" 32
	open_crypt -o ro && all_sums /mnt
}

all_blocks() { dd if="$1" of=/dev/null bs=1M; }

write_and_read()
{
	echo written >/mnt/written && cp /mnt/file10 /mnt/copy && close_crypt && open_crypt &&
		[ "$(cat /mnt/written)" = written ] && cmp /mnt/file10 /mnt/copy
}

format_other()
{
	cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --integrity hmac-sha256 \
		--cipher aes-xts-plain64 --sector-size 4096 --key-file /key /dev/vdc &&
		cryptsetup open --key-file /key /dev/vdc other && mke2fs -q -b 4096 /dev/mapper/other &&
		cryptsetup close other
}

open_verity() { veritysetup open /dev/vdb sealed /dev/vdb "$ROOT" --hash-offset="$FS_SIZE" && mount -o ro /dev/mapper/sealed /sealed; }

flipped_verity()
{
	local block
	block=$(debugfs -R 'blocks /big' /dev/mapper/sealed 2>/dev/null | cut -d' ' -f500)
	[ "$block" -gt 0 ] && flip /dev/vdb $((block * 4096 + 99)) && forget && read_fails /sealed/big
}

it "another key does not open it" no cryptsetup open --test-passphrase --key-file /bin/busybox --keyfile-size 64 /dev/vda
it "cryptsetup opens our image, and it can be mounted" open_crypt
it "all files are there, as they were" all_sums /mnt
it "every block of the disk can be read, used or not" all_blocks /dev/mapper/crypt
it "what is written to it is there after it was closed" write_and_read
it "a flipped bit in a block is an I/O error, and nothing else" flipped_blocks
it "a flipped bit in a tag is one too" flipped_tag
it "a block that was put in another's place, with its tag, is one too" moved_block
cryptsetup close crypt 2>/dev/null
it "veritysetup opens our sealed image, and it can be mounted" open_verity
it "all files are there, as they were (sealed)" all_sums /sealed
it "another root hash does not open it" no veritysetup verify /dev/vdb /dev/vdb "$(echo "$ROOT" | tr 0-9a-f 1-9a-f0)" --hash-offset="$FS_SIZE"
it "a flipped bit in the sealed image is an I/O error" flipped_verity
it "cryptsetup formats a disk with tags of its own" format_other
echo "# end of the guest"
sync
reboot -f
