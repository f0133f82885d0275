/* SPDX-License-Identifier: MIT */
#include "attrs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SET_ID_BITS 06000U

struct attrs attrs_of(const struct tar_entry *en)
{
	return (struct attrs){
		.has_owner = true,
		.has_mtime = true,
		.mode = en->mode,
		.uid = en->uid,
		.gid = en->gid,
		.mtime_s = en->mtime_s,
		.mtime_ns = en->mtime_ns,
		.nxattrs = en->nxattrs,
		.xattr = en->xattr,
	};
}

static bool is_taken(const char *name)
{
	if (!strncmp(name, "user.", 5))
		return strncmp(name, "user.overlay.", 13) != 0;
	return !strcmp(name, "security.capability") || !strcmp(name, "system.posix_acl_access") ||
	       !strcmp(name, "system.posix_acl_default");
}

/* EPERM: not root; EINVAL: an id that this user namespace does not map. */
static bool is_refusal(int err)
{
	return err == EPERM || err == EINVAL;
}

/* EOPNOTSUPP: the file system has none; ENOSPC, E2BIG, ERANGE: no room for one of this size. */
static bool is_xattr_refusal(int err)
{
	return is_refusal(err) || err == EOPNOTSUPP || err == ENOSPC || err == E2BIG ||
	       err == ERANGE || err == EACCES;
}

static int set_xattrs(int fd, const char *path, const struct attrs *a,
		      struct attrs_skipped *skipped)
{
	for (size_t i = 0; i < a->nxattrs; i++) {
		const struct tar_xattr *x = &a->xattr[i];
		int r;

		if (!is_taken(x->name)) {
			skipped->xattrs++;
			continue;
		}
		r = path ? lsetxattr(path, x->name, x->value.p, x->value.len, 0)
			 : fsetxattr(fd, x->name, x->value.p, x->value.len, 0);
		if (r < 0 && !is_xattr_refusal(errno))
			return -errno;
		skipped->xattrs += r < 0;
	}
	return 0;
}

static void times_of(const struct attrs *a, struct timespec ts[2])
{
	ts[0] = ts[1] = (struct timespec){ .tv_sec = a->mtime_s, .tv_nsec = (long)a->mtime_ns };
}

/* The result of a chown(): the mode that is left. */
static int after_chown(int r, const struct attrs *a, struct attrs_skipped *skipped, uint32_t *mode)
{
	*mode = a->mode;
	if (!r)
		return 0;
	if (!is_refusal(errno))
		return -errno;
	skipped->owners++;
	*mode &= ~SET_ID_BITS;
	return 0;
}

int attrs_apply_fd(int fd, const struct attrs *a, const struct attrs_owner *natural,
		   struct attrs_skipped *skipped)
{
	bool same = natural->known && a->uid == natural->uid && a->gid == natural->gid;
	struct timespec ts[2];
	uint32_t mode;
	int r;

	r = after_chown(a->has_owner && !same ? fchown(fd, a->uid, a->gid) : 0, a, skipped, &mode);
	if (r < 0)
		return r;
	if (fchmod(fd, mode) < 0)
		return -errno;
	r = set_xattrs(fd, NULL, a, skipped);
	if (r < 0 || !a->has_mtime)
		return r;
	times_of(a, ts);
	return futimens(fd, ts) < 0 ? -errno : 0;
}

int attrs_apply_at(int dirfd, const char *name, bool is_link, const struct attrs *a,
		   struct attrs_skipped *skipped)
{
	struct timespec ts[2];
	uint32_t mode;
	int r;

	r = after_chown(fchownat(dirfd, name, a->uid, a->gid, AT_SYMLINK_NOFOLLOW), a, skipped,
			&mode);
	if (r < 0)
		return r;
	if (!is_link && fchmodat(dirfd, name, mode, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (a->nxattrs) {
		char path[32 + NAME_MAX + 1];

		/* setxattrat() is Linux 6.13; through /proc our own descriptor says where. */
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dirfd, name);
		r = set_xattrs(-1, path, a, skipped);
		if (r < 0)
			return r;
	}
	times_of(a, ts);
	return utimensat(dirfd, name, ts, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}
