/* SPDX-License-Identifier: MIT */
/* Side-loading, as far as it needs no Linux: rings with a hostile peer, places, memory in a hypervisor and out again. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io.h"
#include "side_door.h"
#include "side_found.h"
#include "side_guard.h"
#include "side_inject.h"
#include "tracee.h"

#define LARGE (2ULL << 20)

/* --- rings --- */

static struct side_ring_shared shared;
static uint8_t data[SIDE_RING_SIZE];

static struct side_ring ring(uint32_t at)
{
	shared = (struct side_ring_shared){ .head = at, .tail = at };
	memset(data, 0xee, sizeof(data));
	return (struct side_ring){ &shared, data, at };
}

static int put(struct side_ring *r, uint32_t len, uint8_t what)
{
	struct side_piece p[2];
	int room = side_ring_room(r, len);

	if (room <= 0)
		return room;
	side_ring_pieces(r, len, p);
	assert_int_equal(p[0].n + p[1].n, len);
	for (int k = 0; k < 2; k++) {
		assert_true(!p[k].n || (p[k].p >= data && p[k].p + p[k].n <= data + sizeof(data)));
		memset(p[k].p, what, p[k].n);
	}
	side_ring_put(r, len);
	return 1;
}

static void check_taken(struct side_ring *r, uint32_t want, uint8_t what)
{
	struct side_piece p[2];
	uint32_t len = 0;

	assert_int_equal(side_ring_next(r, &len), 1);
	assert_int_equal(len, want);
	side_ring_pieces(r, len, p);
	assert_int_equal(p[0].n + p[1].n, len);
	for (int k = 0; k < 2; k++)
		for (uint32_t i = 0; i < p[k].n; i++)
			assert_int_equal(p[k].p[i], what);
	side_ring_take(r, len);
}

/* Positions that are about to wrap, in the ring and in 32 bits. */
static void test_messages(void **state)
{
	static const uint32_t starts[] = {
		0, 8, SIDE_RING_SIZE - 8, SIDE_RING_SIZE - 16, UINT32_MAX - 7, UINT32_MAX - 1023
	};
	static const uint32_t sizes[] = {
		1, 7, 8, 9, 4096, SIDE_MESSAGE_MAX - 1, SIDE_MESSAGE_MAX
	};

	(void)state;
	for (size_t s = 0; s < ARRAY_SIZE(starts); s++) {
		struct side_ring w = ring(starts[s]), r = w;
		uint32_t len;

		assert_int_equal(side_ring_next(&r, &len), 0);
		for (size_t k = 0; k < ARRAY_SIZE(sizes); k++)
			assert_int_equal(put(&w, sizes[k], (uint8_t)k), 1);
		for (size_t k = 0; k < ARRAY_SIZE(sizes); k++)
			check_taken(&r, sizes[k], (uint8_t)k);
		assert_int_equal(side_ring_next(&r, &len), 0);
		assert_int_equal(w.mine, r.mine);
	}
}

static void test_full(void **state)
{
	struct side_ring w = ring(0), r = w;
	uint32_t n = 0, len;

	(void)state;
	while (put(&w, SIDE_MESSAGE_MAX, (uint8_t)n) == 1)
		n++;
	assert_int_equal(n, 3); /* 4 and their headers are more than there is */
	while (put(&w, 8, 9) == 1)
		n++;
	assert_int_equal(w.mine, SIDE_RING_SIZE - 8); /* a header, and no byte */
	assert_int_equal(side_ring_room(&w, 1), 0);
	check_taken(&r, SIDE_MESSAGE_MAX, 0);
	assert_int_equal(side_ring_room(&w, SIDE_MESSAGE_MAX), 1);
	assert_int_equal(side_ring_next(&r, &len), 1);
}

