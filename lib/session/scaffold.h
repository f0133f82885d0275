/* SPDX-License-Identifier: MIT */
/*
 * scaffold.h - mount points in a tree that has none and may not be written.
 *
 * Theory of operation
 *
 * A mount needs a directory or file to be mounted on. Where the tools tree has
 * none, the nearest directory above it that exists is covered by a small tmpfs in which every
 * entry of that directory is bound to the original and the missing one is
 * added; sealed read-only, it shows the same as before and one entry more.
 * Contents stay the originals, at the speed of the originals, and nothing is
 * written to the tree. What a scaffold covers is on disk rarely: packages
 * ship the base directory.
 */
#ifndef SESSION_SCAFFOLD_H
#define SESSION_SCAFFOLD_H

#include <stdbool.h>

#include "err.h"

#define SCAFFOLDS_MAX        16
#define SCAFFOLD_ENTRIES_MAX 4096

struct scaffold {
	bool writable; /* the tree may be written: the mount point is made in it */
	int rootfd;    /* of the tree; another one after its root was covered */
	int fd[SCAFFOLDS_MAX];
	size_t n;
};
#define SCAFFOLD_INIT        \
	{                    \
		.rootfd = -1 \
	}

/*
 * scaffold_point() - See that the absolute @path exists below @s->rootfd, a directory or a file as @dir says.
 *
 * A symbolic link counts as a file. Return: 0; -EEXIST if it is there as the other kind.
 */
int scaffold_point(struct scaffold *s, const char *path, bool dir, struct err *e) _must_check_;

/* Nothing can be added any more. */
int scaffold_seal(struct scaffold *s, struct err *e) _must_check_;

/* Closes all descriptors, the root's too. */
void scaffold_fini(struct scaffold *s);

#endif
