/* SPDX-License-Identifier: MIT */
/* luks_hdr.h - the binary header of LUKS2. Private to luks*.c. */
#ifndef DISK_LUKS_HDR_H
#define DISK_LUKS_HDR_H

#include <endian.h>
#include <nettle/sha2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LUKS_MAGIC "LUKS\xba\xbe"

/* Two copies stand one after the other; integers are big-endian. JSON text follows each up to @hdr_size. */
struct luks_hdr {
	char magic[6];
	uint8_t version[2];
	uint8_t hdr_size[8];
	uint8_t seqid[8];
	char label[48];
	char csum_alg[32];
	uint8_t salt[64];
	char uuid[40];
	char subsystem[48];
	uint8_t hdr_offset[8];
	uint8_t pad[184];
	uint8_t csum[64];
	uint8_t pad4096[7 * 512];
};
_Static_assert(sizeof(struct luks_hdr) == 4096, "LUKS2 binary header");

static inline uint16_t luks_be16(const uint8_t v[2])
{
	return (uint16_t)(v[0] << 8 | v[1]);
}

static inline uint64_t luks_be64(const uint8_t v[8])
{
	uint64_t n = 0;

	for (int i = 0; i < 8; i++)
		n = n << 8 | v[i];
	return n;
}

struct err;
struct json_object;

bool luks_hdr_sane(const struct luks_hdr *h);
/* Over one whole copy, with the checksum itself taken as zeros. */
void luks_hdr_checksum(const void *hdr, size_t size, uint8_t ret[SHA256_DIGEST_SIZE]);

/* The metadata of the first copy, if its checksum is right; the caller's. Errors as luks_parse()'s. */
int luks_json(const void *buf, size_t size, struct json_object **ret, struct err *e);

#endif
