#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Shells, editors, compilers, debuggers and what they make, from an encrypted image of Debian packages under rktio.
# Neither coreutils nor perl ship their tests: programs of ours say the same there as on this host.

load ../bed/bed

PROGRAMS=$ROOT/tests/programs

setup_file()
{
	need libos image packages
	programs_image tools 1400M gcc,libc6-dev,golang-go,musl-tools,gdb,strace,perl,busybox,vim-tiny,openssl,procps
}

setup()
{
	need libos image packages
}

# at_terminal COMMAND...: with steps for terminal.py on standard input.
at_terminal()
{
	run timeout 300 /usr/bin/python3 "$BED_DIR/terminal.py" 40x100 "$BUILD/rktio" run --disk "$IMG,key-file=$KEY" -- "$@"
}

# same_here FILE COMMAND...: COMMAND says the same of FILE as its input there and here.
same_here()
{
	local here
	here=$("${@:2}" <"$1" 2>/dev/null)
	[ -n "$here" ] || fail "nothing is said here"
	same "$here" "$(inside '"$@" 2>/dev/null' "${@:2}" <"$1")"
}

@test "bash: job control at a terminal" {
	need pty
	at_terminal bash --norc -i <<-'END'
		expect #
		send sh -c 'echo sle""eps; exec sleep 100' | cat\n
		expect sleeps
		send \x1a
		expect Stopped
		send bg; jobs; sleep 77 &\n
		expect Running
		send kill %1 %2; wait; jobs; echo over-$((40 + 2))\n
		expect over-42
		send sh -c 'echo rea""dy; exec cat'\n
		expect ready
		send typed\n
		expect typed\r\ntyped
		send \x04
		expect #
		send sh -c 'echo sle""eps; exec sleep 100'\n
		expect sleeps
		send \x03
		expect #
		send echo status $?; exit 5\n
		expect status 130
	END
	same 5 "$status" "$output"
}

@test "vi of busybox and of vim: a file is written, and read again" {
	need pty
	at_terminal bash --norc -i <<-'END'
		expect #
		send busybox vi /root/a\n
		expect ~
		send ione\ntwo
		expect I /root/a .Modified. 2/2
		send \x1b
		expect - /root/a .Modified. 2/2
		send :wq\n
		expect #
		send vim.tiny -u NONE /root/a\n
		expect two
		send Gothree
		expect three
		send \x1b
		send :wq\n
		expect #
		send echo $(cat /root/a)-$(wc -l </root/a); exit\n
		expect one two three-3
	END
	same 0 "$status" "$output"
}

@test "bash and coreutils: what they make of texts is what they make of them here" {
	same_here "$PROGRAMS/texts.sh" bash
}

@test "busybox: pipelines of its applets" {
	said 'cd /tmp; cp -r /etc tree
		busybox sh -c "busybox tar cf - tree | busybox gzip | busybox gunzip | busybox tar xf - -C /run"
		diff -r --no-dereference tree /run/tree && echo same
		seq 50000 >n; for s in md5sum sha1sum sha256sum sha512sum; do [ "$($s <n)" = "$(busybox $s <n)" ] && echo $s; done
		busybox sh -c "seq 1 1000 | while read i; do echo \$((i % 7)); done | sort | uniq -c | awk \"{ s += \\\$1 } END { print s, NR }\""'
	same $'same\nmd5sum\nsha1sum\nsha256sum\nsha512sum\n1000 7' "$output"
}

@test "perl: processes, threads, signals, sockets, locks, System V" {
	same_here "$PROGRAMS/features.pl" perl -
}

@test "gcc: a C file as large as sqlite3's" {
	local want
	want=$(/usr/bin/python3 "$PROGRAMS/big-c.py" "$BED/big.c")
	[ "$(stat -c %s "$BED/big.c")" -gt 9000000 ]
	said 'cat >/tmp/big.c; gcc -O'"$((${SOAK:+2} + 0))"' -o /tmp/big /tmp/big.c; /tmp/big' <"$BED/big.c"
	same "$want" "$output"
}

@test "go: its compiler, and a static program of goroutines, sockets, signals" {
	said 'mkdir -p /root/go && cd /root/go; cat >main.go; export CGO_ENABLED=0 GOFLAGS=-mod=mod GO111MODULE=off
		go build -o main main.go; ! readelf -l main | grep INTERP; for ((i = 0; i < 3; i++)); do ./main; done' <"$PROGRAMS/goroutines.go"
	one=$'goroutines 49995000\necho\nhttp path /x\nsignal user defined signal 1\nchild\npreempted'
	same "$one"$'\n'"$one"$'\n'"$one" "$output"
}

