/* SPDX-License-Identifier: MIT */
/* Cores of machines that a small hypervisor runs: what is in the file is what is in its memory, and nothing has grown. */
#include <elf.h>
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
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "kvm_hold.h"
#include "kvm_pages.h"
#include "tracee.h"
#include "vm_core.h"

#define MIB     (1ULL << 20)
#define GIB     (1ULL << 30)
#define RAM     (16 * MIB)
#define COUNTER 0x401000

struct rig {
	pid_t pid;
	int in; /* its standard input: it ends with that */
	FILE *out;
	rva_t counter;
	struct vm *vm;
	struct vm_info info;
};

/* Of up to three words; skips where there is no /dev/kvm, or no memory of that kind. */
static void start(struct rig *r, const char *knobs)
{
	char words[3][16] = { "" };
	int in[2], out[2], fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	uint64_t counter;

	if (fd < 0) {
		print_message("kvm: /dev/kvm can't be opened\n");
		skip();
	}
	close(fd);
	(void)sscanf(knobs, "%15s %15s %15s", words[0], words[1], words[2]);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	r->pid = fork();
	if (!r->pid) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execl(MINIVMM, MINIVMM, words[0], words[1], words[2], NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	r->in = in[1];
	r->out = fdopen(out[0], "re");
	if (fscanf(r->out, "ready %" SCNx64, &counter) != 1) {
		print_message("memory: '%s' is not to be had here\n", knobs);
		(void)waitpid(r->pid, NULL, 0);
		skip();
	}
	r->counter.v = counter;
}

static void look(struct rig *r)
{
	char pid[16];
	struct err e = { 0 };

	snprintf(pid, sizeof(pid), "%d", r->pid);
	assert_int_equal(vm_resolve(pid, &r->info, NULL), 0);
	r->vm = calloc(1, sizeof(*r->vm));
	if (!r->vm)
		abort();
	*r->vm = (struct vm)VM_INIT;
	if (vm_look(&r->info, r->vm, &e) < 0)
		fail_msg("%s", e.msg);
}

static uint64_t count(const struct rig *r)
{
	uint64_t v = 0;

	assert_int_equal(tracee_read(r->pid, r->counter, &v, sizeof(v)), 0);
	return v;
}

static bool counts(const struct rig *r, int ms)
{
	uint64_t before = count(r);

	for (int i = 0; i < ms; i++) {
		usleep(1000);
		if (count(r) != before)
			return true;
	}
	return false;
}

static void stop(struct rig *r)
{
	int status;

	vm_close(r->vm);
	free(r->vm);
	assert_true(counts(r, 100000));
	close(r->in);
	assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
	assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
	(void)fclose(r->out);
}

/* KiB that the process has, of whatever kind. */
static long resident(const struct rig *r)
{
	char path[64], line[256];
	long kib = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", r->pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		(void)sscanf(line, "VmRSS: %ld", &kib);
	(void)fclose(f);
	return kib;
}

static int core_of(struct rig *r, bool pause, struct vm_core_result *res, int *ret_fd)
{
	struct vm_core_opts opts = { .pause = pause, .path = "core" };
	struct err e = { 0 };
	int ret, fd = memfd_create("core", MFD_CLOEXEC);

	ret = vm_core_write(r->vm, fd, &opts, res, &e);
	if (ret < 0)
		print_message("%s\n", e.msg);
	else
		print_message("%" PRIu64 " of %" PRIu64 " KiB, paused %.1f ms\n",
			      res->written >> 10, res->memory >> 10, res->paused_ns / 1e6);
	*ret_fd = fd;
	return ret;
}

/* The bytes at a physical address, by the program headers; false where no memory is. */
static bool core_read(int fd, uint64_t paddr, void *dst, size_t len)
{
	Elf64_Ehdr h;

	assert_int_equal(pread(fd, &h, sizeof(h), 0), sizeof(h));
	for (int i = 0; i < h.e_phnum; i++) {
		Elf64_Phdr p;

		assert_int_equal(pread(fd, &p, sizeof(p), (off_t)(h.e_phoff + i * sizeof(p))),
				 sizeof(p));
		if (p.p_type != PT_LOAD || paddr - p.p_paddr >= p.p_filesz)
			continue;
		assert_int_equal(pread(fd, dst, len, (off_t)(p.p_offset + paddr - p.p_paddr)), len);
		return true;
	}
	return false;
}

static void check_text(int fd, uint64_t paddr, const char *want)
{
	char text[32] = "";

	assert_true(core_read(fd, paddr, text, sizeof(text) - 1));
	assert_string_equal(text, want);
}

static const struct {
	const char *knobs;
	uint64_t memory; /* bytes */
	struct {
		uint64_t at;
		const char *text;
	} has;
	unsigned int missing; /* slots */
} kinds[] = {
	{ "linux", RAM, { 0x402000, "Linux version 6.1.0-mini (nobod" } },
	{ "linux memfd", RAM, { 0x402000, "Linux version 6.1.0-mini (nobod" } },
	{ "linux hugetlb", RAM, { 0x402000, "Linux version 6.1.0-mini (nobod" } },
	{ "snapshot", RAM, { RAM - 0x3000, "of the file" } },
	{ "split order", RAM - 0x60000, { 0, "" } },
	{ "large", 3 * GIB + 64 * MIB, { 4 * GIB + 64 * MIB - 0x1000, "the last page" } },
	{ "large memfd order",
	  3 * GIB + 64 * MIB,
	  { 4 * GIB + 64 * MIB - 0x1000, "the last page" } },
	{ "large apart", 3 * GIB + 64 * MIB, { 4 * GIB + 64 * MIB - 0x1000, "the last page" } },
	{ "memfd apart order",
	  3 * GIB + 64 * MIB,
	  { 4 * GIB + 64 * MIB - 0x1000, "the last page" } },
	{ "q35", 3 * GIB + 64 * MIB, { 5 * GIB + 64 * MIB - 0x1000, "the last page" } },
	{ "odd", 3 * GIB + 64 * MIB, { 6 * GIB + 448 * MIB - 0x1000, "the last page" } },
	{ "odd apart order",
	  3 * GIB + 64 * MIB,
	  { 6 * GIB + 448 * MIB - 0x1000, "the last page" } },
	{ "q35 apart order", 3 * GIB + 64 * MIB, { 5 * GIB + 64 * MIB - 0x1000, "the last page" } },
	{ "shadow", RAM - 0x20000, { 0x2000, "\xff\x06" }, 3 },
	{ "q35 shadow memfd", 3 * GIB + 64 * MIB - 0x20000, { 0x2000, "\xff\x06" }, 3 },
	{ "large split order",
	  3 * GIB + 64 * MIB - 0x60000,
	  { 4 * GIB + 64 * MIB - 0x1000, "the last page" } },
};

static void test_kind(void **state)
{
	size_t idx = (size_t)(uintptr_t)*state;

	for (int pause = 0; pause < 2; pause++) {
		struct vm_core_result res;
		uint64_t counter = 0;
		struct stat st;
		struct rig r;
		long before;
		int fd;

		start(&r, kinds[idx].knobs);
		look(&r);
		before = resident(&r);
		assert_int_equal(core_of(&r, pause, &res, &fd), 0);
		/* the stack of the thread that made calls, and a page table or two */
		assert_true(resident(&r) <= before + 128);
		assert_int_equal(res.memory, kinds[idx].memory);
		assert_int_equal(res.missing, kinds[idx].missing);
		assert_int_equal(res.lost, 0);
		assert_int_equal(res.ncpu, 1);
		assert_true(res.paused_ns > 0);
		check_text(fd, kinds[idx].has.at, kinds[idx].has.text);
		assert_true(core_read(fd, COUNTER, &counter, sizeof(counter)));
		assert_true(counter > 0 && counter <= count(&r));
		/* holes take no room */
		assert_int_equal(fstat(fd, &st), 0);
		assert_true(st.st_blocks * 512 < (off_t)MIB);
		assert_true(st.st_size > (off_t)res.memory);
		close(fd);
		stop(&r);
	}
}

static int held_fd;

static void tell(void *arg, const char *step, uint64_t done, uint64_t total)
{
	struct rig *r = arg;

	(void)step;
	(void)done;
	(void)total;
	/* the first time is enough: 20 ms of a machine that stands */
	if (held_fd++)
		return;
	assert_false(counts(r, 20));
}

/* With --pause it stands while it is copied, and nothing of the image is older than the rest; then it runs again. */
static void test_pause(void **state)
{
	struct rig r;
	struct progress progress = { tell, &r };
	struct vm_core_opts opts = { .pause = true, .path = "core", .progress = &progress };
	struct vm_core_result res;
	struct err e = { 0 };
	int fd;

	(void)state;
	start(&r, "");
	look(&r);
	fd = memfd_create("core", MFD_CLOEXEC);
	held_fd = 0;
	assert_int_equal(vm_core_write(r.vm, fd, &opts, &res, &e), 0);
	assert_true(held_fd > 0);
	assert_true(res.paused_ns > 20000000);
	close(fd);
	stop(&r);
}

/* The one that dumps is killed while the machine stands: it runs on at once. */
static void test_killed(void **state)
{
	struct kvm_hold *hold;
	struct rig r;
	pid_t child;
	int fds[2];
	char c;

	(void)state;
	start(&r, "");
	look(&r);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	child = fork();
	if (!child) {
		hold = calloc(1, sizeof(*hold));
		if (kvm_hold(&r.vm->ref, &r.vm->fds, r.info.vmfd, hold, NULL) < 0)
			_exit(1);
		(void)!write(fds[1], "", 1);
		pause();
		_exit(1);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &c, 1), 1);
	assert_false(counts(&r, 20));
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_true(counts(&r, 100000));
	close(fds[0]);
	stop(&r);
}

