#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# rktio image: what is made of directories, archives and packages; what is refused; what is left when it is killed.
# That Linux opens what it seals and encrypts is tested in disk.tap.

load ../bed/bed

setup_file()
{
	need image
	export RKTIO=$BED/bin/rktio TMPDIR=$BED/tmp TREE=$BED/tree KEY=$BED/key
	install "${BUILD:-$ROOT/build}/rktio" "$RKTIO"
	mkdir "$BED/tmp" "$BED/tree"
	chmod 1777 "$BED/tmp"
	head -c 64 /dev/urandom >"$KEY"
	chmod 600 "$KEY"
	furnish "$TREE"
}

setup()
{
	need image
	OUT=$BATS_TEST_TMPDIR/out.d IMG=$BATS_TEST_TMPDIR/out.d/app.img
	mkdir "$OUT"
}

# Whatever a test does: no file of ours stays in TMPDIR.
teardown()
{
	[ ! -d "${TMPDIR:-/none}" ] || wait_for 10 nothing_in "$TMPDIR"
}

nothing_in() { [ -z "$(ls -A "$1")" ]; }

# furnish DIR: one of everything.
furnish()
{
	(
		cd "$1" || exit
		echo plain >file
		ln file hard
		ln -s file soft
		ln -s "$(printf 'l%.0s' {1..200})" long-soft
		mkdir -p deep/er/still
		echo owned >owned && chown 70000:80000 owned && chmod 4751 owned
		echo capable >capable && setcap cap_net_raw+ep capable
		echo shared >shared && setfacl -m u:1234:rwx shared
		mkdir sticky && chmod 1777 sticky && setfacl -d -m g:99:r sticky
		echo named >named && setfattr -n user.note -v "$(printf 'a%.0s' {1..3000})" named
		mknod null c 1 3 && mknod disk b 259 70000 && mkfifo pipe
		truncate -s 100M sparse && printf end >>sparse
		touch "$(printf 'odd\nname "and" more')"
		echo old >old && touch -d '1995-05-05 05:05:05.123456789 UTC' old
		echo new >new && touch -d '2045-05-05 05:05:05 UTC' new
		chown 7:8 . && chmod 2751 .
	)
}

rktio() { "$RKTIO" "$@"; }
# in_image COMMAND: of debugfs
in_image() { debugfs -R "$1" "$IMG" 2>/dev/null; }
has_line() { matches "$(in_image "stat $1")" "$2"; }
clean() { e2fsck -fn "$1" >/dev/null 2>&1 || fail "e2fsck: $(e2fsck -fn "$1" 2>&1)"; }
info() { rktio image info "$IMG" --json | jq -r "$1"; }

@test "a directory: everything in it is kept" {
	rktio image create "$IMG" --dir "$TREE"
	clean "$IMG"
	same plain "$(in_image 'cat file')"
	same 'end' "$(in_image 'cat sparse' | tail -c 3)"
	has_line / 'Mode: +02751'
	has_line / 'User: +7 +Group: +8 '
	has_line owned 'Mode: +04751'
	has_line owned 'User: 70000 +Group: 80000'
	has_line hard 'Links: 2 '
	same "$(in_image 'stat file' | head -n 1)" "$(in_image 'stat hard' | head -n 1)" "inode of the two names"
	has_line soft 'Fast link dest: "file"'
	same "$(readlink "$TREE/long-soft")" "$(in_image 'cat long-soft')"
	has_line capable 'security.capability \(20\) = 01 00 00 02 00 20 00 00'
	has_line shared 'system.posix_acl_access \(28\)'
	has_line sticky 'Mode: +01777'
	has_line sticky 'system.posix_acl_default'
	has_line named 'user.note \(3000\)'
	has_line null 'Type: character special'
	has_line null 'major/minor number: 01:03'
	has_line disk 'Type: block special'
	has_line disk '259:70000'
	has_line pipe 'Type: FIFO'
	has_line sparse 'Size: 104857603'
	matches "$(in_image 'stat sparse')" 'Blockcount: (8|16)[^0-9]'
	matches "$(in_image 'ls -l')" 'odd'
}

