/* SPDX-License-Identifier: MIT */
/* test_merge.c - the rules of merged trees, of mapped owners and of policies; options that must be refused. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cleanup.h"
#include "merge_private.h"
#include "vfs_map.h"
#include "vfs_mount.h"

struct rig {
	char path[64];
	int top[MERGE_LAYERS];
	struct merge *merge;
	struct merge_stats stats;
	struct policy policy;
	struct fuse_chan chan;
	struct fuse_params params;
	struct fuse_req req;
	uint8_t *buf;
};

static const struct fuse_transport no_transport;
static const char *const layers[MERGE_LAYERS] = { "upper", "scratch", "lower" };

static void put(int dir, const char *path, const char *text)
{
	_cleanup_close_ int fd = openat(dir, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static bool has(int dir, const char *path)
{
	return faccessat(dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* upper: both/{a,up} up/x; lower: both/{a,b,linked} low/{f,deep/g} lib -> low; upper has a directory lib. */
static void fill(const struct rig *r)
{
	int u = r->top[MERGE_UPPER], l = r->top[MERGE_LOWER];

	assert_int_equal(
		mkdirat(u, "both", 0755) | mkdirat(u, "up", 0755) | mkdirat(u, "lib", 0755), 0);
	put(u, "both/a", "upper");
	put(u, "both/up", "upper");
	put(u, "up/x", "upper");
	assert_int_equal(mkdirat(l, "both", 0755) | mkdirat(l, "low", 0751) |
				 mkdirat(l, "low/deep", 0750),
			 0);
	put(l, "both/a", "lower");
	put(l, "both/b", "lower");
	put(l, "low/f", "lower");
	put(l, "low/deep/g", "lower");
	assert_int_equal(linkat(l, "both/b", l, "both/linked", 0), 0);
	assert_int_equal(symlinkat("low", l, "lib"), 0);
}

static struct rig *rig_new(void)
{
	const struct vfs_conf conf = { .times.attr_ns = 1 };
	struct rig *r = calloc(1, sizeof(*r));
	char path[96];

	assert_non_null(r);
	strcpy(r->path, "/var/tmp/merge.XXXXXX");
	assert_true(geteuid() == 0 && mkdtemp(r->path) && vfs_fs.thread_start(NULL) == 0);
	for (unsigned int i = 0; i < MERGE_LAYERS; i++) {
		snprintf(path, sizeof(path), "%s/%s", r->path, layers[i]);
		assert_int_equal(mkdir(path, 0755), 0);
		r->top[i] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(r->top[i] >= 0);
	}
	fill(r);
	r->buf = aligned_alloc(4096, FUSE_OUT_MIN);
	r->chan.ops = &no_transport;
	r->params = (struct fuse_params){ .minor = FUSE_MINOR, .flags = merge_flags(&conf) };
	return r;
}

static void merge_up(struct rig *r, bool scratch)
{
	const struct vfs_conf conf = { .times.attr_ns = 1 };
	struct vfs *layer[MERGE_LAYERS] = { NULL };
	struct err e = { 0 };

	for (unsigned int i = 0; i < MERGE_LAYERS; i++)
		if (scratch || i != MERGE_SCRATCH)
			assert_int_equal(vfs_new(r->top[i], &conf, &layer[i], &e), 0);
	assert_int_equal(merge_new(layer, &r->policy, &r->stats, &r->merge, &e), 0);
}

static int setup(void **state)
{
	*state = rig_new();
	merge_up(*state, true);
	return 0;
}

static int setup_without_scratch(void **state)
{
	*state = rig_new();
	merge_up(*state, false);
	return 0;
}

static int setup_policy(void **state)
{
	struct rig *r = rig_new();
	struct err e = { 0 };

	assert_int_equal(policy_add(&r->policy, POLICY_HIDE, "/both/b", &e), 0);
	assert_int_equal(policy_add(&r->policy, POLICY_READ_ONLY, "up", &e), 0);
	merge_up(r, true);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;
	char command[128];

	merge_free(r->merge);
	for (unsigned int i = 0; i < MERGE_LAYERS; i++)
		(void)close(r->top[i]);
	policy_fini(&r->policy);
	snprintf(command, sizeof(command), "rm -r '%s'", r->path);
	assert_int_equal(system(command), 0);
	free(r->buf);
	free(r);
	return 0;
}

