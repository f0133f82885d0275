/* SPDX-License-Identifier: MIT */
/*
 * vfs_stateless.c - files and directories that the peer opens without a word.
 *
 * Theory of operation
 *
 * The kernel asks to open, until it is answered ENOSYS once: then it does without, for the whole connection, and has pages
 * and lists of names in its caches for as long as nobody says that they are wrong. So whatever is in its memory is read
 * without a message. What is read then says which node it is of, and no open file.
 *
 * That is for trees that are not changed through the mount: nobody has to know who wrote, and with which rights. It rules
 * passthrough out, which is agreed on in an open.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vfs_private.h"

void vfs_stateless_dirs(struct vfs *v)
{
	v->stateless_dirs = v->conf.stateless;
}

bool vfs_is_stateless(const struct vfs *v, const struct fuse_call *c, bool dir)
{
	if (dir)
		return v->stateless_dirs && c->params->flags & FUSE_NO_OPENDIR_SUPPORT;
	return v->conf.stateless && c->params->flags & FUSE_NO_OPEN_SUPPORT;
}

struct file *vfs_file(struct vfs *v, const struct fuse_call *c, uint64_t fh, bool dir)
{
	_cleanup_node_ struct node_ref n = { 0 };
	struct file *f;
	int fd = -1;

	if (!vfs_is_stateless(v, c, dir))
		return file_get(&v->files, fh);
	if (node_ref(&v->nodes, c->req->h.nodeid, &n) < 0 ||
	    n.node->type != (dir ? S_IFDIR : S_IFREG) >> 12)
		return NULL;
	if (dir && (fd = node_open(&n, O_RDONLY | O_DIRECTORY)) < 0)
		return NULL;
	f = file_new(fd, &n, dir);
	if (!f && fd >= 0)
		(void)close(fd);
	return f;
}
