/* SPDX-License-Identifier: MIT */
/* A hypervisor that saves its machine, to go on with it elsewhere, is told by the names of its threads, and by what KVM logs. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "side.h"
#include "side_saved.h"

#define LARGE (2ULL << 20)

static void *wait_for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

/* A process whose second thread is called @name, if it has one. */
static pid_t make_threads(const char *name)
{
	int ready[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		pthread_t t;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (pthread_create(&t, NULL, wait_for_ever, NULL) || pthread_setname_np(t, name) ||
		    write(ready[1], "", 1) != 1)
			_exit(1);
		wait_for_ever(NULL);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

/* A machine that is saved to go on elsewhere gets nothing. */
static void test_saved(void **state)
{
	static const struct {
		const char *thread;
		bool saved;
	} cases[] = {
		{ "CPU 0/KVM", false },     { "live_migration", true }, { "mig/src/main", true },
		{ "mig/snapshot", true },   { "bg_snapshot", true },    { "live_migratio", false },
		{ "mig/dirtyrate", false },
	};
	static const char *const argv[] = { "a", NULL };
	static struct vm vm = VM_INIT;
	const struct side_opts opts = { .vm = &vm, .program = "a", .size = 1, .argv = argv };
	struct err e = { 0 };
	struct side *side;

	(void)state;
	vm.entry.v = 0x1000000;
	vm.kvm.nslot = 2;
	vm.kvm.slot[0] = (struct kvm_slot){ .placed = true, .size = 0x1000000, .logged = true };
	vm.kvm.slot[1] = (struct kvm_slot){ .placed = true, .gpa = { 0x1000000 }, .size = LARGE };
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		pid_t pid = make_threads(cases[i].thread);

		assert_int_equal(pid_open(pid, &vm.ref, NULL), 0);
		if (side_saved(&vm.ref) != cases[i].saved)
			fail_msg("'%s'", cases[i].thread);
		/* without a kernel the next step fails, if it comes to that */
		assert_int_equal(side_open(&opts, &side, &e), cases[i].saved ? -EBUSY : -ENOTSUP);
		if (!cases[i].saved) {
			vm.kvm.slot[1].logged = true;
			assert_int_equal(side_open(&opts, &side, &e), -EBUSY);
			assert_non_null(strstr(e.msg, "its writes are logged"));
			strcpy(vm.info.hypervisor, "firecracker");
			assert_int_equal(side_open(&opts, &side, &e), -ENOTSUP);
			*vm.info.hypervisor = '\0';
			vm.kvm.slot[1].logged = false;
		}
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		assert_false(side_saved(&vm.ref));
		pid_close(&vm.ref);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_saved),
	};

	return cmocka_run_group_tests_name("side_saved", tests, NULL, NULL);
}
