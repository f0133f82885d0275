/* SPDX-License-Identifier: MIT */
/* What a disk needs of a guest's kernel, beside what the library needs: most kernels have it, and one that lacks it is not refused. */
#include <errno.h>
#include <string.h>

#include "side_target.h"

/* Of Linux without CONFIG_DYNAMIC_MEMORY_LAYOUT (arch/x86/include/asm/page_64_types.h, pgtable_64_types.h): four levels of tables. */
#define DIRECT    0xffff888000000000ULL
#define PAGE_LIST 0xffffea0000000000ULL

static const struct side_field_name field_names[] = {
#define X(name, structure, member, other) { structure, member, other },
	SIDE_DISK_FIELDS(X)
#undef X
};

enum symbol {
#define X(name, other, type, args) FUNCTION_##name,
	SIDE_DISK_FUNCTIONS(X)
#undef X
	FUNCTIONS,
	CHIP = FUNCTIONS,
	HANDLER,
	DIRECT_AT, /* a variable that says it */
	PAGE_LIST_AT,
	ONE_LIST, /* all struct pages are in one row (SPARSEMEM_VMEMMAP) */
	SYMBOLS
};

static const struct side_symbol_name symbol_names[SYMBOLS] = {
#define X(name, other, type, args) [FUNCTION_##name] = { #name, other, true },
	SIDE_DISK_FUNCTIONS(X)
#undef X
		[CHIP] = { "dummy_irq_chip", NULL, false },
	[HANDLER] = { "handle_simple_irq", NULL, true },
	[DIRECT_AT] = { "page_offset_base", "", false },
	[PAGE_LIST_AT] = { "vmemmap_base", "", false },
	[ONE_LIST] = { "vmemmap_populate", NULL, false },
};

_Static_assert(sizeof(struct side_disk_functions) == FUNCTIONS * sizeof(uint64_t),
	       "pointers alone");
_Static_assert(sizeof(struct side_disk_fields) == ARRAY_SIZE(field_names) * sizeof(uint32_t),
	       "offsets alone");

static int lacks(const char *name, struct err *e)
{
	return err_set(e, ENOTSUP, "the guest's kernel has no '%s', which a disk for it needs",
		       name);
}

static bool fits(const struct side_disk_fields *f)
{
	return f->page_size >= 8 && 2 * f->resource_size <= SIDE_DISK_ROOM_RESOURCES &&
	       f->resource_start + 8 <= f->resource_size &&
	       f->resource_end + 8 <= f->resource_size &&
	       f->resource_flags + 8 <= f->resource_size && f->ops_size <= SIDE_DISK_ROOM_OPS &&
	       f->ops_alloc + 8 <= f->ops_size && f->ops_free + 8 <= f->ops_size &&
	       f->ops_map_page + 8 <= f->ops_size && f->ops_unmap_page + 8 <= f->ops_size &&
	       f->ops_map_phys + 8 <= f->ops_size && f->ops_unmap_phys + 8 <= f->ops_size &&
	       f->ops_max_mapping_size + 8 <= f->ops_size &&
	       !f->ops_map_page == !f->ops_unmap_page && !f->ops_map_phys == !f->ops_unmap_phys &&
	       (f->ops_map_page || f->ops_map_phys);
}

int side_target_disk_fields(const struct btf *b, struct side_disk_fields *ret, struct err *e)
{
	uint32_t at[ARRAY_SIZE(field_names)];
	size_t i;

	if (side_target_members(b, field_names, ARRAY_SIZE(field_names), at, &i) < 0)
		return lacks(*field_names[i].member ? field_names[i].member
						    : field_names[i].structure,
			     e);
	memcpy(ret, at, sizeof(at));
	return fits(ret) ? 0 : lacks("dma_map_ops", e);
}

/* Where it is said, or where it always is. */
static int read_base(const struct vm *v, uint64_t at, uint64_t otherwise, uint64_t *ret,
		     struct err *e)
{
	*ret = otherwise;
	if (at && gview_read(&v->view, (gva_t){ at }, ret, sizeof(*ret)) < 0)
		return lacks("page_offset_base", e);
	return 0;
}

int side_target_disk(const struct vm *v, struct side_target_disk *ret, struct err *e)
{
	uint64_t at[SYMBOLS] = { 0 };
	int r = v->have_types
			? side_target_disk_fields(&v->btf, &ret->at, e)
			: err_set(e, ENOTSUP, "%s, which a disk for it needs", v->no_types.msg);
	size_t i;

	_Static_assert((size_t)SYMBOLS <= SIDE_NAMES_MAX, "all at once");
	if (!r && side_target_symbols(&v->symbols, symbol_names, SYMBOLS, at, &i) < 0)
		r = lacks(symbol_names[i].name, e);
	if (!r)
		r = read_base(v, at[DIRECT_AT], DIRECT, &ret->direct, e);
	if (!r)
		r = read_base(v, at[PAGE_LIST_AT], PAGE_LIST, &ret->page_list, e);
	if (r < 0)
		return r;
	memcpy(&ret->call, at, sizeof(ret->call));
	ret->chip = at[CHIP];
	ret->handler = at[HANDLER];
	return 0;
}
