/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LO_ASM_ELF_H
#define LO_ASM_ELF_H

#include <asm/auxvec.h>
#include <asm/ptrace.h>

typedef unsigned long elf_greg_t;
#define ELF_NGREG 27
typedef elf_greg_t elf_gregset_t[ELF_NGREG];
typedef struct {
	unsigned long word[64];
} elf_fpregset_t;

#define ELF_CLASS         ELFCLASS64
#define ELF_DATA          ELFDATA2LSB
#define ELF_ARCH          EM_X86_64
#define elf_check_arch(x) ((x)->e_machine == EM_X86_64)
#define ELF_EXEC_PAGESIZE PAGE_SIZE
#define ELF_ET_DYN_BASE   (TASK_SIZE / 3 * 2)
#define ELF_PLATFORM      "x86_64"
#define CORE_DUMP_USE_REGSET

/* CPUID 1, EDX; and that FS and GS can be set by instructions. */
extern unsigned long lo_hwcap;
#define ELF_HWCAP  lo_hwcap
#define ELF_HWCAP2 2

#define ARCH_DLINFO                                                      \
	do {                                                             \
		NEW_AUX_ENT(AT_MINSIGSTKSZ, LO_SIGNAL_FRAME_SIZE);       \
		NEW_AUX_ENT(AT_SYSINFO_EHDR, current->mm->context.vdso); \
	} while (0)
/* A signal frame with its alignment, the red zone and the vector state. */
#define LO_SIGNAL_FRAME_SIZE 3632

#define ARCH_HAS_SETUP_ADDITIONAL_PAGES 1
struct linux_binprm;
int arch_setup_additional_pages(struct linux_binprm *bprm, int uses_interp);

#endif
