/* SPDX-License-Identifier: MIT */
/* target.h - what the verbs with a TARGET have in common. */
#ifndef VMSH_TARGET_H
#define VMSH_TARGET_H

#include "json.h"
#include "opt.h"
#include "text.h"
#include "vm.h"

enum {
	TARGET_JSON = OPT_LONG,
	TARGET_OWN /* first id of a verb's own */
};

/* The rows of the option table of all of them. */
#define TARGET_OPTS                                                       \
	{ TARGET_JSON, "json", NULL, "print JSON with full values", 0 },  \
	{                                                                 \
		'v', "verbose", NULL, "say how long the machine stood", 0 \
	}

struct target {
	bool json;
	struct vm vm;
};
#define TARGET_INIT            \
	{                      \
		.vm = VM_INIT, \
	}

/*
 * target_open() - Take the options and the one operand, and open its kernel; where the members are that begin with @needs must be known; of KFIELDS, none must.
 *
 * Return: 0; else the exit code, and the message is printed.
 */
int target_open(struct opt_parser *p, enum kfield_id needs, struct target *ret) _must_check_;
void target_close(struct target *t);
#define _cleanup_target_ _cleanup_(target_close)

/* Is there one operand, the TARGET? Return: 0; -EINVAL. */
int target_alone(const struct opt_parser *p, struct err *e) _must_check_;

/* Print @e and give the exit code: of a wrong command line, or of a failure. */
int target_usage(const struct opt_parser *p, const struct err *e);
int target_failed(const struct err *e);

/* Is it all out? @r < 0 is a failure of whatever printed. Return: the exit code. */
int target_printed(int r);

/* The end of what was printed of @what. After a list that broke off with @r < 0 it says so. Return: the exit code. */
int target_end(int r, const char *what);

/* A list of the guest's kernel, to be printed: all of it at once, for a walk that breaks off is taken again. */
struct target_list {
	const struct target *t;
	const char *what;             /* they are */
	const char *const *head;      /* of the table */
	const struct text_flex *flex; /* a column that a terminal's width cuts; or NULL */
	struct text_table table;
	struct json_object *array;
	/* Add each, from the first on, to the one that is wanted. Return: as the iterator at its end; -ENOMEM. */
	int (*add_all)(struct target_list *l);
};
/* Return: the exit code. */
int target_list(struct target_list *l);

#endif
