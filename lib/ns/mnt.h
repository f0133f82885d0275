/* SPDX-License-Identifier: MIT */
/*
 * mnt.h - detached mounts (Linux 5.2: open_tree, move_mount, fsopen; 5.12: mount_setattr).
 *
 * Theory of operation
 *
 * A detached mount is a descriptor that nobody can reach by a path. It is
 * configured while nobody can see it, crosses into another mount namespace as
 * a descriptor, is attached there, and vanishes when its descriptor is closed
 * before that: whatever kills us, nothing is left. All paths are relative to a
 * directory descriptor and resolved within it (RESOLVE_IN_ROOT), so that no
 * symbolic link of a container leads out of it.
 */
#ifndef NS_MNT_H
#define NS_MNT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"

/* -ENOSYS and a sentence if this kernel has no mount API (Linux < 5.12, or a filter forbids it). */
int mnt_api_check(struct err *e) _must_check_;

/* Open @path below @rootfd, which stands for "/" in it. @flags as in openat2(2); O_CLOEXEC is added. */
int mnt_open_in(int rootfd, const char *path, int flags) _must_check_;
/* The same, but a symbolic link anywhere in @path is -ELOOP. */
int mnt_open_nolink(int rootfd, const char *path, int flags) _must_check_;

/*
 * mnt_clone() - A detached copy of what @fd refers to, with everything mounted below it if @recursive.
 *
 * @propagation: MS_SLAVE or MS_PRIVATE. A copy is by itself the peer of a shared original, so
 * that whatever is mounted on the copy later, by whom ever, is mounted on the original too.
 */
int mnt_clone(int fd, bool recursive, uint64_t propagation) _must_check_;

/* The same of the entry @name, a single component and no symbolic link, of directory @dirfd; recursive. */
int mnt_clone_at(int dirfd, const char *name) _must_check_;

/* Attach the detached mount @mfd on top of what @target (a path descriptor) refers to. */
int mnt_attach(int mfd, int target) _must_check_;
/* The same, target given by path; a symbolic link at its end is mounted over, not followed. */
int mnt_attach_at(int mfd, int rootfd, const char *path) _must_check_;

/* The same, on the entry @name, a single component, of directory @dirfd. */
int mnt_attach_child(int mfd, int dirfd, const char *name) _must_check_;

struct mnt_param {
	const char *key, *value; /* the list ends with a NULL key */
};

/* A fresh detached mount of file system @type; @attrs are MOUNT_ATTR_*. */
int mnt_new(const char *type, const struct mnt_param *params, unsigned int attrs) _must_check_;

/* Add MOUNT_ATTR_* @attrs and, unless 0, set the propagation type (MS_SLAVE, MS_PRIVATE). */
int mnt_set(int mfd, uint64_t attrs, uint64_t propagation, bool recursive) _must_check_;

/* Map owners through the user namespace @userns; -EINVAL where the file system can't (Linux 5.12). */
int mnt_idmap(int mfd, int userns) _must_check_;

/* Is @fd a directory of a file system with this magic number (linux/magic.h), and its root inode? */
bool mnt_is_root_of(int fd, long magic);

#endif