/* The request in r->req, with these. */
static int call(struct rig *r, uint32_t opcode, uint64_t node, const char *name, const char *second)
{
	struct fuse_call c = { .req = &r->req,
			       .chan = &r->chan,
			       .params = &r->params,
			       .out = { r->buf, FUSE_OUT_MIN, 0 } };

	r->req.h.opcode = opcode;
	r->req.h.nodeid = node;
	r->req.name[0] = name;
	r->req.name[1] = second;
	return merge_fs.op[opcode](r->merge, &c);
}

static int walk(struct rig *r, const char *path, uint64_t *ret)
{
	_cleanup_free_ char *copy = strdup(path);
	char *rest = copy;
	uint64_t id = FUSE_ROOT_ID;

	for (const char *name; (name = strsep(&rest, "/")) != NULL;) {
		struct fuse_entry_out out;
		int e = *name ? call(r, FUSE_LOOKUP, id, name, NULL) : 0;

		if (e < 0)
			return e;
		memcpy(&out, r->buf, sizeof(out));
		id = *name ? out.nodeid : id;
	}
	*ret = id;
	return 0;
}

static uint64_t at(struct rig *r, const char *path)
{
	uint64_t id = 0;

	assert_int_equal(walk(r, path, &id), 0);
	return id;
}

/* "DIR" and "NAME" of a path. */
static uint64_t parent(struct rig *r, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char dir[64] = "";

	*ret_name = slash ? slash + 1 : path;
	if (slash)
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
	return at(r, dir);
}

enum what {
	OPEN_WRITE,
	CREATE,
	MKDIR,
	UNLINK,
	RMDIR,
	RENAME,
	EXCHANGE,
	NOREPLACE,
	LINK,
	CHMOD
};

static int open_for_writing(struct rig *r, const char *path)
{
	uint64_t id;
	int e = walk(r, path, &id);

	r->req.in.open = (struct fuse_open_in){ .flags = O_WRONLY };
	return e < 0 ? e : call(r, FUSE_OPEN, id, NULL, NULL);
}

static int change_mode(struct rig *r, const char *path)
{
	uint64_t id;
	int e = walk(r, path, &id);

	r->req.in.setattr = (struct fuse_setattr_in){ .valid = FATTR_MODE, .mode = 0600 };
	return e < 0 ? e : call(r, FUSE_SETATTR, id, NULL, NULL);
}

static int move(struct rig *r, const char *from, const char *to, unsigned int flags)
{
	const char *name, *newname;
	uint64_t newdir = parent(r, to, &newname), dir = parent(r, from, &name);

	r->req.in.rename2 = (struct fuse_rename2_in){ newdir, flags, 0 };
	return call(r, FUSE_RENAME2, dir, name, newname);
}

static int do_what(struct rig *r, enum what what, const char *path, const char *to)
{
	const char *name;
	uint64_t dir, old;
	int e;

	switch (what) {
	case OPEN_WRITE:
		return open_for_writing(r, path);
	case CHMOD:
		return change_mode(r, path);
	case RENAME:
		return move(r, path, to, 0);
	case EXCHANGE:
		return move(r, path, to, RENAME_EXCHANGE);
	case NOREPLACE:
		return move(r, path, to, RENAME_NOREPLACE);
	case LINK:
		e = walk(r, path, &old);
		dir = parent(r, to, &name);
		r->req.in.link.oldnodeid = old;
		return e < 0 ? e : call(r, FUSE_LINK, dir, name, NULL);
	case CREATE:
		dir = parent(r, path, &name);
		r->req.in.create = (struct fuse_create_in){ O_RDWR | O_CREAT | O_EXCL, 0644, 0, 0 };
		return call(r, FUSE_CREATE, dir, name, NULL);
	case MKDIR:
		dir = parent(r, path, &name);
		r->req.in.mkdir = (struct fuse_mkdir_in){ .mode = 0755 };
		return call(r, FUSE_MKDIR, dir, name, NULL);
	default:
		dir = parent(r, path, &name);
		return call(r, what == UNLINK ? FUSE_UNLINK : FUSE_RMDIR, dir, name, NULL);
	}
}

struct row {
	enum what what;
	const char *path, *to;
	int want;
	enum merge_layer layer; /* where @there is then, and nowhere else */
	const char *there;
};

