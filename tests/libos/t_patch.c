// SPDX-License-Identifier: MIT
/*
 * t_patch.c - system calls from sites of each form, again and again: nothing tells a program that they
 * have become jumps.
 */
/*
 * Theory of operation
 *
 * The calls t_before(), t_across() and t_after() are made so that the library OS picks the window of
 * that name (libos/patch/patch.h) once they have trapped some times; WARM calls are enough for that.
 * Each case holds on any Linux.
 */
#include "t.h"
#include "t_wait.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define WARM  40
#define PAGE  4096UL
#define FORMS 3
#define FLAGS 0x8d5UL /* arithmetic */

typedef long (*call_t)(long arg1, long arg2, long arg3, long nr);

long t_before(long arg1, long arg2, long arg3, long nr);
long t_across(long arg1, long arg2, long arg3, long nr);
long t_after(long arg1, long arg2, long arg3, long nr);
/* Sets the flags, calls, returns the flags. */
long t_flags_before(long flags, long nr);
long t_flags_across(long flags, long nr);
long t_flags_after(long flags, long nr);
/* Returns how many words below the stack pointer, of 16, a call has changed. */
long t_red_zone(long nr);
/* Calls `nr` in each form, `count` times. */
void t_loop(long count, long nr);
/* Calls `nr` with the trap flag set, in all forms. */
long t_stepped(long nr);
extern const char t_code[], t_code_end[];

/* clang-format off */
__asm__(".text\n.balign 64\n"
	".globl t_code\nt_code:\n"
	"	ret\n"
	/* lea 0(%rcx), %rax in seven bytes */
	".balign 16\n.globl t_before\nt_before:\n"
	"	endbr64\n	.byte 0x48, 0x8d, 0x81, 0, 0, 0, 0\n	syscall\n	ret\n"
	".balign 16\n.globl t_across\nt_across:\n"
	"	endbr64\n	mov %rcx, %rax\n	syscall\n	ret\n"
	".balign 16\n.globl t_after\nt_after:\n"
	"	endbr64\n	mov %rcx, %rax\n	jmp 1f\n	ud2\n1:	syscall\n	mov %rax, %r8\n	mov %r8, %rax\n	ret\n"
	".balign 16\n.globl t_flags_before\nt_flags_before:\n"
	"	endbr64\n	push %rdi\n	popfq\n	.byte 0x48, 0x8d, 0x86, 0, 0, 0, 0\n	syscall\n"
	"	pushfq\n	pop %rax\n	cld\n	ret\n"
	".balign 16\n.globl t_flags_across\nt_flags_across:\n"
	"	endbr64\n	push %rdi\n	popfq\n	mov %rsi, %rax\n	syscall\n	pushfq\n	pop %rax\n	cld\n	ret\n"
	".balign 16\n.globl t_flags_after\nt_flags_after:\n"
	"	endbr64\n	mov %rsi, %rax\n	push %rdi\n	popfq\n	jmp 1f\n	ud2\n1:	syscall\n"
	"	mov %rax, %r8\n	pushfq\n	pop %rax\n	cld\n	ret\n"
	".balign 16\n.globl t_red_zone\nt_red_zone:\n"
	"	endbr64\n	mov $16, %ecx\n1:	mov %rcx, -136(%rsp, %rcx, 8)\n	loop 1b\n	mov %rdi, %rax\n	syscall\n"
	"	xor %eax, %eax\n	mov $16, %ecx\n2:	cmp %rcx, -136(%rsp, %rcx, 8)\n	je 3f\n	inc %eax\n3:	loop 2b\n	ret\n"
	".balign 16\n.globl t_loop\nt_loop:\n"
	"	endbr64\n	mov %rdi, %r9\n"
	"1:	.byte 0x48, 0x8d, 0x86, 0, 0, 0, 0\n	syscall\n	nop\n	mov %rsi, %rax\n	syscall\n"
	"	mov %rsi, %rax\n	jmp 2f\n	ud2\n2:	syscall\n	mov %rax, %r8\n	mov %r8, %rax\n	dec %r9\n	jnz 1b\n	ret\n"
	".balign 16\n.globl t_stepped\nt_stepped:\n"
	"	endbr64\n	mov %rdi, %r9\n	pushfq\n	orq $0x100, (%rsp)\n	popfq\n"
	"	.byte 0x49, 0x8d, 0x81, 0, 0, 0, 0\n	syscall\n	mov %rax, %r10\n	mov %r9, %rax\n	syscall\n"
	"	cmp %rax, %r10\n	jne 3f\n	mov %r9, %rax\n	jmp 2f\n	ud2\n2:	syscall\n	mov %rax, %r8\n	mov %r8, %rax\n"
	"3:	pushfq\n	andq $~0x100, (%rsp)\n	popfq\n	ret\n"
	".balign 16\n.globl t_code_end\nt_code_end:\n	ret\n");
