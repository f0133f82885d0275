/* SPDX-License-Identifier: MIT */
/* Machines of a small hypervisor, looked at while they run: what is found is right, and nothing has changed after. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "kvm.h"
#include "slow_clock.h"
#include "tracee.h"

#define KERNEL 0xffffffff81000000ULL
#define RAM    (16ULL << 20)

struct rig {
	pid_t pid;
	int in; /* its standard input: it ends with that */
	FILE *out;
	rva_t counter;
	struct pid_ref ref;
	struct kvm_fds fds;
};

static void need_kvm(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		print_message("kvm: /dev/kvm can't be opened\n");
		skip();
	}
	close(fd);
}

static void start(struct rig *r, const char *a, const char *b, const char *c)
{
	int in[2], out[2];
	uint64_t counter;

	need_kvm();
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	r->pid = fork();
	if (!r->pid) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execl(MINIVMM, MINIVMM, a, b, c, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	r->in = in[1];
	r->out = fdopen(out[0], "re");
	assert_int_equal(fscanf(r->out, "ready %" SCNx64, &counter), 1);
	r->counter.v = counter;
	assert_int_equal(pid_open(r->pid, &r->ref, NULL), 0);
	assert_int_equal(kvm_fds_find(&r->ref, &r->fds, NULL), 0);
}

/* The guest still counts. */
static void check_alive(struct rig *r)
{
	uint64_t before = 0, now = 0;

	assert_int_equal(tracee_read(r->pid, r->counter, &before, 2), 0);
	for (int i = 0; i < 100000 && now == before; i++) {
		usleep(1000);
		assert_int_equal(tracee_read(r->pid, r->counter, &now, 2), 0);
	}
	assert_int_not_equal(now, before);
	assert_true(pid_alive(&r->ref));
}

static void stop(struct rig *r)
{
	int status;

	check_alive(r);
	close(r->in);
	assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
	assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
	(void)fclose(r->out);
	pid_close(&r->ref);
}

static struct kvm_slot slot_at(const struct kvm_vm *vm, uint64_t gpa)
{
	for (size_t i = 0; i < vm->nslot; i++)
		if (vm->slot[i].placed && vm->slot[i].gpa.v == gpa)
			return vm->slot[i];
	fail_msg("no slot at %" PRIx64, gpa);
	return (struct kvm_slot){ 0 };
}

/* What is in memory at CODE, by the accessor and by the guest's tables. */
static void check_memory(struct rig *r, struct kvm_vm *vm)
{
	uint8_t code[4] = { 0 }, same[4] = { 0 };
	struct gview v;
	uint64_t n;

	assert_int_equal(
		gview_init_kernel(&v, &vm->cpu[0].cr, (gva_t){ vm->cpu[0].lstar }, kvm_read, vm),
		0);
	assert_int_equal(gview_read(&v, (gva_t){ KERNEL }, code, 4), 0);
	assert_memory_equal(code, "\x48\xff\x05\xf9", 4);
	assert_int_equal(tracee_read(r->pid, (rva_t){ r->counter.v - 0x1000 }, same, 4), 0);
	assert_memory_equal(code, same, 4);
	assert_int_equal(kvm_read(vm, (gpa_t){ RAM - 8 }, &n, 8), 0);
	assert_int_equal(kvm_read(vm, (gpa_t){ RAM - 4 }, &n, 8), -EFAULT);
}

static struct kvm_vm vm, again;

static void look(struct rig *r, struct kvm_vm *ret)
{
	struct err e = { 0 };

	if (kvm_look(&r->ref, &r->fds, r->fds.vm[r->fds.nvm - 1], ret, &e) < 0)
		fail_msg("%s", e.msg);
	print_message("stopped for %.2f ms; slots: %u probes, %.2f ms\n",
		      (double)ret->stopped_ns / 1e6, ret->probes, (double)ret->probing_ns / 1e6);
}

static void test_slots(void **state)
{
	static const struct {
		const char *knob[3];
		int low, high; /* numbers of the slots; low -1: there is but one */
	} table[] = {
		{ { NULL }, -1, 0 },
		{ { "memfd" }, -1, 0 },
		{ { "order" }, -1, 5 },
		{ { "split" }, 0, 1 },
		{ { "split", "order", "memfd" }, 3, 7 },
		{ { "logged", "split" }, 0, 1 },
	};

	(void)state;
	need_kvm();
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct rig r;

		start(&r, table[i].knob[0], table[i].knob[1], table[i].knob[2]);
		assert_int_equal(r.fds.nvm, 1);
		assert_int_equal(r.fds.ncpu, 1);
		/* twice: what was found the first time has not been moved by that */
		for (int n = 0; n < 2; n++) {
			look(&r, &vm);
			assert_true(vm.exact);
			assert_int_equal(vm.unknown_slots, 0);
			assert_int_equal(vm.ncpu, 1);
			assert_true(vm.cpu[0].rip - KERNEL < 16);
			assert_int_equal(vm.cpu[0].lstar, KERNEL);
			if (table[i].low >= 0) {
				assert_int_equal(vm.nslot, 2);
				assert_int_equal(slot_at(&vm, 0).id, table[i].low);
				assert_int_equal(slot_at(&vm, 0).size, 0xa0000);
				assert_int_equal(slot_at(&vm, 0x100000).id, table[i].high);
				assert_int_equal(slot_at(&vm, 0x100000).size, RAM - 0x100000);
			} else {
				assert_int_equal(vm.nslot, 1);
				assert_int_equal(slot_at(&vm, 0).id, table[i].high);
				assert_int_equal(slot_at(&vm, 0).size, RAM);
			}
			for (size_t k = 0; k < vm.nslot; k++)
				assert_int_equal(vm.slot[k].logged,
						 table[i].knob[0] &&
							 !strcmp(table[i].knob[0], "logged"));
			check_memory(&r, &vm);
			check_alive(&r);
		}
		stop(&r);
	}
}

