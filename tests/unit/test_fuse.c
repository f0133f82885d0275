/* SPDX-License-Identifier: MIT */
/* test_fuse.c - requests taken apart, and a session with a peer that may be anybody. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fuse_mem.h"
#include "fuse_serve.h"
#include "fuse_session.h"

#define ALL (FUSE_SETXATTR_EXT)

/* A message under construction. */
struct msg {
	union {
		struct fuse_in_header h;
		uint8_t buf[8192];
	};
	size_t size;
};

static void put(struct msg *m, const void *p, size_t n)
{
	assert_true(n <= sizeof(m->buf) - m->size);
	memcpy(m->buf + m->size, p, n);
	m->size += n;
	m->h.len = m->size;
}

static struct msg *begin(struct msg *m, uint32_t opcode, uint64_t unique)
{
	const struct fuse_in_header h = { .opcode = opcode, .unique = unique, .nodeid = 1 };

	m->size = 0;
	put(m, &h, sizeof(h));
	return m;
}

static void text(struct msg *m, const char *s)
{
	put(m, s, strlen(s) + 1);
}

static int parse(const struct msg *m, struct fuse_req *req)
{
	return fuse_req_parse(m->buf, m->size, ALL, req);
}

/* --- the parser --- */

static void test_lookup(void **state)
{
	struct fuse_req req;
	struct msg m;

	(void)state;
	text(begin(&m, FUSE_LOOKUP, 2), "name");
	assert_int_equal(parse(&m, &req), 0);
	assert_string_equal(req.name[0], "name");
	assert_null(req.name[1]);
	/* Behind what the header says there may be anything. */
	m.size += 8;
	assert_int_equal(parse(&m, &req), 0);
}

/* Each message loses its last byte, and is no message any more. */
static void test_each_byte_counts(void **state)
{
	static const uint8_t zero[128];
	const struct fuse_write_in write = { .size = 5 };
	struct fuse_req req;
	struct msg m;

	(void)state;
	put(begin(&m, FUSE_WRITE, 2), &write, sizeof(write));
	put(&m, "12345", 5);
	assert_int_equal(parse(&m, &req), 0);
	assert_int_equal(req.data.len, 5);
	assert_memory_equal(req.data.p, "12345", 5);
	for (size_t n = m.size - 1;; n--) {
		m.h.len = n;
		m.size = n;
		assert_int_equal(parse(&m, &req), -EPROTO);
		if (n == 0)
			break;
	}
	put(begin(&m, FUSE_SETATTR, 2), zero, sizeof(struct fuse_setattr_in));
	assert_int_equal(parse(&m, &req), 0);
	m.h.len--;
	assert_int_equal(parse(&m, &req), -EPROTO);
}

static void test_names_that_are_none(void **state)
{
	static const char *const bad[] = { "", ".", "..", "a/b", "/", "../x", "x/" };
	struct fuse_mkdir_in mkdir = { 0755, 0 };
	struct fuse_req req;
	struct msg m;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		put(begin(&m, FUSE_MKDIR, 2), &mkdir, sizeof(mkdir));
		text(&m, bad[i]);
		assert_int_equal(parse(&m, &req), -EPROTO);
		text(begin(&m, FUSE_UNLINK, 2), bad[i]);
		assert_int_equal(parse(&m, &req), -EPROTO);
	}
	/* No end. */
	put(begin(&m, FUSE_UNLINK, 2), "abc", 3);
	assert_int_equal(parse(&m, &req), -EPROTO);
	/* The second of two. */
	text(begin(&m, FUSE_SYMLINK, 2), "name");
	assert_int_equal(parse(&m, &req), -EPROTO);
	text(&m, "../target");
	assert_int_equal(parse(&m, &req), 0);
	assert_string_equal(req.name[1], "../target");
	/* Two names that only the export of the file system has. */
	text(begin(&m, FUSE_LOOKUP, 2), "..");
	assert_int_equal(parse(&m, &req), 0);
}

