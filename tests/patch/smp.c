/* SPDX-License-Identifier: MIT */
/*
 * smp - a site is patched and put back while other threads run through it.
 *
 * Two threads call it all the time, by its beginning and by a jump straight to the syscall instruction,
 * while the main thread makes the stores of patch_steps(), with a barrier for all processors where one is
 * asked for; in each form in turn. A signal handler plays the kernel. A call gives rdi + 1, keeps the red
 * zone and leaves the address behind it in rcx: each time, whatever the site looks like at the moment.
 */
#include <linux/membarrier.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "patch.h"

#define CODE    0x1000000000ull
#define AREA    0x1010000000ull
#define SLOT    0x50000000ull
#define PAGE    4096u
#define THREADS 2
#define CYCLES  1000

/* 1 if all was well, so far as the code itself can tell. */
typedef long site_fn(long number);

__asm__("	.text\n"
	"	.balign 16\n"
	"smp_begin:\n"
	"	.fill 32, 1, 0x90\n"
	"smp_site:\n"
	"	mov %rdi, -8(%rsp)\n"
	"	mov %rdi, -128(%rsp)\n"
	"	mov $39, %eax\n"
	"	mov %rdi, %rsi\n"
	"smp_call:\n"
	"	syscall\n"
	"smp_behind:\n"
	"	cmp $-4096, %rax\n"
	"	lea smp_behind(%rip), %rdx\n"
	"	cmp %rcx, %rdx\n"
	"	jne 1f\n"
	"	inc %rdi\n"
	"	cmp %rax, %rdi\n"
	"	jne 1f\n"
	"	cmp %rsi, -8(%rsp)\n"
	"	jne 1f\n"
	"	cmp %rsi, -128(%rsp)\n"
	"	jne 1f\n"
	"	mov $1, %eax\n"
	"	ret\n"
	"1:	xor %eax, %eax\n"
	"	ret\n"
	"smp_jump:\n"
	"	mov %rdi, -8(%rsp)\n"
	"	mov %rdi, -128(%rsp)\n"
	"	mov $39, %eax\n"
	"	mov %rdi, %rsi\n"
	"	lea smp_call(%rip), %rdx\n"
	"	jmp *%rdx\n"
	"smp_end:\n"
	"	.balign 4\n"
	"smp_site_off: .long smp_site - smp_begin\n"
	"smp_call_off: .long smp_call - smp_begin\n"
	"smp_jump_off: .long smp_jump - smp_begin\n"
	"smp_size: .long smp_end - smp_begin\n"
	"smp_entry:\n"
	"	lea 1(%rdi), %rax\n"
	"	jmp *%r11\n");
extern const uint8_t smp_begin[], smp_entry[];
extern const uint32_t smp_site_off, smp_call_off, smp_jump_off, smp_size;

static struct patch_plan plan;
static uint64_t tramp;
static atomic_bool stop;
static atomic_ulong wrong, trapped, resumed;

static void on_signal(int sig, siginfo_t *si, void *arg)
{
	greg_t *g = ((ucontext_t *)arg)->uc_mcontext.gregs;
	uint64_t ip = (uint64_t)g[REG_RIP] - (sig == SIGTRAP), to;

	(void)si;
	if (sig == SIGSYS) {
		atomic_fetch_add_explicit(&trapped, 1, memory_order_relaxed);
		g[REG_RAX] = g[REG_RDI] + 1;
	} else if (patch_ip_resume(&plan, tramp, ip, &to)) {
		atomic_fetch_add_explicit(&resumed, 1, memory_order_relaxed);
		g[REG_RIP] = (greg_t)to;
	} else {
		_exit(3);
	}
}

static void *call_site(void *arg)
{
	site_fn *site = (site_fn *)(uintptr_t)(CODE + smp_site_off);
	site_fn *jump = (site_fn *)(uintptr_t)(CODE + smp_jump_off);
	unsigned long *calls = arg;

	/* What lies in the page of the site traps, so that the handler's own return does not. */
	if (prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, CODE + PAGE, UINT64_MAX / 2,
		  NULL) < 0)
		_exit(77);
	for (long i = 0; !atomic_load_explicit(&stop, memory_order_relaxed); i++) {
		if (!(i % 16 ? site : jump)(i))
			atomic_fetch_add(&wrong, 1);
		++*calls;
	}
	return NULL;
}

