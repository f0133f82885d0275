#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What vmsh attach does above its channel: vmsh-stage2 in a guest that is a set of namespaces, and the host's side.

load ../bed/bed
load ../bed/guest

@test "the root is the tools', the guest's is at /var/lib/vmsh" {
	run vm -T -- sh -c 'pwd; stat -f -c %T /; cat /var/lib/vmsh/etc/os-release; hostname; ls -d /usr/bin/env'
	same 0 "$status" "$output"
	same "/var/lib/vmsh
fuseblk
ID=bed-image
guest
/usr/bin/env" "$output"
	# Users, network and time are the guest's.
	matches "$(vm -T -- cat /etc/passwd)" 'root of the image'
	matches "$(vm -T -- date +%z)" '\+0545'
	same "$(readlink "/proc/$TPID/ns/net")" "$(vm -T -- readlink /proc/self/ns/net)"
	# /proc, /sys and /dev are there, and a file system of our own for what is temporary.
	vm -T -- sh -ec 'test -e /proc/1/stat; test -d /sys/class; test -c /dev/null; echo x >/tmp/x; cat /tmp/x'
}

@test "processes are the guest's" {
	run vm -T -- ps -e -o pid,args
	matches "$output" ' 1 /app'
	misses "$output" 'bats'
	vm -T -- sh -c 'kill -0 1'
}

@test "exit status" {
	same 0 "$(status vm -T -- true)"
	same 3 "$(status vm -T -- sh -c 'exit 3')"
	same 137 "$(status vm -T -- sh -c 'kill -9 $$')"
	same 143 "$(status vm -T -- sh -c 'kill $$')"
	same 127 "$(status vm -T -- no-such-program)"
	same 126 "$(status vm -T -- /etc)"
	same 125 "$(status vm -T --pid 999999 -- true)"
	same 125 "$(status vm -T --cwd /nowhere -- true)"
	run vm -T -- no-such-program
	matches "$output" "no 'no-such-program' on the PATH"
}

@test "a user of the guest, by name; the rights of a process" {
	same '65532 65532 65533' "$(vm -T --user nonroot -- sh -c 'echo $(id -u) $(id -G)')"
	same /home/nonroot "$(vm -T --user nonroot -- sh -c 'echo $HOME')"
	same "$(status_of "$TPID" CapEff)" "$(vm -T -- grep CapEff /proc/self/status | tr -s '\t ' ' ')"
	# What is joined may be another process than the first.
	local pid
	setpriv --no-new-privs --bounding-set -sys_time nsenter --target "$TPID" --all sleep 1000 >/dev/null 2>&1 3>&- 4>&- &
	wait_for 5 pgrep -P $! -x sleep >/dev/null
	pid=$(inner_pid "$(pgrep -P $! -x sleep)")
	run vm -T --pid "$pid" -- grep -E 'NoNewPrivs|CapBnd' /proc/self/status
	nsenter --target "$TPID" --all kill "$pid"
	matches "$output" 'NoNewPrivs:.*1'
	misses "$output" "$(status_of "$TPID" CapBnd | cut -d' ' -f2)"
}

@test "a container in the guest: its namespaces, and its users" {
	need userns
	local container pid tools
	(
		cgroup_join guest
		exec nsenter --target "$TPID" --all /bin/unshare -U -r -m -p -f /bin/sleep 4321 >/dev/null 2>&1 3>&- 4>&-
	) &
	wait_for 5 find_process '/bin/sleep 4321' >/dev/null
	container=$(find_process '/bin/sleep 4321')
	pid=$(awk '$1 == "NSpid:" { print $3 }' "/proc/$container/status")
	for tools in fuse archive; do
		run vm -T --tools "$tools" --pid "$pid" -- sh -c 'id -u; readlink /proc/self/ns/user; readlink /proc/self/ns/pid; kill -0 1 && echo seen'
		same "0
$(readlink "/proc/$container/ns/user")
$(readlink "/proc/$container/ns/pid")
seen" "$output"
	done
	kill -KILL "$container"
}

