/* SPDX-License-Identifier: MIT */
#include "initrd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "array.h"
#include "cleanup.h"
#include "conf.h"
#include "io.h"

#define CPIO_TRAILER "TRAILER!!!"
#define CPIO_ALIGN   4
#define CPIO_HEADER  110 /* bytes */

/* As array_room(), but nothing is left behind where it was: a disk's key may be in it. */
static int conf_room(struct boot_conf *c, size_t size)
{
	size_t room = 2 * size;
	char *bigger;

	if (size <= c->room)
		return 0;
	bigger = malloc(room);
	if (!bigger)
		return -ENOMEM;
	if (c->data) {
		memcpy(bigger, c->data, c->size);
		explicit_bzero(c->data, c->size);
		free(c->data);
	}
	c->data = bigger;
	c->room = room;
	return 0;
}

/* Printed where it stays: printf's own buffers would keep a copy. */
void boot_conf_add(struct boot_conf *c, const char *key, const char *format, ...)
{
	size_t left, prefix = strlen(key) + 1;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	left = CONF_MAX - c->size;
	if (n < 0 || (size_t)n >= left || prefix + (size_t)n + 1 >= left ||
	    conf_room(c, c->size + prefix + (size_t)n + 1) < 0) {
		c->failed = true;
		return;
	}
	(void)snprintf(c->data + c->size, prefix + 1, "%s=", key);
	va_start(args, format);
	(void)vsnprintf(c->data + c->size + prefix, (size_t)n + 1, format, args);
	va_end(args);
	c->size += prefix + (size_t)n + 1;
}

void boot_conf_fini(struct boot_conf *c)
{
	if (c->data)
		explicit_bzero(c->data, c->size);
	free(c->data);
	*c = (struct boot_conf){ .data = NULL };
}

struct entry {
	const char *name; /* without a leading slash */
	mode_t mode;
	dev_t rdev;
	size_t size; /* of what follows */
};

static int pad(int fd, size_t size)
{
	static const char zeros[CPIO_ALIGN];

	return io_write_all(fd, zeros, (CPIO_ALIGN - size % CPIO_ALIGN) % CPIO_ALIGN);
}

/* Magic, then 13 fields of 8 digits: ino mode uid gid nlink mtime size, of devices 4, namesize, check. */
static int put_header(int fd, const struct entry *en)
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

static int put_data(int fd, const struct entry *en, const void *data)
{
	int r = put_header(fd, en);

	if (!r)
		r = io_write_all(fd, data, en->size);
	return r ? r : pad(fd, en->size);
}

static int put_file(int fd, const char *name, int from)
{
	struct entry en = { .name = name, .mode = S_IFREG | 0755 };
	struct stat st;
	off_t off = 0;
	int r;

	if (fstat(from, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > UINT32_MAX)
		return -EINVAL;
	en.size = (size_t)st.st_size;
	r = put_header(fd, &en);
	while (!r && off < st.st_size)
		if (sendfile(fd, from, &off, (size_t)(st.st_size - off)) <= 0)
			r = errno ? -errno : -EIO;
	return r ? r : pad(fd, en.size);
}

static int put_all(int fd, int init, const struct boot_conf *conf)
{
	static const struct entry fixed[] = {
		{ .name = "dev", .mode = S_IFDIR | 0755 },
		{ .name = "dev/console", .mode = S_IFCHR | 0600, .rdev = 5 << 8 | 1 },
	};
	struct entry boot = { .name = &CONF_PATH[1], .mode = S_IFREG | 0600, .size = conf->size };
	struct entry end = { .name = CPIO_TRAILER };
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(fixed); i++)
		r = put_header(fd, &fixed[i]);
	if (!r)
		r = put_file(fd, "init", init);
	if (!r)
		r = put_data(fd, &boot, conf->data);
	return r ? r : put_header(fd, &end);
}

int initrd_make(int init, const struct boot_conf *conf, struct err *e)
{
	_cleanup_close_ int fd = memfd_create("rktio-initrd", MFD_CLOEXEC);
	int r;

	if (conf->failed)
		return err_set(e, E2BIG, "arguments and environment are longer than %d bytes",
			       CONF_MAX);
	r = fd < 0 ? -errno : put_all(fd, init, conf);
	if (!r && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	return r < 0 ? err_set(e, -r, "making the initial file system: %s", err_str(r))
		     : take_fd(&fd);
}
