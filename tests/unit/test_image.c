/* SPDX-License-Identifier: MIT */
/* Whole images: formats, digests, limits; the cache: hits, two callers, kill -9, directories that are not ours. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cache.h"
#include "image_bed.h"
#include "image_maker.h"
#include "io.h"
#include "tree.h"

/* image_cache_get() in the test's cache; the tree's path must not be freed. */
static int get(struct image_opts opts, struct err *e)
{
	static char *path;
	int lock, r;

	opts.cache_dir = cache;
	free(path);
	path = NULL;
	*e = (struct err){ 0 };
	r = image_cache_get(archive, &opts, &path, &lock, e);
	if (r)
		return r;
	strcpy(e->msg, path);
	close(lock);
	return 0;
}

static void expect_text(const char *root, const char *name, const char *want)
{
	char path[400], *text;

	sprintf(path, "%s/%s", root, name);
	if (io_read_at(AT_FDCWD, path, 1000, &text, NULL) < 0)
		fail_msg("%s is not there", path);
	assert_string_equal(text, want);
	free(text);
}

/* How many names the cache has that begin with @prefix. */
static int count_names(const char *prefix)
{
	DIR *d = opendir(cache);
	struct dirent *de;
	int n = 0;

	assert_non_null(d);
	while ((de = readdir(d)))
		n += !strncmp(de->d_name, prefix, strlen(prefix));
	closedir(d);
	return n;
}

static const struct tent low[] = { { .path = "bin/tool", .data = "one" },
				   { .path = "gone", .data = "x" },
				   { 0 } };
static const struct tent high[] = { { .path = ".wh.gone" },
				    { .path = "top", .data = "two" },
				    { 0 } };

static void two_layers(struct layer *l, struct bytes (*pack)(const void *, size_t))
{
	l[0] = layer_of(low, pack);
	l[1] = layer_of(high, pack);
}

static void free_layers(struct layer *l, size_t n)
{
	while (n--)
		layer_free(&l[n]);
}

static void expect_image(const char *what)
{
	char gone[400];
	struct err e;

	if (get((struct image_opts){ 0 }, &e) < 0)
		fail_msg("%s: %s", what, e.msg);
	expect_text(e.msg, "bin/tool", "one");
	expect_text(e.msg, "top", "two");
	sprintf(gone, "%s/gone", e.msg);
	assert_int_equal(access(gone, F_OK), -1);
	sprintf(gone, "%s/../config.json", e.msg);
	assert_int_equal(access(gone, F_OK), 0);
	assert_int_equal(count_names(".tmp"), 0);
	assert_int_equal(count_names(".lock"), 0);
}

/* Two gzip members and what a tape leaves: as parallel compressors and old writers make them. */
static struct bytes gzip_parts(const void *data, size_t size)
{
	struct bytes a = gzip_of(data, 700), b = gzip_of((const char *)data + 700, size - 700);

	bytes_add(&a, b.p, b.len);
	bytes_zero(&a, 100);
	bytes_free(&b);
	return a;
}

static struct bytes zstd_parts(const void *data, size_t size)
{
	struct bytes a = { 0 }, b = zstd_of(data, 700),
		     c = zstd_of((const char *)data + 700, size - 700);

	bytes_add(&a, "\x50\x2a\x4d\x18\3\0\0\0abc", 11); /* a frame to be skipped */
	bytes_add(&a, b.p, b.len);
	bytes_add(&a, c.p, c.len);
	bytes_free(&b);
	bytes_free(&c);
	return a;
}

static void test_formats(void **state)
{
	struct bytes (*const packs[])(const void *, size_t) = { NULL, gzip_of, zstd_of, gzip_parts,
								zstd_parts };
	struct layer l[2];

	for (size_t i = 0; i < ARRAY_SIZE(packs); i++)
		for (int kind = 0; kind < 9; kind++) {
			struct bytes b, packed;
			char what[40];

			two_layers(l, packs[i]);
			b = kind % 3 == 2 ? docker_image(l, 2, RIGHT)
					  : oci_image(l, 2, RIGHT, kind % 3);
			packed = kind < 3   ? b
				 : kind < 6 ? gzip_of(b.p, b.len)
					    : zstd_of(b.p, b.len);
			if (kind >= 3)
				bytes_free(&b);
			put_archive(packed);
			sprintf(what, "layers %zu, archive %d", i, kind);
			expect_image(what);
			free_layers(l, 2);
			(void)teardown(state);
			(void)setup(state);
		}
}

