/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "boot"
#include "root.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "inspect.h"
#include "keyfile.h"
#include "log.h"

#define DISK   "/dev/vda"
#define SECTOR 512

#define SHA256_SIZE 32 /* bytes of a digest */

static void put_hex(const uint8_t *data, size_t size, char *to)
{
	for (size_t i = 0; i < size; i++)
		(void)sprintf(to + 2 * i, "%02x", data[i]);
}

/* Layers as cryptsetup makes them: the lower keeps a tag beside each block, the upper makes and checks it. */
static void add_crypt(struct boot_conf *conf, const struct disk *d,
		      const uint8_t key[SEAL_KEY_SIZE], bool read_only)
{
	const struct integrity *g = &d->integrity;
	char hex[2 * SEAL_KEY_SIZE + 1];

	boot_conf_add(conf, "dm",
		      "tags %" PRIu64 " integrity " DISK " %" PRIu64 " %u J 1 block_size:%u",
		      g->sb.sectors, g->start / SECTOR, g->sb.tag_size, g->block_size);
	put_hex(key, SEAL_KEY_SIZE, hex);
	boot_conf_add(
		conf, "dm",
		"root %" PRIu64
		" crypt capi:authenc(hmac(sha256),xts(aes))-plain64 %s 0 /dev/mapper/tags 0 2 "
		"integrity:%u:aead sector_size:%u",
		g->sb.sectors, hex, g->sb.tag_size, d->luks.sector_size);
	explicit_bzero(hex, sizeof(hex));
	/* Mode J, above, makes writes last in their order. */
	if (!read_only)
		boot_conf_add(conf, "ordered", "/dev/mapper/root");
	boot_conf_add(conf, "root", read_only ? "/dev/mapper/root" : "/dev/ordered");
}

static int plan_crypt(int fd, const struct disk *d, const struct root_opts *o,
		      struct boot_conf *conf, struct err *e)
{
	_cleanup_keyfile_ struct keyfile k = { 0 };
	uint8_t key[SEAL_KEY_SIZE];
	int r;

	if (!o->key_file)
		return err_set(e, EINVAL, "it is encrypted: give its key with ',key-file=FILE'");
	r = keyfile_read(o->key_file, &k, e);
	if (!r && k.loose)
		log_warn("others may read the key file '%s'; chmod 600 it", o->key_file);
	if (!r)
		r = luks_unlock(fd, k.data, k.size, key, e);
	if (!r)
		add_crypt(conf, d, key, o->read_only);
	explicit_bzero(key, sizeof(key));
	return r;
}

static int plan_verity(const struct disk *d, const struct root_opts *o, struct boot_conf *conf,
		       struct err *e)
{
	const struct verity *v = &d->verity;
	char salt[2 * VERITY_SALT_MAX + 1] = "-", hash[VERITY_ROOT_TEXT];
	struct verity_root root;

	if (!o->root_hash)
		return err_set(
			e, EINVAL,
			"it is sealed with a hash tree: say which one with ',verity=ROOTHASH'");
	/* Part of a table below: a word that is not its author's, and not a hash that is easily met. */
	if (strcmp(v->algorithm, "sha256") != 0)
		return err_set(e, EOPNOTSUPP, "its hash tree is not of sha256");
	if (verity_root_parse(o->root_hash, &root) < 0 || root.size != SHA256_SIZE)
		return err_set(e, EINVAL, "'%.140s' is not a root hash", o->root_hash);
	if (v->salt_size)
		put_hex(v->salt, v->salt_size, salt);
	boot_conf_add(conf, "dm",
		      "root-ro %" PRIu64 " verity 1 " DISK " " DISK " %u %u %" PRIu64 " %" PRIu64
		      " %s %s %s",
		      v->data_blocks * v->data_block / SECTOR, v->data_block, v->hash_block,
		      v->data_blocks, d->ext4.size / v->hash_block + 1, v->algorithm,
		      verity_root_show(&root, hash), salt);
	boot_conf_add(conf, "root", "/dev/mapper/root");
	return 0;
}

static int check_wish(const struct disk *d, const struct root_opts *o, struct err *e)
{
	if (d->truncated)
		return err_set(e, EINVAL, "the file is shorter than what is in it says");
	if (!o->key_file && !o->root_hash && !d->has_integrity && !d->has_ext4)
		return err_set(e, EINVAL,
			       "there is no file system in it that is known here; "
			       "'rktio image create' makes one");
	return disk_check_kind(d, o->key_file, o->root_hash, e);
}

static int plan(int fd, const struct root_opts *o, struct boot_conf *conf, bool *ret_read_only,
		struct err *e)
{
	struct disk d;
	int r = disk_inspect(fd, &d, e);

	if (!r)
		r = check_wish(&d, o, e);
	if (r < 0)
		return r;
	*ret_read_only = o->read_only || d.has_verity;
	/* The back end locks it, but a sentence of ours comes before a machine without a disk. */
	r = disk_check_free(fd, *ret_read_only, e);
	if (r < 0)
		return r;
	if (d.has_integrity)
		r = plan_crypt(fd, &d, o, conf, e);
	else if (d.has_verity)
		r = plan_verity(&d, o, conf, e);
	else
		boot_conf_add(conf, "root", DISK);
	if (*ret_read_only)
		boot_conf_add(conf, "rootflags", "ro");
	return r;
}

int root_plan(const struct root_opts *opts, struct boot_conf *conf, bool *ret_read_only,
	      struct err *e)
{
	_cleanup_close_ int fd = open(opts->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int r;

	if (fd < 0)
		return err_set(e, errno, "cannot open the image '%.150s': %s", opts->path,
			       err_str(errno));
	r = plan(fd, opts, conf, ret_read_only, e);
	return r < 0 ? err_wrap(e, r, "image '%.100s'", opts->path) : 0;
}
