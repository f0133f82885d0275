/* SPDX-License-Identifier: MIT */
/* An image's index, manifests and config. The first byte says which of them the text is taken for. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "image_limits.h"
#include "oci.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int r, const struct err *e)
{
	if (r < 0)
		assert(e->code == -r && e->msg[0]);
}

static void feed_manifest(const char *text, size_t len, const char *ref, int docker)
{
	_cleanup_oci_manifest_ struct oci_manifest m = { 0 };
	struct err e = { 0 };
	int r = docker ? oci_docker_parse(text, len, ref, &m, &e)
		       : oci_manifest_parse(text, len, &m, &e);

	check(r, &e);
	if (r < 0)
		return;
	assert(m.config_name && m.nlayers <= IMAGE_LAYERS_MAX);
	for (size_t i = 0; i < m.nlayers; i++)
		assert(m.layers[i].name);
}

static void feed_index(const char *text, size_t len, const char *ref)
{
	struct oci_desc d = { 0 };
	struct err e = { 0 };
	int r = oci_index_pick(text, len, ref, &d, &e);

	check(r, &e);
	assert(r < 0 || strlen(d.digest.hex) == DIGEST_HEX);
}

static void feed_config(const char *text, size_t len)
{
	struct oci_layer layers[2] = { 0 };
	struct oci_manifest m = { .layers = layers, .nlayers = len % 3 };
	struct err e = { 0 };
	int r = oci_config_apply(text, len, &m, &e);

	check(r, &e);
	for (size_t i = 0; r >= 0 && i < m.nlayers; i++)
		assert(strlen(layers[i].diff_id.hex) == DIGEST_HEX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1, *ref;

	if (!size)
		return 0;
	ref = data[0] & 8 ? "one:1" : NULL;
	switch (data[0] % 4) {
	case 0:
		feed_index(text, size - 1, ref);
		break;
	case 1:
		feed_manifest(text, size - 1, ref, 0);
		break;
	case 2:
		feed_manifest(text, size - 1, ref, 1);
		break;
	default:
		feed_config(text, size - 1);
	}
	return 0;
}
