/* SPDX-License-Identifier: MIT */
/* merge_open.h - the trees of a merged mount, by their paths. */
#ifndef VFS_MERGE_OPEN_H
#define VFS_MERGE_OPEN_H

#include "merge.h"

/* What options say; its own strings. */
struct merge_conf {
	char *lower;   /* NULL: nothing is merged */
	char *scratch; /* NULL: what the lower tree has is read-only */
	struct policy policy;
};
/* Does it say anything? */
bool merge_is_wanted(const struct merge_conf *c);
void merge_conf_fini(struct merge_conf *c);

/* Copies of mounts, which live as long as they have descriptors. */
struct merge_trees {
	int fd[MERGE_LAYERS];  /* 0: none */
	int top[MERGE_LAYERS]; /* the same, open for reading */
};
void merge_trees_fini(struct merge_trees *t);

/* Before the working directory changes: names are relative to it. */
int merge_trees_open(const struct merge_conf *c, struct merge_trees *ret, struct err *e)
	_must_check_;

/* Merge @upper, which becomes the merged tree's own if this succeeds, with the trees. @policy: as merge_new()'s. */
int merge_open(const struct merge_trees *trees, const struct policy *policy, struct vfs *upper,
	       const struct vfs_conf *conf, struct merge **ret, struct err *e) _must_check_;

#endif
