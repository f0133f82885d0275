/* SPDX-License-Identifier: MIT */
	.section .rodata
	.balign 4096
	.globl stage2_image, stage2_image_size
	.hidden stage2_image, stage2_image_size
stage2_image:
	.incbin STAGE2
end:
	.balign 8
stage2_image_size:
	.quad end - stage2_image
	.section .note.GNU-stack, "", @progbits
