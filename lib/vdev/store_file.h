/* SPDX-License-Identifier: MIT */
/* store_file.h - what the two ways to a file share. Private to store_*.c. */
#ifndef VDEV_STORE_FILE_H
#define VDEV_STORE_FILE_H

#include "store.h"

struct store_file {
	struct store store;
	int fd;                        /* owned, as is @direct */
	int direct;                    /* the same file, O_DIRECT; -1: none */
	uint64_t base;                 /* where the store begins in it */
	uint32_t align_off, align_mem; /* of O_DIRECT, powers of two */
};

/* Closes and frees. */
void store_file_free(struct store *s);

/* The descriptor that takes the request as it is. */
int store_file_fd(const struct store_file *f, const struct store_req *r);

/* The mode for fallocate() that does what a discard or a zero asks for. */
int store_file_mode(const struct store_req *r);

/* Carry the request out, with plain system calls. */
void store_file_do(struct store_file *f, struct store_req *r);

/* @done bytes of a read or write are done: drop them. Return: is something left? */
bool store_req_advance(struct store_req *r, size_t done);

/*
 * Make @f a store by io_uring; -errno if there is none to be had. With @alive >= 0, that descriptor stays open
 * until all that was begun is over, even if we are killed.
 */
int store_uring_init(struct store_file *f, int alive, struct store **ret) _must_check_;

#endif
