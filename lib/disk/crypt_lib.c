/* SPDX-License-Identifier: MIT */
/*
 * crypt_lib.c - libcryptsetup's functions, out of the library when one of them is needed.
 *
 * Theory of operation
 *
 * Linked, the library makes each start of a program six times as long, for libcrypto and libdevmapper come with it. It is
 * needed to make images and for headers of others. So the functions that lib/disk calls are here, under their names, and
 * call the library's. crypt_lib_load() finds all of them; crypt_dev_open(), which calls it, comes before any other.
 */
#include "crypt_lib.h"

#include <dlfcn.h>
#include <errno.h>
#include <libcryptsetup.h>

#include "compiler.h"

#define LIBRARY "libcryptsetup.so.12"

static struct {
	__typeof__(&crypt_init) init;
	__typeof__(&crypt_free) free;
	__typeof__(&crypt_load) load;
	__typeof__(&crypt_format) format;
	__typeof__(&crypt_set_log_callback) set_log_callback;
	__typeof__(&crypt_metadata_locking) metadata_locking;
	__typeof__(&crypt_set_pbkdf_type) set_pbkdf_type;
	__typeof__(&crypt_set_data_offset) set_data_offset;
	__typeof__(&crypt_keyslot_add_by_key) keyslot_add_by_key;
	__typeof__(&crypt_volume_key_get) volume_key_get;
	__typeof__(&crypt_get_cipher) get_cipher;
	__typeof__(&crypt_get_cipher_mode) get_cipher_mode;
	__typeof__(&crypt_get_volume_key_size) get_volume_key_size;
	__typeof__(&crypt_activate_by_volume_key) activate_by_volume_key;
} lib;

static const struct {
	const char *name;
	void *to; /* a pointer to a function; POSIX has dlsym(3) fill it as one to void */
} symbols[] = {
	{ "crypt_init", &lib.init },
	{ "crypt_free", &lib.free },
	{ "crypt_load", &lib.load },
	{ "crypt_format", &lib.format },
	{ "crypt_set_log_callback", &lib.set_log_callback },
	{ "crypt_metadata_locking", &lib.metadata_locking },
	{ "crypt_set_pbkdf_type", &lib.set_pbkdf_type },
	{ "crypt_set_data_offset", &lib.set_data_offset },
	{ "crypt_keyslot_add_by_key", &lib.keyslot_add_by_key },
	{ "crypt_volume_key_get", &lib.volume_key_get },
	{ "crypt_get_cipher", &lib.get_cipher },
	{ "crypt_get_cipher_mode", &lib.get_cipher_mode },
	{ "crypt_get_volume_key_size", &lib.get_volume_key_size },
	{ "crypt_activate_by_volume_key", &lib.activate_by_volume_key },
};

int crypt_lib_load(struct err *e)
{
	static void *library;

	if (library)
		return 0;
	library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	for (size_t i = 0; library && i < ARRAY_SIZE(symbols); i++) {
		*(void **)symbols[i].to = dlsym(library, symbols[i].name);
		if (!*(void **)symbols[i].to)
			library = NULL;
	}
	if (!library)
		return err_set(e, ELIBACC, "%s; the package libcryptsetup12 has it", dlerror());
	return 0;
}

int crypt_init(struct crypt_device **cd, const char *device)
{
	return lib.init(cd, device);
}

void crypt_free(struct crypt_device *cd)
{
	if (cd)
		lib.free(cd);
}

int crypt_load(struct crypt_device *cd, const char *requested_type, void *params)
{
	return lib.load(cd, requested_type, params);
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are libcryptsetup's */
int crypt_format(struct crypt_device *cd, const char *type, const char *cipher,
		 const char *cipher_mode, const char *uuid, const char *volume_key,
		 size_t volume_key_size, void *params)
{
	return lib.format(cd, type, cipher, cipher_mode, uuid, volume_key, volume_key_size, params);
}

void crypt_set_log_callback(struct crypt_device *cd,
			    void (*log)(int level, const char *msg, void *usrptr), void *usrptr)
{
	lib.set_log_callback(cd, log, usrptr);
}

int crypt_metadata_locking(struct crypt_device *cd, int enable)
{
	return lib.metadata_locking(cd, enable);
}

int crypt_set_pbkdf_type(struct crypt_device *cd, const struct crypt_pbkdf_type *pbkdf)
{
	return lib.set_pbkdf_type(cd, pbkdf);
}

int crypt_set_data_offset(struct crypt_device *cd, uint64_t data_offset)
{
	return lib.set_data_offset(cd, data_offset);
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are libcryptsetup's */
int crypt_keyslot_add_by_key(struct crypt_device *cd, int keyslot, const char *volume_key,
			     size_t volume_key_size, const char *passphrase, size_t passphrase_size,
			     uint32_t flags)
{
	return lib.keyslot_add_by_key(cd, keyslot, volume_key, volume_key_size, passphrase,
				      passphrase_size, flags);
}

int crypt_volume_key_get(struct crypt_device *cd, int keyslot, char *volume_key,
			 size_t *volume_key_size, const char *passphrase, size_t passphrase_size)
{
	return lib.volume_key_get(cd, keyslot, volume_key, volume_key_size, passphrase,
				  passphrase_size);
}

const char *crypt_get_cipher(struct crypt_device *cd)
{
	return lib.get_cipher(cd);
}

const char *crypt_get_cipher_mode(struct crypt_device *cd)
{
	return lib.get_cipher_mode(cd);
}

int crypt_get_volume_key_size(struct crypt_device *cd)
{
	return lib.get_volume_key_size(cd);
}

int crypt_activate_by_volume_key(struct crypt_device *cd, const char *name, const char *volume_key,
				 size_t volume_key_size, uint32_t flags)
{
	return lib.activate_by_volume_key(cd, name, volume_key, volume_key_size, flags);
}
