# SPDX-License-Identifier: MIT
# engine-docker.bash - a private dockerd with no network, images imported from trees.

# docker_up [OPTION...]: of dockerd
docker_up()
{
	# docker.io's own client, should another one come first in PATH.
	DOCKER=/usr/bin/docker
	[ -x "$DOCKER" ] || DOCKER=docker
	export DOCKER
	start_daemon docker dockerd --data-root "$BED/docker/root" --exec-root "$BED/docker/exec" \
		-H unix:///run/docker.sock -p /run/docker.pid --bridge=none --iptables=false \
		--ip6tables=false --cgroup-parent="/$BED_CGROUP" --exec-opt native.cgroupdriver=cgroupfs "$@"
	wait_for 60 docker_ready || {
		tail -20 "$BED/docker.log"
		return 1
	}
}

docker_ready()
{
	"$DOCKER" version >/dev/null 2>&1
}

docker_image()
{
	"$DOCKER" image inspect "$1" >/dev/null 2>&1 ||
		tar -C "$(image_tree "$1")" -c . | "$DOCKER" import -c 'CMD ["/app"]' -c "ENV $IMAGE_ENV" -c 'ENV PATH=/only/here' - "$1" >/dev/null
}

# docker_run NAME IMAGE [OPTION...]
docker_run()
{
	docker_image "$2"
	"$DOCKER" run -d --network none --name "$1" "${@:3}" "$2" >/dev/null
	TPID=$("$DOCKER" inspect -f '{{.State.Pid}}' "$1")
	wait_exec "$TPID"
	TARGET=docker:$1
	export TPID TARGET
}

docker_rm()
{
	"$DOCKER" rm -f "$1" >/dev/null
}

docker_down()
{
	local c
	for c in $("$DOCKER" ps -aq); do
		docker_rm "$c"
	done
	stop_daemon docker
}

# --- with its ids remapped: containers' root is host's 2100000 ---

cap_docker_idmap() { cap_docker && cap_userns; }
docker_idmap_up() { docker_up --userns-remap=bed; }
docker_idmap_run() { docker_run "$@"; }
docker_idmap_rm() { docker_rm "$@"; }
docker_idmap_down() { docker_down; }
