/* SPDX-License-Identifier: MIT */
/*
 * mini_linux.c - minivmm boot=VMLINUX initrd=FILE console=FILE append=LINE KNOB...: a stock kernel by PVH, with a serial port.
 *
 * 256 MiB, one processor, no firmware, no PCI, tables of ACPI as Firecracker and Cloud Hypervisor have. What other hypervisors do differently is a knob:
 *
 *	memfd		memory is shared (crosvm, Cloud Hypervisor); private and without a file (Firecracker, kvmtool) if not
 *	split		one slot for the first 640 KiB, one from 1 MiB on
 *	above		the second half of memory is at 4 GiB
 *	order		slots from high to low, with numbers from low to high and holes between them
 *	lapic		only the local APIC is in the kernel, the IOAPIC is ours, no PIC, no PIT (Cloud Hypervisor, crosvm)
 *	seccomp		a filter on every thread, as Firecracker's, but with less in it, and it kills
 *	renamed		threads are called as Firecracker's are
 *	uid		it gives up its rights once the machine is made
 */
#include "mini.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RAM            (256UL << 20)
#define LOW_END        0xa0000UL
#define HIGH           0x100000UL
#define ABOVE          (4UL << 30)
#define ACPI           0x9f000UL
#define START_INFO     0x6000UL
#define MODULES        0x6100UL
#define MEMMAP         0x6200UL
#define CMDLINE        0x20000UL
#define PVH_MAGIC      0x336ec578U
#define PVH_ENTRY      18 /* XEN_ELFNOTE_PHYS32_ENTRY */
#define NOBODY         65534
#define COM1           0x3f8
#define COM_IIR        2
#define COM_MCR        4
#define COM_LSR        5
#define COM_MSR        6
#define MCR_LOOP       0x10
#define LSR_EMPTY      0x60
#define RTC_DATA       0x71
#define IOAPIC_WINDOW  0x10
#define IOAPIC_VERSION 1
#define IOAPIC_24_PINS 0x170011U
#define IOAPIC_REGS    64
#define TSC_DEADLINE   (1U << 24)
#define HYPERVISOR     (1U << 31)

/* Xen's public/arch-x86/hvm/start_info.h */
struct start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modules, cmdline, rsdp, memmap;
	uint32_t memmap_entries, reserved;
};

struct module {
	uint64_t at, size, cmdline, reserved;
};

struct memmap {
	uint64_t at, size;
	uint32_t type, reserved;
};

static struct {
	const char *image, *initrd, *append, *console;
	bool memfd, split, above, order, lapic, seccomp, renamed, uid;
} knobs;

static int vmfd, cpufd, console;
static uint8_t *ram, com[8];
static uint64_t low = RAM; /* the rest is above */
static struct kvm_run *state;
static atomic_bool running;

static bool value(const char *arg, const char *name, const char **ret)
{
	size_t n = strlen(name);

	if (strncmp(arg, name, n) != 0 || arg[n] != '=')
		return false;
	*ret = arg + n + 1;
	return true;
}

static void read_knobs(int argc, char **argv)
{
	static const struct {
		const char *name;
		bool *on;
	} all[] = {
		{ "memfd", &knobs.memfd },     { "split", &knobs.split },
		{ "above", &knobs.above },     { "order", &knobs.order },
		{ "lapic", &knobs.lapic },     { "seccomp", &knobs.seccomp },
		{ "renamed", &knobs.renamed }, { "uid", &knobs.uid },
	};

	for (int i = 1; i < argc; i++) {
		if (value(argv[i], "boot", &knobs.image) ||
		    value(argv[i], "initrd", &knobs.initrd) ||
		    value(argv[i], "append", &knobs.append) ||
		    value(argv[i], "console", &knobs.console))
			continue;
		for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++)
			*all[k].on |= !strcmp(argv[i], all[k].name);
	}
	if (!knobs.image || !knobs.initrd || !knobs.append || !knobs.console) {
		fprintf(stderr, "minivmm: boot, initrd, append and console are needed\n");
		exit(2);
	}
}

