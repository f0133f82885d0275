// SPDX-License-Identifier: GPL-2.0-only
/* setup.c - from a program of the host to start_kernel(). */
/*
 * Theory of operation
 *
 * The command line of the program is the kernel's: its words are joined, those with blanks in
 * quotes. Two are for us: mem=SIZE (with K, M or G) and initrd=PATH, or initrd=fd:N for a descriptor
 * that we got, whose file is emptied once it is read: it may hold a disk's key. "_start" first calls
 * lo_share_image(), still on the host's stack, then lo_main() on the stack of the init task, which
 * checks the host, maps the RAM, reads the initrd into it and starts Linux. setup_arch() tells
 * Linux of that.
 */
#include <asm/fpu.h>
#include <asm/hostproc.h>
#include <asm/lo.h>
#include <asm/map.h>
#include <asm/setup.h>
#include <asm/trap.h>
#include <asm/vdso.h>
#include <linux/console.h>
#include <linux/init.h>
#include <linux/initrd.h>
#include <linux/irq.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/sched/task.h>
#include <linux/start_kernel.h>
#include <linux/string.h>

#include "../host/host.h"

#define DEFAULT_RAM (1UL << 30)
#define MIN_RAM     (32UL << 20)
#define MAX_RAM     (LO_VMALLOC - LO_RAM)
/* Below the arguments on the host's stack: room to call what runs on it before the kernel does. */
#define STACK_GAP 4096

unsigned long lo_ram_size = DEFAULT_RAM;
int lo_ram_fd;
struct lo_vcpu lo_vcpus[1] = { { .task = &init_task, .reached.mm = LO_NOBODY } };

static unsigned long initrd_at, initrd_size;
static bool verbose;

void lo_console_init(void);

/* To stderr, piece by piece: there is no printk yet. */
static void __init __noreturn refuse(const char *what, const char *object)
{
	const char *text[] = { "libos: ", what, object, "\n" };
	int i;

	for (i = 0; i < ARRAY_SIZE(text); i++)
		host_write(2, text[i], strlen(text[i]));
	host_exit(LO_EXIT_FAILED);
}

/*
 * The host has mapped the image privately, so a fork would copy it. All that the kernel writes
 * moves into a shared file, in place. Runs on the host's stack, and must not write to what it
 * moves after the copy began.
 */
void __init lo_share_image(void)
{
	unsigned long start = (unsigned long)__lo_shared_start;
	unsigned long filled = (unsigned long)__bss_start - start, off = 0;
	unsigned long size = PAGE_ALIGN((unsigned long)_end - start);
	int fd = host_memory("libos-kernel");
	long n;

	if (fd < 0 || host_truncate(fd, size) < 0)
		refuse("the host gives no memory for the kernel", "");
	while (off < filled) {
		n = host_pwrite(fd, (void *)(start + off), filled - off, off);
		if (n <= 0)
			refuse("the host gives no memory for the kernel", "");
		off += n;
	}
	if (host_map(start, size, HOST_PROT_READ | HOST_PROT_WRITE, fd, 0) < 0)
		refuse("the kernel can't be mapped", "");
	host_close(fd);
}

static void __init add_word(const char *word)
{
	bool quote = strchr(word, ' ') && word[0] != '"';
	char *line = boot_command_line;

	if (strlen(line) + strlen(word) + 4 > COMMAND_LINE_SIZE)
		refuse("the command line is too long at: ", word);
	if (line[0])
		strcat(line, " ");
	if (quote)
		strcat(line, "\"");
	strcat(line, word);
	if (quote)
		strcat(line, "\"");
}

static void __init map_ram(void)
{
	if (lo_ram_size < MIN_RAM || lo_ram_size > MAX_RAM)
		refuse("mem= must be from 32M to 8T", "");
	lo_ram_size &= PAGE_MASK;
	lo_ram_fd = host_memory("libos-ram");
	if (lo_ram_fd < 0 || host_truncate(lo_ram_fd, lo_ram_size) < 0 ||
	    host_map(LO_RAM, lo_ram_size, HOST_PROT_READ | HOST_PROT_WRITE, lo_ram_fd, 0) < 0)
		refuse("the host gives no memory", "");
	/* Where the host has huge pages for shared memory on request; it need not. */
	host_advise_huge(LO_RAM, lo_ram_size);
}

static const char *__init value_of(const char *word, const char *name)
{
	return strncmp(word, name, strlen(name)) ? NULL : word + strlen(name);
}

