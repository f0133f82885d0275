/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "view"
#include "union_places.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "cursor.h"
#include "io.h"
#include "log.h"
#include "mnt.h"

#define NAMES_MAX 1024 /* at the top of the tools tree; those beyond are not compared */

void union_places_fini(struct union_places *p)
{
	for (size_t i = 0; i < p->n; i++) {
		for (size_t k = 0; k < p->v[i].nextra; k++)
			closep(&p->v[i].extra[k]);
		free(p->v[i].path);
	}
	p->n = 0;
}

/* The place with this path, made if need be; NULL: no memory, or no room for more. */
static struct union_place *place_at(struct union_places *p, const char *path)
{
	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->v[i].path, path))
			return &p->v[i];
	if (p->n == UNION_PLACES_MAX)
		return NULL;
	p->v[p->n] = (struct union_place){ .path = strdup(path) };
	return p->v[p->n].path ? &p->v[p->n++] : NULL;
}

/* Make a link's target at the top of a tree a path from its root; false if it is not a plain one. */
static bool plain_path(char *link)
{
	struct cursor c = cur_of(link, strlen(link));
	struct span part;
	size_t len = 0;

	while (cur_until(&c, '/', &part)) {
		if (!part.len || span_eq(part, "."))
			continue;
		if (span_eq(part, ".."))
			return false;
		if (len)
			link[len++] = '/';
		memmove(link + len, part.p, part.len); /* never past where it has been read from */
		len += part.len;
	}
	link[len] = '\0';
	return len;
}

static bool same_dir(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_ino == sb.st_ino &&
	       sa.st_dev == sb.st_dev;
}

/* @name of the tools, an entry of type @type, against that of the container. */
static int compare(int ctr, int tree, const char *name, unsigned char type, struct union_places *p)
{
	_cleanup_free_ char *link = NULL;
	_cleanup_close_ int dir = -1, there = -1;
	struct union_place *place;
	int r = io_readlink_at(ctr, name, &link);
	const char *path = r < 0 ? name : link;

	if (r == -EINVAL ? type == DT_DIR : r < 0 || !plain_path(link))
		return 0;
	dir = mnt_open_in(tree, name, O_PATH | O_DIRECTORY);
	there = mnt_open_nolink(tree, path, O_PATH | O_DIRECTORY);
	if (dir < 0 || (there >= 0 && same_dir(dir, there)))
		return 0;
	place = place_at(p, path);
	if (!place && p->n < UNION_PLACES_MAX)
		return -ENOMEM;
	if (!place || place->nextra == UNION_EXTRA_MAX)
		log_info("'/%s' of the tools tree is not merged into the container's", name);
	else
		place->extra[place->nextra++] = take_fd(&dir);
	return 0;
}

static int compare_all(int ctr, int tree, struct union_places *p)
{
	_cleanup_close_ int fd = mnt_open_nolink(tree, ".", O_RDONLY | O_DIRECTORY);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;
	int r = 0;

	if (!dir) /* not for this user to read */
		return 0;
	(void)take_fd(&fd);
	for (int n = 0; !r && n < NAMES_MAX && (d = readdir(dir)); n++)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			r = compare(ctr, tree, d->d_name, d->d_type, p);
	return r;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct union_place *)a)->path, ((const struct union_place *)b)->path);
}

int union_places_find(int ctr, int tree, const struct tools *tools, struct union_places *ret)
{
	int r;

	ret->n = 0;
	for (size_t i = 1; i < tools->n; i++)
		if (!place_at(ret, tools->mount[i].path))
			return -ENOMEM;
	r = compare_all(ctr, tree, ret);
	qsort(ret->v, ret->n, sizeof(ret->v[0]), by_path); /* a prefix sorts first */
	return r;
}
