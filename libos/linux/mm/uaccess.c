// SPDX-License-Identifier: GPL-2.0-only
/* uaccess.c - the kernel's way to a program's memory. */
/*
 * Theory of operation
 *
 * Page by page: the program's page table is walked, and the page is used at its place in the
 * direct map. So there are no faults to be fixed up, no signal of the host, and it does not matter
 * what is installed. A page that isn't there with the right is faulted in first, unless page
 * faults are off.
 *
 * The pages that were reached last are kept, as a processor's TLB keeps them: until Linux flushes
 * them, or another mm is reached.
 */
#include <asm/lo.h>
#include <linux/atomic.h>
#include <linux/export.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <asm/futex.h> /* after those that it forgets to include */

#include "pagewalk.h"

#define ATTEMPTS 3

void lo_reached_drop(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct lo_reached *reached = &lo_vcpu()->reached;
	unsigned int i = (start >> PAGE_SHIFT) % LO_REACHED;

	if (reached->mm != mm)
		return;
	if (end - start > PAGE_SIZE)
		reached->mm = LO_NOBODY;
	else
		reached->entry[i].page[false] = reached->entry[i].page[true] = -1UL;
}

static void *keep(struct mm_struct *mm, unsigned long addr, bool write, void *va)
{
	struct lo_reached *reached = &lo_vcpu()->reached;
	unsigned long page = addr & PAGE_MASK;
	unsigned int i = (addr >> PAGE_SHIFT) % LO_REACHED;

	if (reached->mm != mm) {
		memset(reached->entry, -1, sizeof(reached->entry));
		reached->mm = mm;
	}
	if (reached->entry[i].page[!write] != page)
		reached->entry[i].page[!write] = -1UL;
	reached->entry[i].page[write] = page;
	reached->entry[i].va = va - (addr & ~PAGE_MASK);
	return va;
}

static noinline void *walk(unsigned long addr, bool write)
{
	struct mm_struct *mm = current->mm;
	int want = write ? LO_WRITE : LO_READ, attempt;

	if (unlikely(!mm))
		return NULL;
	for (attempt = 0; attempt < ATTEMPTS; attempt++) {
		struct lo_leaf leaf;

		if (likely(lo_walk(mm->pgd, addr, want, &leaf)))
			return keep(mm, addr, write, lo_leaf_va(&leaf, addr));
		if (faulthandler_disabled())
			return NULL;
		lo_stats.kernel_faults++;
		if (lo_handle_fault(mm, addr, write ? FAULT_FLAG_WRITE : 0))
			return NULL;
	}
	return NULL;
}

/* The kernel's address of the program's byte `addr`, valid to the end of its page; NULL: none. */
static __always_inline void *find(unsigned long addr, bool write)
{
	const struct lo_reached *reached = &lo_vcpu()->reached;
	unsigned int i = (addr >> PAGE_SHIFT) % LO_REACHED;

	if (likely(reached->mm == current->mm &&
		   reached->entry[i].page[write] == (addr & PAGE_MASK)))
		return reached->entry[i].va + (addr & ~PAGE_MASK);
	return walk(addr, write);
}

static unsigned long rest_of_page(unsigned long addr, unsigned long size)
{
	return min(size, PAGE_SIZE - (addr & ~PAGE_MASK));
}

static __always_inline void copy(void *to, const void *from, unsigned long size)
{
	if (size == sizeof(u64))
		*(u64 *)to = *(const u64 *)from;
	else if (size == sizeof(u32))
		*(u32 *)to = *(const u32 *)from;
	else
		memcpy(to, from, size);
}

unsigned long raw_copy_from_user(void *to, const void __user *from, unsigned long size)
{
	unsigned long addr = (unsigned long)from;

	while (size) {
		unsigned long n = rest_of_page(addr, size);
		const void *page = find(addr, false);

		if (!page)
			break;
		copy(to, page, n);
		to += n;
		addr += n;
		size -= n;
	}
	return size;
}
EXPORT_SYMBOL(raw_copy_from_user);

