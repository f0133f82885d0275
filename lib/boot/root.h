/* SPDX-License-Identifier: MIT */
/*
 * root.h - how a machine gets at the file system in a disk image: what init has to do for it.
 *
 * Theory of operation
 *
 * The image says what it is (lib/disk); the user says what it has to be. A key file means that it must be
 * encrypted and authenticated, a root hash that it must be sealed with a hash tree: an image
 * that somebody has put in its place, and that is less than that, is refused. What is passed on
 * are tables for Linux's device mapper. They are carried out inside, so the host
 * sees blocks that it can't read, or whose change is noticed.
 *
 *	encrypted	vda -> dm-integrity (tags kept, not made) -> dm-crypt (authenc) -> ordered -> ext4
 *	sealed		vda -> dm-verity -> ext4, read-only
 *	plain		vda -> ext4
 */
#ifndef BOOT_ROOT_H
#define BOOT_ROOT_H

#include <stdbool.h>

#include "err.h"
#include "initrd.h"

struct root_opts {
	const char *path;
	const char *key_file;  /* or NULL */
	const char *root_hash; /* or NULL */
	bool read_only;
};

/*
 * root_plan() - Look at the image, and tell init what to do.
 *
 * @ret_read_only: nothing will be written to it.
 * Return: 0; -EINVAL it is not what @opts wants; -EACCES the key opens nothing; another -errno.
 */
int root_plan(const struct root_opts *opts, struct boot_conf *conf, bool *ret_read_only,
	      struct err *e) _must_check_;

#endif
