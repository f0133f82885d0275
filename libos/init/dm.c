/* SPDX-License-Identifier: MIT */
/*
 * dm.c - device-mapper devices by ioctl(2) (linux/dm-ioctl.h, version 4.0 and later).
 *
 * Three calls make one: create it, load its table, resume it, which makes the table live.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "init.h"

#define PARAMS_MAX 16000
#define RO_MARK    "-ro"

/* The ioctl's argument: a header, and for a table one target and its parameters. */
struct dm_arg {
	struct dm_ioctl io;
	struct dm_target_spec target;
	char params[PARAMS_MAX];
};

static void arg_init(struct dm_arg *a, const char *name, uint32_t flags)
{
	memset(a, 0, sizeof(*a));
	a->io.version[0] = DM_VERSION_MAJOR;
	a->io.data_size = sizeof(*a);
	a->io.data_start = offsetof(struct dm_arg, target);
	a->io.flags = flags;
	(void)snprintf(a->io.name, sizeof(a->io.name), "%s", name);
}

static void add_target(struct dm_arg *a, uint64_t sectors, const char *type, const char *params)
{
	size_t len = strlen(params);

	errno = 0;
	if (len >= sizeof(a->params))
		init_fail("a table that is too long of type", type);
	a->io.target_count = 1;
	a->target.length = sectors;
	(void)snprintf(a->target.target_type, sizeof(a->target.target_type), "%s", type);
	memcpy(a->params, params, len + 1);
}

static char *next_word(char **rest)
{
	char *word = strsep(rest, " ");

	errno = 0;
	if (!word || !*word)
		init_fail("not a device:", "dm");
	return word;
}

static void make_node(const char *name, uint64_t dev)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "/dev/mapper/%s", name);
	(void)mkdir("/dev/mapper", 0755);
	if (mknod(path, S_IFBLK | 0600, makedev(major(dev), minor(dev))) < 0 && errno != EEXIST)
		init_fail("making", path);
}

void dm_make(char *text)
{
	size_t size = strlen(text), len;
	char *name = next_word(&text), *sectors = next_word(&text), *type = next_word(&text);
	int fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	uint32_t flags = 0;
	struct dm_arg *a = malloc(sizeof(*a));

	if (fd < 0 || !a)
		init_fail("opening", "/dev/mapper/control");
	len = strlen(name);
	if (len > strlen(RO_MARK) && !strcmp(name + len - strlen(RO_MARK), RO_MARK)) {
		name[len - strlen(RO_MARK)] = '\0';
		flags = DM_READONLY_FLAG;
	}
	arg_init(a, name, flags);
	if (ioctl(fd, DM_DEV_CREATE, a) < 0)
		init_fail("creating the device", name);
	arg_init(a, name, flags | DM_SECURE_DATA_FLAG);
	add_target(a, strtoull(sectors, NULL, 10), type, text ? text : "");
	if (ioctl(fd, DM_TABLE_LOAD, a) < 0)
		init_fail("loading the table of", name);
	arg_init(a, name, flags);
	if (ioctl(fd, DM_DEV_SUSPEND, a) < 0) /* without DM_SUSPEND_FLAG: resume */
		init_fail("resuming the device", name);
	make_node(name, a->io.dev);
	explicit_bzero(a, sizeof(*a));
	free(a);
	explicit_bzero(name, size);
	(void)close(fd);
}
