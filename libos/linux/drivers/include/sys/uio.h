/* SPDX-License-Identifier: GPL-2.0-only */
/* uio.h - for files of lib/ */
#include <linux/uio.h>
