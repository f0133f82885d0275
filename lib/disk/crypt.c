/* SPDX-License-Identifier: MIT */
#include "crypt.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "integrity.h"
#include "io.h"
#include "luks.h"
#include "seal.h"

/* Blocks that are read and written at once; divides an area. */
#define BATCH 256

/* What one pass over the disk needs. */
struct pass {
	struct integrity g;
	struct seal seal;
	int plain, sealed;
	const struct progress *progress;
	uint8_t *data; /* BATCH blocks */
	uint8_t *tags;
};

static void pass_fini(struct pass *p)
{
	if (p->data)
		explicit_bzero(p->data, (size_t)BATCH * SEAL_BLOCK);
	free(p->data);
	free(p->tags);
	seal_fini(&p->seal);
}
#define _cleanup_pass_ _cleanup_(pass_fini)

static int pass_init(struct pass *p, const uint8_t volume_key[SEAL_KEY_SIZE], struct err *e)
{
	p->data = malloc((size_t)BATCH * SEAL_BLOCK);
	p->tags = malloc((size_t)BATCH * SEAL_TAG_SIZE);
	if (!p->data || !p->tags)
		return err_set(e, ENOMEM, "no memory");
	seal_init(&p->seal, volume_key);
	return 0;
}

static int pread_all(int fd, void *buf, size_t size, uint64_t off)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = pread(fd, (char *)buf + done, size - done, (off_t)(off + done));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (!n)
			return -ENODATA;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int pwrite_all(int fd, const void *buf, size_t size, uint64_t off)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = pwrite(fd, (const char *)buf + done, size - done, (off_t)(off + done));

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int seal_batch(struct pass *p, uint64_t first, size_t n)
{
	struct integrity_place at = integrity_place(&p->g, first);
	int r = pread_all(p->plain, p->data, n * SEAL_BLOCK, first * SEAL_BLOCK);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		uint8_t *block = p->data + i * SEAL_BLOCK;

		seal_block(&p->seal, first + i, block, block, p->tags + i * SEAL_TAG_SIZE);
	}
	r = pwrite_all(p->sealed, p->data, n * SEAL_BLOCK, at.data);
	return r < 0 ? r : pwrite_all(p->sealed, p->tags, n * SEAL_TAG_SIZE, at.tag);
}

static int open_batch(struct pass *p, uint64_t first, size_t n)
{
	struct integrity_place at = integrity_place(&p->g, first);
	int r = pread_all(p->sealed, p->data, n * SEAL_BLOCK, at.data);

	if (!r)
		r = pread_all(p->sealed, p->tags, n * SEAL_TAG_SIZE, at.tag);
	for (size_t i = 0; !r && i < n; i++) {
		uint8_t *block = p->data + i * SEAL_BLOCK;

		r = seal_open(&p->seal, first + i, block, p->tags + i * SEAL_TAG_SIZE, block);
	}
	if (r < 0 || p->plain < 0)
		return r;
	return pwrite_all(p->plain, p->data, n * SEAL_BLOCK, first * SEAL_BLOCK);
}

/* Batches do not cross areas: both begin at multiples of BATCH, or an area is a part of one. */
static int pass_run(struct pass *p, const char *step, int (*fn)(struct pass *, uint64_t, size_t),
		    struct err *e)
{
	uint64_t per_area = p->g.area_data / SEAL_BLOCK;
	uint64_t batch = per_area < BATCH ? per_area : BATCH;

	for (uint64_t i = 0; i < p->g.nblocks; i += batch) {
		uint64_t n = p->g.nblocks - i < batch ? p->g.nblocks - i : batch;
		int r = fn(p, i, (size_t)n);

		if (r == -EBADMSG)
			return err_set(e, EBADMSG,
				       "a block between byte %" PRIu64 " and %" PRIu64
				       " of its contents is not what was written",
				       i * SEAL_BLOCK, (i + n) * SEAL_BLOCK);
		if (r < 0)
			return err_set(e, -r, "%s: %s", step, err_str(r));
		progress_tell(p->progress, step, (i + n) * SEAL_BLOCK, p->g.nblocks * SEAL_BLOCK);
	}
	return 0;
}

static int write_journal(const struct integrity *g, int fd)
{
	_cleanup_free_ uint8_t *section = malloc(g->section_size);
	uint8_t sb[INTEGRITY_SB_SIZE];
	int r = section ? 0 : -ENOMEM;

	for (uint32_t i = 0; !r && i < g->sb.journal_sections; i++) {
		for (uint32_t j = 0; j < g->section_size / INTEGRITY_SECTOR; j++)
			integrity_journal_put(g, i, j, section + (size_t)j * INTEGRITY_SECTOR);
		r = pwrite_all(fd, section, g->section_size,
			       g->start + INTEGRITY_SB_SIZE + (uint64_t)i * g->section_size);
	}
	integrity_sb_put(g, sb);
	return r < 0 ? r : pwrite_all(fd, sb, sizeof(sb), g->start);
}

