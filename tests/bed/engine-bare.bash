# SPDX-License-Identifier: MIT
# engine-bare.bash - containers without an engine: systemd-nspawn, bubblewrap, unshare.

# bare_start NAME CMD...: CMD in cgroups of its own; its log and pid go below $BED.
bare_start()
{
	local name=$1
	shift
	cgroup_make "$name"
	(
		cgroup_join "$name"
		export "${IMAGE_ENV?}"
		exec "$@"
	) </dev/null >"$BED/bare-$name.log" 2>&1 3>&- 4>&- &
	echo $! >"$BED/bare-$name.pid"
	# The shell need not tell when it is killed.
	disown
}

# bare_app PID: its descendant that runs /app.
bare_app()
{
	local p
	for p in $(descendants_of "$1"); do
		[ "$(tr '\0' ' ' 2>/dev/null <"/proc/$p/cmdline")" = "/app " ] && echo "$p" && return
	done
	return 1
}

# bare_target NAME: wait until /app runs.
bare_target()
{
	local pid
	pid=$(<"$BED/bare-$1.pid")
	wait_for 20 bare_app "$pid" >/dev/null || {
		cat "$BED/bare-$1.log"
		return 1
	}
	TPID=$(bare_app "$pid")
	TARGET=$TPID
	export TPID TARGET
}

bare_rm()
{
	local pid p
	pid=$(<"$BED/bare-$1.pid")
	for p in $(descendants_of "$pid") "$pid"; do
		kill -KILL "$p" 2>/dev/null || :
	done
	wait_for 10 bare_gone "$pid"
	rm "$BED/bare-$1.pid"
	cgroup_remove "$1"
}

bare_gone() { ! alive "$1"; }

bare_down()
{
	local f name
	for f in "$BED"/bare-*.pid; do
		name=${f##*/bare-}
		[ ! -e "$f" ] || bare_rm "${name%.pid}"
	done
}

# --- systemd-nspawn ---

nspawn_up() { :; }
nspawn_run()
{
	image_copy "$2" "$BED/nspawn/$1"
	mkdir -p "$BED/nspawn/$1"/{usr,etc}
	bare_start "$1" systemd-nspawn --quiet --register=no --keep-unit --console=pipe --timezone=off --private-network \
		--machine="$1" --setenv="$IMAGE_ENV" --setenv=PATH=/only/here --directory="$BED/nspawn/$1" "${@:3}" /app
	bare_target "$1"
	TARGET=nspawn:$1
}
nspawn_rm() { bare_rm "$1" && rm -rf --one-file-system "${BED:?}/nspawn/$1"; }
nspawn_down() { bare_down; }

cap_nspawn_idmap() { cap_nspawn && cap_userns; }
nspawn_idmap_up() { :; }
# It wants a multiple of 65536.
nspawn_idmap_run() { nspawn_run "$@" --private-users=2031616:65536 --private-users-ownership=chown; }
nspawn_idmap_rm() { nspawn_rm "$@"; }
nspawn_idmap_down() { nspawn_down; }

# --- bubblewrap ---

bwrap_up() { :; }
bwrap_run()
{
	image_copy "$2" "$BED/bwrap/$1"
	bare_start "$1" bwrap --bind "$BED/bwrap/$1" / --proc /proc --dev /dev --unshare-all --die-with-parent \
		--setenv PATH /only/here "${@:3}" /app
	bare_target "$1"
}
bwrap_rm() { bare_rm "$1" && rm -rf --one-file-system "${BED:?}/bwrap/$1"; }
bwrap_down() { bare_down; }

# --- unshare: the caller is root inside, and nothing else is mapped ---

unshare_up() { :; }
unshare_run()
{
	image_copy "$2" "$BED/unshare/$1"
	mkdir -p "$BED/unshare/$1/proc"
	bare_start "$1" unshare -Urmpfn --kill-child --mount-proc --root="$BED/unshare/$1" "${@:3}" \
		/app
	bare_target "$1"
}
unshare_rm() { bare_rm "$1" && rm -rf --one-file-system "${BED:?}/unshare/$1"; }
unshare_down() { bare_down; }