/* Who is told: a reader that has read all before, a writer that found no room for the largest message until now. */
static void test_told(void **state)
{
	struct side_ring w = ring(SIDE_RING_SIZE - 8), r = w;
	uint32_t len = 0, n = 0;

	(void)state;
	assert_true(side_ring_put(&w, 8));
	assert_false(side_ring_put(&w, 8));
	assert_int_equal(side_ring_next(&r, &len), 1);
	assert_false(side_ring_take(&r, len));
	assert_false(side_ring_put(&w, 8));
	for (int k = 0; k < 2; k++) {
		assert_int_equal(side_ring_next(&r, &len), 1);
		assert_false(side_ring_take(&r, len));
	}
	assert_true(side_ring_put(&w, 8));
	assert_int_equal(side_ring_next(&r, &len), 1);
	assert_false(side_ring_take(&r, len));
	while (side_ring_room(&w, SIDE_MESSAGE_MAX) == 1) {
		assert_true(side_ring_put(&w, SIDE_MESSAGE_MAX) == !n);
		n++;
	}
	/* once, when all but one are taken: there is room for all but one then */
	assert_int_equal(n, 3);
	assert_false(side_ring_take(&r, SIDE_MESSAGE_MAX));
	assert_true(side_ring_take(&r, SIDE_MESSAGE_MAX));
	assert_false(side_ring_take(&r, SIDE_MESSAGE_MAX));
	/* small ones: once, too */
	w = r = ring(0);
	while (side_ring_room(&w, 4088) == 1)
		(void)side_ring_put(&w, 4088);
	for (n = 0; w.mine - r.mine > 0;) {
		const bool more = w.mine - r.mine > side_ring_frame(SIDE_MESSAGE_MAX);
		const bool told = side_ring_take(&r, 4088);

		assert_true(told == (more && w.mine - r.mine <= side_ring_frame(SIDE_MESSAGE_MAX)));
		n += told;
	}
	assert_int_equal(n, 1);
}

/* What the other side says can't be. */
static void test_hostile(void **state)
{
	static const struct {
		uint32_t head, len; /* of a reader at 0 */
	} bad[] = { { 1, 1 },
		    { 7, 1 },
		    { 8, 1 }, /* a length and no bytes */
		    { 15, 1 },
		    { 16, 0 },
		    { 16, 9 },
		    { SIDE_RING_SIZE, SIDE_MESSAGE_MAX + 1 },
		    { SIDE_RING_SIZE, UINT32_MAX },
		    { SIDE_RING_SIZE, UINT32_MAX - 7 },
		    { SIDE_RING_SIZE, 1U << 31 },
		    { SIDE_RING_SIZE + 1, 1 },
		    { UINT32_MAX, 1 } };
	struct side_ring r;
	uint32_t len = 77;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(bad); k++) {
		r = ring(0);
		shared.head = bad[k].head;
		memcpy(data, &bad[k].len, sizeof(bad[k].len));
		assert_int_equal(side_ring_next(&r, &len), -EPROTO);
		assert_int_equal(len, 77);
	}
	r = ring(0);
	shared.head = 16;
	memcpy(data, &(uint32_t){ 8 }, 4);
	assert_int_equal(side_ring_next(&r, &len), 1);

	/* more was read than was written, and something that never was */
	r = ring(0);
	shared.tail = 8;
	assert_int_equal(side_ring_room(&r, 1), -EPROTO);
	r.mine = SIDE_RING_SIZE + 8;
	shared.tail = 0;
	assert_int_equal(side_ring_room(&r, 1), -EPROTO);
	shared.tail = 8;
	assert_int_equal(side_ring_room(&r, 1), 0);
}

/* --- places --- */

