/* SPDX-License-Identifier: MIT */
/*
 * kguest.h - the structures of a guest kernel that runs, read by its own description of them.
 *
 * Theory of operation
 *
 * The guest is not stopped, and may be hostile: a structure is copied as a
 * whole, once, and the copy is used. Lists are followed at most as far as a
 * limit here says; one that changes meanwhile, leads nowhere, or back into itself, ends with
 * -EPROTO after what was found before. kguest_walk() begins again then.
 *
 * No I/O of its own, no allocation.
 */
#ifndef KERNEL_KGUEST_H
#define KERNEL_KGUEST_H

#include "gview.h"
#include "kfields.h"

struct kguest {
	const struct gview *view;
	const struct kfields *fields;
	gva_t init_task, prb, modules; /* of kallsyms; 0 if it has none */
};

/* A list that is followed. Starts zeroed. */
struct klist {
	uint64_t mark; /* where it was at the last power of two */
	uint32_t n;    /* elements so far */
};

/* A list of a guest that is busy may lead astray several times in a row; one that does so each time is damaged, or a trap. */
#define KGUEST_WALKS 4

/*
 * kguest_walk() - Have @walk follow a list from its first element, and again if it broke off, KGUEST_WALKS times at most.
 *
 * @walk forgets what it found the time before, and returns what its last ktask_next() or kmod_next() did. Return: as the last walk.
 */
int kguest_walk(int (*walk)(void *arg), void *arg) _must_check_;

/* --- tasks --- */

#define KTASKS_MAX    65536
#define KTASK_COMM    16
#define KTASK_CMDLINE 256

struct ktask {
	int32_t pid, ppid;
	uint32_t uid, threads;
	char state; /* as in ps(1) */
	bool kernel;
	uint64_t start_ns; /* since the guest's start; 0 if not known */
	char comm[KTASK_COMM + 1];
	char cmdline[KTASK_CMDLINE]; /* with blanks; "" if it can't be read */
};

/* Starts zeroed. */
struct ktask_iter {
	uint64_t next;
	struct klist list;
};

/* Processes, in the kernel's order, without the idle task. Return: 1 one; 0 the end; -ENOENT, -EPROTO. */
int ktask_next(const struct kguest *g, struct ktask_iter *i, struct ktask *ret) _must_check_;

/* --- kernel log --- */

#define KLOG_RECORDS_MAX (1U << 20)
#define KLOG_TEXT_MAX    1024

struct klog_record {
	uint64_t seq, time_ns;
	unsigned int facility, level;
	size_t len;
	char text[KLOG_TEXT_MAX]; /* as the guest wrote it: anything; longer ones are cut */
};

struct klog_iter {
	bool started;
	uint64_t id, head, infos, descs, data;
	unsigned int count_bits, size_bits;
	uint32_t n;
	uint64_t bytes; /* of text, so far */
};

/* Records of the ring buffer of Linux 5.10 and later, oldest first. Return: as ktask_next(). */
int klog_next(const struct kguest *g, struct klog_iter *i, struct klog_record *ret) _must_check_;

/* --- modules --- */

#define KMODS_MAX       4096
#define KMOD_NAME       56
#define KMOD_USERS_MAX  512
#define KMOD_USERS_ALL  65536 /* of all modules together */
#define KMOD_USERS_TEXT 512

struct kmod {
	char name[KMOD_NAME + 1];
	uint64_t size;
	int32_t refs;                /* -1: it can't be unloaded */
	uint32_t state;              /* 0 live, 1 coming, 2 going, 3 unformed */
	char users[KMOD_USERS_TEXT]; /* names with commas; the last may be cut */
};

struct kmod_iter {
	uint64_t next;
	struct klist list;
	uint32_t users; /* that were looked at, of all */
};

int kmod_next(const struct kguest *g, struct kmod_iter *i, struct kmod *ret) _must_check_;

/* --- what these share --- */

/* An unsigned number of field @id in the copy @buf of @size bytes of its structure; 0 if it isn't there. */
uint64_t kguest_number(const struct kguest *g, enum kfield_id id, const uint8_t *buf, size_t size);
bool kguest_has(const struct kguest *g, enum kfield_id id);
/* Field @id of the structure at @at. */
int kguest_field(const struct kguest *g, gva_t at, enum kfield_id id, uint64_t *ret) _must_check_;
/*
 * klist_next() - Is there still something to be found at @at, the next element?
 *
 * Not behind @max of them, and not if the list has been there before: that is noticed after three times the elements that it has, at
 * most (R. P. Brent, An improved Monte Carlo factorization algorithm, 1980, section 2).
 */
bool klist_next(struct klist *l, uint64_t at, uint32_t max);
/* A string of at most @max bytes in a copy, printable characters only, NUL-terminated at @ret[@max]. */
void kguest_text(const uint8_t *p, size_t max, char *ret);

#endif
