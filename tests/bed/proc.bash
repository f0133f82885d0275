# SPDX-License-Identifier: MIT
# proc.bash - facts about processes and cgroups, read from the outside.

# alive PID: it exists and is no zombie.
alive()
{
	local stat
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
	[[ ${stat##*) } != [ZX]* ]]
}

has_ended() { ! alive "$1"; }

# wait_exec PID: until it runs the container's command, and no longer the runtime's own program.
wait_exec()
{
	wait_for 10 executed "$1"
}

executed()
{
	local line
	line=$(tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline") || return 0
	[ -n "$line" ] && [[ $line != "runc init "* && $line != "crun "* && $line != lxc-start* && $line != "[lxc monitor]"* ]]
}

# status_of PID FIELD...: lines of /proc/PID/status, blanks squeezed.
status_of()
{
	local pid=$1 re
	shift
	re=$(IFS='|' && echo "$*")
	grep -E "^($re):" "/proc/$pid/status" | tr -s '\t ' ' '
}

# ns_of PID: "NAME inode" lines of all its namespaces, without the mount namespace.
ns_of()
{
	local n
	for n in cgroup ipc net pid time user uts; do
		[ ! -e "/proc/$1/ns/$n" ] || echo "$n $(readlink "/proc/$1/ns/$n")"
	done
}

# children_of PID: all its descendants.
descendants_of()
{
	local c
	for c in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
		echo "$c"
		descendants_of "$c"
	done
}

# cgroup_of_controller NAME: where this hierarchy is mounted; v1 first, then v2 if it has the controller.
cgroup_of_controller()
{
	local mnt
	mnt=$(awk -v c="$1" '{ for (i = 7; $i != "-"; i++); if ($(i + 1) == "cgroup" && ("," $(i + 3) ",") ~ ("," c ",")) { print $5; exit } }' /proc/self/mountinfo)
	if [ -z "$mnt" ]; then
		mnt=$(awk '/ - cgroup2 / { print $5; exit }' /proc/self/mountinfo)
		[ -n "$mnt" ] && grep -qw "$1" "$mnt/cgroup.controllers" || return 1
	fi
	echo "$mnt"
}

# cgroup_mounts: mount point of every hierarchy, v1 and v2.
cgroup_mounts()
{
	awk '/ - cgroup2? / && !seen[$3]++ { print $5 }' /proc/self/mountinfo
}

# cgroup_make NAME: /$BED_CGROUP/NAME in every hierarchy.
cgroup_make()
{
	local m
	for m in $(cgroup_mounts); do
		mkdir -p "$m/$BED_CGROUP/$1"
		# A new v1 cpuset is empty, and takes no process, until it is told its share.
		if [ -e "$m/$BED_CGROUP/$1/cpuset.cpus" ] && [ ! -e "$m/cgroup.controllers" ]; then
			cat "$m/cpuset.cpus" >"$m/$BED_CGROUP/cpuset.cpus"
			cat "$m/cpuset.mems" >"$m/$BED_CGROUP/cpuset.mems"
			cat "$m/cpuset.cpus" >"$m/$BED_CGROUP/$1/cpuset.cpus"
			cat "$m/cpuset.mems" >"$m/$BED_CGROUP/$1/cpuset.mems"
		fi
	done
}

# cgroup_join NAME [PID]: move the process (default: the caller's shell) there, in every hierarchy.
cgroup_join()
{
	local m
	for m in $(cgroup_mounts); do
		echo "${2:-$BASHPID}" >"$m/$BED_CGROUP/$1/cgroup.procs"
	done
}

# cgroup_remove NAME: it and what its processes made below.
cgroup_remove()
{
	local m
	for m in $(cgroup_mounts); do
		find "$m/$BED_CGROUP/$1" -depth -type d -exec rmdir {} + 2>/dev/null || :
	done
}

# tree_state DIR...: names, types and modes below; to compare before and after.
tree_state()
{
	find "$@" -xdev -printf '%p %y %m %u:%g\n' 2>/dev/null | sort
}
