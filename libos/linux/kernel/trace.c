// SPDX-License-Identifier: GPL-2.0-only
/* trace.c - /proc/lo/trace: the system calls of all programs, for who reads it. */
/*
 * Theory of operation
 *
 * Nobody reads it, and there is nothing of it on a system call's way: open() puts traced() into each
 * entry of the system call table, the last close() takes it out again. traced() writes a record
 * (libos/host/lo_trace.h), makes the call, and writes another.
 *
 * Records lie in a ring. While it is full, whoever makes a system call waits for the reader, so that
 * nothing is lost; but not the reader itself and not init, which carry the records away. A
 * reader that is gone keeps nobody waiting.
 *
 * Which arguments are strings or buffers is in `texts`; what isn't there is numbers.
 */
#include <asm/lo.h>
#include <asm/syscall.h>
#include <asm/unistd.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/proc_fs.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>

#include "../host/lo_trace.h"

#define RING_SIZE  (256 << 10)
#define DATA_MAX   32 /* bytes of a buffer */
#define RECORD_MAX (sizeof(struct lo_trace) + LO_TRACE_TEXTS * LO_TRACE_TEXT_MAX + 8)

/* Bits 0 to 5: the argument is a string. SENDS, GETS: the second is a buffer, the third its size. */
#define SENDS 0x40
#define GETS  0x80
static const u8 texts[NR_syscalls] = {
	[__NR_read] = GETS,    [__NR_pread64] = GETS,    [__NR_recvfrom] = GETS,
	[__NR_write] = SENDS,  [__NR_pwrite64] = SENDS,  [__NR_sendto] = SENDS,
	[__NR_open] = 1,       [__NR_stat] = 1,          [__NR_lstat] = 1,
	[__NR_access] = 1,     [__NR_execve] = 1,        [__NR_truncate] = 1,
	[__NR_chdir] = 1,      [__NR_rename] = 3,        [__NR_mkdir] = 1,
	[__NR_rmdir] = 1,      [__NR_creat] = 1,         [__NR_link] = 3,
	[__NR_unlink] = 1,     [__NR_symlink] = 3,       [__NR_readlink] = 1,
	[__NR_chmod] = 1,      [__NR_chown] = 1,         [__NR_lchown] = 1,
	[__NR_mknod] = 1,      [__NR_statfs] = 1,        [__NR_chroot] = 1,
	[__NR_mount] = 3,      [__NR_umount2] = 1,       [__NR_openat] = 2,
	[__NR_openat2] = 2,    [__NR_mkdirat] = 2,       [__NR_mknodat] = 2,
	[__NR_fchownat] = 2,   [__NR_newfstatat] = 2,    [__NR_statx] = 2,
	[__NR_unlinkat] = 2,   [__NR_renameat] = 2 | 8,  [__NR_renameat2] = 2 | 8,
	[__NR_linkat] = 2 | 8, [__NR_symlinkat] = 1 | 4, [__NR_readlinkat] = 2,
	[__NR_fchmodat] = 2,   [__NR_faccessat] = 2,     [__NR_faccessat2] = 2,
	[__NR_execveat] = 2,   [__NR_utimensat] = 2,     [__NR_memfd_create] = 1,
};

static sys_call_ptr_t original[NR_syscalls];

static struct {
	spinlock_t lock;   /* for all of these */
	u8 *ring;          /* NULL: nobody reads */
	size_t head, tail; /* written and read, of all time */
	pid_t reader;      /* its thread group */
	wait_queue_head_t filled, emptied;
} trace = {
	.lock = __SPIN_LOCK_UNLOCKED(trace.lock),
	.filled = __WAIT_QUEUE_HEAD_INITIALIZER(trace.filled),
	.emptied = __WAIT_QUEUE_HEAD_INITIALIZER(trace.emptied),
};

static bool has_room(size_t size)
{
	return !READ_ONCE(trace.ring) ||
	       RING_SIZE - (READ_ONCE(trace.head) - READ_ONCE(trace.tail)) >= size;
}

/* False: there is no room now. */
static bool try_put(const u8 *record, size_t size)
{
	size_t at, first;
	bool room;

	spin_lock(&trace.lock);
	room = has_room(size);
	if (room && trace.ring) {
		at = trace.head % RING_SIZE;
		first = min_t(size_t, size, RING_SIZE - at);
		memcpy(trace.ring + at, record, first);
		memcpy(trace.ring, record + first, size - first);
		trace.head += size;
	}
	spin_unlock(&trace.lock);
	if (room)
		wake_up_interruptible(&trace.filled);
	return room;
}

static void put(struct lo_trace *t, size_t size)
{
	t->size = ALIGN(size, 8);
	t->pid = task_pid_nr(current);
	t->tgid = task_tgid_nr(current);
	t->ns = ktime_get_ns();
	while (!try_put((u8 *)t, t->size))
		if (wait_event_killable(trace.emptied, has_room(t->size)))
			return; /* it is being killed */
}

