/* SPDX-License-Identifier: MIT */
/*
 * hostile.c - FD HOW: a disk of 64 MiB that breaks the rules of its ring once it has served a while.
 *
 *   id       gives back a chain that was not offered
 *   twice    gives one back twice
 *   length   claims to have written more than there was room for
 *   index    claims to have given back more than the ring holds
 *   garbage  gives back chains without having done anything for them
 *   talk     says something over the socket, unasked
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blk_vhost.h"
#include "vu_serve.h"
#include "vu_sock.h"

#define PEACEFUL 20 /* requests */

static struct blk blk;
static struct vu_back back;
static const char *how;
static unsigned int served;

static int config_get(void *arg, uint32_t off, uint8_t *ret_data, uint32_t len)
{
	blk_config(arg, off, ret_data, len);
	return 0;
}

static void strike(struct vq_dev *vq, uint16_t head)
{
	static const struct vu_msg unasked = { .h = { VU_GET_FEATURES, VU_VERSION, 0 } };

	if (!strcmp(how, "id"))
		vq_dev_push(vq, (uint16_t)(head + 77), 0);
	else if (!strcmp(how, "length"))
		vq_dev_push(vq, head, UINT32_MAX);
	else if (!strcmp(how, "index"))
		vq->used_idx = (uint16_t)(vq->used_idx + VQ_SIZE_MAX);
	else if (!strcmp(how, "talk"))
		(void)!vu_sock_send(back.sock, &unasked);
	else
		vq_dev_push(vq, head, 0);
	if (!strcmp(how, "twice"))
		vq_dev_push(vq, head, 0);
}

static int take(void *arg, unsigned int queue, struct vq_dev *vq)
{
	struct iovec iov[256];
	struct vq_chain c = { .iov = iov, .max = 256 };
	int r;

	(void)queue;
	if (served < PEACEFUL) {
		r = blk_take(arg, vq);
		served += r > 0 ? (unsigned int)r : 0;
		return r;
	}
	r = vq_dev_pop(vq, &c);
	if (r > 0)
		strike(vq, c.head);
	return r;
}

int main(int argc, char **argv)
{
	struct vu_device dev;
	struct store *store;
	struct err e;

	if (argc != 3 || store_null_new(64 << 20, &store, &e) < 0 ||
	    blk_init(&blk, store, "bad", 1) < 0)
		return 2;
	how = argv[2];
	dev = blk_vhost(&blk, 1, -1);
	dev.config_get = config_get;
	dev.take = take;
	vu_back_init(&back, &dev, atoi(argv[1]));
	return vu_serve(&back, VU_POLL_NS, &e) < 0;
}
