/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "attach"
#include "attach_link.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "attach_files.h"
#include "cleanup.h"
#include "log.h"

#define LOOK_MS 200 /* how often is looked whether it is over */
#define WOKEN_MS \
	2000 /* by one that is woken when it is: a wake-up costs a guest that has this processor, too */

static const unsigned int outs[] = { WIRE_STDOUT, WIRE_STDERR, WIRE_TERMINAL };

/* --- sending --- */

int attach_link_try(struct attach_link *l, const struct iovec *iov, int n)
{
	return l->chan->ops->send(l->chan, iov, n);
}

int attach_link_put(struct attach_link *l, const struct iovec *iov, int n)
{
	while (!atomic_load(&l->stop)) {
		int r = attach_link_try(l, iov, n);

		if (r != -EAGAIN)
			return r;
		(void)l->chan->ops->wait(l->chan, POLLOUT, LOOK_MS);
	}
	return -ECANCELED;
}

/* --- receiving --- */

static void wake(struct attach_link *l)
{
	(void)eventfd_write(l->wake, 1);
}

void attach_link_fail(struct attach_link *l, const struct err *e)
{
	pthread_mutex_lock(&l->lock);
	if (!l->in.error.code && !l->in.exited)
		l->in.error = *e;
	l->in.over = true;
	pthread_mutex_unlock(&l->lock);
	wake(l);
}

/* A sentence of the guest: for a terminal, once it is made harmless (attach.c). */
static void take_note(struct attach_inbox *in, const struct wire_msg *m)
{
	size_t room = sizeof(in->notes) - in->notes_len;
	size_t n = m->size < room ? m->size : room;

	memcpy(in->notes + in->notes_len, m->data, n);
	in->notes_len += n;
}

static void take_error(struct attach_inbox *in, const struct wire_msg *m)
{
	(void)err_set(&in->error, EIO, "%.*s", (int)m->size, (const char *)m->data);
	in->status = (int)m->value;
	in->exited = true;
}

static int take_credit(struct attach_inbox *in, const struct wire_msg *m)
{
	/* Nobody may get back more than a window at once; wire_tx_credit() looks again. */
	if (m->value > WIRE_WINDOW - in->credit[m->stream])
		return -EPROTO;
	in->credit[m->stream] += m->value;
	return 0;
}

static int take(struct attach_inbox *in, const struct wire_msg *m)
{
	switch (m->kind) {
	case WIRE_HELLO:
		if (m->value != WIRE_VERSION || in->hello)
			return -EPROTO;
		in->has_fuse = m->stream & WIRE_HAS_FUSE;
		in->has_type = m->stream & WIRE_HAS_TYPE;
		in->hello = true;
		return 0;
	case WIRE_READY:
		in->ready = true;
		return 0;
	case WIRE_DATA:
		return wire_rx_put(&in->rx[m->stream], m->data, m->size);
	case WIRE_CREDIT:
		return take_credit(in, m);
	case WIRE_NOTE:
		take_note(in, m);
		return 0;
	case WIRE_EXIT:
		in->status = (int)m->value;
		in->exited = true;
		return 0;
	case WIRE_ERROR:
		take_error(in, m);
		return 0;
	default:
		return m->kind == WIRE_PONG ? 0 : -EPROTO;
	}
}

/* Return: 1; 0, it was the last; -errno. */
static int take_message(struct attach_link *l, const void *buf, size_t size)
{
	struct attach_files *files = atomic_load(&l->files);
	struct wire_msg m;
	int r = wire_parse(buf, size, WIRE_TO_HOST, &m);

	if (r < 0)
		return r;
	if (m.kind == WIRE_FUSE) {
		r = files ? attach_files_take(files, &m) : -EPROTO;
		return r < 0 ? r : 1;
	}
	pthread_mutex_lock(&l->lock);
	r = take(&l->in, &m);
	r = r < 0 ? r : !l->in.exited;
	pthread_mutex_unlock(&l->lock);
	wake(l);
	return r;
}

static void say_end(struct attach_link *l, int r)
{
	struct err e = { 0 };

	if (!r)
		(void)err_set(&e, EPIPE, "the guest, or vmsh's program in it, has ended");
	else if (r == -EPROTO)
		(void)err_set(
			&e, EPROTO,
			"vmsh's program in the guest, or who poses as it, breaks the protocol");
	else
		(void)err_set(&e, -r, "the channel into the guest: %s", err_str(r));
	attach_link_fail(l, &e);
}

static void *reader_main(void *arg)
{
	static _Thread_local uint8_t buf[WIRE_MAX];
	struct attach_link *l = arg;

	while (!atomic_load(&l->stop)) {
		ssize_t n = l->chan->ops->receive(l->chan, buf, sizeof(buf));
		int r = n > 0 ? take_message(l, buf, (size_t)n) : (int)n;

		if (n > 0)
			atomic_store(&l->heard, true);
		if (n == -EAGAIN) {
			/* the wake-up may have been taken with what was received */
			if (!atomic_load(&l->stop))
				(void)l->chan->ops->wait(l->chan, POLLIN,
							 l->chan->ops->wake ? WOKEN_MS : LOOK_MS);
			continue;
		}
		if (r <= 0 && (n <= 0 || r < 0))
			say_end(l, r);
		if (r <= 0)
			break;
	}
	return NULL;
}

int attach_link_init(struct attach_link *l, struct attach_chan *c, struct err *e)
{
	memset(l, 0, sizeof(*l));
	l->chan = c;
	pthread_mutex_init(&l->lock, NULL);
	l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->wake < 0)
		return err_set(e, errno, "no eventfd: %s", err_str(errno));
	for (size_t i = 0; i < ARRAY_SIZE(outs); i++)
		if (wire_rx_init(&l->in.rx[outs[i]]) < 0)
			return err_set(e, ENOMEM, "no memory");
	return 0;
}

int attach_thread_start(pthread_t *ret, void *(*fn)(void *), void *arg, struct err *e)
{
	sigset_t all, old;
	int r;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(ret, NULL, fn, arg);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r ? err_set(e, r, "cannot start a thread: %s", err_str(r)) : 0;
}

int attach_link_start(struct attach_link *l, struct err *e)
{
	int r = attach_thread_start(&l->reader, reader_main, l, e);

	l->started = !r;
	return r;
}

void attach_link_stop(struct attach_link *l)
{
	atomic_store(&l->stop, true);
	if (l->chan->ops->wake)
		l->chan->ops->wake(l->chan);
	if (l->started)
		(void)pthread_join(l->reader, NULL);
	l->started = false;
}

void attach_link_fini(struct attach_link *l)
{
	for (size_t i = 0; i < ARRAY_SIZE(outs); i++)
		wire_rx_fini(&l->in.rx[outs[i]]);
	closep(&l->wake);
	pthread_mutex_destroy(&l->lock);
}
