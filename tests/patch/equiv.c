/* SPDX-License-Identifier: MIT */
/*
 * equiv [-n ROUNDS] [-s SEED] FILE... - patched code does what the original does, instruction by instruction.
 *
 * Theory of operation
 *
 * Programs are loaded, not started. Each window of each of their system call sites is run with random
 * registers, single-stepped, first as it is and then patched; and so from each instruction of the window on.
 * The signal handler plays the kernel: a system call gives a function of its number and arguments, whether
 * it is reached by the instruction or by the entry, and a trap in the window goes on in the trampoline.
 *
 * After each step the program's state is written down under the ip that patch_ip_original() gives. Both
 * runs must have the same states in the same order, which is what an interrupt between any two
 * instructions would show; the same end, be it a fault; and the same memory around the stack, red zone
 * included, and in the data that registers point to.
 */
#include <errno.h>
#include <immintrin.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "sites.h"

#define BASE           0x1000000000ull
#define AREA_SIZE      0x70000000ull /* where trampolines may lie, behind the program */
#define PAGE           4096ull
#define DATA_SIZE      65536
#define ENTRY          0x50000000ull /* jumped to, never executed */
#define LOW_SLOT       (ENTRY + 64)
#define STATES_MAX     256
#define COMPLAINTS_MAX 8
#define FLAG_TF        0x100ll
#define FLAGS          0x8d5ll /* of arithmetic */
#define NREGS          (REG_RIP + 1)

struct state {
	int64_t regs[NREGS]; /* the general ones, and the program's ip */
	int64_t flags;
};

struct run {
	const struct patch_plan *plan;
	uint64_t tramp; /* 0: not patched */
	size_t n;
	struct state states[STATES_MAX];
	int sig; /* that ended it; 0: it left the window */
	bool active;
	bool overflow; /* a repeated string instruction: broken off */
};

struct totals {
	unsigned int sites, windows, refused, unplaced;
	unsigned long runs, states, faults, forms[PATCH_FORMS], bad;
};

static unsigned int complaints;
static struct run *run;
static struct state initial;
static int64_t saved[NGREG];
static uint64_t own_fs, data_fs, seed = 1;
static uint8_t *data;

static uint64_t random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* What a system call gives: an error in half of all cases. */
static int64_t call_result(const greg_t *g)
{
	static const int args[] = { REG_RAX, REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9 };
	uint64_t h = 0;

	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++)
		h = (h ^ (uint64_t)g[args[i]]) * 0x9e3779b97f4a7c15ull;
	h ^= h >> 29;
	return h & 1 ? -(int64_t)(h >> 8 & 0xfff) : (int64_t)(h >> 1);
}

static bool in_window(uint64_t ip)
{
	return ip - run->plan->addr < run->plan->len;
}

static bool in_tramp(uint64_t ip)
{
	return run->tramp && ip - run->tramp < run->plan->tramp_len;
}

/* What the program would see at this moment. */
static void note(const greg_t *g)
{
	uint64_t ip = (uint64_t)g[REG_RIP];
	struct state *s = &run->states[run->n];

	if (run->n == STATES_MAX) {
		run->overflow = true;
		return;
	}
	run->n++;
	for (int i = 0; i < NREGS; i++)
		s->regs[i] = g[i];
	if (in_tramp(ip) && patch_ip_original(run->plan, run->tramp, ip, &ip))
		s->regs[REG_RIP] = (int64_t)ip;
	s->flags = g[REG_EFL] & FLAGS;
}

/* Steps of the patched run that are none of the program's. */
static bool is_between(uint64_t ip)
{
	const struct patch_plan *p = run->plan;

	if (!run->tramp)
		return false;
	if (ip - p->addr < PATCH_JUMP_LEN && (p->traps | 1u) & 1u << (ip - p->addr))
		return true; /* the jump, or what traps */
	for (size_t i = 0; i < p->n; i++)
		if (ip == run->tramp + p->moved[i])
			return p->orig[i] == p->len; /* the jump back */
	return in_tramp(ip);                         /* behind the lea */
}

static void finish(greg_t *g, int sig)
{
	run->sig = sig;
	run->active = false;
	note(g);
	memcpy(g, saved, sizeof(saved));
}

