/* SPDX-License-Identifier: MIT */
/*
 * files.h - where the tools come from: a file system that the host answers for, or an archive of it.
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

/* A detached tmpfs with what comes by @l as WIRE_ARCHIVE. @ret is the caller's. */
int files_unpack(struct link *l, int *ret, struct err *e) _must_check_;

#endif
