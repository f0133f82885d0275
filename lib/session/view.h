/* SPDX-License-Identifier: MIT */
/*
 * view.h - what the attached command sees: tools at /, the container at its base directory.
 *
 * Theory of operation
 *
 * view_collect() runs inside the container's mount namespace and clones, as
 * detached mounts, its /proc and /sys and the few files of /etc that name its
 * users and its network. Then the caller unshares the mount namespace, and
 * view_build() puts together there:
 *
 *	/			the tools tree; with VIEW_UNION an overlay of
 *				the container's root over it, over a scratch layer
 *	/var/lib/cntr		the container's tree (view_opts.base)
 *	/proc /sys		the container's; fresh ones if it has none
 *	/dev			dev.h
 *	/run			the links of the tools' (tools.h)
 *	/tmp			a private tmpfs, if the tools are read-only
 *	/etc/passwd ...		the container's files
 *
 * and makes it the root. What the container's tree at the base directory is
 * made from depends. Mostly it is the very copy that unshare() made:
 * pivot_root(2) puts it there. Where that can't be (a target with a root of its own or in memory, a union, a tools
 * tree without the usual directories), it is a detached
 * clone, and the copy is dropped after the pivot, which waits for a grace period of RCU (1 ms).
 * All of it belongs to a mount namespace that nobody else is in: it goes when the last process goes.
 *
 * The container is hostile: nothing is looked up in it by a path that it could
 * turn elsewhere, and what is not of the expected kind counts as missing.
 */
#ifndef SESSION_VIEW_H
#define SESSION_VIEW_H

#include <stdbool.h>
#include <sys/types.h>

#include "dev.h"
#include "err.h"
#include "policy.h"
#include "tools.h"

enum view_kind {
	VIEW_BIND,
	VIEW_UNION,
	VIEW_FUSE /* as VIEW_BIND, but the tools tree is one mount that a server of ours answers for */
};

struct view_opts {
	enum view_kind kind;
	const char *base;            /* absolute, normalised, not "/" */
	bool merge;                  /* with VIEW_FUSE: the container's root over the tools tree */
	const struct policy *policy; /* with VIEW_FUSE: what is hidden; or NULL */
	bool writable;               /* the tools tree may be written */
	bool unmasked;               /* a /proc without the container's masks, for debuggers */
	uid_t uid;                   /* whom /etc/passwd shall know if the container has none */
	gid_t gid;
	const char *home;
};

#define VIEW_ETC_FILES 6

/* Of a process that ends in execve() or _exit(), which closes them. */
struct view_parts {
	int root;      /* the container's tree, recursive; -1: pivot_root(2) puts it there */
	int bare;      /* its root mount alone, for the union, or -1 */
	int proc, sys; /* or -1 */
	bool own_proc; /* proc is a fresh mount, without the masks of an engine */
	int etc[VIEW_ETC_FILES]; /* or -1 */
	char *mountinfo;         /* of the container, as its first process sees it; borrowed */
	size_t mountinfo_len;
	struct dev_parts dev;
};
#define VIEW_PARTS_INIT                                                                           \
	{                                                                                         \
		.root = -1, .bare = -1, .proc = -1, .sys = -1, .etc = { -1, -1, -1, -1, -1, -1 }, \
		.dev = DEV_PARTS_INIT                                                             \
	}

/*
 * view_prepare() - Make a fresh /proc and /sys if the container has none to take.
 *
 * Should: run in the container's pid and network namespaces, which they show, but not yet
 * in its user namespace, where the kernel refuses them (mount_too_revealing()).
 */
void view_prepare(const struct view_opts *opts, int rootfd, struct view_parts *p);

/*
 * view_collect() - Take the container's parts. @tools: what they will be combined with.
 *
 * Should: run in the container's mount, pid and user namespaces.
 * @rootfd: the root directory of its first process.
 */
int view_collect(const struct view_opts *opts, const struct tools *tools, int rootfd,
		 struct view_parts *p, struct err *e) _must_check_;

/*
 * view_build() - Put the view together and enter it.
 *
 * Should: run in a mount namespace of its own, whose propagation is cut off.
 * @ret_pts: the session's devpts, a path descriptor, the caller's.
 */
int view_build(const struct view_opts *opts, struct tools *tools, struct view_parts *p,
	       int *ret_pts, struct err *e) _must_check_;

#endif
