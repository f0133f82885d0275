/* SPDX-License-Identifier: MIT */
/*
 * script.h - what a library OS said to a back end at its start, descriptors included, to be said again.
 *
 * Whoever is in the machine may have written it: nothing of it is looked at, and how much it may be is limited.
 */
#ifndef BOOT_SCRIPT_H
#define BOOT_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

#define SCRIPT_PACKETS 32
#define SCRIPT_BYTES   4096
#define SCRIPT_FDS     8

struct script {
	uint8_t data[SCRIPT_BYTES];
	int fd[SCRIPT_FDS]; /* owned */
	size_t len;
	unsigned int nfds;
	struct {
		size_t len;
		unsigned int nfds;
	} packet[SCRIPT_PACKETS]; /* the next so many of both */
	unsigned int n;
	bool whole;
};

void script_fini(const struct script *s);

/*
 * script_hear() - All that the non-blocking packet socket @sock has now; at its end the script is whole.
 *
 * Return: 0; -E2BIG: more than a script may be; another -errno.
 */
int script_hear(struct script *s, int sock) _must_check_;

/* Say it to whoever is at the other end of the stream @sock. */
int script_say(const struct script *s, int sock) _must_check_;

#endif
