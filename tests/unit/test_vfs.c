/* SPDX-License-Identifier: MIT */
/* test_vfs.c - the table of nodes under pressure, and requests that no kernel would send. */
#include <dirent.h>
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

#include "fuse_session.h"
#include "vfs_private.h"

#define MAX_FDS  8
#define MAX_IDLE 16

struct rig {
	char path[64];
	int root;
	struct vfs *vfs;
	struct fuse_chan chan;
	struct fuse_params params;
	struct fuse_req req;
	uint8_t *buf;
	size_t size; /* of the last reply */
};

static const struct fuse_transport no_transport;

static int setup(void **state)
{
	const struct vfs_conf conf = { .times.attr_ns = 1,
				       .max_fds = MAX_FDS,
				       .max_idle = MAX_IDLE };
	struct rig *r = calloc(1, sizeof(*r));
	struct err e = { 0 };

	if (!r)
		return -1;
	strcpy(r->path, "/var/tmp/vfs.XXXXXX");
	if (geteuid() != 0 || !mkdtemp(r->path) || vfs_fs.thread_start(NULL) < 0)
		return -1;
	r->root = open(r->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(vfs_new(r->root, &conf, &r->vfs, &e), 0);
	r->buf = aligned_alloc(4096, FUSE_OUT_MIN);
	r->chan.ops = &no_transport;
	r->params = (struct fuse_params){ .minor = FUSE_MINOR, .flags = vfs_flags(&conf) };
	*state = r;
	return r->buf ? 0 : -1;
}

static int teardown(void **state)
{
	struct rig *r = *state;
	char command[128];

	vfs_free(r->vfs);
	(void)close(r->root);
	snprintf(command, sizeof(command), "rm -r '%s'", r->path);
	assert_int_equal(system(command), 0);
	free(r->buf);
	free(r);
	return 0;
}

/* The request in r->req. */
static int call(struct rig *r, uint32_t opcode, uint64_t node, const char *name)
{
	struct fuse_call c = { .req = &r->req,
			       .chan = &r->chan,
			       .params = &r->params,
			       .out = { r->buf, FUSE_OUT_MIN, 0 } };
	int error;

	r->req.h.opcode = opcode;
	r->req.h.nodeid = node;
	r->req.name[0] = name;
	error = vfs_fs.op[opcode](r->vfs, &c);
	r->size = c.out.size;
	return error;
}

static uint64_t lookup(struct rig *r, uint64_t dir, const char *name)
{
	struct fuse_entry_out out;

	assert_int_equal(call(r, FUSE_LOOKUP, dir, name), 0);
	memcpy(&out, r->buf, sizeof(out));
	return out.nodeid;
}

static void make(struct rig *r, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		char name[16];
		int fd;

		snprintf(name, sizeof(name), "f%u", i);
		fd = openat(r->root, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0640 + i % 8);
		assert_true(fd >= 0);
		(void)close(fd);
	}
}

