#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The Debian packages: built from HEAD, without a complaint of lintian's, and what is in them works. "make install".

load ../bed/bed

setup_file()
{
	need deb
	export DEB_OUT=$BED/deb TREE=$BED/deb-tree
	mkdir "$BED/a space"
	TMPDIR="$BED/a space" "$ROOT/scripts/deb"
	dpkg-deb -x "$DEB_OUT"/cntr_*.deb "$TREE"
	dpkg-deb -x "$DEB_OUT"/rktio_*.deb "$TREE.rktio"
	dpkg-deb -x "$DEB_OUT"/vmsh_*.deb "$TREE.vmsh"
}

setup()
{
	need deb
}

@test "the program is there and knows its version" {
	same "cntr $(dpkg-deb -f "$DEB_OUT"/cntr_*.deb Version)" "$("$TREE/usr/bin/cntr" --version)" version
}

@test "it depends on nothing but libraries" {
	dpkg-deb -f "$DEB_OUT"/cntr_*.deb Depends | tr , '\n' | while read -r package _; do
		[[ $package == lib* || $package == zlib1g ]] || {
			echo "depends on $package"
			false
		}
	done
}

@test "the mount point is an empty directory" {
	[ -d "$TREE/var/lib/cntr" ]
	same "" "$(ls -A "$TREE/var/lib/cntr")" "content of /var/lib/cntr"
}

@test "completions are where the shells look for them" {
	bash -n "$TREE/usr/share/bash-completion/completions/cntr"
	grep -q '^#compdef cntr$' "$TREE/usr/share/zsh/vendor-completions/_cntr"
	grep -q '^complete -c cntr ' "$TREE/usr/share/fish/vendor_completions.d/cntr.fish"
}

# pages PROGRAM TREE
pages()
{
	"$2/usr/bin/$1" completions table | awk -F'\t' '$1 == "verb" { print $2 }' >"$BED/verbs"
	[ -s "$BED/verbs" ]
	while read -r verb; do
		[ -s "$2/usr/share/man/man1/$1-$verb.1.gz" ] || {
			echo "no page for $verb"
			false
		}
	done <"$BED/verbs"
}

@test "each verb has its manual page" {
	pages cntr "$TREE"
	pages rktio "$TREE.rktio"
	pages vmsh "$TREE.vmsh"
}

@test "rktio is a package of its own" {
	same "rktio $(dpkg-deb -f "$DEB_OUT"/rktio_*.deb Version)" "$("$TREE.rktio/usr/bin/rktio" --version)" version
	[ ! -e "$TREE/usr/bin/rktio" ] && [ ! -e "$TREE.rktio/usr/bin/cntr" ]
	bash -n "$TREE.rktio/usr/share/bash-completion/completions/rktio"
	grep -q '^#compdef rktio$' "$TREE.rktio/usr/share/zsh/vendor-completions/_rktio"
}

@test "rktio runs programs from its own paths" {
	need libos image
	"$TREE.rktio/usr/bin/rktio-blk" --version
	for name in blk net; do
		[ -x "$TREE.rktio/usr/bin/rktio-$name" ]
		[ -s "$TREE.rktio/usr/share/man/man8/rktio-$name.8.gz" ]
	done
	matches "$(dpkg-deb -f "$DEB_OUT"/rktio_*.deb Built-Using)" '^linux \(= 6\.1\.'
	"$TREE.rktio/usr/bin/rktio" image create "$BED/deb.img" --quiet --dir "$(image_tree busybox)"
	# As installed: found neither beside the program nor by a variable.
	run unshare --mount sh -ec '
		mount -t tmpfs tmpfs /usr/libexec
		mount -t tmpfs tmpfs /usr/local/bin
		mkdir /usr/libexec/rktio
		mount --bind "$0/usr/libexec/rktio" /usr/libexec/rktio
		cp "$0/usr/bin/rktio" "$0/usr/bin/rktio-blk" /usr/local/bin/
		env -u RKTIO_LIBEXEC /usr/local/bin/rktio run --disk "$1" -- sh -c "echo works; exit 3"' "$TREE.rktio" "$BED/deb.img"
	same 3 "$status" "$output"
	matches "$output" works
}

# files TREE: what is in it that a program or its reader looks for.
files()
{
	(cd "$1" && find . ! -type d ! -path './share/doc/*' ! -path './share/lintian/*') |
		sed 's/\.gz$//; s,/zsh/vendor-completions/,/zsh/site-functions/,'
}

@test "make install lays what the packages do" {
	need libos
	DESTDIR=$BED/dest meson install -C "$BUILD" --no-rebuild
	# Another version of Linux may be there, and Debian has a page for each program.
	files "$BED"/dest/usr/local | grep -v rktio-linux-6.12 | sort >"$BED/installed"
	for tree in "$TREE" "$TREE.rktio" "$TREE.vmsh"; do
		files "$tree/usr"
	done | grep -v mount.fuse.cntrfs.8 | sort >"$BED/packed"
	diff "$BED/packed" "$BED/installed"
}
