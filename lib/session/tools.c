/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "tools"
#include "tools.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "cleanup.h"
#include "cursor.h"
#include "io.h"
#include "log.h"
#include "mnt.h"
#include "mountinfo.h"

/* Not part of a tools tree: views of this kernel, and other containers' roots. */
static const char *const skipped_types[] = {
	"autofs",     "binfmt_misc", "bpf",       "cgroup",   "cgroup2", "configfs",
	"debugfs",    "devpts",      "devtmpfs",  "efivarfs", "fusectl", "hugetlbfs",
	"mqueue",     "nsfs",        "overlay",   "proc",     "pstore",  "resctrl",
	"rpc_pipefs", "securityfs",  "selinuxfs", "sysfs",    "tracefs",
};

/* Replaced by the container's, or by our own; and what engines mount for each of their containers. */
static const char *const skipped_dirs[] = {
	"proc",
	"sys",
	"dev",
	"run",
	"var/lib/docker",
	"var/lib/containers",
	"var/lib/containerd",
	"var/lib/kubelet",
};

#define RUN_LINKS_MAX 64

bool tools_skips(struct span fstype)
{
	for (size_t i = 0; i < ARRAY_SIZE(skipped_types); i++)
		if (span_eq(fstype, skipped_types[i]))
			return true;
	return false;
}

static bool is_skipped(const struct mount_entry *m, const char *below)
{
	if (tools_skips(m->fstype))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(skipped_dirs); i++)
		if (path_below(below, skipped_dirs[i]))
			return true;
	return false;
}

void tools_src_fini(struct tools_src *s)
{
	closep(&s->rootfd);
	closep(&s->mntns);
	free(s->mountinfo);
	free(s->prefix);
	*s = (struct tools_src)TOOLS_SRC_INIT;
}

int tools_src_dir(const char *path, struct tools_src *ret, struct err *e)
{
	_cleanup_(tools_src_fini) struct tools_src s = TOOLS_SRC_INIT;
	int r;

	s.prefix = realpath(path, NULL);
	if (!s.prefix)
		return err_set(e, errno, "tools directory '%s': %s", path, err_str(errno));
	s.rootfd = open(s.prefix, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s.rootfd < 0)
		return err_set(e, errno, "tools directory '%s': %s", path, err_str(errno));
	r = io_read_at(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_SIZE_MAX, &s.mountinfo,
		       &s.mountinfo_len);
	if (r < 0)
		return err_set(e, -r, "reading /proc/self/mountinfo: %s", err_str(r));
	*ret = s;
	s = (struct tools_src)TOOLS_SRC_INIT;
	return 0;
}

int tools_src_process(int procfd, struct tools_src *ret, struct err *e)
{
	_cleanup_(tools_src_fini) struct tools_src s = TOOLS_SRC_INIT;
	int r;

	s.rootfd = openat(procfd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	s.mntns = openat(procfd, "ns/mnt", O_RDONLY | O_CLOEXEC);
	if (s.rootfd < 0 || s.mntns < 0)
		return err_set(e, errno, "opening the root of the container with the tools: %s",
			       err_str(errno));
	r = io_read_at(procfd, "mountinfo", MOUNTINFO_SIZE_MAX, &s.mountinfo, &s.mountinfo_len);
	if (r < 0)
		return err_set(e, -r, "reading the mounts of the container with the tools: %s",
			       err_str(r));
	s.prefix = strdup("/");
	if (!s.prefix)
		return err_set(e, ENOMEM, "no memory");
	*ret = s;
	s = (struct tools_src)TOOLS_SRC_INIT;
	return 0;
}

void tools_fini(struct tools *t)
{
	for (size_t i = 0; i < t->n; i++) {
		closep(&t->mount[i].fd);
		free(t->mount[i].path);
	}
	*t = (struct tools){ 0 };
}

static bool has_path(const struct tools *t, const char *path)
{
	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(t->mount[i].path, path))
			return true;
	return false;
}

static int set_attrs(int mfd, bool writable, bool recursive)
{
	uint64_t attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

	return mnt_set(mfd, attrs | (writable ? 0 : MOUNT_ATTR_RDONLY), 0, recursive);
}

/* Clone one mount and append it. -EINVAL if the mounts below it are locked to it. */
static int add_mount(struct tools *t, int fd, const char *path, bool writable, int userns)
{
	_cleanup_close_ int mfd = mnt_clone(fd, false, MS_SLAVE);
	_cleanup_free_ char *copy = strdup(path);
	int r;

	if (mfd < 0)
		return mfd;
	if (!copy)
		return -ENOMEM;
	if (userns >= 0 && mnt_idmap(mfd, userns) < 0) {
		log_info("owners of '/%s' in the tools tree cannot be mapped", path);
		if (!*path)
			t->owners_unmapped = true;
	}
	r = set_attrs(mfd, writable, false);
	if (r < 0)
		return r;
	t->mount[t->n++] = (struct tools_mount){ .fd = take_fd(&mfd), .path = take_ptr(copy) };
	return 0;
}