static uint64_t ino_of(const struct rig *r, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(r->root, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_ino;
}

static struct fuse_attr getattr(struct rig *r, uint64_t node)
{
	struct fuse_attr_out out;

	assert_int_equal(call(r, FUSE_GETATTR, node, NULL), 0);
	memcpy(&out, r->buf, sizeof(out));
	return out.attr;
}

static void test_many_nodes_few_descriptors(void **state)
{
	struct rig *r = *state;
	struct vfs_stats st;
	uint64_t id[100], link;

	assert_int_equal(symlinkat("target", r->root, "l"), 0);
	link = lookup(r, FUSE_ROOT_ID, "l");
	make(r, 100);
	for (unsigned int i = 0; i < 100; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%u", i);
		id[i] = lookup(r, FUSE_ROOT_ID, name);
	}
	vfs_stats(r->vfs, &st);
	assert_int_equal(st.nodes, 102);
	assert_true(st.fds <= MAX_FDS);
	/* Opened again by its handle, a link is itself. */
	assert_int_equal(call(r, FUSE_READLINK, link, NULL), 0);
	assert_memory_equal(r->buf, "target", 6);
	/* Whatever happens to its name, it stays the same file. */
	assert_int_equal(renameat(r->root, "f3", r->root, "other"), 0);
	for (unsigned int i = 0; i < 100; i++) {
		char name[16];

		snprintf(name, sizeof(name), i == 3 ? "other" : "f%u", i);
		assert_int_equal(getattr(r, id[i]).ino, ino_of(r, name));
	}
	/* Known by its new name, too. */
	assert_int_equal(lookup(r, FUSE_ROOT_ID, "other"), id[3]);
	vfs_stats(r->vfs, &st);
	assert_true(st.fds <= MAX_FDS);
}

static void test_a_new_file_of_an_old_number(void **state)
{
	struct rig *r = *state;
	uint64_t id, again;

	make(r, 1);
	id = lookup(r, FUSE_ROOT_ID, "f0");
	nodes_forget(&r->vfs->nodes, id, 1);
	assert_int_equal(unlinkat(r->root, "f0", 0), 0);
	assert_int_equal(call(r, FUSE_GETATTR, id, NULL), -ESTALE);
	/* Most file systems give its number to the next; if not, this shows less. */
	make(r, 1);
	again = lookup(r, FUSE_ROOT_ID, "f0");
	assert_int_not_equal(id, again);
	assert_int_equal(call(r, FUSE_GETATTR, id, NULL), -ESTALE);
	assert_int_equal(getattr(r, again).ino, ino_of(r, "f0"));
}

static void test_forgotten_nodes_are_kept_for_a_while(void **state)
{
	struct rig *r = *state;
	struct vfs_stats st;
	uint64_t first = 0, last = 0;

	make(r, 40);
	for (unsigned int i = 0; i < 40; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%u", i);
		last = lookup(r, FUSE_ROOT_ID, name);
		first = first ? first : last;
		nodes_forget(&r->vfs->nodes, last, UINT64_MAX);
	}
	vfs_stats(r->vfs, &st);
	assert_int_equal(st.idle, MAX_IDLE);
	assert_int_equal(st.nodes, MAX_IDLE + 1);
	assert_int_equal(st.fds, 1);
	/* As the export of the mount finds it: by its id. */
	assert_int_equal(lookup(r, last, "."), last);
	assert_int_equal(call(r, FUSE_LOOKUP, first, "."), -ESTALE);
}

/* Without file handles a node costs a descriptor, and there is an end to that. */
static void test_without_handles(void **state)
{
	struct rig *r = *state;
	struct vfs_stats st;
	uint64_t id;

	close(r->vfs->nodes.mount[0].fd);
	r->vfs->nodes.mount[0].fd = -1;
	make(r, MAX_FDS + 1);
	id = lookup(r, FUSE_ROOT_ID, "f0");
	for (unsigned int i = 1; i < MAX_FDS - 1; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%u", i);
		(void)lookup(r, FUSE_ROOT_ID, name);
	}
	assert_int_equal(call(r, FUSE_LOOKUP, FUSE_ROOT_ID, "f8"), -ENFILE);
	assert_int_equal(lookup(r, FUSE_ROOT_ID, "f1"), lookup(r, FUSE_ROOT_ID, "f1"));
	nodes_forget(&r->vfs->nodes, id, 1);
	(void)lookup(r, FUSE_ROOT_ID, "f8");
	/* Nothing is left of a forgotten one. */
	assert_int_equal(call(r, FUSE_GETATTR, id, NULL), -ESTALE);
	vfs_stats(r->vfs, &st);
	assert_int_equal(st.idle, 0);
	assert_int_equal(st.fds, MAX_FDS);
}

/* A file of an image was born at 0; of another file system nobody knows. */
static void test_births(void **state)
{
	struct rig *r = *state;
	struct statx stx;
	struct vfs_stats st;
	uint64_t id;

	make(r, 1);
	assert_int_equal(statx(r->root, "f0", 0, NODE_STATX_MASK, &stx), 0);
	stx.stx_btime = (struct statx_timestamp){ 0 };
	for (unsigned int i = 0; i < 2; i++) {
		int fd = openat(r->root, "f0", O_PATH | O_CLOEXEC);

		assert_int_equal(nodes_add(&r->vfs->nodes, &stx, fd, true, &id), 0);
		nodes_forget(&r->vfs->nodes, id, 1);
		vfs_stats(r->vfs, &st);
		assert_int_equal(st.idle, 1);
		assert_int_equal(st.nodes, 2);
		stx.stx_mask &= ~STATX_BTIME;
	}
}

static void test_no_way_up(void **state)
{
	struct rig *r = *state;
	uint64_t dir, sub;

	assert_int_equal(mkdirat(r->root, "d", 0755), 0);
	assert_int_equal(mkdirat(r->root, "d/e", 0755), 0);
	dir = lookup(r, FUSE_ROOT_ID, "d");
	sub = lookup(r, dir, "e");
	assert_int_equal(lookup(r, sub, ".."), dir);
	assert_int_equal(lookup(r, dir, ".."), FUSE_ROOT_ID);
	assert_int_equal(call(r, FUSE_LOOKUP, FUSE_ROOT_ID, ".."), -ESTALE);
	/* Moved out of the tree, it has no parent in it. */
	assert_int_equal(renameat(r->root, "d/e", AT_FDCWD, "/var/tmp/vfs-moved"), 0);
	assert_int_equal(call(r, FUSE_LOOKUP, sub, ".."), -ESTALE);
	assert_int_equal(unlinkat(AT_FDCWD, "/var/tmp/vfs-moved", AT_REMOVEDIR), 0);
}

static void test_links_are_not_followed(void **state)
{
	struct rig *r = *state;
	uint64_t id;

	assert_int_equal(symlinkat("/etc/passwd", r->root, "l"), 0);
	id = lookup(r, FUSE_ROOT_ID, "l");
	assert_true(S_ISLNK(getattr(r, id).mode));
	memset(&r->req, 0, sizeof(r->req));
	assert_int_equal(call(r, FUSE_OPEN, id, NULL), -EINVAL);
	assert_int_equal(call(r, FUSE_OPENDIR, id, NULL), -ENOTDIR);
	r->req.in.create = (struct fuse_create_in){ O_RDWR, 0600, 0, 0 };
	assert_int_equal(call(r, FUSE_CREATE, FUSE_ROOT_ID, "l"), -ESTALE);
	assert_int_equal(call(r, FUSE_LOOKUP, id, "x"), -ENOTDIR);
	assert_int_equal(call(r, FUSE_READLINK, id, NULL), 0);
	assert_memory_equal(r->buf, "/etc/passwd", 11);
}

/* A FIFO that is opened would be waited for, for ever. */
static void test_special_files_are_not_opened(void **state)
{
	struct rig *r = *state;
	uint64_t id;

	assert_int_equal(mkfifoat(r->root, "p", 0600), 0);
	id = lookup(r, FUSE_ROOT_ID, "p");
	memset(&r->req, 0, sizeof(r->req));
	assert_int_equal(call(r, FUSE_OPEN, id, NULL), -EINVAL);
	r->req.in.create = (struct fuse_create_in){ O_WRONLY, 0600, 0, 0 };
	assert_int_equal(call(r, FUSE_CREATE, FUSE_ROOT_ID, "p"), -ESTALE);
	r->req.in.setattr = (struct fuse_setattr_in){ .valid = FATTR_SIZE };
	assert_int_equal(call(r, FUSE_SETATTR, id, NULL), -EINVAL);
	assert_int_equal(call(r, FUSE_SETATTR, FUSE_ROOT_ID, NULL), -EISDIR);
}

static void test_ids_that_nobody_gave(void **state)
{
	static const uint64_t ids[] = { 0, 2, 1000, UINT64_C(1) << 32 | 1, UINT32_MAX, UINT64_MAX };
	struct rig *r = *state;

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		assert_int_equal(call(r, FUSE_GETATTR, ids[i], NULL), -ESTALE);
		nodes_forget(&r->vfs->nodes, ids[i], 1);
		memset(&r->req, 0, sizeof(r->req));
		r->req.in.read.fh = ids[i];
		assert_int_equal(call(r, FUSE_READ, FUSE_ROOT_ID, NULL), -EBADF);
		assert_int_equal(call(r, FUSE_READDIR, FUSE_ROOT_ID, NULL), -EBADF);
		assert_int_equal(call(r, FUSE_RELEASE, FUSE_ROOT_ID, NULL), -EBADF);
	}
	/* Nobody can forget the root. */
	nodes_forget(&r->vfs->nodes, FUSE_ROOT_ID, UINT64_MAX);
	assert_true(S_ISDIR(getattr(r, FUSE_ROOT_ID).mode));
}

