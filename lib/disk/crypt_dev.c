/* SPDX-License-Identifier: MIT */
#include "crypt_dev.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "crypt_lib.h"

/* The first error is the cause; libcryptsetup gives no other way to it, and none for several threads. */
static char said[160];

static void take_log(int level, const char *msg, void *arg)
{
	(void)arg;
	if (level != CRYPT_LOG_ERROR || said[0])
		return;
	(void)snprintf(said, sizeof(said), "%s", msg);
	said[strcspn(said, "\n")] = '\0';
}

int crypt_dev_open(int fd, struct crypt_device **ret, struct err *e)
{
	struct crypt_device *cd = NULL;
	char path[32];
	int r = crypt_lib_load(e);

	if (r < 0)
		return r;
	said[0] = '\0';
	crypt_set_log_callback(NULL, take_log, NULL);
	/* The file is ours alone, or locked by the caller, whom a second lock would hang. */
	r = crypt_metadata_locking(NULL, 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (!r)
		r = crypt_init(&cd, path);
	if (r < 0)
		return crypt_dev_failed(r, "opening it", e);
	*ret = cd;
	return 0;
}

int crypt_dev_failed(int r, const char *what, struct err *e)
{
	if (said[0])
		return err_set(e, -r, "%s: %s", what, said);
	return err_set(e, -r, "%s: %s", what, err_str(r));
}
