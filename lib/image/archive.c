/* SPDX-License-Identifier: MIT */
#include "archive.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>

#include "array.h"
#include "cleanup.h"
#include "image_limits.h"
#include "io.h"
#include "tar.h"
#include "tree.h"

#define BUF_SIZE (64U << 10)

struct member {
	char *name; /* clean; names are unique once sorted */
	char *link; /* clean, of the archive; NULL for a file */
	uint64_t off, size;
	size_t order;
	int fd; /* of a layout directory's file; -1 */
};

struct archive {
	int fd;
	bool is_dir;
	bool looks_like_root;
	uint64_t size;
	struct member *v;
	size_t n, room;
};

static int member_add(struct archive *a, const struct member *m)
{
	if (a->n == IMAGE_MEMBERS_MAX)
		return -E2BIG;
	if (array_room(&a->v, &a->room, a->n + 1, sizeof(*a->v)) < 0)
		return -ENOMEM;
	a->v[a->n++] = *m;
	return 0;
}

/* Cut the last name off a clean path. */
static void cut_name(char *path)
{
	char *slash = strrchr(path, '/');

	*(slash ? slash : path) = '\0';
}

/* A link's target as a member name: hard links count from the top, symbolic ones from their directory. */
static int link_target(const struct tar_entry *en, const char *name, char ret[TAR_PATH_MAX])
{
	const char *to = en->link;
	char path[TAR_PATH_MAX];

	if (en->kind == TAR_HARDLINK || *to == '/')
		return tree_clean(to, ret);
	(void)tree_split(name, path);
	for (; !strncmp(to, "../", 3); to += 3) {
		if (!*path)
			return -EXDEV;
		cut_name(path);
	}
	if (tree_join(path, to, path) < 0)
		return -ENAMETOOLONG;
	return tree_clean(path, ret);
}

static bool is_root_name(const char *name)
{
	static const char *const names[] = { "etc", "usr", "bin", "var", "lib", "sbin", "proc" };
	size_t len = strcspn(name, "/");

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strlen(names[i]) == len && !memcmp(name, names[i], len))
			return true;
	return false;
}

/* Remember a file or link; others cannot be part of an image. */
static int add_entry(struct archive *a, const struct tar_entry *en, uint64_t off)
{
	char name[TAR_PATH_MAX], link[TAR_PATH_MAX];
	bool is_link = en->kind == TAR_SYMLINK || en->kind == TAR_HARDLINK;
	struct member m = { .off = off, .size = en->size, .order = a->n, .fd = -1 };
	int r = tree_clean(en->path, name);

	if (r < 0)
		return 0; /* nobody will ask for it */
	a->looks_like_root |= is_root_name(name);
	if (en->kind != TAR_FILE && !is_link)
		return 0;
	if (is_link && link_target(en, name, link) < 0)
		return 0;
	m.name = strdup(name);
	m.link = is_link ? strdup(link) : NULL;
	r = m.name && (m.link || !is_link) ? member_add(a, &m) : -ENOMEM;
	if (r < 0) {
		free(m.name);
		free(m.link);
	}
	return r;
}

