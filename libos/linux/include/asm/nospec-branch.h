/* SPDX-License-Identifier: GPL-2.0-only */
/* nospec-branch.h - indirect branches are plain: program and kernel are in one address space, and of one privilege */
#ifndef LO_ASM_NOSPEC_BRANCH_H
#define LO_ASM_NOSPEC_BRANCH_H

#ifdef __ASSEMBLY__
/* clang-format off */
.macro JMP_NOSPEC reg
	jmp	*%\reg
.endm

.macro CALL_NOSPEC reg
	call	*%\reg
.endm
/* clang-format on */
#endif

#endif
