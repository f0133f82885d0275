/* SPDX-License-Identifier: MIT */
#include "vq_chain.h"

#include <errno.h>

#include "gmem.h"

static size_t iov_size(const struct iovec *iov, unsigned int n)
{
	size_t size = 0;

	for (unsigned int i = 0; i < n; i++)
		size += iov[i].iov_len;
	return size;
}

size_t vq_chain_out_size(const struct vq_chain *c)
{
	return iov_size(vq_chain_out(c), vq_chain_nout(c));
}

size_t vq_chain_in_size(const struct vq_chain *c)
{
	return iov_size(vq_chain_in(c), c->nin);
}

int vq_chain_take(struct vq_chain *c, void *dst, size_t len)
{
	uint8_t *out = dst;

	if (vq_chain_out_size(c) < len)
		return -EPROTO;
	while (len) {
		struct iovec *v = vq_chain_out(c);
		size_t n = len < v->iov_len ? len : v->iov_len;

		gmem_copy(out, v->iov_base, n);
		out += n;
		len -= n;
		v->iov_base = (uint8_t *)v->iov_base + n;
		v->iov_len -= n;
		if (!v->iov_len)
			c->first++;
	}
	return 0;
}

uint8_t *vq_chain_take_last(struct vq_chain *c)
{
	struct iovec *v = vq_chain_in(c) + c->nin;

	if (!c->nin)
		return NULL;
	v--; /* add_buffer() makes no empty ones */
	v->iov_len--;
	if (!v->iov_len)
		c->nin--;
	return (uint8_t *)v->iov_base + v->iov_len;
}

int vq_chain_put(const struct vq_chain *c, const void *src, size_t len)
{
	const uint8_t *in = src;

	if (vq_chain_in_size(c) < len)
		return -EPROTO;
	for (struct iovec *v = vq_chain_in(c); len; v++) {
		size_t n = len < v->iov_len ? len : v->iov_len;

		gmem_copy(v->iov_base, in, n);
		in += n;
		len -= n;
	}
	return 0;
}