static void check(struct rig *r, const struct row *row, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int got = do_what(r, row[i].what, row[i].path, row[i].to);

		if (got != row[i].want)
			fail_msg("row %zu, %s: %d instead of %d", i, row[i].path, got, row[i].want);
		if (row[i].there && !has(r->top[row[i].layer], row[i].there))
			fail_msg("row %zu: no '%s' in the %s layer", i, row[i].there,
				 layers[row[i].layer]);
	}
}

/* One after the other, on the same trees. */
static void test_rules(void **state)
{
	static const struct row rows[] = {
		{ OPEN_WRITE, "both/a", NULL, 0, MERGE_UPPER, "both/a" },
		{ OPEN_WRITE, "both/b", NULL, -ESTALE, MERGE_SCRATCH, "both/b" },
		{ OPEN_WRITE, "both/b", NULL, 0, MERGE_SCRATCH, "both/b" },
		{ CHMOD, "low/deep/g", NULL, -ESTALE, MERGE_SCRATCH, "low/deep/g" },
		{ CHMOD, "low", NULL, 0, MERGE_SCRATCH, "low" },
		{ CREATE, "both/new", NULL, 0, MERGE_UPPER, "both/new" },
		{ CREATE, "both/linked", NULL, -EEXIST, MERGE_LOWER, "both/linked" },
		{ CREATE, "low/new", NULL, 0, MERGE_SCRATCH, "low/new" },
		{ CREATE, "low/.wh.x", NULL, -EPERM, 0, NULL },
		{ CREATE, "both/.wh.x", NULL, 0, MERGE_UPPER, "both/.wh.x" },
		{ MKDIR, "low", NULL, -EEXIST, 0, NULL },
		{ MKDIR, "low/d", NULL, 0, MERGE_SCRATCH, "low/d" },
		/* across layers */
		{ RENAME, "both/new", "low/new", -EXDEV, 0, NULL },
		{ RENAME, "low/new", "both/moved", -EXDEV, 0, NULL },
		{ RENAME, "low/f", "low/g", -EXDEV, 0, NULL },
		{ RENAME, "low", "low2", -EXDEV, 0, NULL },
		{ RENAME, "both", "both2", -EXDEV, 0, NULL },
		{ LINK, "low/f", "low/g", -EXDEV, 0, NULL },
		{ LINK, "both/a", "low/a", -EXDEV, 0, NULL },
		{ LINK, "both/a", "both/linked", -EEXIST, 0, NULL },
		{ EXCHANGE, "both/a", "both/new", -EXDEV, 0, NULL },
		{ NOREPLACE, "both/new", "both/linked", -EEXIST, 0, NULL },
		/* within one */
		{ RENAME, "low/new", "low/newer", 0, MERGE_SCRATCH, "low/newer" },
		{ RENAME, "both/new", "up/new", 0, MERGE_UPPER, "up/new" },
		{ RENAME, "up", "up2", 0, MERGE_UPPER, "up2/new" },
		{ LINK, "up2/new", "both/new", 0, MERGE_UPPER, "both/new" },
		{ EXCHANGE, "up2/new", "both/new", 0, MERGE_UPPER, "both/new" },
		/* a file of the upper layer over one of the lower, and away again */
		{ RENAME, "both/up", "both/linked", 0, MERGE_UPPER, "both/linked" },
		{ RENAME, "both/linked", "both/up", 0, MERGE_SCRATCH, "both/.wh.linked" },
		{ RMDIR, "low", NULL, -ENOTEMPTY, 0, NULL },
		{ UNLINK, "low", NULL, -EISDIR, 0, NULL },
		{ RMDIR, "both/a", NULL, -ENOTDIR, 0, NULL },
		{ UNLINK, "both/a", NULL, 0, MERGE_SCRATCH, "both/.wh.a" },
		{ UNLINK, "both/a", NULL, -ENOENT, 0, NULL },
		{ UNLINK, "low/deep/g", NULL, 0, MERGE_SCRATCH, "low/deep/.wh.g" },
		{ RMDIR, "low/deep", NULL, 0, MERGE_SCRATCH, "low/.wh.deep" },
		/* what is new there shows nothing of the old */
		{ MKDIR, "low/deep", NULL, 0, MERGE_SCRATCH, "low/deep" },
		{ UNLINK, "low/deep/g", NULL, -ENOENT, 0, NULL },
		{ RMDIR, "low/deep", NULL, 0, MERGE_SCRATCH, "low/.wh.deep" },
	};
	struct rig *r = *state;

	check(r, rows, ARRAY_SIZE(rows));
	assert_true(has(r->top[MERGE_LOWER], "low/deep/g") && has(r->top[MERGE_LOWER], "both/a"));
	assert_false(has(r->top[MERGE_UPPER], "both/a") || has(r->top[MERGE_UPPER], "low"));
	assert_int_equal(atomic_load(&r->stats.copied), 2);
	/* linked, a, g, deep */
	assert_int_equal(atomic_load(&r->stats.hidden), 4);
}

