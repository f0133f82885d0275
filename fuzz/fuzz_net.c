/* SPDX-License-Identifier: MIT */
/*
 * The input is a driver's memory, in which both queues lie: every byte of rings and buffers is the fuzzer's. Its first
 * byte says what was negotiated. A socket of messages stands for the tap.
 */
#include <linux/virtio_net.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"

#define QSIZE 16
#define RAM   8192
#define TX    1024 /* where its rings begin; the receiver's are at 0 */

static const uint8_t packet[3000];

static void packets(int host)
{
	static const size_t size[] = { 12, 60, 3000, 5 };
	char out[64];

	for (size_t i = 0; i < ARRAY_SIZE(size); i++)
		(void)!send(host, packet, size[i], MSG_DONTWAIT);
	while (recv(host, out, sizeof(out), MSG_DONTWAIT) >= 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t at[] = { [NET_RX] = 0, [NET_TX] = TX };
	static int pair[2] = { -1, -1 };
	struct gmem_region region = { { 0 }, RAM, NULL };
	struct gmem mem = { &region, 1 };
	struct vq_dev vq[2];
	struct net net;
	uint8_t *ram;

	if (size < 64 || size > RAM)
		return 0;
	if (pair[0] < 0 && socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair) < 0)
		abort();
	ram = aligned_alloc(4096, RAM);
	if (!ram || net_init(&net, pair[0], NULL) < 0)
		abort();
	memset(ram, 0, RAM);
	memcpy(ram, data + 1, size - 1);
	region.hva = ram;
	net_set_features(&net, data[0] & 1 ? UINT64_C(1) << VIRTIO_NET_F_MRG_RXBUF : 0);
	for (unsigned int i = 0; i < 2; i++) {
		struct vq_conf conf = { .desc = { at[i] },
					.avail = { at[i] + 256 },
					.used = { at[i] + 512 },
					.size = QSIZE,
					.event_idx = data[0] & 2,
					.indirect = data[0] & 4 };

		if (vq_dev_init(&vq[i], &mem, &conf) < 0)
			abort();
	}
	for (unsigned int i = 0; i < 4; i++) {
		packets(pair[1]);
		if (net_receive(&net, &vq[NET_RX]) < 0 || net_send(&net, &vq[NET_TX]) < 0)
			break;
		(void)!vq_dev_publish(&vq[NET_RX]);
		(void)!vq_dev_publish(&vq[NET_TX]);
		if (net.count > NET_CHAINS_MAX || net.error)
			abort();
		if (i == 1)
			net_release(&net);
	}
	net_release(&net);
	net_fini(&net);
	free(ram);
	return 0;
}
