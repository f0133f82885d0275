/* SPDX-License-Identifier: MIT */
#include "image.h"

#include <errno.h>
#include <string.h>

#include "archive.h"
#include "cleanup.h"
#include "image_limits.h"
#include "oci.h"

struct image {
	struct archive *archive;
	struct oci_manifest manifest;
	struct digest id;
	char *config;
	size_t config_len;
};

void image_free(struct image *img)
{
	if (!img)
		return;
	archive_free(img->archive);
	oci_manifest_fini(&img->manifest);
	free(img->config);
	free(img);
}

const struct digest *image_id(const struct image *img)
{
	return &img->id;
}

const char *image_config(const struct image *img, size_t *ret_len)
{
	*ret_len = img->config_len;
	return img->config;
}

/* Read a JSON file and hold it against what names it. */
static int read_checked(struct archive *a, const char *name, const struct oci_desc *d, char **ret,
			size_t *ret_len, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	struct digest got;
	int r = archive_read(a, name, IMAGE_JSON_MAX, &text, ret_len, e);

	if (r < 0)
		return r;
	if (d->has_size && d->size != *ret_len)
		return err_set(e, EBADMSG, "'%.100s' has %zu bytes, not the %llu that are promised",
			       name, *ret_len, (unsigned long long)d->size);
	digest_of(text, *ret_len, &got);
	if (d->digest.hex[0] && !digest_eq(&d->digest, &got))
		return err_set(e, EBADMSG,
			       "digest mismatch: '%.100s' has sha256:%.12s..., not sha256:%.12s...",
			       name, got.hex, d->digest.hex);
	*ret = take_ptr(text);
	return 0;
}

/* index.json, then an index within it or not, then the manifest. */
static int open_layout(struct image *img, const char *ref, struct err *e)
{
	struct oci_desc d = { .is_index = true };
	char name[OCI_BLOB_PATH] = "index.json";

	for (int depth = 0; depth < IMAGE_INDEX_DEPTH; depth++) {
		_cleanup_free_ char *text = NULL;
		size_t len;
		int r = read_checked(img->archive, name, &d, &text, &len, e);

		if (r < 0)
			return r;
		if (!d.is_index) {
			r = oci_manifest_parse(text, len, &img->manifest, e);
			return r < 0 ? err_wrap(e, r, "its manifest") : 0;
		}
		/* A name stands in the outermost index alone. */
		r = oci_index_pick(text, len, depth ? NULL : ref, &d, e);
		if (r < 0)
			return err_wrap(e, r, "its index");
		oci_blob_path(&d.digest, name);
	}
	return err_set(e, EPROTO, "indexes within indexes without end");
}

static int open_docker(struct image *img, const char *ref, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = archive_read(img->archive, "manifest.json", IMAGE_JSON_MAX, &text, &len, e);

	if (r < 0)
		return r;
	r = oci_docker_parse(text, len, ref, &img->manifest, e);
	return r < 0 ? err_wrap(e, r, "its manifest.json") : 0;
}

static bool has_member(struct image *img, const char *name)
{
	struct src_range range;

	return archive_find(img->archive, name, &range) == 0;
}

static int open_manifest(struct image *img, const char *ref, struct err *e)
{
	if (has_member(img, "index.json"))
		return open_layout(img, ref, e);
	if (has_member(img, "manifest.json"))
		return open_docker(img, ref, e);
	if (archive_looks_like_root(img->archive))
		return err_set(e, EINVAL,
			       "a tar of a root file system, not an image: unpack it, and give "
			       "the directory");
	if (has_member(img, "repositories"))
		return err_set(e, EOPNOTSUPP,
			       "an archive of docker before 1.10: save it with a newer one");
	return err_set(e, EINVAL, "not an image: it has neither index.json nor manifest.json");
}

static int open_config(struct image *img, struct err *e)
{
	struct oci_manifest *m = &img->manifest;
	int r = read_checked(img->archive, m->config_name, &m->config, &img->config,
			     &img->config_len, e);

	if (r < 0)
		return r;
	digest_of(img->config, img->config_len, &img->id);
	r = oci_config_apply(img->config, img->config_len, m, e);
	return r < 0 ? err_wrap(e, r, "its config") : 0;
}

