#!/bin/bash
# SPDX-License-Identifier: MIT
# freestanding.sh DIRECTORY [COMPILER...] - does the patcher compile as a kernel would compile it?
#
# Without vector registers, with small stack frames and declarations first; and needing nothing from outside
# but what compilers call themselves.
set -uo pipefail

sources=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

try() # COMPILER
{
	local f undefined
	for f in "$sources"/*.c; do
		"$1" -std=gnu11 -O2 -ffreestanding -fno-stack-protector -fno-pie -mno-sse -mno-mmx -mno-red-zone \
			-mcmodel=kernel -Wall -Wdeclaration-after-statement -Wvla -Wframe-larger-than=2048 -Werror \
			-c "$f" -o "$work/$(basename "$f").o" || return
	done
	ld -r -o "$work/all.o" "$work"/*.c.o || return
	undefined=$(nm -u "$work/all.o" | grep -vwE 'memset|memcpy')
	[ -z "$undefined" ] || { echo "needs:$undefined"; return 1; }
}

echo "1..$#"
for compiler; do
	i=$((${i:-0} + 1))
	if ! command -v "$compiler" >/dev/null; then
		echo "ok $i - $compiler # skip $compiler: it is not here"
	elif try "$compiler" >"$work/log" 2>&1; then
		echo "ok $i - $compiler"
	else
		echo "not ok $i - $compiler"
		sed 's/^/# /' "$work/log"
	fi
done
