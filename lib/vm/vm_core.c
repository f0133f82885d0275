/* SPDX-License-Identifier: MIT */
#include "vm_core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "elfcore.h"
#include "kcoreinfo.h"
#include "kvm_hold.h"
#include "kvm_pages.h"

#define CHUNK     (KVM_PAGES_CHUNK * PT_PAGE)
#define PAGES_MAX (1ULL << 40) /* 52 bits of physical addresses */

/* Where all memory is mapped, if the kernel does not say: Documentation/x86/x86_64/mm.rst. */
#define MAP_4_LEVELS 0xffff888000000000ULL
#define MAP_5_LEVELS 0xff11000000000000ULL

struct core {
	struct vm *vm;
	const struct vm_core_opts *opts;
	struct vm_core_result *res;
	int fd;
	struct kvm_pages pages;
	struct kvm_hold hold;
	struct elfcore elf;
	struct elfcore_load load[KVM_SLOTS_MAX];
	hva_t hva[KVM_SLOTS_MAX]; /* of each load */
	struct elfcore_cpu *cpu;
	char *info;
	uint8_t *buf; /* CHUNK */
};

/* --- what the head says --- */

static struct elfcore_segment segment(const struct kvm_segment *s)
{
	uint32_t flags = (uint32_t)s->type << 8 | (uint32_t)s->s << 12 | (uint32_t)s->dpl << 13 |
			 (uint32_t)s->present << 15 | (uint32_t)s->avl << 20 |
			 (uint32_t)s->l << 21 | (uint32_t)s->db << 22 | (uint32_t)s->g << 23;

	return (struct elfcore_segment){
		.selector = s->selector, .limit = s->limit, .flags = flags, .base = s->base
	};
}

static struct elfcore_segment table(const struct kvm_dtable *t)
{
	return (struct elfcore_segment){ .limit = t->limit, .base = t->base };
}

static struct elfcore_cpu processor(const struct kvm_cpu_state *c)
{
	const struct kvm_regs *g = &c->regs;
	const struct kvm_sregs *s = &c->sregs;

	return (struct elfcore_cpu){ .rax = g->rax,
				     .rbx = g->rbx,
				     .rcx = g->rcx,
				     .rdx = g->rdx,
				     .rsi = g->rsi,
				     .rdi = g->rdi,
				     .rsp = g->rsp,
				     .rbp = g->rbp,
				     .r8 = g->r8,
				     .r9 = g->r9,
				     .r10 = g->r10,
				     .r11 = g->r11,
				     .r12 = g->r12,
				     .r13 = g->r13,
				     .r14 = g->r14,
				     .r15 = g->r15,
				     .rip = g->rip,
				     .rflags = g->rflags,
				     .cs = segment(&s->cs),
				     .ds = segment(&s->ds),
				     .es = segment(&s->es),
				     .fs = segment(&s->fs),
				     .gs = segment(&s->gs),
				     .ss = segment(&s->ss),
				     .ldt = segment(&s->ldt),
				     .tr = segment(&s->tr),
				     .gdt = table(&s->gdt),
				     .idt = table(&s->idt),
				     .cr = { s->cr0, 0, s->cr2, s->cr3, s->cr4 },
				     .kernel_gs_base = c->kernel_gs_base };
}

static int by_number(const void *a, const void *b)
{
	const struct kvm_cpu_state *x = a, *y = b;

	return (x->idx > y->idx) - (x->idx < y->idx);
}

/* By the numbers that KVM gave them: readers take the order for the guest's own numbers. */
static int take_processors(struct core *c, struct err *e)
{
	size_t n = c->hold.ncpu;
	_cleanup_free_ struct kvm_cpu_state *sorted = calloc(n + 1, sizeof(*sorted));

	c->cpu = calloc(n + 1, sizeof(*c->cpu));
	if (!sorted || !c->cpu)
		return err_set(e, ENOMEM, "no memory for the registers");
	memcpy(sorted, c->hold.cpu, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), by_number);
	for (size_t i = 0; i < n; i++)
		c->cpu[i] = processor(&sorted[i]);
	c->elf.cpu = c->cpu;
	c->elf.ncpu = c->res->ncpu = n;
	return 0;
}

static int by_gpa(const void *a, const void *b)
{
	const struct kvm_slot *x = a, *y = b;

	return (x->gpa.v > y->gpa.v) - (x->gpa.v < y->gpa.v);
}

/* Memory, not ROMs; what the guest has at a place that is not known can't be in it. */
static void take_memory(struct core *c)
{
	struct kvm_vm *k = &c->vm->kvm;

	qsort(k->slot, k->nslot, sizeof(k->slot[0]), by_gpa);
	c->res->missing = k->unknown_slots;
	for (size_t i = 0; i < k->nslot; i++) {
		const struct kvm_slot *s = &k->slot[i];

		if (s->readonly)
			continue;
		if (!s->placed) {
			c->res->missing++;
			continue;
		}
		c->hva[c->elf.nload] = s->hva;
		c->load[c->elf.nload++] =
			(struct elfcore_load){ .paddr = s->gpa.v, .size = s->size };
		c->res->memory += s->size;
	}
	c->elf.load = c->load;
}

