/* SPDX-License-Identifier: MIT */
/* test_blk.c - a disk served by another process, and a driver that asks for all kinds of things. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "blk.h"
#include "disk.h"
#include "vu_serve.h"
#include "ways.h"

#define SECTORS 2048u
#define OFFERED (UINT64_C(1) << VIRTIO_BLK_F_FLUSH | UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC)

struct rig {
	char path[32];
	pid_t server;
	struct disk disk;
	struct store_file_conf conf;
	rlim_t largest; /* file that the server may write; 0: any */
	bool bound;     /* the server has one processor */
};

static int config_get(void *arg, uint32_t off, uint8_t *ret, uint32_t len)
{
	blk_config(arg, off, ret, len);
	return 0;
}

static int take(void *arg, unsigned int queue, struct vq_dev *vq)
{
	(void)queue;
	return blk_take(arg, vq);
}

static unsigned int reap(void *arg, bool wait)
{
	return blk_reap(arg, wait);
}

static void negotiated(void *arg, uint64_t features)
{
	blk_set_features(arg, features);
}

/* To the first processor of those that we may run on. */
static int bind_to_one(void)
{
	cpu_set_t all, one;
	int i = 0;

	if (sched_getaffinity(0, sizeof(all), &all) < 0)
		return -errno;
	while (!CPU_ISSET(i, &all))
		i++;
	CPU_ZERO(&one);
	CPU_SET(i, &one);
	return sched_setaffinity(0, sizeof(one), &one) < 0 ? -errno : 0;
}

/* In the child. */
static int serve(const struct rig *r, int sock)
{
	static struct vu_back back;
	struct vu_device dev = { .nqueues = 1,
				 .config_get = config_get,
				 .take = take,
				 .reap = reap,
				 .negotiated = negotiated };
	struct err e = { 0 };
	struct store *store;
	struct blk blk;
	struct rlimit limit = { r->largest, r->largest };
	int ret;

	(void)signal(SIGXFSZ, SIG_IGN);
	if (r->largest && setrlimit(RLIMIT_FSIZE, &limit) < 0)
		return 2;
	if (r->bound && bind_to_one() < 0)
		return 2;
	if (store_file_new(&r->conf, &store, &e) < 0 || blk_init(&blk, store, "test", 1) < 0)
		return 2;
	dev.features = blk_features(&blk);
	dev.fd = store->fd;
	dev.arg = &blk;
	vu_back_init(&back, &dev, sock);
	ret = vu_serve(&back, VU_POLL_NS, &e);
	vu_back_fini(&back);
	blk_fini(&blk);
	store_free(store);
	return ret < 0;
}

static void start(struct rig *r)
{
	struct disk_conf conf = { .features = OFFERED };
	struct err e = { 0 };
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	r->conf.path = r->path;
	r->conf.fd = r->conf.alive = -1;
	r->server = fork();
	if (r->server == 0) {
		(void)close(pair[0]);
		_exit(serve(r, pair[1]));
	}
	(void)close(pair[1]);
	conf.sock = pair[0];
	if (disk_open(&r->disk, &conf, &e) < 0)
		fail_msg("%s", e.msg);
}

/* Return: the back end's exit status. */
static int stop(struct rig *r)
{
	int status = 0;

	disk_close(&r->disk);
	assert_int_equal(waitpid(r->server, &status, 0), r->server);
	return status;
}

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	int fd;

	strcpy(r->path, "/tmp/test-blk.XXXXXX");
	fd = mkstemp(r->path);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, SECTORS * 512), 0);
	(void)close(fd);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	(void)unlink(r->path);
	free(r);
	return 0;
}

