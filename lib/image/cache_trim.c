/* SPDX-License-Identifier: MIT */
/*
 * cache_trim.c - what is removed from the cache, and when.
 *
 * Theory of operation
 *
 * An entry's time of modification says when it was used last. Who uses it has a shared
 * lock on its directory, and after taking that looks whether the directory still has
 * its name; if not, starts anew. So an entry that is renamed under an exclusive lock is nobody's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cache_priv.h"
#include "cleanup.h"
#include "io.h"
#include "tree.h"

void cache_name(const char *prefix, const char *entry, char ret[CACHE_NAME_SIZE])
{
	(void)snprintf(ret, CACHE_NAME_SIZE, "%s%.*s", prefix,
		       CACHE_NAME_SIZE - 1 - (int)strlen(prefix), entry);
}

/* It is removed by who holds it, so it may be another file by now. */
int cache_lock_take(int cachefd, const char *entry, int how)
{
	char name[CACHE_NAME_SIZE];

	cache_name(CACHE_LOCK_PREFIX, entry, name);
	for (;;) {
		_cleanup_close_ int fd =
			openat(cachefd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		struct stat mine, named;
		int r;

		if (fd < 0)
			return -errno;
		do
			r = flock(fd, how);
		while (r < 0 && errno == EINTR);
		if (r < 0 || fstat(fd, &mine) < 0)
			return -errno;
		if (!fstatat(cachefd, name, &named, AT_SYMLINK_NOFOLLOW) &&
		    mine.st_ino == named.st_ino && mine.st_dev == named.st_dev)
			return take_fd(&fd);
	}
}

void cache_lock_drop(int cachefd, const char *entry, int *lock)
{
	char name[CACHE_NAME_SIZE];

	cache_name(CACHE_LOCK_PREFIX, entry, name);
	(void)unlinkat(cachefd, name, 0);
	closep(lock);
	*lock = -1;
}

/* Call @fn for each name that begins with @prefix, with what follows it. */
static void for_each(int cachefd, const char *prefix, void (*fn)(int cachefd, const char *entry))
{
	int fd = openat(cachefd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
	size_t len = strlen(prefix);
	struct dirent *de;

	if (!d && fd >= 0)
		(void)close(fd);
	while (d && (de = readdir(d)))
		if (!strncmp(de->d_name, prefix, len) &&
		    strlen(de->d_name) + sizeof(CACHE_LOCK_PREFIX) < CACHE_NAME_SIZE)
			fn(cachefd, de->d_name + len);
}

static void remove_leftover(int cachefd, const char *entry)
{
	char tmp[CACHE_NAME_SIZE];
	int lock = cache_lock_take(cachefd, entry, LOCK_EX | LOCK_NB);

	if (lock < 0)
		return;
	cache_name(CACHE_TMP_PREFIX, entry, tmp);
	(void)!tree_remove(cachefd, tmp, NULL, NULL);
	cache_lock_drop(cachefd, entry, &lock);
}

void cache_remove_leftovers(int cachefd)
{
	for_each(cachefd, CACHE_TMP_PREFIX, remove_leftover);
}

/* Take its name away from an entry that is old and not in use. */
static bool retire(int cachefd, const char *entry, const char *tmp)
{
	_cleanup_close_ int fd =
		openat(cachefd, entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct timespec now;
	struct stat st;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 &&
	       now.tv_sec - st.st_mtime > CACHE_UNUSED_S &&
	       renameat(cachefd, entry, cachefd, tmp) == 0;
}

static void trim_entry(int cachefd, const char *rest)
{
	char entry[CACHE_NAME_SIZE], tmp[CACHE_NAME_SIZE];
	int lock;

	cache_name(CACHE_ENTRY_PREFIX, rest, entry);
	cache_name(CACHE_TMP_PREFIX, entry, tmp);
	lock = cache_lock_take(cachefd, entry, LOCK_EX | LOCK_NB);
	if (lock < 0)
		return;
	if (retire(cachefd, entry, tmp))
		(void)!tree_remove(cachefd, tmp, NULL, NULL);
	cache_lock_drop(cachefd, entry, &lock);
}

static void trim_link(int cachefd, const char *rest)
{
	_cleanup_free_ char *entry = NULL;
	char name[CACHE_NAME_SIZE];

	cache_name(CACHE_FILE_PREFIX, rest, name);
	if (!io_readlink_at(cachefd, name, &entry) && faccessat(cachefd, entry, F_OK, 0) < 0 &&
	    errno == ENOENT)
		(void)unlinkat(cachefd, name, 0);
}

void cache_trim(int cachefd)
{
	for_each(cachefd, CACHE_ENTRY_PREFIX, trim_entry);
	for_each(cachefd, CACHE_FILE_PREFIX, trim_link);
}