/* clang-format on */

static const call_t forms[FORMS] = { t_before, t_across, t_after };
static char before_all[1024]; /* t_code as it was */
static volatile sig_atomic_t hits, outside;

static void warm_up(void)
{
	for (int i = 0; i < WARM; i++)
		for (int f = 0; f < FORMS; f++)
			CHECK(forms[f](0, 0, 0, SYS_getpid) == getpid());
}

static void results(void)
{
	char byte = 0;

	warm_up();
	for (int f = 0; f < FORMS; f++) {
		CHECK(forms[f](0, 0, 0, SYS_getppid) == getppid());
		CHECK(forms[f](-1, (long)&byte, 1, SYS_read) == -EBADF);
		CHECK(forms[f](0, 0, 0, 0x7fff) == -ENOSYS);
		CHECK(forms[f](0, 0, 0, -1) == -ENOSYS);
		/* The upper half of the number does not count. */
		CHECK(forms[f](0, 0, 0, SYS_getpid | 1L << 32) == getpid());
	}
}

static void registers(void)
{
	static long (*const calls[])(long, long) = { t_flags_before, t_flags_across,
						     t_flags_after };

	for (int i = 0; i < WARM; i++) {
		for (int f = 0; f < FORMS; f++) {
			CHECK(((unsigned long)calls[f](FLAGS | 0x202, SYS_getpid) & FLAGS) ==
			      FLAGS);
			CHECK(((unsigned long)calls[f](0x202, SYS_getpid) & FLAGS) == 0);
			/* Direction. */
			CHECK(calls[f](0x602, SYS_getpid) & 0x400);
		}
		CHECK(t_red_zone(SYS_getpid) == 0);
	}
}

static void wait_ok(pid_t pid)
{
	int status;

	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
}

/* Sites of the parent in the child, new ones in the child, and none of them in the parent. */
static void under_fork(void)
{
	warm_up();
	for (int round = 0; round < 3; round++) {
		pid_t pid = fork();
		if (pid == 0) {
			registers();
			warm_up();
			pid = fork();
			if (pid == 0) {
				results();
				_exit(0);
			}
			wait_ok(pid);
			_exit(0);
		}
		warm_up();
		wait_ok(pid);
	}
	registers();
}

/* fork() itself, from each form, as a trap and as a jump. */
static void forks_from_sites(void)
{
	warm_up();
	for (int i = 0; i < 3 * FORMS; i++) {
		long pid = forms[i % FORMS](0, 0, 0, SYS_fork);
		if (pid == 0)
			_exit(0);
		wait_ok((pid_t)pid);
	}
	for (int i = 0; i < WARM; i++) {
		/* NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.vfork): it is what is tested */
		pid_t pid = vfork();
		if (pid == 0)
			_exit(0);
		wait_ok(pid);
	}
}

static void count(int signal, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;
	uintptr_t ip = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];

	(void)signal;
	(void)info;
	hits++;
	outside += ip < (uintptr_t)t_code || ip >= (uintptr_t)t_code_end;
}

static void on(int signal, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags };

	CHECK(sigaction(signal, &action, NULL) == 0);
}

