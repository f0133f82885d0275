# SPDX-License-Identifier: MIT
# find.bash - a process by its command line; for cases, and in the guest of kernel.tap.

# find_process ARGS: the pid of the process with exactly these arguments, from anywhere.
find_process()
{
	local f words
	for f in /proc/[0-9]*/cmdline; do # no fork for each: it is called until it finds
		words=()
		mapfile -d '' -t words <"$f" || continue
		if [ "${words[*]}" = "$1" ]; then
			f=${f%/cmdline}
			echo "${f##*/}"
			return 0
		fi
	done 2>/dev/null
	return 1
}
