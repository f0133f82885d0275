/* SPDX-License-Identifier: MIT */
#include "vu_back.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/virtio_config.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "vu_sock.h"

#define PROTOCOL \
	(VU_P_MQ | VU_P_REPLY_ACK | VU_P_CONFIG | VU_P_RESET_DEVICE | VU_P_CONFIGURE_MEM_SLOTS)
#define RING_FEATURES                                                                 \
	(UINT64_C(1) << VIRTIO_F_VERSION_1 | UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX | \
	 UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC)

static uint64_t offered(const struct vu_back *b)
{
	return b->dev->features | RING_FEATURES | VU_F_PROTOCOL_FEATURES;
}

static bool has(const struct vu_back *b, unsigned int feature)
{
	return b->features >> feature & 1;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static void vring_reset(struct vu_vring *v)
{
	close_fd(&v->kick);
	close_fd(&v->call);
	close_fd(&v->err);
	*v = (struct vu_vring){ .kick = -1, .call = -1, .err = -1 };
}

static void notify(int fd)
{
	uint64_t one = 1;

	/* An eventfd that is full says the same; one that is none is the front end's loss. */
	if (fd >= 0)
		(void)!write(fd, &one, sizeof(one));
}

static void publish(struct vu_back *b)
{
	for (unsigned int i = 0; i < b->dev->nqueues; i++)
		if (b->vring[i].running && vq_dev_publish(&b->vring[i].vq))
			notify(b->vring[i].call);
}

/* Let the device finish what it has taken. */
static void drain(struct vu_back *b)
{
	(void)b->dev->reap(b->dev->arg, true);
	publish(b);
}

static void vring_break(struct vu_back *b, struct vu_vring *v)
{
	static struct log_limit limit;

	if (log_allowed(&limit))
		log_warn("the driver broke queue %td, which stops until it is reset", v - b->vring);
	drain(b);
	v->base = v->vq.last_avail;
	v->running = false;
	v->kicked = false;
	notify(v->err);
}

unsigned int vu_back_work(struct vu_back *b)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < b->dev->nqueues; i++) {
		struct vu_vring *v = &b->vring[i];
		int r = v->running ? b->dev->take(b->dev->arg, i, &v->vq) : 0;

		if (r < 0)
			vring_break(b, v);
		else
			n += (unsigned int)r;
	}
	n += b->dev->reap(b->dev->arg, false);
	if (n)
		publish(b);
	return n;
}

void vu_back_init(struct vu_back *b, const struct vu_device *dev, int sock)
{
	*b = (struct vu_back){ .dev = dev, .sock = sock };
	vu_mem_init(&b->mem);
	for (unsigned int i = 0; i < VU_QUEUES_MAX; i++)
		b->vring[i] = (struct vu_vring){ .kick = -1, .call = -1, .err = -1 };
}

static void reset(struct vu_back *b)
{
	drain(b);
	for (unsigned int i = 0; i < VU_QUEUES_MAX; i++)
		vring_reset(&b->vring[i]);
}

void vu_back_fini(struct vu_back *b)
{
	reset(b);
	vu_mem_fini(&b->mem);
	close_fd(&b->sock);
}

/* Find the rings in memory, as it is now. */
static int vring_map(struct vu_back *b, struct vu_vring *v, struct err *e)
{
	struct vq_conf c = { .size = v->size,
			     .next_avail = v->base,
			     .event_idx = has(b, VIRTIO_RING_F_EVENT_IDX),
			     .indirect = has(b, VIRTIO_RING_F_INDIRECT_DESC) };

	if (!v->size || !v->addressed)
		return err_set(e, EPROTO, "queue %td is started without size or address",
			       v - b->vring);
	if (vu_mem_gpa(&b->mem, (rva_t){ v->desc }, &c.desc) < 0 ||
	    vu_mem_gpa(&b->mem, (rva_t){ v->avail }, &c.avail) < 0 ||
	    vu_mem_gpa(&b->mem, (rva_t){ v->used }, &c.used) < 0 ||
	    vq_dev_init(&v->vq, &b->mem.gmem, &c) < 0)
		return err_set(e, EPROTO, "the rings of queue %td are not in shared memory",
			       v - b->vring);
	return 0;
}

static int vring_run(struct vu_back *b, struct vu_vring *v, struct err *e)
{
	bool run = v->kicked && v->enabled;
	int r;

	if (run && !v->running) {
		r = vring_map(b, v, e);
		if (r < 0)
			return r;
		vq_dev_kicks_off(&v->vq); /* whoever sleeps asks for them */
	}
	if (!run && v->running) {
		drain(b);
		v->base = v->vq.last_avail;
	}
	v->running = run;
	return 0;
}

