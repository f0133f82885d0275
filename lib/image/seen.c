/* SPDX-License-Identifier: MIT */
#include "seen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cleanup.h"

#define ROOM_MIN 1024

void seen_init(struct seen *s)
{
	*s = (struct seen){ 0 };
	(void)!getrandom(s->key, sizeof(s->key), GRND_NONBLOCK);
}

void seen_fini(struct seen *s)
{
	free(s->v);
	*s = (struct seen){ 0 };
}

/* The 128-bit product of word and key, folded: mixes all bits of eight bytes at once. */
static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash(const struct seen *s, const char *path, size_t len)
{
	uint64_t h = s->key[0] ^ len;

	while (len) {
		size_t n = len < 8 ? len : 8;
		uint64_t word = 0;

		memcpy(&word, path, n);
		h = mix(h ^ word, s->key[1] | 1);
		path += n;
		len -= n;
	}
	h = mix(h, 0x9e3779b97f4a7c15ULL);
	return h ? h : 1;
}

/* Where @h is, or the free place where it belongs. */
static size_t place(const struct seen *s, uint64_t h)
{
	size_t i = (size_t)h & (s->room - 1);

	while (s->v[i] && s->v[i] != h)
		i = (i + 1) & (s->room - 1);
	return i;
}

static int grow(struct seen *s)
{
	struct seen bigger = { .room = s->room ? s->room * 2 : ROOM_MIN };

	bigger.v = calloc(bigger.room, sizeof(*bigger.v));
	if (!bigger.v)
		return -ENOMEM;
	for (size_t i = 0; i < s->room; i++)
		if (s->v[i])
			bigger.v[place(&bigger, s->v[i])] = s->v[i];
	free(s->v);
	s->v = bigger.v;
	s->room = bigger.room;
	return 0;
}

static int add(struct seen *s, const char *path, size_t len)
{
	uint64_t h = hash(s, path, len);
	size_t i;

	if (s->n >= s->room / 2) {
		int r = grow(s);

		if (r < 0)
			return r;
	}
	i = place(s, h);
	if (s->v[i])
		return 0;
	s->v[i] = h;
	s->n++;
	return 1;
}

int seen_add(struct seen *s, const char *path)
{
	return add(s, path, strlen(path));
}

int seen_add_all(struct seen *s, const char *path)
{
	size_t len = strlen(path);
	int r = 1;

	/* Once one is in, so are those above it. */
	while (r > 0 && len) {
		const char *slash;

		r = add(s, path, len);
		slash = memrchr(path, '/', len);
		len = slash ? (size_t)(slash - path) : 0;
	}
	return r < 0 ? r : 0;
}

bool seen_has(const struct seen *s, const char *path)
{
	return s->room && s->v[place(s, hash(s, path, strlen(path)))];
}
