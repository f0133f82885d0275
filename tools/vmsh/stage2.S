/* SPDX-License-Identifier: MIT */
	.section .rodata
	.balign 4096
	.globl stage2_image, stage2_image_end
	.hidden stage2_image, stage2_image_end
stage2_image:
	.incbin STAGE2
stage2_image_end:
	.section .note.GNU-stack, "", @progbits