static void test_shared_layers(void **state)
{
	struct layer l[3];

	(void)state;
	l[0] = layer_of(low, NULL);
	l[1] = layer_of(low, NULL); /* saved as a link to the one before */
	l[2] = layer_of(high, NULL);
	put_archive(docker_image(l, 3, RIGHT));
	expect_image("a link");
	put_archive(oci_image(l, 3, RIGHT, false));
	expect_image("the same again");
	assert_int_equal(count_names("v1-"), 1); /* one config, one tree */
	free_layers(l, 3);
	l[0] = layer_of((struct tent[]){ { .path = "f", .data = "x" }, { 0 } }, NULL);
	put_archive(oci_image(l, 0, RIGHT, false));
	assert_int_equal(get((struct image_opts){ 0 }, &(struct err){ 0 }),
			 0); /* no layer at all */
	layer_free(&l[0]);
}

static void test_layout_dir(void **state)
{
	struct layer l[2];
	struct err e;
	char cmd[300];

	(void)state;
	two_layers(l, gzip_of);
	put_archive(oci_image(l, 2, RIGHT, false));
	sprintf(cmd, "mkdir %s/layout && tar -xf %s -C %s/layout", dir, archive, dir);
	assert_int_equal(system(cmd), 0);
	sprintf(archive, "%s/layout", dir);
	expect_image("a directory");
	/* A name of it that leads elsewhere is none of its names. */
	sprintf(cmd,
		"cd %s && mv layout/index.json i && ln -s ../i layout/index.json && rm -r cache",
		dir);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(get((struct image_opts){ 0 }, &e), -EINVAL);
	free_layers(l, 2);
}

static void test_wrong(void **state)
{
	static const struct {
		enum wrong wrong;
		int oci, docker;
		const char *text;
	} table[] = {
		{ WRONG_LAYER, -EBADMSG, -EBADMSG, "layer 2 of 2: digest mismatch" },
		{ WRONG_DIFF_ID, -EBADMSG, -EBADMSG, "digest mismatch: what it" },
		{ WRONG_CONFIG, -EBADMSG, -EBADMSG, "digest mismatch" },
		{ WRONG_MANIFEST, -EBADMSG, 0, "digest mismatch" },
		{ WRONG_SIZE, -EBADMSG, 0, "promised" },
		{ WRONG_COUNT, -EPROTO, -EPROTO, "2 layers, but 1 diff_ids" },
		{ WRONG_ARCH, -ENOENT, -ENOENT, " linux/" TEST_ARCH_NAME },
		{ WRONG_ALGORITHM, -EOPNOTSUPP, 0, "only sha256 is read" },
		{ WRONG_MISSING, -ENOENT, -ENOENT, "is not in the archive" },
		{ WRONG_ENCRYPTED, -EOPNOTSUPP, 0, "encrypted" },
		{ WRONG_JSON, -EPROTO, -EPROTO, "" },
		{ WRONG_SEVERAL, -ENOTUNIQ, 0, "several images" },
	};
	struct layer l[2];
	struct err e;

	(void)state;
	two_layers(l, NULL);
	/* Padding, so that the flipped byte is one that no parser looks at. */
	bytes_zero(&l[1].blob, 4000);
	bytes_zero(&l[1].plain, 4000);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		for (int docker = 0; docker < 2; docker++) {
			int want = docker ? table[i].docker : table[i].oci, r;

			put_archive(docker ? docker_image(l, 2, table[i].wrong)
					   : oci_image(l, 2, table[i].wrong, false));
			r = get((struct image_opts){ 0 }, &e);
			if (r != want || (r && !strstr(e.msg, table[i].text)) ||
			    (r && strncmp(e.msg, "image '/tmp/", 12) != 0))
				fail_msg("%d, docker %d: %d '%s'", table[i].wrong, docker, r,
					 e.msg);
			if (r && count_names("v1-"))
				fail_msg("%d: left something", table[i].wrong);
			assert_int_equal(count_names(".tmp"), 0);
			if (!r)
				assert_int_equal(tree_remove(AT_FDCWD, cache, NULL, NULL), 0);
		}
	free_layers(l, 2);
}