static void test_physical(void **state)
{
	static const struct side_taken taken[] = {
		{ 0, 0xfffffff },
		{ 0xfe0000000, 0xfffffffff }, /* up to the end of 36 bits */
		{ 0xfdfe00000, 0xfdfffffff },
		{ 0xfdfa00000, 0xfdfa00000 }, /* a byte */
	};
	gpa_t at = { 7 };

	(void)state;
	assert_int_equal(side_place_physical(NULL, 0, 1ULL << 36, LARGE, &at), 0);
	assert_int_equal(at.v, (1ULL << 36) - LARGE);
	assert_int_equal(side_place_physical(taken, 4, 1ULL << 36, LARGE, &at), 0);
	assert_int_equal(at.v, 0xfdfc00000);
	assert_int_equal(side_place_physical(taken, 4, 1ULL << 36, 2 * LARGE, &at), 0);
	assert_int_equal(at.v, 0xfdf600000);
	assert_int_equal(side_place_physical(taken, 4, at.v, LARGE, &at), 0);
	assert_int_equal(at.v, 0xfdf400000);
	/* below what memory has there is nothing, at 0 never */
	assert_int_equal(side_place_physical(taken, 4, 0x10000000 + LARGE, LARGE, &at), 0);
	assert_int_equal(at.v, 0x10000000);
	assert_int_equal(side_place_physical(taken, 4, 0x10000000, LARGE, &at), -ENOSPC);
	assert_int_equal(side_place_physical(NULL, 0, LARGE, LARGE, &at), -ENOSPC);
	assert_int_equal(side_place_physical(NULL, 0, LARGE, 2 * LARGE, &at), -ENOSPC);
	assert_int_equal(side_place_physical(NULL, 0, 1ULL << 36, 0, &at), -ENOSPC);
	assert_int_equal(side_place_physical((const struct side_taken[]){ { 0, UINT64_MAX } }, 1,
					     1ULL << 36, LARGE, &at),
			 -ENOSPC);
}

/* Tables at 0, 4096, 8192: the last is the one of level 2. */
static uint64_t table[3][512];

static int read_table(void *arg, gpa_t gpa, uint64_t *ret)
{
	(void)arg;
	if (gpa.v >= sizeof(table))
		return -EIO;
	*ret = table[gpa.v / 4096][gpa.v % 4096 / 8];
	return 0;
}

static struct pt tables(void)
{
	const struct pt_regs_cr cr = { 1ULL << 31, 0, 1ULL << 5, 1ULL << 10 };
	struct pt t;

	memset(table, 0, sizeof(table));
	table[0][511] = 0x1000 | 1;
	table[1][510] = 0x2000 | 1;
	assert_int_equal(pt_init(&t, &cr, read_table, NULL), 0);
	return t;
}

static void test_virtual(void **state)
{
	const struct krange image = { { KIMAGE_AREA + 8 * LARGE },
				      { KIMAGE_AREA + 20 * LARGE - 4096 } };
	struct pt t = tables();
	struct side_entries e;

	(void)state;
	for (int k = 8; k < 20; k++)
		table[2][k] = 0x81;
	assert_int_equal(side_place_virtual(&t, image, 3, &e), 0);
	assert_int_equal(e.at.v, KIMAGE_AREA + 21 * LARGE);
	assert_int_equal(e.n, 3);
	for (size_t k = 0; k < 3; k++)
		assert_int_equal(e.gpa[k].v, 0x2000 + (21 + k) * 8);
	/* what is not present, but not zero either, is somebody's */
	table[2][22] = 0x1000;
	assert_int_equal(side_place_virtual(&t, image, 3, &e), 0);
	assert_int_equal(e.at.v, KIMAGE_AREA + 23 * LARGE);
	assert_int_equal(side_place_virtual(&t, image, 1, &e), 0);
	assert_int_equal(e.at.v, KIMAGE_AREA + 21 * LARGE);
	assert_int_equal(side_place_virtual(&t, image, 0, &e), -ENOSPC);
	assert_int_equal(side_place_virtual(&t, image, SIDE_ENTRIES_MAX + 1, &e), -ENOSPC);
	for (int k = 20; k < 512; k++)
		table[2][k] = 1;
	assert_int_equal(side_place_virtual(&t, image, 1, &e), -ENOSPC);
	/* the area's last entry is one */
	table[2][511] = 0;
	const struct krange high = { { KIMAGE_AREA }, { KIMAGE_AREA + 510 * LARGE } };
	assert_int_equal(side_place_virtual(&t, high, 1, &e), 0);
	assert_int_equal(e.at.v, KIMAGE_AREA + 511 * LARGE);
	assert_int_equal(side_place_virtual(&t, high, 2, &e), -ENOSPC);
	table[1][510] = 0;
	assert_int_equal(side_place_virtual(&t, image, 1, &e), -EFAULT);
	table[1][510] = 0x5000 | 1;
	assert_int_equal(side_place_virtual(&t, image, 1, &e), -EIO);
}

