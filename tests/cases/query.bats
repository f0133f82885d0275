#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# cntr ps, inspect and doctor; --help and --version.

load ../bed/bed

setup_file()
{
	need docker podman runc lxc nspawn
	docker_up
	podman_up
	docker_run web distroless
	echo "docker web $TPID" >"$BED/expected"
	podman_run db distroless
	echo "podman db $TPID" >>"$BED/expected"
	runc_run plain distroless
	echo "runc plain $TPID" >>"$BED/expected"
	lxc_run box busybox
	echo "lxc box $TPID" >>"$BED/expected"
	nspawn_run machine busybox
	echo "nspawn machine $TPID" >>"$BED/expected"
}

teardown_file()
{
	[ -e "$BED/expected" ] || return 0
	docker_down
	podman_down
	runc_down
	lxc_down
	bare_down
}

@test "ps: every container of every engine, once" {
	local engine name pid found
	run cntr ps --json
	same 0 "$status"
	while read -r engine name pid; do
		found=$(jq -r --arg n "$name" '.[] | select(.name == $n) | "\(.engine) \(.name) \(.pid)"' <<<"$output")
		same "$engine $name $pid" "$found"
	done <"$BED/expected"
	same "$(wc -l <"$BED/expected")" "$(jq length <<<"$output")" "number of containers"
}

@test "ps --json: id, image, user, uptime" {
	run cntr ps --json
	same "$("$DOCKER" inspect -f '{{.Id}}' web)" "$(jq -r '.[] | select(.engine == "docker") | .id' <<<"$output")"
	matches "$(jq -r '.[] | select(.engine == "docker") | .image' <<<"$output")" distroless
	same root "$(jq -r '.[] | select(.engine == "docker") | .user' <<<"$output")"
	jq -e '.[] | select(.engine == "docker") | has("uptime") or has("uptime_s") or has("uptime_ns")' <<<"$output"
}

@test "ps: a table, with a line for each" {
	local engine name pid
	run cntr ps
	same 0 "$status"
	matches "${lines[0]}" 'ENGINE.*NAME'
	while read -r engine name pid; do
		grep -E "^$engine +$name +.*\b$pid\b" <<<"$output"
	done <"$BED/expected"
}

@test "ps: a target that it prints can be attached to" {
	local engine name pid
	while read -r engine name pid; do
		same 0 "$(status timeout "$PATIENCE_S" "$CNTR" attach "$engine:$name" -- true)" "attach to $engine:$name"
	done <"$BED/expected"
}

@test "ps: stopped ones are not shown" {
	docker_run over distroless
	"$DOCKER" stop -t 1 over >/dev/null
	run cntr ps --json
	same '' "$(jq -r '.[] | select(.name == "over") | .name' <<<"$output")"
	"$DOCKER" rm over >/dev/null
}

@test "ps: without any container" {
	run unshare -p -f --mount-proc env -i PATH="$PATH" "$CNTR" ps --json
	same 0 "$status"
}

@test "inspect: what attach would join" {
	local pid
	pid=$(awk '$1 == "docker" { print $3 }' "$BED/expected")
	run cntr inspect docker:web
	same 0 "$status"
	local n
	for n in pid net ipc uts mnt user cgroup; do
		matches "$output" "$(readlink "/proc/$pid/ns/$n" | tr -dc 0-9)"
	done
	matches "$output" "$(tail -n 1 "/proc/$pid/cgroup" | cut -d: -f3)"
	matches "$output" chown
	matches "$output" /etc/hosts
	matches "$output" '[Ss]eccomp'
}

@test "inspect --json: the same" {
	local pid
	pid=$(awk '$1 == "docker" { print $3 }' "$BED/expected")
	run cntr inspect --json docker:web
	same "$pid" "$(jq -r .pid <<<"$output")"
	jq -e '.namespaces and .cgroups and .mounts' <<<"$output"
	matches "$output" "$(readlink "/proc/$pid/ns/net" | tr -dc 0-9)"
}

@test "inspect: an unknown target" {
	tool_error 1 "$CNTR" inspect nothing || tool_error 125 "$CNTR" inspect nothing
}

@test "doctor: says what this kernel and user can do" {
	run cntr doctor
	[ "$status" -le 1 ]
	matches "$output" '[Oo]pen_tree|[Mm]ount'
	matches "$output" 'seccomp|filter'
	matches "$output" overlay
	same 0 "$(grep -c ' $' <<<"$output")" 'lines that end in blanks'
	cntr doctor --json | jq -e . >/dev/null || [ "${PIPESTATUS[0]}" = 1 ]
}

@test "doctor: as a normal user, it says what is missing" {
	run "$AS_USER" "$CNTR" doctor
	[ "$status" -le 1 ]
	matches "$output" 'root|sudo|CAP_SYS_ADMIN|privilege'
}

@test "--help and --version, for all verbs" {
	local verb
	matches "$("$CNTR" --version)" '[0-9]+\.[0-9]+'
	for verb in attach exec ps inspect doctor; do
		run "$CNTR" "$verb" --help
		same 0 "$status"
		matches "$output" "cntr $verb"
		run "$CNTR" --help
		matches "$output" "$verb"
	done
	matches "$output" 'completions bash.zsh.fish'
	run "$CNTR" completions --help
	same 0 "$status"
	tool_error 2 "$CNTR" completions bash extra
	tool_error 2 "$CNTR" completions
}