static void test_without_scratch_the_lower_tree_is_read_only(void **state)
{
	static const struct row rows[] = {
		{ OPEN_WRITE, "both/b", NULL, -EROFS, 0, NULL },
		{ CHMOD, "low", NULL, -EROFS, 0, NULL },
		{ CREATE, "low/new", NULL, -EROFS, 0, NULL },
		{ UNLINK, "both/b", NULL, -EROFS, MERGE_LOWER, "both/b" },
		{ UNLINK, "both/a", NULL, -EROFS, MERGE_UPPER, "both/a" },
		{ CREATE, "both/new", NULL, 0, MERGE_UPPER, "both/new" },
		{ UNLINK, "both/new", NULL, 0, 0, NULL },
	};

	check(*state, rows, ARRAY_SIZE(rows));
}

static void test_policy(void **state)
{
	static const struct row rows[] = {
		{ OPEN_WRITE, "both/b", NULL, -ENOENT, 0, NULL },
		{ CREATE, "both/b", NULL, -EPERM, 0, NULL },
		{ MKDIR, "both/b", NULL, -EPERM, 0, NULL },
		{ UNLINK, "both/b", NULL, -ENOENT, 0, NULL },
		{ RENAME, "both/b", "both/c", -ENOENT, 0, NULL },
		{ RENAME, "both/a", "both/b", -EPERM, 0, NULL },
		{ LINK, "both/a", "both/b", -EPERM, 0, NULL },
		/* another name of it */
		{ OPEN_WRITE, "both/linked", NULL, -ENOENT, 0, NULL },
		{ UNLINK, "both/linked", NULL, -ENOENT, 0, NULL },
		{ CREATE, "both/linked", NULL, -EPERM, 0, NULL },
		{ MKDIR, "both/linked", NULL, -EPERM, 0, NULL },
		{ RENAME, "both/a", "both/linked", -EPERM, 0, NULL },
		{ LINK, "both/a", "both/linked", -EPERM, 0, NULL },
		{ OPEN_WRITE, "up/x", NULL, -EROFS, 0, NULL },
		{ CHMOD, "up/x", NULL, -EROFS, 0, NULL },
		{ CHMOD, "up", NULL, -EROFS, 0, NULL },
		{ CREATE, "up/new", NULL, -EROFS, 0, NULL },
		{ UNLINK, "up/x", NULL, -EROFS, 0, NULL },
		{ RMDIR, "up", NULL, -EROFS, 0, NULL },
		{ RENAME, "up", "up2", -EROFS, 0, NULL },
		{ RENAME, "up/x", "both/x", -EROFS, 0, NULL },
		{ RENAME, "both/a", "up/a", -EROFS, 0, NULL },
		{ LINK, "up/x", "both/x", -EXDEV, 0, NULL },
		{ RENAME, "both", "both2", -EBUSY, 0, NULL },
		{ CHMOD, "both/a", NULL, 0, 0, NULL },
	};

	check(*state, rows, ARRAY_SIZE(rows));
}

/* "lib" is a directory above and a link to "low" below. */
static int setup_links(void **state)
{
	struct rig *r = rig_new();
	int l = r->top[MERGE_LOWER], u = r->top[MERGE_UPPER];
	struct err e = { 0 };

	assert_int_equal(symlinkat("../low/./deep/", l, "both/way") |
				 symlinkat("/both/../both/way", l, "far") |
				 symlinkat("round", l, "round") | symlinkat("/", l, "all"),
			 0);
	put(l, "low/secret", "lower");
	put(l, "low/h", "lower");
	assert_int_equal(linkat(l, "low/h", l, "elsewhere", 0), 0);
	put(u, "up/key", "upper");
	assert_int_equal(linkat(u, "up/key", u, "both/key", 0), 0);
	assert_int_equal(policy_add(&r->policy, POLICY_HIDE, "/lib/secret", &e), 0);
	assert_int_equal(policy_add(&r->policy, POLICY_HIDE, "far/g", &e), 0);
	assert_int_equal(policy_add(&r->policy, POLICY_HIDE, "low/h", &e), 0);
	assert_int_equal(policy_add(&r->policy, POLICY_HIDE, "up/key", &e), 0);
	assert_int_equal(policy_add(&r->policy, POLICY_HIDE, "all", &e), 0);
	assert_int_equal(policy_add(&r->policy, POLICY_READ_ONLY, "both/way", &e), 0);
	merge_up(r, true);
	*state = r;
	return 0;
}

