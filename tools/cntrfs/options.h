/* SPDX-License-Identifier: MIT */
/* options.h - what the command line and a line of fstab say. */
#ifndef CNTRFS_OPTIONS_H
#define CNTRFS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

struct options {
	const char *source, *target;
	bool foreground, verbose;
	/* of the mount */
	unsigned int attrs; /* MOUNT_ATTR_* */
	bool read_only, allow_other;
	/* of the server */
	bool passthrough;
	long threads;
	uint64_t entry_ns, attr_ns, negative_ns;
};

#define OPTIONS_DEFAULT                                                                          \
	{                                                                                        \
		.allow_other = true, .passthrough = true, .threads = 2, .entry_ns = 1000000000,  \
		.attr_ns = 1000000000                                                            \
	}

/* Take one -o list, "a,b=c"; -EINVAL and @e for what is not known. */
int options_list(struct options *o, const char *list, struct err *e) _must_check_;

#endif
