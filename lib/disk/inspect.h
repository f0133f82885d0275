/* SPDX-License-Identifier: MIT */
/* inspect.h - what a disk image is. Nothing in it is believed; it is only read, and little of it. */
#ifndef DISK_INSPECT_H
#define DISK_INSPECT_H

#include "ext4.h"
#include "integrity.h"
#include "luks.h"
#include "verity.h"

struct disk {
	uint64_t size, allocated; /* of the file: bytes, and those that it takes */
	bool has_ext4, has_luks, has_integrity, has_verity;
	struct ext4 ext4; /* in the clear */
	struct luks luks;
	struct integrity integrity; /* of the LUKS2 segment */
	struct verity verity;       /* behind the file system */
	bool truncated;             /* the file ends before what it promises */
};

/* Return: 0; -EPROTO it looks like a known kind, but is damaged; another -errno. An unknown kind has none of the flags. */
int disk_inspect(int fd, struct disk *ret, struct err *e) _must_check_;

/* Is it what a user takes it for, who gives a key (@key) or a root hash (@root)? -EINVAL: it is less. */
int disk_check_kind(const struct disk *d, bool key, bool root, struct err *e) _must_check_;

/* -EBUSY: another process has it locked, as rktio-blk does; to read it, readers do no harm. */
int disk_check_free(int fd, bool read_only, struct err *e) _must_check_;
/* The same, for who reads it, and nobody writes to it until @fd is closed. */
int disk_hold(int fd, struct err *e) _must_check_;

#endif
