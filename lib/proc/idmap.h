/* SPDX-License-Identifier: MIT */
/*
 * idmap.h - user and group id maps of a user namespace.
 *
 * /proc/PID/uid_map shows the ids of PID's user namespace (inside) beside those
 * of the reader's (outside), so it has to be read before the reader enters.
 * Linux allows 340 lines; ranges do not overlap, which is checked.
 */
#ifndef PROC_IDMAP_H
#define PROC_IDMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pidfd.h"

#define PROC_IDMAP_MAX 340 /* UID_GID_MAP_MAX_EXTENTS of Linux */

struct proc_idrange {
	uint32_t inside, outside, count;
};

struct proc_idmap {
	struct proc_idrange v[PROC_IDMAP_MAX];
	size_t n;
};

/* Return: 0, also for an empty map; -EPROTO for damaged, overlapping or overflowing lines. */
int proc_idmap_parse(const char *text, size_t len, struct proc_idmap *ret) _must_check_;
/* @file is "uid_map" or "gid_map". */
int proc_idmap_read(const struct pid_ref *p, const char *file, struct proc_idmap *ret,
		    struct err *e) _must_check_;

/* Outside to inside and back. -ENOENT if the id has no partner. */
int proc_idmap_in(const struct proc_idmap *m, uint32_t outside, uint32_t *ret) _must_check_;
int proc_idmap_out(const struct proc_idmap *m, uint32_t inside, uint32_t *ret) _must_check_;

/* Each id is itself, and all are there: the map of the initial user namespace. */
bool proc_idmap_is_identity(const struct proc_idmap *m);

#endif
