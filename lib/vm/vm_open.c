/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kinfer.h"
#include "vm.h"

#define LINKED_AT       0xffffffff81000000ULL /* _text, where KASLR adds nothing */
#define COPY_READS      2000000
#define TABLES          16
#define NOWHERE         UINT64_MAX
#define CONSTANTS_LEAST (1U << 20)
#define LOOKS_AGAIN     2

int vm_look(const struct vm_info *info, struct vm *ret, struct err *e)
{
	int r;

	ret->info = *info;
	r = pid_open(info->pid, &ret->ref, e);
	if (!r)
		r = kvm_fds_find(&ret->ref, &ret->fds, e);
	if (!r && ret->fds.more)
		r = err_set(
			e, E2BIG,
			"process %d has more than %d virtual processors or %d machines, which is too much for vmsh",
			info->pid, KVM_CPUS_MAX, KVM_VMS_MAX);
	if (!r)
		r = kvm_look(&ret->ref, &ret->fds, info->vmfd, &ret->kvm, e);
	if (!r && !ret->kvm.ncpu)
		r = err_set(e, ENOTSUP, "the machine of process %d has no processor yet",
			    info->pid);
	return r;
}

static int no_linux(const struct vm *v, struct err *e)
{
	const struct kvm_cpu *c = &v->kvm.cpu[0];
	const char *what =
		!(c->cr.cr0 & 1)          ? "it is in real mode: firmware, or a boot loader"
		: !(c->cr.efer & 1 << 10) ? "it is not in long mode: firmware, or a boot loader"
		: !c->lstar
			? "its processors have no entry for system calls: firmware, or another kernel"
		: !v->kvm.nslot
			? "its memory could not be told from the other mappings of its hypervisor"
			: "its kernel is not where Linux would be";

	return err_set(e, ENOTSUP,
		       "no Linux was found in the machine of process %d: %s; nothing was changed",
		       v->info.pid, what);
}

/*
 * Tables, each of which is copied once: entries one by one are a system call each. The first, which is a process's own and
 * goes with it, stays; those of the kernel's image, below it, are the same in all.
 */
struct tables {
	struct kvm_vm *vm;
	gpa_t at[TABLES];
	uint64_t entry[TABLES][PT_PAGE / 8];
	size_t n, next;
};

static int read_table(void *arg, gpa_t gpa, uint64_t *ret)
{
	struct tables *t = arg;
	const gpa_t page = { gpa.v & ~(PT_PAGE - 1) };
	size_t i = 0;

	while (i < t->n && t->at[i].v != page.v)
		i++;
	if (i == t->n) {
		i = t->next;
		t->at[i].v = NOWHERE; /* a read that fails may have written half */
		if (kvm_read(t->vm, page, t->entry[i], PT_PAGE) < 0)
			return kvm_read(t->vm, gpa, ret, sizeof(*ret));
		t->at[i] = page;
		t->n = t->n < TABLES ? t->n + 1 : TABLES;
		t->next = i + 1 < TABLES ? i + 1 : 1;
	}
	*ret = t->entry[i][gpa.v % PT_PAGE / 8];
	return 0;
}

/* Until vm_open_kernel() has the kernel's own tables. */
static int read_kept(void *arg, gpa_t gpa, uint64_t *ret)
{
	struct vm *v = arg;

	if (!v->top || gpa.v - v->top_at.v >= PT_PAGE)
		return kvm_read(&v->kvm, gpa, ret, sizeof(*ret));
	*ret = v->top[(gpa.v - v->top_at.v) / 8];
	return 0;
}

/* Constants: symbols, types and the banner are there, in no other part. */
static bool is_constant(const struct pt_page *p)
{
	return !p->write && !p->exec;
}

/* Where constants are, from the first to the last, if the kernel protects them; else all of the image. */
static struct krange constants(const struct pt *pt, struct krange image)
{
	struct krange r = { { 0 }, { 0 } };
	uint64_t reads = COPY_READS;
	gva_t at = image.start;
	struct pt_page p;

	while (pt_next(pt, at, image.end, &reads, &p) == 1) {
		at.v = p.gva.v + p.size;
		if (!is_constant(&p))
			continue;
		if (!r.end.v)
			r.start.v = p.gva.v < image.start.v ? image.start.v : p.gva.v;
		r.end.v = at.v > image.end.v ? image.end.v : at.v;
	}
	return r.end.v - r.start.v < CONSTANTS_LEAST ? image : r;
}

/* Memory that is in one piece for the guest, and as it is there. */
struct piece {
	uint64_t off, len; /* in the copy */
	gpa_t gpa;
};

/* A page that can't be read is zeros; it does not take along what is behind it. */
static void copy_piece(struct vm *v, const struct piece *p, uint8_t *data)
{
	if (!kvm_read(&v->kvm, p->gpa, data + p->off, (size_t)p->len))
		return;
	for (uint64_t off = 0, n; off < p->len; off += n) {
		const gpa_t gpa = { p->gpa.v + off };
		uint8_t *to = data + p->off + off;

		n = PT_PAGE - gpa.v % PT_PAGE;
		n = n < p->len - off ? n : p->len - off;
		if (kvm_read(&v->kvm, gpa, to, (size_t)n) < 0)
			memset(to, 0, (size_t)n);
	}
}

