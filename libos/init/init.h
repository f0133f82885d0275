/* SPDX-License-Identifier: MIT */
/* init.h - what the files of init share. */
#ifndef INIT_INIT_H
#define INIT_INIT_H

#include <stdbool.h>
#include <stddef.h>

#include "conf.h"

struct conf {
	size_t size; /* whole strings, NUL included */
	char text[CONF_MAX];
};

/* The first value of @key behind @last, which is one of its values; NULL: from the start, and when there is none. */
const char *conf_next(const struct conf *c, const char *key, const char *last);

/* Say it, with errno unless that is 0, and stop the machine with status 125. */
void init_fail(const char *what, const char *object) __attribute__((noreturn));

/* Mount, make devices, and move into the root file system. */
void set_up(struct conf *c);

/* Loopback and the network that the launcher wants. */
void net_up(const struct conf *c);

/* Make the device that @text ("NAME[-ro] SECTORS TYPE PARAMETERS") says. @text is wiped. */
void dm_make(char *text);

#endif
