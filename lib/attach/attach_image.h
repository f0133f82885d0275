/* SPDX-License-Identifier: MIT */
/*
 * attach_image.h - the file system in an image: where it is; and that mounted read-only where nobody sees it.
 *
 * By a loop device that goes with the mount, and the mount with its descriptor: whatever is killed, nothing is left. The image
 * is not written to: no journal is replayed.
 */
#ifndef ATTACH_IMAGE_H
#define ATTACH_IMAGE_H

#include "attach_volume.h"
#include "err.h"

/* Return: the image, open for reading, and where in it the file system is; -ENOTSUP it has none that is known; -errno. */
int attach_image_find(const char *path, struct attach_volume *ret, struct err *e) _must_check_;

/* Return: the detached mount; -ENOTSUP it has no file system that is known; -errno. */
int attach_image_mount(const char *path, struct err *e) _must_check_;

#endif