static void test_long_name_is_passed_on(void **state)
{
	char name[300] = { 0 };
	struct fuse_req req;
	struct msg m;

	(void)state;
	memset(name, 'x', 256);
	text(begin(&m, FUSE_LOOKUP, 2), name);
	assert_int_equal(parse(&m, &req), 0);
}

static void test_counts_that_lie(void **state)
{
	struct fuse_batch_forget_in forgets = { .count = UINT32_MAX };
	struct fuse_write_in write = { .size = UINT32_MAX };
	struct fuse_setxattr_in set = { .size = 100 };
	struct fuse_req req;
	struct msg m;

	(void)state;
	put(begin(&m, FUSE_BATCH_FORGET, 2), &forgets, sizeof(forgets));
	assert_int_equal(parse(&m, &req), -EPROTO);
	put(begin(&m, FUSE_WRITE, 2), &write, sizeof(write));
	assert_int_equal(parse(&m, &req), -EPROTO);
	put(begin(&m, FUSE_SETXATTR, 2), &set, sizeof(set));
	text(&m, "user.a");
	assert_int_equal(parse(&m, &req), -EPROTO);
}

static void test_old_setxattr(void **state)
{
	const struct fuse_setxattr_in set = { .size = 1 };
	struct fuse_req req;
	struct msg m;

	(void)state;
	put(begin(&m, FUSE_SETXATTR, 2), &set, FUSE_SETXATTR_IN_OLD);
	text(&m, "user.a");
	put(&m, "v", 1);
	assert_int_equal(fuse_req_parse(m.buf, m.size, 0, &req), 0);
	assert_string_equal(req.name[0], "user.a");
	assert_int_equal(req.in.setxattr.setxattr_flags, 0);
}

static void test_extensions(void **state)
{
	struct fuse_req req;
	struct msg m;

	(void)state;
	text(begin(&m, FUSE_UNLINK, 2), "name...");
	put(&m, "extended", 8);
	m.h.total_extlen = 1;
	assert_int_equal(parse(&m, &req), 0);
	assert_string_equal(req.name[0], "name...");
	/* They may not reach into the name, nor beyond the message. */
	m.h.total_extlen = 2;
	assert_int_equal(parse(&m, &req), -EPROTO);
	m.h.total_extlen = UINT16_MAX;
	assert_int_equal(parse(&m, &req), -EPROTO);
}

/* --- a session --- */

struct rig {
	struct fuse_session session;
	struct fuse_mem mem;
	uint8_t *out;
	/* the last reply */
	struct fuse_out_header reply;
	uint8_t body[4096];
	unsigned int replies;
	/* what the file system saw */
	_Atomic unsigned int lookups, forgets, opens, eintrs;
	unsigned int destroyed;
};

static void replied(void *arg, const struct iovec *iov, int n)
{
	struct rig *r = arg;

	memcpy(&r->reply, iov[0].iov_base, sizeof(r->reply));
	if (n > 1)
		memcpy(r->body, iov[1].iov_base, iov[1].iov_len);
	r->replies++;
}

static int fake_lookup(void *fs, struct fuse_call *c)
{
	struct rig *r = fs;
	struct fuse_entry_out *out = fuse_out_add(&c->out, sizeof(*out));

	out->nodeid = 7;
	r->lookups++;
	return strcmp(c->req->name[0], "gone") == 0 ? -ENOENT : 0;
}

static void fake_forget(void *fs, uint64_t nodeid, uint64_t nlookup)
{
	struct rig *r = fs;

	(void)nodeid;
	r->forgets += nlookup;
}

static bool is_interrupted(struct rig *r, uint64_t unique)
{
	for (unsigned int i = 0; i < FUSE_WORKERS_MAX; i++) {
		if (atomic_load(&r->session.worker[i].interrupted) == unique)
			return true;
	}
	return false;
}

/* As a slow system call, which a signal ends; but the first signal comes just before it. */
static int fake_open(void *fs, struct fuse_call *c)
{
	struct rig *r = fs;

	r->opens++;
	while (!is_interrupted(r, c->req->h.unique))
		usleep(1000);
	usleep(5000);
	return pause() < 0 ? -errno : 0;
}

