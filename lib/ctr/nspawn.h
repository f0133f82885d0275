/* SPDX-License-Identifier: MIT */
/* nspawn.h - what systemd-machined and systemd-nspawn say about a container. Private to lib/ctr. */
#ifndef CTR_NSPAWN_H
#define CTR_NSPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "cursor.h"

/* A file of /run/systemd/machines, KEY=VALUE per line. Spans are borrowed. */
struct nspawn_machine {
	pid_t leader;
	bool container;   /* CLASS=container; machined registers virtual machines too */
	struct span root; /* ROOT, may be empty */
};

/* -EPROTO without a LEADER that is a pid. */
int nspawn_machine_parse(const char *text, size_t len, struct nspawn_machine *ret) _must_check_;

#define NSPAWN_NAME_MAX 65 /* a host name, HOST_NAME_MAX, and its NUL */

/* What the command line of a systemd-nspawn process says. */
struct nspawn_args {
	char name[NSPAWN_NAME_MAX]; /* empty: only the working directory can tell */
	struct span image;          /* directory or disk image, borrowed; may be empty */
};

/* @cmdline is NUL-separated. It always succeeds: what it does not know is not there. */
void nspawn_args_parse(const char *cmdline, size_t len, struct nspawn_args *ret);

/* What systemd-nspawn calls a container of the directory or image @path: empty for "/" and ".". */
void nspawn_name_of_path(struct span path, char ret[NSPAWN_NAME_MAX]);

#endif
