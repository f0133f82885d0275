/* SPDX-License-Identifier: MIT */
#include "integrity.h"

#include <errno.h>
#include <string.h>

#include "cursor.h"
#include "le.h"

#define SB_SECTORS      8
#define VERSION_MAX     5
#define VERSION_PADDING 4 /* the first that may have INTEGRITY_FIXED_PADDING */
#define BLOCK_SIZE      4096
#define LOG2_BLOCK      3 /* sectors of one */
#define LOG2_BLOCK_MAX  3
#define LOG2_AREA       15 /* sectors; what the kernel takes by default */
#define LOG2_AREA_MIN   3
#define LOG2_AREA_MAX   31
#define ENTRY_SECTORS   8                     /* of a journal section: JOURNAL_BLOCK_SECTORS */
#define SECTOR_DATA     504                   /* of a sector with entries; the commit id follows */
#define MAC_SIZE        8                     /* taken away from it where the journal has a MAC */
#define COMMIT_ID       0x1111111111111111ULL /* the first of four */
#define JOURNAL_FACTOR  7                     /* a journal has 1/128 of the device, */
#define JOURNAL_MAX     8192 /* and this many sectors at most: see integrity_plan() */

static const char magic[8] = "integrt";

int integrity_sb_parse(const void *buf, size_t size, struct integrity_sb *ret)
{
	struct cursor c = cur_of(buf, size);
	const void *start = cur_take(&c, sizeof(magic));
	struct integrity_sb sb;

	if (!start || memcmp(start, magic, sizeof(magic)) != 0)
		return -ENOENT;
	sb.version = cur_u8(&c);
	sb.log2_interleave = cur_u8(&c);
	sb.tag_size = cur_le16(&c);
	sb.journal_sections = cur_le32(&c);
	sb.sectors = cur_le64(&c);
	sb.flags = cur_le32(&c);
	sb.log2_block = cur_u8(&c);
	if (!cur_ok(&c))
		return -EPROTO;
	if (sb.version > VERSION_MAX)
		return -EOPNOTSUPP;
	if (!sb.version || !sb.tag_size || sb.tag_size > INTEGRITY_TAG_MAX ||
	    !sb.journal_sections || sb.log2_block > LOG2_BLOCK_MAX)
		return -EPROTO;
	/* 0 is that of a device whose tags lie on another one. */
	if (sb.log2_interleave &&
	    (sb.log2_interleave < LOG2_AREA_MIN || sb.log2_interleave > LOG2_AREA_MAX))
		return -EPROTO;
	if (!sb.sectors || sb.sectors > INTEGRITY_DATA_MAX / INTEGRITY_SECTOR)
		return -EPROTO;
	*ret = sb;
	return 0;
}

static uint64_t round_up(uint64_t v, uint64_t to)
{
	return (v + to - 1) / to * to;
}

static void size_journal(struct integrity *g)
{
	const struct integrity_sb *sb = &g->sb;
	uint32_t room = SECTOR_DATA - (sb->flags & INTEGRITY_JOURNAL_MAC ? MAC_SIZE : 0);

	/* The sector's number, the last eight bytes of each sector of the block, the tag. */
	g->entry_size = (uint32_t)round_up(8 + (8ULL << sb->log2_block) + sb->tag_size, 8);
	g->entries_per_sector = room / g->entry_size;
	g->section_size =
		(((g->entries_per_sector * ENTRY_SECTORS) << sb->log2_block) + ENTRY_SECTORS) *
		INTEGRITY_SECTOR;
}

struct integrity_place integrity_place(const struct integrity *g, uint64_t n)
{
	uint64_t off = n * g->block_size, area = off / g->area_data, base, in_area;

	base = g->areas + area * (g->tags_size + g->area_data);
	in_area = off % g->area_data;
	return (struct integrity_place){
		.data = base + g->tags_size + in_area,
		.tag = base + in_area / g->block_size * g->sb.tag_size,
	};
}

