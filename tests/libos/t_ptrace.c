// SPDX-License-Identifier: MIT
/* t_ptrace.c - what debuggers and tracers do: breakpoints, single steps, attaching, emulated calls, core files. */
#include "t.h"
#include "t_wait.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PTRACE_SYSEMU
#define PTRACE_SYSEMU 31
#endif

#define TRAP_FLAG 0x100UL

/* 0f 05 */
#define SYSCALL_BYTES 0x050f

/* Where a debugger learns which states are in the rest. */
#define XSTATE_XCR0 464

/* Calls after which a site is patched for certain. */
#define PATCHED 12

static volatile long shared_value = 1;

static int wait_stop(pid_t pid)
{
	int status;

	CHECK(waitpid(pid, &status, __WALL) == pid);
	CHECK(WIFSTOPPED(status));
	return status >> 8;
}

static int wait_end(pid_t pid)
{
	int status;

	CHECK(waitpid(pid, &status, __WALL) == pid);
	return status;
}

/* A child that stops for its tracer and then returns from here. */
static pid_t tracee(void)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
		(void)raise(SIGSTOP);
		return 0;
	}
	CHECK(wait_stop(pid) == SIGSTOP);
	return pid;
}

static struct user_regs_struct regs_of(pid_t pid)
{
	struct user_regs_struct regs;

	CHECK(ptrace(PTRACE_GETREGS, pid, NULL, &regs) == 0);
	return regs;
}

static __attribute__((noinline)) long add(long a, long b)
{
	asm volatile("" : "+r"(a), "+r"(b));
	return a + b;
}

/* The word of code at a function, for PEEK and POKE. */
static void *address_of(long (*f)(long, long))
{
	return (void *)(uintptr_t)f;
}

