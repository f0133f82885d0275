/* SPDX-License-Identifier: MIT */
#include "unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "array.h"
#include "cleanup.h"
#include "cpio.h"
#include "io.h"
#include "mnt.h"

#define HARD_LINKS_MAX 16384

/* A file that has further names: where it is. */
struct known {
	uint32_t ino;
	unsigned int major, minor;
	char *name;
};

struct unpack {
	struct cpio cpio;
	int root;
	struct cpio_entry entry;
	char name[PATH_MAX]; /* of the entry */
	int dir;             /* where it is, or -1 */
	int file;            /* it, open for its data, or -1 */
	char target[PATH_MAX];
	size_t target_len;
	struct known *known;
	size_t nknown, room;
};

static void close_entry(struct unpack *u)
{
	closep(&u->file);
	closep(&u->dir);
	u->file = u->dir = -1;
}

static const char *last_of(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

/* The directory of @name, made if it is missing: not all archives name each. */
static int open_parent(const struct unpack *u, const char *name)
{
	char path[PATH_MAX];
	int fd;

	(void)snprintf(path, sizeof(path), "./%.*s", (int)(last_of(name) - name), name);
	fd = mnt_open_nolink(u->root, path, O_PATH | O_DIRECTORY);
	for (char *p = path + 2; fd == -ENOENT && (p = strchr(p, '/')); p++) {
		_cleanup_close_ int above = -1;

		*p = '\0';
		above = open_parent(u, path + 2);
		if (above < 0)
			return above;
		if (mkdirat(above, last_of(path + 2), 0755) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
		if (!strchr(p + 1, '/'))
			fd = mnt_open_nolink(u->root, path, O_PATH | O_DIRECTORY);
	}
	return fd;
}

static struct known *find_known(const struct unpack *u, const struct cpio_entry *en)
{
	for (size_t i = 0; i < u->nknown; i++)
		if (u->known[i].ino == en->ino && u->known[i].major == en->major &&
		    u->known[i].minor == en->minor)
			return &u->known[i];
	return NULL;
}

static int add_known(struct unpack *u, const struct cpio_entry *en)
{
	char *name;

	if (u->nknown == HARD_LINKS_MAX)
		return -E2BIG;
	if (array_room(&u->known, &u->room, u->nknown + 1, sizeof(*u->known)) < 0)
		return -ENOMEM;
	name = strdup(en->name);
	if (!name)
		return -ENOMEM;
	u->known[u->nknown++] = (struct known){ en->ino, en->major, en->minor, name };
	return 0;
}

/* One more name of a file. Its data may come with the last of them. */
static int make_link(struct unpack *u, const struct known *k)
{
	_cleanup_close_ int dir = open_parent(u, k->name);

	if (dir < 0)
		return dir;
	if (linkat(dir, last_of(k->name), u->dir, last_of(u->name), 0) < 0)
		return -errno;
	if (!u->entry.size)
		return 0;
	u->file = openat(u->dir, last_of(u->name), O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC);
	return u->file < 0 ? -errno : 0;
}

static int make_file(struct unpack *u, const struct cpio_entry *en)
{
	const struct known *k = en->nlink > 1 ? find_known(u, en) : NULL;

	if (k)
		return make_link(u, k);
	u->file = openat(u->dir, last_of(u->name),
			 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (u->file < 0)
		return -errno;
	return en->nlink > 1 ? add_known(u, en) : 0;
}

/* It may be there already; a link in its place is none. */
static int make_directory(const struct unpack *u)
{
	const char *name = last_of(u->name);
	struct stat st;

	if (mkdirat(u->dir, name, 0700) == 0)
		return 0;
	if (errno != EEXIST || fstatat(u->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

static int on_entry(void *arg, const struct cpio_entry *en)
{
	struct unpack *u = arg;
	size_t len = strlen(en->name);

	while (len && en->name[len - 1] == '/')
		len--;
	u->entry = *en;
	u->target_len = 0;
	memcpy(u->name, en->name, len);
	u->name[len] = '\0';
	u->entry.name = u->name;
	if (!len)
		return S_ISDIR(en->mode) ? 0 : -EPROTO;
	u->dir = open_parent(u, u->name);
	if (u->dir < 0)
		return u->dir;
	if (S_ISREG(en->mode))
		return make_file(u, &u->entry);
	return S_ISDIR(en->mode) ? make_directory(u) : 0;
}

static int on_data(void *arg, const void *data, size_t size)
{
	struct unpack *u = arg;

	if (u->file >= 0)
		return io_write_all(u->file, data, size);
	if (!S_ISLNK(u->entry.mode))
		return -EPROTO;
	if (size >= sizeof(u->target) - u->target_len)
		return -ENAMETOOLONG;
	memcpy(u->target + u->target_len, data, size);
	u->target_len += size;
	return 0;
}

static int set_attributes(const struct unpack *u, const char *name)
{
	const struct cpio_entry *en = &u->entry;
	const struct timespec times[2] = { { .tv_sec = en->mtime }, { .tv_sec = en->mtime } };
	int dir = *name ? u->dir : u->root;
	const char *what = *name ? name : ".";

	if (fchownat(dir, what, en->uid, en->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	/* A directory or a file of ours: it is no link. */
	if (!S_ISLNK(en->mode) && fchmodat(dir, what, en->mode & 07777, 0) < 0)
		return -errno;
	return utimensat(dir, what, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static bool is_kept(mode_t mode)
{
	return S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode);
}

static int on_done(void *arg)
{
	struct unpack *u = arg;
	const char *name = last_of(u->name);
	int r = 0;

	u->target[u->target_len] = '\0';
	if (S_ISLNK(u->entry.mode) && symlinkat(u->target, u->dir, name) < 0)
		r = -errno;
	if (!r && is_kept(u->entry.mode))
		r = set_attributes(u, name);
	close_entry(u);
	return r;
}

static const struct cpio_sink sink = { on_entry, on_data, on_done };

struct unpack *unpack_new(int root)
{
	struct unpack *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->root = root;
	u->dir = u->file = -1;
	cpio_init(&u->cpio, &sink, u);
	return u;
}

void unpack_free(struct unpack *u)
{
	if (!u)
		return;
	close_entry(u);
	for (size_t i = 0; i < u->nknown; i++)
		free(u->known[i].name);
	free(u->known);
	free(u);
}

int unpack_feed(struct unpack *u, const void *data, size_t size, struct err *e)
{
	int r = cpio_feed(&u->cpio, data, size);

	if (r == -EPROTO)
		return err_set(e, EPROTO, "the archive is malformed, near '%.100s'", u->name);
	return r < 0 ? err_set(e, -r, "unpacking '%.100s': %s", u->name, err_str(r)) : 0;
}

int unpack_end(struct unpack *u, struct err *e)
{
	if (cpio_is_whole(&u->cpio))
		return 0;
	return err_set(e, EPROTO, "the archive is cut off, behind '%.100s'", u->name);
}
