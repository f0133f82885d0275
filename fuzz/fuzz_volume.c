/* SPDX-License-Identifier: MIT */
/* An image that somebody has given: file systems and tables of partitions in it. */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "attach_volume.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct attach_volume v;
	struct err e = { 0 };
	int r;

	if (fd < 0)
		fd = memfd_create("image", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		return 0;
	r = attach_volume_find(fd, size, "image", &v, &e);
	if (r < 0)
		assert(*e.msg && memchr(e.msg, 0, sizeof(e.msg)));
	else
		assert(v.fstype && v.size && v.offset <= size && v.size <= size - v.offset);
	return 0;
}
