/* SPDX-License-Identifier: MIT */
/*
 * kfields.h - where the members are that we read of a guest kernel's structures, as its own BTF says.
 *
 * No I/O, no allocation.
 */
#ifndef KERNEL_KFIELDS_H
#define KERNEL_KFIELDS_H

#include <stdbool.h>

#include "btf.h"
#include "err.h"

enum kfield_id {
	TASK_SIZE, /* of the structure itself, as all _SIZE */
	TASK_TASKS,
	TASK_PID,
	TASK_TGID,
	TASK_COMM,
	TASK_STATE,
	TASK_EXIT_STATE,
	TASK_FLAGS,
	TASK_REAL_PARENT,
	TASK_CRED,
	TASK_MM,
	TASK_SIGNAL,
	TASK_START,
	SIGNAL_NR_THREADS,
	CRED_UID,
	MM_PGD,
	MM_ARG_START,
	MM_ARG_END,
	RB_DESC_COUNT_BITS,
	RB_DESCS,
	RB_INFOS,
	RB_HEAD_ID,
	RB_TAIL_ID,
	RB_TEXT_SIZE_BITS,
	RB_TEXT_DATA,
	DESC_SIZE,
	DESC_STATE,
	DESC_BEGIN,
	DESC_NEXT,
	INFO_SIZE,
	INFO_SEQ,
	INFO_TIME,
	INFO_TEXT_LEN,
	INFO_FACILITY,
	INFO_LEVEL,
	MODULE_LIST,
	MODULE_NAME,
	MODULE_STATE,
	MODULE_REFCNT,
	MODULE_USERS,
	MODULE_CORE_SIZE, /* to 6.3 */
	MODULE_INIT_SIZE,
	MODULE_MEM, /* since 6.4: an array */
	MODMEM_SIZE,
	MODMEM_BYTES,
	USE_SOURCE_LIST,
	USE_SOURCE,
	KFIELDS
};

struct kfield {
	bool there;
	uint8_t bit, bits; /* of a bit field within its bytes; bits 0 for none */
	uint32_t off;      /* bytes */
	uint32_t size;     /* bytes; of a _SIZE field the structure's */
};

struct kfields {
	struct kfield f[KFIELDS];
};

/* Return: 0; -ENOENT or -EPROTO, and @e names the member that is missing and not optional. */
int kfields_fill(struct kfields *k, const struct btf *b, struct err *e) _must_check_;

#endif
