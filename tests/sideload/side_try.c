/* SPDX-License-Identifier: MIT */
/* side_try.c - TARGET PROGRAM STEP...: a program in a guest, spoken to. For tests/vm/sideload.tap. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blk_page.h"
#include "io.h"
#include "side.h"
#include "side_abi.h"
#include "tracee.h"

#define WAIT_MS  60000
#define START_MS 60000

static struct vm vm = VM_INIT;
static char *program;
static size_t size;
static struct side *side;
static uint8_t buf[SIDE_MESSAGE_MAX], back[SIDE_MESSAGE_MAX];
static const char *disk_path; /* of a file that the guest gets as a disk; NULL: none */

static struct blk_page disk;
static struct store *store;

static int fail(const char *what, const char *why)
{
	printf("%s: %s\n", what, why);
	return 1;
}

static int open_side(void)
{
	const char *const argv[] = { "echo", "one", NULL };
	const struct side_opts o = { .vm = &vm,
				     .program = program,
				     .size = size,
				     .argv = argv,
				     .timeout_ms = START_MS,
				     .disk = disk_path };
	uint64_t before = tracee_now_ns();
	struct err e = { 0 };

	if (side_open(&o, &side, &e) < 0)
		return fail("open", e.msg);
	printf("open: %.1f ms\n", (double)(tracee_now_ns() - before) / 1e6);
	return 0;
}

static int close_side(void)
{
	struct side_report p = { 0 };
	struct err e = { 0 };
	int r = side_close(side, &p, &e);

	blk_page_fini(&disk);
	store_free(store);
	store = NULL;
	printf("close: %s; stood %.1f ms (one thread), %.1f ms, %.1f ms; slot %d at %#" PRIx64
	       ", %#" PRIx64 "; rung %d %d%s\n",
	       r ? e.msg : "ok", (double)p.map_ns / 1e6, (double)p.start_ns / 1e6,
	       (double)p.undo_ns / 1e6, p.slot, p.gpa.v, p.gva.v, p.door, p.irq,
	       p.saved ? "; saved" : "");
	return r < 0;
}

static int turn(void *arg)
{
	return blk_page_turn(arg);
}

static int start_disk(bool writable)
{
	const struct store_file_conf file = {
		.path = disk_path,
		.fd = -1,
		.alive = -1,
		.read_only = !writable,
		.no_direct = true,
		.no_uring = true,
	};
	const struct side_server server = { turn, &disk };
	struct side_disk_memory m;
	struct err e = { 0 };
	uint64_t before = tracee_now_ns();
	int r;

	if (store_file_new(&file, &store, &e) < 0 || side_disk_memory(side, &m, &e) < 0)
		return fail("disk", e.msg);
	const struct blk_page_conf conf = { store,  "vmsh-try",  m.p,        m.address,
					    m.size, m.piece_max, m.position, m.next };
	if (blk_page_init(&disk, &conf, &e) < 0 || side_disk_start(side, &server, &e) < 0)
		return fail("disk", e.msg);
	while (!(r = side_disk_ready(side, &e)))
		(void)usleep(1000);
	if (r < 0)
		return fail("disk", e.msg);
	printf("disk: ok, %.1f ms\n", (double)(tracee_now_ns() - before) / 1e6);
	return 0;
}

/* In parts, which a message does not have at the other end. */
static int send_parts(const void *data, size_t n)
{
	const size_t first = n / 3;
	const struct iovec iov[] = { { (void *)(uintptr_t)data, first },
				     { NULL, 0 },
				     { (uint8_t *)(uintptr_t)data + first, n - first } };

	int r = side_send(side, iov, ARRAY_SIZE(iov));

	if (r > 0)
		side_ring_guest(side);
	return r < 0 ? r : 0;
}

static int send_all(const void *data, size_t n)
{
	for (int i = 0; i < 6000; i++) {
		int r = send_parts(data, n);

		if (r != -EAGAIN)
			return r;
		(void)usleep(10000);
	}
	return -EAGAIN;
}

static ssize_t receive(void *to)
{
	if (!side_wait(side, WAIT_MS))
		return -ETIMEDOUT;
	return side_recv(side, to, SIDE_MESSAGE_MAX);
}

/* A word sent, what comes back printed. */
static int say(const char *word)
{
	ssize_t n;
	int r = send_all(word, strlen(word));

	if (r < 0)
		return fail(word, err_str(r));
	n = receive(back);
	if (n < 0)
		return fail(word, err_str((int)n));
	printf("%s: %.*s\n", word, (int)n, back);
	return 0;
}

/* Messages of all sizes come back as they were sent; many are on their way at once. */
static int echo(int rounds)
{
	uint64_t before = tracee_now_ns(), bytes = 0;
	size_t sent = 0, got = 0;

	while (got < (size_t)rounds) {
		size_t want = sent * 7919 % SIDE_MESSAGE_MAX + 1;
		ssize_t n;

		if (sent < (size_t)rounds) {
			memset(buf, (int)sent, want);
			int r = send_parts(buf, want);

			if (!r) {
				sent++;
				bytes += want;
				continue;
			}
			if (r != -EAGAIN)
				return fail("echo", err_str(r));
		}
		n = receive(back);
		if (n == -EAGAIN)
			continue;
		if (n <= 0)
			return fail("echo", n ? err_str((int)n) : "the end");
		memset(buf, (int)got, (size_t)n);
		if ((size_t)n != got * 7919 % SIDE_MESSAGE_MAX + 1 ||
		    memcmp(buf, back, (size_t)n) != 0)
			return fail("echo", "another message came back");
		got++;
	}
	printf("echo: %d messages, %" PRIu64 " KiB, %.1f ms\n", rounds, bytes >> 10,
	       (double)(tracee_now_ns() - before) / 1e6);
	return 0;
}