static void test_slots(void **state)
{
	static struct kvm_vm vm = {
		.slot = { { .gpa = { 0x1000 }, .placed = true, .size = 0x2000, .hva = { 0x7000 } },
			  { .gpa = { 0x8000 }, .placed = true, .size = 0x1000, .readonly = true },
			  { .gpa = { 0x9000 }, .size = 0x1000 } },
		.nslot = 3
	};
	uint64_t n = 0;
	hva_t at = { 0 };

	(void)state;
	assert_true(kvm_at(&vm, (gpa_t){ 0x1000 }, true, &at, &n) && at.v == 0x7000 && n == 0x2000);
	assert_true(kvm_at(&vm, (gpa_t){ 0x2ff8 }, true, &at, &n) && at.v == 0x8ff8 && n == 8);
	assert_false(kvm_at(&vm, (gpa_t){ 0xfff }, false, &at, &n));
	assert_false(kvm_at(&vm, (gpa_t){ 0x3000 }, false, &at, &n));
	/* a ROM is the hypervisor's, and what is somewhere is nowhere */
	assert_true(kvm_at(&vm, (gpa_t){ 0x8000 }, false, &at, &n));
	assert_false(kvm_at(&vm, (gpa_t){ 0x8000 }, true, &at, &n));
	assert_false(kvm_at(&vm, (gpa_t){ 0x9000 }, false, &at, &n));
}

/* --- in a hypervisor --- */

/* Its mappings and descriptors, as text. */
static char *traces(pid_t pid)
{
	char path[64], *maps, *ret;
	int fds = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	assert_int_equal(io_read_at(AT_FDCWD, path, 1 << 20, &maps, NULL), 0);
	for (int fd = 0; fd < 64; fd++) {
		(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
		fds += !faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW);
	}
	assert_true(asprintf(&ret, "%d descriptors\n%s", fds, maps) > 0);
	free(maps);
	return ret;
}

/* It is found, and who holds it, as long as that does. */
static void check_found(const struct pid_ref *ref, hva_t at, uint64_t size, int64_t door)
{
	struct side_found f;
	char path[64];
	int fd;

	assert_int_equal(side_found_read(ref, -1, &f), 0);
	assert_int_equal(f.n, 1);
	assert_int_equal(f.v[0].start, at.v);
	assert_int_equal(f.v[0].end, at.v + size);
	assert_int_equal(f.v[0].layout, SIDE_LAYOUT);
	assert_int_equal(f.v[0].vmfd, 0);
	assert_int_equal(f.v[0].door, door);
	assert_int_equal(f.v[0].holder[SIDE_OWNER], 0);
	assert_int_equal(f.v[0].holder[SIDE_GUARD], getpid());
	assert_int_equal(side_found_who(&f.v[0]), getpid());
	/* any other descriptor of it that we close takes the lock along */
	(void)snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, ref->pid,
		       f.v[0].start, f.v[0].end);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return; /* without CAP_SYS_ADMIN */
	assert_int_equal(side_found_hold(fd, SIDE_OWNER), 0);
	assert_int_equal(side_found_read(ref, 0, &f), 0);
	assert_int_equal(f.v[0].holder[SIDE_OWNER], getpid());
	close(fd);
	assert_int_equal(side_found_read(ref, 0, &f), 0);
	assert_int_equal(f.n, 1);
	assert_int_equal(side_found_who(&f.v[0]), 0);
	assert_int_equal(side_found_read(ref, 1, &f), 0);
	assert_int_equal(f.n, 0);
}

