/* SPDX-License-Identifier: MIT */
/* blk_vhost.h - a struct blk as a vhost-user device, for who links both libraries. */
#ifndef VDEV_BLK_VHOST_H
#define VDEV_BLK_VHOST_H

#include "blk.h"
#include "vu_back.h"

static inline int blk_vhost_config_get(void *arg, uint32_t off, uint8_t *ret_data, uint32_t len)
{
	blk_config(arg, off, ret_data, len);
	return 0;
}

static inline void blk_vhost_negotiated(void *arg, uint64_t features)
{
	blk_set_features(arg, features);
}

static inline int blk_vhost_take(void *arg, unsigned int queue, struct vq_dev *vq)
{
	(void)queue;
	return blk_take(arg, vq);
}

static inline unsigned int blk_vhost_reap(void *arg, bool wait)
{
	return blk_reap(arg, wait);
}

/* @b, which outlives it, has been initialised for @nqueues; @fd is its store's, or -1. */
static inline struct vu_device blk_vhost(struct blk *b, unsigned int nqueues, int fd)
{
	return (struct vu_device){ .nqueues = nqueues,
				   .features = blk_features(b),
				   .config_get = blk_vhost_config_get,
				   .take = blk_vhost_take,
				   .reap = blk_vhost_reap,
				   .negotiated = blk_vhost_negotiated,
				   .arg = b,
				   .fd = fd };
}

#endif
