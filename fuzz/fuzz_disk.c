/* SPDX-License-Identifier: MIT */
/* What says what a disk is: superblocks and headers. The first byte says which of them the rest is taken for. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ext4.h"
#include "integrity.h"
#include "luks.h"
#include "luks_hdr.h"
#include "luks_slots.h"
#include "size.h"
#include "verity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed_ext4(const uint8_t *data, size_t size)
{
	struct ext4 x;

	if (ext4_parse(data, size, &x) < 0)
		return;
	assert(x.blocks && x.free_blocks <= x.blocks && x.free_inodes <= x.inodes);
	assert(x.size / x.block_size == x.blocks);
	assert(strlen(x.label) <= 16 && strlen(x.uuid) == 36);
}

static void feed_verity(const uint8_t *data, size_t size)
{
	struct verity v;

	if (verity_parse(data, size, &v) < 0)
		return;
	assert(v.data_blocks && v.data_blocks * v.data_block / v.data_block == v.data_blocks);
	assert(strlen(v.algorithm) <= 32 && v.salt_size <= VERITY_SALT_MAX);
}

/* No block lies over another's tag, nor any of them outside of the device. */
static void check_places(const struct integrity *g)
{
	const uint64_t n[] = { 0, g->nblocks / 2, g->nblocks - 1 };
	uint64_t last = 0;

	for (size_t i = 0; i < 3; i++) {
		struct integrity_place p = integrity_place(g, n[i]);

		assert(p.tag >= g->areas && p.tag + g->sb.tag_size <= p.data);
		assert(p.data >= last && p.data + g->block_size <= g->size);
		last = p.data;
	}
}

static void feed_integrity(const uint8_t *data, size_t size)
{
	uint8_t sector[INTEGRITY_SECTOR];
	struct integrity_sb sb;
	struct integrity g;

	if (integrity_sb_parse(data, size, &sb) < 0)
		return;
	if (integrity_layout(&sb, (uint64_t)size * INTEGRITY_SECTOR, &g) < 0)
		return;
	assert(g.nblocks && g.areas > g.start && g.size > g.areas);
	check_places(&g);
	integrity_journal_put(&g, sb.journal_sections - 1, 0, sector);
}

/* The checksum is made right: what is behind it is what has to be tried. */
static void feed_luks(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1), sum[SHA256_DIGEST_SIZE];
	struct luks_hdr h;
	struct err e = { 0 };
	struct luks_slots s;
	struct luks l;
	size_t want;
	int r;

	assert(copy);
	memcpy(copy, data, size);
	if (!luks_want(copy, size, &want) && want <= size && want > sizeof(h)) {
		luks_hdr_checksum(copy, want, sum);
		memcpy(copy + offsetof(struct luks_hdr, csum), sum, sizeof(sum));
	}
	r = luks_parse(copy, size, &l, &e);
	assert(r == 0 || (r < 0 && e.code == -r && e.msg[0]));
	if (!r) {
		assert(strlen(l.cipher) < LUKS_NAME_MAX && strlen(l.integrity) < LUKS_NAME_MAX);
		assert(strlen(l.uuid) < sizeof(l.uuid) && strlen(l.label) < sizeof(l.label));
		assert(l.sector_size >= 512 && l.sector_size <= 4096);
	}
	if (!luks_slots_parse(copy, size, &s, &e)) {
		assert(s.n && s.n <= LUKS_SLOTS_MAX && s.digest.kdf.iterations);
		for (size_t i = 0; i < s.n; i++)
			assert(s.slot[i].kdf.iterations &&
			       s.slot[i].kdf.salt_size <= LUKS_SALT_MAX);
	}
	free(copy);
}

static void feed_text(const uint8_t *data, size_t size)
{
	char text[VERITY_ROOT_TEXT + 8], shown[VERITY_ROOT_TEXT];
	struct verity_root root;
	uint64_t v, again;

	size = size < sizeof(text) - 1 ? size : sizeof(text) - 1;
	memcpy(text, data, size);
	text[size] = '\0';
	if (!verity_root_parse(text, &root))
		assert(strlen(verity_root_show(&root, shown)) == strlen(text));
	if (size_parse(text, &v) < 0)
		return;
	assert(!size_parse(size_show(v, shown), &again) || v > UINT64_MAX - (1ULL << 50));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const feed[])(const uint8_t *, size_t) = { feed_ext4, feed_verity,
								 feed_integrity, feed_luks,
								 feed_text };

	if (size)
		feed[data[0] % 5](data + 1, size - 1);
	return 0;
}