static void test_memory(void **state)
{
	static struct vm vm = VM_INIT;
	static struct side_target target;
	struct side_shared guard = { 0 };
	struct err e = { 0 };
	struct side_made made = { 0 };
	struct side_inject i = { &vm, &target, &made, NULL, SIDE_BELLS_NONE };
	char *before, *after, word[5] = "";
	uint64_t ns = 0;
	uint8_t *p;
	pid_t pid = fork();
	int fd;

	(void)state;
	if (!pid)
		for (;;)
			pause();
	vm.info.pid = pid;
	assert_int_equal(pid_open(pid, &vm.ref, NULL), 0);
	before = traces(pid);
	fd = side_inject_map(&i, 4 * LARGE, &ns, NULL);
	assert_true(fd >= 0);
	assert_true(made.mapped && made.size == 4 * LARGE && ns > 0);
	/* the hypervisor could open it */
	assert_int_equal(ftruncate(fd, LARGE), -1);
	assert_int_equal(ftruncate(fd, 8 * LARGE), -1);
	p = mmap(NULL, 4 * LARGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	memcpy(p + 3 * LARGE, "here", 4);
	assert_int_equal(tracee_read(pid, (rva_t){ made.hva.v + 3 * LARGE }, word, 4), 0);
	assert_string_equal(word, "here");
	after = traces(pid);
	assert_string_not_equal(before, after);
	free(after);
	/* a doorbell, whose id the name has; no interrupt, for there is no KVM */
	assert_true(made.has_door && made.door_id >= 0 && i.bells.door >= 0 && i.bells.irq < 0);
	check_found(&vm.ref, made.hva, 4 * LARGE, made.door_id);
	/* not while the guest executes what is in there */
	made.queued = true;
	assert_int_equal(side_inject_undo(&i, &ns, NULL), -EAGAIN);
	i.state = (struct side_state *)(void *)(p + SIDE_STATE_AT);
	i.state->stage = SIDE_RUNS;
	assert_int_equal(side_inject_undo(&i, &ns, NULL), -EAGAIN);
	/* who gives up says so */
	assert_int_equal(side_guard_undo(&i, &guard, 1, &e), -EBUSY);
	assert_non_null(strstr(e.msg, "the guest does not let go"));
	assert_true(made.mapped && !guard.undone);
	made.queued = false;
	assert_int_equal(side_inject_undo(&i, &ns, NULL), 0);
	assert_false(made.mapped);
	after = traces(pid);
	assert_string_equal(before, after);
	assert_int_equal(side_inject_undo(&i, &ns, NULL), 0);
	(void)munmap(p, 4 * LARGE);
	close(fd);
	close(i.bells.door);
	free(before);
	free(after);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	/* nothing is left to undo in what has ended */
	made.mapped = true;
	assert_int_equal(side_inject_undo(&i, &ns, NULL), 0);
	pid_close(&vm.ref);
}

/* A process with a machine that has no processor. Return: its descriptor there; -1 there is no KVM. */
static int make_machine(struct pid_ref *ref, bool irqchip)
{
	int ready[2], vmfd = -1;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		/* a machine knows no other process than the one that made it */
		const int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

		vmfd = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
		if (vmfd < 0 || (irqchip && ioctl(vmfd, KVM_CREATE_IRQCHIP) < 0) ||
		    write(ready[1], &vmfd, sizeof(vmfd)) != sizeof(vmfd))
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &vmfd, sizeof(vmfd)) != sizeof(vmfd))
		(void)waitpid(pid, NULL, 0);
	else
		assert_int_equal(pid_open(pid, ref, NULL), 0);
	close(ready[0]);
	return vmfd;
}

static void end_machine(struct pid_ref *ref)
{
	(void)kill(ref->pid, SIGKILL);
	(void)waitpid(ref->pid, NULL, 0);
	pid_close(ref);
}

/* A doorbell of somebody's there, rung by the guest's writes at @gpa if @on. Return: what KVM says of that. */
static int set_door(const struct vm *vm, int theirs, gpa_t gpa, bool on)
{
	struct tracee t;
	int r;

	assert_int_equal(tracee_stop(&vm->ref, 0, &t, NULL), 0);
	r = side_door_set(&t, vm->info.vmfd, theirs, gpa, on, NULL);
	assert_int_equal(tracee_release(&t, NULL, NULL), 0);
	return r;
}

static struct side_eventfd other_door(const struct vm *vm, uint32_t count)
{
	struct side_eventfd ret = { 0 };
	struct tracee t;

