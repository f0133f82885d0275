/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "io.h"
#include "tracee.h"
#include "tracee_private.h"

#define STOPS_MAX   64
#define MAPS_MAX    (64U << 20)
#define STATUS_MAX  65536
#define VDSO_MAX    (64U << 10)
#define RED_ZONE    128
#define SIGNALS_MAX 64

#ifndef PTRACE_GETSIGMASK
#define PTRACE_GETSIGMASK 0x420a
#define PTRACE_SETSIGMASK 0x420b
#endif

int tracee_failed(const struct tracee *t, const char *what, struct err *e)
{
	int why = errno;

	return err_set(e, why, "thread %d of process %d: %s: %s", t->tid[0], t->ref->pid, what,
		       err_str(why));
}

static const uint8_t insn[] = { 0x0f, 0x05 }; /* syscall */

/* The vDSO has such instructions, for clocks that it can't read itself. */
static int find_insn(struct tracee *t, struct err *e)
{
	_cleanup_free_ char *maps = NULL;
	_cleanup_free_ uint8_t *code = NULL;
	char *line, *rest;
	uint64_t start = 0, end = 0;
	const uint8_t *at;

	if (io_read_at(t->ref->procfd, "maps", MAPS_MAX, &maps, NULL) < 0)
		return err_set(e, EACCES, "the mappings of process %d can't be read", t->ref->pid);
	for (rest = maps; (line = strsep(&rest, "\n"));)
		if (strstr(line, "[vdso]")) {
			char *dash;

			start = strtoull(line, &dash, 16);
			end = *dash ? strtoull(dash + 1, NULL, 16) : 0;
		}
	if (end <= start || end - start > VDSO_MAX)
		return err_set(e, ENOENT, "process %d has no vDSO", t->ref->pid);
	code = malloc(end - start);
	if (!code || tracee_read(t->ref->pid, (rva_t){ start }, code, end - start) < 0)
		return err_set(e, EIO, "the vDSO of process %d can't be read", t->ref->pid);
	at = memmem(code, end - start, insn, sizeof(insn));
	if (!at)
		return err_set(e, ENOENT, "the vDSO of process %d makes no system calls",
			       t->ref->pid);
	t->insn.v = start + (uint64_t)(at - code);
	return 0;
}

/* Is SIGTRAP ignored? Then the kernel would no longer, after a breakpoint. */
static bool ignores_trap(const struct tracee *t)
{
	_cleanup_free_ char *text = NULL;
	const char *at = NULL;

	if (!io_read_at(t->ref->procfd, "status", STATUS_MAX, &text, NULL))
		at = strstr(text, "\nSigIgn:\t");
	return !at || strtoull(at + 9, NULL, 16) >> (SIGTRAP - 1) & 1;
}

void tracee_find(struct tracee *t)
{
	t->no_code = ignores_trap(t);
	(void)!find_insn(t, NULL); /* once more before the first call, which can say why not */
}

/* Has the thread a filter that calls of ours would run into? */
static int check_filter(const struct tracee *t, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	char path[64];
	const char *at;

	if (!t->filtered)
		return 0;
	(void)snprintf(path, sizeof(path), "task/%d/status", t->tid[0]);
	if (io_read_at(t->ref->procfd, path, STATUS_MAX, &text, NULL) < 0)
		return err_set(e, ESRCH, "process %d has just ended", t->ref->pid);
	at = strstr(text, "\nSeccomp:\t");
	if (!at || at[10] == '0')
		return 0;
	return err_set(
		e, EPERM,
		"process %d has a seccomp filter, which can be suspended only with CAP_SYS_ADMIN and by a "
		"program without one of its own",
		t->ref->pid);
}

/* It may have become another program just before it was stopped. */
static int check_insn(const struct tracee *t, struct err *e)
{
	uint8_t is[sizeof(insn)];

	return tracee_read(t->ref->pid, t->insn, is, sizeof(is)) < 0 ||
			       memcmp(is, insn, sizeof(is)) != 0
		       ? err_set(e, EAGAIN, "process %d has just become another program",
				 t->ref->pid)
		       : 0;
}

