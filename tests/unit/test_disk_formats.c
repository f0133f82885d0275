/* SPDX-License-Identifier: MIT */
/* What is on disks: sizes, superblocks, headers, places of blocks, sealed blocks; and what must not pass for them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "cleanup.h"
#include "ext4.h"
#include "integrity.h"
#include "luks.h"
#include "luks_hdr.h"
#include "luks_slots.h"
#include "seal.h"
#include "size.h"
#include "verity.h"

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, (uint16_t)v);
	put16(p + 2, (uint16_t)(v >> 16));
}

static void put64(uint8_t *p, uint64_t v)
{
	put32(p, (uint32_t)v);
	put32(p + 4, (uint32_t)(v >> 32));
}

static void test_size(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t size;
	} cases[] = {
		{ "0", 0, 0 },
		{ "4096", 0, 4096 },
		{ "2G", 0, 2ULL << 30 },
		{ "3m", 0, 3ULL << 20 },
		{ "1KiB", 0, 1024 },
		{ "16T", 0, 16ULL << 40 },
		{ "16777215T", 0, 16777215ULL << 40 },
		{ "16777216T", -ERANGE, 0 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "G", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1.5G", -EINVAL, 0 },
		{ "1B", -EINVAL, 0 },
		{ "1GB", -EINVAL, 0 },
		{ "1GiBx", -EINVAL, 0 },
		{ "1G ", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t size = 0;

		assert_int_equal(size_parse(cases[i].text, &size), cases[i].r);
		assert_true(size == cases[i].size);
	}
}

static void test_size_show(void **state)
{
	static const struct {
		uint64_t size;
		const char *text;
	} cases[] = {
		{ 0, "0" },
		{ 9999, "9999" },
		{ 10000, "10K" },
		{ 1024, "1K" },
		{ 1 << 20, "1M" },
		{ 5 << 20, "5M" },
		{ 201 << 20, "201M" },
		{ (201 << 20) + 1, "202M" },
		{ 1536ULL << 20, "1536M" },
		{ 3ULL << 30, "3G" },
		{ 1ULL << 44, "16T" },
		{ UINT64_MAX, "16777216T" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[SIZE_TEXT];

		assert_string_equal(size_show(cases[i].size, text), cases[i].text);
	}
}

/* A plan has room for what was asked, in the order of the format, and its superblock says the same. */
static void test_integrity_plan(void **state)
{
	static const uint64_t sizes[] = { 4096,     1 << 20,    16 << 20,  (16 << 20) + 4096,
					  64 << 20, 3ULL << 30, 1ULL << 40 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint8_t sb[INTEGRITY_SB_SIZE];
		struct integrity g, again;
		struct integrity_sb parsed;

		assert_int_equal(integrity_plan(1 << 24, sizes[i], 32, &g), 0);
		assert_true(g.nblocks * g.block_size == sizes[i]);
		assert_true(g.size >= (1 << 24) + sizes[i] + sizes[i] / 128);
		integrity_sb_put(&g, sb);
		assert_int_equal(integrity_sb_parse(sb, sizeof(sb), &parsed), 0);
		assert_int_equal(integrity_layout(&parsed, 1 << 24, &again), 0);
		assert_memory_equal(&g, &again, sizeof(g));
	}
}

static void test_integrity_plan_refused(void **state)
{
	struct integrity g;

	(void)state;
	assert_int_equal(integrity_plan(0, 0, 32, &g), -EINVAL);
	assert_int_equal(integrity_plan(0, 4095, 32, &g), -EINVAL);
	assert_int_equal(integrity_plan(0, 4096, 0, &g), -EINVAL);
	assert_int_equal(integrity_plan(0, 4096, 256, &g), -EINVAL);
	assert_int_equal(integrity_plan(0, INTEGRITY_DATA_MAX + 4096, 32, &g), -EFBIG);
	assert_int_equal(integrity_plan(1, 4096, 32, &g), -EPROTO);
}