# inmate CGROUP SECONDS: a container in the guest, that is, a process that sleeps for so long. It is ended with the last one's $inmates.
inmate()
{
	local pid
	(
		cgroup_join guest
		exec nsenter --target "$TPID" --all /bin/unshare -m -p -f /bin/sleep "$2" >/dev/null 2>&1 3>&- 4>&-
	) &
	wait_for 5 find_process "/bin/sleep $2" >/dev/null
	pid=$(find_process "/bin/sleep $2")
	cgroup_make "guest/${1%%/*}"
	cgroup_make "guest/$1"
	cgroup_join "guest/$1" "$pid"
	inmates+=("$pid")
}

# joined OPTION...: the first argument of the process whose pid namespace is joined so.
joined() { vm -T "$@" -- sh -c 'tr "\0" " " </proc/1/cmdline'; }

@test "a container in the guest by its name, or the beginning of its id" {
	local inmates=() one=3f2a bad p state=/proc/$TPID/root containers
	one+=$(printf '%060d' 0)
	inmate "docker-$one.scope" 5001
	inmate "lxc.payload.mail" 5002
	inmate "docker/3f2b$(printf '%060d' 0)" 5003
	inmate "web.service" 5004
	inmate 'machine.slice/machine-my\x2dbox.scope' 5005
	inmate "lxc.payload.deep/init" 5007
	inmate "a.slice/twin" 5008
	inmate "b.slice/twin" 5009
	# A session in it, that is no first process.
	nsenter --target "${inmates[0]}" --all /bin/sleep 5006 >/dev/null 2>&1 3>&- 4>&- &
	wait_for 5 find_process "/bin/sleep 5006" >/dev/null
	cgroup_join "guest/docker-$one.scope" $!
	containers=$state/var/lib/docker/containers/$one
	mkdir -p "$containers" "$state/var/lib/containers/storage/overlay-containers"
	echo '{"ID":"'"$one"'","Config":{"Labels":{"x":"\"Name\":\"/mail\""}},"Name":"/shop","Driver":"overlay2"}' >"$containers/config.v2.json"
	echo '[{"id":"3f2b'"$(printf '%060d' 0)"'","names":["blog","x"],"image":"0"}]' >"$state/var/lib/containers/storage/overlay-containers/containers.json"
	same '/bin/sleep 5001 ' "$(joined --container shop)"
	same '/bin/sleep 5001 ' "$(joined --container 3f2a)"
	same '/bin/sleep 5001 ' "$(joined --container "$one")"
	same '/bin/sleep 5002 ' "$(joined --container mail)"
	same '/bin/sleep 5003 ' "$(joined --container blog)"
	same '/bin/sleep 5005 ' "$(joined --container my-box)"
	same '/bin/sleep 5007 ' "$(joined --container deep)"
	run joined --container 3f2
	same 125 "$status"
	matches "$output" "^attach-try: '3f2' may be any of several containers: (docker-3f2a.*, 3f2b|3f2b.*, docker-3f2a)[^,]*$"
	run joined --container twin
	same 125 "$status"
	matches "$output" "^attach-try: 'twin' may be any of several containers: ([^,]*/a.slice/twin, [^,]*/b.slice/twin|[^,]*/b.slice/twin, [^,]*/a.slice/twin)$"
	# A service, what is above containers or in one, a part of a name, what is no name; a container that has ended.
	for bad in web docker init sho 3f mailx mail/x ''; do
		run joined --container "$bad"
		same 125 "$status" "$bad"
		matches "$output" 'attach-try: no container (that runs is called|can be called) '
		one_line
	done
	kill -KILL "${inmates[@]}"
	for p in "${inmates[@]}"; do
		wait_for 5 no_process "$p"
	done
	run joined --container mail
	same 125 "$status"
	rm -r "$state/var/lib/docker" "$state/var/lib/containers"
	for p in "docker-$one.scope" lxc.payload.mail lxc.payload.deep a.slice b.slice docker web.service machine.slice; do
		cgroup_remove "guest/$p"
	done
}

no_process() { [ ! -e "/proc/$1/ns/mnt" ] || ! readlink "/proc/$1/ns/mnt" >/dev/null 2>&1; }

@test "the environment is the guest's, with what is asked for over it" {
	same of-the-container "$(vm -T -- sh -c 'echo $BED_MARK')"
	same 'a b=c' "$(vm -T --env 'X=a b=c' -- sh -c 'echo "$X"')"
}