static int fake_eintr(void *fs, struct fuse_call *c)
{
	struct rig *r = fs;

	(void)c;
	return r->eintrs++ < 3 ? -EINTR : 0;
}

static int fake_wild(void *fs, struct fuse_call *c)
{
	(void)fs;
	(void)c;
	return -100000;
}

static void fake_destroy(void *fs)
{
	((struct rig *)fs)->destroyed++;
}

static const struct fuse_fs fake = {
	.op = { [FUSE_LOOKUP] = fake_lookup,
		[FUSE_OPEN] = fake_open,
		[FUSE_STATFS] = fake_eintr,
		[FUSE_READLINK] = fake_wild },
	.forget = fake_forget,
	.destroy = fake_destroy,
};

static int setup(void **state)
{
	static const struct fuse_conf conf = { .flags = FUSE_ASYNC_READ | FUSE_PASSTHROUGH,
					       .max_write = 65536,
					       .max_readahead = 8192,
					       .max_stack_depth = 2 };
	struct rig *r = calloc(1, sizeof(*r));

	if (!r)
		return -1;
	r->out = aligned_alloc(4096, FUSE_OUT_MIN);
	fuse_mem_init(&r->mem, replied, r);
	fuse_session_init(&r->session, &fake, r, &conf);
	*state = r;
	return r->out ? 0 : -1;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	fuse_mem_fini(&r->mem);
	free(r->out);
	free(r);
	return 0;
}

/* Return: the error of the reply; 1, there was none. */
static int handle(struct rig *r, const struct msg *m)
{
	const struct fuse_out out = { .buf = r->out, .room = FUSE_OUT_MIN };
	unsigned int before = r->replies;

	assert_int_equal(fuse_session_handle(&r->session, &r->mem.chan, 0, m->buf, m->size, &out),
			 0);
	return r->replies == before ? 1 : r->reply.error;
}

static int init_with(struct rig *r, uint32_t major, uint32_t minor, uint64_t flags)
{
	const struct fuse_init_in in = { .major = major,
					 .minor = minor,
					 .max_readahead = minor * 256,
					 .flags = (uint32_t)flags,
					 .flags2 = (uint32_t)(flags >> 32) };
	struct msg m;

	put(begin(&m, FUSE_INIT, 2), &in, sizeof(in));
	return handle(r, &m);
}

static void test_init(void **state)
{
	struct rig *r = *state;
	const struct fuse_init_out *out = (const void *)r->body;

	assert_int_equal(init_with(r, 7, 45, FUSE_INIT_EXT | FUSE_PASSTHROUGH | FUSE_POSIX_ACL), 0);
	assert_int_equal(out->major, 7);
	assert_int_equal(out->max_write, 65536);
	assert_int_equal(out->max_stack_depth, 2);
	/* the kernel's, which is more */
	assert_int_equal(out->max_readahead, 45 * 256);
	/* What both want, and nothing else. */
	assert_true(r->session.params.flags == (FUSE_INIT_EXT | FUSE_PASSTHROUGH));
	assert_int_equal(out->flags2, FUSE_PASSTHROUGH >> 32);
	/* Once. */
	assert_int_equal(init_with(r, 7, 45, 0), -EIO);
	assert_true(r->session.params.flags == (FUSE_INIT_EXT | FUSE_PASSTHROUGH));
}

static void test_flags_beyond_need_the_extension(void **state)
{
	struct rig *r = *state;

	assert_int_equal(init_with(r, 7, 45, FUSE_PASSTHROUGH | FUSE_ASYNC_READ), 0);
	assert_true(r->session.params.flags == FUSE_ASYNC_READ);
}

static void test_init_of_other_versions(void **state)
{
	struct rig *r = *state;
	const struct fuse_init_out *out = (const void *)r->body;

	assert_int_equal(init_with(r, 6, 99, 0), -EPROTO);
	assert_int_equal(init_with(r, 7, 30, 0), -EPROTO);
	assert_int_equal(init_with(r, 8, 0, 0), 0);
	assert_int_equal(out->major, 7);
	assert_int_equal(init_with(r, 7, 31, 0), 0);
	/* ours, which is more */
	assert_int_equal(out->max_readahead, 8192);
	assert_int_equal(r->session.params.minor, 31);
}