/* Areas have 4096 blocks here: 128 KiB of tags, 16 MiB of data. */
static void test_integrity_place(void **state)
{
	const uint64_t tags = 128 << 10, data = 16 << 20;
	struct integrity_place p;
	struct integrity g;

	(void)state;
	assert_int_equal(integrity_plan(0, 48 << 20, 32, &g), 0);
	assert_true(g.tags_size == tags && g.area_data == data);
	/* 264 sectors are a section: 32 entries with a block each, and their 8 sectors. 768 / 264 of them. */
	assert_true(g.section_size == 264 * 512 && g.sb.journal_sections == 2);
	assert_true(g.areas == 4096 + 2 * 264 * 512);
	p = integrity_place(&g, 0);
	assert_true(p.tag == g.areas && p.data == g.areas + tags);
	p = integrity_place(&g, 4095);
	assert_true(p.tag == g.areas + tags - 32 && p.data == g.areas + tags + data - 4096);
	p = integrity_place(&g, 4096);
	assert_true(p.tag == g.areas + tags + data && p.data == p.tag + tags);
	assert_true(g.size == g.areas + 3 * (tags + data));
}

static void test_integrity_journal(void **state)
{
	uint8_t s[INTEGRITY_SECTOR];
	struct integrity g;

	(void)state;
	assert_int_equal(integrity_plan(0, 48 << 20, 32, &g), 0);
	/* Four entries of 104 bytes; the upper half of their sector's number is all ones. */
	integrity_journal_put(&g, 1, 7, s);
	for (size_t i = 0; i < 504; i++)
		assert_int_equal(s[i], i < 4 * 104 && i % 104 >= 4 && i % 104 < 8 ? 0xff : 0);
	assert_memory_equal(s + 504, "\x16\x11\x11\x11\x10\x11\x11\x11", 8);
	integrity_journal_put(&g, 0, 8, s);
	for (size_t i = 0; i < 504; i++)
		assert_int_equal(s[i], 0);
	assert_memory_equal(s + 504, "\x19\x11\x11\x11\x11\x11\x11\x11", 8);
}

static void test_integrity_should_fail(void **state)
{
	static const struct {
		size_t at;
		uint64_t value;
		size_t bytes;
		int r;
	} cases[] = {
		{ 0, 'I', 1, -ENOENT },         { 7, 1, 1, -ENOENT },
		{ 8, 0, 1, -EPROTO },                                 /* version */
		{ 8, 6, 1, -EOPNOTSUPP },       { 9, 2, 1, -EPROTO }, /* interleave */
		{ 9, 32, 1, -EPROTO },          { 9, 255, 1, -EPROTO },
		{ 10, 0, 2, -EPROTO },                                 /* tag size */
		{ 10, 256, 2, -EPROTO },        { 12, 0, 4, -EPROTO }, /* journal sections */
		{ 16, 0, 8, -EPROTO },                                 /* sectors */
		{ 16, UINT64_MAX, 8, -EPROTO }, { 16, (INTEGRITY_DATA_MAX >> 9) + 1, 8, -EPROTO },
		{ 28, 4, 1, -EPROTO }, /* sectors of a block */
		{ 28, 255, 1, -EPROTO },
	};
	uint8_t good[INTEGRITY_SB_SIZE], bad[INTEGRITY_SB_SIZE];
	struct integrity_sb sb;
	struct integrity g;

	(void)state;
	assert_int_equal(integrity_plan(0, 1 << 20, 32, &g), 0);
	integrity_sb_put(&g, good);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t value[8];

		put64(value, cases[i].value);
		memcpy(bad, good, sizeof(bad));
		memcpy(bad + cases[i].at, value, cases[i].bytes);
		assert_int_equal(integrity_sb_parse(bad, sizeof(bad), &sb), cases[i].r);
	}
	for (size_t size = 0; size < 8; size++)
		assert_int_equal(integrity_sb_parse(good, size, &sb), -ENOENT);
	for (size_t size = 8; size < 29; size++)
		assert_int_equal(integrity_sb_parse(good, size, &sb), -EPROTO);
	assert_int_equal(integrity_sb_parse(good, 29, &sb), 0);
}

/* Superblocks that are well-formed, of devices that cannot be. */
static void test_integrity_layout_refused(void **state)
{
	struct integrity_sb sb = { .version = 4,
				   .log2_interleave = 15,
				   .log2_block = 3,
				   .tag_size = 32,
				   .journal_sections = 1,
				   .sectors = 64 };
	struct integrity g;

	(void)state;
	assert_int_equal(integrity_layout(&sb, 0, &g), 0);
	assert_int_equal(integrity_layout(&sb, 511, &g), -EPROTO);
	sb.sectors = 65; /* half a block */
	assert_int_equal(integrity_layout(&sb, 0, &g), -EPROTO);
	sb.sectors = 64;
	sb.journal_sections = UINT32_MAX;
	assert_int_equal(integrity_layout(&sb, 0, &g), -EPROTO);
	sb.journal_sections = 1;
	sb.log2_interleave = 0; /* its tags are on another device */
	assert_int_equal(integrity_layout(&sb, 0, &g), -EPROTO);
}

