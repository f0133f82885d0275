/* SPDX-License-Identifier: MIT */
/* vfs_xattr.c - extended attributes; access lists are two of them. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "vfs_private.h"

#define TRUSTED    "trusted."
#define CAPABILITY "security.capability"

_Static_assert(FUSE_OUT_MIN >= XATTR_SIZE_MAX, "any attribute fits into a reply");

/* A new access list takes the set-group-id bit, if its owner is not in the group; we hold CAP_FSETID. */
static int kill_sgid(const struct node_ref *n)
{
	struct stat st;

	if (fstatat(n->fd, "", &st, AT_EMPTY_PATH) < 0)
		return -errno;
	if (!(st.st_mode & S_ISGID))
		return 0;
	return fchmodat(AT_FDCWD, fd_name(n->fd).text, st.st_mode & 07777 & ~S_ISGID, 0) < 0
		       ? -errno
		       : 0;
}

int vfs_op_setxattr(void *fs, struct fuse_call *c)
{
	_cleanup_node_ struct node_ref n = { 0 };
	struct vfs *v = fs;
	const struct fuse_setxattr_in *in = &c->req->in.setxattr;
	int r = node_ref(&v->nodes, c->req->h.nodeid, &n);

	if (r < 0)
		return r;
	nodes_set_fresh(&v->nodes, c->req->h.nodeid, false);
	if (setxattr(fd_name(n.fd).text, c->req->name[0], c->req->data.p, c->req->data.len,
		     (int)in->flags) < 0)
		return -errno;
	return in->setxattr_flags & FUSE_SETXATTR_ACL_KILL_SGID ? kill_sgid(&n) : 0;
}

/* The answer to a question of @asked bytes, when the value of @n is at the start of the reply. */
static int reply_sized(struct fuse_call *c, uint32_t asked, ssize_t n)
{
	struct fuse_getxattr_out *out;

	if (n < 0)
		return -errno;
	if (asked == 0) {
		out = fuse_out_add(&c->out, sizeof(*out));
		out->size = (uint32_t)n;
		return 0;
	}
	if ((size_t)n > asked)
		return -ERANGE;
	c->out.size = (size_t)n;
	return 0;
}

int vfs_op_getxattr(void *fs, struct fuse_call *c)
{
	_cleanup_node_ struct node_ref n = { 0 };
	struct vfs *v = fs;
	int r;

	/* The kernel asks before it writes to a file for the first time. */
	if (strcmp(c->req->name[0], CAPABILITY) == 0 && nodes_is_fresh(&v->nodes, c->req->h.nodeid))
		return -ENODATA;
	r = node_ref(&v->nodes, c->req->h.nodeid, &n);
	if (r < 0)
		return r;
	return reply_sized(c, c->req->in.getxattr.size,
			   getxattr(fd_name(n.fd).text, c->req->name[0], c->out.buf, FUSE_OUT_MIN));
}

/* Only root sees that there are such names; we do, whoever asks. */
static ssize_t hide_trusted(char *list, ssize_t size)
{
	char *to = list;

	for (const char *p = list; p < list + size;) {
		size_t len = strlen(p) + 1;

		if (strncmp(p, TRUSTED, strlen(TRUSTED)) != 0) {
			memmove(to, p, len);
			to += len;
		}
		p += len;
	}
	return to - list;
}

int vfs_op_listxattr(void *fs, struct fuse_call *c)
{
	_cleanup_node_ struct node_ref n = { 0 };
	struct vfs *v = fs;
	int r = node_ref(&v->nodes, c->req->h.nodeid, &n);
	ssize_t size;

	if (r < 0)
		return r;
	size = listxattr(fd_name(n.fd).text, (char *)c->out.buf, FUSE_OUT_MIN);
	if (size > 0 && c->req->h.uid != 0)
		size = hide_trusted((char *)c->out.buf, size);
	return reply_sized(c, c->req->in.getxattr.size, size);
}

int vfs_op_removexattr(void *fs, struct fuse_call *c)
{
	_cleanup_node_ struct node_ref n = { 0 };
	struct vfs *v = fs;
	int r = node_ref(&v->nodes, c->req->h.nodeid, &n);

	if (r < 0)
		return r;
	return removexattr(fd_name(n.fd).text, c->req->name[0]) < 0 ? -errno : 0;
}
