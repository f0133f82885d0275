/* SPDX-License-Identifier: MIT */
/*
 * net.h - a virtio network device over a tap. The driver is not trusted.
 *
 * Theory of operation
 *
 * A packet is one message of the tap, behind the header that virtio and the tap
 * share (struct virtio_net_hdr_mrg_rxbuf). It goes from and to the driver's
 * buffers in one system call, without a copy of ours: net_send() writes what is in a
 * chain, net_receive() reads into chains that it has taken before and keeps, as
 * many as one packet can need if the driver merges buffers. What is wrong with a
 * packet is found by the tap's kernel, which trusts nobody; the packet is dropped
 * and counted. A chain that cannot be read at all is -EPROTO.
 *
 * Checksums and segmentation are left to the receiver, as far as the driver agrees.
 *
 * One thread. No allocation after net_init().
 */
#ifndef VDEV_NET_H
#define VDEV_NET_H

#include <netinet/in.h>
#include <stdbool.h>

#include "err.h"
#include "vq_dev.h"

#define NET_RX 0 /* queues */
#define NET_TX 1

#define NET_PACKET_MAX (65535 + 14 + 4 + 12) /* the largest IP packet, Ethernet, VLAN, header */
#define NET_CHAINS_MAX 256                   /* kept for what is to come */
#define NET_SEGS_MAX   64                    /* buffers of a chain */

struct net_chain {
	uint16_t head;
	unsigned int n;
	size_t size;
	struct iovec iov[NET_SEGS_MAX];
};

struct net {
	int tap; /* borrowed, non-blocking */
	uint8_t mac[6];
	bool has_mac;
	bool merges; /* a packet may take several chains */
	struct net_chain *rx;
	struct vq_dev *rxq;        /* what those are of */
	unsigned int first, count; /* of @rx, a ring */
	size_t room;               /* bytes in those */
	bool full;                 /* nothing more was offered when we looked */
	int error;                 /* the tap is gone: errno; nothing works any more */
	uint64_t sent, received, dropped;
};

/* @mac: or NULL, and the driver chooses one. */
int net_init(struct net *n, int tap, const uint8_t *mac) _must_check_;
void net_fini(struct net *n);

/* The one ioctl of net_set_features(), for a filter. */
extern const unsigned int net_ioctl;

uint64_t net_features(const struct net *n);
/* The driver's choice, which the tap is told. */
void net_set_features(struct net *n, uint64_t features);
/* Bytes of the configuration space; zeros where there is none. */
void net_config(const struct net *n, uint32_t off, uint8_t *ret, uint32_t len);

/* Return: how many packets; -EPROTO: the queue cannot go on. */
int net_send(struct net *n, struct vq_dev *tx) _must_check_;
int net_receive(struct net *n, struct vq_dev *rx) _must_check_;

/* Give back the chains that are kept, as if they had never been taken: nothing is in flight then. */
void net_release(struct net *n);

/* Is there room for a packet, so that it pays to wait for one? If not, the receive queue's kick is to be waited for. */
static inline bool net_has_room(const struct net *n)
{
	return n->count && (!n->merges || n->room >= NET_PACKET_MAX || n->full);
}

/* --- the tap, net_tap.c and net_private.c --- */

/*
 * Open tap @name, which must be there; or, with @create, make it, gone with the descriptor.
 * Return: the descriptor, the caller's; -errno and a sentence.
 */
int net_tap_open(const char *name, bool create, struct err *e) _must_check_;

/*
 * Move into a network namespace of our own, in a user namespace if we may not else, with nothing
 * in it but a tap that has @address and is up. Sockets that are open stay where they are. The program has one thread.
 * Return: the tap, the caller's; -errno and a sentence.
 */
int net_private(struct in_addr address, unsigned int prefix, struct err *e) _must_check_;

#endif
