/* SPDX-License-Identifier: MIT */
/*
 * minivmm KNOB... - a hypervisor whose guest counts, in long mode, where Linux would have its kernel.
 *
 * Knobs do what other hypervisors and guests do:
 *
 *	memfd, hugetlb	its memory is shared, or in huge pages
 *	snapshot	it is that of a file, and changes are its own
 *	demand		the last MiB comes when it is touched (userfaultfd)
 *	large		3 GiB and 64 MiB, the latter at 4 GiB, in one mapping
 *	apart, q35	the same in two; the same, cut at 2 GiB
 *	odd		the same, cut at 640 MiB
 *	far		page tables are in memory at 9 GiB
 *	near		they are all in the first MiBs
 *	split, shadow	a slot below 1 MiB and one above; several below
 *	order		slots in another order, with holes between their numbers
 *	many		40 slots that can't be found
 *	second		another machine in the same process
 *	copies		it has two descriptors of its processor, as Firecracker
 *	threads		it makes threads all the time
 *	seccomp		a filter on every thread that kills for most calls
 *	logged		writes are logged, as in a migration
 *	linux		the guest says that it is one
 *	tables=FILE	and has in its image what tables.py makes
 *	nopaging	it is in real mode
 *	hidden		its entry for system calls is where no memory is
 *	left		two memories that look like what a vmsh has left; of the first there is less than is mapped
 *	twice		it has its tables in two mappings, so that both fit
 *
 * With boot=VMLINUX it has another guest, and other knobs: mini_linux.c.
 *
 * Says "ready COUNTER", where in its memory the guest counts, and runs until standard input ends.
 */
#include "mini.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compiler.h"

#define RAM     (16UL << 20)
#define CUT     0xc0000000UL
#define CUT_Q35 0x80000000UL
#define CUT_ODD 0x28000000UL
#define ABOVE   (4UL << 30)
#define FAR     (9UL << 30)
#define NEAR    0x500000UL
#define TOP     (64UL << 20) /* what a large one has there */
#define LOW     0xa0000UL
#define HIGH    0x100000UL
#define KERNEL  0xffffffff81000000ULL
#define TABLES  0x200000UL
#define CODE    0x400000UL
#define COUNTER 0x401000UL
#define MAP     0xffff888000000000UL
#define BANNER  0x402000UL
#define OWN     0x410000UL /* what tables.py makes, to the image's end */
#define OWN_END 0x600000UL
#define DEMAND  (RAM - 0x100000)

static int vmfd, cpufd;
static uint8_t *ram, *top;
static const char *linux_banner = "", *own;
static struct kvm_run *state;
static bool real_mode;
static atomic_bool running;

struct knobs {
	bool memfd, hugetlb, snapshot, demand, large, apart, split, order, second, seccomp, twice,
		copies, threads, shadow, q35, odd, many, far, near, left;
	uint64_t lstar;
	uint32_t flags;
};

void mini_die(const char *what)
{
	perror(what);
	exit(1);
}

static void slot(int id, uint64_t gpa, uint64_t size, uint32_t flags)
{
	uint8_t *at = gpa < ABOVE ? ram + gpa : top + (gpa - ABOVE);
	struct kvm_userspace_memory_region r = { id, flags, gpa, size, (uintptr_t)at };

	if (ioctl(vmfd, KVM_SET_USER_MEMORY_REGION, &r) < 0)
		mini_die("KVM_SET_USER_MEMORY_REGION");
}

static void put(uint64_t at, uint64_t v)
{
	memcpy(ram + at, &v, 8);
}

/* Two MiB at KERNEL, and what is physical at 0 as it is. */
static void make_tables(void)
{
	put(TABLES, (TABLES + 0x1000) | 3);
	put(TABLES + 511 * 8, (TABLES + 0x2000) | 3);
	put(TABLES + 0x1000, (TABLES + 0x3000) | 3);
	put(TABLES + 0x2000 + 510 * 8, (TABLES + 0x4000) | 3);
	for (uint64_t i = 0; i < 8; i++)
		put(TABLES + 0x3000 + i * 8, i << 21 | 0x83);
	put(TABLES + 0x4000 + 8 * 8, CODE | 0x83);
}

/* The first GiB where Linux has all memory, by tables at the end of memory, as its are: these are at @tables, and physical @at. */
static void make_map(uint8_t *tables, uint64_t at)
{
	uint64_t *pdpt = (void *)(tables + 0x1000), *pd = (void *)(tables + 0x2000);

	put(TABLES + 273 * 8, (at + 0x1000) | 3);
	pdpt[0] = (at + 0x2000) | 3;
	for (uint64_t i = 0; i < 512; i++)
		pd[i] = i << 21 | 0x83;
}

