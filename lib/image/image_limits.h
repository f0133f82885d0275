/* SPDX-License-Identifier: MIT */
/* image_limits.h - how much of an image we take; every bound of lib/image that an image's author could push against. */
#ifndef IMAGE_IMAGE_LIMITS_H
#define IMAGE_IMAGE_LIMITS_H

#include <stdint.h>

/* One archive. */
#define IMAGE_MEMBERS_MAX   65536      /* members of an image archive */
#define IMAGE_LINKS_MAX     8          /* links from one member of it to the next */
#define IMAGE_JSON_MAX      (4U << 20) /* bytes of an index, manifest or config */
#define IMAGE_INDEX_DEPTH   4          /* indexes within indexes */
#define IMAGE_LAYERS_MAX    512
#define IMAGE_PLATFORMS_MAX 1024 /* manifests in one index */

/* One tar stream. */
#define TAR_PATH_MAX   4096       /* with the NUL */
#define TAR_META_MAX   (1U << 20) /* bytes of one extended header or long name */
#define TAR_META_RUN   8          /* such headers before one entry */
#define TAR_XATTRS_MAX 64         /* extended attributes of one entry */

/* One tree that is unpacked; the caller may ask for less. */
#define UNPACK_DEPTH_MAX \
	256 /* real directories below each other; also open descriptors while removing */
#define UNPACK_ENTRIES_MAX (4ULL << 20)
#define UNPACK_BYTES_MAX   (64ULL << 30)
#define UNPACK_NAMES_MAX   (512ULL << 20) /* bytes of names and attributes kept of directories */
/* An archive of N bytes may unpack to N * RATIO + SLACK: real images stay below 10. */
#define UNPACK_RATIO_MAX 100
#define UNPACK_SLACK     (1ULL << 30)

#endif
