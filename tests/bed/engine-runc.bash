# SPDX-License-Identifier: MIT
# engine-runc.bash - runc alone: the container whose every right is spelled out, so tests can choose them.

runc_up()
{
	:
}

# runc_run NAME IMAGE [JQ...]: each JQ changes the configuration that `runc spec` proposes.
runc_run()
{
	local bundle=$BED/runc/$1 edit
	mkdir -p "$bundle"
	image_copy "$2" "$bundle/rootfs"
	(cd "$bundle" && rm -f config.json && runc spec)
	for edit in '.root.readonly=false | .process.terminal=false | .process.args=["/app"]' ".linux.cgroupsPath=\"/$BED_CGROUP/$1\"" \
		".process.env=[\"PATH=/only/here\", \"$IMAGE_ENV\"]" \
		"${@:3}"; do
		jq "$edit" "$bundle/config.json" >"$bundle/config.new"
		mv "$bundle/config.new" "$bundle/config.json"
	done
	runc run -d --bundle "$bundle" --pid-file "$bundle/pid" "$1" </dev/null >"$bundle/log" 2>&1 3>&- 4>&- || {
		cat "$bundle/log"
		return 1
	}
	TPID=$(<"$bundle/pid")
	wait_exec "$TPID"
	TARGET=runc:$1
	export TPID TARGET
}

runc_rm()
{
	runc delete -f "$1"
	rm -rf --one-file-system "${BED:?}/runc/$1"
}

runc_down()
{
	local c
	for c in $(runc list -q); do
		runc_rm "$c"
	done
}