	assert_int_equal(tracee_stop(&vm->ref, 0, &t, NULL), 0);
	assert_int_equal(side_door_open(&t, count, &ret, NULL), 0);
	assert_int_equal(tracee_release(&t, NULL, NULL), 0);
	close(ret.ours);
	return ret;
}

/* What was left is known by its name; KVM takes it back; then no descriptor is left. */
static void test_door(void **state)
{
	static struct vm vm = VM_INIT;
	static struct side_target target;
	struct side_made made = { .gpa = { 1ULL << 35 } };
	struct side_inject i = { &vm, &target, &made, NULL, SIDE_BELLS_NONE };
	const gpa_t behind = { (1ULL << 35) + 2 * LARGE };
	struct side_eventfd other;
	struct side_found f;
	char *before, *after;
	uint64_t n = 0;
	int fd;

	(void)state;
	vm.info.vmfd = make_machine(&vm.ref, true);
	if (vm.info.vmfd < 0)
		skip();
	vm.info.pid = vm.ref.pid;
	before = traces(vm.ref.pid);
	fd = side_inject_map(&i, 2 * LARGE, &n, NULL);
	assert_true(fd >= 0 && i.bells.door >= 0 && i.bells.irq >= 0);
	assert_int_equal(set_door(&vm, made.door, behind, true), 0);
	assert_int_equal(set_door(&vm, made.door, behind, true), 1);
	/* KVM takes what is written there at once */
	assert_int_equal(write(i.bells.irq, &(uint64_t){ 1 }, 8), 8);
	assert_int_equal(read(i.bells.irq, &n, 8), -1);
	assert_int_equal(errno, EAGAIN);
	close(fd);
	close(i.bells.irq);
	close(i.bells.door);
	/* both of ours are dead: found by the name's id */
	assert_int_equal(side_found_read(&vm.ref, vm.info.vmfd, &f), 0);
	assert_int_equal(f.n, 1);
	assert_int_equal(side_door_find(&vm.ref, f.v[0].door, &n), made.door);
	assert_int_equal(n, SIDE_DOOR_NEW);
	assert_int_equal(side_door_find(&vm.ref, INT32_MAX, &n), -ENOENT);
	made.door_ours = false;
	made.door_set = true;
	assert_int_equal(side_inject_undo(&i, &n, NULL), 0);
	after = traces(vm.ref.pid);
	assert_string_equal(before, after);
	free(after);
	/* the address is free again */
	other = other_door(&vm, 0);
	assert_int_equal(set_door(&vm, other.theirs, behind, true), 0);
	assert_int_equal(set_door(&vm, other.theirs, behind, false), 0);
	/* the same id, but the hypervisor's own: it keeps that */
	made = (struct side_made){ .gpa = made.gpa,
				   .size = 2 * LARGE,
				   .has_door = true,
				   .door_set = true,
				   .door = other.theirs,
				   .door_id = other.id };
	after = traces(vm.ref.pid);
	assert_int_equal(side_inject_undo(&i, &n, NULL), 0);
	free(before);
	before = traces(vm.ref.pid);
	assert_string_equal(before, after);
	assert_int_equal(side_door_find(&vm.ref, other.id, &n), other.theirs);
	/* one that was never given to KVM is closed; and what has another id by now is not */
	made = (struct side_made){
		.has_door = true, .door_ours = true, .door = other.theirs, .door_id = other.id + 1
	};
	assert_int_equal(side_inject_undo(&i, &n, NULL), 0);
	assert_int_equal(side_door_find(&vm.ref, other.id, &n), other.theirs);
	made = (struct side_made){
		.has_door = true, .door_ours = true, .door = other.theirs, .door_id = other.id
	};
	assert_int_equal(side_inject_undo(&i, &n, NULL), 0);
	assert_int_equal(side_door_find(&vm.ref, other.id, &n), -ENOENT);
	free(before);
	free(after);
	end_machine(&vm.ref);
}