unsigned long raw_copy_to_user(void __user *to, const void *from, unsigned long size)
{
	unsigned long addr = (unsigned long)to;

	while (size) {
		unsigned long n = rest_of_page(addr, size);
		void *page = find(addr, true);

		if (!page)
			break;
		copy(page, from, n);
		addr += n;
		from += n;
		size -= n;
	}
	return size;
}
EXPORT_SYMBOL(raw_copy_to_user);

unsigned long __clear_user(void __user *to, unsigned long size)
{
	unsigned long addr = (unsigned long)to;

	while (size) {
		unsigned long n = rest_of_page(addr, size);
		void *page = find(addr, true);

		if (!page)
			break;
		memset(page, 0, n);
		addr += n;
		size -= n;
	}
	return size;
}
EXPORT_SYMBOL(__clear_user);

long strncpy_from_user(char *to, const char __user *from, long size)
{
	unsigned long addr = (unsigned long)from;
	long done = 0;

	if (size <= 0)
		return 0;
	if (addr >= TASK_SIZE)
		return -EFAULT;
	while (done < size) {
		unsigned long n =
			rest_of_page(addr, min_t(unsigned long, size - done, TASK_SIZE - addr));
		const char *page = n ? find(addr, false) : NULL;
		unsigned long length;

		if (!page)
			return -EFAULT;
		length = strnlen(page, n);
		memcpy(to + done, page, length < n ? length + 1 : n);
		done += length;
		if (length < n)
			return done;
		addr += n;
	}
	return done;
}
EXPORT_SYMBOL(strncpy_from_user);

/* With the terminator; more than `size`: there is none within; 0: not accessible. */
long strnlen_user(const char __user *str, long size)
{
	unsigned long addr = (unsigned long)str;
	long done = 0;

	if (size <= 0 || addr >= TASK_SIZE)
		return 0;
	while (done < size) {
		unsigned long n =
			rest_of_page(addr, min_t(unsigned long, size - done, TASK_SIZE - addr));
		const char *page = n ? find(addr, false) : NULL;
		unsigned long length;

		if (!page)
			return 0;
		length = strnlen(page, n);
		done += length;
		if (length < n)
			return done + 1;
		addr += n;
	}
	return size + 1;
}
EXPORT_SYMBOL(strnlen_user);

void *lo_user_word(const void __user *addr, bool write)
{
	return access_ok(addr, sizeof(u32)) ? find((unsigned long)addr, write) : NULL;
}

/* Locked, for other vCPUs' programs may use the word at the same time. */
int arch_futex_atomic_op_inuser(int op, int arg, int *ret_old, u32 __user *addr)
{
	int *word = lo_user_word(addr, true);

	if (!word)
		return -EFAULT;
	switch (op) {
	case FUTEX_OP_SET:
		*ret_old = __atomic_exchange_n(word, arg, __ATOMIC_SEQ_CST);
		return 0;
	case FUTEX_OP_ADD:
		*ret_old = __atomic_fetch_add(word, arg, __ATOMIC_SEQ_CST);
		return 0;
	case FUTEX_OP_OR:
		*ret_old = __atomic_fetch_or(word, arg, __ATOMIC_SEQ_CST);
		return 0;
	case FUTEX_OP_ANDN:
		*ret_old = __atomic_fetch_and(word, ~arg, __ATOMIC_SEQ_CST);
		return 0;
	case FUTEX_OP_XOR:
		*ret_old = __atomic_fetch_xor(word, arg, __ATOMIC_SEQ_CST);
		return 0;
	}
	return -ENOSYS;
}

int futex_atomic_cmpxchg_inatomic(u32 *ret_old, u32 __user *addr, u32 old, u32 new)
{
	u32 *word = lo_user_word(addr, true);

	if (!word)
		return -EFAULT;
	__atomic_compare_exchange_n(word, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	*ret_old = old;
	return 0;
}
