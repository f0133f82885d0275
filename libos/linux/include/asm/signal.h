/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LO_ASM_SIGNAL_H
#define LO_ASM_SIGNAL_H

#define _NSIG       64
#define _NSIG_BPW   64
#define _NSIG_WORDS 1

typedef unsigned long old_sigset_t;
typedef struct {
	unsigned long sig[_NSIG_WORDS];
} sigset_t;

#include <uapi/asm/signal.h>
#define __ARCH_HAS_SA_RESTORER

#endif
