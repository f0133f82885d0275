/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "fuse"
#include "fuse_serve.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "fuse_place.h"
#include "log.h"

#define PAGE 4096

struct thread {
	struct fuse_server *server;
	struct fuse_chan *chan;
	unsigned int index;
	pthread_t id;
	uint8_t *in, *out;
};

struct fuse_server {
	struct fuse_session *session;
	int done; /* eventfd */
	unsigned int n;
	struct thread thread[FUSE_WORKERS_MAX];
	struct fuse_place place[FUSE_WORKERS_MAX];
	struct fuse_places places;
};

static size_t out_room(const struct fuse_session *s)
{
	return s->conf.max_write > FUSE_OUT_MIN ? s->conf.max_write : FUSE_OUT_MIN;
}

static pid_t asker_of(const uint8_t *msg, size_t size)
{
	struct fuse_in_header h;

	if (size < sizeof(h))
		return 0;
	memcpy(&h, msg, sizeof(h));
	return h.pid <= INT32_MAX ? (pid_t)h.pid : 0;
}

static int handle_all(struct thread *t)
{
	struct fuse_session *s = t->server->session;
	struct fuse_place *place = &t->server->place[t->index];
	struct fuse_out out = { .buf = t->out, .room = out_room(s) };
	/* The data of a write begins on a page, as O_DIRECT wants it. */
	uint8_t *msg = t->in + PAGE - FUSE_WRITE_HEAD;
	size_t room = s->conf.max_write + PAGE;

	for (;;) {
		ssize_t n = t->chan->ops->receive(t->chan, msg, room);
		int r = (int)n;

		if (n == 0)
			return 0;
		if (n > 0) {
			fuse_place_begin(place);
			r = fuse_session_handle(s, t->chan, t->index, msg, (size_t)n, &out);
		}
		if (r < 0 && r != -EAGAIN)
			return r;
		if (n > 0)
			fuse_place_turn(place, asker_of(msg, (size_t)n));
	}
}

int fuse_serve_init(struct fuse_session *s, struct fuse_chan *c)
{
	_cleanup_free_ uint8_t *in = aligned_alloc(PAGE, s->conf.max_write + PAGE);
	_cleanup_free_ uint8_t *buf = aligned_alloc(PAGE, FUSE_OUT_MIN);
	struct fuse_out out = { .buf = buf, .room = FUSE_OUT_MIN };

	if (!in || !buf)
		return -ENOMEM;
	while (atomic_load(&s->state) != FUSE_STATE_RUNNING) {
		ssize_t n = c->ops->receive(c, in, s->conf.max_write + PAGE);
		int r = n == 0 ? -ECONNABORTED : (int)n;

		if (n > 0)
			r = fuse_session_handle(s, c, 0, in, (size_t)n, &out);
		if (r < 0 && r != -EAGAIN)
			return r;
	}
	return 0;
}

/*
 * The signal of an interrupt may come just before the system call that it is to end. So each thread has
 * a timer, by which the signal comes again until the request is over.
 */
#define AGAIN_NS 10000000

static _Thread_local struct fuse_worker *self;
static _Thread_local timer_t again;
static _Thread_local bool has_again;

static void interrupted(int sig)
{
	const struct itimerspec when = { .it_value.tv_nsec = AGAIN_NS };
	uint64_t unique = self ? atomic_load(&self->unique) : 0;
	int saved = errno;

	(void)sig;
	if (has_again && unique && unique == atomic_load(&self->interrupted))
		(void)timer_settime(again, 0, &when, NULL);
	errno = saved;
}

/* Without a timer the signal comes once. */
static void prepare_interrupts(struct fuse_worker *w)
{
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID,
			       .sigev_signo = FUSE_INTERRUPT_SIGNAL };
	sigset_t mask;

	ev._sigev_un._tid = gettid();
	has_again = timer_create(CLOCK_MONOTONIC, &ev, &again) == 0;
	self = w;
	sigemptyset(&mask);
	sigaddset(&mask, FUSE_INTERRUPT_SIGNAL);
	(void)pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
	w->thread = pthread_self();
	atomic_store(&w->live, true);
}

static void *thread_main(void *arg)
{
	struct thread *t = arg;
	struct fuse_session *s = t->server->session;
	struct fuse_place *place = &t->server->place[t->index];
	int r;

	prepare_interrupts(&s->worker[t->index]);
	r = s->fs->thread_start ? s->fs->thread_start(s->arg) : 0;
	if (r == 0) {
		fuse_place_take(place, !t->chan->ops->bound);
		r = handle_all(t);
		fuse_place_leave(place);
	}
	if (r < 0)
		log_error("a thread that serves ended: %s", err_str(r));
	(void)eventfd_write(t->server->done, 1);
	if (has_again)
		(void)timer_delete(again);
	return NULL;
}

static void server_free(struct fuse_server *v)
{
	if (!v)
		return;
	if (v->done >= 0)
		(void)close(v->done);
	for (unsigned int i = 0; i < FUSE_WORKERS_MAX; i++) {
		free(v->thread[i].in);
		free(v->thread[i].out);
	}
	free(v);
}

static struct fuse_server *server_new(struct fuse_session *s, struct fuse_chan **chan,
				      unsigned int n)
{
	struct fuse_server *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->session = s;
	v->done = eventfd(0, EFD_CLOEXEC);
	for (unsigned int i = 0; i < n; i++) {
		struct thread *t = &v->thread[i];

		*t = (struct thread){ v, chan[i], i };
		t->in = aligned_alloc(PAGE,
				      2 * PAGE + (s->conf.max_write + PAGE - 1) / PAGE * PAGE);
		t->out = aligned_alloc(PAGE, out_room(s));
		if (!t->in || !t->out || v->done < 0) {
			server_free(v);
			return NULL;
		}
	}
	return v;
}

int fuse_serve_start(struct fuse_session *s, struct fuse_chan **chan, unsigned int n,
		     struct fuse_server **ret, struct err *e)
{
	const struct sigaction sa = { .sa_handler = interrupted };
	struct fuse_server *v = server_new(s, chan, n);
	sigset_t all, old;
	int r = 0;

	if (!v)
		return err_set(e, ENOMEM, "out of memory");
	(void)sigaction(FUSE_INTERRUPT_SIGNAL, &sa, NULL);
	/* The signals of the process are for the one who called. */
	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	fuse_places_start(&v->places, v->place, n, s->conf.ordinary);
	for (v->n = 0; v->n < n && r == 0; v->n += !r)
		r = pthread_create(&v->thread[v->n].id, NULL, thread_main, &v->thread[v->n]);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	/* Fewer threads serve as well. */
	if (!v->n) {
		fuse_places_end(&v->places);
		server_free(v);
		return err_set(e, r, "cannot start a thread: %s", err_str(r));
	}
	*ret = v;
	return 0;
}

int fuse_serve_fd(const struct fuse_server *v)
{
	return v->done;
}

void fuse_serve_wait(struct fuse_server *v)
{
	if (!v)
		return;
	for (unsigned int i = 0; i < v->n; i++)
		(void)pthread_join(v->thread[i].id, NULL);
	for (unsigned int i = 0; i < v->n; i++)
		atomic_store(&v->session->worker[i].live, false);
	fuse_places_end(&v->places);
	fuse_session_end(v->session);
	server_free(v);
}
