/* SPDX-License-Identifier: MIT */
/*
 * attach_tree.h - the tree that is served to a guest: a copy of our mounts. Private to lib/attach.
 *
 * As for a container (lib/session/tools.h): without views of this kernel, without other containers' roots, without
 * set-user-ID programs and devices, and read-only unless asked otherwise. The copies are put together in a
 * mount namespace of their own, by a process between, for whoever has threads does not enter one.
 */
#ifndef ATTACH_TREE_H
#define ATTACH_TREE_H

#include <stdbool.h>

#include "attach.h"

struct attach_tree {
	int top;   /* its root, open for reading */
	int mntns; /* it lives as long as this is open */
	bool host; /* it is our own root */
};
#define ATTACH_TREE_INIT               \
	{                              \
		.top = -1, .mntns = -1 \
	}

/* Must be called with a single thread. Of @conf: @image, else @dir, and @writable. */
int attach_tree_open(const struct attach_conf *conf, struct attach_tree *ret, struct err *e)
	_must_check_;
void attach_tree_close(struct attach_tree *t);
#define _cleanup_attach_tree_ _cleanup_(attach_tree_close)

#endif
