/* SPDX-License-Identifier: MIT */
/*
 * coverage [-v] FILE... - which of the system call sites of programs can be patched, and in which form.
 *
 * A site is a syscall instruction that decoding the executable segments comes by. Nothing is executed, so
 * the number in rax is not known, as it is at a trap. -v names the sites that are not of the form "before".
 *
 * Trampolines are given places in an area as docs/decisions/system-call-patching.md advises it, the next
 * plan if the best has none; the last two columns are sites without a place, and pages that were used.
 */
#include <stdio.h>
#include <string.h>

#include "sites.h"

#define BASE      0x1000000000ull
#define AREA_AWAY 0x6000000ull /* the highest byte of a distance is 06 or 07, which trap */
#define AREA_SIZE 0x1000000ull
#define PAGE      4096u
#define UNIT      16u /* in which places are given away */

static const enum patch_result refusals[] = { PATCH_SIGRETURN, PATCH_NO_WINDOW, PATCH_UNPROVED,
					      PATCH_JUMP_IN };
#define REFUSALS (sizeof(refusals) / sizeof(refusals[0]))

static bool taken[AREA_SIZE / UNIT];

struct counts {
	unsigned int sites, unplaced;
	unsigned int form[PATCH_FORMS];
	unsigned int result[PATCH_RESULTS];
};

static void print_site(const struct sites_segment *seg, size_t off, const char *what)
{
	size_t from = off > 16 ? off - 16 : 0;

	printf("# %jx %s:", (uintmax_t)(seg->addr + off), what);
	for (size_t i = from; i < off + 12 && i < seg->size; i++)
		printf("%s %02x", i == off ? " |" : "", seg->bytes[i]);
	printf("\n");
}

static bool is_free(uint64_t from, uint64_t end)
{
	for (uint64_t i = from / UNIT; i <= (end - 1) / UNIT; i++)
		if (taken[i])
			return false;
	return true;
}

/* Gives away the first place in @area that is free. */
static bool place(const struct patch_plan *p, uint64_t area)
{
	uint64_t at = area;

	for (; patch_place(p, at, area + AREA_SIZE, &at); at++) {
		uint64_t from = at - area, end = from + p->tramp_len;

		if (!is_free(from, end))
			continue;
		for (uint64_t i = from / UNIT; i <= (end - 1) / UNIT; i++)
			taken[i] = true;
		return true;
	}
	return false;
}

static unsigned int count_pages(void)
{
	unsigned int n = 0;

	for (size_t page = 0; page < AREA_SIZE / PAGE; page++)
		n += !is_free((uint64_t)page * PAGE, (uint64_t)(page + 1) * PAGE);
	return n;
}

static void try_site(const struct sites_segment *seg, size_t off, uint64_t area, struct counts *c,
		     bool verbose)
{
	struct patch_plan plan = { 0 };
	unsigned int skip = 0;
	enum patch_result r = sites_plan(seg, off, 0, &plan);

	c->sites++;
	c->result[r]++;
	if (r == PATCH_OK)
		c->form[plan.form]++;
	for (struct patch_plan p = plan; r == PATCH_OK && !place(&p, area);)
		if (sites_plan(seg, off, ++skip, &p) != PATCH_OK) {
			c->unplaced++;
			break;
		}
	if (verbose && (r != PATCH_OK || plan.form != PATCH_BEFORE))
		print_site(seg, off,
			   r == PATCH_OK ? patch_form_name(plan.form) : patch_result_name(r));
}

static int look_at(const char *path, bool verbose)
{
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	struct sites_image image;
	struct counts c = { 0 };
	uint64_t area;
	int r = sites_load(path, BASE, &image);

	if (r < 0) {
		fprintf(stderr, "coverage: cannot load '%s': %s\n", path, strerror(-r));
		return 1;
	}
	area = ((uintptr_t)image.map + image.size + AREA_AWAY + PAGE) & -(uint64_t)PAGE;
	memset(taken, 0, sizeof(taken));
	for (size_t i = 0; i < image.n; i++)
		for (size_t off = 0; sites_next(&image.seg[i], &off); off += 2)
			try_site(&image.seg[i], off, area, &c, verbose);
	sites_unload(&image);
	printf("%-24s %5u", name, c.sites);
	for (size_t i = 0; i < PATCH_FORMS; i++)
		printf(" %7u", c.form[i]);
	for (size_t i = 0; i < REFUSALS; i++)
		printf(" %*u", (int)strlen(patch_result_name(refusals[i])), c.result[refusals[i]]);
	printf(" %8u %5u\n", c.unplaced, count_pages());
	return 0;
}

int main(int argc, char **argv)
{
	bool verbose = argc > 1 && !strcmp(argv[1], "-v");
	int bad = 0;

	printf("%-24s %5s", "file", "sites");
	for (int i = 0; i < PATCH_FORMS; i++)
		printf(" %7s", patch_form_name((enum patch_form)i));
	for (size_t i = 0; i < REFUSALS; i++)
		printf(" %s", patch_result_name(refusals[i]));
	printf(" unplaced pages\n");
	for (int i = 1 + verbose; i < argc; i++)
		bad |= look_at(argv[i], verbose);
	return bad;
}
