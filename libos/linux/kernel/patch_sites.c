// SPDX-License-Identifier: GPL-2.0-only
/* patch_sites.c - the patched sites of a program, and its code. */
/*
 * Theory of operation
 *
 * A site is patched if the table says so and the jump is in memory: code goes away in many ways
 * (munmap, another mapping over it, MADV_DONTNEED, a truncated file), and nobody tells us. So the
 * bytes are looked at before a site is believed. Its jump lies within one page.
 *
 * The program's code is written as a debugger would, so it is a copy of this process. With one vCPU,
 * nobody executes it meanwhile, and a thread that goes on in it has come by IRETQ, which is
 * serialising; with several, the stores are those of patch_steps().
 */
#include "patch.h"

#include <asm/linux_versions.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>

#define SITES_MIN 32
#define SITES_MAX 4096

struct page *lo_code_page(struct mm_struct *mm, unsigned long addr, unsigned int flags)
{
	struct page *page;
	long n;

	n = get_user_pages_remote(mm, addr, 1, FOLL_FORCE | flags, &page, LO_GUP_NO_VMAS NULL);
	return n == 1 ? page : NULL;
}

static bool is_jump(const struct lo_site *site, const void *page)
{
	return site->live &&
	       !memcmp(page + offset_in_page(site->plan.addr), site->jump, PATCH_JUMP_LEN);
}

/* Bytes that were copied from `page`: the program's own instead of jumps. */
static void hide(const struct lo_patches *patches, unsigned long addr, u8 *buf, unsigned long size,
		 const void *page)
{
	const struct lo_site *site;

	lo_for_each_site(site, patches)
	{
		unsigned long at = site->plan.addr, first = max(at, addr);
		unsigned long last = min(at + PATCH_JUMP_LEN, addr + size);

		if (first < last && is_jump(site, page))
			memcpy(buf + (first - addr), site->plan.old + (first - at), last - first);
	}
}

bool lo_code_read(struct mm_struct *mm, unsigned long addr, u8 *buf, unsigned long size)
{
	while (size) {
		unsigned long n = min(size, PAGE_SIZE - offset_in_page(addr));
		struct page *page = lo_code_page(mm, addr, 0);

		if (!page)
			return false;
		memcpy(buf, page_address(page) + offset_in_page(addr), n);
		hide(lo_patches(mm), addr, buf, n, page_address(page));
		put_page(page);
		addr += n;
		buf += n;
		size -= n;
	}
	return true;
}

static bool write_code(struct mm_struct *mm, const struct lo_site *site, const u8 *bytes)
{
	struct page *page = lo_code_page(mm, site->plan.addr, FOLL_WRITE);

	if (!page)
		return false;
	memcpy(page_address(page) + offset_in_page(site->plan.addr), bytes, PATCH_JUMP_LEN);
	set_page_dirty_lock(page);
	put_page(page);
	return true;
}

static bool is_in_memory(struct mm_struct *mm, const struct lo_site *site)
{
	struct page *page = lo_code_page(mm, site->plan.addr, 0);
	bool is;

	if (!page)
		return false;
	is = is_jump(site, page_address(page));
	put_page(page);
	return is;
}

void lo_sites_check(struct mm_struct *mm, unsigned long start, unsigned long size)
{
	struct lo_site *site;

	lo_for_each_site(site, lo_patches(mm))
	{
		if (!site->live || !lo_overlap(site->plan.addr, site->plan.len, start, size) ||
		    is_in_memory(mm, site))
			continue;
		site->live = false;
		mm->context.patch.dropped++;
	}
}

void lo_site_restore(struct mm_struct *mm, struct lo_site *site)
{
	/* Who is killed reads no page: for a debugger's program nothing changes. */
	if (!site->live || (mm != current->mm && fatal_signal_pending(current)))
		return;
	if (is_in_memory(mm, site) && !write_code(mm, site, site->plan.old)) {
		/* It is about to lose the trampoline or the right to its code. */
		if (mm == current->mm)
			force_sig(SIGKILL);
		return;
	}
	site->live = false;
	mm->context.patch.dropped++;
}

struct lo_site *lo_site_find(struct mm_struct *mm, const struct patch_plan *plan)
{
	struct lo_patches *patches = lo_patches(mm);
	struct lo_site *site;

	lo_for_each_site(site,
			 patches) if (site->plan.addr == plan->addr &&
				      site->plan.len == plan->len && site->plan.sys == plan->sys &&
				      !memcmp(site->plan.old, plan->old, plan->len)) return site;
	return NULL;
}

bool lo_sites_reclaim(struct mm_struct *mm)
{
	struct lo_patches *patches = lo_patches(mm);
	unsigned int i, left = 0;

	if (!patches)
		return false;
	for (i = 0; i < patches->count; i++) {
		struct lo_site *site = &patches->site[i];

		if (site->tramp && site->live && is_in_memory(mm, site))
			patches->site[left++] = *site;
	}
	mm->context.patch.dropped++;
	i -= left;
	patches->count = left;
	memset(patches->next, 0, sizeof(patches->next));
	return i;
}

struct lo_patches *lo_sites_grow(struct mm_struct *mm)
{
	struct lo_patches *old = lo_patches(mm), *patches;
	unsigned int room = old ? 2 * old->room : SITES_MIN;

	if (old && old->count < old->room)
		return old;
	if (room > SITES_MAX)
		return lo_sites_reclaim(mm) ? old : NULL;
	patches = kvzalloc(struct_size(patches, site, room), GFP_KERNEL);
	if (!patches)
		return NULL;
	if (old)
		memcpy(patches, old, struct_size(old, site, old->count));
	patches->room = room;
	mm->context.patch.patches = patches;
	kvfree(old);
	return patches;
}

