/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "sockets"
#include "vfs_sockets_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "forward_unix.h"
#include "log.h"

#define SWEEP_S 5

/* Answer who waits. The socket is there, or it cannot be had; what was looked up is there in any case. */
static void answer_all(const struct waiter *w, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct fuse_entry_out entry = w[i].out;
		const struct fuse_out out = { (uint8_t *)&entry, sizeof(entry), sizeof(entry) };

		(void)fuse_session_reply(w[i].chan, w[i].unique, 0, &out);
	}
}

/* @listener: -1, there is none, which is a failure but for an INWARD one. */
static void made(struct vfs_sockets *s, uint64_t id, bool failed, int listener)
{
	_cleanup_free_ struct waiter *w = NULL;
	size_t n = 0;
	struct socket *k;

	pthread_mutex_lock(&s->lock);
	k = sockets_find(s, id);
	if (k && k->state == INWARD) {
		if (failed)
			sockets_drop(k);
	} else if (k) {
		w = take_ptr(k->waiter);
		n = k->nwaiters;
		k->nwaiters = k->room = 0;
		k->state = LIVE;
		k->listener = listener;
		k->used = ++s->clock;
		if (failed || listener < 0)
			sockets_drop(k);
	}
	pthread_mutex_unlock(&s->lock);
	answer_all(w, n);
}

static int find_place(struct vfs_sockets *s)
{
	const struct itimerspec every = { { SWEEP_S, 0 }, { SWEEP_S, 0 } };

	if (s->mfd >= 0)
		return 0;
	s->mfd = s->conf.mount(s->conf.arg);
	if (s->mfd < 0)
		return s->mfd;
	(void)timerfd_settime(s->timer, 0, &every, NULL);
	return sockproxy_place(&s->proxy, s->mfd, s->place);
}

/* Return: 1 and a *@ret for the binder; 0, there is none. With @s->lock held. */
static int job_of(struct socket *k, struct sockproxy_job *ret, int *ret_fd)
{
	if (k->state != WANTED && (k->state != INWARD || k->told))
		return 0;
	*ret = (struct sockproxy_job){
		.id = k->id,
		.type = k->type,
		.inwards = k->state == INWARD,
		/* As its server shows itself, in all likelihood: it made the file. */
		.uid = k->waiter[0].out.attr.uid,
		.gid = k->waiter[0].out.attr.gid
	};
	*ret_fd = ret->inwards ? k->listener : k->behind;
	if (k->state == WANTED)
		k->state = ASKED;
	k->told = true;
	return 1;
}

static void ask_for_all(struct vfs_sockets *s)
{
	for (unsigned int i = 0; i < VFS_SOCKETS_MAX; i++) {
		struct sockproxy_job job;
		int fd, r;

		pthread_mutex_lock(&s->lock);
		r = job_of(&s->socket[i], &job, &fd);
		pthread_mutex_unlock(&s->lock);
		if (r == 0)
			continue;
		/* Nobody but this thread takes it while it is new. */
		r = find_place(s);
		if (r == 0)
			r = sockproxy_ask(&s->proxy, &job, fd);
		if (r < 0) {
			log_warn_limited("a socket cannot be connected to: %s", err_str(r));
			made(s, job.id, true, -1);
		}
	}
}

static void hear_all(struct vfs_sockets *s)
{
	struct sockproxy_answer a;
	int listener, r;

	while ((r = sockproxy_hear(&s->proxy, &a, &listener)) == 0) {
		if (a.error)
			log_warn_limited("a socket cannot be connected to: %s", err_str(a.error));
		made(s, a.id, a.error != 0, listener);
	}
	if (r != -EAGAIN) {
		log_warn("sockets can no longer be connected to: the process for them is gone");
		vfs_sockets_end(s);
	}
}

static void sweep(struct vfs_sockets *s)
{
	pthread_mutex_lock(&s->lock);
	for (unsigned int i = 0; i < VFS_SOCKETS_MAX; i++) {
		struct socket *k = &s->socket[i];

		if ((k->state == LIVE && forward_unix_type(k->behind) != k->type) ||
		    (k->listener >= 0 && sockets_is_shut(k)))
			sockets_drop(k);
	}
	pthread_mutex_unlock(&s->lock);
}

