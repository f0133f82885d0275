/* SPDX-License-Identifier: MIT */
#include "forward_unix.h"

#include <errno.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "cleanup.h"

#define GROUPS_MAX 256
#define BACKLOG    4096 /* the kernel's own limit is lower by default */
#define KEPT       ((uid_t)-1)

static int connect_to(int sock, int fd)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d", fd);
	return connect(sock, (const struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
}

/* Return: 1 a socket of @type listens; 0 none does; -EPROTOTYPE one of another type; -errno. */
static int ask(int fd, int type)
{
	int pair[2], r;

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	r = connect_to(pair[0], fd);
	(void)close(pair[0]);
	(void)close(pair[1]);
	/* It was found, and would have been connected to; or has its queue full. */
	if (r == -EISCONN || r == -EINVAL || r == -EAGAIN)
		return 1;
	return r == -ECONNREFUSED ? 0 : r;
}

int forward_unix_type(int fd)
{
	int r = ask(fd, SOCK_STREAM);

	if (r != -EPROTOTYPE)
		return r == 1 ? SOCK_STREAM : r;
	r = ask(fd, SOCK_SEQPACKET);
	if (r == -EPROTOTYPE)
		return 0;
	return r == 1 ? SOCK_SEQPACKET : r;
}

bool forward_unix_other(int fd, int type)
{
	return ask(fd, type) == -EPROTOTYPE;
}

/* --- in another's name: that of this one thread, so not by the C library --- */

struct name {
	uid_t uid;
	gid_t gid;
	gid_t groups[GROUPS_MAX];
	int ngroups; /* -1: unknown */
};

static void name_self(struct name *ret)
{
	ret->uid = geteuid();
	ret->gid = getegid();
	ret->ngroups = getgroups(GROUPS_MAX, ret->groups);
}

static int name_of(int client, struct name *ret)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(client, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	ret->uid = cred.uid;
	ret->gid = cred.gid;
	len = sizeof(ret->groups);
	ret->ngroups = 0; /* of one in more of them than we can hold: none */
	if (getsockopt(client, SOL_SOCKET, SO_PEERGROUPS, ret->groups, &len) == 0)
		ret->ngroups = (int)(len / sizeof(gid_t));
	return 0;
}

/* While it is ours nobody gets at us: the real and the saved user stay. */
static int become(const struct name *n)
{
	if (n->ngroups >= 0 && syscall(SYS_setgroups, n->ngroups, n->groups) < 0)
		return -errno;
	if (syscall(SYS_setresgid, KEPT, n->gid, KEPT) < 0 ||
	    syscall(SYS_setresuid, KEPT, n->uid, KEPT) < 0)
		return -errno;
	return 0;
}

/*
 * It can't fail, for the saved ids are ours; groups that could not be changed need not be changed back.
 * Return: @r, a descriptor or 0; or an error.
 */
static int become_again(struct name *self, int r)
{
	int error;

	if (self->ngroups >= 0)
		(void)syscall(SYS_setgroups, self->ngroups, self->groups);
	self->ngroups = -1;
	error = become(self);
	if (error < 0 && r > 0)
		(void)close(r);
	return error < 0 ? error : r;
}

int forward_unix_connect(int fd, int type)
{
	_cleanup_close_ int sock = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = sock < 0 ? -errno : connect_to(sock, fd);

	return r < 0 ? r : take_fd(&sock);
}

int forward_unix_dial(int fd, int type, int client)
{
	struct name self, him;
	int r = name_of(client, &him);

	if (r < 0)
		return r;
	name_self(&self);
	/* A user without rights can be nobody else, and need not. */
	if (him.uid == self.uid && him.gid == self.gid)
		return forward_unix_connect(fd, type);
	r = become(&him);
	if (r == 0)
		r = forward_unix_connect(fd, type);
	return become_again(&self, r);
}

int forward_unix_listen(int sock, uid_t uid, gid_t gid)
{
	struct name self, him = { .uid = uid, .gid = gid };
	int r;

	name_self(&self);
	/* Who is not allowed to be another is what clients see. */
	(void)!become(&him);
	r = listen(sock, BACKLOG) < 0 ? -errno : 0;
	return become_again(&self, r);
}

int forward_unix_bind(const char *path, int type, uid_t uid, gid_t gid)
{
	_cleanup_close_ int sock = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int r;

	if (sock < 0)
		return -errno;
	if (strlen(path) >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	memcpy(a.sun_path, path, strlen(path));
	if (bind(sock, (const struct sockaddr *)&a, sizeof(a)) < 0)
		return -errno;
	r = forward_unix_listen(sock, uid, gid);
	return r < 0 ? r : take_fd(&sock);
}

/* --- listeners --- */

struct unix_listener {
	struct forward_listener l;
	int target, type;
};

static int dial_unix(struct forward_listener *l, int client)
{
	const struct unix_listener *u = (const struct unix_listener *)l; /* its first member */
	int r = forward_unix_dial(u->target, u->type, client);

	/* Nobody is there any more: so shall we be. */
	if (r == -ECONNREFUSED && forward_unix_type(u->target) <= 0)
		(void)shutdown(l->fd, SHUT_RDWR);
	return r;
}

static void end_unix(struct forward_listener *l)
{
	struct unix_listener *u = (struct unix_listener *)l;

	(void)close(u->target);
	free(u);
}

struct forward_listener *forward_unix_new(int fd, int target, int type)
{
	struct unix_listener *u = calloc(1, sizeof(*u));

	if (!u) {
		(void)close(fd);
		(void)close(target);
		return NULL;
	}
	u->l = (struct forward_listener){
		.fd = fd, .dial = dial_unix, .end = end_unix, .packets = type == SOCK_SEQPACKET
	};
	u->target = target;
	u->type = type;
	return &u->l;
}

/* --- rights --- */

int forward_drop_caps(uint64_t keep)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	/* A change of the effective user must not touch them. One without rights has none to lose. */
	(void)prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0);
	if (syscall(SYS_capget, &h, data) < 0)
		return -errno;
	for (unsigned int i = 0; i < ARRAY_SIZE(data); i++) {
		data[i].permitted &= (uint32_t)(keep >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &h, data) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return 0;
}
