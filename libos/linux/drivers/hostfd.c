// SPDX-License-Identifier: GPL-2.0-only
/* hostfd.c - descriptors that the launcher hands over, as character devices: bytes in, bytes out. */
/*
 * Theory of operation
 *
 * Each kernel argument hostfd=NAME:FD makes /dev/host/NAME of the host's descriptor FD. What
 * is written goes there as it is, what comes from there is read as it is: a program whose
 * standard streams are no terminal gets these, so a pipe through it is binary-clean.
 *
 * No host call blocks, or all programs would stand still: a descriptor is asked first (host_poll with
 * no time), and what is not ready waits for a struct lo_event, one for each direction, that
 * is there only while somebody waits. host_read() and host_write() of a pipe or socket that is ready
 * take what they can; a regular file is always ready.
 *
 * One reader and one writer at a time: the order of bytes is that of the calls.
 */
#include <asm/event.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/miscdevice.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "../host/host.h"

#define MAX_FDS   16
#define NAME_SIZE 24
#define CHUNK     4096 /* what a pipe takes at once if it takes anything (POSIX: PIPE_BUF) */

/* One direction of a descriptor. */
struct hostfd_way {
	struct lo_event event;
	wait_queue_head_t wait;
	struct mutex lock; /* who moves bytes, and `buf` */
	u8 buf[CHUNK];
};

struct hostfd {
	struct miscdevice misc;
	char name[NAME_SIZE];
	char node[NAME_SIZE + sizeof("host/")];
	struct hostfd_way in, out;
};

static struct {
	char name[NAME_SIZE];
	unsigned int fd;
} wanted[MAX_FDS] __initdata;
static unsigned int nwanted __initdata;

static struct hostfd *hostfd_of(struct file *file)
{
	/* misc_open() leaves the device there. */
	return container_of(file->private_data, struct hostfd, misc);
}

static bool is_ready(const struct hostfd_way *way)
{
	const struct host_timespec now = { 0, 0 };
	struct host_pollfd fd = { .fd = way->event.fd, .events = way->event.wants };

	return host_poll(&fd, 1, &now) > 0;
}

/* In interrupt context. */
static void on_ready(struct lo_event *event)
{
	struct hostfd_way *way = container_of(event, struct hostfd_way, event);

	lo_event_del(event);
	wake_up_interruptible_all(&way->wait);
}

static void watch(struct hostfd_way *way)
{
	unsigned long flags;

	local_irq_save(flags);
	if (list_empty(&way->event.node))
		lo_event_add(&way->event);
	local_irq_restore(flags);
}

/* The condition of a wait: what is not ready now wakes us later. */
static bool ready_or_watched(struct hostfd_way *way)
{
	if (is_ready(way))
		return true;
	watch(way);
	return false;
}

static int wait_ready(struct hostfd_way *way, struct file *file)
{
	if (is_ready(way))
		return 0;
	if (file->f_flags & O_NONBLOCK)
		return -EAGAIN;
	return wait_event_interruptible(way->wait, ready_or_watched(way));
}

static ssize_t hostfd_read(struct file *file, char __user *to, size_t size, loff_t *pos)
{
	struct hostfd_way *way = &hostfd_of(file)->in;
	ssize_t n;

	if (mutex_lock_interruptible(&way->lock))
		return -ERESTARTSYS;
	do {
		n = wait_ready(way, file);
		if (!n)
			n = host_read(way->event.fd, way->buf, min_t(size_t, size, CHUNK));
	} while (n == -EINTR || (n == -EAGAIN && !(file->f_flags & O_NONBLOCK)));
	if (n > 0 && copy_to_user(to, way->buf, n))
		n = -EFAULT;
	mutex_unlock(&way->lock);
	return n;
}

/* A piece at a time, so that a signal finds a call that has done something. */
static ssize_t write_piece(struct hostfd_way *way, struct file *file, const char __user *from,
			   size_t size)
{
	ssize_t n;

	size = min_t(size_t, size, CHUNK);
	if (copy_from_user(way->buf, from, size))
		return -EFAULT;
	do {
		n = wait_ready(way, file);
		if (!n)
			n = host_write(way->event.fd, way->buf, size);
	} while (n == -EINTR || (n == -EAGAIN && !(file->f_flags & O_NONBLOCK)));
	if (n == -EPIPE)
		send_sig(SIGPIPE, current, 0);
	return n;
}

static ssize_t hostfd_write(struct file *file, const char __user *from, size_t size, loff_t *pos)
{
	struct hostfd_way *way = &hostfd_of(file)->out;
	size_t done = 0;
	ssize_t n = 0;

	if (mutex_lock_interruptible(&way->lock))
		return -ERESTARTSYS;
	while (done < size) {
		n = write_piece(way, file, from + done, size - done);
		if (n <= 0)
			break;
		done += n;
	}
	mutex_unlock(&way->lock);
	return done ? done : n;
}

static __poll_t hostfd_poll(struct file *file, poll_table *wait)
{
	struct hostfd *h = hostfd_of(file);
	__poll_t ready = 0;

	poll_wait(file, &h->in.wait, wait);
	poll_wait(file, &h->out.wait, wait);
	if (file->f_mode & FMODE_READ && ready_or_watched(&h->in))
		ready |= EPOLLIN | EPOLLRDNORM;
	if (file->f_mode & FMODE_WRITE && ready_or_watched(&h->out))
		ready |= EPOLLOUT | EPOLLWRNORM;
	return ready;
}

static const struct file_operations hostfd_ops = {
	.owner = THIS_MODULE,
	.read = hostfd_read,
	.write = hostfd_write,
	.poll = hostfd_poll,
};

static void __init way_init(struct hostfd_way *way, int fd, short wants)
{
	INIT_LIST_HEAD(&way->event.node);
	way->event.fd = fd;
	way->event.wants = wants;
	way->event.ready = on_ready;
	init_waitqueue_head(&way->wait);
	mutex_init(&way->lock);
}

static int __init add(const char *name, int fd)
{
	struct hostfd *h = kzalloc(sizeof(*h), GFP_KERNEL);

	if (!h)
		return -ENOMEM;
	strscpy(h->name, name, sizeof(h->name));
	snprintf(h->node, sizeof(h->node), "host/%s", name);
	way_init(&h->in, fd, HOST_POLLIN);
	way_init(&h->out, fd, HOST_POLLOUT);
	h->misc = (struct miscdevice){ .minor = MISC_DYNAMIC_MINOR,
				       .name = h->name,
				       .nodename = h->node,
				       .mode = 0666,
				       .fops = &hostfd_ops };
	return misc_register(&h->misc);
}

static int __init hostfd_init(void)
{
	unsigned int i;

	for (i = 0; i < nwanted; i++) {
		int r = add(wanted[i].name, wanted[i].fd);

		if (r < 0)
			pr_err("hostfd=%s:%u: error %d\n", wanted[i].name, wanted[i].fd, r);
	}
	return 0;
}
device_initcall(hostfd_init);

/* NAME:FD */
static int __init hostfd_arg(char *arg)
{
	const char *colon = arg ? strchr(arg, ':') : NULL;

	if (!colon || colon == arg || colon - arg >= NAME_SIZE || nwanted == MAX_FDS ||
	    kstrtouint(colon + 1, 10, &wanted[nwanted].fd)) {
		pr_err("hostfd=%s: it is NAME:FD, at most %d times\n", arg ? arg : "", MAX_FDS);
		return -EINVAL;
	}
	memcpy(wanted[nwanted].name, arg, colon - arg);
	nwanted++;
	return 0;
}
early_param("hostfd", hostfd_arg);