static void test_files_are_closed_once(void **state)
{
	struct rig *r = *state;
	struct fuse_open_out out;
	uint64_t id, fh;

	make(r, 1);
	id = lookup(r, FUSE_ROOT_ID, "f0");
	memset(&r->req, 0, sizeof(r->req));
	r->req.in.open.flags = O_RDWR;
	assert_int_equal(call(r, FUSE_OPEN, id, NULL), 0);
	memcpy(&out, r->buf, sizeof(out));
	fh = out.fh;
	r->req.in.write = (struct fuse_write_in){ .fh = fh, .size = 3 };
	r->req.data = (struct span){ "abc", 3 };
	assert_int_equal(call(r, FUSE_WRITE, id, NULL), 0);
	r->req.in.read = (struct fuse_read_in){ .fh = fh, .size = 100, .offset = 1 };
	assert_int_equal(call(r, FUSE_READ, id, NULL), 0);
	assert_int_equal(r->size, 2);
	assert_memory_equal(r->buf, "bc", 2);
	/* More than there is room for. */
	r->req.in.read.size = FUSE_OUT_MIN + 1;
	assert_int_equal(call(r, FUSE_READ, id, NULL), -EINVAL);
	r->req.in.release.fh = fh;
	assert_int_equal(call(r, FUSE_RELEASE, id, NULL), 0);
	assert_int_equal(call(r, FUSE_RELEASE, id, NULL), -EBADF);
	/* Its place has a new file; the old number is not that one's. */
	r->req.in.open = (struct fuse_open_in){ .flags = O_RDONLY };
	assert_int_equal(call(r, FUSE_OPEN, id, NULL), 0);
	r->req.in.read = (struct fuse_read_in){ .fh = fh, .size = 100 };
	assert_int_equal(call(r, FUSE_READ, id, NULL), -EBADF);
}