static void test_policy_of_links(void **state)
{
	static const char *const hidden[] = { "lib/secret", "low/secret", "low/deep/g",
					      "low/h",      "lib/h",      "elsewhere",
					      "up/key",     "both/key",   "all" };
	static const char *const seen[] = {
		"lib/f", "low/f", "low/deep", "both/way", "far", "up/x"
	};
	static const struct row rows[] = {
		{ CHMOD, "low/deep", NULL, -EROFS, 0, NULL },
		{ CREATE, "low/deep/new", NULL, -EROFS, 0, NULL },
		{ CREATE, "both/key", NULL, -EPERM, 0, NULL },
		{ RENAME, "up/x", "both/key", -EPERM, 0, NULL },
		{ CREATE, "lib/h", NULL, -EPERM, 0, NULL },
		{ CREATE, "lib/new", NULL, 0, MERGE_UPPER, "lib/new" },
	};
	struct rig *r = *state;
	uint64_t id;

	for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
		assert_int_equal(walk(r, hidden[i], &id), -ENOENT);
	for (size_t i = 0; i < ARRAY_SIZE(seen); i++)
		(void)at(r, seen[i]);
	/* What comes to be another name, does so for the mount, too. */
	assert_int_equal(linkat(r->top[MERGE_UPPER], "up/key", r->top[MERGE_UPPER], "late", 0), 0);
	assert_int_equal(walk(r, "late", &id), -ENOENT);
	check(r, rows, ARRAY_SIZE(rows));
	/* A link that leads elsewhere by now leads to nothing that is hidden. */
	assert_int_equal(unlinkat(r->top[MERGE_LOWER], "lib", 0) |
				 symlinkat("low/deep", r->top[MERGE_LOWER], "lib"),
			 0);
	assert_int_equal(walk(r, "lib/g", &id), -ENOENT);
}

static void test_names_are_one_node_while_they_are_known(void **state)
{
	struct rig *r = *state;
	uint64_t low = at(r, "low"), both = at(r, "both"), x = at(r, "up/x");

	assert_int_equal(low, at(r, "low"));
	assert_int_equal(both, at(r, "both"));
	/* Two hard links of the lower tree are copied one by one, of the upper one they are one file. */
	assert_true(at(r, "both/b") != at(r, "both/linked"));
	assert_int_equal(do_what(r, LINK, "up/x", "up/y"), 0);
	assert_int_equal(x, at(r, "up/y"));
	/* A link of the lower tree, where the upper one has a directory, is what it leads to. */
	(void)at(r, "lib/f");
	(void)at(r, "low/f");
	merge_fs.forget(r->merge, low, 1000);
	assert_int_equal(call(r, FUSE_GETATTR, low, NULL, NULL), 0); /* its children hold it */
}

static void test_nodes_come_back(void **state)
{
	struct rig *r = *state;
	uint64_t low = at(r, "low"), f = at(r, "low/f"), root_live = r->merge->live - 2;

	merge_fs.forget(r->merge, f, 1);
	merge_fs.forget(r->merge, f, 1); /* more than it has */
	merge_fs.forget(r->merge, low, 2);
	assert_int_equal(r->merge->live, root_live);
	assert_int_equal(call(r, FUSE_GETATTR, f, NULL, NULL), -ESTALE);
	assert_int_equal(call(r, FUSE_GETATTR, UINT64_C(7) << 32 | 1, NULL, NULL), -ESTALE);
}

