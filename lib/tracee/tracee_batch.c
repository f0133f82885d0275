/* SPDX-License-Identifier: MIT */
/*
 * tracee_batch.c - many ioctls between two stops.
 *
 * Theory of operation
 *
 * A call by tracee_call() is two stops of the thread, and each costs more than
 * most ioctls of KVM do. So a page is mapped in the process, executable and not
 * writable, with 42 bytes of code that take a list of calls one after the
 * other and note what each returned. The list and its arguments are in
 * scratch memory. The code ends in a breakpoint: SIGTRAP is not blocked for it,
 * since the kernel would reset how the process takes that signal if it were, or
 * were ignored. One that somebody else sends meanwhile is sent again at the end.
 *
 * Where there can be no such page (a policy that allows no new code), calls are made one by one.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tracee.h"
#include "tracee_private.h"

#define PAGE     4096
#define NOT_DONE INT64_MIN /* no call returns that */
#define ALIGN    8

/* One call, as the code below knows it. */
struct slot {
	uint64_t fd, request, arg;
	int64_t ret;
};

/* rbx: struct slot; r12: how many; r13: 1, end with the first that returned 0. A multiple of 8 bytes. */
static const uint8_t code[] = {
	0x48, 0x8b, 0x3b,          /* 1: mov (%rbx),%rdi */
	0x48, 0x8b, 0x73, 0x08,    /* mov 8(%rbx),%rsi */
	0x48, 0x8b, 0x53, 0x10,    /* mov 16(%rbx),%rdx */
	0xb8, 0x10, 0,    0,    0, /* mov $SYS_ioctl,%eax */
	0x0f, 0x05,                /* syscall */
	0x48, 0x89, 0x43, 0x18,    /* mov %rax,24(%rbx) */
	0x48, 0x83, 0xc3, 0x20,    /* add $32,%rbx */
	0x48, 0x85, 0xc0,          /* test %rax,%rax */
	0x75, 0x05,                /* jne 2f */
	0x4d, 0x85, 0xed,          /* test %r13,%r13 */
	0x75, 0x05,                /* jne 3f */
	0x49, 0xff, 0xcc,          /* 2: dec %r12 */
	0x75, 0xd7,                /* jne 1b */
	0xcc,                      /* 3: int3 */
	0,    0,    0,    0,    0, 0,
};
#define CODE_END 42 /* where int3 leaves the instruction pointer */

_Static_assert(sizeof(code) % sizeof(long) == 0, "written in words");
_Static_assert(SYS_ioctl == 16 && sizeof(struct slot) == 32, "the code says so, too");

static int write_code(const struct tracee *t)
{
	for (size_t at = 0; at < sizeof(code); at += sizeof(long)) {
		long word;

		memcpy(&word, code + at, sizeof(word));
		if (ptrace(PTRACE_POKETEXT, t->tid[0], t->code.v + at, word) < 0)
			return -errno;
	}
	return 0;
}

/* Return: 1 there is a page with the code; 0 there can't be; -errno. */
static int prepare_code(struct tracee *t, struct err *e)
{
	const uint64_t args[6] = { 0,     PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
				   ~0ULL, 0 };
	long at;
	int r;

	if (t->code.v)
		return 1;
	if (t->no_code)
		return 0;
	r = tracee_call(t, SYS_mmap, args, &at, e);
	if (r < 0)
		return r;
	t->no_code = at < 0 && at > -PAGE;
	if (t->no_code)
		return 0;
	t->code.v = (uint64_t)at;
	if (!write_code(t))
		return 1;
	t->no_code = true;
	return tracee_batch_end(t, e);
}

int tracee_batch_end(struct tracee *t, struct err *e)
{
	const uint64_t args[6] = { t->code.v, PAGE };
	long ret;
	int r;

	if (!t->code.v)
		return 0;
	r = tracee_call(t, SYS_munmap, args, &ret, e);
	if (!r)
		t->code.v = 0;
	return r;
}

/* Is @status the end of the code? */
static bool is_end(const struct tracee *t, int status)
{
	struct user_regs_struct regs;

	return !(status >> 16) && WSTOPSIG(status) == SIGTRAP &&
	       !ptrace(PTRACE_GETREGS, t->tid[0], 0, &regs) && regs.rip == t->code.v + CODE_END;
}

/* Until the code has come to its end. */
static int run_code(struct tracee *t, struct err *e)
{
	uint64_t deadline = tracee_now_ns() + t->call_limit_ns;
	int status = 0, signal = 0, r;

	do {
		if (ptrace(PTRACE_CONT, t->tid[0], 0, signal) < 0)
			return tracee_failed(t, "continuing", e);
		t->runs = true;
		r = tracee_wait(t->tid[0], deadline, &status);
		if (r < 0)
			return err_set(e, ETIMEDOUT, "system calls in process %d do not end",
				       t->ref->pid);
		t->runs = false;
		if (!r)
			return err_set(e, ESRCH, "process %d has just ended", t->ref->pid);
		signal = tracee_pass_on(t, status);
	} while (!is_end(t, status));
	return 0;
}

