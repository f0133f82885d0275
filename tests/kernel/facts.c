/* SPDX-License-Identifier: MIT */
/*
 * kernel-facts VMLINUX [symbols|exported|members TYPE.MEMBER...] - what lib/kernel makes of a kernel's file.
 *
 * The segments are laid out as in memory, where the kernel is linked to.
 */
#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "btf.h"
#include "io.h"
#include "kallsyms.h"
#include "kfields.h"
#include "ksymtab.h"

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
		die("usage: kernel-facts VMLINUX [symbols|exported|members TYPE.MEMBER...]");
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
	double loaded = now_ms();
	if (kallsyms_find(&k, &s) < 0)
		die("no kallsyms");
	if (argc > 2) {
		symbols(&s);
		return 0;
	}
	double found = now_ms();
	(void)!kimage_release(&k, release);
	open_btf(&k, &b);
	double opened = now_ms();
	if (kfields_fill(&fields, &b, &e) < 0)
		die(e.msg);
	printf("release %s\nsymbols %u, addresses of kind %u\ntypes %u\n", release, s.count,
	       (unsigned int)s.kind, b.count);
	for (size_t i = 0; i < KFIELDS; i++)
		printf("%zu:%s%u/%u ", i, fields.f[i].there ? "" : "none ", fields.f[i].off,
		       fields.f[i].size);
	printf("\nload %.1f ms, kallsyms %.1f ms, BTF %.1f ms, fields %.1f ms\n", loaded - started,
	       found - loaded, opened - found, now_ms() - opened);
	return 0;
}