static void test_seal(void **state)
{
	static uint8_t plain[SEAL_BLOCK], cipher[SEAL_BLOCK], back[SEAL_BLOCK];
	uint8_t key[SEAL_KEY_SIZE], tag[SEAL_TAG_SIZE];
	_cleanup_seal_ struct seal s;

	(void)state;
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i * 7 + 1);
	seal_init(&s, key);
	memset(plain, 'x', sizeof(plain));
	seal_block(&s, 5, plain, cipher, tag);
	assert_memory_not_equal(plain, cipher, SEAL_BLOCK);
	assert_int_equal(seal_open(&s, 5, cipher, tag, back), 0);
	assert_memory_equal(plain, back, SEAL_BLOCK);
	/* Another place, any bit of the ciphertext or the tag: refused, and nothing is given out. */
	memset(back, 0, sizeof(back));
	assert_int_equal(seal_open(&s, 6, cipher, tag, back), -EBADMSG);
	for (size_t bit = 0; bit < 8 * SEAL_TAG_SIZE; bit++) {
		tag[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(seal_open(&s, 5, cipher, tag, back), -EBADMSG);
		tag[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t bit = 0; bit < 8 * SEAL_BLOCK; bit += 61) {
		cipher[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(seal_open(&s, 5, cipher, tag, back), -EBADMSG);
		cipher[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t i = 0; i < sizeof(back); i++)
		assert_int_equal(back[i], 0);
	/* In place, and the same again. */
	seal_block(&s, 5, plain, plain, tag);
	assert_memory_equal(plain, cipher, SEAL_BLOCK);
}

static void make_ext4(uint8_t sb[EXT4_SB_SIZE])
{
	memset(sb, 0, EXT4_SB_SIZE);
	put32(sb, 1000);       /* inodes */
	put32(sb + 4, 4096);   /* blocks */
	put32(sb + 0xc, 96);   /* free */
	put32(sb + 0x10, 990); /* free inodes */
	put32(sb + 0x18, 2);   /* 4096 bytes */
	put16(sb + 0x38, 0xef53);
	put16(sb + 0x3a, 1);
	put32(sb + 0x5c, 4); /* journal */
	put32(sb + 0x60, 0x40 | 0x80);
	memset(sb + 0x68, 0xab, 16);
	memcpy(sb + 0x78, "label", 5);
}

static void test_ext4(void **state)
{
	uint8_t sb[EXT4_SB_SIZE];
	struct ext4 x;

	(void)state;
	make_ext4(sb);
	assert_int_equal(ext4_parse(sb, sizeof(sb), &x), 0);
	assert_true(x.blocks == 4096 && x.free_blocks == 96 && x.size == 16 << 20);
	assert_true(x.journal && !x.dirty && x.extents && x.inodes == 1000);
	assert_string_equal(x.uuid, "abababab-abab-abab-abab-abababababab");
	assert_string_equal(x.label, "label");
	put32(sb + 0x60, 0x40 | 0x80 | 4);
	assert_int_equal(ext4_parse(sb, sizeof(sb), &x), 0);
	assert_true(x.dirty);
	/* The upper halves count only if the file system says that it has them. */
	put32(sb + 0x150, 1);
	assert_int_equal(ext4_parse(sb, sizeof(sb), &x), 0);
	assert_true(x.blocks == (1ULL << 32 | 4096));
	put32(sb + 0x60, 0x40);
	assert_int_equal(ext4_parse(sb, sizeof(sb), &x), 0);
	assert_true(x.blocks == 4096);
	memset(sb + 0x78, 'l', 16);
	assert_int_equal(ext4_parse(sb, sizeof(sb), &x), 0);
	assert_string_equal(x.label, "llllllllllllllll");
}

static void test_ext4_should_fail(void **state)
{
	static const struct {
		size_t at;
		uint32_t value;
		int r;
	} cases[] = {
		{ 0x38, 0, -ENOENT },          { 4, 0, -EPROTO },      { 0x18, 7, -EPROTO },
		{ 0x18, UINT32_MAX, -EPROTO }, { 0xc, 4097, -EPROTO }, { 0x10, 1001, -EPROTO },
		{ 0x150, 1 << 16, -EPROTO },   { 0x158, 1, -EPROTO },
	};
	uint8_t sb[EXT4_SB_SIZE];
	struct ext4 x;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		make_ext4(sb);
		put32(sb + cases[i].at, cases[i].value);
		assert_int_equal(ext4_parse(sb, sizeof(sb), &x), cases[i].r);
	}
	make_ext4(sb);
	for (size_t size = 0; size < 0x15c; size++)
		assert_int_equal(ext4_parse(sb, size, &x), -ENOENT);
}

static void make_verity(uint8_t sb[VERITY_SB_SIZE])
{
	memset(sb, 0, VERITY_SB_SIZE);
	memcpy(sb, "verity\0", 8);
	put32(sb + 8, 1);
	put32(sb + 12, 1);
	memcpy(sb + 32, "sha256", 6);
	put32(sb + 64, 4096);
	put32(sb + 68, 4096);
	put64(sb + 72, 100);
	put16(sb + 80, 32);
}

static void test_verity(void **state)
{
	static const struct {
		size_t at;
		uint64_t value;
		size_t bytes;
		int r;
	} cases[] = {
		{ 0, 'V', 1, -ENOENT },         { 8, 0, 4, -EOPNOTSUPP }, { 8, 2, 4, -EOPNOTSUPP },
		{ 64, 0, 4, -EPROTO },          { 64, 4095, 4, -EPROTO }, { 64, 256, 4, -EPROTO },
		{ 64, 1 << 20, 4, -EPROTO },    { 68, 3, 4, -EPROTO },    { 72, 0, 8, -EPROTO },
		{ 72, UINT64_MAX, 8, -EPROTO }, { 80, 257, 2, -EPROTO },
	};
	uint8_t sb[VERITY_SB_SIZE], value[8];
	struct verity v;

	(void)state;
	make_verity(sb);
	assert_int_equal(verity_parse(sb, sizeof(sb), &v), 0);
	assert_string_equal(v.algorithm, "sha256");
	assert_true(v.data_blocks == 100 && v.salt_size == 32);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		make_verity(sb);
		put64(value, cases[i].value);
		memcpy(sb + cases[i].at, value, cases[i].bytes);
		assert_int_equal(verity_parse(sb, sizeof(sb), &v), cases[i].r);
	}
	make_verity(sb);
	for (size_t size = 8; size < 82; size++)
		assert_int_equal(verity_parse(sb, size, &v), -EPROTO);
}

static void test_root_hash(void **state)
{
	char text[VERITY_ROOT_TEXT], longest[2 * VERITY_ROOT_MAX + 3];
	struct verity_root root;

	(void)state;
	assert_int_equal(verity_root_parse("00fFa5", &root), 0);
	assert_int_equal(root.size, 3);
	assert_string_equal(verity_root_show(&root, text), "00ffa5");
	assert_int_equal(verity_root_parse("", &root), -EINVAL);
	assert_int_equal(verity_root_parse("0", &root), -EINVAL);
	assert_int_equal(verity_root_parse("0g", &root), -EINVAL);
	memset(longest, 'a', sizeof(longest));
	longest[2 * VERITY_ROOT_MAX + 2] = '\0';
	assert_int_equal(verity_root_parse(longest, &root), -EINVAL);
	longest[2 * VERITY_ROOT_MAX] = '\0';
	assert_int_equal(verity_root_parse(longest, &root), 0);
}

/* A header as luks_format() makes it, with @json instead of its own if there is one, and a right checksum. */
static size_t make_luks(uint8_t **ret, const char *json)
{
	uint8_t *buf = calloc(1, 16384), sum[SHA256_DIGEST_SIZE];
	struct luks_hdr *h = (struct luks_hdr *)buf;

	assert_non_null(buf);
	memcpy(h->magic, LUKS_MAGIC, sizeof(h->magic));
	h->version[1] = 2;
	h->hdr_size[6] = 16384 >> 8;
	strcpy(h->uuid, "0838e7c4-cd39-4d38-a45e-cf5a75dcdb3f");
	strcpy(h->csum_alg, "sha256");
	strcpy((char *)buf + sizeof(*h), json);
	luks_hdr_checksum(buf, 16384, sum);
	memcpy(h->csum, sum, sizeof(sum));
	*ret = buf;
	return 16384;
}

#define SLOTS   "\"keyslots\":{\"0\":{\"kdf\":{\"type\":\"pbkdf2\"}}}"
#define SEGMENT "\"type\":\"crypt\",\"offset\":\"16777216\",\"encryption\":\"aes-xts-plain64\""

static void test_luks(void **state)
{
	_cleanup_free_ uint8_t *buf = NULL;
	struct err e = { 0 };
	struct luks l;
	size_t want, size = make_luks(&buf, "{" SLOTS ",\"segments\":{\"0\":{" SEGMENT
					    ",\"size\":\"4096\",\"sector_size\":4096,"
					    "\"integrity\":{\"type\":\"hmac(sha256)\"}}}}");

	(void)state;
	assert_int_equal(luks_want(buf, size, &want), 0);
	assert_int_equal(want, 16384);
	assert_int_equal(luks_parse(buf, size, &l, &e), 0);
	assert_string_equal(l.integrity, "hmac(sha256)");
	assert_string_equal(l.cipher, "aes-xts-plain64");
	assert_string_equal(l.kdf, "pbkdf2");
	assert_true(l.offset == 16777216 && !l.dynamic && l.size == 4096 && l.keyslots == 1);
	/* Every bit counts, be it of the binary header or of the text; but not the end of a longer checksum. */
	for (size_t at = 0; at < 5000; at += 89) {
		if (at >= offsetof(struct luks_hdr, csum) + SHA256_DIGEST_SIZE &&
		    at < offsetof(struct luks_hdr, pad4096))
			continue;
		buf[at] ^= 1;
		assert_true(luks_parse(buf, size, &l, &e) < 0);
		buf[at] ^= 1;
	}
	assert_int_equal(luks_parse(buf, size - 1, &l, &e), -ENODATA);
	assert_int_equal(luks_parse(buf, 4095, &l, &e), -ENOENT);
	assert_int_equal(luks_parse(buf, 0, &l, &e), -ENOENT);
}

static void test_luks_should_fail(void **state)
{
	static const struct {
		const char *json;
		int r;
	} cases[] = {
		{ "", -EPROTO },
		{ "[]", -EPROTO },
		{ "{}", -EPROTO },
		{ "{" SLOTS "}", -EPROTO },
		{ "{\"segments\":{\"0\":{}}}", -EPROTO },
		{ "{" SLOTS ",\"segments\":[]}", -EPROTO },
		{ "{" SLOTS ",\"segments\":{}}", -EOPNOTSUPP },
		{ "{" SLOTS ",\"segments\":{\"0\":{},\"1\":{}}}", -EOPNOTSUPP },
		{ "{" SLOTS ",\"segments\":{\"0\":{\"type\":\"linear\"}}}", -EOPNOTSUPP },
		{ "{" SLOTS ",\"segments\":{\"0\":7}}", -EOPNOTSUPP },
		{ "{" SLOTS ",\"segments\":{\"0\":{" SEGMENT "}}}", -EPROTO },
		{ "{" SLOTS ",\"segments\":{\"0\":{" SEGMENT
		  ",\"size\":\"x\",\"sector_size\":512}}}",
		  -EPROTO },
		{ "{" SLOTS ",\"segments\":{\"0\":{" SEGMENT
		  ",\"size\":\"dynamic\",\"sector_size\":513}}}",
		  -EPROTO },
		{ "{" SLOTS ",\"segments\":{\"0\":{" SEGMENT
		  ",\"size\":\"dynamic\",\"sector_size\":8192}}}",
		  -EPROTO },
		{ "{" SLOTS ",\"segments\":{\"0\":{\"type\":\"crypt\",\"offset\":\"-1\","
		  "\"size\":\"dynamic\",\"sector_size\":512}}}",
		  -EPROTO },
		{ "{" SLOTS ",\"segments\":{\"0\":{\"type\":\"crypt\",\"offset\":16777216,"
		  "\"size\":4096,\"sector_size\":512}}}",
		  -EPROTO },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ uint8_t *buf = NULL;
		size_t size = make_luks(&buf, cases[i].json);
		struct err e = { 0 };
		struct luks l;
		int r = luks_parse(buf, size, &l, &e);

		if (cases[i].r == -EPROTO)
			assert_true(r < 0);
		else
			assert_int_equal(r, cases[i].r);
		assert_true(e.msg[0]);
	}
}

/* A header with one slot as luks_format() makes it; text that is in @from is @to instead. */
static int parse_slots(const char *from, const char *to, struct luks_slots *ret)
{
	static const char json[] =
		"{\"keyslots\":{\"1\":{\"type\":\"luks2\",\"key_size\":96,\"af\":{\"type\":\"luks1\","
		"\"stripes\":4000,\"hash\":\"sha256\"},\"area\":{\"type\":\"raw\",\"offset\":\"32768\","
		"\"size\":\"385024\",\"encryption\":\"aes-xts-plain64\",\"key_size\":64},\"kdf\":{"
		"\"type\":\"pbkdf2\",\"hash\":\"sha256\",\"iterations\":1000,\"salt\":\"AQID\"}}},"
		"\"segments\":{\"0\":{" SEGMENT ",\"size\":\"dynamic\",\"sector_size\":4096,"
		"\"integrity\":{\"type\":\"hmac(sha256)\"}}},"
		"\"digests\":{\"0\":{\"type\":\"pbkdf2\",\"keyslots\":[\"1\"],\"segments\":[\"0\"],"
		"\"hash\":\"sha256\",\"iterations\":2000,\"salt\":\"BAU=\","
		"\"digest\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"}}}";
	const char *at = strstr(json, from);
	_cleanup_free_ uint8_t *buf = NULL;
	char changed[sizeof(json) + 256];
	struct err e = { 0 };
	size_t size;
	int r;

	assert_non_null(at);
	(void)snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - json), json, to,
		       at + strlen(from));
	size = make_luks(&buf, changed);
	r = luks_slots_parse(buf, size, ret, &e);
	assert_true(!r || e.msg[0]);
	return r;
}

