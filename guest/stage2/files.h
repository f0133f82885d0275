/* SPDX-License-Identifier: MIT */
/*
 * files.h - where the tools come from: a file system that the host answers for, a disk of the host's with one, or an archive of it.
 */
#ifndef STAGE2_FILES_H
#define STAGE2_FILES_H

#include <stdbool.h>

#include "err.h"
#include "link.h"

/* The device of FUSE, if this kernel has that, or a module of it; else -1. */
int files_open_fuse(void);

/* A detached mount whose requests come by @dev. @ret is the caller's. */
int files_mount_fuse(int dev, bool writable, int *ret, struct err *e) _must_check_;

/* Is the file system @type there, or a module of it? */
bool files_has_type(const char *type);

/* A detached mount of the disk whose serial number is @id. @ret is the caller's. */
int files_mount_disk(const char *id, const char *type, bool writable, int *ret, struct err *e)
	_must_check_;
/* Until nobody has it mounted any more, or for @timeout_ms: what was written is there then. */
void files_await_disk(unsigned int timeout_ms);

/* A detached tmpfs with what comes by @l as WIRE_ARCHIVE. @ret is the caller's. */
int files_unpack(struct link *l, int *ret, struct err *e) _must_check_;

#endif
