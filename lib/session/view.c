/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "view"
#include "view.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cleanup.h"
#include "enter.h"
#include "io.h"
#include "log.h"
#include "mnt.h"
#include "mountinfo.h"
#include "scaffold.h"
#include "view_union.h"

#define DROP_MAX 8 /* mounts stacked on the old root: 3 at most are ours */

/* Who the users are and what the network is: the container's, never the tools'. */
static const struct etc_file {
	const char *path;
	enum {
		ETC_EMPTY,
		ETC_PASSWD,
		ETC_GROUP
	} without; /* what stands there if it has none */
} etc_files[VIEW_ETC_FILES] = {
	{ "etc/passwd", ETC_PASSWD },  { "etc/group", ETC_GROUP },
	{ "etc/hosts", ETC_EMPTY },    { "etc/resolv.conf", ETC_EMPTY },
	{ "etc/hostname", ETC_EMPTY }, { "etc/localtime", ETC_EMPTY },
};

/* What runc and crun mask or protect in a container's /proc (OCI runtime specification, Linux). */
static const char *const proc_readonly[] = { "bus", "fs", "irq", "sys", "sysrq-trigger" };
static const char *const proc_masked[] = { "kcore", "keys", "timer_list", "sched_debug", "kmsg" };

/* Is @fd the root of a procfs of the pid namespace that we are in? */
static bool is_our_proc(int fd)
{
	_cleanup_free_ char *self = NULL;
	char pid[16];

	(void)snprintf(pid, sizeof(pid), "%d", getpid());
	return mnt_is_root_of(fd, PROC_SUPER_MAGIC) && !io_readlink_at(fd, "self", &self) &&
	       !strcmp(self, pid);
}

/* Path descriptors of the container's own, or -1 if they are missing or something else. */
static int open_proc(int rootfd)
{
	_cleanup_close_ int fd = mnt_open_nolink(rootfd, "proc", O_PATH | O_DIRECTORY);

	return fd >= 0 && is_our_proc(fd) ? take_fd(&fd) : -1;
}

static int open_sys(int rootfd)
{
	_cleanup_close_ int fd = mnt_open_nolink(rootfd, "sys", O_PATH | O_DIRECTORY);

	return fd >= 0 && mnt_is_root_of(fd, SYSFS_MAGIC) ? take_fd(&fd) : -1;
}

static int new_pseudo(const char *type, unsigned int attrs)
{
	int mfd = mnt_new(type, NULL,
			  attrs | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);

	if (mfd < 0)
		log_warn("the %s has no /%s, and none can be mounted for it: %s", ns_words.what,
			 !strcmp(type, "proc") ? "proc" : "sys", err_str(mfd));
	return mfd;
}

void view_prepare(const struct view_opts *opts, int rootfd, struct view_parts *p)
{
	_cleanup_close_ int proc = opts->unmasked ? -1 : open_proc(rootfd);
	_cleanup_close_ int sys = open_sys(rootfd);

	if (proc < 0)
		p->proc = new_pseudo("proc", 0);
	p->own_proc = proc < 0;
	if (sys < 0)
		p->sys = new_pseudo("sysfs", MOUNT_ATTR_RDONLY);
}

static void take_pseudo(int rootfd, struct view_parts *p)
{
	_cleanup_close_ int proc = open_proc(rootfd), sys = open_sys(rootfd);

	if (proc >= 0 && !p->own_proc)
		p->proc = mnt_clone(proc, true, MS_PRIVATE);
	if (sys >= 0 && p->sys < 0)
		p->sys = mnt_clone(sys, true, MS_PRIVATE);
}

static bool is_dir(int rootfd, const char *path)
{
	_cleanup_close_ int fd = mnt_open_nolink(rootfd, path, O_PATH | O_DIRECTORY);

	return fd >= 0;
}

/* A path that leads nowhere yet has none in what is there of it. */
static bool has_link(int rootfd, const char *path)
{
	_cleanup_close_ int fd = mnt_open_nolink(rootfd, path, O_PATH);

	return fd < 0 && fd != -ENOENT;
}

static int take_file(int rootfd, const char *path)
{
	_cleanup_close_ int fd = mnt_open_in(rootfd, path, O_PATH);
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		log_info("/%s of the %s is not a regular file; it counts as missing", path,
			 ns_words.what);
		return -1;
	}
	return mnt_clone(fd, false, MS_PRIVATE);
}

