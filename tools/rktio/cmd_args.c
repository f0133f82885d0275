/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "cmd.h"

int cmd_take_env(struct cmd_env *env, const char *text, struct err *e)
{
	const char *equals = strchr(text, '=');

	if (!equals || equals == text)
		return err_set(e, EINVAL, "'%.80s' is not NAME=VALUE", text);
	if (env->n == CMD_ENV_MAX)
		return err_set(e, E2BIG, "more than %d variables", CMD_ENV_MAX);
	env->text[env->n++] = text;
	return 0;
}

int cmd_take_workdir(const char *text, const char **ret, struct err *e)
{
	if (*text != '/')
		return err_set(e, EINVAL, "--workdir '%.80s' is not absolute", text);
	*ret = text;
	return 0;
}

int cmd_take_pid(const char *text, pid_t *ret, struct err *e)
{
	long pid;
	int r = opt_number(text, "PID", 1, 1 << 22, &pid, e);

	if (!r)
		*ret = (pid_t)pid;
	return r;
}
