/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * side.c - a library that the host of a virtual machine puts beside the guest's kernel: it starts a program there.
 *
 * Theory of operation
 *
 * The host leaves an irq_work of ours in the list of a processor and sends that
 * processor the interrupt for it. side_interrupt(), in that interrupt, queues a
 * work item; work(), in the kernel's worker, makes a thread; thread() is where
 * everything happens: a tmpfs of its own, in it the program, the program
 * started with our file as its descriptor 3. Then an interrupt (side_bell.c), or
 * without one the thread, wakes who waits for that file as messages come, until
 * the program has ended, the host says stop, or the host has gone silent; then
 * the thread ends the program, takes back what it made and leaves by a function
 * of the kernel, which tells the host that nothing of ours is executed any more.
 */
#include "side.h"

#define CHUNK     (256U << 10) /* of the program, written at once */
#define ANSWER_NS 1000000LL    /* after the program's message the answer is near */
#define BUSY_NS   2000000LL    /* after a message the next one is near */
#define LAZY_NS   1000000000LL
#define LAZY_MS   10
#define RUNG_MS   200 /* of one that is woken: for its beat, and for an interrupt that got lost */
#define GRACE_NS  2000000000LL  /* the program's to end by itself */
#define WRITES_NS 30000000000LL /* and if it has a disk, which may have to be written to */
#define LIVED_NS  500000000LL   /* between two looks; a machine that stood has a clock that jumps */

static void *current(const struct side_state *s)
{
	void *task;

	__asm__ volatile("movq %%gs:(%1), %0" : "=r"(task) : "r"(s->current_at));
	return task;
}

struct path {
	void *mnt, *dentry;
};

static struct path path_of(const struct side_state *s)
{
	return (struct path){ s->mnt, side_load(s->mnt, s->at.mnt_root) };
}

static void set_directory(struct side_state *s)
{
	struct path p = path_of(s);

	s->call.set_fs_pwd(side_load(current(s), s->at.task_fs), &p);
}

/* In the child that becomes the program. */
static int prepare(void *info, void *cred)
{
	struct side_state *s = side_state();
	int r = s->call.replace_fd(SIDE_FD, s->file, 0);

	(void)info;
	(void)cred;
	if (r < 0)
		return r;
	set_directory(s);
	s->pid = s->call.get_task_pid(current(s), PIDTYPE_PID);
	return 0;
}

static int make_directory(struct side_state *s)
{
	void *type = s->call.get_fs_type("tmpfs"), *mnt;
	int r = type ? s->call.unshare_fs_struct() : -EINVAL;

	if (r < 0)
		return r;
	mnt = s->call.kern_mount(type);
	if (side_is_error(mnt))
		return side_error(mnt);
	s->mnt = mnt;
	set_directory(s);
	return 0;
}

static int write_program(struct side_state *s)
{
	uint8_t *from = side_at(SIDE_PROGRAM_AT);
	long long pos = 0;
	void *file = s->call.filp_open(s->argv[0], O_CREAT | O_WRONLY, 0700);
	long n = 0;

	if (side_is_error(file))
		return side_error(file);
	while (pos < s->program_size) {
		long long left = s->program_size - pos;

		n = s->call.kernel_write(file, from + pos, left < CHUNK ? (size_t)left : CHUNK,
					 &pos);
		if (n <= 0)
			break;
		__atomic_add_fetch(&s->guest_beat, 1, __ATOMIC_RELAXED);
	}
	/* at once: a file that is open for writing is not executed */
	s->call.__fput_sync(file);
	return n < 0 ? (int)n : pos < s->program_size ? -EIO : 0;
}

static int make_argv(struct side_state *s)
{
	static const char env0[] =
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
			  env1[] = "HOME=/", env2[] = "TERM=linux";
	uint32_t at = 0;

	if (!s->argc || s->argc > SIDE_ARGS_MAX || s->program_size > SIDE_PROGRAM_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < s->argc; i++) {
		if (at >= SIDE_ARG_BYTES)
			return -EINVAL;
		s->argv[i] = &s->args[at];
		while (at < SIDE_ARG_BYTES && s->args[at])
			at++;
		at++;
	}
	s->args[SIDE_ARG_BYTES - 1] = '\0';
	s->envp[0] = (char *)(uintptr_t)env0;
	s->envp[1] = (char *)(uintptr_t)env1;
	s->envp[2] = (char *)(uintptr_t)env2;
	return 0;
}

static int start_program(struct side_state *s)
{
	void *file, *info;
	int r = make_argv(s);

	if (!r)
		r = make_directory(s);
	if (!r)
		r = write_program(s);
	if (r < 0)
		return r;
	side_file_init();
	side_bell_open();
	file = s->call.anon_inode_getfile("[vmsh]", s->fops, s, O_RDWR);
	if (side_is_error(file))
		return side_error(file);
	s->file = file;
	side_set(&s->opened, 1);
	info = s->call.call_usermodehelper_setup(s->argv[0], s->argv, s->envp, GFP_KERNEL, prepare,
						 NULL, NULL);
	r = info ? s->call.call_usermodehelper_exec(info, UMH_WAIT_EXEC) : -EAGAIN;
	s->call.fput(file);
	return r;
}

/* What the host has changed since. */
struct watch {
	uint32_t beat, head, tail;
	uint32_t seen; /* of what the program has sent */
	uint32_t sent; /* how much that was when the host last said something */
	int64_t silent_ns, last_ns, active_ns;
};

