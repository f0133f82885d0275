/* SPDX-License-Identifier: MIT */
/*
 * A window of code around a system call: 16 bytes of what the caller knows, then the code. Every plan for
 * it has to be sound.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "patch.h"

#define HEADER    16
#define PLANS_MAX 64 /* more than there can be */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)patch_get_le32(p);
}

static void check(const struct patch_code *code, size_t sys, uint64_t from)
{
	struct patch_plan plan;
	unsigned int skip = 0;

	for (; patch_plan(code, sys, skip, &plan) == PATCH_OK; skip++) {
		const char *what = check_plan(code, sys, &plan, from, 0x60001000);

		if (what || skip == PLANS_MAX) {
			fprintf(stderr, "plan %u: %s\n", skip, what ? what : "too many");
			abort();
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct patch_code code = { .nr = PATCH_NR_UNKNOWN };
	uint8_t *copy;

	if (size < HEADER)
		return 0;
	code.addr = (uint64_t)get32(data) << 12 | (get32(data + 4) & 0xfff);
	code.size = size - HEADER;
	code.lo = get32(data + 8) & 0xff;
	code.hi = code.size - (code.size > 0 ? (get32(data + 8) >> 8 & 0xff) % code.size : 0);
	code.starts_insn = data[12] & 1;
	if (data[12] & 2)
		code.nr = data[13];
	/* To the byte, so that a sanitizer sees what is read behind the end. */
	copy = malloc(code.size ? code.size : 1);
	if (!copy)
		return 0;
	memcpy(copy, data + HEADER, code.size);
	code.bytes = copy;
	for (size_t sys = 0; sys <= code.size; sys++)
		check(&code, sys,
		      code.addr + (uint64_t)data[14] * 0x1000000 - (uint64_t)data[15] * 0x1000000);
	free(copy);
	return 0;
}
