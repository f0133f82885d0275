/* SPDX-License-Identifier: MIT */
/* Reading into a machine's memory: which of it, and what comes of a machine that has ended. The hypervisor is a child with memory. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "side_far.h"
#include "tracee.h"

#define PAGE  4096UL
#define PAGES 16

struct rig {
	struct vm *vm;
	uint8_t *memory; /* at the same address in the child */
	pid_t child;
	uint32_t served;
	struct side_far far;
};

/* Of @n pages from the @page'th on, as the guest's @gpa. */
static struct kvm_slot *add_slot(struct rig *r, uint64_t gpa, unsigned long page, unsigned long n)
{
	struct kvm_slot *s = &r->vm->kvm.slot[r->vm->kvm.nslot++];

	*s = (struct kvm_slot){ .gpa = { gpa },
				.placed = true,
				.size = n * PAGE,
				.hva = { (uintptr_t)r->memory + page * PAGE } };
	return s;
}

static void set_up(struct rig *r)
{
	struct err e = { 0 };

	*r = (struct rig){ .served = SIDE_DISK_TURN };
	r->vm = calloc(1, sizeof(*r->vm));
	r->memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	assert_non_null(r->vm);
	assert_ptr_not_equal(r->memory, MAP_FAILED);
	r->child = fork();
	assert_true(r->child >= 0);
	if (!r->child) {
		/* a test that fails does not end it */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	assert_int_equal(pid_open(r->child, &r->vm->ref, &e), 0);
	r->vm->info.pid = r->child;
	r->vm->kvm.exact = true;
	r->vm->entry.v = 0x100000 + 3 * PAGE;
}

static void end(struct rig *r)
{
	(void)kill(r->child, SIGKILL);
	(void)waitpid(r->child, NULL, 0);
	r->child = 0;
}

static void tear_down(struct rig *r)
{
	side_far_close(&r->far);
	if (r->child)
		end(r);
	pid_close(&r->vm->ref);
	(void)munmap(r->memory, PAGES * PAGE);
	free(r->vm);
}

static bool is_there(const struct rig *r, uint64_t gpa)
{
	const struct gmem g = { r->far.region, r->far.n };
	void *p;

	return gmem_at(&g, (gpa_t){ SIDE_DISK_FAR + gpa }, 1, &p) == 1;
}

/* The kernel's slot, and what is of the same block. */
static void test_chosen(void **state)
{
	struct rig r;

	(void)state;
	set_up(&r);
	(void)add_slot(&r, 0, 0, 1);                      /* a hole behind it */
	add_slot(&r, 0x80000, 3, 1)->readonly = true;     /* beside */
	(void)add_slot(&r, 0x100000, 4, 4);               /* the kernel's */
	(void)add_slot(&r, 0x100000000, 10, 1);           /* two further */
	(void)add_slot(&r, 0x200000000, 8, 2);            /* beside */
	(void)add_slot(&r, 0x300000000, 12, 4);           /* a hole before it */
	add_slot(&r, 0x400000000, 11, 1)->placed = false; /* nobody knows where */
	add_slot(&r, 0x500000000, 2, 2)->id = -1;         /* nobody asked */
	side_far_open(&r.far, r.vm, &r.served);
	assert_int_equal(r.far.n, 3);
	assert_int_equal(r.far.size, 7 * PAGE);
	assert_true(is_there(&r, 0x100000));
	assert_true(is_there(&r, 0x200000000));
	assert_true(is_there(&r, 0x100000000));
	assert_false(is_there(&r, 0));
	assert_false(is_there(&r, 0x80000));
	assert_false(is_there(&r, 0x300000000));
	assert_false(is_there(&r, 0x500000000));
	side_far_close(&r.far);
	/* nothing without the kernel's */
	r.vm->kvm.slot[2].logged = true;
	side_far_open(&r.far, r.vm, &r.served);
	assert_int_equal(r.far.n, 0);
	r.vm->kvm.slot[2].logged = false;
	r.vm->kvm.exact = false;
	side_far_open(&r.far, r.vm, &r.served);
	assert_int_equal(r.far.n, 0);
	tear_down(&r);
}

/* No more than there is room for, and of those the largest. */
static void test_many(void **state)
{
	struct rig r;

	(void)state;
	set_up(&r);
	(void)add_slot(&r, 0x100000, 0, 4);
	for (unsigned long i = 0; i < 6; i++)
		(void)add_slot(&r, 0x100000000 * (i + 1), 4 + 2 * i, i == 5 ? 1 : 2);
	side_far_open(&r.far, r.vm, &r.served);
	assert_int_equal(r.far.n, SIDE_DISK_FARS);
	tear_down(&r);
}

/* Over more buffers than go at once, each in its place, and those that lie in a row as one. */
static void test_put(void **state)
{
	enum {
		N = 200,
		EACH = 64
	};
	uint8_t from[N * EACH], there[4 * PAGE];
	struct iovec to[N];
	struct rig r;

	(void)state;
	set_up(&r);
	(void)add_slot(&r, 0x100000, 4, 4);
	side_far_open(&r.far, r.vm, &r.served);
	for (unsigned int i = 0; i < N; i++) {
		/* every third one is apart from the one before */
		to[i] = (struct iovec){ r.far.p + i * EACH + i / 3 * 16, EACH };
		memset(from + i * EACH, 1 + (int)i, EACH);
	}
	assert_int_equal(side_far_put(&r.far, from, to, N), 0);
	assert_int_equal(tracee_read(r.child, (rva_t){ (uintptr_t)r.memory + 4 * PAGE }, there,
				     sizeof(there)),
			 0);
	for (unsigned int i = 0; i < N; i++)
		assert_memory_equal(there + i * EACH + i / 3 * 16, from + i * EACH, EACH);
	assert_int_equal(there[3 * EACH], 0);
	/* here it is nobody's */
	assert_int_equal(r.memory[4 * PAGE], 0);
	tear_down(&r);
}

static void test_refused(void **state)
{
	const uint8_t from[PAGE] = { 1 };
	uint8_t *cut;
	struct iovec to;
	struct rig r;

	(void)state;
	set_up(&r);
	(void)add_slot(&r, 0x100000, 4, 4);
	(void)add_slot(&r, 0x100000000, 8, 1);
	side_far_open(&r.far, r.vm, &r.served);
	assert_int_equal(r.far.n, 2);
	/* beyond; before; over the end of one of them, though the next is behind it here */
	to = (struct iovec){ r.far.p + 5 * PAGE, 1 };
	assert_int_equal(side_far_put(&r.far, from, &to, 1), -EFAULT);
	to = (struct iovec){ r.far.p - 1, 1 };
	assert_int_equal(side_far_put(&r.far, from, &to, 1), -EFAULT);
	to = (struct iovec){ r.far.p + 4 * PAGE - 1, 2 };
	assert_int_equal(side_far_put(&r.far, from, &to, 1), -EFAULT);
	to = (struct iovec){ r.far.p, SIZE_MAX };
	assert_int_equal(side_far_put(&r.far, from, &to, 1), -EFAULT);
	/* not all that is copied is there */
	cut = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(cut, MAP_FAILED);
	assert_int_equal(munmap(cut + PAGE, PAGE), 0);
	to = (struct iovec){ r.far.p, 2 * PAGE };
	assert_int_equal(side_far_put(&r.far, cut, &to, 1), -EFAULT);
	(void)munmap(cut, PAGE);
	/* the guest's side answers by itself, and may have given the pages to somebody else */
	to = (struct iovec){ r.far.p, PAGE };
	r.served = SIDE_DISK_NOT;
	assert_int_equal(side_far_put(&r.far, from, &to, 1), -ECANCELED);
	r.served = SIDE_DISK_TURN;
	assert_int_equal(side_far_put(&r.far, from, &to, 1), 0);
	end(&r);
	assert_int_equal(side_far_put(&r.far, from, &to, 1), -ESRCH);
	tear_down(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chosen),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_put),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
