/* SPDX-License-Identifier: MIT */
#include "initrd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "array.h"
#include "cleanup.h"
#include "conf.h"
#include "cpio_put.h"

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

static int put_all(int fd, int init, const struct boot_conf *conf)
{
	static const struct cpio_put fixed[] = {
		{ .name = "dev", .mode = S_IFDIR | 0755 },
		{ .name = "dev/console", .mode = S_IFCHR | 0600, .rdev = 5 << 8 | 1 },
	};
	struct cpio_put boot = { .name = &CONF_PATH[1],
				 .mode = S_IFREG | 0600,
				 .size = conf->size };
	struct cpio_put end = { .name = CPIO_TRAILER };
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(fixed); i++)
		r = cpio_put_header(fd, &fixed[i]);
	if (!r)
		r = cpio_put_file(fd, "init", init);
	if (!r)
		r = cpio_put_data(fd, &boot, conf->data);
	return r ? r : cpio_put_header(fd, &end);
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