/* Memory has changed: what runs must still be in it. */
static int remap_all(struct vu_back *b, struct err *e)
{
	for (unsigned int i = 0; i < b->dev->nqueues; i++) {
		struct vu_vring *v = &b->vring[i];
		int r = 0;

		if (!v->running)
			continue;
		v->base = v->vq.last_avail;
		v->running = false;
		r = vring_run(b, v, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int find_vring(struct vu_back *b, uint64_t index, struct vu_vring **ret, struct err *e)
{
	if (index >= b->dev->nqueues)
		return err_set(e, EPROTO, "there is no queue %" PRIu64, index);
	*ret = &b->vring[index];
	return 0;
}

static int take_msg_fd(struct vu_msg *m)
{
	if (!m->nfds)
		return -1;
	m->nfds = 0;
	return m->fd[0];
}

static int set_features(struct vu_back *b, struct err *e)
{
	uint64_t f = b->msg.p.u64;

	if (f & ~offered(b))
		return err_set(e, EPROTO,
			       "the front end wants features that were not offered: %#" PRIx64,
			       f & ~offered(b));
	b->features = f;
	/* Without protocol features there is nothing to enable a queue with. */
	for (unsigned int i = 0; i < b->dev->nqueues && !(f & VU_F_PROTOCOL_FEATURES); i++)
		b->vring[i].enabled = true;
	b->dev->negotiated(b->dev->arg, f);
	return 0;
}

static int set_protocol_features(struct vu_back *b, struct err *e)
{
	uint64_t f = b->msg.p.u64;

	if (f & ~PROTOCOL)
		return err_set(
			e, EPROTO,
			"the front end wants protocol features that were not offered: %#" PRIx64,
			f & ~PROTOCOL);
	b->protocol = f;
	return 0;
}

static int set_mem_table(struct vu_back *b, struct err *e)
{
	const struct vu_mem_table *t = &b->msg.p.mem;

	drain(b);
	vu_mem_fini(&b->mem);
	for (uint32_t i = 0; i < t->nregions; i++) {
		int r = vu_mem_add(&b->mem, &t->region[i], b->msg.fd[i], e);

		if (r < 0)
			return r;
	}
	return remap_all(b, e);
}

static int rem_mem_reg(struct vu_back *b, struct err *e)
{
	int r;

	drain(b);
	r = vu_mem_del(&b->mem, &b->msg.p.reg.region, e);
	return r < 0 ? r : remap_all(b, e);
}

static int set_vring_num(struct vu_back *b, struct vu_vring *v, struct err *e)
{
	uint32_t n = b->msg.p.state.num;

	if (v->running || n > VQ_SIZE_MAX || !vq_size_ok((uint16_t)n))
		return err_set(e, EPROTO, "queue %td cannot have %u entries", v - b->vring, n);
	v->size = (uint16_t)n;
	return 0;
}

static int set_vring_addr(struct vu_back *b, struct vu_vring *v, struct err *e)
{
	const struct vu_vring_addr *a = &b->msg.p.addr;

	if (a->flags)
		return err_set(e, EPROTO, "queue %td wants its writes logged", v - b->vring);
	v->desc = a->desc;
	v->avail = a->avail;
	v->used = a->used;
	v->addressed = true;
	if (!v->running)
		return 0;
	drain(b);
	return remap_all(b, e);
}

static int set_vring_base(struct vu_back *b, struct vu_vring *v, struct err *e)
{
	if (v->running || b->msg.p.state.num > UINT16_MAX)
		return err_set(e, EPROTO, "queue %td cannot continue at %u", v - b->vring,
			       b->msg.p.state.num);
	v->base = (uint16_t)b->msg.p.state.num;
	return 0;
}

/* Stops the queue. What broke is told as it was when it broke. */
static int get_vring_base(struct vu_back *b, struct vu_vring *v, struct err *e)
{
	int r;

	v->kicked = false;
	r = vring_run(b, v, e);
	close_fd(&v->kick);
	close_fd(&v->call);
	b->msg.p.state.num = v->base;
	return r;
}

/* A front end's descriptor must not be able to make us wait. */
static int set_vring_fd(struct vu_back *b, struct vu_vring *v, int *slot, struct err *e)
{
	close_fd(slot);
	*slot = take_msg_fd(&b->msg);
	if (*slot >= 0 && fcntl(*slot, F_SETFL, O_NONBLOCK) < 0)
		return err_set(e, errno, "cannot use the descriptor of queue %td: %s", v - b->vring,
			       err_str(errno));
	return 0;
}

static int set_vring_kick(struct vu_back *b, struct vu_vring *v, struct err *e)
{
	int r = set_vring_fd(b, v, &v->kick, e);

	if (r < 0)
		return r;
	v->kicked = true;
	return vring_run(b, v, e);
}

static int set_vring_enable(struct vu_back *b, struct vu_vring *v, struct err *e)
{
	if (!(b->features & VU_F_PROTOCOL_FEATURES) || b->msg.p.state.num > 1)
		return err_set(e, EPROTO, "queue %td cannot be enabled like that", v - b->vring);
	v->enabled = b->msg.p.state.num;
	return vring_run(b, v, e);
}

static int handle_vring(struct vu_back *b, uint64_t index, struct err *e)
{
	struct vu_vring *v;
	int r = find_vring(b, index, &v, e);

	if (r < 0)
		return r;
	switch (b->msg.h.request) {
	case VU_SET_VRING_NUM:
		return set_vring_num(b, v, e);
	case VU_SET_VRING_ADDR:
		return set_vring_addr(b, v, e);
	case VU_SET_VRING_BASE:
		return set_vring_base(b, v, e);
	case VU_GET_VRING_BASE:
		return get_vring_base(b, v, e);
	case VU_SET_VRING_ENABLE:
		return set_vring_enable(b, v, e);
	case VU_SET_VRING_KICK:
		return set_vring_kick(b, v, e);
	case VU_SET_VRING_CALL:
		return set_vring_fd(b, v, &v->call, e);
	default:
		return set_vring_fd(b, v, &v->err, e);
	}
}

/* A reply without data says that there is no such configuration. */
static int get_config(struct vu_back *b)
{
	struct vu_config *c = &b->msg.p.config;

	if (b->dev->config_get(b->dev->arg, c->offset, c->data, c->size) < 0)
		b->msg.h.size = 0;
	return 0;
}

static int set_config(struct vu_back *b, struct err *e)
{
	const struct vu_config *c = &b->msg.p.config;

	if (!b->dev->config_set || b->dev->config_set(b->dev->arg, c->offset, c->data, c->size) < 0)
		return err_set(e, EPROTO, "the configuration at %u is not writable", c->offset);
	return 0;
}

/* The answer is made in place. */
static int answer(struct vu_back *b, uint64_t v)
{
	b->msg.p.u64 = v;
	b->msg.h.size = sizeof(v);
	return 0;
}

static int handle(struct vu_back *b, struct err *e)
{
	switch (b->msg.h.request) {
	case VU_GET_FEATURES:
		return answer(b, offered(b));
	case VU_SET_FEATURES:
		return set_features(b, e);
	case VU_GET_PROTOCOL_FEATURES:
		return answer(b, PROTOCOL);
	case VU_SET_PROTOCOL_FEATURES:
		return set_protocol_features(b, e);
	case VU_GET_QUEUE_NUM:
		return answer(b, b->dev->nqueues);
	case VU_GET_MAX_MEM_SLOTS:
		return answer(b, VU_SLOTS_MAX);
	case VU_SET_OWNER:
		return 0;
	case VU_RESET_OWNER:
	case VU_RESET_DEVICE:
		reset(b);
		return 0;
	case VU_SET_MEM_TABLE:
		return set_mem_table(b, e);
	case VU_ADD_MEM_REG:
		return vu_mem_add(&b->mem, &b->msg.p.reg.region, b->msg.fd[0], e);
	case VU_REM_MEM_REG:
		return rem_mem_reg(b, e);
	case VU_GET_CONFIG:
		return get_config(b);
	case VU_SET_CONFIG:
		return set_config(b, e);
	case VU_SET_VRING_ADDR:
		return handle_vring(b, b->msg.p.addr.index, e);
	case VU_SET_VRING_KICK:
	case VU_SET_VRING_CALL:
	case VU_SET_VRING_ERR:
		return handle_vring(b, b->msg.p.u64 & VU_VRING_IDX_MASK, e);
	default: /* vu_msg.c lets no others through */
		return handle_vring(b, b->msg.p.state.index, e);
	}
}

int vu_back_handle(struct vu_back *b, struct err *e)
{
	bool answers, ack;
	int r, sent = 0;

	r = vu_sock_recv(b->sock, &b->msg, e);
	if (r <= 0)
		return r;
	answers = vu_request_answers(b->msg.h.request);
	ack = !answers && b->protocol & VU_P_REPLY_ACK && b->msg.h.flags & VU_NEED_REPLY;
	r = handle(b, e);
	vu_msg_close_fds(&b->msg);
	b->msg.h.flags = VU_VERSION | VU_REPLY;
	if (ack)
		(void)answer(b, r < 0);
	if (ack || (answers && r == 0))
		sent = vu_sock_send(b->sock, &b->msg);
	if (r < 0)
		return err_wrap(e, r, "%s", vu_request_name(b->msg.h.request));
	if (sent < 0)
		return sent == -EPIPE ? 0 : err_set(e, -sent, "cannot reply: %s", err_str(sent));
	return 1;
}
