/* SPDX-License-Identifier: MIT */
#include "environ.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "cursor.h"

/* A trailing asterisk stands for the rest of the name. */
static const char *const hooks[] = {
	"LD_*",
	"GCONV_PATH",
	"GLIBC_TUNABLES",
	"MALLOC_*",
	"LOCPATH",
	"NLSPATH",
	"HOSTALIASES",
	"RES_OPTIONS",
	"LOCALDOMAIN",
	"BASH_*",
	"ENV",
	"SHELLOPTS",
	"BASHOPTS",
	"PROMPT_COMMAND",
	"PS0",
	"PS1",
	"PS2",
	"PS4",
	"IFS",
	"CDPATH",
	"GLOBIGNORE",
	"ZDOTDIR",
	"FPATH",
	"PERL5*",
	"PERLLIB",
	"PERL_*",
	"PYTHON*",
	"RUBY*",
	"GEM_*",
	"NODE_*",
	"JAVA_TOOL_OPTIONS",
	"_JAVA_OPTIONS",
	"JDK_JAVA_OPTIONS",
	"CLASSPATH",
	"LUA_*",
	"TCLLIBPATH",
	"LESSOPEN",
	"LESSCLOSE",
	"LESS",
	"MORE",
	"PAGER",
	"MANPAGER",
	"EDITOR",
	"VISUAL",
	"BROWSER",
	"GIT_*",
	"SSH_ASKPASS",
	"SUDO_ASKPASS",
	"TERMINFO",
	"TERMINFO_DIRS",
	"TERMCAP",
	"TERMPATH",
	"INPUTRC",
	"VIMINIT",
	"EXINIT",
	"MYVIMRC",
	"GDBHISTFILE",
	"TMPDIR",
	"SHELL",
	"DEBUGINFOD_URLS",
	"OPENSSL_*",
	"SSL_CERT_*",
	"GREP_OPTIONS",
	"TAR_OPTIONS",
	"GZIP",
	"XDG_*", /* configuration directories: fish, git, nvim, htop, ... run what stands there */
	"LESSKEY*",
	"VIM",
	"VIMRUNTIME",
	"EMACSLOADPATH",
	"HISTFILE",
	"AWKPATH",
	"AWKLIBPATH",
	"MAKEFILES",
	"MAKEFLAGS",
	"GCC_EXEC_PREFIX",
	"COMPILER_PATH",
	"CURL_HOME",
	"WGETRC",
	"RSYNC_RSH",
	"SYSTEMD_*",
	"RIPGREP_CONFIG_PATH",
	"FZF_*",
	"SCREENRC",
	"GNUPGHOME",
	"PSQLRC",
	"KUBECONFIG",
	"DOCKER_*",
};

void env_fini(struct env *env)
{
	for (size_t i = 0; i < env->n; i++)
		free(env->v[i]);
	free(env->v);
	*env = (struct env){ 0 };
}

/* The index of the variable whose name is @name[0 .. len - 1], or env->n. */
static size_t find(const struct env *env, const char *name, size_t len)
{
	size_t i = 0;

	while (i < env->n && (strncmp(env->v[i], name, len) != 0 || env->v[i][len] != '='))
		i++;
	return i;
}

static void remove_at(struct env *env, size_t i)
{
	free(env->v[i]);
	memmove(&env->v[i], &env->v[i + 1], (env->n - i) * sizeof(*env->v));
	env->n--;
}

static int put(struct env *env, char *owned)
{
	size_t i = find(env, owned, strcspn(owned, "="));

	if (i < env->n) {
		free(env->v[i]);
		env->v[i] = owned;
		return 0;
	}
	if (env->n + 2 > env->room) {
		size_t room = env->room * 2 + 32;
		char **v = realloc(env->v, room * sizeof(*v));

		if (!v) {
			free(owned);
			return -ENOMEM;
		}
		env->v = v;
		env->room = room;
	}
	env->v[env->n++] = owned;
	env->v[env->n] = NULL;
	return 0;
}

int env_put(struct env *env, const char *assignment)
{
	char *copy;

	if (*assignment == '=' || !strchr(assignment, '='))
		return -EINVAL;
	copy = strdup(assignment);
	return copy ? put(env, copy) : -ENOMEM;
}

int env_set(struct env *env, const char *name, const char *value)
{
	char *s;

	if (!*name || strchr(name, '='))
		return -EINVAL;
	if (!value) {
		size_t i = find(env, name, strlen(name));

		if (i < env->n)
			remove_at(env, i);
		return 0;
	}
	return asprintf(&s, "%s=%s", name, value) < 0 ? -ENOMEM : put(env, s);
}

const char *env_get(const struct env *env, const char *name)
{
	size_t i = find(env, name, strlen(name));

	return i < env->n ? env->v[i] + strlen(name) + 1 : NULL;
}

int env_add_block(struct env *env, const char *block, size_t len)
{
	struct cursor c = cur_of(block, len);
	struct span s;

	while (cur_until(&c, '\0', &s) == 1) {
		_cleanup_free_ char *assignment = span_dup(s);
		int r;

		if (!assignment)
			return -ENOMEM;
		r = env_put(env, assignment);
		if (r < 0 && r != -EINVAL)
			return r;
	}
	return 0;
}

static bool is_hook(const char *assignment)
{
	size_t len = strcspn(assignment, "=");

	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		size_t hook_len = strlen(hooks[i]);
		bool prefix = hooks[i][hook_len - 1] == '*';

		if (prefix && len >= hook_len - 1 && !strncmp(assignment, hooks[i], hook_len - 1))
			return true;
		if (!prefix && len == hook_len && !strncmp(assignment, hooks[i], len))
			return true;
	}
	return false;
}

void env_drop_hooks(struct env *env)
{
	for (size_t i = env->n; i-- > 0;)
		if (is_hook(env->v[i]))
			remove_at(env, i);
}
