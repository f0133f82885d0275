/* SPDX-License-Identifier: MIT */
#include "create.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "cleanup.h"
#include "crypt.h"
#include "io.h"
#include "mkfs.h"
#include "newfile.h"
#include "packages.h"
#include "scratch.h"
#include "size.h"

#define PLAIN "plain.img" /* in the scratch directory, where that cannot hold files without names */

static void tell_layer(void *arg, const struct image_progress *p)
{
	const struct create_opts *opts = arg;

	progress_tell(opts->progress, "unpacking", p->done, p->total);
}

static int unpack_archive(const struct create_opts *opts, const char *root, struct scratch *s,
			  struct create_result *ret, struct err *e)
{
	struct image_opts image_opts = { .ref = opts->ref,
					 .progress = tell_layer,
					 .arg = (void *)(uintptr_t)opts,
					 .stats = &ret->unpacked };
	_cleanup_image_ struct image *img = NULL;
	_cleanup_close_ int rootfd = -1;
	int fd = open(opts->oci, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), r;

	if (fd < 0)
		return err_set(e, errno, "cannot open '%.150s': %s", opts->oci, err_str(errno));
	r = image_open(fd, s->fd, &image_opts, &img, e);
	if (r < 0)
		return err_wrap(e, r, "'%.80s'", opts->oci);
	if (mkdir(root, 0755) < 0)
		return err_set(e, errno, "cannot make '%s': %s", root, err_str(errno));
	rootfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (rootfd < 0)
		return err_set(e, errno, "cannot open '%s': %s", root, err_str(errno));
	r = image_unpack(img, rootfd, &image_opts, e);
	return r < 0 ? err_wrap(e, r, "'%.80s'", opts->oci) : 0;
}

/* The tree's path: the caller's to free. */
static int get_tree(const struct create_opts *opts, struct scratch *s, struct create_result *res,
		    char **ret, struct err *e)
{
	_cleanup_free_ char *root = NULL;
	int r = 0;

	if (opts->dir) {
		*ret = strdup(opts->dir);
		return *ret ? 0 : err_set(e, ENOMEM, "no memory");
	}
	if (asprintf(&root, "%s/root", s->path) < 0) {
		root = NULL;
		return err_set(e, ENOMEM, "no memory");
	}
	r = opts->oci ? unpack_archive(opts, root, s, res, e)
		      : packages_install(opts->packages, s, opts->progress, e);
	if (r < 0)
		return r;
	*ret = take_ptr(root);
	return 0;
}

static int open_plain(struct scratch *s, struct err *e)
{
	int fd = openat(s->fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		fd = openat(s->fd, PLAIN, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 ? err_set(e, errno, "cannot make a file in '%s': %s", s->path, err_str(errno))
		      : fd;
}

/* An encrypted image has no holes: better to know before than after. */
static int check_room(int dirfd, uint64_t size, struct err *e)
{
	char needs[SIZE_TEXT], has[SIZE_TEXT];
	struct statvfs v;

	/* What is limited by memory alone counts no blocks. */
	if (fstatvfs(dirfd, &v) < 0 || !v.f_blocks || (uint64_t)v.f_bavail * v.f_frsize >= size)
		return 0;
	return err_set(e, ENOSPC, "no space: the image takes %s, and %s is free",
		       size_show(size, needs), size_show((uint64_t)v.f_bavail * v.f_frsize, has));
}

static int make_encrypted(const char *tree, const struct create_opts *opts, struct newfile *f,
			  struct scratch *s, struct create_result *ret, struct err *e)
{
	struct mkfs_opts mkfs = { .size = opts->size, .progress = opts->progress };
	struct crypt_key key = { .data = opts->key->data, .size = opts->key->size };
	_cleanup_close_ int plain = open_plain(s, e);
	int r = plain < 0 ? plain : mkfs_tree(tree, plain, &mkfs, &ret->fs_size, e);

	if (!r)
		r = check_room(f->dirfd, crypt_sealed_size(ret->fs_size), e);
	return r < 0 ? r : crypt_seal(plain, ret->fs_size, f->fd, key, opts->progress, e);
}

static int make_plain(const char *tree, const struct create_opts *opts, struct newfile *f,
		      struct create_result *ret, struct err *e)
{
	struct mkfs_opts mkfs = { .size = opts->size,
				  .fixed = opts->verity,
				  .progress = opts->progress };
	int r = mkfs_tree(tree, f->fd, &mkfs, &ret->fs_size, e);

	if (r < 0 || !opts->verity)
		return r;
	progress_tell(opts->progress, "making the hash tree", 0, 0);
	return verity_append(f->fd, ret->fs_size, &ret->root, e);
}

static int write_root(struct newfile *f, const struct verity_root *root, struct err *e)
{
	char text[VERITY_ROOT_TEXT];
	int r;

	(void)verity_root_show(root, text);
	r = io_write_all(f->fd, text, strlen(text));
	if (!r)
		r = io_write_all(f->fd, "\n", 1);
	return r < 0 ? err_set(e, -r, "cannot write '%.150s': %s", f->path, err_str(r)) : 0;
}

/* Both files are on the disk before the first has its name. */
static int commit(struct newfile *f, struct newfile *hash, const struct create_opts *opts,
		  struct create_result *ret, struct err *e)
{
	struct stat st;
	int r = 0;

	progress_tell(opts->progress, "writing to the disk", 0, 0);
	if (opts->verity)
		r = write_root(hash, &ret->root, e);
	if (!r && opts->verity)
		r = newfile_sync(hash, e);
	if (!r && fstat(f->fd, &st) < 0)
		r = err_set(e, errno, "'%.150s': %s", f->path, err_str(errno));
	if (r < 0)
		return r;
	ret->size = (uint64_t)st.st_size;
	r = newfile_commit(f, e);
	return r < 0 || !opts->verity ? r : newfile_commit(hash, e);
}

int create_image(const char *path, const struct create_opts *opts, struct create_result *ret,
		 struct err *e)
{
	_cleanup_scratch_ struct scratch s = SCRATCH_INIT;
	_cleanup_newfile_ struct newfile f = NEWFILE_INIT, hash = NEWFILE_INIT;
	_cleanup_free_ char *tree = NULL, *hash_path = NULL;
	struct create_result res = { 0 };
	int r;

	if (asprintf(&hash_path, "%s%s", path, CREATE_ROOTHASH) < 0) {
		hash_path = NULL;
		return err_set(e, ENOMEM, "no memory");
	}
	r = scratch_open(&s, e);
	if (!r)
		r = newfile_open(path, opts->force, &s.keeper, &f, e);
	if (!r && opts->verity)
		r = newfile_open(hash_path, opts->force, &s.keeper, &hash, e);
	if (!r)
		r = get_tree(opts, &s, &res, &tree, e);
	if (!r)
		r = opts->key ? make_encrypted(tree, opts, &f, &s, &res, e)
			      : make_plain(tree, opts, &f, &res, e);
	if (!r)
		r = commit(&f, &hash, opts, &res, e);
	if (!r)
		*ret = res;
	return r;
}
