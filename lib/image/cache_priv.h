/* SPDX-License-Identifier: MIT */
/* cache_priv.h - what the two halves of cache.h share: names in the cache, and locks. */
#ifndef IMAGE_CACHE_PRIV_H
#define IMAGE_CACHE_PRIV_H

#define CACHE_ENTRY_PREFIX "v"
#define CACHE_TMP_PREFIX   ".tmp-"
#define CACHE_LOCK_PREFIX  ".lock-"
#define CACHE_FILE_PREFIX  ".file-"

#define CACHE_NAME_SIZE 96 /* of an entry with any prefix */
#define CACHE_UNUSED_S  (30 * 24 * 3600)

void cache_name(const char *prefix, const char *entry, char ret[CACHE_NAME_SIZE]);

/*
 * cache_lock_take() - The lock of who makes or removes @entry, made if need be. @how: of flock(2).
 *
 * Return: a descriptor, for cache_lock_drop(); -errno, -EWOULDBLOCK with LOCK_NB.
 */
int cache_lock_take(int cachefd, const char *entry, int how);
void cache_lock_drop(int cachefd, const char *entry, int *lock);

/* Remove what was left by processes that were killed: temporary directories that nobody has locked. */
void cache_remove_leftovers(int cachefd);

/* Remove entries that nobody uses or has used for CACHE_UNUSED_S, and links to what is gone. */
void cache_trim(int cachefd);

#endif
