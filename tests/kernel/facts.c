/* SPDX-License-Identifier: MIT */
/*
 * kernel-facts VMLINUX [symbols|variables|exported|code NAME...|infer MEMORY CR3|members TYPE.MEMBER...] - what lib/kernel makes of a kernel's file.
 *
 * "variables" are the symbols of all that is no code: where the bytes of their names are in memory, and how many.
 * "code" shows where a variable is by the symbols and by the code of functions.
 * "infer" compares what the memory of a guest with that kernel tells (a file, from address 0 on) with what its types say.
 *
 * The segments are laid out as in memory, where the kernel is linked to.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "btf.h"
#include "io.h"
#include "kallsyms.h"
#include "kinfer_files.h"
#include "ksyms_code.h"

static void die(const char *what)
{
	fprintf(stderr, "kernel-facts: %s\n", what);
	exit(1);
}

static struct kimage load(const char *path)
{
	char *file;
	size_t size, end = 0;
	uint8_t *image;

	if (io_read_at(AT_FDCWD, path, 1 << 28, &file, &size) < 0)
		die("can't read the kernel");
	const Elf64_Ehdr *h = (const void *)file;
	const Elf64_Phdr *p = (const void *)(file + h->e_phoff);
	uint64_t base = UINT64_MAX;

	for (int i = 0; i < h->e_phnum; i++)
		if (p[i].p_type == PT_LOAD && p[i].p_vaddr >= KIMAGE_AREA) {
			base = p[i].p_vaddr < base ? p[i].p_vaddr : base;
			end = p[i].p_vaddr + p[i].p_memsz > end ? p[i].p_vaddr + p[i].p_memsz : end;
		}
	image = calloc(1, end - base);
	if (!image)
		die("no memory");
	for (int i = 0; i < h->e_phnum; i++)
		if (p[i].p_type == PT_LOAD && p[i].p_vaddr >= KIMAGE_AREA)
			memcpy(image + (p[i].p_vaddr - base), file + p[i].p_offset, p[i].p_filesz);
	free(file);
	return (struct kimage){ image, end - base, { base } };
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void symbols(const struct kallsyms *s)
{
	struct kallsyms_iter i = { 0 };
	struct ksym sym;
	int r;

	while ((r = kallsyms_next(s, &i, &sym)) == 1)
		printf("%016" PRIx64 " %c %s\n", sym.addr.v, sym.type, sym.name);
	if (r < 0)
		die("the names break off");
}

/* As scripts/kallsyms.c tells them: what is not between the two that begin and end code, and code of the start. */
static void variables(const struct kallsyms *s)
{
	struct ksym_want code[] = { { .name = "_stext" },
				    { .name = "_etext" },
				    { .name = "_sinittext" },
				    { .name = "_einittext" } };
	struct kallsyms_iter i = { 0 };
	struct ksym sym;

	if (kallsyms_lookup(s, code, ARRAY_SIZE(code)) < ARRAY_SIZE(code))
		die("no bounds of code");
	for (size_t at = 0; kallsyms_next(s, &i, &sym) == 1; at = i.off) {
		const size_t head = s->image->data[s->names + at] & 0x80 ? 2 : 1;
		const uint64_t v = sym.addr.v;

		if ((v < code[0].addr.v || v > code[1].addr.v) &&
		    (v < code[2].addr.v || v > code[3].addr.v))
			printf("%" PRIx64 " %zu\n", s->image->base.v + s->names + at + head,
			       i.off - at - head);
	}
}

static void exported(const struct kimage *k)
{
	struct ksymtab t;
	const char *name;
	gva_t v;

	if (ksymtab_find(k, &t) < 0)
		die("no ksymtab");
	for (size_t i = 0; i < t.count; i++) {
		if (ksymtab_at(&t, i, &name, &v) < 0)
			die("a broken entry");
		printf("%016" PRIx64 " %s\n", v.v, name);
	}
	fprintf(stderr, "%zu exported, %u bytes each\n", t.count, t.stride);
}

static bool has_btf(const struct kimage *k)
{
	const uint8_t *data;
	size_t size;

	return !btf_locate(k, &data, &size);
}

static void open_btf(const struct kimage *k, struct btf *b)
{
	const uint8_t *data;
	uint32_t n = 0;
	size_t size;

	if (btf_locate(k, &data, &size) < 0 || btf_count(data, size, &n) < 0)
		die("no BTF");
	if (btf_open(b, data, size, calloc(n, sizeof(uint32_t)), n) < 0)
		die("broken BTF");
}

static void member(const struct btf *b, char *path)
{
	char *name = path + strcspn(path, ".");
	struct btf_member m;
	uint64_t size = 0;
	uint32_t id;

	*name++ = '\0';
	if (btf_find(b, path, &id) < 0 || btf_member(b, id, name, &m) < 0 ||
	    btf_size(b, m.type, &size) < 0)
		printf("%s.%s -\n", path, name);
	else
		printf("%s.%s %" PRIu64 " %" PRIu64 "\n", path, name, m.bit / 8, size);
}

#define TABLE_ROOT 0x1000
#define TABLE_NEXT 0x2000
#define LARGE      0x81 /* present, a page of 1 GiB */

/* The file as memory: two page tables, and the area of the image behind them. */
static int read_memory(void *arg, gpa_t gpa, void *dst, size_t len)
{
	const struct kimage *k = arg;
	const uint64_t entry = gpa.v < TABLE_NEXT ? TABLE_NEXT + 1
						  : (KIMAGE_AREA & UINT32_MAX) | LARGE;
	const void *p = gpa.v < KIMAGE_SIZE_MAX ? &entry
						: kimage_at(k, (gva_t){ gpa.v | KIMAGE_AREA }, len);

	if (!p)
		return -EFAULT;
	memcpy(dst, p, len);
	return 0;
}

