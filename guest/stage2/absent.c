/* SPDX-License-Identifier: MIT */
/*
 * absent.c - what lib/session can do and is not asked for in a guest: forwarded connections, a file server
 * of its own, an engine's configuration. In place of these libraries, which are larger than all else.
 */
#include <errno.h>

#include "filter.h"
#include "forwards.h"
#include "view_server.h"

int forwards_start(struct forwards *s, const struct target *t, int root, struct err *e)
{
	(void)s;
	(void)t;
	(void)root;
	return err_set(e, ENOSYS, "no connection is forwarded in a guest");
}

void forwards_stop(struct forwards *s)
{
	(void)s;
}

int view_server_start(const struct session *s, struct view_server *ret, struct err *e)
{
	(void)s;
	(void)ret;
	return err_set(e, ENOSYS, "no file server runs in a guest");
}

void view_server_stop(struct view_server *v, bool flush)
{
	(void)v;
	(void)flush;
}

int ns_seccomp_from_oci(const char *path, struct ns_seccomp *ret, struct err *e)
{
	(void)path;
	(void)ret;
	return err_set(e, ENOENT, "there is no configuration of an engine");
}
