/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "array.h"
#include "cleanup.h"
#include "vfs_sockets_private.h"

struct socket *sockets_find(struct vfs_sockets *s, uint64_t id)
{
	for (unsigned int i = 0; i < VFS_SOCKETS_MAX; i++) {
		if (s->socket[i].state != FREE && s->socket[i].id == id)
			return &s->socket[i];
	}
	return NULL;
}

void sockets_drop(struct socket *k)
{
	if (k->listener >= 0) {
		(void)shutdown(k->listener, SHUT_RDWR); /* the carrier has it, too */
		(void)close(k->listener);
	}
	closep(&k->behind);
	free(k->waiter);
	*k = (struct socket){ .behind = -1, .listener = -1 };
}

struct socket *sockets_place_for(struct vfs_sockets *s)
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
		sockets_drop(oldest);
	return oldest;
}

bool sockets_is_shut(const struct socket *k)
{
	struct pollfd p = { .fd = k->listener, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0 && p.revents & POLLRDHUP;
}

int sockets_wait_for(struct socket *k, struct fuse_chan *chan, uint64_t unique,
		     const struct fuse_entry_out *out)
{
	if (array_room(&k->waiter, &k->room, k->nwaiters + 1, sizeof(*k->waiter)) < 0)
		return -ENOMEM;
	k->waiter[k->nwaiters++] = (struct waiter){ chan, unique, *out };
	return 0;
}