/* A file, all of it. */
static uint8_t *map_file(const char *path, size_t *ret_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *p;

	if (fd < 0 || fstat(fd, &st) < 0)
		mini_die(path);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		mini_die(path);
	close(fd);
	*ret_size = (size_t)st.st_size;
	return p;
}

static void slot(uint32_t id, uint64_t gpa, uint64_t size)
{
	struct kvm_userspace_memory_region r = { id, 0, gpa, size, (uintptr_t)ram };

	r.userspace_addr += gpa < ABOVE ? gpa : low + (gpa - ABOVE);
	if (ioctl(vmfd, KVM_SET_USER_MEMORY_REGION, &r) < 0)
		mini_die("KVM_SET_USER_MEMORY_REGION");
}

static void make_memory(void)
{
	int fd = -1, flags = MAP_PRIVATE | MAP_ANONYMOUS;

	if (knobs.above)
		low = RAM / 2;
	if (knobs.memfd) {
		fd = memfd_create("guest", MFD_CLOEXEC);
		flags = MAP_SHARED;
		if (fd < 0 || ftruncate(fd, RAM) < 0)
			mini_die("memory");
	}
	ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, fd, 0);
	if (ram == MAP_FAILED)
		mini_die("memory");
	if (knobs.above && knobs.order)
		slot(1, ABOVE, RAM - low);
	if (knobs.split) {
		slot(knobs.order ? 5 : 1, HIGH, low - HIGH);
		slot(knobs.order ? 7 : 0, 0, LOW_END);
	} else
		slot(knobs.order ? 5 : 0, 0, low);
	if (knobs.above && !knobs.order)
		slot(2, ABOVE, RAM - low);
}

/* Where the kernel is entered, by its note. */
static uint32_t find_entry(const uint8_t *notes, size_t size)
{
	for (size_t at = 0; at + sizeof(Elf64_Nhdr) <= size;) {
		const Elf64_Nhdr *n = (const void *)(notes + at);
		const uint8_t *name = (const uint8_t *)(n + 1),
			      *desc = name + ((n->n_namesz + 3) & ~3U);
		uint32_t entry;

		memcpy(&entry, desc, sizeof(entry));
		if (n->n_type == PVH_ENTRY && n->n_namesz == 4 && !memcmp(name, "Xen", 4))
			return entry;
		at = (size_t)(desc - notes) + ((n->n_descsz + 3) & ~3U);
	}
	return 0;
}

static uint32_t load_kernel(void)
{
	size_t size;
	const uint8_t *file = map_file(knobs.image, &size);
	const Elf64_Ehdr *h = (const void *)file;
	const Elf64_Phdr *p = (const void *)(file + h->e_phoff);
	uint32_t entry = 0;

	for (int i = 0; i < h->e_phnum; i++) {
		if (p[i].p_type == PT_LOAD && p[i].p_paddr + p[i].p_memsz <= low)
			memcpy(ram + p[i].p_paddr, file + p[i].p_offset, p[i].p_filesz);
		if (p[i].p_type == PT_NOTE)
			entry = find_entry(file + p[i].p_offset, p[i].p_filesz);
	}
	if (!entry) {
		fprintf(stderr, "minivmm: %s has no PVH entry\n", knobs.image);
		exit(1);
	}
	munmap((void *)file, size);
	return entry;
}