@test "standard streams are apart, binary-clean, and end" {
	same out "$(vm -T -- sh -c 'echo out; echo err >&2' 2>/dev/null)"
	same err "$(vm -T -- sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)"
	same 0 "$(vm -T -- wc -c </dev/null)"
	head -c 67108864 /dev/urandom >"$BED/random"
	# shellcheck disable=SC2002 # a pipeline is what is tried
	cat "$BED/random" | vm -T -- sh -c 'cat | cat' | cmp - "$BED/random"
	vm -T -- cat <"$BED/random" >"$BED/random.out"
	cmp "$BED/random" "$BED/random.out"
	rm "$BED/random" "$BED/random.out"
}

@test "who reads no more ends who writes; who reads slowly holds nobody up" {
	same y "$(vm -T -- yes | head -n 1)"
	# Files come while the output waits.
	run bash -c "$(declare -f vm); vm -T -- sh -c 'head -c 4000000 /dev/zero & cat /usr/bin/env >/dev/null; ls -R /usr/lib/x86_64-linux-gnu | wc -l >&2; wait' 2>'$BED/slow' | { sleep 3; wc -c; }"
	same 4000000 "$output"
	[ "$(cat "$BED/slow")" -gt 100 ]
}

@test "1000 files, each as it is" {
	local dir=$BED/tools i
	image_copy busybox "$dir"
	mkdir "$dir/files"
	for i in {1..1000}; do
		head -c $((i * 37)) /dev/urandom >"$dir/files/$i"
	done
	same "$(cd "$dir/files" && sha256sum -- * | sha256sum)" \
		"$(vm -T --dir "$dir" -- sh -c 'cd /files && sha256sum -- * | sha256sum')"
	# Larger than a message.
	head -c 33333333 /dev/urandom >"$dir/large"
	same "$(sha256sum <"$dir/large")" "$(vm -T --dir "$dir" -- sha256sum </dev/null /large | sed s,/large,-,)"
	run vm -T --dir "$dir" -- sh -c 'echo x >/files/new'
	matches "$output" 'Read-only'
	vm -T --dir "$dir" --rw -- sh -c 'echo from-the-guest >/files/new; mkdir /files/d; rm /files/1'
	same from-the-guest "$(cat "$dir/files/new")"
	[ -d "$dir/files/d" ]
	[ ! -e "$dir/files/1" ]
	rm -rf "$dir"
}

@test "a terminal: its size, resizing, ^C, job control, modes" {
	need pty
	terminal_works '/dev/pts/[0-9]+' "$ATTACH_TRY" "$ENTER" -- bash
}

@test "a terminal's end is the session's, and signals go on" {
	need pty
	run timeout 300 /usr/bin/python3 "$BED_DIR/terminal.py" 24x80 "$ATTACH_TRY" "$ENTER" -- sh -c 'echo ready; exec sleep 777' <<-END
		expect ready
		hangup
	END
	misses "$output" 'terminal: '
	# Neither SIGHUP (1) nor SIGPIPE (13) is ignored; what else is may be so from whoever started us.
	matches "$(vm -T -- grep SigIgn /proc/self/status)" 'SigIgn:.[0-9a-f]{12}[02468ace][0-9a-f]{2}[02468ace]$'
	local signal pid s
	for signal in TERM INT USR1; do
		spawn "$BED/signal.log" "$ATTACH_TRY" -T "$ENTER" -- \
			sh -c "trap 'echo caught; exit 7' $signal; echo ready; while :; do sleep 0.1; done"
		pid=$! s=0
		wait_for 20 grep -q ready "$BED/signal.log"
		kill "-$signal" "$pid"
		wait "$pid" || s=$?
		same 7 "$s"
		grep -q caught "$BED/signal.log"
	done
}

# has_taken_term PID: no SIGTERM (15) is pending, proc_pid_status(5).
has_taken_term() { ! grep -qs '^ShdPnd:.*[4567cdef]...$' "/proc/$1/status"; }

