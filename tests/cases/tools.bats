#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# --tools: where the fat tools come from. --rw: may they be written to.

load ../bed/bed

setup_file()
{
	bed_engine_up runc
	runc_run fat debian
	runc_run web distroless
	mkdir -p "$BED/dir"
	image_copy busybox "$BED/dir/tree"
	echo mark-of-the-dir >"$BED/dir/tree/mark"
}

teardown_file()
{
	[ -z "${TPID:-}" ] || runc_down
}

# with TOOLS CMD...
with()
{
	cntr attach --tools "$1" "$TARGET" -- "${@:2}"
}

@test "--tools DIR" {
	same mark-of-the-dir "$(with "$BED/dir/tree" /bin/cat /mark)"
	same ID=bed-image "$(with "$BED/dir/tree" /bin/cat /var/lib/cntr/etc/os-release)"
	same 1 "$(status with "$BED/dir/tree" /bin/test -e "$BED")"
}

@test "--tools DIR: a relative path" {
	cd "$BED/dir"
	same mark-of-the-dir "$(with ./tree /bin/cat /mark)"
}

@test "--tools DIR: its ps shows the container" {
	matches "$(with "$BED/dir/tree" /bin/ps)" '/app'
}

@test "--tools CONTAINER" {
	same 12 "$(with runc:fat /bin/sh -c '. /usr/lib/os-release; echo $VERSION_ID')"
	same ID=bed-image "$(with runc:fat /bin/cat /var/lib/cntr/etc/os-release)"
	# Namespaces and processes are still the target's.
	same "$(inner_pid "$TPID")" "$(with runc:fat /bin/sh -c 'for p in /proc/[0-9]*; do [ "$(tr -d "\0" <$p/cmdline)" != /app ] || echo ${p#/proc/}; done')"
}

@test "--tools IMAGE.tar: of OCI" {
	local tar
	tar=$(image_archive debian)
	same 12 "$(with "$tar" /bin/sh -c '. /usr/lib/os-release; echo $VERSION_ID')"
}

@test "--tools IMAGE.tar: unpacked once" {
	local tar before
	tar=$(image_archive debian)
	# What has just been written could change once more within the clock's resolution, and is not remembered.
	while [ $(($(date +%s) - $(stat -c %Z "$tar"))) -lt 4 ]; do sleep 0.2; done
	with "$tar" true
	before=$(find /var/cache/cntr -printf '%p %C@\n' | sort)
	[ -n "$before" ]
	with "$tar" true
	same "$before" "$(find /var/cache/cntr -printf '%p %C@\n' | sort)"
}

@test "--tools IMAGE.tar: unused for long, it goes when another is unpacked, but not while it is used" {
	local first second entry
	rm -rf /var/cache/cntr
	first=$(image_archive busybox)
	attach_start --tools "$first" -- /bin/sleep 86090
	entry=$(echo /var/cache/cntr/v1-*)
	[ -d "$entry" ]
	touch -d '31 days ago' "$entry"
	second=$(image_archive musl)
	with "$second" /bin/true
	[ -d "$entry" ]
	same 0 "$(status nsenter -t "$APID" -m -r /bin/test -x /bin/busybox)"
	attach_stop
	rm -r "$(find /var/cache/cntr -maxdepth 1 -name 'v1-*' ! -path "$entry")"
	with "$second" /bin/true
	[ ! -e "$entry" ]
}

@test "--tools IMAGE.tar: of docker save, with layers and whiteouts" {
	need docker
	docker_up
	docker_image busybox
	"$DOCKER" run --network none --name build busybox /bin/sh -c 'rm /bin/vi; echo second >/layer; ln /layer /hard; mkfifo /fifo'
	"$DOCKER" commit build layered >/dev/null
	"$DOCKER" save -o "$BED/layered.tar" layered
	docker_down
	same second "$(with "$BED/layered.tar" /bin/cat /hard)"
	same 0 "$(status with "$BED/layered.tar" /bin/test -p /fifo)"
	same 1 "$(status with "$BED/layered.tar" /bin/test -L /bin/vi)"
	same 0 "$(status with "$BED/layered.tar" /bin/test -L /bin/sed)"
}

@test "--tools host is the default" {
	same "$(attach sha256sum /usr/bin/env)" "$(with host sha256sum /usr/bin/env)"
}

@test "--tools: what is not there, what is no archive, what is damaged" {
	tool_error 125 "$CNTR" attach --tools "$BED/none" "$TARGET" -- true
	matches "$said" none
	head -c 100000 /dev/urandom >"$BED/noise.tar"
	tool_error 125 "$CNTR" attach --tools "$BED/noise.tar" "$TARGET" -- true
	matches "$said" noise.tar
	head -c 1000000 "$(image_archive debian)" >"$BED/short.tar"
	tool_error 125 "$CNTR" attach --tools "$BED/short.tar" "$TARGET" -- true
	matches "$said" short.tar
	tool_error 125 "$CNTR" attach --tools runc:none "$TARGET" -- true
}

@test "--tools IMAGE.tar: a layer does not reach out of its directory" {
	local tree=$BED/evil-tree
	mkdir -p "$tree" "$BED/outside"
	/usr/bin/python3 - "$BED" <<-'END'
		import hashlib, io, json, sys, tarfile
		bed = sys.argv[1]
		layer = io.BytesIO()
		with tarfile.open(fileobj=layer, mode="w") as tar:
		    def add(name, kind=tarfile.REGTYPE, link="", data=b"evil"):
		        m = tarfile.TarInfo(name); m.type = kind; m.linkname = link
		        m.size = len(data) if kind == tarfile.REGTYPE else 0
		        tar.addfile(m, io.BytesIO(data))
		    add("link", tarfile.SYMTYPE, bed + "/outside"); add("link/one")
		    add("../../../../../../../../" + bed + "/outside/two"); add(bed + "/outside/three")
		    add("up", tarfile.SYMTYPE, "../../../../../../../.." + bed + "/outside"); add("up/four")
		    add("hard", tarfile.LNKTYPE, "../../../../../../../../etc/passwd")
		layer = layer.getvalue()
		config = json.dumps({"rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}}).encode()
		manifest = json.dumps([{"Config": "config.json", "RepoTags": ["evil:latest"], "Layers": ["layer.tar"]}]).encode()
		with tarfile.open(bed + "/evil.tar", "w") as tar:
		    for name, data in (("config.json", config), ("layer.tar", layer), ("manifest.json", manifest)):
		        m = tarfile.TarInfo(name); m.size = len(data); tar.addfile(m, io.BytesIO(data))
	END
	run with "$BED/evil.tar" true
	[ "$status" -ge 125 ] && [ "$status" -le 127 ]
	same '' "$(ls "$BED/outside")"
}

@test "--rw: the tools tree can be written to" {
	same 0 "$(status cntr attach --rw --tools "$BED/dir/tree" "$TARGET" -- /bin/touch /written)"
	[ -e "$BED/dir/tree/written" ]
	same 1 "$(status with "$BED/dir/tree" /bin/touch /not-written)"
	[ ! -e "$BED/dir/tree/not-written" ]
}

@test "--rw: on the host's tree" {
	same 0 "$(status cntr attach --rw "$TARGET" -- touch "$BED/written")"
	[ -e "$BED/written" ]
}
