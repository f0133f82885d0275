/* SPDX-License-Identifier: MIT */
/* mkfs_times.h - what mke2fs -d leaves out; see mkfs.h. Private to lib/disk. */
#ifndef DISK_MKFS_TIMES_H
#define DISK_MKFS_TIMES_H

#include "err.h"

/* Owner and mode of the root, and all times, from the tree @dir to the file system on @fd that was made of it. */
int mkfs_copy_times(const char *dir, int fd, struct err *e) _must_check_;

#endif