/* A piece of the program's memory behind the record. Returns the record's new size. */
static size_t add_text(struct lo_trace *t, size_t size, unsigned int n, unsigned int arg, long len)
{
	u8 *to = (u8 *)t + size;
	const void __user *from = (const void __user *)(unsigned long)t->arg[arg];
	long got;

	if (len < 0) {
		got = strncpy_from_user(to, from, LO_TRACE_TEXT_MAX);
		got = got < 0 ? 0 : min_t(long, got + 1, LO_TRACE_TEXT_MAX);
	} else {
		len = min_t(long, len, DATA_MAX);
		got = len - copy_from_user(to, from, len);
	}
	t->text[n].size = got;
	t->text[n].arg = arg;
	return size + got;
}

static void put_enter(struct lo_trace *t, unsigned long nr)
{
	unsigned int arg, n = 0, want = texts[nr];
	size_t size = sizeof(*t);

	for (arg = 0; arg < 6 && n < LO_TRACE_TEXTS; arg++)
		if (want & 1 << arg)
			size = add_text(t, size, n++, arg, -1);
	if (want & SENDS)
		size = add_text(t, size, 0, 1, min_t(u64, t->arg[2], DATA_MAX));
	t->kind = LO_TRACE_ENTER;
	put(t, size);
}

static void put_exit(struct lo_trace *t, unsigned long nr, long result)
{
	size_t size = sizeof(*t);

	memset(t->text, 0, sizeof(t->text));
	if (texts[nr] & GETS && result > 0)
		size = add_text(t, size, 0, 1, result);
	t->arg[0] = result;
	t->kind = LO_TRACE_EXIT;
	put(t, size);
}

static noinline void note(bool enter, unsigned long nr, const long *arg, long result)
{
	union {
		struct lo_trace t;
		u8 bytes[RECORD_MAX];
	} r;

	memset(&r.t, 0, sizeof(r.t));
	r.t.nr = nr;
	r.t.arg[0] = arg[0];
	r.t.arg[1] = arg[1];
	r.t.arg[2] = arg[2];
	r.t.arg[3] = arg[3];
	r.t.arg[4] = arg[4];
	r.t.arg[5] = arg[5];
	if (enter)
		put_enter(&r.t, nr);
	else
		put_exit(&r.t, nr, result);
}

static long traced(unsigned long a, unsigned long b, unsigned long c, unsigned long d,
		   unsigned long e, unsigned long f)
{
	const long arg[6] = { a, b, c, d, e, f };
	unsigned long nr = current_pt_regs()->orig_ax;
	long result;

	if (nr >= NR_syscalls)
		return -ENOSYS;
	if (is_global_init(current) || task_tgid_nr(current) == READ_ONCE(trace.reader))
		return original[nr](a, b, c, d, e, f);
	note(true, nr, arg, 0);
	result = original[nr](a, b, c, d, e, f);
	note(false, nr, arg, result);
	return result;
}

static int trace_open(struct inode *inode, struct file *file)
{
	u8 *ring = vmalloc(RING_SIZE);
	unsigned int i;

	if (!ring)
		return -ENOMEM;
	spin_lock(&trace.lock);
	if (trace.ring) {
		spin_unlock(&trace.lock);
		vfree(ring);
		return -EBUSY;
	}
	trace.head = trace.tail = 0;
	trace.reader = task_tgid_nr(current);
	trace.ring = ring;
	for (i = 0; i < NR_syscalls; i++) {
		original[i] = sys_call_table[i];
		WRITE_ONCE(sys_call_table[i], traced);
	}
	spin_unlock(&trace.lock);
	return nonseekable_open(inode, file);
}

static int trace_release(struct inode *inode, struct file *file)
{
	unsigned int i;
	u8 *ring;

	spin_lock(&trace.lock);
	for (i = 0; i < NR_syscalls; i++)
		WRITE_ONCE(sys_call_table[i], original[i]);
	ring = trace.ring;
	trace.ring = NULL;
	spin_unlock(&trace.lock);
	wake_up_all(&trace.emptied);
	vfree(ring);
	return 0;
}

/* The file has one reader, which alone moves the tail. */
static ssize_t trace_read(struct file *file, char __user *to, size_t size, loff_t *pos)
{
	size_t at = trace.tail % RING_SIZE, n;
	int r = wait_event_interruptible(trace.filled, READ_ONCE(trace.head) != trace.tail);

	if (r)
		return r;
	n = min3(size, READ_ONCE(trace.head) - trace.tail, RING_SIZE - at);
	if (copy_to_user(to, trace.ring + at, n))
		return -EFAULT;
	spin_lock(&trace.lock);
	trace.tail += n;
	spin_unlock(&trace.lock);
	wake_up_all(&trace.emptied);
	return n;
}

static const struct proc_ops trace_ops = {
	.proc_open = trace_open,
	.proc_release = trace_release,
	.proc_read = trace_read,
	.proc_lseek = noop_llseek,
};

static int __init trace_init(void)
{
	return proc_create("lo/trace", 0400, NULL, &trace_ops) ? 0 : -ENOMEM;
}
fs_initcall(trace_init);