/* What each request is answered with. */
static void test_status(void **state)
{
	static const struct {
		uint32_t type, size;
		uint64_t sector;
		int want;
		uint32_t written;
	} row[] = {
		{ VIRTIO_BLK_T_IN, 512, 0, VIRTIO_BLK_S_OK, 513 },
		{ VIRTIO_BLK_T_IN, 512, SECTORS - 1, VIRTIO_BLK_S_OK, 513 },
		{ VIRTIO_BLK_T_IN, 1024, SECTORS - 1, VIRTIO_BLK_S_IOERR, 0 },
		{ VIRTIO_BLK_T_IN, 512, SECTORS, VIRTIO_BLK_S_IOERR, 0 },
		{ VIRTIO_BLK_T_IN, 512, UINT64_MAX, VIRTIO_BLK_S_IOERR, 0 },
		{ VIRTIO_BLK_T_IN, 512, UINT64_MAX / 512 + 1, VIRTIO_BLK_S_IOERR, 0 },
		{ VIRTIO_BLK_T_IN, 511, 0, VIRTIO_BLK_S_IOERR, 0 },
		{ VIRTIO_BLK_T_IN, 0, 0, VIRTIO_BLK_S_OK, 1 },
		{ VIRTIO_BLK_T_IN, 0, SECTORS, VIRTIO_BLK_S_OK, 1 },
		{ VIRTIO_BLK_T_IN, 0, SECTORS + 1, VIRTIO_BLK_S_IOERR, 1 },
		{ VIRTIO_BLK_T_IN, DISK_BUF, 0, VIRTIO_BLK_S_OK, DISK_BUF + 1 },
		{ VIRTIO_BLK_T_OUT, 512, 1, VIRTIO_BLK_S_OK, 1 },
		{ VIRTIO_BLK_T_OUT, 512, SECTORS, VIRTIO_BLK_S_IOERR, 1 },
		{ VIRTIO_BLK_T_OUT, 100, 1, VIRTIO_BLK_S_IOERR, 1 },
		{ VIRTIO_BLK_T_OUT, 0, 1, VIRTIO_BLK_S_OK, 1 },
		{ VIRTIO_BLK_T_FLUSH, 0, 0, VIRTIO_BLK_S_OK, 1 },
		{ VIRTIO_BLK_T_GET_ID, 20, 0, VIRTIO_BLK_S_OK, 21 },
		{ VIRTIO_BLK_T_GET_ID, 64, 0, VIRTIO_BLK_S_OK, 20 },
		{ VIRTIO_BLK_T_GET_ID, 19, 0, VIRTIO_BLK_S_IOERR, 0 },
		{ VIRTIO_BLK_T_DISCARD, 0, 0, VIRTIO_BLK_S_IOERR, 1 },
		{ VIRTIO_BLK_T_WRITE_ZEROES, 17, 0, VIRTIO_BLK_S_IOERR, 1 },
		{ 12345, 0, 0, VIRTIO_BLK_S_UNSUPP, 1 },
	};
	struct rig *r = *state;

	start(r);
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		int got = disk_do(&r->disk, row[i].type, row[i].sector, row[i].size);

		if (got != row[i].want || r->disk.req[0].written != row[i].written)
			fail_msg("row %zu: status %d, %u bytes", i, got, r->disk.req[0].written);
	}
	assert_int_equal(stop(r), 0);
}

static int clear(struct rig *r, uint32_t type, uint64_t sector, uint32_t count, uint32_t flags)
{
	struct virtio_blk_discard_write_zeroes range = { htole64(sector), htole32(count),
							 htole32(flags) };

	memcpy(r->disk.req[0].data, &range, sizeof(range));
	return disk_do(&r->disk, type, 0, sizeof(range));
}

