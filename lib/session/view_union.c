/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "view"
#include "view_union.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "log.h"
#include "mnt.h"
#include "mountinfo.h"

#define LOWER_MAX 250 /* fsconfig(2) takes strings of up to 255 bytes before Linux 6.5 */

static int make_stage(int *ret)
{
	static const struct mnt_param params[] = { { "mode", "0700" }, { 0 } };
	_cleanup_close_ int stage = mnt_new("tmpfs", params, 0);
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = stage < 0 ? stage : mnt_attach(stage, root);

	if (r < 0)
		return r;
	if (mkdirat(stage, "c", 0755) < 0 || mkdirat(stage, "t", 0755) < 0 || fchdir(stage) < 0)
		return -errno;
	*ret = take_fd(&stage);
	return 0;
}

/*
 * Overlay c/@path, if the container has it, over t/@path; the working directory is the stage.
 * @n numbers the scratch layers.
 */
static int overlay(int stage, const char *path, bool in_ctr, size_t n)
{
	char lower[LOWER_MAX], upper[32], work[32];
	const struct mnt_param params[] = { { "lowerdir", lower },
					    { "upperdir", upper },
					    { "workdir", work },
					    { "userxattr", NULL }, /* Linux 5.11 */
					    { 0 } };

	if (strpbrk(path, ":,\\") || strlen(path) > LOWER_MAX / 2 - 8)
		return -ENAMETOOLONG;
	if (in_ctr)
		(void)snprintf(lower, sizeof(lower), "c/%s:t/%s", path, path);
	else
		(void)snprintf(lower, sizeof(lower), "t/%s", path);
	(void)snprintf(upper, sizeof(upper), "u%zu", n);
	(void)snprintf(work, sizeof(work), "w%zu", n);
	if ((mkdirat(stage, upper, 0755) < 0 || mkdirat(stage, work, 0755) < 0) && errno != EEXIST)
		return -errno;
	return mnt_new("overlay", params, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
}

/*
 * A container whose root is a plain directory below the tools' (systemd-nspawn,
 * LXC, runc by hand) cannot be a layer beside them: layers of one file system must not
 * overlap (ELOOP). Behind a read-only overlay of its own it is another file system.
 */
static int wrap_container(int stage)
{
	static const struct mnt_param params[] = { { "lowerdir", "c:e" },
						   { "userxattr", NULL },
						   { 0 } };
	_cleanup_close_ int mfd = -1;

	if (mkdirat(stage, "e", 0755) < 0)
		return -errno;
	mfd = mnt_new("overlay", params, 0);
	return mfd < 0 ? mfd : mnt_attach_at(mfd, stage, "c");
}

static int overlay_root(int stage)
{
	int r, mfd = overlay(stage, "", true, 0);

	if (mfd != -ELOOP)
		return mfd;
	r = wrap_container(stage);
	return r < 0 ? r : overlay(stage, "", true, 0);
}

/*
 * A mount of the tools' own, such as /usr, is overlaid as well: a bare clone of it could be made
 * writable by root of a user namespace (tools_lock.h). A file that is mounted is left out.
 */
static int add_tools_mount(int stage, int viewfd, const char *path, size_t n)
{
	_cleanup_close_ int mfd = -1, at = -1, in_ctr = -1;
	char sub[PATH_MAX];

	(void)snprintf(sub, sizeof(sub), "c/%s", path);
	in_ctr = mnt_open_nolink(stage, sub, O_PATH | O_DIRECTORY);
	at = mnt_open_nolink(viewfd, path, O_PATH | O_DIRECTORY);
	if (at < 0)
		return at;
	mfd = overlay(stage, path, in_ctr >= 0, n);
	return mfd < 0 ? mfd : mnt_attach(mfd, at);
}

static int attach_layers(int stage, int bare, struct tools *tools)
{
	_cleanup_close_ int t = mnt_open_nolink(stage, "t", O_PATH | O_DIRECTORY);
	int r = t < 0 ? t : mnt_attach_at(bare, stage, "c");

	return r < 0 ? r : tools_attach(tools, t);
}

int union_build(int bare, struct tools *tools, int *ret_root, struct err *e)
{
	_cleanup_close_ int stage = -1, mfd = -1, view = -1;
	int r = make_stage(&stage);

	if (!r)
		r = attach_layers(stage, bare, tools);
	if (r < 0)
		return err_set(e, -r, "staging the layers of the union: %s", err_str(r));
	mfd = overlay_root(stage);
	if (mfd == -EINVAL) /* clone_private_mount(); also ovl_mount_dir(), before Linux 5.19 */
		return err_set(e, EINVAL,
			       "--view union takes no tools with locked mounts below them, nor, "
			       "before Linux 5.19, ones with mapped owners; use --view bind, or "
			       "--tools with a directory without mounts");
	if (mfd < 0)
		return err_set(e, -mfd,
			       "this kernel cannot overlay the container's root over the tools "
			       "(%s); use --view bind",
			       err_str(mfd));
	r = mnt_attach(mfd, stage);
	view = r < 0 ? r : mnt_open_in(mfd, "/", O_PATH | O_DIRECTORY);
	if (view < 0)
		return err_set(e, -view, "mounting the union: %s", err_str(view));
	for (size_t i = 1; i < tools->n; i++) {
		r = add_tools_mount(stage, view, tools->mount[i].path, i);
		if (r < 0)
			log_info("'/%s' of the tools tree is left out of the union: %s",
				 tools->mount[i].path, err_str(r));
	}
	*ret_root = take_fd(&view);
	return 0;
}

static bool is_special(const char *below)
{
	static const char *const dirs[] = { "proc", "sys", "dev" };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (path_below(below, dirs[i]))
			return true;
	return false;
}

/* With everything below it, so that only the mounts directly below the root need binding. */
static int bind_mount(int viewfd, const char *base, const char *below)
{
	_cleanup_close_ int src = -1, mfd = -1;
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", base, below) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	src = mnt_open_nolink(viewfd, path, O_PATH);
	if (src < 0)
		return src;
	mfd = mnt_clone(src, true, MS_SLAVE);
	return mfd < 0 ? mfd : mnt_attach_at(mfd, viewfd, below);
}

int union_add_mounts(int viewfd, const char *base, const char *mountinfo, size_t len, struct err *e)
{
	_cleanup_free_ struct mount_entry *m = malloc(sizeof(*m));
	struct cursor c = cur_of(mountinfo, len);
	uint64_t root = 0;
	int r;

	if (!m)
		return err_set(e, ENOMEM, "no memory");
	while ((r = mountinfo_next(&c, m)) != 0) { /* the last at "/" is the one that is seen */
		if (r == 1 && !strcmp(m->point, "/"))
			root = m->id;
	}
	c = cur_of(mountinfo, len);
	while ((r = mountinfo_next(&c, m)) != 0) {
		const char *below = r < 0 ? NULL : path_below(m->point, "/");

		if (!below || !*below || m->parent != root || is_special(below))
			continue;
		r = bind_mount(viewfd, base, below);
		if (r < 0)
			log_warn("'/%s' of the container is not in the union: %s", below,
				 err_str(r));
	}
	return 0;
}
