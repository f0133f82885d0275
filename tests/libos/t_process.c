// SPDX-License-Identifier: MIT
/* t_process.c - processes: exit codes, exec, pipes, many of them, ptrace, system call sites. */
#include "t.h"
#include "t_wait.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static char self[] = "/proc/self/exe";

static int status_of(pid_t pid)
{
	int status;

	CHECK(pid > 0);
	CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

static void raise_fault(void)
{
	static volatile uintptr_t nowhere = 8;

	*(volatile int *)nowhere = 1;
}

static void exit_codes(void)
{
	pid_t pid;

	for (int code = 0; code < 256; code += 51) {
		pid = fork();
		if (pid == 0)
			_exit(code);
		int status = status_of(pid);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == code);
	}
	pid = fork();
	if (pid == 0)
		(void)raise(SIGKILL);
	CHECK(WTERMSIG(status_of(pid)) == SIGKILL);
	pid = fork();
	if (pid == 0)
		raise_fault();
	CHECK(WTERMSIG(status_of(pid)) == SIGSEGV);
	pid = fork();
	if (pid == 0) /* an address that is none: IRETQ itself refuses it */
		asm volatile("movabs $0x8000000000000000, %%rax; jmp *%%rax" ::: "rax");
	CHECK(WTERMSIG(status_of(pid)) == SIGSEGV);
}

static void exec_self(void)
{
	static char verb[] = "exit", code[] = "17", nowhere[] = "/no/such/program";
	char *const args[] = { self, verb, code, NULL };
	pid_t pid;

	for (int i = 0; i < 30; i++) {
		CHECK(posix_spawn(&pid, self, NULL, NULL, args, environ) == 0);
		CHECK(WEXITSTATUS(status_of(pid)) == 17);
	}
	char *const none[] = { nowhere, NULL };
	CHECK(posix_spawn(&pid, none[0], NULL, NULL, none, environ) == ENOENT);
}

/* Then Linux lays memory out from below, at another address than else. */
static void exec_with_any_stack(void)
{
	static char verb[] = "exit", code[] = "17";
	char *const args[] = { self, verb, code, NULL };
	const struct rlimit any = { RLIM_INFINITY, RLIM_INFINITY };
	pid_t pid = fork();

	if (pid == 0) {
		CHECK(setrlimit(RLIMIT_STACK, &any) == 0);
		execv(self, args);
		_exit(1);
	}
	CHECK(WEXITSTATUS(status_of(pid)) == 17);
}

/* All alive at once, and more than the library OS has host processes for (LO_HOSTPROCS). */
static void many_at_once(void)
{
	enum {
		MANY = 1100
	};
	static pid_t pids[MANY];
	int go[2];
	char byte;

	CHECK(pipe(go) == 0);
	for (int i = 0; i < MANY; i++) {
		pids[i] = fork();
		CHECK(pids[i] >= 0);
		if (pids[i] == 0) {
			close(go[1]);
			_exit(read(go[0], &byte, 1) == 0 ? i & 127 : 255);
		}
	}
	close(go[1]);
	for (int i = 0; i < MANY; i++)
		CHECK(WEXITSTATUS(status_of(pids[i])) == (i & 127));
}

static void pipes_between(void)
{
	int to[2], from[2], value = 0;

	CHECK(pipe(to) == 0 && pipe(from) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		while (read(to[0], &value, sizeof(value)) == sizeof(value) && value >= 0) {
			value++;
			CHECK(write(from[1], &value, sizeof(value)) == sizeof(value));
		}
		_exit(0);
	}
	for (int i = 0; i < 2000; i++) {
		CHECK(write(to[1], &i, sizeof(i)) == sizeof(i));
		CHECK(read(from[0], &value, sizeof(value)) == sizeof(value) && value == i + 1);
	}
	value = -1;
	CHECK(write(to[1], &value, sizeof(value)) == sizeof(value));
	CHECK(status_of(pid) == 0);
}

static void traced(void)
{
	struct user_regs_struct regs;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		(void)raise(SIGSTOP);
		_exit(syscall(SYS_getppid) == 99 ? 5 : 6);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	CHECK(ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD) == 0);
	/* As gdb does with each new thread. */
	CHECK(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[7]), NULL) == 0);
	for (int stops = 0; stops < 100; stops++) {
		CHECK(ptrace(PTRACE_SYSCALL, pid, NULL, NULL) == 0);
		CHECK(waitpid(pid, &status, 0) == pid);
		if (!WIFSTOPPED(status))
			break;
		CHECK(WSTOPSIG(status) == (SIGTRAP | 0x80));
		CHECK(ptrace(PTRACE_GETREGS, pid, NULL, &regs) == 0);
		if (regs.orig_rax == SYS_getppid && (long)regs.rax != -ENOSYS) {
			regs.rax = 99;
			CHECK(ptrace(PTRACE_SETREGS, pid, NULL, &regs) == 0);
		}
	}
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
}

