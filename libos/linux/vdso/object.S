/* SPDX-License-Identifier: GPL-2.0-only */
/* object.S - the vDSO in the kernel's image, from where it is copied into RAM. */
	.section .init.rodata, "a"
	.globl lo_vdso_start, lo_vdso_end
	.balign 16
lo_vdso_start:
	.incbin "arch/lo/vdso/vdso.so"
lo_vdso_end:

	.section .note.GNU-stack, "", @progbits
