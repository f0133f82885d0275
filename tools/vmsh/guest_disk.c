/* SPDX-License-Identifier: MIT */
#include "guest_disk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "attach_image.h"
#include "side_disk_abi.h"
#include "store_far.h"

#define MAPPED_MAX (UINT64_C(4) << 30) /* of an image, with page tables of 8 MiB */

_Static_assert(BLK_PAGE_QUEUE == SIDE_DISK_QUEUE, "room for all that a driver can offer at once");
_Static_assert(BLK_PAGE_FAR == SIDE_DISK_FAR && BLK_PAGE_FARS == SIDE_DISK_FARS,
	       "the guest's own memory");

static int open_store(struct guest_disk *d, struct err *e)
{
	/* by the host's page cache, as a file that many read; and without io_uring, which is for one thread */
	const struct store_file_conf conf = {
		.path = d->path,
		.fd = -1,
		.alive = -1,
		.read_only = !d->writable,
		.no_direct = true,
		.no_uring = true,
		.off = d->volume.offset,
		.size = d->volume.size,
	};

	return d->store ? 0 : store_file_new(&conf, &d->store, e);
}

/* What is read goes straight into the guest's memory, where that is to be had and the image can be mapped. */
static void reach_far(struct guest_disk *d, const struct side_disk_memory *m,
		      struct blk_page_conf *conf)
{
	struct store_far_conf far = { .put = side_disk_put, .arg = d->side, .keep = MAPPED_MAX };

	if (!m->nfar)
		return;
	far.far = m->far[0].hva;
	for (size_t i = 0; i < m->nfar; i++)
		far.size += m->far[i].size;
	if (store_far_new(d->store, &far, &d->store) < 0)
		return;
	conf->far = m->far;
	conf->nfar = m->nfar;
}

static int turn(void *arg)
{
	return blk_page_turn(arg);
}

static int start(void *arg, struct err *e)
{
	struct guest_disk *d = arg;
	struct side_server server = { turn, &d->page, false };
	struct blk_page_conf conf = { .id = d->id };
	struct side_disk_memory m;
	int r = open_store(d, e);

	if (!r)
		r = side_disk_memory(d->side, &m, e);
	if (r)
		return r;
	reach_far(d, &m, &conf);
	server.far = conf.nfar;
	conf.store = d->store;
	conf.memory = m.p;
	conf.address = m.address;
	conf.size = m.size;
	conf.piece_max = m.piece_max;
	conf.position = m.position;
	conf.next = m.next;
	r = blk_page_init(&d->page, &conf, e);
	return r < 0 ? r : side_disk_start(d->side, &server, e);
}

static int ready(void *arg, struct err *e)
{
	const struct guest_disk *d = arg;

	return side_disk_ready(d->side, e);
}

int guest_disk_open(struct guest_disk *d, const char *path, bool writable, bool now, struct err *e)
{
	uint64_t number = 0;
	int fd = attach_image_find(path, &d->volume, e);

	if (fd < 0)
		return fd;
	(void)close(fd);
	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return err_set(e, errno, "no random number: %s", err_str(errno));
	(void)snprintf(d->id, sizeof(d->id), "vmsh%016" PRIx64, number);
	d->path = path;
	d->writable = writable;
	d->attach = (struct attach_disk){ start, ready, d, d->id, d->volume.fstype };
	return now ? open_store(d, e) : 0;
}

void guest_disk_close(struct guest_disk *d)
{
	blk_page_fini(&d->page);
	store_free(d->store);
	d->store = NULL;
}
