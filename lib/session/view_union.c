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
#include "union_places.h"

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

/* Layers of an overlay, as names below the stage. */
struct layers {
	char lower[LOWER_MAX];
	size_t len;
};

/* The directory @fd, as it is now and whatever becomes of its name: lay a clone of it under the others. */
static int add_layer(int stage, int fd, struct layers *l, size_t *number)
{
	_cleanup_close_ int mfd = mnt_clone(fd, false, MS_PRIVATE);
	char name[24];
	int r, n = snprintf(name, sizeof(name), "l%zu", (*number)++);

	if (mfd < 0)
		return mfd;
	if (l->len + (size_t)n + 2 > sizeof(l->lower))
		return -E2BIG;
	if (mkdirat(stage, name, 0755) < 0)
		return -errno;
	r = mnt_attach_at(mfd, stage, name);
	if (r < 0)
		return r;
	l->len += (size_t)snprintf(l->lower + l->len, sizeof(l->lower) - l->len, "%s%s",
				   l->len ? ":" : "", name);
	return 0;
}

/* Overlay @lower; the working directory is the stage. @n numbers the scratch layers. */
static int overlay(int stage, const char *lower, size_t n)
{
	char upper[24], work[24];
	const struct mnt_param params[] = { { "lowerdir", lower },
					    { "upperdir", upper },
					    { "workdir", work },
					    { "userxattr", NULL }, /* Linux 5.11 */
					    { 0 } };

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
	int r, mfd = overlay(stage, "c:t", 0);

	if (mfd != -ELOOP)
		return mfd;
	r = wrap_container(stage);
	return r < 0 ? r : overlay(stage, "c:t", 0);
}

/* Lay what the two trees and the place's extra directories have there over each other, in @view. */
static int add_place(int stage, int view, const int tree[2], const struct union_place *p,
		     size_t *number)
{
	_cleanup_close_ int at = mnt_open_nolink(view, p->path, O_PATH | O_DIRECTORY), mfd = -1;
	struct layers l = { .len = 0 };
	int r = at < 0 ? at : 0;

	for (size_t i = 0; !r && i < 2; i++) {
		_cleanup_close_ int dir = mnt_open_nolink(tree[i], p->path, O_PATH | O_DIRECTORY);

		if (dir >= 0)
			r = add_layer(stage, dir, &l, number);
	}
	for (size_t i = 0; !r && i < p->nextra; i++)
		r = add_layer(stage, p->extra[i], &l, number);
	if (r < 0)
		return r;
	mfd = overlay(stage, l.lower, *number);
	return mfd < 0 ? mfd : mnt_attach(mfd, at);
}

/*
 * Mounts of the tools' own are overlaid too, not cloned: a bare clone could be made
 * writable by root of a user namespace (tools_lock.h). A file that is mounted is left out.
 */
static int add_places(int stage, int view, const struct tools *tools)
{
	_cleanup_free_ struct union_places *p = malloc(sizeof(*p));
	_cleanup_close_ int ctr = mnt_open_nolink(stage, "c", O_PATH | O_DIRECTORY);
	_cleanup_close_ int tree = mnt_open_nolink(stage, "t", O_PATH | O_DIRECTORY);
	size_t number = 1;
	int r;

	if (!p || ctr < 0 || tree < 0)
		return !p ? -ENOMEM : ctr < 0 ? ctr : tree;
	r = union_places_find(ctr, tree, tools, p);
	for (size_t i = 0; !r && i < p->n; i++) {
		int missing = add_place(stage, view, (const int[]){ ctr, tree }, &p->v[i], &number);

		if (missing < 0)
			log_info("'/%s' of the tools tree is left out of the union: %s",
				 p->v[i].path, err_str(missing));
	}
	union_places_fini(p);
	return r;
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
	r = add_places(stage, view, tools);
	if (r < 0)
		return err_set(e, -r, "overlaying the directories of the union: %s", err_str(r));
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