/* The same contents, packed otherwise: each of the two digests is looked at. */
static void test_repacked(void **state)
{
	struct layer l[2];
	struct bytes b;
	struct err e;

	(void)state;
	two_layers(l, gzip_of);
	b = oci_image(l, 2, RIGHT, false);
	for (size_t off = 0; off < b.len; off += 512)
		if (!memcmp(b.p + off, "\x1f\x8b", 2))
			b.p[off + 4] ^= 1; /* the time within a gzip header */
	put_archive(b);
	assert_int_equal(get((struct image_opts){ 0 }, &e), -EBADMSG);
	assert_non_null(strstr(e.msg, "digest mismatch: what is there"));
	free_layers(l, 2);
}

static void test_ref(void **state)
{
	struct layer l[2];
	struct err e;

	(void)state;
	two_layers(l, NULL);
	put_archive(oci_image(l, 2, WRONG_SEVERAL, false));
	assert_int_equal(get((struct image_opts){ .ref = "one" }, &e), 0);
	assert_int_equal(get((struct image_opts){ .ref = "three" }, &e), -ENOENT);
	put_archive(docker_image(l, 2, RIGHT));
	assert_int_equal(get((struct image_opts){ .ref = "one:1" }, &e), 0);
	assert_int_equal(get((struct image_opts){ .ref = "one:2" }, &e), -ENOENT);
	free_layers(l, 2);
}

static void expect_error(struct bytes b, int want, const char *text)
{
	struct err e;
	int r;

	put_archive(b);
	r = get((struct image_opts){ 0 }, &e);
	if (r != want || !strstr(e.msg, text))
		fail_msg("%d '%s'; wanted %d '%s'", r, e.msg, want, text);
}

static void test_not_images(void **state)
{
	static const struct tent root[] = { { .path = "./etc/", .type = '5' },
					    { .path = "./etc/passwd", .data = "x" },
					    { 0 } };
	static const struct tent other[] = { { .path = "readme", .data = "x" }, { 0 } };
	static const struct tent loop[] = {
		{ .path = "manifest.json", .type = '2', .link = "b" },
		{ .path = "b", .type = '2', .link = "manifest.json" },
		{ .path = "index.json", .type = '2', .link = "../../../../etc/passwd" },
		{ 0 }
	};
	struct bytes b = { 0 };
	struct layer l[2];
	struct err e;

	(void)state;
	bytes_add(&b, "#!/bin/sh\n", 10);
	expect_error(b, -ENODATA, "truncated"); /* not even a block */
	b = (struct bytes){ 0 };
	bytes_zero(&b, 600);
	memcpy(b.p, "#!/bin/sh\n", 10);
	expect_error(b, -EPROTO, "not a tar archive");
	expect_error((struct bytes){ 0 }, -EPROTO, "empty");
	expect_error(tar_of(root), -EINVAL, "give the directory");
	expect_error(tar_of(other), -EINVAL, "neither index.json nor manifest.json");
	expect_error(tar_of(loop), -EINVAL, "neither index.json nor manifest.json");
	b = (struct bytes){ 0 };
	bytes_add(&b,
		  "\xfd"
		  "7zXZ\0something",
		  15);
	expect_error(b, -EOPNOTSUPP, "compressed with xz");
	two_layers(l, gzip_of);
	b = oci_image(l, 2, RIGHT, false);
	b.len = b.len / 1024 * 512; /* half */
	expect_error(b, -ENODATA, "truncated");
	l[1].blob.len -= 9; /* and here the layer itself, with the digest of what is there */
	expect_error(oci_image(l, 2, RIGHT, false), -ENODATA, "layer 2 of 2: truncated");
	l[1].blob.p[l[1].blob.len / 2] ^= 0xff;
	l[1].blob.p[l[1].blob.len / 2 + 1] ^= 0xff;
	expect_error(oci_image(l, 2, RIGHT, false), -EPROTO, "damaged gzip data");
	free_layers(l, 2);
	sprintf(archive, "%s/none", dir);
	assert_int_equal(get((struct image_opts){ 0 }, &e), -ENOENT);
	assert_int_equal(mkfifo(archive, 0600), 0);
	assert_int_equal(get((struct image_opts){ 0 }, &e), -EINVAL); /* does not wait */
}

