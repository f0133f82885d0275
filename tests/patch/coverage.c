/* SPDX-License-Identifier: MIT */
/*
 * coverage [-v] FILE... - which of the system call sites of programs can be patched, and in which form.
 *
 * A site is a syscall instruction that a sweep over the executable segments comes by. Nothing is executed,
 * so the number in rax is not known, as it is at a trap. -v names the sites that can't be patched.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "patch.h"

#define AROUND 4096 /* bytes on either side of a site */

struct counts {
	unsigned int sites;
	unsigned int form[PATCH_FORMS];
	unsigned int result[PATCH_RESULTS];
};

static void print_bytes(const uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		printf(" %02x", b[i]);
}

static void try_site(const uint8_t *seg, size_t size, uint64_t addr, size_t off, struct counts *c,
		     bool verbose)
{
	size_t from = off > AROUND ? off - AROUND : 0;
	size_t end = size - off > AROUND ? off + AROUND : size;
	struct patch_code code = { .bytes = seg + from,
				   .size = end - from,
				   .addr = addr + from,
				   .hi = end - from,
				   .nr = PATCH_NR_UNKNOWN };
	struct patch_plan plan;
	enum patch_result r = patch_plan(&code, off - from, 0, &plan);

	c->sites++;
	c->result[r]++;
	if (r == PATCH_OK)
		c->form[plan.form]++;
	if (!verbose || (r == PATCH_OK && plan.form == PATCH_BEFORE))
		return;
	printf("# %jx: %s:", (uintmax_t)(addr + off),
	       r == PATCH_OK ? patch_form_name(plan.form) : patch_result_name(r));
	print_bytes(seg + (off > 16 ? off - 16 : 0), off > 16 ? 16 : off);
	printf(" |");
	print_bytes(seg + off, size - off > 12 ? 12 : size - off);
	printf("\n");
}

static void sweep(const uint8_t *seg, size_t size, uint64_t addr, struct counts *c, bool verbose)
{
	struct patch_insn insn;

	for (size_t off = 0; off < size;) {
		size_t len = patch_decode(seg + off, size - off, &insn);

		if (len && insn.flow == PATCH_FLOW_SYSCALL)
			try_site(seg, size, addr, off, c, verbose);
		off += len ? len : 1;
	}
}

static int look_at(const char *path, bool verbose)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct counts c = { 0 };
	const Elf64_Ehdr *eh;
	const Elf64_Phdr *ph;
	struct stat st;
	const char *map;

	if (fd < 0 || fstat(fd, &st) < 0) {
		perror(path);
		return 1;
	}
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	eh = (const void *)map;
	if (map == MAP_FAILED || (size_t)st.st_size < sizeof(*eh) ||
	    memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0)
		return 1;
	ph = (const void *)(map + eh->e_phoff);
	for (int i = 0; i < eh->e_phnum; i++)
		if (ph[i].p_type == PT_LOAD && ph[i].p_flags & PF_X)
			sweep((const uint8_t *)map + ph[i].p_offset, ph[i].p_filesz, ph[i].p_vaddr,
			      &c, verbose);
	printf("%-28s %5u sites: %5u before %4u across %4u after; no: %3u signal return %3u no window %3u unproved %3u jump\n",
	       strrchr(path, '/') ? strrchr(path, '/') + 1 : path, c.sites, c.form[PATCH_BEFORE],
	       c.form[PATCH_ACROSS], c.form[PATCH_AFTER], c.result[PATCH_SIGRETURN],
	       c.result[PATCH_NO_WINDOW], c.result[PATCH_UNPROVED], c.result[PATCH_JUMP_IN]);
	munmap((void *)(uintptr_t)map, (size_t)st.st_size);
	return 0;
}

int main(int argc, char **argv)
{
	bool verbose = argc > 1 && !strcmp(argv[1], "-v");
	int bad = 0;

	for (int i = 1 + verbose; i < argc; i++)
		bad |= look_at(argv[i], verbose);
	return bad;
}
