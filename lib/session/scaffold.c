/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "view"
#include "scaffold.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "io.h"
#include "log.h"
#include "mnt.h"

void scaffold_fini(struct scaffold *s)
{
	for (size_t i = 0; i < s->n; i++)
		closep(&s->fd[i]);
	closep(&s->rootfd);
	*s = (struct scaffold)SCAFFOLD_INIT;
}

int scaffold_seal(struct scaffold *s, struct err *e)
{
	for (size_t i = 0; i < s->n; i++) {
		int r = mnt_set(s->fd[i], MOUNT_ATTR_RDONLY, 0, false);

		if (r < 0)
			return err_set(e, -r, "sealing a mount point: %s", err_str(r));
	}
	return 0;
}

static bool same_fs(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev;
}

/* The same entry in the tmpfs, to mount on; a symbolic link is complete by that. */
static int copy_entry(int dirfd, int tmpfd, const char *name, unsigned char type)
{
	_cleanup_free_ char *link = NULL;
	int r;

	if (type == DT_DIR)
		return mkdirat(tmpfd, name, 0755) < 0 ? -errno : 0;
	if (type != DT_LNK)
		return mknodat(tmpfd, name, S_IFREG | 0644, 0) < 0 ? -errno : 0;
	r = io_readlink_at(dirfd, name, &link);
	if (r < 0)
		return r;
	return symlinkat(link, tmpfd, name) < 0 ? -errno : 0;
}

/* Some file systems do not tell the kind of an entry in its directory (readdir(3)). */
static unsigned char type_of(int dirfd, const struct dirent *d)
{
	struct stat st;

	if (d->d_type != DT_UNKNOWN)
		return d->d_type;
	if (fstatat(dirfd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return DT_REG;
	return (unsigned char)IFTODT(st.st_mode);
}

static int bind_entry(int dirfd, int tmpfd, const struct dirent *d)
{
	unsigned char type = type_of(dirfd, d);
	_cleanup_close_ int tree = -1;
	int r;

	if (type != DT_LNK) {
		tree = mnt_clone_at(dirfd, d->d_name);
		if (tree < 0)
			return tree;
	}
	r = copy_entry(dirfd, tmpfd, d->d_name, type);
	if (r < 0 || type == DT_LNK)
		return r;
	return mnt_attach_child(tree, tmpfd, d->d_name);
}

static int bind_entries(DIR *dir, int tmpfd)
{
	int left = SCAFFOLD_ENTRIES_MAX;
	struct dirent *d;

	while ((d = readdir(dir))) {
		int r;

		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		if (!left--)
			return -E2BIG;
		r = bind_entry(dirfd(dir), tmpfd, d);
		if (r < 0 && r != -ENOENT) /* it may go away meanwhile */
			return r;
	}
	return 0;
}

/* A descriptor of the same directory that can be listed: /proc may not be there to reopen it. */
static DIR *list_dir(int pathfd)
{
	_cleanup_close_ int fd = openat(pathfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir)
		(void)take_fd(&fd);
	return dir;
}

/* Cover the directory @dirfd; the scaffold's descriptor is the last of @s->fd afterwards. */
static int cover(struct scaffold *s, int pathfd)
{
	static const struct mnt_param params[] = { { "mode", "0755" }, { "size", "1m" }, { 0 } };
	_cleanup_closedir_ DIR *dir = NULL;
	_cleanup_close_ int tmpfd = -1;
	struct stat st;
	int r;

	if (s->n == SCAFFOLDS_MAX)
		return -ENOSPC;
	dir = list_dir(pathfd);
	if (!dir || fstat(pathfd, &st) < 0)
		return -errno;
	tmpfd = mnt_new("tmpfs", params, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (tmpfd < 0)
		return tmpfd;
	if (fchmodat(tmpfd, ".", st.st_mode & 07777, 0) < 0)
		return -errno;
	/* Attached first: moving a mount onto a detached one takes Linux 6.15. */
	r = mnt_attach(tmpfd, pathfd);
	if (r < 0)
		return r;
	r = bind_entries(dir, tmpfd);
	if (r < 0)
		return r;
	s->fd[s->n++] = take_fd(&tmpfd);
	return 0;
}

/*
 * The deepest directory of @path that exists; *@ret_rest is what is missing behind it.
 * The last component is not followed if it is to be a file.
 */
static int deepest(const struct scaffold *s, const char *path, const char **ret_rest)
{
	int fd = mnt_open_in(s->rootfd, "/", O_PATH | O_DIRECTORY);
	const char *p = path + strspn(path, "/");

	while (fd >= 0 && *p) {
		size_t len = strcspn(p, "/");
		char upto[PATH_MAX];
		int next;

		(void)snprintf(upto, sizeof(upto), "%.*s", (int)(p + len - path), path);
		next = mnt_open_in(s->rootfd, upto, O_PATH | O_DIRECTORY);
		if (next < 0)
			break;
		closep(&fd);
		fd = next;
		p += len;
		p += strspn(p, "/");
	}
	*ret_rest = p;
	return fd;
}

static int make_rest(int dirfd, const char *rest, bool dir)
{
	_cleanup_close_ int fd = openat(dirfd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	while (fd >= 0 && *rest) {
		size_t len = strcspn(rest, "/");
		char name[NAME_MAX + 1];
		int next;

		if (len > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(name, rest, len);
		name[len] = '\0';
		rest += len;
		rest += strspn(rest, "/");
		if (!*rest && !dir)
			return mknodat(fd, name, S_IFREG | 0644, 0) < 0 ? -errno : 0;
		if (mkdirat(fd, name, 0755) < 0)
			return -errno;
		next = openat(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		closep(&fd);
		fd = next;
	}
	return fd < 0 ? -errno : 0;
}

static bool is_ours(const struct scaffold *s, int fd)
{
	if (s->writable && same_fs(s->rootfd, fd))
		return true;
	for (size_t i = 0; i < s->n; i++)
		if (same_fs(s->fd[i], fd))
			return true;
	return false;
}

/* Does @path exist? -EEXIST if it does, as the wrong kind. */
static int exists(const struct scaffold *s, const char *path, bool dir)
{
	_cleanup_close_ int fd = mnt_open_in(s->rootfd, path, O_PATH | (dir ? 0 : O_NOFOLLOW));
	struct stat st;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	return !S_ISDIR(st.st_mode) == !dir ? 1 : -EEXIST;
}

int scaffold_point(struct scaffold *s, const char *path, bool dir, struct err *e)
{
	_cleanup_close_ int above = -1;
	const char *rest;
	int r = exists(s, path, dir);

	if (r > 0)
		return 0;
	if (r == -EEXIST)
		return err_set(e, EEXIST, "'%s' in the tools tree is %s directory", path,
			       dir ? "not a" : "a");
	above = deepest(s, path, &rest);
	r = above < 0 ? above : 0;
	if (!r && !is_ours(s, above)) {
		bool root = same_fs(above, s->rootfd) && rest == path + strspn(path, "/");

		log_debug("no '%s' in the tools tree: adding it", path);
		r = cover(s, above);
		if (!r && root) {
			closep(&s->rootfd);
			s->rootfd = mnt_open_in(s->fd[s->n - 1], "/", O_PATH | O_DIRECTORY);
		}
		if (!r) {
			closep(&above);
			above = mnt_open_in(s->fd[s->n - 1], "/", O_PATH | O_DIRECTORY);
		}
	}
	if (!r)
		r = make_rest(above, rest, dir);
	if (r < 0)
		return err_set(e, -r, "making '%s' to mount on: %s", path, err_str(r));
	return 0;
}
