/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "kguest.h"
#include "kinfer.h"

#define KERNEL_HALF  (1ULL << 63)
#define TASKS_LEAST  8         /* 20 and more are seen right after the start */
#define LIST_LOOKS   8         /* elements that a list is looked at for */
#define PID_END      (1 << 22) /* PID_MAX_LIMIT of include/linux/threads.h */
#define STACK_BYTES  16384ULL  /* THREAD_SIZE of arch/x86; with KASAN a multiple of it */
#define STACK_MOST   64
#define STATES       0x1ffffU /* bits of __state: include/linux/sched.h of Linux 6.1 */
#define PF_KTHREAD   0x00200000U
#define USAGE_MAX    (1U << 20)
#define EXIT_STATES  (16U | 32U)
#define CHILD        17  /* SIGCHLD */
#define BEHIND_LIST  192 /* where mm is: behind the list of tasks, and two nodes of its run queue */
#define BEHIND_MM    256 /* where exit_signal is; to Linux 6.1 counters are between */
#define BEHIND_PID   96  /* where the parents are */
#define BEFORE_COMM  64  /* where the credentials are */
#define CRED_BYTES   96  /* of struct cred, in which its sets of capabilities are */
#define SIGNAL_LOOKS 8
#define MM_BYTES     1024 /* of struct mm_struct; behind its end would be the next one */
#define USER_END     (1ULL << 56)
#define ARGS_MAX     (16ULL << 20) /* of a stack, from its beginning to the environment's end */
#define LAST_ENTRY   (511 * 8)     /* of the uppermost table: the kernel's image */

static uint64_t get64(const struct kinfer_task *t, uint32_t off)
{
	return off <= t->size && t->size - off >= 8 ? kload64(t->data + off) : 0;
}

static uint32_t get32(const struct kinfer_task *t, uint32_t off)
{
	return off <= t->size && t->size - off >= 4 ? kload32(t->data + off) : 0;
}

static bool is_name(const uint8_t *p)
{
	size_t n = 0;

	while (n < KTASK_COMM && p[n] >= ' ' && p[n] < 0x7f)
		n++;
	return n && n < KTASK_COMM && !p[n];
}

struct range {
	uint32_t least, most, step;
};
typedef bool fits_fn(const struct kinfer *k, uint32_t off);

static int the_first(const struct kinfer *k, struct range in, fits_fn *fits, uint32_t *ret)
{
	for (uint32_t off = in.least; off <= in.most; off += in.step)
		if (fits(k, off)) {
			*ret = off;
			return 0;
		}
	return -ENOENT;
}

/* Two places that fit are none. */
static int the_only(const struct kinfer *k, struct range in, fits_fn *fits, uint32_t *ret)
{
	uint32_t other;
	int r = the_first(k, in, fits, ret);

	if (r < 0)
		return r;
	in.least = *ret + in.step;
	return the_first(k, in, fits, &other) ? 0 : -ENOENT;
}

/* --- the list of all --- */

/* INIT_TASK_COMM of include/linux/init_task.h, with the number of a processor where there can be several. */
static bool fits_comm(const struct kinfer *k, uint32_t off)
{
	const char *p = (const char *)k->idle.data + off;

	return off + KTASK_COMM <= k->idle.size &&
	       (!memcmp(p, "swapper", 8) || !memcmp(p, "swapper/0", 10));
}

static bool has_name(const struct kinfer *k, uint64_t task)
{
	uint8_t name[KTASK_COMM];

	return !gview_read(k->view, (gva_t){ task + k->comm }, name, sizeof(name)) && is_name(name);
}

static bool fits_tasks(const struct kinfer *k, uint32_t off)
{
	const uint64_t head = k->idle.at.v + off;
	uint64_t at = get64(&k->idle, off), last = head, link[2];
	unsigned int n = 0;

	for (; at != head && n < LIST_LOOKS; n++) {
		if (!kinfer_is_pointer(at) ||
		    gview_read(k->view, (gva_t){ at }, link, sizeof(link)) < 0 || link[1] != last ||
		    !has_name(k, at - off))
			return false;
		last = at;
		at = link[0];
	}
	return n >= 2;
}

