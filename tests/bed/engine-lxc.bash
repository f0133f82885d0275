# SPDX-License-Identifier: MIT
# engine-lxc.bash - LXC 5, privileged and with mapped ids.

lxc_up()
{
	:
}

# lxc_run NAME IMAGE [CONFIG-LINE...]
lxc_run()
{
	local dir=/var/lib/lxc/$1
	mkdir -p "$dir"
	image_copy "$2" "$dir/rootfs"
	mkdir -p "$dir/rootfs"/{dev,proc,sys}
	printf '%s\n' "lxc.uts.name = $1" "lxc.rootfs.path = dir:$dir/rootfs" 'lxc.init.cmd = /app' \
		'lxc.net.0.type = empty' 'lxc.apparmor.profile = unconfined' 'lxc.mount.auto = proc:mixed sys:mixed' \
		"lxc.cgroup.dir = $BED_CGROUP/$1" 'lxc.pty.max = 0' 'lxc.tty.max = 0' \
		"lxc.environment = $IMAGE_ENV" 'lxc.environment = PATH=/only/here' "${@:3}" >"$dir/config"
	case " ${*:3}" in
	*lxc.idmap*) chown_tree "$dir/rootfs" 2000000 && chmod 755 "$dir" ;;
	esac
	lxc-start -n "$1" -l DEBUG -o "$BED/lxc-$1.log" 3>&- 4>&- || {
		grep -E 'ERROR|WARN' "$BED/lxc-$1.log"
		return 1
	}
	TPID=$(lxc-info -n "$1" -p -H)
	wait_exec "$TPID"
	TARGET=lxc:$1
	export TPID TARGET
}

# chown_tree DIR BASE: every id of the tree, shifted.
chown_tree()
{
	find "$1" -printf '%U:%G %p\0' | while IFS= read -r -d '' line; do
		ids=${line%% *}
		chown -h "$((${ids%:*} + $2)):$((${ids#*:} + $2))" "${line#* }"
	done
}

lxc_rm()
{
	lxc-stop -n "$1" -k || :
	# The monitor cleans up after the container has gone; the next one would find its cgroup taken.
	wait_for 10 lxc_gone "$1"
	cgroup_remove "$1"
	rm -rf --one-file-system "/var/lib/lxc/$1"
}

lxc_gone() { ! pgrep -fx "\[lxc monitor\] /var/lib/lxc $1" >/dev/null; }

lxc_down()
{
	local c
	for c in $(lxc-ls -1); do
		lxc_rm "$c"
	done
}

cap_lxc_idmap() { cap_lxc && cap_userns && has newuidmap; }
lxc_idmap_up() { lxc_up; }
lxc_idmap_run()
{
	lxc_run "$@" 'lxc.idmap = u 0 2000000 65536' 'lxc.idmap = g 0 2000000 65536'
}
lxc_idmap_rm() { lxc_rm "$@"; }
lxc_idmap_down() { lxc_down; }
