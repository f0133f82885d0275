/* SPDX-License-Identifier: MIT */
/* nodes_table.h - the table of nodes itself, under its lock and without system calls. For nodes.c only. */
#ifndef VFS_NODES_TABLE_H
#define VFS_NODES_TABLE_H

#include "nodes.h"

/* Descriptors to close once the lock is given back. */
struct node_closing {
	int fd[4];
	unsigned int n;
};
void node_close(const struct node_closing *c);

static inline uint64_t node_id(const struct node *n)
{
	return (uint64_t)n->gen << 32 | n->index;
}

/* Time of birth, or NODE_NO_BTIME. */
uint64_t table_btime(const struct statx *stx);

struct node *table_at(struct nodes *t, uint32_t index);
/* NULL: there is none of that id. */
struct node *table_get(struct nodes *t, uint64_t id);
struct node *table_find(struct nodes *t, int mount, const struct statx *stx);
struct node *table_find_handle(struct nodes *t, int32_t type, const uint8_t *bytes, size_t size);
/* Find by handles, too, from now on. */
bool table_index_handles(struct nodes *t);
/* A node as @fresh, without a descriptor; NULL without memory. */
struct node *table_insert(struct nodes *t, const struct node *fresh);
/* Index of the mount that it is on, -1 if it is not known. */
int table_mount(const struct nodes *t, const struct statx *stx);

void table_pin(struct nodes *t, struct node *n);
/*
 * Put a node where it belongs after its pins or lookups changed: it may lose its descriptor, or be
 * freed, and so may nodes that were not used for longer.
 */
void table_settle(struct nodes *t, struct node *n, struct node_closing *closing);
void table_free(struct nodes *t);

#endif
