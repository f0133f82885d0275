/* SPDX-License-Identifier: MIT */
#include "elfcore.h"

#include <assert.h>
#include <elf.h>
#include <errno.h>
#include <string.h>

#define QEMU_VERSION 1
#define FILE_END     (1ULL << 63) /* no offset is there */

/* struct elf_prstatus of x86-64 (include/linux/elfcore.h); only what a machine's processor has. */
struct prstatus {
	uint32_t signo, code, error;
	uint16_t cursig, pad0;
	uint64_t sigpend, sighold;
	uint32_t pid, ppid, pgrp, sid;
	uint64_t times[8];
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig_rax;
	uint64_t rip, cs, eflags, rsp, ss, fs_base, gs_base, ds, es, fs, gs;
	uint32_t fpvalid, pad1;
};
static_assert(sizeof(struct prstatus) == 336, "as the kernel and crash(8) have it");
static_assert(offsetof(struct prstatus, r15) == 112, "as the kernel and crash(8) have it");
static_assert(sizeof(struct elfcore_cpu) == 440, "as QEMU has it");

static size_t align4(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

static size_t note_size(const char *name, size_t size)
{
	return sizeof(Elf64_Nhdr) + align4(strlen(name) + 1) + align4(size);
}

static size_t notes_size(const struct elfcore *c)
{
	size_t n = c->ncpu * (note_size("CORE", sizeof(struct prstatus)) +
			      note_size("QEMU", sizeof(struct elfcore_cpu)));

	return c->vmcoreinfo ? n + note_size("VMCOREINFO", c->vmcoreinfo_size) : n;
}

static size_t nheaders(const struct elfcore *c)
{
	return 1 + !!c->image.size + c->nload;
}

static int check_load(const struct elfcore_load *l, uint64_t end)
{
	uint64_t unused;

	if (!l->size || l->size % ELFCORE_PAGE || l->paddr % ELFCORE_PAGE || l->paddr < end)
		return -EINVAL;
	/* the last page of all is not a place for memory, and its end would be 0 */
	if (__builtin_add_overflow(l->paddr, l->size, &unused) ||
	    __builtin_add_overflow(l->vaddr, l->size, &unused))
		return -EINVAL;
	return 0;
}

/* Within which memory is the image? */
static int place_image(struct elfcore *c)
{
	struct elfcore_load *image = &c->image;
	uint64_t unused;

	/* its last byte may be the last that there is */
	if (__builtin_add_overflow(image->vaddr, image->size - 1, &unused))
		return -EINVAL;
	for (size_t i = 0; i < c->nload; i++) {
		const struct elfcore_load *l = &c->load[i];
		uint64_t off = image->paddr - l->paddr; /* wraps to a huge value below it */

		if (off < l->size && image->size <= l->size - off) {
			image->off = l->off + off;
			return 0;
		}
	}
	return -EINVAL;
}

int elfcore_plan(struct elfcore *c)
{
	uint64_t off, end = 0;

	if (c->nload > ELFCORE_LOADS_MAX || c->ncpu > ELFCORE_CPUS_MAX ||
	    (c->vmcoreinfo && c->vmcoreinfo_size > ELFCORE_INFO_MAX))
		return -E2BIG;
	if (!c->nload)
		return -EINVAL;
	c->head_size = sizeof(Elf64_Ehdr) + nheaders(c) * sizeof(Elf64_Phdr) + notes_size(c);
	off = (c->head_size + ELFCORE_PAGE - 1) & ~(ELFCORE_PAGE - 1);
	for (size_t i = 0; i < c->nload; i++) {
		struct elfcore_load *l = &c->load[i];
		int r = check_load(l, end);

		if (r < 0)
			return r;
		end = l->paddr + l->size;
		l->off = off;
		if (__builtin_add_overflow(off, l->size, &off) || off >= FILE_END)
			return -E2BIG;
	}
	c->file_size = off;
	return c->image.size ? place_image(c) : 0;
}

static void *put(void *at, const void *data, size_t size)
{
	memcpy(at, data, size);
	return (uint8_t *)at + size;
}

static void *put_load(void *at, const struct elfcore_load *l)
{
	const Elf64_Phdr p = { .p_type = PT_LOAD,
			       .p_flags = PF_R | PF_W | PF_X,
			       .p_offset = l->off,
			       .p_vaddr = l->vaddr,
			       .p_paddr = l->paddr,
			       .p_filesz = l->size,
			       .p_memsz = l->size };

	return put(at, &p, sizeof(p));
}

static void *put_headers(const struct elfcore *c, void *at)
{
	const Elf64_Ehdr head = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
					       ELFDATA2LSB, EV_CURRENT },
				  .e_type = ET_CORE,
				  .e_machine = EM_X86_64,
				  .e_version = EV_CURRENT,
				  .e_phoff = sizeof(head),
				  .e_ehsize = sizeof(head),
				  .e_phentsize = sizeof(Elf64_Phdr),
				  .e_phnum = (uint16_t)nheaders(c) };
	const Elf64_Phdr notes = { .p_type = PT_NOTE,
				   .p_offset = sizeof(head) + nheaders(c) * sizeof(notes),
				   .p_filesz = notes_size(c),
				   .p_memsz = notes_size(c) };

	at = put(at, &head, sizeof(head));
	at = put(at, &notes, sizeof(notes));
	if (c->image.size)
		at = put_load(at, &c->image);
	for (size_t i = 0; i < c->nload; i++)
		at = put_load(at, &c->load[i]);
	return at;
}

