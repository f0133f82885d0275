#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Debian's gdb and strace in the library OS.

load ../bed/bed

setup_file()
{
	need libos
	mkdir -p "$BED/debug"
	cat >"$BED/debug/crash.c" <<-'END'
		#include <poll.h>
		#include <stdio.h>
		#include <string.h>
		#include <sys/stat.h>
		int counter;
		static void work(int n)
		{
			for (int i = 1; i <= n; i++)
				counter += i;
		}
		/* Until there is input, for which a file is a sign that it waits; its wait is what Linux restarts. */
		static int waits(void)
		{
			struct pollfd p = { .fd = 0, .events = POLLIN };
			return mkdir("waits", 0755) || poll(&p, 1, 1000000) != 1;
		}
		int main(int argc, char **argv)
		{
			if (argc > 1 && !strcmp(argv[1], "waits"))
				return waits();
			work(4);
			printf("counter %d\n", counter);
			fflush(stdout);
			if (argc > 1)
				*(volatile int *)8 = counter;
			return 0;
		}
	END
	gcc -g -O0 -o "$BED/debug/crash" "$BED/debug/crash.c"
}

# inside SCRIPT: prints what it prints.
inside()
{
	printf '#!/bin/sh\nmount -t proc proc /proc; mount -t devtmpfs dev /dev; mount -t tmpfs tmpfs /tmp; cd /tmp\nexport LC_ALL=C.UTF-8\n%s\n' \
		"$1" >"$BED/debug/init"
	"$ROOT/tests/libos/initramfs" "$BED/debug/root.cpio" "$BED/debug/init" gdb strace "$BED/debug/crash" /usr/lib/python3.11 /usr/share/gdb
	timeout -k 5 300 "$VMLINUX" initrd="$BED/debug/root.cpio" quiet </dev/null
}

@test "gdb: breakpoint, backtrace, steps, a watchpoint in software" {
	run -0 inside 'gdb -nx -batch -ex "set can-use-hw-watchpoints 0" -ex "break work" -ex run -ex bt -ex stepi -ex "watch counter" \
		-ex c -ex c -ex delete -ex finish -ex next -ex next -ex c crash 2>&1'
	matches "$output" 'Breakpoint 1, work \(n=4\)'
	matches "$output" '#1 .* in main \(argc=1'
	matches "$output" 'Old value = 0'$'\n''New value = 1'
	matches "$output" 'Old value = 1'$'\n''New value = 3'
	matches "$output" 'counter 10'
	matches "$output" 'exited normally'
}

# gdb sets debug registers for these without a question. They are played (kernel/debugreg.c).
@test "gdb: watchpoints and breakpoints of the hardware, as it takes them by itself" {
	run -0 inside 'gdb -nx -batch -ex "break main" -ex run -ex "watch counter" -ex c -ex c -ex "info watchpoints" -ex delete -ex c crash 2>&1
		gdb -nx -batch -ex "break main" -ex run -ex "hbreak work" -ex c -ex bt -ex "watch counter if counter == 6" -ex c -ex c crash 2>&1'
	matches "$output" 'Hardware watchpoint 2: counter'
	matches "$output" 'Old value = 0'$'\n''New value = 1'
	matches "$output" 'Old value = 1'$'\n''New value = 3'
	matches "$output" 'breakpoint already hit 2 times'
	matches "$output" 'counter 10'
	matches "$output" 'Hardware assisted breakpoint 2'
	matches "$output" 'Breakpoint 2, work \(n=4\)'
	matches "$output" 'Old value = 3'$'\n''New value = 6'
	matches "$output" 'exited normally'
}

@test "gdb: a core file, and a process that it attaches to" {
	run -0 inside 'ulimit -c unlimited; crash x; gdb -nx -batch -ex bt -ex "print counter" -ex "print \$ymm0" /usr/bin/crash core 2>&1
		sleep 100 & until grep -qx sleep /proc/$!/comm; do :; done; gdb -nx -batch -p $! -ex "info registers rip" -ex detach 2>&1; kill $! && wait $!; echo "status $?"'
	matches "$output" 'terminated with signal SIGSEGV'
	matches "$output" '#0 .* in main \(argc=2'
	matches "$output" '1 = 10'
	matches "$output" 'v8_float'
	misses "$output" 'Unexpected size'
	matches "$output" 'rip +0x[0-9a-f]+'
	matches "$output" 'detached'
	matches "$output" 'status 143'
}

@test "strace: follows forks, counts, attaches, changes a result" {
	run -0 inside 'strace -f -o s sh -c "crash | cat"; grep -c "write(1, \"counter 10" s; grep -c "exited with 0" s
		strace -o s -e inject=getppid:retval=4711 sh -c "echo \$PPID"
		mkfifo f; crash waits <f & p=$!; exec 3>f; until [ -d waits ] && grep -q "^State:.S" /proc/$p/status; do :; done
		strace -c -o s -p $p 2>says & until grep -qs attached says; do sleep 0.05; done
		echo >&3; wait; grep -c restart_syscall s'
	same $'counter 10\n2\n3\n4711\n1' "$output"
}