@test "a directory: times keep their nanoseconds, and go beyond 2038" {
	local sec extra
	rktio image create "$IMG" --dir "$TREE"
	# nanoseconds << 2; and the first bit of the epoch for 2038 to 2174
	matches "$(in_image 'stat old')" "mtime: 0x$(printf %08x "$(stat -c %Y "$TREE/old")"):$(printf %08x $((123456789 << 2)))"
	sec=$(($(stat -c %Y "$TREE/new") & 0xffffffff))
	extra=00000001
	matches "$(in_image 'stat new')" "mtime: 0x$(printf %08x $sec):$extra"
}

@test "a directory: the same contents, file by file" {
	rktio image create "$IMG" --dir /usr/share/bash-completion
	mkdir "$OUT/dump"
	in_image "rdump / $OUT/dump"
	rmdir "$OUT/dump/lost+found"
	diff -r --no-dereference /usr/share/bash-completion "$OUT/dump"
}

@test "an image has holes where it is empty, and room" {
	rktio image create "$IMG" --dir "$TREE" --size 3G
	same $((3 << 30)) "$(stat -c %s "$IMG")" size
	[ "$(stat -c %b "$IMG")" -lt 20000 ] || fail "it takes $(stat -c %b "$IMG") blocks"
	clean "$IMG"
	same $((3 << 30)) "$(info .ext4.size)" "what info says"
}

@test "too small a size: how much it takes, and that is enough" {
	local needs
	tool_error 1 "$RKTIO" image create "$IMG" --dir /usr/share/bash-completion --size 1M
	needs=$(sed -n 's/.*needs \([0-9]*[KMG]\)$/\1/p' <<<"$said")
	[ -n "$needs" ] || fail "$said"
	[ ! -e "$IMG" ]
	rktio image create "$IMG" --dir /usr/share/bash-completion --size "$needs"
	clean "$IMG"
}

@test "an archive: of OCI and docker" {
	local tar
	tar=$(image_archive busybox)
	rktio image create "$IMG" --oci "$tar"
	clean "$IMG"
	in_image "dump /bin/busybox $OUT/busybox"
	cmp "$OUT/busybox" "$(image_tree busybox)/bin/busybox"
	has_line /etc 'Mode: +0755'
	rktio image create "$IMG" --oci "$tar" --ref bed/busybox:latest --force
	tool_error 1 "$RKTIO" image create "$IMG" --oci "$tar" --ref other:latest --force
}

@test "an archive that is damaged, cut short, or none" {
	local tar
	tar=$(image_archive busybox)
	head -c $(($(stat -c %s "$tar") / 2)) "$tar" >"$OUT/short.tar"
	tool_error 1 "$RKTIO" image create "$IMG" --oci "$OUT/short.tar"
	cp "$tar" "$OUT/bad.tar"
	# In the middle of the layer, which is most of it.
	printf '\xff\xff\xff\xff' | dd of="$OUT/bad.tar" bs=1 seek=$(($(stat -c %s "$tar") / 2)) conv=notrunc status=none
	tool_error 1 "$RKTIO" image create "$IMG" --oci "$OUT/bad.tar"
	echo text >"$OUT/text"
	tool_error 1 "$RKTIO" image create "$IMG" --oci "$OUT/text"
	tool_error 1 "$RKTIO" image create "$IMG" --oci "$OUT/none.tar"
	[ ! -e "$IMG" ]
}

@test "an archive: a normal user is told what is lost" {
	install -m 644 "$(image_archive busybox)" "$BED/user/busybox.tar"
	matches "$("$AS_USER" env TMPDIR="$TMPDIR" "$RKTIO" image create "$BED/user/oci.img" --oci "$BED/user/busybox.tar" 2>&1)" \
		'[0-9]+ files could not be given to their owners; run it as root'
	clean "$BED/user/oci.img"
}

# Packages come from outside of the bed's network.
outside() { nsenter --net="/proc/$BED_NETWORK_PID/ns/net" "$@"; }

@test "packages: installed by this machine's apt" {
	need packages
	outside "$RKTIO" image create "$IMG" --packages busybox,sqlite3 --size 600M
	clean "$IMG"
	matches "$(in_image 'stat /usr/bin/sqlite3')" 'Type: regular'
	matches "$(in_image 'cat /var/lib/dpkg/status')" 'Package: busybox'
	matches "$(in_image 'cat /usr/lib/os-release')" "$(grep VERSION_CODENAME /etc/os-release)"
	misses "$(in_image 'ls -p /etc/apt/apt.conf.d')" 99mmdebstrap
	# Nothing of the machine that it was made on.
	same '' "$(in_image 'cat /etc/resolv.conf')"
	misses "$(in_image 'ls -p /etc')" '/hostname/'
	has_line /usr/bin/su 'Mode: +04755'
}

