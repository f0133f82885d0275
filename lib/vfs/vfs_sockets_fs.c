/* SPDX-License-Identifier: MIT */
/* vfs_sockets_fs.c - what workers do: requests for the binder, lookups of sockets, and their making. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cleanup.h"
#include "forward_unix.h"
#include "vfs_sockets_private.h"

#define PLACE_INO UINT64_C(0x736f636b657473)
#define FOREVER_S (365u * 86400)

/* What vfs_sockets_make() has bound for the request of this thread. */
static _Thread_local int kept = -1;

/* --- the server is behind --- */

static int want(struct vfs_sockets *s, const struct fuse_call *c, int type, int fd,
		const struct fuse_entry_out *out)
{
	struct socket *k = sockets_place_for(s);

	if (!k)
		return 0;
	*k = (struct socket){ .id = out->nodeid, .state = FREE, .type = type, .listener = -1 };
	k->behind = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (k->behind < 0 || sockets_wait_for(k, c->chan, c->req->h.unique, out) < 0) {
		sockets_drop(k);
		return 0;
	}
	k->state = WANTED;
	(void)eventfd_write(s->wake, 1);
	return FUSE_LATER;
}

/*
 * A lookup, just counted, has met the socket of which @fd is a path descriptor; @out is the answer.
 * Return: 0, give it; FUSE_LATER, it will be given.
 */
static int met(struct vfs_sockets *s, const struct fuse_call *c, int fd,
	       const struct fuse_entry_out *out)
{
	int type = forward_unix_type(fd), r = 0;
	struct socket *k;

	pthread_mutex_lock(&s->lock);
	k = sockets_find(s, out->nodeid);
	if (k &&
	    ((k->state == LIVE && k->type != type) || (k->listener >= 0 && sockets_is_shut(k)))) {
		sockets_drop(k);
		k = NULL;
	}
	if (k && (k->state == LIVE || k->state == INWARD))
		k->used = ++s->clock;
	else if (k && fuse_chan_late(c->chan))
		r = sockets_wait_for(k, c->chan, c->req->h.unique, out) < 0 ? 0 : FUSE_LATER;
	else if (!k && type > 0 && fuse_chan_late(c->chan) && !s->over)
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
	k = *end ? NULL : sockets_find(s, id);
	if (k && k->state == state) {
		out = k->waiter[0].out;
		/* they were read when the socket was bound: it may have another mode or owner by now */
		out.attr_valid = out.attr_valid_nsec = 0;
		r = s->conf.again(s->conf.fs_arg, id);
	}
	pthread_mutex_unlock(&s->lock);
	if (r == 0)
		memcpy(fuse_out_add(&c->out, sizeof(out)), &out, sizeof(out));
	return r;
}

/* --- the server is at the mount --- */

int vfs_sockets_make(int dir, const char *name, mode_t mode)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_cleanup_close_ int sock = -1;

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
	kept = take_fd(&sock);
	return 0;
}

/* Those stay for as long as their server, and must leave room for others. */
static bool has_room_inward(const struct vfs_sockets *s)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < VFS_SOCKETS_MAX; i++)
		n += s->socket[i].state == INWARD;
	return n < VFS_SOCKETS_MAX / 2;
}

static void made_inward(struct vfs_sockets *s, const struct fuse_entry_out *out, int sock)
{
	struct socket *k;

	pthread_mutex_lock(&s->lock);
	k = s->over || !has_room_inward(s) ? NULL : sockets_place_for(s);
	if (k) {
		*k = (struct socket){
			.id = out->nodeid, .state = INWARD, .listener = sock, .behind = -1
		};
		if (sockets_wait_for(k, NULL, 0, out) < 0)
			sockets_drop(k);
	} else {
		(void)close(sock);
	}
	pthread_mutex_unlock(&s->lock);
	(void)eventfd_write(s->wake, 1);
}

/* --- requests --- */

/* Return: 1, it is not about the binder's directory; else as a fuse_op. */
static int answer(struct vfs_sockets *s, struct fuse_call *c)
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

static int looked_up(struct vfs_sockets *s, const struct fuse_call *c)
{
	_cleanup_close_ int fd = -1;
	struct fuse_entry_out out;

	memcpy(&out, c->out.buf, sizeof(out));
	if (!out.nodeid || !S_ISSOCK(out.attr.mode))
		return 0;
	fd = s->conf.path(s->conf.fs_arg, out.nodeid);
	return fd < 0 ? 0 : met(s, c, fd, &out);
}

static void made(struct vfs_sockets *s, const struct fuse_call *c, int error)
{
	_cleanup_close_ int sock = take_fd(&kept);
	struct fuse_entry_out out;

	if (error || sock < 0)
		return;
	memcpy(&out, c->out.buf, sizeof(out));
	made_inward(s, &out, take_fd(&sock));
}

static int any_op(void *fs, struct fuse_call *c)
{
	struct vfs_sockets *s = fs;
	int r = answer(s, c);

	if (r <= 0)
		return r;
	r = s->conf.fs->op[c->req->h.opcode](s->conf.fs_arg, c);
	if (c->req->h.opcode == FUSE_LOOKUP && r == 0)
		return looked_up(s, c);
	if (c->req->h.opcode == FUSE_MKNOD)
		made(s, c, r);
	return r;
}

static void forget(void *fs, uint64_t nodeid, uint64_t nlookup)
{
	const struct vfs_sockets *s = fs;

	if (nodeid != PLACE_ID)
		s->conf.fs->forget(s->conf.fs_arg, nodeid, nlookup);
}

static void destroy(void *fs)
{
	const struct vfs_sockets *s = fs;

	if (s->conf.fs->destroy)
		s->conf.fs->destroy(s->conf.fs_arg);
}

static int thread_start(void *fs)
{
	const struct vfs_sockets *s = fs;

	return s->conf.fs->thread_start ? s->conf.fs->thread_start(s->conf.fs_arg) : 0;
}

void sockets_fs_init(struct vfs_sockets *s)
{
	s->fs = (struct fuse_fs){ .forget = forget,
				  .destroy = destroy,
				  .thread_start = thread_start };
	/* What it can't do we can't either. */
	for (unsigned int i = 0; i < FUSE_OPCODES; i++)
		s->fs.op[i] = s->conf.fs->op[i] ? any_op : NULL;
}

const struct fuse_fs *vfs_sockets_fs(const struct vfs_sockets *s)
{
	return &s->fs;
}
