/* SPDX-License-Identifier: MIT */
/*
 * The tar parser: no read beyond its input, an end to everything, and the same
 * events however the bytes come in pieces. The first byte says how long the
 * pieces are; checksums are put right, so that what lies behind them is reached.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tar.h"

#define EVENTS_MAX 100000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t hash(uint64_t h, const void *data, size_t size)
{
	const uint8_t *p = data;

	while (size--)
		h = (h ^ *p++) * 0x100000001b3ULL;
	return h;
}

static uint64_t hash_entry(uint64_t h, const struct tar_entry *en)
{
	const uint64_t numbers[] = { en->kind,     en->size,   en->mode,  en->uid,
				     en->gid,      en->major,  en->minor, (uint64_t)en->mtime_s,
				     en->mtime_ns, en->nxattrs };

	assert(en->path[0] && strlen(en->path) < TAR_PATH_MAX && strlen(en->link) < TAR_PATH_MAX);
	assert(en->mode <= 07777 && en->mtime_ns < 1000000000 && en->nxattrs <= TAR_XATTRS_MAX);
	assert(en->kind == TAR_FILE || !en->size);
	h = hash(h, numbers, sizeof(numbers));
	h = hash(h, en->path, strlen(en->path));
	h = hash(h, en->link, strlen(en->link));
	for (size_t i = 0; i < en->nxattrs; i++) {
		h = hash(h, en->xattr[i].name, strlen(en->xattr[i].name));
		h = hash(h, en->xattr[i].value.p, en->xattr[i].value.len);
	}
	return h;
}

static uint64_t parse(struct tar *t, const uint8_t *data, size_t size, size_t step)
{
	uint64_t h = 0xcbf29ce484222325ULL;
	unsigned int events = 0;
	struct span piece;
	int r = 0;

	tar_init(t);
	for (size_t off = 0; off < size && r >= 0; off += step) {
		/* A copy of its own length, so that a sanitizer sees the first byte too many. */
		size_t len = size - off < step ? size - off : step;
		uint8_t *copy = malloc(len);
		struct cursor in = cur_of(copy, len);

		memcpy(copy, data + off, len);
		while ((r = tar_next(t, &in, &piece)) > 0) {
			if (++events > EVENTS_MAX)
				abort();
			if (r == TAR_ENTRY)
				h = hash_entry(h, &t->entry);
			if (r == TAR_DATA)
				h = hash(h, piece.p, piece.len);
		}
		free(copy);
	}
	if (r >= 0)
		r = tar_finish(t);
	assert(r >= 0 || t->why);
	tar_fini(t);
	return hash(h, &r, sizeof(r));
}

static void fix_checksums(uint8_t *data, size_t size)
{
	for (size_t off = 0; off + TAR_BLOCK <= size; off += TAR_BLOCK) {
		uint8_t *h = data + off;
		unsigned int sum = 0;

		if (memcmp(h + 257, "ustar", 5) != 0)
			continue;
		memset(h + 148, ' ', 8);
		for (size_t i = 0; i < TAR_BLOCK; i++)
			sum += h[i];
		(void)snprintf((char *)h + 148, 8, "%06o", sum & 0777777);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tar *t = malloc(sizeof(*t));
	uint8_t *copy = malloc(size + 1);
	size_t step = size ? data[0] % 100 * 11 + 1U : 1;

	if (t && copy && size > 1) {
		memcpy(copy, data + 1, size - 1);
		fix_checksums(copy, size - 1);
		if (parse(t, copy, size - 1, size) != parse(t, copy, size - 1, step))
			abort();
	}
	free(copy);
	free(t);
	return 0;
}
