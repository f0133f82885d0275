/* SPDX-License-Identifier: MIT */
/* test_watch.c - events of a file system, taken apart; and nodes found by what they say. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/fanotify.h>

#include <cmocka.h>

#include "nodes_table.h"
#include "watch.h"

struct events {
	_Alignas(8) uint8_t buf[512];
	size_t size, begun;
};

static void put(struct events *v, const void *p, size_t n)
{
	assert_true(n <= sizeof(v->buf) - v->size);
	memcpy(v->buf + v->size, p, n);
	v->size += n;
	n = v->size - v->begun;
	memcpy(v->buf + v->begun, &(uint32_t){ (uint32_t)n }, sizeof(uint32_t)); /* its event_len */
}

static void begin(struct events *v, uint64_t mask, int32_t pid)
{
	const struct fanotify_event_metadata m = { .vers = FANOTIFY_METADATA_VERSION,
						   .metadata_len = sizeof(m),
						   .mask = mask,
						   .fd = FAN_NOFD,
						   .pid = pid };

	v->begun = v->size;
	put(v, &m, sizeof(m));
}

/* A record: a handle of 8 bytes, all of them @handle; and a name. */
static void record(struct events *v, uint8_t type, uint8_t handle, const char *name)
{
	uint8_t body[20 + 8 + 64] = { [8] = 8, [12] = 1 };
	size_t len = 24 + (name ? strlen(name) + 1 : 0);
	struct fanotify_event_info_header h = { .info_type = type };

	memset(body + 16, handle, 8);
	if (name)
		strcpy((char *)body + 24, name);
	len = (len + 3) & ~(size_t)3;
	h.len = (uint16_t)(sizeof(h) + len);
	put(v, &h, sizeof(h));
	put(v, body, len);
}

static struct events two(void)
{
	struct events v = { 0 };

	begin(&v, FAN_CREATE, 7);
	record(&v, FAN_EVENT_INFO_TYPE_DFID_NAME, 'd', "name");
	begin(&v, FAN_MODIFY, 8);
	record(&v, FAN_EVENT_INFO_TYPE_DFID_NAME, 'd', "n");
	record(&v, FAN_EVENT_INFO_TYPE_FID, 'f', NULL);
	return v;
}

static void test_names_and_handles(void **state)
{
	struct events v = two();
	struct watch_event ev;
	size_t off = 0;

	(void)state;
	assert_int_equal(watch_next(v.buf, v.size, &off, &ev), 1);
	assert_int_equal(ev.mask, FAN_CREATE);
	assert_int_equal(ev.pid, 7);
	assert_string_equal(ev.name, "name");
	assert_int_equal(ev.dir.size, 8);
	assert_int_equal(ev.dir.type, 1);
	assert_memory_equal(ev.dir.bytes, "dddddddd", 8);
	assert_int_equal(ev.self.size, 0);
	assert_int_equal(watch_next(v.buf, v.size, &off, &ev), 1);
	assert_int_equal(ev.pid, 8);
	assert_memory_equal(ev.self.bytes, "ffffffff", 8);
	assert_int_equal(watch_next(v.buf, v.size, &off, &ev), 0);
}

static void test_directory_itself(void **state)
{
	struct events v = { 0 };
	struct watch_event ev;
	size_t off = 0;

	(void)state;
	begin(&v, FAN_ATTRIB | FAN_ONDIR, 1);
	record(&v, FAN_EVENT_INFO_TYPE_DFID_NAME, 'd', ".");
	assert_int_equal(watch_next(v.buf, v.size, &off, &ev), 1);
	assert_memory_equal(ev.self.bytes, "dddddddd", 8);
}

static void test_overflow_has_no_records(void **state)
{
	struct events v = { 0 };
	struct watch_event ev;
	size_t off = 0;

	(void)state;
	begin(&v, FAN_Q_OVERFLOW, 0);
	assert_int_equal(watch_next(v.buf, v.size, &off, &ev), 1);
	assert_int_equal(ev.mask, FAN_Q_OVERFLOW);
	assert_null(ev.name);
}

