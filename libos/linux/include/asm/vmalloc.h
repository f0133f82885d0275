/* SPDX-License-Identifier: GPL-2.0-only */
/* vmalloc.h - nothing special about it: pages of 4 KiB */
