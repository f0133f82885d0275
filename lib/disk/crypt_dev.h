/* SPDX-License-Identifier: MIT */
/* crypt_dev.h - libcryptsetup on a file that is open, with its errors in ours. Private to lib/disk. */
#ifndef DISK_CRYPT_DEV_H
#define DISK_CRYPT_DEV_H

#include <libcryptsetup.h>

#include "err.h"

/* @fd stays the caller's and must outlive it. */
int crypt_dev_open(int fd, struct crypt_device **ret, struct err *e) _must_check_;
static inline void crypt_dev_freep(struct crypt_device **cd)
{
	crypt_free(*cd);
}
#define _cleanup_crypt_dev_ _cleanup_(crypt_dev_freep)

/* Say that @what failed with @r (< 0), and what libcryptsetup said about it. */
int crypt_dev_failed(int r, const char *what, struct err *e) _cold_;

#endif