static void test_bombs(void **state)
{
	struct bytes (*const packs[])(const void *, size_t) = { gzip_of, zstd_of };
	struct tent big[] = { { .path = "zeros", .size = 30 << 20 }, { 0 } };
	char *zeros = calloc(1, 30 << 20);
	struct layer l;
	struct err e;

	(void)state;
	big[0].data = zeros;
	for (size_t i = 0; i < ARRAY_SIZE(packs); i++) {
		l = layer_of(big, packs[i]);
		put_archive(oci_image(&l, 1, RIGHT, false));
		assert_int_equal(get((struct image_opts){ .max_bytes = 10 << 20 }, &e), -EFBIG);
		assert_non_null(strstr(e.msg, "unpacks to far more"));
		assert_int_equal(count_names("v1-"), 0);
		assert_int_equal(get((struct image_opts){ .max_entries = 0 }, &e), 0);
		assert_int_equal(tree_remove(AT_FDCWD, cache, NULL, NULL), 0);
		layer_free(&l);
	}
	free(zeros);
}

static void count_calls(void *arg, const struct image_progress *p)
{
	struct image_progress *seen = arg;

	if (!p->waiting && p->done <= p->total && p->done >= seen->done)
		*seen = *p;
}

int __real_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);

/* What time it is, if it is not 0. */
static time_t today_s;

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
	int r = __real_clock_gettime(clock, ret);

	if (clock == CLOCK_REALTIME && today_s)
		ret->tv_sec = today_s;
	return r;
}

static void test_hits(void **state)
{
	struct image_progress seen = { 0 };
	struct unpack_stats stats = { 0 };
	struct image_opts opts = { .progress = count_calls, .arg = &seen, .stats = &stats };
	struct stat st;
	struct layer l[2];
	struct err e, e2;
	char path[400];
	int fd;

	(void)state;
	two_layers(l, NULL);
	put_archive(oci_image(l, 2, RIGHT, false));
	assert_int_equal(stat(archive, &st), 0);
	today_s = st.st_ctime + 2;
	assert_int_equal(get(opts, &e), 0);
	assert_int_equal(seen.layer, 2);
	assert_int_equal(seen.nlayers, 2);
	assert_int_equal(seen.done, seen.total);
	assert_int_equal(stats.entries, 4);
	seen = (struct image_progress){ 0 };
	assert_int_equal(get(opts, &e2), 0);
	assert_string_equal(e.msg, e2.msg);
	assert_int_equal(seen.nlayers, 0);          /* nothing was unpacked */
	assert_int_equal(count_names(".file-"), 0); /* too fresh to be known by its times */
	today_s++;
	assert_int_equal(get(opts, &e2), 0);
	assert_int_equal(count_names(".file-"), 1);
	assert_int_equal(get(opts, &e2), 0);
	assert_string_equal(e.msg, e2.msg);

	/* Unpacked in another boot, and not seen since: may lack contents. */
	sprintf(path, "%s/../boot", e.msg);
	fd = open(path, O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, "another", 7), 7);
	close(fd);
	sprintf(path, "%s/top", e.msg);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(get(opts, &e2), 0);
	expect_text(e2.msg, "top", "two");
	assert_int_equal(seen.nlayers, 2);

	/* Long enough in this boot: it is on the disk. */
	seen = (struct image_progress){ 0 };
	sprintf(path, "%s/../boot", e.msg);
	assert_int_equal(utimensat(AT_FDCWD, path, (struct timespec[2]){ { 0 } }, 0), 0);
	assert_int_equal(get(opts, &e2), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(get(opts, &e2), 0);
	assert_int_equal(seen.nlayers, 0);

	/* Another archive under the same name. */
	layer_free(&l[1]);
	l[1] = layer_of((struct tent[]){ { .path = "top", .data = "other" }, { 0 } }, NULL);
	put_archive(oci_image(l, 2, RIGHT, false));
	assert_int_equal(get(opts, &e2), 0);
	expect_text(e2.msg, "top", "other");
	today_s = 0;
	free_layers(l, 2);
}

