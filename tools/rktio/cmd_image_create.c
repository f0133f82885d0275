/* SPDX-License-Identifier: MIT */
/* cmd_image_create.c - rktio image create. */
#include <errno.h>
#include <stdio.h>

#include "bar.h"
#include "cmd_image.h"
#include "create.h"
#include "json.h"
#include "log.h"
#include "out.h"
#include "size.h"

#define SIZE_UNIT 4096

static int take_size(const char *text, uint64_t *ret, struct err *e)
{
	uint64_t size;
	int r;

	if (!text) {
		*ret = 0;
		return 0;
	}
	r = size_parse(text, &size);
	if (r < 0 || !size || size > UINT64_MAX - SIZE_UNIT)
		return err_set(e, EINVAL, "--size takes a number with K, M, G or T, not '%.40s'",
			       text);
	*ret = (size + SIZE_UNIT - 1) / SIZE_UNIT * SIZE_UNIT;
	return 0;
}

int image_create_check(const struct image_args *a, struct err *e)
{
	uint64_t size;

	if (!!a->packages + !!a->dir + !!a->oci != 1)
		return err_set(e, EINVAL, "create takes one of --packages, --dir and --oci");
	if (a->ref && !a->oci)
		return err_set(e, EINVAL, "--ref goes with --oci");
	if (a->verity && a->encrypt)
		return err_set(e, EINVAL, "--verity and --encrypt exclude each other");
	if (a->encrypt && !a->key_file)
		return err_set(e, EINVAL, "--encrypt needs --key-file");
	if (a->key_file && !a->encrypt)
		return err_set(e, EINVAL, "--key-file goes with --encrypt");
	if (a->root_hash)
		return err_set(e, EINVAL, "--root-hash goes with verify");
	return take_size(a->size, &size, e);
}

static void warn(const struct create_result *res)
{
	const struct unpack_stats *u = &res->unpacked;

	if (u->skipped.owners)
		log_warn("%llu files could not be given to their owners; run it as root",
			 (unsigned long long)u->skipped.owners);
	if (u->skipped.xattrs)
		log_warn("%llu extended attributes could not be kept",
			 (unsigned long long)u->skipped.xattrs);
	if (u->devices_skipped)
		log_warn("%llu device nodes were left out", (unsigned long long)u->devices_skipped);
}

static int report(const struct image_args *a, const struct create_result *res, struct err *e)
{
	char root[VERITY_ROOT_TEXT];
	int r = 0;

	(void)verity_root_show(&res->root, root);
	if (a->json) {
		_cleanup_json_ struct json_object *o = json_object_new_object();

		json_add_str(o, "image", a->path);
		json_add_int(o, "size", (int64_t)res->size);
		json_add_int(o, "filesystem_size", (int64_t)res->fs_size);
		json_add_str(o, "root_hash", a->verity ? root : NULL);
		json_add_bool(o, "encrypted", a->encrypt);
		r = json_print(o, stdout);
	} else if (a->verity) {
		printf("%s\n", root);
	}
	return out_done(r, e);
}

int image_create(const struct image_args *a, struct err *e)
{
	struct create_opts opts = { .packages = a->packages,
				    .dir = a->dir,
				    .oci = a->oci,
				    .ref = a->ref,
				    .verity = a->verity,
				    .force = a->force };
	_cleanup_keyfile_ struct keyfile key = { 0 };
	struct create_result res = { 0 };
	struct progress progress;
	struct bar bar;
	int r = take_size(a->size, &opts.size, e);

	if (!r && a->encrypt) {
		r = keyfile_read(a->key_file, &key, e);
		opts.key = &key;
	}
	if (!r && key.loose)
		log_warn("others may read the key file '%s'; chmod 600 it", a->key_file);
	if (r < 0)
		return r;
	opts.progress = &progress;
	progress = bar_start(&bar, a->quiet);
	r = create_image(a->path, &opts, &res, e);
	bar_end(&bar);
	if (r < 0)
		return r;
	warn(&res);
	return report(a, &res, e);
}