/* Where the kernel's image is, if that is in one piece, as Linux has it. */
static void take_image(struct core *c, gva_t text, gva_t end)
{
	const struct pt *pt = &c->vm->view.pt;
	uint64_t size = (end.v - text.v + PT_PAGE - 1) & ~(PT_PAGE - 1);
	gpa_t first, last;

	if (!text.v || end.v <= text.v || size > KIMAGE_SIZE_MAX || text.v % PT_PAGE)
		return;
	if (pt_translate(pt, text, &first) < 0 ||
	    pt_translate(pt, (gva_t){ text.v + size - PT_PAGE }, &last) < 0 ||
	    last.v != first.v + size - PT_PAGE)
		return;
	c->elf.image = (struct elfcore_load){ .vaddr = text.v, .paddr = first.v, .size = size };
}

/* Where the kernel has all memory: its own word, believed if the image is found there. */
static void take_map(struct core *c, gva_t symbol)
{
	uint64_t base = c->vm->view.pt.levels == 5 ? MAP_5_LEVELS : MAP_4_LEVELS;
	gpa_t at;

	if (!c->elf.image.size)
		return;
	if (symbol.v && gview_read(&c->vm->view, symbol, &base, sizeof(base)) < 0)
		return;
	if (pt_translate(&c->vm->view.pt, (gva_t){ base + c->elf.image.paddr }, &at) < 0 ||
	    at.v != c->elf.image.paddr)
		return;
	for (size_t i = 0; i < c->elf.nload; i++)
		c->load[i].vaddr = base + c->load[i].paddr;
}

/* How much memory the kernel has above all that was found. */
static void take_end(struct core *c, gva_t max_pfn)
{
	uint64_t pages = 0, end = 0;

	if (!max_pfn.v || gview_read(&c->vm->view, max_pfn, &pages, sizeof(pages)) < 0 ||
	    pages > PAGES_MAX)
		return;
	if (c->elf.nload)
		end = c->load[c->elf.nload - 1].paddr + c->load[c->elf.nload - 1].size;
	if (pages * PT_PAGE > end)
		c->res->beyond = pages * PT_PAGE - end;
}

static int take_kernel(struct core *c, struct err *e)
{
	struct ksym_want want[] = { { .name = "_text" },
				    { .name = "_end" },
				    { .name = "page_offset_base" },
				    { .name = "max_pfn" },
				    { .name = "vmcoreinfo_note" },
				    { .name = "vmcoreinfo_data" },
				    { .name = "vmcoreinfo_size" } };
	struct kcoreinfo_symbols symbols;

	c->res->has_symbols = ksyms_count(&c->vm->symbols) > 0;
	if (!c->res->has_symbols)
		return 0;
	(void)ksyms_lookup(&c->vm->symbols, want, ARRAY_SIZE(want));
	take_image(c, want[0].addr, want[1].addr);
	take_map(c, want[2].addr);
	take_end(c, want[3].addr);
	c->info = malloc(KCOREINFO_MAX);
	if (!c->info)
		return err_set(e, ENOMEM, "no memory");
	symbols = (struct kcoreinfo_symbols){ want[4].addr, want[5].addr, want[6].addr };
	if (!kcoreinfo_read(&c->vm->view, &symbols, c->info, &c->elf.vmcoreinfo_size))
		c->elf.vmcoreinfo = c->info;
	c->res->has_info = c->elf.vmcoreinfo;
	return 0;
}

/* --- the file --- */

static int write_at(const struct core *c, const void *data, size_t len, uint64_t off, struct err *e)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(c->fd, (const uint8_t *)data + done, len - done,
				   (off_t)(off + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(e, n ? errno : ENOSPC, "cannot write '%.150s': %s",
				       c->opts->path, err_str(n ? errno : ENOSPC));
		done += (size_t)n;
	}
	return 0;
}

/* What it said of itself can't be: its image is where no memory is, or the map of all memory has no room. */
static void forget_guest(struct core *c)
{
	c->elf.image.size = 0;
	for (size_t i = 0; i < c->elf.nload; i++)
		c->load[i].vaddr = 0;
}

