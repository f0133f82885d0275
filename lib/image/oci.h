/* SPDX-License-Identifier: MIT */
/*
 * oci.h - what the JSON files of an image say. Text in, structures out; no I/O.
 *
 * Two kinds of archive: an OCI image layout (index.json names a manifest, or
 * another index with one manifest per platform; the manifest names the config
 * and the layers) and that of "docker save" (manifest.json names config and
 * layers by path). Both end at the same config, whose diff_ids are the digests
 * of the uncompressed layers: it determines the image's contents, so its own
 * digest is the image's identity here.
 */
#ifndef IMAGE_OCI_H
#define IMAGE_OCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "digest.h"
#include "err.h"

/* The platform whose images we take. */
#define OCI_OS "linux"
#if defined(__x86_64__)
#define OCI_ARCH "amd64"
#elif defined(__aarch64__)
#define OCI_ARCH "arm64"
#else
#error "name this architecture as Go does"
#endif

/* What another blob is, says who names it. */
struct oci_desc {
	struct digest digest;
	bool has_size;
	uint64_t size;
	bool is_index; /* by its media type; else a manifest, config or layer */
};

struct oci_layer {
	char *name;           /* path in the archive */
	struct oci_desc blob; /* docker: empty digest */
	struct digest diff_id;
};

struct oci_manifest {
	char *config_name; /* path in the archive */
	struct oci_desc config;
	struct oci_layer *layers; /* the lowest first */
	size_t nlayers;
};
void oci_manifest_fini(struct oci_manifest *m);
#define _cleanup_oci_manifest_ _cleanup_(oci_manifest_fini)

/* "blobs/sha256/HEX". */
#define OCI_BLOB_PATH 80
void oci_blob_path(const struct digest *d, char ret[OCI_BLOB_PATH]);

/*
 * oci_index_pick() - The one manifest (or index) for this platform that @text, an image index, has.
 *
 * @ref: the image's name where there are several, or NULL.
 * Return: 0; -ENOENT none for this platform, or none named @ref; -ENOTUNIQ several;
 *	   -EOPNOTSUPP a digest that we cannot check; -EPROTO malformed.
 */
int oci_index_pick(const char *text, size_t len, const char *ref, struct oci_desc *ret,
		   struct err *e) _must_check_;

/* An image manifest; the diff_ids are not known yet. */
int oci_manifest_parse(const char *text, size_t len, struct oci_manifest *ret, struct err *e)
	_must_check_;

/* docker's manifest.json: the image that has the tag @ref, or the only one. Errors as oci_index_pick(). */
int oci_docker_parse(const char *text, size_t len, const char *ref, struct oci_manifest *ret,
		     struct err *e) _must_check_;

/* The config of @m: check the platform, and put the diff_ids to the layers. */
int oci_config_apply(const char *text, size_t len, struct oci_manifest *m, struct err *e)
	_must_check_;

#endif