@test "musl: its compiler, dynamic and static programs of threads and processes" {
	said 'cd /tmp; cat >t.c; musl-gcc -O2 -o dynamic t.c; musl-gcc -O2 -static -o static t.c
		readelf -l dynamic | grep -o "ld-musl-x86_64.so.1"; ./dynamic; ./static' <<-'END'
		#include <pthread.h>
		#include <stdio.h>
		#include <stdlib.h>
		#include <sys/wait.h>
		#include <unistd.h>
		static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
		static int total;
		static void *add(void *arg)
		{
			for (int i = 0; i < 10000; i++) {
				pthread_mutex_lock(&lock);
				total++;
				pthread_mutex_unlock(&lock);
			}
			return arg;
		}
		int main(void)
		{
			pthread_t t[8];
			int status;
			for (int i = 0; i < 8; i++)
				pthread_create(&t[i], NULL, add, NULL);
			for (int i = 0; i < 8; i++)
				pthread_join(t[i], NULL);
			if (!fork())
				_exit(system("exit 4") >> 8);
			wait(&status);
			printf("%d %d\n", total, WEXITSTATUS(status));
			return 0;
		}
	END
	same $'ld-musl-x86_64.so.1\n80000 4\n80000 4' "$output"
}

@test "openssl: its speed test, hashes and ciphers as here" {
	said 'openssl speed -seconds 1 -bytes 8192 -evp aes-256-gcm 2>/dev/null | tail -n 1
		openssl speed -seconds 1 -multi 2 -bytes 8192 sha256 2>/dev/null | grep "^sha256"
		seq 100000 | openssl enc -aes-256-ctr -K 00 -iv 00 2>/dev/null | openssl dgst -sha512 -r'
	matches "${lines[0]}" '[Aa][Ee][Ss]-256-[Gg][Cc][Mm] +[0-9.]+k'
	matches "${lines[1]}" 'sha256 +[0-9.]+k'
	same "$(seq 100000 | openssl enc -aes-256-ctr -K 00 -iv 00 2>/dev/null | openssl dgst -sha512 -r)" "${lines[2]}"
}

@test "strace: system calls of a pipeline, its status" {
	said 's=0; strace -f -o /tmp/calls sh -c "seq 100 | wc -l; exit 3" || s=$?; echo $s
		grep -cE "execve\(\"[^\"]*/(sh|seq|wc)\"" /tmp/calls; grep -c "+++ exited with 3 +++" /tmp/calls; grep -cE "write\(1, \"100.n\", 4(\) += 4$| <unfinished)" /tmp/calls
		strace -c -o /tmp/count dd if=/dev/zero of=/dev/null bs=1 count=5000 2>/dev/null; awk "\$NF == \"write\" { print (\$4 >= 5000) }" /tmp/count'
	same $'100\n3\n3\n1\n1\n1' "$output"
}

@test "gdb: breakpoints, steps, threads, a changed variable, a core file" {
	said 'cd /tmp; cat >t.c; gcc -g -O0 -pthread -o t t.c
		gdb --batch -ex "break work" -ex run -ex "info threads" -ex "print n" -ex "set var n = 40" -ex next -ex next -ex continue ./t >out 2>&1 || :
		grep -c "Breakpoint 1, work" out; grep -c "(LWP [0-9]*)" out; grep -E "^sum" out
		ulimit -c unlimited; echo /tmp/core >/proc/sys/kernel/core_pattern; ./t crash || :
		gdb --batch -ex bt ./t /tmp/core* 2>/dev/null | grep -oE "in (crash|main)"' <<-'END'
		#include <pthread.h>
		#include <stdio.h>
		#include <stdlib.h>
		static int sum;
		static void work(int n) { sum += n; sum += 2; }
		static void *thread(void *arg) { work(1); return arg; }
		static void crash(void) { abort(); }
		int main(int argc, char **argv)
		{
			pthread_t t;
			(void)argv;
			if (argc > 1)
				crash();
			pthread_create(&t, NULL, thread, NULL);
			pthread_join(t, NULL);
			printf("sum %d\n", sum);
			return 0;
		}
	END
	matches "$output" $'^1\n[1-9]\nsum 42\n.*in crash\nin main$'
}
