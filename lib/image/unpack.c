/* SPDX-License-Identifier: MIT */
/*
 * unpack.c - see unpack.h.
 *
 * take_entry() cleans the name, opens its parent (open_parent(), which makes
 * what is missing) and goes to one make_*() per kind; names that begin with
 * ".wh." go to whiteout.c. A make_*() that finds the name taken removes what
 * is there (replace()) and tries once more. A file stays open in u->out while
 * its payload comes.
 */
#include "unpack.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "cleanup.h"
#include "io.h"
#include "unpack_priv.h"

/* What Linux takes: 12 and 20 bits (new_encode_dev()). */
#define MAJOR_MAX 0xfffU
#define MINOR_MAX 0xfffffU

/* Leaf functions below give -errno; the sentence is made here, with the name. */
static int entry_err(const struct unpack *u, int r, struct err *e)
{
	const char *path = u->tar.entry.path;

	if (r == -ENOENT && u->tar.entry.kind == TAR_HARDLINK)
		return err_set(e, ENOENT, "'%.90s': a hard link to '%.90s', which is not there",
			       path, u->tar.entry.link);
	switch (r) {
	case -EPROTO:
		return err_set(e, EPROTO, "'%.100s' is no name that a layer may have", path);
	case -EXDEV:
		return err_set(e, EXDEV, "'%.100s' or its link goes upwards by '..'; refused",
			       path);
	case -ENOSPC:
	case -EDQUOT:
		return err_set(e, -r, "'%.100s': no space is left for the unpacked image", path);
	case -E2BIG:
		return err_set(e, E2BIG, "'%.100s': too many entries, or too deep a tree", path);
	default:
		return err_set(e, -r, "'%.100s': %s", path, err_str(r));
	}
}

/* A directory went: its record too, and paths may lead elsewhere. */
void unpack_dir_gone(void *arg, const char *real)
{
	struct unpack *u = arg;

	dirs_forget(&u->dirs, real);
	u->stale = true;
}

/* Remove what stands at u->real, so that something else can be made there. */
static int replace(struct unpack *u, int parentfd, const char *name)
{
	const struct tree_remove ops = { .gone = unpack_dir_gone, .arg = u };

	u->stale = true; /* it may have been a link */
	return tree_remove(parentfd, name, u->real, &ops);
}

static unsigned int depth_of(const char *real)
{
	unsigned int n = *real != '\0';

	for (; *real; real++)
		n += *real == '/';
	return n;
}

