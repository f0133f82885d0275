// SPDX-License-Identifier: GPL-2.0-only
/* patch_area.c - where trampolines are: address space of the program, and its pages. */
/*
 * Theory of operation
 *
 * An area is a special mapping of 16 MiB, out of the way of what grows: the heap, the stack. Its
 * distance to the code has a highest byte that traps (see patch/patch.h), so that each plan finds a
 * place. Below 2 GiB, where programs linked to a fixed address have their heap behind them, it
 * lies behind the kernel's image, and some plans find none.
 *
 * A page of it is made when it is first touched, from the table of sites; so a fork makes its own,
 * and MADV_DONTNEED does no harm. If the program maps something else there, or unmaps it, the
 * sites get their own bytes back (area_close).
 */
#include "patch.h"

#include <asm/map.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>

/* To stay away from: what the stack may grow to, if its limit isn't more. As Linux has it for mmap. */
#define STACK_GAP (128UL << 20)
#define STACK_MAX (4UL << 30)

static vm_fault_t area_fault(struct vm_fault *vmf)
{
	struct mm_struct *mm = vmf->vma->vm_mm;
	unsigned long at = vmf->address & PAGE_MASK;
	u8 bytes[PATCH_TRAMP_MAX], jump[PATCH_JUMP_LEN];
	const struct lo_site *site;

	vmf->page = alloc_page(GFP_HIGHUSER);
	if (!vmf->page)
		return VM_FAULT_OOM;
	memset(page_address(vmf->page), 0xcc, PAGE_SIZE);
	lo_for_each_site(site, lo_patches(mm))
	{
		if ((site->tramp & PAGE_MASK) != at)
			continue;
		patch_emit(&site->plan, site->tramp, (unsigned long)&lo_call_slot, bytes, jump);
		memcpy(page_address(vmf->page) + offset_in_page(site->tramp), bytes,
		       site->plan.tramp_len);
	}
	return 0;
}

/* The area at `start` is no more. */
static void forget(struct mm_struct *mm, unsigned long start)
{
	struct lo_patch_context *context = &mm->context.patch;
	struct lo_site *site;
	unsigned int i, last = 0;

	lo_for_each_site(site, context->patches)
	{
		if (site->tramp - start >= LO_PATCH_AREA)
			continue;
		lo_site_restore(mm, site);
		site->tramp = 0;
	}
	while (last + 1 < LO_PATCH_AREAS && context->area[last + 1])
		last++;
	for (i = 0; i <= last; i++)
		if (context->area[i] == start) {
			context->area[i] = context->area[last];
			context->area[last] = 0;
			context->patches->next[i] = 0;
			break;
		}
}

/* Is unmapped, in part at least, by the program or with it. */
static void area_close(struct vm_area_struct *vma)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned int i;

	if (!atomic_read(&mm->mm_users) || !lo_patches(mm))
		return;
	/* It had not been charged. */
	mm->total_vm += vma_pages(vma);
	mm->exec_vm += vma_pages(vma);
	for (i = 0; i < LO_PATCH_AREAS && mm->context.patch.area[i]; i++)
		if (lo_overlap(mm->context.patch.area[i], LO_PATCH_AREA, vma->vm_start,
			       vma->vm_end - vma->vm_start)) {
			forget(mm, mm->context.patch.area[i]);
			break;
		}
	if (mm == current->mm)
		current_pt_regs()->r11 = 0; /* back by IRETQ: code has changed */
}

static int area_mremap(struct vm_area_struct *vma)
{
	return -EINVAL;
}

/* Without a name: what has one is in each core file. */
static const struct vm_operations_struct area_ops = {
	.fault = area_fault,
	.close = area_close,
	.mremap = area_mremap,
};

void lo_areas_check(struct mm_struct *mm)
{
	struct lo_patch_context *context = &mm->context.patch;
	int i;

	for (i = LO_PATCH_AREAS - 1; i >= 0; i--) {
		struct vm_area_struct *vma = context->area[i] ? vma_lookup(mm, context->area[i])
							      : NULL;

		if (context->area[i] && (!vma || vma->vm_ops != &area_ops))
			forget(mm, context->area[i]);
	}
}

