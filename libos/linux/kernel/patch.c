// SPDX-License-Identifier: GPL-2.0-only
/* patch.c - system call sites that have trapped some times jump into the kernel. */
/*
 * Theory of operation
 *
 * patch/ (libos/patch of the project) knows how: which instructions make room for a jump, what the
 * trampoline has, where it may be, why no other way into the site breaks. This file knows when, and
 * where not. patch_sites.c has the sites of each program, patch_area.c the place for trampolines.
 *
 * When: patching costs as much as some traps (a plan, a copy of the page, faults), and a program
 * that comes and goes uses most sites once or twice. So a site's traps are counted, by mm.
 *
 * Where not: what is writable (someone may generate code there) or shared; where a debugger looks.
 *
 * What keeps the program's view:
 * - No ip in a trampoline gets beyond lo_trap_user(): lo_patch_original_ip(). So nobody that sleeps,
 *   no signal frame and no debugger ever has one.
 * - Instructions that begin in a jump's distance trap, and go on by lo_patch_resume().
 * - Debuggers read and write the program's own bytes (asm/cacheflush.h); single steps and core files
 *   have all sites taken back (lo_patch_stop()); before mprotect() and mremap() those in the range
 *   are (lo_patch_begin()).
 */
#include "patch.h"

#include <asm/lo.h>
#include <asm/unistd.h>
#include <linux/fs.h>
#include <linux/hash.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/unistd.h>

#define WAYS 4
#define SETS 256

/* In traps: a site is looked at; it is once more, if it had been patched; it is, if it couldn't be. */
#define TRAPS_BEFORE 10
#define TRAPS_AGAIN  4000
/* A second look, at the whole mapping, if what is near the site proves nothing. */
#define TRAPS_FAR 200

#define CODE_NEAR 1024UL
#define CODE_FAR  (4UL << 20)

/* Beyond those of patch/patch.h. */
enum result {
	FEW_TRAPS = PATCH_RESULTS,
	WRITABLE,
	FILE_OPEN,
	NO_PLACE,
	NO_MEMORY,
	RESULTS,
};

/* A site that traps. */
static struct seen {
	u64 mm;
	unsigned long site;
	unsigned int traps;
	unsigned int result;
} seen[SETS][WAYS];

static bool patching = true;
static unsigned long patched_now;
static unsigned long *const results[RESULTS] = {
	[PATCH_OK] = &patched_now,
	[PATCH_NOT_SYSCALL] = &lo_stats.trapping_no_window,
	[PATCH_SIGRETURN] = &lo_stats.trapping_sigreturn,
	[PATCH_NO_WINDOW] = &lo_stats.trapping_no_window,
	[PATCH_JUMP_IN] = &lo_stats.trapping_jump_in,
	[PATCH_UNPROVED] = &lo_stats.trapping_unproved,
	[FEW_TRAPS] = &lo_stats.trapping_rarely,
	[WRITABLE] = &lo_stats.trapping_writable,
	[FILE_OPEN] = &lo_stats.trapping_open,
	[NO_PLACE] = &lo_stats.trapping_no_place,
	[NO_MEMORY] = &lo_stats.trapping_no_memory,
};
static unsigned long *const forms[PATCH_FORMS] = {
	[PATCH_BEFORE] = &lo_stats.patched_before,
	[PATCH_ACROSS] = &lo_stats.patched_across,
	[PATCH_AFTER] = &lo_stats.patched_after,
};

static int __init patch_off(char *arg)
{
	patching = false;
	return 0;
}
early_param("nopatch", patch_off);

static struct seen *find_seen(u64 mm, unsigned long site)
{
	static unsigned int hand;
	struct seen *set = seen[hash_64(site ^ mm << 48, ilog2(SETS))], *entry;

	for (entry = set; entry < set + WAYS; entry++)
		if (entry->mm == mm && entry->site == site)
			return entry;
	entry = set + hand++ % WAYS;
	*entry = (struct seen){ .mm = mm, .site = site, .result = FEW_TRAPS };
	++*results[FEW_TRAPS];
	return entry;
}

static bool is_due(const struct seen *entry)
{
	if (entry->traps % TRAPS_BEFORE)
		return false;
	return entry->traps == TRAPS_BEFORE || entry->result == PATCH_OK ||
	       (entry->traps == TRAPS_FAR && entry->result == PATCH_UNPROVED) ||
	       entry->traps % TRAPS_AGAIN == 0;
}

