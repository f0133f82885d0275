/* SPDX-License-Identifier: MIT */
/*
 * The tables that a guest's kernel is found by are those of whatever process a processor is in, and go with it: the machine is
 * memory of ours, and what is asked of KVM and of symbols is answered here.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kinfer.h"
#include "vm.h"

#define LARGE  (2ULL << 20)
#define KERNEL 0xffffffff81000000ULL /* at LARGE */

enum {
	PROCESS = 0x1000, /* the uppermost table of a process; what is below it all have */
	OTHER = 0x2000,   /* of another one, which comes later */
	PDPT = 0x3000,
	PD = 0x4000,
	OWN = LARGE + 0x8000, /* the kernel's own, in its image */
	VARIABLE = LARGE + 0x10000,
};

static uint8_t ram[2 * LARGE];
static bool names_own; /* does the kernel name its own table? */
static uint64_t root;  /* that the processor has */

static void put64(uint64_t at, uint64_t v)
{
	memcpy(ram + at, &v, sizeof(v));
}

int __wrap_kvm_fds_find(const struct pid_ref *p, struct kvm_fds *ret, struct err *e);
int __wrap_kvm_look(const struct pid_ref *p, const struct kvm_fds *fds, int vmfd,
		    struct kvm_vm *ret, struct err *e);
int __wrap_kvm_read(void *vm, gpa_t gpa, void *dst, size_t len);
int __wrap_ksyms_open(struct ksyms *s, const struct kimage *image, const struct gview *view,
		      char *info);
size_t __wrap_ksyms_lookup(const struct ksyms *s, struct ksym_want *want, size_t n);
int __wrap_ksyms_read_info(struct ksyms *s);
int __wrap_kinfer_tasks(struct kinfer *k, const struct gview *view, gva_t init_task,
			struct kfields *ret, struct err *e);

int __wrap_kvm_fds_find(const struct pid_ref *p, struct kvm_fds *ret, struct err *e)
{
	(void)p, (void)e;
	*ret = (struct kvm_fds){ .nvm = 1 };
	return 0;
}

int __wrap_kvm_look(const struct pid_ref *p, const struct kvm_fds *fds, int vmfd,
		    struct kvm_vm *ret, struct err *e)
{
	(void)p, (void)fds, (void)vmfd, (void)e;
	memset(ret, 0, sizeof(*ret));
	ret->ncpu = ret->nslot = 1;
	ret->cpu[0].lstar = KERNEL + 0x10;
	ret->cpu[0].cr = (struct pt_regs_cr){ 1ULL << 31 | 1, root, 1 << 5, 1 << 10 };
	return 0;
}

int __wrap_kvm_read(void *vm, gpa_t gpa, void *dst, size_t len)
{
	(void)vm;
	if (gpa.v > sizeof(ram) || len > sizeof(ram) - gpa.v)
		return -EFAULT;
	memcpy(dst, ram + gpa.v, len);
	return 0;
}

int __wrap_ksyms_open(struct ksyms *s, const struct kimage *image, const struct gview *view,
		      char *info)
{
	(void)s, (void)image, (void)view, (void)info;
	return 0;
}

size_t __wrap_ksyms_lookup(const struct ksyms *s, struct ksym_want *want, size_t n)
{
	(void)s;
	for (size_t i = 0; i < n; i++)
		want[i].addr.v = names_own && !strcmp(want[i].name, "init_top_pgt")
					 ? KERNEL + OWN - LARGE
					 : 0;
	return names_own;
}

int __wrap_ksyms_read_info(struct ksyms *s)
{
	(void)s;
	return -ENOENT;
}

int __wrap_kinfer_tasks(struct kinfer *k, const struct gview *view, gva_t init_task,
			struct kfields *ret, struct err *e)
{
	(void)k, (void)view, (void)init_task, (void)ret;
	return err_set(e, ENOENT, "there are no tasks");
}

static int make(void **state)
{
	(void)state;
	memset(ram, 0, sizeof(ram));
	put64(PROCESS + 511 * 8, PDPT | 3);
	put64(OTHER + 511 * 8, PDPT | 3);
	put64(OWN + 511 * 8, PDPT | 3);
	put64(PDPT + 510 * 8, PD | 3);
	put64(PD + 8 * 8, LARGE | 0x83);
	memcpy(ram + LARGE + 0x100, "Linux version 6.1.0 (nobody", 27);
	put64(VARIABLE, 77);
	names_own = false;
	root = PROCESS;
	return 0;
}

static uint64_t variable(const struct vm *v)
{
	uint64_t ret = 0;

	return gview_read(&v->view, (gva_t){ KERNEL + VARIABLE - LARGE }, &ret, sizeof(ret)) < 0
		       ? 0
		       : ret;
}

/* Of a kernel that does not name its own table: the process has ended, and its table is anything by now. */
static void test_kept(void **state)
{
	const struct vm_info info = { .pid = getpid(), .vmfd = 3 };
	static struct vm v = VM_INIT;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(vm_open(&info, &v, &e), 0);
	assert_string_equal(v.release, "6.1.0");
	assert_int_equal(variable(&v), 77);
	memset(ram + PROCESS, 0, PT_PAGE);
	assert_int_equal(vm_open_kernel(&v, &e), 0);
	assert_int_equal(variable(&v), 77);
	/* what is below is the kernel's, and read as it is */
	put64(VARIABLE, 78);
	assert_int_equal(variable(&v), 78);
	put64(PD + 8 * 8, 0);
	assert_int_equal(variable(&v), 0);
	vm_close(&v);
	assert_null(v.top);
}

/* Of one that does: nothing is kept once that was found, as its page may be another table of the kernel's by then. */
static void test_own(void **state)
{
	const struct vm_info info = { .pid = getpid(), .vmfd = 3 };
	static struct vm v = VM_INIT;
	struct err e = { 0 };

	(void)state;
	names_own = true;
	assert_int_equal(vm_open(&info, &v, &e), 0);
	memset(ram + PROCESS, 0, PT_PAGE);
	assert_int_equal(vm_open_kernel(&v, &e), 0);
	assert_null(v.top);
	assert_int_equal(v.view.pt.root.v, OWN);
	assert_int_equal(variable(&v), 77);
	/* the process's table is a lower one now, and has what that has */
	memcpy(ram + PROCESS, ram + PDPT, PT_PAGE);
	put64(OWN + 511 * 8, PROCESS | 3);
	assert_int_equal(variable(&v), 77);
	vm_close(&v);
}

/* A process that has ended before its table was kept, at each look: nothing is found; by that of another all is. */
static void test_gone(void **state)
{
	const struct vm_info info = { .pid = getpid(), .vmfd = 3 };
	static struct vm v = VM_INIT;
	struct err e = { 0 };

	(void)state;
	memset(ram + PROCESS, 0, PT_PAGE);
	assert_int_equal(vm_open(&info, &v, &e), -ENOTSUP);
	assert_non_null(strstr(e.msg, "nothing was changed"));
	vm_close(&v);
	root = OTHER;
	assert_int_equal(vm_open(&info, &v, &e), 0);
	assert_int_equal(v.top_at.v, OTHER);
	vm_close(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_kept, make),
		cmocka_unit_test_setup(test_own, make),
		cmocka_unit_test_setup(test_gone, make),
	};

	return cmocka_run_group_tests_name("vm_open", tests, NULL, NULL);
}
