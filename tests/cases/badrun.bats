#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# rktio run, when something is wrong: one clear sentence, and the right exit status.

load ../bed/bed

setup_file()
{
	need libos image
	RKTIO=$BUILD/rktio
	export RKTIO TREE=$BED/bad-tree DISK=$BED/bad.img ENC=$BED/bad-enc.img KEY=$BED/bad-key SEALED=$BED/bad-sealed.img
	image_copy busybox "$TREE"
	# What can't be executed: of another processor, 32-bit, cut short, no program at all, without its loader.
	/usr/bin/python3 - "$TREE/bin" <<-'END'
		import struct, sys
		def elf(name, cls, machine, size):
		    head = b"\x7fELF" + bytes([cls, 1, 1]) + bytes(9) + struct.pack("<HHI", 2, machine, 1)
		    open(f"{sys.argv[1]}/{name}", "wb").write(head.ljust(size, b"\0"))
		elf("of-arm64", 2, 183, 4096)
		elf("of-i386", 1, 3, 4096)
		elf("bad-cut", 2, 62, 64)
		open(f"{sys.argv[1]}/bad-text", "w").write("hello\n")
		open(f"{sys.argv[1]}/bad-script", "w").write("#!/no/such/shell\n")
	END
	chmod 755 "$TREE"/bin/{of-arm64,of-i386,bad-cut,bad-text,bad-script}
	install -m 644 /dev/null "$TREE/bin/plain-file"
	head -c 64 /dev/urandom >"$KEY"
	chmod 600 "$KEY"
	"$RKTIO" image create "$DISK" --quiet --dir "$TREE" --size 64M
	"$RKTIO" image create "$ENC" --quiet --dir "$TREE" --size 64M --encrypt --key-file "$KEY"
	"$RKTIO" image create "$SEALED" --quiet --dir "$TREE" --verity
}

setup()
{
	need libos image
}

plain() { "$RKTIO" run --disk "$DISK" -- "$@"; }

# fails STATUS REGEX COMMAND...: with it, and with one line that matches.
fails()
{
	local want=$1 regex=$2
	shift 2
	run "$@"
	same "$want" "$status" "$output"
	one_line
	matches "$output" "$regex"
}

@test "no such program, or one that can't be executed" {
	fails 127 "'nothing'.*no such program" plain nothing
	fails 127 "'/bin/nothing'.*no such program" plain /bin/nothing
	fails 126 "'/bin/plain-file'.*Permission denied" plain /bin/plain-file
	fails 126 "'/etc'" plain /etc
	fails 126 "of-arm64' is a program for arm64 processors; only 64-bit x86" plain of-arm64
	fails 126 "of-i386' is a program for 32-bit x86 processors; only 64-bit x86" plain of-i386
	fails 126 "bad-cut' is a damaged program" plain bad-cut
	fails 126 "bad-text' is neither a program nor a script" plain bad-text
	fails 127 "bad-script.*interpreter or loader is missing" plain bad-script
	fails 125 "/no/such/dir" "$RKTIO" run --disk "$DISK" -w /no/such/dir -- true
	fails 125 "nobody-here" "$RKTIO" run --disk "$DISK" -u nobody-here -- true
	fails 125 "99999999999" "$RKTIO" run --disk "$DISK" -u 99999999999 -- true
}

@test "no image, or nothing that is one" {
	fails 125 "none.img.*No such file" "$RKTIO" run --disk "$BED/none.img" -- true
	head -c 1048576 /dev/zero >"$BED/zero.img"
	fails 125 "no file system in it" "$RKTIO" run --disk "$BED/zero.img" -- true
	: >"$BED/empty.img"
	fails 125 "empty.img" "$RKTIO" run --disk "$BED/empty.img" -- true
	fails 125 "neither a file nor a block device" "$RKTIO" run --disk /dev/null -- true
	fails 125 "neither a file nor a block device|Is a directory" "$RKTIO" run --disk "$BED" -- true
}