static void test_luks_slots(void **state)
{
	struct luks_slots s;

	(void)state;
	assert_int_equal(parse_slots("luks2", "luks2", &s), 0);
	assert_true(s.n == 1 && s.slot[0].area == 32768 && s.slot[0].kdf.iterations == 1000);
	assert_true(s.slot[0].kdf.salt_size == 3 && !memcmp(s.slot[0].kdf.salt, "\1\2\3", 3));
	assert_true(s.digest.kdf.iterations == 2000 && s.digest.kdf.salt_size == 2);
	assert_true(s.digest.sum[0] == 0 && s.digest.sum[31] == 31);
}

/* None of it is damage: libcryptsetup will say. */
static void test_luks_slots_of_others(void **state)
{
	static const struct {
		const char *from, *to;
	} cases[] = {
		{ "luks2", "reencrypt" },
		{ ":96", ":64" },
		{ ":96", ":\"96\"" },
		{ "luks1", "luks9" },
		{ "4000", "4001" },
		{ "sha256", "sha512" },
		{ "raw", "journal" },
		{ "32768", "-1" },
		{ "32768", "9223372036854775808" },
		{ "aes-xts-plain64\",\"key_size\":64", "aes-xts-plain64\",\"key_size\":32" },
		{ "aes-xts-plain64", "serpent-xts-plain64" },
		{ "pbkdf2", "argon2id" },
		{ ":1000", ":0" },
		{ ":1000", ":4294967296" },
		{ "AQID", "" },
		{ "AQID", "A" },
		{ "AQID", "????" },
		{ "AQID",
		  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" },
		{ "Hh8=", "Hg==" },
		{ "[\"1\"]", "[]" },
		{ "[\"1\"]", "[\"2\"]" },
		{ "[\"1\"]", "[1]" },
		{ "[\"0\"]", "[\"1\"]" },
		{ "[\"0\"]", "{}" },
		{ "\"digests\":{", "\"digests\":[],\"x\":{" },
		{ "hmac(sha256)", "poly1305" },
	};
	struct luks_slots s;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(parse_slots(cases[i].from, cases[i].to, &s), -EOPNOTSUPP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_size_show),
		cmocka_unit_test(test_integrity_plan),
		cmocka_unit_test(test_integrity_plan_refused),
		cmocka_unit_test(test_integrity_place),
		cmocka_unit_test(test_integrity_journal),
		cmocka_unit_test(test_integrity_should_fail),
		cmocka_unit_test(test_integrity_layout_refused),
		cmocka_unit_test(test_seal),
		cmocka_unit_test(test_ext4),
		cmocka_unit_test(test_ext4_should_fail),
		cmocka_unit_test(test_verity),
		cmocka_unit_test(test_root_hash),
		cmocka_unit_test(test_luks),
		cmocka_unit_test(test_luks_should_fail),
		cmocka_unit_test(test_luks_slots),
		cmocka_unit_test(test_luks_slots_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