static int copy_tasks(struct kinfer *k)
{
	const uint64_t head = k->idle.at.v + k->tasks;
	uint64_t at = get64(&k->idle, k->tasks);

	for (k->n = 0; k->n < KINFER_TASKS && at != head; k->n++) {
		struct kinfer_task *t = &k->task[k->n];

		t->at.v = at - k->tasks;
		t->size = kinfer_is_pointer(at)
				  ? gview_read_some(k->view, t->at, t->data, sizeof(t->data))
				  : 0;
		if (t->size < k->comm + KTASK_COMM || !is_name(t->data + k->comm))
			return -ENOENT;
		at = get64(t, k->tasks);
	}
	return k->n >= TASKS_LEAST ? 0 : -ENOENT;
}

/* --- who it is --- */

static bool fits_pid(const struct kinfer *k, uint32_t off)
{
	if (get32(&k->idle, off) || get32(&k->idle, off + 4) || get32(&k->task[0], off) != 1 ||
	    get32(&k->task[1], off) != 2)
		return false;
	for (size_t i = 0; i < k->n; i++) {
		uint32_t pid = get32(&k->task[i], off);

		/* each leads its group */
		if (!pid || pid >= PID_END || get32(&k->task[i], off + 4) != pid)
			return false;
		for (size_t j = 0; j < i; j++)
			if (get32(&k->task[j], off) == pid)
				return false;
	}
	return true;
}

static bool fits_parent(const struct kinfer *k, uint32_t off)
{
	const uint64_t idle = k->idle.at.v;

	if (get64(&k->idle, off) != idle || get64(&k->task[0], off) != idle ||
	    get64(&k->task[1], off) != idle)
		return false;
	for (size_t i = 2; i < k->n; i++) {
		uint64_t parent = get64(&k->task[i], off);
		uint32_t pid = 0;

		if (!kinfer_is_pointer(parent) || !has_name(k, parent) ||
		    gview_read(k->view, (gva_t){ parent + k->pid }, &pid, sizeof(pid)) < 0 ||
		    pid >= PID_END)
			return false;
	}
	return true;
}

/* The second task makes the kernel's threads, and is the parent of programs that the kernel starts, too. */
static bool is_its_child(const struct kinfer *k, size_t i)
{
	return i == 1 || get64(&k->task[i], k->parent) == k->task[1].at.v;
}

static bool fits_mm(const struct kinfer *k, uint32_t off)
{
	size_t children = 0, programs = 0;

	if (get64(&k->idle, off) || !get64(&k->task[0], off) || get64(&k->task[1], off))
		return false;
	for (size_t i = 0; i < k->n; i++) {
		uint64_t mm = get64(&k->task[i], off);

		/* the one that it runs on is the same */
		if (mm && (!kinfer_is_pointer(mm) || get64(&k->task[i], off + 8) != mm))
			return false;
		children += is_its_child(k, i);
		programs += is_its_child(k, i) && mm;
	}
	return programs <= children / 2;
}

static void tell_kernel_threads(struct kinfer *k)
{
	k->idle.kernel = true;
	for (size_t i = 0; i < k->n; i++)
		k->task[i].kernel = is_its_child(k, i) && !get64(&k->task[i], k->mm);
}

/* With exit_state and exit_code before it. */
static bool fits_exit_signal(const struct kinfer *k, uint32_t off)
{
	if (get32(&k->idle, off) || get32(&k->idle, off - 8))
		return false;
	for (size_t i = 0; i < k->n; i++) {
		const struct kinfer_task *t = &k->task[i];
		bool certain = !i || (t->kernel && i > 1);

		if ((certain && get32(t, off) != CHILD) ||
		    (get32(t, off - 8) & (t->kernel ? UINT32_MAX : ~EXIT_STATES)))
			return false;
	}
	return true;
}

