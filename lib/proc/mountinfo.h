/* SPDX-License-Identifier: MIT */
/*
 * mountinfo.h - /proc/PID/mountinfo (proc(5), Linux 2.6.26), a line at a time.
 *
 * Theory of operation
 *
 * The kernel escapes blank, tab, newline and backslash as three octal digits,
 * so a line is a mount whatever a container named its directories. Paths come
 * back unescaped, in storage of the entry; the rest are spans into the text.
 */
#ifndef PROC_MOUNTINFO_H
#define PROC_MOUNTINFO_H

#include <limits.h>
#include <stdint.h>

#include "cursor.h"

#define MOUNTINFO_SIZE_MAX (64U << 20) /* fs.mount-max is 100,000 mounts */

struct mount_entry {
	uint64_t id, parent;
	char root[PATH_MAX];  /* of the mount, within its file system */
	char point[PATH_MAX]; /* relative to the reader's root */
	struct span opts, fstype, source, super_opts;
};

/* Return: 1 an entry; 0 the end; -EPROTO a line that is none (the next call goes on after it). */
int mountinfo_next(struct cursor *c, struct mount_entry *ret) _must_check_;

/* Is @word one of the comma-separated @opts? */
bool mount_has_opt(struct span opts, const char *word);

/*
 * path_below() - The part of @path below directory @dir, without leading slash: "" for @dir itself.
 *
 * Return: a pointer into @path, or NULL if it is not below. Both must be normalised, absolute.
 */
const char *path_below(const char *path, const char *dir);

#endif