/* Return: how many entries; *@ret_off is that of the last. */
static unsigned int entries(const struct rig *r, uint64_t *ret_off)
{
	unsigned int n = 0;

	for (size_t off = 0; off < r->size; n++) {
		struct fuse_dirent d;

		memcpy(&d, r->buf + off, sizeof(d));
		*ret_off = d.off;
		off += (sizeof(d) + d.namelen + 7) & ~(size_t)7;
	}
	return n;
}

static void test_directories_in_pieces(void **state)
{
	struct rig *r = *state;
	struct fuse_open_out out;
	uint64_t off = 0, middle = 0;
	unsigned int n = 0, half = 0;

	make(r, 200);
	memset(&r->req, 0, sizeof(r->req));
	assert_int_equal(call(r, FUSE_OPENDIR, FUSE_ROOT_ID, NULL), 0);
	memcpy(&out, r->buf, sizeof(out));
	do {
		r->req.in.read = (struct fuse_read_in){ .fh = out.fh, .size = 256, .offset = off };
		assert_int_equal(call(r, FUSE_READDIR, FUSE_ROOT_ID, NULL), 0);
		assert_true(r->size <= 256);
		n += entries(r, &off);
		if (n < 100) {
			half = n;
			middle = off;
		}
	} while (r->size);
	assert_int_equal(n, 202);
	/* Back to the middle: the rest is as long as it was. */
	off = middle;
	n = half;
	do {
		r->req.in.read = (struct fuse_read_in){ .fh = out.fh, .size = 4096, .offset = off };
		assert_int_equal(call(r, FUSE_READDIR, FUSE_ROOT_ID, NULL), 0);
		n += entries(r, &off);
	} while (r->size);
	assert_int_equal(n, 202);
}

/* --- who writes through us, and when a list is old --- */

