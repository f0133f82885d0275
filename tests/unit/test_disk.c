/* SPDX-License-Identifier: MIT */
/* Whole disks: sealed and opened again, with hash trees; files that get their name last; keys; scratch directories. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cleanup.h"
#include "create.h"
#include "crypt.h"
#include "inspect.h"
#include "io.h"
#include "newfile.h"
#include "program.h"
#include "scratch.h"
#include "tree.h"

static char dir[64], path[100], text[ERR_MSG_MAX];
static uint8_t key[64];

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/dvs-disk-XXXXXX");
	assert_non_null(mkdtemp(dir));
	sprintf(path, "%s/file", dir);
	setenv("TMPDIR", dir, 1);
	memset(key, 'k', sizeof(key));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return tree_remove(AT_FDCWD, dir, NULL, NULL);
}

static int memory(size_t size)
{
	int fd = memfd_create("disk", MFD_CLOEXEC);

	assert_true(fd >= 0 && !ftruncate(fd, (off_t)size));
	return fd;
}

/* A byte in each block, so that no two are alike. */
static void fill(int fd, size_t size)
{
	for (size_t at = 0; at < size; at += 4096)
		assert_int_equal(pwrite(fd, &at, sizeof(at), (off_t)at + 100), sizeof(at));
}

static void same_contents(int a, int b, size_t size)
{
	void *x = mmap(NULL, size, PROT_READ, MAP_SHARED, a, 0);
	void *y = mmap(NULL, size, PROT_READ, MAP_SHARED, b, 0);

	assert_true(x != MAP_FAILED && y != MAP_FAILED && !memcmp(x, y, size));
	munmap(x, size);
	munmap(y, size);
}

static void flip(int fd, uint64_t off)
{
	uint8_t byte;

	assert_int_equal(pread(fd, &byte, 1, (off_t)off), 1);
	byte ^= 0x20;
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)off), 1);
}

static const struct crypt_key good = { key, sizeof(key) };

static void test_crypt(void **state)
{
	/* More than one area, and no whole number of them. */
	size_t size = (17 << 20) + 4096 * 3;
	_cleanup_close_ int plain = memory(size), sealed = memory(0), back = memory(0);
	uint8_t other[64] = { 1 };
	struct err e = { 0 };
	struct disk d;

	(void)state;
	fill(plain, size);
	assert_int_equal(crypt_seal(plain, size, sealed, good, NULL, &e), 0);
	assert_int_equal(disk_inspect(sealed, &d, &e), 0);
	assert_true(d.has_luks && d.has_integrity && !d.has_ext4 && !d.truncated);
	assert_true(d.size == crypt_sealed_size(size) && d.integrity.nblocks == size / 4096);
	assert_string_equal(d.luks.integrity, "hmac(sha256)");
	assert_int_equal(crypt_open(sealed, back, good, NULL, &e), 0);
	same_contents(plain, back, size);
	assert_int_equal(
		crypt_open(sealed, -1, (struct crypt_key){ other, sizeof(other) }, NULL, &e),
		-EACCES);
	/* The first and the last block, and a tag of the second area. */
	const uint64_t at[] = { integrity_place(&d.integrity, 0).data,
				integrity_place(&d.integrity, d.integrity.nblocks - 1).data + 4095,
				integrity_place(&d.integrity, 4097).tag + 31 };

	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		flip(sealed, at[i]);
		assert_int_equal(crypt_open(sealed, -1, good, NULL, &e), -EBADMSG);
		flip(sealed, at[i]);
	}
	assert_int_equal(crypt_open(sealed, -1, good, NULL, &e), 0);
}

static void test_crypt_cut_short(void **state)
{
	_cleanup_close_ int plain = memory(4096 * 4), sealed = memory(0);
	struct err e = { 0 };
	struct disk d;

	(void)state;
	assert_int_equal(crypt_seal(plain, 4096 * 4, sealed, good, NULL, &e), 0);
	assert_int_equal(ftruncate(sealed, (off_t)crypt_sealed_size(4096 * 4) - 1), 0);
	assert_int_equal(disk_inspect(sealed, &d, &e), 0);
	assert_true(d.truncated);
	assert_int_equal(crypt_open(sealed, -1, good, NULL, &e), -EPROTO);
	assert_int_equal(ftruncate(sealed, LUKS_DATA_OFFSET), 0);
	assert_true(disk_inspect(sealed, &d, &e) < 0);
	assert_non_null(strstr(e.msg, "superblock is missing"));
	assert_int_equal(crypt_seal(plain, 4095, sealed, good, NULL, &e), -EINVAL);
}

