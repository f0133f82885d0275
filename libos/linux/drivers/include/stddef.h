/* SPDX-License-Identifier: GPL-2.0-only */
/* stddef.h - for files of lib/ */
#include <linux/stddef.h>
