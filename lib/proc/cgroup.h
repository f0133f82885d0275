/* SPDX-License-Identifier: MIT */
/*
 * cgroup.h - which cgroup a process is in, in every hierarchy, and where that is mounted.
 *
 * Theory of operation
 *
 * /proc/PID/cgroup has a line per hierarchy (cgroups(7)): version 1 names its
 * controllers, version 2 is "0::". Our own mountinfo tells where a hierarchy
 * is mounted here, and from which of its directories on. cgroup_dirs() joins
 * both: the directory of each cgroup of the process, as we can open it.
 */
#ifndef PROC_CGROUP_H
#define PROC_CGROUP_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "cursor.h"
#include "err.h"

#define CGROUP_HIERARCHIES_MAX 32

struct cgroup_line {
	unsigned int id;
	struct span controllers; /* "cpu,cpuacct", "name=systemd", or "" for version 2 */
	struct span path;
};

/* Return: 1 a line; 0 the end; -EPROTO. */
int cgroup_next(struct cursor *c, struct cgroup_line *ret) _must_check_;

struct cgroup_dir {
	bool v2;
	bool ours; /* the caller is in it already */
	char controllers[64];
	char path[PATH_MAX]; /* as /proc/PID/cgroup has it */
	char *dir;           /* where we can open it; NULL if its hierarchy is not mounted here */
};

struct cgroup_dirs {
	struct cgroup_dir *v;
	size_t n;
};

/* All hierarchies of the process whose /proc directory is @procfd. */
int cgroup_dirs_read(int procfd, struct cgroup_dirs *ret, struct err *e) _must_check_;
void cgroup_dirs_free(struct cgroup_dirs *d);

/* Is any of them frozen (cgroup v1 freezer.state, v2 cgroup.events)? A process that joins it stops at once. */
bool cgroup_dirs_frozen(const struct cgroup_dirs *d);

#endif