@test "packages: killed while they are installed" {
	need packages
	local pid
	spawn "$BED/packages.log" nsenter --net="/proc/$BED_NETWORK_PID/ns/net" "$RKTIO" image create "$IMG" --packages busybox
	pid=$!
	wait_for 60 unpacking
	kill -KILL "$pid"
	wait_for 20 nobody_installs
	wait_for 20 nothing_in "$TMPDIR"
	nothing_in "$OUT"
}

unpacking() { compgen -G "$TMPDIR/rktio.*/root/var/lib/dpkg/*" >/dev/null; }
nobody_installs() { ! pgrep -f "$TMPDIR/rktio" >/dev/null; }

@test "packages: one that there is none of, and what cannot be one" {
	need packages
	local name
	tool_error 1 "$RKTIO" image create "$IMG" --packages busybox,no-such-package
	matches "$said" "'no-such-package'"
	for name in '' -o 'busybox,' 'a b' '$(id)' '../x' '~x'; do
		tool_error 1 "$RKTIO" image create "$IMG" --packages "$name"
	done
}

@test "packages: root's" {
	tool_error 1 "$AS_USER" env TMPDIR="$TMPDIR" "$RKTIO" image create "$BED/user/app.img" --packages busybox
	matches "$said" root
}

@test "a normal user makes an image of a directory, unless it cannot be read" {
	"$AS_USER" env TMPDIR="$TMPDIR" "$RKTIO" image create "$BED/user/app.img" --dir /usr/share/bash-completion
	clean "$BED/user/app.img"
	tool_error 1 "$AS_USER" env TMPDIR="$TMPDIR" "$RKTIO" image create "$BED/user/other.img" --dir /root
	matches "$said" "'/root'.*Permission denied"
	[ ! -e "$BED/user/other.img" ]
}

@test "sealed: veritysetup accepts it, and we what veritysetup made" {
	local root
	root=$(rktio image create "$IMG" --dir "$TREE" --verity)
	same "$root" "$(cat "$IMG.roothash")" "root hash"
	veritysetup verify "$IMG" "$IMG" "$root" --hash-offset "$(info .ext4.size)"
	rktio image verify "$IMG"
	rktio image verify "$IMG" --root-hash "$root"
	same sha256 "$(info .verity.algorithm)"
	truncate -s "$(info .ext4.size)" "$IMG"
	veritysetup format "$IMG" "$IMG" --hash-offset "$(info .ext4.size)" --root-hash-file "$OUT/other" >/dev/null
	rktio image verify "$IMG" --root-hash "$(cat "$OUT/other")"
	tool_error 1 "$RKTIO" image verify "$IMG" --root-hash "$root"
}

@test "sealed: one bit more or less is found" {
	rktio image create "$IMG" --dir "$TREE" --verity >/dev/null
	printf '\x01' | dd of="$IMG" bs=1 seek=$((5 * 4096 + 9)) conv=notrunc status=none
	tool_error 1 "$RKTIO" image verify "$IMG"
	status veritysetup verify "$IMG" "$IMG" "$(cat "$IMG.roothash")" --hash-offset "$(info .ext4.size)" | grep -qv '^0$'
}

@test "encrypted: cryptsetup opens it with the key, and with no other" {
	rktio image create "$IMG" --dir "$TREE" --encrypt --key-file "$KEY"
	cryptsetup open --test-passphrase --key-file "$KEY" "$IMG"
	rktio image verify "$IMG" --key-file "$KEY"
	head -c 64 /dev/urandom >"$OUT/other"
	chmod 600 "$OUT/other"
	same 2 "$(status cryptsetup open --test-passphrase --key-file "$OUT/other" "$IMG")"
	tool_error 1 "$RKTIO" image verify "$IMG" --key-file "$OUT/other"
	matches "$said" 'key'
	same 'hmac(sha256)' "$(info .luks2.integrity)"
	same null "$(info .ext4)" "file system of an encrypted image"
}

