/* SPDX-License-Identifier: MIT */
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "cleanup.h"
#include "io.h"
#include "tar.h"

#define EMPTY_PASSES 8 /* over one directory, should others add to it meanwhile */

/* openat2() is Linux 5.6. EAGAIN says that a rename happened somewhere while it walked: try again. */
static int open_below(int rootfd, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = { .flags = flags | O_CLOEXEC,
				.resolve = resolve | RESOLVE_NO_MAGICLINKS };
	long fd = -1;

	for (int i = 0; i < 32; i++) {
		fd = syscall(SYS_openat2, rootfd, *path ? path : ".", &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd < 0 ? -errno : (int)fd;
}

static int fd_path(int fd, char **ret)
{
	char link[32];

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return io_readlink_at(AT_FDCWD, link, ret);
}

static void slot_clear(struct tree_slot *s)
{
	closep(&s->fd);
	s->fd = -1;
}

int tree_init(struct tree *t, int rootfd)
{
	t->rootfd = rootfd;
	t->parent.fd = t->target.fd = -1;
	return fd_path(rootfd, &t->root);
}

void tree_fini(struct tree *t)
{
	tree_forget(t);
	free(t->root);
	t->root = NULL;
}

void tree_forget(struct tree *t)
{
	slot_clear(&t->parent);
	slot_clear(&t->target);
}

int tree_clean(const char *path, char ret[TAR_PATH_MAX])
{
	size_t out = 0;

	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && path[0] == '.' && path[1] == '.')
			return -EXDEV;
		if (len && !(len == 1 && path[0] == '.')) {
			if (out + len + 2 > TAR_PATH_MAX)
				return -ENAMETOOLONG;
			if (out)
				ret[out++] = '/';
			memcpy(ret + out, path, len);
			out += len;
		}
		path += len + (path[len] == '/');
	}
	ret[out] = '\0';
	return 0;
}

const char *tree_split(const char *path, char ret_dir[TAR_PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	memcpy(ret_dir, path, len);
	ret_dir[len] = '\0';
	return slash ? slash + 1 : path;
}

int tree_join(const char *dir, const char *name, char ret[TAR_PATH_MAX])
{
	size_t dir_len = strlen(dir), name_len = strlen(name);

	if (dir_len + name_len + 2 > TAR_PATH_MAX)
		return -ENAMETOOLONG;
	memmove(ret, dir, dir_len);
	if (dir_len)
		ret[dir_len++] = '/';
	memcpy(ret + dir_len, name, name_len + 1);
	return 0;
}

/* Where below the root @fd is. */
static int real_path(const struct tree *t, int fd, char ret[TAR_PATH_MAX])
{
	_cleanup_free_ char *path = NULL;
	size_t root_len = strlen(t->root);
	int r = fd_path(fd, &path);

	if (r < 0)
		return r;
	if (root_len == 1) /* "/" itself */
		root_len = 0;
	if (strncmp(path, t->root, root_len) != 0 || (path[root_len] && path[root_len] != '/'))
		return -EXDEV;
	return tree_clean(path + root_len, ret);
}

int tree_dir(struct tree *t, struct tree_slot *slot, const char *dir)
{
	int r = 0;

	if (slot->fd >= 0 && !strcmp(slot->path, dir))
		return 1;
	slot_clear(slot);
	slot->fd = open_below(t->rootfd, dir, O_PATH | O_DIRECTORY,
			      RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
	if (slot->fd == -ELOOP || slot->fd == -ENOTDIR) {
		slot->fd = open_below(t->rootfd, dir, O_PATH | O_DIRECTORY, RESOLVE_IN_ROOT);
		if (slot->fd >= 0)
			r = real_path(t, slot->fd, slot->real);
	} else {
		tar_path_copy(slot->real, dir);
	}
	if (slot->fd < 0)
		r = slot->fd;
	if (r < 0)
		slot_clear(slot);
	else
		tar_path_copy(slot->path, dir);
	return r;
}

int tree_open_real(const struct tree *t, const char *real)
{
	return open_below(t->rootfd, real, O_RDONLY | O_DIRECTORY,
			  RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

/* A directory may have a mode that shuts out its own owner, unless that is root. */
static int open_dir_to_empty(int dirfd, const char *name)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	struct stat st;
	int fd = openat(dirfd, name, flags);

	if (fd < 0 && errno == EACCES && !fchmodat(dirfd, name, 0700, AT_SYMLINK_NOFOLLOW))
		fd = openat(dirfd, name, flags);
	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && (st.st_mode & 0700) != 0700)
		(void)fchmod(fd, st.st_mode | 0700);
	return fd;
}

/* Each call opens one directory more: the depth of a tree that we made is UNPACK_DEPTH_MAX at most. */
int tree_remove(int dirfd, const char *name, char *real, const struct tree_remove *ops)
{
	bool keep = ops && ops->keep && ops->keep(ops->arg, real);
	_cleanup_close_ int fd = -1;
	int r;

	if (!keep && !unlinkat(dirfd, name, 0))
		return 0;
	if (!keep && errno != EISDIR && errno != EPERM)
		return errno == ENOENT ? 0 : -errno;
	fd = open_dir_to_empty(dirfd, name);
	if (fd < 0)
		return fd == -ENOENT || (keep && (fd == -ENOTDIR || fd == -ELOOP)) ? 0 : fd;
	r = tree_empty(fd, real, ops);
	if (r < 0 || keep)
		return r;
	if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return -errno;
	if (ops && ops->gone)
		ops->gone(ops->arg, real);
	return 0;
}

static int empty_once(DIR *d, char *real, const struct tree_remove *ops, bool *ret_any)
{
	size_t len = real ? strlen(real) : 0;
	struct dirent *de;
	int r = 0;

	*ret_any = false;
	while (!r && (de = readdir(d))) {
		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		if (real)
			r = tree_join(real, de->d_name, real);
		if (!r)
			r = tree_remove(dirfd(d), de->d_name, real, ops);
		if (real)
			real[len] = '\0';
		*ret_any = true;
	}
	return r;
}

int tree_empty(int dirfd, char *real, const struct tree_remove *ops)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
	bool any = true;
	int r = 0;

	if (!d) {
		r = -errno;
		if (fd >= 0)
			(void)close(fd);
		return r;
	}
	/* Some file systems skip names when others before them go: look again, unless some stay on purpose. */
	for (int i = 0; !r && any && i < EMPTY_PASSES; i++) {
		rewinddir(d);
		r = empty_once(d, real, ops, &any);
		if (ops && ops->keep)
			any = i < 1;
	}
	return r;
}
