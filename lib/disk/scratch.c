/* SPDX-License-Identifier: MIT */
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "cleanup.h"
#include "tree.h"

#define TRIES 500 /* a child that is being killed may still write: 10 s */

/* Nothing of ours may be mounted below it: the workers have mount namespaces of their own. */
static void remove_path(const char *path)
{
	static const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };

	for (int i = 0; i < TRIES && unlink(path) < 0 && errno != ENOENT; i++) {
		if (!tree_remove(AT_FDCWD, path, NULL, NULL))
			return;
		(void)nanosleep(&pause, NULL);
	}
}

int scratch_top(const char **ret, struct err *e)
{
	const char *top = secure_getenv("TMPDIR");

	if (!top || !*top)
		top = "/var/tmp";
	/* What is prepared there is in the clear: another place than was asked for won't do. */
	if (*top != '/')
		return err_set(e, EINVAL, "TMPDIR must be an absolute path, not '%.100s'", top);
	*ret = top;
	return 0;
}

/* The keeper knows of it before it is there: nobody else has a name of 64 random bits. */
static int make_dir(struct scratch *s, const char *top)
{
	uint64_t nonce;
	int r;

	if (getrandom(&nonce, sizeof(nonce), 0) != sizeof(nonce))
		return -EIO;
	if (asprintf(&s->path, "%s/rktio.%016" PRIx64, top, nonce) < 0) {
		s->path = NULL;
		return -ENOMEM;
	}
	r = keeper_also(&s->keeper, s->path);
	if (r < 0)
		return r;
	if (mkdir(s->path, 0700) < 0)
		return -errno;
	s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return s->fd < 0 ? -errno : 0;
}

int scratch_open(struct scratch *ret, struct err *e)
{
	struct scratch s = SCRATCH_INIT;
	const char *top;
	int r = scratch_top(&top, e);

	if (r < 0)
		return r;
	r = keeper_start(&s.keeper, remove_path);
	if (!r)
		r = make_dir(&s, top);
	if (r < 0) {
		(void)err_set(e, -r, "cannot make '%s': %s", s.path ? s.path : "a directory",
			      err_str(r));
		scratch_close(&s);
		return r;
	}
	*ret = s;
	return 0;
}

void scratch_close(struct scratch *s)
{
	closep(&s->fd);
	free(s->path);
	keeper_end(&s->keeper);
	*s = (struct scratch)SCRATCH_INIT;
}
