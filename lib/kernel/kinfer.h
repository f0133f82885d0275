/* SPDX-License-Identifier: MIT */
/*
 * kinfer.h - where members are in a kernel that does not say: proved by what is in its memory.
 *
 * Theory of operation
 *
 * Where the members of struct task_struct are depends on the configuration of a kernel, so that no table could tell.
 * But what they mean tells: the idle task's name is known, so is that of all lists only that of tasks leads to
 * others with a name in the same place; the first two have the numbers 1 and 2; threads of the kernel, and only they, have
 * no memory of their own and a certain flag. Each place is one that holds for all of some dozens of tasks, and no other place
 * does; else it is not known, and nothing is said of it.
 *
 * Of the log, VMCOREINFO says where its members are (kernel/printk/printk.c, Linux 5.10).
 *
 * The guest runs, and may be hostile: tasks are copied once and the copies used; the number of reads is limited. A wrong
 * answer makes wrong lines of those who read; what goes into a guest (side_target_infer()) goes by it, too, and if the guest
 * arranged its memory so that something else holds, the harm is its own.
 *
 * No I/O of its own, no allocation.
 */
#ifndef KERNEL_KINFER_H
#define KERNEL_KINFER_H

#include "kfields.h"
#include "ksyms.h"

#define KINFER_TRIES       3 /* the guest runs: a task may have come or gone just then */
#define KINFER_TASKS       48
#define KINFER_BEHIND_COMM 512 /* where what a task shares with its threads is: files, signals */
#define KINFER_BYTES \
	8192 /* of a task: 3,500 bytes on, everything that is looked for has been seen */

/* The name is not so far behind that what follows were outside. */
#define KINFER_COMM_MOST (KINFER_BYTES - KINFER_BEHIND_COMM - 64)

/* Of the kernel's half of addresses; what is pointed at there is aligned. */
static inline bool kinfer_is_pointer(uint64_t v)
{
	return v >> 63 && v % 8 == 0;
}

struct kinfer_task {
	gva_t at;
	bool kernel;
	size_t size; /* of what could be read */
	uint8_t data[KINFER_BYTES];
};

/* Of the caller, 400 KB. */
struct kinfer {
	const struct gview *view;
	struct kinfer_task idle,
		task[KINFER_TASKS]; /* the first is that of processor 0; tasks in the order of their list */
	size_t n;
	uint32_t comm, tasks, pid, parent, mm;
};

/*
 * kinfer_tasks() - Fill the fields of tasks in @ret; what can be done without (names of threads, command lines) may be missing.
 *
 * @init_task is the task of the first processor. Return: 0; -ENOENT, and @e says of which member it can't be told where it is.
 */
int kinfer_tasks(struct kinfer *k, const struct gview *v, gva_t init_task, struct kfields *ret,
		 struct err *e) _must_check_;

/* Fill the fields of the log in @ret, by VMCOREINFO. Return: 0; -ENOENT. */
int kinfer_log(const struct ksyms *s, struct kfields *ret) _must_check_;

#endif