static void test_numbers_that_nobody_gave(void **state)
{
	struct rig *r = *state;

	for (uint64_t fh = 0; fh < 4; fh++) {
		r->req.in.read = (struct fuse_read_in){ .fh = fh << 30 | 99, .size = 100 };
		assert_int_equal(call(r, FUSE_READ, FUSE_ROOT_ID, NULL, NULL), -EBADF);
		assert_int_equal(call(r, FUSE_READDIR, FUSE_ROOT_ID, NULL, NULL), -EBADF);
		r->req.in.release = (struct fuse_release_in){ .fh = fh << 30 | 99 };
		assert_int_equal(call(r, FUSE_RELEASE, FUSE_ROOT_ID, NULL, NULL), -EBADF);
		assert_int_equal(call(r, FUSE_RELEASEDIR, FUSE_ROOT_ID, NULL, NULL), -EBADF);
	}
}

/* --- options --- */

static void test_options_that_must_be_refused(void **state)
{
	static const char *const bad[] = {
		"lower=",
		"scratch=",
		"hide=",
		"hide=/",
		"hide=..",
		"ro=a/../b",
		"ro=./a",
		"map-users=",
		"map-users=0:0",
		"map-users=0:0:0",
		"map-users=0:1:2:3",
		"map-users= 0:0:1",
		"map-users=-1:0:1",
		"map-users=0:4294967295:2",
		"map-users=99999999999:0:1",
		"map-users=0:0:10,map-users=9:100:1",
		"map-groups=0:0:10,map-groups=100:9:1",
		"lower",
		"merge",
	};
	static const char *const good[] = {
		"lower=/a\\,b,scratch=c",
		"hide=a,hide=/a/b,ro=//c//",
		"map-users=0:100000:65536,map-groups=0:0:1",
		"",
		",,ro,rw",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct vfs_mount_conf conf = VFS_MOUNT_DEFAULT;
		struct err e = { 0 };

		if (vfs_mount_options(&conf, bad[i], &e) != -EINVAL || !e.msg[0])
			fail_msg("'%s' was taken", bad[i]);
		vfs_mount_conf_fini(&conf);
	}
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct vfs_mount_conf conf = VFS_MOUNT_DEFAULT;
		struct err e = { 0 };

		if (vfs_mount_options(&conf, good[i], &e) < 0)
			fail_msg("'%s': %s", good[i], e.msg);
		if (i == 0)
			assert_string_equal(conf.merge.lower, "/a,b");
		vfs_mount_conf_fini(&conf);
	}
}

static void test_marks(void **state)
{
	struct policy p = { 0 };
	struct err e = { 0 };
	policy_mark root, a, b;

	(void)state;
	assert_int_equal(policy_root(NULL), 0);
	assert_int_equal(policy_root(&p), 0);
	assert_int_equal(policy_add(&p, POLICY_HIDE, "a/b", &e), 0);
	assert_int_equal(policy_add(&p, POLICY_READ_ONLY, "/a", &e), 0);
	assert_int_equal(policy_add(&p, POLICY_HIDE, "a/c", &e), 0);
	root = policy_root(&p);
	a = policy_step(&p, root, "a");
	b = policy_step(&p, a, "b");
	assert_true(policy_protects(&p, a) && !policy_hides(&p, a) && policy_is_place(a));
	assert_true(policy_protects(&p, b) && policy_hides(&p, b));
	assert_true(policy_hides(&p, policy_step(&p, a, "c")));
	assert_true(policy_protects(&p, policy_step(&p, policy_step(&p, a, "x"), "b")));
	assert_false(policy_hides(&p, policy_step(&p, policy_step(&p, a, "x"), "b")));
	assert_int_equal(policy_step(&p, policy_step(&p, root, "b"), "a"), 0);
	assert_int_equal(policy_step(&p, root, "ab"), 0);
	policy_fini(&p);
}

static void test_both_tables_have_the_same_functions(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < FUSE_OPCODES; i++) {
		assert_int_equal(!vfs_fs.op[i], !vfs_mapped_fs.op[i]);
		assert_int_equal(!vfs_fs.op[i], !merge_fs.op[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_scratch_the_lower_tree_is_read_only,
						setup_without_scratch, teardown),
		cmocka_unit_test_setup_teardown(test_policy, setup_policy, teardown),
		cmocka_unit_test_setup_teardown(test_policy_of_links, setup_links, teardown),
		cmocka_unit_test_setup_teardown(test_names_are_one_node_while_they_are_known, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_nodes_come_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_numbers_that_nobody_gave, setup, teardown),
		cmocka_unit_test(test_options_that_must_be_refused),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_both_tables_have_the_same_functions),
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP root: files are made as anybody\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
