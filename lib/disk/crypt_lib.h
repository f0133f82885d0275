/* SPDX-License-Identifier: MIT */
/* crypt_lib.h - libcryptsetup, loaded when it is needed. Private to lib/disk. */
#ifndef DISK_CRYPT_LIB_H
#define DISK_CRYPT_LIB_H

#include "err.h"

/* Before the first call of one of its functions. -ELIBACC: it is not there. One thread. */
int crypt_lib_load(struct err *e) _must_check_;

#endif