static void breakpoints(void)
{
	pid_t pid = tracee();

	if (pid == 0)
		_exit(add(20, 22) == 42 && add(1, 2) == 3 ? 0 : 1);
	long word = ptrace(PTRACE_PEEKTEXT, pid, address_of(add), NULL);
	CHECK(ptrace(PTRACE_POKETEXT, pid, address_of(add), (word & ~0xffL) | 0xcc) == 0);
	CHECK(*(unsigned char *)address_of(add) != 0xcc); /* our own stays as it is */
	CHECK(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
	CHECK(wait_stop(pid) == SIGTRAP);
	siginfo_t info;
	CHECK(ptrace(PTRACE_GETSIGINFO, pid, NULL, &info) == 0 && info.si_signo == SIGTRAP &&
	      info.si_code > 0);
	struct user_regs_struct regs = regs_of(pid);
	CHECK(regs.rip == (uintptr_t)address_of(add) + 1 && regs.rdi == 20 && regs.rsi == 22);
	CHECK(ptrace(PTRACE_POKETEXT, pid, address_of(add), word) == 0);
	regs.rip--;
	CHECK(ptrace(PTRACE_SETREGS, pid, NULL, &regs) == 0);
	CHECK(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
	CHECK(wait_end(pid) == 0);
}

/* Instructions and calls, patched or not, one after the other; then the program goes on as if nothing had been. */
static void single_steps(void)
{
	pid_t pid = tracee();

	if (pid == 0) {
		pid_t me = getpid();
		long sum = 0;

		for (int i = 0; i < 3 * PATCHED; i++)
			sum += getppid() > 0 && getpid() == me;
		_exit(sum == 3 * PATCHED ? 9 : 1);
	}
	unsigned long long last = 0;
	int same = 0, status = 0, calls = 0, at_call = 0;
	for (int steps = 0; steps < 4000; steps++) {
		CHECK(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == 0);
		status = wait_end(pid);
		if (WIFEXITED(status))
			break;
		CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
		struct user_regs_struct regs = regs_of(pid);
		same = regs.rip == last ? same + 1 : 0;
		CHECK(same < 2 && !(regs.eflags & TRAP_FLAG)); /* whose flag it is, is not shown */
		CHECK(!at_call || regs.rip == last + 2);       /* and not an instruction later */
		last = regs.rip;
		at_call = (ptrace(PTRACE_PEEKTEXT, pid, last, NULL) & 0xffff) == SYSCALL_BYTES;
		calls += at_call;
	}
	CHECK(calls > 0);
	if (WIFSTOPPED(status)) {
		CHECK(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
		status = wait_end(pid);
	}
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 9);
}

/* read(2) of one byte with five registers set, which C keeps; `marks` is what they are afterwards. */
static long read_marked(int fd, unsigned long marks[5])
{
	register unsigned long *r8 asm("r8") = marks;
	char byte;
	long r;

	asm volatile("	mov 0(%%r8), %%rbx; mov 8(%%r8), %%r12; mov 16(%%r8), %%r13\n"
		     "	mov 24(%%r8), %%r14; mov 32(%%r8), %%r15\n"
		     "	mov $0, %%eax\n"
		     "	syscall\n"
		     "	mov %%rbx, 0(%%r8); mov %%r12, 8(%%r8); mov %%r13, 16(%%r8)\n"
		     "	mov %%r14, 24(%%r8); mov %%r15, 32(%%r8)\n"
		     : "=a"(r)
		     : "D"((long)fd), "S"(&byte), "d"(1L), "r"(r8)
		     : "rbx", "rcx", "r11", "r12", "r13", "r14", "r15", "memory");
	return r;
}

/* In a system call that was made without a trap, all registers are there for a debugger, too. */
static void attached_in_call(void)
{
	unsigned long marks[5] = { 11, 12, 13, 14, 15 };
	int ends[2];

	CHECK(pipe(ends) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 3 * PATCHED; i++)
			CHECK(write(ends[1], "x", 1) == 1 && read_marked(ends[0], marks) == 1);
		close(ends[1]);
		CHECK(read_marked(ends[0], marks) == 1);
		_exit(marks[0] == 11 && marks[1] == 4712 && marks[2] == 13 && marks[3] == 14 &&
				      marks[4] == 15
			      ? 0
			      : 1);
	}
	await_sleep(pid);
	CHECK(ptrace(PTRACE_ATTACH, pid, NULL, NULL) == 0);
	CHECK(wait_stop(pid) == SIGSTOP);
	struct user_regs_struct regs = regs_of(pid);
	CHECK(regs.orig_rax == SYS_read);
	CHECK(regs.rbx == 11 && regs.r12 == 12 && regs.r13 == 13 && regs.r14 == 14 &&
	      regs.r15 == 15);
	regs.r12 = 4712;
	CHECK(ptrace(PTRACE_SETREGS, pid, NULL, &regs) == 0);
	CHECK(ptrace(PTRACE_DETACH, pid, NULL, NULL) == 0);
	CHECK(write(ends[1], "x", 1) == 1);
	CHECK(wait_end(pid) == 0);
	close(ends[0]);
	close(ends[1]);
}

/* A step that enters a handler stops at its first instruction. */
static void on_usr1(int signal)
{
	shared_value = signal;
}

static void step_into_handler(void)
{
	pid_t pid = tracee();

	if (pid == 0) {
		(void)signal(SIGUSR1, on_usr1);
		(void)raise(SIGUSR1);
		_exit(shared_value == SIGUSR1 ? 0 : 1);
	}
	CHECK(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
	CHECK(wait_stop(pid) == SIGUSR1);
	CHECK(ptrace(PTRACE_SINGLESTEP, pid, NULL, SIGUSR1) == 0);
	CHECK(wait_stop(pid) == SIGTRAP);
	struct user_regs_struct regs = regs_of(pid);
	CHECK(regs.rip == (uintptr_t)on_usr1 && regs.rdi == SIGUSR1);
	CHECK(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
	CHECK(wait_end(pid) == 0);
}

/* To a program that computes, and one that sleeps; the sleep is none the wiser. */
static void attached(void)
{
	for (int sleeps = 0; sleeps < 2; sleeps++) {
		int ends[2], status;
		char byte;

		CHECK(pipe(ends) == 0);
		pid_t pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			close(ends[1]);
			if (sleeps)
				_exit(read(ends[0], &byte, 1) == 0 ? 3 : 1);
			while (shared_value)
				;
			_exit(3);
		}
		close(ends[0]);
		if (sleeps)
			await_sleep(pid);
		else
			usleep(20000);
		CHECK(ptrace(PTRACE_ATTACH, pid, NULL, NULL) == 0);
		CHECK(wait_stop(pid) == SIGSTOP);
		CHECK(ptrace(PTRACE_PEEKDATA, pid, &shared_value, NULL) == shared_value);
		CHECK(ptrace(PTRACE_POKEDATA, pid, &shared_value, 0L) == 0);
		CHECK(ptrace(PTRACE_DETACH, pid, NULL, NULL) == 0);
		if (sleeps) {
			usleep(20000);
			CHECK(waitpid(pid, &status, WNOHANG) == 0);
		}
		close(ends[1]);
		status = wait_end(pid);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
	}
}

static void seized(void)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0)
		for (;;)
			pause();
	await_sleep(pid);
	CHECK(ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXIT) == 0);
	CHECK(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0);
	CHECK(wait_stop(pid) == (SIGTRAP | PTRACE_EVENT_STOP << 8));
	CHECK(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
	CHECK(kill(pid, SIGSTOP) == 0);
	CHECK(wait_stop(pid) == SIGSTOP);
	CHECK(ptrace(PTRACE_CONT, pid, NULL, SIGSTOP) == 0);
	CHECK(wait_stop(pid) == (SIGSTOP | PTRACE_EVENT_STOP << 8));
	CHECK(ptrace(PTRACE_LISTEN, pid, NULL, NULL) == 0);
	CHECK(kill(pid, SIGCONT) == 0);
	CHECK(wait_stop(pid) == (SIGTRAP | PTRACE_EVENT_STOP << 8));
	CHECK(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
	CHECK(wait_stop(pid) == SIGCONT);
	CHECK(ptrace(PTRACE_CONT, pid, NULL, SIGTERM) == 0);
	CHECK(wait_stop(pid) == (SIGTRAP | PTRACE_EVENT_EXIT << 8));
	CHECK(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
	CHECK(WTERMSIG(wait_end(pid)) == SIGTERM);
}

/* The kind of stop, number, arguments and result of each call, of sites before and after they are patched. */
static void call_info(void)
{
	pid_t pid = tracee();
	int entries = 0, exits = 0;

	if (pid == 0) {
		for (int i = 0; i < PATCHED; i++)
			(void)lseek(-1, 4711, SEEK_CUR);
		_exit(0);
	}
	CHECK(ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD) == 0);
	for (;;) {
		struct __ptrace_syscall_info info;

		CHECK(ptrace(PTRACE_SYSCALL, pid, NULL, NULL) == 0);
		int status = wait_end(pid);
		if (WIFEXITED(status))
			break;
		CHECK(status >> 8 == (SIGTRAP | 0x80));
		CHECK(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) > 0);
		struct user_regs_struct regs = regs_of(pid);
		CHECK(info.arch == 0xc000003e /* AUDIT_ARCH_X86_64 */ &&
		      info.instruction_pointer == regs.rip);
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY && info.entry.nr == SYS_lseek) {
			CHECK((int)info.entry.args[0] == -1 && info.entry.args[1] == 4711 &&
			      info.entry.args[2] == SEEK_CUR);
			CHECK((long)regs.rax == -ENOSYS);
			entries++;
		} else if (info.op == PTRACE_SYSCALL_INFO_EXIT && regs.orig_rax == SYS_lseek) {
			CHECK(info.exit.is_error && info.exit.rval == -EBADF);
			exits++;
		}
	}
	CHECK(entries == PATCHED && exits == PATCHED);
}

