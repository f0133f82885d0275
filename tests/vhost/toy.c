/* SPDX-License-Identifier: MIT */
/*
 * toy.c - FD TYPE [HOW]: small devices, and a network that breaks the rules.
 *
 *   rng             numbers that are always the same, to be seen where they arrive
 *   console         says what it has heard
 *   console print   prints it, and says nothing
 *   console deaf    takes nothing
 *   console twice   gives back twice what it hears
 *   net id          gives back a buffer that was not offered
 *   net twice       gives one back twice
 *   net length      claims to have written more than there was room for
 *   net index       claims to have given back more than the ring holds
 *   net leave       ends
 *   net buffers     a packet in 65535 buffers, of which there is one; then one in none
 *   net short       packets that are shorter than their header
 *   net offload     packets with headers that point anywhere
 *   net garbage     packets of random bytes
 *   net config      an address of many, the smallest MTU, 65535 queues
 */
#include <linux/virtio_net.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vu_serve.h"
#include "vu_sock.h"

#define RX      0
#define SEGS    256
#define BREAKS  40 /* packets before a rule is broken */
#define PACKETS 4000
#define F(name) (UINT64_C(1) << VIRTIO_NET_F_##name)
#define FEATURES                                                                     \
	(F(MAC) | F(MTU) | F(MQ) | F(CTRL_VQ) | F(STATUS) | F(MRG_RXBUF) | F(CSUM) | \
	 F(GUEST_CSUM) | F(GUEST_TSO4) | F(GUEST_TSO6) | F(GUEST_ECN) | F(GUEST_UFO))

static struct vu_back back;
static const char *how = "";
static uint8_t heard[4096];
static size_t nheard;
static unsigned int packets;
static uint32_t seed = 1;

static uint8_t chance(void)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint8_t)(seed >> 16);
}

static int config_get(void *arg, uint32_t off, uint8_t *ret, uint32_t len)
{
	struct virtio_net_config c = { .mac = { 0x52, 0x54, 1, 2, 3, 4 }, .mtu = 1500 };

	(void)arg;
	memset(ret, 0, len);
	if (!strcmp(how, "config"))
		c = (struct virtio_net_config){ .mac = { 0xff, 0xff, 1, 2, 3, 4 },
						.status = 0xffff,
						.max_virtqueue_pairs = 0xffff,
						.mtu = 1 };
	if (off < sizeof(c))
		memcpy(ret, (const uint8_t *)&c + off,
		       len < sizeof(c) - off ? len : sizeof(c) - off);
	return 0;
}

static void negotiated(void *arg, uint64_t features)
{
	(void)arg;
	(void)features;
}

static unsigned int reap(void *arg, bool wait)
{
	(void)arg;
	(void)wait;
	return 0;
}

static int rng_take(void *arg, unsigned int queue, struct vq_dev *vq)
{
	static struct iovec iov[SEGS];
	struct vq_chain c = { .iov = iov, .max = SEGS };
	int r = vq_dev_pop(vq, &c);

	(void)arg;
	(void)queue;
	if (r <= 0)
		return r;
	for (unsigned int i = 0; i < c.nin; i++)
		memset(vq_chain_in(&c)[i].iov_base, 0xa5, vq_chain_in(&c)[i].iov_len);
	vq_dev_push(vq, c.head, (uint32_t)vq_chain_in_size(&c));
	return 1;
}

static int console_take(void *arg, unsigned int queue, struct vq_dev *vq)
{
	static struct iovec iov[SEGS];
	struct vq_chain c = { .iov = iov, .max = SEGS };
	size_t n;
	int r;

	(void)arg;
	if (!strcmp(how, "deaf") || (queue == RX ? !nheard : nheard > 0))
		return 0;
	r = vq_dev_pop(vq, &c);
	if (r <= 0)
		return r;
	if (queue != RX) {
		nheard = vq_chain_out_size(&c);
		nheard = nheard < sizeof(heard) ? nheard : sizeof(heard);
		vq_dev_push(vq, c.head, 0);
		if (!strcmp(how, "twice"))
			vq_dev_push(vq, c.head, 0);
		if (vq_chain_take(&c, heard, nheard) < 0)
			return -1;
		if (!strcmp(how, "print"))
			nheard -= fwrite(heard, 1, nheard, stdout);
		return 1;
	}
	n = vq_chain_in_size(&c);
	n = n < nheard ? n : nheard;
	if (vq_chain_put(&c, heard, n) < 0)
		return -1;
	vq_dev_push(vq, c.head, (uint32_t)n);
	memmove(heard, heard + n, nheard - n);
	nheard -= n;
	return 1;
}

