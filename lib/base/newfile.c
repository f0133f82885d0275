/* SPDX-License-Identifier: MIT */
#include "newfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "cleanup.h"

#define MODE 0600 /* an image has whatever its files have, which others may not read */

static int hidden_name(struct newfile *f, char **ret)
{
	uint32_t nonce;

	if (getrandom(&nonce, sizeof(nonce), 0) != sizeof(nonce))
		return -EIO;
	return asprintf(ret, ".%.200s.%08x", f->name, nonce) < 0 ? -ENOMEM : 0;
}

static int open_dir(struct newfile *f, struct err *e)
{
	const char *slash = strrchr(f->path, '/');
	_cleanup_free_ char *dir = slash ? strndup(f->path, (size_t)(slash - f->path) + 1)
					 : strdup(".");

	f->name = strdup(slash ? slash + 1 : f->path);
	if (!dir || !f->name) {
		(void)err_set(e, ENOMEM, "no memory");
		return -ENOMEM;
	}
	if (!*f->name || !strcmp(f->name, ".") || !strcmp(f->name, ".."))
		return err_set(e, EINVAL, "'%.150s' is not the name of a file", f->path);
	f->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return f->dirfd < 0 ? err_set(e, errno, "cannot open the directory '%.150s': %s", dir,
				      err_str(errno))
			    : 0;
}

/* What stands there may be replaced only if it is an image that nobody uses. */
static int check_old(struct newfile *f, struct err *e)
{
	struct stat st;

	if (fstatat(f->dirfd, f->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0
				       : err_set(e, errno, "'%.150s': %s", f->path, err_str(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "'%.150s' is there, and is not a regular file", f->path);
	if (!f->force)
		return err_set(e, EEXIST, "'%.150s' exists; --force replaces it", f->path);
	f->oldfd = openat(f->dirfd, f->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (f->oldfd < 0)
		return err_set(e, errno, "cannot open '%.150s': %s", f->path, err_str(errno));
	if (flock(f->oldfd, LOCK_EX | LOCK_NB) < 0)
		return err_set(e, EBUSY, "'%.150s' is in use", f->path);
	return 0;
}

static int open_named(struct newfile *f, struct keeper *k)
{
	_cleanup_free_ char *path = NULL, *proc = NULL;
	char dir[PATH_MAX] = "";
	int r = hidden_name(f, &f->tmp);

	if (r < 0)
		return r;
	if (asprintf(&proc, "/proc/self/fd/%d", f->dirfd) < 0)
		return -ENOMEM;
	if (readlink(proc, dir, sizeof(dir) - 1) < 0)
		return -errno;
	if (asprintf(&path, "%s/%s", dir, f->tmp) < 0)
		return -ENOMEM;
	if (k->pid < 0)
		r = keeper_start(k, NULL);
	if (!r)
		r = keeper_also(k, path);
	if (r < 0)
		return r;
	f->fd = openat(f->dirfd, f->tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, MODE);
	return f->fd < 0 ? -errno : 0;
}

int newfile_open(const char *path, bool force, struct keeper *k, struct newfile *ret, struct err *e)
{
	_cleanup_newfile_ struct newfile f = NEWFILE_INIT;
	int r;

	f.path = path;
	f.force = force;
	r = open_dir(&f, e);
	if (!r)
		r = check_old(&f, e);
	if (r < 0)
		return r;
	f.fd = openat(f.dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, MODE);
	if (f.fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
		r = open_named(&f, k);
	else if (f.fd < 0)
		r = -errno;
	if (r < 0)
		return err_set(e, -r, "cannot make '%.150s': %s", path, err_str(r));
	*ret = f;
	f = (struct newfile)NEWFILE_INIT;
	return 0;
}

int newfile_sync(struct newfile *f, struct err *e)
{
	return fsync(f->fd) < 0
		       ? err_set(e, errno, "cannot write '%.150s': %s", f->path, err_str(errno))
		       : 0;
}

static int link_as(struct newfile *f, const char *name)
{
	char proc[32];
	int r;

	(void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d", f->fd);
	r = f->tmp ? linkat(f->dirfd, f->tmp, f->dirfd, name, 0)
		   : linkat(AT_FDCWD, proc, f->dirfd, name, AT_SYMLINK_FOLLOW);
	return r < 0 ? -errno : 0;
}

/* A link never replaces anything; a rename does. */
static int replace(struct newfile *f)
{
	_cleanup_free_ char *between = NULL;
	int r = f->tmp ? 0 : hidden_name(f, &between);

	if (!r && between)
		r = link_as(f, between);
	if (r < 0)
		return r;
	if (!renameat(f->dirfd, f->tmp ? f->tmp : between, f->dirfd, f->name))
		return 0;
	r = -errno;
	if (between)
		(void)unlinkat(f->dirfd, between, 0);
	return r;
}

int newfile_commit(struct newfile *f, struct err *e)
{
	int r = newfile_sync(f, e);

	if (r < 0)
		return r;
	r = f->oldfd >= 0 ? replace(f) : link_as(f, f->name);
	if (!r && fsync(f->dirfd) < 0)
		r = -errno;
	return r < 0 ? err_set(e, -r, "cannot make '%.150s': %s", f->path, err_str(r)) : 0;
}

void newfile_close(struct newfile *f)
{
	if (f->tmp)
		(void)unlinkat(f->dirfd, f->tmp, 0);
	closep(&f->fd);
	closep(&f->oldfd);
	closep(&f->dirfd);
	free(f->name);
	free(f->tmp);
	*f = (struct newfile)NEWFILE_INIT;
}
