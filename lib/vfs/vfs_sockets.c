/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "sockets"
#include "vfs_sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "array.h"
#include "cleanup.h"
#include "forward_unix.h"
#include "log.h"
#include "sockproxy.h"

/* No node of a tree has it: index 0 is nobody's (nodes.h). */
#define PLACE_ID  (UINT64_C(1) << 32)
#define PLACE_INO UINT64_C(0x736f636b657473)
#define FOREVER_S (365u * 86400)
#define SWEEP_S   5

enum state {
	FREE,
	WANTED, /* the binder is still to be asked */
	ASKED,
	LIVE,
	INWARD /* the server is at the mount: @listener is bound behind */
};

struct waiter {
	struct fuse_chan *chan;
	uint64_t unique;
	struct fuse_entry_out out;
};

struct socket {
	uint64_t id; /* of the node */
	enum state state;
	int type;
	int behind;   /* a path descriptor of the socket of the tree */
	int listener; /* ours; shut down, when it is over */
	uint64_t used;
	bool told; /* of INWARD: the binder was */
	struct waiter *waiter;
	size_t nwaiters, room;
};

struct vfs_sockets {
	struct vfs_sockets_conf conf;
	struct sockproxy proxy; /* the one thread's, and what follows */
	int epoll, wake, timer;
	int mfd;
	char place[40];
	pthread_mutex_t lock; /* of what follows */
	bool over;
	uint64_t clock;
	struct socket socket[VFS_SOCKETS_MAX];
};

/* --- the table, under its lock --- */

static struct socket *find(struct vfs_sockets *s, uint64_t id)
{
	for (unsigned int i = 0; i < VFS_SOCKETS_MAX; i++) {
		if (s->socket[i].state != FREE && s->socket[i].id == id)
			return &s->socket[i];
	}
	return NULL;
}

/* Close a socket that nobody waits for. */
static void drop(struct socket *k)
{
	if (k->listener >= 0) {
		(void)shutdown(k->listener, SHUT_RDWR); /* the carrier has it, too */
		(void)close(k->listener);
	}
	closep(&k->behind);
	free(k->waiter);
	*k = (struct socket){ .behind = -1, .listener = -1 };
}

/* A free place, else that of the one that was not looked up for longest. NULL: all are being made. */
static struct socket *place_for(struct vfs_sockets *s)
{
	struct socket *oldest = NULL;

	for (unsigned int i = 0; i < VFS_SOCKETS_MAX; i++) {
		struct socket *k = &s->socket[i];

		if (k->state == FREE)
			return k;
		if (k->state == LIVE && (!oldest || k->used < oldest->used))
			oldest = k;
	}
	if (oldest)
		drop(oldest);
	return oldest;
}

/* The carrier shuts it down when it has found nobody behind. */
static bool is_shut(const struct socket *k)
{
	struct pollfd p = { .fd = k->listener, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0 && p.revents & POLLRDHUP;
}

static int wait_for(struct socket *k, const struct fuse_call *c, const struct fuse_entry_out *out)
{
	if (array_room(&k->waiter, &k->room, k->nwaiters + 1, sizeof(*k->waiter)) < 0)
		return -ENOMEM;
	k->waiter[k->nwaiters++] = (struct waiter){ c->chan, c->req->h.unique, *out };
	return 0;
}

int vfs_sockets_make(int dir, const char *name, mode_t mode, int *ret_sock)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_cleanup_close_ int sock = -1;

	*ret_sock = -1;
	/* The thread's working directory is where descriptors have names (ident.h). */
	if ((size_t)snprintf(a.sun_path, sizeof(a.sun_path), "%d/%s", dir, name) >=
	    sizeof(a.sun_path))
		return mknodat(dir, name, mode, 0) < 0 ? -errno : 0;
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* The mode of the socket is that of the node, less the umask. */
	if (sock < 0 || fchmod(sock, mode & ALLPERMS) < 0)
		return -errno;
	if (bind(sock, (const struct sockaddr *)&a, sizeof(a)) < 0)
		return errno == EADDRINUSE ? -EEXIST : -errno;
	*ret_sock = take_fd(&sock);
	return 0;
}

void vfs_sockets_made(struct vfs_sockets *s, const struct fuse_entry_out *out, int sock)
{
	static const struct fuse_req no_request;
	const struct fuse_call none = { .req = &no_request };
	struct socket *k;

	pthread_mutex_lock(&s->lock);
	k = s->over ? NULL : place_for(s);
	if (k) {
		*k = (struct socket){
			.id = out->nodeid, .state = INWARD, .listener = sock, .behind = -1
		};
		if (wait_for(k, &none, out) < 0)
			drop(k);
	} else {
		(void)close(sock);
	}
	pthread_mutex_unlock(&s->lock);
	(void)eventfd_write(s->wake, 1);
}

static int want(struct vfs_sockets *s, const struct fuse_call *c, int type, int fd,
		const struct fuse_entry_out *out)
{
	struct socket *k = place_for(s);

	if (!k)
		return 0;
	*k = (struct socket){ .id = out->nodeid, .state = FREE, .type = type, .listener = -1 };
	k->behind = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (k->behind < 0 || wait_for(k, c, out) < 0) {
		drop(k);
		return 0;
	}
	k->state = WANTED;
	(void)eventfd_write(s->wake, 1);
	return FUSE_LATER;
}

/* --- requests --- */

