# SPDX-License-Identifier: MIT
# engine-runc.bash - runc and crun alone: containers whose every right is spelled out, so tests can choose them.

# bundle_run RUNTIME NAME IMAGE [JQ...]: each JQ changes the configuration that `RUNTIME spec` proposes.
bundle_run()
{
	local runtime=$1 name=$2 bundle=$BED/runc/$2 edit
	mkdir -p "$bundle"
	image_copy "$3" "$bundle/rootfs"
	(cd "$bundle" && rm -f config.json && "$runtime" spec)
	for edit in '.root.readonly=false | .process.terminal=false | .process.args=["/app"]' ".linux.cgroupsPath=\"/$BED_CGROUP/$name\"" \
		".process.env=[\"PATH=/only/here\", \"$IMAGE_ENV\"]" \
		"${@:4}"; do
		jq "$edit" "$bundle/config.json" >"$bundle/config.new"
		mv "$bundle/config.new" "$bundle/config.json"
	done
	if [ "$(jq '.linux.uidMappings | length' "$bundle/config.json")" != 0 ]; then
		chown_tree "$bundle/rootfs" 2000000
	fi
	"$runtime" run -d --bundle "$bundle" --pid-file "$bundle/pid" "$name" </dev/null >"$bundle/log" 2>&1 3>&- 4>&- || {
		cat "$bundle/log"
		return 1
	}
	TPID=$(<"$bundle/pid")
	wait_exec "$TPID"
	export TPID
}

# bundle_rm RUNTIME NAME
bundle_rm()
{
	# It waits for ten seconds, then fails.
	wait_for 20 "$1" delete -f "$2"
	rm -rf --one-file-system "${BED:?}/runc/$2"
}

runc_up()
{
	:
}

# runc_run NAME IMAGE [JQ...]
runc_run()
{
	bundle_run runc "$@"
	export TARGET=runc:$1
}

runc_rm()
{
	bundle_rm runc "$1"
}

runc_down()
{
	local c
	for c in $(runc list -q); do
		runc_rm "$c"
	done
}

# --- container's root is host's 2000000 ---

BUNDLE_IDMAP='.linux.namespaces += [{"type": "user"}] |
	.linux.uidMappings = [{"containerID": 0, "hostID": 2000000, "size": 65536}] | .linux.gidMappings = .linux.uidMappings'

cap_runc_idmap() { cap_runc && cap_userns; }
runc_idmap_up() { :; }
runc_idmap_run() { runc_run "$@" "$BUNDLE_IDMAP"; }
runc_idmap_rm() { runc_rm "$@"; }
runc_idmap_down() { runc_down; }

# --- crun ---

crun_up() { :; }

# crun refuses version 1 cgroups with version 2 mounted beside them, so it does not get to see that.
crun_cmd()
{
	unshare --mount --propagation private /bin/sh -c \
		'! mountpoint -q /sys/fs/cgroup/unified || umount /sys/fs/cgroup/unified; exec crun "$@"' crun "$@"
}

# crun_run NAME IMAGE [JQ...]
crun_run()
{
	bundle_run crun_cmd "$@"
	export TARGET=crun:$1
}

crun_rm()
{
	bundle_rm crun_cmd "$1"
}

crun_down()
{
	local c
	for c in $(crun_cmd list -q); do
		crun_rm "$c"
	done
}

cap_crun_idmap() { cap_crun && cap_userns; }
crun_idmap_up() { :; }
crun_idmap_run() { crun_run "$@" "$BUNDLE_IDMAP"; }
crun_idmap_rm() { crun_rm "$@"; }
crun_idmap_down() { crun_down; }
