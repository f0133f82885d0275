/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "vfs"
#include "vfs_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "log.h"
#include "vfs_private.h"
#include "watch.h"

#define AGAIN_MAX 65536
#define NSEC      UINT64_C(1000000000)
#define MSEC      UINT64_C(1000000)

#define OF_NAMES (FAN_CREATE | FAN_DELETE | FAN_MOVED_FROM | FAN_MOVED_TO)
#define OF_INODE (FAN_ATTRIB | FAN_MODIFY | FAN_MOVE_SELF | FAN_DELETE_SELF)

struct vfs_watch {
	struct vfs *v;
	struct fuse_session *session;
	struct fuse_chan *chan;
	pid_t self;
	int events, stop;
	pthread_t thread;
	/* the thread's own: what is to be told again, the oldest first */
	struct {
		uint64_t id, due_ns;
	} again[AGAIN_MAX];
	unsigned int head, count;
	struct {
		_Atomic uint64_t events, own, told, again, lost;
	} n;
	_Alignas(8) uint8_t buf[65536];
};

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NSEC + (uint64_t)t.tv_nsec;
}

static void count(_Atomic uint64_t *n)
{
	atomic_fetch_add_explicit(n, 1, memory_order_relaxed);
}

/* --- attributes that are being set --- */

static _Atomic uint64_t *setting(struct vfs *v, uint64_t id)
{
	return &v->set_ns[(id ^ id >> 32) % ARRAY_SIZE(v->set_ns)];
}

void vfs_watch_setting(struct vfs *v, uint64_t id)
{
	if (atomic_load_explicit(&v->watched, memory_order_relaxed))
		atomic_store(setting(v, id), now_ns());
}

void vfs_watch_fresh(struct vfs *v, uint64_t id)
{
	if (atomic_load_explicit(&v->watched, memory_order_relaxed))
		nodes_set_fresh(&v->nodes, id, true);
}

static bool set_lately(struct vfs *v, uint64_t id)
{
	return atomic_load(setting(v, id)) + WATCH_AGAIN_NS > now_ns();
}

/* --- notifications --- */

static void tell_all(struct vfs_watch *w);

static void tell_again_later(struct vfs_watch *w, uint64_t id)
{
	if (w->count == AGAIN_MAX) {
		w->count = 0;
		tell_all(w);
		return;
	}
	w->again[(w->head + w->count) % AGAIN_MAX].id = id;
	w->again[(w->head + w->count++) % AGAIN_MAX].due_ns = now_ns() + WATCH_AGAIN_NS;
	count(&w->n.again);
}

/* Attributes, and with @off 0 data, too. */
static int tell_inode(struct vfs_watch *w, uint64_t id, int64_t off)
{
	count(&w->n.told);
	nodes_set_fresh(&w->v->nodes, id, false);
	return fuse_notify_inode(w->chan, id, off, 0);
}

static void tell_inode_once(struct vfs_watch *w, uint64_t id, int64_t off)
{
	if (tell_inode(w, id, off) == -ENOENT || set_lately(w->v, id))
		tell_again_later(w, id);
}

static void tell_name(struct vfs_watch *w, uint64_t dir, const char *name)
{
	count(&w->n.told);
	(void)fuse_notify_entry(w->chan, dir, name);
	/* Its list of names is data of the directory. */
	tell_inode_once(w, dir, 0);
}

static void tell_all(struct vfs_watch *w)
{
	uint32_t at = 0;
	uint64_t id;

	count(&w->n.lost);
	/* Without epochs names are not believed for long. */
	if (w->session->params.minor >= FUSE_MINOR_EPOCH)
		(void)fuse_notify_epoch(w->chan);
	while ((id = nodes_each(&w->v->nodes, &at)))
		(void)tell_inode(w, id, 0);
}

static void tell_due(struct vfs_watch *w)
{
	while (w->count && w->again[w->head].due_ns <= now_ns()) {
		uint64_t id = w->again[w->head].id;

		w->head = (w->head + 1) % AGAIN_MAX;
		w->count--;
		(void)tell_inode(w, id, 0);
		if (set_lately(w->v, id))
			tell_again_later(w, id);
	}
}

/* --- events --- */

static uint64_t node_of(struct vfs_watch *w, const struct watch_handle *h)
{
	return h->size ? nodes_by_handle(&w->v->nodes, h->type, h->bytes, h->size) : 0;
}

/* The peer knows what we did for it; but not that a file on one mount changed, when it asked on another. */
static bool is_ours(struct vfs_watch *w, const struct watch_event *ev)
{
	bool one;

	pthread_mutex_lock(&w->v->nodes.lock);
	one = w->v->nodes.nmounts == 1;
	pthread_mutex_unlock(&w->v->nodes.lock);
	return one && ev->pid == w->self;
}

