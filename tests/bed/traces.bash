# SPDX-License-Identifier: MIT
# traces.bash - what an attached shell could leave behind: processes, mounts, cgroups, files.

# traces: one text with all of it, of $TPID's container and of the host. Equal before and after means no trace.
traces()
{
	echo "== processes of the container"
	in_pidns "$TPID"
	echo "== processes of cntr"
	cntr_processes
	echo "== mounts of the container"
	cat "/proc/$TPID/mountinfo"
	echo "== mounts of the host"
	cat /proc/self/mountinfo
	echo "== cgroups"
	traces_cgroups
	echo "== files"
	tree_state /tmp /run /dev/shm "$BED/home" "$BED/user" /var/lib/cntr /var/cache/cntr | grep -v /bats-run- || :
	# Others use this one, too.
	find /var/tmp -maxdepth 1 -name '*cntr*'
	echo "== files of the container"
	tree_state "/proc/$TPID/root/"
}

# Everything that runs the program under test: by what is executed, itself or a sealed copy, whatever it calls itself.
cntr_processes()
{
	local p exe
	for p in /proc/[0-9]*; do
		exe=$(readlink "$p/exe" 2>/dev/null) || continue
		if [[ $exe == "$CNTR" || $exe == /memfd:cntr* ]] && alive "${p#/proc/}"; then
			tr '\0' ' ' <"$p/cmdline"
			echo
		fi
	done
}

# no_cntr: nobody runs it any more, for wait_for: who ends last may be seen for a moment.
no_cntr() { [ -z "$(cntr_processes)" ]; }

# Cgroups of this bed, with how many processes each has.
traces_cgroups()
{
	local m g
	for m in $(cgroup_mounts); do
		# Groups anywhere: a new one outside of the container's would be a trace, too.
		find "$m" -type d 2>/dev/null | grep -v "/dvs-bed\.\|/process_api" || :
		find "$m/$BED_CGROUP" -type d 2>/dev/null | while read -r g; do
			echo "$g $(wc -l <"$g/cgroup.procs")"
		done
	done
}

# no_traces BEFORE SECONDS: within that time everything is as it was.
no_traces()
{
	local before=$1 end now
	end=$(bound "$2")
	while now=$(traces) && [ "$now" != "$before" ]; do
		if [ "$SECONDS" -ge "$end" ]; then
			fail "traces are left:" "$(diff <(echo "$before") <(echo "$now"))"
			return 1
		fi
		sleep 0.05
	done
}