static int give_id(struct fuse_chan *c, int fd)
{
	static int last;

	(void)c;
	(void)fd;
	return ++last;
}

static void take_id(struct fuse_chan *c, int id)
{
	(void)c;
	assert_true(id > 0);
}

static const struct fuse_transport passing = { .backing_open = give_id, .backing_close = take_id };

struct opened {
	uint64_t node, fh;
	uint32_t how; /* FOPEN_PASSTHROUGH, FOPEN_DIRECT_IO, or neither */
};

static struct opened opened_of(const struct rig *r, uint64_t node, size_t at)
{
	struct fuse_open_out out;

	memcpy(&out, r->buf + at, sizeof(out));
	return (struct opened){ node, out.fh,
				out.open_flags & (FOPEN_PASSTHROUGH | FOPEN_DIRECT_IO) };
}

static struct opened create(struct rig *r, uint32_t pid, const char *name, uint32_t flags)
{
	struct fuse_entry_out entry;

	r->req = (struct fuse_req){ .h.pid = pid, .in.create = { .flags = flags, .mode = 0644 } };
	assert_int_equal(call(r, FUSE_CREATE, FUSE_ROOT_ID, name), 0);
	memcpy(&entry, r->buf, sizeof(entry));
	return opened_of(r, entry.nodeid, sizeof(entry));
}

static void close_and_forget(struct rig *r, const struct opened *o, bool forget)
{
	r->req = (struct fuse_req){ .in.release.fh = o->fh };
	assert_int_equal(call(r, FUSE_RELEASE, o->node, NULL), 0);
	if (forget)
		nodes_forget(&r->vfs->nodes, o->node, 1);
}

static struct opened make_nameless(struct rig *r)
{
	struct fuse_entry_out entry;

	r->req = (struct fuse_req){ .in.create = { .flags = O_RDWR | O_EXCL, .mode = 0600 } };
	assert_int_equal(call(r, FUSE_TMPFILE, FUSE_ROOT_ID, ""), 0);
	memcpy(&entry, r->buf, sizeof(entry));
	return opened_of(r, entry.nodeid, sizeof(entry));
}

/*
 * Two files of which one ends and the other is made within a tick of the clock by which the file system keeps times may have one
 * number and one time of birth. (To remove a name would make this kernel's clock go on.)
 */
static void test_a_new_file_of_an_old_number_and_birth(void **state)
{
	struct rig *r = *state;
	struct opened o = make_nameless(r);

	if (getattr(r, o.node).nlink != 0)
		skip();
	close_and_forget(r, &o, true);
	for (unsigned int i = 0; i < 400; i++) {
		bool forget = i % 2;
		uint64_t id;
		int e;

		/* With the peer, which makes it and uses it. */
		o = make_nameless(r);
		close_and_forget(r, &o, forget);
		if (i % 4 < 2) {
			o = create(r, 1, "a", O_WRONLY);
			assert_int_equal(getattr(r, o.node).ino, ino_of(r, "a"));
			close_and_forget(r, &o, true);
			assert_int_equal(unlinkat(r->root, "a", 0), 0);
			continue;
		}
		/* Behind it: what it knows is stale, so it looks again. */
		make(r, 1);
		id = lookup(r, FUSE_ROOT_ID, "f0");
		r->req = (struct fuse_req){ .in.open.flags = O_RDONLY };
		e = call(r, FUSE_OPEN, id, NULL);
		if (e == -ESTALE) {
			assert_false(forget);
			id = lookup(r, FUSE_ROOT_ID, "f0");
			r->req = (struct fuse_req){ .in.open.flags = O_RDONLY };
			e = call(r, FUSE_OPEN, id, NULL);
		}
		assert_int_equal(e, 0);
		o = opened_of(r, id, 0);
		assert_int_equal(getattr(r, id).ino, ino_of(r, "f0"));
		close_and_forget(r, &o, true);
		assert_int_equal(unlinkat(r->root, "f0", 0), 0);
	}
}