/* Until the next instruction that the processor has to execute. */
static void settle(greg_t *g)
{
	for (;;) {
		uint64_t ip = (uint64_t)g[REG_RIP];

		if (run->tramp && ip == ENTRY) {
			g[REG_RAX] = call_result(g);
			g[REG_RIP] = g[REG_R11];
			g[REG_R11] = g[REG_EFL] & ~FLAG_TF;
			continue;
		}
		if (!in_window(ip) && !in_tramp(ip)) {
			finish(g, 0);
			return;
		}
		if (!is_between(ip))
			note(g);
		if (ip == run->plan->addr + run->plan->sys &&
		    !memcmp((void *)(uintptr_t)ip, "\x0f\x05", 2)) {
			g[REG_RAX] = call_result(g);
			g[REG_RIP] = g[REG_RCX] = (int64_t)ip + 2;
			g[REG_R11] = g[REG_EFL] & ~FLAG_TF;
			continue;
		}
		break;
	}
	g[REG_EFL] |= FLAG_TF;
}

static void on_signal(int sig, siginfo_t *si, void *arg)
{
	greg_t *g = ((ucontext_t *)arg)->uc_mcontext.gregs;

	_writefsbase_u64(own_fs);
	if (!run->active) {
		if (sig != SIGTRAP)
			_exit(3);
		memcpy(saved, g, sizeof(saved));
		for (int i = 0; i < NREGS; i++)
			g[i] = initial.regs[i];
		g[REG_EFL] = (g[REG_EFL] & ~FLAGS) | initial.flags;
		run->active = true;
		settle(g);
	} else if (sig == SIGTRAP && si->si_code == TRAP_TRACE && !run->overflow) {
		settle(g);
	} else {
		uint64_t ip = (uint64_t)g[REG_RIP] - (sig == SIGTRAP), to;

		if (run->tramp && (sig == SIGTRAP || sig == SIGILL) && !run->overflow &&
		    patch_ip_resume(run->plan, run->tramp, ip, &to)) {
			g[REG_RIP] = (int64_t)to;
			settle(g);
		} else {
			finish(g, sig);
		}
	}
	if (run->active)
		_writefsbase_u64(data_fs);
}

/* A third of the registers point to data, a third are small, a third anything. */
static void make_state(uint64_t ip)
{
	for (int i = 0; i < NREGS; i++) {
		uint64_t r = random64();

		switch (random64() % 3) {
		case 0:
			initial.regs[i] =
				(int64_t)((uintptr_t)data + DATA_SIZE / 4 + r % (DATA_SIZE / 2));
			break;
		case 1:
			initial.regs[i] = (int64_t)(r % 512);
			break;
		default:
			initial.regs[i] = (int64_t)r;
			break;
		}
	}
	initial.regs[REG_RSP] =
		(int64_t)((uintptr_t)data + DATA_SIZE / 4 + random64() % (DATA_SIZE / 2));
	initial.regs[REG_RIP] = (int64_t)ip;
	initial.flags = (int64_t)random64() & FLAGS;
	data_fs = (uintptr_t)data + DATA_SIZE / 4 + random64() % (DATA_SIZE / 2);
}

static void fill_data(void)
{
	for (size_t i = 0; i < DATA_SIZE; i++)
		data[i] = (uint8_t)(i * 7 + i / 256);
}

static uint64_t sum_data(void)
{
	uint64_t h = 0, v;

	for (size_t i = 0; i < DATA_SIZE; i += sizeof(v)) {
		memcpy(&v, data + i, sizeof(v));
		h = (h ^ v) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 31;
	}
	return h;
}

static uint64_t run_once(struct run *r)
{
	const uint32_t mxcsr = 0x1f80;

	fill_data();
	run = r;
	__asm__ volatile("fninit\n\tldmxcsr %0\n\tint3" ::"m"(mxcsr) : "memory");
	return sum_data();
}

static void complain(const struct patch_plan *p, uint64_t ip, const char *what)
{
	if (++complaints > COMPLAINTS_MAX)
		return;
	printf("# %#jx+%u, form %s, from %#jx: %s\n#", (uintmax_t)p->addr, p->sys,
	       patch_form_name(p->form), (uintmax_t)ip, what);
	for (size_t i = 0; i < p->len; i++)
		printf(" %02x", p->old[i]);
	printf("\n");
}

static const char *compare(const struct run *a, const struct run *b)
{
	if (a->overflow != b->overflow || a->sig != b->sig)
		return "ends in another way";
	if (a->n != b->n)
		return "another number of steps";
	if (memcmp(a->states, b->states, a->n * sizeof(a->states[0])) != 0)
		return "another state";
	return NULL;
}

static void try_start(const struct patch_plan *p, uint64_t tramp, const uint8_t *jump, size_t start,
		      struct totals *t)
{
	static struct run plain, patched;
	uint8_t *window = (void *)(uintptr_t)p->addr;
	const char *what;
	uint64_t before, after;

