/* SPDX-License-Identifier: MIT */
#include "cache.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "cache_priv.h"
#include "cleanup.h"
#include "io.h"
#include "tree.h"

#define FORMAT 1 /* counts up when unpacking changes: older trees are not taken then */

/* Dirty data is written after 30 s (vm.dirty_expire_centisecs); ten times that is long enough. */
#define SETTLED_S 300
/* A file whose inode changed this recently could change once more within the clock's resolution. */
#define FRESH_S 2

/* The time of use is written once a day, not each time. */
#define USED_S    (24 * 3600)
#define TRIES_MAX 3 /* an entry may be trimmed just before it is used */

struct cache {
	int fd;
	char *path;
	char boot[64];
};

static void cache_fini(struct cache *c)
{
	closep(&c->fd);
	free(c->path);
}
#define _cleanup_cache_ _cleanup_(cache_fini)

/* Where the cache is by default; root within a user namespace has no /var/cache to write to. */
static int default_dir(char **ret, struct err *e)
{
	const char *xdg = secure_getenv("XDG_CACHE_HOME"), *home = secure_getenv("HOME");
	int n;

	if (!geteuid() && !access("/var/cache", W_OK))
		n = asprintf(ret, "/var/cache/cntr");
	else if (xdg && *xdg == '/')
		n = asprintf(ret, "%s/cntr", xdg);
	else if (home && *home == '/')
		n = asprintf(ret, "%s/.cache/cntr", home);
	else
		return err_set(e, ENOENT,
			       "no place for the image cache: set HOME or XDG_CACHE_HOME");
	return n < 0 ? err_set(e, ENOMEM, "no memory") : 0;
}

/* mkdir -p */
static int make_dirs(char *path)
{
	for (char *p = path + 1;; p++) {
		char saved = *p;

		if (saved && saved != '/')
			continue;
		*p = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return -errno;
		*p = saved;
		if (!saved)
			return 0;
	}
}

/* What is in the cache is trusted, so nobody else may have put it there. */
static int check_dir(const struct cache *c, struct err *e)
{
	struct stat st;

	if (fstat(c->fd, &st) < 0)
		return err_set(e, errno, "cache '%s': %s", c->path, err_str(errno));
	if (st.st_uid != geteuid())
		return err_set(e, EPERM,
			       "cache '%s' belongs to user %u, not to you (%u): remove it, or "
			       "set XDG_CACHE_HOME",
			       c->path, st.st_uid, geteuid());
	if (st.st_mode & 022)
		return err_set(e, EPERM, "cache '%s' can be written by others: chmod go-w it",
			       c->path);
	return 0;
}

static void read_boot_id(struct cache *c)
{
	_cleanup_free_ char *id = NULL;

	if (!io_read_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 100, &id, NULL))
		(void)snprintf(c->boot, sizeof(c->boot), "%.40s", id);
}

static int cache_open(struct cache *c, const char *dir, struct err *e)
{
	int r;

	if (dir)
		c->path = strdup(dir);
	r = dir ? 0 : default_dir(&c->path, e);
	if (r < 0)
		return r;
	if (!c->path)
		return err_set(e, ENOMEM, "no memory");
	r = make_dirs(c->path);
	if (r < 0)
		return err_set(e, -r, "making the cache '%s': %s", c->path, err_str(r));
	c->fd = open(c->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->fd < 0)
		return err_set(e, errno, "opening the cache '%s': %s", c->path, err_str(errno));
	read_boot_id(c);
	return check_dir(c, e);
}