/* Code that nobody writes, for all we know. */
static int may_patch(const struct vm_area_struct *vma)
{
	if (!vma || !(vma->vm_flags & VM_EXEC))
		return PATCH_NOT_SYSCALL;
	if (vma->vm_flags & (VM_WRITE | VM_SHARED | VM_MAYSHARE) || !(vma->vm_flags & VM_MAYWRITE))
		return WRITABLE;
	if (vma->vm_file && atomic_read(&file_inode(vma->vm_file)->i_writecount) > 0)
		return FILE_OPEN;
	return PATCH_OK;
}

/* The jump lies in the page of the system call, and between the sites beside it. */
static void set_bounds(struct mm_struct *mm, struct patch_code *code, size_t sys)
{
	unsigned long at = code->addr + sys, page = at & PAGE_MASK;
	unsigned long lo = max(page, (unsigned long)code->addr);
	unsigned long hi = min(page + PAGE_SIZE, (unsigned long)code->addr + code->size);
	const struct lo_site *site;

	lo_for_each_site(site, lo_patches(mm))
	{
		if (!site->live)
			continue;
		if (site->plan.addr <= at)
			lo = max(lo, (unsigned long)site->plan.addr + site->plan.len);
		else
			hi = min(hi, (unsigned long)site->plan.addr);
	}
	code->lo = min(lo, hi) - code->addr;
	code->hi = hi - code->addr;
}

/* The best plan that finds a place, as a site that isn't live yet. */
static int find_site(struct mm_struct *mm, const struct patch_code *code, unsigned long mapping,
		     size_t sys, struct lo_site **ret)
{
	struct patch_plan plan;
	unsigned int skip;

	if (!lo_sites_grow(mm))
		return NO_MEMORY;
	for (skip = 0;; skip++) {
		int r = patch_plan(code, sys, skip, &plan);
		unsigned long at;

		if (r != PATCH_OK)
			return skip ? NO_PLACE : r;
		*ret = lo_site_find(mm, &plan);
		if (*ret)
			return PATCH_OK;
		at = lo_area_place(mm, &plan, mapping);
		if (!at)
			continue;
		*ret = lo_site_add(mm, &plan, at);
		return *ret ? PATCH_OK : NO_PLACE;
	}
}

static int patch_code(struct mm_struct *mm, const struct vm_area_struct *vma, unsigned long at,
		      struct patch_code *code)
{
	struct lo_site *site = NULL;
	int r;

	if (!lo_code_read(mm, code->addr, (u8 *)code->bytes, code->size))
		return NO_MEMORY;
	set_bounds(mm, code, at - code->addr);
	r = find_site(mm, code, vma->vm_start, at - code->addr, &site);
	if (r != PATCH_OK)
		return r;
	if (!lo_site_store(mm, site))
		return NO_MEMORY;
	lo_stats.patched++;
	++*forms[site->plan.form];
	return PATCH_OK;
}

/* Entered beside its jump, as at a restart: there is nothing to be done. */
static bool is_patched(struct mm_struct *mm, unsigned long at)
{
	const struct lo_site *site;

	lo_for_each_site(site, lo_patches(mm)) if (site->live && site->plan.addr + site->plan.sys ==
									 at) return true;
	return false;
}

/* `at` is the system call instruction. */
static int patch_site(struct mm_struct *mm, unsigned long at, int nr, unsigned long near)
{
	struct vm_area_struct *vma = vma_lookup(mm, at);
	struct patch_code code = { .nr = nr };
	int r = may_patch(vma);

	if (r != PATCH_OK)
		return r;
	code.addr = at - min(near, at - vma->vm_start);
	code.size = min(at + near, vma->vm_end) - code.addr;
	lo_sites_check(mm, code.addr, code.size);
	if (is_patched(mm, at))
		return PATCH_OK;
	code.bytes = kvmalloc(code.size, GFP_KERNEL);
	if (!code.bytes)
		return NO_MEMORY;
	r = patch_code(mm, vma, at, &code);
	kvfree(code.bytes);
	return r;
}

void lo_patch(const struct pt_regs *regs)
{
	struct mm_struct *mm = current->mm;
	struct lo_patch_context *context = &mm->context.patch;
	unsigned long at = regs->ip - 2;
	struct seen *entry;
	int r;

	if (!patching || context->off || atomic_read(&context->hold) || current->ptrace)
		return;
	entry = find_seen(context->id, at);
	entry->traps++;
	if (!is_due(entry))
		return;
	if (mmap_write_lock_killable(mm))
		return;
	r = patch_site(mm, at, regs->ax, entry->traps == TRAPS_FAR ? CODE_FAR : CODE_NEAR);
	mmap_write_unlock(mm);
	/* Others may have taken the entry meanwhile. */
	if (entry->site == at && entry->mm == context->id && entry->result != r) {
		entry->traps = TRAPS_BEFORE;
		--*results[entry->result];
		++*results[r];
		entry->result = r;
	}
}
