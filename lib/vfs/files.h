/* SPDX-License-Identifier: MIT */
/* files.h - open files and directories, by the number that the peer has for them. */
#ifndef VFS_FILES_H
#define VFS_FILES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "nodes.h"

#define DIR_BUFFER 32768

/* A directory that is being read: entries taken from it that did not fit into a reply yet. */
struct dir {
	pthread_mutex_t lock; /* of one reader; held while it reads */
	uint64_t pos;         /* where the entry at @off begins */
	size_t off, end;
	_Alignas(8) uint8_t buf[DIR_BUFFER];
};

struct file {
	_Atomic int fd; /* -1: it is opened, for reading, by the first who asks file_fd() */
	bool direct;    /* counted among the node's direct_opens, else its cached_opens */
	/* vfs_small.c: the thread that opened it to write and nothing else; 0: none. What came through us */
	uint32_t writer;
	_Atomic uint32_t writes;
	_Atomic uint64_t written;
	struct dir *dir;
	struct node_ref ref; /* keeps the node and its descriptor */
	unsigned int users;  /* under the table's lock; the table itself is one */
};

struct files {
	pthread_mutex_t lock;
	struct file_slot {
		struct file *file; /* NULL: free */
		uint32_t gen, next;
	} * slot;
	size_t room;
	uint32_t used, free; /* @free is an index + 1 */
	uint32_t max;        /* that may be open; 0: as many as descriptors allow */
};

void files_init(struct files *t);
void files_fini(struct files *t);

/* A file of @fd and the node, which it owns from now on if this succeeds; @dir makes it a directory. */
int files_add(struct files *t, int fd, struct node_ref *ref, bool dir, uint64_t *ret_fh)
	_must_check_;
/* The same, which is in no table: file_put() is its end. NULL: no memory. */
struct file *file_new(int fd, struct node_ref *ref, bool dir);
/* Borrow a file, until file_put(). NULL: there is no such file. */
struct file *file_get(struct files *t, uint64_t fh);
/* Its descriptor. Return: -1, errno is set. */
int file_fd(struct file *f);
void file_put(struct files *t, struct file *f);
/* Take it out of the table: closed once nobody uses it. Return: it, still to be put; or NULL. */
struct file *files_del(struct files *t, uint64_t fh);

/* A file for the length of a scope. */
struct file_ref {
	struct files *table;
	struct file *file;
};
static inline void file_unref(struct file_ref *r)
{
	if (r->file)
		file_put(r->table, r->file);
}
#define _cleanup_file_ _cleanup_(file_unref)

#endif
