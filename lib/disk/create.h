/* SPDX-License-Identifier: MIT */
/*
 * create.h - a disk image out of packages, a directory or an OCI archive.
 *
 * Theory of operation
 *
 *	tree		as it stands, unpacked (lib/image) or installed (packages.h) below a scratch directory
 *	file system	mkfs.h; of an encrypted image in an unnamed file of the scratch directory
 *	disk		as it is, with a hash tree (verity.h), or sealed (crypt.h)
 *	name		newfile.h: last, when all of it is on the disk
 */
#ifndef DISK_CREATE_H
#define DISK_CREATE_H

#include <stdbool.h>

#include "image.h"
#include "keyfile.h"
#include "progress.h"
#include "verity.h"

#define CREATE_ROOTHASH ".roothash" /* appended to the image's name */

/* One of @packages, @dir, @oci is set; @key and @verity exclude each other. */
struct create_opts {
	const char *packages; /* names, separated by commas */
	const char *dir;
	const char *oci, *ref; /* an archive, and which image of it where it has several */
	uint64_t size;         /* of the file system; 0: what it takes, and some room */
	bool verity;
	const struct keyfile *key; /* or NULL: not encrypted */
	bool force;                /* replace what is there */
	const struct progress *progress;
};

struct create_result {
	uint64_t fs_size, size;       /* of the file system and of the image's file */
	struct verity_root root;      /* if there is a hash tree */
	struct unpack_stats unpacked; /* of an archive: what could not be kept */
};

/* Return: 0; -EEXIST, -EBUSY, -ENOSPC, another -errno; then @path is as it was. */
int create_image(const char *path, const struct create_opts *opts, struct create_result *ret,
		 struct err *e) _must_check_;

#endif