static void handle(struct vfs_watch *w, const struct watch_event *ev)
{
	uint64_t id;

	if (ev->mask & FAN_Q_OVERFLOW) {
		log_limited("too many changes at one time: all is asked for again");
		tell_all(w);
		return;
	}
	if (is_ours(w, ev)) {
		count(&w->n.own);
		return;
	}
	count(&w->n.events);
	if (ev->mask & OF_NAMES && ev->name) {
		id = node_of(w, &ev->dir);
		if (id)
			tell_name(w, id, ev->name);
	}
	if (ev->mask & OF_INODE) {
		id = node_of(w, &ev->self);
		if (id)
			tell_inode_once(w, id, ev->mask & FAN_MODIFY ? 0 : -1);
	}
}

/* Return: 1 there were events; 0 there were none; -errno. */
static int drain(struct vfs_watch *w)
{
	for (int any = 0;; any = 1) {
		ssize_t n = read(w->events, w->buf, sizeof(w->buf));
		struct watch_event ev;
		size_t off = 0;
		int r;

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? any : -errno;
		while ((r = watch_next(w->buf, (size_t)n, &off, &ev)) > 0)
			handle(w, &ev);
		if (r < 0)
			return r;
	}
}

/* --- the thread --- */

static int timeout_ms(const struct vfs_watch *w)
{
	uint64_t now = now_ns(), due = w->count ? w->again[w->head].due_ns : 0;

	if (!w->count)
		return -1;
	return due > now ? (int)((due - now) / MSEC) + 1 : 0;
}

static void *watch_main(void *arg)
{
	const struct timespec rest = { .tv_nsec = WATCH_REST_NS };
	struct vfs_watch *w = arg;
	struct pollfd p[2] = { { .fd = w->events, .events = POLLIN },
			       { .fd = w->stop, .events = POLLIN } };
	int r = 0;

	while (!p[1].revents) {
		if (poll(p, 2, timeout_ms(w)) < 0 && errno != EINTR)
			break;
		tell_due(w);
		r = drain(w);
		if (r < 0)
			break;
		if (r > 0)
			(void)nanosleep(&rest, NULL);
	}
	if (!p[1].revents) {
		log_warn("cannot watch for changes any more: %s", err_str(r));
		atomic_store(&w->v->watched, false);
		tell_all(w);
	}
	return NULL;
}

static void watch_free(struct vfs_watch *w)
{
	if (w->events >= 0)
		(void)close(w->events);
	if (w->stop >= 0)
		(void)close(w->stop);
	free(w);
}

static int start(struct vfs_watch *w, int root)
{
	sigset_t all, old;
	int r;

	w->events = watch_open(root);
	if (w->events < 0)
		return w->events;
	w->stop = eventfd(0, EFD_CLOEXEC);
	if (w->stop < 0)
		return -errno;
	r = nodes_index_handles(&w->v->nodes);
	if (r < 0)
		return r;
	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&w->thread, NULL, watch_main, w);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -r;
}

/*
 * Without epochs names that were lost in an overflow could not be told. From Linux 6.19 on fuse_reverse_inval_entry()
 * does not wait for a lookup that is under way, nor does it take away a name that is known to be missing.
 */
static bool can_tell_names(const struct fuse_session *s)
{
	unsigned int major, minor;
	struct utsname u;

	return s->params.minor >= FUSE_MINOR_EPOCH && uname(&u) == 0 &&
	       sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
	       (major < 6 || (major == 6 && minor < 19));
}

int vfs_watch_start(struct vfs *v, int root, struct fuse_session *s, struct fuse_chan *chan,
		    const struct vfs_times *times, struct vfs_watch **ret)
{
	struct vfs_watch *w;
	int r;

	/* A node that is not found by its handle would not be told of. */
	if (!nodes_have_handles(&v->nodes))
		return -EOPNOTSUPP;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->v = v;
	w->session = s;
	w->chan = chan;
	w->self = getpid();
	w->events = w->stop = -1;
	v->watched_times = *times;
	if (!can_tell_names(s)) {
		v->watched_times.entry_ns = v->conf.times.entry_ns;
		v->watched_times.negative_ns = v->conf.times.negative_ns;
	}
	atomic_store(&v->watched, true);
	r = start(w, root);
	if (r < 0) {
		atomic_store(&v->watched, false);
		watch_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

void vfs_watch_stop(struct vfs_watch *w)
{
	if (!w)
		return;
	(void)eventfd_write(w->stop, 1);
	(void)pthread_join(w->thread, NULL);
	watch_free(w);
}

void vfs_watch_stats(const struct vfs_watch *w, struct vfs_watch_stats *ret)
{
	*ret = (struct vfs_watch_stats){ w->n.events, w->n.own, w->n.told, w->n.again, w->n.lost };
}
