/* SPDX-License-Identifier: MIT */
#include "cpio_put.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "io.h"

#define CPIO_ALIGN  4
#define CPIO_HEADER 110 /* bytes */

static int pad(int fd, size_t size)
{
	static const char zeros[CPIO_ALIGN];

	return io_write_all(fd, zeros, (CPIO_ALIGN - size % CPIO_ALIGN) % CPIO_ALIGN);
}

/* Magic, then 13 fields of 8 digits: ino mode uid gid nlink mtime size, of devices 4, namesize, check. */
int cpio_put_header(int fd, const struct cpio_put *en)
{
	size_t name = strlen(en->name) + 1;
	char header[CPIO_HEADER + 1];
	int r;

	(void)snprintf(header, sizeof(header),
		       "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 0, en->mode, 0,
		       0, 1, 0, (unsigned int)en->size, 0, 0, major(en->rdev), minor(en->rdev),
		       (unsigned int)name, 0);
	r = io_write_all(fd, header, CPIO_HEADER);
	if (!r)
		r = io_write_all(fd, en->name, name);
	return r ? r : pad(fd, CPIO_HEADER + name);
}

int cpio_put_data(int fd, const struct cpio_put *en, const void *data)
{
	int r = cpio_put_header(fd, en);

	if (!r)
		r = io_write_all(fd, data, en->size);
	return r ? r : pad(fd, en->size);
}

int cpio_put_file(int fd, const char *name, int from)
{
	struct cpio_put en = { .name = name, .mode = S_IFREG | 0755 };
	struct stat st;
	off_t off = 0;
	int r;

	if (fstat(from, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > UINT32_MAX)
		return -EINVAL;
	en.size = (size_t)st.st_size;
	r = cpio_put_header(fd, &en);
	while (!r && off < st.st_size)
		if (sendfile(fd, from, &off, (size_t)(st.st_size - off)) <= 0)
			r = errno ? -errno : -EIO;
	return r ? r : pad(fd, en.size);
}
