/* SPDX-License-Identifier: MIT */
/*
 * attach_volume.h - where in an image a file system is.
 *
 * Known are ext4 (ext2 and ext3 too), squashfs and erofs; as the whole image, or in a partition, by GPT or the four of an MBR. Of
 * several the largest is taken. Nothing in the image is believed beyond its end.
 */
#ifndef ATTACH_VOLUME_H
#define ATTACH_VOLUME_H

#include <stdint.h>

#include "err.h"

struct attach_volume {
	const char *fstype; /* static */
	uint64_t offset, size;
};

/* In @fd of @size bytes, called @name. Return: 0; -ENOTSUP and @e says what it is; -errno. */
int attach_volume_find(int fd, uint64_t size, const char *name, struct attach_volume *ret,
		       struct err *e) _must_check_;

#endif
