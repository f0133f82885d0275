/* SPDX-License-Identifier: MIT */
/*
 * probe.h - what this kernel and this user can do of what a session needs.
 *
 * Each probe tries the thing itself, in a child where it could leave a trace,
 * rather than reading a version number: distributions patch, and filters forbid.
 */
#ifndef SESSION_PROBE_H
#define SESSION_PROBE_H

#include <stddef.h>

#include "err.h"

enum probe_result {
	PROBE_YES,
	PROBE_NO,
	PROBE_DEGRADED
};

struct probe {
	const char *name;    /* what for */
	const char *needs;   /* what it takes: a kernel version, a capability */
	const char *without; /* what doesn't work, or works otherwise, without it */
	enum probe_result result;
	char detail[160];
};

#define PROBES_MAX 16

/* Run all probes; how many. */
size_t probe_all(struct probe ret[PROBES_MAX]);

#endif
