/* SPDX-License-Identifier: MIT */
/*
 * pt.h - the page tables of an x86-64 guest, walked from outside.
 *
 * Theory of operation
 *
 * pt_init() takes the control registers, pt_walk() goes from the root down, one
 * entry of each table, through the caller's accessor. A walk reads at most five
 * entries whatever is in them, so tables that point at themselves do no harm;
 * pt_next(), which looks for what is mapped, counts its reads against a limit
 * of the caller. Rights are those of all levels together.
 *
 * No I/O of its own, no allocation.
 */
#ifndef MEM_PT_H
#define MEM_PT_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "compiler.h"

#define PT_PAGE 4096ULL

/* The bit of CR3 that Linux sets for the tables of user mode, where it isolates them (Linux 4.15). */
#define PT_CR3_ISOLATION (1ULL << 12)

/* Read the eight bytes at @gpa, which is a multiple of eight. Return: 0, -errno. */
typedef int pt_read_fn(void *arg, gpa_t gpa, uint64_t *ret);

struct pt {
	pt_read_fn *read;
	void *arg;
	gpa_t root;
	unsigned int levels; /* 4 or 5 */
};

/* A page that is mapped, whatever its size. */
struct pt_page {
	gva_t gva;     /* its first byte */
	gpa_t gpa;     /* the same, physical */
	uint64_t size; /* 4 KiB, 2 MiB or 1 GiB */
	bool write, user, exec;
};

/*
 * pt_init() - Tables as @cr0, @cr3, @cr4 and @efer of a processor say.
 *
 * Return: 0; -ENOTSUP if it is not in long mode with paging on.
 */
struct pt_regs_cr {
	uint64_t cr0, cr3, cr4, efer;
};
int pt_init(struct pt *t, const struct pt_regs_cr *cr, pt_read_fn *read, void *arg) _must_check_;

/* The page that @gva is in. Return: 0; -EFAULT it is not mapped; -EPROTO an entry that no processor takes; what read gave. */
int pt_walk(const struct pt *t, gva_t gva, struct pt_page *ret) _must_check_;

/* Where @gva is. As pt_walk(). */
int pt_translate(const struct pt *t, gva_t gva, gpa_t *ret) _must_check_;

/*
 * pt_take() - Go on with the tables at @tables, which lie in one piece with @entry, whose place is known.
 *
 * The tables that @t has are not read: whatever they were made for may be gone. Return: 0; -ENOENT those at @tables do not
 * lead to the two.
 */
int pt_take(struct pt *t, gva_t tables, gva_t entry, gpa_t entry_at) _must_check_;

/*
 * pt_entry() - The entry of a table of @level (1: pages of 4 KiB) that @gva goes through: where it is, and what.
 *
 * Return: 0, also if it is not present; -EFAULT one above it is not, or maps a page; -EPROTO; what read gave.
 */
int pt_entry(const struct pt *t, gva_t gva, unsigned int level, gpa_t *ret_at, uint64_t *ret)
	_must_check_;

/* The entry of level 2 that maps 2 MiB of the kernel's at @gpa, a multiple of that. */
uint64_t pt_make_large(gpa_t gpa, bool write, bool exec);

/*
 * pt_next() - The first page that is mapped and has a byte in [@from, @end).
 *
 * @reads: how many entries may be read yet; counted down. What can't be read, or is no entry, is not mapped.
 *
 * Return: 1 a page; 0 none; -E2BIG @reads is used up.
 */
int pt_next(const struct pt *t, gva_t from, gva_t end, uint64_t *reads, struct pt_page *ret)
	_must_check_;

#endif