static int add_submounts(struct tools *t, const struct tools_src *src, int rootfd, bool writable,
			 int userns)
{
	_cleanup_free_ struct mount_entry *m = malloc(sizeof(*m));
	struct cursor c = cur_of(src->mountinfo, src->mountinfo_len);
	int r;

	if (!m)
		return -ENOMEM;
	while ((r = mountinfo_next(&c, m)) != 0) {
		const char *below = r < 0 ? NULL : path_below(m->point, src->prefix);
		_cleanup_close_ int fd = -1;

		if (!below || !*below || is_skipped(m, below) || has_path(t, below))
			continue;
		if (t->n == TOOLS_MOUNTS_MAX) {
			log_warn("the tools tree has more than %d mounts; the rest is left out",
				 TOOLS_MOUNTS_MAX);
			break;
		}
		fd = mnt_open_in(rootfd, below, O_PATH | O_NOFOLLOW);
		if (fd < 0 || add_mount(t, fd, below, writable, userns) < 0)
			log_info("'/%s' of the tools tree is left out", below);
	}
	return 0;
}

static void copy_links(DIR *dir, int to)
{
	int left = RUN_LINKS_MAX;
	struct dirent *d;

	while ((d = readdir(dir)) && left) {
		_cleanup_free_ char *link = NULL;

		if (io_readlink_at(dirfd(dir), d->d_name, &link) < 0)
			continue;
		(void)!symlinkat(link, to, d->d_name);
		left--;
	}
}

/* Some systems have the way to their programs in /run: /run/current-system of NixOS. */
static int add_run(struct tools *t, int rootfd)
{
	static const struct mnt_param params[] = { { "mode", "0755" }, { "size", "1m" }, { 0 } };
	_cleanup_close_ int fd = mnt_open_nolink(rootfd, "run", O_RDONLY | O_DIRECTORY), mfd = -1;
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	_cleanup_free_ char *path = strdup("run");
	int r;

	if (!path)
		return -ENOMEM;
	if (!dir)
		return fd < 0 ? 0 : -errno;
	(void)take_fd(&fd);
	mfd = mnt_new("tmpfs", params, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (mfd < 0)
		return mfd;
	copy_links(dir, mfd);
	r = mnt_set(mfd, MOUNT_ATTR_RDONLY, 0, false);
	if (r < 0)
		return r;
	t->mount[t->n++] = (struct tools_mount){ .fd = take_fd(&mfd), .path = take_ptr(path) };
	return 0;
}

static int clone_whole(struct tools *t, int rootfd, bool writable)
{
	_cleanup_close_ int mfd = mnt_clone(rootfd, true, MS_SLAVE);
	int r;

	if (mfd < 0)
		return mfd;
	r = set_attrs(mfd, writable, true);
	if (r < 0)
		return r;
	t->mount[0].path = strdup("");
	if (!t->mount[0].path)
		return -ENOMEM;
	t->mount[0].fd = take_fd(&mfd);
	t->n = 1;
	return 0;
}

static int clone_all(struct tools *t, const struct tools_src *src, int rootfd, bool writable,
		     int userns)
{
	int r = add_mount(t, rootfd, "", writable, userns);
	bool whole = r == -EINVAL;

	if (whole)
		r = clone_whole(t, rootfd, writable);
	if (!r)
		r = add_run(t, rootfd);
	if (!r && !whole)
		r = add_submounts(t, src, rootfd, writable, userns);
	return r;
}

int tools_clone(const struct tools_src *src, bool writable, int userns, struct tools *ret,
		struct err *e)
{
	_cleanup_(tools_fini) struct tools t = { 0 };
	_cleanup_close_ int opened = -1, here = -1;
	int r, rootfd = src->rootfd;

	if (src->mntns >= 0) {
		here = open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC);
		if (here < 0 || setns(src->mntns, CLONE_NEWNS) < 0)
			return err_set(e, errno, "entering the container with the tools: %s",
				       err_str(errno));
	} else { /* the mount namespace may be a copy of the one that it was opened in */
		rootfd = opened = open(src->prefix, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	if (rootfd < 0)
		return err_set(e, errno, "tools directory '%s': %s", src->prefix, err_str(errno));
	r = clone_all(&t, src, rootfd, writable, userns);
	if (r < 0)
		return err_set(e, -r, "cloning the tools tree: %s", err_str(r));
	if (here >= 0 && setns(here, CLONE_NEWNS) < 0)
		return err_set(e, errno, "leaving the container with the tools: %s",
			       err_str(errno));
	*ret = t;
	t = (struct tools){ 0 };
	return 0;
}

int tools_attach(const struct tools *t, int target)
{
	int r = mnt_attach(t->mount[0].fd, target);

	for (size_t i = 1; !r && i < t->n; i++) {
		const struct tools_mount *m = &t->mount[i];
		int missing = m->fd < 0 ? 0 : mnt_attach_at(m->fd, t->mount[0].fd, m->path);

		if (missing < 0) /* below a directory that the container's user may not search */
			log_info("'/%s' of the tools tree is left out: %s", m->path,
				 err_str(missing));
	}
	return r;
}
