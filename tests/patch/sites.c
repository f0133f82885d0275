/* SPDX-License-Identifier: MIT */
#include "sites.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE   4096ull
#define AROUND 1024 /* bytes on either side of a site */

static int map_image(const Elf64_Ehdr *eh, const Elf64_Phdr *ph, uint64_t base,
		     struct sites_image *image)
{
	uint64_t lo = UINT64_MAX, hi = 0;
	void *map;

	for (int i = 0; i < eh->e_phnum; i++)
		if (ph[i].p_type == PT_LOAD) {
			lo = ph[i].p_vaddr < lo ? ph[i].p_vaddr : lo;
			hi = ph[i].p_vaddr + ph[i].p_memsz > hi ? ph[i].p_vaddr + ph[i].p_memsz
								: hi;
		}
	if (lo >= hi)
		return -ENOEXEC;
	lo &= -PAGE;
	map = mmap((void *)(uintptr_t)(base + lo), hi - lo, PROT_READ | PROT_WRITE | PROT_EXEC,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (map == MAP_FAILED)
		return -errno;
	image->map = map;
	image->size = hi - lo;
	return 0;
}

static int load(const uint8_t *file, size_t size, uint64_t base, struct sites_image *image)
{
	const Elf64_Ehdr *eh = (const void *)file;
	const Elf64_Phdr *ph;
	int r;

	if (size < sizeof(*eh) || memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0 ||
	    eh->e_machine != EM_X86_64 || eh->e_phoff > size ||
	    eh->e_phnum * sizeof(*ph) > size - eh->e_phoff)
		return -ENOEXEC;
	ph = (const void *)(file + eh->e_phoff);
	if (eh->e_type == ET_EXEC)
		base = 0;
	r = map_image(eh, ph, base, image);
	for (int i = 0; i < eh->e_phnum && r == 0; i++) {
		uint8_t *to = (void *)(uintptr_t)(base + ph[i].p_vaddr);

		if (ph[i].p_type != PT_LOAD)
			continue;
		if (ph[i].p_offset > size || ph[i].p_filesz > size - ph[i].p_offset ||
		    ph[i].p_filesz > ph[i].p_memsz)
			return -ENOEXEC;
		memcpy(to, file + ph[i].p_offset, ph[i].p_filesz);
		if (ph[i].p_flags & PF_X && image->n < sizeof(image->seg) / sizeof(image->seg[0]))
			image->seg[image->n++] =
				(struct sites_segment){ to, ph[i].p_filesz, (uintptr_t)to };
	}
	return r;
}

int sites_load(const char *path, uint64_t base, struct sites_image *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct sites_image image = { 0 };
	struct stat st;
	uint8_t *file;
	int r;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	r = -errno;
	close(fd);
	if (file == MAP_FAILED)
		return r;
	r = load(file, (size_t)st.st_size, base, &image);
	munmap(file, (size_t)st.st_size);
	if (r < 0)
		sites_unload(&image);
	else
		*ret = image;
	return r;
}

void sites_unload(struct sites_image *image)
{
	if (image->map)
		munmap(image->map, image->size);
	*image = (struct sites_image){ 0 };
}

bool sites_next(const struct sites_segment *seg, size_t *off)
{
	struct patch_insn insn;

	while (*off < seg->size) {
		size_t len = patch_decode(seg->bytes + *off, seg->size - *off, &insn);

		if (len && insn.flow == PATCH_FLOW_SYSCALL)
			return true;
		*off += len ? len : 1;
	}
	return false;
}

static enum patch_result plan_with(const struct sites_segment *seg, size_t off, size_t around,
				   unsigned int skip, struct patch_plan *ret_plan)
{
	size_t from = off > around ? off - around : 0;
	size_t end = seg->size - off > around ? off + around : seg->size;
	struct patch_code code = {
		.bytes = seg->bytes + from,
		.size = end - from,
		.addr = seg->addr + from,
		.hi = end - from,
		.nr = PATCH_NR_UNKNOWN,
	};

	return patch_plan(&code, off - from, skip, ret_plan);
}

enum patch_result sites_plan(const struct sites_segment *seg, size_t off, unsigned int skip,
			     struct patch_plan *ret_plan)
{
	struct patch_plan plan;

	if (plan_with(seg, off, AROUND, 0, &plan) == PATCH_UNPROVED)
		return plan_with(seg, off, seg->size, skip, ret_plan);
	return plan_with(seg, off, AROUND, skip, ret_plan);
}
