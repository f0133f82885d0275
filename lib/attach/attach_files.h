/* SPDX-License-Identifier: MIT */
/*
 * attach_files.h - the tree of tools, served to a guest. Private to lib/attach.
 *
 * Theory of operation
 *
 * Requests come by the reader, have places in a queue, and are answered by threads of lib/fuse, with
 * the file system of lib/vfs. The guest is not trusted, and that the mount there is read-only
 * says nothing: read-only is what is served, a copy of our mounts (attach_tree.h).
 *
 * Whoever rules the guest's kernel can ask for any file of the tree. So of a tree that is the host's own root, these
 * threads have no rights but those that everybody has (ATTACH_PUBLIC): what is not for all users of the
 * host is not for the guest.
 */
#ifndef ATTACH_FILES_H
#define ATTACH_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "attach_link.h"
#include "err.h"

struct attach_files;

struct attach_files_conf {
	int tree;    /* its root, open for reading; borrowed */
	bool public; /* only what everybody may read */
};

/* Set @l->files. Threads begin with attach_files_start(). */
int attach_files_new(struct attach_link *l, const struct attach_files_conf *conf,
		     struct attach_files **ret, struct err *e) _must_check_;
int attach_files_start(struct attach_files *f, struct err *e) _must_check_;
/* Waits for the threads; the link is stopped. NULL is fine. */
void attach_files_free(struct attach_files *f);

/* A message with requests, of the reader's. -EPROTO: it is none, or there are more of them than places. */
int attach_files_take(struct attach_files *f, const struct wire_msg *m) _must_check_;

#endif
