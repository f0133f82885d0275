/* SPDX-License-Identifier: MIT */
/*
 * side_saved.h - whether a hypervisor saves its machine just now, to go on with it elsewhere: told by /proc alone.
 *
 * Theory of operation
 *
 * QEMU has a thread for it, and names its threads if it is told to (-name debug-threads=on), as libvirt always does. Others
 * that save a machine while it runs, or do not name their threads, are not noticed.
 */
#ifndef SIDELOAD_SIDE_SAVED_H
#define SIDELOAD_SIDE_SAVED_H

#include <stdbool.h>

#include "pidfd.h"

bool side_saved(const struct pid_ref *hypervisor);

#endif
