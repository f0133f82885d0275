/* SPDX-License-Identifier: MIT */
/*
 * proof [-n EVERY] FILE... - windows begin with instructions.
 *
 * A syscall instruction is written over every EVERYth instruction of a program in turn, so that
 * patch_plan() has to find out what lies before it in code of all kinds. Each window that it offers has to
 * begin with an instruction, and so has each part of it. Where instructions are is known by decoding each
 * function from its beginning, which the tables for unwinders tell; patch_plan() is not told.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sites.h"

#define BASE           0x200000000000ull /* where sanitizers have nothing */
#define COMPLAINTS_MAX 10

struct totals {
	unsigned long tried, windows, unproved, wrong;
};

static uint8_t *begins; /* a byte for each of the image: an instruction begins there */

/* Decodes one function. */
static void note_function(const struct sites_image *image, uint64_t from, uint64_t end)
{
	const uint8_t *code = image->map;
	struct patch_insn insn;

	while (from < end) {
		size_t len = patch_decode(code + from, end - from, &insn);

		if (!len)
			return;
		begins[from] = 1;
		from += len;
	}
}

/* Fills @begins, which is as large as the image, from what unwinders know of functions. */
static int read_functions(const char *path, const struct sites_image *image)
{
	uint64_t map = (uintptr_t)image->map, base = map >= BASE ? BASE : 0;
	char command[512], *line = NULL;
	size_t size = 0;
	FILE *in;

	(void)snprintf(command, sizeof(command), "objdump --dwarf=frames '%s'", path);
	in = popen(command, "re");
	if (!in)
		return -errno;
	while (getline(&line, &size, in) > 0) {
		const char *pc = strstr(line, " FDE ") ? strstr(line, "pc=") : NULL;
		unsigned long long from, end;

		if (!pc || sscanf(pc, "pc=%llx..%llx", &from, &end) != 2)
			continue;
		from += base - map;
		end += base - map;
		if (from < end && end <= image->size)
			note_function(image, from, end);
	}
	free(line);
	return pclose(in) == 0 ? 0 : -EIO;
}

static void check(const struct patch_plan *p, const struct sites_image *image, struct totals *t)
{
	uint64_t off = p->addr - (uintptr_t)image->map;

	t->windows++;
	for (size_t i = 0; i < p->n && p->orig[i] <= p->sys; i++)
		if (!begins[off + p->orig[i]] && ++t->wrong <= COMPLAINTS_MAX)
			printf("# %#jx+%u: no instruction begins there\n",
			       (uintmax_t)(p->addr - BASE), p->orig[i]);
}

static void try_at(const struct sites_image *image, const struct sites_segment *seg, size_t off,
		   struct totals *t)
{
	uint8_t *at = (uint8_t *)(uintptr_t)seg->bytes + off, old[2] = { at[0], at[1] };
	struct patch_plan plan;
	enum patch_result r = PATCH_OK;

	memcpy(at, "\x0f\x05", 2);
	t->tried++;
	for (unsigned int skip = 0; r == PATCH_OK; skip++) {
		r = sites_plan(seg, off, skip, &plan);
		if (r == PATCH_OK)
			check(&plan, image, t);
		t->unproved += skip == 0 && r == PATCH_UNPROVED;
	}
	memcpy(at, old, 2);
}

static bool try_file(const char *path, int number, unsigned int every)
{
	struct sites_image image;
	struct totals t = { 0 };
	int r = sites_load(path, BASE, &image);
	bool ok;

	if (r == -ENOENT) {
		printf("ok %d - %s # skip binaries: '%s' is not here\n", number, path, path);
		return true;
	}
	if (r == 0) {
		begins = calloc(1, image.size);
		r = begins ? read_functions(path, &image) : -ENOMEM;
	}
	for (size_t i = 0; r == 0 && i < image.n; i++) {
		const struct sites_segment *seg = &image.seg[i];
		size_t first = (size_t)(seg->bytes - (const uint8_t *)image.map);
		unsigned int n = 0;

		for (size_t off = 0; off + 2 <= seg->size; off++)
			if (begins[first + off] && !(n++ % every))
				try_at(&image, seg, off, &t);
	}
	ok = r == 0 && t.windows && !t.wrong;
	printf("%s %d - %s: %lu places, %lu windows, %lu unproved, %lu wrong\n",
	       ok ? "ok" : "not ok", number, path, t.tried, t.windows, t.unproved, t.wrong);
	free(begins);
	begins = NULL;
	sites_unload(&image);
	return ok;
}

int main(int argc, char **argv)
{
	unsigned int every = 16;
	bool ok = true;
	int c;

	while ((c = getopt(argc, argv, "n:")) != -1) {
		if (c != 'n' || !(every = (unsigned int)strtoul(optarg, NULL, 0)))
			return 2;
	}
	printf("1..%d\n", argc - optind);
	for (int i = optind; i < argc; i++)
		ok &= try_file(argv[i], i - optind + 1, every);
	return !ok;
}
