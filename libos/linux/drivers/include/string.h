/* SPDX-License-Identifier: GPL-2.0-only */
/* string.h - for files of lib/ */
#include <linux/string.h>
