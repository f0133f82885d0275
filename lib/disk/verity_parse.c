/* SPDX-License-Identifier: MIT */
/* verity_parse.c - a dm-verity superblock (version 1), and root hashes as text. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cursor.h"
#include "uuid_text.h"
#include "verity.h"

#define BLOCK_MIN 512
#define BLOCK_MAX (512U << 10) /* libcryptsetup's limit */

static bool good_block(uint32_t size)
{
	return size >= BLOCK_MIN && size <= BLOCK_MAX && !(size & (size - 1));
}

int verity_parse(const void *sb, size_t size, struct verity *ret)
{
	static const char magic[8] = "verity\0";
	struct cursor c = cur_of(sb, size);
	const void *start = cur_take(&c, sizeof(magic)), *uuid, *algorithm, *salt;
	struct verity v = { 0 };
	uint32_t version;

	if (!start || memcmp(start, magic, sizeof(magic)) != 0)
		return -ENOENT;
	version = cur_le32(&c);
	cur_skip(&c, 4);
	uuid = cur_take(&c, 16);
	algorithm = cur_take(&c, 32);
	v.data_block = cur_le32(&c);
	v.hash_block = cur_le32(&c);
	v.data_blocks = cur_le64(&c);
	v.salt_size = cur_le16(&c);
	cur_skip(&c, 6);
	salt = cur_take(&c, sizeof(v.salt));
	if (!cur_ok(&c))
		return -EPROTO;
	if (version != 1)
		return -EOPNOTSUPP;
	if (!good_block(v.data_block) || !good_block(v.hash_block) ||
	    v.salt_size > VERITY_SALT_MAX || !v.data_blocks ||
	    v.data_blocks > UINT64_MAX / v.data_block)
		return -EPROTO;
	uuid_text(uuid, v.uuid);
	memcpy(v.algorithm, algorithm, 32);
	memcpy(v.salt, salt, v.salt_size);
	*ret = v;
	return 0;
}

const char *verity_root_show(const struct verity_root *root, char ret[VERITY_ROOT_TEXT])
{
	ret[0] = '\0';
	for (size_t i = 0; i < root->size && i < VERITY_ROOT_MAX; i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", root->hash[i]);
	return ret;
}

static int nibble(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return at ? (int)(at - digits) : -1;
}

int verity_root_parse(const char *text, struct verity_root *ret)
{
	size_t len = strlen(text);

	if (!len || len % 2 || len / 2 > VERITY_ROOT_MAX)
		return -EINVAL;
	for (size_t i = 0; i < len / 2; i++) {
		int high = nibble(text[2 * i]), low = nibble(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		ret->hash[i] = (uint8_t)(high << 4 | low);
	}
	ret->size = len / 2;
	return 0;
}
