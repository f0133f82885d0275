/* SPDX-License-Identifier: MIT */
/*
 * whiteout.c - names that take away what lower layers left (OCI image specification, "Whiteouts").
 *
 * ".wh.NAME" hides NAME; ".wh..wh..opq" hides all that its directory has. Other
 * ".wh..wh.*" are bookkeeping of the file system that the scheme comes from
 * (AUFS) and mean nothing here. What this layer itself made stays.
 */
#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "unpack_priv.h"

#define PREFIX ".wh."
#define META   ".wh..wh."
#define OPAQUE ".wh..wh..opq"

static const char *last_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool whiteout_is(const char *path)
{
	return !strncmp(last_name(path), PREFIX, strlen(PREFIX));
}

static bool made_by_this_layer(void *arg, const char *real)
{
	return seen_has(&((struct unpack *)arg)->seen, real);
}

static int hide_children(struct unpack *u, const struct tree_remove *ops)
{
	_cleanup_close_ int fd = tree_open_real(&u->tree, u->tree.parent.real);

	if (fd < 0)
		return fd;
	tar_path_copy(u->real, u->tree.parent.real);
	return tree_empty(fd, u->real, ops);
}

int whiteout_apply(struct unpack *u)
{
	const struct tree_remove ops = { .keep = made_by_this_layer,
					 .gone = unpack_dir_gone,
					 .arg = u };
	const char *name, *hidden;
	int r = unpack_open_parent(u, u->path, false, &name);

	if (r == -ENOENT || r == -ENOTDIR) /* nothing is there to be hidden */
		return 0;
	if (r < 0)
		return r;
	u->stale = true;
	if (!strcmp(name, OPAQUE))
		return hide_children(u, &ops);
	if (!strncmp(name, META, strlen(META)))
		return 0;
	hidden = name + strlen(PREFIX);
	if (!*hidden || !strcmp(hidden, ".") || !strcmp(hidden, ".."))
		return -EPROTO;
	r = tree_join(u->tree.parent.real, hidden, u->real);
	return r < 0 ? r : tree_remove(u->tree.parent.fd, hidden, u->real, &ops);
}
