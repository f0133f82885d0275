/* SPDX-License-Identifier: MIT */
/*
 * integrity.h - the on-disk format of Linux's dm-integrity: superblock, journal, where data and tags lie. No I/O.
 *
 * Theory of operation
 *
 * A device has, from its start on:
 *
 *	superblock	8 sectors
 *	journal		sections of equal size: 8 sectors of entries, then the blocks they speak of
 *	areas		each a run of tags and then the blocks that these are for
 *
 * All areas have 2^log2_interleave sectors of data; the last may be cut short.
 * integrity_plan() chooses a layout for new devices, integrity_layout() takes
 * that of a superblock. Tags are opaque here: dm-crypt makes and checks them.
 *
 * The format is that of drivers/md/dm-integrity.c (Linux 6.1): calculate_journal_section_size(),
 * calculate_device_limits(), get_data_sector(), get_metadata_sector_and_offset(), init_journal().
 */
#ifndef DISK_INTEGRITY_H
#define DISK_INTEGRITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

#define INTEGRITY_SECTOR   512
#define INTEGRITY_SB_SIZE  4096
#define INTEGRITY_TAG_MAX  255
#define INTEGRITY_DATA_MAX (1ULL << 50) /* bytes; what a superblock may promise */

enum {
	INTEGRITY_JOURNAL_MAC = 1 << 0,
	INTEGRITY_RECALCULATING = 1 << 1,
	INTEGRITY_DIRTY_BITMAP = 1 << 2,
	INTEGRITY_FIXED_PADDING =
		1 << 3, /* Linux 5.11: tags are padded to 4 KiB and not to 128 KiB */
	INTEGRITY_FIXED_HMAC = 1 << 4
};

struct integrity_sb {
	uint8_t version;
	uint8_t log2_interleave; /* sectors */
	uint8_t log2_block;      /* sectors */
	uint16_t tag_size;
	uint32_t journal_sections; /* > 0 */
	uint32_t flags;
	uint64_t sectors; /* of data */
};

/* Offsets and sizes in bytes, from the device's start. */
struct integrity {
	struct integrity_sb sb;
	uint64_t start; /* of the superblock */
	uint32_t block_size;
	uint32_t entry_size, entries_per_sector; /* of the journal */
	uint32_t section_size;
	uint64_t areas;     /* where they begin */
	uint64_t tags_size; /* of one area's */
	uint64_t area_data; /* the same of its data */
	uint64_t nblocks;
	uint64_t size; /* the device's, at least */
};

/* Return: 0; -ENOENT it is none (no magic); -EPROTO damaged; -EOPNOTSUPP newer than version 5. */
int integrity_sb_parse(const void *buf, size_t size, struct integrity_sb *ret) _must_check_;

/* The layout that @sb describes at @start, a multiple of 512. Return: 0; -EPROTO what cannot be. */
int integrity_layout(const struct integrity_sb *sb, uint64_t start, struct integrity *ret)
	_must_check_;

/* A new one for @data_size bytes, a multiple of 4096, which is the size of a block. -EINVAL, -EFBIG. */
int integrity_plan(uint64_t start, uint64_t data_size, uint16_t tag_size, struct integrity *ret)
	_must_check_;

void integrity_sb_put(const struct integrity *g, uint8_t ret[INTEGRITY_SB_SIZE]);

/* Sector @idx of an empty journal section. */
void integrity_journal_put(const struct integrity *g, uint32_t section, uint32_t idx,
			   uint8_t ret[INTEGRITY_SECTOR]);

/* Where block @n < nblocks and its tag lie. */
struct integrity_place {
	uint64_t data, tag;
};
struct integrity_place integrity_place(const struct integrity *g, uint64_t n);

#endif