@test "encrypted: nothing of the contents is in it" {
	local secret=a-secret-in-a-file-0123456789
	mkdir "$OUT/tree"
	for i in {1..200}; do echo "$secret"; done >"$OUT/tree/$secret"
	rktio image create "$OUT/plain.img" --dir "$OUT/tree"
	grep -q "$secret" "$OUT/plain.img"
	rktio image create "$IMG" --dir "$OUT/tree" --encrypt --key-file "$KEY"
	same 1 "$(status grep -q -e "$secret" -e lost+found "$IMG")"
	# Not with grep: a key may have the byte that ends a pattern.
	python3 -c 'import mmap, sys
key, image = (open(name, "rb") for name in sys.argv[1:])
assert mmap.mmap(image.fileno(), 0, prot=mmap.PROT_READ).find(key.read()) < 0' "$KEY" "$IMG"
}

@test "encrypted: the key from a descriptor or standard input" {
	rktio image create "$IMG" --dir "$TREE" --encrypt --key-file /dev/fd/9 9<"$KEY"
	rktio image verify "$IMG" --key-file - <"$KEY"
}

@test "encrypted: a key that cryptsetup added opens it, ours still does" {
	rktio image create "$IMG" --dir "$TREE" --encrypt --key-file "$KEY"
	head -c 40 /dev/urandom >"$OUT/second"
	chmod 600 "$OUT/second"
	cryptsetup luksAddKey --batch-mode --key-file "$KEY" --pbkdf argon2id --pbkdf-force-iterations 4 --pbkdf-memory 32 "$IMG" "$OUT/second"
	rktio image verify "$IMG" --key-file "$OUT/second"
	rktio image verify "$IMG" --key-file "$KEY"
	cryptsetup luksKillSlot --batch-mode "$IMG" 0
	tool_error 1 "$RKTIO" image verify "$IMG" --key-file "$KEY"
	rktio image verify "$IMG" --key-file "$OUT/second"
}

@test "encrypted: keys that are none" {
	echo password >"$OUT/short"
	tool_error 1 "$RKTIO" image create "$IMG" --dir "$TREE" --encrypt --key-file "$OUT/short"
	matches "$said" '9 bytes'
	tool_error 1 "$RKTIO" image create "$IMG" --dir "$TREE" --encrypt --key-file "$OUT/none"
	tool_error 1 "$RKTIO" image create "$IMG" --dir "$TREE" --encrypt --key-file "$OUT"
	tool_error 1 "$RKTIO" image create "$IMG" --dir "$TREE" --encrypt --key-file /dev/zero
	matches "$said" 'more than the 65536 bytes'
	nothing_in "$OUT" || same short "$(ls -A "$OUT")"
}

@test "what must not be seen is prepared where it was said, or not at all" {
	TMPDIR=tmp tool_error 1 "$RKTIO" image create "$IMG" --dir "$TREE" --encrypt --key-file "$KEY"
	matches "$said" 'TMPDIR must be an absolute path'
	nothing_in "$OUT"
}

@test "encrypted: a key file that others can read" {
	cp "$KEY" "$OUT/loose"
	chmod 644 "$OUT/loose"
	matches "$(rktio image create "$IMG" --dir "$TREE" --encrypt --key-file "$OUT/loose" 2>&1)" 'others may read'
}

@test "what is there is not replaced without being asked, nor while it is used" {
	echo mine >"$IMG"
	tool_error 1 "$RKTIO" image create "$IMG" --dir "$TREE"
	matches "$said" '--force'
	exec 8<"$IMG"
	flock --shared 8
	tool_error 1 "$RKTIO" image create "$IMG" --dir "$TREE" --force
	matches "$said" 'in use'
	same mine "$(cat "$IMG")"
	exec 8<&-
	rktio image create "$IMG" --dir "$TREE" --force
	clean "$IMG"
	ln -s "$IMG" "$OUT/link"
	tool_error 1 "$RKTIO" image create "$OUT/link" --dir "$TREE" --force
	tool_error 1 "$RKTIO" image create "$OUT" --dir "$TREE" --force
	tool_error 1 "$RKTIO" image create "$OUT/" --dir "$TREE"
	tool_error 1 "$RKTIO" image create "$OUT/none/app.img" --dir "$TREE"
}

