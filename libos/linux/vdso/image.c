// SPDX-License-Identifier: GPL-2.0-only
/* image.c - the vDSO and its data, in RAM and in programs. */
/*
 * Theory of operation
 *
 * RAM holds a page of data, which Linux's timekeeping code writes (update_vsyscall()), and behind
 * it the object. Each program has both as two special mappings in a row, read-only, as on x86; so
 * its clock is the kernel's own: the time stamp counter, scaled.
 */
#include <asm/vdso.h>
#include <linux/init.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <vdso/datapage.h>

#define PAGES_MAX 4

extern const char lo_vdso_start[], lo_vdso_end[];

struct vdso_data *lo_vdso_data;
static unsigned long code_size;
static struct page *data_pages[2], *code_pages[PAGES_MAX + 1];
static const struct vm_special_mapping data_mapping = { .name = "[vvar]", .pages = data_pages };
static const struct vm_special_mapping code_mapping = { .name = "[vdso]", .pages = code_pages };

void __init lo_vdso_init(void)
{
	void *at;

	code_size = PAGE_ALIGN(lo_vdso_end - lo_vdso_start);
	at = memblock_alloc(PAGE_SIZE + code_size, PAGE_SIZE);
	if (!at || code_size > PAGES_MAX * PAGE_SIZE)
		panic("no memory for the vDSO");
	lo_vdso_data = at;
	memcpy(at + PAGE_SIZE, lo_vdso_start, lo_vdso_end - lo_vdso_start);
}

static int __init find_pages(void)
{
	unsigned long i;

	BUILD_BUG_ON(sizeof(struct vdso_data[CS_BASES]) > PAGE_SIZE);
	data_pages[0] = virt_to_page(lo_vdso_data);
	for (i = 0; i < code_size / PAGE_SIZE; i++)
		code_pages[i] = virt_to_page((void *)lo_vdso_data + (i + 1) * PAGE_SIZE);
	return 0;
}
early_initcall(find_pages);

int lo_vdso_map(struct mm_struct *mm)
{
	unsigned long addr = get_unmapped_area(NULL, 0, PAGE_SIZE + code_size, 0, 0);
	struct vm_area_struct *vma;

	if (IS_ERR_VALUE(addr))
		return addr;
	vma = _install_special_mapping(mm, addr, PAGE_SIZE, VM_READ | VM_MAYREAD | VM_DONTDUMP,
				       &data_mapping);
	if (IS_ERR(vma))
		return PTR_ERR(vma);
	/* A debugger may set breakpoints in a copy. */
	vma = _install_special_mapping(mm, addr + PAGE_SIZE, code_size,
				       VM_READ | VM_EXEC | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC,
				       &code_mapping);
	if (IS_ERR(vma))
		return PTR_ERR(vma);
	mm->context.vdso = addr + PAGE_SIZE;
	return 0;
}
