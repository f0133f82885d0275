// SPDX-License-Identifier: GPL-2.0-only
/* patch.c - system call sites that have trapped some times call the kernel directly. */
/*
 * Theory of operation
 *
 * lo_patch() rewrites "mov $nr, %eax; syscall", 7 bytes, as "jmp *slot", 7 bytes too. The slot and
 * the code it leads to, a stub, stand in a mapping of the program at LO_STUBS that lo_map_stubs()
 * makes with the program; so a fork inherits them and an exec drops them, by Linux's own rules:
 *
 *	slot:	.quad stub
 *	stub:	mov $nr, %eax; movabs $site + 7, %rcx; jmp lo_call_entry
 *
 * What makes it safe:
 * - Nothing is pushed, so the red zone below the program's stack stays.
 * - LO_STUBS is chosen so that each slot's address has 0xcc in its third byte. That byte stands
 *   where the system call instruction stood: whoever jumps there, or was stopped there before
 *   the patch, hits a breakpoint, and lo_patch_entered() makes a system call of it again.
 * - A page that is mapped writable is left alone: someone may generate code in it.
 * - rt_sigreturn is left alone, for unwinders know it by its bytes.
 * - The page is written as a debugger would, so it is a copy of this process.
 * - Seven bytes aren't written at once: with several vCPUs the others must be stopped meanwhile.
 */
#include <asm/lo.h>
#include <asm/map.h>
#include <asm/trap.h>
#include <asm/unistd.h>
#include <linux/hash.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

struct stub {
	u64 code; /* the slot: where the rest of this is */
	u8 mov_eax;
	u32 nr;
	u8 mov_rcx[2];
	u64 next;
	u8 jmp;
	s32 entry;
	u8 pad[4];
} __packed;

#define STUBS ((LO_STUBS_END - LO_STUBS) / sizeof(struct stub))

#define SEEN         1024
#define TRAPS_BEFORE 4

static const u8 jmp_slot[3] = { 0xff, 0x24, 0x25 };
static bool patching = true;
static DEFINE_MUTEX(patch_lock);

static int __init patch_off(char *arg)
{
	patching = false;
	return 0;
}
early_param("nopatch", patch_off);

void lo_map_stubs(void)
{
	BUILD_BUG_ON(sizeof(struct stub) != 32);
	BUILD_BUG_ON(((LO_STUBS >> 16) & 0xff) != 0xcc || LO_STUBS_END - LO_STUBS > 0x10000);
	/* A program that has that place itself, or no room, runs without. */
	if (!patching || vm_mmap(NULL, LO_STUBS, LO_STUBS_END - LO_STUBS, PROT_READ | PROT_EXEC,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, 0) != LO_STUBS)
		current->mm->context.stubs = STUBS;
}

static bool write_code(unsigned long addr, const void *bytes, int size)
{
	return access_process_vm(current, addr, (void *)bytes, size, FOLL_FORCE | FOLL_WRITE) ==
	       size;
}

/* Code that the program does not write itself. */
static bool is_constant_code(unsigned long addr, unsigned long size)
{
	struct vm_area_struct *vma;
	bool ok;

	mmap_read_lock(current->mm);
	vma = vma_lookup(current->mm, addr);
	ok = vma && addr + size <= vma->vm_end && (vma->vm_flags & VM_EXEC) &&
	     !(vma->vm_flags & VM_WRITE);
	mmap_read_unlock(current->mm);
	return ok;
}

static bool make_stub(unsigned long at, unsigned long site, unsigned long nr)
{
	unsigned long code = at + offsetof(struct stub, mov_eax);
	const struct stub stub = {
		.code = code,
		.mov_eax = 0xb8,
		.nr = nr,
		.mov_rcx = { 0x48, 0xb9 },
		.next = site + LO_PATCH_SIZE,
		.jmp = 0xe9,
		.entry = (unsigned long)lo_call_entry - (at + offsetof(struct stub, pad)),
	};

	return write_code(at, &stub, sizeof(stub));
}

/* Frames are known by the bytes of the first; the others end what would use the patch again. */
static bool is_left_alone(unsigned long nr)
{
	return nr == __NR_rt_sigreturn || nr == __NR_exit || nr == __NR_exit_group ||
	       nr == __NR_execve;
}

/*
 * Patching costs as much as some traps: two copies of pages, a flush, faults. A program that comes
 * and goes uses most sites once or twice. Counts are kept by site and mm, as long as no other takes
 * the place.
 */
static bool is_worth_it(unsigned long site)
{
	static struct {
		const struct mm_struct *mm;
		unsigned long site;
		unsigned int count;
	} seen[SEEN], *entry;

	entry = &seen[hash_long(site ^ (unsigned long)current->mm, ilog2(SEEN))];
	if (entry->mm != current->mm || entry->site != site) {
		entry->mm = current->mm;
		entry->site = site;
		entry->count = 0;
	}
	return ++entry->count >= TRAPS_BEFORE;
}

static void patch_site(unsigned long site, unsigned long nr)
{
	unsigned int *used = &current->mm->context.stubs;
	unsigned long at = LO_STUBS + *used * sizeof(struct stub);
	u8 bytes[LO_PATCH_SIZE];

	if (*used >= STUBS || !make_stub(at, site, nr))
		return;
	memcpy(bytes, jmp_slot, sizeof(jmp_slot));
	*(u32 *)(bytes + sizeof(jmp_slot)) = at;
	if (!write_code(site, bytes, sizeof(bytes)))
		return;
	++*used;
	lo_stats.patched++;
}

void lo_patch(struct pt_regs *regs, unsigned long nr)
{
	unsigned long site = regs->ip - LO_PATCH_SIZE;
	u8 bytes[LO_PATCH_SIZE];

	if (!patching || nr >= NR_syscalls || is_left_alone(nr) ||
	    copy_from_user(bytes, (void __user *)site, sizeof(bytes)) || bytes[0] != 0xb8 ||
	    *(u32 *)(bytes + 1) != nr || bytes[5] != 0x0f || bytes[6] != 0x05)
		return;
	if (!is_worth_it(site) || !is_constant_code(site, sizeof(bytes)))
		return;
	mutex_lock(&patch_lock);
	patch_site(site, nr);
	mutex_unlock(&patch_lock);
}

bool lo_patch_entered(struct pt_regs *regs)
{
	unsigned long site = regs->ip - (LO_PATCH_SIZE - 1);
	u8 bytes[LO_PATCH_SIZE];
	u32 slot;

	if (copy_from_user(bytes, (void __user *)site, sizeof(bytes)))
		return false;
	slot = *(u32 *)(bytes + sizeof(jmp_slot));
	if (memcmp(bytes, jmp_slot, sizeof(jmp_slot)) || slot < LO_STUBS || slot >= LO_STUBS_END)
		return false;
	regs->ip++;
	return true;
}
