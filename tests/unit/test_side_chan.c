/* SPDX-License-Identifier: MIT */
/* Who waits for room in the channel into a guest is woken by who receives; a bell stands for the guest. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "side_chan.h"

#define LONG_MS 100000

static int bell;
static atomic_bool has_room;
static atomic_uint asked; /* for room */
static unsigned int rings;

int __wrap_side_fd(const struct side *s);
int __wrap_side_fd(const struct side *s)
{
	(void)s;
	return bell;
}

bool __wrap_side_has_room(const struct side *s);
bool __wrap_side_has_room(const struct side *s)
{
	(void)s;
	atomic_fetch_add(&asked, 1);
	return atomic_load(&has_room);
}

void __wrap_side_look_again(const struct side *s);
void __wrap_side_look_again(const struct side *s)
{
	(void)s;
	(void)eventfd_write(bell, 1);
}

ssize_t __wrap_side_recv(struct side *s, void *buf, size_t room);
ssize_t __wrap_side_recv(struct side *s, void *buf, size_t room)
{
	eventfd_t n;

	(void)s;
	(void)buf;
	(void)room;
	(void)eventfd_read(bell, &n);
	return -EAGAIN;
}

void __wrap_side_ring_guest(const struct side *s);
void __wrap_side_ring_guest(const struct side *s)
{
	(void)s;
	rings++;
}

int __wrap_side_send(struct side *s, const struct iovec *iov, int n);
/* As many parts as it was given: 1 is "to be told". */
int __wrap_side_send(struct side *s, const struct iovec *iov, int n)
{
	(void)s;
	(void)iov;
	(void)n;
	return atomic_load(&has_room) ? n : -EAGAIN;
}

static int setup(void **state)
{
	static struct side_chan c;

	bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	atomic_store(&has_room, false);
	atomic_store(&asked, 0);
	side_chan_init(&c, NULL);
	*state = &c;
	return bell < 0;
}

static int teardown(void **state)
{
	side_chan_fini(*state);
	return close(bell);
}

static void *wait_for_room(void *arg)
{
	struct attach_chan *c = arg;

	return (void *)(intptr_t)c->ops->wait(c, POLLOUT, LONG_MS);
}

/* A thread that waits: it has looked for room, and has let go of the lock since. */
static pthread_t start_waiting(struct side_chan *c)
{
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, wait_for_room, &c->chan), 0);
	while (!atomic_load(&asked))
		(void)usleep(100);
	return t;
}

static short end_of(pthread_t t)
{
	void *r = NULL;

	assert_int_equal(pthread_join(t, &r), 0);
	return (short)(intptr_t)r;
}

static void test_room_wakes(void **state)
{
	struct side_chan *c = *state;
	pthread_t t = start_waiting(c);
	uint8_t buf[1];

	/* the guest has taken messages: it rings, and who receives finds none */
	atomic_store(&has_room, true);
	assert_int_equal(c->chan.ops->receive(&c->chan, buf, sizeof(buf)), -EAGAIN);
	assert_int_equal(end_of(t), POLLOUT);
	/* it is not waited for what is there */
	assert_int_equal(c->chan.ops->wait(&c->chan, POLLOUT, LONG_MS), POLLOUT);
}

static void test_no_room(void **state)
{
	struct side_chan *c = *state;

	assert_int_equal(c->chan.ops->wait(&c->chan, POLLOUT, 1), 0);
}

/* At the end. */
static void test_wake(void **state)
{
	struct side_chan *c = *state;
	pthread_t t = start_waiting(c);

	c->chan.ops->wake(&c->chan);
	assert_int_equal(end_of(t), 0);
	assert_int_equal(c->chan.ops->wait(&c->chan, POLLIN, LONG_MS), POLLIN);
}

/* Who sends tells the guest, if that may wait. */
static void test_send(void **state)
{
	struct side_chan *c = *state;
	struct iovec iov[1] = { { NULL, 0 } };

	assert_int_equal(c->chan.ops->send(&c->chan, iov, 1), -EAGAIN);
	atomic_store(&has_room, true);
	assert_int_equal(c->chan.ops->send(&c->chan, iov, 0), 0);
	assert_int_equal(rings, 0);
	assert_int_equal(c->chan.ops->send(&c->chan, iov, 1), 0);
	assert_int_equal(rings, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_room_wakes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_room, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wake, setup, teardown),
		cmocka_unit_test_setup_teardown(test_send, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