static ssize_t read_at(int fd, void *buf, size_t size, uint64_t off)
{
	ssize_t n;

	do
		n = pread(fd, buf, size, (off_t)off);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* All events in the bytes at hand; payloads are passed over. */
static int scan_piece(struct archive *a, struct tar *t, struct cursor *in)
{
	struct span data;
	int event, r;

	while ((event = tar_next(t, in, &data)) > 0) {
		if (event != TAR_ENTRY)
			continue;
		r = add_entry(a, &t->entry, t->off);
		if (r < 0)
			return r;
	}
	return event;
}

static int scan(struct archive *a, struct tar *t, char *buf)
{
	uint64_t off = 0;
	int r = 0;

	while (off < a->size) {
		uint64_t skip = tar_skippable(t);
		struct cursor in;
		ssize_t n;

		if (skip > a->size - off)
			return -ENODATA;
		tar_skipped(t, skip);
		off += skip;
		n = read_at(a->fd, buf, BUF_SIZE, off);
		if (n <= 0)
			return (int)n;
		in = cur_of(buf, (size_t)n);
		r = scan_piece(a, t, &in);
		if (r < 0)
			return r;
		off += (uint64_t)n;
	}
	return tar_finish(t);
}

static int compare_names(const void *va, const void *vb)
{
	return strcmp(((const struct member *)va)->name, ((const struct member *)vb)->name);
}

static int compare_members(const void *va, const void *vb)
{
	const struct member *a = va, *b = vb;
	int r = strcmp(a->name, b->name);

	return r ? r : (a->order > b->order) - (a->order < b->order);
}

static void member_fini(struct member *m)
{
	closep(&m->fd);
	free(m->name);
	free(m->link);
}

/* Sort, and let the last of equal names win, as it would when unpacked. */
static void sort_members(struct archive *a)
{
	size_t n = 0;

	if (a->n)
		qsort(a->v, a->n, sizeof(*a->v), compare_members);
	for (size_t i = 0; i < a->n; i++) {
		if (n && !strcmp(a->v[n - 1].name, a->v[i].name))
			member_fini(&a->v[--n]);
		a->v[n++] = a->v[i];
	}
	a->n = n;
}

static int scan_err(const struct archive *a, const struct tar *t, int r, struct err *e)
{
	switch (r) {
	case -EPROTO:
		if (!a->n && t->off <= TAR_BLOCK)
			return err_set(e, EPROTO, "not a tar archive");
		break;
	case -ENODATA:
		return err_set(e, ENODATA, "truncated: the archive ends within a member");
	case -E2BIG:
		if (a->looks_like_root)
			return 0; /* which the caller says better */
		return err_set(e, E2BIG, "more than %d members: no image archive has as many",
			       IMAGE_MEMBERS_MAX);
	default:
		break;
	}
	return err_set(e, -r, "at byte %llu: %s", (unsigned long long)t->off,
		       t->why ? t->why : err_str(r));
}

static int index_members(struct archive *a, struct err *e)
{
	_cleanup_free_ struct tar *t = malloc(sizeof(*t));
	_cleanup_free_ char *buf = malloc(BUF_SIZE);
	int r;

	if (!t || !buf)
		return err_set(e, ENOMEM, "no memory");
	tar_init(t);
	r = scan(a, t, buf);
	if (r < 0)
		r = scan_err(a, t, r, e);
	tar_fini(t);
	sort_members(a);
	return r;
}

/* A file without a name, or with one for a moment where the file system has no O_TMPFILE (Linux 3.11). */
static int temporary_file(int dirfd)
{
	int fd = openat(dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char name[32];

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
		return fd < 0 ? -errno : fd;
	(void)snprintf(name, sizeof(name), ".spool-%d", getpid());
	(void)unlinkat(dirfd, name, 0);
	fd = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	(void)unlinkat(dirfd, name, 0);
	return fd;
}

/* Replace a compressed archive by a plain copy of it. */
static int spool(struct archive *a, struct src *s, int tmpfd, struct err *e)
{
	_cleanup_close_ int fd = temporary_file(tmpfd);
	uint64_t size = 0;
	struct span piece;
	int r;

	if (fd < 0)
		return err_set(e, -fd, "making a temporary file: %s", err_str(fd));
	while ((r = src_read(s, &piece, e)) > 0) {
		r = io_write_all(fd, piece.p, piece.len);
		if (r < 0)
			return err_set(e, -r, "decompressing it into the cache: %s", err_str(r));
		size += piece.len;
	}
	if (r < 0)
		return r;
	closep(&a->fd);
	a->fd = take_fd(&fd);
	a->size = size;
	return 0;
}

static int open_tar(struct archive *a, int tmpfd, struct err *e)
{
	struct src_range whole = { .fd = a->fd, .size = a->size };
	uint64_t budget = UNPACK_BYTES_MAX;
	_cleanup_src_ struct src *s = NULL;
	int r;

	if (a->size < UNPACK_BYTES_MAX / UNPACK_RATIO_MAX)
		budget = a->size * UNPACK_RATIO_MAX + UNPACK_SLACK;
	r = src_open(&whole, &budget, &s, e);
	if (r < 0)
		return r;
	if (src_format(s) != SRC_PLAIN) {
		r = spool(a, s, tmpfd, e);
		if (r < 0)
			return r;
	}
	return index_members(a, e);
}

int archive_open(int fd, int tmpfd, struct archive **ret, struct err *e)
{
	_cleanup_archive_ struct archive *a = calloc(1, sizeof(*a));
	struct stat st;
	int r;

	if (!a) {
		(void)close(fd);
		return err_set(e, ENOMEM, "no memory");
	}
	a->fd = fd;
	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "looking at it: %s", err_str(errno));
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return err_set(e, EINVAL, "neither a file nor a directory");
	a->is_dir = S_ISDIR(st.st_mode);
	a->size = a->is_dir ? 0 : (uint64_t)st.st_size;
	if (!a->is_dir && !a->size)
		return err_set(e, EPROTO, "not a tar archive: it is empty");
	r = a->is_dir ? 0 : open_tar(a, tmpfd, e);
	if (r < 0)
		return r;
	*ret = take_ptr(a);
	return 0;
}

void archive_free(struct archive *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->n; i++)
		member_fini(&a->v[i]);
	free(a->v);
	closep(&a->fd);
	free(a);
}