/* A stack of its own, and the state before it. */
static bool fits_stack(const struct kinfer *k, uint32_t off)
{
	size_t sleeping = 0;

	if (!get64(&k->idle, off) || get64(&k->idle, off) % STACK_BYTES)
		return false;
	for (size_t i = 0; i < k->n; i++) {
		uint64_t stack = get64(&k->task[i], off);
		uint32_t state = get32(&k->task[i], off - 8);

		if (stack % STACK_BYTES || (state & ~STATES) ||
		    (stack && !kinfer_is_pointer(stack)) || (!stack && k->task[i].kernel))
			return false;
		for (size_t j = 0; j < i; j++)
			if (stack && get64(&k->task[j], off) == stack)
				return false;
		sleeping += state != 0;
	}
	return sleeping > k->n / 2;
}

static bool has_flags(const struct kinfer_task *t, uint32_t off)
{
	uint32_t usage = get32(t, off - 4);

	return !(get32(t, off) & PF_KTHREAD) == !t->kernel && usage && usage <= USAGE_MAX;
}

static bool fits_flags(const struct kinfer *k, uint32_t off)
{
	if (!has_flags(&k->idle, off))
		return false;
	for (size_t i = 0; i < k->n; i++)
		if (!has_flags(&k->task[i], off))
			return false;
	return true;
}

/* --- its credentials, threads and times --- */

/* Twice: as others see it, and as it acts. (A list without elements looks the same, but for where it leads to.) */
static bool fits_cred(const struct kinfer *k, uint32_t off)
{
	for (size_t i = 0; i < k->n; i++) {
		uint64_t cred = get64(&k->task[i], off);

		if (!kinfer_is_pointer(cred) || get64(&k->task[i], off - 8) != cred ||
		    cred - k->task[i].at.v < KINFER_BYTES)
			return false;
	}
	return true;
}

/*
 * struct cred begins with a counter of 4 or 8 bytes (Linux 6.7, and those to which that was brought), eight ids, and the
 * securebits of 4; then there are sets of capabilities, as two halves to Linux 6.2, of which a thread of the kernel inherits none
 * and has all.
 */
static int find_uid(const struct kinfer *k, uint32_t cred, uint32_t *ret)
{
	static const struct {
		uint32_t uid, sets;
	} known[] = { { 4, 40 }, { 8, 44 }, { 8, 48 } };
	uint8_t p[CRED_BYTES];
	size_t found = 0;

	if (gview_read(k->view, (gva_t){ get64(&k->task[1], cred) }, p, sizeof(p)) < 0)
		return -ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		const uint8_t *set = p + known[i].sets;
		uint64_t all = kload64(set + 8);

		if (kload64(set) || !all || (all & (all + 1)) || all != kload64(set + 16) ||
		    all != kload64(set + 24) || kload32(p + known[i].uid))
			continue;
		*ret = known[i].uid;
		found++;
	}
	return found == 1 ? 0 : -ENOENT;
}

/* struct signal_struct: a counter, those that live, threads; and the list of these, in which there is but one. */
static bool fits_signal(const struct kinfer *k, uint32_t off)
{
	size_t looks = 0;

	for (size_t i = 0; i < k->n && looks < SIGNAL_LOOKS; i++) {
		const struct kinfer_task *t = &k->task[i];
		uint32_t n[4];
		uint64_t list[2];
		gva_t at = { get64(t, off) };

		if (!t->kernel)
			continue;
		if (!kinfer_is_pointer(at.v) || gview_read(k->view, at, n, sizeof(n)) < 0 ||
		    n[1] != 1 || n[2] != 1 ||
		    gview_read(k->view, (gva_t){ at.v + sizeof(n) }, list, sizeof(list)) < 0 ||
		    list[0] != list[1] || list[0] - t->at.v >= t->size)
			return false;
		looks++;
	}
	return looks;
}

