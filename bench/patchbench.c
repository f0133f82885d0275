/* SPDX-License-Identifier: MIT */
/*
 * patchbench [ROUNDS] - what a system call costs by each form of a patched site.
 *
 * Small functions with a system call each are patched by libos/patch and called. Two entries stand for
 * the kernel: one that comes straight back shows what site and trampoline cost; one that saves all
 * registers on a stack of its own, calls a function and restores them shows what a program would see.
 * Beside them: the empty call, "call *abs32" in the place of "mov $nr, %eax; syscall" (which spoils
 * the red zone), the host's own system call, and a call that traps to a signal handler.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>

#include "patch.h"

#define CODE   0x1000000000ull
#define TRAMPS 0x1010000000ull
#define SLOTS  0x50000000ull
#define PAGE   4096u
#define CALLS  4000 /* a round is shorter than a time slice: the best is not disturbed */

typedef long site_fn(long);

struct site {
	const char *name;
	size_t sys;
	size_t size;
	uint8_t code[24];
};

static const struct site sites[] = {
	{ "before: mov $nr,%eax; syscall", 5, 14,
	  "\xb8\x27\0\0\0\x0f\x05\x48\x3d\0\xf0\xff\xff\xc3" },
	{ "across: mov %rdi,%rax; syscall", 3, 12,
	  "\x48\x89\xf8\x0f\x05\x48\x3d\0\xf0\xff\xff\xc3" },
	{ "after: syscall; cmp", 0, 9, "\x0f\x05\x48\x3d\0\xf0\xff\xff\xc3" },
};
#define SITES (sizeof(sites) / sizeof(sites[0]))

void entry_bare(void);
void entry_full(void);
void entry_called(void);
long entry_work(void *regs);
extern char *entry_stack;

static long calls;
char *entry_stack;

long entry_work(void *regs)
{
	(void)regs;
	return ++calls;
}

/* The ways in and back that the kernel port has: all registers are saved in the order of pt_regs. */
__asm__("	.text\n"
	"entry_bare:\n"
	"	mov $39, %eax\n"
	"	jmp *%r11\n"
	"entry_called:\n"
	"	pop %rcx\n"
	"	mov %rcx, %r11\n"
	"entry_full:\n"
	"	xchg %rsp, entry_stack(%rip)\n"
	"	push $0x2b\n"
	"	push entry_stack(%rip)\n"
	"	push $0x202\n"
	"	push $0x33\n"
	"	push %rcx\n"
	"	push %rax\n"
	"	push %rdi\n"
	"	push %rsi\n"
	"	push %rdx\n"
	"	push %rcx\n"
	"	push %rax\n"
	"	push %r8\n"
	"	push %r9\n"
	"	push %r10\n"
	"	push %r11\n"
	"	push %rbx\n"
	"	push %rbp\n"
	"	push %r12\n"
	"	push %r13\n"
	"	push %r14\n"
	"	push %r15\n"
	"	mov %rsp, %rdi\n"
	"	mov %rsp, %rbx\n"
	"	xor %ebp, %ebp\n"
	"	and $-16, %rsp\n"
	"	call entry_work\n"
	"	mov %rbx, %rsp\n"
	"	pop %r15\n"
	"	pop %r14\n"
	"	pop %r13\n"
	"	pop %r12\n"
	"	pop %rbp\n"
	"	pop %rbx\n"
	"	pop %r11\n"
	"	pop %r10\n"
	"	pop %r9\n"
	"	pop %r8\n"
	"	add $8, %rsp\n"
	"	pop %rcx\n"
	"	pop %rdx\n"
	"	pop %rsi\n"
	"	pop %rdi\n"
	"	add $48, %rsp\n"
	"	xchg %rsp, entry_stack(%rip)\n"
	"	jmp *%r11\n");

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Of the best round: what disturbs only adds. */
static double measure(site_fn *fn, long rounds)
{
	double best = 1e12;

	for (long r = 0; r < rounds; r++) {
		double t = now_ns();

		for (long i = 0; i < CALLS; i++)
			(void)fn(SYS_getppid);
		t = (now_ns() - t) / CALLS;
		best = t < best ? t : best;
	}
	return best;
}