static bool is_free(struct mm_struct *mm, unsigned long start)
{
	unsigned long end = start + LO_PATCH_AREA;
	unsigned long stack = clamp(rlimit(RLIMIT_STACK), STACK_GAP, STACK_MAX);

	if (start < LO_USER_MIN || start >= LO_USER_END - LO_PATCH_AREA)
		return false;
	if (lo_overlap(start, LO_PATCH_AREA, LO_IMAGE, LO_IMAGE_END - LO_IMAGE))
		return false;
	if (end > mm->start_stack - stack && start < mm->start_stack)
		return false;
	/* The heap grows into what is behind it. */
	if (start >= mm->start_brk && start - mm->start_brk < LO_USER_END / 8 &&
	    !(mm->start_brk < LO_IMAGE && start >= LO_IMAGE_END))
		return false;
	return !find_vma_intersection(mm, start - PAGE_SIZE, end + PAGE_SIZE);
}

static unsigned long choose(struct mm_struct *mm, unsigned long code)
{
	/* Their highest bytes trap: the numbers of patch_is_trap(), below first. */
	static const s64 distances[] = {
		-0x34000000, -0x32000000, -0x2a000000, 0x06000000, 0x0e000000, 0x16000000,
		0x1e000000,  0x27000000,  0x2f000000,  0x37000000, 0x3f000000, 0x60000000,
	};
	unsigned long start;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(distances); i++)
		if (is_free(mm, code + distances[i]))
			return code + distances[i];
	for (start = LO_IMAGE_END; start < LO_IMAGE_END + 4 * LO_PATCH_AREA; start += LO_PATCH_AREA)
		if (code < LO_IMAGE && is_free(mm, start + PAGE_SIZE))
			return start + PAGE_SIZE;
	return 0;
}

/* Index of a new area, or -1. */
static int make(struct mm_struct *mm, unsigned long code)
{
	static struct page *none[1];
	static const struct vm_special_mapping mapping = { .name = "[libos]", .pages = none };
	struct lo_patch_context *context = &mm->context.patch;
	unsigned long start = choose(mm, code);
	struct vm_area_struct *vma;
	int i = 0;

	while (i < LO_PATCH_AREAS && context->area[i])
		i++;
	if (i == LO_PATCH_AREAS || !start)
		return -1;
	vma = _install_special_mapping(mm, start, LO_PATCH_AREA,
				       VM_READ | VM_EXEC | VM_MAYREAD | VM_MAYEXEC | VM_DONTEXPAND |
					       VM_DONTDUMP,
				       &mapping);
	if (IS_ERR(vma))
		return -1;
	vma->vm_ops = &area_ops;
	/* A limit of address space is the program's. */
	mm->total_vm -= vma_pages(vma);
	mm->exec_vm -= vma_pages(vma);
	context->area[i] = start;
	return i;
}

static const struct lo_site *in_the_way(const struct lo_patches *patches, unsigned long at,
					unsigned long size)
{
	const struct lo_site *site;

	lo_for_each_site(site, patches) if (lo_overlap(site->tramp, site->plan.tramp_len, at,
						       size)) return site;
	return NULL;
}

/* The first place from `from` on, within one page. */
static unsigned long find_room(const struct lo_patches *patches, const struct patch_plan *plan,
			       unsigned long from, unsigned long end)
{
	const struct lo_site *other;
	u64 at;

	while (patch_place(plan, from, end, &at)) {
		if (offset_in_page(at) + plan->tramp_len > PAGE_SIZE) {
			from = PAGE_ALIGN(at);
			continue;
		}
		other = in_the_way(patches, at, plan->tramp_len);
		if (!other)
			return at;
		from = other->tramp + other->plan.tramp_len;
	}
	return 0;
}

static bool is_in_reach(const struct patch_plan *plan, unsigned long area)
{
	return area && area + LO_PATCH_AREA > plan->tramp_min && area <= plan->tramp_max;
}

static unsigned long place_in(struct mm_struct *mm, const struct patch_plan *plan, int i)
{
	struct lo_patches *patches = lo_patches(mm);
	unsigned long start = mm->context.patch.area[i], at = 0;

	if (!plan->traps && patches->next[i])
		at = find_room(patches, plan, patches->next[i], start + LO_PATCH_AREA);
	if (!at)
		at = find_room(patches, plan, start, start + LO_PATCH_AREA);
	if (!plan->traps && at)
		patches->next[i] = at + plan->tramp_len;
	return at;
}

unsigned long lo_area_place(struct mm_struct *mm, const struct patch_plan *plan, unsigned long code)
{
	bool reachable = false;
	unsigned long at;
	int i;

	for (i = 0; i < LO_PATCH_AREAS; i++) {
		if (!is_in_reach(plan, mm->context.patch.area[i]))
			continue;
		reachable = true;
		at = place_in(mm, plan, i);
		if (at)
			return at;
	}
	i = reachable ? -1 : make(mm, code);
	return i < 0 ? 0 : place_in(mm, plan, i);
}
