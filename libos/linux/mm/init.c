// SPDX-License-Identifier: GPL-2.0-only
/* init.c - kernel page tables, protections, and what each new program's address space holds. */
#include <asm/lo.h>
#include <asm/map.h>
#include <asm/vdso.h>
#include <linux/binfmts.h>
#include <linux/init.h>
#include <linux/memblock.h>
#include <linux/mm.h>

#include "pagewalk.h"

pgd_t swapper_pg_dir[PTRS_PER_PGD] __aligned(PAGE_SIZE);
void *empty_zero_page;

/* Private pages start read-only, for they are copied on the first write. */
static const pgprot_t protection_map[16] = {
	[VM_NONE] = PAGE_NONE,
	[VM_READ] = PAGE_READONLY,
	[VM_WRITE] = PAGE_COPY,
	[VM_WRITE | VM_READ] = PAGE_COPY,
	[VM_EXEC] = PAGE_READONLY_EXEC,
	[VM_EXEC | VM_READ] = PAGE_READONLY_EXEC,
	[VM_EXEC | VM_WRITE] = PAGE_READONLY_EXEC,
	[VM_EXEC | VM_WRITE | VM_READ] = PAGE_READONLY_EXEC,
	[VM_SHARED] = PAGE_NONE,
	[VM_SHARED | VM_READ] = PAGE_READONLY,
	[VM_SHARED | VM_WRITE] = PAGE_SHARED,
	[VM_SHARED | VM_WRITE | VM_READ] = PAGE_SHARED,
	[VM_SHARED | VM_EXEC] = PAGE_READONLY_EXEC,
	[VM_SHARED | VM_EXEC | VM_READ] = PAGE_READONLY_EXEC,
	[VM_SHARED | VM_EXEC | VM_WRITE] = PAGE_SHARED_EXEC,
	[VM_SHARED | VM_EXEC | VM_WRITE | VM_READ] = PAGE_SHARED_EXEC,
};
DECLARE_VM_GET_PAGE_PROT

void __init mem_init(void)
{
	memblock_free_all();
}

/* The host has the image; its initial part is small, and not worth an unmapping in each process. */
void free_initmem(void)
{
}

bool lo_kernel_addr_ok(const void *addr)
{
	unsigned long a = (unsigned long)addr;
	pte_t *pte;

	if (virt_addr_valid(a) || (a >= (unsigned long)_text && a < (unsigned long)_end))
		return true;
	if (a < VMALLOC_START || a >= VMALLOC_END)
		return false;
	pte = lo_find_pte(swapper_pg_dir, a);
	return pte && pte_present(*pte);
}

/*
 * The vDSO; and something that keeps the program from mapping anything over the kernel's image,
 * which lies among its addresses.
 */
int arch_setup_additional_pages(struct linux_binprm *bprm, int uses_interp)
{
	static struct page *none[1];
	static const struct vm_special_mapping image = { .name = "[libos]", .pages = none };
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	int r;

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	vma = _install_special_mapping(mm, LO_IMAGE, LO_IMAGE_END - LO_IMAGE,
				       VM_DONTEXPAND | VM_DONTDUMP | VM_SPECIAL, &image);
	r = IS_ERR(vma) ? PTR_ERR(vma) : lo_vdso_map(mm);
	mmap_write_unlock(mm);
	return r;
}