/* Calls after which a site is patched for certain. */
#define PATCHED 12

/* A site of the kind that is patched, twice: its red zone and registers stay as they are. */
static long call_site(long *ret_zone)
{
	long r, zone = 0x1234567;

	asm volatile("mov %[zone], -8(%%rsp)\n"
		     "	mov $110, %%eax\n" /* getppid */
		     "	syscall\n"
		     "	mov -8(%%rsp), %[zone]"
		     : "=&a"(r), [zone] "+r"(zone)
		     :
		     : "rcx", "r11", "memory");
	*ret_zone = zone;
	return r;
}

static void patched_sites(void)
{
	for (int i = 0; i < PATCHED; i++) {
		long zone = 0;

		CHECK(call_site(&zone) == getppid() && zone == 0x1234567);
	}
}

/* Two ways to one system call instruction, one of them by a jump: it must stay one for both. */
static long jump_to_site(int getpid_by_jump)
{
	long r;

	asm volatile("	test %[jump], %[jump]\n"
		     "	jz 1f\n"
		     "	mov $39, %%eax\n" /* getpid */
		     "	jmp 2f\n"
		     "1:	mov $110, %%eax\n" /* getppid */
		     "2:	syscall"
		     : "=&a"(r)
		     : [jump] "r"(getpid_by_jump)
		     : "rcx", "r11", "memory");
	return r;
}

static void jumps_to_sites(void)
{
	for (int i = 0; i < PATCHED; i++) {
		CHECK(jump_to_site(0) == getppid());
		CHECK(jump_to_site(1) == getpid());
	}
}

/*
 * Who is woken waits until the other one sleeps, or for its turn: a server finds many requests at once
 * (kernel/preempt.c; the scheduler of Linux 6.6 and later has another way to decide).
 */
static void waking_is_no_switch(void)
{
	const int requests = 1000, work = 20000;
	struct timespec start, end;
	struct utsname name;
	struct rusage used;
	int ends[2];
	char byte = 0;

	CHECK(uname(&name) == 0);
	if (strncmp(name.release, "6.1.", 4) != 0)
		return;
	CHECK(pipe(ends) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[1]);
		CHECK(read(ends[0], &byte, 1) == 1);
		CHECK(clock_gettime(CLOCK_MONOTONIC, &start) == 0);
		while (read(ends[0], &byte, 1) == 1)
			;
		CHECK(clock_gettime(CLOCK_MONOTONIC, &end) == 0);
		CHECK(getrusage(RUSAGE_SELF, &used) == 0);
		/* The slower this is, the more turns there are. */
		CHECK(used.ru_nvcsw < requests / 20 + ((end.tv_sec - start.tv_sec) * 1000 +
						       (end.tv_nsec - start.tv_nsec) / 1000000) /
							      4);
		_exit(0);
	}
	close(ends[0]);
	await_sleep(pid);
	for (int i = 0; i < requests; i++) {
		for (volatile int n = 0; n < work; n++)
			;
		CHECK(write(ends[1], &byte, 1) == 1);
	}
	close(ends[1]);
	CHECK(status_of(pid) == 0);
}

static void unknown_calls(void)
{
	CHECK(syscall(100000) == -1 && errno == ENOSYS);
	CHECK(syscall(-1) == -1 && errno == ENOSYS);
}

int main(int argc, char **argv)
{
	static const struct t_case cases[] = {
		{ "exit_codes", exit_codes },
		{ "exec_self", exec_self },
		{ "exec_with_any_stack", exec_with_any_stack },
		{ "many_at_once", many_at_once },
		{ "pipes_between", pipes_between },
		{ "traced", traced },
		{ "patched_sites", patched_sites },
		{ "jumps_to_sites", jumps_to_sites },
		{ "waking_is_no_switch", waking_is_no_switch },
		{ "unknown_calls", unknown_calls },
		{ NULL, NULL },
	};

	if (argc > 2 && strcmp(argv[1], "exit") == 0)
		return atoi(argv[2]);
	if (argc > 1 && strcmp(argv[1], "crash") == 0)
		raise_fault();
	return t_main(argc, argv, cases);
}
