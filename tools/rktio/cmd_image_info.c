/* SPDX-License-Identifier: MIT */
/* cmd_image_info.c - rktio image info: what an image says that it is. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "cleanup.h"
#include "cmd_image.h"
#include "inspect.h"
#include "json.h"
#include "out.h"
#include "size.h"
#include "text.h"

int image_info_check(const struct image_args *a, struct err *e)
{
	if (a->packages || a->dir || a->oci || a->ref || a->size || a->verity || a->encrypt ||
	    a->force || a->key_file || a->root_hash)
		return err_set(e, EINVAL, "info takes no option but --json");
	return 0;
}

/* In the words of rktio-image(1). */
static const char *kind_of(const struct disk *d)
{
	if (d->has_luks)
		return d->has_integrity ? "encrypted" : "encrypted, not authenticated";
	if (d->has_verity)
		return "sealed";
	return d->has_ext4 ? "plain" : "unknown";
}

static void add_text(struct json_object *o, const char *key, const char *value)
{
	json_add_str(o, key, *value ? value : NULL);
}

static struct json_object *ext4_json(const struct ext4 *x)
{
	struct json_object *o = json_object_new_object();

	add_text(o, "label", x->label);
	json_add_str(o, "uuid", x->uuid);
	json_add_int(o, "size", (int64_t)x->size);
	json_add_int(o, "used", (int64_t)((x->blocks - x->free_blocks) * x->block_size));
	json_add_int(o, "block_size", x->block_size);
	json_add_int(o, "inodes", x->inodes);
	json_add_int(o, "free_inodes", x->free_inodes);
	json_add_bool(o, "journal", x->journal);
	json_add_bool(o, "clean", !x->dirty);
	return o;
}

static struct json_object *luks_json(const struct luks *l)
{
	struct json_object *o = json_object_new_object();

	add_text(o, "label", l->label);
	add_text(o, "uuid", l->uuid);
	add_text(o, "cipher", l->cipher);
	add_text(o, "integrity", l->integrity);
	json_add_int(o, "offset", (int64_t)l->offset);
	json_add_int(o, "sector_size", l->sector_size);
	json_add_int(o, "keyslots", l->keyslots);
	add_text(o, "kdf", l->kdf);
	return o;
}

static struct json_object *integrity_json(const struct integrity *g)
{
	struct json_object *o = json_object_new_object();

	json_add_int(o, "version", g->sb.version);
	json_add_int(o, "tag_size", g->sb.tag_size);
	json_add_int(o, "block_size", g->block_size);
	json_add_int(o, "data_size", (int64_t)(g->nblocks * g->block_size));
	json_add_int(o, "journal_size", (int64_t)g->section_size * g->sb.journal_sections);
	return o;
}

static struct json_object *verity_json(const struct verity *v)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "uuid", v->uuid);
	add_text(o, "algorithm", v->algorithm);
	json_add_int(o, "data_block_size", v->data_block);
	json_add_int(o, "hash_block_size", v->hash_block);
	json_add_int(o, "data_blocks", (int64_t)v->data_blocks);
	json_add_int(o, "salt_size", v->salt_size);
	return o;
}

static struct json_object *disk_json(const char *path, const struct disk *d)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "image", path);
	json_add_str(o, "kind", kind_of(d));
	json_add_int(o, "size", (int64_t)d->size);
	json_add_int(o, "allocated", (int64_t)d->allocated);
	json_add_bool(o, "truncated", d->truncated);
	if (d->has_ext4)
		(void)json_object_object_add(o, "ext4", ext4_json(&d->ext4));
	if (d->has_luks)
		(void)json_object_object_add(o, "luks2", luks_json(&d->luks));
	if (d->has_integrity)
		(void)json_object_object_add(o, "integrity", integrity_json(&d->integrity));
	if (d->has_verity)
		(void)json_object_object_add(o, "verity", verity_json(&d->verity));
	return o;
}

static void line(const char *key, const char *value)
{
	_cleanup_free_ char *safe = text_safe(*value ? value : "-");

	printf("%-12s %s\n", key, safe ? safe : "?");
}

static void line_size(const char *key, uint64_t size)
{
	char text[SIZE_TEXT];

	printf("%-12s %s (%" PRIu64 " bytes)\n", key, size_show(size, text), size);
}

static void print_ext4(const struct ext4 *x)
{
	line("file system", x->extents ? "ext4" : x->journal ? "ext3" : "ext2");
	line("label", x->label);
	line("uuid", x->uuid);
	line_size("room", x->size);
	line_size("used", (x->blocks - x->free_blocks) * x->block_size);
	line("state", x->dirty ? "not unmounted: its journal is to be replayed" : "clean");
}

static void print_luks(const struct disk *d)
{
	const struct luks *l = &d->luks;

	line("header", "LUKS2");
	line("label", l->label);
	line("uuid", l->uuid);
	line("cipher", l->cipher);
	line("tags", l->integrity);
	printf("%-12s %u\n", "key slots", l->keyslots);
	if (!d->has_integrity)
		return;
	line_size("contents", d->integrity.nblocks * d->integrity.block_size);
	printf("%-12s %u bytes, each with a tag of %u\n", "blocks", d->integrity.block_size,
	       d->integrity.sb.tag_size);
}

static void print_text(const char *path, const struct disk *d)
{
	line("image", path);
	line("kind", kind_of(d));
	line_size("size", d->size);
	if (d->has_ext4)
		print_ext4(&d->ext4);
	if (d->has_luks)
		print_luks(d);
	if (d->has_verity)
		line("hash tree", d->verity.algorithm);
	if (d->truncated)
		line("truncated", "the file ends before its contents do");
}

int image_info(const struct image_args *a, struct err *e)
{
	_cleanup_close_ int fd = open(a->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct disk d;
	int r;

	if (fd < 0)
		return err_set(e, errno, "cannot open '%.150s': %s", a->path, err_str(errno));
	r = disk_inspect(fd, &d, e);
	if (r < 0)
		return err_wrap(e, r, "'%.100s'", a->path);
	if (a->json) {
		_cleanup_json_ struct json_object *o = disk_json(a->path, &d);

		r = json_print(o, stdout);
	} else {
		print_text(a->path, &d);
	}
	return out_done(r, e);
}
