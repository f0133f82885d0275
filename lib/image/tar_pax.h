/* SPDX-License-Identifier: MIT */
/* tar_pax.h - the part of the tar parser that reads pax extended headers. Private to lib/image. */
#ifndef IMAGE_TAR_PAX_H
#define IMAGE_TAR_PAX_H

#include "tar.h"

/* Copy @s to @dst[TAR_PATH_MAX]. -EPROTO if a NUL is in it, for then two readers see two names; -ENAMETOOLONG. */
int tar_path_set(char *dst, struct span s) _must_check_;

/*
 * tar_pax_parse() - Records of "LENGTH KEY=VALUE\n" in @t->pax_buf, where LENGTH counts all of the record.
 *
 * Fills in @t->pax and @t->entry.xattr, whose names and values stay in the buffer.
 * Return: 0; -EPROTO, -EINVAL, -ERANGE malformed; -EOPNOTSUPP sparse; -ENAMETOOLONG; -E2BIG.
 */
int tar_pax_parse(struct tar *t) _must_check_;

#endif
