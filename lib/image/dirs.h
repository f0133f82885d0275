/* SPDX-License-Identifier: MIT */
/*
 * dirs.h - what the directories of a tree shall be like once everything is in them.
 *
 * While layers are unpacked every directory is ours and 0700: files can be
 * added to read-only directories, none inherits a group or an ACL, and times
 * do not move any more when the last layer is through. The wanted attributes
 * wait here under the directory's real path. Each directory of the tree has one
 * record, its last one.
 */
#ifndef IMAGE_DIRS_H
#define IMAGE_DIRS_H

#include "attrs.h"

struct dirs {
	void *root;    /* of tsearch(3)'s tree: balanced, whatever order the names come in */
	uint64_t size; /* bytes of all records, against UNPACK_NAMES_MAX */
};

void dirs_fini(struct dirs *d);

/*
 * dirs_put() - Remember @a (copied) for the directory @real, instead of what was known.
 *
 * @a: NULL for one that no entry described: 0755, unless there is a record.
 * Return: 0; -E2BIG over the limit; -ENOMEM.
 */
int dirs_put(struct dirs *d, const char *real, const struct attrs *a) _must_check_;
/* The directory is gone. */
void dirs_forget(struct dirs *d, const char *real);

/* All records, children before their parents, until @fn fails. */
int dirs_each(struct dirs *d, int (*fn)(void *arg, const char *real, const struct attrs *a),
	      void *arg) _must_check_;

#endif