static void tick_every(long us)
{
	const struct itimerval timer = { { 0, us }, { 0, us } };

	CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

/* Wherever a signal finds the program, that is where it was. */
static void signals_in_windows(void)
{
	warm_up();
	t_loop(WARM, SYS_getpid);
	hits = outside = 0;
	on(SIGALRM, count, SA_RESTART);
	tick_every(200);
	while (hits < 300)
		t_loop(2000, SYS_getpid);
	tick_every(0);
	/* One or two came between the calls of t_loop(). */
	CHECK(outside < 30);
}

static void ignore(int signal, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;
	const unsigned char *at = (const unsigned char *)uc->uc_mcontext.gregs[REG_RIP];
	unsigned char code[2] = { 0, 0 };
	int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);

	(void)signal;
	(void)info;
	/* It will start again: it stands at the instruction, as a debugger sees it. */
	if (fd >= 0) {
		if (pread(fd, code, 2, (off_t)(uintptr_t)at) == 2)
			outside += code[0] != 0x0f || code[1] != 0x05;
		(void)close(fd);
	}
	hits++;
	*t_taken = 1;
}

/* A read that a signal interrupts goes on; the frame says where. */
static void restarts(void)
{
	int ends[2];
	char byte = 0;

	CHECK(pipe(ends) == 0);
	on(SIGALRM, ignore, SA_RESTART);
	for (int round = 0; round < 2; round++) {
		for (int f = 0; f < FORMS; f++) {
			hits = outside = 0;
			pid_t pid = interrupt_soon(ends[1]);
			CHECK(forms[f](ends[0], (long)&byte, 1, SYS_read) == 1 && byte == 'z');
			CHECK(hits == 1 && outside == 0);
			wait_ok(pid);
		}
		warm_up();
	}
	on(SIGALRM, ignore, 0);
	for (int f = 0; f < FORMS; f++) {
		pid_t pid = interrupt_soon(-1);
		CHECK(forms[f](ends[0], (long)&byte, 1, SYS_read) == -EINTR);
		wait_ok(pid);
	}
}

/* The program's own bytes are what /proc and ptrace show. */
static void code_is_its_own(void)
{
	char now[sizeof(before_all)];
	size_t size = (size_t)(t_code_end - t_code);
	int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);

	warm_up();
	t_loop(WARM, SYS_getpid);
	CHECK(fd >= 0 && pread(fd, now, size, (off_t)(uintptr_t)t_code) == (ssize_t)size);
	CHECK(memcmp(now, before_all, size) == 0);
	for (size_t i = 0; i + 3 < size; i++) /* begins and ends within jumps */
		CHECK(pread(fd, now, 3, (off_t)(uintptr_t)t_code + (off_t)i) == 3 &&
		      memcmp(now, before_all + i, 3) == 0);
	CHECK(close(fd) == 0);
}

static unsigned long ip_of(pid_t pid)
{
	struct user_regs_struct regs;

	CHECK(ptrace(PTRACE_GETREGS, pid, NULL, &regs) == 0);
	return regs.rip;
}

static void stop_at(pid_t pid, int signal)
{
	int status;

	CHECK(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == signal);
}

/* Steps to the entry of a call, then through it: each instruction once. */
static void step_through(pid_t pid, call_t call, const int *lengths)
{
	unsigned long at = (unsigned long)(uintptr_t)call;

	for (int i = 0; ip_of(pid) != at; i++) {
		CHECK(i < 2000 && ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == 0);
		stop_at(pid, SIGTRAP);
	}
	for (; *lengths; lengths++) {
		CHECK(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == 0);
		stop_at(pid, SIGTRAP);
		at += (unsigned long)*lengths;
		CHECK(ip_of(pid) == at);
	}
}

