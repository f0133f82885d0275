/* SPDX-License-Identifier: MIT */
/* GPT: UEFI specification 2.10, 5.3. Magic numbers: linux/magic.h, and fs/squashfs, fs/erofs of Linux. */
#include "attach_volume.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "cursor.h"

#define SECTOR         512U
#define GPT_ENTRY_MIN  128U
#define GPT_ENTRY_MAX  4096U
#define GPT_ENTRIES    128U /* as many as everybody makes */
#define MBR_ENTRIES    4U
#define MBR_TABLE      446U
#define MBR_SIGNATURE  510U
#define MBR_PROTECTIVE 0xeeU

struct magic {
	const char *name;
	uint64_t offset;
	const char *bytes;
	size_t size;
};

static const struct magic file_systems[] = {
	{ "ext4", 1080, "\x53\xef", 2 },
	{ "squashfs", 0, "hsqs", 4 },
	{ "erofs", 1024, "\xe2\xe1\xf5\xe0", 4 },
};

/* What people have, and we can't. */
static const struct magic others[] = {
	{ "is a qcow2 image; 'qemu-img convert -O raw' makes a plain one of it", 0, "QFI\xfb", 4 },
	{ "is a VMDK image; 'qemu-img convert -O raw' makes a plain one of it", 0, "KDMV", 4 },
	{ "is encrypted (LUKS)", 0, "LUKS\xba\xbe", 6 },
};

struct image {
	int fd;
	uint64_t size;
	size_t partitions, beyond; /* seen; that it does not have all of */
};

/* All of it, or not at all. */
static bool read_at(const struct image *i, uint64_t offset, void *buf, size_t size)
{
	return offset <= i->size && size <= i->size - offset &&
	       pread(i->fd, buf, size, (off_t)offset) == (ssize_t)size;
}

static const struct magic *find_magic(const struct image *i, uint64_t offset,
				      const struct magic *list, size_t n)
{
	char buf[8];

	for (size_t k = 0; k < n; k++)
		if (read_at(i, offset + list[k].offset, buf, list[k].size) &&
		    !memcmp(buf, list[k].bytes, list[k].size))
			return &list[k];
	return NULL;
}

/* Take what is there if it is a file system, and larger than what was taken before. */
static void look_at(struct image *i, uint64_t offset, uint64_t size, struct attach_volume *ret)
{
	const struct magic *m;

	if (offset > i->size || size > i->size - offset) {
		i->beyond++;
		return;
	}
	/* fewer no device can have */
	if (size < SECTOR)
		return;
	i->partitions++;
	m = size > ret->size ? find_magic(i, offset, file_systems, ARRAY_SIZE(file_systems)) : NULL;
	if (m)
		*ret = (struct attach_volume){ m->name, offset, size };
}

static void look_at_gpt_entry(struct image *i, const uint8_t *entry, unsigned int sector,
			      struct attach_volume *ret)
{
	static const uint8_t unused[16];
	struct cursor c = cur_of(entry, GPT_ENTRY_MIN);
	uint64_t first, last, offset, size;

	if (!memcmp(entry, unused, sizeof(unused)))
		return;
	cur_skip(&c, 32);
	first = cur_le64(&c);
	last = cur_le64(&c);
	if (last < first || __builtin_mul_overflow(first, sector, &offset) ||
	    __builtin_mul_overflow(last - first + 1, sector, &size))
		return;
	look_at(i, offset, size, ret);
}

/* Return: is there one? */
static bool look_at_gpt(struct image *i, unsigned int sector, struct attach_volume *ret)
{
	uint8_t header[92], entry[GPT_ENTRY_MIN];
	struct cursor c = cur_of(header, sizeof(header));
	uint32_t n, each;
	uint64_t table;

	if (!read_at(i, sector, header, sizeof(header)) || memcmp(header, "EFI PART", 8) != 0)
		return false;
	cur_skip(&c, 72);
	if (__builtin_mul_overflow(cur_le64(&c), sector, &table))
		return true;
	n = cur_le32(&c);
	each = cur_le32(&c);
	if (each < GPT_ENTRY_MIN || each > GPT_ENTRY_MAX)
		return true;
	for (uint32_t k = 0; k < n && k < GPT_ENTRIES; k++) {
		if (table > i->size ||
		    !read_at(i, table + (uint64_t)k * each, entry, sizeof(entry)))
			break;
		look_at_gpt_entry(i, entry, sector, ret);
	}
	return true;
}

static void look_at_mbr(struct image *i, struct attach_volume *ret)
{
	uint8_t sector[SECTOR];

	if (!read_at(i, 0, sector, sizeof(sector)) || sector[MBR_SIGNATURE] != 0x55 ||
	    sector[MBR_SIGNATURE + 1] != 0xaa)
		return;
	for (size_t k = 0; k < MBR_ENTRIES; k++) {
		struct cursor c = cur_of(sector + MBR_TABLE + 16 * k, 16);
		uint8_t type;
		uint64_t first;

		cur_skip(&c, 4);
		type = cur_u8(&c);
		cur_skip(&c, 3);
		first = cur_le32(&c);
		if (type && type != MBR_PROTECTIVE)
			look_at(i, first * SECTOR, (uint64_t)cur_le32(&c) * SECTOR, ret);
	}
}

int attach_volume_find(int fd, uint64_t size, const char *name, struct attach_volume *ret,
		       struct err *e)
{
	struct image i = { fd, size, 0, 0 };
	struct attach_volume v = { 0 };
	const struct magic *other;

	look_at(&i, 0, size, &v);
	if (v.fstype) {
		*ret = v;
		return 0;
	}
	other = find_magic(&i, 0, others, ARRAY_SIZE(others));
	if (other)
		return err_set(e, ENOTSUP, "'%s' %s", name, other->name);
	i.partitions = 0;
	if (!look_at_gpt(&i, SECTOR, &v) && !look_at_gpt(&i, 8 * SECTOR, &v))
		look_at_mbr(&i, &v);
	if (v.fstype) {
		*ret = v;
		return 0;
	}
	if (i.beyond)
		return err_set(e, ENOTSUP,
			       "'%s' ends before %zu of its partitions do: it is cut off", name,
			       i.beyond);
	if (i.partitions)
		return err_set(
			e, ENOTSUP,
			"none of the %zu partitions in '%s' has an ext4, squashfs or erofs file system",
			i.partitions, name);
	return err_set(
		e, ENOTSUP,
		"'%s' is neither an ext4, squashfs or erofs file system nor a disk with partitions",
		name);
}
