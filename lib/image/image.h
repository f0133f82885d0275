/* SPDX-License-Identifier: MIT */
/*
 * image.h - an image in an archive: find it, check it, unpack it.
 *
 * Everything but the layers is read and checked by image_open(): index,
 * manifest and config against the digests that name them. Layers are checked
 * while they are unpacked, both as they lie in the archive and as the config
 * knows them; one that does not match fails the whole.
 */
#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H

#include "digest.h"
#include "err.h"
#include "unpack.h"

struct image_progress {
	bool waiting; /* for another process that unpacks the same; nothing else is set */
	unsigned int layer, nlayers; /* counted from 1 */
	uint64_t done, total;        /* bytes of all layers, as the archive has them */
	uint64_t entries;
};

/* All zero is good. Borrowed. */
struct image_opts {
	const char *ref;       /* which image, where the archive has several: "busybox:latest" */
	const char *cache_dir; /* image_cache_get() only; NULL: see cache.h */
	uint64_t max_bytes;    /* unpacked; 0: image_limits.h */
	uint64_t max_entries;  /* the same */
	/* Called about once per 256 KiB of a layer. */
	void (*progress)(void *arg, const struct image_progress *p);
	void *arg;
	struct unpack_stats *stats; /* what was unpacked and skipped; untouched if nothing was */
};

struct image;

/*
 * image_open() - Open the image for this platform in @fd, a tar file or a layout directory.
 *
 * @fd becomes the image's, also on failure. @tmpfd: a directory where a compressed archive
 * may put an unnamed copy of itself; used by image_open() only.
 */
int image_open(int fd, int tmpfd, const struct image_opts *opts, struct image **ret, struct err *e)
	_must_check_;
void image_free(struct image *img);
static inline void image_freep(struct image **img)
{
	image_free(*img);
}
#define _cleanup_image_ _cleanup_(image_freep)

/* The digest of the config: equal for equal contents, however they were packed. */
const struct digest *image_id(const struct image *img);
/* The config's JSON text, NUL-terminated, the image's: Env, User and the like. */
const char *image_config(const struct image *img, size_t *ret_len);

/* Unpack all layers into the empty directory @rootfd. After a failure what is there is to be removed. */
int image_unpack(struct image *img, int rootfd, const struct image_opts *opts, struct err *e)
	_must_check_;

#endif
