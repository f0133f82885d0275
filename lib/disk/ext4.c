/* SPDX-License-Identifier: MIT */
/* Offsets are those of Documentation/filesystems/ext4/super.rst. */
#include "ext4.h"

#include <errno.h>
#include <string.h>

#include "cursor.h"
#include "uuid_text.h"

#define MAGIC              0xef53
#define STATE_CLEAN        1
#define COMPAT_JOURNAL     0x4
#define INCOMPAT_RECOVER   0x4
#define INCOMPAT_EXTENTS   0x40
#define INCOMPAT_64BIT     0x80
#define LOG_BLOCK_SIZE_MAX 6 /* 64 KiB */
#define BLOCKS_MAX         (1ULL << 48)

int ext4_parse(const void *sb, size_t size, struct ext4 *ret)
{
	struct cursor c = cur_of(sb, size);
	uint32_t blocks_lo, free_lo, log_size, compat, incompat;
	uint16_t magic, state;
	const void *uuid, *label;
	struct ext4 x = { 0 };

	x.inodes = cur_le32(&c);
	blocks_lo = cur_le32(&c);
	cur_skip(&c, 4);
	free_lo = cur_le32(&c);
	x.free_inodes = cur_le32(&c);
	cur_skip(&c, 4);
	log_size = cur_le32(&c);
	cur_skip(&c, 0x38 - 0x1c);
	magic = cur_le16(&c);
	state = cur_le16(&c);
	cur_skip(&c, 0x5c - 0x3c);
	compat = cur_le32(&c);
	incompat = cur_le32(&c);
	cur_skip(&c, 4);
	uuid = cur_take(&c, 16);
	label = cur_take(&c, 16);
	cur_skip(&c, 0x150 - 0x88);
	x.blocks = blocks_lo;
	x.free_blocks = free_lo;
	if (incompat & INCOMPAT_64BIT) {
		x.blocks |= (uint64_t)cur_le32(&c) << 32;
		cur_skip(&c, 4);
		x.free_blocks |= (uint64_t)cur_le32(&c) << 32;
	}
	if (!cur_ok(&c) || magic != MAGIC)
		return -ENOENT;
	if (log_size > LOG_BLOCK_SIZE_MAX || !x.blocks || x.blocks > BLOCKS_MAX ||
	    x.free_blocks > x.blocks || x.free_inodes > x.inodes)
		return -EPROTO;
	x.block_size = 1024U << log_size;
	x.size = x.blocks * x.block_size;
	x.journal = compat & COMPAT_JOURNAL;
	x.extents = incompat & INCOMPAT_EXTENTS;
	x.dirty = !(state & STATE_CLEAN) || (incompat & INCOMPAT_RECOVER);
	uuid_text(uuid, x.uuid);
	memcpy(x.label, label, 16);
	*ret = x;
	return 0;
}