/* The tracer plays the kernel: each call stops once and is not made. */
static void emulated_calls(void)
{
	pid_t pid = tracee();
	int emulated = 0;

	if (pid == 0) {
		for (int i = 0; i < PATCHED; i++)
			if (syscall(SYS_getppid) != 77 ||
			    syscall(SYS_kill, getpid(), SIGKILL) != 77)
				_exit(1);
		_exit(0);
	}
	for (;;) {
		CHECK(ptrace(PTRACE_SYSEMU, pid, NULL, NULL) == 0);
		CHECK(wait_stop(pid) == SIGTRAP);
		struct user_regs_struct regs = regs_of(pid);
		if (regs.orig_rax == SYS_exit_group)
			break;
		regs.rax = 77;
		CHECK(ptrace(PTRACE_SETREGS, pid, NULL, &regs) == 0);
		emulated++;
	}
	CHECK(emulated == 3 * PATCHED);
	CHECK(kill(pid, SIGKILL) == 0);
	CHECK(WTERMSIG(wait_end(pid)) == SIGKILL);
}

/* Another call than the program's, and none at all. */
static void changed_calls(void)
{
	for (int change = 0; change < 2; change++) {
		pid_t pid = tracee();

		if (pid == 0) {
			long r = 0;

			for (int i = 0; i < PATCHED; i++)
				r = syscall(SYS_getuid);
			_exit(change ? (r == -1 && errno == ENOSYS ? 0 : 1)
				     : (r == getppid() ? 0 : 1));
		}
		for (int inside = 0;; inside = !inside) {
			CHECK(ptrace(PTRACE_SYSCALL, pid, NULL, NULL) == 0);
			int status = wait_end(pid);
			if (WIFEXITED(status)) {
				CHECK(WEXITSTATUS(status) == 0);
				break;
			}
			struct user_regs_struct regs = regs_of(pid);
			if (inside || regs.orig_rax != SYS_getuid)
				continue;
			regs.orig_rax = change ? -1ULL : SYS_getppid;
			CHECK(ptrace(PTRACE_SETREGS, pid, NULL, &regs) == 0);
		}
	}
}

