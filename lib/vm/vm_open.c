/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "vm.h"

#define LINKED_AT  0xffffffff81000000ULL /* _text, where KASLR adds nothing */
#define COPY_READS 2000000
#define LOOKS      3

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

/* Page by page, of whatever size; what is not mapped or can't be read is zeros. */
static int copy_image(struct vm *v, struct err *e)
{
	uint64_t reads = COPY_READS;
	size_t size = (size_t)(v->range.end.v - v->range.start.v);
	uint8_t *data = calloc(1, size);
	gva_t at = v->range.start;
	struct pt_page p;

	if (!data)
		return err_set(e, ENOMEM, "no memory for a copy of the guest's kernel");
	v->image = (struct kimage){ data, size, v->range.start };
	while (pt_next(&v->view.pt, at, v->range.end, &reads, &p) == 1) {
		uint64_t from = p.gva.v < at.v ? at.v : p.gva.v, end = p.gva.v + p.size;

		end = end > v->range.end.v ? v->range.end.v : end;
		(void)!kvm_read(&v->kvm, (gpa_t){ p.gpa.v + (from - p.gva.v) },
				data + (from - v->range.start.v), (size_t)(end - from));
		at.v = end;
	}
	return 0;
}

static int open_once(const struct vm_info *info, struct vm *ret, struct err *e)
{
	int r = vm_look(info, ret, e);
	const struct kvm_cpu *c = &ret->kvm.cpu[0];

	if (r < 0)
		return r;
	if (!ret->kvm.nslot ||
	    gview_init_kernel(&ret->view, &c->cr, (gva_t){ c->lstar }, kvm_read, &ret->kvm) < 0 ||
	    kimage_find(&ret->view.pt, (gva_t){ c->lstar }, &ret->range) < 0)
		return no_linux(ret, e);
	r = copy_image(ret, e);
	if (!r && kimage_release(&ret->image, ret->release) < 0)
		r = no_linux(ret, e);
	return r;
}

/* The guest runs while it is read: a process that ends just then takes the page tables with it that its processor had. */
int vm_open(const struct vm_info *info, struct vm *ret, struct err *e)
{
	int r = open_once(info, ret, e);

	for (int i = 1; i < LOOKS && r == -ENOTSUP && ret->kvm.ncpu && ret->kvm.cpu[0].lstar; i++) {
		vm_close(ret);
		r = open_once(info, ret, e);
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

/* The kernel's own tables: those that a processor has just now go with the process that they are of. */
static void take_own_tables(struct vm *v, gva_t tables)
{
	const gva_t entry = { v->kvm.cpu[0].lstar };
	struct pt own = v->view.pt;
	gpa_t is, would_be;

	if (!tables.v || pt_translate(&v->view.pt, tables, &own.root) < 0 ||
	    pt_translate(&v->view.pt, entry, &is) < 0 || pt_translate(&own, entry, &would_be) < 0 ||
	    is.v != would_be.v)
		return;
	v->view.pt.root = own.root;
}

int vm_open_kernel(struct vm *v, struct err *e)
{
	struct ksym_want want[] = { { .name = "_text" },
				    { .name = "init_task" },
				    { .name = "prb" },
				    { .name = "modules" },
				    { .name = "init_top_pgt" } };
	int r = kallsyms_find(&v->image, &v->symbols);

	if (r < 0)
		return err_set(e, -r, "the symbols of the guest's kernel were not found");
	(void)kallsyms_lookup(&v->symbols, want, ARRAY_SIZE(want));
	v->slide = (want[0].addr.v ? want[0].addr.v : v->range.start.v) - LINKED_AT;
	take_own_tables(v, want[4].addr);
	r = open_types(v, &v->no_types);
	if (r == -ENOMEM)
		return err_set(e, ENOMEM, "%s", v->no_types.msg);
	v->have_types = !r;
	v->guest = (struct kguest){ .view = &v->view,
				    .fields = &v->fields,
				    .init_task = want[1].addr,
				    .prb = want[2].addr,
				    .modules = want[3].addr };
	return 0;
}

void vm_close(struct vm *v)
{
	free((void *)(uintptr_t)v->image.data);
	free(v->btf_index);
	pid_close(&v->ref);
	v->image.data = NULL;
	v->btf_index = NULL;
}

uint64_t vm_memory(const struct vm *v)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < v->kvm.nslot; i++)
		if (v->kvm.slot[i].placed && !v->kvm.slot[i].readonly)
			sum += v->kvm.slot[i].size;
	return sum;
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
	struct kmod_iter i = { 0 };
	struct kmod mod;

	memcpy(ret, all, sizeof(all));
	for (size_t k = 0; k < VM_DRIVERS; k++)
		want[k] = (struct ksym_want){ .name = all[k].symbol };
	(void)kallsyms_lookup(&v->symbols, want, VM_DRIVERS);
	for (size_t k = 0; k < VM_DRIVERS; k++)
		ret[k].state = want[k].addr.v ? VM_DRIVER_BUILTIN : VM_DRIVER_NONE;
	while (v->have_types && kmod_next(&v->guest, &i, &mod) == 1)
		for (size_t k = 0; k < VM_DRIVERS; k++)
			if (!strcmp(mod.name, all[k].name))
				ret[k].state = VM_DRIVER_MODULE;
}
