/* SPDX-License-Identifier: MIT */
/*
 * view_server.h - the process that serves a view's trees through FUSE, for as long as the session lasts.
 *
 * Theory of operation
 *
 *	caller		forks the server before anything else, and gets a detached mount
 *	  server	has clones of the trees in a mount namespace that nobody else is in, answers
 *			on the host's side: its pid namespace and cgroup, no process of the
 *			container sees it
 *	    mounter	makes the file system inside the container's user namespace, and ends
 *
 * The container's kernel side has one thing of it, the mount. That belongs to the container's user
 * namespace, so owners are mapped by the kernel: whoever is user 0 in the tools tree is user 0 in there. The
 * mounter is no child of the container's, for its device cgroup may forbid /dev/fuse.
 *
 * The server dies with the caller (a death signal), and with the last of its mount. All descriptors of
 * the device are its own, so its death, however it comes, ends the connection: who waits gets ENOTCONN.
 *
 * A caller without rights on the host has a server that is root of the container's user namespace, with
 * the rights of that user on files.
 */
#ifndef SESSION_VIEW_SERVER_H
#define SESSION_VIEW_SERVER_H

#include "merge.h"
#include "session.h"

struct view_server {
	pid_t pid; /* 0: there is none */
	int pidfd;
	int sock;                  /* closed, when the view is over */
	int mount;                 /* detached; -1: it has been handed on */
	struct merge_stats *stats; /* of a merged view, shared with the server; or NULL */
};
#define VIEW_SERVER_INIT                             \
	{                                            \
		.pidfd = -1, .sock = -1, .mount = -1 \
	}

/* Start it for @s, which has a view of the kind VIEW_FUSE. Must be called with a single thread. */
int view_server_start(const struct session *s, struct view_server *ret, struct err *e) _must_check_;

/*
 * view_server_stop() - End it.
 *
 * @flush: wait for the end by itself, some seconds at most. It comes when nobody holds the mount any
 * more, and with it what was changed in a mapping of a file.
 */
void view_server_stop(struct view_server *v, bool flush);

#endif