static void test_nothing_before_init(void **state)
{
	struct rig *r = *state;
	struct msg m;

	text(begin(&m, FUSE_LOOKUP, 2), "a");
	assert_int_equal(handle(r, &m), -EIO);
	assert_int_equal(r->lookups, 0);
}

static void test_unknown_is_not_the_end(void **state)
{
	static const uint32_t unknown[] = { 0, 7, FUSE_OPCODES, 4096, UINT32_MAX, FUSE_FLUSH };
	struct rig *r = *state;
	static const uint8_t zero[64];
	struct msg m;

	assert_int_equal(init_with(r, 7, 45, 0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		put(begin(&m, unknown[i], 4), zero, sizeof(zero));
		assert_int_equal(handle(r, &m), -ENOSYS);
		assert_int_equal(r->reply.unique, 4);
	}
	text(begin(&m, FUSE_LOOKUP, 6), "a");
	assert_int_equal(handle(r, &m), 0);
	assert_int_equal(r->reply.len, sizeof(r->reply) + sizeof(struct fuse_entry_out));
	/* Malformed ones are not, either. */
	assert_int_equal(handle(r, begin(&m, FUSE_LOOKUP, 8)), -EPROTO);
	m.size = 10;
	assert_int_equal(handle(r, &m), 1);
}

static void test_errors_have_no_body(void **state)
{
	struct rig *r = *state;
	struct msg m;

	assert_int_equal(init_with(r, 7, 45, 0), 0);
	text(begin(&m, FUSE_LOOKUP, 4), "gone");
	assert_int_equal(handle(r, &m), -ENOENT);
	assert_int_equal(r->reply.len, sizeof(r->reply));
	/* The kernel refuses a reply with an errno that there is none of, and its caller would wait on. */
	assert_int_equal(handle(r, begin(&m, FUSE_READLINK, 6)), -EIO);
}

static void test_forgets(void **state)
{
	const struct fuse_batch_forget_in batch = { .count = 2 };
	const struct fuse_forget_one ones[2] = { { 3, 10 }, { 4, 100 } };
	const struct fuse_forget_in one = { 1 };
	struct rig *r = *state;
	struct msg m;

	assert_int_equal(init_with(r, 7, 45, 0), 0);
	put(begin(&m, FUSE_FORGET, 4), &one, sizeof(one));
	assert_int_equal(handle(r, &m), 1);
	put(begin(&m, FUSE_BATCH_FORGET, 6), &batch, sizeof(batch));
	put(&m, ones, sizeof(ones));
	assert_int_equal(handle(r, &m), 1);
	assert_int_equal(r->forgets, 111);
	/* A broken one has no answer, either. */
	m.size -= 16;
	m.h.len -= 16;
	assert_int_equal(handle(r, &m), 1);
	assert_int_equal(r->forgets, 111);
}

static void test_eintr_of_nobody(void **state)
{
	struct rig *r = *state;
	struct msg m;

	assert_int_equal(init_with(r, 7, 45, 0), 0);
	assert_int_equal(handle(r, begin(&m, FUSE_STATFS, 4)), 0);
	assert_int_equal(r->eintrs, 4);
}

static void test_interrupt_of_nothing(void **state)
{
	const struct fuse_interrupt_in in = { 12 };
	struct rig *r = *state;
	struct msg m;

	assert_int_equal(init_with(r, 7, 45, 0), 0);
	put(begin(&m, FUSE_INTERRUPT, 13), &in, sizeof(in));
	assert_int_equal(handle(r, &m), -EAGAIN);
}

/* --- threads --- */

struct answers {
	struct rig *rig;
	_Atomic unsigned int n, eintr;
};

static void answered(void *arg, const struct iovec *iov, int n)
{
	struct answers *a = arg;
	struct fuse_out_header h;

	(void)n;
	memcpy(&h, iov[0].iov_base, sizeof(h));
	if (h.error == -EINTR)
		a->eintr++;
	a->n++;
}

static void wait_until(const _Atomic unsigned int *p, unsigned int n)
{
	for (int i = 0; i < 100000 && atomic_load(p) < n; i++)
		usleep(1000);
	assert_true(atomic_load(p) >= n);
}

static void test_threads(void **state)
{
	const struct fuse_init_in init = { .major = 7, .minor = 45 };
	const struct fuse_open_in open = { 0 };
	const struct fuse_interrupt_in stop = { 50 };
	struct rig *r = *state;
	struct answers a = { .rig = r };
	struct fuse_chan *chan[3] = { &r->mem.chan, &r->mem.chan, &r->mem.chan };
	struct fuse_server *server;
	static struct msg m[4];
	struct err e;

	r->mem.replied = answered;
	r->mem.arg = &a;
	put(begin(&m[0], FUSE_INIT, 2), &init, sizeof(init));
	text(begin(&m[1], FUSE_LOOKUP, 4), "a");
	put(begin(&m[2], FUSE_OPEN, 50), &open, sizeof(open));
	put(begin(&m[3], FUSE_INTERRUPT, 51), &stop, sizeof(stop));
	assert_int_equal(fuse_serve_start(&r->session, chan, 3, &server, &e), 0);
	fuse_mem_push(&r->mem, m[0].buf, m[0].size);
	wait_until(&a.n, 1);
	for (int i = 0; i < 500; i++)
		fuse_mem_push(&r->mem, m[1].buf, m[1].size);
	wait_until(&a.n, 501);
	assert_int_equal(r->lookups, 500);
	/* One waits; its interrupt comes by another thread, once. */
	fuse_mem_push(&r->mem, m[2].buf, m[2].size);
	wait_until(&r->opens, 1);
	fuse_mem_push(&r->mem, m[3].buf, m[3].size);
	wait_until(&a.eintr, 1);
	fuse_mem_end(&r->mem);
	fuse_serve_wait(server);
	assert_int_equal(r->destroyed, 1);
}

/* The first message is answered before any thread starts; whoever comes before it gets an error. */
static void test_first_message(void **state)
{
	struct fuse_init_in init = { .major = 7, .minor = 45, .flags = FUSE_INIT_EXT };
	struct rig *r = *state;
	struct msg early, m;

	text(begin(&early, FUSE_LOOKUP, 4), "name");
	put(begin(&m, FUSE_INIT, 2), &init, sizeof(init));
	fuse_mem_push(&r->mem, early.buf, early.size);
	fuse_mem_push(&r->mem, m.buf, m.size);
	assert_int_equal(fuse_serve_init(&r->session, &r->mem.chan), 0);
	assert_int_equal(r->replies, 2);
	assert_int_equal(r->reply.unique, 2);
	assert_int_equal(r->reply.error, 0);
	assert_int_equal(r->lookups, 0);
}

static void test_no_first_message(void **state)
{
	struct rig *r = *state;

	fuse_mem_end(&r->mem);
	assert_int_equal(fuse_serve_init(&r->session, &r->mem.chan), -ECONNABORTED);
}

/* Of all entries at once: a notification without a body. */
static void test_epoch(void **state)
{
	struct rig *r = *state;

	assert_int_equal(fuse_notify_epoch(&r->mem.chan), 0);
	assert_int_equal(r->reply.unique, 0);
	assert_int_equal(r->reply.error, FUSE_NOTIFY_INC_EPOCH);
	assert_int_equal(r->reply.len, sizeof(r->reply));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_each_byte_counts),
		cmocka_unit_test(test_names_that_are_none),
		cmocka_unit_test(test_long_name_is_passed_on),
		cmocka_unit_test(test_counts_that_lie),
		cmocka_unit_test(test_old_setxattr),
		cmocka_unit_test(test_extensions),
		cmocka_unit_test_setup_teardown(test_init, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flags_beyond_need_the_extension, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_init_of_other_versions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_before_init, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_is_not_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errors_have_no_body, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forgets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_eintr_of_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(test_interrupt_of_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_first_message, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_first_message, setup, teardown),
		cmocka_unit_test_setup_teardown(test_epoch, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
