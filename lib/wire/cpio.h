/* SPDX-License-Identifier: MIT */
/*
 * cpio.h - an archive of the form "newc", as it comes.
 *
 * Theory of operation
 *
 * The form is that of the kernel's initramfs (Documentation/driver-api/early-userspace/buffer-format.rst):
 * entries of a header of 110 characters, a name and data, each aligned to four bytes. cpio_feed() takes
 * any piece of it, keeps what it needs of a header, and tells the sink of entries and of their data. What
 * comes behind the trailer is dropped: such archives are padded to blocks.
 *
 * A name is given to the sink as it is, without a leading "./" and slashes, and may be "": the root.
 * It has no component "..". The target of a symbolic link is its data.
 */
#ifndef WIRE_CPIO_H
#define WIRE_CPIO_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "compiler.h"

#define CPIO_HEADER 110

struct cpio_entry {
	const char *name;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	uint32_t ino, nlink, mtime;
	unsigned int major, minor, rmajor, rminor;
	uint32_t size;
};

/* Each returns 0, or -errno, which ends it. */
struct cpio_sink {
	int (*entry)(void *arg, const struct cpio_entry *en);
	int (*data)(void *arg, const void *data, size_t size);
	int (*done)(void *arg); /* of each entry, behind its data */
};

struct cpio {
	const struct cpio_sink *sink; /* borrowed */
	void *arg;
	enum {
		CPIO_IN_HEADER,
		CPIO_IN_NAME,
		CPIO_IN_DATA,
		CPIO_IN_PADDING,
		CPIO_BEHIND
	} state;
	struct cpio_entry entry;
	uint32_t left;    /* of what it is in */
	uint32_t name;    /* bytes, with the NUL */
	uint32_t padding; /* behind what it is in */
	size_t have;      /* of @text */
	char text[PATH_MAX + 4];
};

void cpio_init(struct cpio *c, const struct cpio_sink *sink, void *arg);
/* Return: 0; -EPROTO; what the sink returned. */
int cpio_feed(struct cpio *c, const void *data, size_t size) _must_check_;
/* The trailer was seen. */
static inline bool cpio_is_whole(const struct cpio *c)
{
	return c->state == CPIO_BEHIND;
}

#endif
