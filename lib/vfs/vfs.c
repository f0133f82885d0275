/* SPDX-License-Identifier: MIT */
#include "vfs_private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "ident.h"

/* For open files, channels, and whatever else there is. */
#define FDS_RESERVED 64

static uint32_t raise_limits(void)
{
	struct rlimit nofile = { 0 }, fsize;

	/* A limit on the size of files is the caller's, and the kernel applies it there. */
	if (getrlimit(RLIMIT_FSIZE, &fsize) == 0) {
		fsize.rlim_cur = fsize.rlim_max;
		(void)setrlimit(RLIMIT_FSIZE, &fsize);
	}
	(void)signal(SIGXFSZ, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &nofile) < 0)
		return FDS_RESERVED;
	nofile.rlim_cur = nofile.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &nofile);
	if (nofile.rlim_max > 1 << 20)
		return 1 << 19;
	return nofile.rlim_max > 2 * FDS_RESERVED ? (uint32_t)nofile.rlim_max / 2 : FDS_RESERVED;
}

int vfs_new(int root, const struct vfs_conf *conf, struct vfs **ret, struct err *e)
{
	uint32_t fds = raise_limits();
	struct vfs *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return err_set(e, ENOMEM, "out of memory");
	v->conf = *conf;
	if (v->conf.max_fds == 0)
		v->conf.max_fds = v->conf.share > 1 ? fds / v->conf.share : fds;
	if (v->conf.max_idle == 0)
		v->conf.max_idle = VFS_IDLE_DEFAULT;
	files_init(&v->files);
	v->files.max = conf->max_open;
	r = nodes_init(&v->nodes, root, v->conf.max_fds, v->conf.max_idle);
	if (r < 0) {
		vfs_free(v);
		return err_set(e, -r, "cannot use the directory: %s", err_str(r));
	}
	v->nodes.backing_close = vfs_pass_close;
	v->nodes.backing_arg = v;
	*ret = v;
	return 0;
}

void vfs_free(struct vfs *v)
{
	if (!v)
		return;
	files_fini(&v->files);
	nodes_fini(&v->nodes);
	free(v);
}

uint64_t vfs_flags(const struct vfs_conf *conf)
{
	uint64_t flags = FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_EXPORT_SUPPORT |
			 FUSE_BIG_WRITES | FUSE_DONT_MASK | FUSE_HAS_IOCTL_DIR |
			 FUSE_AUTO_INVAL_DATA | FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO |
			 FUSE_ASYNC_DIO | FUSE_PARALLEL_DIROPS | FUSE_POSIX_ACL | FUSE_ABORT_ERROR |
			 FUSE_CACHE_SYMLINKS | FUSE_HANDLE_KILLPRIV_V2 | FUSE_SETXATTR_EXT |
			 FUSE_DIRECT_IO_ALLOW_MMAP;

	/* What an open would have cut is cut by a message of its own, then. */
	if (conf->stateless)
		return (flags & ~(uint64_t)FUSE_ATOMIC_O_TRUNC) | FUSE_NO_OPEN_SUPPORT |
		       FUSE_NO_OPENDIR_SUPPORT;
	return flags | (conf->passthrough ? FUSE_PASSTHROUGH : 0);
}

struct vfs_times vfs_times(const struct vfs *v, bool top)
{
	if (top && atomic_load_explicit(&v->watched, memory_order_relaxed))
		return v->watched_times;
	return v->conf.times;
}

int vfs_become(const struct fuse_call *c, mode_t umask)
{
	return ident_become(c->req->h.uid, c->req->h.gid, umask);
}

int vfs_become_writer(const struct fuse_call *c)
{
	return ident_become_owner(c->req->h.uid, c->req->h.gid);
}

int vfs_again(void *fs, uint64_t nodeid)
{
	_cleanup_node_ struct node_ref n = { 0 };
	struct vfs *v = fs;
	int r = node_ref(&v->nodes, nodeid, &n);

	if (r == 0)
		(void)node_again(&n);
	return r;
}

