/* SPDX-License-Identifier: MIT */
/* image_bed.h - a directory for each test of the cache, with room for an archive and a cache. */
#ifndef TEST_IMAGE_BED_H
#define TEST_IMAGE_BED_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image_maker.h"
#include "io.h"
#include "tree.h"

static char dir[64], archive[100], cache[100];

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/dvs-image-XXXXXX");
	assert_non_null(mkdtemp(dir));
	sprintf(archive, "%s/image.tar", dir);
	sprintf(cache, "%s/cache", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return tree_remove(AT_FDCWD, dir, NULL, NULL);
}

static void write_bytes(const char *path, const struct bytes *b)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(io_write_all(fd, b->p, b->len), 0);
	close(fd);
}

static void put_archive(struct bytes b)
{
	write_bytes(archive, &b);
	bytes_free(&b);
}

#endif
