/* SPDX-License-Identifier: MIT */
/* check.h - what holds for every plan, whatever the code. */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include "patch.h"

/*
 * check_plan() - Is the plan for code->bytes[sys] sound, and are its trampoline and its stores?
 *
 * The trampoline is placed at the first address at or behind @from, within 2 GiB.
 *
 * Return: NULL, or what is wrong with it.
 */
const char *check_plan(const struct patch_code *code, size_t sys, const struct patch_plan *plan,
		       uint64_t from, uint64_t slot);

#endif
