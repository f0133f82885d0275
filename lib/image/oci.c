/* SPDX-License-Identifier: MIT */
/* oci.c - see oci.h. OCI image specification 1.1: descriptor, image-index, manifest, config; Docker image spec 1.2. */
#include "oci.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "image_limits.h"
#include "json.h"

void oci_manifest_fini(struct oci_manifest *m)
{
	for (size_t i = 0; i < m->nlayers; i++)
		free(m->layers[i].name);
	free(m->layers);
	free(m->config_name);
	*m = (struct oci_manifest){ 0 };
}

void oci_blob_path(const struct digest *d, char ret[OCI_BLOB_PATH])
{
	(void)snprintf(ret, OCI_BLOB_PATH, "blobs/sha256/%s", d->hex);
}

static int digest_err(int r, const char *what, const char *text, struct err *e)
{
	if (r == -EOPNOTSUPP)
		return err_set(e, EOPNOTSUPP, "%s has the digest '%.80s'; only sha256 is read",
			       what, text);
	return err_set(e, EPROTO, "%s has no proper digest", what);
}

static bool has_word(const char *text, const char *word)
{
	return text && strstr(text, word);
}

/* A descriptor: "digest" and "size" must be there. */
static int parse_desc(struct json_object *o, const char *what, struct oci_desc *ret, struct err *e)
{
	const char *digest = json_str(o, "digest"), *media = json_str(o, "mediaType");
	struct oci_desc d = { .has_size = true };
	int64_t size;
	int r = digest_parse(digest, &d.digest);

	if (r < 0)
		return digest_err(r, what, digest ? digest : "", e);
	if (json_int(o, "size", &size) < 0 || size < 0)
		return err_set(e, EPROTO, "%s has no proper size", what);
	d.size = (uint64_t)size;
	d.is_index = has_word(media, "image.index") || has_word(media, "manifest.list");
	*ret = d;
	return 0;
}

/* Attestations are listed beside images, for a platform "unknown". */
static bool is_our_platform(struct json_object *o)
{
	struct json_object *platform = json_get(o, "platform");
	const char *os = json_str(platform, "os"), *arch = json_str(platform, "architecture");

	if (!platform)
		return true; /* its config will tell */
	return os && arch && !strcmp(os, OCI_OS) && !strcmp(arch, OCI_ARCH);
}

/* "amd64" may come as v2 or v3 too: the plain one runs everywhere. */
static bool is_plain_variant(struct json_object *o)
{
	return !json_str(o, "platform.variant");
}

static bool has_ref(struct json_object *o, const char *ref)
{
	static const char *const keys[] = { "org.opencontainers.image.ref.name",
					    "io.containerd.image.name" };
	struct json_object *notes = json_get(o, "annotations");

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *name = json_str(json_get(notes, keys[i]), "");

		if (name && !strcmp(name, ref))
			return true;
	}
	return false;
}

/* All that pass; the same digest twice, under two names, is one image. */
struct pick {
	struct json_object *best;
	bool several, named;
};

static void pick_from(struct json_object *list, const char *ref, struct pick *p)
{
	for (size_t i = 0; i < json_len(list) && i < IMAGE_PLATFORMS_MAX; i++) {
		struct json_object *o = json_at(list, i);
		const char *digest = json_str(o, "digest"), *best = json_str(p->best, "digest");

		if (ref && !has_ref(o, ref))
			continue;
		p->named = true;
		if (!is_our_platform(o))
			continue;
		if (!p->best || (!is_plain_variant(p->best) && is_plain_variant(o)))
			p->best = o;
		else if (is_plain_variant(p->best) == is_plain_variant(o) &&
			 !(digest && best && !strcmp(digest, best)))
			p->several = true;
	}
}

int oci_index_pick(const char *text, size_t len, const char *ref, struct oci_desc *ret,
		   struct err *e)
{
	_cleanup_json_ struct json_object *o = NULL;
	struct pick p = { 0 };
	int r = json_parse(text, len, &o, e);

	if (r < 0)
		return r;
	if (!json_object_is_type(json_get(o, "manifests"), json_type_array))
		return err_set(e, EPROTO, "an index without 'manifests'");
	pick_from(json_get(o, "manifests"), ref, &p);
	if (ref && !p.named)
		return err_set(e, ENOENT, "no image in it is named '%.100s'", ref);
	if (!p.best)
		return err_set(e, ENOENT, "no image in it is for %s/%s", OCI_OS, OCI_ARCH);
	if (p.several)
		return err_set(e, ENOTUNIQ, "it holds several images: save one of them alone");
	return parse_desc(p.best, "the index's entry", ret, e);
}

static int layers_alloc(struct oci_manifest *m, size_t n, struct err *e)
{
	if (n > IMAGE_LAYERS_MAX)
		return err_set(e, E2BIG, "an image of %zu layers; up to %d are taken", n,
			       IMAGE_LAYERS_MAX);
	m->layers = calloc(n + 1, sizeof(*m->layers));
	if (!m->layers)
		return err_set(e, ENOMEM, "no memory");
	m->nlayers = n;
	return 0;
}

static char *blob_name(const struct digest *d)
{
	char path[OCI_BLOB_PATH];

	oci_blob_path(d, path);
	return strdup(path);
}

/* @layer_media: what must not be handed to a tar reader. */
static int check_layer_media(const char *media, struct err *e)
{
	if (has_word(media, "+encrypted"))
		return err_set(e, EOPNOTSUPP, "its layers are encrypted");
	return 0;
}