/* A child that unpacks, and stops where it reports its progress until it is let go. */
struct worker {
	pid_t pid;
	int told, go; /* pipes: 'u' it unpacks, 'w' it waits, 'd' done; a byte lets it go */
	bool stopped;
};

static void tell_and_wait(void *arg, const struct image_progress *p)
{
	struct worker *w = arg;
	char byte = p->waiting ? 'w' : 'u';

	if (w->stopped)
		return;
	w->stopped = byte == 'u';
	if (write(w->told, &byte, 1) != 1 || (byte == 'u' && read(w->go, &byte, 1) != 1))
		_exit(9);
}

static struct worker start_worker(void)
{
	struct worker w = { 0 };
	int told[2], go[2];

	assert_int_equal(pipe2(told, O_CLOEXEC), 0);
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	w.pid = fork();
	if (!w.pid) {
		struct image_opts opts = { .progress = tell_and_wait, .arg = &w };
		struct err e;
		int r;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed assertion leaves no worker */
		w.told = told[1];
		w.go = go[0];
		r = get(opts, &e);
		_exit(r || write(w.told, "d", 1) != 1 ? 1 : 0);
	}
	close(told[1]);
	close(go[0]);
	w.told = told[0];
	w.go = go[1];
	return w;
}

static char next_word(const struct worker *w)
{
	char byte = 0;

	return read(w->told, &byte, 1) == 1 ? byte : '-';
}

static void end_worker(struct worker *w, int want)
{
	int status;

	assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
	assert_int_equal(status, want);
	close(w->told);
	close(w->go);
}

static void test_two_callers(void **state)
{
	struct worker a, b;
	struct layer l[2];
	struct err e;

	(void)state;
	two_layers(l, NULL);
	put_archive(oci_image(l, 2, RIGHT, false));
	a = start_worker();
	assert_int_equal(next_word(&a), 'u');
	b = start_worker();
	assert_int_equal(next_word(&b), 'w'); /* and not 'u': it would unpack too */
	assert_int_equal(count_names(".tmp-"), 1);
	assert_int_equal(count_names("v1-"), 0);
	assert_int_equal(write(a.go, "x", 1), 1);
	assert_int_equal(next_word(&a), 'd');
	assert_int_equal(next_word(&b), 'd'); /* and not 'u': it is there */
	end_worker(&a, 0);
	end_worker(&b, 0);
	assert_int_equal(count_names(".tmp-"), 0);
	assert_int_equal(count_names(".lock-"), 0);
	assert_int_equal(get((struct image_opts){ 0 }, &e), 0);
	free_layers(l, 2);
}

