/* SPDX-License-Identifier: MIT */
/*
 * cgjoin.h - put the calling process into all cgroups of another one.
 *
 * Theory of operation
 *
 * The control files are opened on the host, with the caller's rights, before
 * any namespace is joined: the kernel checks the opener (Linux 5.16). Version 1:
 * "0" written to "tasks" moves the writing thread, which is the whole of a
 * single-threaded process, and unlike "cgroup.procs" needs no grace period of
 * RCU: 10 us instead of 7 ms. Version 2 has no such file; there the process is
 * born in the cgroup by clone3(CLONE_INTO_CGROUP) (Linux 5.7), which waits for
 * nothing either.
 */
#ifndef NS_CGJOIN_H
#define NS_CGJOIN_H

#include "cgroup.h"
#include "err.h"

struct cgjoin {
	int v1[CGROUP_HIERARCHIES_MAX]; /* "tasks" of each hierarchy to be joined */
	size_t nv1;
	int v2;           /* the directory, for CLONE_INTO_CGROUP, or -1 */
	int v2_procs;     /* its cgroup.procs, for kernels without that, or -1 */
	char denied[128]; /* hierarchies that may not be joined, for one warning; "" if none */
};
#define CGJOIN_INIT                      \
	{                                \
		.v2 = -1, .v2_procs = -1 \
	}

/* Open what is needed to join @dirs. What is not permitted lands in @ret->denied, and is no failure. */
int cgjoin_open(const struct cgroup_dirs *dirs, struct cgjoin *ret, struct err *e) _must_check_;
void cgjoin_close(struct cgjoin *j);

/* Move the caller, a single thread, into the version 1 cgroups; with @v2 into that of version 2 too. */
int cgjoin_self(const struct cgjoin *j, bool v2, struct err *e) _must_check_;

#endif
