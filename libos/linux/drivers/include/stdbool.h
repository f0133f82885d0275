/* SPDX-License-Identifier: GPL-2.0-only */
/* stdbool.h - for files of lib/ */
#include <linux/types.h>
