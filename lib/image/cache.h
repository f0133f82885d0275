/* SPDX-License-Identifier: MIT */
/*
 * cache.h - images unpacked once.
 *
 * Theory of operation
 *
 * The cache directory, ours and 0700, holds
 *
 *	v1-ID/rootfs	an image, under the digest of its config
 *	v1-ID/config.json	that config
 *	v1-ID/boot		the boot it was unpacked in, while that matters (see below)
 *	.tmp-v1-ID		one that is being unpacked, or was when somebody was killed
 *	.lock-v1-ID		flock()ed meanwhile, and while an entry is removed
 *	.file-HASH		a link to v1-ID for an archive with this inode, size and times:
 *				the next time it is not even opened
 *
 * An image is unpacked under its temporary name and renamed when it is
 * complete, by whoever has the lock; the others wait and find it. Nothing is
 * synced. After a crash of the machine a file system may show the rename and
 * not the files' contents, so an image counts as written only once the
 * kernel had a few minutes to do it; one from an earlier boot that was never
 * seen since is unpacked again.
 *
 * Temporary directories that nobody has locked are removed by each call. An entry that
 * was not used for 30 days is removed when another is unpacked, unless it is in use:
 * who uses it has a shared lock on its directory.
 */
#ifndef IMAGE_CACHE_H
#define IMAGE_CACHE_H

#include "image.h"

/*
 * image_cache_get() - The root directory of the image in @archive, unpacked now or before.
 *
 * @archive: a tar file of "docker save", "podman save" or an OCI layout, or a layout directory.
 * @opts: NULL for all defaults. The cache is @opts->cache_dir, else /var/cache/cntr for root,
 *	  else $XDG_CACHE_HOME/cntr or ~/.cache/cntr.
 * @ret_path: absolute if the cache's is; the caller's to free. The tree is shared: not to be written to.
 * @ret_lock: while this is open, here or in a child, the tree stays; the caller's to close.
 *
 * Return: 0; -errno, and in @e one sentence. The caller's umask does not matter.
 */
int image_cache_get(const char *archive, const struct image_opts *opts, char **ret_path,
		    int *ret_lock, struct err *e) _must_check_;

#endif