/* The holder itself is killed, as by the end of a control group: the kernel lets go, and nothing is lost. */
static void test_holder_killed(void **state)
{
	struct kvm_hold hold = KVM_HOLD_INIT;
	struct err e = { 0 };
	uint64_t ns;
	struct rig r;

	(void)state;
	start(&r, "");
	look(&r);
	assert_int_equal(kvm_hold(&r.vm->ref, &r.vm->fds, r.info.vmfd, &hold, &e), 0);
	assert_int_equal(hold.ncpu, 1);
	assert_true(hold.cpu[0].regs.rip - 0xffffffff81000000ULL < 16);
	kill(hold.child, SIGKILL);
	assert_true(counts(&r, 100000));
	assert_int_equal(kvm_hold_end(&hold, &ns, &e), -EIO);
	kvm_hold_fini(&hold);
	stop(&r);
}

/* The machine is killed while it stands, or before it is asked: a sentence, and no wait without end. */
static void test_machine_killed(void **state)
{
	struct kvm_hold hold = KVM_HOLD_INIT;
	struct vm_core_result res;
	struct err e = { 0 };
	uint64_t ns;
	struct rig r;
	int fd;

	(void)state;
	start(&r, "");
	look(&r);
	assert_int_equal(kvm_hold(&r.vm->ref, &r.vm->fds, r.info.vmfd, &hold, &e), 0);
	kill(r.pid, SIGKILL);
	(void)!kvm_hold_end(&hold, &ns, &e);
	kvm_hold_fini(&hold);
	assert_int_equal(waitpid(r.pid, NULL, 0), r.pid);
	assert_true(core_of(&r, false, &res, &fd) < 0);
	close(fd);
	vm_close(r.vm);
	free(r.vm);
	close(r.in);
	(void)fclose(r.out);
}

