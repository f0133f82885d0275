/* SPDX-License-Identifier: MIT */
/* Layers: whiteouts, attributes, and layers that try to get out of their root. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "image_maker.h"
#include "io.h"
#include "tree.h"
#include "unpack.h"

#define LAYERS 3

static char dir[64], outside[80]; /* where a test works; what lies beside its root */
static int dirfd_, rootfd;

static void write_text(int at, const char *path, const char *text)
{
	int fd = openat(at, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* root/ to unpack into; outside/ with a file and a directory that must stay as they are. */
static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/dvs-unpack-XXXXXX");
	assert_non_null(mkdtemp(dir));
	sprintf(outside, "%s/outside", dir);
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(dirfd_, "root", 0700), 0);
	assert_int_equal(mkdirat(dirfd_, "outside", 0700), 0);
	assert_int_equal(mkdirat(dirfd_, "outside/dir", 0700), 0);
	write_text(dirfd_, "outside/secret", "secret");
	rootfd = openat(dirfd_, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(rootfd);
	close(dirfd_);
	return tree_remove(AT_FDCWD, dir, NULL, NULL);
}

/* Unpack tar streams; @step: bytes at a time. */
static int unpack_tars(const struct bytes *tars, size_t n, size_t step, struct unpack_stats *stats,
		       struct err *e)
{
	struct unpack *u;
	int r = unpack_new(rootfd, 100000, &u, e);

	assert_int_equal(r, 0);
	for (size_t i = 0; !r && i < n; i++) {
		unpack_begin_layer(u);
		for (size_t off = 0; !r && off < tars[i].len; off += step) {
			size_t left = tars[i].len - off;
			struct span s = { (char *)tars[i].p + off, left < step ? left : step };

			r = unpack_feed(u, s, e);
		}
		if (!r)
			r = unpack_end_layer(u, e);
	}
	if (!r)
		r = unpack_finish(u, e);
	if (stats)
		*stats = *unpack_stats(u);
	unpack_free(u);
	return r;
}

static int unpack_layers(const struct tent (*layers)[16], size_t n, struct unpack_stats *stats,
			 struct err *e)
{
	struct bytes tars[LAYERS];
	int r;

	for (size_t i = 0; i < n; i++)
		tars[i] = tar_of(layers[i]);
	r = unpack_tars(tars, n, 1000, stats, e);
	for (size_t i = 0; i < n; i++)
		bytes_free(&tars[i]);
	return r;
}

/* The root's tree as a sorted list of names. */
static void list_dir(int at, const char *prefix, char *out)
{
	struct dirent **names;
	int n = scandirat(at, ".", &names, NULL, alphasort);

	assert_true(n >= 0);
	for (int i = 0; i < n; i++) {
		const char *name = names[i]->d_name;
		char path[300];
		int fd;

		if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
			snprintf(path, sizeof(path), "%s%s", prefix, name);
			sprintf(out + strlen(out), "%s ", path);
			fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
			strcat(path, "/");
			if (fd >= 0) {
				list_dir(fd, path, out);
				close(fd);
			}
		}
		free(names[i]);
	}
	free(names);
}

static void expect_tree(const char *want)
{
	char got[4096] = "";

	list_dir(rootfd, "", got);
	assert_string_equal(got, want);
}

static void expect_text(const char *path, const char *want)
{
	char *text;

	assert_int_equal(io_read_at(rootfd, path, 1000, &text, NULL), 0);
	assert_string_equal(text, want);
	free(text);
}

