/* SPDX-License-Identifier: MIT */
#include "cgjoin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "enter.h"

static void deny(struct cgjoin *j, const struct cgroup_dir *d)
{
	size_t len = strlen(j->denied);

	(void)snprintf(j->denied + len, sizeof(j->denied) - len, "%s%s", len ? ", " : "",
		       d->v2 ? "unified" : d->controllers);
}

static int open_v1(const struct cgroup_dir *d, struct cgjoin *j)
{
	_cleanup_close_ int dir = open(d->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = dir < 0 ? -1 : openat(dir, "tasks", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	j->v1[j->nv1++] = fd;
	return 0;
}

static int open_v2(const struct cgroup_dir *d, struct cgjoin *j)
{
	j->v2 = open(d->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (j->v2 < 0)
		return -errno;
	j->v2_procs = openat(j->v2, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	if (j->v2_procs < 0) {
		int r = -errno;

		closep(&j->v2);
		j->v2 = -1;
		return r;
	}
	return 0;
}

void cgjoin_close(struct cgjoin *j)
{
	for (size_t i = 0; i < j->nv1; i++)
		closep(&j->v1[i]);
	closep(&j->v2);
	closep(&j->v2_procs);
	*j = (struct cgjoin)CGJOIN_INIT;
}

int cgjoin_open(const struct cgroup_dirs *dirs, struct cgjoin *ret, struct err *e)
{
	struct cgjoin j = CGJOIN_INIT;

	for (size_t i = 0; i < dirs->n; i++) {
		const struct cgroup_dir *d = &dirs->v[i];
		int r;

		if (d->ours)
			continue;
		r = !d->dir ? -EACCES : d->v2 ? open_v2(d, &j) : open_v1(d, &j);
		if (r == -EACCES || r == -EPERM || r == -EROFS) {
			deny(&j, d);
			continue;
		}
		if (r < 0) {
			cgjoin_close(&j);
			return err_set(e, -r, "opening the %s's %s cgroup '%s': %s", ns_words.what,
				       d->v2 ? "unified" : d->controllers, d->dir, err_str(r));
		}
	}
	*ret = j;
	return 0;
}

int cgjoin_self(const struct cgjoin *j, bool v2, struct err *e)
{
	for (size_t i = 0; i < j->nv1; i++)
		if (write(j->v1[i], "0", 1) != 1)
			return err_set(e, errno, "joining a cgroup of the %s: %s", ns_words.what,
				       err_str(errno));
	if (v2 && j->v2_procs >= 0 && write(j->v2_procs, "0", 1) != 1)
		return err_set(e, errno, "joining the %s's unified cgroup: %s", ns_words.what,
			       err_str(errno));
	return 0;
}