/* 1: incq COUNTER; pause; jmp 1b */
static void make_code(void)
{
	static const uint8_t code[] = { 0x48, 0xff, 0x05, 0xf9, 0x0f, 0x00,
					0x00, 0xf3, 0x90, 0xeb, 0xf5 };
	static const uint8_t real[] = {
		0xff, 0x06, 0x00, 0x10, 0xeb, 0xfa
	}; /* 1: incw 0x1000; jmp 1b */

	memcpy(ram + CODE, code, sizeof(code));
	strcpy((char *)ram + BANNER, linux_banner);
	memcpy(ram + 0x2000, real, sizeof(real));
}

static void load_own(void)
{
	int fd = open(own, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, ram + OWN, OWN_END - OWN) <= 0)
		mini_die(own);
	close(fd);
}

static void make_cpu(uint64_t lstar)
{
	union {
		struct kvm_msrs list;
		uint8_t room[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
	} msr = { .list.nmsrs = 1 };
	struct kvm_segment code = { .base = 0,
				    .limit = 0xffffffff,
				    .selector = 8,
				    .type = 11,
				    .present = 1,
				    .s = 1,
				    .l = 1,
				    .g = 1 };
	struct kvm_segment data = code;
	struct kvm_regs g = { .rip = KERNEL, .rflags = 2 };
	struct kvm_sregs s;

	msr.list.entries[0].index = 0xc0000082; /* LSTAR */
	msr.list.entries[0].data = lstar;
	if (ioctl(cpufd, KVM_GET_SREGS, &s) < 0)
		mini_die("KVM_GET_SREGS");
	if (real_mode) {
		s.cs.base = s.cs.selector = 0;
		s.ds.base = s.ds.selector = 0;
		g.rip = 0x2000;
	} else {
		data.type = 3;
		data.selector = 16;
		data.l = 0;
		data.db = 1;
		s.cs = code;
		s.ds = s.es = s.fs = s.gs = s.ss = data;
		s.gs.base = MAP + 0x5000;
		s.cr0 = 0x80050033;
		s.cr3 = TABLES;
		s.cr4 = 0x20;
		s.efer = 0x500;
		if (ioctl(cpufd, KVM_SET_MSRS, &msr) != 1)
			mini_die("KVM_SET_MSRS");
	}
	if (ioctl(cpufd, KVM_SET_SREGS, &s) < 0 || ioctl(cpufd, KVM_SET_REGS, &g) < 0)
		mini_die("KVM_SET_REGS");
}

/* Pages of its last MiB are full of 'd', and come when they are touched. */
static void *bring(void *arg)
{
	int fd = (int)(intptr_t)arg;
	static uint8_t page[4096] __attribute__((aligned(4096)));
	struct uffd_msg m;

	memset(page, 'd', sizeof(page));
	while (read(fd, &m, sizeof(m)) == sizeof(m)) {
		struct uffdio_copy c = { .dst = m.arg.pagefault.address & ~4095UL,
					 .src = (uintptr_t)page,
					 .len = sizeof(page) };

		if (ioctl(fd, UFFDIO_COPY, &c) < 0 && errno != EEXIST)
			mini_die("UFFDIO_COPY");
	}
	return NULL;
}

static void on_demand(void)
{
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register r = { .range = { (uintptr_t)ram + DEMAND, RAM - DEMAND },
				     .mode = UFFDIO_REGISTER_MODE_MISSING };
	pthread_t thread;

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) < 0 || ioctl(fd, UFFDIO_REGISTER, &r) < 0 ||
	    pthread_create(&thread, NULL, bring, (void *)(intptr_t)fd))
		mini_die("userfaultfd");
}

static void *map(int fd, uint64_t off, uint64_t size, int flags)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       flags | (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : 0) | MAP_NORESERVE, fd, off);

	if (p == MAP_FAILED)
		mini_die("mmap");
	return p;
}

/* Where memory below 4 GiB ends. */
static uint64_t low_end(const struct knobs *k)
{
	return k->odd ? CUT_ODD : k->q35 ? CUT_Q35 : k->large || k->apart ? CUT : RAM;
}