int vfs_path(void *fs, uint64_t nodeid)
{
	_cleanup_node_ struct node_ref n = { 0 };
	struct vfs *v = fs;
	int r = node_ref(&v->nodes, nodeid, &n);

	if (r < 0)
		return r;
	r = fcntl(n.fd, F_DUPFD_CLOEXEC, 0);
	return r < 0 ? -errno : r;
}

void vfs_stats(struct vfs *v, struct vfs_stats *ret)
{
	pthread_mutex_lock(&v->nodes.lock);
	*ret = (struct vfs_stats){ v->nodes.live, v->nodes.length[NODE_LIST_IDLE], v->nodes.fds };
	pthread_mutex_unlock(&v->nodes.lock);
}

static void vfs_forget(void *fs, uint64_t nodeid, uint64_t nlookup)
{
	struct vfs *v = fs;

	nodes_forget(&v->nodes, nodeid, nlookup);
}

static void vfs_destroy(void *fs)
{
	struct vfs *v = fs;

	files_fini(&v->files);
	files_init(&v->files);
	nodes_reset(&v->nodes);
}

static int vfs_thread_start(void *fs)
{
	(void)fs;
	return ident_start();
}

/*
 * Without functions, so that the kernel does without the message: FLUSH and ACCESS, for nothing is to be
 * done; locks, which it keeps itself for all users of the mount; BMAP and POLL.
 */
const struct fuse_fs vfs_fs = {
	.op = {
		[FUSE_LOOKUP] = vfs_op_lookup,
		[FUSE_GETATTR] = vfs_op_getattr,
		[FUSE_STATX] = vfs_op_statx,
		[FUSE_SETATTR] = vfs_op_setattr,
		[FUSE_READLINK] = vfs_op_readlink,
		[FUSE_SYMLINK] = vfs_op_symlink,
		[FUSE_MKNOD] = vfs_op_mknod,
		[FUSE_MKDIR] = vfs_op_mkdir,
		[FUSE_UNLINK] = vfs_op_unlink,
		[FUSE_RMDIR] = vfs_op_rmdir,
		[FUSE_RENAME] = vfs_op_rename,
		[FUSE_RENAME2] = vfs_op_rename2,
		[FUSE_LINK] = vfs_op_link,
		[FUSE_OPEN] = vfs_op_open,
		[FUSE_CREATE] = vfs_op_create,
		[FUSE_TMPFILE] = vfs_op_tmpfile,
		[FUSE_RELEASE] = vfs_op_release,
		[FUSE_READ] = vfs_op_read,
		[FUSE_WRITE] = vfs_op_write,
		[FUSE_FSYNC] = vfs_op_fsync,
		[FUSE_FALLOCATE] = vfs_op_fallocate,
		[FUSE_LSEEK] = vfs_op_lseek,
		[FUSE_COPY_FILE_RANGE] = vfs_op_copy_file_range,
		[FUSE_COPY_FILE_RANGE_64] = vfs_op_copy_file_range_64,
		[FUSE_IOCTL] = vfs_op_ioctl,
		[FUSE_SETXATTR] = vfs_op_setxattr,
		[FUSE_GETXATTR] = vfs_op_getxattr,
		[FUSE_LISTXATTR] = vfs_op_listxattr,
		[FUSE_REMOVEXATTR] = vfs_op_removexattr,
		[FUSE_OPENDIR] = vfs_op_opendir,
		[FUSE_READDIR] = vfs_op_readdir,
		[FUSE_READDIRPLUS] = vfs_op_readdir,
		[FUSE_RELEASEDIR] = vfs_op_release,
		[FUSE_FSYNCDIR] = vfs_op_fsync,
		[FUSE_STATFS] = vfs_op_statfs,
		[FUSE_SYNCFS] = vfs_op_syncfs,
	},
	.forget = vfs_forget,
	.destroy = vfs_destroy,
	.thread_start = vfs_thread_start,
};