/* Threads of the kernel are listed as they were made. */
static bool ascends(const struct kinfer *k, uint32_t off)
{
	uint64_t first = UINT64_MAX, last = 0;

	for (size_t i = 0; i < k->n; i++) {
		uint64_t v = get64(&k->task[i], off);

		if (!k->task[i].kernel)
			continue;
		if (v < last || v >= KERNEL_HALF)
			return false;
		first = first == UINT64_MAX ? v : first;
		last = v;
	}
	return last > first;
}

/* When it started, by two clocks, of which the second counts what the machine slept. */
static bool fits_start(const struct kinfer *k, uint32_t off)
{
	for (size_t i = 0; i < k->n; i++)
		if (get64(&k->task[i], off - 8) > get64(&k->task[i], off))
			return false;
	return ascends(k, off - 8) && ascends(k, off);
}

/* --- its memory --- */

static bool fits_pgd(const struct kinfer *k, uint32_t off)
{
	const gpa_t ours = { k->view->pt.root.v + LAST_ENTRY };
	uint64_t pgd = 0, image, its = 0;

	return !gview_read(k->view, (gva_t){ get64(&k->task[0], k->mm) + off }, &pgd,
			   sizeof(pgd)) &&
	       pgd >= KERNEL_HALF && pgd % PT_PAGE == 0 &&
	       !gview_read(k->view, (gva_t){ pgd + LAST_ENTRY }, &its, sizeof(its)) &&
	       !k->view->read(k->view->arg, ours, &image, sizeof(image)) && its && its == image;
}

/*
 * start_stack, arg_start, arg_end, env_start and env_end follow each other; all are 0 while a program is being executed. The
 * environment begins where the arguments end, unless a process has changed that (prctl(2), PR_SET_MM): that tells them from
 * the bounds of code and data.
 */
static bool fits_args(const struct kinfer *k, uint32_t off)
{
	size_t joined = 0, n = 0;

	for (size_t i = 0; i < k->n; i++) {
		uint64_t mm = get64(&k->task[i], k->mm), v[5];

		if (!mm)
			continue;
		if (gview_read(k->view, (gva_t){ mm + off - 8 }, v, sizeof(v)) < 0)
			return false;
		if (i && !(v[0] | v[1] | v[2] | v[3] | v[4]))
			continue;
		if (!v[0] || v[0] > v[1] || v[1] >= v[2] || v[2] > v[3] || v[3] >= v[4] ||
		    v[4] - v[0] > ARGS_MAX || v[4] > USER_END)
			return false;
		joined += v[2] == v[3];
		n++;
	}
	return joined > n / 2;
}

/* --- all of it --- */

static struct kfield field(uint32_t off, uint32_t size)
{
	return (struct kfield){ .there = true, .off = off, .size = size };
}

static int lacks(const char *member, struct err *e)
{
	return err_set(e, ENOENT,
		       "the guest's memory does not tell where 'struct task_struct' has '%s'",
		       member);
}

static void find_optional(const struct kinfer *k, struct kfield *f)
{
	const uint32_t comm = k->comm;
	uint32_t at;

	if (!the_only(k, (struct range){ comm + KTASK_COMM, comm + KINFER_BEHIND_COMM, 8 },
		      fits_signal, &at)) {
		f[TASK_SIGNAL] = field(at, 8);
		f[SIGNAL_NR_THREADS] = field(8, 4);
	}
	if (!the_only(k, (struct range){ k->pid + 8, comm, 8 }, fits_start, &at))
		f[TASK_START] = field(at, 8);
	/* in small kernels the next structure of that kind, which has one as well, is in that range */
	if (!the_first(k, (struct range){ 8, MM_BYTES, 8 }, fits_pgd, &at))
		f[MM_PGD] = field(at, 8);
	if (!the_only(k, (struct range){ 8, MM_BYTES, 8 }, fits_args, &at)) {
		f[MM_ARG_START] = field(at, 8);
		f[MM_ARG_END] = field(at + 8, 8);
	}
}