static void test_zeroes(void **state)
{
	struct rig *r = *state;
	uint8_t *data;

	start(r);
	data = r->disk.req[0].data;
	for (int unmap = 0; unmap < 2; unmap++) {
		memset(data, 0xab, 65536);
		assert_int_equal(disk_do(&r->disk, VIRTIO_BLK_T_OUT, 0, 65536), VIRTIO_BLK_S_OK);
		assert_int_equal(clear(r, VIRTIO_BLK_T_WRITE_ZEROES, 1, 126, unmap),
				 VIRTIO_BLK_S_OK);
		assert_int_equal(disk_do(&r->disk, VIRTIO_BLK_T_IN, 0, 65536), VIRTIO_BLK_S_OK);
		assert_int_equal(data[511], 0xab);
		for (size_t i = 512; i < 127 * 512; i++)
			assert_int_equal(data[i], 0);
		assert_int_equal(data[127 * 512], 0xab);
	}
	assert_int_equal(clear(r, VIRTIO_BLK_T_DISCARD, 0, SECTORS, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(clear(r, VIRTIO_BLK_T_DISCARD, 0, 8, 1), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(clear(r, VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 2), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(clear(r, VIRTIO_BLK_T_DISCARD, 1, SECTORS, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(clear(r, VIRTIO_BLK_T_WRITE_ZEROES, UINT64_MAX, 2, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(clear(r, VIRTIO_BLK_T_WRITE_ZEROES, 0, 0, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(stop(r), 0);
}

static void test_read_only(void **state)
{
	struct rig *r = *state;

	r->conf.read_only = true;
	start(r);
	assert_true(r->disk.front.offered >> VIRTIO_BLK_F_RO & 1);
	assert_int_equal(disk_do(&r->disk, VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(disk_do(&r->disk, VIRTIO_BLK_T_OUT, 0, 512), VIRTIO_BLK_S_IOERR);
	assert_int_equal(clear(r, VIRTIO_BLK_T_DISCARD, 0, 8, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(disk_do(&r->disk, VIRTIO_BLK_T_FLUSH, 0, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(stop(r), 0);
}

/* The image gets shorter: an error for the request, not the end of the disk. Nor is no more room. */
static void test_file_errors(void **state)
{
	struct rig *r = *state;

	for (int uring = 0; uring < 2; uring++) {
		r->conf.no_uring = !uring;
		assert_int_equal(truncate(r->path, SECTORS * 512), 0);
		r->largest = 65536;
		start(r);
		assert_int_equal(truncate(r->path, 8192), 0);
		assert_int_equal(disk_do(&r->disk, VIRTIO_BLK_T_IN, 0, 4096), VIRTIO_BLK_S_OK);
		assert_int_equal(disk_do(&r->disk, VIRTIO_BLK_T_IN, 8, 8192), VIRTIO_BLK_S_IOERR);
		assert_int_equal(disk_do(&r->disk, VIRTIO_BLK_T_IN, 128, 4096), VIRTIO_BLK_S_IOERR);
		assert_int_equal(disk_do(&r->disk, VIRTIO_BLK_T_OUT, 256, 4096),
				 VIRTIO_BLK_S_IOERR);
		assert_int_equal(disk_do(&r->disk, VIRTIO_BLK_T_OUT, 0, 4096), VIRTIO_BLK_S_OK);
		assert_int_equal(stop(r), 0);
	}
}

static void test_locks(void **state)
{
	struct rig *r = *state;
	struct store_file_conf write = { .path = r->path, .fd = -1, .alive = -1 }, read = write;
	struct store *first, *second;
	struct err e = { 0 };

	read.read_only = true;
	assert_int_equal(store_file_new(&write, &first, &e), 0);
	assert_int_equal(store_file_new(&write, &second, &e), -EBUSY);
	assert_non_null(strstr(e.msg, "is in use by another process"));
	assert_int_equal(store_file_new(&read, &second, &e), -EBUSY);
	store_free(first);
	assert_int_equal(store_file_new(&read, &first, &e), 0);
	assert_int_equal(store_file_new(&read, &second, &e), 0);
	store_free(first);
	store_free(second);
	assert_int_equal(truncate(r->path, 511), 0);
	assert_int_equal(store_file_new(&write, &first, &e), -EINVAL);
	write.path = "/dev/null";
	assert_int_equal(store_file_new(&write, &first, &e), -EINVAL);
	write.path = "/tmp";
	assert_int_equal(store_file_new(&write, &first, &e), -EISDIR);
	write.path = "/nowhere";
	assert_int_equal(store_file_new(&write, &first, &e), -ENOENT);
}

/* An open file that is somebody else's too: the lock is its, and stays when the store goes. */
static void test_handed_over(void **state)
{
	struct rig *r = *state;
	struct store_file_conf own = { .path = r->path, .fd = -1, .alive = -1 }, given = own;
	struct store *first, *second;
	struct err e = { 0 };

	given.fd = open(r->path, O_RDWR | O_CLOEXEC);
	assert_true(given.fd >= 0);
	assert_int_equal(store_file_new(&given, &first, &e), 0);
	store_free(first);
	assert_int_equal(store_file_new(&own, &second, &e), -EBUSY);
	given.again = true;
	assert_int_equal(store_file_new(&given, &first, &e), 0);
	assert_int_equal(store_file_new(&own, &second, &e), -EBUSY);
	store_free(first);
	(void)close((int)given.fd);
	assert_int_equal(store_file_new(&own, &second, &e), 0);
	store_free(second);
}

/* Return: what a store says that goes on for another, on a host whose fdatasync fails. */
static int go_on_after_loss(const struct store_file_conf *conf, struct err *e)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fdatasync, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EIO),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { ARRAY_SIZE(code), code };
	struct store *s;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
		return -ENOSYS;
	return store_file_new(conf, &s, e);
}

static void test_lost_writes(void **state)
{
	struct rig *r = *state;
	struct store_file_conf conf = { .path = r->path, .alive = -1 };
	int status;
	pid_t pid;

	conf.fd = open(r->path, O_RDWR | O_CLOEXEC);
	for (int again = 0; again < 2; again++) {
		conf.again = again;
		pid = fork();
		if (!pid) {
			struct err e = { 0 };
			int ret = go_on_after_loss(&conf, &e);

			if (again ? ret != -EIO || !strstr(e.msg, "may be lost") : ret != 0)
				_exit(1);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	(void)close((int)conf.fd);
}

/* Who waits for the end of all I/O waits for the ring's. */
static void test_alive(void **state)
{
	struct rig *r = *state;
	struct store_file_conf conf = { .path = r->path, .fd = -1 };
	struct store *s;
	struct err e = { 0 };
	int alive[2];
	char c;

	assert_int_equal(pipe2(alive, O_CLOEXEC | O_NONBLOCK), 0);
	conf.alive = alive[1];
	assert_int_equal(store_file_new(&conf, &s, &e), 0);
	(void)close(alive[1]);
	if (s->fd >= 0) { /* it is by io_uring */
		assert_int_equal(read(alive[0], &c, 1), -1);
		assert_int_equal(errno, EAGAIN);
	}
	store_free(s);
	assert_int_equal(fcntl(alive[0], F_SETFL, 0), 0);
	assert_int_equal(read(alive[0], &c, 1), 0);
	(void)close(alive[0]);
}

/* A chain that is no request ends the queue, not the disk: it is served again after a reset. */
static void test_bad_chains(void **state)
{
	static const struct {
		unsigned int nout, nin;
		uint32_t out;
	} row[] = {
		{ 1, 0, 16 }, /* no status */
		{ 1, 1, 15 }, /* no header */
		{ 0, 1, 0 },
	};
	struct rig *r = *state;

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct vq_buf b[2] = { { r->disk.base + 0x80000, row[i].out } };
		struct disk_req *q;

		start(r);
		b[0].addr = r->disk.base + 0x80000;
		b[row[i].nout] = (struct vq_buf){ r->disk.base + 0x90000, 1 };
		assert_int_equal(
			vq_drv_push(&r->disk.vq, b, row[i].nout, row[i].nin, &r->disk.req[0]), 0);
		disk_publish(&r->disk);
		(void)usleep(50000);
		assert_int_equal(disk_pop(&r->disk, &q), 0);
		assert_int_equal(stop(r), 0);
	}
}

/* What breaks the rules is never answered; what does not is, whatever the order. */
static void test_many(void **state)
{
	struct rig *r = *state;
	unsigned int done = 0;
	struct disk_req *q;

	start(r);
	for (unsigned int i = 0; i < DISK_DEPTH; i++) {
		memset(r->disk.req[i].data, (int)i, 8192);
		assert_int_equal(disk_push(&r->disk, i, VIRTIO_BLK_T_OUT, i * 16, 8192), 0);
	}
	disk_publish(&r->disk);
	for (int ms = 0; ms < 100000 && done < DISK_DEPTH; ms++) {
		while (disk_pop(&r->disk, &q) > 0) {
			assert_int_equal(*q->status, VIRTIO_BLK_S_OK);
			done++;
		}
		(void)usleep(1000);
	}
	assert_int_equal(done, DISK_DEPTH);
	for (unsigned int i = 0; i < DISK_DEPTH; i++) {
		assert_int_equal(disk_do(&r->disk, VIRTIO_BLK_T_IN, i * 16, 8192), VIRTIO_BLK_S_OK);
		assert_int_equal(r->disk.req[0].data[0], i);
		assert_int_equal(r->disk.req[0].data[8191], i);
	}
	assert_int_equal(stop(r), 0);
}

/* Return: how often the back end, which gets a request each 50 us, slept before one. */
static unsigned int kicks_of(struct rig *r, unsigned int n)
{
	const unsigned int before = r->disk.kicks;

	for (unsigned int i = 0; i < n; i++) {
		const uint64_t start_ns = ways_now_ns();

		while (ways_now_ns() - start_ns < 50000)
			; /* longer than a short look, shorter than a long one */
		assert_int_equal(disk_do(&r->disk, VIRTIO_BLK_T_GET_ID, 0, 20), VIRTIO_BLK_S_OK);
	}
	return r->disk.kicks - before;
}

/* Requests that come close together, but need our processor to come at all: the back end sleeps before each. */
static void test_one_processor(void **state)
{
	const unsigned int n = 100;
	struct rig *r = *state;
	bool slept = false;

	r->bound = true;
	start(r);
	/* Where others have that processor, it gets no time to go to sleep: until they leave it alone for a hundred. */
	for (unsigned int round = 0; !slept && round < 1000; round++)
		slept = kicks_of(r, n) > n / 2;
	assert_true(slept);
	assert_int_equal(stop(r), 0);
}

static uint64_t processor_ms_of_children(void)
{
	struct rusage u;

	assert_int_equal(getrusage(RUSAGE_CHILDREN, &u), 0);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000;
}

/* Return: the processor time that the back end takes for 1100 requests, 1000 of them after a pause each, in ms. */
static uint64_t processor_ms_of(struct rig *r, unsigned int pause_us)
{
	uint64_t before = processor_ms_of_children();

	start(r);
	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(disk_do(&r->disk, VIRTIO_BLK_T_GET_ID, 0, 20), VIRTIO_BLK_S_OK);
	(void)usleep(500 * pause_us);
	for (unsigned int i = 0; i < 1000; i++) {
		(void)usleep(pause_us);
		assert_int_equal(disk_do(&r->disk, VIRTIO_BLK_T_GET_ID, 0, 20), VIRTIO_BLK_S_OK);
	}
	assert_int_equal(stop(r), 0);
	return processor_ms_of_children() - before;
}

/* After work, and with a driver that has none: no processor time. With work that is rare: little more than for the same at once. */
static void test_idle(void **state)
{
	uint64_t at_once = processor_ms_of(*state, 0), rare = processor_ms_of(*state, 1000);

	print_message("%u ms at once, %u ms with pauses\n", (unsigned int)at_once,
		      (unsigned int)rare);
	assert_true(rare < 100 + 3 * at_once);
}

static unsigned int count_choices(struct ways *w, unsigned int way, unsigned int n)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < n; i++)
		count += ways_choose(w) == way;
	return count;
}

static void test_ways(void **state)
{
	struct ways w = { 0 };

	(void)state;
	assert_int_equal(ways_choose(&w), 0);
	ways_learn(&w, 0, 100000);
	assert_int_equal(ways_choose(&w), 1); /* never taken */
	ways_learn(&w, 1, 95000);
	assert_int_equal(count_choices(&w, 0, 32), 31); /* about equal; the other one is tried */
	for (unsigned int i = 0; i < 20; i++)
		ways_learn(&w, 1, 50000);
	assert_int_equal(count_choices(&w, 1, 32), 31);
	ways_learn(&w, 1, UINT64_MAX); /* the machine stood still */
	assert_int_equal(count_choices(&w, 1, 32), 31);
	for (unsigned int i = 0; i < 20; i++)
		ways_learn(&w, 1, 400000);
	assert_int_equal(count_choices(&w, 0, 32), 31);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_status, setup, teardown),
		cmocka_unit_test_setup_teardown(test_zeroes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_only, setup, teardown),
		cmocka_unit_test_setup_teardown(test_file_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_locks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_handed_over, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost_writes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_alive, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_chains, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_processor, setup, teardown),
		cmocka_unit_test_setup_teardown(test_idle, setup, teardown),
		cmocka_unit_test(test_ways),
	};

	return cmocka_run_group_tests_name("virtio-blk", tests, NULL, NULL);
}
