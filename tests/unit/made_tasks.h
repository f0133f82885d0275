/* SPDX-License-Identifier: MIT */
/*
 * made_tasks.h - tasks and files of a kernel in such memory, laid out as some kernels do.
 */
#ifndef TESTS_MADE_TASKS_H
#define TESTS_MADE_TASKS_H

#include "kinfer_files.h"
#include "made_kernel.h"

#define DIRECT MADE_DIRECT
#define SIZE   MADE_SIZE
#define N      12 /* tasks without the idle one */

enum {
	USER_PML4 = 0x4000,
	CRED = 0x5000,
	MM = 0x6000,
	SIGNAL = 0x8000, /* 64 bytes each */
	TASK = 0x10000,
	TASK_EACH = 0x4000,
	FS = 0x50000, /* of the kernel's, and of the first process */
	FS_FIRST = 0x50100,
	MOUNT = 0x51000,
	DIRECTORY = 0x51100,
	FILES = 0x52000,
	SLOT = FILES + 0x100,
	FILE_AT = 0x53000, /* FILE_EACH each */
	FILE_EACH = 0x200,
	OPS_CHR = 0x60000,
	OPS_PIPE = 0x60200,
	OPS_NULL = 0x60400,
	FUNCTION = 0x70000, /* 0x100 each, in the order of the symbols */
	STACK = 0x100000
};

enum {
	CHR_FOPS,
	SPECIAL,
	CHRDEV_OPEN,
	NOOP_LLSEEK,
	NULL_LSEEK,
	READ_NULL,
	WRITE_NULL,
	FIFO_OPEN,
	PIPE_POLL,
	PIPE_RELEASE
};
static const struct made_symbol symbols[] = {
	[CHR_FOPS] = { "def_chr_fops", OPS_CHR },
	[SPECIAL] = { "init_special_inode", FUNCTION },
	[CHRDEV_OPEN] = { "chrdev_open", FUNCTION + 0x100 },
	[NOOP_LLSEEK] = { "noop_llseek", FUNCTION + 0x200 },
	[NULL_LSEEK] = { "null_lseek", FUNCTION + 0x300 },
	[READ_NULL] = { "read_null", FUNCTION + 0x400 },
	[WRITE_NULL] = { "write_null", FUNCTION + 0x500 },
	[FIFO_OPEN] = { "fifo_open", FUNCTION + 0x600 },
	[PIPE_POLL] = { "pipe_poll", FUNCTION + 0x700 },
	[PIPE_RELEASE] = { "pipe_release", FUNCTION + 0x800 },
};

/* As 6.1 and 7.3 of Debian have them. */
struct layout {
	uint32_t stack, tasks, mm, exit_signal, pid, parent, start, cred, comm, signal;
	uint32_t uid, sets, pgd, args;
	uint32_t fs, llseek, poll, open, release, f_op, f_flags, f_mode;
};
static const struct layout old = {
	.stack = 32,
	.tasks = 2264,
	.mm = 2344,
	.exit_signal = 2408,
	.pid = 2488,
	.parent = 2504,
	.start = 2720,
	.cred = 2960,
	.comm = 2976,
	.signal = 3072,
	.uid = 8,
	.sets = 44,
	.pgd = 80,
	.args = 360,
	.fs = 3040,
	.llseek = 8,
	.poll = 72,
	.open = 112,
	.release = 128,
	.f_op = 40,
	.f_flags = 64,
	.f_mode = 68,
};
static const struct layout new = {
	.stack = 40,
	.tasks = 1200,
	.mm = 1288,
	.exit_signal = 1320,
	.pid = 1400,
	.parent = 1424,
	.start = 1640,
	.cred = 1880,
	.comm = 1896,
	.signal = 2008,
	.uid = 8,
	.sets = 48,
	.pgd = 120,
	.args = 416,
	.fs = 1968,
	.llseek = 16,
	.poll = 72,
	.open = 104,
	.release = 120,
	.f_op = 8,
	.f_flags = 40,
	.f_mode = 4,
};

static uint64_t task(int i)
{
	return TASK + (uint64_t)i * TASK_EACH;
}

static uint64_t link_of(const struct layout *l, int i)
{
	return DIRECT + task((i + N + 1) % (N + 1)) + l->tasks;
}

/* 0 is idle, 1 the first process, 2 the maker of the kernel's threads; the last two are processes. */
static bool is_thread(int i)
{
	return i != 1 && i < N - 1;
}

