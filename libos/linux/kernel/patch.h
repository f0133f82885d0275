/* SPDX-License-Identifier: GPL-2.0-only */
/* patch.h - what patch.c, patch_sites.c and patch_area.c share. */
#ifndef LO_KERNEL_PATCH_H
#define LO_KERNEL_PATCH_H

#include "patch/patch.h"

#include <asm/patch.h>
#include <linux/mm_types.h>

/*
 * A site that was patched. It stays when it no longer is (`live` false), for the same code may come
 * back, and with its trampoline: someone may have copied the jump. tramp 0: an empty entry.
 */
struct lo_site {
	struct patch_plan plan;
	unsigned long tramp;
	u8 jump[PATCH_JUMP_LEN];
	bool live;
};

/*
 * Of an mm. Entries are added and removed with its lock held for writing; they are looked at, and
 * become dead, with the lock in any way.
 */
struct lo_patches {
	unsigned int count, room;
	unsigned long next[LO_PATCH_AREAS]; /* behind the last trampoline that may lie anywhere */
	struct lo_site site[];
};

#define lo_for_each_site(s, patches)                                 \
	for ((s) = (patches) ? (patches)->site : NULL;               \
	     (s) && (s) < (patches)->site + (patches)->count; (s)++) \
		if ((s)->tramp)

static inline struct lo_patches *lo_patches(const struct mm_struct *mm)
{
	return mm->context.patch.patches;
}

static inline bool lo_overlap(unsigned long a, unsigned long a_size, unsigned long b,
			      unsigned long b_size)
{
	return a < b + b_size && b < a + a_size;
}

/* --- patch_sites.c; the mm's lock is held --- */

/* The page of the program at `addr`; `flags` FOLL_WRITE: to be written. put_page() it. */
struct page *lo_code_page(struct mm_struct *mm, unsigned long addr, unsigned int flags);
/* The program's own bytes. */
bool lo_code_read(struct mm_struct *mm, unsigned long addr, u8 *buf, unsigned long size);
/* Sites in a range whose code has gone are dead from now on. */
void lo_sites_check(struct mm_struct *mm, unsigned long start, unsigned long size);
/* Gives a live site its own bytes back, if they are a jump. */
void lo_site_restore(struct mm_struct *mm, struct lo_site *site);
/* The site of a plan: one that was patched in the same way, or a new one, not yet live. */
struct lo_site *lo_site_find(struct mm_struct *mm, const struct patch_plan *plan);
struct lo_site *lo_site_add(struct mm_struct *mm, const struct patch_plan *plan,
			    unsigned long tramp);
/* Makes a site of the table live; false: no memory. */
bool lo_site_store(struct mm_struct *mm, struct lo_site *site);
/* The table, with room for one more; NULL: there is none. */
struct lo_patches *lo_sites_grow(struct mm_struct *mm);
/* Removes entries of no use; false: there is none. */
bool lo_sites_reclaim(struct mm_struct *mm);

/* --- patch_area.c; the mm's lock is held for writing --- */

/* A free place for the plan's trampoline; `code` is where its mapping begins. 0: none. There is a table. */
unsigned long lo_area_place(struct mm_struct *mm, const struct patch_plan *plan,
			    unsigned long code);
/* In any way: the areas of `mm` are there. Else, after a fork without them, its sites are dead. */
void lo_areas_check(struct mm_struct *mm);

/* kernel/entry.S: holds the address of lo_call_entry. */
extern const unsigned long lo_call_slot;

#endif
