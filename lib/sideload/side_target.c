/* SPDX-License-Identifier: MIT */
#include "side_target.h"

#include <errno.h>
#include <string.h>

#define STRUCT_MAX 65536 /* bytes of a structure that can be true */

static const struct side_field_name field_names[] = {
#define X(name, structure, member, other) { structure, member, other },
	SIDE_FIELDS(X)
#undef X
};

enum symbol {
#define X(name, other, type, args) FUNCTION_##name,
	SIDE_FUNCTIONS(X)
#undef X
	FUNCTIONS,
	WORKQUEUE = FUNCTIONS,
	CURRENT,
	CURRENT_HOT, /* Linux 6.2 to 6.14: a member of it */
	PER_CPU,
	RAISED_LIST,
	OTHER_FOPS,
	RESOURCES,
	PANIC_CPU,
	REGISTER_GSI,
	UNREGISTER_GSI,
	CFI, /* arch/x86/kernel/cfi.c, Linux 6.1 */
	SYMBOLS
};

static const struct side_symbol_name symbol_names[SYMBOLS] = {
#define X(name, other, type, args) [FUNCTION_##name] = { #name, other, true },
	SIDE_FUNCTIONS(X)
#undef X
		[WORKQUEUE] = { "system_wq", "system_percpu_wq", false },
	[CURRENT] = { "current_task", "", false },
	[CURRENT_HOT] = { "pcpu_hot", "", false },
	[PER_CPU] = { "__per_cpu_offset", NULL, false },
	[RAISED_LIST] = { "raised_list", NULL, false },
	[OTHER_FOPS] = { "def_chr_fops", NULL, false },
	[RESOURCES] = { "iomem_resource", NULL, false },
	[PANIC_CPU] = { "panic_cpu", "", false },
	[REGISTER_GSI] = { "acpi_register_gsi", "", true },
	[UNREGISTER_GSI] = { "acpi_unregister_gsi", "", true },
	[CFI] = { "handle_cfi_failure", "", false },
};

_Static_assert(sizeof(struct side_functions) == FUNCTIONS * sizeof(uint64_t), "pointers alone");
_Static_assert(sizeof(struct side_fields) == ARRAY_SIZE(field_names) * sizeof(uint32_t),
	       "offsets alone");

static int lacks(const char *kind, const char *name, struct err *e)
{
	return err_set(
		e, ENOTSUP,
		"the guest's kernel has no %s '%s', which is needed inside of it; nothing was changed",
		kind, name);
}

int side_target_symbols(const struct ksyms *k, const struct side_symbol_name *names, size_t n,
			uint64_t *ret, size_t *ret_lacks)
{
	struct ksym_want want[2 * SIDE_NAMES_MAX];

	if (n > SIDE_NAMES_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		const char *other = names[i].other;

		want[i] = (struct ksym_want){ .name = names[i].name };
		want[n + i] = (struct ksym_want){ .name = other && *other ? other : names[i].name };
	}
	(void)ksyms_lookup(k, want, 2 * n);
	for (size_t i = 0; i < n; i++) {
		ret[i] = want[i].addr.v ? want[i].addr.v : want[n + i].addr.v;
		if (names[i].code && (ret[i] < KIMAGE_AREA || ret[i] >= KIMAGE_AREA_END))
			ret[i] = 0;
		if (!ret[i] && !(names[i].other && !*names[i].other)) {
			*ret_lacks = i;
			return -ENOENT;
		}
	}
	return 0;
}

static int find_symbols(const struct ksyms *k, uint64_t ret[SYMBOLS], struct err *e)
{
	size_t i;

	_Static_assert((size_t)SYMBOLS <= SIDE_NAMES_MAX, "all at once");
	if (side_target_symbols(k, symbol_names, SYMBOLS, ret, &i) < 0)
		return lacks(symbol_names[i].code ? "function" : "variable", symbol_names[i].name,
			     e);
	if (ret[CFI])
		return err_set(
			e, ENOTSUP,
			"the guest's kernel checks what its functions are called through (CFI); nothing was "
			"changed");
	return 0;
}