@test "a command that does not obey: the third SIGTERM ends the session" {
	spawn "$BED/signal.log" "$ATTACH_TRY" -T "$ENTER" -- sh -c 'trap "" TERM; echo ready; while :; do sleep 0.1; done'
	local pid=$! s=0 i
	wait_for 20 grep -q ready "$BED/signal.log"
	for i in 1 2 3; do
		kill -0 "$pid"
		kill -TERM "$pid"
		wait_for 20 has_taken_term "$pid" # or two are one
	done
	wait_for 30 has_ended "$pid"
	wait "$pid" || s=$?
	same 125 "$s"
	same 1 "$(grep -c 'did not end the command' "$BED/signal.log")" "sentences"
}

@test "the host is killed: the session is over, and nothing of it is left" {
	spawn "$BED/kill.log" "$ATTACH_TRY" -T "$ENTER" -- sh -c 'setsid sh -c "trap : TERM HUP; cd /usr/bin; sleep 778" & echo ready; exec sleep 777'
	local pid=$!
	wait_for 20 grep -q ready "$BED/kill.log"
	[ -n "$(stage2_processes)" ]
	kill -KILL "$pid"
	guest_as_before "$BEFORE" 10
}

@test "the program in the guest is killed: so is the session, and the host's side says so" {
	spawn "$BED/kill.log" "$ATTACH_TRY" -T "$ENTER" -- sh -c 'echo ready; exec sleep 777'
	local pid=$! s=0
	wait_for 20 grep -q ready "$BED/kill.log"
	# Its own process is the parent of the one that runs the session.
	kill -KILL "$(pgrep -of "^/proc/self/fd/9")"
	wait "$pid" || s=$?
	same 125 "$s"
	grep -q 'has ended' "$BED/kill.log"
	guest_as_before "$BEFORE" 10
}

@test "a guest that ends while it gets a disk is not waited for" {
	run vm -T --no-disk -- true
	same 125 "$status" "$output"
	matches "$output" 'has ended'
	guest_as_before "$BEFORE" 10
}

@test "the host says nothing any more: the session is over" {
	spawn "$BED/stop.log" "$ATTACH_TRY" -T "$ENTER" -- sh -c 'echo ready; exec sleep 777'
	local pid=$!
	wait_for 20 grep -q ready "$BED/stop.log"
	kill -STOP "$pid"
	wait_for 30 no_stage2
	kill -CONT "$pid"
	wait "$pid" || :
	grep -q 'has ended' "$BED/stop.log"
}

@test "a host that its shell stops keeps its session, and stops the command" {
	spawn "$BED/stop.log" "$ATTACH_TRY" -T "$ENTER" -- sh -c 'trap "exit 7" TERM; echo ready; while :; do sleep 0.1; done'
	local pid=$! s=0 command
	wait_for 20 grep -q ready "$BED/stop.log"
	# The oldest: a child has its name before it is sleep.
	command=$(pgrep -of '^sh -c trap "exit 7" TERM')
	kill -TSTP "$pid"
	wait_for 5 is_stopped "$pid"
	wait_for 5 is_stopped "$command"
	sleep 12
	kill -CONT "$pid"
	kill -TERM "$pid"
	wait "$pid" || s=$?
	same 7 "$s" "$(cat "$BED/stop.log")"
}

is_stopped() { grep -q '^State:.T' "/proc/$1/status"; }

no_stage2() { [ -z "$(stage2_processes)" ]; }

@test "without FUSE the tools come as an archive" {
	local enter=${ENTER/exec nsenter/exec setpriv --bounding-set -mknod nsenter}
	run env VMSH_LOG=info "$ATTACH_TRY" -T "$enter" -- sh -c 'stat -f -c %T /; readlink /bin/sh; cat /var/lib/vmsh/etc/os-release; ps; exit 5'
	same 5 "$status" "$output"
	matches "$output" 'come as an archive'
	matches "$output" 'tmpfs'
	matches "$output" 'ID=bed-image'
	matches "$output" ' 1 .*/app'
	misses "$output" 'no FUSE'
	# Not silently, if other tools were asked for.
	run "$ATTACH_TRY" -T --dir / "$enter" -- true
	same 0 "$status" "$output"
	matches "$output" "the guest has no FUSE: it gets a busybox, not the tools of '/'"
	run "$ATTACH_TRY" -T --tools fuse "$enter" -- true
	same 125 "$status"
	matches "$output" 'the guest has no FUSE'
}