static int manifest_layers(struct json_object *list, struct oci_manifest *m, struct err *e)
{
	int r = layers_alloc(m, json_len(list), e);

	for (size_t i = 0; !r && i < m->nlayers; i++) {
		struct json_object *o = json_at(list, i);
		struct oci_layer *l = &m->layers[i];

		r = check_layer_media(json_str(o, "mediaType"), e);
		if (!r)
			r = parse_desc(o, "a layer", &l->blob, e);
		if (r < 0)
			break;
		l->name = blob_name(&l->blob.digest);
		if (!l->name)
			r = err_set(e, ENOMEM, "no memory");
	}
	return r;
}

int oci_manifest_parse(const char *text, size_t len, struct oci_manifest *ret, struct err *e)
{
	_cleanup_oci_manifest_ struct oci_manifest m = { 0 };
	_cleanup_json_ struct json_object *o = NULL;
	int r = json_parse(text, len, &o, e);

	if (r < 0)
		return r;
	if (!json_get(o, "config") || !json_object_is_type(json_get(o, "layers"), json_type_array))
		return err_set(e, EPROTO, "a manifest without 'config' or 'layers'");
	r = parse_desc(json_get(o, "config"), "the config", &m.config, e);
	if (r < 0)
		return r;
	m.config_name = blob_name(&m.config.digest);
	if (!m.config_name)
		return err_set(e, ENOMEM, "no memory");
	r = manifest_layers(json_get(o, "layers"), &m, e);
	if (r < 0)
		return r;
	*ret = m;
	m = (struct oci_manifest){ 0 };
	return 0;
}

static bool has_tag(struct json_object *image, const char *ref)
{
	struct json_object *tags = json_get(image, "RepoTags");

	for (size_t i = 0; i < json_len(tags); i++) {
		const char *tag = json_str(json_at(tags, i), "");

		if (tag && !strcmp(tag, ref))
			return true;
	}
	return false;
}

static int docker_pick(struct json_object *list, const char *ref, struct json_object **ret,
		       struct err *e)
{
	struct json_object *found = NULL;

	if (!json_object_is_type(list, json_type_array))
		return err_set(e, EPROTO, "manifest.json is not a list of images");
	for (size_t i = 0; i < json_len(list) && i < IMAGE_PLATFORMS_MAX; i++) {
		if (ref && !has_tag(json_at(list, i), ref))
			continue;
		if (found)
			return err_set(e, ENOTUNIQ,
				       "it holds several images: save one of them alone");
		found = json_at(list, i);
	}
	if (!found && ref)
		return err_set(e, ENOENT, "no image in it is named '%.100s'", ref);
	if (!found)
		return err_set(e, EPROTO, "manifest.json lists no image");
	*ret = found;
	return 0;
}

/* Config and layer files are named after their digests: HEX.json, blobs/sha256/HEX. Others have none to check. */
static void digest_from_name(const char *name, struct digest *ret)
{
	const char *base = strrchr(name, '/');

	base = base ? base + 1 : name;
	if (digest_parse_hex(base, strcspn(base, "."), ret) < 0)
		*ret = (struct digest){ 0 };
}

static int docker_layers(struct json_object *list, struct oci_manifest *m, struct err *e)
{
	int r = layers_alloc(m, json_len(list), e);

	for (size_t i = 0; !r && i < m->nlayers; i++) {
		const char *name = json_str(json_at(list, i), "");

		if (!name)
			return err_set(e, EPROTO, "manifest.json names a layer by something else");
		m->layers[i].name = strdup(name);
		if (!m->layers[i].name)
			r = err_set(e, ENOMEM, "no memory");
	}
	return r;
}

int oci_docker_parse(const char *text, size_t len, const char *ref, struct oci_manifest *ret,
		     struct err *e)
{
	_cleanup_oci_manifest_ struct oci_manifest m = { 0 };
	_cleanup_json_ struct json_object *o = NULL;
	struct json_object *image = NULL;
	const char *config;
	int r = json_parse(text, len, &o, e);

	if (!r)
		r = docker_pick(o, ref, &image, e);
	if (r < 0)
		return r;
	config = json_str(image, "Config");
	if (!config || !json_object_is_type(json_get(image, "Layers"), json_type_array))
		return err_set(e, EPROTO, "manifest.json has an image without Config or Layers");
	m.config_name = strdup(config);
	if (!m.config_name)
		return err_set(e, ENOMEM, "no memory");
	digest_from_name(config, &m.config.digest);
	r = docker_layers(json_get(image, "Layers"), &m, e);
	if (r < 0)
		return r;
	*ret = m;
	m = (struct oci_manifest){ 0 };
	return 0;
}

int oci_config_apply(const char *text, size_t len, struct oci_manifest *m, struct err *e)
{
	_cleanup_json_ struct json_object *o = NULL;
	struct json_object *ids;
	const char *os, *arch;
	int r = json_parse(text, len, &o, e);

	if (r < 0)
		return r;
	os = json_str(o, "os");
	arch = json_str(o, "architecture");
	ids = json_path(o, "rootfs.diff_ids");
	if (!os || !arch || (!ids && m->nlayers))
		return err_set(e, EPROTO,
			       "not the config of a container image: no os, architecture or "
			       "diff_ids");
	if (strcmp(os, OCI_OS) != 0 || strcmp(arch, OCI_ARCH) != 0)
		return err_set(e, ENOENT, "the image is for %.20s/%.20s, not %s/%s", os, arch,
			       OCI_OS, OCI_ARCH);
	if (json_len(ids) != m->nlayers)
		return err_set(e, EPROTO, "%zu layers, but %zu diff_ids in the config", m->nlayers,
			       json_len(ids));
	for (size_t i = 0; i < m->nlayers; i++) {
		const char *id = json_str(json_at(ids, i), "");

		r = digest_parse(id, &m->layers[i].diff_id);
		if (r < 0)
			return digest_err(r, "a layer", id ? id : "", e);
	}
	return 0;
}