static int latency(int rounds)
{
	uint64_t best = UINT64_MAX, sum = 0;

	for (int i = 0; i < rounds; i++) {
		uint64_t before = tracee_now_ns(), took;
		ssize_t n = send_all("x", 1);

		n = n < 0 ? n : receive(back);
		if (n != 1)
			return fail("latency", n < 0 ? err_str((int)n) : "not what was sent");
		took = tracee_now_ns() - before;
		best = took < best ? took : best;
		sum += took;
	}
	printf("latency: %.2f ms, at best %.2f ms\n", (double)sum / rounds / 1e6,
	       (double)best / 1e6);
	return 0;
}

/* Instances of tmpfs, those that are mounted nowhere too. */
static int count_tmpfs(void)
{
	struct ksym_want want = { .name = "shmem_fs_type" };
	struct btf_member supers, next;
	uint64_t at = 0;
	uint32_t type;
	int n = 0;

	if (!ksyms_lookup(&vm.symbols, &want, 1) ||
	    btf_find(&vm.btf, "file_system_type", &type) < 0 ||
	    btf_member(&vm.btf, type, "fs_supers.first", &supers) < 0 ||
	    btf_find(&vm.btf, "hlist_node", &type) < 0 ||
	    btf_member(&vm.btf, type, "next", &next) < 0)
		return -1;
	at = want.addr.v + supers.bit / 8;
	while (n < 1000 && !gview_read(&vm.view, (gva_t){ at }, &at, sizeof(at)) && at) {
		at += next.bit / 8;
		n++;
	}
	return n;
}

/* Entries of the page table behind the image that are not zero. */
static int count_entries(void)
{
	int n = 0;

	for (uint64_t at = vm.range.end.v + 0x1fffff; at < KIMAGE_AREA_END; at += 2 << 20) {
		uint64_t entry = 0;
		gpa_t where;

		n += !pt_entry(&vm.view.pt, (gva_t){ at }, 2, &where, &entry) && entry;
	}
	return n;
}

/* Tasks of ours, or -1: a list that changes while it is read breaks off. */
static int count_tasks(void)
{
	struct ktask_iter i = { 0 };
	struct ktask t;
	int tasks = 0, r;

	while ((r = ktask_next(&vm.guest, &i, &t)) == 1)
		tasks += !strcmp(t.comm, "vmsh") || !strcmp(t.comm, "echo");
	return r < 0 ? r : tasks;
}

static int traces(void)
{
	int tasks = -1;

	for (int attempt = 0; tasks < 0 && attempt < 100; attempt++)
		tasks = count_tasks();
	printf("traces: %d entries, %d tmpfs, %d tasks\n", count_entries(), count_tmpfs(), tasks);
	return 0;
}

static int detach(void)
{
	struct side_left left = { 0 };
	struct err e = { 0 };
	int r = side_detach(&vm, &left, &e);

	if (!r && left.failed)
		e = left.why[0];
	printf("detach: %s; %zu undone, %zu used\n", e.code ? e.msg : "ok", left.undone, left.used);
	return e.code != 0;
}

/* The guest rings for nothing, as fast as it can, for @seconds. */
static int storm(int seconds)
{
	const uint64_t memory = SIDE_PROGRAM_AT + ((size + SIDE_PAGE - 1) & ~(SIDE_PAGE - 1)),
		       at = side_so_far(side).gpa.v + memory;
	char text[64];

	(void)snprintf(text, sizeof(text), "storm %d %" PRIx64, seconds, at);
	return say(text);
}

static int step(const char *s)
{
	const char *arg = strchr(s, '=');
	int n = arg ? atoi(arg + 1) : 1, r = 0;

	if (!strcmp(s, "open"))
		return open_side();
	if (!strcmp(s, "close"))
		return close_side();
	if (!strncmp(s, "echo", 4))
		return echo(n);
	if (!strncmp(s, "latency", 7))
		return latency(n);
	if (!strncmp(s, "disk-ro", 7) || !strncmp(s, "disk-rw", 7))
		return start_disk(s[6] == 'w');
	if (!strncmp(s, "sleep", 5))
		return usleep((unsigned int)n * 1000) != 0;
	if (!strncmp(s, "until", 5)) {
		for (int i = 0; i < 3000 && access(arg ? arg + 1 : "", F_OK) < 0; i++)
			(void)usleep(20000);
		return 0;
	}
	if (!strcmp(s, "kill"))
		return kill(getpid(), SIGKILL);
	if (!strncmp(s, "storm", 5))
		return storm(n);
	if (!strcmp(s, "detach"))
		return detach();
	if (!strcmp(s, "traces"))
		return traces();
	if (!strcmp(s, "hang") || !strcmp(s, "panic"))
		return send_all(s, strlen(s)) < 0;
	if (!strcmp(s, "end")) {
		r = (int)receive(back);
		printf("end: %d\n", r);
		return r != 0;
	}
	if (!strncmp(s, "cycle", 5)) {
		for (int i = 0; i < n && !r; i++)
			r = open_side() || say("hello") || close_side();
		return r;
	}
	return say(s);
}

int main(int argc, char **argv)
{
	struct vm_info info;
	struct err e = { 0 };

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 3 || io_read_at(AT_FDCWD, argv[2], 64U << 20, &program, &size) < 0)
		return fail("usage", "TARGET PROGRAM STEP...");
	if (vm_resolve(argv[1], &info, &e) < 0 || vm_open(&info, &vm, &e) < 0 ||
	    vm_open_kernel(&vm, &e) < 0)
		return fail("vm", e.msg);
	disk_path = getenv("DISK");
	for (int i = 3; i < argc; i++)
		if (step(argv[i]))
			return 1;
	vm_close(&vm);
	free(program);
	return 0;
}
