/* SPDX-License-Identifier: GPL-2.0-only */
/* errno.h - for files of lib/ */
#include <linux/errno.h>
