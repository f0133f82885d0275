/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * side_file.c - the file that a program in the guest speaks to the host through.
 *
 * read(2) gives exactly one message, and 0 once the host is gone; a buffer that
 * is too small gets EMSGSIZE, and the message stays. write(2) sends one of 1 to
 * SIDE_MESSAGE_MAX bytes, and fails with EPIPE once the host is gone. poll(2)
 * and O_NONBLOCK work. Of several readers, or writers, one is served at a time.
 *
 * Linux closes a file after all calls on it have returned, so whoever is in one need not be counted.
 */
#include "side.h"

#define LOOK_AGAIN_MS 1000 /* in case that nobody wakes us */

static bool begin(uint32_t *busy)
{
	return !__atomic_exchange_n(busy, 1, __ATOMIC_ACQUIRE);
}

static bool can_read(struct side_state *s)
{
	uint32_t len;

	return side_get(&s->gone) || (!side_get(&s->in_busy) && side_ring_next(&s->in, &len));
}

static bool can_write(struct side_state *s)
{
	return side_get(&s->gone) ||
	       (!side_get(&s->out_busy) && side_ring_room(&s->out, SIDE_MESSAGE_MAX));
}

/* Until @ready, or for a while. Return: 0; < 0 a signal came. */
static long wait_until(struct side_state *s, bool (*ready)(struct side_state *))
{
	uint64_t entry[SIDE_ROOM_WAIT_ENTRY / 8];
	long r;

	s->call.init_wait_entry(entry, 0);
	r = s->call.prepare_to_wait_event(s->wait_head, entry, TASK_INTERRUPTIBLE);
	if (!r && !ready(s))
		(void)s->call.schedule_timeout((long)s->call.__msecs_to_jiffies(LOOK_AGAIN_MS));
	s->call.finish_wait(s->wait_head, entry);
	return r;
}

static bool nonblocking(struct side_state *s, const void *file)
{
	return *(const uint32_t *)((const uint8_t *)file + s->at.file_flags) & O_NONBLOCK;
}

/* One message, if there is one and nobody else reads. */
static long try_read(struct side_state *s, char *to, size_t room)
{
	struct side_piece p[2];
	uint32_t len;
	long r;

	if (!begin(&s->in_busy))
		return -EAGAIN;
	r = side_ring_next(&s->in, &len);
	if (!r)
		r = side_get(&s->gone) ? 0 : -EAGAIN;
	else if (r < 0)
		r = -EIO;
	else if (len > room)
		r = -EMSGSIZE;
	else {
		side_ring_pieces(&s->in, len, p);
		if (s->call._copy_to_user(to, p[0].p, p[0].n) ||
		    (p[1].n && s->call._copy_to_user(to + p[0].n, p[1].p, p[1].n)))
			r = -EFAULT;
		else {
			if (side_ring_take(&s->in, len))
				side_bell_ring();
			r = len;
		}
	}
	side_set(&s->in_busy, 0);
	return r;
}

static long try_write(struct side_state *s, const char *from, uint32_t len)
{
	struct side_piece p[2];
	long r;

	if (side_get(&s->gone))
		return -EPIPE;
	if (!begin(&s->out_busy))
		return -EAGAIN;
	r = side_ring_room(&s->out, len);
	if (r > 0) {
		side_ring_pieces(&s->out, len, p);
		if (s->call._copy_from_user(p[0].p, from, p[0].n) ||
		    (p[1].n && s->call._copy_from_user(p[1].p, from + p[0].n, p[1].n)))
			r = -EFAULT;
		else {
			if (side_ring_put(&s->out, len))
				side_bell_ring();
			/* it looks more often then; it is there as long as the file is */
			if (!side_get(&s->rung))
				(void)s->call.wake_up_process(s->task);
			r = len;
		}
	} else
		r = r ? -EIO : -EAGAIN;
	side_set(&s->out_busy, 0);
	return r;
}

static long file_read(void *file, char *to, size_t n, long long *pos)
{
	struct side_state *s = side_state();
	long r;

	(void)pos;
	while ((r = try_read(s, to, n)) == -EAGAIN && !nonblocking(s, file)) {
		r = wait_until(s, can_read);
		if (r < 0)
			break;
	}
	return r;
}

static long file_write(void *file, const char *from, size_t n, long long *pos)
{
	struct side_state *s = side_state();
	long r;

	(void)pos;
	if (!n)
		return -EINVAL;
	if (n > SIDE_MESSAGE_MAX)
		return -EMSGSIZE;
	while ((r = try_write(s, from, (uint32_t)n)) == -EAGAIN && !nonblocking(s, file)) {
		r = wait_until(s, can_write);
		if (r < 0)
			break;
	}
	return r;
}

static unsigned int file_poll(void *file, void *table)
{
	struct side_state *s = side_state();
	unsigned int r = 0;
	void (*queue)(void *file, void *wq, void *table);

	queue = table ? (void (*)(void *, void *, void *))side_load(table, s->at.poll_qproc) : NULL;
	if (queue)
		queue(file, s->wait_head, table);
	if (can_read(s))
		r |= POLL_IN;
	if (can_write(s))
		r |= POLL_OUT;
	if (side_get(&s->gone))
		r |= POLL_HUP;
	return r;
}

/* What it returns is not looked at. The last thing is a jump into the kernel, which says that nobody is here any more. */
static void file_release(void *inode, void *file)
{
	struct side_state *s = side_state();

	(void)inode;
	/* its operations are looked at once more when we are not asked any longer */
	side_store(file, s->at.file_fops, (void *)(uintptr_t)s->other_fops);
	side_set(&s->closing, 1);
	(void)s->call.wake_up_process(s->task);
	s->call.complete(s->released);
}

bool side_file_open(void)
{
	const struct side_state *s = side_state();

	return side_get(&s->opened) && !side_completed(s->released);
}

void side_file_init(void)
{
	struct side_state *s = side_state();

	s->call.__init_waitqueue_head(s->wait_head, "vmsh", &s->lock_key);
	side_store(s->fops, s->at.fops_read, (const void *)file_read);
	side_store(s->fops, s->at.fops_write, (const void *)file_write);
	side_store(s->fops, s->at.fops_poll, (const void *)file_poll);
	side_store(s->fops, s->at.fops_release, (const void *)file_release);
}

void side_file_wake(void)
{
	struct side_state *s = side_state();

	s->call.__wake_up(s->wait_head, TASK_NORMAL, 0, NULL);
}
