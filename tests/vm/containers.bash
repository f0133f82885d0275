# SPDX-License-Identifier: MIT
# containers.bash - containers of the guest. NAME_start sets TPID, and TARGET, which cntr is given.
#
#	bare	namespaces, pivot_root, its own cgroup; no user namespace
#	userns	the same in a user namespace with 0 -> 100000, mapped by root
#	chroot	a root directory and nothing else
#	runc	an engine's: capabilities, seccomp filter, masked paths
#	user	a normal user's: one id is mapped

# make_tree DIR: a small image; none of the mount points of an attach is in it.
make_tree()
{
	local applet
	mkdir -p "$1"/{bin,etc,proc,tmp,home}
	cp /usr/bin/busybox "$1/bin/busybox"
	for applet in sh sleep cat ls mount umount rmdir touch; do
		ln -s busybox "$1/bin/$applet"
	done
	echo ID=image >"$1/etc/os-release"
	echo 'root:x:0:0:root of the image:/:/bin/sh' >"$1/etc/passwd"
	echo 'root:x:0:' >"$1/etc/group"
	echo 'nameserver 192.0.2.1' >"$1/etc/resolv.conf"
	chmod 1777 "$1/tmp"
}

# in_cgroup NAME CMD...: becomes CMD in a cgroup of its own.
in_cgroup()
{
	mkdir -p "/sys/fs/cgroup/$1"
	echo "$BASHPID" >"/sys/fs/cgroup/$1/cgroup.procs"
	shift
	exec "$@" </dev/null >/run/container.log 2>&1
}

# wait_for CMD...: until it succeeds.
wait_for()
{
	local end=$((SECONDS + 300)) # only what hangs takes so long
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || { echo "gave up waiting for: $*"; return 1; }
		sleep 0.05
	done
}

found()
{
	TPID=$(find_process "$1") && TARGET=$TPID
}

# shellcheck disable=SC2016 # for the shell inside
PIVOT='cd "$1" && mount --bind . . && cd "$1" && mkdir -p .old && busybox pivot_root . .old &&
	exec /bin/busybox env -i MARK=of-the-container /bin/sh -c "
		mount -t proc proc /proc && umount -l /.old && rmdir /.old && exec sleep $2"'

bare_start()
{
	make_tree /ctr/bare
	(in_cgroup bare unshare -mpfniu --propagation private bash -c "$PIVOT" - /ctr/bare 90001) &
	wait_for found "sleep 90001"
}

userns_start()
{
	local holder
	make_tree /ctr/userns
	chown -R 100000:100000 /ctr/userns
	unshare -U sleep 90000 &
	holder=$!
	wait_for find_process "sleep 90000" >/dev/null
	echo '0 100000 65536' >"/proc/$holder/uid_map"
	echo '0 100000 65536' >"/proc/$holder/gid_map"
	(in_cgroup userns nsenter -t "$holder" -U -S 0 -G 0 unshare -mpfniu --propagation private \
		bash -c "$PIVOT" - /ctr/userns 90002) &
	wait_for found "sleep 90002"
	kill "$holder"
}

chroot_start()
{
	make_tree /ctr/chroot
	(in_cgroup chroot env -i MARK=of-the-container /usr/bin/chroot /ctr/chroot /bin/sleep 90003) &
	wait_for found "/bin/sleep 90003"
}

runc_start()
{
	mkdir -p /ctr/runc
	make_tree /ctr/runc/rootfs
	cat >/ctr/runc/config.json <<-'END'
		{ "ociVersion": "1.0.2", "root": { "path": "rootfs" }, "hostname": "runc",
		  "process": { "args": ["/bin/sleep", "90004"], "cwd": "/", "user": { "uid": 0, "gid": 0 },
		    "env": ["PATH=/bin", "MARK=of-the-container"], "noNewPrivileges": true, "capabilities": {
		      "bounding": ["CAP_CHOWN", "CAP_KILL"], "effective": ["CAP_CHOWN", "CAP_KILL"],
		      "permitted": ["CAP_CHOWN", "CAP_KILL"] } },
		  "mounts": [ { "destination": "/proc", "type": "proc", "source": "proc" },
		    { "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"] },
		    { "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"] } ],
		  "linux": { "cgroupsPath": "/runc", "resources": { "pids": { "limit": 50 } },
		    "maskedPaths": ["/proc/kcore"], "readonlyPaths": ["/proc/sys"],
		    "namespaces": [ { "type": "pid" }, { "type": "network" }, { "type": "ipc" }, { "type": "uts" },
		      { "type": "mount" }, { "type": "cgroup" } ],
		    "seccomp": { "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
		      "syscalls": [ { "names": ["sethostname"], "action": "SCMP_ACT_ERRNO", "errnoRet": 42 } ] } } }
	END
	runc run --detach --no-pivot=false --bundle /ctr/runc web </dev/null >/run/container.log 2>&1
	wait_for found "/bin/sleep 90004"
	TARGET=runc:web
}

# Of user 1000, who attaches without root. Joining a cgroup takes the right to write to the common parent.
user_start()
{
	make_tree /ctr/user
	mkdir -p /sys/fs/cgroup/user/session
	chown -R 1000:1000 /ctr/user /sys/fs/cgroup/user
	(in_cgroup user/container setpriv --reuid 1000 --regid 1000 --clear-groups unshare -Urmpfn \
		--propagation private bash -c "$PIVOT" - /ctr/user 90005) &
	wait_for found "sleep 90005"
	chown -R 1000:1000 /sys/fs/cgroup/user
	CNTR_AS=as_user
}

# as_user CMD...: becomes CMD.
as_user()
{
	echo "$BASHPID" >/sys/fs/cgroup/user/session/cgroup.procs
	exec setpriv --reuid 1000 --regid 1000 --clear-groups "$@"
}
