/* SPDX-License-Identifier: MIT */
/*
 * guest_disk.h - the file system in an image, as a block device of the guest.
 *
 * The device is lib/vdev's, whose queue and buffers lie in the memory that lib/sideload shares with the guest; a thread of that
 * serves it.
 */
#ifndef VMSH_GUEST_DISK_H
#define VMSH_GUEST_DISK_H

#include "attach.h"
#include "attach_volume.h"
#include "blk_page.h"
#include "side.h"

struct guest_disk {
	struct attach_disk attach; /* for struct attach_conf */
	struct attach_volume volume;
	const char *path; /* borrowed; NULL: there is no image */
	bool writable;
	char id[21];
	struct side *side; /* set by the caller before the session runs; borrowed */
	struct store *store;
	struct blk_page page;
};

/* What is in @path. @now: it is opened and locked here, else when the guest gets it. Return: 0; -errno. */
int guest_disk_open(struct guest_disk *d, const char *path, bool writable, bool now, struct err *e)
	_must_check_;
/* After side_close(). */
void guest_disk_close(struct guest_disk *d);

#endif