/* Nothing beside the root was made, removed, written, linked or changed. */
static void expect_outside_whole(const char *what)
{
	char got[1000] = "", *text;
	struct stat st;
	int fd = openat(dirfd_, "outside", O_RDONLY | O_DIRECTORY);

	list_dir(fd, "", got);
	if (strcmp(got, "dir secret ") != 0)
		fail_msg("%s: outside has '%s'", what, got);
	assert_int_equal(io_read_at(fd, "secret", 100, &text, NULL), 0);
	assert_string_equal(text, "secret");
	free(text);
	assert_int_equal(fstatat(fd, "secret", &st, 0), 0);
	if (st.st_nlink != 1 || (st.st_mode & 07777) != 0600)
		fail_msg("%s: secret has %o, %d links", what, st.st_mode, (int)st.st_nlink);
	assert_int_equal(fstatat(fd, "dir", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	close(fd);
	got[0] = '\0';
	fd = openat(dirfd_, ".", O_RDONLY | O_DIRECTORY);
	assert_int_equal(fstatat(fd, "root", &st, 0), 0);
	close(fd);
}

static void test_whiteouts(void **state)
{
	static const struct tent layers[][16] = {
		{ { .path = "a/", .type = '5' },
		  { .path = "a/1", .data = "low" },
		  { .path = "a/2", .data = "low" },
		  { .path = "b/c/d/e", .data = "low" }, /* its parents have no entries */
		  { .path = "o/x/y", .data = "low" },
		  { .path = "o/z", .data = "low" },
		  { .path = "f", .data = "low" },
		  { .path = "p/q", .data = "low" },
		  { .path = ".wh.ghost", .data = "" }, /* nothing is below the first layer */
		  { .path = "l", .type = '2', .link = "a" } },
		{ { .path = "a/.wh.1" },
		  { .path = ".wh.b" },
		  { .path = "none/at/all/.wh.x" },
		  { .path = "o/x/new", .data = "mid" }, /* comes before the whiteout: stays */
		  { .path = "o/.wh..wh..opq" },
		  { .path = "o/after", .data = "mid" },
		  { .path = "f", .type = '5' }, /* a directory for a file */
		  { .path = "f/g", .data = "mid" },
		  { .path = "p", .data = "file" }, /* a file for a directory */
		  { .path = "same", .data = "kept" },
		  { .path = ".wh.same" }, /* hides what is below, not this */
		  { .path = ".wh..wh.plnk", .type = '5' },
		  { .path = "l/3", .data = "by the link" } },
		{ { .path = ".wh.l" }, { .path = "f/g", .data = "top" }, { .path = ".wh.p" } },
	};
	struct err e = { 0 };

	(void)state;
	assert_int_equal(unpack_layers(layers, 1, NULL, &e), 0);
	expect_tree("a a/1 a/2 b b/c b/c/d b/c/d/e f l o o/x o/x/y o/z p p/q ");
	assert_int_equal(tree_empty(rootfd, NULL, NULL), 0);
	assert_int_equal(unpack_layers(layers, 2, NULL, &e), 0);
	expect_tree("a a/2 a/3 f f/g l o o/after o/x o/x/new p same ");
	expect_text("same", "kept");
	expect_text("p", "file");
	assert_int_equal(tree_empty(rootfd, NULL, NULL), 0);
	assert_int_equal(unpack_layers(layers, 3, NULL, &e), 0);
	expect_tree(
		"a a/2 a/3 f f/g o o/after o/x o/x/new same "); /* the link went, not what it led to */
	expect_text("f/g", "top");
}

static struct stat stat_of(const char *path)
{
	struct stat st;

	if (fstatat(rootfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return st;
}

static void expect_mode(const char *path, unsigned int mode, long mtime)
{
	struct stat st = stat_of(path);

	if (st.st_mode != mode || st.st_mtime != mtime)
		fail_msg("%s: mode %o, time %ld", path, st.st_mode, (long)st.st_mtime);
}

static const struct tent attributes[][16] = {
	{ { .path = "./", .type = '5', .mode = 0711, .mtime = 10 },
	  { .path = "ro/", .type = '5', .mode = 0555, .mtime = 11 },
	  { .path = "ro/f", .data = "x", .mode = 04751, .mtime = 12 },
	  { .path = "ro/hard", .type = '1', .link = "./ro//f" },
	  { .path = "sticky", .type = '5', .mode = 03777, .mtime = 13 },
	  { .path = "shut", .type = '5', .mode = 0001, .mtime = 14 },
	  { .path = "shut/in", .data = "y", .mtime = 1, .pax = "mtime=1.5" },
	  { .path = "link", .type = '2', .link = "/nowhere", .mtime = 15 },
	  { .path = "fifo", .type = '6', .mode = 0622, .mtime = 16 },
	  { .path = "x", .data = "z", .pax = "SCHILY.xattr.user.a=value" },
	  { .path = "evil", .data = "z", .pax = "SCHILY.xattr.trusted.overlay.redirect=/" },
	  { .path = "evil2", .data = "z", .pax = "SCHILY.xattr.user.overlay.opaque=y" } },
	{ { .path = "ro/new", .data = "second layer" }, { .path = "fresh/f", .data = "1" } },
};

static void test_attributes(void **state)
{
	struct unpack_stats stats = { 0 };
	struct err e = { 0 };
	char value[10];
	int fd;

	(void)state;
	if (unpack_layers(attributes, 2, &stats, &e) != 0)
		fail_msg("%s", e.msg);
	expect_mode(".", S_IFDIR | 0711, 10);
	expect_mode("ro", S_IFDIR | 0555, 11); /* though the second layer wrote to it */
	expect_mode("ro/f", S_IFREG | (geteuid() ? 0751 : 04751), 12);
	assert_int_equal(stat_of("ro/hard").st_ino, stat_of("ro/f").st_ino);
	expect_mode("sticky", S_IFDIR | (geteuid() ? 01777 : 03777), 13);
	expect_mode("shut", S_IFDIR | 0001, 14);
	expect_mode("link", S_IFLNK | 0777, 15);
	expect_mode("fifo", S_IFIFO | 0622, 16);
	assert_int_equal(stat_of("fresh").st_mode, S_IFDIR | 0755);
	fd = openat(rootfd, "x", O_RDONLY);
	assert_int_equal(fgetxattr(fd, "user.a", value, sizeof(value)), 5);
	close(fd);
	fd = openat(rootfd, "evil", O_RDONLY);
	assert_int_equal(flistxattr(fd, NULL, 0), 0);
	close(fd);
	fd = openat(rootfd, "evil2", O_RDONLY);
	assert_int_equal(flistxattr(fd, NULL, 0), 0);
	close(fd);
	assert_int_equal(stats.skipped.xattrs, 2);
	assert_int_equal(stats.entries, 14);
	assert_int_equal(stats.bytes, 18);
	if (geteuid())
		return;
	assert_int_equal(stats.skipped.owners, 0);
	expect_mode("shut/in", S_IFREG | 0644, 1);
	assert_int_equal(stat_of("shut/in").st_mtim.tv_nsec, 500000000);
}

static void test_owners_and_devices(void **state)
{
	static const struct tent layers[][16] = {
		{ { .path = "d", .type = '5', .uid = 5, .gid = 6, .mode = 02775 },
		  { .path = "d/f", .data = "x", .uid = 70, .gid = 80, .mode = 04755 },
		  { .path = "d/own", .data = "x" }, /* not the set-group-id directory's group */
		  { .path = "s", .type = '2', .link = "d/f", .uid = 7, .gid = 8 },
		  { .path = "null", .type = '3', .major = 1, .minor = 3, .mode = 0666 },
		  { .path = "disk", .type = '4', .major = 8, .minor = 1, .uid = 3 },
		  { .path = "null2", .type = '1', .link = "null" } },
	};
	struct unpack_stats stats = { 0 };
	struct err e = { 0 };

	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(unpack_layers(layers, 1, &stats, &e), 0);
	assert_int_equal(stat_of("d").st_uid, 5);
	assert_int_equal(stat_of("d").st_mode, S_IFDIR | 02775);
	assert_int_equal(stat_of("d/f").st_gid, 80);
	assert_int_equal(stat_of("d/f").st_mode, S_IFREG | 04755);
	assert_int_equal(stat_of("d/own").st_gid, 0);
	assert_int_equal(stat_of("s").st_uid, 7);
	if (stats.devices_skipped) { /* a machine that makes no devices even for root */
		assert_int_equal(stats.devices_skipped, 3);
		return;
	}
	assert_int_equal(stat_of("null").st_mode, S_IFCHR | 0666);
	assert_int_equal(stat_of("null").st_rdev, 0x103);
	assert_int_equal(stat_of("disk").st_uid, 3);
	assert_int_equal(stat_of("null2").st_ino, stat_of("null").st_ino);
}

/* Run by a child that is nobody; a failed assertion is its exit status. */
static int as_nobody(void)
{
	static const struct tent layers[][16] = {
		{ { .path = "f", .data = "x", .uid = 1, .gid = 1, .mode = 06755 },
		  { .path = "null", .type = '3', .major = 1, .minor = 3 },
		  { .path = "null2", .type = '1', .link = "null" },
		  { .path = "shut", .type = '5', .mode = 01 },
		  { .path = "shut/deep/f", .data = "x" } },
		{ { .path = "shut/deep/g", .data = "x" }, { .path = ".wh.f" } },
		{ { .path = "f", .data = "x", .uid = 1, .gid = 1, .mode = 06755 } },
	};
	struct unpack_stats stats = { 0 };
	struct err e = { 0 };
	struct stat st;

	if (unpack_layers(layers, 3, &stats, &e) != 0)
		return fprintf(stderr, "%s\n", e.msg), 1;
	if (stats.devices_skipped != 2 || !stats.skipped.owners)
		return 2;
	if (fstatat(rootfd, "f", &st, 0) < 0 || (st.st_mode & 07777) != 0755)
		return 3; /* set-user-id of whom? */
	if (fstatat(rootfd, "shut", &st, 0) < 0 || (st.st_mode & 07777) != 01)
		return 4;
	return tree_empty(rootfd, NULL, NULL) < 0 ? 5 : 0; /* although it is shut */
}

static void test_unprivileged(void **state)
{
	int status;
	pid_t child;

	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(fchown(dirfd_, 65534, 65534), 0);
	assert_int_equal(fchown(rootfd, 65534, 65534), 0);
	child = fork();
	if (!child)
		_exit(setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534)
			      ? 9
			      : as_nobody());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/*
 * What hostile layers try. OUT stands for the absolute path of the directory
 * outside. @r: 0, it goes well inside the root; else the error.
 */
static const struct escape {
	const char *what;
	int r;
	struct tent layers[2][16];
} escapes[] = {
	{ "a name with ..", -EXDEV, { { { .path = "../outside/new", .data = "x" } } } },
	{ ".. in the middle", -EXDEV, { { { .path = "a/../../outside/new", .data = "x" } } } },
	{ ".. at the end", -EXDEV, { { { .path = "a/..", .type = '5', .mode = 0777 } } } },
	{ "an absolute name", 0, { { { .path = "OUT/new", .data = "x" } } } },
	{ "a whiteout with ..", -EXDEV, { { { 0 } }, { { .path = "../outside/.wh.secret" } } } },
	{ "a whiteout of ..", -EPROTO, { { { .path = "a/b" } }, { { .path = "a/.wh..." } } } },
	{ "a whiteout of .", -EPROTO, { { { .path = "a/b" } }, { { .path = "a/.wh.." } } } },
	{ "a whiteout of nothing", -EPROTO, { { { .path = "a/b" } }, { { .path = "a/.wh." } } } },
	{ "through a relative link, same layer",
	  -ENOTDIR,
	  { { { .path = "l", .type = '2', .link = "../outside" }, { .path = "l/new" } } } },
	{ "through a relative link, later layer",
	  -ENOTDIR,
	  { { { .path = "l", .type = '2', .link = "../outside" } }, { { .path = "l/new" } } } },
	{ "through an absolute link",
	  -ENOTDIR,
	  { { { .path = "l", .type = '2', .link = "OUT" } },
	    { { .path = "l/new", .data = "x" } } } },
	{ "through a link to /proc",
	  -ENOTDIR,
	  { { { .path = "l", .type = '2', .link = "/proc/self/root/tmp" } },
	    { { .path = "l/n" } } } },
	{ "through a chain of links",
	  -ENOTDIR,
	  { { { .path = "a", .type = '2', .link = ".." },
	      { .path = "b", .type = '2', .link = "a/outside" } },
	    { { .path = "b/dir/new" } } } },
	{ "links in a circle",
	  -ELOOP,
	  { { { .path = "a", .type = '2', .link = "b" },
	      { .path = "b", .type = '2', .link = "a" } },
	    { { .path = "a/f" } } } },
	{ "writing to a link",
	  0,
	  { { { .path = "l", .type = '2', .link = "OUT/secret" } },
	    { { .path = "l", .data = "x" } } } },
	{ "a directory over a link",
	  0,
	  { { { .path = "l", .type = '2', .link = "OUT/dir" } },
	    { { .path = "l", .type = '5', .mode = 0777 }, { .path = "l/new", .data = "x" } } } },
	{ "attributes for a link's target",
	  0,
	  { { { .path = "d", .type = '5', .mode = 0777 } },
	    { { .path = ".wh.d" },
	      { .path = "d", .type = '2', .link = "OUT/dir", .mode = 0777 } } } },
	{ "a directory that becomes a link before its attributes come",
	  0,
	  { { { .path = "d", .type = '5', .mode = 0777, .uid = 9 },
	      { .path = "d", .type = '2', .link = "OUT/dir" } } } },
	{ "a whiteout through a link",
	  0,
	  { { { .path = "l", .type = '2', .link = "OUT" } }, { { .path = "l/.wh.secret" } } } },
	{ "an opaque mark through a link",
	  0,
	  { { { .path = "l", .type = '2', .link = "../outside" } },
	    { { .path = "l/.wh..wh..opq" } } } },
	{ "a whiteout of a link",
	  0,
	  { { { .path = "l", .type = '2', .link = "OUT/dir" } }, { { .path = ".wh.l" } } } },
	{ "a hard link with ..",
	  -EXDEV,
	  { { { .path = "h", .type = '1', .link = "../outside/secret" } } } },
	{ "an absolute hard link",
	  -ENOENT,
	  { { { .path = "h", .type = '1', .link = "OUT/secret" } } } },
	{ "a hard link through a link",
	  -ENOENT,
	  { { { .path = "l", .type = '2', .link = "OUT" } },
	    { { .path = "h", .type = '1', .link = "l/secret", .mode = 0777 } } } },
	{ "a hard link to a link, then written to",
	  0,
	  { { { .path = "l", .type = '2', .link = "OUT/secret" },
	      { .path = "h", .type = '1', .link = "l" },
	      { .path = "h", .data = "x", .mode = 0777 } } } },
	{ "a hard link to a link, then a directory of it",
	  -ENOTDIR,
	  { { { .path = "l", .type = '2', .link = "OUT" },
	      { .path = "h", .type = '1', .link = "l" },
	      { .path = "h/new" } } } },
	{ "a hard link to a directory",
	  -EPERM,
	  { { { .path = "d", .type = '5' }, { .path = "h", .type = '1', .link = "d" } } } },
	{ "a hard link to the root", -EISDIR, { { { .path = "h", .type = '1', .link = "/" } } } },
	{ "a hard link to itself", -ENOENT, { { { .path = "h", .type = '1', .link = "./h" } } } },
	{ "a hard link into what it replaces",
	  -ENOENT,
	  { { { .path = "d/f", .data = "x" }, { .path = "d", .type = '1', .link = "d/f" } } } },
	{ "a file as a directory",
	  -ENOTDIR,
	  { { { .path = "f", .data = "x" }, { .path = "f/g" } } } },
	{ "the root as a file", -EISDIR, { { { .path = "./", .data = "x", .size = 1 } } } },
	{ "the root as a link", -EISDIR, { { { .path = "/", .type = '2', .link = "OUT" } } } },
	{ "a device number out of range",
	  -ERANGE,
	  { { { .path = "c", .type = '3', .major = 0x1000 } } } },
};

/* Put the path of outside/ where a string begins with OUT. */
static const char *real_text(const char *s, char *buf)
{
	if (!s || strncmp(s, "OUT", 3) != 0)
		return s;
	sprintf(buf, "%s%s", outside, s + 3);
	return buf;
}

static void test_escapes(void **state)
{
	for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
		const struct escape *x = &escapes[i];
		struct bytes tars[2] = { 0 };
		struct err e = { 0 };
		int r;

		for (int l = 0; l < 2; l++) {
			for (const struct tent *t = x->layers[l]; t->path; t++) {
				char path[200], link[200];
				struct tent real = *t;

				real.path = real_text(t->path, path);
				real.link = real_text(t->link, link);
				tar_add(&tars[l], &real);
			}
			tar_end(&tars[l]);
		}
		r = unpack_tars(tars, 2, 512, NULL, &e);
		if (r != x->r || (r && !e.msg[0]))
			fail_msg("%s: %d '%s'; wanted %d", x->what, r, e.msg, x->r);
		expect_outside_whole(x->what);
		bytes_free(&tars[0]);
		bytes_free(&tars[1]);
		(void)teardown(state);
		(void)setup(state);
	}
}

static void test_depth(void **state)
{
	static const unsigned int depths[] = { UNPACK_DEPTH_MAX, UNPACK_DEPTH_MAX + 1 };
	struct bytes tar;
	char name[700];

	for (size_t i = 0; i < 2; i++) {
		struct err e = { 0 };

		name[0] = '\0';
		tar = (struct bytes){ 0 };
		for (unsigned int d = 0; d < depths[i]; d++)
			strcat(name, d ? "/d" : "d");
		tar_pax(&tar, "path", name, strlen(name));
		tar_add(&tar, &(struct tent){ .path = "cut", .type = '5' });
		assert_int_equal(unpack_tars(&tar, 1, 999, NULL, &e), i ? -E2BIG : 0);
		bytes_free(&tar);
	}
	(void)teardown(state);
	(void)setup(state);
	/* Links make a name short whose place is deep. */
	tar = (struct bytes){ 0 };
	name[0] = '\0';
	for (unsigned int d = 0; d < 200; d++)
		strcat(name, d ? "/d" : "d");
	tar_pax(&tar, "path", name, strlen(name));
	tar_add(&tar, &(struct tent){ .path = "cut", .type = '5' });
	tar_pax(&tar, "linkpath", name, strlen(name));
	tar_add(&tar, &(struct tent){ .path = "l", .type = '2', .link = "cut" });
	name[1 + 2 * 99] = '\0';
	sprintf(name + strlen(name), "/e");
	memmove(name + 2, name, strlen(name) + 1);
	memcpy(name, "l/", 2);
	tar_pax(&tar, "path", name, strlen(name));
	tar_add(&tar, &(struct tent){ .path = "cut", .type = '5' });
	assert_int_equal(unpack_tars(&tar, 1, 999, NULL, NULL), -E2BIG);
	bytes_free(&tar);
}

static void test_many(void **state)
{
	struct bytes tar = { 0 };
	struct unpack *u;
	struct err e = { 0 };

	(void)state;
	for (int i = 0; i < 12; i++)
		tar_add(&tar, &(struct tent){ .path = "f", .data = "x" });
	assert_int_equal(unpack_new(rootfd, 10, &u, &e), 0);
	unpack_begin_layer(u);
	assert_int_equal(unpack_feed(u, (struct span){ (char *)tar.p, tar.len }, &e), -E2BIG);
	assert_int_equal(unpack_stats(u)->entries, 11);
	unpack_free(u);
	bytes_free(&tar);
}

static void test_removed_dirs(void **state)
{
	static const struct tent layers[][16] = {
		{ { .path = "d/", .type = '5', .mode = 0700, .mtime = 5 },
		  { .path = "d/sub", .type = '5', .mode = 0700 },
		  { .path = "d/sub/f", .data = "x" } },
		{ { .path = ".wh.d" } },
		{ { .path = "d/sub/f", .data = "y" } }, /* new, and nobody says how they are */
	};
	struct err e = { 0 };

	(void)state;
	assert_int_equal(unpack_layers(layers, 3, NULL, &e), 0);
	assert_int_equal(stat_of("d").st_mode, S_IFDIR | 0755);
	assert_int_not_equal(stat_of("d").st_mtime, 5);
	assert_int_equal(stat_of("d/sub").st_mode, S_IFDIR | 0755);
	expect_text("d/sub/f", "y");
}

/* What is remembered of the last directories must not outlive what led to them. */
static void test_moved_paths(void **state)
{
	static const struct tent layers[][16] = {
		{ { .path = "d/f", .data = "in d" },
		  { .path = "e/f", .data = "in e" },
		  { .path = "h1", .type = '1', .link = "d/f" },
		  { .path = "d", .type = '2', .link = "e" },
		  { .path = "h2", .type = '1', .link = "d/f" },
		  { .path = "d/g", .data = "in e" } },
	};
	struct err e = { 0 };

	(void)state;
	assert_int_equal(unpack_layers(layers, 1, NULL, &e), 0);
	expect_tree("d e e/f e/g h1 h2 ");
	expect_text("h1", "in d");
	expect_text("h2", "in e");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whiteouts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_attributes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_owners_and_devices, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unprivileged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_escapes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_depth, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_removed_dirs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_moved_paths, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
