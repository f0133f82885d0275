// SPDX-License-Identifier: MIT
/* t_signal.c - signal frames, vector state in them, restarts, masks, faults by the processor. */
#include "t.h"
#include "t_wait.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static volatile sig_atomic_t hits;
static volatile siginfo_t last;

static void count(int signal)
{
	(void)signal;
	hits++;
	if (t_taken)
		*t_taken = 1;
}

static void handle(int signal, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	CHECK(sigaction(signal, &action, NULL) == 0);
}

static void alarm_in(long us)
{
	const struct itimerval timer = { .it_value = { 0, us } };

	CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

/* read() on an empty pipe: EINTR without SA_RESTART, the data of the child with it. */
static void restarts(void)
{
	int ends[2], status;
	char byte;

	CHECK(pipe(ends) == 0);
	for (int round = 0; round < 6; round++) { /* the first ones trap, the others are patched */
		hits = 0;
		handle(SIGALRM, count, 0);
		pid_t pid = interrupt_soon(-1);
		CHECK(read(ends[0], &byte, 1) == -1 && errno == EINTR && hits == 1);
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
		handle(SIGALRM, count, SA_RESTART);
		pid = interrupt_soon(ends[1]);
		CHECK(read(ends[0], &byte, 1) == 1 && byte == 'z' && hits == 2);
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	}
}

static long ms_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000;
}

/* A stop and a continue without a handler: the sleep goes on for what is left (restart_syscall). */
static void sleeps_go_on(void)
{
	for (int round = 0; round < 2; round++) {
		struct timespec start, half = { 0, 300000000 };
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (pid == 0) {
			clock_gettime(CLOCK_MONOTONIC, &start);
			for (int i = 0; i < round * 6; i++) /* trapped, patched */
				nanosleep(&(struct timespec){ 0, 1 }, NULL);
			CHECK(nanosleep(&half, NULL) == 0);
			_exit(ms_since(&start) >= 300 ? 0 : 2);
		}
		usleep(100000);
		CHECK(kill(pid, SIGSTOP) == 0);
		usleep(20000);
		CHECK(kill(pid, SIGCONT) == 0);
		int status;
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	}
}

static void poll_is_interrupted(void)
{
	int status;

	hits = 0;
	handle(SIGALRM, count, SA_RESTART);
	pid_t pid = interrupt_soon(-1);
	CHECK(poll(NULL, 0, 1000000) == -1 && errno == EINTR && hits == 1);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void spoil_vectors(int signal)
{
	(void)signal;
	asm volatile("pcmpeqd %%xmm0, %%xmm0; movdqa %%xmm0, %%xmm7; movdqa %%xmm0, %%xmm15" ::
			     : "xmm0", "xmm7", "xmm15");
	hits++;
}

/* A handler may use any register; what it interrupted finds its own again. */
static void vectors_survive(void)
{
	unsigned long ymm = __builtin_cpu_supports("avx");
	struct {
		unsigned long word[4];
	} in = { { 1, 2, 3, 4 } }, out = { { 0 } };

	handle(SIGUSR1, spoil_vectors, 0);
	hits = 0;
	long pid = getpid(), nr = SYS_kill, r;
	if (ymm)
		asm volatile("vmovdqu %[in], %%ymm7; syscall; vmovdqu %%ymm7, %[out]"
			     : "=a"(r), [out] "=m"(out)
			     : "a"(nr), "D"(pid), "S"((long)SIGUSR1), [in] "m"(in)
			     : "rcx", "r11", "memory", "xmm7");
	else
		asm volatile("movdqu %[in], %%xmm7; syscall; movdqu %%xmm7, %[out]"
			     : "=a"(r), [out] "=m"(out)
			     : "a"(nr), "D"(pid), "S"((long)SIGUSR1), [in] "m"(in)
			     : "rcx", "r11", "memory", "xmm7");
	CHECK(r == 0 && hits == 1);
	CHECK(out.word[0] == 1 && out.word[1] == 2);
	CHECK(!ymm || (out.word[2] == 3 && out.word[3] == 4));
}

static void change_xmm3(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)signal;
	(void)info;
	uc->uc_mcontext.fpregs->_xmm[3].element[0] = 4711;
	hits++;
}

/* What a handler writes into its frame is what the program goes on with. */
static void frames_are_read_back(void)
{
	struct sigaction action = { .sa_sigaction = change_xmm3, .sa_flags = SA_SIGINFO };
	unsigned int out;
	long r;

	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	asm volatile("pxor %%xmm3, %%xmm3; syscall; movd %%xmm3, %[out]"
		     : "=a"(r), [out] "=r"(out)
		     : "a"((long)SYS_kill), "D"((long)getpid()), "S"((long)SIGUSR1)
		     : "rcx", "r11", "memory", "xmm3");
	CHECK(r == 0 && out == 4711);
}

static void skip_instruction(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)signal;
	last = *info;
	uc->uc_mcontext.gregs[REG_RIP] += 2;
}

static void processor_faults(void)
{
	struct sigaction action = { .sa_sigaction = skip_instruction, .sa_flags = SA_SIGINFO };
	unsigned int quotient = 1;

	CHECK(sigaction(SIGFPE, &action, NULL) == 0 && sigaction(SIGILL, &action, NULL) == 0);
	asm volatile("xor %%edx, %%edx; xor %%ecx, %%ecx; div %%ecx"
		     : "+a"(quotient)::"ecx", "edx");
	CHECK(last.si_signo == SIGFPE && last.si_code == FPE_INTDIV);
	asm volatile("ud2");
	CHECK(last.si_signo == SIGILL && last.si_code == ILL_ILLOPN);
	action.sa_handler = count;
	action.sa_flags = 0;
	CHECK(sigaction(SIGTRAP, &action, NULL) == 0);
	hits = 0;
	asm volatile("int3");
	CHECK(hits == 1);
}

static char stack[65536];
static volatile int on_stack;

static void where(int signal)
{
	char here;

	(void)signal;
	on_stack = (uintptr_t)&here - (uintptr_t)stack < sizeof(stack);
}

static void alternate_stack(void)
{
	const stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };

	CHECK(sigaltstack(&alternate, NULL) == 0);
	handle(SIGUSR2, where, SA_ONSTACK);
	CHECK(raise(SIGUSR2) == 0 && on_stack == 1);
	handle(SIGUSR2, where, 0);
	CHECK(raise(SIGUSR2) == 0 && on_stack == 0);
}

static void masks(void)
{
	sigset_t set, pending;

	hits = 0;
	handle(SIGUSR1, count, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0 && raise(SIGUSR1) == 0 && hits == 0);
	CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1));
	sigemptyset(&set);
	CHECK(sigsuspend(&set) == -1 && errno == EINTR && hits == 1);
	CHECK(sigprocmask(SIG_SETMASK, &set, NULL) == 0);
}

/* A loop without a system call is interrupted all the same. */
static void timer_preempts(void)
{
	hits = 0;
	handle(SIGALRM, count, 0);
	alarm_in(10000);
	while (!hits)
		asm volatile("" ::: "memory");
}

int main(int argc, char **argv)
{
	static const struct t_case cases[] = {
		{ "restarts", restarts },
		{ "sleeps_go_on", sleeps_go_on },
		{ "poll_is_interrupted", poll_is_interrupted },
		{ "vectors_survive", vectors_survive },
		{ "frames_are_read_back", frames_are_read_back },
		{ "processor_faults", processor_faults },
		{ "alternate_stack", alternate_stack },
		{ "masks", masks },
		{ "timer_preempts", timer_preempts },
		{ NULL, NULL },
	};

	return t_main(argc, argv, cases);
}