int side_target_field(const struct btf *b, const char *structure, const char *member,
		      const char *other, uint32_t *ret)
{
	struct btf_member m = { 0 };
	uint64_t value = 0;
	uint32_t type;
	int r = btf_find(b, structure, &type);

	if (!r && !*member)
		r = btf_size(b, type, &value);
	else if (!r) {
		r = btf_member(b, type, member, &m);
		if (r == -ENOENT && other)
			r = btf_member(b, type, other, &m);
		value = m.bit / 8;
	}
	if (r < 0)
		return r;
	if (value > STRUCT_MAX || m.bit % 8 || m.bits)
		return -EPROTO;
	*ret = (uint32_t)value;
	return 0;
}

int side_target_members(const struct btf *b, const struct side_field_name *names, size_t n,
			uint32_t *ret, size_t *ret_lacks)
{
	for (size_t i = 0; i < n; i++) {
		const char *other = names[i].other;
		bool optional = other && !*other;
		int r = side_target_field(b, names[i].structure, names[i].member,
					  optional ? NULL : other, &ret[i]);

		if (r == -ENOENT && optional) {
			ret[i] = 0;
		} else if (r < 0) {
			*ret_lacks = i;
			return r;
		}
	}
	return 0;
}

bool side_target_fits(const struct side_fields *f)
{
	return f->irq_work_size <= SIDE_ROOM_IRQ_WORK && f->irq_work_func + 8 <= f->irq_work_size &&
	       f->irq_work_flags + 4 <= f->irq_work_size && f->work_size <= SIDE_ROOM_WORK &&
	       f->work_entry + 16 <= f->work_size && f->work_func + 8 <= f->work_size &&
	       f->completion_size <= SIDE_ROOM_COMPLETION &&
	       f->completion_done + 4 <= f->completion_size &&
	       f->completion_wait + 8 <= f->completion_size &&
	       f->wait_head_size <= SIDE_ROOM_WAIT_HEAD &&
	       f->wait_entry_size <= SIDE_ROOM_WAIT_ENTRY && f->fops_size <= SIDE_ROOM_FOPS &&
	       f->fops_read + 8 <= f->fops_size && f->fops_write + 8 <= f->fops_size &&
	       f->fops_poll + 8 <= f->fops_size && f->fops_release + 8 <= f->fops_size &&
	       f->path_size == 16 && !f->path_mnt && f->path_dentry == 8;
}

int side_target_fields(const struct btf *b, struct side_fields *ret, struct err *e)
{
	uint32_t at[ARRAY_SIZE(field_names)];
	size_t i;

	if (side_target_members(b, field_names, ARRAY_SIZE(field_names), at, &i) < 0)
		return lacks("type", field_names[i].structure, e);
	memcpy(ret, at, sizeof(at));
	return side_target_fits(ret)
		       ? 0
		       : err_set(e, ENOTSUP,
				 "structures of the guest's kernel are not what they are in any other; "
				 "nothing was changed");
}

static int bad_memory(const char *what, struct err *e)
{
	return err_set(e, EPROTO, "the guest's %s makes no sense; nothing was changed", what);
}

static int resource_fields(const struct btf *b, struct side_resource_fields *ret, struct err *e)
{
	if (side_target_field(b, "resource", "start", NULL, &ret->start) < 0 ||
	    side_target_field(b, "resource", "end", NULL, &ret->end) < 0 ||
	    side_target_field(b, "resource", "child", NULL, &ret->child) < 0 ||
	    side_target_field(b, "resource", "sibling", NULL, &ret->sibling) < 0)
		return lacks("type", "resource", e);
	return 0;
}

/* The ranges in the tree of resources, below its root: what firmware and drivers know of. */
static int find_taken(const struct vm *v, gva_t root, const struct side_resource_fields *f,
		      struct side_target *ret, struct err *e)
{
	uint64_t at = 0;