int image_open(int fd, int tmpfd, const struct image_opts *opts, struct image **ret, struct err *e)
{
	_cleanup_image_ struct image *img = calloc(1, sizeof(*img));
	int r;

	if (!img) {
		closep(&fd);
		return err_set(e, ENOMEM, "no memory");
	}
	r = archive_open(fd, tmpfd, &img->archive, e);
	if (!r)
		r = open_manifest(img, opts->ref, e);
	if (!r)
		r = open_config(img, e);
	if (r < 0)
		return r;
	*ret = take_ptr(img);
	return 0;
}

/* Where all layers lie; they must be there before the first is unpacked. */
static int find_layers(struct image *img, struct src_range *ranges, uint64_t *ret_total,
		       struct err *e)
{
	uint64_t total = 0;

	for (size_t i = 0; i < img->manifest.nlayers; i++) {
		const struct oci_layer *l = &img->manifest.layers[i];

		if (archive_find(img->archive, l->name, &ranges[i]) < 0)
			return err_set(e, ENOENT,
				       "layer '%.100s' is not in the archive: it was not saved "
				       "as a whole",
				       l->name);
		if (l->blob.has_size && l->blob.size != ranges[i].size)
			return err_set(e, EBADMSG,
				       "layer '%.90s' has %llu bytes, not the %llu that are "
				       "promised",
				       l->name, (unsigned long long)ranges[i].size,
				       (unsigned long long)l->blob.size);
		total += ranges[i].size;
	}
	*ret_total = total;
	return 0;
}

/* What one run of image_unpack() carries through the layers. */
struct run {
	struct unpack *u;
	const struct image_opts *opts;
	struct image_progress progress;
	uint64_t before; /* bytes of the layers that are through */
	uint64_t budget;
};

static int unpack_one(struct run *run, const struct oci_layer *l, const struct src_range *range,
		      struct err *e)
{
	_cleanup_src_ struct src *s = NULL;
	struct span piece;
	int r = src_open(range, &run->budget, &s, e);

	if (r < 0)
		return r;
	unpack_begin_layer(run->u);
	while ((r = src_read(s, &piece, e)) > 0) {
		r = unpack_feed(run->u, piece, e);
		if (r < 0)
			return r;
		run->progress.done = run->before + src_done(s);
		run->progress.entries = unpack_stats(run->u)->entries;
		if (run->opts->progress)
			run->opts->progress(run->opts->arg, &run->progress);
	}
	if (r < 0)
		return r;
	r = unpack_end_layer(run->u, e);
	return r < 0 ? r : src_finish(s, &l->blob.digest, &l->diff_id, e);
}

static uint64_t budget_of(uint64_t total, const struct image_opts *opts)
{
	uint64_t max = opts->max_bytes ? opts->max_bytes : UNPACK_BYTES_MAX;

	if (total < (UNPACK_BYTES_MAX - UNPACK_SLACK) / UNPACK_RATIO_MAX &&
	    total * UNPACK_RATIO_MAX + UNPACK_SLACK < max)
		max = total * UNPACK_RATIO_MAX + UNPACK_SLACK;
	return max;
}

int image_unpack(struct image *img, int rootfd, const struct image_opts *opts, struct err *e)
{
	_cleanup_free_ struct src_range *ranges = NULL;
	const struct oci_manifest *m = &img->manifest;
	_cleanup_unpack_ struct unpack *u = NULL;
	struct run run = { .opts = opts };
	int r;

	ranges = calloc(m->nlayers + 1, sizeof(*ranges));
	if (!ranges)
		return err_set(e, ENOMEM, "no memory");
	r = find_layers(img, ranges, &run.progress.total, e);
	if (!r)
		r = unpack_new(rootfd, opts->max_entries, &u, e);
	if (r < 0)
		return r;
	run.u = u;
	run.budget = budget_of(run.progress.total, opts);
	run.progress.nlayers = (unsigned int)m->nlayers;
	for (size_t i = 0; i < m->nlayers; i++) {
		run.progress.layer = (unsigned int)i + 1;
		r = unpack_one(&run, &m->layers[i], &ranges[i], e);
		if (r < 0)
			return err_wrap(e, r, "layer %zu of %zu", i + 1, m->nlayers);
		run.before += ranges[i].size;
	}
	r = unpack_finish(u, e);
	if (!r && opts->stats)
		*opts->stats = *unpack_stats(u);
	return r;
}
