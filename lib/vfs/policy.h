/* SPDX-License-Identifier: MIT */
/*
 * policy.h - places of a tree that are hidden, or cannot be changed, by their paths.
 *
 * Theory of operation
 *
 * The paths are a tree of names. A mark says where in it a node is: it follows from the mark of the
 * directory in which the node was found and its name, whatever the tree behind does meanwhile. What
 * has two names with different marks is two nodes (merge.h), and to give a file a name with another mark is EXDEV.
 */
#ifndef VFS_POLICY_H
#define VFS_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define POLICY_PLACES_MAX 4096

typedef uint16_t policy_mark; /* 0: no rule holds here, nor below */

enum policy_rule {
	POLICY_HIDE,
	POLICY_READ_ONLY
};

struct policy {
	struct policy_place *place;
	size_t n, room;
	struct policy_named {
		char *path; /* as it was given */
		enum policy_rule rule;
	} * named;
	size_t count, named_room; /* of @named */
};

/* One rule more; @path is from the root, with or without a slash before it. -EINVAL and a sentence. */
int policy_add(struct policy *p, enum policy_rule rule, const char *path, struct err *e)
	_must_check_;
void policy_fini(struct policy *p);

/* @p may be NULL, in all of these. */
policy_mark policy_root(const struct policy *p);
policy_mark policy_step(const struct policy *p, policy_mark dir, const char *name);
bool policy_hides(const struct policy *p, policy_mark m);
bool policy_protects(const struct policy *p, policy_mark m);
/* Is it a path that was named, or on the way to one? Then its name stays. */
bool policy_is_place(policy_mark m);
/* The places in that of @dir, one after the other: that after @last, first 0. Return: 0, there are no more. */
policy_mark policy_next(const struct policy *p, policy_mark dir, policy_mark last,
			const char **ret_name);
/* The mark of a path from the root. */
policy_mark policy_at(const struct policy *p, const char *path);
/* Is anything hidden at @m or below? */
bool policy_hides_in(const struct policy *p, policy_mark m);
/* Is at @a, and below, all hidden that is so at @b, and all protected? */
bool policy_covers(const struct policy *p, policy_mark a, policy_mark b);

#endif
