#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What a first "make" says and leaves: scripts/setup with an apt-get that only pretends, scripts/libos with a build that does.

load ../bed/bed

setup()
{
	export S="$BED/scripts $BATS_TEST_NUMBER"
	mkdir -p "$S/bin"
	cp "$ROOT/scripts/setup" "$ROOT/scripts/libos" "$S/"
	cat >"$S/packages" <<-'END'
		tool-a | build | makes it
		tool-b | other | not wanted here
	END
	cat >"$S/bin/dpkg-query" <<-'END'
		#!/bin/sh
		cat "$S/installed"
	END
	# It knows packages if there is a list, and has them if there is an archive, which "update" brings where there is a network.
	cat >"$S/bin/apt-get" <<-'END'
		#!/bin/bash
		echo "$*" >>"$S/calls"
		case "$*" in
		update*) [ ! -e "$S/network" ] || touch "$S/list" "$S/archive"; exit ;;
		esac
		[ -e "$S/list" ] || { echo "E: Unable to locate package tool-a"; exit 100; }
		case "$*" in
		*--assume-no*) [[ $* == *--download-only* ]] || echo "installed in silence" >>"$S/installed"
			printf '%s\n' 'Need to get 5,120 kB/12.0 MB of archives.' \
			'After this operation, 45.6 MB of additional disk space will be used.' Abort.; exit 1 ;;
		*--download-only*) [ -e "$S/archive" ] || { echo "E: Failed to fetch tool-a"; exit 100; } ;;
		*--no-download*)
			echo 'pmstatus:tool-a:50.0000:Unpacking tool-a' >&3
			until [ ! -e "$S/slow" ]; do sleep 0.1; done
			echo "installed tool-a" >"$S/installed" ;;
		esac
	END
	printf '#!/bin/sh\n[ -e "$S/list" ]\n' >"$S/bin/apt-cache"
	chmod +x "$S/bin/"*
	: >"$S/installed"
	export PATH="$S/bin:$PATH"
}

@test "setup: what is there is not asked for" {
	echo "installed tool-a" >"$S/installed"
	run "$S/setup" build
	same 0 "$status"
	same "" "$output"
	[ ! -e "$S/calls" ]
}

@test "setup: what, how much, and that it is there afterwards" {
	touch "$S/list" "$S/archive"
	run "$S/setup" build
	same 0 "$status" "$output"
	matches "$output" 'installs, with apt-get, tool-a'
	matches "$output" '5,120 kB to download, 45.6 MB on the disk'
	misses "$output" 'tool-b'
	same "installed tool-a" "$(cat "$S/installed")"
	misses "$(cat "$S/calls")" update
}

@test "setup: lists that are missing or older than the archive are renewed once" {
	touch "$S/network"
	run "$S/setup" build
	same 0 "$status" "$output"
	rm "$S/archive"
	truncate --size 0 "$S/installed" "$S/calls"
	run "$S/setup" build
	same 0 "$status" "$output"
	same 1 "$(grep -c update "$S/calls")" "updates"
}

@test "setup: without a network it says so" {
	touch "$S/list"
	run "$S/setup" build
	same 1 "$status" "$output"
	matches "$output" 'Failed to fetch tool-a'
	matches "$output" 'could not be installed.*Is the network there\?$'
	rm "$S/list"
	run "$S/setup" build
	same 1 "$status" "$output"
	matches "$output" 'apt knows no archive that has tool-a \(makes it\)'
}

@test "setup: a user is told what root has to do" {
	chmod -R a+rX "$S"
	run setpriv --reuid 61000 --regid 61000 --clear-groups "$S/setup" build
	same 1 "$status" "$output"
	matches "$output" 'sudo scripts/setup build$'
	[ ! -e "$S/calls" ]
}

@test "setup: ^C waits for dpkg, and then ends" {
	touch "$S/list" "$S/archive" "$S/slow"
	run timeout 300 python3 "$BED_DIR/terminal.py" bash -c '
		(trap "" INT; read -r _ </dev/tty; rm "$S/slow") &
		"$S/setup" build; echo status $?' <<-'END'
		expect installing, 50 %
		send \x03
		expect \^C
		send on\n
		expect stops when dpkg is done
		expect status 130
	END
	same "installed tool-a" "$(cat "$S/installed")" "$output"
}

# libos_build BODY
libos_build()
{
	printf '#!/bin/bash\n%s\n' "$1" >"$S/libos-build"
	chmod +x "$S/libos-build"
}

@test "libos: silent if it is quick, and whatever it says" {
	libos_build 'echo "warning: of no interest"; echo "$1" >"$2"'
	run "$S/libos" 6.1 "$S/out"
	same 0 "$status"
	same "" "$output"
	same 6.1 "$(cat "$S/out")"
}

@test "libos: all is said if it fails, with its status" {
	libos_build 'echo "warning: here"; echo "error: there" >&2; exit 3'
	run "$S/libos" 6.1 "$S/out"
	same 3 "$status"
	matches "$output" 'warning: here.*error: there'
}

@test "libos: ^C ends all of it" {
	libos_build 'mkdir -p "$DVS_CACHE/libos/work.x/obj"; touch "$DVS_CACHE/libos/work.x/obj/a.o"
		trap "rm -r $(printf %q "$S")/c/libos/work.x" EXIT; sleep 1000 & echo $! >"$S/sleep"; wait'
	DVS_CACHE=$S/c run timeout 300 python3 "$BED_DIR/terminal.py" bash -c '"$S/libos" 6.1 "$S/out"; echo status $?' <<-'END'
		expect is compiled, 1 of
		send \x03
		expect \^C
	END
	wait_for 5 eval "! alive $(cat "$S/sleep")"
	wait_for 5 test ! -e "$S/c/libos/work.x"
}