/* What is mapped of @range. */
static int copy_range(struct vm *v, const struct pt *pt, struct krange range, struct err *e)
{
	uint64_t reads = COPY_READS;
	size_t size = (size_t)(range.end.v - range.start.v);
	uint8_t *data = calloc(1, size);
	struct piece piece = { 0 };
	gva_t at = range.start;
	struct pt_page p;

	if (!data)
		return err_set(e, ENOMEM, "no memory for a copy of the guest's kernel");
	v->image = (struct kimage){ data, size, range.start };
	while (pt_next(pt, at, range.end, &reads, &p) == 1) {
		uint64_t from = p.gva.v < at.v ? at.v : p.gva.v, end = p.gva.v + p.size,
			 gpa = p.gpa.v + (from - p.gva.v);

		end = end > range.end.v ? range.end.v : end;
		if (from - range.start.v != piece.off + piece.len ||
		    gpa != piece.gpa.v + piece.len) {
			copy_piece(v, &piece, data);
			piece = (struct piece){ from - range.start.v, 0, { gpa } };
		}
		piece.len += end - from;
		at.v = end;
	}
	copy_piece(v, &piece, data);
	return 0;
}

/* Its constants; all of it if its banner is not there. Return: 0; -ENOTSUP it has none; -errno. */
static int copy_image(struct vm *v, const struct pt *pt, struct err *e)
{
	const struct krange part = constants(pt, v->range);
	int r = copy_range(v, pt, part, e);

	if (!r && kimage_release(&v->image, v->release) < 0) {
		free((void *)(uintptr_t)v->image.data);
		v->image.data = NULL;
		r = copy_range(v, pt, v->range, e);
		if (!r && kimage_release(&v->image, v->release) < 0)
			r = no_linux(v, e);
	}
	return r;
}

/* Return: 0; -ENOTSUP; -errno. */
static int open_image(struct vm *v, struct err *e)
{
	const struct kvm_cpu *c = &v->kvm.cpu[0];
	_cleanup_free_ struct tables *tables = calloc(1, sizeof(*tables));
	struct pt pt;

	if (!tables)
		return err_set(e, ENOMEM, "no memory for tables");
	if (!v->kvm.nslot ||
	    gview_init_kernel(&v->view, &c->cr, (gva_t){ c->lstar }, kvm_read, &v->kvm) < 0)
		return no_linux(v, e);
	tables->vm = &v->kvm;
	pt = v->view.pt;
	pt.read = read_table;
	pt.arg = tables;
	if (pt_translate(&pt, (gva_t){ c->lstar }, &v->entry) < 0 ||
	    kimage_find(&pt, (gva_t){ c->lstar }, &v->range) < 0)
		return no_linux(v, e);
	if (!v->top)
		v->top = malloc(PT_PAGE);
	if (!v->top)
		return err_set(e, ENOMEM, "no memory for tables");
	v->top_at = tables->at[0];
	memcpy(v->top, tables->entry[0], PT_PAGE);
	v->view.pt.read = read_kept;
	v->view.pt.arg = v;
	return copy_image(v, &pt, e);
}

/* How long it stood is counted on. */
static int look_again(struct vm *v, struct err *e)
{
	const uint64_t stopped = v->kvm.stopped_ns, probing = v->kvm.probing_ns;
	int r = kvm_look(&v->ref, &v->fds, v->info.vmfd, &v->kvm, e);

	if (!r) {
		v->kvm.stopped_ns += stopped;
		v->kvm.probing_ns += probing;
	}
	return r;
}

int vm_open(const struct vm_info *info, struct vm *ret, struct err *e)
{
	int r = vm_look(info, ret, e);

	if (!r)
		r = open_image(ret, e);
	/* the tables that its processor had may have gone with the process that they were of */
	for (int again = 0;
	     r == -ENOTSUP && ret->kvm.nslot && ret->kvm.cpu[0].lstar && again < LOOKS_AGAIN;
	     again++) {
		free((void *)(uintptr_t)ret->image.data);
		ret->image.data = NULL;
		r = look_again(ret, e);
		if (!r)
			r = open_image(ret, e);
	}
	return r;
}

static int open_types(struct vm *v, struct err *e)
{
	const uint8_t *data;
	uint32_t n = 0;
	size_t size;
	int r = btf_locate(&v->image, &data, &size);

	if (!r)
		r = btf_count(data, size, &n);
	if (r >= 0 && !n)
		r = -ENODATA;
	if (r < 0)
		return err_set(
			e, -r,
			"the guest's kernel has no description of its types (CONFIG_DEBUG_INFO_BTF)");
	v->btf_index = calloc(n, sizeof(*v->btf_index));
	if (!v->btf_index)
		return err_set(e, ENOMEM, "no memory for the types of the guest's kernel");
	r = btf_open(&v->btf, data, size, v->btf_index, n);
	return r < 0 ? err_set(e, -r, "the types of the guest's kernel are damaged")
		     : kfields_fill(&v->fields, &v->btf, e);
}