struct lo_site *lo_site_add(struct mm_struct *mm, const struct patch_plan *plan,
			    unsigned long tramp)
{
	struct lo_patches *patches = lo_sites_grow(mm);
	u8 bytes[PATCH_TRAMP_MAX];
	struct lo_site *site;

	if (!patches)
		return NULL;
	site = &patches->site[patches->count];
	*site = (struct lo_site){ .plan = *plan, .tramp = tramp };
	if (!patch_emit(plan, tramp, (unsigned long)&lo_call_slot, bytes, site->jump))
		return NULL;
	patches->count++;
	return site;
}

/* The page of trampolines has been made from the table if it wasn't there, see patch_area.c. */
static bool write_trampoline(struct mm_struct *mm, const struct lo_site *site)
{
	u8 bytes[PATCH_TRAMP_MAX], jump[PATCH_JUMP_LEN];
	struct page *page = lo_code_page(mm, site->tramp, 0);

	if (!page)
		return false;
	patch_emit(&site->plan, site->tramp, (unsigned long)&lo_call_slot, bytes, jump);
	memcpy(page_address(page) + offset_in_page(site->tramp), bytes, site->plan.tramp_len);
	put_page(page);
	return true;
}

bool lo_site_store(struct mm_struct *mm, struct lo_site *site)
{
	site->live = write_trampoline(mm, site) && write_code(mm, site, site->jump);
	return site->live;
}

void lo_patch_original_ip(struct pt_regs *regs)
{
	struct mm_struct *mm = current->mm;
	struct lo_site *site;
	u64 ip;

	mmap_read_lock(mm);
	lo_for_each_site(site, lo_patches(mm))
	{
		if (!patch_ip_original(&site->plan, site->tramp, regs->ip, &ip))
			continue;
		regs->ip = ip;
		break;
	}
	mmap_read_unlock(mm);
}

unsigned long lo_patch_resume(unsigned long ip)
{
	struct mm_struct *mm = current->mm;
	struct lo_site *site;
	u64 to = 0;

	if (!lo_patches(mm))
		return 0;
	mmap_read_lock(mm);
	lo_for_each_site(site, lo_patches(mm))
	{
		if (site->live && ip - site->plan.addr < PATCH_JUMP_LEN &&
		    patch_ip_resume(&site->plan, site->tramp, ip, &to) && is_in_memory(mm, site))
			break;
		to = 0;
	}
	mmap_read_unlock(mm);
	return to;
}

bool lo_patch_lost(unsigned long addr)
{
	struct mm_struct *mm = current->mm;
	struct lo_site *site;
	bool mended = false;

	mmap_read_lock(mm);
	lo_for_each_site(site, lo_patches(mm))
	{
		if (!site->live || addr - site->tramp >= site->plan.tramp_len)
			continue;
		lo_site_restore(mm, site);
		mended = true;
	}
	mmap_read_unlock(mm);
	return mended;
}

void lo_patch_stop(struct mm_struct *mm)
{
	struct lo_site *site;

	mm->context.patch.off = true;
	if (!lo_patches(mm))
		return;
	mmap_read_lock(mm);
	lo_for_each_site(site, lo_patches(mm)) lo_site_restore(mm, site);
	mmap_read_unlock(mm);
}

void lo_patch_begin(unsigned long start, unsigned long size)
{
	struct mm_struct *mm = current->mm;
	struct lo_site *site;

	atomic_inc(&mm->context.patch.hold);
	if (!lo_patches(mm))
		return;
	mmap_read_lock(mm);
	lo_for_each_site(site, lo_patches(mm))
	{
		if (!lo_overlap(site->plan.addr, site->plan.len, start, size) &&
		    !lo_overlap(site->tramp, site->plan.tramp_len, start, size))
			continue;
		lo_site_restore(mm, site);
		/* The call goes back by IRETQ. */
		current_pt_regs()->r11 = 0;
	}
	mmap_read_unlock(mm);
}

void lo_patch_end(void)
{
	atomic_dec(&current->mm->context.patch.hold);
}

void lo_patch_read(struct vm_area_struct *vma, unsigned long addr, void *to, const void *from,
		   unsigned long size)
{
	memcpy(to, from, size);
	hide(lo_patches(vma->vm_mm), addr, to, size, (void *)((unsigned long)from & PAGE_MASK));
}

void lo_patch_write(struct vm_area_struct *vma, unsigned long addr, void *to, const void *from,
		    unsigned long size)
{
	struct mm_struct *mm = vma->vm_mm;
	struct lo_site *site;

	lo_for_each_site(site, lo_patches(mm)) if (lo_overlap(site->plan.addr, site->plan.len, addr,
							      size)) lo_site_restore(mm, site);
	memcpy(to, from, size);
}

int lo_patch_copy(struct mm_struct *from, struct mm_struct *mm)
{
	const struct lo_patches *old = lo_patches(from);
	struct lo_patch_context *context = &mm->context.patch;

	if (!old)
		return 0;
	context->patches = kvzalloc(struct_size(old, site, old->room), GFP_KERNEL);
	if (!context->patches)
		return -ENOMEM;
	memcpy(context->patches, old, struct_size(old, site, old->count));
	memcpy(context->area, from->context.patch.area, sizeof(context->area));
	lo_areas_check(mm);
	return 0;
}

void lo_patch_init(struct mm_struct *mm)
{
	static u64 last;

	mm->context.patch = (struct lo_patch_context){ .id = ++last };
}

void lo_patch_free(struct mm_struct *mm)
{
	kvfree(lo_patches(mm));
}