static struct opened open_again(struct rig *r, uint32_t pid, uint64_t node, uint32_t flags)
{
	r->req = (struct fuse_req){ .h.pid = pid, .in.open.flags = flags };
	assert_int_equal(call(r, FUSE_OPEN, node, NULL), 0);
	return opened_of(r, node, 0);
}

static void write_to(struct rig *r, const struct opened *o, uint64_t off, size_t size)
{
	static const char data[65536];

	r->req = (struct fuse_req){
		.in.write = { .fh = o->fh, .offset = off, .size = (uint32_t)size },
		.data = { data, size }
	};
	assert_int_equal(call(r, FUSE_WRITE, o->node, NULL), 0);
}

static void release(struct rig *r, const struct opened *o)
{
	r->req = (struct fuse_req){ .in.release.fh = o->fh };
	assert_int_equal(call(r, FUSE_RELEASE, o->node, NULL), 0);
}

/* Make and close as many files as it takes to be known for small ones. */
static void write_small_ones(struct rig *r, uint32_t pid)
{
	for (unsigned int i = 0; i < 4; i++) {
		char name[32];
		struct opened o;

		snprintf(name, sizeof(name), "%u.%u", pid, i);
		(void)unlinkat(r->root, name, 0);
		o = create(r, pid, name, O_WRONLY);
		release(r, &o);
	}
}

static void test_small_files_are_written_through_us(void **state)
{
	struct rig *r = *state;
	struct opened o, other;

	r->chan.ops = &passing;
	r->params.flags |= FUSE_PASSTHROUGH;
	o = create(r, 7, "first", O_WRONLY);
	assert_int_equal(o.how, FOPEN_PASSTHROUGH);
	release(r, &o);
	write_small_ones(r, 7);
	o = create(r, 7, "small", O_WRONLY);
	assert_int_equal(o.how, FOPEN_DIRECT_IO);
	/* Whoever opens it meanwhile comes to us; afterwards, no longer. */
	other = open_again(r, 8, o.node, O_RDONLY);
	assert_int_equal(other.how, 0);
	write_to(r, &o, 0, 100);
	release(r, &other);
	release(r, &o);
	other = open_again(r, 8, o.node, O_RDONLY);
	assert_int_equal(other.how, FOPEN_PASSTHROUGH);
	/* And with that open, he himself does not. */
	o = open_again(r, 7, o.node, O_WRONLY);
	assert_int_equal(o.how, FOPEN_PASSTHROUGH);
	release(r, &o);
	release(r, &other);
	o = open_again(r, 7, o.node, O_WRONLY);
	assert_int_equal(o.how, FOPEN_DIRECT_IO);
	release(r, &o);
	/* What is no such open, and who is somebody else. */
	o = open_again(r, 7, o.node, O_WRONLY | O_APPEND);
	assert_int_equal(o.how, FOPEN_PASSTHROUGH);
	release(r, &o);
	o = create(r, 7, "both", O_RDWR);
	assert_int_equal(o.how, FOPEN_PASSTHROUGH);
	release(r, &o);
	o = create(r, 8, "others", O_WRONLY);
	assert_int_equal(o.how, FOPEN_PASSTHROUGH);
	release(r, &o);
	o = create(r, 7 + SMALL_WRITERS, "same place", O_WRONLY);
	assert_int_equal(o.how, FOPEN_PASSTHROUGH);
	release(r, &o);
	o = create(r, 0, "nobody", O_WRONLY);
	assert_int_equal(o.how, FOPEN_PASSTHROUGH);
	release(r, &o);
}

