/* SPDX-License-Identifier: MIT */
#ifndef CNTRFS_SERVE_H
#define CNTRFS_SERVE_H

#include "err.h"
#include "options.h"

/*
 * serve() - Mount, and serve until that is over: unmounted, or a signal asked us to.
 *
 * @ready: once the mount is there, the process leaves its terminal, and writes one byte to this
 * descriptor; -1: nobody waits.
 */
int serve(const struct options *o, int ready, struct err *e) _must_check_;

#endif