/* Slots of which only that they are there can be known: no probes for what other slots have, and an end to it. */
static void test_many(void **state)
{
	struct rig r;

	(void)state;
	start(&r, "many", "split", NULL);
	look(&r, &vm);
	assert_true(vm.exact);
	assert_int_equal(vm.unknown_slots, 40);
	assert_true(vm.probes < 3000);
	assert_int_equal(slot_at(&vm, 0x100000).size, RAM - 0x100000);
	stop(&r);
}

/* Page tables of data in memory whose place is not known: the rest is found all the same. */
static void test_far(void **state)
{
	struct rig r;

	(void)state;
	start(&r, "far", "split", NULL);
	look(&r, &vm);
	assert_true(vm.exact);
	assert_int_equal(vm.unknown_slots, 0);
	assert_int_equal(vm.nslot, 3);
	assert_int_equal(slot_at(&vm, 0x100000).size, RAM - 0x100000);
	assert_false(vm.slot[2].placed);
	assert_int_equal(vm.slot[2].size, 0x100000);
	stop(&r);
}

/* Memory below 4 GiB ends at an unusual place, and no page table is above it: KVM knows none of the usual ones. */
static void test_near(void **state)
{
	struct rig r;

	(void)state;
	start(&r, "near", "odd", "split");
	look(&r, &vm);
	assert_true(vm.exact);
	assert_int_equal(vm.unknown_slots, 0);
	assert_int_equal(slot_at(&vm, 0x100000).size, 0x28000000 - 0x100000);
	assert_int_equal(slot_at(&vm, 4ULL << 30).size, 0xc0000000 + (64 << 20) - 0x28000000);
	stop(&r);
}