/* Where the guest's memory is. */
static void make_memory(const struct knobs *k)
{
	uint64_t low = low_end(k), all = low == RAM ? RAM : CUT + TOP;
	int fd = -1, flags = k->hugetlb ? MAP_HUGETLB : 0;

	if (k->memfd || k->snapshot) {
		fd = memfd_create("guest", MFD_CLOEXEC);
		flags = k->snapshot ? MAP_PRIVATE : MAP_SHARED;
		if (fd < 0 || ftruncate(fd, all) < 0)
			mini_die("memory");
	}
	if (k->snapshot && pwrite(fd, "of the file", 11, RAM - 0x3000) != 11)
		mini_die("memory");
	ram = map(fd, 0, k->apart ? low : all, flags);
	top = !k->apart ? ram + low : map(fd, low, all - low, flags);
	if (k->demand)
		on_demand();
	if (all != RAM)
		strcpy((char *)top + (all - low) - 0x1000, "the last page");
}

/* Memory of a node that is in no usual place. */
static uint8_t *make_far(void)
{
	void *p = mmap(NULL, 0x100000, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct kvm_userspace_memory_region r = { 30, 0, FAR, 0x100000, (uintptr_t)p };

	if (p == MAP_FAILED || ioctl(vmfd, KVM_SET_USER_MEMORY_REGION, &r) < 0)
		mini_die("KVM_SET_USER_MEMORY_REGION");
	return p;
}

/* As vmsh names and maps it (side_found.h), and with nothing in it. */
static void make_left(void)
{
	const uint64_t size = 8UL << 20;
	uint8_t *at = mmap(NULL, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char name[32];

	snprintf(name, sizeof(name), "vmsh:2:%d", vmfd);
	for (int i = 0; i < 2 && at != MAP_FAILED; i++) {
		int fd = memfd_create(name, MFD_CLOEXEC);
		void *p = MAP_FAILED;

		if (fd >= 0 && !ftruncate(fd, i ? size : size / 2))
			p = mmap(at + i * size, size, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_FIXED, fd, 0);
		if (p == MAP_FAILED)
			mini_die("left");
		close(fd);
	}
}

static void *come_and_go(void *arg)
{
	return arg;
}

/* Threads for as long as it runs. */
static void *breed(void *arg)
{
	for (;;) {
		pthread_t t;

		if (!pthread_create(&t, NULL, come_and_go, NULL))
			pthread_join(t, NULL);
		usleep(100);
	}
	return arg;
}

static void set_cpuid(int kvm)
{
	static union {
		struct kvm_cpuid2 list;
		uint8_t room[sizeof(struct kvm_cpuid2) + 256 * sizeof(struct kvm_cpuid_entry2)];
	} id = { .list.nent = 256 };

	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &id) < 0 || ioctl(cpufd, KVM_SET_CPUID2, &id) < 0)
		mini_die("KVM_SET_CPUID2");
}

/*
 * Firecracker's vCPU threads may do some twenty calls more, and ask and set registers; what else they do gives them SIGSYS.
 * memfd_create, mmap of new memory and all ioctls of a machine (not of a vCPU) are not in that list either.
 */
void mini_filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		/* of a poll() with a limit, when a tracer has stopped it */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_restart_syscall, 7, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_read, 6, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 5, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_poll, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, KVM_RUN, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog prog = { ARRAY_SIZE(code), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &prog) < 0)
		mini_die("seccomp");
}

static void *run(void *arg)
{
	(void)arg;
	running = true; /* the C library's own calls are made */
	for (;;) {
		if (ioctl(cpufd, KVM_RUN, 0) < 0 && errno != EINTR)
			mini_die("KVM_RUN");
		else if (state->exit_reason != KVM_EXIT_INTR &&
			 state->exit_reason != KVM_EXIT_IRQ_WINDOW_OPEN && state->exit_reason) {
			fprintf(stderr, "exit %u\n", state->exit_reason);
			exit(1);
		}
	}
	return NULL;
}

static void make_slots(const struct knobs *k, uint32_t flags)
{
	uint64_t low = low_end(k);

	for (int i = 0; i < 40 && k->many; i++) {
		/* half of a mapping, each of its own */
		void *p = mmap(NULL, 0x20000, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			       -1, 0);
		struct kvm_userspace_memory_region r = { 20 + i, 0, (16UL << 30) + i * 0x100000UL,
							 0x10000, (uintptr_t)p };

		if (ioctl(vmfd, KVM_SET_USER_MEMORY_REGION, &r) < 0)
			mini_die("KVM_SET_USER_MEMORY_REGION");
	}

	if (low != RAM)
		slot(k->order ? 2 : 1, ABOVE, CUT + TOP - low, flags);
	if (k->shadow) {
		/* as QEMU's pc with a ROM's copy in memory */
		slot(10, 0, 0xcb000, flags);
		slot(11, 0xcb000, 0x3000, flags | KVM_MEM_READONLY);
		slot(12, 0xce000, HIGH - 0xce000, flags);
		slot(13, HIGH, low - HIGH, flags);
	} else if (k->split && k->order) {
		slot(7, HIGH, low - HIGH, flags);
		slot(3, 0, LOW, flags);
	} else if (k->split) {
		slot(0, 0, LOW, flags);
		slot(low != RAM ? 4 : 1, HIGH, low - HIGH, flags);
	} else
		slot(k->order ? 5 : 0, 0, low, flags);
}