/* Vector registers by PTRACE_GETREGSET and back, and FS base. */
static void vector_registers(void)
{
	pid_t pid = tracee();
	unsigned char area[4096], want[16];
	struct iovec io = { area, sizeof(area) };

	if (pid == 0) {
		unsigned char in[16], out[16];

		memset(in, 0x5a, sizeof(in));
		asm volatile("movdqu %1, %%xmm3\n"
			     "	int3\n"
			     "	movdqu %%xmm3, %0"
			     : "=m"(out)
			     : "m"(in)
			     : "xmm3");
		_exit(out[0] == 0xa5 && out[15] == 0xa5 ? 0 : 1);
	}
	CHECK(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
	CHECK(wait_stop(pid) == SIGTRAP);
	CHECK(ptrace(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &io) == 0 && io.iov_len >= 576);
	uint64_t features;
	memcpy(&features, area + XSTATE_XCR0, sizeof(features));
	CHECK((features & 3) == 3 &&
	      (!(features & 4) || io.iov_len >= 832)); /* x87, SSE; AVX has its room */
	memset(want, 0x5a, sizeof(want));
	CHECK(memcmp(area + offsetof(struct user_fpregs_struct, xmm_space) + 3 * 16, want, 16) ==
	      0);
	memset(area + offsetof(struct user_fpregs_struct, xmm_space) + 3 * 16, 0xa5, 16);
	CHECK(ptrace(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &io) == 0);
	CHECK(regs_of(pid).fs_base != 0);
	CHECK(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
	CHECK(wait_end(pid) == 0);
}

/* fork, exec and clone are seen, with the new process traced from its first instruction. */
static void followed(void)
{
	pid_t pid = tracee();
	unsigned long child = 0;

	if (pid == 0) {
		int status;
		pid_t sub = fork();

		if (sub == 0)
			_exit(6);
		_exit(waitpid(sub, &status, 0) == sub && WEXITSTATUS(status) == 6 ? 0 : 1);
	}
	CHECK(ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACEFORK | PTRACE_O_EXITKILL) == 0);
	CHECK(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
	CHECK(wait_stop(pid) == (SIGTRAP | PTRACE_EVENT_FORK << 8));
	CHECK(ptrace(PTRACE_GETEVENTMSG, pid, NULL, &child) == 0 && child != 0);
	CHECK(wait_stop((pid_t)child) == SIGSTOP);
	CHECK(regs_of((pid_t)child).rax == 0);
	CHECK(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
	CHECK(ptrace(PTRACE_CONT, (pid_t)child, NULL, NULL) == 0);
	CHECK(WEXITSTATUS(wait_end((pid_t)child)) == 6);
	CHECK(wait_stop(pid) == SIGCHLD);
	CHECK(ptrace(PTRACE_CONT, pid, NULL, SIGCHLD) == 0);
	CHECK(wait_end(pid) == 0);
}

static void change_to_tmp(void)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	CHECK(chdir("/tmp") == 0);
	CHECK(setrlimit(RLIMIT_CORE, &all) == 0);
}

/* Only init may say where core files go to; a native run of this is not the place for that. */
static int core_goes_to_directory(void)
{
	char pattern[16] = "";
	int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY);

	CHECK(fd >= 0 && read(fd, pattern, sizeof(pattern) - 1) > 0);
	close(fd);
	return strcmp(pattern, "core\n") == 0;
}

/* Where r12 is in the first note, of a thread's registers: behind the note's header, "CORE" and struct elf_prstatus's head. */
#define NOTE_R12 (sizeof(Elf64_Nhdr) + 8 + 112 + offsetof(struct user_regs_struct, r12))

static Elf64_Phdr note_part(int fd)
{
	Elf64_Ehdr head;
	Elf64_Phdr part;

	CHECK(pread(fd, &head, sizeof(head), 0) == sizeof(head) && head.e_type == ET_CORE);
	CHECK(pread(fd, &part, sizeof(part), (off_t)head.e_phoff) == sizeof(part));
	CHECK(part.p_type == PT_NOTE);
	return part;
}

/* The core file of a crash has the registers of that moment. */
static void core_files(void)
{
	unsigned long long r12;
	Elf64_Nhdr note;
	int status;

	if (!core_goes_to_directory())
		return;
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		change_to_tmp();
		asm volatile("mov $0x1234567, %%r12; ud2" ::: "r12");
	}
	CHECK(waitpid(pid, &status, 0) == pid && WTERMSIG(status) == SIGILL && WCOREDUMP(status));
	int fd = open("/tmp/core", O_RDONLY);
	CHECK(fd >= 0);
	Elf64_Phdr part = note_part(fd);
	CHECK(pread(fd, &note, sizeof(note), (off_t)part.p_offset) == sizeof(note) &&
	      note.n_type == NT_PRSTATUS);
	CHECK(pread(fd, &r12, sizeof(r12), (off_t)(part.p_offset + NOTE_R12)) == sizeof(r12));
	CHECK(r12 == 0x1234567);
	close(fd);
	CHECK(unlink("/tmp/core") == 0);
}

