/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * What hypervisors do: one mapping for all memory from 0 on, cut in two if it is
 * larger than what is below the devices, the rest at 4 GiB (QEMU, kvmtool); or
 * one mapping for each of the two (Firecracker, Cloud Hypervisor, crosvm). Each
 * mapping, alone and with each place of the cut, and each pair is tried: does
 * every address that KVM translated come out the same by the page tables found
 * there? A guest could write such tables twice, so that the wrong mapping fits;
 * then two fit, and none is taken.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "cursor.h"
#include "io.h"
#include "kvm_private.h"

#define MAPS_MAX  (64U << 20)
#define HIGH      (4ULL << 30)
#define PAIRS_MAX 8 /* of the largest mappings */

/* Where memory below 4 GiB ends if there is more: QEMU q35 and pc, Firecracker, Cloud Hypervisor, crosvm and others. */
static const uint64_t cuts[] = { 3ULL << 30, 2ULL << 30, 0xe0000000, 0xd0000000,
				 0xb0000000, 0xc8000000, 0xf0000000 };

static int by_size(const void *a, const void *b)
{
	const struct kvm_mapping *x = a, *y = b;

	return (x->size < y->size) - (x->size > y->size);
}

static void take_line(struct span line, struct kvm_mappings *m)
{
	struct cursor c = cur_of(line.p, line.len);
	uint64_t start, end;
	struct span s, rights;

	if (cur_until(&c, '-', &s) != 1 || span_u64(s, 16, &start) < 0 ||
	    cur_until(&c, ' ', &s) != 1 || span_u64(s, 16, &end) < 0 ||
	    cur_until(&c, ' ', &rights) != 1 || !span_starts(rights, "rw"))
		return;
	/* what is protected in another way may still be one mapping to KVM */
	if (m->n && m->v[m->n - 1].start.v + m->v[m->n - 1].size == start &&
	    end - start < MAPPING_LEAST)
		return;
	if (end - start >= MAPPING_LEAST && m->n < MAPPINGS_MAX)
		m->v[m->n++] = (struct kvm_mapping){ { start }, end - start };
}

int kvm_mappings_read(const struct pid_ref *p, struct kvm_mappings *ret, struct err *e)
{
	_cleanup_free_ char *maps = NULL;
	struct cursor c;
	struct span line;
	size_t len;
	int r = io_read_at(p->procfd, "maps", MAPS_MAX, &maps, &len);

	if (r < 0)
		return err_set(e, -r, "the mappings of process %d can't be read: %s", p->pid,
			       err_str(r));
	ret->n = 0;
	c = cur_of(maps, len);
	while (cur_until(&c, '\n', &line) == 1)
		take_line(line, ret);
	qsort(ret->v, ret->n, sizeof(ret->v[0]), by_size);
	return 0;
}

static struct kvm_slot slot(uint64_t gpa, uint64_t hva, uint64_t size)
{
	return (struct kvm_slot){
		.id = -1, .gpa = { gpa }, .placed = true, .size = size, .hva = { hva }
	};
}

/* Do the page tables in this memory say what KVM says? */
static bool fits(struct kvm_vm *vm, const struct kvm_evidence *evidence, size_t n)
{
	struct gview v;

	if (gview_init(&v, &vm->cpu[0].cr, kvm_read, vm) < 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		gpa_t gpa;

		if (pt_translate(&v.pt, evidence[i].gva, &gpa) < 0 || gpa.v != evidence[i].gpa.v)
			return false;
	}
	return n > 0;
}

struct search {
	struct kvm_vm *vm;
	const struct kvm_evidence *evidence;
	size_t n, nfound;
	struct kvm_slot found[2];
	size_t nslot;
};

static void try(struct search *s, struct kvm_slot low, struct kvm_slot high)
{
	s->vm->slot[0] = low;
	s->vm->slot[1] = high;
	s->vm->nslot = high.size ? 2 : 1;
	if (!fits(s->vm, s->evidence, s->n))
		return;
	/* the same memory with or without what is above 4 GiB is no contradiction */
	if (s->nfound && s->found[0].hva.v == low.hva.v)
		return;
	s->nfound++;
	s->found[0] = low;
	s->found[1] = high;
	s->nslot = s->vm->nslot;
}

static void try_mapping(struct search *s, const struct kvm_mapping *m)
{
	const struct kvm_slot none = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(cuts); i++)
		if (m->size > cuts[i])
			try(s, slot(0, m->start.v, cuts[i]),
			    slot(HIGH, m->start.v + cuts[i], m->size - cuts[i]));
	if (m->size <= HIGH)
		try(s, slot(0, m->start.v, m->size), none);
}

int kvm_layout_find(struct kvm_vm *vm, const struct kvm_mappings *m,
		    const struct kvm_evidence *evidence, size_t n)
{
	struct search s = { .vm = vm, .evidence = evidence, .n = n };

	for (size_t i = 0; i < m->n; i++)
		try_mapping(&s, &m->v[i]);
	for (size_t i = 0; !s.nfound && i < m->n && i < PAIRS_MAX; i++)
		for (size_t k = 0; k < m->n && k < PAIRS_MAX; k++)
			if (i != k && m->v[i].size <= HIGH)
				try(&s, slot(0, m->v[i].start.v, m->v[i].size),
				    slot(HIGH, m->v[k].start.v, m->v[k].size));
	vm->nslot = 0;
	if (s.nfound != 1)
		return -ENOENT;
	vm->slot[0] = s.found[0];
	vm->slot[1] = s.found[1];
	vm->nslot = s.nslot;
	return 0;
}
