/* SPDX-License-Identifier: MIT */
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "io.h"
#include "mountinfo.h"

#define CGROUP_FILE_MAX (CGROUP_HIERARCHIES_MAX * (PATH_MAX + 256))

int cgroup_next(struct cursor *c, struct cgroup_line *ret)
{
	struct span line, id;
	struct cursor in;
	uint64_t v;

	if (cur_until(c, '\n', &line) != 1)
		return 0;
	in = cur_of(line.p, line.len);
	if (cur_until(&in, ':', &id) != 1 || span_u64(id, 10, &v) < 0 || v > 1000 ||
	    cur_until(&in, ':', &ret->controllers) != 1)
		return -EPROTO;
	ret->id = (unsigned int)v;
	ret->path = (struct span){ line.p + in.off, line.len - in.off };
	return ret->path.len && ret->path.p[0] == '/' && ret->path.len < PATH_MAX ? 1 : -EPROTO;
}

/* Does the mount @m show the hierarchy that has the controllers of @d? */
static bool mount_shows(const struct mount_entry *m, const struct cgroup_dir *d)
{
	char first[64];

	if (d->v2)
		return span_eq(m->fstype, "cgroup2");
	if (!span_eq(m->fstype, "cgroup"))
		return false;
	(void)snprintf(first, sizeof(first), "%.*s", (int)strcspn(d->controllers, ","),
		       d->controllers);
	return mount_has_opt(m->super_opts, first);
}

static int locate(struct cgroup_dirs *dirs, const char *mountinfo, size_t len)
{
	_cleanup_free_ struct mount_entry *m = malloc(sizeof(*m));
	struct cursor c = cur_of(mountinfo, len);
	int r;

	if (!m)
		return -ENOMEM;
	while ((r = mountinfo_next(&c, m)) != 0) {
		if (r < 0)
			continue;
		for (size_t i = 0; i < dirs->n; i++) {
			struct cgroup_dir *d = &dirs->v[i];
			const char *below;

			if (d->dir || !mount_shows(m, d))
				continue;
			below = path_below(d->path, m->root);
			if (below &&
			    asprintf(&d->dir, "%s%s%s", m->point, *below ? "/" : "", below) < 0) {
				d->dir = NULL;
				return -ENOMEM;
			}
		}
	}
	return 0;
}

static int parse(struct cgroup_dirs *dirs, const char *text, size_t len)
{
	struct cursor c = cur_of(text, len);
	struct cgroup_line line;
	int r;

	while ((r = cgroup_next(&c, &line)) == 1) {
		struct cgroup_dir *d = &dirs->v[dirs->n];

		if (dirs->n == CGROUP_HIERARCHIES_MAX ||
		    line.controllers.len >= sizeof(d->controllers))
			return -EPROTO;
		*d = (struct cgroup_dir){ .v2 = !line.id && !line.controllers.len };
		memcpy(d->controllers, line.controllers.p, line.controllers.len);
		memcpy(d->path, line.path.p, line.path.len);
		dirs->n++;
	}
	return r;
}

static void mark_ours(struct cgroup_dirs *dirs, const char *text, size_t len)
{
	struct cursor c = cur_of(text, len);
	struct cgroup_line line;

	while (cgroup_next(&c, &line) == 1)
		for (size_t i = 0; i < dirs->n; i++)
			if (span_eq(line.controllers, dirs->v[i].controllers) &&
			    span_eq(line.path, dirs->v[i].path))
				dirs->v[i].ours = true;
}

void cgroup_dirs_free(struct cgroup_dirs *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->v[i].dir);
	free(d->v);
	*d = (struct cgroup_dirs){ 0 };
}

int cgroup_dirs_read(int procfd, struct cgroup_dirs *ret, struct err *e)
{
	_cleanup_free_ char *text = NULL, *own = NULL, *mounts = NULL;
	_cleanup_(cgroup_dirs_free) struct cgroup_dirs dirs = { 0 };
	size_t len, own_len, mounts_len;
	int r;

	dirs.v = calloc(CGROUP_HIERARCHIES_MAX, sizeof(*dirs.v));
	if (!dirs.v)
		return err_set(e, ENOMEM, "no memory for the list of cgroups");
	r = io_read_at(procfd, "cgroup", CGROUP_FILE_MAX, &text, &len);
	if (!r)
		r = parse(&dirs, text, len);
	if (!r)
		r = io_read_at(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_SIZE_MAX, &mounts,
			       &mounts_len);
	if (!r)
		r = locate(&dirs, mounts, mounts_len);
	if (!r)
		r = io_read_at(AT_FDCWD, "/proc/self/cgroup", CGROUP_FILE_MAX, &own, &own_len);
	if (r < 0)
		return err_set(e, -r, "reading the cgroups of the process: %s", err_str(r));
	mark_ours(&dirs, own, own_len);
	*ret = dirs;
	dirs = (struct cgroup_dirs){ 0 };
	return 0;
}

static bool says(const char *dir, const char *file, const char *text)
{
	_cleanup_free_ char *path = NULL, *got = NULL;

	if (asprintf(&path, "%s/%s", dir, file) < 0) {
		path = NULL;
		return false;
	}
	return !io_read_at(AT_FDCWD, path, 4096, &got, NULL) && strstr(got, text);
}

bool cgroup_dirs_frozen(const struct cgroup_dirs *d)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct cgroup_dir *g = &d->v[i];

		if (!g->dir)
			continue;
		if (g->v2 && says(g->dir, "cgroup.events", "frozen 1"))
			return true;
		if (!strcmp(g->controllers, "freezer") && says(g->dir, "freezer.state", "FR"))
			return true; /* FROZEN, FREEZING */
	}
	return false;
}
