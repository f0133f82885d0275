/* SPDX-License-Identifier: MIT */
/* What a disk needs of a guest's kernel, beside what the library needs: most kernels have it, and one that lacks it is not refused. */
#include <errno.h>
#include <string.h>

#include "side_target.h"

/* Of Linux without CONFIG_DYNAMIC_MEMORY_LAYOUT (arch/x86/include/asm/page_64_types.h, pgtable_64_types.h): four levels of tables. */
#define DIRECT    0xffff888000000000ULL
#define PAGE_LIST 0xffffea0000000000ULL

static const struct {
	const char *structure, *member, *other;
} field_names[] = {
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
	SYMBOLS
};

static const struct {
	const char *name, *other;
} symbol_names[SYMBOLS] = {
#define X(name, other, type, args) [FUNCTION_##name] = { #name, other },
	SIDE_DISK_FUNCTIONS(X)
#undef X
		[CHIP] = { "dummy_irq_chip", NULL },
	[HANDLER] = { "handle_simple_irq", NULL },
	[DIRECT_AT] = { "page_offset_base", "" },
	[PAGE_LIST_AT] = { "vmemmap_base", "" },
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

static int find_symbols(const struct kallsyms *k, uint64_t ret[SYMBOLS], struct err *e)
{
	struct ksym_want want[2 * SYMBOLS];

	for (size_t i = 0; i < SYMBOLS; i++) {
		const char *other = symbol_names[i].other;

		want[i] = (struct ksym_want){ .name = symbol_names[i].name };
		want[SYMBOLS + i] =
			(struct ksym_want){ .name = other && *other ? other : want[i].name };
	}
	(void)kallsyms_lookup(k, want, 2 * SYMBOLS);
	for (size_t i = 0; i < SYMBOLS; i++) {
		bool code = i < FUNCTIONS || i == HANDLER;

		ret[i] = want[i].addr.v ? want[i].addr.v : want[SYMBOLS + i].addr.v;
		if (code && ret[i] && (ret[i] < KIMAGE_AREA || ret[i] >= KIMAGE_AREA_END))
			ret[i] = 0;
		if (!ret[i] && !(symbol_names[i].other && !*symbol_names[i].other))
			return lacks(symbol_names[i].name, e);
	}
	return 0;
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
	uint32_t at[ARRAY_SIZE(field_names)] = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(field_names); i++) {
		const char *other = field_names[i].other;
		int r = side_target_field(b, field_names[i].structure, field_names[i].member, NULL,
					  &at[i]);

		if (r < 0 && !(r == -ENOENT && other && !*other))
			return lacks(*field_names[i].member ? field_names[i].member
							    : field_names[i].structure,
				     e);
	}
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
	int r = side_target_disk_fields(&v->btf, &ret->at, e);

	if (!r)
		r = find_symbols(&v->symbols, at, e);
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