	if (gview_read(&v->view, (gva_t){ root.v + f->child }, &at, sizeof(at)) < 0)
		return bad_memory("list of resources", e);
	while (at) {
		struct side_taken *t = &ret->taken[ret->ntaken];

		if (ret->ntaken == SIDE_TAKEN_MAX ||
		    gview_read(&v->view, (gva_t){ at + f->start }, &t->start, sizeof(t->start)) <
			    0 ||
		    gview_read(&v->view, (gva_t){ at + f->end }, &t->end, sizeof(t->end)) < 0 ||
		    gview_read(&v->view, (gva_t){ at + f->sibling }, &at, sizeof(at)) < 0)
			return bad_memory("list of resources", e);
		ret->ntaken++;
	}
	return 0;
}

/* Without types: is it a task, by its name, that the first processor has at @current? */
static bool is_current(const struct vm *v, uint64_t per_cpu, uint64_t current)
{
	const struct kfield *comm = &v->fields.f[TASK_COMM];
	char name[KTASK_COMM + 1] = { 0 };
	uint64_t at = 0;

	return comm->there && !gview_read(&v->view, (gva_t){ per_cpu }, &at, sizeof(at)) &&
	       !gview_read(&v->view, (gva_t){ at + current }, &at, sizeof(at)) &&
	       !gview_read(&v->view, (gva_t){ at + comm->off }, name, KTASK_COMM) &&
	       (uint8_t)*name > ' ' && *name != 0x7f && strlen(name) < KTASK_COMM;
}

/* The place of a processor's task has two names, and was the first member of a structure meanwhile (Linux 6.2 to 6.14). */
static int find_current(const struct vm *v, const uint64_t at[SYMBOLS], uint64_t *ret,
			struct err *e)
{
	uint32_t hot = 0;

	*ret = at[CURRENT];
	if (!*ret && at[CURRENT_HOT] &&
	    (!v->have_types || !side_target_field(&v->btf, "pcpu_hot", "current_task", NULL, &hot)))
		*ret = at[CURRENT_HOT] + hot;
	if (!*ret)
		return lacks("variable", symbol_names[CURRENT].name, e);
	if (!v->have_types && !is_current(v, at[PER_CPU], *ret))
		return bad_memory("task of a processor", e);
	return 0;
}

int side_target_find(const struct vm *v, struct side_target *ret, struct err *e)
{
	struct side_resource_fields resource;
	uint64_t at[SYMBOLS] = { 0 };
	int r = find_symbols(&v->symbols, at, e);

	*ret = (struct side_target){ 0 };
	if (!r && v->have_types) {
		r = side_target_fields(&v->btf, &ret->at, e);
		if (!r)
			r = resource_fields(&v->btf, &resource, e);
	} else if (!r)
		r = side_target_infer(v, (gva_t){ at[RESOURCES] }, &ret->at, &resource, e);
	if (!r)
		r = find_current(v, at, &ret->current_at, e);
	if (r < 0)
		return r;
	memcpy(&ret->call, at, sizeof(ret->call));
	ret->other_fops = at[OTHER_FOPS];
	ret->raised_list.v = at[RAISED_LIST];
	ret->panic_cpu.v = at[PANIC_CPU];
	if (at[REGISTER_GSI] && at[UNREGISTER_GSI]) {
		ret->register_gsi = at[REGISTER_GSI];
		ret->unregister_gsi = at[UNREGISTER_GSI];
	}
	if (gview_read(&v->view, (gva_t){ at[WORKQUEUE] }, &ret->workqueue,
		       sizeof(ret->workqueue)) < 0 ||
	    !ret->workqueue)
		return bad_memory("list of work queues", e);
	ret->ncpu = gview_read_some(&v->view, (gva_t){ at[PER_CPU] }, ret->per_cpu,
				    sizeof(ret->per_cpu)) /
		    sizeof(ret->per_cpu[0]);
	if (side_target_disk(v, &ret->disk, &ret->no_disk) < 0)
		ret->disk = (struct side_target_disk){ .direct = 0 };
	return find_taken(v, (gva_t){ at[RESOURCES] }, &resource, ret, e);
}

void side_target_find_undo(const struct vm *v, struct side_target *ret)
{
	size_t i;

	*ret = (struct side_target){ 0 };
	if (side_target_symbols(&v->symbols, &symbol_names[PANIC_CPU], 1, &ret->panic_cpu.v, &i) <
	    0)
		ret->panic_cpu.v = 0;
}