static void kill_it(void *arg, const char *step, uint64_t done, uint64_t total)
{
	struct rig *r = arg;

	(void)step;
	(void)done;
	(void)total;
	kill(r->pid, SIGKILL);
	/* its memory goes before it can be waited for */
	assert_int_equal(waitpid(r->pid, NULL, 0), r->pid);
}

/* The same in the middle of the copy. */
static void test_killed_in_between(void **state)
{
	struct rig r;
	struct progress progress = { kill_it, &r };
	struct vm_core_opts opts = { .path = "core", .progress = &progress };
	struct vm_core_result res;
	struct err e = { 0 };
	int fd;

	(void)state;
	start(&r, "large");
	look(&r);
	fd = memfd_create("core", MFD_CLOEXEC);
	assert_int_equal(vm_core_write(r.vm, fd, &opts, &res, &e), -ESRCH);
	assert_non_null(strstr(e.msg, "ended while its memory was copied"));
	close(fd);
	vm_close(r.vm);
	free(r.vm);
	close(r.in);
	(void)fclose(r.out);
}

/* What can be written no further is an error, and the machine runs. */
static void test_full(void **state)
{
	struct vm_core_opts opts = { .pause = true, .path = "the-file" };
	struct vm_core_result res;
	struct err e = { 0 };
	struct rig r;
	int fd;

	(void)state;
	start(&r, "");
	look(&r);
	fd = memfd_create("core", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(fd, RAM + 4096), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	assert_true(vm_core_write(r.vm, fd, &opts, &res, &e) < 0);
	assert_non_null(strstr(e.msg, "the-file"));
	close(fd);
	fd = open("/dev/full", O_RDWR | O_CLOEXEC);
	assert_true(vm_core_write(r.vm, fd, &opts, &res, &e) < 0);
	close(fd);
	stop(&r);
}

/* Pages that come when they are touched: asked for while it runs, refused where that would wait for itself. */
static void test_on_demand(void **state)
{
	_cleanup_kvm_pages_ struct kvm_pages pages = KVM_PAGES_INIT;
	uint8_t page[2 * 4096], want[4096];
	struct vm_core_result res;
	int fd;
	struct rig r;
	hva_t at;

	(void)state;
	start(&r, "demand");
	look(&r);
	at.v = r.counter.v - COUNTER + RAM - MIB;
	assert_int_equal(kvm_pages_open(&r.vm->ref, &pages, NULL), 0);
	assert_true(kvm_pages_on_demand(&pages, at, 4096));
	assert_true(kvm_pages_on_demand(&pages, (hva_t){ at.v - 4096 }, 8192));
	assert_false(kvm_pages_on_demand(&pages, (hva_t){ at.v - 4096 }, 4096));
	assert_false(kvm_pages_on_demand(&pages, (hva_t){ at.v + MIB }, 4096));
	memset(want, 'd', sizeof(want));
	/* one page of another mapping, one that is not there yet */
	assert_int_equal(kvm_pages_read(&pages, (hva_t){ at.v - 4096 }, 2, page), 0);
	assert_memory_equal(page + 4096, want, 4096);
	assert_int_equal(page[0] | page[4095], 0);
	assert_int_equal(pages.lost, 0);
	/* what is not mapped at all is lost, and zeros */
	memset(page, 1, sizeof(page));
	assert_int_equal(kvm_pages_read(&pages, (hva_t){ 4096 }, 1, page), 0);
	assert_int_equal(pages.lost, 1);
	assert_int_equal(page[0] | page[4095], 0);
	assert_int_equal(kvm_pages_read(&pages, (hva_t){ at.v + 1 }, 1, page), -EINVAL);
	assert_int_equal(kvm_pages_read(&pages, at, KVM_PAGES_CHUNK + 1, page), -EINVAL);
	/* its slot is two mappings */
	assert_int_equal(core_of(&r, false, &res, &fd), 0);
	assert_int_equal(res.memory, RAM);
	assert_true(core_read(fd, RAM - 4096, page, 4096));
	assert_memory_equal(page, want, 4096);
	close(fd);
	assert_int_equal(core_of(&r, true, &res, &fd), -EBUSY);
	close(fd);
	stop(&r);
}

int main(void)
{
	static char names[ARRAY_SIZE(kinds)][64];
	struct CMUnitTest tests[ARRAY_SIZE(kinds) + 7] = {
		cmocka_unit_test(test_pause),         cmocka_unit_test(test_killed),
		cmocka_unit_test(test_holder_killed), cmocka_unit_test(test_machine_killed),
		cmocka_unit_test(test_full),          cmocka_unit_test(test_killed_in_between),
		cmocka_unit_test(test_on_demand),
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		snprintf(names[i], sizeof(names[i]), "memory: %s", kinds[i].knobs);
		tests[7 + i] = (struct CMUnitTest){ .name = names[i],
						    .test_func = test_kind,
						    .initial_state = (void *)(uintptr_t)i };
	}
	return cmocka_run_group_tests_name("vm_core", tests, NULL, NULL);
}
