/* SPDX-License-Identifier: MIT */
/* cmd_image.h - what "rktio image" was asked for, and the three things that it does. */
#ifndef RKTIO_CMD_IMAGE_H
#define RKTIO_CMD_IMAGE_H

#include <stdbool.h>

#include "err.h"

struct image_args {
	const char *path;
	const char *packages, *dir, *oci, *ref, *size;
	const char *key_file, *root_hash;
	bool verity, encrypt, force, json, quiet;
};

/* Check what only this action can: -EINVAL for a wrong command line; and do it. */
int image_create_check(const struct image_args *a, struct err *e) _must_check_;
int image_create(const struct image_args *a, struct err *e) _must_check_;
int image_info_check(const struct image_args *a, struct err *e) _must_check_;
int image_info(const struct image_args *a, struct err *e) _must_check_;
int image_verify_check(const struct image_args *a, struct err *e) _must_check_;
int image_verify(const struct image_args *a, struct err *e) _must_check_;

#endif
