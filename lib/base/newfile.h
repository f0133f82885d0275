/* SPDX-License-Identifier: MIT */
/*
 * newfile.h - a file that has its name only once it is complete and on the disk.
 *
 * Theory of operation
 *
 * The file is made without any name (O_TMPFILE) in the directory where it will
 * stand; newfile_commit() syncs it, and links it there. Where the file system
 * cannot do that, it has a hidden temporary name, which a keeper removes if we do
 * not come to the end.
 *
 * Whoever uses a disk image holds a flock() on it: a file that is locked is
 * not replaced.
 */
#ifndef BASE_NEWFILE_H
#define BASE_NEWFILE_H

#include <stdbool.h>

#include "err.h"
#include "keeper.h"

struct newfile {
	int fd;           /* read and write */
	int dirfd;        /* where it will stand, */
	char *name;       /* as what, */
	const char *path; /* and how the user calls it: borrowed */
	char *tmp;        /* its name until then, or NULL */
	int oldfd;        /* what it replaces, locked; or -1 */
	bool force;
};
#define NEWFILE_INIT                                                                        \
	{                                                                                   \
		.fd = -1, .dirfd = -1, .name = NULL, .path = NULL, .tmp = NULL, .oldfd = -1 \
	}

/*
 * newfile_open() - Begin a file that will be @path.
 *
 * @force: a regular file may stand there, and is replaced. @k is started if it is needed and does not run.
 * Return: 0; -EEXIST; -EBUSY somebody uses what would be replaced; another -errno.
 */
int newfile_open(const char *path, bool force, struct keeper *k, struct newfile *ret, struct err *e)
	_must_check_;
/* Write it all to the disk, so that newfile_commit() cannot fail for want of room. */
int newfile_sync(struct newfile *f, struct err *e) _must_check_;
/* Give it its name. -EEXIST somebody else was faster. */
int newfile_commit(struct newfile *f, struct err *e) _must_check_;
/* Nothing is left of what was not committed. */
void newfile_close(struct newfile *f);
#define _cleanup_newfile_ _cleanup_(newfile_close)

#endif
