/* SPDX-License-Identifier: MIT */
/*
 * initrd.h - the initial file system of a machine, in memory: init and what it is to do.
 *
 * The archive is the kernel's "newc" form of cpio (Documentation/driver-api/early-userspace/
 * buffer-format.rst). It is a memfd, for the configuration may hold a disk's key.
 */
#ifndef BOOT_INITRD_H
#define BOOT_INITRD_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

/* The strings of libos/init/conf.h, one after the other. */
struct boot_conf {
	char *data;
	size_t size, room;
	bool failed; /* out of memory, or too long: initrd_make() says it */
};

/* Append "KEY=" and the formatted value. */
void boot_conf_add(struct boot_conf *c, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Wipes and frees. */
void boot_conf_fini(struct boot_conf *c);
#define _cleanup_boot_conf_ _cleanup_(boot_conf_fini)

/* @init: the program, a descriptor. Return: the memfd, at offset 0, the caller's; -errno. */
int initrd_make(int init, const struct boot_conf *conf, struct err *e) _must_check_;

#endif
