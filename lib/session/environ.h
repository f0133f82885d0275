/* SPDX-License-Identifier: MIT */
/*
 * environ.h - the environment of the command: the container's, less what would run its code in our tools.
 */
#ifndef SESSION_ENVIRON_H
#define SESSION_ENVIRON_H

#include <stddef.h>

#include "compiler.h"

#define ENV_SIZE_MAX (2U << 20) /* bytes taken from a container's environment */

/* Where programs are looked for if nothing else is said. */
#define ENV_DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct env {
	char **v; /* ends with NULL; each string ours */
	size_t n, room;
};

void env_fini(struct env *env);
#define _cleanup_env_ _cleanup_(env_fini)

/* Set NAME, or remove it if @value is NULL. -EINVAL for a name that is none; -ENOMEM. */
int env_set(struct env *env, const char *name, const char *value) _must_check_;
/* Set from "NAME=VALUE". */
int env_put(struct env *env, const char *assignment) _must_check_;
const char *env_get(const struct env *env, const char *name);

/* Add the strings of /proc/PID/environ. What is no NAME=VALUE is left out. */
int env_add_block(struct env *env, const char *block, size_t len) _must_check_;

/*
 * env_drop_hooks() - Remove the variables that make a loader, a shell or an
 * interpreter run or load what they name (LD_PRELOAD, BASH_ENV, PYTHONSTARTUP, ...):
 * in a view with other programs at / they would be the container's hand in our tools.
 */
void env_drop_hooks(struct env *env);

#endif