/* Before a call; the first takes more. */
static int prepare(struct tracee *t, struct err *e)
{
	uint64_t all = ~0ULL;
	int r;

	if (t->runs)
		return err_set(e, EBUSY, "a system call in process %d has not ended yet",
			       t->ref->pid);
	if (t->calls)
		return 0;
	/* of this thread only, and now that it stands: a filter must not be gone while the program runs */
	t->filtered = ptrace(PTRACE_SETOPTIONS, t->tid[0], 0,
			     PTRACE_O_TRACESYSGOOD | PTRACE_O_SUSPEND_SECCOMP) < 0;
	r = check_filter(t, e);
	if (!r && !t->insn.v)
		r = find_insn(t, e);
	if (!r)
		r = check_insn(t, e);
	if (r < 0)
		return r;
	if (ptrace(PTRACE_GETREGS, t->tid[0], 0, &t->regs) < 0)
		return tracee_failed(t, "reading its registers", e);
	if (ptrace(PTRACE_GETSIGMASK, t->tid[0], sizeof(t->mask), &t->mask) < 0 ||
	    ptrace(PTRACE_SETSIGMASK, t->tid[0], sizeof(all), &all) < 0)
		return tracee_failed(t, "blocking its signals", e);
	t->calls = true;
	return 0;
}

/* One that the code's breakpoint sent is ours; one of somebody else is sent again at the end. */
int tracee_pass_on(struct tracee *t, int status)
{
	int signal = tracee_signal(status);
	siginfo_t si = { 0 };

	if (signal != SIGTRAP || !t->code.v)
		return signal;
	if (!ptrace(PTRACE_GETSIGINFO, t->tid[0], 0, &si) && si.si_code != SI_KERNEL)
		t->trapped = true;
	return 0;
}

/* To the next entry of a system call, or the end of it. */
static int step(struct tracee *t, uint64_t deadline, struct err *e)
{
	int status = 0;

	for (int i = 0; i < STOPS_MAX; i++) {
		int r;

		/* of signals only SIGSTOP can come: all others are blocked */
		if (ptrace(PTRACE_SYSCALL, t->tid[0], 0, tracee_pass_on(t, status)) < 0)
			return tracee_failed(t, "continuing", e);
		t->runs = true;
		r = tracee_wait(t->tid[0], deadline, &status);
		if (r < 0)
			return err_set(e, ETIMEDOUT, "a system call in process %d does not end",
				       t->ref->pid);
		t->runs = false;
		if (!r)
			return err_set(e, ESRCH, "process %d has just ended", t->ref->pid);
		if (WSTOPSIG(status) == TRACEE_SYSCALL_STOP)
			return 0;
	}
	return err_set(e, EPROTO, "process %d stops for something else all the time", t->ref->pid);
}

int tracee_call(struct tracee *t, long nr, const uint64_t arg[6], long *ret, struct err *e)
{
	uint64_t deadline = tracee_now_ns() + t->call_limit_ns;
	struct user_regs_struct regs;
	int r = prepare(t, e);

	if (r < 0)
		return r;
	regs = t->regs;
	regs.rip = t->insn.v;
	regs.rax = (unsigned long long)nr;
	regs.orig_rax = ~0ULL; /* no call is restarted on the way */
	regs.rdi = arg[0];
	regs.rsi = arg[1];
	regs.rdx = arg[2];
	regs.r10 = arg[3];
	regs.r8 = arg[4];
	regs.r9 = arg[5];
	if (ptrace(PTRACE_SETREGS, t->tid[0], 0, &regs) < 0)
		return tracee_failed(t, "setting its registers", e);
	r = step(t, deadline, e);
	if (!r)
		r = step(t, deadline, e);
	if (r < 0)
		return r;
	if (ptrace(PTRACE_GETREGS, t->tid[0], 0, &regs) < 0)
		return tracee_failed(t, "reading its registers", e);
	*ret = (long)regs.rax;
	return 0;
}

size_t tracee_in_call(const struct tracee *t, long nr, uint64_t second)
{
	struct user_regs_struct regs;
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		n += !ptrace(PTRACE_GETREGS, t->tid[i], 0, &regs) && (long)regs.orig_rax == nr &&
		     regs.rsi == second;
	return n;
}

int tracee_prepare(struct tracee *t, struct err *e)
{
	int r = prepare(t, e);

	if (r < 0 || t->saved_scratch)
		return r;
	t->scratch.v = (t->regs.rsp - RED_ZONE - TRACEE_SCRATCH) & ~63ULL;
	r = tracee_read(t->ref->pid, t->scratch, t->under, sizeof(t->under));
	if (r < 0)
		return err_set(e, -r, "thread %d of process %d has no room on its stack", t->tid[0],
			       t->ref->pid);
	t->saved_scratch = true;
	return 0;
}

int tracee_call_with(struct tracee *t, long nr, const uint64_t arg[6],
		     const struct tracee_data *data, long *ret, struct err *e)
{
	uint64_t args[6];
	int r = tracee_prepare(t, e);

	if (r < 0)
		return r;
	memcpy(args, arg, sizeof(args));
	args[data->which] = t->scratch.v;
	if (data->size > TRACEE_SCRATCH ||
	    tracee_write(t->ref->pid, t->scratch, data->data, data->size) < 0)
		return err_set(e, EFAULT, "writing to the stack of process %d failed", t->ref->pid);
	return tracee_call(t, nr, args, ret, e);
}

