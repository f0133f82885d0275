/* SPDX-License-Identifier: MIT */
/*
 * vu_back.h - vhost-user back end: one session with a front end, which is not trusted.
 *
 * Theory of operation
 *
 * vu_back_handle() receives one message and answers it. It keeps the memory
 * that is shared and what is known of each queue; a queue runs from
 * SET_VRING_KICK, when its size and addresses are known and it is enabled, to
 * GET_VRING_BASE. While one runs, the device's take() and reap() move chains,
 * called by vu_back_work() between two messages. Before memory goes away or a
 * queue stops, all that was taken is reaped; so no chain is ever in flight over
 * such a change. vu_serve.h is the loop around both.
 *
 * A front end that breaks the protocol ends the session: -EPROTO and one
 * sentence. A driver that breaks a queue stops that queue, and is told by its err
 * descriptor.
 *
 * One thread.
 */
#ifndef VHOST_VU_BACK_H
#define VHOST_VU_BACK_H

#include "err.h"
#include "vq_dev.h"
#include "vu_mem.h"
#include "vu_msg.h"

#define VU_QUEUES_MAX 8

struct vu_vring {
	struct vq_dev vq;           /* valid while @running */
	int kick, call, err;        /* owned; -1: none */
	uint64_t desc, avail, used; /* the front end's addresses */
	uint16_t size, base;
	bool addressed;
	bool enabled;
	bool kicked; /* SET_VRING_KICK came */
	bool running;
};

struct vu_back;

struct vu_device {
	uint64_t features; /* of the device; those of virtqueues and of the protocol are added */
	unsigned int nqueues;

	/* @len bytes of configuration from @off, both within VU_CONFIG_MAX; -errno to refuse. No config_set: never written. */
	int (*config_get)(void *arg, uint32_t off, uint8_t *ret_data, uint32_t len);
	int (*config_set)(void *arg, uint32_t off, const uint8_t *data, uint32_t len);
	/* Take chains of queue number @queue; how many, or -EPROTO: the driver broke it. */
	int (*take)(void *arg, unsigned int queue, struct vq_dev *vq);
	/* Push what is done, of all queues; with @wait, all that was taken. How many. */
	unsigned int (*reap)(void *arg, bool wait);
	/* Asked before a sleep: is a kick of that queue to end it? NULL: each is. */
	bool (*wants_kick)(void *arg, unsigned int queue);
	int fd; /* readable when there is something to take or reap; -1: never, or not now */
	/* The features that were agreed on. */
	void (*negotiated)(void *arg, uint64_t features);
	void *arg;
};

struct vu_back {
	const struct vu_device *dev;
	int sock; /* owned */
	struct vu_mem mem;
	struct vu_vring vring[VU_QUEUES_MAX];
	uint64_t features, protocol; /* agreed on */
	struct vu_msg msg;           /* scratch */
};

/* Takes over @sock. */
void vu_back_init(struct vu_back *b, const struct vu_device *dev, int sock);
/* Drains, unmaps, closes. */
void vu_back_fini(struct vu_back *b);

/* Return: 1 a message was handled; 0 the front end is gone; -errno and a sentence: end the session. */
int vu_back_handle(struct vu_back *b, struct err *e) _must_check_;

/* One round over all queues. Return: how much was done. */
unsigned int vu_back_work(struct vu_back *b);

#endif