int vfs_sockets_found(struct vfs_sockets *s, const struct fuse_call *c, int fd,
		      const struct fuse_entry_out *out)
{
	int type = forward_unix_type(fd), r = 0;
	struct socket *k;

	pthread_mutex_lock(&s->lock);
	k = find(s, out->nodeid);
	if (k && ((k->state == LIVE && k->type != type) || (k->listener >= 0 && is_shut(k)))) {
		drop(k);
		k = NULL;
	}
	if (k && (k->state == LIVE || k->state == INWARD))
		k->used = ++s->clock;
	else if (k)
		r = wait_for(k, c, out) < 0 ? 0 : FUSE_LATER;
	else if (type > 0 && c->chan->ops->late && !s->over)
		r = want(s, c, type, fd, out);
	pthread_mutex_unlock(&s->lock);
	return r;
}

static void fill_place(struct fuse_attr *a)
{
	*a = (struct fuse_attr){
		.ino = PLACE_INO, .mode = S_IFDIR | 0700, .nlink = 2, .blksize = 4096
	};
}

/* The binder makes a node, or looks for one: it gets the one that the socket is for. */
static int bound(struct vfs_sockets *s, enum state state, int error, struct fuse_call *c)
{
	struct fuse_entry_out out;
	const struct socket *k;
	char *end;
	uint64_t id = strtoull(c->req->name[0], &end, 16);
	int r = error;

	pthread_mutex_lock(&s->lock);
	k = *end ? NULL : find(s, id);
	if (k && k->state == state) {
		out = k->waiter[0].out;
		r = s->conf.again(s->conf.fs, id);
	}
	pthread_mutex_unlock(&s->lock);
	if (r == 0)
		memcpy(fuse_out_add(&c->out, sizeof(out)), &out, sizeof(out));
	return r;
}

int vfs_sockets_op(struct vfs_sockets *s, struct fuse_call *c)
{
	uint64_t node = c->req->h.nodeid;
	struct fuse_entry_out entry = { .nodeid = PLACE_ID, .attr_valid = FOREVER_S };
	struct fuse_attr_out attr = { .attr_valid = FOREVER_S };

	switch (c->req->h.opcode) {
	case FUSE_LOOKUP:
		if (node == PLACE_ID)
			return bound(s, INWARD, -ENOENT, c);
		if (node != FUSE_ROOT_ID || strcmp(c->req->name[0], s->place) != 0)
			return 1;
		fill_place(&entry.attr);
		memcpy(fuse_out_add(&c->out, sizeof(entry)), &entry, sizeof(entry));
		return 0;
	case FUSE_MKNOD:
		return node == PLACE_ID ? bound(s, ASKED, -EACCES, c) : 1;
	case FUSE_GETATTR:
		if (node != PLACE_ID)
			return 1;
		fill_place(&attr.attr);
		memcpy(fuse_out_add(&c->out, sizeof(attr)), &attr, sizeof(attr));
		return 0;
	default:
		return 1;
	}
}

/* --- the one thread --- */

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
	k = find(s, id);
	if (k && k->state == INWARD) {
		if (failed)
			drop(k);
	} else if (k) {
		w = take_ptr(k->waiter);
		n = k->nwaiters;
		k->nwaiters = k->room = 0;
		k->state = LIVE;
		k->listener = listener;
		k->used = ++s->clock;
		if (failed || listener < 0)
			drop(k);
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

static int ask(struct vfs_sockets *s, uint64_t id, bool inwards, int type, int behind)
{
	struct sockproxy_job job = { .id = id, .type = type, .inwards = inwards };
	struct stat st;
	int r = find_place(s);

	if (r < 0)
		return r;
	if (inwards)
		return sockproxy_ask(&s->proxy, &job, behind);
	/* As its server shows itself, in all likelihood: it made the file. */
	if (fstat(behind, &st) < 0)
		return -errno;
	job.uid = st.st_uid;
	job.gid = st.st_gid;
	return sockproxy_ask(&s->proxy, &job, behind);
}

static void ask_for_all(struct vfs_sockets *s)
{
	for (unsigned int i = 0; i < VFS_SOCKETS_MAX; i++) {
		struct socket *k = &s->socket[i], now;
		bool inwards;
		int r;

		pthread_mutex_lock(&s->lock);
		now = *k;
		if (k->state == WANTED)
			k->state = ASKED;
		k->told = true;
		pthread_mutex_unlock(&s->lock);
		inwards = now.state == INWARD && !now.told;
		if (now.state != WANTED && !inwards)
			continue;
		/* Nobody but this thread takes it while it is new. */
		r = ask(s, now.id, inwards, now.type, inwards ? now.listener : now.behind);
		if (r < 0) {
			log_warn_limited("a socket cannot be connected to: %s", err_str(r));
			made(s, now.id, true, -1);
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
		    (k->listener >= 0 && is_shut(k)))
			drop(k);
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
			drop(k);
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

void vfs_sockets_init(struct vfs_sockets *s, const struct vfs_sockets_conf *conf)
{
	s->conf = *conf;
}

void vfs_sockets_free(struct vfs_sockets *s)
{
	if (!s)
		return;
	sockproxy_stop(&s->proxy);
	for (unsigned int i = 0; i < VFS_SOCKETS_MAX; i++) {
		if (s->socket[i].state != FREE)
			drop(&s->socket[i]);
	}
	closep(&s->epoll);
	closep(&s->wake);
	closep(&s->timer);
	closep(&s->mfd);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
