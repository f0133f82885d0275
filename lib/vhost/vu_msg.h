/* SPDX-License-Identifier: MIT */
/*
 * vu_msg.h - vhost-user messages: what they look like, and whether one is well-formed.
 *
 * Theory of operation
 *
 * A message is a header, a payload of the size that the header names, and
 * descriptors beside the header (QEMU, docs/interop/vhost-user.rst). Numbers
 * are in the machine's byte order, for both ends are on it. A receiver reads
 * the header and asks vu_header_check() before it reads that many bytes of
 * payload, then vu_payload_check(), which also looks at the number of
 * descriptors. After both, sizes and counts inside the payload are right;
 * addresses, indices and the descriptors themselves are not looked at here.
 *
 * No I/O, no allocation, no C library beyond memcpy: the library OS's kernel
 * shares this file.
 */
#ifndef VHOST_VU_MSG_H
#define VHOST_VU_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

#define VU_REGIONS_MAX 8   /* of one SET_MEM_TABLE */
#define VU_SLOTS_MAX   32  /* of all ADD_MEM_REG */
#define VU_CONFIG_MAX  256 /* bytes of configuration space */
#define VU_FDS_MAX     VU_REGIONS_MAX

/* Names are the specification's, without its VHOST_USER_. */
enum vu_request {
	VU_GET_FEATURES = 1,
	VU_SET_FEATURES = 2,
	VU_SET_OWNER = 3,
	VU_RESET_OWNER = 4,
	VU_SET_MEM_TABLE = 5,
	VU_SET_VRING_NUM = 8,
	VU_SET_VRING_ADDR = 9,
	VU_SET_VRING_BASE = 10,
	VU_GET_VRING_BASE = 11,
	VU_SET_VRING_KICK = 12,
	VU_SET_VRING_CALL = 13,
	VU_SET_VRING_ERR = 14,
	VU_GET_PROTOCOL_FEATURES = 15,
	VU_SET_PROTOCOL_FEATURES = 16,
	VU_GET_QUEUE_NUM = 17,
	VU_SET_VRING_ENABLE = 18,
	VU_GET_CONFIG = 24,
	VU_SET_CONFIG = 25,
	VU_RESET_DEVICE = 34,
	VU_GET_MAX_MEM_SLOTS = 36,
	VU_ADD_MEM_REG = 37,
	VU_REM_MEM_REG = 38
};

/* A device feature: there are protocol features to ask for. */
#define VU_F_PROTOCOL_FEATURES (UINT64_C(1) << 30)

#define VU_P_MQ                  (UINT64_C(1) << 0)
#define VU_P_REPLY_ACK           (UINT64_C(1) << 3)
#define VU_P_CONFIG              (UINT64_C(1) << 9)
#define VU_P_RESET_DEVICE        (UINT64_C(1) << 13)
#define VU_P_CONFIGURE_MEM_SLOTS (UINT64_C(1) << 15)

/* Header flags. */
#define VU_VERSION      0x1u
#define VU_VERSION_MASK 0x3u
#define VU_REPLY        0x4u
#define VU_NEED_REPLY   0x8u

/* The payload of SET_VRING_KICK, CALL and ERR: a queue, or with this bit no descriptor comes. */
#define VU_VRING_IDX_MASK 0xffu
#define VU_VRING_NO_FD    0x100u

struct vu_header {
	uint32_t request;
	uint32_t flags;
	uint32_t size; /* of the payload */
};

struct vu_vring_state {
	uint32_t index;
	uint32_t num;
};

/* The rings' addresses are the front end's own; log is not used. */
struct vu_vring_addr {
	uint32_t index;
	uint32_t flags;
	uint64_t desc;
	uint64_t used;
	uint64_t avail;
	uint64_t log;
};

struct vu_region {
	uint64_t gpa;
	uint64_t size;
	uint64_t user_addr; /* where the front end has it */
	uint64_t fd_off;
};

struct vu_mem_table {
	uint32_t nregions;
	uint32_t padding;
	struct vu_region region[VU_REGIONS_MAX];
};

struct vu_mem_reg {
	uint64_t padding;
	struct vu_region region;
};

struct vu_config {
	uint32_t offset;
	uint32_t size;
	uint32_t flags;
	uint8_t data[VU_CONFIG_MAX];
};

union vu_payload {
	uint64_t u64;
	struct vu_vring_state state;
	struct vu_vring_addr addr;
	struct vu_mem_table mem;
	struct vu_mem_reg reg;
	struct vu_config config;
};

struct vu_msg {
	struct vu_header h;
	union vu_payload p;
	size_t nfds;
	int fd[VU_FDS_MAX];
};

enum vu_sender {
	VU_FROM_FRONT, /* requests */
	VU_FROM_BACK   /* replies */
};

/*
 * vu_header_check() - May a payload of @h->size bytes be read?
 * vu_payload_check() - Is the message of that header, with its payload, well-formed?
 *
 * Return: 0; -EPROTO, and *@ret_why is what is wrong with it, a static string.
 */
int vu_header_check(const struct vu_header *h, enum vu_sender from, const char **ret_why)
	_must_check_;
int vu_payload_check(const struct vu_msg *m, enum vu_sender from, const char **ret_why)
	_must_check_;

/* "SET_FEATURES"; "unknown request" for what is not in the table. */
const char *vu_request_name(uint32_t request);

/* Does the request have a reply of its own, rather than one that REPLY_ACK adds? */
bool vu_request_answers(uint32_t request);

/* Bytes of a configuration payload with @len bytes of data. */
static inline uint32_t vu_config_size(uint32_t len)
{
	return (uint32_t)offsetof(struct vu_config, data) + len;
}

/* Bytes of a memory table of @n regions. */
static inline uint32_t vu_table_size(uint32_t n)
{
	return (uint32_t)(offsetof(struct vu_mem_table, region) + n * sizeof(struct vu_region));
}

#endif