@test "a superblock that is damaged" {
	cp "$DISK" "$BED/broken.img"
	printf '\377\377\377\377' | dd of="$BED/broken.img" bs=1 seek=1048 conv=notrunc status=none
	fails 125 "broken.img.*superblock is damaged|broken.img.*shorter" "$RKTIO" run --disk "$BED/broken.img" -- true
	cp "$ENC" "$BED/broken.img"
	printf 'xxxx' | dd of="$BED/broken.img" bs=1 seek=600 conv=notrunc status=none
	printf 'xxxx' | dd of="$BED/broken.img" bs=1 seek=16984 conv=notrunc status=none
	run "$RKTIO" run --disk "$BED/broken.img,key-file=$KEY" -- true
	same 125 "$status" "$output"
	one_line
	cp "$DISK" "$BED/broken.img"
	truncate -s 32M "$BED/broken.img"
	fails 125 "shorter" "$RKTIO" run --disk "$BED/broken.img" -- true
}

@test "a key that is not the image's, none, or one that is not there" {
	head -c 64 /dev/zero >"$BED/wrong"
	chmod 600 "$BED/wrong"
	fails 125 "key" "$RKTIO" run --disk "$ENC,key-file=$BED/wrong" -- true
	fails 125 "key-file" "$RKTIO" run --disk "$ENC" -- true
	fails 125 "no-key.*No such file" "$RKTIO" run --disk "$ENC,key-file=$BED/no-key" -- true
	fails 125 "'zz' is not a root hash" "$RKTIO" run --disk "$SEALED,verity=zz" -- true
	fails 125 "'00' is not a root hash" "$RKTIO" run --disk "$SEALED,verity=00" -- true
}

@test "too little memory: for Linux, and for a program" {
	fails 2 "64M is the least" "$RKTIO" run --memory 63M --disk "$DISK" -- true
	fails 2 "8T is the most" "$RKTIO" run --memory 9T --disk "$DISK" -- true
	fails 2 "this host has [0-9]+[MG]" "$RKTIO" run --memory 8T --disk "$DISK" -- true
	same 0 "$(status "$RKTIO" run --memory 64M --disk "$DISK" -- true)"
	# tail keeps a line that has no end.
	run "$RKTIO" run --memory 64M --disk "$DISK" -- tail /dev/zero
	same 137 "$status" "$output"
	matches "$output" 'Out of memory: Killed process [0-9]+ \(tail\)'
}

@test "too little memory on the host" {
	# RAM is only a promise: what refuses it is a limit of addresses, of the library OS alone, for a sanitizer takes terabytes.
	mkdir "$BED/limited"
	ln -s "$BUILD"/rktio-{init,blk} "$BED/limited/"
	printf '#!/bin/sh\nulimit -v 500000; exec %s "$@"\n' "$VMLINUX" >"$BED/limited/${VMLINUX##*/}"
	chmod +x "$BED/limited/${VMLINUX##*/}"
	RKTIO_LIBEXEC=$BED/limited run "$RKTIO" run --memory 1G --disk "$DISK" -- true
	same 125 "$status" "$output"
	matches "$output" 'the host gives no memory'
}

@test "a boot is ended by a signal, and by ^C" {
	# One that has no end.
	mkdir "$BED/endless"
	ln -s "$BUILD"/rktio-{init,blk} "$BED/endless/"
	printf '#!/bin/sh\necho booting\nexec sleep 1000\n' >"$BED/endless/${VMLINUX##*/}"
	chmod +x "$BED/endless/${VMLINUX##*/}"
	export RKTIO_LIBEXEC=$BED/endless
	rm -f "$BED/run.log"
	spawn "$BED/run.log" "$RKTIO" run --disk "$DISK" -- true
	p=$!
	wait_for 30 grep -q booting "$BED/run.log"
	kill -TERM "$p"
	s=0
	wait "$p" || s=$?
	same 143 "$s"
	need pty
	run -130 timeout 300 /usr/bin/python3 "$BED_DIR/terminal.py" "$RKTIO" run --disk "$DISK" -- true <<-'END'
		expect booting
		send \x03
	END
}

@test "what is traced of no machine does not touch the file" {
	echo kept >"$BED/trace"
	fails 1 "4194304" "$RKTIO" trace -o "$BED/trace" 4194304
	same kept "$(<"$BED/trace")"
}