/* Is @rootfd the root of the mount namespace that we are in? */
static bool is_ns_root(int rootfd)
{
	struct statx a, b;

	/* STATX_MNT_ID is of Linux 5.8; on older ones the clone will do. */
	return statx(rootfd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &a) == 0 &&
	       statx(AT_FDCWD, "/", 0, STATX_INO | STATX_MNT_ID, &b) == 0 &&
	       a.stx_mask & b.stx_mask & STATX_MNT_ID && a.stx_mnt_id == b.stx_mnt_id &&
	       a.stx_ino == b.stx_ino;
}

/* The first root of a kernel cannot be moved; of its kind of file system there are others, which take a clone as well. */
static bool may_be_initramfs(int rootfd)
{
	struct statfs fs;

	return fstatfs(rootfd, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

/*
 * Can pivot_root(2) put the old root at the base directory? The new root must
 * be the tools' own, not a scaffold over it, and the kernel resolves the path of the base
 * directory in the *old* root, so no symbolic link may be on it.
 */
static bool can_pivot(const struct view_opts *opts, const struct tools *tools, int rootfd)
{
	static const char *const dirs[] = { "proc", "sys", "dev", "tmp", "etc" };
	int top = tools->mount[0].fd;
	char first[NAME_MAX + 1];

	if (opts->kind == VIEW_UNION || !is_ns_root(rootfd) || may_be_initramfs(rootfd))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (!is_dir(top, dirs[i]))
			return false;
	(void)snprintf(first, sizeof(first), "%.*s", (int)strcspn(opts->base + 1, "/"),
		       opts->base + 1);
	if (!is_dir(top, first))
		return false;
	for (size_t i = 1; i < tools->n; i++)
		if (path_below(opts->base + 1, tools->mount[i].path))
			return false;
	return !has_link(top, opts->base);
}

static int take_root(const struct view_opts *opts, const struct tools *tools, int rootfd,
		     struct view_parts *p, struct err *e)
{
	struct stat st;

	if (can_pivot(opts, tools, rootfd))
		return 0;
	if (fstat(rootfd, &st) == 0 && !st.st_nlink)
		return err_set(e, ENOENT, "the %s's root directory has been deleted",
			       ns_words.what);
	p->root = mnt_clone(rootfd, true, MS_SLAVE); /* its mounts reach us, ours never it */
	if (p->root == -EINVAL)
		return err_set(e, EINVAL, "the %s's root is not mounted any more; '%s' may do",
			       ns_words.what, ns_words.bare);
	if (p->root < 0)
		return err_set(e, -p->root, "cloning the %s's tree: %s", ns_words.what,
			       err_str(p->root));
	if (opts->kind != VIEW_UNION)
		return 0;
	p->bare = mnt_clone(rootfd, false, MS_PRIVATE);
	if (p->bare < 0)
		return err_set(e, -p->bare,
			       "--view union cannot take the container's root apart from the "
			       "mounts below it, which are locked; use --view bind");
	return 0;
}

int view_collect(const struct view_opts *opts, const struct tools *tools, int rootfd,
		 struct view_parts *p, struct err *e)
{
	int r = take_root(opts, tools, rootfd, p, e);

	if (r < 0)
		return r;
	take_pseudo(rootfd, p);
	for (size_t i = 0; i < VIEW_ETC_FILES; i++)
		p->etc[i] = take_file(rootfd, etc_files[i].path);
	dev_take_container(&p->dev, rootfd);
	return 0;
}

/* No program of ours needs to see them, and a container without /proc has not been given them. */
static void mask_proc(int viewfd, int dev)
{
	char path[64];

	for (size_t i = 0; i < ARRAY_SIZE(proc_readonly); i++) {
		_cleanup_close_ int fd = -1, mfd = -1;

		(void)snprintf(path, sizeof(path), "proc/%s", proc_readonly[i]);
		fd = mnt_open_nolink(viewfd, path, O_PATH);
		mfd = fd < 0 ? -1 : mnt_clone(fd, false, MS_PRIVATE);
		if (mfd >= 0 && !mnt_set(mfd, MOUNT_ATTR_RDONLY, 0, false))
			(void)!mnt_attach(mfd, fd);
	}
	for (size_t i = 0; i < ARRAY_SIZE(proc_masked); i++) {
		_cleanup_close_ int null = mnt_open_nolink(dev, "null", O_PATH), mfd = -1;

		(void)snprintf(path, sizeof(path), "proc/%s", proc_masked[i]);
		mfd = null < 0 ? -1 : mnt_clone(null, false, MS_PRIVATE);
		if (mfd >= 0)
			(void)!mnt_attach_at(mfd, viewfd, path);
	}
}

/* What could not be had is an empty directory: nothing of the host may show there. */
static int attach_or_hide(int mfd, int viewfd, const char *path)
{
	_cleanup_close_ int empty = -1;

	if (mfd < 0)
		mfd = empty = mnt_new("tmpfs", NULL, MOUNT_ATTR_RDONLY);
	return mfd < 0 ? mfd : mnt_attach_at(mfd, viewfd, path);
}

static int add_proc_sys(const struct view_opts *opts, const struct view_parts *p, int viewfd,
			int dev)
{
	int r = attach_or_hide(p->proc, viewfd, "proc");

	if (!r && p->proc >= 0 && p->own_proc && !opts->unmasked)
		mask_proc(viewfd, dev);
	return r < 0 ? r : attach_or_hide(p->sys, viewfd, "sys");
}

static int etc_text(const struct view_opts *opts, const struct etc_file *f, char *buf, size_t size)
{
	const char *name = opts->uid ? "user" : "root";

	if (f->without == ETC_PASSWD)
		return snprintf(buf, size, "%s:x:%u:%u::%s:/bin/sh\n", name, opts->uid, opts->gid,
				opts->home);
	if (f->without == ETC_GROUP)
		return snprintf(buf, size, "%s:x:%u:\n", opts->gid ? "user" : "root", opts->gid);
	return 0;
}

/* A file in our /dev, to be bound in the place of a missing one; its name is removed after that. */
static int make_file(const struct view_opts *opts, const struct etc_file *f, int dev)
{
	_cleanup_close_ int fd = openat(dev, ".etc", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	char text[PATH_MAX + 128];
	int n = etc_text(opts, f, text, sizeof(text));
	int r = fd < 0 ? -errno : io_write_all(fd, text, (size_t)n);

	return r < 0 ? r : mnt_clone(fd, false, MS_PRIVATE);
}

static bool exists(int rootfd, const char *path)
{
	_cleanup_close_ int fd = mnt_open_in(rootfd, path, O_PATH | O_NOFOLLOW);

	return fd >= 0;
}

static int add_etc(const struct view_opts *opts, const struct view_parts *p, struct scaffold *s,
		   int dev, struct err *e)
{
	for (size_t i = 0; i < VIEW_ETC_FILES; i++) {
		const struct etc_file *f = &etc_files[i];
		_cleanup_close_ int made = -1;
		int r, mfd = p->etc[i];

		if (mfd >= 0 && opts->merge)
			continue; /* it is there, and can be replaced */
		if (mfd < 0 && f->without == ETC_EMPTY && !exists(s->rootfd, f->path))
			continue;
		if (mfd < 0)
			mfd = made = make_file(opts, f, dev);
		if (mfd < 0)
			return err_set(e, -mfd, "making /%s: %s", f->path, err_str(mfd));
		r = scaffold_point(s, f->path, false, e);
		if (r < 0)
			return r;
		r = mnt_attach_at(mfd, s->rootfd, f->path);
		if (made >= 0)
			(void)unlinkat(dev, ".etc", 0);
		if (r < 0)
			return err_set(e, -r, "mounting the %s's /%s: %s", ns_words.what, f->path,
				       err_str(r));
	}
	return 0;
}

static int add_tmp(const struct scaffold *s)
{
	static const struct mnt_param params[] = { { "mode", "1777" }, { 0 } };
	_cleanup_close_ int mfd = mnt_new("tmpfs", params, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);

	return mfd < 0 ? mfd : mnt_attach_at(mfd, s->rootfd, "tmp");
}

static int add_points(const struct view_opts *opts, struct scaffold *s, bool tmp, struct err *e)
{
	static const char *const dirs[] = { "proc", "sys", "dev", "tmp" };
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(dirs) - !tmp; i++)
		r = scaffold_point(s, dirs[i], true, e);
	return r < 0 ? r : scaffold_point(s, opts->base, true, e);
}

/* The tools, on top of the root that came with unshare(). */
static int attach_tools(struct tools *tools, int *ret_root, struct err *e)
{
	_cleanup_close_ int old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = tools_attach(tools, old);

	if (r < 0)
		return err_set(e, -r, "mounting the tools tree: %s", err_str(r));
	*ret_root = mnt_open_in(tools->mount[0].fd, "/", O_PATH | O_DIRECTORY);
	if (*ret_root < 0)
		return err_set(e, -*ret_root, "opening the tools tree: %s", err_str(*ret_root));
	return 0;
}

/*
 * After pivot_root(".", ".") the old root lies on top of the new one, and on it what
 * the view was built from (a stage, or tools below a scaffold): the topmost goes first.
 */
static int drop_root(int old, struct err *e)
{
	int n = 0;

	if (fchdir(old) < 0)
		return err_set(e, errno, "leaving the old root: %s", err_str(errno));
	while (n < DROP_MAX && umount2(".", MNT_DETACH) == 0)
		n++;
	if (!n || chdir("/") < 0)
		return err_set(e, errno, "dropping the old root: %s", err_str(errno));
	return 0;
}

/* The new root is @fd; the old one goes to @base in it, or is dropped. */
static int pivot(int fd, const char *base, struct err *e)
{
	_cleanup_close_ int old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (old < 0 || fchdir(fd) < 0)
		return err_set(e, errno, "entering the view: %s", err_str(errno));
	if (syscall(SYS_pivot_root, ".", base ? base + 1 : ".") < 0) {
		/* The root of a container that was started from an initramfs cannot be moved. */
		if (base)
			return err_set(e, errno, "pivot_root: %s", err_str(errno));
		log_info("pivot_root: %s; using chroot", err_str(errno));
		return chroot(".") < 0 ? err_set(e, errno, "entering the view: %s", err_str(errno))
				       : 0;
	}
	if (base)
		return chdir("/") < 0 ? err_set(e, errno, "entering the view") : 0;
	return drop_root(old, e);
}

static int fill(const struct view_opts *opts, struct view_parts *p, struct scaffold *s,
		int *ret_pts, struct err *e)
{
	bool tmp = opts->kind != VIEW_UNION && !opts->merge && !opts->writable;
	_cleanup_close_ int dev = -1;
	int r = add_points(opts, s, tmp, e);

	if (r < 0)
		return r;
	if (p->root >= 0)
		r = mnt_attach_at(p->root, s->rootfd, opts->base);
	if (r < 0)
		return err_set(e, -r, "mounting the %s's tree at '%s': %s", ns_words.what,
			       opts->base, err_str(r));
	if (opts->kind == VIEW_UNION)
		r = union_add_mounts(s->rootfd, opts->base, p->mountinfo, p->mountinfo_len, e);
	if (r < 0)
		return r;
	r = dev_build(&p->dev, s->rootfd, opts->base, &dev, ret_pts, e);
	if (r < 0)
		return r;
	r = add_proc_sys(opts, p, s->rootfd, dev);
	if (r < 0)
		return err_set(e, -r, "mounting /proc and /sys: %s", err_str(r));
	r = add_etc(opts, p, s, dev, e);
	if (r < 0)
		return r;
	r = tmp ? add_tmp(s) : 0;
	if (r < 0)
		return err_set(e, -r, "mounting /tmp: %s", err_str(r));
	return scaffold_seal(s, e);
}

int view_build(const struct view_opts *opts, struct tools *tools, struct view_parts *p,
	       int *ret_pts, struct err *e)
{
	_cleanup_(scaffold_fini) struct scaffold s = SCAFFOLD_INIT;
	_cleanup_close_ int pts = -1;
	int r;

	if (opts->kind == VIEW_UNION) {
		s.writable = true;
		r = union_build(p->bare, tools, &s.rootfd, e);
	} else {
		r = attach_tools(tools, &s.rootfd, e);
	}
	if (r < 0)
		return r;
	r = fill(opts, p, &s, &pts, e);
	if (r < 0)
		return r;
	r = pivot(s.rootfd, p->root < 0 ? opts->base : NULL, e);
	if (r < 0)
		return r;
	*ret_pts = take_fd(&pts);
	return 0;
}
