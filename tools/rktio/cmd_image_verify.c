/* SPDX-License-Identifier: MIT */
/* cmd_image_verify.c - rktio image verify: every block against the key or the root hash. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "bar.h"
#include "cleanup.h"
#include "cmd_image.h"
#include "create.h"
#include "crypt.h"
#include "inspect.h"
#include "io.h"
#include "json.h"
#include "log.h"
#include "out.h"

int image_verify_check(const struct image_args *a, struct err *e)
{
	if (a->packages || a->dir || a->oci || a->ref || a->size || a->verity || a->encrypt ||
	    a->force)
		return err_set(e, EINVAL,
			       "verify takes no options but --key-file, --root-hash, --json and "
			       "--quiet");
	if (a->key_file && a->root_hash)
		return err_set(e, EINVAL, "--key-file and --root-hash exclude each other");
	return 0;
}

/* Of the option, or of the file beside the image. */
static int find_root(const struct image_args *a, struct verity_root *ret, struct err *e)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	int r;

	if (a->root_hash)
		return verity_root_parse(a->root_hash, ret) < 0
			       ? err_set(e, EINVAL, "'%.140s' is not a root hash", a->root_hash)
			       : 0;
	if (asprintf(&path, "%s" CREATE_ROOTHASH, a->path) < 0) {
		path = NULL;
		return err_set(e, ENOMEM, "no memory");
	}
	r = io_read_at(AT_FDCWD, path, VERITY_ROOT_TEXT + 1, &text, NULL);
	if (r < 0)
		return err_set(e, -r, "cannot read '%.120s': %s; give --root-hash", path,
			       err_str(r));
	text[strcspn(text, "\n")] = '\0';
	return verity_root_parse(text, ret) < 0
		       ? err_set(e, EINVAL, "'%.120s' has no root hash", path)
		       : 0;
}

static int verify_hashes(int fd, const struct image_args *a, const struct disk *d, struct err *e)
{
	struct verity_root root;
	int r = find_root(a, &root, e);

	return r < 0 ? r : verity_check(fd, d->ext4.size, &root, e);
}

static int verify_tags(int fd, const struct image_args *a, struct err *e)
{
	_cleanup_keyfile_ struct keyfile k = { 0 };
	struct progress progress;
	struct bar bar;
	int r;

	if (!a->key_file)
		return err_set(e, EINVAL, "it is encrypted: --key-file is needed");
	r = keyfile_read(a->key_file, &k, e);
	if (r < 0)
		return r;
	if (k.loose)
		log_warn("others may read the key file '%s'; chmod 600 it", a->key_file);
	progress = bar_start(&bar, a->quiet);
	r = crypt_open(fd, -1, (struct crypt_key){ .data = k.data, .size = k.size }, &progress, e);
	bar_end(&bar);
	return r;
}

int image_verify(const struct image_args *a, struct err *e)
{
	_cleanup_close_ int fd = open(a->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct disk d;
	int r;

	if (fd < 0)
		return err_set(e, errno, "cannot open '%.150s': %s", a->path, err_str(errno));
	/* What is being written looks like what somebody has changed. */
	r = disk_hold(fd, e);
	if (!r)
		r = disk_inspect(fd, &d, e);
	if (!r)
		r = disk_check_kind(&d, a->key_file, a->root_hash, e);
	if (!r && d.has_integrity)
		r = verify_tags(fd, a, e);
	else if (!r && d.has_verity)
		r = verify_hashes(fd, a, &d, e);
	else if (!r)
		r = err_set(e, EINVAL,
			    "nothing in it can be verified: it has neither tags nor a "
			    "hash tree");
	if (r < 0)
		return err_wrap(e, r, "'%.100s'", a->path);
	if (a->json) {
		_cleanup_json_ struct json_object *o = json_object_new_object();

		json_add_str(o, "image", a->path);
		json_add_bool(o, "verified", true);
		r = json_print(o, stdout);
	}
	return out_done(r, e);
}
