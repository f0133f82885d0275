/* SPDX-License-Identifier: MIT */
#include "filter.h"

#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "status.h"

#define STOP_TIMEOUT_S 2 /* a target that runs stops within microseconds, if the machine has time */
#define STOP_SPIN_NS   UINT64_C(20000) /* most have by then, and going to sleep takes as long */
#define NS_PER_SEC     UINT64_C(1000000000)
#define TRACER_STACK   65536

/* What the child hands over: written by it, read after its end. */
struct result {
	int r; /* 0 or -errno */
	const char *step;
	uint32_t nfilters;
	uint32_t ninsns;
	uint64_t stopped_ns;
	uint16_t lens[NS_SECCOMP_FILTERS_MAX];
	uint32_t flags[NS_SECCOMP_FILTERS_MAX];
	/* oldest first; a whole program may be written behind the last insn that counts */
	struct sock_filter insns[NS_SECCOMP_INSNS_MAX + BPF_MAXINSNS];
};

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
}

/* A stuck tracer ends by this: the signal's own effect, whatever the caller made of it. */
static int end_after(time_t seconds)
{
	struct itimerval t = { .it_value = { .tv_sec = seconds } };
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGALRM);
	if (signal(SIGALRM, SIG_DFL) == SIG_ERR || sigprocmask(SIG_UNBLOCK, &set, NULL) < 0 ||
	    setitimer(ITIMER_REAL, &t, NULL) < 0)
		return -errno;
	return 0;
}

/*
 * Wait until the tracee has stopped. A signal may have been faster than our interrupt: it is then
 * the tracee's still, and *@ret_sig must be given back to it when it goes on.
 */
static int wait_stop(pid_t pid, int *ret_sig)
{
	uint64_t end = now_ns() + STOP_SPIN_NS;
	int status;
	pid_t r;

	do
		r = waitpid(pid, &status, __WALL | (now_ns() < end ? WNOHANG : 0));
	while (!r || (r < 0 && errno == EINTR));
	if (r < 0)
		return errno == ECHILD ? -ESRCH : -errno;
	if (!WIFSTOPPED(status))
		return -ESRCH;
	*ret_sig = status >> 16 ? 0 : WSTOPSIG(status);
	return 0;
}

/* The kernel counts from the oldest filter (get_nth_filter()), whatever ptrace(2) says. */
static int get_filter(pid_t pid, uint32_t idx, struct result *res)
{
	struct __ptrace_seccomp_metadata meta = { .filter_off = idx };
	long n = ptrace(PTRACE_SECCOMP_GET_FILTER, pid, idx, &res->insns[res->ninsns]);

	if (n < 0)
		return -errno;
	if (!n || n > BPF_MAXINSNS)
		return -EPROTO;
	if (idx == NS_SECCOMP_FILTERS_MAX || res->ninsns + (uint32_t)n > NS_SECCOMP_INSNS_MAX)
		return -E2BIG;
	/* Since Linux 4.16. */
	if (ptrace(PTRACE_SECCOMP_GET_METADATA, pid, sizeof(meta), &meta) == sizeof(meta))
		res->flags[idx] = (uint32_t)meta.flags;
	res->lens[idx] = (uint16_t)n;
	res->ninsns += (uint32_t)n;
	res->nfilters = idx + 1;
	return 0;
}

static int get_filters(pid_t pid, struct result *res)
{
	int r = 0;

	for (uint32_t idx = 0; idx <= NS_SECCOMP_FILTERS_MAX && r == 0; idx++)
		r = get_filter(pid, idx, res);
	return r == -ENOENT ? 0 : r;
}

/* The tracer; its end detaches, wherever it comes. */
static int trace(const struct pid_ref *p, struct result *res)
{
	uint64_t start;
	int r, sig = 0;

	r = end_after(STOP_TIMEOUT_S);
	if (r < 0)
		return r;
	res->step = "attach to it";
	if (ptrace(PTRACE_SEIZE, p->pid, 0, 0) < 0)
		return -errno;
	/* The number was looked up again just now: is it still the process that we mean? */
	if (!pid_alive(p))
		return -ESRCH;
	res->step = "stop it";
	start = now_ns();
	if (ptrace(PTRACE_INTERRUPT, p->pid, 0, 0) < 0)
		return -errno;
	r = wait_stop(p->pid, &sig);
	if (r < 0)
		return r;
	res->step = "ask for its filters";
	r = get_filters(p->pid, res);
	(void)ptrace(PTRACE_DETACH, p->pid, 0, sig);
	res->stopped_ns = now_ns() - start;
	return r;
}

/* The tracer's place: memory that is ours, too. */
struct tracer {
	const struct pid_ref *p;
	pid_t parent;
	struct result res;
	char stack[TRACER_STACK] __attribute__((aligned(16)));
};

static int tracer_main(void *arg)
{
	struct tracer *t = arg;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == t->parent)
		t->res.r = trace(t->p, &t->res);
	return 0;
}

