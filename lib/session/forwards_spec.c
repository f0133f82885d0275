/* SPDX-License-Identifier: MIT */
/* forwards_spec.c - what the user writes. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "array.h"
#include "cleanup.h"
#include "forwards.h"

#define LOOPBACK "127.0.0.1"

static bool is_number(const char *text)
{
	return *text && !text[strspn(text, "0123456789")];
}

/* "80", "8080:80", "ADDRESS:80", "ADDRESS:8080:80", as forward_parse() wants it: "ADDRESS:8080:80". */
static int add_port(struct forward_spec *ret, const char *text, struct err *e)
{
	const char *last = strrchr(text, ':');
	_cleanup_free_ char *full = NULL, *front = strndup(text, last ? (size_t)(last - text) : 0);
	struct err ignored;
	int n;

	if (!front)
		return err_set(e, ENOMEM, "out of memory");
	if (!last)
		n = asprintf(&full, LOOPBACK ":%s:%s", text, text);
	else if (is_number(front))
		n = asprintf(&full, LOOPBACK ":%s", text);
	else if (strrchr(front, ':') && is_number(strrchr(front, ':') + 1))
		n = asprintf(&full, "%s", text);
	else
		n = asprintf(&full, "%s%s", text, last);
	if (n < 0) {
		full = NULL;
		return err_set(e, ENOMEM, "out of memory");
	}
	if (forward_parse(full, &ret->port, &ignored) < 0)
		return err_set(
			e, EINVAL,
			"--forward takes [ADDRESS:]PORT[:PORT] or SOCKET[:PATH], where a socket "
			"has a '/', not '%.60s'",
			text);
	return 0;
}

static int add_socket(struct forward_spec *ret, const char *text, struct err *e)
{
	const char *colon = strchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);
	const char *inner = colon ? colon + 1 : text;
	char cwd[PATH_MAX] = "";
	int n;

	if (!len || !strchr(inner, '/') || inner[strlen(inner) - 1] == '/' || text[len - 1] == '/')
		return err_set(e, EINVAL, "--forward '%.60s': both sides are paths of a socket",
			       text);
	if (*inner != '/')
		return err_set(e, EINVAL,
			       "--forward '%.60s': in the session it must be an absolute path",
			       text);
	if (*text != '/' && !getcwd(cwd, sizeof(cwd)))
		return err_set(e, errno, "--forward '%.60s': %s", text, err_str(errno));
	n = asprintf(&ret->host, "%s%s%.*s", cwd, *cwd ? "/" : "", (int)len, text);
	if (n < 0)
		ret->host = NULL;
	ret->inner = strdup(inner);
	ret->is_socket = true;
	return ret->host && ret->inner ? 0 : err_set(e, ENOMEM, "out of memory");
}

int forwards_add(struct forwards *s, const char *text, struct err *e)
{
	struct forward_spec *spec;

	if (s->n == FORWARDS_MAX)
		return err_set(e, E2BIG, "more than %d --forward", FORWARDS_MAX);
	if (array_room(&s->spec, &s->room, s->n + 1, sizeof(*spec)) < 0)
		return err_set(e, ENOMEM, "out of memory");
	spec = &s->spec[s->n++];
	*spec = (struct forward_spec){ 0 };
	return strchr(text, '/') ? add_socket(spec, text, e) : add_port(spec, text, e);
}