static void make_stores(const uint8_t *to)
{
	struct patch_step steps[PATCH_STEPS_MAX];
	size_t n = patch_steps(&plan, to, steps);

	for (size_t i = 0; i < n; i++) {
		volatile uint8_t *at = (volatile uint8_t *)(uintptr_t)plan.addr + steps[i].off;

		for (size_t k = 0; k < steps[i].len; k++)
			at[k] = steps[i].bytes[k];
		if (steps[i].sync &&
		    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0) < 0)
			abort();
	}
}

static void map_at(uint64_t addr, size_t size)
{
	const void *p = mmap((void *)(uintptr_t)addr, size, PROT_READ | PROT_WRITE | PROT_EXEC,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (p == MAP_FAILED)
		abort();
}

/* The first plan that is of this form. */
static void plan_form(enum patch_form form, uint8_t *jump)
{
	struct patch_code code = { .bytes = smp_begin,
				   .size = smp_size,
				   .addr = CODE,
				   .hi = smp_size,
				   .nr = PATCH_NR_UNKNOWN };
	uint8_t bytes[PATCH_TRAMP_MAX];
	unsigned int skip = 0;

	do
		if (patch_plan(&code, smp_call_off, skip++, &plan) != PATCH_OK)
			abort();
	while (plan.form != form);
	if (!patch_place(&plan, AREA, AREA + (1u << 30), &tramp) ||
	    !patch_emit(&plan, tramp, SLOT, bytes, jump))
		abort();
	map_at(tramp & -(uint64_t)PAGE, 2ul * PAGE);
	memcpy((void *)(uintptr_t)tramp, bytes, plan.tramp_len);
}

static bool try_form(enum patch_form form)
{
	unsigned long calls[THREADS] = { 0 }, all = 0;
	uint8_t jump[PATCH_JUMP_LEN];
	pthread_t threads[THREADS];
	bool ok;

	plan_form(form, jump);
	atomic_store(&stop, false);
	atomic_store(&wrong, 0);
	atomic_store(&trapped, 0);
	atomic_store(&resumed, 0);
	for (size_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, call_site, &calls[i]) != 0)
			abort();
	for (int i = 0; i < CYCLES; i++) {
		make_stores(jump);
		usleep(200);
		make_stores(plan.old);
		usleep(50);
	}
	atomic_store(&stop, true);
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		all += calls[i];
	}
	munmap((void *)(uintptr_t)(tramp & -(uint64_t)PAGE), 2ul * PAGE);
	/* Between two stores, or where a byte of the jump has to trap; only the latter is certain to be met. */
	ok = !wrong && trapped && trapped < all && (resumed || form != PATCH_ACROSS);
	printf("%s %d - %s: %lu calls, %lu trapped, %lu resumed, %lu wrong\n", ok ? "ok" : "not ok",
	       (int)form + 1, patch_form_name(form), all, trapped, resumed, wrong);
	return ok;
}

int main(void)
{
	static const int sigs[] = { SIGSYS, SIGTRAP, SIGILL };
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	uint64_t entry = (uintptr_t)smp_entry;
	bool ok = true;

	if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0) <
	    0) {
		printf("1..0 # skip membarrier: this kernel cannot synchronise instruction streams\n");
		return 77;
	}
	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		sigaction(sigs[i], &sa, NULL);
	map_at(SLOT, PAGE);
	memcpy((void *)SLOT, &entry, sizeof(entry));
	map_at(CODE, PAGE);
	memcpy((void *)CODE, smp_begin, smp_size);
	printf("1..%d\n", PATCH_FORMS);
	for (int form = 0; form < PATCH_FORMS; form++)
		ok &= try_form((enum patch_form)form);
	return !ok;
}
