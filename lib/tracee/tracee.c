/* SPDX-License-Identifier: MIT */
#include "tracee.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "array.h"
#include "cleanup.h"
#include "stat.h"
#include "status.h"
#include "tracee_private.h"

#define STOP_TIMEOUT_NS 2000000000ULL
#define CALL_LIMIT_NS   5000000000ULL
#define TICK_US         50000
#define POLL_US         1000
#define OTHERS_NS       2000000000ULL /* another vmsh has it for some milliseconds; a debugger keeps it */
#define OTHERS_US       5000
#define SEIZE_TRIES     3
#define ROUNDS_MAX      32 /* through the list of threads, until it has no new ones */

uint64_t tracee_now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int transfer(bool write, pid_t pid, rva_t at, void *buf, size_t len)
{
	while (len) {
		struct iovec here = { buf, len }, there = { (void *)(uintptr_t)at.v, len };
		ssize_t n = write ? process_vm_writev(pid, &here, 1, &there, 1, 0)
				  : process_vm_readv(pid, &here, 1, &there, 1, 0);

		if (n <= 0)
			return n ? -errno : -EFAULT;
		buf = (uint8_t *)buf + n;
		at.v += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int tracee_read(pid_t pid, rva_t at, void *dst, size_t len)
{
	return transfer(false, pid, at, dst, len);
}

int tracee_write(pid_t pid, rva_t at, const void *src, size_t len)
{
	return transfer(true, pid, at, (void *)(uintptr_t)src, len);
}

/* Interrupts waits, so that their deadlines are looked at. */
static void tick(int sig)
{
	(void)sig;
}

static void set_tick(struct tracee *t, bool on)
{
	const struct itimerval every = { { 0, TICK_US }, { 0, TICK_US } }, never = { 0 };
	struct sigaction a = { .sa_handler = tick };

	if (on) {
		(void)sigaction(SIGALRM, &a, &t->old_alarm);
		(void)setitimer(ITIMER_REAL, &every, NULL);
	} else {
		(void)setitimer(ITIMER_REAL, &never, NULL);
		(void)sigaction(SIGALRM, &t->old_alarm, NULL);
	}
}

int tracee_wait(pid_t tid, uint64_t deadline_ns, int *ret_status)
{
	for (;;) {
		pid_t r = waitpid(tid, ret_status, __WALL);

		if (r == tid)
			return WIFSTOPPED(*ret_status) ? 1 : 0;
		if (r < 0 && errno != EINTR)
			return 0;
		if (tracee_now_ns() > deadline_ns)
			return -ETIMEDOUT;
	}
}

int tracee_signal(int status)
{
	return status >> 16 || WSTOPSIG(status) == TRACEE_SYSCALL_STOP ? 0 : WSTOPSIG(status);
}

/*
 * Whoever is let go on, or has stopped, would else be run before us, while the others stand. Without CAP_SYS_NICE
 * that is so.
 */
static void set_urgent(struct tracee *t, bool on)
{
	const struct sched_param urgent = { .sched_priority = 1 };

	if (!on && t->urgent) {
		(void)sched_setscheduler(0, t->old_policy, &t->old_param);
	} else if (on) {
		t->old_policy = sched_getscheduler(0);
		t->urgent =
			sched_getparam(0, &t->old_param) == 0 && t->old_policy >= 0 &&
			!t->old_param
				 .sched_priority && /* who is real-time stays as urgent as he is */
			sched_setscheduler(0, SCHED_FIFO, &urgent) == 0;
	}
}

/* Who traces it; 0: nobody, or it can't be told. */
static pid_t tracer_of(const struct tracee *t)
{
	_cleanup_status_ struct proc_status st = { 0 };

	return proc_status_read(t->ref, &st, NULL) < 0 ? 0 : st.tracer;
}

static int seize_failed(const struct tracee *t, int why, pid_t tracer, struct err *e)
{
	if (why == EPERM && tracer)
		return err_set(e, EBUSY, "process %d is traced by process %d already", t->ref->pid,
			       tracer);
	if (why == EPERM)
		return err_set(
			e, EPERM,
			"stopping process %d is not permitted: it takes CAP_SYS_PTRACE, or to be its "
			"user where kernel.yama.ptrace_scope is 0",
			t->ref->pid);
	return err_set(e, why, "stopping process %d: %s", t->ref->pid, err_str(why));
}

/* One on its way out can't be seized (EPERM), and does nothing more. */
static bool exits(const struct tracee *t, pid_t tid)
{
	_cleanup_close_ int dir = -1;
	struct proc_stat st;
	char path[32];

	(void)snprintf(path, sizeof(path), "task/%d", tid);
	dir = openat(t->ref->procfd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 || proc_stat_read(dir, &st) < 0 || proc_stat_exiting(&st);
}

/* Return: 0 also if the thread has just ended. */
static int seize(struct tracee *t, pid_t tid, struct err *e)
{
	for (int tries = 1; ptrace(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACESYSGOOD) < 0; tries++) {
		int why = errno;
		pid_t tracer;

		if (why == ESRCH || exits(t, tid))
			return 0;
		tracer = why == EPERM ? tracer_of(t) : 0;
		/* of EPERM without a tracer: he may just have let go */
		if (why != EPERM || tracer || tries == SEIZE_TRIES)
			return seize_failed(t, why, tracer, e);
	}
	if (array_room(&t->tid, &t->room, t->n + 1, sizeof(*t->tid)) < 0)
		return err_set(e, ENOMEM, "no memory for a list of threads");
	t->tid[t->n++] = tid;
	return ptrace(PTRACE_INTERRUPT, tid, 0, 0) < 0 && errno != ESRCH
		       ? err_set(e, errno, "stopping thread %d: %s", tid, err_str(errno))
		       : 0;
}

/* Until thread @idx is in the stop that was asked for. One that ended leaves the list. */
static int await(struct tracee *t, size_t idx, struct err *e)
{
	uint64_t deadline = tracee_now_ns() + STOP_TIMEOUT_NS;
	pid_t tid = t->tid[idx];

	for (;;) {
		int status, r = tracee_wait(tid, deadline, &status);

		if (r < 0)
			return err_set(e, ETIMEDOUT, "thread %d of process %d does not stop", tid,
				       t->ref->pid);
		if (!r) {
			t->tid[idx] = t->tid[--t->n];
			return 0;
		}
		if (status >> 16 == PTRACE_EVENT_STOP)
			return 0;
		/* a signal that was on its way is not ours to keep */
		(void)ptrace(PTRACE_CONT, tid, 0, tracee_signal(status));
	}
}

static bool known(const struct tracee *t, pid_t tid)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->tid[i] == tid)
			return true;
	return false;
}

/* Stop all threads that are listed and not stopped. Return: how many; -errno. */
static int stop_listed(struct tracee *t, struct err *e)
{
	_cleanup_closedir_ DIR *dir = NULL;
	int fd = openat(t->ref->procfd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t first = t->n;
	struct dirent *d;

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		if (fd >= 0)
			(void)close(fd);
		return err_set(e, ESRCH, "process %d has just ended", t->ref->pid);
	}
	while ((d = readdir(dir))) {
		pid_t tid = (pid_t)strtol(d->d_name, NULL, 10);
		int r;

		if (tid <= 0 || known(t, tid))
			continue;
		if (t->n >= TRACEE_THREADS_MAX)
			return err_set(e, E2BIG, "process %d has more than %d threads", t->ref->pid,
				       TRACEE_THREADS_MAX);
		r = seize(t, tid, e);
		if (r < 0)
			return r;
	}
	/* from the end, since those that ended are replaced by the last */
	for (size_t i = t->n; i > first; i--) {
		int r = await(t, i - 1, e);

		if (r < 0)
			return r;
	}
	return (int)(t->n - first);
}

static int stop_one(struct tracee *t, pid_t one, struct err *e)
{
	int r = seize(t, one, e);

	if (!r && t->n)
		r = await(t, 0, e);
	return r;
}

/* Return: 1; 0 it has not stopped yet. */
static int detach_one(pid_t tid)
{
	int status = 0;
	pid_t r = waitpid(tid, &status, __WALL | WNOHANG);

	if (r < 0 || (r == tid && !WIFSTOPPED(status)))
		return 1;
	return ptrace(PTRACE_DETACH, tid, 0, r ? tracee_signal(status) : 0) == 0 || errno != ESRCH;
}

void tracee_detach(struct tracee *t, size_t keep)
{
	uint64_t deadline = tracee_now_ns() + STOP_TIMEOUT_NS;

	/* those that stand are not kept waiting for others; after the deadline, the end of this process lets go of the rest */
	for (;;) {
		size_t left = keep;

		for (size_t i = keep; i < t->n; i++)
			if (!detach_one(t->tid[i]))
				t->tid[left++] = t->tid[i];
		if (t->n > keep)
			t->n = left;
		if (t->n <= keep || tracee_now_ns() > deadline)
			break;
		(void)usleep(POLL_US);
	}
	if (t->n > keep)
		t->n = keep;
}

static void let_go(struct tracee *t)
{
	tracee_detach(t, 0);
	t->stood_ns = tracee_now_ns() - t->stopped_ns;
	free(t->tid);
	t->tid = NULL;
	t->n = t->room = 0;
	set_urgent(t, false);
	set_tick(t, false);
}

pid_t tracee_fork(void)
{
	sigset_t all, old;
	pid_t pid;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, &old);
	pid = fork();
	if (!pid) {
		(void)sigdelset(&all, SIGALRM);
		(void)sigprocmask(SIG_SETMASK, &all, NULL);
		(void)setsid();
		return 0;
	}
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	return pid;
}

