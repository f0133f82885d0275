/* SPDX-License-Identifier: MIT */
#include "merge_open.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include "cleanup.h"
#include "mnt.h"

bool merge_is_wanted(const struct merge_conf *c)
{
	return c->lower || c->policy.n;
}

void merge_conf_fini(struct merge_conf *c)
{
	free(c->lower);
	free(c->scratch);
	policy_fini(&c->policy);
	*c = (struct merge_conf){ 0 };
}

void merge_trees_fini(struct merge_trees *t)
{
	for (unsigned int i = 0; i < MERGE_LAYERS; i++) {
		if (t->top[i] > 0)
			(void)close(t->top[i]);
		if (t->fd[i] > 0)
			(void)close(t->fd[i]);
	}
	*t = (struct merge_trees){ 0 };
}

/* A copy of the mounts at and below @path; the kernel itself lets nobody write to a lower one. */
static int open_one(const char *path, enum merge_layer layer, struct merge_trees *t, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int mfd = -1;
	int r, top;

	if (fd < 0)
		return err_set(e, errno, "cannot open '%s': %s", path, err_str(errno));
	mfd = mnt_clone(fd, true, MS_PRIVATE);
	r = mfd;
	if (r >= 0 && layer == MERGE_LOWER)
		r = mnt_set(mfd, MOUNT_ATTR_RDONLY, 0, true);
	if (r < 0)
		return err_set(e, -r, "cannot copy the mount of '%s': %s", path, err_str(r));
	top = openat(mfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top < 0)
		return err_set(e, errno, "cannot open '%s': %s", path, err_str(errno));
	t->fd[layer] = take_fd(&mfd);
	t->top[layer] = top;
	return 0;
}

int merge_trees_open(const struct merge_conf *c, struct merge_trees *ret, struct err *e)
{
	int r = c->lower ? open_one(c->lower, MERGE_LOWER, ret, e) : 0;

	if (r == 0 && c->scratch)
		r = open_one(c->scratch, MERGE_SCRATCH, ret, e);
	return r;
}

int merge_open(const struct merge_trees *trees, const struct policy *policy, struct vfs *upper,
	       const struct vfs_conf *conf, struct merge **ret, struct err *e)
{
	struct vfs *layer[MERGE_LAYERS] = { [MERGE_UPPER] = upper };
	struct vfs_conf plain = *conf;
	int r = 0;

	/* The maps are those of the upper layer. */
	plain.users = plain.groups = NULL;

	for (unsigned int i = MERGE_SCRATCH; r == 0 && i < MERGE_LAYERS; i++)
		if (trees->top[i] > 0)
			r = vfs_new(trees->top[i], &plain, &layer[i], e);
	if (r == 0)
		r = merge_new(layer, policy, NULL, ret, e);
	if (r < 0) {
		vfs_free(layer[MERGE_LOWER]);
		vfs_free(layer[MERGE_SCRATCH]);
	}
	return r;
}
