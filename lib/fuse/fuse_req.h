/* SPDX-License-Identifier: MIT */
/*
 * fuse_req.h - a request, taken apart: no allocation, no I/O, no trust.
 *
 * Theory of operation
 *
 * fuse_req_parse() copies the header and the fixed structure of a message and checks the rest: names
 * end within it and are what they must be (a name of an entry is one component and neither "." nor
 * "..", save where the protocol allows that), data has the length that the structure says. What comes
 * out can be used without a further look at lengths. It points into the message, which has to be
 * private memory: a transport over shared memory copies first, save the data of FUSE_WRITE.
 *
 * An opcode that is not known is no mistake: its name is NULL, and whoever answers says ENOSYS.
 */
#ifndef FUSE_REQ_H
#define FUSE_REQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/fuse.h"
#include "cursor.h"

struct fuse_req {
	struct fuse_in_header h;
	union {
		struct fuse_forget_in forget;
		struct fuse_batch_forget_in batch_forget;
		struct fuse_getattr_in getattr;
		struct fuse_statx_in statx;
		struct fuse_setattr_in setattr;
		struct fuse_mknod_in mknod;
		struct fuse_mkdir_in mkdir;
		struct fuse_rename_in rename;
		struct fuse_rename2_in rename2;
		struct fuse_link_in link;
		struct fuse_open_in open;
		struct fuse_create_in create;
		struct fuse_release_in release;
		struct fuse_read_in read;
		struct fuse_write_in write;
		struct fuse_fsync_in fsync;
		struct fuse_setxattr_in setxattr;
		struct fuse_getxattr_in getxattr;
		struct fuse_init_in init;
		struct fuse_interrupt_in interrupt;
		struct fuse_ioctl_in ioctl;
		struct fuse_fallocate_in fallocate;
		struct fuse_lseek_in lseek;
		struct fuse_copy_file_range_in copy;
	} in;
	const char *name[2]; /* in the message's order; NULL if the opcode has fewer */
	struct span data;
};

/*
 * fuse_req_parse() - Take the message of @size bytes apart.
 *
 * @flags: what was negotiated (FUSE_SETXATTR_EXT changes a structure).
 *
 * Return: 0; -EPROTO, and ret->h is valid if ret->h.len is not 0, so that an error can be sent.
 */
int fuse_req_parse(const void *msg, size_t size, uint64_t flags, struct fuse_req *ret) _must_check_;

/* The name of an opcode, for people; NULL if it is unknown. */
const char *fuse_opcode_name(uint32_t opcode);
/* Nobody waits for an answer, not even for an error. */
bool fuse_opcode_silent(uint32_t opcode);

#endif
