# SPDX-License-Identifier: MIT
# init.bash - pid 1 of a test bed (see enter): furnishes the mount namespace, runs the command, reaps.
set -euo pipefail

# A private /tmp hides what this run needs from the real one: the sources, the programs, the tmpdir.
hide_tmp()
{
	local keep=() p i=0
	for p in "${BED_SRC:=$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")}" \
		"$(dirname "${CNTR:-/nonexistent}")"; do
		[[ $p == /tmp/* && -d $p ]] && keep+=("$p")
	done
	for p in "${keep[@]}"; do
		mkdir "$BED/keep.$i" && mount --bind "$p" "$BED/keep.$i" && i=$((i + 1))
	done
	mount -t tmpfs -o mode=1777 tmp /tmp
	i=0
	for p in "${keep[@]}"; do
		mkdir -p "$p" && mount --bind "$BED/keep.$i" "$p" && umount "$BED/keep.$i" &&
			rmdir "$BED/keep.$i" && i=$((i + 1))
	done
}

# A copy of /etc/$1 with lines added, mounted over the original.
etc_with()
{
	cp -p "/etc/$1" "$BED/etc/$1"
	printf '%s\n' "${@:2}" >>"$BED/etc/$1"
	mount --bind "$BED/etc/$1" "/etc/$1"
}

chmod 755 "$BED"
mkdir "$BED/etc" "$BED/home"
hide_tmp
mount -t tmpfs -o mode=755 run /run
mkdir -m 1777 /run/lock
mount -t tmpfs -o mode=1777 shm /dev/shm
for d in lxc containers docker containerd machines; do
	# On the disk, not on a tmpfs: engines keep overlays here. The empty mount point stays behind.
	mkdir -p "$BED/var/$d" "/var/lib/$d"
	mount --bind "$BED/var/$d" "/var/lib/$d"
done

# The normal user of the rootless engines, and ranges of ids for both.
etc_with passwd "bed:x:61000:61000:test bed:$BED/user:/bin/sh"
etc_with group "bed:x:61000:"
etc_with subuid "root:2000000:65536" "bed:2100000:65536"
etc_with subgid "root:2000000:65536" "bed:2100000:65536"
install -d -o 61000 -g 61000 "$BED/user"
install -d -o 61000 -g 61000 -m 700 /run/user /run/user/61000
chown root:root /run/user && chmod 755 /run/user

export HOME=$BED/home TMPDIR=/tmp PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin
unset XDG_RUNTIME_DIR XDG_CONFIG_HOME XDG_DATA_HOME DOCKER_HOST CONTAINERD_ADDRESS
"$@" <&0 &
wait $!