int tracee_ioctl_alone(struct tracee *t, struct tracee_ioctl *c, struct err *e)
{
	const uint64_t args[6] = { (uint64_t)c->fd, c->request };
	const struct tracee_data data = { 2, c->arg, c->size };
	int r = tracee_call_with(t, SYS_ioctl, args, &data, &c->ret, e);

	if (!r && c->ret >= 0 && tracee_read(t->ref->pid, t->scratch, c->arg, c->size) < 0)
		return err_set(e, EFAULT, "reading from the stack of process %d failed",
			       t->ref->pid);
	return r;
}

/*
 * What the thread was in is restarted by get_signal() only: a stop of ours is made there, not at the end of
 * the last call, and the kernel sees the registers as it left them.
 */
static int stop_again(struct tracee *t, struct err *e)
{
	int status = 0, r;

	do {
		/* each time, since any other stop uses it up; ESRCH: it was killed, and the wait says so */
		if (ptrace(PTRACE_INTERRUPT, t->tid[0], 0, 0) < 0 && errno != ESRCH)
			return tracee_failed(t, "stopping it again", e);
		/* a call that does not end may wait for another thread: one that serves page faults, in a migration */
		if (t->runs)
			tracee_detach(t, 1);
		else if (ptrace(PTRACE_CONT, t->tid[0], 0, tracee_pass_on(t, status)) < 0 &&
			 errno != ESRCH)
			return tracee_failed(t, "stopping it again", e);
		r = tracee_wait(t->tid[0], UINT64_MAX, &status);
		t->runs = false;
	} while (r == 1 && status >> 16 != PTRACE_EVENT_STOP);
	return r == 1 ? 0 : err_set(e, ESRCH, "process %d has just ended", t->ref->pid);
}

/* Was it stopped behind the code's breakpoint, and before the signal of that came? */
static bool has_trap(const struct tracee *t)
{
	const struct __ptrace_peeksiginfo_args first = { .nr = SIGNALS_MAX };
	siginfo_t si[SIGNALS_MAX];
	long n = ptrace(PTRACE_PEEKSIGINFO, t->tid[0], &first, si);

	for (long i = 0; i < n; i++)
		if (si[i].si_signo == SIGTRAP && si[i].si_code == SI_KERNEL)
			return true;
	return false;
}

/* The code did not end in time, and may have ended by now. */
static int end_code(struct tracee *t, struct err *e)
{
	const uint64_t all = ~0ULL;
	int status, r = stop_again(t, e);

	if (!r && has_trap(t)) {
		/* it stops for that signal before it executes anything */
		if (ptrace(PTRACE_CONT, t->tid[0], 0, 0) < 0 ||
		    tracee_wait(t->tid[0], UINT64_MAX, &status) != 1)
			return err_set(e, ESRCH, "process %d has just ended", t->ref->pid);
		(void)tracee_pass_on(t, status);
		r = stop_again(t, e);
	}
	if (!r && ptrace(PTRACE_SETSIGMASK, t->tid[0], sizeof(all), &all) < 0)
		r = tracee_failed(t, "blocking its signals", e);
	return r;
}

int tracee_restore(struct tracee *t, struct err *e)
{
	bool lost;
	int r = 0, left;

	if (!t->calls)
		return 0;
	/* what did not end is waited for, before there is another call */
	if (t->runs && t->code.v)
		r = end_code(t, e);
	left = r < 0 ? r : tracee_batch_end(t, e);
	r = stop_again(t, left < 0 ? NULL : e);
	if (r < 0)
		return r;
	lost = t->saved_scratch &&
	       tracee_write(t->ref->pid, t->scratch, t->under, sizeof(t->under)) < 0;
	if (ptrace(PTRACE_SETREGS, t->tid[0], 0, &t->regs) < 0)
		r = tracee_failed(t, "putting its registers back", e);
	if (ptrace(PTRACE_SETSIGMASK, t->tid[0], sizeof(t->mask), &t->mask) < 0)
		r = tracee_failed(t, "putting its signal mask back", e);
	/* one that somebody sent meanwhile */
	if (t->trapped)
		(void)syscall(SYS_tgkill, t->ref->pid, t->tid[0], SIGTRAP);
	t->calls = t->saved_scratch = t->trapped = false;
	if (!r && lost)
		r = err_set(e, EFAULT, "writing back the stack of process %d failed", t->ref->pid);
	return r ? r : left;
}
