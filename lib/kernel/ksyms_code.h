/* SPDX-License-Identifier: MIT */
/*
 * ksyms_code.h - variables of a kernel that names none of them, from the code of its functions: a part of ksyms.h.
 */
#ifndef KERNEL_KSYMS_CODE_H
#define KERNEL_KSYMS_CODE_H

#include "kcode.h"
#include "ksyms.h"

/* What @function refers to in the kernel's image; none if there is no such function. */
void ksyms_refs(const struct ksyms *s, const char *function, struct kcode_refs *ret);

/* Address 0: it is none of those that are known here, or not certain. */
gva_t ksyms_by_code(const struct ksyms *s, const char *name);

#endif