static int run(struct tracee *t, size_t n, bool until_zero, struct err *e)
{
	const uint64_t all = ~0ULL, all_but_trap = ~(1ULL << (SIGTRAP - 1));
	struct user_regs_struct regs = t->regs;
	int r;

	regs.rip = t->code.v;
	regs.orig_rax = ~0ULL; /* no call is restarted on the way */
	regs.rbx = t->scratch.v;
	regs.r12 = n;
	regs.r13 = until_zero;
	if (ptrace(PTRACE_SETREGS, t->tid[0], 0, &regs) < 0)
		return tracee_failed(t, "setting its registers", e);
	if (ptrace(PTRACE_SETSIGMASK, t->tid[0], sizeof(all_but_trap), &all_but_trap) < 0)
		return tracee_failed(t, "setting its signal mask", e);
	r = run_code(t, e);
	if (!r && ptrace(PTRACE_SETSIGMASK, t->tid[0], sizeof(all), &all) < 0)
		return tracee_failed(t, "blocking its signals", e);
	return r;
}

static size_t room_of(const struct tracee_ioctl *c)
{
	return sizeof(struct slot) + ((c->size + ALIGN - 1) & ~(size_t)(ALIGN - 1));
}

/* How many of @c, at most @n, fit into scratch memory. */
static size_t how_many(const struct tracee_ioctl *c, size_t n)
{
	size_t i, room = 0;

	for (i = 0; i < n; i++) {
		room += room_of(&c[i]);
		if (room > TRACEE_SCRATCH)
			break;
	}
	return i;
}

/* Return: how much of @buf is used. */
static size_t pack(const struct tracee *t, const struct tracee_ioctl *c, size_t n, uint8_t *buf)
{
	size_t at = n * sizeof(struct slot);

	for (size_t i = 0; i < n; i++) {
		const struct slot s = { (uint64_t)c[i].fd, c[i].request, t->scratch.v + at,
					NOT_DONE };

		memcpy(buf + i * sizeof(s), &s, sizeof(s));
		memcpy(buf + at, c[i].arg, c[i].size);
		at += room_of(&c[i]) - sizeof(s);
	}
	return at;
}

/* Return: how many were done. */
static size_t unpack(struct tracee_ioctl *c, size_t n, const uint8_t *buf)
{
	size_t at = n * sizeof(struct slot), i;

	for (i = 0; i < n; i++) {
		struct slot s;

		memcpy(&s, buf + i * sizeof(s), sizeof(s));
		if (s.ret == NOT_DONE)
			break;
		c[i].ret = (long)s.ret;
		if (s.ret >= 0)
			memcpy(c[i].arg, buf + at, c[i].size);
		at += room_of(&c[i]) - sizeof(s);
	}
	return i;
}

/* @n calls that fit. Return: how many were done; -errno. */
static int together(struct tracee *t, struct tracee_ioctl *c, size_t n, bool until_zero,
		    struct err *e)
{
	uint8_t buf[TRACEE_SCRATCH];
	size_t size = pack(t, c, n, buf);
	int r;

	if (tracee_write(t->ref->pid, t->scratch, buf, size) < 0)
		return err_set(e, EFAULT, "writing to the stack of process %d failed", t->ref->pid);
	r = run(t, n, until_zero, e);
	if (r < 0)
		return r;
	if (tracee_read(t->ref->pid, t->scratch, buf, size) < 0)
		return err_set(e, EFAULT, "reading from the stack of process %d failed",
			       t->ref->pid);
	return (int)unpack(c, n, buf);
}

static int one_by_one(struct tracee *t, struct tracee_ioctl *c, size_t n, bool until_zero,
		      struct err *e)
{
	size_t i;
	int r;

	for (i = 0; i < n; i++) {
		r = tracee_ioctl_alone(t, &c[i], e);
		if (r < 0)
			return r;
		if (until_zero && !c[i].ret)
			return (int)i + 1;
	}
	return (int)i;
}

/* With a page that is there already, it is one stop instead of two. */
int tracee_ioctl(struct tracee *t, struct tracee_ioctl *c, struct err *e)
{
	int r = tracee_ioctls(t, c, 1, false, e);

	return r < 0 ? r : 0;
}

int tracee_ioctls(struct tracee *t, struct tracee_ioctl *c, size_t n, bool until_zero,
		  struct err *e)
{
	size_t done = 0;
	int r = tracee_prepare(t, e);

	while (!r && done < n) {
		size_t fit = how_many(c + done, n - done), want = fit ? fit : 1;

		r = fit > 1 || (fit && t->code.v) ? prepare_code(t, e) : 0;
		if (r >= 0)
			r = r ? together(t, c + done, want, until_zero, e)
			      : one_by_one(t, c + done, want, until_zero, e);
		if (r < 0)
			return r;
		done += (size_t)r;
		if ((size_t)r < want || (until_zero && !c[done - 1].ret))
			break;
		r = 0;
	}
	return r < 0 ? r : (int)done;
}