@test "the library OS is killed: all of it ends, with a sentence" {
	rm -f "$BED/run.log"
	spawn "$BED/run.log" "$RKTIO" run --disk "$DISK" -- sh -c 'echo ready; sleep 1000'
	p=$!
	wait_for 30 grep -q ready "$BED/run.log"
	kill -KILL "$(pgrep -P "$p" rktio-linux)"
	s=0
	wait "$p" || s=$?
	same 125 "$s"
	grep -q 'was killed: by somebody, or the host was out of memory' "$BED/run.log"
	wait_for 5 eval '! pgrep -f "rktio-(linux|blk)" >/dev/null'
}

@test "the disk's back end is gone: I/O errors for the program, and Linux goes on" {
	rm -f "$BED/run.log"
	spawn "$BED/run.log" "$RKTIO" run --disk "$DISK" -- sh -c '
		echo ready
		while [ ! -e /dev/shm/go ]; do sleep 0.1; done
		head -c 100000 /dev/vda >/dev/null || echo read failed
		echo x >/root/x; sync; echo x 2>/dev/null >/root/y || echo write failed
		echo alive; exit 4'
	p=$!
	wait_for 30 grep -q ready "$BED/run.log"
	kill -KILL "$(pgrep -P "$p" rktio-blk)"
	"$RKTIO" exec "$p" -- touch /dev/shm/go 2>/dev/null || :
	s=0
	wait "$p" || s=$?
	cat "$BED/run.log"
	grep -q alive "$BED/run.log"
	same 4 "$s"
	grep -qi 'back end' "$BED/run.log"
}

@test "a panic: its message, 125; with --core a file for gdb, for its owner alone" {
	crash='echo planted-4711 >/dev/shm/secret; echo c >/proc/sysrq-trigger'
	run plain sh -c "$crash"
	same 125 "$status" "$output"
	matches "$output" 'Kernel panic - not syncing: sysrq triggered crash'
	umask 022
	run "$RKTIO" run --disk "$DISK" --core "$BED/core" -- sh -c "$crash"
	same 125 "$status" "$output"
	matches "$output" "the core is '$BED/core'"
	same 600 "$(stat -c %a "$BED/core")"
	# Sparse: what was never used takes no room.
	[ "$(stat -c %s "$BED/core")" -gt 1073741824 ]
	[ "$(($(stat -c %b "$BED/core") * 512))" -lt 300000000 ]
	mkdir "$BED/cores"
	run "$RKTIO" run --memory 128M --disk "$DISK" --core "$BED/cores" -- sh -c "$crash"
	same 125 "$status" "$output"
	grep -q planted-4711 "$BED"/cores/rktio-core.*
	local cores=("$BED"/cores/*)
	same 1 "${#cores[@]}"
	# Where there can be none, that is said before.
	for core in /no/such/dir/core /dev/null '' "$BED/none/"; do
		fails 125 'no core: ' "$RKTIO" run --disk "$DISK" --core "$core" -- sh -c "$crash"
	done
	# What is no file stays as it is.
	mkfifo -m 644 "$BED/pipe"
	run "$RKTIO" run --memory 128M --disk "$DISK" --core "$BED/pipe" -- sh -c "$crash"
	same 125 "$status" "$output"
	matches "$output" "no core: .*is not a file"
	same 644 "$(stat -c %a "$BED/pipe")"
	# An end that is none of the kernel's makes no core.
	same 3 "$(status "$RKTIO" run --disk "$DISK" --core "$BED/none" -- sh -c 'exit 3')"
	[ ! -e "$BED/none" ]
}

@test "gdb reads a core: the message, the kernel's functions on the stack" {
	need debugger
	run "$RKTIO" run --disk "$DISK" --memory 128M --core "$BED/core" -- sh -c 'echo c >/proc/sysrq-trigger'
	run gdb -batch -nx -ex 'x/s &linux_banner' -ex 'info symbol $pc' -ex bt "$VMLINUX" "$BED/core"
	matches "$output" 'Linux version 6\.'
	matches "$output" 'panic'
}
