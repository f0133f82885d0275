/* SPDX-License-Identifier: MIT */
#include "vu_front.h"

#include <errno.h>
#include <string.h>

static int refuse(struct vu_front *f, const char *why)
{
	f->why = why;
	return -EPROTO;
}

/* Send @f->out, whose payload has @size bytes. */
static int send_request(struct vu_front *f, uint32_t request, uint32_t size, uint32_t flags)
{
	uint8_t *wire = (uint8_t *)&f->in; /* free until the reply comes */

	_Static_assert(sizeof(f->in) >= sizeof(struct vu_header) + sizeof(union vu_payload),
		       "a message fits");
	f->request = request;
	f->why = NULL;
	f->out.h = (struct vu_header){ request, VU_VERSION | flags, size };
	memcpy(wire, &f->out.h, sizeof(f->out.h));
	memcpy(wire + sizeof(f->out.h), &f->out.p, size);
	return f->io.send(f->io.arg, wire, sizeof(f->out.h) + size, f->out.fd, f->out.nfds);
}

static int recv_reply(struct vu_front *f)
{
	int r = f->io.recv(f->io.arg, &f->in.h, sizeof(f->in.h));

	if (r < 0)
		return r;
	if (f->in.h.request != f->request)
		return refuse(f, "it replies to another request");
	r = vu_header_check(&f->in.h, VU_FROM_BACK, &f->why);
	if (r < 0)
		return r;
	memset(&f->in.p, 0, sizeof(f->in.p));
	if (f->in.h.size)
		r = f->io.recv(f->io.arg, &f->in.p, f->in.h.size);
	if (r < 0)
		return r;
	f->in.nfds = 0;
	return vu_payload_check(&f->in, VU_FROM_BACK, &f->why);
}

/* Ask for the reply that the request has by itself, or for that of REPLY_ACK where it was agreed on. */
static int transact(struct vu_front *f, uint32_t request, uint32_t size)
{
	bool answers = vu_request_answers(request);
	bool ack = !answers && f->protocol & VU_P_REPLY_ACK;
	int r = send_request(f, request, size, ack ? VU_NEED_REPLY : 0);

	f->out.nfds = 0;
	if (r < 0 || (!answers && !ack))
		return r;
	r = recv_reply(f);
	if (r < 0)
		return r;
	return ack && f->in.p.u64 ? refuse(f, "it refuses") : 0;
}

static int get_u64(struct vu_front *f, uint32_t request, uint64_t *ret)
{
	int r = transact(f, request, 0);

	if (r < 0)
		return r;
	*ret = f->in.p.u64;
	return 0;
}

static int set_u64(struct vu_front *f, uint32_t request, uint64_t v)
{
	f->out.p.u64 = v;
	return transact(f, request, sizeof(v));
}

int vu_front_open(struct vu_front *f, const struct vu_io *io)
{
	int r;

	*f = (struct vu_front){ .io = *io };
	r = transact(f, VU_SET_OWNER, 0);
	if (r < 0)
		return r;
	return get_u64(f, VU_GET_FEATURES, &f->offered);
}

int vu_front_set_protocol(struct vu_front *f, uint64_t protocol)
{
	uint64_t has = 0;
	int r;

	f->protocol = 0;
	if (!(f->offered & VU_F_PROTOCOL_FEATURES))
		return 0;
	r = get_u64(f, VU_GET_PROTOCOL_FEATURES, &has);
	if (r < 0)
		return r;
	r = set_u64(f, VU_SET_PROTOCOL_FEATURES, has & protocol);
	if (r < 0)
		return r;
	f->protocol = has & protocol;
	return 0;
}

int vu_front_set_features(struct vu_front *f, uint64_t features)
{
	f->features = f->offered & (features | VU_F_PROTOCOL_FEATURES);
	return set_u64(f, VU_SET_FEATURES, f->features);
}

int vu_front_queues(struct vu_front *f, unsigned int *ret)
{
	uint64_t n = 1;
	int r = f->protocol & VU_P_MQ ? get_u64(f, VU_GET_QUEUE_NUM, &n) : 0;

	if (r < 0)
		return r;
	if (!n || n > VU_VRING_IDX_MASK + 1)
		return refuse(f, "it has an impossible number of queues");
	*ret = (unsigned int)n;
	return 0;
}