/* For how long we have been there without a sign of the host. */
static void listen(struct side_state *s, struct watch *w, int64_t now)
{
	uint32_t beat = side_get(&s->beat);
	int64_t since = now - w->last_ns;

	w->silent_ns = beat == w->beat ? w->silent_ns + (since < LIVED_NS ? since : LIVED_NS) : 0;
	w->beat = beat;
	w->last_ns = now;
}

/* Return: is there a host that wants us to go on? */
static bool look(struct side_state *s, struct watch *w)
{
	uint32_t head = side_get(&s->to_guest.head), tail = side_get(&s->to_host.tail);
	int64_t now = s->call.ktime_get();

	listen(s, w, now);
	if (head != w->head || tail != w->tail) {
		if (head != w->head)
			w->sent = side_get(&s->to_host.head);
		w->head = head;
		w->tail = tail;
		w->active_ns = now;
		side_file_wake();
	} else if (side_get(&s->to_host.head) != w->seen) {
		w->seen = side_get(&s->to_host.head);
		w->active_ns = now;
	}
	__atomic_add_fetch(&s->guest_beat, 1, __ATOMIC_RELAXED);
	if (w->silent_ns >= (int64_t)s->silence_ns) {
		side_disk_alone();
		return false;
	}
	return !side_get(&s->stop);
}

/* Who waits for an answer does so at once: that is shorter than the shortest sleep. */
static void pause(struct side_state *s, const struct watch *w)
{
	int64_t idle = s->call.ktime_get() - w->active_ns;

	if (side_get(&s->closing))
		(void)s->call.schedule_timeout_interruptible(1);
	else if (side_get(&s->rung))
		(void)s->call.schedule_timeout_interruptible(
			(long)s->call.__msecs_to_jiffies(RUNG_MS));
	else if (idle < ANSWER_NS && w->seen != w->sent)
		(void)s->call.schedule_timeout(0);
	else if (idle < BUSY_NS)
		s->call.usleep_range_state(50, 100, TASK_INTERRUPTIBLE);
	else if (idle < LAZY_NS)
		s->call.usleep_range_state(500, 1000, TASK_INTERRUPTIBLE);
	else
		(void)s->call.schedule_timeout_interruptible(
			(long)s->call.__msecs_to_jiffies(LAZY_MS));
}

static void watch(struct side_state *s, struct watch *w)
{
	while (side_file_open() && look(s, w)) {
		side_disk_look();
		pause(s, w);
	}
}

/* The program ends by itself, or is ended. */
static void end_program(struct side_state *s, struct watch *w)
{
	int64_t since = s->call.ktime_get();
	bool killed = false;

	side_set(&s->gone, 1);
	while (side_file_open()) {
		int64_t grace_ns = side_disk_served() ? WRITES_NS : GRACE_NS;

		side_file_wake();
		if (!killed && s->pid && s->call.ktime_get() - since > grace_ns) {
			(void)s->call.kill_pid(s->pid, SIGKILL, 1);
			killed = true;
		}
		(void)look(s, w);
		(void)s->call.schedule_timeout_interruptible(1);
	}
	while (!side_disk_end()) {
		(void)look(s, w);
		(void)s->call.schedule_timeout_interruptible(1);
	}
	side_bell_close();
	if (s->pid)
		s->call.put_pid(s->pid);
	if (s->mnt)
		s->call.kern_unmount(s->mnt);
}

static int thread(void *data)
{
	struct side_state *s = data;
	struct watch w = { .silent_ns = 0 };
	int r;

	side_set(&s->stage, SIDE_THREAD);
	s->task = current(s);
	r = start_program(s);
	s->error = r;
	w.last_ns = w.active_ns = s->call.ktime_get();
	if (!r) {
		side_set(&s->stage, SIDE_RUNS);
		side_bell_ring();
		watch(s, &w);
	}
	end_program(s, &w);
	side_set(&s->stage, SIDE_ENDED);
	side_bell_ring();
	s->call.kthread_complete_and_exit(s->completion, 0);
	return 0;
}

static void work(void *item)
{
	struct side_state *s = side_state();
	void *task;

	(void)item;
	side_set(&s->stage, SIDE_WORKER);
	task = s->call.kthread_create_on_node(thread, s, -1, "vmsh");
	if (side_is_error(task)) {
		s->error = side_error(task);
		side_set(&s->stage, SIDE_ENDED);
		side_bell_ring();
		s->call.complete(s->completion);
		return;
	}
	/* a jump, too: the worker may be the last to leave */
	(void)s->call.wake_up_process(task);
}

/* The first function of the image: the host knows where it is. */
__attribute__((section(".text.first"))) void side_interrupt(void *irq_work);
void side_interrupt(void *irq_work)
{
	struct side_state *s = side_state();
	uint8_t *entry = s->work + s->at.work_entry;

	(void)irq_work;
	s->in = (struct side_ring){ &s->to_guest, side_at(SIDE_TO_GUEST_AT), 0 };
	s->out = (struct side_ring){ &s->to_host, side_at(SIDE_TO_HOST_AT), 0 };
	s->call.__init_swait_queue_head(s->completion + s->at.completion_wait, "vmsh",
					&s->lock_key);
	s->call.__init_swait_queue_head(s->released + s->at.completion_wait, "vmsh", &s->lock_key);
	side_store(entry, 0, entry);
	side_store(entry, sizeof(void *), entry);
	side_store(s->work, s->at.work_func, (const void *)work);
	side_set(&s->stage, SIDE_INTERRUPT);
	(void)s->call.queue_work_on((int)s->cpu, (void *)(uintptr_t)s->workqueue, s->work);
}
