/* SPDX-License-Identifier: MIT */
/* cpio_put.h - an archive of the form "newc" (cpio.h) is written. Its end is an entry of the name CPIO_TRAILER. */
#ifndef WIRE_CPIO_PUT_H
#define WIRE_CPIO_PUT_H

#include <stddef.h>
#include <sys/types.h>

#include "compiler.h"

#define CPIO_TRAILER "TRAILER!!!"

struct cpio_put {
	const char *name; /* without a leading slash */
	mode_t mode;
	dev_t rdev;
	size_t size; /* of the data */
};

/* An entry without data, and its data from memory, or those of the regular file @from. 0 or -errno. */
int cpio_put_header(int fd, const struct cpio_put *en) _must_check_;
int cpio_put_data(int fd, const struct cpio_put *en, const void *data) _must_check_;
int cpio_put_file(int fd, const char *name, int from) _must_check_;

#endif
