/* SPDX-License-Identifier: GPL-2.0-only */
/* vdso.lds.S - one read-only segment; the page before it is the kernel's data. */
#include <asm/page.h>

OUTPUT_FORMAT("elf64-x86-64")
OUTPUT_ARCH(i386:x86-64)

SECTIONS
{
	_vdso_data = . - PAGE_SIZE;
	. = SIZEOF_HEADERS;
	.hash		: { *(.hash) }			:text
	.gnu.hash	: { *(.gnu.hash) }
	.dynsym		: { *(.dynsym) }
	.dynstr		: { *(.dynstr) }
	.gnu.version	: { *(.gnu.version) }
	.gnu.version_d	: { *(.gnu.version_d) }
	.gnu.version_r	: { *(.gnu.version_r) }
	.dynamic	: { *(.dynamic) }		:text :dynamic
	.note		: { *(.note.*) }		:text :note
	.eh_frame_hdr	: { *(.eh_frame_hdr) }		:text :eh_frame_hdr
	.eh_frame	: { KEEP(*(.eh_frame)) }	:text
	.rodata		: { *(.rodata*) }		:text
	.text		: ALIGN(16) { *(.text*) }	:text =0x90909090
	/* Nothing may need it: see vdso/Makefile. */
	.data		: { *(.data*) *(.bss*) *(.got*) } :text
	/DISCARD/	: { *(.note.gnu.property) *(.discard*) *(.comment) }
}

PHDRS
{
	text		PT_LOAD FLAGS(5) FILEHDR PHDRS;
	dynamic		PT_DYNAMIC FLAGS(4);
	note		PT_NOTE FLAGS(4);
	eh_frame_hdr	PT_GNU_EH_FRAME;
}

VERSION
{
	LINUX_2.6 {
	global:
		__vdso_clock_gettime;
		__vdso_clock_getres;
		__vdso_gettimeofday;
		__vdso_time;
		__vdso_getcpu;
	local: *;
	};
}