uint64_t crypt_sealed_size(uint64_t size)
{
	struct integrity g;

	return integrity_plan(LUKS_DATA_OFFSET, size, SEAL_TAG_SIZE, &g) < 0 ? 0 : g.size;
}

static int seal_all(struct pass *p, struct crypt_key key, uint8_t volume_key[SEAL_KEY_SIZE],
		    struct err *e)
{
	int r;

	if (getrandom(volume_key, SEAL_KEY_SIZE, 0) != SEAL_KEY_SIZE)
		return err_set(e, EIO, "no random numbers: %s", err_str(errno));
	if (ftruncate(p->sealed, (off_t)p->g.size) < 0)
		return err_set(e, errno, "cannot make it %llu bytes large: %s",
			       (unsigned long long)p->g.size, err_str(errno));
	r = luks_format(p->sealed, key.data, key.size, volume_key, e);
	if (!r)
		r = pass_init(p, volume_key, e);
	if (r < 0)
		return r;
	r = write_journal(&p->g, p->sealed);
	if (r < 0)
		return err_set(e, -r, "writing the journal: %s", err_str(r));
	return pass_run(p, "encrypting", seal_batch, e);
}

int crypt_seal(int plain, uint64_t size, int out, struct crypt_key key,
	       const struct progress *progress, struct err *e)
{
	_cleanup_pass_ struct pass p = { .plain = plain, .sealed = out, .progress = progress };
	uint8_t volume_key[SEAL_KEY_SIZE];
	int r = integrity_plan(LUKS_DATA_OFFSET, size, SEAL_TAG_SIZE, &p.g);

	if (r < 0)
		return err_set(e, -r, "a disk of %llu bytes cannot be encrypted: %s",
			       (unsigned long long)size, err_str(r));
	r = seal_all(&p, key, volume_key, e);
	explicit_bzero(volume_key, sizeof(volume_key));
	return r;
}

/* The layout, as LUKS2 header and superblock of @fd tell it, and the file has it. */
static int read_layout(int fd, struct integrity *ret, struct err *e)
{
	_cleanup_free_ uint8_t *header = malloc(LUKS_HEADER_MAX);
	uint8_t sector[INTEGRITY_SECTOR];
	struct integrity_sb sb;
	struct luks l = { 0 };
	struct stat st;
	ssize_t n;
	int r;

	if (!header)
		return err_set(e, ENOMEM, "no memory");
	n = pread(fd, header, LUKS_HEADER_MAX, 0);
	if (n < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "reading it: %s", err_str(errno));
	r = luks_parse(header, (size_t)n, &l, e);
	if (r < 0)
		return r;
	r = pread_all(fd, sector, sizeof(sector), l.offset);
	if (!r)
		r = integrity_sb_parse(sector, sizeof(sector), &sb);
	if (!r)
		r = integrity_layout(&sb, l.offset, ret);
	if (r < 0 || ret->size > (uint64_t)st.st_size)
		return err_set(e, EPROTO,
			       "its integrity superblock is damaged, or it is cut short");
	if (strcmp(l.integrity, SEAL_INTEGRITY) != 0)
		return err_set(e, EOPNOTSUPP, "its tags are of '%.40s', not " SEAL_INTEGRITY,
			       l.integrity);
	if (ret->block_size != SEAL_BLOCK || sb.tag_size != SEAL_TAG_SIZE)
		return err_set(e, EOPNOTSUPP, "it has blocks of %u bytes with tags of %u",
			       ret->block_size, sb.tag_size);
	return 0;
}

int crypt_open(int sealed, int plain, struct crypt_key key, const struct progress *progress,
	       struct err *e)
{
	_cleanup_pass_ struct pass p = { .plain = plain, .sealed = sealed, .progress = progress };
	uint8_t volume_key[SEAL_KEY_SIZE];
	int r = read_layout(sealed, &p.g, e);

	if (!r)
		r = luks_unlock(sealed, key.data, key.size, volume_key, e);
	if (!r)
		r = pass_init(&p, volume_key, e);
	explicit_bzero(volume_key, sizeof(volume_key));
	return r < 0 ? r : pass_run(&p, "decrypting", open_batch, e);
}
