/* SPDX-License-Identifier: MIT */
/*
 * made_kernel.h - the memory of a guest, with its page tables, and symbols of its kernel: made by hand.
 *
 * What is physical from 0 on is also where the kernel has all memory, and where its image would be.
 */
#ifndef TESTS_MADE_KERNEL_H
#define TESTS_MADE_KERNEL_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "gview.h"
#include "kallsyms.h"

#define MADE_SIZE   (1U << 20)
#define MADE_DIRECT 0xffff888000000000ULL
#define MADE_IMAGE  KIMAGE_AREA

enum {
	MADE_PML4 = 0x1000,
	MADE_PDPT = 0x2000,
	MADE_PDPT_IMAGE = 0x3000,
	MADE_SYMBOLS = 0xf0000, /* to the end */
	MADE_TOKENS = MADE_SYMBOLS + 0x8000,
	MADE_INDEX = MADE_SYMBOLS + 0x9000,
	MADE_OFFSETS = MADE_SYMBOLS + 0xa000
};

static uint8_t made_memory[MADE_SIZE];
static const struct kimage made_image = { made_memory, MADE_SIZE, { MADE_IMAGE } };

/* What a guest does meanwhile. */
static void (*made_after_read)(uint64_t gpa);

static int made_read(void *arg, gpa_t gpa, void *dst, size_t len)
{
	(void)arg;
	if (gpa.v > MADE_SIZE || len > MADE_SIZE - gpa.v)
		return -EFAULT;
	memcpy(dst, made_memory + gpa.v, len);
	if (made_after_read)
		made_after_read(gpa.v);
	return 0;
}

static void put(uint64_t at, const void *p, size_t n)
{
	memcpy(made_memory + at, p, n);
}

static void put64(uint64_t at, uint64_t v)
{
	put(at, &v, sizeof(v));
}

static void put32(uint64_t at, uint32_t v)
{
	put(at, &v, sizeof(v));
}

static int made_view(struct gview *v)
{
	static const struct pt_regs_cr cr = { 1ULL << 31, MADE_PML4, 1 << 5, 1 << 10 };

	return gview_init(v, &cr, made_read, NULL);
}

static void made_clear(void)
{
	memset(made_memory, 0, sizeof(made_memory));
	put64(MADE_PML4 + 273 * 8, MADE_PDPT | 3);
	put64(MADE_PML4 + 511 * 8, MADE_PDPT_IMAGE | 3);
	put64(MADE_PDPT, 0x83);
	put64(MADE_PDPT_IMAGE + 510 * 8, 0x83);
}

struct made_symbol {
	const char *name;
	uint32_t at; /* in ascending order */
};

/* Token N is the character N. */
static struct kallsyms made_symbols(const struct made_symbol *symbol, uint32_t n)
{
	uint64_t at = MADE_SYMBOLS;

	for (uint32_t i = 0; i < n; i++) {
		made_memory[at++] = (uint8_t)(strlen(symbol[i].name) + 1);
		made_memory[at++] = 'T';
		put(at, symbol[i].name, strlen(symbol[i].name));
		at += strlen(symbol[i].name);
		put32(MADE_OFFSETS + i * 4, symbol[i].at);
	}
	for (uint32_t i = 0; i < 256; i++) {
		made_memory[MADE_TOKENS + i * 2] = (uint8_t)i;
		made_memory[MADE_INDEX + i * 2] = (uint8_t)(i * 2);
		made_memory[MADE_INDEX + i * 2 + 1] = (uint8_t)(i * 2 >> 8);
	}
	return (struct kallsyms){ .image = &made_image,
				  .count = n,
				  .kind = KALLSYMS_OFFSETS,
				  .align = 8,
				  .names = MADE_SYMBOLS,
				  .names_end = at,
				  .token_table = MADE_TOKENS,
				  .token_index = MADE_INDEX,
				  .offsets = MADE_OFFSETS,
				  .base = MADE_IMAGE };
}

/* mov @to(%rip), %rax. Return: where the next instruction is. */
static uint64_t put_load(uint64_t at, uint64_t to)
{
	put(at, "\x48\x8b\x05", 3);
	put32(at + 3, (uint32_t)(to - (at + 7)));
	return at + 7;
}

#endif