/* Into the RAM's third quarter and up: what Linux takes first comes from the other ends. */
static void __init read_initrd(const char *name)
{
	const char *number = value_of(name, "fd:");
	unsigned long room;
	int fd;
	long n;

	if (!number)
		fd = host_open(name);
	else if (kstrtoint(number, 10, &fd) < 0)
		fd = -EBADF;
	if (fd < 0)
		refuse("cannot open the initrd: ", name);
	initrd_at = PAGE_ALIGN(lo_ram_size / 4);
	room = lo_ram_size / 2;
	do {
		n = host_read(fd, __va(initrd_at + initrd_size), room - initrd_size);
		if (n < 0)
			refuse("cannot read the initrd: ", name);
		initrd_size += n;
	} while (n > 0 && initrd_size < room);
	if (initrd_size == room)
		refuse("mem= is too small for the initrd: ", name);
	if (number && host_truncate(fd, 0) < 0)
		refuse("cannot empty the initrd: ", name);
	host_close(fd);
}

/* Our own words; what stands after "--" is init's. Returns the path of the initrd or NULL. */
static const char *__init parse(char **words)
{
	const char *initrd = NULL, *value;

	for (; *words; words++) {
		if (!strcmp(*words, "--"))
			break;
		value = value_of(*words, "mem=");
		if (value)
			lo_ram_size = memparse(value, NULL);
		value = value_of(*words, "initrd=");
		if (value)
			initrd = value;
		if (!strcmp(*words, "verbose"))
			verbose = true;
	}
	return initrd;
}

/* `stack` holds argc, argv, NULL. */
__visible void __init lo_main(unsigned long *stack)
{
	char **words = (char **)(stack + 1) + 1, **word;
	const char *lacks = host_check(), *initrd;

	if (lacks)
		refuse(lacks, "");
	lacks = lo_fpu_init();
	if (lacks)
		refuse(lacks, "");
	if (host_map_private(LO_HOSTCPU - LO_SIGNAL_STACK, LO_SIGNAL_STACK + PAGE_SIZE,
			     HOST_PROT_READ | HOST_PROT_WRITE) < 0)
		refuse("the host gives no memory for a stack", "");
	initrd = parse(words);
	map_ram();
	if (initrd)
		read_initrd(initrd);
	for (word = words; *word; word++)
		add_word(*word);
	lo_time_calibrate();
	host_exact_sleep();
	lo_hostproc_init(((unsigned long)stack - STACK_GAP) & -16UL);
	lo_trap_init();
	start_kernel();
}

void __init setup_arch(char **ret_cmdline)
{
	unsigned long zones[MAX_NR_ZONES] = { 0 };

	*ret_cmdline = boot_command_line;
	parse_early_param();
	lo_console_init();
	memblock_add(0, lo_ram_size);
	memblock_reserve(0, PAGE_SIZE); /* physical address 0 means "none" in places */
	if (initrd_size) {
		memblock_reserve(initrd_at, initrd_size);
		initrd_start = (unsigned long)__va(initrd_at);
		initrd_end = initrd_start + initrd_size;
	}
	min_low_pfn = 0;
	max_low_pfn = max_pfn = lo_ram_size >> PAGE_SHIFT;
	set_max_mapnr(max_pfn);
	high_memory = __va(lo_ram_size);
	init_mm.pgd = swapper_pg_dir;
	setup_initial_init_mm(_text, _etext, _edata, _end);
	zones[ZONE_NORMAL] = max_pfn;
	empty_zero_page = memblock_alloc(PAGE_SIZE, PAGE_SIZE);
	if (!empty_zero_page)
		panic("no memory for the zero page");
	lo_vdso_init();
	free_area_init(zones);
}

void __init init_IRQ(void)
{
	int i;

	for (i = 0; i < NR_IRQS; i++)
		irq_set_chip_and_handler(i, &dummy_irq_chip, handle_simple_irq);
}

/* Into @seed what the processor's generator gives, which the host can't foresee; nothing if it has none. */
static void __init processor_random(u64 *seed, unsigned int n)
{
	u32 a = 1, b, c = 0, d;
	unsigned int tries;
	bool ok;

	asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	for (tries = 10 * n; c & BIT(30) && n && tries; tries--) {
		asm volatile("rdrand %0" : "=r"(*seed), "=@ccc"(ok));
		if (ok) {
			seed++;
			n--;
		}
	}
}

/* The host's word counts, as a boot loader's does; the processor's is in it as well. */
static int __init seed_random(void)
{
	u64 own[8] = {};
	u8 seed[64];

	processor_random(own, ARRAY_SIZE(own));
	add_device_randomness(own, sizeof(own));
	memzero_explicit(own, sizeof(own));
	if (host_random(seed, sizeof(seed)) == sizeof(seed))
		add_bootloader_randomness(seed, sizeof(seed));
	memzero_explicit(seed, sizeof(seed));
	return 0;
}
early_initcall(seed_random);

/* All drivers have started, no program has: the calls that only a start needs end here. */
static int __init lock_down(void)
{
	unsigned int i;
	long r = host_lock_down();

	if (r < 0)
		panic("the host refuses a system call filter: %ld", r);
	for (i = 0; verbose && host_allowed_name(i); i++)
		pr_info("host call allowed: %s\n", host_allowed_name(i));
	return 0;
}
late_initcall_sync(lock_down);
