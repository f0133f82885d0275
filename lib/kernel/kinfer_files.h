/* SPDX-License-Identifier: MIT */
/*
 * kinfer_files.h - where open files and their operations have their members, proved as in kinfer.h.
 *
 * Theory of operation
 *
 * Operations that every kernel has are structures of nothing but pointers to functions, among its constants: those of
 * devices of characters, of pipes and of /dev/null, whose functions are known by their symbols, tell where which function
 * is. Open files of the first processes lead to such structures; so does nothing else that a file has.
 *
 * A task's file system context has two paths, each a mount and a directory; the root of that mount is that directory.
 *
 * No I/O of its own, no allocation.
 */
#ifndef KERNEL_KINFER_FILES_H
#define KERNEL_KINFER_FILES_H

#include "kinfer.h"

struct kinfer_files {
	uint32_t fs;                                       /* of a task */
	uint32_t llseek, read, write, poll, open, release; /* of struct file_operations */
	uint32_t op, flags;                                /* of struct file */
};

/* @k is what kinfer_tasks() left. Return: 0; -ENOENT, and @e says of which it can't be told. */
int kinfer_files(const struct kinfer *k, const struct ksyms *s, struct kinfer_files *ret,
		 struct err *e) _must_check_;

#endif