# killed_midway SIGNAL
killed_midway()
{
	local pid
	spawn "$OUT.log" "$RKTIO" image create "$IMG" --dir "$TREE" --size 4G --encrypt --key-file "$KEY"
	pid=$!
	wait_for 20 writes_much "$pid"
	nothing_in "$OUT"
	kill -"$1" "$pid"
	wait_for 20 has_ended "$pid"
	nothing_in "$OUT"
	wait_for 20 nothing_in "$TMPDIR"
}

writes_much() { [ "$(sed -n 's/^wchar: //p' "/proc/$1/io" 2>/dev/null || echo 0)" -gt 20000000 ] 2>/dev/null; }

@test "killed in the middle: nothing is left" {
	local signal
	for signal in KILL INT TERM HUP; do
		killed_midway "$signal"
	done
}

@test "killed in the middle: what was there is there" {
	echo mine >"$IMG"
	spawn "$OUT.log" "$RKTIO" image create "$IMG" --dir "$TREE" --size 4G --encrypt --key-file "$KEY" --force
	local pid=$!
	wait_for 20 writes_much "$pid"
	kill -KILL "$pid"
	wait_for 20 has_ended "$pid"
	same mine "$(cat "$IMG")"
	same app.img "$(ls -A "$OUT")"
}

@test "no space" {
	mkdir "$OUT/small"
	mount -t tmpfs -o size=30m small "$OUT/small"
	tool_error 1 "$RKTIO" image create "$OUT/small/app.img" --dir "$TREE" --encrypt --key-file "$KEY"
	matches "$said" 'no space: the image takes [0-9]+M'
	head -c 40M /dev/urandom >"$OUT/large"
	mkdir "$OUT/tree"
	mv "$OUT/large" "$OUT/tree"
	tool_error 1 "$RKTIO" image create "$OUT/small/app.img" --dir "$OUT/tree"
	matches "$said" '[Nn]o space'
	nothing_in "$OUT/small"
	umount "$OUT/small"
}

@test "an output directory where files cannot be without names" {
	# ramfs has no O_TMPFILE.
	mkdir "$OUT/ram"
	mount -t ramfs ram "$OUT/ram"
	IMG=$OUT/ram/app.img
	rktio image create "$IMG" --dir "$TREE"
	clean "$IMG"
	same app.img "$(ls -A "$OUT/ram")"
	tool_error 1 "$RKTIO" image create "$IMG" --dir "$TREE"
	rktio image create "$IMG" --dir "$TREE" --force
	rm "$IMG"
	spawn "$OUT.log" "$RKTIO" image create "$IMG" --dir "$TREE" --size 1G --encrypt --key-file "$KEY"
	local pid=$!
	wait_for 20 writes_much "$pid"
	kill -KILL "$pid"
	wait_for 20 nothing_in "$OUT/ram"
	wait_for 20 umount "$OUT/ram"
}

@test "progress on a terminal, and nowhere else" {
	need pty
	local said
	said=$(/usr/bin/python3 "$BED_DIR/terminal.py" "$RKTIO" image create "$IMG" --dir "$TREE" --encrypt --key-file "$KEY" --size 300M </dev/null)
	matches "$said" 'making the file system'
	matches "$said" 'encrypting \[#+ *\] +[0-9]+% [0-9]+M of 300M'
	said=$(/usr/bin/python3 "$BED_DIR/terminal.py" "$RKTIO" image create "$IMG" --dir "$TREE" --force --quiet </dev/null)
	same '' "$said" "what is said with --quiet"
	said=$(rktio image create "$IMG" --dir "$TREE" --force 2>&1)
	same '' "$said" "what is said without a terminal"
	# The report has a line of its own.
	said=$(/usr/bin/python3 "$BED_DIR/terminal.py" "$RKTIO" image create "$IMG" --dir "$TREE" --force --verity </dev/null)
	[[ $said == *$'\r\e[K'"$(<"$IMG.roothash")"* ]] || fail "$said"
}

