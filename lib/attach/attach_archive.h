/* SPDX-License-Identifier: MIT */
/* attach_archive.h - the tools of a guest without FUSE, as an archive. Private to lib/attach. */
#ifndef ATTACH_ARCHIVE_H
#define ATTACH_ARCHIVE_H

#include "err.h"

/*
 * attach_archive_open() - The archive @path (newc); NULL: one of a static busybox of this host, with its names in /bin.
 *
 * Must be called with a single thread. Return: a descriptor, the caller's; -ENOENT; another -errno.
 */
int attach_archive_open(const char *path, struct err *e) _must_check_;

#endif