static void put_task(const struct layout *l, int i)
{
	const uint64_t t = task(i), signal = SIGNAL + (uint64_t)i * 64;
	const int parent = i <= 2 ? 0 : is_thread(i) ? 2 : 1;

	put32(t + l->stack - 8, i ? 1 : 0);
	put64(t + l->stack, DIRECT + STACK + (uint64_t)i * 16384);
	put32(t + l->stack + 8, 1);
	put32(t + l->stack + 12, is_thread(i) ? 0x00208040 : 0x00400100);
	put64(t + l->tasks, link_of(l, i + 1));
	put64(t + l->tasks + 8, link_of(l, i - 1));
	put64(t + l->mm, is_thread(i) ? 0 : DIRECT + MM);
	put64(t + l->mm + 8, DIRECT + MM);
	put32(t + l->exit_signal, i == 0 || i == 2 ? 0 : 17);
	put32(t + l->pid, (uint32_t)i * (i > 2 ? 7 : 1));
	put32(t + l->pid + 4, (uint32_t)i * (i > 2 ? 7 : 1));
	put64(t + l->parent, DIRECT + task(parent));
	put64(t + l->parent + 8, DIRECT + task(parent));
	put64(t + l->start - 8, (uint64_t)i * 1000000);
	put64(t + l->start, (uint64_t)i * 1000000);
	put64(t + l->cred - 24, DIRECT + t + l->cred - 24); /* an empty list */
	put64(t + l->cred - 16, DIRECT + t + l->cred - 24);
	put64(t + l->cred - 8, DIRECT + CRED);
	put64(t + l->cred, DIRECT + CRED);
	(void)snprintf((char *)made_memory + t + l->comm, 16, i ? "task/%d" : "swapper/%d", i);
	put64(t + l->signal, DIRECT + signal);
	put32(signal, 1);
	put32(signal + 4, 1);
	put32(signal + 8, 1);
	put64(signal + 16, DIRECT + t + l->signal - 400);
	put64(signal + 24, DIRECT + t + l->signal - 400);
}

static void put_function(uint64_t at, int symbol)
{
	put64(at, MADE_IMAGE + symbols[symbol].at);
}

static void put_ops(const struct layout *l)
{
	put_function(OPS_CHR + l->llseek, NOOP_LLSEEK);
	put_function(OPS_CHR + l->open, CHRDEV_OPEN);
	put_function(OPS_PIPE + l->poll, PIPE_POLL);
	put_function(OPS_PIPE + l->open, FIFO_OPEN);
	put_function(OPS_PIPE + l->release, PIPE_RELEASE);
	put_function(OPS_NULL + l->llseek, NULL_LSEEK);
	put_function(OPS_NULL + l->llseek + 8, READ_NULL);
	put_function(OPS_NULL + l->llseek + 16, WRITE_NULL);
	put(put_load(put_load(FUNCTION, OPS_CHR), OPS_PIPE), "\xc3", 1);
}

static void put_paths(uint64_t fs)
{
	for (uint64_t at = fs + 24; at <= fs + 40; at += 16) {
		put64(at, DIRECT + MOUNT);
		put64(at + 8, DIRECT + DIRECTORY);
	}
}

/* Of which reads and writes, which writes, and which reads. */
static void put_files(const struct layout *l)
{
	static const struct {
		uint32_t flags, mode, ops;
	} file[] = { { 02, 3, OPS_NULL }, { 0100001, 2, OPS_NULL }, { 0100000, 1, OPS_PIPE } };

	put64(FILES + 16, DIRECT + FILES + 16);
	put64(FILES + 24, DIRECT + FILES + 16);
	put64(FILES + 32, DIRECT + FILES + 40);
	put32(FILES + 40, 64);
	put64(FILES + 48, DIRECT + SLOT);
	for (uint64_t i = 0; i < ARRAY_SIZE(file); i++) {
		const uint64_t at = FILE_AT + i * FILE_EACH;

		put64(SLOT + i * 8, DIRECT + at);
		put64(at + l->f_op, MADE_IMAGE + file[i].ops);
		put32(at + l->f_flags, file[i].flags);
		put32(at + l->f_mode, file[i].mode | 1U << 19);
	}
}

static void make(const struct layout *l)
{
	made_clear();
	put64(USER_PML4 + 511 * 8, MADE_PDPT_IMAGE | 3);
	put32(CRED, 100);
	for (int i = 1; i < 4; i++)
		put64(CRED + l->sets + (uint64_t)i * 8, (1ULL << 41) - 1);
	put64(MM + l->pgd, DIRECT + USER_PML4);
	for (uint64_t i = 0; i < 5; i++) /* a stack, and before it bounds of code and data */
		put64(MM + l->args - 8 + i * 8, 0x7fff00001000 + (i - i / 3) * 0x10);
	for (uint64_t i = 0; i < 5; i++)
		put64(MM + l->args - 64 + i * 8, 0x400000 + i * 0x1000);
	for (int i = 0; i <= N; i++)
		put_task(l, i);
	put_paths(FS);
	put_paths(FS_FIRST);
	put64(MOUNT, DIRECT + DIRECTORY);
	for (int i = 0; i < 3; i++) {
		put64(task(i) + l->fs - 8, DIRECT + (i == 1 ? FS_FIRST : FS)); /* a second one */
		put64(task(i) + l->fs, DIRECT + (i == 1 ? FS_FIRST : FS));
		put64(task(i) + l->fs + 8, DIRECT + FILES);
	}
	put_ops(l);
	put_files(l);
}

/* As of a kernel that names all of its symbols. */
static struct ksyms made_ksyms(const struct gview *v)
{
	struct ksyms s = { .image = &made_image, .view = v, .whole = true };

	s.all = made_symbols(symbols, ARRAY_SIZE(symbols));
	return s;
}

#endif
