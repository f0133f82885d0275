#!/bin/bash
# SPDX-License-Identifier: MIT
# check.sh PROGRAM BYTES - is it static, and not larger than that without what is for debuggers?
set -euo pipefail

stripped=$(mktemp)
trap 'rm -f "$stripped"' EXIT
if readelf --program-headers --wide "$1" | grep -qE 'INTERP|DYNAMIC'; then
	echo "$1 is not static" >&2
	exit 1
fi
objcopy --strip-all "$1" "$stripped"
size=$(stat --format=%s "$stripped")
if [ "$size" -gt "$2" ]; then
	echo "$1 has $size bytes, at most $2: it is copied into guests" >&2
	exit 1
fi
echo "$size"
