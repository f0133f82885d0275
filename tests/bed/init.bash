# SPDX-License-Identifier: MIT
# init.bash - pid 1 of a test bed (see enter): furnishes the mount namespace, runs the command, reaps.
set -euo pipefail

# A private /tmp, in which the sources and the build stay if they are below the real one.
hide_tmp()
{
	local dir keep=()
	for dir in "$(readlink -f "$(dirname "$0")/../..")" "${BUILD:-}"; do
		if [[ $dir == /tmp/* ]]; then
			mkdir "$BED/keep.${#keep[@]}"
			mount --bind "$dir" "$BED/keep.${#keep[@]}"
			keep+=("$dir")
		fi
	done
	mount -t tmpfs -o mode=1777 tmp /tmp
	for dir in "${!keep[@]}"; do
		mkdir -p "${keep[dir]}"
		mount --move "$BED/keep.$dir" "${keep[dir]}"
		rmdir "$BED/keep.$dir"
	done
}

# A copy of /etc/$1 with lines added, mounted over the original.
etc_with()
{
	cp -p "/etc/$1" "$BED/etc/$1"
	printf '%s\n' "${@:2}" >>"$BED/etc/$1"
	mount --bind "$BED/etc/$1" "/etc/$1"
}

# A network of our own, for engines talk over abstract sockets, too. /sys still shows the machine's, which
# no container must. One process stays behind in the network of the machine, for downloads.
if [ "${1:-}" != --inside ]; then
	sleep infinity >/dev/null 2>&1 & # a job in the background reads from /dev/null
	BED_NETWORK_PID=$! exec unshare --net /bin/bash "$0" --inside "$@"
fi
shift
ip link set lo up

chmod 755 "$BED"
mkdir "$BED"/{bin,etc,home}
# A copy, since the normal user may not reach the build directory.
if [ -e "${CNTR:-}" ]; then
	install "$CNTR" "$BED/bin/cntr"
fi
export CNTR=$BED/bin/cntr BED_NETWORK_PID
hide_tmp
mount -t tmpfs -o mode=755 run /run
mkdir -m 1777 /run/lock
mount -t tmpfs -o mode=1777 shm /dev/shm
for d in lxc containers docker containerd machines; do
	# On the disk, not on a tmpfs: engines keep overlays here. The empty mount point stays behind.
	mkdir -p "$BED/var/$d" "/var/lib/$d"
	mount --bind "$BED/var/$d" "/var/lib/$d"
done

# Caches of root's programs, cntr's among them.
mkdir "$BED/var/cache"
mount --bind "$BED/var/cache" /var/cache

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
# A shell ignores INT and QUIT in what it starts in the background, and this is inherited.
env --default-signal "$@" <&0 &
wait $!
