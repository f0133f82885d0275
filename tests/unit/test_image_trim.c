/* SPDX-License-Identifier: MIT */
/* What leaves the image cache, and what must stay. */
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
#include "cache_priv.h"
#include "image_bed.h"
#include "image_maker.h"
#include "io.h"
#include "tree.h"

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

/* Put an archive with one file that says @text where test archives are, and have it unpacked. */
static void get_other(const char *text, char *ret_entry, int *ret_lock)
{
	const struct tent tree[] = { { .path = "text", .data = text }, { 0 } };
	struct layer l = layer_of(tree, NULL);
	struct image_opts opts = { .cache_dir = cache };
	struct err e = { 0 };
	char *path;

	put_archive(oci_image(&l, 1, RIGHT, false));
	if (image_cache_get(archive, &opts, &path, ret_lock, &e) < 0)
		fail_msg("%s", e.msg);
	expect_text(path, "text", text);
	*strrchr(path, '/') = '\0';
	strcpy(ret_entry, path);
	free(path);
	layer_free(&l);
}

static void use_last(const char *entry, int days_ago)
{
	struct timespec t[2];

	(void)clock_gettime(CLOCK_REALTIME, &t[0]);
	t[0].tv_sec -= days_ago * 86400;
	t[1] = t[0];
	assert_int_equal(utimensat(AT_FDCWD, entry, t, 0), 0);
}

static void test_trim(void **state)
{
	char used[300], old[300], fresh[300], other[300], link[400];
	int used_lock, lock;
	struct stat st;

	(void)state;
	get_other("used", used, &used_lock);
	get_other("old", old, &lock);
	close(lock);
	get_other("fresh", fresh, &lock);
	close(lock);
	(void)snprintf(link, sizeof(link), "%s/.file-0", cache);
	assert_int_equal(symlink(strrchr(old, '/') + 1, link), 0);
	use_last(used, 31);
	use_last(old, 31);
	use_last(fresh, 29);
	get_other("fresh", fresh,
		  &lock); /* nothing is unpacked, so nothing goes; but the use is noted */
	close(lock);
	assert_int_equal(access(old, F_OK), 0);
	assert_int_equal(stat(fresh, &st), 0);
	assert_true(time(NULL) - st.st_mtime < 86400);
	get_other("other", other, &lock);
	close(lock);
	assert_int_equal(access(old, F_OK), -1);
	assert_int_equal(readlink(link, other, sizeof(other)), -1);
	assert_int_equal(access(used, F_OK), 0);
	assert_int_equal(access(fresh, F_OK), 0);
	close(used_lock);
	get_other("yet another", other, &lock);
	close(lock);
	assert_int_equal(access(used, F_OK), -1);
	assert_int_equal(count_names("v1-"), 3);
	assert_int_equal(count_names(".tmp-") + count_names(".lock-"), 0);
	get_other("old", old, &lock); /* unpacked anew */
	close(lock);
}

/* An entry that ages all the time: who has its lock keeps it, who comes too late unpacks anew. */
static _Noreturn void trim_for_ever(const char *entry)
{
	int fd = open(cache, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		(void)utimensat(AT_FDCWD, entry, (const struct timespec[2]){ 0 }, 0);
		cache_trim(fd);
		usleep(200);
	}
}

static void test_trim_against_use(void **state)
{
	struct image_opts opts = { .cache_dir = cache };
	int lock, again = 0, tries = 0;
	char entry[300], *path;
	pid_t child;

	(void)state;
	get_other("one", entry, &lock);
	close(lock);
	child = fork();
	if (!child)
		trim_for_ever(entry);
	for (; again < 20 && tries < 100000; tries++) {
		struct unpack_stats stats = { 0 };
		struct err e = { 0 };
		int r;

		opts.stats = &stats;
		r = image_cache_get(archive, &opts, &path, &lock, &e);
		if (r == -EAGAIN) /* trimmed three times in a row */
			continue;
		assert_int_equal(r, 0);
		again += stats.entries > 0;
		usleep(500);
		expect_text(path, "text", "one");
		free(path);
		close(lock);
		usleep(500);
	}
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
	assert_int_equal(again, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_trim, setup, teardown),
		cmocka_unit_test_setup_teardown(test_trim_against_use, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