static void read_knobs(int argc, char **argv, struct knobs *k)
{
	for (int i = 1; i < argc; i++) {
		if (!strncmp(argv[i], "boot=", 5))
			mini_linux(argc, argv);
		k->memfd |= !strcmp(argv[i], "memfd");
		k->hugetlb |= !strcmp(argv[i], "hugetlb");
		k->snapshot |= !strcmp(argv[i], "snapshot");
		k->demand |= !strcmp(argv[i], "demand");
		k->large |= !strcmp(argv[i], "large");
		k->apart |= !strcmp(argv[i], "apart");
		k->split |= !strcmp(argv[i], "split");
		k->order |= !strcmp(argv[i], "order");
		k->second |= !strcmp(argv[i], "second");
		k->seccomp |= !strcmp(argv[i], "seccomp");
		k->far |= !strcmp(argv[i], "far");
		k->near |= !strcmp(argv[i], "near");
		k->many |= !strcmp(argv[i], "many");
		k->odd |= !strcmp(argv[i], "odd");
		k->q35 |= !strcmp(argv[i], "q35");
		k->shadow |= !strcmp(argv[i], "shadow");
		k->left |= !strcmp(argv[i], "left");
		k->twice |= !strcmp(argv[i], "twice");
		k->copies |= !strcmp(argv[i], "copies");
		k->threads |= !strcmp(argv[i], "threads");
		real_mode |= !strcmp(argv[i], "nopaging");
		k->flags |= strcmp(argv[i], "logged") ? 0 : KVM_MEM_LOG_DIRTY_PAGES;
		if (!strcmp(argv[i], "hidden"))
			k->lstar = KERNEL + (2 << 20);
		if (!strcmp(argv[i], "linux"))
			linux_banner = "Linux version 6.1.0-mini (nobody) #1";
		if (!strncmp(argv[i], "tables=", 7))
			own = argv[i] + 7;
	}
}

int main(int argc, char **argv)
{
	struct knobs k = { .lstar = KERNEL };
	pthread_t thread;
	int kvm;
	char c, ready[64];

	read_knobs(argc, argv, &k);
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		mini_die("/dev/kvm");
	if (k.second && ioctl(kvm, KVM_CREATE_VM, 0) < 0)
		mini_die("KVM_CREATE_VM");
	vmfd = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vmfd < 0)
		mini_die("KVM_CREATE_VM");
	make_memory(&k);
	make_tables();
	if (k.near)
		make_map(ram + NEAR, NEAR);
	else if (low_end(&k) != RAM)
		make_map(top, ABOVE);
	else if (k.far)
		make_map(make_far(), FAR);
	make_code();
	if (own)
		load_own();
	if (k.lstar != KERNEL) /* a page where no memory is */
		put(TABLES + 0x4000 + 9 * 8, 0x40000000 | 0x83);
	if (k.twice) {
		uint8_t *copy =
			mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		memcpy(copy, ram, RAM);
	}
	make_slots(&k, k.flags);
	if (k.left)
		make_left();
	cpufd = ioctl(vmfd, KVM_CREATE_VCPU, 0);
	if (cpufd < 0)
		mini_die("KVM_CREATE_VCPU");
	if (k.copies && dup(cpufd) < 0)
		mini_die("dup");
	state = mmap(NULL, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE,
		     MAP_SHARED, cpufd, 0);
	if (state == MAP_FAILED)
		mini_die("mmap");
	set_cpuid(kvm);
	make_cpu(k.lstar);
	if (pthread_create(&thread, NULL, run, NULL))
		mini_die("pthread_create");
	snprintf(ready, sizeof(ready), "ready %lx\n",
		 (unsigned long)(uintptr_t)(ram + (real_mode ? 0x1000 : COUNTER)));
	while (!running)
		sched_yield();
	if (k.threads && pthread_create(&thread, NULL, breed, NULL))
		mini_die("pthread_create");
	if (k.seccomp)
		mini_filter();
	if (write(1, ready, strlen(ready)) < 0)
		mini_die("write");
	while (read(0, &c, 1) == 1)
		;
	_exit(0);
}