/* Without a chip for interrupts in KVM there is none of ours; no descriptor is left of the attempt. */
static void test_no_irq(void **state)
{
	static struct vm vm = VM_INIT;
	char *before, *after;
	struct tracee t;
	int fd = -1;

	(void)state;
	vm.info.vmfd = make_machine(&vm.ref, false);
	if (vm.info.vmfd < 0)
		skip();
	before = traces(vm.ref.pid);
	assert_int_equal(tracee_stop(&vm.ref, 0, &t, NULL), 0);
	assert_true(side_door_irq(&t, vm.info.vmfd, 13, &fd, NULL) < 0);
	assert_int_equal(tracee_release(&t, NULL, NULL), 0);
	assert_int_equal(fd, -1);
	after = traces(vm.ref.pid);
	assert_string_equal(before, after);
	free(before);
	free(after);
	end_machine(&vm.ref);
}

/* The library says that it is over: what it takes to believe that. */
static void test_over(void **state)
{
	static struct side_state s;
	struct side_target target = { .at = { .completion_done = 0, .completion_wait = 8 } };
	const struct side_inject i = { .target = &target, .state = &s };

	(void)state;
	assert_true(side_inject_over(&i));
	s.stage = SIDE_INTERRUPT;
	assert_false(side_inject_over(&i));
	s.stage = SIDE_ENDED;
	assert_false(side_inject_over(&i));
	s.completion[0] = 1;
	assert_true(side_inject_over(&i));
	s.completion[8] = 1; /* its lock is held by who says so */
	assert_false(side_inject_over(&i));
}

static bool map_for_good(int fd)
{
	const void *p = mmap(NULL, LARGE, PROT_READ, MAP_SHARED, fd, 0);

	return p != MAP_FAILED;
}