static bool wants_kick(void *arg, unsigned int queue)
{
	(void)arg;
	/* What is there to receive comes with what is sent, or has come. */
	return queue != RX || (how[0] && packets < PACKETS);
}

/* Return: how many bytes of it. */
static uint32_t make_packet(uint8_t *to, size_t size)
{
	struct virtio_net_hdr_mrg_rxbuf h = { .num_buffers = 1 };
	bool offload = !strcmp(how, "offload");

	if (!strcmp(how, "buffers"))
		h.num_buffers = packets % 2 ? 0xffff : 0;
	if (offload) {
		h.hdr.flags = chance() % 4;
		h.hdr.gso_type = (uint8_t)(chance() % 8 | (chance() & 0x80));
		h.hdr.hdr_len = (uint16_t)(chance() << 8 | chance());
		h.hdr.gso_size = (uint16_t)(chance() % 2 ? chance() : 0xffff);
		h.hdr.csum_start = (uint16_t)(chance() % 2 ? chance() : 0xfff0);
		h.hdr.csum_offset = (uint16_t)(chance() % 2 ? chance() : 0xffff);
	}
	for (size_t i = 0; i < size; i++)
		to[i] = chance();
	memcpy(to, &h, sizeof(h));
	/* So that some get as far as IP and TCP. */
	if (offload || chance() % 2) {
		memset(to + 12, 0xff, 6);
		to[24] = chance() % 2 ? 0x08 : 0x86;
		to[25] = to[24] == 0x08 ? 0x00 : 0xdd;
		to[26] = to[24] == 0x08 ? 0x45 : 0x60;
		to[35] = 6;
	}
	if (!strcmp(how, "short"))
		return packets % 14;
	return size < 200 ? (uint32_t)size : 200u + chance();
}

static void break_rule(struct vq_dev *vq, uint16_t head)
{
	if (!strcmp(how, "leave"))
		exit(0);
	if (!strcmp(how, "id"))
		vq_dev_push(vq, (uint16_t)(head + 77), 60);
	else if (!strcmp(how, "length"))
		vq_dev_push(vq, head, UINT32_MAX);
	else
		vq_dev_push(vq, head, 60);
	if (!strcmp(how, "twice"))
		vq_dev_push(vq, head, 60);
	if (!strcmp(how, "index"))
		vq->used_idx = (uint16_t)(vq->used_idx + VQ_SIZE_MAX);
}

/* What is sent is swallowed, and each is an occasion for some to be received. */
static int net_take(void *arg, unsigned int queue, struct vq_dev *vq)
{
	static struct iovec iov[SEGS];
	struct vq_chain c = { .iov = iov, .max = SEGS };
	bool by_packet = strcmp(how, "id") != 0 && strcmp(how, "twice") != 0 &&
			 strcmp(how, "length") != 0 && strcmp(how, "index") != 0 &&
			 strcmp(how, "leave") != 0;
	int r;

	(void)arg;
	if (queue == RX && packets >= PACKETS)
		return 0;
	r = vq_dev_pop(vq, &c);
	if (r <= 0)
		return r;
	if (queue != RX) {
		vq_dev_push(vq, c.head, 0);
	} else if (!by_packet && ++packets > BREAKS) {
		break_rule(vq, c.head);
	} else {
		packets += by_packet;
		vq_dev_push(vq, c.head, make_packet(iov[0].iov_base, iov[0].iov_len));
	}
	return 1;
}

int main(int argc, char **argv)
{
	struct vu_device dev = { .nqueues = 2,
				 .config_get = config_get,
				 .reap = reap,
				 .negotiated = negotiated,
				 .fd = -1 };
	struct err e;
	int r;

	if (argc < 3)
		return 2;
	how = argc > 3 ? argv[3] : "";
	dev.take = !strcmp(argv[2], "rng")       ? rng_take
		   : !strcmp(argv[2], "console") ? console_take
						 : net_take;
	if (dev.take == net_take)
		dev.features = FEATURES;
	if (dev.take != rng_take)
		dev.wants_kick = wants_kick;
	vu_back_init(&back, &dev, atoi(argv[1]));
	(void)setvbuf(stdout, NULL, _IONBF, 0);
	r = vu_serve(&back, 0, &e);
	/* what a machine said last is in the queue yet, for it does not wait for a console */
	while (r == 0 && dev.take == console_take && vu_back_work(&back))
		;
	return r < 0;
}
