# SPDX-License-Identifier: MIT
# engine-podman.bash - podman as root, as root with mapped ids, and as a normal user.

podman_up()
{
	# storage.conf of the machine, if any, must not name a driver that can't run here.
	mkdir -p "$HOME/.config/containers"
	export CONTAINERS_STORAGE_CONF=$BED/storage.conf
	printf '[storage]\ndriver = "overlay"\nrunroot = "/run/containers/storage"\ngraphroot = "/var/lib/containers/storage"\n' \
		>"$CONTAINERS_STORAGE_CONF"
}

# CAP_SYS_RESOURCE may be missing, so limits are given that need no raising. crun refuses hybrid cgroups.
podman_cmd()
{
	podman --cgroup-manager=cgroupfs --events-backend=file --runtime runc "$@"
}

# podman_run NAME IMAGE [OPTION...]
podman_run()
{
	podman_start podman_cmd "$@" --cgroup-parent="/$BED_CGROUP"
	TARGET=podman:$1
}

# podman_start PODMAN NAME IMAGE [OPTION...]
podman_start()
{
	local cmd=$1 name=$2 image=$3
	shift 3
	"$cmd" image exists "$image" ||
		tar -C "$(image_tree "$image")" -c . | "$cmd" import -c 'CMD ["/app"]' \
			-c "ENV $IMAGE_ENV" -c 'ENV PATH=/only/here' - "localhost/$image" >/dev/null
	"$cmd" run -d --network none --name "$name" --ulimit nofile=1024:1024 --ulimit nproc=4096:4096 \
		"$@" "localhost/$image" >/dev/null
	TPID=$("$cmd" inspect -f '{{.State.Pid}}' "$name")
	wait_exec "$TPID"
	TARGET=podman:$name
	export TPID TARGET
}

# What is mounted in a container is busy as long as a process that ends beside it still has it in its mount namespace.
podman_try_rm() { podman_cmd rm -f -t 1 "$1" >/dev/null; }
podman_rm() { wait_for 10 podman_try_rm "$1"; }

podman_down()
{
	podman_cmd rm -f -t 1 -a >/dev/null
}

# --- root, container's root is host's 2000000 ---

cap_podman_uidmap() { cap_podman && cap_userns; }
podman_uidmap_up() { podman_up; }
podman_uidmap_run()
{
	podman_run "$@" --uidmap 0:2000000:65536 --gidmap 0:2000000:65536
}
podman_uidmap_rm() { podman_rm "$@"; }
podman_uidmap_down() { podman_down; }

# --- a normal user, without root anywhere ---

rootless_up()
{
	:
}

rootless_cmd()
{
	"$AS_USER" podman --cgroup-manager=cgroupfs --events-backend=file --runtime runc --storage-driver overlay "$@"
}

rootless_run()
{
	podman_start rootless_cmd "$@"
}

rootless_try_rm() { rootless_cmd rm -f -t 1 "$1" >/dev/null; }
rootless_rm() { wait_for 10 rootless_try_rm "$1"; }

rootless_down()
{
	rootless_cmd rm -f -t 1 -a >/dev/null
}