static int write_head(struct core *c, struct err *e)
{
	_cleanup_free_ void *head = NULL;
	int r = elfcore_plan(&c->elf);

	if (r == -EINVAL && c->elf.image.size) {
		forget_guest(c);
		r = elfcore_plan(&c->elf);
	}
	if (r < 0)
		return err_set(e, -r,
			       "the memory slots of process %d are none that a core can have",
			       c->vm->info.pid);
	head = calloc(1, c->elf.head_size);
	if (!head)
		return err_set(e, ENOMEM, "no memory");
	elfcore_write(&c->elf, head);
	if (ftruncate(c->fd, (off_t)c->elf.file_size) < 0)
		return err_set(e, errno, "cannot make '%.150s' %llu MiB long: %s", c->opts->path,
			       (unsigned long long)c->elf.file_size >> 20, err_str(errno));
	return write_at(c, head, c->elf.head_size, 0, e);
}

static bool is_zero(const uint8_t *page)
{
	uint64_t first;

	memcpy(&first, page, sizeof(first));
	return !first && !memcmp(page, page + sizeof(first), PT_PAGE - sizeof(first));
}

/* Of @n pages those that are not zeros. */
static int write_pages(struct core *c, size_t n, uint64_t off, struct err *e)
{
	for (size_t i = 0, run; i < n; i += run) {
		bool zero = is_zero(c->buf + i * PT_PAGE);
		int r;

		for (run = 1; i + run < n && is_zero(c->buf + (i + run) * PT_PAGE) == zero;)
			run++;
		if (zero)
			continue;
		r = write_at(c, c->buf + i * PT_PAGE, run * PT_PAGE, off + i * PT_PAGE, e);
		if (r < 0)
			return r;
		c->res->written += run * PT_PAGE;
	}
	return 0;
}

static int copy_load(struct core *c, size_t idx, uint64_t before, struct err *e)
{
	const struct elfcore_load *l = &c->load[idx];

	for (uint64_t at = 0; at < l->size; at += CHUNK) {
		size_t n = (size_t)((l->size - at < CHUNK ? l->size - at : CHUNK) / PT_PAGE);
		int r = kvm_pages_read(&c->pages, (hva_t){ c->hva[idx].v + at }, n, c->buf);

		if (r < 0)
			return err_set(
				e, -r,
				r == -ESRCH
					? "the machine of process %d ended while its memory was copied"
					: "the memory of process %d can't be read",
				c->vm->info.pid);
		r = write_pages(c, n, l->off + at, e);
		if (r < 0)
			return r;
		progress_tell(c->opts->progress, "copying memory", before + at + n * PT_PAGE,
			      c->res->memory);
	}
	return 0;
}

/* --- the machine --- */

/* What would wait for a thread that stands must not be asked for. */
static int check_pages(struct core *c, struct err *e)
{
	for (size_t i = 0; i < c->elf.nload; i++)
		if (kvm_pages_on_demand(&c->pages, c->hva[i], c->load[i].size))
			return err_set(
				e, EBUSY,
				"memory of process %d is still being brought to it (userfaultfd: a migration or a restore): "
				"--pause would wait for ever; leave that out",
				c->vm->info.pid);
	return 0;
}

static int let_run(struct core *c, struct err *e)
{
	uint64_t ns = 0;
	int r = kvm_hold_end(&c->hold, &ns, e);

	c->res->paused_ns += ns;
	return r;
}

static int make(struct core *c, struct err *e)
{
	struct vm *v = c->vm;
	uint64_t before = 0;
	int r = kvm_pages_open(&v->ref, &c->pages, e);

	if (r < 0)
		return r;
	take_memory(c);
	r = c->opts->pause ? check_pages(c, e) : 0;
	if (r < 0)
		return r;
	r = kvm_hold(&v->ref, &v->fds, v->info.vmfd, &c->hold, e);
	if (!r && !c->opts->pause)
		r = let_run(c, e);
	if (!r)
		r = take_processors(c, e);
	if (!r)
		r = take_kernel(c, e);
	if (!r)
		r = write_head(c, e);
	for (size_t i = 0; !r && i < c->elf.nload; i++) {
		r = copy_load(c, i, before, e);
		before += c->load[i].size;
	}
	c->res->lost = c->pages.lost;
	if (!r && c->opts->pause)
		r = let_run(c, e);
	return r;
}

int vm_core_write(struct vm *v, int fd, const struct vm_core_opts *opts, struct vm_core_result *ret,
		  struct err *e)
{
	struct core c = { .vm = v,
			  .opts = opts,
			  .res = ret,
			  .fd = fd,
			  .pages = KVM_PAGES_INIT,
			  .hold = KVM_HOLD_INIT,
			  .buf = malloc(CHUNK) };
	int r;

	*ret = (struct vm_core_result){ .paused_ns = v->kvm.stopped_ns + v->kvm.probing_ns };
	r = c.buf ? make(&c, e) : err_set(e, ENOMEM, "no memory");
	/* first of all */
	kvm_hold_fini(&c.hold);
	kvm_pages_close(&c.pages);
	free(c.cpu);
	free(c.info);
	free(c.buf);
	return r;
}
