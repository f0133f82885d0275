#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The Debian package: built from HEAD, without a complaint of lintian's, and what is in it works.

load ../bed/bed

setup_file()
{
	need deb
	export DEB_OUT=$BED/deb TREE=$BED/deb-tree
	"$ROOT/scripts/deb"
	dpkg-deb -x "$DEB_OUT"/cntr_*.deb "$TREE"
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

@test "each verb has its manual page" {
	"$TREE/usr/bin/cntr" completions table | awk -F'\t' '$1 == "verb" { print $2 }' >"$BED/verbs"
	[ -s "$BED/verbs" ]
	while read -r verb; do
		[ -s "$TREE/usr/share/man/man1/cntr-$verb.1.gz" ] || {
			echo "no page for $verb"
			false
		}
	done <"$BED/verbs"
}