static void test_a_large_file_ends_the_row(void **state)
{
	struct rig *r = *state;
	struct opened o;
	int fd;

	r->chan.ops = &passing;
	r->params.flags |= FUSE_PASSTHROUGH;
	write_small_ones(r, 9);
	o = create(r, 9, "two writes", O_WRONLY);
	write_to(r, &o, 0, 32768);
	write_to(r, &o, 32768, 32768);
	release(r, &o);
	o = create(r, 9, "three", O_WRONLY);
	assert_int_equal(o.how, FOPEN_DIRECT_IO);
	for (unsigned int i = 0; i < 3; i++)
		write_to(r, &o, i, 1);
	release(r, &o);
	o = create(r, 9, "after", O_WRONLY);
	assert_int_equal(o.how, FOPEN_PASSTHROUGH);
	release(r, &o);
	write_small_ones(r, 9);
	o = create(r, 9, "large", O_WRONLY);
	assert_int_equal(o.how, FOPEN_DIRECT_IO);
	write_to(r, &o, 0, 65536);
	write_to(r, &o, 65536, 1);
	release(r, &o);
	/* What is passed through is judged by its size. */
	for (unsigned int i = 0; i < 6; i++) {
		o = create(r, 10, "big", O_WRONLY);
		assert_int_equal(o.how, FOPEN_PASSTHROUGH);
		fd = openat(r->root, "big", O_WRONLY | O_CLOEXEC);
		assert_int_equal(ftruncate(fd, 65537), 0);
		(void)close(fd);
		release(r, &o);
		assert_int_equal(unlinkat(r->root, "big", 0), 0);
	}
}

static uint32_t list_flags(struct rig *r, bool first)
{
	struct fuse_open_out out;

	r->req = (struct fuse_req){ 0 };
	assert_int_equal(call(r, FUSE_OPENDIR, FUSE_ROOT_ID, NULL), 0);
	memcpy(&out, r->buf, sizeof(out));
	/* What the kernel does with a list that it does not keep. */
	if (!(out.open_flags & FOPEN_KEEP_CACHE) || first) {
		r->req = (struct fuse_req){ .in.read = { .fh = out.fh, .size = FUSE_OUT_MIN } };
		assert_int_equal(call(r, FUSE_READDIRPLUS, FUSE_ROOT_ID, NULL), 0);
	}
	r->req = (struct fuse_req){ .in.release.fh = out.fh };
	assert_int_equal(call(r, FUSE_RELEASEDIR, FUSE_ROOT_ID, NULL), 0);
	return out.open_flags;
}

static void use(struct rig *r, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		char name[16];
		struct opened o;

		snprintf(name, sizeof(name), "f%u", i);
		o = open_again(r, 5, lookup(r, FUSE_ROOT_ID, name), O_RDONLY);
		release(r, &o);
	}
}

static void test_a_list_whose_files_were_used_is_old(void **state)
{
	struct rig *r = *state;

	r->chan.ops = &passing;
	r->params.flags |= FUSE_PASSTHROUGH;
	make(r, 20);
	/* Nobody tells of changes: no list is kept. */
	assert_int_equal(list_flags(r, false), 0);
	atomic_store(&r->vfs->watched, true);
	assert_int_equal(list_flags(r, true), FOPEN_CACHE_DIR | FOPEN_KEEP_CACHE);
	use(r, 5); /* of 22, with "." and ".." */
	assert_int_equal(list_flags(r, false), FOPEN_CACHE_DIR | FOPEN_KEEP_CACHE);
	use(r, 6);
	assert_int_equal(list_flags(r, false), FOPEN_CACHE_DIR);
	assert_int_equal(list_flags(r, false), FOPEN_CACHE_DIR | FOPEN_KEEP_CACHE);
	/* Who goes through us leaves the kernel what it knows. */
	r->params.flags &= ~FUSE_PASSTHROUGH;
	nodes_reset(&r->vfs->nodes);
	use(r, 20);
	assert_int_equal(list_flags(r, false), FOPEN_CACHE_DIR | FOPEN_KEEP_CACHE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_many_nodes_few_descriptors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_new_file_of_an_old_number, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_new_file_of_an_old_number_and_birth, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_forgotten_nodes_are_kept_for_a_while, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_without_handles, setup, teardown),
		cmocka_unit_test_setup_teardown(test_births, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_way_up, setup, teardown),
		cmocka_unit_test_setup_teardown(test_links_are_not_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_special_files_are_not_opened, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ids_that_nobody_gave, setup, teardown),
		cmocka_unit_test_setup_teardown(test_files_are_closed_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_directories_in_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_small_files_are_written_through_us, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_large_file_ends_the_row, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_list_whose_files_were_used_is_old, setup,
						teardown),
	};

	if (geteuid() != 0) {
		puts("1..0 # SKIP root only: files are made as other users");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
