/* SPDX-License-Identifier: MIT */
/*
 * request.h - what is to run in a guest, and as whom.
 *
 * Theory of operation
 *
 * A request is text: strings "KEY=VALUE", each with its NUL, in any order but that of the same key.
 * It comes in as many WIRE_REQUESTs as it takes. Keys are
 *
 *	arg=WORD	of the command line; at least one
 *	env=NAME=VALUE	over the environment of the process that is joined
 *	cwd=PATH	working directory; else the guest's root
 *	user=USER[:GROUP]
 *	pid=NUMBER	the process whose namespaces, cgroups and rights it gets; else 1
 *	container=NAME	in place of pid: the first process of that container
 *	privileged=1	keep root's rights
 *	tools=fuse|archive|disk
 *			how the tools come; else there are none, and the view is the guest's own
 *	disk=ID		what the block device says of itself that they are on, and
 *	type=NAME	the file system there
 *	rw=1		the tools may be written
 *	tty=MASK	which of 0, 1, 2 are a terminal: bits
 *	termios=MODES	as stty -g prints them
 *	size=ROWS COLUMNS XPIXEL YPIXEL
 */
#ifndef WIRE_REQUEST_H
#define WIRE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <termios.h>

#include "compiler.h"
#include "wire.h"

#define WIRE_REQUEST_MAX (2U << 20)
#define WIRE_WORDS_MAX   32768U

/* Text that grows; for both sides. */
struct wire_text {
	char *p; /* owned */
	size_t size, room;
};

void wire_text_fini(struct wire_text *t);
#define _cleanup_wire_text_ _cleanup_(wire_text_fini)

/* Append what came. -E2BIG: more than WIRE_REQUEST_MAX; -ENOMEM. */
int wire_text_add(struct wire_text *t, const void *data, size_t size) _must_check_;
/* Append "@key=@value" and its NUL. */
int wire_text_put(struct wire_text *t, const char *key, const char *value) _must_check_;
int wire_text_put_termios(struct wire_text *t, const struct termios *modes) _must_check_;

enum wire_tools {
	WIRE_TOOLS_NONE,
	WIRE_TOOLS_FUSE,
	WIRE_TOOLS_ARCHIVE,
	WIRE_TOOLS_DISK /* with @disk and @type */
};

struct wire_request {
	const char **argv,
		**env; /* owned, with NULL at the end; words are borrowed from the text */
	size_t argc, nenv;
	const char *cwd, *user, *container, *disk, *type; /* or NULL */
	pid_t pid;
	bool privileged, writable;
	enum wire_tools tools;
	unsigned int tty; /* bits 0 to 2 */
	bool has_termios;
	struct termios termios;
	struct wire_size size;
};

/* Return: 0 and *@ret, whose words stay in @t; -EPROTO; -ENOMEM. */
int wire_request_parse(const struct wire_text *t, struct wire_request *ret) _must_check_;
void wire_request_fini(struct wire_request *r);
#define _cleanup_wire_request_ _cleanup_(wire_request_fini)

#endif
