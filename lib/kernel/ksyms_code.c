/* SPDX-License-Identifier: MIT */
#include "ksyms_code.h"

/* Data of each processor: from 0 on to Linux 6.14, in the image since. */
#define PER_CPU_LEAST 0x1000ULL
#define PER_CPU_END   (2ULL << 20)

#define PANIC_CPU_INVALID UINT32_MAX /* include/linux/panic.h */
#define FOPS_AT_MOST      160        /* of struct file_operations, in which the opening one is */

static void refs_within(const struct ksyms *s, const char *function, uint64_t least, uint64_t end,
			struct kcode_refs *ret)
{
	struct ksym_want f = { .name = function };

	ret->n = 0;
	if (!kallsyms_lookup(&s->all, &f, 1))
		return;
	if (kcode_read(s->view, f.addr, kallsyms_behind(&s->all, f.addr), least, end, ret) < 0)
		ret->n = 0;
}

void ksyms_refs(const struct ksyms *s, const char *function, struct kcode_refs *ret)
{
	refs_within(s, function, KIMAGE_AREA, KIMAGE_AREA_END, ret);
}

/*
 * The list that irq_work_queue() puts at: of the two that those who run them refer to, the one that is run first. (The other is
 * that of lazy ones; the interrupt runs both.)
 */
static gva_t raised_list(const struct ksyms *s, uint64_t least, uint64_t end)
{
	static const char *const names[] = { "__irq_work_queue_local", "irq_work_queue",
					     "irq_work_needs_cpu", "irq_work_tick" };
	struct kcode_refs run, user[ARRAY_SIZE(names)];

	refs_within(s, "irq_work_run", least, end, &run);
	if (!run.n)
		return (gva_t){ 0 };
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		refs_within(s, names[i], least, end, &user[i]);
	for (size_t i = 0; i < run.n; i++) {
		const uint64_t to = run.to[i];

		if (to % 8 == 0 && (kcode_has(&user[0], to) || kcode_has(&user[1], to)) &&
		    (kcode_has(&user[2], to) || kcode_has(&user[3], to)))
			return (gva_t){ to };
	}
	return (gva_t){ 0 };
}

static gva_t find_raised_list(const struct ksyms *s)
{
	gva_t at = raised_list(s, PER_CPU_LEAST, PER_CPU_END);

	return at.v ? at : raised_list(s, KIMAGE_AREA, KIMAGE_AREA_END);
}

/* The one of what @function refers to that @is_it takes, which is told of @other, if there is but one. */
static gva_t the_only(const struct ksyms *s, const char *function,
		      bool (*is_it)(const struct ksyms *s, gva_t at, gva_t other), gva_t other)
{
	struct kcode_refs refs;
	gva_t found = { 0 };

	ksyms_refs(s, function, &refs);
	for (size_t i = 0; i < refs.n; i++)
		if (is_it(s, (gva_t){ refs.to[i] }, other)) {
			if (found.v)
				return (gva_t){ 0 };
			found.v = refs.to[i];
		}
	return found;
}

static bool is_no_cpu(const struct ksyms *s, gva_t at, gva_t other)
{
	uint32_t v = 0;

	(void)other;
	return at.v % 4 == 0 && !gview_read(s->view, at, &v, sizeof(v)) && v == PANIC_CPU_INVALID;
}

static gva_t find_panic_cpu(const struct ksyms *s)
{
	return the_only(s, "nmi_panic", is_no_cpu, (gva_t){ 0 });
}

/* The operations of a device of characters before it is opened: what opens it is among them. */
static bool is_chr_fops(const struct ksyms *s, gva_t at, gva_t open)
{
	const uint8_t *p = kimage_at(s->image, at, FOPS_AT_MOST);

	if (at.v % 8 || !p)
		return false;
	for (size_t off = 0; off < FOPS_AT_MOST; off += 8)
		if (kload64(p + off) == open.v)
			return true;
	return false;
}

/* All names are gone through for each that is looked up: what opens is looked up once. */
static gva_t find_chr_fops(const struct ksyms *s)
{
	struct ksym_want open = { .name = "chrdev_open" };

	if (!kallsyms_lookup(&s->all, &open, 1))
		return (gva_t){ 0 };
	return the_only(s, "init_special_inode", is_chr_fops, open.addr);
}

gva_t ksyms_by_code(const struct ksyms *s, const char *name)
{
	static const struct {
		const char *name;
		gva_t (*find)(const struct ksyms *s);
	} known[] = {
		{ "raised_list", find_raised_list },
		{ "panic_cpu", find_panic_cpu },
		{ "def_chr_fops", find_chr_fops },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(name, known[i].name))
			return known[i].find(s);
	return (gva_t){ 0 };
}