/* In a layout directory a member is a file that we open; it stays open, for ranges are borrowed. */
static int find_file(struct archive *a, const char *name, struct src_range *ret)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	_cleanup_close_ int fd = (int)syscall(SYS_openat2, a->fd, name, &how, sizeof(how));
	struct member m = { .fd = fd };
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOENT;
	r = member_add(a, &m);
	if (r < 0)
		return r;
	*ret = (struct src_range){ .fd = take_fd(&fd), .size = (uint64_t)st.st_size };
	return 0;
}

int archive_find(struct archive *a, const char *name, struct src_range *ret)
{
	char clean[TAR_PATH_MAX];
	int r = tree_clean(name, clean);

	if (r < 0 || !clean[0])
		return -ENOENT;
	if (a->is_dir)
		return find_file(a, clean, ret);
	for (int i = 0; i < IMAGE_LINKS_MAX; i++) {
		const struct member key = { .name = clean };
		const struct member *m =
			a->n ? bsearch(&key, a->v, a->n, sizeof(*a->v), compare_names) : NULL;

		if (!m)
			return -ENOENT;
		if (!m->link) {
			*ret = (struct src_range){ .fd = a->fd, .off = m->off, .size = m->size };
			return 0;
		}
		tar_path_copy(clean, m->link);
	}
	return -ELOOP;
}

int archive_read(struct archive *a, const char *name, size_t max, char **ret, size_t *ret_len,
		 struct err *e)
{
	_cleanup_free_ char *buf = NULL;
	struct src_range range;
	size_t have = 0;
	int r = archive_find(a, name, &range);

	if (r < 0)
		return err_set(e, -r, "'%.100s' is not in it", name);
	if (range.size > max)
		return err_set(e, EFBIG, "'%.100s' has more than %zu bytes", name, max);
	buf = malloc(range.size + 1);
	if (!buf)
		return err_set(e, ENOMEM, "no memory");
	while (have < range.size) {
		ssize_t n = read_at(range.fd, buf + have, range.size - have, range.off + have);

		if (n <= 0)
			return err_set(e, n ? (int)-n : ENODATA, "reading '%.100s': %s", name,
				       n ? err_str((int)n) : "truncated");
		have += (size_t)n;
	}
	buf[have] = '\0';
	*ret = take_ptr(buf);
	*ret_len = have;
	return 0;
}

bool archive_looks_like_root(const struct archive *a)
{
	return a->looks_like_root;
}
