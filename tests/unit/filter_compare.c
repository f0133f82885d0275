/* SPDX-License-Identifier: MIT */
/*
 * filter-compare PID CONFIG - do a process's filters and those of its configuration answer alike?
 *
 * Every system call number of every architecture that the kernel knows here is simulated with
 * arguments that profiles look at; then the process's filters are put over a child for real.
 */
#include <errno.h>
#include <linux/audit.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bpf.h"
#include "filter.h"

#define NR_MAX  1024
#define X32_BIT 0x40000000u

static const struct {
	const char *name;
	uint32_t arch, bits;
} arches[] = {
	{ "x86_64", AUDIT_ARCH_X86_64, 0 },
	{ "x32", AUDIT_ARCH_X86_64, X32_BIT },
	{ "i386", AUDIT_ARCH_I386, 0 },
	{ "aarch64", AUDIT_ARCH_AARCH64, 0 },
};

/* personality(2), clone(2), socket(2) and their neighbours. */
static const uint64_t args[] = {
	0,
	1,
	2,
	8,
	16,
	38,
	40,
	41,
	0x20000,
	0x20008,
	0xffffffff,
	UINT64_MAX,
	CLONE_NEWNS,
	CLONE_NEWUSER,
	CLONE_NEWNET,
	SIGCHLD,
	CLONE_VM | CLONE_FS | SIGCHLD,
	UINT64_C(1) << 32 | 40,
};

static size_t compare(const struct ns_seccomp *a, const struct ns_seccomp *b, size_t arch,
		      uint32_t nr, size_t *ret_denied)
{
	size_t differ = 0;

	for (size_t i = 0; i < ARRAY_SIZE(args); i++) {
		struct seccomp_data d = { .nr = (int)(nr | arches[arch].bits),
					  .arch = arches[arch].arch,
					  .args = { args[i], args[i], args[i], args[i], args[i] } };
		uint32_t x = bpf_run_all(a, &d), y = bpf_run_all(b, &d);

		*ret_denied += x != SECCOMP_RET_ALLOW;
		if (x == y)
			continue;
		differ++;
		printf("%s call %u(%#llx, ...): process %#x, configuration %#x\n",
		       arches[arch].name, nr, (unsigned long long)args[i], x, y);
	}
	return differ;
}

static size_t compare_all(const struct ns_seccomp *a, const struct ns_seccomp *b)
{
	size_t differ = 0;

	for (size_t arch = 0; arch < ARRAY_SIZE(arches); arch++) {
		size_t denied = 0, here = 0;

		for (uint32_t nr = 0; nr < NR_MAX; nr++)
			here += compare(a, b, arch, nr, &denied);
		printf("%s: %zu of %zu answers are not \"allow\", %zu differ\n", arches[arch].name,
		       denied, NR_MAX * ARRAY_SIZE(args), here);
		differ += here;
	}
	return differ;
}

static int calls(const struct ns_seccomp *s)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (ns_seccomp_install(s) < 0)
			_exit(99);
		_exit((syscall(SYS_unshare, CLONE_NEWUSER) < 0 && errno == EPERM) +
		      2 * (syscall(SYS_keyctl, 0, 0, 0, 0, 0) < 0 && errno == EPERM));
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	struct pid_ref p = PID_REF_INIT;
	struct ns_seccomp a = { 0 }, b = { 0 }, none = { 0 };
	struct err e = { 0 };
	size_t differ;

	if (argc != 3)
		return 2;
	if (pid_open((pid_t)strtol(argv[1], NULL, 10), &p, &e) < 0 ||
	    ns_seccomp_read(&p, &a, &e) < 0 || ns_seccomp_from_oci(argv[2], &b, &e) < 0) {
		printf("%s\n", e.msg);
		return 1;
	}
	printf("process: %zu filters, %u instructions, stopped for %llu us; configuration: %u\n",
	       a.n, a.n ? a.v[0].n : 0u, (unsigned long long)a.stopped_ns / 1000,
	       b.n ? b.v[0].n : 0u);
	differ = compare_all(&a, &b);
	printf("unshare and keyctl denied: without %d, with %d\n", calls(&none), calls(&a));
	if (!a.n || !b.n || differ || calls(&none) != 0 || calls(&a) != 3)
		return 1;
	ns_seccomp_fini(&a);
	ns_seccomp_fini(&b);
	pid_close(&p);
	return 0;
}