int integrity_layout(const struct integrity_sb *sb, uint64_t start, struct integrity *ret)
{
	struct integrity g = { .sb = *sb, .start = start };
	uint64_t journal, padding;

	if (start % INTEGRITY_SECTOR || start > INTEGRITY_DATA_MAX || !sb->log2_interleave ||
	    sb->sectors >> sb->log2_block << sb->log2_block != sb->sectors)
		return -EPROTO;
	size_journal(&g);
	g.block_size = INTEGRITY_SECTOR << sb->log2_block;
	journal = (uint64_t)g.section_size * sb->journal_sections;
	/* The kernel counts these sectors in 32 bits. */
	if (journal / INTEGRITY_SECTOR > UINT32_MAX - SB_SECTORS)
		return -EPROTO;
	g.areas = start + SB_SECTORS * INTEGRITY_SECTOR + journal;
	g.area_data = (uint64_t)INTEGRITY_SECTOR << sb->log2_interleave;
	padding = sb->flags & INTEGRITY_FIXED_PADDING ? 8 * INTEGRITY_SECTOR
						      : INTEGRITY_SECTOR << 8;
	g.tags_size = round_up(g.area_data / g.block_size * sb->tag_size, padding);
	g.nblocks = sb->sectors >> sb->log2_block;
	g.size = integrity_place(&g, g.nblocks - 1).data + g.block_size;
	*ret = g;
	return 0;
}

int integrity_plan(uint64_t start, uint64_t data_size, uint16_t tag_size, struct integrity *ret)
{
	struct integrity g = { .sb = { .version = VERSION_PADDING,
				       .log2_interleave = LOG2_AREA,
				       .log2_block = LOG2_BLOCK,
				       .tag_size = tag_size,
				       .flags = INTEGRITY_FIXED_PADDING,
				       .sectors = data_size / INTEGRITY_SECTOR } };
	uint64_t journal = data_size / INTEGRITY_SECTOR >> JOURNAL_FACTOR;

	if (!data_size || data_size % BLOCK_SIZE || !tag_size || tag_size > INTEGRITY_TAG_MAX)
		return -EINVAL;
	if (data_size > INTEGRITY_DATA_MAX)
		return -EFBIG;
	if (journal > JOURNAL_MAX)
		journal = JOURNAL_MAX;
	size_journal(&g);
	g.sb.journal_sections = (uint32_t)(journal / (g.section_size / INTEGRITY_SECTOR));
	if (!g.sb.journal_sections)
		g.sb.journal_sections = 1;
	return integrity_layout(&g.sb, start, ret);
}

void integrity_sb_put(const struct integrity *g, uint8_t ret[INTEGRITY_SB_SIZE])
{
	struct {
		char magic[8];
		uint8_t version, log2_interleave;
		le16 tag_size;
		le32 journal_sections;
		le64 sectors;
		le32 flags;
		uint8_t log2_block, log2_blocks_per_bit, pad[2];
		le64 recalc_sector;
	} raw = {
		.version = g->sb.version,
		.log2_interleave = g->sb.log2_interleave,
		.tag_size = le16_of(g->sb.tag_size),
		.journal_sections = le32_of(g->sb.journal_sections),
		.sectors = le64_of(g->sb.sectors),
		.flags = le32_of(g->sb.flags),
		.log2_block = g->sb.log2_block,
		/* For bitmap mode, which opens with what it finds; the kernel's default is 32768 sectors. */
		.log2_blocks_per_bit = (uint8_t)(LOG2_AREA - g->sb.log2_block),
	};

	memcpy(raw.magic, magic, sizeof(magic));
	memset(ret, 0, INTEGRITY_SB_SIZE);
	memcpy(ret, &raw, sizeof(raw));
}

void integrity_journal_put(const struct integrity *g, uint32_t section, uint32_t idx,
			   uint8_t ret[INTEGRITY_SECTOR])
{
	le64 id = le64_of(COMMIT_ID ^ (((uint64_t)section << 32) ^ idx));
	le32 unused = le32_of(UINT32_MAX);

	memset(ret, 0, INTEGRITY_SECTOR);
	/* An entry is unused if the upper half of its sector's number is all ones. */
	for (uint32_t i = 0; idx < ENTRY_SECTORS && i < g->entries_per_sector; i++)
		memcpy(ret + (size_t)i * g->entry_size + sizeof(uint32_t), &unused, sizeof(unused));
	memcpy(ret + SECTOR_DATA, &id, sizeof(id));
}