static uint32_t load(void)
{
	size_t size;
	uint8_t *initrd = map_file(knobs.initrd, &size);
	struct module module = { (low - size) & ~4095UL, size, 0, 0 };
	const struct memmap map[] = { { 0, ACPI, 1, 0 },
				      { ACPI, MINI_ACPI_SIZE, 3, 0 },
				      { HIGH, low - HIGH, 1, 0 },
				      { ABOVE, RAM - low, 1, 0 } };
	struct start_info info = { .magic = PVH_MAGIC,
				   .version = 1,
				   .nr_modules = 1,
				   .modules = MODULES,
				   .cmdline = CMDLINE,
				   .memmap = MEMMAP,
				   .rsdp = mini_acpi(ram, ACPI),
				   .memmap_entries = low == RAM ? 3 : 4 };

	memcpy(ram + module.at, initrd, size);
	munmap(initrd, size);
	memcpy(ram + START_INFO, &info, sizeof(info));
	memcpy(ram + MODULES, &module, sizeof(module));
	memcpy(ram + MEMMAP, map, sizeof(map));
	snprintf((char *)ram + CMDLINE, 4096, "%s", knobs.append);
	return load_kernel();
}

static void make_irqchip(void)
{
	struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };

	if (ioctl(vmfd, KVM_SET_TSS_ADDR, 0xfffbd000UL) < 0)
		mini_die("KVM_SET_TSS_ADDR");
	if (knobs.lapic) {
		if (ioctl(vmfd, KVM_ENABLE_CAP, &split) < 0)
			mini_die("KVM_CAP_SPLIT_IRQCHIP");
	} else if (ioctl(vmfd, KVM_CREATE_IRQCHIP, 0) < 0 || ioctl(vmfd, KVM_CREATE_PIT2, &pit) < 0)
		mini_die("KVM_CREATE_IRQCHIP");
}

static void set_cpuid(int kvm)
{
	static union {
		struct kvm_cpuid2 list;
		uint8_t room[sizeof(struct kvm_cpuid2) + 256 * sizeof(struct kvm_cpuid_entry2)];
	} id = { .list.nent = 256 };

	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &id) < 0)
		mini_die("KVM_GET_SUPPORTED_CPUID");
	for (uint32_t i = 0; i < id.list.nent; i++) {
		struct kvm_cpuid_entry2 *e = &id.list.entries[i];

		if (e->function == 1) {
			e->ebx &= 0xffffff; /* its APIC id is 0 */
			e->ecx |= HYPERVISOR;
			e->ecx |= ioctl(vmfd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0
					  ? TSC_DEADLINE
					  : 0;
		}
	}
	if (ioctl(cpufd, KVM_SET_CPUID2, &id) < 0)
		mini_die("KVM_SET_CPUID2");
}

/* PVH: 32 bits, flat, no paging. */
static void make_cpu(int kvm, uint32_t entry)
{
	struct kvm_regs g = { .rip = entry, .rbx = START_INFO, .rflags = 2 };
	struct kvm_segment code = { .limit = 0xffffffff,
				    .selector = 8,
				    .type = 11,
				    .present = 1,
				    .s = 1,
				    .db = 1,
				    .g = 1 };
	struct kvm_segment data = code;
	struct kvm_sregs s;

	data.type = 3;
	data.selector = 16;
	set_cpuid(kvm);
	if (ioctl(cpufd, KVM_GET_SREGS, &s) < 0)
		mini_die("KVM_GET_SREGS");
	s.cs = code;
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	s.cr0 = 0x11;
	if (ioctl(cpufd, KVM_SET_SREGS, &s) < 0 || ioctl(cpufd, KVM_SET_REGS, &g) < 0)
		mini_die("KVM_SET_REGS");
}

/* A UART that is always ready, and has no interrupts. */
static void serial(uint16_t reg, uint8_t *data, bool out)
{
	if (out) {
		com[reg] = *data;
		if (!reg && !(com[3] & 0x80) && !(com[COM_MCR] & MCR_LOOP))
			(void)!write(console, data, 1);
		return;
	}
	switch (reg) {
	case 0:
		*data = 0;
		break;
	case COM_IIR:
		*data = 1;
		break;
	case COM_LSR:
		*data = LSR_EMPTY;
		break;
	case COM_MSR:
		*data = com[COM_MCR] & MCR_LOOP
				? (uint8_t)((com[COM_MCR] & 0xc) << 4 | (com[COM_MCR] & 2) << 3 |
					    (com[COM_MCR] & 1) << 5)
				: 0xb0;
		break;
	default:
		*data = com[reg];
	}
}

