# SPDX-License-Identifier: MIT
# caps.bash - what this machine can do. cap_NAME succeeds or prints the reason why not.

# need CAP...: skip the test, or the file, unless the machine has them all.
need()
{
	local cap why
	for cap; do
		why=$("cap_$cap" 2>&1) || skip "$cap: ${why:-not here}"
	done
}

# bed_caps: every capability this machine has, with commas: a value for MUST_RUN.
bed_caps()
{
	local fn caps=()
	for fn in $(compgen -A function cap_ | sort); do
		("$fn") >/dev/null 2>&1 && caps+=("${fn#cap_}")
	done
	(IFS=, && echo "${caps[*]}")
}

has()
{
	local p
	for p; do
		command -v "$p" >/dev/null || {
			echo "$p is not installed"
			return 1
		}
	done
}

cap_docker() { has dockerd docker runc containerd && cap_overlay; }
cap_podman() { has podman runc conmon && cap_overlay; }
cap_rootless() { has podman runc conmon newuidmap setpriv && cap_userns && cap_fuse; }
cap_containerd() { has containerd ctr runc && cap_overlay; }
cap_runc() { has runc; }
cap_crun() { has crun; }
cap_lxc() { has lxc-start lxc-stop lxc-info; }
cap_nspawn() { has systemd-nspawn; }
cap_bwrap() { has bwrap; }
cap_unshare() { has unshare; }
cap_kvm() { [ -w /dev/kvm ] || { echo "/dev/kvm can't be opened"; return 1; }; }
cap_pty() { [ -c /dev/ptmx ] && has python3; }
cap_tmux() { has tmux; }
cap_deb() { has git dpkg-buildpackage dh lintian && git -C "$ROOT" rev-parse HEAD >/dev/null; }
cap_qsd() { has qemu-storage-daemon qemu-system-x86_64; }
cap_image() { has mke2fs debugfs e2fsck cryptsetup veritysetup jq setfacl setfattr setcap; }
cap_packages()
{
	has mmdebstrap apt-get || return 1
	[ -n "$(apt-get indextargets --format '$(FILENAME)' 'Created-By: Packages' | xargs -r ls 2>/dev/null)" ] || {
		echo "apt has no package lists (apt-get update?)"
		return 1
	}
}
cap_dpdk() { has dpdk-testpmd; }
cap_wireguard() { has wg ip; }
cap_netns()
{
	has ip python3 || return 1
	[ -c /dev/net/tun ] || { echo "no /dev/net/tun"; return 1; }
	unshare --net sh -c 'ip tuntap add t0 mode tap' || { echo "taps are not permitted"; return 1; }
}
cap_debugger() { has gdb strace; }

cap_overlay() { grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null || { echo "no overlayfs in this kernel"; return 1; }; }

# Overlay layers given as descriptors: fsconfig(FSCONFIG_SET_FD, "lowerdir+"), Linux 6.13.
cap_overlay_fd() { cap_overlay && kernel_at_least 6 13; }

cap_fuse()
{
	grep -qw fuse /proc/filesystems || { echo "this kernel has no FUSE"; return 1; }
	{ : <>/dev/fuse; } 2>/dev/null || { echo "/dev/fuse can't be opened"; return 1; }
}
cap_squashfs() { has mksquashfs && file_system squashfs; }
cap_erofs() { has mkfs.erofs && file_system erofs; }
file_system() { grep -qw "$1" /proc/filesystems || modprobe "$1" 2>/dev/null || { echo "no $1 in this kernel"; return 1; }; }
cap_userns() { unshare --user true 2>/dev/null || { echo "user namespaces are not permitted"; return 1; }; }
cap_timens() { unshare --time true 2>/dev/null || { echo "no time namespaces"; return 1; }; }

# Any file system can be the source of an id-mapped mount, Linux 5.12.
cap_idmap() { cap_userns && kernel_at_least 5 12; }

cap_cgroup1() { grep -q ' - cgroup cgroup ' /proc/self/mountinfo || { echo "no cgroup v1 hierarchy is mounted"; return 1; }; }
cap_cgroup2() { grep -q ' - cgroup2 ' /proc/self/mountinfo || { echo "no cgroup v2 hierarchy is mounted"; return 1; }; }
cap_memcg() { cgroup_of_controller memory >/dev/null || { echo "no memory controller"; return 1; }; }
cap_seccomp() { grep -q '^Seccomp:' /proc/self/status || { echo "no seccomp in this kernel"; return 1; }; }
cap_apparmor() { [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ] || { echo "AppArmor is off"; return 1; }; }

# docker run --privileged asks for every capability that the kernel knows.
cap_all_capabilities()
{
	[ "$(capsh --decode="$(awk '/^CapBnd/ { print $2 }' /proc/self/status)" | tr -cd , | wc -c)" = "$(cat /proc/sys/kernel/cap_last_cap)" ] || {
		echo "this root lacks some capability itself"
		return 1
	}
}

kernel_at_least()
{
	local major minor
	IFS=.- read -r major minor _ < <(uname -r)
	((major > $1 || (major == $1 && minor >= $2))) || {
		echo "Linux $(uname -r) is older than $1.$2"
		return 1
	}
}

# The host's side of the library OS: a program's system calls can be caught (Linux 5.11), FS and GS set by it.
cap_libos()
{
	[ "$(uname -m)" = x86_64 ] || { echo "x86-64 only"; return 1; }
	kernel_at_least 5 11 || return 1
	grep -qw fsgsbase /proc/cpuinfo || { echo "no FSGSBASE"; return 1; }
	[ -x "$VMLINUX" ] || { echo "not built: make libos"; return 1; }
}
