/* SPDX-License-Identifier: MIT */
/*
 * vq_chain.h - a descriptor chain as two lists of host buffers.
 *
 * What the device may read comes first, then what it may write. Where one
 * buffer ends and the next begins means nothing (virtio 1.2, 2.7.4): a header
 * is taken from the front byte by byte, a status from the end.
 */
#ifndef VIRTIO_VQ_CHAIN_H
#define VIRTIO_VQ_CHAIN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "compiler.h"

struct vq_chain {
	struct iovec *iov;
	unsigned int max;   /* room in @iov, set by the caller */
	unsigned int first; /* readable buffers already used up */
	unsigned int nout;  /* readable buffers, from the start of @iov, used up or not */
	unsigned int nin;   /* writable buffers, after them */
	uint16_t head;
};

static inline struct iovec *vq_chain_out(const struct vq_chain *c)
{
	return c->iov + c->first;
}

static inline unsigned int vq_chain_nout(const struct vq_chain *c)
{
	return c->nout - c->first;
}

static inline struct iovec *vq_chain_in(const struct vq_chain *c)
{
	return c->iov + c->nout;
}

size_t vq_chain_out_size(const struct vq_chain *c);
size_t vq_chain_in_size(const struct vq_chain *c);

/* Copy the next @len readable bytes to @dst and drop them; -EPROTO, and nothing done, if there are fewer. */
int vq_chain_take(struct vq_chain *c, void *dst, size_t len) _must_check_;

/* Split the last writable byte off; NULL if there is none. */
uint8_t *vq_chain_take_last(struct vq_chain *c);

/* Copy @len bytes to the beginning of the writable part; -EPROTO, and nothing done, if there is less room. */
int vq_chain_put(const struct vq_chain *c, const void *src, size_t len) _must_check_;

#endif
