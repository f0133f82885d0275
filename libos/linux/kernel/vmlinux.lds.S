/* SPDX-License-Identifier: GPL-2.0-only */
/* vmlinux.lds.S - the kernel as a static program below 2 GiB. */
#define LOAD_OFFSET 0

#include <asm/cache.h>
#include <asm/page.h>
#include <asm/thread_info.h>
#include <asm-generic/vmlinux.lds.h>

OUTPUT_FORMAT("elf64-x86-64")
ENTRY(_start)
jiffies = jiffies_64;

SECTIONS
{
	. = LO_IMAGE;
	_text = .;
	.text : {
		_stext = .;
		HEAD_TEXT
		TEXT_TEXT
		SCHED_TEXT
#ifdef CPUIDLE_TEXT /* Linux 6.3 has it in NOINSTR_TEXT */
		CPUIDLE_TEXT
#endif
		LOCK_TEXT
		KPROBES_TEXT
		IRQENTRY_TEXT
		SOFTIRQENTRY_TEXT
		ENTRY_TEXT
		NOINSTR_TEXT
		*(.fixup)
		*(.text.__*)
		/* The host takes system calls from here alone. */
		__host_text_start = .;
		*(.host.text)
		__host_text_end = .;
		_etext = .;
	}
	INIT_TEXT_SECTION(PAGE_SIZE)
	. = ALIGN(PAGE_SIZE);

	/* From here on the image is shared by all host processes, see lo_share_image(). */
	__lo_shared_start = .;
	RO_DATA(PAGE_SIZE)
	EXCEPTION_TABLE(4)
	_sdata = .;
	RW_DATA(L1_CACHE_BYTES, PAGE_SIZE, THREAD_SIZE)
	_edata = .;

	. = ALIGN(PAGE_SIZE);
	__init_begin = .;
	INIT_DATA_SECTION(16)
	PERCPU_SECTION(L1_CACHE_BYTES)
	__init_end = .;

	BSS_SECTION(0, 0, PAGE_SIZE)
	_end = .;
	ASSERT(_end <= LO_HOSTCPU - LO_SIGNAL_STACK, "the image reaches into LO_HOSTCPU")

	STABS_DEBUG
	DWARF_DEBUG
	ELF_DETAILS
	DISCARDS
}