/* As vfork(2) does: nothing is copied, and we stand still until it has ended. */
static int run_tracer(struct tracer *t)
{
	pid_t child;
	int status;

	t->parent = getpid();
	t->res.r = -EIO;
	t->res.step = "start the child that asks";
	child = clone(tracer_main, t->stack + sizeof(t->stack), CLONE_VM | CLONE_VFORK | SIGCHLD,
		      t);
	if (child < 0)
		return -errno;
	while (waitpid(child, &status, __WALL) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGALRM ? -EBUSY : -EIO;
	return t->res.r;
}

static bool is_supervised(const struct sock_filter *insns, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t action = insns[i].k & SECCOMP_RET_ACTION_FULL;

		if (insns[i].code == (BPF_RET | BPF_K) &&
		    (action == SECCOMP_RET_USER_NOTIF || action == SECCOMP_RET_TRACE))
			return true;
	}
	return false;
}

/* Private copies of what the child left. */
static int take_filters(const struct result *res, struct ns_seccomp *ret)
{
	uint32_t off = 0;

	if (!res->nfilters)
		return 0;
	ret->v = calloc(res->nfilters, sizeof(*ret->v));
	if (!ret->v)
		return -ENOMEM;
	while (ret->n < res->nfilters) {
		uint16_t len = res->lens[ret->n];
		struct ns_seccomp_filter *f = &ret->v[ret->n];

		f->insns = calloc(len, sizeof(*f->insns));
		if (!f->insns)
			return -ENOMEM;
		memcpy(f->insns, &res->insns[off], len * sizeof(*f->insns));
		f->n = len;
		f->flags = res->flags[ret->n] & SECCOMP_FILTER_FLAG_LOG;
		ret->supervised |= is_supervised(f->insns, f->n);
		ret->n++;
		off += len;
	}
	return 0;
}

/*
 * The kernel wants CAP_SYS_ADMIN of the initial namespace and no filter of our
 * own. Asked before anybody is stopped.
 */
static bool may_read(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &h, d) < 0 || !(d[0].effective & 1u << CAP_SYS_ADMIN))
		return false;
	return prctl(PR_GET_SECCOMP) == SECCOMP_MODE_DISABLED;
}

static int check_target(const struct pid_ref *p, const struct proc_status *s, struct err *e)
{
	if (s->state == 'Z' || s->state == 'X')
		return err_set(e, ESRCH, "process %d has ended", p->pid);
	if (s->seccomp == SECCOMP_MODE_STRICT)
		return err_set(e, EOPNOTSUPP,
			       "process %d is in seccomp's strict mode, in which no program can be "
			       "started; --privileged goes without it",
			       p->pid);
	if (s->tracer)
		return err_set(e, EPERM, "process %d is being traced by process %d already", p->pid,
			       s->tracer);
	if (s->state == 'D')
		return err_set(e, EBUSY, "process %d is paused or in an uninterruptible sleep",
			       p->pid);
	if (!may_read())
		return err_set(e, EPERM,
			       "reading the seccomp filters of process %d needs CAP_SYS_ADMIN and "
			       "no filter of our own",
			       p->pid);
	return 0;
}

/* The kernel's answers as those of our contract. */
static int translate(int r)
{
	switch (r) {
	case -EACCES:
		return -EPERM;
	case -EIO:         /* unknown request: no CONFIG_SECCOMP_FILTER */
	case -EINVAL:      /* no CONFIG_CHECKPOINT_RESTORE */
	case -EMEDIUMTYPE: /* a filter that was not made of classic BPF */
		return -ENOSYS;
	default:
		return r;
	}
}

static int read_with_child(const struct pid_ref *p, struct ns_seccomp *ret, struct err *e)
{
	struct tracer *t =
		mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int r;

	if (t == MAP_FAILED)
		return err_set(e, errno, "out of memory");
	t->p = p;
	r = translate(run_tracer(t));
	if (r < 0)
		(void)err_set(e, -r, "cannot read the seccomp filters of process %d (%s): %s",
			      p->pid, t->res.step, err_str(r));
	if (r == 0 && take_filters(&t->res, ret) < 0)
		r = err_set(e, ENOMEM, "out of memory");
	ret->stopped_ns = t->res.stopped_ns;
	(void)munmap(t, sizeof(*t));
	return r;
}

int ns_seccomp_read(const struct pid_ref *p, struct ns_seccomp *ret, struct err *e)
{
	_cleanup_status_ struct proc_status s = { 0 };
	int r;

	memset(ret, 0, sizeof(*ret));
	r = proc_status_read(p, &s, e);
	if (r < 0)
		return r;
	if (s.seccomp == SECCOMP_MODE_DISABLED && s.state != 'Z')
		return 0;
	r = check_target(p, &s, e);
	if (r < 0)
		return r;
	return read_with_child(p, ret, e);
}

void ns_seccomp_fini(struct ns_seccomp *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i].insns);
	free(s->v);
	s->v = NULL;
	s->n = 0;
}

int ns_seccomp_install(const struct ns_seccomp *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct sock_fprog prog = { .len = s->v[i].n, .filter = s->v[i].insns };

		if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, s->v[i].flags, &prog) == 0)
			continue;
		/* An older filter may forbid seccomp(2), yet allow what the target itself used. */
		if (s->v[i].flags || !i || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
			return -errno;
	}
	return 0;
}
