/* SPDX-License-Identifier: MIT */
/*
 * store_far.h - a file whose contents are read into memory that is not ours, too: into that of another process, by one copy.
 *
 * Theory of operation
 *
 * Buffers of such memory have addresses in a range of ours that nothing is mapped at, so that nobody can take them for memory. What is read into them
 * is copied by the conf's put() out of a mapping of the file. All else is done by the file's own store. An address of the mapping is not touched here, so that a
 * file that somebody makes shorter, or a disk that can't be read, is an error of that copy and no signal. (The rest of a page in which the file ends by then is zeros.)
 */
#ifndef VDEV_STORE_FAR_H
#define VDEV_STORE_FAR_H

#include "store.h"

struct store_far_conf {
	const uint8_t *far; /* the range */
	size_t size;
	/* Copy from @from to @n buffers of the range. Return: 0; -errno, after any part of it. */
	int (*put)(void *arg, const void *from, const struct iovec *to, unsigned int n);
	void *arg;
	/*
	 * Page tables are memory, too. The mapping of a larger file is made anew once so much was read, each time counted as the 2 MiB that
	 * one of them is for: they never take more than 1/512 of it.
	 */
	uint64_t keep;
};

/*
 * store_far_new() - @file is one of store_file_new() by plain system calls (no_uring); it is *@ret's on success.
 *
 * Return: 0; -errno it can't be mapped, and @file is as it was.
 */
int store_far_new(struct store *file, const struct store_far_conf *conf, struct store **ret)
	_must_check_;

#endif