	plain = (struct run){ .plan = p };
	patched = (struct run){ .plan = p, .tramp = tramp };
	make_state(p->addr + start);
	before = run_once(&plain);
	memcpy(window, jump, PATCH_JUMP_LEN);
	after = run_once(&patched);
	memcpy(window, p->old, PATCH_JUMP_LEN);
	what = compare(&plain, &patched);
	if (!what && before != after)
		what = "other memory";
	if (what) {
		complain(p, p->addr + start, what);
		t->bad++;
	}
	t->runs++;
	t->states += plain.n;
	t->faults += plain.sig != 0;
}

static void *map_tramp(uint64_t addr)
{
	void *at = (void *)(uintptr_t)(addr & -PAGE);

	return mmap(at, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

static void try_window(const struct patch_plan *p, const struct sites_image *image,
		       unsigned int rounds, struct totals *t)
{
	uint64_t lo = (uintptr_t)image->map + image->size + PAGE,
		 addr = lo + random64() % 0x10000000;
	uint8_t tramp[PATCH_TRAMP_MAX], jump[PATCH_JUMP_LEN];
	uint64_t slot;
	void *page;

	if (!patch_place(p, addr, lo + AREA_SIZE, &addr)) {
		t->unplaced++;
		return;
	}
	page = map_tramp(addr);
	if (page == MAP_FAILED) {
		perror("equiv: no place for a trampoline");
		exit(1);
	}
	slot = random64() & 1 ? LOW_SLOT : (uintptr_t)page + 2 * PAGE - 8;
	memcpy((void *)(uintptr_t)slot, &(uint64_t){ ENTRY }, 8);
	if (!patch_emit(p, addr, slot, tramp, jump)) {
		complain(p, p->addr, "cannot be emitted");
		t->bad++;
	}
	memcpy((void *)(uintptr_t)addr, tramp, p->tramp_len);
	t->windows++;
	t->forms[p->form]++;
	for (size_t i = 0; i < p->n; i++)
		for (unsigned int k = 0; k < rounds && p->orig[i] < p->len; k++)
			try_start(p, addr, jump, p->orig[i], t);
	munmap(page, 2 * PAGE);
}

static void try_site(const struct sites_image *image, const struct sites_segment *seg, size_t off,
		     unsigned int rounds, struct totals *t)
{
	struct patch_plan plan;

	t->sites++;
	if (sites_plan(seg, off, 0, &plan) != PATCH_OK)
		t->refused++;
	for (unsigned int skip = 0; sites_plan(seg, off, skip, &plan) == PATCH_OK; skip++)
		try_window(&plan, image, rounds, t);
}

static bool try_file(const char *path, int number, unsigned int rounds)
{
	struct sites_image image;
	struct totals t = { 0 };
	int r = sites_load(path, BASE, &image);
	bool ok;

	if (r == -ENOENT) {
		printf("ok %d - %s # skip binaries: '%s' is not here\n", number, path, path);
		return true;
	}
	for (size_t i = 0; r == 0 && i < image.n; i++)
		for (size_t off = 0; sites_next(&image.seg[i], &off); off += 2)
			try_site(&image, &image.seg[i], off, rounds, &t);
	if (r == 0)
		sites_unload(&image);
	ok = r == 0 && t.windows && !t.bad;
	printf("%s %d - %s: %u sites, %u refused; %u windows (%lu before, %lu across, %lu after), "
	       "%u without place; %lu runs, %lu states, %lu faults: %lu differ\n",
	       ok ? "ok" : "not ok", number, path, t.sites, t.refused, t.windows,
	       t.forms[PATCH_BEFORE], t.forms[PATCH_ACROSS], t.forms[PATCH_AFTER], t.unplaced,
	       t.runs, t.states, t.faults, t.bad);
	return ok;
}

static void set_up(void)
{
	static const int sigs[] = { SIGTRAP, SIGILL, SIGSEGV, SIGBUS, SIGFPE };
	static uint8_t stack[65536];
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction sa = { .sa_sigaction = on_signal,
				.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };

	const void *entry = mmap((void *)ENTRY, PAGE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	data = mmap(NULL, DATA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (data == MAP_FAILED || entry == MAP_FAILED) {
		perror("equiv: no memory where it has to be");
		exit(1);
	}
	own_fs = _readfsbase_u64();
	sigaltstack(&ss, NULL);
	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		sigaction(sigs[i], &sa, NULL);
}

int main(int argc, char **argv)
{
	unsigned int rounds = 1;
	bool ok = true;
	int c;

	while ((c = getopt(argc, argv, "n:s:")) != -1) {
		if (c == 'n')
			rounds = (unsigned int)strtoul(optarg, NULL, 0);
		else if (c == 's')
			seed = strtoul(optarg, NULL, 0);
		else
			return 2;
	}
	set_up();
	printf("1..%d\n", argc - optind);
	for (int i = optind; i < argc; i++)
		ok &= try_file(argv[i], i - optind + 1, rounds);
	return !ok;
}
