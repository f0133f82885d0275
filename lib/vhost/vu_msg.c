/* SPDX-License-Identifier: MIT */
#include "vu_msg.h"

#include <errno.h>

#define CONFIG_HEAD offsetof(struct vu_config, data)
#define TABLE_HEAD  offsetof(struct vu_mem_table, region)

/* What the two ends may send for one request; a max of 0 for a reply: it has none of its own. */
struct shape {
	const char *name;
	uint16_t min, max;
	uint16_t reply_min, reply_max;
	uint8_t fds_max;
};

static const struct shape shapes[] = {
	[VU_GET_FEATURES] = { "GET_FEATURES", 0, 0, 8, 8, 0 },
	[VU_SET_FEATURES] = { "SET_FEATURES", 8, 8, 0, 0, 0 },
	[VU_SET_OWNER] = { "SET_OWNER", 0, 0, 0, 0, 0 },
	[VU_RESET_OWNER] = { "RESET_OWNER", 0, 0, 0, 0, 0 },
	[VU_SET_MEM_TABLE] = { "SET_MEM_TABLE", TABLE_HEAD, sizeof(struct vu_mem_table), 0, 0,
			       VU_REGIONS_MAX },
	[VU_SET_VRING_NUM] = { "SET_VRING_NUM", 8, 8, 0, 0, 0 },
	[VU_SET_VRING_ADDR] = { "SET_VRING_ADDR", 40, 40, 0, 0, 0 },
	[VU_SET_VRING_BASE] = { "SET_VRING_BASE", 8, 8, 0, 0, 0 },
	[VU_GET_VRING_BASE] = { "GET_VRING_BASE", 8, 8, 8, 8, 0 },
	[VU_SET_VRING_KICK] = { "SET_VRING_KICK", 8, 8, 0, 0, 1 },
	[VU_SET_VRING_CALL] = { "SET_VRING_CALL", 8, 8, 0, 0, 1 },
	[VU_SET_VRING_ERR] = { "SET_VRING_ERR", 8, 8, 0, 0, 1 },
	[VU_GET_PROTOCOL_FEATURES] = { "GET_PROTOCOL_FEATURES", 0, 0, 8, 8, 0 },
	[VU_SET_PROTOCOL_FEATURES] = { "SET_PROTOCOL_FEATURES", 8, 8, 0, 0, 0 },
	[VU_GET_QUEUE_NUM] = { "GET_QUEUE_NUM", 0, 0, 8, 8, 0 },
	[VU_SET_VRING_ENABLE] = { "SET_VRING_ENABLE", 8, 8, 0, 0, 0 },
	/* A reply without data says that the back end could not. */
	[VU_GET_CONFIG] = { "GET_CONFIG", CONFIG_HEAD, sizeof(struct vu_config), 0,
			    sizeof(struct vu_config), 0 },
	[VU_SET_CONFIG] = { "SET_CONFIG", CONFIG_HEAD, sizeof(struct vu_config), 0, 0, 0 },
	[VU_RESET_DEVICE] = { "RESET_DEVICE", 0, 0, 0, 0, 0 },
	[VU_GET_MAX_MEM_SLOTS] = { "GET_MAX_MEM_SLOTS", 0, 0, 8, 8, 0 },
	[VU_ADD_MEM_REG] = { "ADD_MEM_REG", sizeof(struct vu_mem_reg), sizeof(struct vu_mem_reg), 0,
			     0, 1 },
	/* Some front ends send the descriptor once more. */
	[VU_REM_MEM_REG] = { "REM_MEM_REG", sizeof(struct vu_mem_reg), sizeof(struct vu_mem_reg), 0,
			     0, 1 },
};

static const struct shape *shape_of(uint32_t request)
{
	if (request >= ARRAY_SIZE(shapes) || !shapes[request].name)
		return NULL;
	return &shapes[request];
}

const char *vu_request_name(uint32_t request)
{
	const struct shape *s = shape_of(request);

	return s ? s->name : "unknown request";
}

bool vu_request_answers(uint32_t request)
{
	const struct shape *s = shape_of(request);

	return s && s->reply_max;
}

static int bad(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EPROTO;
}

static int size_check(const struct vu_header *h, size_t min, size_t max, const char **ret_why)
{
	if (h->size < min)
		return bad(ret_why, "the payload is too short");
	if (h->size > max)
		return bad(ret_why, "the payload is too long");
	return 0;
}

int vu_header_check(const struct vu_header *h, enum vu_sender from, const char **ret_why)
{
	const struct shape *s = shape_of(h->request);

	if ((h->flags & VU_VERSION_MASK) != VU_VERSION)
		return bad(ret_why, "it is not of version 1");
	if (!s)
		return bad(ret_why, "there is no such request");
	if (from == VU_FROM_FRONT) {
		if (h->flags & VU_REPLY)
			return bad(ret_why, "a front end does not reply");
		return size_check(h, s->min, s->max, ret_why);
	}
	if (!(h->flags & VU_REPLY))
		return bad(ret_why, "it is not marked as a reply");
	if (s->reply_max)
		return size_check(h, s->reply_min, s->reply_max, ret_why);
	return size_check(h, sizeof(uint64_t), sizeof(uint64_t), ret_why); /* REPLY_ACK */
}

static int config_check(const struct vu_msg *m, const char **ret_why)
{
	const struct vu_config *c = &m->p.config;

	if (!m->h.size)
		return 0;
	if (m->h.size < CONFIG_HEAD || c->size > VU_CONFIG_MAX ||
	    m->h.size != CONFIG_HEAD + c->size)
		return bad(ret_why, "its sizes contradict each other");
	if (c->offset > VU_CONFIG_MAX || c->size > VU_CONFIG_MAX - c->offset)
		return bad(ret_why, "it reaches past the configuration space");
	return 0;
}

static int table_check(const struct vu_msg *m, const char **ret_why)
{
	uint32_t n = m->p.mem.nregions;

	if (!n || n > VU_REGIONS_MAX || m->h.size != vu_table_size(n))
		return bad(ret_why, "its sizes contradict each other");
	if (m->nfds != n)
		return bad(ret_why, "there is not one descriptor for each region");
	return 0;
}

static int vring_fd_check(const struct vu_msg *m, const char **ret_why)
{
	if (m->p.u64 & ~(uint64_t)(VU_VRING_IDX_MASK | VU_VRING_NO_FD))
		return bad(ret_why, "it has unknown bits");
	if (m->nfds != (m->p.u64 & VU_VRING_NO_FD ? 0 : 1))
		return bad(ret_why, "the number of descriptors is wrong");
	return 0;
}

int vu_payload_check(const struct vu_msg *m, enum vu_sender from, const char **ret_why)
{
	const struct shape *s = shape_of(m->h.request);
	bool request = from == VU_FROM_FRONT;

	if (!s)
		return bad(ret_why, "there is no such request");
	if (m->nfds > (request ? s->fds_max : 0))
		return bad(ret_why, "it has too many descriptors");
	switch (m->h.request) {
	case VU_GET_CONFIG:
		return config_check(m, ret_why);
	case VU_SET_CONFIG:
		return request ? config_check(m, ret_why) : 0;
	case VU_SET_MEM_TABLE:
		return request ? table_check(m, ret_why) : 0;
	case VU_SET_VRING_KICK:
	case VU_SET_VRING_CALL:
	case VU_SET_VRING_ERR:
		return request ? vring_fd_check(m, ret_why) : 0;
	case VU_ADD_MEM_REG:
		if (request && m->nfds != 1)
			return bad(ret_why, "it has no descriptor");
		return 0;
	default:
		return 0;
	}
}
