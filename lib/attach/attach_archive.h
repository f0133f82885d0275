/* SPDX-License-Identifier: MIT */
/* attach_archive.h - the tools of a guest without FUSE, as an archive. Private to lib/attach. */
#ifndef ATTACH_ARCHIVE_H
#define ATTACH_ARCHIVE_H

#include "err.h"

/*
 * attach_archive_names() - What the static busybox of this host answers to, a name a line. It is run for that.
 *
 * Must be called with a single thread. Return: a string, the caller's; NULL: there is none, or it does not say.
 */
char *attach_archive_names(void);

/*
 * attach_archive_open() - The archive @path (newc); NULL: one of that busybox, with its @names in /bin.
 *
 * Return: a descriptor, the caller's; -ENOENT; another -errno.
 */
int attach_archive_open(const char *path, const char *names, struct err *e) _must_check_;

#endif
