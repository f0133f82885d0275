/* SPDX-License-Identifier: MIT */
/* keyfile.h - a key out of a file or descriptor, wiped when it is not needed any more. */
#ifndef DISK_KEYFILE_H
#define DISK_KEYFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define KEYFILE_MAX (64U << 10) /* bytes */

struct keyfile {
	uint8_t *data;
	size_t size;
	bool loose; /* a regular file that others than its owner may read */
};

/*
 * keyfile_read() - All of @path; "-" is standard input, /dev/fd/N a descriptor.
 *
 * Return: 0; -EINVAL less than LUKS_KEY_MIN bytes (a password, not a key); -EFBIG; another -errno.
 */
int keyfile_read(const char *path, struct keyfile *ret, struct err *e) _must_check_;
void keyfile_wipe(struct keyfile *k);
#define _cleanup_keyfile_ _cleanup_(keyfile_wipe)

#endif
