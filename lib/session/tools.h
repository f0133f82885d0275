/* SPDX-License-Identifier: MIT */
/*
 * tools.h - the tree that the fat tools come from, as detached mounts.
 *
 * Theory of operation
 *
 * The tree is cloned mount by mount, so that the host's /proc, cgroups and
 * other containers' roots stay out of it, and so that each mount can be idmapped by
 * itself. Every clone is nosuid and nodev (a set-user-ID program of the tools
 * must not be a way round the container's rights), read-only unless asked
 * otherwise, and a slave of its original: an unmount on the host reaches us.
 * Without the right to clone single mounts (a normal user in a user namespace:
 * they are locked together) the tree is cloned as one.
 *
 * Of /run only the symbolic links are taken. A read-only mount keeps nobody from
 * talking to a socket, and behind those of /run are the host's daemons.
 */
#ifndef SESSION_TOOLS_H
#define SESSION_TOOLS_H

#include <stdbool.h>

#include "cursor.h"
#include "err.h"

#define TOOLS_MOUNTS_MAX 128

/* Where the tree is: opened by the caller on the host, borrowed by tools_clone(). */
struct tools_src {
	int rootfd;      /* path descriptor of its root directory */
	int mntns;       /* the mount namespace it is in, or -1 for the caller's */
	char *mountinfo; /* of that namespace, paths relative to @prefix's root */
	size_t mountinfo_len;
	char *prefix; /* path of the tree's root in @mountinfo */
};
#define TOOLS_SRC_INIT                    \
	{                                 \
		.rootfd = -1, .mntns = -1 \
	}

/* A directory of the caller's own view. -ENOTDIR, -ENOENT, ... with a sentence. */
int tools_src_dir(const char *path, struct tools_src *ret, struct err *e) _must_check_;
/* The root of the process whose /proc directory is @procfd: another container's file system. */
int tools_src_process(int procfd, struct tools_src *ret, struct err *e) _must_check_;
void tools_src_fini(struct tools_src *s);

/* A view of a kernel, or of other containers' roots: no part of a tree that is served. */
bool tools_skips(struct span fstype);

struct tools_mount {
	int fd;     /* detached; -1: it is part of the first one */
	char *path; /* relative to the tree's root, "" for itself */
};

struct tools {
	struct tools_mount mount[TOOLS_MOUNTS_MAX]; /* parents before children */
	size_t n;
	bool owners_unmapped; /* the root could not be idmapped: owners appear as nobody */
};

/*
 * tools_clone() - Take the tree; the caller must have CAP_SYS_ADMIN over its mount namespace,
 * and be single-threaded.
 * @userns: map owners into this user namespace, or -1.
 */
int tools_clone(const struct tools_src *src, bool writable, int userns, struct tools *ret,
		struct err *e) _must_check_;
void tools_fini(struct tools *t);

/*
 * tools_attach() - Attach the tree on what @target (a path descriptor) refers to.
 *
 * A mount that has no place in it is left out.
 */
int tools_attach(const struct tools *t, int target) _must_check_;

#endif
