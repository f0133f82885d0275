/* SPDX-License-Identifier: MIT */
#include "run_needs.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "compiler.h"
#include "io.h"
#include "machine.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59 /* Linux 5.11 */
#endif
#define HWCAP2_HAS_FSGSBASE 2UL /* asm/hwcap2.h */
#define MAPS_DEFAULT        65530
#define SHMEM_HUGE          "/sys/kernel/mm/transparent_hugepage/shmem_enabled"

const char run_needs_note[] =
	"a program and the Linux that it runs on have the same privilege, so it can overwrite that Linux; the "
	"border is around both. Protection keys are not used, for it could change those too. The root user of this "
	"host can read the memory of both";

static bool has_file(const char *name)
{
	_cleanup_free_ char *path = NULL;

	return machine_file(name, &path, NULL) == 0;
}

static bool has_linux(void)
{
	char name[MACHINE_NAME_MAX];

	return has_file(machine_linux(NULL, name));
}

static bool has_init(void)
{
	return has_file("rktio-init");
}

static bool has_blk(void)
{
	return has_file("rktio-blk");
}

static bool has_net(void)
{
	return has_file("rktio-net");
}

static unsigned int features(void)
{
	unsigned int a, b, c, d;

	return __get_cpuid(1, &a, &b, &c, &d) ? c : 0;
}

static bool has_processor(void)
{
	return features() & bit_OSXSAVE && getauxval(AT_HWCAP2) & HWCAP2_HAS_FSGSBASE;
}

static bool has_aes(void)
{
	return features() & bit_AES;
}

/* Off is what it is. */
static bool has_dispatch(void)
{
	return prctl(PR_SET_SYSCALL_USER_DISPATCH, 0, 0, 0, 0) == 0;
}

static bool has_seccomp(void)
{
	unsigned int action = SECCOMP_RET_KILL_PROCESS;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

static bool has_memfd(void)
{
	_cleanup_close_ int fd = memfd_create("rktio-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	return fd >= 0;
}

static bool has_maps(void)
{
	_cleanup_free_ char *text = NULL;

	return io_read_at(AT_FDCWD, "/proc/sys/vm/max_map_count", 64, &text, NULL) == 0 &&
	       strtoul(text, NULL, 10) >= MAPS_DEFAULT;
}

static bool has_tun(void)
{
	return access("/dev/net/tun", R_OK | W_OK) == 0;
}

/* Without parameters it fails in another way if it is there. */
static bool has_uring(void)
{
	return syscall(SYS_io_uring_setup, 1, NULL) < 0 && errno == EFAULT;
}

/* As the library OS does it: a tmpfs with huge pages that is mounted nowhere. */
static bool may_mount_huge(void)
{
	_cleanup_close_ int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);

	return fs >= 0 && fsconfig(fs, FSCONFIG_SET_STRING, "huge", "within_size", 0) == 0 &&
	       fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0;
}

static bool has_huge(void)
{
	_cleanup_free_ char *text = NULL;

	if (may_mount_huge())
		return true;
	return io_read_at(AT_FDCWD, SHMEM_HUGE, 256, &text, NULL) == 0 &&
	       !strstr(text, "[never]") && !strstr(text, "[deny]");
}

size_t run_needs_all(struct need v[RUN_NEEDS_MAX])
{
	static const char no_run[] = "no 'rktio run'";
	static char linux_needs[200];
	const struct {
		struct need need;
		bool (*works)(void);
	} all[] = {
		{ { .name = "the library OS", .needs = linux_needs, .without = no_run },
		  has_linux },
		{ { .name = "its first process",
		    .needs = "rktio-init beside rktio or in RKTIO_LIBEXEC",
		    .without = no_run },
		  has_init },
		{ { .name = "disks",
		    .needs = "rktio-blk beside rktio or in RKTIO_LIBEXEC",
		    .without = no_run },
		  has_blk },
		{ { .name = "networks",
		    .needs = "rktio-net beside rktio or in RKTIO_LIBEXEC",
		    .without = "no --net, no --publish" },
		  has_net },
		{ { .name = "XSAVE and FSGSBASE",
		    .needs =
			    "a processor of Intel since 2013 or AMD since 2017, and Linux 5.9 without 'nofsgsbase'",
		    .without = no_run },
		  has_processor },
		{ { .name = "system calls can be caught",
		    .needs =
			    "Linux 5.11 (syscall user dispatch), and no sandbox that forbids prctl",
		    .without = no_run },
		  has_dispatch },
		{ { .name = "system call filters",
		    .needs = "CONFIG_SECCOMP_FILTER, and no sandbox that forbids seccomp",
		    .without = no_run },
		  has_seccomp },
		{ { .name = "memory files",
		    .needs = "memfd_create, Linux 3.17",
		    .without = no_run },
		  has_memfd },
		{ { .name = "65530 mappings for a process",
		    .needs = "'sysctl vm.max_map_count=65530' or more",
		    .without =
			    "programs with much memory are slow: their mappings are dropped and made again" },
		  has_maps },
		{ { .name = "huge pages for shared memory",
		    .needs =
			    "the right to mount a tmpfs (CAP_SYS_ADMIN), or 'echo advise > " SHMEM_HUGE
			    "'",
		    .without = "programs with much memory fault more often" },
		  has_huge },
		{ { .name = "io_uring",
		    .needs =
			    "Linux 5.6, and 'sysctl kernel.io_uring_disabled=0' where there is that",
		    .without = "disks use plain system calls, and are slower" },
		  has_uring },
		{ { .name = "AES instructions",
		    .needs = "a processor that has them, and a hypervisor that shows them",
		    .without = "encrypted images are slow" },
		  has_aes },
		{ { .name = "network interfaces of the host",
		    .needs =
			    "/dev/net/tun, readable and writable ('modprobe tun'; in a container, the device)",
		    .without = "no network by a tap interface" },
		  has_tun },
	};
	size_t n = ARRAY_SIZE(all);
	char name[MACHINE_NAME_MAX];

	(void)snprintf(
		linux_needs, sizeof(linux_needs),
		"'make libos', or RKTIO_LIBEXEC that says where %s is, or another version in "
		"RKTIO_LINUX or 'rktio run --linux'",
		machine_linux(NULL, name));
	for (size_t i = 0; i < n; i++) {
		v[i] = all[i].need;
		v[i].works = all[i].works();
	}
	return n;
}