static void test_killed(void **state)
{
	static const struct tent others[] = { { .path = "other", .data = "x" }, { 0 } };
	struct worker a, b;
	struct layer l[2], other;
	struct err e;

	(void)state;
	two_layers(l, NULL);
	other = layer_of(others, NULL);
	put_archive(oci_image(l, 2, RIGHT, false));
	a = start_worker();
	assert_int_equal(next_word(&a), 'u');
	b = start_worker();
	assert_int_equal(next_word(&b), 'w');
	assert_int_equal(kill(a.pid, SIGKILL), 0);
	assert_int_equal(next_word(&b), 'u'); /* the one who waited does it */
	assert_int_equal(write(b.go, "x", 1), 1);
	assert_int_equal(next_word(&b), 'd');
	end_worker(&b, 0);
	end_worker(&a, SIGKILL);
	expect_image("after a kill");

	assert_int_equal(tree_remove(AT_FDCWD, cache, NULL, NULL), 0);
	a = start_worker();
	assert_int_equal(next_word(&a), 'u');
	assert_int_equal(kill(a.pid, SIGKILL), 0);
	end_worker(&a, SIGKILL);
	assert_int_equal(count_names(".tmp-"), 1);
	assert_int_equal(count_names("v1-"), 0);
	put_archive(
		oci_image(&other, 1, RIGHT, false)); /* whoever comes next, for whatever image */
	assert_int_equal(get((struct image_opts){ 0 }, &e), 0);
	assert_int_equal(count_names(".tmp-"), 0);
	assert_int_equal(count_names(".lock-"), 0);

	/* One that is at work is left alone. */
	put_archive(oci_image(l, 2, RIGHT, false));
	a = start_worker();
	assert_int_equal(next_word(&a), 'u');
	put_archive(oci_image(&other, 1, RIGHT, false));
	assert_int_equal(get((struct image_opts){ 0 }, &e), 0);
	assert_int_equal(count_names(".tmp-"), 1);
	assert_int_equal(write(a.go, "x", 1), 1);
	assert_int_equal(next_word(&a), '-'); /* its archive was overwritten below it */
	end_worker(&a, 1 << 8);
	assert_int_equal(count_names(".tmp-"), 0);
	free_layers(l, 2);
	layer_free(&other);
}

static void test_cache_dir(void **state)
{
	struct layer l[2];
	struct stat st;
	struct err e;

	(void)state;
	two_layers(l, NULL);
	put_archive(oci_image(l, 2, RIGHT, false));
	assert_int_equal(mkdir(cache, 0700), 0);
	assert_int_equal(chmod(cache, 0770), 0);
	assert_int_equal(get((struct image_opts){ 0 }, &e), -EPERM);
	assert_non_null(strstr(e.msg, "can be written by others"));
	assert_int_equal(chmod(cache, 0702), 0);
	assert_int_equal(get((struct image_opts){ 0 }, &e), -EPERM);
	assert_int_equal(chmod(cache, 0755), 0);
	assert_int_equal(get((struct image_opts){ 0 }, &e), 0);
	if (!geteuid()) {
		assert_int_equal(chown(cache, 1, 1), 0);
		assert_int_equal(get((struct image_opts){ 0 }, &e), -EPERM);
		assert_non_null(strstr(e.msg, "belongs to user 1"));
	}
	strcat(cache, "-new/not/yet");
	assert_int_equal(get((struct image_opts){ 0 }, &e), 0);
	assert_int_equal(stat(cache, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	free_layers(l, 2);
}

/* The default place, for a user: $XDG_CACHE_HOME/cntr, else ~/.cache/cntr. */
static int as_user(void)
{
	char *path, want[200];
	struct err e = { 0 };
	int lock;

	if (!geteuid() && (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534)))
		return 1;
	setenv("XDG_CACHE_HOME", "not/absolute", 1);
	setenv("HOME", dir, 1);
	if (image_cache_get(archive, NULL, &path, &lock, &e) < 0)
		return fprintf(stderr, "%s\n", e.msg), 2;
	sprintf(want, "%s/.cache/cntr/v1-", dir);
	if (strncmp(path, want, strlen(want)) != 0)
		return 3;
	sprintf(want, "%s/xdg", dir);
	setenv("XDG_CACHE_HOME", want, 1);
	if (image_cache_get(archive, NULL, &path, &lock, &e) < 0)
		return 4;
	return strncmp(path, want, strlen(want)) != 0 ? 5 : 0;
}

static void test_default_dir(void **state)
{
	struct layer l[2];
	int status;
	pid_t child;

	(void)state;
	two_layers(l, NULL);
	put_archive(oci_image(l, 2, RIGHT, false));
	if (!geteuid()) {
		assert_int_equal(chown(dir, 65534, 65534), 0);
		assert_int_equal(chmod(archive, 0644), 0);
	}
	child = fork();
	if (!child)
		_exit(as_user());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	free_layers(l, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_formats, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shared_layers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_layout_dir, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong, setup, teardown),
		cmocka_unit_test_setup_teardown(test_repacked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ref, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_images, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bombs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two_callers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cache_dir, setup, teardown),
		cmocka_unit_test_setup_teardown(test_default_dir, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