@test "info: what is no image, and what is damaged" {
	head -c 100000 /dev/zero >"$IMG"
	same unknown "$(info .kind)"
	: >"$IMG"
	same unknown "$(info .kind)"
	rktio image create "$IMG" --dir "$TREE" --force
	truncate -s 1M "$IMG"
	same true "$(info .truncated)"
	rktio image create "$IMG" --dir "$TREE" --force --encrypt --key-file "$KEY"
	truncate -s 20M "$IMG"
	same true "$(info .truncated)"
	tool_error 1 "$RKTIO" image verify "$IMG" --key-file "$KEY"
	printf 'xx' | dd of="$IMG" bs=1 seek=$((16 << 20)) conv=notrunc status=none
	tool_error 1 "$RKTIO" image info "$IMG"
	printf 'xx' | dd of="$IMG" bs=1 seek=5000 conv=notrunc status=none
	tool_error 1 "$RKTIO" image info "$IMG"
	tool_error 1 "$RKTIO" image info "$OUT/none"
	tool_error 1 "$RKTIO" image info "$OUT"
	tool_error 1 "$RKTIO" image info /dev/null
	mkfifo "$OUT/pipe"
	tool_error 1 "$RKTIO" image info "$OUT/pipe"
	rktio image create "$OUT/plain" --dir "$TREE"
	tool_error 1 "$RKTIO" image verify "$OUT/plain"
}

@test "info: the kinds, and verify: of an image that is less than was asked for" {
	rktio image create "$IMG" --dir "$TREE"
	same plain "$(info .kind)"
	tool_error 1 "$RKTIO" image verify "$IMG" --root-hash 00
	matches "$said" 'it has no hash tree'
	rktio image create "$IMG" --dir "$TREE" --verity --force
	same sealed "$(info .kind)"
	tool_error 1 "$RKTIO" image verify "$IMG" --key-file "$KEY"
	matches "$said" 'not encrypted and authenticated'
	tool_error 1 "$RKTIO" image verify "$IMG" --root-hash 00
	matches "$said" "'00' is not a root hash"
	rktio image create "$IMG" --dir "$TREE" --encrypt --key-file "$KEY" --force
	same encrypted "$(info .kind)"
	tool_error 1 "$RKTIO" image verify "$IMG" --root-hash 00
	matches "$said" 'it has no hash tree'
}

@test "info: a label cannot move the cursor" {
	rktio image create "$IMG" --dir "$TREE"
	printf '\033[2Jx' | dd of="$IMG" bs=1 seek=$((1024 + 0x78)) conv=notrunc status=none
	misses "$(rktio image info "$IMG")" $'\033'
	misses "$(rktio image info "$IMG" --json)" $'\033'
}

@test "wrong command lines" {
	local line
	while read -r line; do
		# shellcheck disable=SC2086 # words of a command line
		tool_error 2 "$RKTIO" $line
		nothing_in "$OUT"
	done <<-END
		image
		image create
		image make $IMG
		image create $IMG
		image create $IMG extra --dir $TREE
		image create $IMG --dir $TREE --oci x
		image create $IMG --dir
		image create $IMG --dir $TREE --ref x
		image create $IMG --dir $TREE --encrypt
		image create $IMG --dir $TREE --key-file $KEY
		image create $IMG --dir $TREE --encrypt --verity --key-file $KEY
		image create $IMG --dir $TREE --root-hash 00
		image create $IMG --dir $TREE --size
		image create $IMG --dir $TREE --size 0
		image create $IMG --dir $TREE --size -1G
		image create $IMG --dir $TREE --size 2X
		image create $IMG --dir $TREE --size 99999999999999999999
		image create $IMG --dir $TREE --nonsense
		image info $IMG --dir $TREE
		image info
		image verify $IMG --size 3
		image verify $IMG --key-file a --root-hash b
		doctor extra
		run
	END
	tool_error 1 "$RKTIO" image create "$IMG" --dir "$TREE" --size 17T
}

@test "doctor" {
	rktio doctor
	same true "$(rktio doctor --json | jq '.needs | map(select(.name == "file systems"))[0].works')"
	matches "$(PATH=/none "$RKTIO" doctor || :)" 'file systems'
	same false "$(RKTIO_LIBEXEC=/none "$RKTIO" doctor --json | jq '.needs[] | select(.name == "the library OS").works')"
	run env RKTIO_LINUX=9.9 "$RKTIO" doctor
	matches "$output" 'no +the library OS'
	matches "$output" 'where rktio-linux-9.9 is'
	matches "$(rktio doctor | tr '\n' ' ')" 'have the same privilege'
	matches "$(rktio --help)" 'What this does not protect: the root user of this host can read the memory'
	# Who may mount a tmpfs has huge pages, whatever memory files may have.
	same true "$(rktio doctor --json | jq '.needs | map(select(.name == "huge pages for shared memory"))[0].works')"
}
