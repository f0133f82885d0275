/* SPDX-License-Identifier: MIT */
/* watch.h - what changes on a file system, as the kernel tells it (fanotify). */
#ifndef VFS_WATCH_H
#define VFS_WATCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "compiler.h"

/* A file handle, as name_to_handle_at() gives it. */
struct watch_handle {
	int32_t type;
	uint32_t size; /* 0: it was not told */
	const uint8_t *bytes;
};

struct watch_event {
	uint64_t mask; /* FAN_* */
	pid_t pid;     /* of the process that did it */
	struct watch_handle dir, self;
	const char *name; /* in @dir; NULL: it was not told */
};

/*
 * watch_open() - Be told of all changes of names, attributes and data on the file system of @dir.
 *
 * Return: a descriptor to poll and read, non-blocking; -EOPNOTSUPP, changes there can happen behind this
 * kernel's back (a network), or it has no file handles; -errno: -EPERM without CAP_SYS_ADMIN.
 */
int watch_open(int dir) _must_check_;

/* A buffer that was read is passed over from *off = 0 on. Return: 1 an event; 0 the end; -EPROTO. */
int watch_next(const void *buf, size_t size, size_t *off, struct watch_event *ret) _must_check_;

#endif
