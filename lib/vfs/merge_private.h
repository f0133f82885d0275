/* SPDX-License-Identifier: MIT */
/* merge_private.h - what the files of the merged tree share. */
#ifndef VFS_MERGE_PRIVATE_H
#define VFS_MERGE_PRIVATE_H

#include <dirent.h>
#include <limits.h>
#include <pthread.h>

#include "merge.h"
#include "vfs_private.h"

/* Nodes of the layers; 0: the layer has no part in it. */
struct merge_parts {
	uint64_t id[MERGE_LAYERS];
	policy_mark mark;
	bool dir;
};

struct merge_node {
	struct merge_parts parts;
	uint64_t nlookup;
	uint32_t index, gen;
	uint32_t hash_next; /* or the next that is free */
	uint32_t children;  /* that have it as their parent */
	uint32_t parent; /* 0: it has no part of the lower layer, and its place does not matter */
	char *name;      /* in @parent; NULL without */
	bool used;
};

struct merge_dir;

struct merge {
	struct vfs *layer[MERGE_LAYERS];
	const struct policy *policy; /* @rules; NULL: none */
	struct policy rules; /* as asked for, and where links of the trees lead from there */
	struct merge_stats *stats, own_stats;
	pthread_mutex_t change; /* held while names or copies are made; taken before @lock */
	pthread_mutex_t lock;   /* of the tables below; never held over a system call */
	struct merge_node *node;
	size_t room;
	uint32_t used, free, live, *bucket, nbuckets;
	struct merge_dir_slot {
		struct merge_dir *dir;
		uint32_t gen, next;
	} * slot;
	size_t slots_room;
	uint32_t slots, slots_free; /* the latter is an index + 1 */
	_Atomic uint64_t listed;    /* bytes of the lists of names of all open directories */
};

/* --- merge_table.c --- */

/* A node, as it was when it was asked for. */
struct merge_ref {
	struct merge_parts parts;
	uint32_t index;
};

int merge_table_init(struct merge *m) _must_check_;
void merge_table_fini(struct merge *m);
int merge_get(struct merge *m, uint64_t id, struct merge_ref *ret) _must_check_;
/*
 * Count a lookup of the node of @parts, made if need be. Each part has one lookup counted for us in its
 * layer, which is taken back if the node is known or cannot be made.
 */
int merge_enter(struct merge *m, const struct merge_parts *parts, uint32_t parent, const char *name,
		uint64_t *ret_id) _must_check_;
void merge_forget(struct merge *m, uint64_t id, uint64_t nlookup);
/* Give a directory its part of the scratch layer, with a lookup counted. */
void merge_set_scratch(struct merge *m, uint32_t index, uint64_t part);
/* Its parent and name; -ESTALE, it has none. */
int merge_place(struct merge *m, uint32_t index, uint32_t *ret_parent, char name[NAME_MAX + 1])
	_must_check_;

/* --- merge_lookup.c --- */

/* The layer that has the say. */
enum merge_layer merge_top(const struct merge_parts *p);
void merge_drop(struct merge *m, const struct merge_parts *p);
/*
 * Look @name up in all layers. @ret: parts with a lookup counted; @entry: of the topmost.
 * Return: 0; -ENOENT; -errno.
 */
int merge_find(struct merge *m, const struct merge_ref *dir, const char *name,
	       struct merge_parts *ret, struct fuse_entry_out *entry) _must_check_;
/* And make it a node of ours. */
int merge_lookup(struct merge *m, const struct merge_ref *dir, const char *name,
		 struct fuse_entry_out *ret) _must_check_;
/* What has been made in @layer: @entry, of that layer, becomes ours. */
int merge_made(struct merge *m, const struct merge_ref *dir, const char *name,
	       enum merge_layer layer, struct fuse_entry_out *entry) _must_check_;
/* Has a layer @from or below @name? 1, 0, -errno. */
int merge_has(struct merge *m, const struct merge_ref *dir, const char *name, enum merge_layer from)
	_must_check_;
/* Inodes of different layers may have one number. */
uint64_t merge_ino(uint64_t ino, enum merge_layer layer);

/* --- merge_policy.c --- */

/* The rules that hold: those of @asked, which may be NULL, and the same for where links of the layers lead. */
int merge_policy_init(struct merge *m, const struct policy *asked, struct err *e) _must_check_;
/*
 * @out, of @layer, was found as @name in @dir, whose mark would be *@mark. If that is another name of what has a place in
 * the policy, *@mark is set to its. Return: 1; 0 it is hidden; -errno.
 */
int merge_policy_see(struct merge *m, const struct merge_ref *dir, enum merge_layer layer,
		     const struct fuse_entry_out *out, policy_mark *mark) _must_check_;
/* The mark of what the link @name of the lower tree's top leads to, in place of *@mark. Return: may it be followed? */
bool merge_policy_follow(struct merge *m, int root, const char *name, policy_mark *mark);

/* --- merge_copy.c; with @m->change held --- */

/* The directory's part of the scratch layer, made if need be. -EROFS without such a layer. */
int merge_scratch_dir(struct merge *m, uint32_t index, uint64_t *ret_part) _must_check_;
/* Copy the file or link that is @r, of the lower layer, to its place in the scratch layer. */
int merge_copy(struct merge *m, const struct merge_ref *r) _must_check_;
/* Hide @name of the lower layer; show it again. */
int merge_hide(struct merge *m, const struct merge_ref *dir, const char *name) _must_check_;
void merge_unhide(struct merge *m, const struct merge_ref *dir, const char *name);

/* --- merge_dir.c --- */

int merge_op_opendir(void *fs, struct fuse_call *c);
int merge_op_readdir(void *fs, struct fuse_call *c);
int merge_op_releasedir(void *fs, struct fuse_call *c);
int merge_op_fsyncdir(void *fs, struct fuse_call *c);
void merge_dirs_fini(struct merge *m);
/* Has the directory an entry? 1, 0, -errno. */
int merge_is_filled(struct merge *m, const struct merge_parts *dir) _must_check_;

/* --- merge_names.c --- */

int merge_op_make(void *fs, struct fuse_call *c); /* SYMLINK, MKNOD, MKDIR, CREATE, TMPFILE */
int merge_op_unlink(void *fs, struct fuse_call *c);
int merge_op_rmdir(void *fs, struct fuse_call *c);
int merge_op_rename(void *fs, struct fuse_call *c);
int merge_op_link(void *fs, struct fuse_call *c);

/* --- merge.c --- */

/* Have the layer's function answer, with node @part in the place of ours. */
int merge_pass(struct merge *m, struct fuse_call *c, enum merge_layer layer, uint64_t part)
	_must_check_;
/* The same for what opens a file: @open is its answer, in the reply. */
void merge_tag_open(struct fuse_open_out *open, enum merge_layer layer);

#endif