/* A record that is not known is passed over. */
static void test_unknown_record(void **state)
{
	struct events v = { 0 };
	struct watch_event ev;
	size_t off = 0;

	(void)state;
	begin(&v, FAN_ATTRIB, 1);
	record(&v, 99, 'x', "name");
	record(&v, FAN_EVENT_INFO_TYPE_FID, 'f', NULL);
	assert_int_equal(watch_next(v.buf, v.size, &off, &ev), 1);
	assert_memory_equal(ev.self.bytes, "ffffffff", 8);
	assert_null(ev.name);
}

/* No prefix of an event is one, whatever its length says. */
static void test_each_byte_counts(void **state)
{
	struct events v = { 0 };
	struct fanotify_event_metadata *m = (void *)v.buf;
	struct watch_event ev;

	(void)state;
	begin(&v, FAN_MODIFY, 1);
	record(&v, FAN_EVENT_INFO_TYPE_FID, 'f', NULL);
	for (size_t n = v.size - 1; n; n--) {
		size_t off = 0;

		assert_int_equal(watch_next(v.buf, n, &off, &ev), -EPROTO);
		m->event_len = (uint32_t)n;
		off = 0;
		/* Metadata alone is an event; so is nothing else that is shorter. */
		assert_int_equal(watch_next(v.buf, n, &off, &ev), n == sizeof(*m) ? 1 : -EPROTO);
		m->event_len = (uint32_t)v.size;
	}
}

static void test_handle_that_lies(void **state)
{
	struct events v = { 0 };
	struct watch_event ev;
	size_t off = 0;

	(void)state;
	begin(&v, FAN_MODIFY, 1);
	record(&v, FAN_EVENT_INFO_TYPE_FID, 'f', NULL);
	v.buf[sizeof(struct fanotify_event_metadata) + 4 + 8] = 9;
	assert_int_equal(watch_next(v.buf, v.size, &off, &ev), -EPROTO);
}

static struct node *add(struct nodes *t, uint64_t ino, uint16_t mount, uint8_t handle)
{
	struct node fresh = { .ino = ino,
			      .type = S_IFREG >> 12,
			      .mount = mount,
			      .nlookup = 1,
			      .handle_bytes = 8,
			      .handle_type = 1 };
	struct node *n;

	memset(fresh.handle, handle, 8);
	memcpy(fresh.handle, &ino, sizeof(ino));
	n = table_insert(t, &fresh);
	assert_non_null(n);
	return n;
}

static uint64_t find(struct nodes *t, uint64_t ino, int32_t type)
{
	return nodes_by_handle(t, type, (const uint8_t *)&ino, sizeof(ino));
}

static void test_nodes_by_handle(void **state)
{
	struct nodes t = { .max_idle = 0 };
	struct node_closing closing = { 0 };
	struct node *first, *other;
	uint32_t at = 0;
	uint64_t id;

	(void)state;
	pthread_mutex_init(&t.lock, NULL);
	first = add(&t, 1, 0, 0);
	assert_int_equal(find(&t, 1, 1), 0);
	assert_int_equal(nodes_index_handles(&t), 0);
	assert_int_equal(find(&t, 1, 1), node_id(first));
	assert_int_equal(find(&t, 1, 2), 0);
	/* Growth keeps them; those of another mount are none. */
	for (uint64_t i = 2; i < 5000; i++)
		(void)add(&t, i, 0, 0);
	other = add(&t, 5000, 1, 0);
	assert_int_equal(find(&t, 5000, 1), 0);
	for (uint64_t i = 1; i < 5000; i++)
		assert_int_not_equal(find(&t, i, 1), 0);
	id = find(&t, 1234, 1);
	nodes_forget(&t, id, 1);
	assert_int_equal(find(&t, 1234, 1), 0);
	assert_int_equal(nodes_each(&t, &at), node_id(first));
	for (unsigned int n = 1; n < 4999; n++)
		assert_int_not_equal(nodes_each(&t, &at), 0);
	assert_int_equal(nodes_each(&t, &at), 0);
	other->nlookup = 0;
	table_settle(&t, other, &closing);
	nodes_fini(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_and_handles),
		cmocka_unit_test(test_directory_itself),
		cmocka_unit_test(test_overflow_has_no_records),
		cmocka_unit_test(test_unknown_record),
		cmocka_unit_test(test_each_byte_counts),
		cmocka_unit_test(test_handle_that_lies),
		cmocka_unit_test(test_nodes_by_handle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
