/* SPDX-License-Identifier: MIT */
#include "out.h"

#include <errno.h>

#include "log.h"

int out_flush(FILE *f)
{
	if (fflush(f))
		return -errno;
	if (!ferror(f))
		return 0;
	/* An earlier write failed, and nobody kept its errno. Much of the output is lost already: ask once more. */
	return fputc('\n', f) == EOF || fflush(f) ? -errno : -EIO;
}

int out_done(int r, struct err *e)
{
	if (r == 0)
		r = out_flush(stdout);
	return r < 0 ? err_set(e, -r, "writing to standard output: %s", err_str(r)) : 0;
}

int out_exit(void)
{
	struct err e = { 0 };

	if (out_done(0, &e) == 0)
		return 0;
	log_error("%s", e.msg);
	return 1;
}
