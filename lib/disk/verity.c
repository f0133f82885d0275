/* SPDX-License-Identifier: MIT */
#include "verity.h"

#include <errno.h>
#include <stdio.h>

#include "crypt_dev.h"

#define BLOCK     4096
#define SALT_SIZE 32

int verity_append(int fd, uint64_t data_size, struct verity_root *ret, struct err *e)
{
	_cleanup_crypt_dev_ struct crypt_device *cd = NULL;
	struct crypt_params_verity params = { .hash_name = "sha256",
					      .salt_size = SALT_SIZE,
					      .hash_type = 1,
					      .data_block_size = BLOCK,
					      .hash_block_size = BLOCK,
					      .data_size = data_size / BLOCK,
					      .hash_area_offset = data_size,
					      .flags = CRYPT_VERITY_CREATE_HASH };
	size_t size = sizeof(ret->hash);
	char path[32];
	int r;

	if (!data_size || data_size % BLOCK)
		return err_set(e, EINVAL, "its size is not a multiple of %d", BLOCK);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	params.data_device = path;
	r = crypt_dev_open(fd, &cd, e);
	if (r < 0)
		return r;
	r = crypt_format(cd, CRYPT_VERITY, NULL, NULL, NULL, NULL, 0, &params);
	if (!r)
		r = crypt_volume_key_get(cd, CRYPT_ANY_SLOT, (char *)ret->hash, &size, NULL, 0);
	if (r < 0)
		return crypt_dev_failed(r, "making the hash tree", e);
	ret->size = size;
	return 0;
}

int verity_check(int fd, uint64_t data_size, const struct verity_root *root, struct err *e)
{
	_cleanup_crypt_dev_ struct crypt_device *cd = NULL;
	struct crypt_params_verity params = { .hash_area_offset = data_size,
					      .flags = CRYPT_VERITY_CHECK_HASH };
	char path[32];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	params.data_device = path;
	r = crypt_dev_open(fd, &cd, e);
	if (r < 0)
		return r;
	r = crypt_load(cd, CRYPT_VERITY, &params);
	if (r < 0)
		return crypt_dev_failed(r, "reading the hash tree", e);
	if (root->size != (size_t)crypt_get_volume_key_size(cd)) {
		char text[VERITY_ROOT_TEXT];

		return err_set(e, EINVAL, "'%.140s' is not a root hash: this tree's has %d digits",
			       verity_root_show(root, text), 2 * crypt_get_volume_key_size(cd));
	}
	r = crypt_activate_by_volume_key(cd, NULL, (const char *)root->hash, root->size, 0);
	/* The root, a hash and a block that do not match are told apart, in none of our words. */
	if (r == -EPERM || r == -EFAULT || r == -EINVAL)
		return err_set(e, EBADMSG, "its contents are not those that the root hash is of");
	return r < 0 ? crypt_dev_failed(r, "checking the hash tree", e) : 0;
}
