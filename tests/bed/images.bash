# SPDX-License-Identifier: MIT
# images.bash - trees that containers are made of. image_tree NAME prints where NAME's tree is; made once per bed.
#
#	scratch		one static program, /app, and nothing else
#	distroless	/app linked to the C library, the library, /etc/passwd with a user: no shell
#	busybox		a small system with a shell
#	debian		Debian 12, minbase
#	musl		as Alpine is made: /lib is a directory, in it musl's loader; /bin/hello needs that
#	merged		as Debian is made: /lib, /lib64 and /bin are links to below /usr; no shell

# Every container has this in its environment, and a PATH that leads nowhere (but unshare's, which keeps ours).
IMAGE_ENV=BED_MARK=of-the-container

image_tree()
{
	local tree=$BED/images/$1
	if [ ! -d "$tree" ]; then
		rm -rf "$tree.new"
		mkdir -p "$tree.new"
		"image_make_$1" "$tree.new" >&2
		mv "$tree.new" "$tree"
	fi
	echo "$tree"
}

# image_copy NAME DIR: a tree of its own, for engines that write into it.
image_copy()
{
	local tree
	tree=$(image_tree "$1")
	mkdir -p "$2"
	cp -a "$tree/." "$2/"
}

image_make_scratch()
{
	gcc -static -O2 -o "$1/app" "$BED_DIR/pause.c"
}

image_make_distroless()
{
	local lib
	mkdir -p "$1"/{etc,tmp,home/nonroot}
	gcc -O2 -o "$1/app" "$BED_DIR/pause.c"
	for lib in $(ldd "$1/app" | grep -o '/[^ ]*'); do
		install -D "$(readlink -f "$lib")" "$1$lib"
	done
	image_users "$1"
	chown 65532:65532 "$1/home/nonroot"
	chmod 1777 "$1/tmp"
}

image_make_busybox()
{
	local busybox applet
	busybox=$(command -v busybox)
	mkdir -p "$1"/{bin,dev,etc,home/nonroot,proc,root,run,sbin,sys,tmp,usr/bin,usr/sbin,var/lib}
	install "$busybox" "$1/bin/busybox"
	for applet in $("$busybox" --list); do
		[ "$applet" = busybox ] || ln -s busybox "$1/bin/$applet"
	done
	gcc -static -O2 -o "$1/app" "$BED_DIR/pause.c"
	image_users "$1"
	chown 65532:65532 "$1/home/nonroot"
	chmod 1777 "$1/tmp"
}

image_make_musl()
{
	mkdir -p "$1"/{lib,usr/lib}
	image_make_busybox "$1"
	install "$(readlink -f /lib/ld-musl-x86_64.so.1)" "$1/lib/ld-musl-x86_64.so.1"
	printf '%s\n' '#include <stdio.h>' 'int main(void) { return puts("hello from musl") < 0; }' |
		musl-gcc -O2 -x c -o "$1/bin/hello" -
}

image_make_merged()
{
	local dir
	image_make_distroless "$1"
	mkdir -p "$1"/{bin,usr}
	for dir in bin lib lib64; do
		mv "$1/$dir" "$1/usr/$dir"
		ln -s "usr/$dir" "$1/$dir"
	done
}

# image_make_debian: bootstrapped once, then kept packed in a cache that may vanish at any time.
image_make_debian()
{
	local tar=$DVS_CACHE/debian-12-minbase.tar
	if [ ! -s "$tar" ]; then
		mkdir -p "$DVS_CACHE"
		TMPDIR=/var/tmp nsenter --net="/proc/$BED_NETWORK_PID/ns/net" mmdebstrap --variant=minbase --quiet bookworm "$BED/debian.tar"
		# Beds that run at the same time may both come here.
		cp "$BED/debian.tar" "$tar.$BED_CGROUP"
		mv "$tar.$BED_CGROUP" "$tar"
	fi
	tar -C "$1" --numeric-owner -xpf "$tar"
	gcc -static -O2 -o "$1/app" "$BED_DIR/pause.c"
	echo 'nonroot:x:65532:65532:nonroot:/home/nonroot:/bin/sh' >>"$1/etc/passwd"
	echo 'nonroot:x:65532:' >>"$1/etc/group"
	install -d -o 65532 -g 65532 "$1/home/nonroot"
}

# image_localtime DIR: a time zone that no host is in, 5:45 east, in the format of tzfile(5).
image_localtime()
{
	/usr/bin/python3 - "$1/etc/localtime" <<-'END'
		import struct, sys
		header = b"TZif2" + bytes(15) + struct.pack(">6L", 0, 0, 0, 0, 1, 4)
		body = struct.pack(">lBB", 20700, 0, 0) + b"BED\0"
		open(sys.argv[1], "wb").write((header + body) * 2 + b"\nBED-5:45\n")
	END
}

# Names that no host has, so that a test can tell whose file it reads.
image_users()
{
	printf '%s\n' 'root:x:0:0:root of the image:/root:/bin/sh' \
		'nonroot:x:65532:65532:nonroot:/home/nonroot:/bin/sh' >"$1/etc/passwd"
	printf '%s\n' 'root:x:0:' 'nonroot:x:65532:' 'extra:x:65533:nonroot' >"$1/etc/group"
	echo 'ID=bed-image' >"$1/etc/os-release"
	image_localtime "$1"
}

# image_archive NAME: an OCI archive of it, which docker reads too, with tag bed/NAME:latest.
image_archive()
{
	local tar=$BED/images/$1.tar tree
	tree=$(image_tree "$1")
	[ -f "$tar" ] || /usr/bin/python3 "$BED_DIR/oci-archive.py" "$tree" "bed/$1:latest" "$tar" >&2
	echo "$tar"
}