/* Whether @entry is there and its files are as they were written; see cache.h on crashes. */
static bool is_usable(const struct cache *c, const char *entry)
{
	char path[CACHE_NAME_SIZE + 8];
	_cleanup_free_ char *boot = NULL;
	struct timespec now;
	struct stat st;
	int r;

	(void)snprintf(path, sizeof(path), "%s/rootfs", entry);
	if (fstatat(c->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		return false;
	(void)snprintf(path, sizeof(path), "%s/boot", entry);
	r = io_read_at(c->fd, path, 100, &boot, NULL);
	if (r < 0)
		return r == -ENOENT;
	if (strcmp(boot, c->boot) != 0)
		return false;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (!fstatat(c->fd, path, &st, 0) && now.tv_sec - st.st_mtime > SETTLED_S)
		(void)unlinkat(c->fd, path, 0);
	return true;
}

/* The link's name for this archive file as it is now; -EAGAIN if it was changed just now, -EISDIR for a directory. */
static int file_link_name(int fd, const struct image_opts *opts, char ret[CACHE_NAME_SIZE])
{
	struct timespec now;
	struct digest d;
	struct stat st;
	char text[512];
	int n;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EISDIR;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec - st.st_ctime <= FRESH_S)
		return -EAGAIN;
	n = snprintf(text, sizeof(text), "%d %ju:%ju %jd %jd.%ld %jd.%ld %s", FORMAT,
		     (uintmax_t)st.st_dev, (uintmax_t)st.st_ino, (intmax_t)st.st_size,
		     (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (intmax_t)st.st_ctim.tv_sec,
		     st.st_ctim.tv_nsec, opts->ref ? opts->ref : "");
	if (n < 0 || (size_t)n >= sizeof(text))
		return -ENAMETOOLONG;
	digest_of(text, (size_t)n, &d);
	cache_name(CACHE_FILE_PREFIX, d.hex, ret);
	return 0;
}

/* The entry that this archive was found to be before. */
static bool find_by_file(const struct cache *c, int fd, const struct image_opts *opts,
			 char ret_entry[CACHE_NAME_SIZE])
{
	_cleanup_free_ char *target = NULL;
	char name[CACHE_NAME_SIZE];

	if (file_link_name(fd, opts, name) < 0 || io_readlink_at(c->fd, name, &target) < 0)
		return false;
	if (strlen(target) + sizeof(CACHE_LOCK_PREFIX) > CACHE_NAME_SIZE || strchr(target, '/') ||
	    !is_usable(c, target)) {
		(void)unlinkat(c->fd, name, 0);
		return false;
	}
	memcpy(ret_entry, target, strlen(target) + 1);
	return true;
}

/* Best effort: without it the next call reads the archive's index again. */
static void remember_file(const struct cache *c, const char *link_name, const char *entry)
{
	if (!*link_name)
		return;
	(void)unlinkat(c->fd, link_name, 0);
	(void)!symlinkat(entry, c->fd, link_name);
}

static int write_file(int dirfd, const char *name, const char *text, size_t len)
{
	_cleanup_close_ int fd =
		openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : io_write_all(fd, text, len);
}

static int make_subdir(int dirfd, const char *name)
{
	int fd;

	if (mkdirat(dirfd, name, 0700) < 0)
		return -errno;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Fill the temporary directory. */
static int fill(const struct cache *c, struct image *img, const char *tmp,
		const struct image_opts *opts, struct err *e)
{
	_cleanup_close_ int dir = make_subdir(c->fd, tmp);
	_cleanup_close_ int root = dir < 0 ? dir : make_subdir(dir, "rootfs");
	size_t len;
	const char *config = image_config(img, &len);
	int r = root < 0 ? root : 0;

	if (!r)
		r = write_file(dir, "config.json", config, len);
	if (!r && c->boot[0])
		r = write_file(dir, "boot", c->boot, strlen(c->boot));
	if (r < 0)
		return err_set(e, -r, "writing to the cache '%s': %s", c->path, err_str(r));
	return image_unpack(img, root, opts, e);
}

/* With the lock: unpack under the temporary name, then rename. */
static int add_entry(const struct cache *c, struct image *img, const char *entry,
		     const struct image_opts *opts, struct err *e)
{
	char tmp[CACHE_NAME_SIZE];
	int r;

	cache_name(CACHE_TMP_PREFIX, entry, tmp);
	r = tree_remove(c->fd, tmp, NULL, NULL);
	/* One from before a crash goes by way of the temporary name too: it must not be half removed in its place. */
	if (!r && !renameat(c->fd, entry, c->fd, tmp))
		r = tree_remove(c->fd, tmp, NULL, NULL);
	if (r < 0)
		return err_set(e, -r, "clearing '%s/%s': %s", c->path, tmp, err_str(r));
	r = fill(c, img, tmp, opts, e);
	if (!r && renameat(c->fd, tmp, c->fd, entry) < 0)
		r = err_set(e, errno, "renaming '%s/%s': %s", c->path, tmp, err_str(errno));
	if (r < 0)
		(void)!tree_remove(c->fd, tmp, NULL, NULL);
	return r;
}

static int get_entry(const struct cache *c, struct image *img, const char *entry,
		     const struct image_opts *opts, struct err *e)
{
	int lock, r = 0;

	if (is_usable(c, entry))
		return 0;
	lock = cache_lock_take(c->fd, entry, LOCK_EX | LOCK_NB);
	if (lock == -EWOULDBLOCK) {
		if (opts->progress)
			opts->progress(opts->arg, &(struct image_progress){ .waiting = true });
		lock = cache_lock_take(c->fd, entry, LOCK_EX);
	}
	if (lock < 0)
		return err_set(e, -lock, "locking the cache '%s': %s", c->path, err_str(lock));
	if (!is_usable(c, entry)) {
		cache_trim(c->fd);
		r = add_entry(c, img, entry, opts, e);
	}
	cache_lock_drop(c->fd, entry, &lock);
	return r;
}

static int look_up(const struct cache *c, int fd, const struct image_opts *opts,
		   char ret_entry[CACHE_NAME_SIZE], struct err *e)
{
	_cleanup_close_ int archive = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	_cleanup_image_ struct image *img = NULL;
	char link_name[CACHE_NAME_SIZE] = "";
	int r;

	if (archive < 0)
		return err_set(e, errno, "%s", err_str(errno));
	/* The file as it was before it is read: should it change meanwhile, the link is for the old one. */
	if (file_link_name(fd, opts, link_name) < 0)
		link_name[0] = '\0';
	r = image_open(take_fd(&archive), c->fd, opts, &img, e);
	if (r < 0)
		return r;
	(void)snprintf(ret_entry, CACHE_NAME_SIZE, CACHE_ENTRY_PREFIX "%d-%s", FORMAT,
		       image_id(img)->hex);
	r = get_entry(c, img, ret_entry, opts, e);
	if (!r)
		remember_file(c, link_name, ret_entry);
	return r;
}

/* Lock it against removal, and say that it is used. -EAGAIN if it has just been removed. */
static int use_entry(const struct cache *c, const char *entry)
{
	_cleanup_close_ int fd =
		openat(c->fd, entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat mine, named;
	struct timespec now;
	int r;

	if (fd < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	do
		r = flock(fd, LOCK_SH); /* where there are no locks, nothing is trimmed either */
	while (r < 0 && errno == EINTR);
	if (fstat(fd, &mine) < 0)
		return -errno;
	if (fstatat(c->fd, entry, &named, AT_SYMLINK_NOFOLLOW) < 0 || mine.st_ino != named.st_ino ||
	    mine.st_dev != named.st_dev)
		return -EAGAIN;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec - mine.st_mtime > USED_S)
		(void)futimens(fd, NULL);
	return take_fd(&fd);
}

int image_cache_get(const char *archive, const struct image_opts *opts, char **ret_path,
		    int *ret_lock, struct err *e)
{
	static const struct image_opts defaults = { 0 };
	_cleanup_cache_ struct cache c = { .fd = -1 };
	_cleanup_close_ int fd = -1, lock = -EAGAIN;
	char entry[CACHE_NAME_SIZE];
	int r;

	if (!opts)
		opts = &defaults;
	/* O_NONBLOCK: a FIFO does not make us wait. */
	fd = open(archive, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return err_set(e, errno, "image '%s': %s", archive, err_str(errno));
	r = cache_open(&c, opts->cache_dir, e);
	if (r < 0)
		return r;
	cache_remove_leftovers(c.fd);
	for (int tries = 0; !r && lock == -EAGAIN && tries < TRIES_MAX; tries++) {
		r = find_by_file(&c, fd, opts, entry) ? 0 : look_up(&c, fd, opts, entry, e);
		if (!r)
			lock = use_entry(&c, entry);
	}
	if (r < 0)
		return err_wrap(e, r, "image '%s'", archive);
	if (lock < 0)
		return err_set(e, -lock, "opening '%s' in the cache '%s': %s", entry, c.path,
			       err_str(lock));
	if (asprintf(ret_path, "%s/%s/rootfs", c.path, entry) < 0)
		return err_set(e, ENOMEM, "no memory");
	*ret_lock = take_fd(&lock);
	return 0;
}