static void do_io(void)
{
	uint8_t *data = (uint8_t *)state + state->io.data_offset;
	bool out = state->io.direction == KVM_EXIT_IO_OUT;

	for (uint32_t i = 0; i < state->io.count; i++, data += state->io.size) {
		if (state->io.port >= COM1 && state->io.port < COM1 + 8 && state->io.size == 1)
			serial(state->io.port - COM1, data, out);
		else if (!out)
			memset(data, state->io.port == RTC_DATA ? 0 : 0xff, state->io.size);
	}
}

/* An IOAPIC that has no devices: registers, one at a time (82093AA, 3.1). */
static void do_mmio(void)
{
	static uint32_t reg[IOAPIC_REGS] = { [IOAPIC_VERSION] = IOAPIC_24_PINS }, selected;
	uint32_t *at = state->mmio.phys_addr == MINI_IOAPIC + IOAPIC_WINDOW
			       ? &reg[selected % IOAPIC_REGS]
			       : &selected;

	if ((state->mmio.phys_addr & ~0x1fULL) != MINI_IOAPIC || state->mmio.len != 4)
		memset(state->mmio.data, 0xff, sizeof(state->mmio.data));
	else if (!state->mmio.is_write)
		memcpy(state->mmio.data, at, sizeof(*at));
	else if (at != &reg[IOAPIC_VERSION])
		memcpy(at, state->mmio.data, sizeof(*at));
}

static void *run(void *arg)
{
	if (knobs.renamed)
		(void)prctl(PR_SET_NAME, "fc_vcpu 0");
	running = true; /* the C library's own calls are made */
	for (;;) {
		if (ioctl(cpufd, KVM_RUN, 0) < 0 && errno != EINTR)
			mini_die("KVM_RUN");
		switch (state->exit_reason) {
		case KVM_EXIT_IO:
			do_io();
			break;
		case KVM_EXIT_MMIO:
			do_mmio();
			break;
		case KVM_EXIT_INTR:
		case KVM_EXIT_IRQ_WINDOW_OPEN:
		case KVM_EXIT_UNKNOWN:
		case KVM_EXIT_IOAPIC_EOI:
			break;
		default:
			fprintf(stderr, "exit %u\n", state->exit_reason);
			exit(1);
		}
		state->exit_reason = KVM_EXIT_INTR; /* what a signal leaves is not done twice */
	}
	return arg;
}

void mini_linux(int argc, char **argv)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	uint32_t entry;
	pthread_t thread;
	char c;

	read_knobs(argc, argv);
	vmfd = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
	console = open(knobs.console, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (vmfd < 0 || console < 0)
		mini_die(vmfd < 0 ? "/dev/kvm" : knobs.console);
	make_memory();
	entry = load();
	make_irqchip();
	cpufd = ioctl(vmfd, KVM_CREATE_VCPU, 0);
	if (cpufd < 0)
		mini_die("KVM_CREATE_VCPU");
	state = mmap(NULL, (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE,
		     MAP_SHARED, cpufd, 0);
	if (state == MAP_FAILED)
		mini_die("mmap");
	make_cpu(kvm, entry);
	if (knobs.renamed)
		(void)prctl(PR_SET_NAME, "firecracker");
	if (knobs.uid && (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY)))
		mini_die("setresuid");
	if (pthread_create(&thread, NULL, run, NULL))
		mini_die("pthread_create");
	while (!running)
		sched_yield();
	if (knobs.seccomp)
		mini_filter();
	while (read(0, &c, 1) == 1)
		;
	_exit(0);
}