/* A process that makes threads all the time stands as a whole, too. */
static void test_threads(void **state)
{
	struct rig r;

	(void)state;
	start(&r, "threads", "split", NULL);
	look(&r, &vm);
	assert_true(vm.exact);
	slowness = VERY_SLOWLY;
	for (int i = 0; i < 1000; i++) {
		struct err e = { 0 };
		struct tracee t;
		uint64_t ns;

		if (tracee_stop(&r.ref, 0, &t, &e) < 0 || tracee_release(&t, &ns, &e) < 0)
			fail_msg("%d: %s", i, e.msg);
	}
	slowness = 1;
	stop(&r);
}

/* Guests that are no Linux, or lie about where it is: nothing is found, nothing is touched. */
static void test_refused(void **state)
{
	static const char *const knobs[] = { "nopaging", "hidden", "twice" };

	(void)state;
	need_kvm();
	for (size_t i = 0; i < ARRAY_SIZE(knobs); i++) {
		struct err e = { 0 };
		struct rig r;
		int ret;

		start(&r, knobs[i], NULL, NULL);
		ret = kvm_look(&r.ref, &r.fds, r.fds.vm[0], &again, &e);
		/* in real mode it is no failure */
		if (!strcmp(knobs[i], "hidden"))
			assert_true(ret < 0 || !again.exact);
		else
			assert_int_equal(ret, 0);
		if (!ret)
			assert_int_equal(again.exact, false);
		check_alive(&r);
		stop(&r);
	}
}

/* A filter is suspended; where that is not permitted, the process is let alone, which does not survive a wrong call. */
static void test_filter(void **state)
{
	struct err e = { 0 };
	struct rig r;
	int ret;

	(void)state;
	need_kvm();
	start(&r, "seccomp", "split", NULL);
	ret = kvm_look(&r.ref, &r.fds, r.fds.vm[0], &vm, &e);
	if (ret) {
		assert_int_equal(ret, -EPERM);
		assert_non_null(strstr(e.msg, "CAP_SYS_ADMIN"));
		print_message("its filter could not be suspended here\n");
	} else {
		assert_true(vm.exact);
	}
	stop(&r);
}

static void test_two_machines(void **state)
{
	struct rig r;

	(void)state;
	need_kvm();
	start(&r, "second", NULL, NULL);
	assert_int_equal(r.fds.nvm, 2);
	assert_int_equal(r.fds.cpu[0].vm, r.fds.vm[1]);
	look(&r, &vm);
	assert_true(vm.exact);
	stop(&r);
}

/* A process that waits in calls of all kinds goes on with them. */
static void test_restart(void **state)
{
	struct err e = { 0 };
	struct rig r;

	(void)state;
	need_kvm();
	start(&r, NULL, NULL, NULL);
	for (int i = 0; i < 20; i++) {
		struct tracee t;
		long ret = 0;
		uint64_t ns;

		assert_int_equal(tracee_stop(&r.ref, 0, &t, &e), 0);
		assert_true(t.n >= 2); /* KVM has a thread of its own in the process (6.18) */
		assert_int_equal(tracee_call(&t, 39 /* getpid */, (uint64_t[6]){ 0 }, &ret, &e), 0);
		assert_int_equal(ret, r.pid);
		assert_int_equal(tracee_release(&t, &ns, &e), 0);
	}
	/* it reads standard input: what comes is taken, and the end of it seen by stop() */
	assert_int_equal(write(r.in, "abc", 3), 3);
	stop(&r);
}

static void test_no_machine(void **state)
{
	struct pid_ref self = PID_REF_INIT;
	struct kvm_fds fds;

	(void)state;
	assert_int_equal(pid_open(getpid(), &self, NULL), 0);
	assert_int_equal(kvm_fds_find(&self, &fds, NULL), 0);
	assert_int_equal(fds.nvm, 0);
	pid_close(&self);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slots),   cmocka_unit_test(test_filter),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_two_machines),
		cmocka_unit_test(test_many),    cmocka_unit_test(test_far),
		cmocka_unit_test(test_near),    cmocka_unit_test(test_threads),
		cmocka_unit_test(test_restart), cmocka_unit_test(test_no_machine),
	};

	return cmocka_run_group_tests_name("kvm", tests, NULL, NULL);
}