static void map_at(uint64_t addr)
{
	const void *p = mmap((void *)(uintptr_t)addr, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (p == MAP_FAILED) {
		perror("patchbench: no memory where it has to be");
		exit(1);
	}
}

static site_fn *put(uint8_t *to, const void *code, size_t size)
{
	memset(to, 0xcc, 64);
	memcpy(to, code, size);
	return (site_fn *)(uintptr_t)to;
}

static void patch(const struct site *s, uint8_t *at, uint64_t slot)
{
	struct patch_code code = { .bytes = at,
				   .size = s->size,
				   .addr = (uintptr_t)at,
				   .hi = s->size,
				   .starts_insn = true,
				   .nr = PATCH_NR_UNKNOWN };
	uint8_t tramp[PATCH_TRAMP_MAX], jump[PATCH_JUMP_LEN];
	struct patch_plan plan;
	uint64_t addr;
	void *page;

	if (patch_plan(&code, s->sys, 0, &plan) != PATCH_OK ||
	    !patch_place(&plan, TRAMPS, TRAMPS + (1u << 30), &addr) ||
	    !patch_emit(&plan, addr, slot, tramp, jump)) {
		fprintf(stderr, "patchbench: cannot patch '%s'\n", s->name);
		exit(1);
	}
	/* Nothing else lies here: a place that is taken is one of ours. */
	page = mmap((void *)(uintptr_t)(addr & -(uint64_t)PAGE), 2ul * PAGE,
		    PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		    0);
	if (page == MAP_FAILED) {
		perror("patchbench: no memory for a trampoline");
		exit(1);
	}
	memcpy((void *)(uintptr_t)addr, tramp, plan.tramp_len);
	memcpy((void *)(uintptr_t)plan.addr, jump, PATCH_JUMP_LEN);
}

static void on_sys(int sig, siginfo_t *si, void *arg)
{
	(void)sig;
	(void)si;
	((ucontext_t *)arg)->uc_mcontext.gregs[REG_RAX] = ++calls;
}

/* Only what lies in the page of @sites traps, so that the handler's own return does not. */
static double measure_trap(site_fn *fn, long n)
{
	struct sigaction sa = { .sa_sigaction = on_sys, .sa_flags = SA_SIGINFO };
	double t;

	sigaction(SIGSYS, &sa, NULL);
	if (prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, CODE + (1ull << 32),
		  UINT64_MAX / 2, NULL) < 0)
		return 0;
	t = measure(fn, n);
	(void)prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, NULL);
	return t;
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? strtol(argv[1], NULL, 0) : 2000;
	static const uint64_t entries[] = { SLOTS, SLOTS + 8, SLOTS + 16 };
	uint64_t *slots = (uint64_t *)SLOTS;
	uint8_t *code = (uint8_t *)CODE;
	uint8_t call[8] = { 0xff, 0x14, 0x25, 0, 0, 0, 0, 0xc3 };
	char *stack = aligned_alloc(16, 65536);
	double empty, bare, full;
	site_fn *fn;

	if (!stack)
		return 1;
	map_at(SLOTS);
	map_at(CODE);
	map_at(TRAMPS);
	entry_stack = stack + 65536;
	slots[0] = (uintptr_t)entry_bare;
	slots[1] = (uintptr_t)entry_full;
	slots[2] = (uintptr_t)entry_called;
	empty = measure(put(code, "\xb8\x27\0\0\0\xc3", 6), n);
	printf("%-34s %8.2f ns\n", "empty function", empty);
	printf("%-34s %8.2f ns\n", "the host's getppid",
	       measure(put(code, sites[1].code, sites[1].size), n / 4) - empty);
	printf("%-34s %8.2f ns\n", "trap to a signal handler",
	       measure_trap(put(code, sites[1].code, sites[1].size), n / 20) - empty);
	printf("%-34s %11s %16s\n", "patched, above the empty function", "there, back",
	       "registers, work");
	for (size_t i = 0; i < SITES; i++) {
		fn = put(code, sites[i].code, sites[i].size);
		patch(&sites[i], code, entries[0]);
		bare = measure(fn, n) - empty;
		fn = put(code, sites[i].code, sites[i].size);
		patch(&sites[i], code, entries[1]);
		full = measure(fn, n) - empty;
		printf("%-34s %8.2f ns %13.2f ns\n", sites[i].name, bare, full);
	}
	memcpy(call + 3, &entries[2], 4);
	full = measure(put(code, call, sizeof(call)), n) - empty;
	printf("%-34s %8s    %13.2f ns\n", "call *abs32 in its place", "", full);
	free(stack);
	return 0;
}
