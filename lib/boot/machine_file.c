/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "io.h"
#include "machine.h"

/* 1 and *@ret if @dir has @name. */
static int look_in(const char *dir, size_t len, const char *name, char **ret)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%.*s/%s", (int)len, dir, name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	if (access(path, R_OK) < 0)
		return 0;
	*ret = take_ptr(path);
	return 1;
}

int machine_file(const char *name, char **ret, struct err *e)
{
	const char *chosen = getenv("RKTIO_LIBEXEC"), *slash;
	_cleanup_free_ char *self = NULL;
	int r = 0;

	if (chosen) {
		r = look_in(chosen, strlen(chosen), name, ret);
	} else {
		if (!io_readlink_at(-1, "/proc/self/exe", &self) && (slash = strrchr(self, '/')))
			r = look_in(self, (size_t)(slash - self), name, ret);
		if (!r)
			r = look_in(BOOT_LIBEXEC, strlen(BOOT_LIBEXEC), name, ret);
	}
	if (r < 0)
		return err_set(e, -r, "no memory");
	return r ? 0
		 : err_set(e, ENOENT, "'%s' is missing, neither %s nor in " BOOT_LIBEXEC, name,
			   chosen ? "in $RKTIO_LIBEXEC" : "beside rktio");
}

const char *machine_linux(const char *version, char ret[MACHINE_NAME_MAX])
{
	(void)snprintf(ret, MACHINE_NAME_MAX, "rktio-linux-%.32s",
		       version ?: getenv("RKTIO_LINUX") ?: MACHINE_LINUX);
	return ret;
}