/* A process that holds the lock of @fd, and maps it if it @maps; it answers once it does. */
static pid_t make_holder(int fd, bool maps)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		if (side_found_hold(fd, SIDE_GUARD) < 0 || (maps && !map_for_good(fd)) ||
		    write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

/* Who only holds the lock is not ended, as whoever has the pid of one that did is not. */
static void test_end(void **state)
{
	char name[SIDE_NAME_MAX];
	struct pid_ref ref = PID_REF_INIT;
	struct err e = { 0 };
	siginfo_t info;

	(void)state;
	side_found_name(0, 7, name);
	for (int maps = 0; maps < 2; maps++) {
		int fd = memfd_create(name, 0);
		struct side_found f;
		pid_t hypervisor, holder;

		assert_int_equal(ftruncate(fd, LARGE), 0);
		holder = make_holder(fd, maps);
		hypervisor = fork();
		if (!hypervisor) {
			(void)!map_for_good(fd);
			for (;;)
				pause();
		}
		assert_int_equal(pid_open(hypervisor, &ref, NULL), 0);
		do {
			assert_int_equal(side_found_read(&ref, 0, &f), 0);
			(void)usleep(1000);
		} while (!f.n);
		assert_int_equal(f.v[0].holder[SIDE_GUARD], holder);
		assert_int_equal(side_found_end(&ref, &f.v[0], &e), maps ? 0 : -EPERM);
		info.si_pid = 0;
		assert_int_equal(waitid(P_PID, holder, &info, WEXITED | WNOHANG), 0);
		assert_int_equal(info.si_pid, maps ? holder : 0);
		if (!maps) {
			(void)kill(holder, SIGKILL);
			(void)waitpid(holder, NULL, 0);
		}
		(void)kill(hypervisor, SIGKILL);
		(void)waitpid(hypervisor, NULL, 0);
		pid_close(&ref);
		close(fd);
	}
}

/* Other people's mappings, and lines that are not what they seem. */
static void test_found(void **state)
{
	static const char maps[] =
		"7f00000000-7f00600000 rw-s 00000000 00:01 8    /memfd:vmsh:1:10 (deleted)\n"
		"7f00000000-7f00600000 rw-s 00000000 00:01 9    /memfd:vmsh (deleted)\n"
		"7f00000000-7f00600000 rw-s 00000000 00:01 18   /memfd:vmsh:3:10:12:more (deleted)\n"
		"7f00000000-7f00600000 rw-s 00000000 00:01 7    /memfd:vmsh:1:11 (deleted)\n"
		"7f00000000-7f00600000 rw-s 00000000 00:01 17   /memfd:vmsh:2:10:12 (deleted)\n"
		"7f00000000-7f00600000 rw-s 00000000 00:01 6    /memfd:vmshell (deleted)\n"
		"7f00000000-7f00600000 rw-s 00000000 00:01 6    /memfd:vmsh: (deleted)\n"
		"7f00000000-7f00600000 rw-s 00000000 00:01 6    /memfd:vmsh:x:10 (deleted)\n"
		"7f00600000-7f00600000 rw-s 00000000 00:01 6    /memfd:vmsh:1:10 (deleted)\n"
		"7f00600000 rw-s 00000000 00:01 6               /memfd:vmsh:1:10 (deleted)\n"
		"x-7f00600000 rw-s 00000000 00:01 6             /memfd:vmsh:1:10 (deleted)\n"
		"7f00000000-7f00600000 rw-s 00000000 00:01 6    /tmp/memfd:vmsh:1:10\n"
		"7f00000000-7f00600000 rw-p 00000000 00:00 0\n"
		"\n"
		"/memfd:vmsh:1:10";
	static const char locks[] = "1: POSIX  ADVISORY  WRITE 359 00:01:8 0 0\n"
				    "2: POSIX  ADVISORY  WRITE 438 00:01:8 1 1\n"
				    "2: -> POSIX  ADVISORY  WRITE 439 00:01:8 0 0\n"
				    "3: POSIX  ADVISORY  WRITE 500 00:02:9 0 0\n"
				    "3: POSIX  ADVISORY  WRITE 500 00:01:91 0 0\n"
				    "4: FLOCK  ADVISORY  WRITE 501 00:01:9 0 EOF\n"
				    "5: POSIX  ADVISORY  WRITE -1 00:01:9 0 0\n"
				    "5: POSIX  ADVISORY  WRITE 0 00:01:9 0 0\n"
				    "5: POSIX  ADVISORY  WRITE 503 00:01:9 2 2\n"
				    "5: POSIX  ADVISORY  WRITE 503 00:01 0 0\n"
				    "6: POSIX  ADVISORY  WRITE 504 00:01:18 1 1\n"
				    "7: POSIX  ADVISORY";
	struct side_found f;

	(void)state;
	side_found_maps(maps, sizeof(maps) - 1, 10, &f);
	side_found_locks(locks, sizeof(locks) - 1, &f);
	assert_int_equal(f.n, 4);
	assert_int_equal(f.v[0].start, 0x7f00000000);
	assert_int_equal(f.v[0].end, 0x7f00600000);
	assert_int_equal(f.v[0].layout, 1);
	assert_int_equal(f.v[0].holder[SIDE_OWNER], 359);
	assert_int_equal(f.v[0].holder[SIDE_GUARD], 438);
	/* a build before there were layouts; and one to come */
	assert_int_equal(f.v[1].layout, 0);
	assert_int_equal(f.v[1].vmfd, -1);
	assert_int_equal(side_found_who(&f.v[1]), 0);
	assert_int_equal(f.v[0].door, -1);
	assert_int_equal(f.v[2].layout, 3);
	assert_int_equal(f.v[2].vmfd, 10);
	assert_int_equal(f.v[2].door, -1);
	assert_int_equal(f.v[3].layout, 2);
	assert_int_equal(f.v[3].vmfd, 10);
	assert_int_equal(f.v[3].door, 12);
	assert_int_equal(side_found_who(&f.v[2]), 504);
	side_found_maps(maps, sizeof(maps) - 1, -1, &f);
	assert_int_equal(f.n, 5);
	for (size_t n = 0; n < sizeof(maps); n++)
		side_found_maps(maps, n, -1, &f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages), cmocka_unit_test(test_full),
		cmocka_unit_test(test_hostile),  cmocka_unit_test(test_physical),
		cmocka_unit_test(test_virtual),  cmocka_unit_test(test_slots),
		cmocka_unit_test(test_memory),   cmocka_unit_test(test_over),
		cmocka_unit_test(test_found),    cmocka_unit_test(test_end),
		cmocka_unit_test(test_told),     cmocka_unit_test(test_door),
		cmocka_unit_test(test_no_irq),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