static void test_verity_tree(void **state)
{
	size_t size = 200 * 4096;
	_cleanup_close_ int fd = memory(size);
	struct verity_root root = { 0 };
	struct err e = { 0 };

	(void)state;
	fill(fd, size);
	assert_int_equal(verity_append(fd, size, &root, &e), 0);
	assert_int_equal(root.size, 32);
	assert_int_equal(verity_check(fd, size, &root, &e), 0);
	flip(fd, 77 * 4096 + 5);
	assert_int_equal(verity_check(fd, size, &root, &e), -EBADMSG);
	flip(fd, 77 * 4096 + 5);
	root.hash[0] ^= 1;
	assert_int_equal(verity_check(fd, size, &root, &e), -EBADMSG);
	root.hash[0] ^= 1;
	assert_int_equal(verity_check(fd, size, &root, &e), 0);
}

static void test_inspect_unknown(void **state)
{
	_cleanup_close_ int empty = memory(0), zeros = memory(1 << 20),
			    null = open("/dev/null", O_RDONLY);
	struct err e = { 0 };
	struct disk d;

	(void)state;
	assert_int_equal(disk_inspect(empty, &d, &e), 0);
	assert_false(d.has_ext4 || d.has_luks || d.has_verity);
	assert_int_equal(disk_inspect(zeros, &d, &e), 0);
	assert_false(d.has_ext4 || d.has_luks || d.has_verity);
	assert_int_equal(disk_inspect(null, &d, &e), -EINVAL);
}

static void put_text(const char *name, const char *what, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0 && !io_write_all(fd, what, strlen(what)) && !fchmod(fd, mode));
	close(fd);
}

static const char *get_text(const char *name)
{
	char *got = NULL;

	if (io_read_at(AT_FDCWD, name, sizeof(text) - 1, &got, NULL) < 0)
		return NULL;
	strcpy(text, got);
	free(got);
	return text;
}

/* How many names there are in the directory. */
static int names(void)
{
	DIR *d = opendir(dir);
	int n = -2;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static int write_new(bool force, bool commit, struct err *e)
{
	_cleanup_scratch_ struct scratch s = SCRATCH_INIT;
	_cleanup_newfile_ struct newfile f = NEWFILE_INIT;
	int r = scratch_open(&s, e);

	if (!r)
		r = newfile_open(path, force, &s.keeper, &f, e);
	if (r < 0)
		return r;
	assert_int_equal(io_write_all(f.fd, "new", 3), 0);
	return commit ? newfile_commit(&f, e) : 0;
}

static void test_hold(void **state)
{
	struct flock write = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	_cleanup_close_ int reader = -1, writer = -1;
	struct err e = { 0 };

	(void)state;
	put_text(path, "image", 0600);
	reader = open(path, O_RDONLY | O_CLOEXEC);
	writer = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(disk_hold(reader, &e), 0);
	assert_int_equal(disk_check_free(writer, true, &e), 0);
	assert_int_equal(disk_check_free(writer, false, &e), -EBUSY);
	closep(&reader);
	assert_int_equal(fcntl(writer, F_OFD_SETLK, &write), 0);
	reader = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(disk_hold(reader, &e), -EBUSY);
}

static void test_newfile(void **state)
{
	_cleanup_close_ int user = -1;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(write_new(false, false, &e), 0);
	assert_int_equal(names(), 0);
	assert_int_equal(write_new(false, true, &e), 0);
	assert_string_equal(get_text(path), "new");
	put_text(path, "old", 0600);
	assert_int_equal(write_new(false, true, &e), -EEXIST);
	assert_int_equal(write_new(true, false, &e), 0);
	assert_string_equal(get_text(path), "old");
	user = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(user, LOCK_SH), 0);
	assert_int_equal(write_new(true, true, &e), -EBUSY);
	assert_string_equal(get_text(path), "old");
	assert_int_equal(flock(user, LOCK_UN), 0);
	assert_int_equal(write_new(true, true, &e), 0);
	assert_string_equal(get_text(path), "new");
	assert_int_equal(names(), 1);
	assert_int_equal(unlink(path) | symlink("/etc/passwd", path), 0);
	assert_int_equal(write_new(true, true, &e), -EINVAL);
	assert_int_equal(unlink(path), 0);
	sprintf(path, "%s/", dir);
	assert_int_equal(write_new(true, true, &e), -EINVAL);
	sprintf(path, "%s/none/file", dir);
	assert_int_equal(write_new(true, true, &e), -ENOENT);
}

/* However a process ends, what it put there is gone soon after. */
static void test_scratch(void **state)
{
	static const int signals[] = { SIGKILL, SIGINT, SIGTERM, SIGHUP };
	static const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		int fds[2], status;
		pid_t pid;
		char byte;

		assert_int_equal(pipe(fds), 0);
		pid = fork();
		if (!pid) {
			struct scratch s = SCRATCH_INIT;
			struct err e;

			if (scratch_open(&s, &e) < 0 || mkdirat(s.fd, "sub", 0700) < 0 ||
			    mkdirat(s.fd, "sub/sub", 0) < 0 || keeper_also(&s.keeper, path) < 0)
				_exit(1);
			put_text(path, "half", 0600);
			(void)!write(fds[1], "x", 1);
			for (;;)
				(void)!sleep(100);
		}
		assert_int_equal(read(fds[0], &byte, 1), 1);
		assert_int_equal(names(), 2);
		kill(pid, signals[i]);
		waitpid(pid, &status, 0);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == signals[i]);
		for (int n = 0; n < 10000 && names(); n++)
			nanosleep(&pause, NULL);
		assert_int_equal(names(), 0);
		close(fds[0]);
		close(fds[1]);
	}
}

