/* SPDX-License-Identifier: MIT */
/*
 * packages.h - a root file system of Debian packages, by this machine's apt.
 *
 * Theory of operation
 *
 * mmdebstrap(1) installs the essential packages and the wanted ones into an
 * empty directory, for the release of this machine. Its sources are the files
 * of /etc/apt that this machine's apt has package lists of, so mirrors, keys
 * and pins of suites are the machine's, and a source that it cannot reach is
 * left out as "apt-get install" would. Proxies and the like of the apt
 * configuration count while it runs, and are not left in the tree. It runs in
 * a pid namespace of its own: whatever it started ends with us.
 */
#ifndef DISK_PACKAGES_H
#define DISK_PACKAGES_H

#include "err.h"
#include "progress.h"
#include "scratch.h"

#define PACKAGES_MAX 256

/*
 * packages_install() - Install @names, separated by commas, into @s->path/root, which must not be there.
 *
 * Return: 0; -EINVAL what cannot be a package's name; -ENOENT no such package, or mmdebstrap is missing;
 *	   -EPERM not root; -EIO it failed, and @e says what apt said.
 */
int packages_install(const char *names, struct scratch *s, const struct progress *progress,
		     struct err *e) _must_check_;

#endif