@test "an archive of one's own: links, modes, owners" {
	local dir=$BED/tools
	image_copy busybox "$dir"
	mkdir -m 1777 "$dir/deep"
	echo one >"$dir/deep/one"
	ln "$dir/deep/one" "$dir/deep/two"
	chown 5:6 "$dir/deep/one"
	chmod 640 "$dir/deep/one"
	ln -s one "$dir/deep/link"
	(cd "$dir" && find . -print0 | cpio --quiet --null -o -H newc >"$BED/tools.cpio")
	same '1777
640 5 6 2
one
one' "$(vm -T --tools archive --archive "$BED/tools.cpio" -- sh -c 'stat -c %a /deep; stat -c "%a %u %g %h" /deep/two; cat /deep/two /deep/link')"
	head -c 100000 "$BED/tools.cpio" >"$BED/short.cpio"
	run vm -T --tools archive --archive "$BED/short.cpio" -- true
	same 125 "$status"
	matches "$output" 'cut off'
	head -c 100000 /dev/urandom >"$BED/short.cpio"
	run vm -T --tools archive --archive "$BED/short.cpio" -- true
	same 125 "$status"
	matches "$output" 'malformed'
	rm -rf "$dir" "$BED"/*.cpio
}

# with_tools: a directory with tools, $BED/tools, and its mark.
with_tools()
{
	image_copy busybox "$BED/tools"
	echo from-the-image >"$BED/tools/mark"
}

# served_from IMAGE: its tools are, and no loop device is left.
served_from()
{
	run vm -T --image "$1" -- sh -c 'stat -f -c %t /; cat /mark /var/lib/vmsh/etc/os-release; echo x >/new; exit 6'
	same 6 "$status" "$output"
	same "65735546
from-the-image
ID=bed-image" "$(head -n 3 <<<"$output")"
	matches "$output" 'Read-only file system'
	wait_for 10 no_loop "$1"
}

no_loop() { [ -z "$(losetup --associated "$1")" ]; }

# disk_of IMAGE DISK SECTOR: a disk with a GPT, whose third partition is that, and whose others are smaller, or nothing.
disk_of()
{
	python3 - "$@" <<-'END'
		import struct, sys
		data = open(sys.argv[1], "rb").read()
		sector = int(sys.argv[3])
		disk = bytearray(200 * sector + len(data))
		header = bytearray(92)
		header[:8] = b"EFI PART"
		struct.pack_into("<QII", header, 72, 2, 128, 128)
		disk[sector:sector + 92] = header
		for k, (first, size) in enumerate([(100, 50), (150, 50), (200, len(data) // sector)]):
		    struct.pack_into("<16s16sQQ", disk, 2 * sector + k * 128, b"x" * 16, b"y" * 16, first, first + size - 1)
		disk[100 * sector:101 * sector] = b"hsqs".ljust(sector, b"\0")
		disk[200 * sector:] = data
		open(sys.argv[2], "wb").write(disk)
	END
}

@test "tools from an image of a file system, and of a disk" {
	need image
	local options
	with_tools
	for options in '' '-O ^has_journal'; do
		# shellcheck disable=SC2086 # words
		mke2fs -q -t ext4 $options -d "$BED/tools" "$BED/tools.img" 64M
		# That image would have the host's kernel panic.
		tune2fs -e panic "$BED/tools.img" >/dev/null
		sum=$(sha256sum <"$BED/tools.img")
		served_from "$BED/tools.img"
		same "$sum" "$(sha256sum <"$BED/tools.img")"
	done
	disk_of "$BED/tools.img" "$BED/disk.img" 512
	served_from "$BED/disk.img"
	disk_of "$BED/tools.img" "$BED/disk.img" 4096
	served_from "$BED/disk.img"
	rm -r "$BED/tools" "$BED"/{tools,disk}.img
}

@test "tools from squashfs and erofs" {
	need squashfs erofs
	with_tools
	mksquashfs "$BED/tools" "$BED/tools.squashfs" -quiet -no-progress >/dev/null
	served_from "$BED/tools.squashfs"
	mkfs.erofs --quiet "$BED/tools.erofs" "$BED/tools" >/dev/null
	served_from "$BED/tools.erofs"
	rm -r "$BED/tools" "$BED"/tools.*
}

@test "kill -9 with tools from an image leaves no loop device" {
	need image
	local pid
	with_tools
	mke2fs -q -t ext4 -d "$BED/tools" "$BED/tools.img" 64M
	"$ATTACH_TRY" -T --image "$BED/tools.img" "$ENTER" -- sleep 6001 >/dev/null 2>&1 3>&- 4>&- &
	pid=$!
	wait_for 20 find_process 'sleep 6001' >/dev/null
	misses "$(losetup --associated "$BED/tools.img")" '^$'
	kill -KILL "$pid"
	wait_for 20 no_loop "$BED/tools.img"
	wait_for 20 no_stage2
	rm -r "$BED/tools" "$BED/tools.img"
}

# refused IMAGE SENTENCE
refused()
{
	run vm -T --image "$1" -- true
	same 125 "$status"
	one_line
	matches "$output" "$2"
}

@test "what is no image is refused with a sentence" {
	need image
	head -c 3000000 /dev/zero >"$BED/bad.img"
	refused "$BED/bad.img" 'is neither an ext4, squashfs or erofs file system nor a disk'
	disk_of "$BED/bad.img" "$BED/disk.img" 512
	refused "$BED/disk.img" 'mounting the squashfs file system in image'
	printf 'QFI\xfb' >"$BED/bad.img"
	refused "$BED/bad.img" "is a qcow2 image; 'qemu-img convert -O raw'"
	: >"$BED/bad.img"
	refused "$BED/bad.img" 'is neither'
	refused "$BED" 'Is a directory'
	refused "$BED/nothing" 'No such file'
	refused /dev/null 'neither a file nor a block device'
	mke2fs -q -t ext4 "$BED/bad.img" 8M
	debugfs -w -R 'clri <2>' "$BED/bad.img" 2>/dev/null
	refused "$BED/bad.img" 'mounting the ext4 file system in image'
	no_loop "$BED/bad.img"
	no_loop "$BED/disk.img"
	rm "$BED"/{bad,disk}.img
}

@test "sentences about a guest speak of it, and of a container in it where that is joined" {
	run vm -T --tools none -- no-such-program
	same 127 "$status" "$output"
	matches "$output" "no 'no-such-program' on the PATH in the guest$"
	run vm -T --pid 999999 -- true
	same 125 "$status" "$output"
	matches "$output" ': in the guest: no process has the pid 999999$'
}

@test "the guest's own view" {
	same / "$(vm -T --tools none -- pwd)"
	matches "$(vm -T --tools none -- cat /etc/os-release)" bed-image
}

@test "of the host's own root a guest reads what everybody may" {
	local file
	file=$(mktemp /var/tmp/dvs-secret.XXXXXX) # for root alone
	echo secret >"$file"
	run vm -T -- cat "$file" /etc/shadow
	rm "$file"
	same 1 "$status"
	misses "$output" secret$
	misses "$output" 'root:.*:'
	run vm -T -- touch /usr/bin/of-the-guest
	matches "$output" 'Read-only'
}

@test "files are read ahead in more than one request" {
	run vm -T --tools fuse -- awk '/fuse.vmsh/ { getline kib <("/sys/class/bdi/" $3 "/read_ahead_kb"); print kib; exit }' /proc/self/mountinfo
	same 0 "$status" "$output"
	same 1024 "$output"
}

@test "a kernel without mount_setattr" {
	local enter=${ENTER/exec nsenter/exec python3 $BED_DIR/nosys.py mount_setattr -- nsenter}
	run "$ATTACH_TRY" -T "$enter" -- sh -c 'cat /var/lib/vmsh/etc/os-release; stat -f -c %T /'
	same 0 "$status" "$output"
	matches "$output" 'bed-image'
	matches "$output" 'fuse'
}

@test "a guest whose root is in memory" {
	local first=$TPID
	guest_run ram ram
	run vm -T -- sh -c 'cat /var/lib/vmsh/etc/os-release; stat -f -c %T / /var/lib/vmsh; exit 6'
	bare_rm ram
	TPID=$first
	same 6 "$status" "$output"
	matches "$output" 'bed-image'
	matches "$output" 'tmpfs'
}