#define DEBUGREG(n) (offsetof(struct user, u_debugreg) + (n) * sizeof(long))
/* DR7 for slot 0: enabled; 8 bytes that are written, or an instruction. DR6: that slot. */
#define DR7_WRITTEN  0x90001L
#define DR7_EXECUTED 0x1L
#define DR6_SLOT0    0x1L

static long debugreg(pid_t pid, int n)
{
	errno = 0;
	long value = ptrace(PTRACE_PEEKUSER, pid, DEBUGREG(n), NULL);
	CHECK(errno == 0);
	return value;
}

static void set_debugreg(pid_t pid, int n, long value)
{
	CHECK(ptrace(PTRACE_POKEUSER, pid, DEBUGREG(n), value) == 0);
}

/* It stops for slot 0, which is cleared. */
static struct user_regs_struct wait_slot0(pid_t pid)
{
	siginfo_t info;

	CHECK(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
	CHECK(wait_stop(pid) == SIGTRAP);
	CHECK(debugreg(pid, 6) & DR6_SLOT0);
	set_debugreg(pid, 6, 0);
	CHECK(ptrace(PTRACE_GETSIGINFO, pid, NULL, &info) == 0 && info.si_code == TRAP_HWBKPT);
	return regs_of(pid);
}

/* Calls and a handler in between, of which each comes out of the kernel with other flags. */
static void write_with_calls(void)
{
	(void)signal(SIGUSR1, on_usr1);
	for (int i = 0; i < 2 * PATCHED; i++)
		(void)getppid();
	/* If there is a trap flag behind it, it is lost here. */
	asm volatile("push $0x202; popf" ::: "cc", "memory");
	shared_value = 4711;
	for (int i = 0; i < 2 * PATCHED; i++)
		(void)getppid();
	(void)raise(SIGUSR1);
	pid_t pid = fork();
	if (pid == 0) {
		shared_value = 5; /* not watched: a child has slots of its own */
		_exit(shared_value == 5 ? 0 : 1);
	}
	CHECK(wait_end(pid) == 0);
	shared_value = 4712;
}

static void watched(void)
{
	pid_t pid = tracee();

	if (pid == 0) {
		write_with_calls();
		_exit(0);
	}
	set_debugreg(pid, 0, (long)&shared_value);
	set_debugreg(pid, 7, DR7_WRITTEN);
	CHECK(debugreg(pid, 0) == (long)&shared_value &&
	      (debugreg(pid, 7) & DR7_WRITTEN) == DR7_WRITTEN);
	(void)wait_slot0(pid);
	CHECK(ptrace(PTRACE_PEEKDATA, pid, &shared_value, NULL) == 4711);
	CHECK(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
	CHECK(wait_stop(pid) == SIGUSR1);
	CHECK(ptrace(PTRACE_CONT, pid, NULL, SIGUSR1) == 0);
	CHECK(wait_stop(pid) == SIGTRAP && (debugreg(pid, 6) & DR6_SLOT0));
	CHECK(ptrace(PTRACE_PEEKDATA, pid, &shared_value, NULL) == SIGUSR1);
	CHECK(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
	CHECK(wait_stop(pid) == SIGCHLD);
	(void)wait_slot0(pid);
	CHECK(ptrace(PTRACE_PEEKDATA, pid, &shared_value, NULL) == 4712);
	set_debugreg(pid, 7, 0);
	CHECK(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
	CHECK(wait_end(pid) == 0);
}

/* At an instruction, before it is executed; without a byte in the code. What no processor takes is refused. */
static void executed(void)
{
	pid_t pid = tracee();

	if (pid == 0)
		_exit(add(20, 22) == 42 && add(1, 2) == 3 ? 0 : 1);
	CHECK(ptrace(PTRACE_POKEUSER, pid, DEBUGREG(0), -4096L) == -1 && errno == EINVAL);
	set_debugreg(pid, 0, (long)&shared_value + 1);
	CHECK(ptrace(PTRACE_POKEUSER, pid, DEBUGREG(7), DR7_WRITTEN) == -1 && errno == EINVAL);
	set_debugreg(pid, 0, (long)address_of(add));
	set_debugreg(pid, 7, DR7_EXECUTED);
	struct user_regs_struct regs = wait_slot0(pid);
	CHECK(regs.rip == (uintptr_t)address_of(add) && regs.rdi == 20);
	CHECK(!(regs.eflags & TRAP_FLAG));
	regs = wait_slot0(pid);
	CHECK(regs.rip == (uintptr_t)address_of(add) && regs.rdi == 1);
	CHECK(ptrace(PTRACE_DETACH, pid, NULL, NULL) == 0);
	CHECK(wait_end(pid) == 0);
}

int main(int argc, char **argv)
{
	static const struct t_case cases[] = {
		{ "breakpoints", breakpoints },
		{ "single_steps", single_steps },
		{ "attached_in_call", attached_in_call },
		{ "step_into_handler", step_into_handler },
		{ "attached", attached },
		{ "seized", seized },
		{ "call_info", call_info },
		{ "emulated_calls", emulated_calls },
		{ "changed_calls", changed_calls },
		{ "vector_registers", vector_registers },
		{ "followed", followed },
		{ "core_files", core_files },
		{ "watched", watched },
		{ "executed", executed },
		{ NULL, NULL },
	};

	return t_main(argc, argv, cases);
}