static int config_out(struct vu_front *f, uint32_t off, const void *buf, uint32_t len)
{
	if (!(f->protocol & VU_P_CONFIG))
		return -EOPNOTSUPP;
	if (off > VU_CONFIG_MAX || len > VU_CONFIG_MAX - off)
		return -EINVAL;
	memset(&f->out.p.config, 0, sizeof(f->out.p.config));
	f->out.p.config.offset = off;
	f->out.p.config.size = len;
	if (buf)
		memcpy(f->out.p.config.data, buf, len);
	return 0;
}

int vu_front_config(struct vu_front *f, uint32_t off, void *buf, uint32_t len)
{
	int r = config_out(f, off, NULL, len);

	if (r < 0)
		return r;
	r = transact(f, VU_GET_CONFIG, vu_config_size(len));
	if (r < 0)
		return r;
	if (f->in.h.size != vu_config_size(len) || f->in.p.config.size != len)
		return refuse(f, "it has no such configuration");
	memcpy(buf, f->in.p.config.data, len);
	return 0;
}

int vu_front_set_config(struct vu_front *f, uint32_t off, const void *buf, uint32_t len)
{
	int r = config_out(f, off, buf, len);

	return r < 0 ? r : transact(f, VU_SET_CONFIG, vu_config_size(len));
}

int vu_front_share(struct vu_front *f, const struct vu_region *region, const int *fds,
		   unsigned int n)
{
	if (!n || n > VU_REGIONS_MAX)
		return -EINVAL;
	f->out.p.mem.nregions = n;
	f->out.p.mem.padding = 0;
	memcpy(f->out.p.mem.region, region, n * sizeof(*region));
	memcpy(f->out.fd, fds, n * sizeof(*fds));
	f->out.nfds = n;
	return transact(f, VU_SET_MEM_TABLE, vu_table_size(n));
}

static int set_state(struct vu_front *f, uint32_t request, unsigned int index, uint32_t num)
{
	f->out.p.state = (struct vu_vring_state){ index, num };
	return transact(f, request, sizeof(f->out.p.state));
}

static int set_fd(struct vu_front *f, uint32_t request, unsigned int index, int fd)
{
	f->out.fd[0] = fd;
	f->out.nfds = fd < 0 ? 0 : 1;
	return set_u64(f, request, index | (fd < 0 ? VU_VRING_NO_FD : 0));
}

int vu_front_queue(struct vu_front *f, const struct vu_front_queue *q)
{
	int r = set_state(f, VU_SET_VRING_NUM, q->index, q->size);

	if (r == 0)
		r = set_state(f, VU_SET_VRING_BASE, q->index, q->base);
	if (r == 0) {
		f->out.p.addr = (struct vu_vring_addr){
			.index = q->index, .desc = q->desc, .used = q->used, .avail = q->avail
		};
		r = transact(f, VU_SET_VRING_ADDR, sizeof(f->out.p.addr));
	}
	if (r == 0 && q->err >= 0)
		r = set_fd(f, VU_SET_VRING_ERR, q->index, q->err);
	if (r == 0)
		r = set_fd(f, VU_SET_VRING_CALL, q->index, q->call);
	if (r == 0)
		r = set_fd(f, VU_SET_VRING_KICK, q->index, q->kick);
	if (r == 0 && f->features & VU_F_PROTOCOL_FEATURES)
		r = set_state(f, VU_SET_VRING_ENABLE, q->index, 1);
	return r;
}

int vu_front_stop(struct vu_front *f, unsigned int index, uint16_t *ret_base)
{
	int r = set_state(f, VU_GET_VRING_BASE, index, 0);

	if (r < 0)
		return r;
	if (f->in.p.state.index != index || f->in.p.state.num > UINT16_MAX)
		return refuse(f, "it stops another queue");
	*ret_base = (uint16_t)f->in.p.state.num;
	return 0;
}
