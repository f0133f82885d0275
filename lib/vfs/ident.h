/* SPDX-License-Identifier: MIT */
/*
 * ident.h - as whom a thread makes files.
 *
 * Theory of operation
 *
 * The kernel has checked the caller's permissions before a request arrives (default_permissions), with
 * all of his groups and access lists; we hold the capabilities to carry it out. What is left is whose
 * the new file is, which setfsuid() and setfsgid() say, thread by thread. They would take capabilities
 * away and bring them back by uid; a securebit forbids that.
 *
 * Two capabilities are not for us: with CAP_SYS_RESOURCE quotas and reserved blocks would not hold for
 * our callers, so it is given up for good; with CAP_FSETID a write would leave set-uid bits, so it is
 * given up where the kernel says that they have to go.
 *
 * Each thread has a umask and a working directory of its own: the umask is that of the caller, applied
 * by the backing file system, which knows whether a default access list replaces it; the directory is
 * /proc/self/fd, so that the name of a descriptor is a short path.
 */
#ifndef VFS_IDENT_H
#define VFS_IDENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "compiler.h"

/* For each thread, before anything else. -EPERM: we are not root in this user namespace. */
int ident_start(void) _must_check_;

/* From now on files of this thread are @uid's and @gid's, with @umask. */
int ident_become(uid_t uid, gid_t gid, mode_t umask) _must_check_;
/* The same, for what makes no file. */
int ident_become_owner(uid_t uid, gid_t gid) _must_check_;

/* Give CAP_FSETID up; take it back. */
int ident_drop_fsetid(void) _must_check_;
void ident_restore_fsetid(void);

#endif
