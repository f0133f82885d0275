# SPDX-License-Identifier: MIT
# guest.bash - what looks like a virtual machine to vmsh-stage2: namespaces, a root of its own, a first process.

STAGE2=$BUILD/guest/stage2/vmsh-stage2
ATTACH_TRY=$BUILD/tests/attach/attach-try
export STAGE2 ATTACH_TRY

# guest_run NAME [ram]: sets TPID, its first process. "ram": its root is in memory, as with an initramfs.
guest_run()
{
	local dir=$BED/guest/$1 node
	image_copy busybox "$dir"
	mkdir -p "$dir/old"
	for node in 'null 1 3' 'zero 1 5' 'full 1 7' 'random 1 8' 'urandom 1 9' 'tty 5 0'; do
		# shellcheck disable=SC2086 # words
		mknod -m 666 "$dir/dev/${node%% *}" c ${node#* }
	done
	echo guest >"$dir/etc/hostname"
	# shellcheck disable=SC2016 # the guest's shell expands it
	bare_start "$1" unshare --mount --pid --net --uts --ipc --cgroup --fork --kill-child --propagation private \
		sh -euc 'hostname guest
			if [ -n "$2" ]; then
				mkdir "$1.ram"
				mount -t tmpfs ram "$1.ram"
				cp -a "$1/." "$1.ram/"
				cd "$1.ram"
			else
				mount --bind "$1" "$1"
				cd "$1"
			fi
			pivot_root . old
			exec /bin/busybox chroot . /bin/sh -euc "mount -t proc proc /proc; mount -t sysfs sysfs /sys
				umount -l /old; exec /app"' sh "$dir" "${2:-}"
	bare_target "$1"
	# In the guest's first cgroups, and with nothing of it in the guest's tree: as a kernel starts it.
	ENTER="for m in $(cgroup_mounts | tr '\n' ' '); do echo \$\$ >\$m/$BED_CGROUP/$1/cgroup.procs; done
		exec 9<$STAGE2; exec nsenter --target $TPID --all /proc/self/fd/9"
	export ENTER
}

# vm OPTION... -- COMMAND...: in the guest.
vm()
{
	local options=()
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	timeout --foreground --signal=KILL 300 "$ATTACH_TRY" "${options[@]}" "$ENTER" "$@"
}

# guest_state: what a session could leave behind or change, in the guest and here.
guest_state()
{
	echo "== processes"
	in_pidns "$TPID"
	echo "== mounts of the guest"
	cat "/proc/$TPID/mountinfo"
	echo "== mounts of the host"
	cat /proc/self/mountinfo
	echo "== files"
	tree_state "/proc/$TPID/root/" | grep -v ' [^ ]*/proc/' || :
	echo "== programs"
	stage2_processes
}

# Its processes are named after the descriptor that it was started by.
stage2_processes()
{
	local p
	for p in /proc/[0-9]*; do
		if [ "$(readlink "$p/exe" 2>/dev/null)" = "$STAGE2" ] && alive "${p#/proc/}"; then
			tr '\0' ' ' <"$p/cmdline"
			echo
		fi
	done
}

# guest_as_before STATE SECONDS
guest_as_before()
{
	local end now
	end=$(bound "$2")
	while now=$(guest_state) && [ "$now" != "$1" ]; do
		if [ "$SECONDS" -ge "$end" ]; then
			fail "something is left:" "$(diff <(echo "$1") <(echo "$now"))"
			return 1
		fi
		sleep 0.05
	done
}

# What bats calls: a file of cases that loads this has a guest, which each case leaves as it was.

setup_file()
{
	need unshare fuse
	guest_run guest
}

teardown_file()
{
	[ -z "${TPID:-}" ] || bare_down
}

setup()
{
	BEFORE=$(guest_state)
}

teardown()
{
	[ -z "${BEFORE:-}" ] || guest_as_before "$BEFORE" 20
}
