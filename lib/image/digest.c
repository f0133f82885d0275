/* SPDX-License-Identifier: MIT */
#include "digest.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

int digest_parse_hex(const char *hex, size_t len, struct digest *ret)
{
	if (len != DIGEST_HEX)
		return -EPROTO;
	for (size_t i = 0; i < len; i++)
		if (!strchr("0123456789abcdef", hex[i]) || !hex[i])
			return -EPROTO;
	memcpy(ret->hex, hex, len);
	ret->hex[len] = '\0';
	return 0;
}

int digest_parse(const char *text, struct digest *ret)
{
	static const char prefix[] = "sha256:";

	if (!text || !strchr(text, ':'))
		return -EPROTO;
	if (strncmp(text, prefix, strlen(prefix)) != 0)
		return -EOPNOTSUPP;
	return digest_parse_hex(text + strlen(prefix), strlen(text) - strlen(prefix), ret);
}

void digest_final(struct sha256_ctx *ctx, struct digest *ret)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t raw[SHA256_DIGEST_SIZE];

	sha256_digest(ctx, sizeof(raw), raw);
	for (size_t i = 0; i < sizeof(raw); i++) {
		ret->hex[2 * i] = digits[raw[i] >> 4];
		ret->hex[2 * i + 1] = digits[raw[i] & 15];
	}
	ret->hex[DIGEST_HEX] = '\0';
}

void digest_of(const void *data, size_t size, struct digest *ret)
{
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, size, data);
	digest_final(&ctx, ret);
}

bool digest_eq(const struct digest *a, const struct digest *b)
{
	return a->hex[0] && !strcmp(a->hex, b->hex);
}
