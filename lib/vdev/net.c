/* SPDX-License-Identifier: MIT */
#include "net.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#define BUDGET      64 /* packets of one round */
#define IOV_SYSCALL 1024
#define HEADER      sizeof(struct virtio_net_hdr_mrg_rxbuf)

_Static_assert(HEADER == 12, "wire format");

#define F(name) (UINT64_C(1) << VIRTIO_NET_F_##name)

const unsigned int net_ioctl = TUNSETOFFLOAD;

int net_init(struct net *n, int tap, const uint8_t *mac)
{
	*n = (struct net){ .tap = tap, .has_mac = mac };
	if (mac)
		memcpy(n->mac, mac, sizeof(n->mac));
	n->rx = calloc(NET_CHAINS_MAX, sizeof(*n->rx));
	return n->rx ? 0 : -ENOMEM;
}

void net_fini(struct net *n)
{
	free(n->rx);
	n->rx = NULL;
}

uint64_t net_features(const struct net *n)
{
	return F(MRG_RXBUF) | F(CSUM) | F(HOST_TSO4) | F(HOST_TSO6) | F(HOST_ECN) | F(GUEST_CSUM) |
	       F(GUEST_TSO4) | F(GUEST_TSO6) | F(GUEST_ECN) | (n->has_mac ? F(MAC) : 0);
}

void net_set_features(struct net *n, uint64_t f)
{
	unsigned int offload = 0;

	n->merges = f & F(MRG_RXBUF);
	if (f & F(GUEST_CSUM)) {
		offload |= TUN_F_CSUM;
		if (f & F(GUEST_TSO4))
			offload |= TUN_F_TSO4;
		if (f & F(GUEST_TSO6))
			offload |= TUN_F_TSO6;
		if (f & F(GUEST_ECN) && f & (F(GUEST_TSO4) | F(GUEST_TSO6)))
			offload |= TUN_F_TSO_ECN;
	}
	/* A tap that refuses has none switched on, which anybody can bear. */
	(void)ioctl(n->tap, TUNSETOFFLOAD, offload);
}

void net_config(const struct net *n, uint32_t off, uint8_t *ret, uint32_t len)
{
	struct virtio_net_config c = { .max_virtqueue_pairs = htole16(1) };

	memcpy(c.mac, n->mac, sizeof(c.mac));
	memset(ret, 0, len);
	if (off < sizeof(c))
		memcpy(ret, (const uint8_t *)&c + off,
		       len < sizeof(c) - off ? len : sizeof(c) - off);
}

/* The tap has said no. Is there still one? */
static void refused(struct net *n, int error)
{
	n->dropped++;
	if (error == EBADFD || error == EBADF)
		n->error = error;
}

int net_send(struct net *n, struct vq_dev *tx)
{
	struct iovec iov[NET_SEGS_MAX];
	int sent = 0;

	while (sent < BUDGET && !n->error) {
		struct vq_chain c = { .iov = iov, .max = NET_SEGS_MAX };
		int r = vq_dev_pop(tx, &c);

		if (r <= 0)
			return r < 0 ? -EPROTO : sent;
		if (writev(n->tap, vq_chain_out(&c), (int)vq_chain_nout(&c)) < 0)
			refused(n, errno);
		else
			n->sent++;
		vq_dev_push(tx, c.head, 0);
		sent++;
	}
	return sent;
}

static struct net_chain *kept(struct net *n, unsigned int i)
{
	return &n->rx[(n->first + i) % NET_CHAINS_MAX];
}

/* Take chains until there is room for any packet. */
static int keep_room(struct net *n, struct vq_dev *rx)
{
	size_t enough = n->merges ? NET_PACKET_MAX : 1;

	n->full = false;
	while (n->room < enough && n->count < NET_CHAINS_MAX) {
		struct net_chain *k = kept(n, n->count);
		struct vq_chain c = { .iov = k->iov, .max = NET_SEGS_MAX };
		int r = vq_dev_pop(rx, &c);

		if (r < 0)
			return -EPROTO;
		if (r == 0)
			break;
		k->head = c.head;
		k->n = c.nin;
		memmove(k->iov, vq_chain_in(&c), c.nin * sizeof(*k->iov));
		k->size = vq_chain_in_size(&c);
		n->room += k->size;
		n->count++;
		/* The header of a packet is written in one piece. */
		if (!k->n || k->iov[0].iov_len < HEADER)
			return -EPROTO;
	}
	/* A driver with all that it has in our hands gets what fits. */
	n->full = n->count == rx->size || n->count == NET_CHAINS_MAX;
	return 0;
}

static void give_back(struct net *n, struct vq_dev *rx, size_t len)
{
	/* Wherever the driver put the header, be that at an odd address. */
	char *num_buffers = (char *)kept(n, 0)->iov[0].iov_base +
			    offsetof(struct virtio_net_hdr_mrg_rxbuf, num_buffers);
	uint16_t used = 0;

	while (len) {
		const struct net_chain *k = kept(n, 0);
		size_t part = len < k->size ? len : k->size;

		vq_dev_push(rx, k->head, (uint32_t)part);
		n->room -= k->size;
		n->first = (n->first + 1) % NET_CHAINS_MAX;
		n->count--;
		len -= part;
		used++;
	}
	used = htole16(used);
	memcpy(num_buffers, &used, sizeof(used));
}

/* Return: 1 a packet was received; 0 none is there, or none has room. */
static int receive_one(struct net *n, struct vq_dev *rx)
{
	struct iovec iov[IOV_SYSCALL];
	unsigned int chains = n->merges ? n->count : 1;
	int niov = 0;
	ssize_t len;

	for (unsigned int i = 0; i < chains && niov + kept(n, i)->n <= IOV_SYSCALL; i++) {
		memcpy(iov + niov, kept(n, i)->iov, kept(n, i)->n * sizeof(*iov));
		niov += kept(n, i)->n;
	}
	len = readv(n->tap, iov, niov);
	if (len < 0 && errno != EAGAIN && errno != EINTR)
		refused(n, errno);
	if (len < (ssize_t)HEADER)
		return 0;
	give_back(n, rx, (size_t)len);
	n->received++;
	return 1;
}

int net_receive(struct net *n, struct vq_dev *rx)
{
	int received = 0;

	n->rxq = rx;
	while (received < BUDGET && !n->error) {
		int r = keep_room(n, rx);

		if (r < 0)
			return r;
		if (!net_has_room(n) || !receive_one(n, rx))
			break;
		received++;
	}
	return received;
}

void net_release(struct net *n)
{
	if (n->rxq)
		n->rxq->last_avail = (uint16_t)(n->rxq->last_avail - n->count);
	n->rxq = NULL;
	n->first = n->count = 0;
	n->room = 0;
}