static void code(struct kimage *k, char **names, int n)
{
	static const struct pt_regs_cr cr = { 1ULL << 31, TABLE_ROOT, 1 << 5, 1 << 10 };
	static char info[KCOREINFO_MAX];
	struct ksyms s;
	struct gview v;

	if (gview_init(&v, &cr, read_memory, k) < 0 || ksyms_open(&s, k, &v, info) < 0 ||
	    !s.all.count)
		die("no kallsyms");
	for (int i = 0; i < n; i++) {
		struct ksym_want want = { .name = names[i] };

		(void)kallsyms_lookup(&s.all, &want, 1);
		printf("%s %" PRIx64 " %" PRIx64 "\n", names[i], want.addr.v,
		       ksyms_by_code(&s, names[i]).v);
	}
}

struct memory {
	char *data;
	size_t size;
};

static int read_physical(void *arg, gpa_t gpa, void *dst, size_t len)
{
	const struct memory *m = arg;

	if (gpa.v > m->size || len > m->size - gpa.v)
		return -EFAULT;
	memcpy(dst, m->data + gpa.v, len);
	return 0;
}

static void print_files(const struct kinfer *in, const struct ksyms *s)
{
	struct kinfer_files f = { 0 };
	struct err e = { 0 };

	if (kinfer_files(in, s, &f, &e) < 0)
		die(e.msg);
	printf("fs %u, llseek %u, read %u, write %u, poll %u, open %u, release %u, f_op %u, f_flags %u\n",
	       f.fs, f.llseek, f.read, f.write, f.poll, f.open, f.release, f.op, f.flags);
}

static void infer(struct kimage *k, const struct kfields *is, const char *path, const char *cr3)
{
	const struct pt_regs_cr cr = { 1ULL << 31, strtoull(cr3, NULL, 16), 1 << 5, 1 << 10 };
	struct ksym_want init_task = { .name = "init_task" };
	static char info[KCOREINFO_MAX];
	static struct kinfer in;
	struct kfields fields = { 0 };
	struct memory m;
	struct err e = { 0 };
	struct ksyms s;
	struct gview v;

	if (io_read_at(AT_FDCWD, path, 1 << 30, &m.data, &m.size) < 0 ||
	    gview_init(&v, &cr, read_physical, &m) < 0 || ksyms_open(&s, k, &v, info) < 0 ||
	    !ksyms_lookup(&s, &init_task, 1))
		die("no memory of a guest");
	if (kinfer_tasks(&in, &v, init_task.addr, &fields, &e) < 0)
		die(e.msg);
	if (ksyms_read_info(&s) < 0 || kinfer_log(&s, &fields) < 0)
		printf("no VMCOREINFO\n");
	for (size_t i = 0; i < KFIELDS; i++) {
		const struct kfield *a = &fields.f[i], *b = &is->f[i];
		const bool same = a->off == b->off && a->bit == b->bit && a->bits == b->bits;

		if (i != TASK_SIZE)
			printf("%zu: %s, %u is %u\n", i,
			       !a->there ? "not told"
			       : same    ? "same"
					 : "DIFFERS",
			       a->off, b->off);
	}
	print_files(&in, &s);
}

int main(int argc, char **argv)
{
	double started = now_ms();
	char release[KRELEASE_MAX] = "?";
	struct kfields fields;
	struct err e = { 0 };
	struct kallsyms s;
	struct kimage k;
	struct btf b;

	if (argc < 2)
		die("usage: kernel-facts VMLINUX [symbols|variables|exported|code NAME...|infer MEMORY CR3|members TYPE.MEMBER...]");
	k = load(argv[1]);
	if (argc > 2 && !strcmp(argv[2], "exported")) {
		exported(&k);
		return 0;
	}
	if (argc > 2 && !strcmp(argv[2], "members")) {
		open_btf(&k, &b);
		for (int i = 3; i < argc; i++)
			member(&b, argv[i]);
		return 0;
	}
	if (argc > 2 && !strcmp(argv[2], "code")) {
		code(&k, argv + 3, argc - 3);
		return 0;
	}
	double loaded = now_ms();
	if (kallsyms_find(&k, &s) < 0)
		die("no kallsyms");
	if (argc > 2 && !strcmp(argv[2], "symbols")) {
		symbols(&s);
		return 0;
	}
	if (argc > 2 && !strcmp(argv[2], "variables")) {
		variables(&s);
		return 0;
	}
	double found = now_ms();
	(void)!kimage_release(&k, release);
	memset(&fields, 0, sizeof(fields));
	if (argc == 2 || has_btf(&k))
		open_btf(&k, &b);
	double opened = now_ms();
	if ((argc == 2 || has_btf(&k)) && kfields_fill(&fields, &b, &e) < 0)
		die(e.msg);
	if (argc > 2 && !strcmp(argv[2], "infer") && argc == 5) {
		infer(&k, &fields, argv[3], argv[4]);
		return 0;
	}
	printf("release %s\nsymbols %u, addresses of kind %u\ntypes %u\n", release, s.count,
	       (unsigned int)s.kind, b.count);
	for (size_t i = 0; i < KFIELDS; i++)
		printf("%zu:%s%u/%u ", i, fields.f[i].there ? "" : "none ", fields.f[i].off,
		       fields.f[i].size);
	printf("\nload %.1f ms, kallsyms %.1f ms, BTF %.1f ms, fields %.1f ms\n", loaded - started,
	       found - loaded, opened - found, now_ms() - opened);
	return 0;
}
