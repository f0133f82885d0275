# SPDX-License-Identifier: MIT
# engine-containerd.bash - containerd with ctr, in a namespace that is not the default one.

containerd_up()
{
	mkdir -p "$BED/containerd"
	# No Kubernetes, and nothing of the machine's: the opt plugin would write to /opt.
	printf 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]\n' \
		>"$BED/containerd.toml"
	start_daemon containerd containerd --config "$BED/containerd.toml"
	wait_for 60 ctr_cmd version >/dev/null 2>&1
}

ctr_cmd()
{
	ctr --namespace bed "$@"
}

# containerd_run NAME IMAGE [OPTION...]
containerd_run()
{
	ctr_cmd images ls -q | grep -qx "bed/$2:latest" ||
		ctr_cmd images import "$(image_archive "$2")" >/dev/null
	ctr_cmd run -d --cgroup "/$BED_CGROUP/$1" "${@:3}" "bed/$2:latest" "$1" /app
	TPID=$(ctr_cmd tasks ls | awk -v n="$1" '$1 == n { print $2 }')
	wait_exec "$TPID"
	TARGET=containerd:$1
	export TPID TARGET
}

containerd_rm()
{
	ctr_cmd tasks rm -f "$1" >/dev/null
	ctr_cmd containers rm "$1"
}

containerd_down()
{
	local c
	for c in $(ctr_cmd containers ls -q); do
		containerd_rm "$c" || :
	done
	stop_daemon containerd
}

# --- container's root is host's 2000000 ---

cap_containerd_idmap() { cap_containerd && cap_userns; }
containerd_idmap_up() { containerd_up; }
containerd_idmap_run()
{
	containerd_run "$@" --uidmap 0:2000000:65536 --gidmap 0:2000000:65536
}
containerd_idmap_rm() { containerd_rm "$@"; }
containerd_idmap_down() { containerd_down; }
