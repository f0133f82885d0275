/* SPDX-License-Identifier: MIT */
/*
 * tools_lock.h - a tools tree that nobody in a user namespace can make writable again.
 *
 * Theory of operation
 *
 * Whoever has CAP_SYS_ADMIN in the container's user namespace has it over the
 * session's mount namespace, too, and may take the read-only, nosuid and nodev
 * flags from mounts in it: with the owners mapped, the host's files would be
 * the container root's own. The kernel locks flags, and mounts to their
 * parents, when a mount namespace is copied for another user namespace
 * (mount_namespaces(7)), and a clone of a locked mount has locked flags. So a
 * child attaches the tree in a mount namespace of its own, copies that into a
 * new user namespace, and hands back a clone from there.
 */
#ifndef SESSION_TOOLS_LOCK_H
#define SESSION_TOOLS_LOCK_H

#include "err.h"
#include "tools.h"

/*
 * tools_lock() - Put all of @t into its first mount, with locked flags.
 *
 * The others' paths stay, without a descriptor. Should: be called by a single thread with
 * CAP_SYS_ADMIN over its mount namespace.
 */
int tools_lock(struct tools *t, struct err *e) _must_check_;

#endif