/* Make the directory @real, whose attributes are to be @a (NULL: no entry tells). */
static int make_dir(struct unpack *u, int parentfd, const char *name, const struct attrs *a)
{
	struct stat st;
	int r;

	if (depth_of(u->real) > UNPACK_DEPTH_MAX)
		return -E2BIG;
	if (mkdirat(parentfd, name, 0700) < 0) {
		if (errno != EEXIST)
			return -errno;
		if (fstatat(parentfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
		if (!S_ISDIR(st.st_mode)) {
			r = replace(u, parentfd, name);
			if (r < 0)
				return r;
			if (mkdirat(parentfd, name, 0700) < 0)
				return -errno;
		}
	}
	return dirs_put(&u->dirs, u->real, a);
}

/* Make all directories of @dir that are not there. The path in u->real is used up. */
static int make_parents(struct unpack *u, const char *dir)
{
	struct tree_slot *slot = &u->tree.parent;
	char part[TAR_PATH_MAX], above[TAR_PATH_MAX];
	const char *name;
	size_t len = 0;
	int r;

	while (dir[len]) {
		len += strcspn(dir + len + (len != 0), "/") + (len != 0);
		memcpy(part, dir, len);
		part[len] = '\0';
		r = tree_dir(&u->tree, slot, part);
		if (r >= 0)
			continue;
		if (r != -ENOENT)
			return r;
		name = tree_split(part, above);
		r = tree_dir(&u->tree, slot, above);
		if (r >= 0)
			r = tree_join(slot->real, name, u->real);
		if (r >= 0)
			r = mkdirat(slot->fd, name, 0700) < 0 ? -errno : 0;
		/* It is there and not to be found: a link that leads nowhere. */
		if (r < 0)
			return r == -EEXIST ? -ENOTDIR : r;
		if (depth_of(u->real) > UNPACK_DEPTH_MAX)
			return -E2BIG;
		r = dirs_put(&u->dirs, u->real, NULL);
		if (r < 0)
			return r;
	}
	return tree_dir(&u->tree, slot, dir);
}

/* Open the parent of the clean @path, and tell its last name and its real path (u->real). */
int unpack_open_parent(struct unpack *u, const char *path, bool make, const char **ret_name)
{
	struct tree_slot *slot = &u->tree.parent;
	const char *name;
	int r;

	if (u->stale)
		tree_forget(&u->tree);
	u->stale = false;
	name = tree_split(path, u->dir);
	r = tree_dir(&u->tree, slot, u->dir);
	if (r == -ENOENT && make)
		r = make_parents(u, u->dir);
	if (r < 0)
		return r;
	if (!r && u->layers > 1) {
		r = seen_add_all(&u->seen, slot->real);
		if (r < 0)
			return r;
	}
	*ret_name = name;
	return tree_join(slot->real, name, u->real);
}

static int make_file(struct unpack *u, int parentfd, const char *name)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(parentfd, name, flags, 0600), r;

	if (fd < 0 && errno == EEXIST) {
		r = replace(u, parentfd, name);
		if (r < 0)
			return r;
		fd = openat(parentfd, name, flags, 0600);
	}
	if (fd < 0)
		return -errno;
	u->out = fd;
	u->left = u->tar.entry.size;
	return 0;
}

static int close_file(struct unpack *u)
{
	struct attrs a = attrs_of(&u->tar.entry);
	int r = attrs_apply_fd(u->out, &a, &u->natural, &u->stats.skipped);

	/* Delayed errors, of quotas and network file systems, come with close(). */
	if (close(take_fd(&u->out)) < 0 && !r)
		r = -errno;
	return r;
}

static int try_node(struct unpack *u, int parentfd, const char *name)
{
	const struct tar_entry *en = &u->tar.entry;
	int r;

	switch (en->kind) {
	case TAR_SYMLINK:
		r = symlinkat(en->link, parentfd, name);
		break;
	case TAR_FIFO:
		r = mkfifoat(parentfd, name, 0600);
		break;
	case TAR_CHAR:
	case TAR_BLOCKDEV:
		if (en->major > MAJOR_MAX || en->minor > MINOR_MAX)
			return -ERANGE;
		r = mknodat(parentfd, name, (en->kind == TAR_CHAR ? S_IFCHR : S_IFBLK) | 0600,
			    makedev(en->major, en->minor));
		break;
	default:
		return -EPROTO;
	}
	return r < 0 ? -errno : 0;
}

/* Links, pipes and devices. */
static int make_node(struct unpack *u, int parentfd, const char *name)
{
	enum tar_kind kind = u->tar.entry.kind;
	struct attrs a = attrs_of(&u->tar.entry);
	int r = try_node(u, parentfd, name);

	if (r == -EEXIST) {
		r = replace(u, parentfd, name);
		if (!r)
			r = try_node(u, parentfd, name);
	}
	if (r == -EPERM && (kind == TAR_CHAR || kind == TAR_BLOCKDEV)) {
		u->stats.devices_skipped++;
		return 0;
	}
	if (r < 0)
		return r;
	return attrs_apply_at(parentfd, name, kind == TAR_SYMLINK, &a, &u->stats.skipped);
}

/* The target is looked up like any other path, so it is in the tree or the link is refused. */
static int make_hardlink(struct unpack *u, int parentfd, const char *name)
{
	struct tree_slot *slot = &u->tree.target;
	char path[TAR_PATH_MAX], dir[TAR_PATH_MAX], real[TAR_PATH_MAX];
	const char *target;
	int r = tree_clean(u->tar.entry.link, path);

	if (r < 0)
		return r;
	target = tree_split(path, dir);
	if (!*target)
		return -EISDIR;
	r = tree_dir(&u->tree, slot, dir);
	if (r >= 0)
		r = tree_join(slot->real, target, real);
	if (!r && !strcmp(real, u->real))
		return faccessat(slot->fd, target, F_OK, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	if (!r && linkat(slot->fd, target, parentfd, name, 0) < 0)
		r = -errno;
	if (r == -EEXIST) {
		r = replace(u, parentfd, name);
		if (!r && linkat(slot->fd, target, parentfd, name, 0) < 0)
			r = -errno;
	}
	/* To a device that we may not make: that link goes with it. */
	if (r == -ENOENT && u->stats.devices_skipped) {
		u->stats.devices_skipped++;
		return 0;
	}
	return r;
}

static int make_entry(struct unpack *u, const char *name)
{
	int parentfd = u->tree.parent.fd;
	struct attrs a = attrs_of(&u->tar.entry);

	switch (u->tar.entry.kind) {
	case TAR_DIR:
		return make_dir(u, parentfd, name, &a);
	case TAR_FILE:
		return make_file(u, parentfd, name);
	case TAR_HARDLINK:
		return make_hardlink(u, parentfd, name);
	default:
		return make_node(u, parentfd, name);
	}
}

static int take_entry(struct unpack *u)
{
	struct attrs a = attrs_of(&u->tar.entry);
	const char *name;
	int r;

	if (++u->stats.entries > u->max_entries)
		return -E2BIG;
	r = tree_clean(u->tar.entry.path, u->path);
	if (r < 0)
		return r;
	if (!u->path[0])
		return u->tar.entry.kind == TAR_DIR ? dirs_put(&u->dirs, "", &a) : -EISDIR;
	if (whiteout_is(u->path))
		return u->layers > 1 ? whiteout_apply(u) : 0;
	r = unpack_open_parent(u, u->path, true, &name);
	if (r < 0)
		return r;
	if (u->layers > 1) {
		r = seen_add(&u->seen, u->real);
		if (r < 0)
			return r;
	}
	r = make_entry(u, name);
	if (!r && u->out >= 0 && !u->left)
		r = close_file(u);
	return r;
}

/* Payload of a file, or of a whiteout that strangely has some. */
static int take_data(struct unpack *u, struct span data)
{
	int r;

	if (u->out < 0)
		return 0;
	r = io_write_all(u->out, data.p, data.len);
	if (r < 0)
		return r;
	u->stats.bytes += data.len;
	u->left -= data.len;
	return u->left ? 0 : close_file(u);
}

static int tar_err(const struct unpack *u, int r, struct err *e)
{
	return err_set(e, -r, "at byte %llu: %s", (unsigned long long)u->tar.off,
		       u->tar.why ? u->tar.why : err_str(r));
}

int unpack_feed(struct unpack *u, struct span bytes, struct err *e)
{
	struct cursor in = cur_of(bytes.p, bytes.len);
	struct span data;
	int r, event;

	while ((event = tar_next(&u->tar, &in, &data)) > 0) {
		r = event == TAR_ENTRY ? take_entry(u) : event == TAR_DATA ? take_data(u, data) : 0;
		if (r < 0)
			return entry_err(u, r, e);
	}
	return event < 0 ? tar_err(u, event, e) : 0;
}

void unpack_begin_layer(struct unpack *u)
{
	tar_fini(&u->tar);
	tar_init(&u->tar);
	tree_forget(&u->tree);
	seen_fini(&u->seen);
	seen_init(&u->seen);
	u->layers++;
}

int unpack_end_layer(struct unpack *u, struct err *e)
{
	int r = tar_finish(&u->tar);

	return r < 0 ? tar_err(u, r, e) : 0;
}

static int finish_dir(void *arg, const char *real, const struct attrs *a)
{
	struct unpack *u = arg;
	_cleanup_close_ int fd = tree_open_real(&u->tree, real);
	int r;

	if (fd < 0)
		r = fd;
	else
		r = attrs_apply_fd(fd, a, &u->natural, &u->stats.skipped);
	if (r < 0)
		tar_path_copy(u->tar.entry.path, real); /* whom the message names */
	return r;
}

int unpack_finish(struct unpack *u, struct err *e)
{
	int r = dirs_put(&u->dirs, "", NULL);

	tree_forget(&u->tree);
	if (!r)
		r = dirs_each(&u->dirs, finish_dir, u);
	return r < 0 ? entry_err(u, r, e) : 0;
}

const struct unpack_stats *unpack_stats(const struct unpack *u)
{
	return &u->stats;
}

/* New files are the caller's, and keep to it while no directory hands down its group. */
static int natural_owner(struct unpack *u, int rootfd)
{
	struct stat st;

	if (fstat(rootfd, &st) < 0)
		return -errno;
	u->natural = (struct attrs_owner){
		.known = st.st_uid == geteuid() && st.st_gid == getegid() &&
			 !(st.st_mode & S_ISGID),
		.uid = st.st_uid,
		.gid = st.st_gid,
	};
	return 0;
}

int unpack_new(int rootfd, uint64_t max_entries, struct unpack **ret, struct err *e)
{
	_cleanup_unpack_ struct unpack *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return err_set(e, ENOMEM, "no memory");
	u->out = -1;
	u->max_entries = max_entries ? max_entries : UNPACK_ENTRIES_MAX;
	r = tree_init(&u->tree, rootfd);
	if (!r)
		r = natural_owner(u, rootfd);
	if (r < 0)
		return err_set(e, -r, "looking at the directory to unpack into: %s", err_str(r));
	*ret = take_ptr(u);
	return 0;
}

void unpack_free(struct unpack *u)
{
	if (!u)
		return;
	closep(&u->out);
	tar_fini(&u->tar);
	tree_fini(&u->tree);
	dirs_fini(&u->dirs);
	seen_fini(&u->seen);
	free(u);
}