static void test_keyfile(void **state)
{
	static char bytes[KEYFILE_MAX + 2];
	struct keyfile k = { 0 };
	struct err e = { 0 };

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	bytes[31] = '\0';
	put_text(path, bytes, 0600);
	assert_int_equal(keyfile_read(path, &k, &e), -EINVAL);
	assert_null(k.data);
	bytes[31] = 'x';
	bytes[32] = '\0';
	put_text(path, bytes, 0640);
	assert_int_equal(keyfile_read(path, &k, &e), 0);
	assert_true(k.size == 32 && k.loose);
	keyfile_wipe(&k);
	bytes[32] = 'x';
	bytes[KEYFILE_MAX] = '\0';
	put_text(path, bytes, 0600);
	assert_int_equal(keyfile_read(path, &k, &e), 0);
	assert_true(k.size == KEYFILE_MAX && !k.loose);
	keyfile_wipe(&k);
	bytes[KEYFILE_MAX] = 'x';
	bytes[KEYFILE_MAX + 1] = '\0';
	put_text(path, bytes, 0600);
	assert_int_equal(keyfile_read(path, &k, &e), -EFBIG);
	assert_non_null(strstr(e.msg, "65536 bytes"));
	assert_int_equal(keyfile_read(dir, &k, &e), -EISDIR);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(keyfile_read(path, &k, &e), -ENOENT);
}

/* The size that is told to be needed is enough, and nothing is left of what was refused. */
static void test_create_sizes(void **state)
{
	struct create_opts opts = { .dir = dir, .size = 4096 };
	struct create_result res;
	struct err e = { 0 };
	unsigned int needs = 0;
	char sub[128], image[128];

	(void)state;
	sprintf(sub, "%s/tree", dir);
	sprintf(image, "%s/image", dir);
	assert_int_equal(mkdir(sub, 0755), 0);
	for (int i = 0; i < 300; i++) {
		char name[192];

		sprintf(name, "%s/%d", sub, i);
		put_text(name, name, 0644);
	}
	opts.dir = sub;
	assert_int_equal(create_image(image, &opts, &res, &e), -ENOSPC);
	assert_int_equal(sscanf(strstr(e.msg, "needs "), "needs %uM", &needs), 1);
	assert_int_equal(names(), 1);
	opts.size = ((uint64_t)needs << 20) - 4096;
	assert_int_equal(create_image(image, &opts, &res, &e), -ENOSPC);
	opts.size = (uint64_t)needs << 20;
	assert_int_equal(create_image(image, &opts, &res, &e), 0);
	assert_true(res.size == opts.size);
	opts.dir = "/nowhere";
	opts.force = true;
	assert_int_equal(create_image(image, &opts, &res, &e), -ENOENT);
	opts.dir = image;
	assert_int_equal(create_image(image, &opts, &res, &e), -ENOTDIR);
	assert_int_equal(names(), 2);
}

static void hear_fd(void *arg, const char *line)
{
	unsigned int *seen = arg;
	int fd = atoi(line);

	assert_in_range(fd, 0, 31);
	*seen |= 1U << fd;
}

static void test_program_descriptors(void **state)
{
	static const char *const argv[] = { "sh", "-c",
					    "for d in /proc/$$/fd/*; do echo ${d##*/}; done",
					    NULL };
	struct program_run p = { .argv = argv, .out = true, .line = hear_fd };
	unsigned int seen = 0;
	int inherited[8];
	struct err e;

	(void)state;
	for (size_t i = 0; i < 8; i++)
		assert_true((inherited[i] = dup(STDIN_FILENO)) > STDERR_FILENO);
	p.arg = &seen;
	p.keep_fd = inherited[5];
	assert_int_equal(program_run(&p, &e), 0);
	/* 3 is the directory that the shell reads. */
	assert_int_equal(seen & ~8U, 7U | 1U << inherited[5]);
	for (size_t i = 0; i < 8; i++)
		close(inherited[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_crypt, setup, teardown),
		cmocka_unit_test_setup_teardown(test_crypt_cut_short, setup, teardown),
		cmocka_unit_test_setup_teardown(test_verity_tree, setup, teardown),
		cmocka_unit_test_setup_teardown(test_inspect_unknown, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hold, setup, teardown),
		cmocka_unit_test_setup_teardown(test_newfile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_scratch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keyfile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_create_sizes, setup, teardown),
		cmocka_unit_test(test_program_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