static void single_steps(void)
{
	static const int lengths[FORMS][8] = {
		{ 4, 7, 2 },
		{ 4, 3, 2 },
		{ 4, 3, 4 /* jmp, over ud2 */, 2, 3, 3 },
	};
	int status;

	pid_t pid = fork();
	if (pid == 0) {
		warm_up();
		CHECK(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 && raise(SIGSTOP) == 0);
		for (int f = 0; f < FORMS; f++)
			CHECK(forms[f](0, 0, 0, SYS_getpid) == getpid());
		warm_up();
		_exit(0);
	}
	stop_at(pid, SIGSTOP);
	for (int f = 0; f < FORMS; f++)
		step_through(pid, forms[f], lengths[f]);
	CHECK(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

/* A breakpoint on each instruction of a site that is a jump by then. */
static void breakpoints(void)
{
	static const unsigned int at[FORMS] = { 4 + 7, 4 + 3, 4 + 3 + 4 };

	for (int f = 0; f < FORMS; f++) {
		for (int on_call = 0; on_call < 2; on_call++) {
			unsigned long addr =
				(unsigned long)(uintptr_t)forms[f] + (on_call ? at[f] : 4);
			int status;

			pid_t pid = fork();
			if (pid == 0) {
				warm_up();
				CHECK(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
				CHECK(raise(SIGSTOP) == 0);
				_exit(forms[f](0, 0, 0, SYS_getpid) == getpid() ? 0 : 1);
			}
			stop_at(pid, SIGSTOP);
			errno = 0;
			long word = ptrace(PTRACE_PEEKTEXT, pid, (void *)addr, NULL);
			CHECK(errno == 0 &&
			      memcmp(&word,
				     (const char *)before_all +
					     (addr - (unsigned long)(uintptr_t)t_code),
				     sizeof(word)) == 0);
			CHECK(ptrace(PTRACE_POKETEXT, pid, (void *)addr, (word & ~0xffL) | 0xcc) ==
			      0);
			CHECK(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
			stop_at(pid, SIGTRAP);
			CHECK(ip_of(pid) == addr + 1);
			CHECK(ptrace(PTRACE_POKETEXT, pid, (void *)addr, word) == 0);
			CHECK(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, regs.rip), addr) ==
			      0);
			CHECK(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
			CHECK(waitpid(pid, &status, 0) == pid && status == 0);
		}
	}
}

static void stepped(int signal, siginfo_t *info, void *context)
{
	count(signal, info, context);
}

/* The same by the program itself. */
static void trap_flag(void)
{
	on(SIGTRAP, stepped, 0);
	for (int i = 0; i < WARM; i++) {
		hits = outside = 0;
		CHECK(t_stepped(SYS_getpid) == getpid());
		CHECK(hits >= 8 && outside == 0);
		if (i < WARM / 2) /* the first time they may be jumps, later they are not */
			warm_up();
	}
}

/* mov $nr, %eax; syscall; ret, and so much before it that it looks like code. */
static void put_code(unsigned char *to, int nr)
{
	memset(to, 0x90, 64);
	to[64] = 0xb8;
	memcpy(to + 65, &nr, sizeof(nr));
	memcpy(to + 69, "\x0f\x05\xc3", 3);
}

static void call_code(const unsigned char *code, long expected)
{
	for (int i = 0; i < WARM; i++)
		CHECK(((call_t)(uintptr_t)(code + 64))(0, 0, 0, 0) == expected);
}

/* A compiler at run time: writable, executable, writable with other code, ... */
static void generated_code(void)
{
	unsigned char *room =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char *code = room, expected[72];

	CHECK(room != MAP_FAILED);
	for (int round = 0; round < 6; round++) {
		int nr = round % 2 ? SYS_getppid : SYS_getpid;

		CHECK(mprotect(code, PAGE, PROT_READ | PROT_WRITE) == 0);
		if (round) /* what it wrote last time is there still */
			CHECK(memcmp(code, expected, sizeof(expected)) == 0);
		put_code(code, nr);
		put_code(expected, nr);
		CHECK(mprotect(code, PAGE, PROT_READ | PROT_EXEC) == 0);
		call_code(code, round % 2 ? getppid() : getpid());
		if (round == 3) {
			unsigned char *moved = mremap(code, PAGE, PAGE,
						      MREMAP_MAYMOVE | MREMAP_FIXED, room + PAGE);
			CHECK(moved != MAP_FAILED && memcmp(moved, expected, 72) == 0);
			code = moved;
			call_code(code, getppid());
		}
	}
	/* One byte is enough: the number. */
	CHECK(mprotect(code, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
	for (int i = 0; i < WARM; i++) {
		code[65] = i % 2 ? SYS_getpid : SYS_getppid;
		CHECK(((call_t)(uintptr_t)(code + 64))(0, 0, 0, 0) ==
		      (i % 2 ? getpid() : getppid()));
	}
	CHECK(munmap(room, 2 * PAGE) == 0);
}

/* Libraries come and go at one address. */
static void addresses_again(void)
{
	unsigned char page[2][PAGE];
	void *at = NULL;
	int fds[2];

	for (int i = 0; i < 2; i++) {
		memset(page[i], 0xcc, PAGE);
		put_code(page[i], i ? SYS_getppid : SYS_getpid);
		fds[i] = memfd_create("code", MFD_CLOEXEC);
		CHECK(fds[i] >= 0 && write(fds[i], page[i], PAGE) == (ssize_t)PAGE);
	}
	for (int round = 0; round < 12; round++) {
		int i = round & 1;

		void *code = mmap(at, PAGE, PROT_READ | PROT_EXEC,
				  MAP_PRIVATE | (at ? MAP_FIXED : 0), fds[i], 0);
		CHECK(code != MAP_FAILED);
		at = code;
		call_code(code, i ? getppid() : getpid());
		if (round % 3 == 0)
			CHECK(munmap(at, PAGE) == 0);
		if (round % 3 == 1) { /* back to what the file has */
			CHECK(madvise(at, PAGE, MADV_DONTNEED) == 0);
			call_code(code, i ? getppid() : getpid());
		}
	}
}

/* Takes away what the library OS may have put into the program: nothing is missed. */
static void areas_unmapped(void)
{
	char line[256];

	warm_up();
	FILE *maps = fopen("/proc/self/maps", "re");
	CHECK(maps);
	while (fgets(line, sizeof(line), maps)) {
		unsigned long start, end;

		if (sscanf(line, "%lx-%lx r-xp 00000000 00:00 0", &start, &end) == 2 &&
		    end - start == 16 << 20) {
			const void *at = mmap((void *)start, end - start, PROT_NONE,
					      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
			CHECK(at != MAP_FAILED);
		}
	}
	CHECK(fclose(maps) == 0);
	warm_up();
	registers();
}

static void *hammer(void *arg)
{
	for (int i = 0; i < 20000; i++)
		CHECK(((call_t)arg)(0, 0, 0, SYS_getpid) == getpid());
	return NULL;
}

static void in_threads(void)
{
	for (int f = 0; f < FORMS; f++) {
		pthread_t threads[3];

		for (int i = 0; i < 3; i++)
			CHECK(pthread_create(&threads[i], NULL, hammer, (void *)forms[f]) == 0);
		for (int i = 0; i < 3; i++)
			CHECK(pthread_join(threads[i], NULL) == 0);
	}
}

static int compare(const struct timespec *a, const struct timespec *b)
{
	if (a->tv_sec != b->tv_sec)
		return a->tv_sec < b->tv_sec ? -1 : 1;
	return a->tv_nsec < b->tv_nsec ? -1 : a->tv_nsec > b->tv_nsec;
}

/* The names that C libraries look for, in the object that the kernel hands over. */
static bool vdso_has(const char *name)
{
	const unsigned long base = getauxval(AT_SYSINFO_EHDR);
	const Elf64_Ehdr *head = (const Elf64_Ehdr *)base;
	const Elf64_Phdr *part = (const Elf64_Phdr *)(base + head->e_phoff);
	const char *strings = NULL;
	const Elf64_Sym *symbols = NULL;
	const Elf64_Word *hash = NULL;

	for (int i = 0; i < head->e_phnum; i++) {
		if (part[i].p_type != PT_DYNAMIC)
			continue;
		for (const Elf64_Dyn *d = (const Elf64_Dyn *)(base + part[i].p_offset); d->d_tag;
		     d++) {
			const void *at = (const void *)(base + d->d_un.d_ptr);
			strings = d->d_tag == DT_STRTAB ? at : strings;
			symbols = d->d_tag == DT_SYMTAB ? at : symbols;
			hash = d->d_tag == DT_HASH ? at : hash;
		}
	}
	CHECK(strings && symbols && hash);
	for (Elf64_Word i = 1; i < hash[1]; i++)
		if (!strcmp(strings + symbols[i].st_name, name))
			return ELF64_ST_TYPE(symbols[i].st_info) == STT_FUNC && symbols[i].st_shndx;
	return false;
}

static void vdso(void)
{
	CHECK(getauxval(AT_SYSINFO_EHDR));
	CHECK(memcmp((const char *)getauxval(AT_SYSINFO_EHDR), ELFMAG, SELFMAG) == 0);
	CHECK(vdso_has("__vdso_clock_gettime") && vdso_has("__vdso_gettimeofday"));
	CHECK(vdso_has("__vdso_time") && vdso_has("__vdso_getcpu") &&
	      vdso_has("__vdso_clock_getres"));
	CHECK(!vdso_has("__vdso_none"));
}

/* What answers without a call agrees with the call. */
static void clocks(void)
{
	static const clockid_t ids[] = {
		CLOCK_REALTIME,         CLOCK_MONOTONIC,     CLOCK_BOOTTIME, CLOCK_REALTIME_COARSE,
		CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW, CLOCK_TAI
	};
	struct timespec first, between, last, end;
	struct timeval day;
	unsigned int cpu;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += 4; /* beyond the library OS's change of clock source */
	do {
		for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
			CHECK(syscall(SYS_clock_gettime, ids[i], &first) == 0);
			CHECK(clock_gettime(ids[i], &between) == 0);
			CHECK(syscall(SYS_clock_gettime, ids[i], &last) == 0);
			CHECK(compare(&first, &between) <= 0 && compare(&between, &last) <= 0);
		}
		clock_gettime(CLOCK_REALTIME, &first);
		CHECK(gettimeofday(&day, NULL) == 0);
		clock_gettime(CLOCK_REALTIME, &last);
		between = (struct timespec){ day.tv_sec, day.tv_usec * 1000 };
		first.tv_nsec -= first.tv_nsec % 1000;
		CHECK(compare(&first, &between) <= 0 && compare(&between, &last) <= 0);
		clock_gettime(CLOCK_MONOTONIC, &last);
	} while (compare(&last, &end) < 0);
	CHECK(clock_gettime(CLOCK_REALTIME, &first) == 0);
	long seconds = time(NULL);
	CHECK(clock_gettime(CLOCK_REALTIME, &last) == 0);
	/* It may be a tick behind. */
	CHECK(seconds >= first.tv_sec - 1 && seconds <= last.tv_sec);
	CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &first) == 0);
	CHECK(clock_gettime(12345, &first) == -1 && errno == EINVAL);
	CHECK(clock_getres(CLOCK_MONOTONIC, &first) == 0 && first.tv_nsec == 1);
	CHECK(getcpu(&cpu, NULL) == 0 && (int)cpu < (int)sysconf(_SC_NPROCESSORS_CONF));
}

int main(int argc, char **argv)
{
	static const struct t_case cases[] = {
		{ "results", results },
		{ "registers", registers },
		{ "code_is_its_own", code_is_its_own },
		{ "under_fork", under_fork },
		{ "forks_from_sites", forks_from_sites },
		{ "signals_in_windows", signals_in_windows },
		{ "restarts", restarts },
		{ "single_steps", single_steps },
		{ "breakpoints", breakpoints },
		{ "generated_code", generated_code },
		{ "addresses_again", addresses_again },
		{ "in_threads", in_threads },
		{ "areas_unmapped", areas_unmapped },
		{ "trap_flag", trap_flag },
		{ "vdso", vdso },
		{ "clocks", clocks },
		{ NULL, NULL },
	};

	CHECK((size_t)(t_code_end - t_code) < sizeof(before_all));
	memcpy(before_all, t_code, (size_t)(t_code_end - t_code));
	return t_main(argc, argv, cases);
}