/* What the rest is found by. */
static int find_list(struct kinfer *k, gva_t init_task, struct err *e)
{
	k->idle.at = init_task;
	k->idle.size = gview_read_some(k->view, init_task, k->idle.data, sizeof(k->idle.data));
	if (the_only(k, (struct range){ 0, KINFER_COMM_MOST, 1 }, fits_comm, &k->comm) < 0)
		return lacks("comm", e);
	if (the_only(k, (struct range){ 0, k->comm, 8 }, fits_tasks, &k->tasks) < 0 ||
	    copy_tasks(k) < 0)
		return lacks("tasks", e);
	return the_only(k, (struct range){ k->tasks, k->comm, 4 }, fits_pid, &k->pid) < 0
		       ? lacks("pid", e)
		       : 0;
}

static int find_rest(struct kinfer *k, struct kfield *f, struct err *e)
{
	uint32_t signal, stack, flags, cred, uid;

	if (the_first(k, (struct range){ k->pid + 8, k->pid + BEHIND_PID, 8 }, fits_parent,
		      &k->parent) < 0)
		return lacks("real_parent", e);
	if (the_only(k, (struct range){ k->tasks + 16, k->tasks + BEHIND_LIST, 8 }, fits_mm,
		     &k->mm) < 0)
		return lacks("mm", e);
	tell_kernel_threads(k);
	if (the_only(k, (struct range){ k->mm + 24, k->mm + BEHIND_MM, 4 }, fits_exit_signal,
		     &signal) < 0)
		return lacks("exit_state", e);
	if (the_only(k, (struct range){ 16, STACK_MOST, 8 }, fits_stack, &stack) < 0)
		return lacks("__state", e);
	if (the_only(k, (struct range){ stack + 8, stack + 32, 4 }, fits_flags, &flags) < 0)
		return lacks("flags", e);
	if (k->comm < BEFORE_COMM + 8 ||
	    the_only(k, (struct range){ k->comm - BEFORE_COMM, k->comm - 8, 8 }, fits_cred, &cred) <
		    0 ||
	    find_uid(k, cred, &uid) < 0)
		return lacks("cred", e);
	f[TASK_REAL_PARENT] = field(k->parent, 8);
	f[TASK_MM] = field(k->mm, 8);
	f[TASK_EXIT_STATE] = field(signal - 8, 4);
	f[TASK_STATE] = field(stack - 8, 4);
	f[TASK_FLAGS] = field(flags, 4);
	f[TASK_CRED] = field(cred, 8);
	f[CRED_UID] = field(uid, 4);
	return 0;
}

static int infer(struct kinfer *k, gva_t init_task, struct kfields *ret, struct err *e)
{
	struct kfields found = *ret;
	struct kfield *f = found.f;
	int r;

	k->n = 0;
	r = find_list(k, init_task, e);
	if (!r)
		r = find_rest(k, f, e);
	if (r < 0)
		return r;
	f[TASK_TASKS] = field(k->tasks, 16);
	f[TASK_PID] = field(k->pid, 4);
	f[TASK_TGID] = field(k->pid + 4, 4);
	f[TASK_COMM] = field(k->comm, KTASK_COMM);
	find_optional(k, f);
	/* as far as it is read */
	f[TASK_SIZE] = field(0, k->comm + KINFER_BEHIND_COMM);
	*ret = found;
	return 0;
}

int kinfer_tasks(struct kinfer *k, const struct gview *v, gva_t init_task, struct kfields *ret,
		 struct err *e)
{
	int r = -ENOENT;

	k->view = v;
	for (int i = 0; r < 0 && i < KINFER_TRIES; i++)
		r = infer(k, init_task, ret, e);
	return r;
}
