/* SPDX-License-Identifier: MIT */
/*
 * vu_mem.h - the memory that a front end shares, mapped.
 *
 * Each region has two addresses: the one that descriptors are written in, and
 * the one that the front end has it at, in which it names its rings. Both are
 * the front end's words: they must not overlap nor wrap, and the region must
 * lie within the file that came with it. The front end can still shorten the
 * file later; then access to it is a SIGBUS, for which the program has a
 * handler (vu_mem_guard()).
 */
#ifndef VHOST_VU_MEM_H
#define VHOST_VU_MEM_H

#include "err.h"
#include "gmem.h"
#include "vu_msg.h"

struct vu_mem {
	struct gmem gmem; /* of @at */
	struct gmem_region at[VU_SLOTS_MAX];
	struct {
		rva_t user;
		void *map;
		size_t map_size;
	} slot[VU_SLOTS_MAX];
};

void vu_mem_init(struct vu_mem *m);
void vu_mem_fini(struct vu_mem *m); /* unmaps; empty and usable after it */

/* Map a region; @fd stays the caller's. */
int vu_mem_add(struct vu_mem *m, const struct vu_region *r, int fd, struct err *e) _must_check_;
int vu_mem_del(struct vu_mem *m, const struct vu_region *r, struct err *e) _must_check_;

/* What descriptors would call the front end's address @a; -EFAULT if it is in no region. */
int vu_mem_gpa(const struct vu_mem *m, rva_t a, gpa_t *ret) _must_check_;

/*
 * From here on a SIGBUS writes @sentence, a static string with its newline, to
 * standard error and ends the process with status 1.
 */
int vu_mem_guard(const char *sentence) _must_check_;

#endif
