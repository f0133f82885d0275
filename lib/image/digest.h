/* SPDX-License-Identifier: MIT */
/* digest.h - SHA-256 of a stream, and digests as images write them: "sha256:HEX". */
#ifndef IMAGE_DIGEST_H
#define IMAGE_DIGEST_H

#include <nettle/sha2.h>
#include <stdbool.h>
#include <stddef.h>

#include "compiler.h"

#define DIGEST_HEX (2 * SHA256_DIGEST_SIZE)

/* Lower-case hexadecimal; empty: not known. */
struct digest {
	char hex[DIGEST_HEX + 1];
};

/* "sha256:HEX". -EOPNOTSUPP another algorithm, -EPROTO malformed; @text may be NULL. */
int digest_parse(const char *text, struct digest *ret) _must_check_;
/* HEX alone, of @len bytes. */
int digest_parse_hex(const char *hex, size_t len, struct digest *ret) _must_check_;

/* The digest of what @ctx was fed; @ctx starts anew. */
void digest_final(struct sha256_ctx *ctx, struct digest *ret);
void digest_of(const void *data, size_t size, struct digest *ret);
bool digest_eq(const struct digest *a, const struct digest *b);

#endif