static void *put_note(void *at, const char *name, uint32_t type, const void *data, size_t size)
{
	const Elf64_Nhdr head = { .n_namesz = (uint32_t)strlen(name) + 1,
				  .n_descsz = (uint32_t)size,
				  .n_type = type };
	uint8_t *p = memset(at, 0, note_size(name, size)), *desc;

	desc = p + sizeof(head) + align4(head.n_namesz);
	memcpy(p, &head, sizeof(head));
	memcpy(p + sizeof(head), name, head.n_namesz);
	memcpy(desc, data, size);
	return desc + align4(size);
}

static struct prstatus status_of(const struct elfcore_cpu *c, size_t idx)
{
	return (struct prstatus){ .pid = (uint32_t)idx + 1, /* as QEMU numbers them */
				  .r15 = c->r15,
				  .r14 = c->r14,
				  .r13 = c->r13,
				  .r12 = c->r12,
				  .rbp = c->rbp,
				  .rbx = c->rbx,
				  .r11 = c->r11,
				  .r10 = c->r10,
				  .r9 = c->r9,
				  .r8 = c->r8,
				  .rax = c->rax,
				  .rcx = c->rcx,
				  .rdx = c->rdx,
				  .rsi = c->rsi,
				  .rdi = c->rdi,
				  .orig_rax = 0,
				  .rip = c->rip,
				  .cs = c->cs.selector,
				  .eflags = c->rflags,
				  .rsp = c->rsp,
				  .ss = c->ss.selector,
				  .fs_base = c->fs.base,
				  .gs_base = c->gs.base,
				  .ds = c->ds.selector,
				  .es = c->es.selector,
				  .fs = c->fs.selector,
				  .gs = c->gs.selector };
}

void elfcore_write(const struct elfcore *c, void *ret)
{
	void *at = put_headers(c, ret);

	for (size_t i = 0; i < c->ncpu; i++) {
		struct prstatus s = status_of(&c->cpu[i], i);

		at = put_note(at, "CORE", NT_PRSTATUS, &s, sizeof(s));
	}
	for (size_t i = 0; i < c->ncpu; i++) {
		struct elfcore_cpu cpu = c->cpu[i];

		cpu.version = QEMU_VERSION;
		cpu.size = sizeof(cpu);
		at = put_note(at, "QEMU", 0, &cpu, sizeof(cpu));
	}
	if (c->vmcoreinfo)
		at = put_note(at, "VMCOREINFO", 0, c->vmcoreinfo, c->vmcoreinfo_size);
	assert((size_t)((uint8_t *)at - (uint8_t *)ret) == c->head_size);
}