/* What can be told without a description of types: by the memory of tasks, and by what readers of dumps are told of the log. */
static int infer(struct vm *v, struct err *e)
{
	_cleanup_free_ struct kinfer *k = calloc(1, sizeof(*k));
	struct err why = { 0 };
	int r;

	if (!k)
		return err_set(e, ENOMEM, "no memory for what is inferred of the guest's kernel");
	memset(&v->fields, 0, sizeof(v->fields));
	if (!ksyms_read_info(&v->symbols))
		(void)!kinfer_log(&v->symbols, &v->fields);
	r = kinfer_tasks(k, &v->view, v->guest.init_task, &v->fields, &why);
	if (r < 0)
		(void)err_set(&v->no_tasks, v->no_types.code, "%s, and %s", v->no_types.msg,
			      why.msg);
	return 0;
}

int vm_open_kernel(struct vm *v, struct err *e)
{
	struct ksym_want want[] = { { .name = "_text" },
				    { .name = "init_task" },
				    { .name = "prb" },
				    { .name = "modules" },
				    { .name = "init_top_pgt" } };
	int r;

	v->coreinfo = malloc(KCOREINFO_MAX);
	if (!v->coreinfo)
		return err_set(e, ENOMEM, "no memory for what the guest's kernel says of itself");
	r = ksyms_open(&v->symbols, &v->image, &v->view, v->coreinfo);
	if (r < 0)
		return err_set(
			e, -r,
			"the symbols of the guest's kernel were not found: it has none (CONFIG_KALLSYMS), or they are not where this vmsh knows them to be; nothing was changed");
	(void)ksyms_lookup(&v->symbols, want, ARRAY_SIZE(want));
	v->slide = (want[0].addr.v ? want[0].addr.v : v->range.start.v) - LINKED_AT;
	/* the kernel's own: those that a processor had may have gone since, with the process that they were of */
	if (want[4].addr.v &&
	    !pt_take(&v->view.pt, want[4].addr, (gva_t){ v->kvm.cpu[0].lstar }, v->entry)) {
		free(v->top);
		v->top = NULL;
	}
	r = open_types(v, &v->no_types);
	if (r == -ENOMEM)
		return err_set(e, ENOMEM, "%s", v->no_types.msg);
	v->have_types = !r;
	v->guest = (struct kguest){ .view = &v->view,
				    .fields = &v->fields,
				    .init_task = want[1].addr,
				    .prb = want[2].addr,
				    .modules = want[3].addr };
	return v->have_types ? 0 : infer(v, e);
}

void vm_close(struct vm *v)
{
	free((void *)(uintptr_t)v->image.data);
	free(v->top);
	free(v->btf_index);
	free(v->coreinfo);
	pid_close(&v->ref);
	v->image.data = NULL;
	v->top = NULL;
	v->btf_index = NULL;
	v->coreinfo = NULL;
}

uint64_t vm_memory(const struct vm *v)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < v->kvm.nslot; i++)
		if (v->kvm.slot[i].placed && !v->kvm.slot[i].readonly)
			sum += v->kvm.slot[i].size;
	return sum;
}

struct drivers {
	const struct vm *vm;
	struct vm_driver *v; /* VM_DRIVERS of them */
};

/* A module that is found is there, however the walk ends. */
static int find_modules(void *arg)
{
	const struct drivers *d = arg;
	struct kmod_iter i = { 0 };
	struct kmod mod;
	int r;

	while ((r = kmod_next(&d->vm->guest, &i, &mod)) == 1)
		for (size_t k = 0; k < VM_DRIVERS; k++)
			if (!strcmp(mod.name, d->v[k].name))
				d->v[k].state = VM_DRIVER_MODULE;
	return r;
}

void vm_drivers(const struct vm *v, struct vm_driver ret[VM_DRIVERS])
{
	static const struct vm_driver all[VM_DRIVERS] = {
		{ "virtio_mmio", "virtio_mmio_probe", 0 },
		{ "virtio_pci", "virtio_pci_probe", 0 },
		{ "virtio_blk", "virtblk_probe", 0 },
		{ "virtio_console", "virtcons_probe", 0 },
		{ "virtio_net", "virtnet_probe", 0 },
		{ "fuse", "fuse_conn_init", 0 },
		{ "virtiofs", "virtio_fs_probe", 0 },
		{ "9pnet_virtio", "p9_virtio_probe", 0 },
		{ "overlay", "ovl_fill_super", 0 },
		{ "ext4", "ext4_fill_super", 0 },
	};
	struct ksym_want want[VM_DRIVERS];
	struct drivers d = { v, ret };

	memcpy(ret, all, sizeof(all));
	for (size_t k = 0; k < VM_DRIVERS; k++)
		want[k] = (struct ksym_want){ .name = all[k].symbol };
	(void)ksyms_lookup(&v->symbols, want, VM_DRIVERS);
	for (size_t k = 0; k < VM_DRIVERS; k++)
		ret[k].state = want[k].addr.v ? VM_DRIVER_BUILTIN : VM_DRIVER_NONE;
	if (v->have_types)
		(void)!kguest_walk(find_modules, &d);
}