/* What a child says. */
struct answer {
	int r;
	struct err err;
};

static int wait_for(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
}

int tracee_apart(int (*f)(void *arg, struct err *e), void *arg, struct err *e)
{
	struct answer *a =
		mmap(NULL, sizeof(*a), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child;
	int r;

	if (a == MAP_FAILED)
		return err_set(e, ENOMEM, "no memory");
	child = tracee_fork();
	if (!child) {
		a->r = f(arg, &a->err);
		_exit(0);
	}
	r = child < 0 ? -errno : wait_for(child);
	if (r < 0)
		(void)err_set(e, -r, "a process of its own that stops others: %s", err_str(r));
	else if (a->r < 0 && e)
		*e = a->err;
	if (!r)
		r = a->r;
	(void)munmap(a, sizeof(*a));
	return r;
}

static int try_stop(const struct pid_ref *ref, pid_t one, struct tracee *ret, struct err *e)
{
	int r;

	*ret = (struct tracee){ .ref = ref, .call_limit_ns = CALL_LIMIT_NS };
	tracee_find(ret);
	ret->stopped_ns = tracee_now_ns();
	set_tick(ret, true);
	set_urgent(ret, true);
	r = one ? stop_one(ret, one, e) : 1;
	/* a thread that was not stopped yet may have made another one */
	for (int round = 0; !one && r > 0 && round < ROUNDS_MAX; round++)
		r = stop_listed(ret, e);
	if (r > 0)
		r = err_set(e, EAGAIN, "process %d makes threads faster than they can be stopped",
			    ref->pid);
	if (!r && !ret->n)
		r = err_set(e, ESRCH, "process %d has just ended", ref->pid);
	if (r < 0)
		let_go(ret);
	return r;
}

/* All begin with the first thread of a process: of two, one has it, and waits for nobody. */
int tracee_stop(const struct pid_ref *ref, pid_t one, struct tracee *ret, struct err *e)
{
	const uint64_t deadline = tracee_now_ns() + OTHERS_NS;
	int r;

	while ((r = try_stop(ref, one, ret, e)) == -EBUSY && tracee_now_ns() < deadline)
		(void)usleep(OTHERS_US);
	return r;
}

int tracee_release(struct tracee *t, uint64_t *ret_ns, struct err *e)
{
	int r = tracee_restore(t, e);

	let_go(t);
	if (ret_ns)
		*ret_ns = t->stood_ns;
	return r;
}