void vfs_sockets_handle(struct vfs_sockets *s)
{
	struct epoll_event ev[3];
	int n = epoll_wait(s->epoll, ev, ARRAY_SIZE(ev), 0);
	uint64_t count;

	for (int i = 0; i < n; i++) {
		if (ev[i].data.fd == s->wake && read(s->wake, &count, sizeof(count)) > 0)
			ask_for_all(s);
		else if (ev[i].data.fd == s->timer && read(s->timer, &count, sizeof(count)) > 0)
			sweep(s);
		else if (ev[i].data.fd == s->proxy.sock)
			hear_all(s);
	}
}

int vfs_sockets_fd(const struct vfs_sockets *s)
{
	return s->epoll;
}

bool vfs_sockets_hold(const struct vfs_sockets *s)
{
	return s->mfd >= 0;
}

void vfs_sockets_end(struct vfs_sockets *s)
{
	const struct itimerspec never = { 0 };

	pthread_mutex_lock(&s->lock);
	s->over = true;
	pthread_mutex_unlock(&s->lock);
	sockproxy_stop(&s->proxy);
	for (unsigned int i = 0; i < VFS_SOCKETS_MAX; i++) {
		struct socket *k = &s->socket[i];

		pthread_mutex_lock(&s->lock);
		if (k->state == LIVE || k->state == INWARD)
			sockets_drop(k);
		pthread_mutex_unlock(&s->lock);
		if (k->state != FREE)
			made(s, k->id, true, -1);
	}
	(void)timerfd_settime(s->timer, 0, &never, NULL);
	closep(&s->mfd);
	s->mfd = -1;
}

/* --- the whole --- */

static int watch(const struct vfs_sockets *s, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev);
}

int vfs_sockets_new(bool quiet, struct vfs_sockets **ret, struct err *e)
{
	struct vfs_sockets *s = calloc(1, sizeof(*s));
	uint64_t secret[2];
	int r;

	if (!s)
		return err_set(e, ENOMEM, "out of memory");
	pthread_mutex_init(&s->lock, NULL);
	s->mfd = -1;
	s->proxy = (struct sockproxy)SOCKPROXY_INIT;
	s->epoll = s->wake = s->timer = -1;
	for (unsigned int i = 0; i < VFS_SOCKETS_MAX; i++)
		s->socket[i] = (struct socket){ .behind = -1, .listener = -1 };
	r = sockproxy_start(&s->proxy, quiet, e);
	if (r == 0) {
		s->epoll = epoll_create1(EPOLL_CLOEXEC);
		s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	}
	if (r == 0 &&
	    (getrandom(secret, sizeof(secret), 0) != sizeof(secret) || watch(s, s->wake) < 0 ||
	     watch(s, s->timer) < 0 || watch(s, s->proxy.sock) < 0))
		r = err_set(e, errno, "preparing for sockets: %s", err_str(errno));
	if (r < 0) {
		vfs_sockets_free(s);
		return r;
	}
	(void)snprintf(s->place, sizeof(s->place), ".%016" PRIx64 "%016" PRIx64, secret[0],
		       secret[1]);
	*ret = s;
	return 0;
}

void vfs_sockets_fds(const struct vfs_sockets *s, int ret[VFS_SOCKETS_FDS])
{
	ret[0] = s->proxy.sock;
	ret[1] = s->epoll;
	ret[2] = s->wake;
	ret[3] = s->timer;
}

void vfs_sockets_init(struct vfs_sockets *s, const struct vfs_sockets_conf *conf)
{
	s->conf = *conf;
	sockets_fs_init(s);
}

void vfs_sockets_free(struct vfs_sockets *s)
{
	if (!s)
		return;
	sockproxy_stop(&s->proxy);
	for (unsigned int i = 0; i < VFS_SOCKETS_MAX; i++) {
		if (s->socket[i].state != FREE)
			sockets_drop(&s->socket[i]);
	}
	closep(&s->epoll);
	closep(&s->wake);
	closep(&s->timer);
	closep(&s->mfd);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
