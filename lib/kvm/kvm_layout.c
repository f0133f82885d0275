/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * What hypervisors do: one mapping for all memory from 0 on, cut in two if it is
 * larger than what is below the devices, the rest at 4 GiB (QEMU, kvmtool); or
 * one mapping for each of the two (Firecracker, Cloud Hypervisor, crosvm). Each
 * mapping, alone and with each usual place of the cut, then with others, and each pair is tried: does
 * every address that KVM translated come out the same by the page tables found
 * there? Several may, if all that the walks need is below every cut: KVM's slots will
 * tell which it is. But the memory that is known to be there has to be at one and the same
 * place in all: a guest could write such tables twice, so that the wrong mapping
 * fits as well, and then none is taken.
 *
 * What is one slot to KVM may be several mappings, since parts of it are treated in
 * another way (userfaultfd, NUMA policies, locked memory): those that go on where
 * another ends are tried together, too.
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
#define PAIRS_MAX 16 /* of the largest mappings */
#define CUT_STEP  (128ULL << 20)
#define CHAIN_MAX 8 /* mappings that are taken together, at most */

/* Where memory below 4 GiB ends if there is more: QEMU q35 and pc, Firecracker, Cloud Hypervisor, crosvm and others. */
static const uint64_t cuts[] = { 3ULL << 30, 2ULL << 30, 0xe0000000, 0xd0000000,
				 0xb0000000, 0xc8000000, 0xf0000000 };

static bool is_usual(uint64_t cut)
{
	for (size_t i = 0; i < ARRAY_SIZE(cuts); i++)
		if (cuts[i] == cut)
			return true;
	return false;
}

static int by_size(const void *a, const void *b)
{
	const struct kvm_mapping *x = a, *y = b;

	return (x->size < y->size) - (x->size > y->size);
}

/* The largest are kept. */
static void add(struct kvm_mappings *m, uint64_t start, uint64_t end)
{
	struct kvm_mapping new = { { start }, end - start };
	size_t least = 0;

	if (new.size < MAPPING_LEAST)
		return;
	if (m->n < MAPPINGS_MAX) {
		m->v[m->n++] = new;
		return;
	}
	for (size_t i = 1; i < m->n; i++)
		if (m->v[i].size < m->v[least].size)
			least = i;
	if (m->v[least].size < new.size)
		m->v[least] = new;
}

/* Mappings one behind the other, of the same thing: they may be one to KVM. */
struct chain {
	uint64_t start[CHAIN_MAX]; /* the last ones */
	size_t n;
	uint64_t end;
	uint64_t off, inode; /* where it would go on */
};

/* "start-end rwxp offset major:minor inode path" */
static void take_line(struct span line, struct kvm_mappings *m, struct chain *ch)
{
	struct cursor c = cur_of(line.p, line.len);
	uint64_t start, end, off, inode;
	struct span s, rights;

	if (cur_until(&c, '-', &s) != 1 || span_u64(s, 16, &start) < 0 ||
	    cur_until(&c, ' ', &s) != 1 || span_u64(s, 16, &end) < 0 ||
	    cur_until(&c, ' ', &rights) != 1 || !span_starts(rights, "rw") ||
	    cur_until(&c, ' ', &s) != 1 || span_u64(s, 16, &off) < 0 ||
	    cur_until(&c, ' ', &s) != 1 || cur_until(&c, ' ', &s) != 1 ||
	    span_u64(s, 10, &inode) < 0 || end <= start)
		return;
	if (ch->end != start || ch->inode != inode || (inode && ch->off != off))
		ch->n = 0;
	if (ch->n == CHAIN_MAX) {
		memmove(ch->start, ch->start + 1, (CHAIN_MAX - 1) * sizeof(ch->start[0]));
		ch->n--;
	}
	ch->start[ch->n++] = start;
	for (size_t i = 0; i < ch->n; i++)
		add(m, ch->start[i], end);
	ch->end = end;
	ch->off = off + (end - start);
	ch->inode = inode;
}

int kvm_mappings_read(const struct pid_ref *p, struct kvm_mappings *ret, struct err *e)
{
	_cleanup_free_ char *maps = NULL;
	struct chain chain = { 0 };
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
		take_line(line, ret, &chain);
	qsort(ret->v, ret->n, sizeof(ret->v[0]), by_size);
	return 0;
}

static struct kvm_slot slot(uint64_t gpa, uint64_t hva, uint64_t size)
{
	return (struct kvm_slot){
		.id = -1, .gpa = { gpa }, .placed = true, .size = size, .hva = { hva }
	};
}

/* How much of what KVM says do the page tables in this memory say? 0: something else, or not what they have to. */
static size_t fits(struct kvm_vm *vm, const struct kvm_evidence *evidence, size_t n)
{
	struct gview v;
	size_t proven = 0;

	if (gview_init(&v, &vm->cpu[0].cr, kvm_read, vm) < 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		gpa_t gpa;
		int r = pt_translate(&v.pt, evidence[i].gva, &gpa);

		if (r < 0 && evidence[i].may_be_far)
			continue;
		if (r < 0 || gpa.v != evidence[i].gpa.v)
			return 0;
		proven++;
	}
	return proven;
}

struct search {
	struct kvm_vm *vm;
	const struct kvm_evidence *evidence;
	size_t n;
	struct kvm_layouts *found; /* by the most evidence, which is */
	size_t best;
	bool contradiction; /* between those */
};

static uint64_t place_of(const struct kvm_layout *l, gpa_t gpa)
{
	for (size_t i = 0; i < l->n; i++)
		if (gpa.v - l->range[i].gpa.v < l->range[i].size)
			return l->range[i].hva.v + (gpa.v - l->range[i].gpa.v);
	return 0;
}

static void try(struct search *s, struct kvm_slot low, struct kvm_slot high)
{
	struct kvm_layout l = { .range = { low, high }, .n = high.size ? 2 : 1 };
	gpa_t known = s->evidence[0].gpa;
	size_t proven;

	memcpy(s->vm->slot, l.range, sizeof(l.range));
	s->vm->nslot = l.n;
	proven = fits(s->vm, s->evidence, s->n);
	if (!proven || proven < s->best)
		return;
	if (proven > s->best) {
		s->found->n = 0;
		s->contradiction = false;
	}
	s->best = proven;
	if (s->found->n && place_of(&s->found->v[0], known) != place_of(&l, known))
		s->contradiction = true;
	if (s->found->n < LAYOUTS_MAX)
		s->found->v[s->found->n++] = l;
}

/* In two, of which the one at 4 GiB is behind the other or, if two mappings have become one, before it. */
static void try_cut(struct search *s, const struct kvm_mapping *m, uint64_t cut)
{
	uint64_t rest = m->size - cut;

	if (m->size <= cut)
		return;
	try(s, slot(0, m->start.v, cut), slot(HIGH, m->start.v + cut, rest));
	try(s, slot(0, m->start.v + rest, cut), slot(HIGH, m->start.v, rest));
}

static void try_mapping(struct search *s, const struct kvm_mapping *m)
{
	const struct kvm_slot none = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(cuts); i++)
		try_cut(s, m, cuts[i]);
	if (m->size <= HIGH)
		try(s, slot(0, m->start.v, m->size), none);
}

static void try_cuts(struct search *s, const struct kvm_mappings *m)
{
	for (size_t i = 0; i < m->n && i < PAIRS_MAX; i++)
		for (uint64_t cut = CUT_STEP; cut < HIGH; cut += CUT_STEP)
			if (!is_usual(cut))
				try_cut(s, &m->v[i], cut);
}

/* Cuts that somebody chose: only for more evidence than the usual ones have, or if KVM knows none of those. */
static void try_unusual(struct search *s, const struct kvm_mappings *m)
{
	const struct kvm_layouts usual = *s->found;
	const struct search before = *s;

	s->found->n = 0;
	s->contradiction = false;
	s->best++;
	try_cuts(s, m);
	if (s->found->n && !s->contradiction)
		return;
	*s = before;
	*s->found = usual;
}

/* What all layouts have in common: with several, only the memory below the lowest cut is where all say. */
static void take_common(struct kvm_vm *vm, const struct kvm_layouts *l)
{
	memcpy(vm->slot, l->v[0].range, sizeof(l->v[0].range));
	vm->nslot = l->v[0].n;
	for (size_t i = 1; i < l->n; i++) {
		vm->nslot = 1;
		if (l->v[i].range[0].size < vm->slot[0].size)
			vm->slot[0].size = l->v[i].range[0].size;
	}
}

/*
 * Two mappings. Only more evidence than a mapping alone has tells which one is at 4 GiB: else each could be. They
 * may differ in where they end.
 */
static void try_pairs(struct search *s, const struct kvm_mappings *m)
{
	const struct kvm_layouts alone = *s->found;
	const struct search before = *s;
	bool same = true;

	s->found->n = 0;
	s->contradiction = false;
	s->best++;
	for (size_t i = 0; i < m->n && i < PAIRS_MAX; i++)
		for (size_t k = 0; k < m->n && k < PAIRS_MAX; k++)
			if (i != k && m->v[i].size <= HIGH)
				try(s, slot(0, m->v[i].start.v, m->v[i].size),
				    slot(HIGH, m->v[k].start.v, m->v[k].size));
	for (size_t i = 1; i < s->found->n; i++)
		same = same && s->found->v[i].range[1].hva.v == s->found->v[0].range[1].hva.v;
	if (s->found->n && same && !s->contradiction)
		return;
	*s = before;
	*s->found = alone;
}

int kvm_layout_find(struct kvm_vm *vm, const struct kvm_mappings *m,
		    const struct kvm_evidence *evidence, size_t n, bool unusual,
		    struct kvm_layouts *ret)
{
	struct search s = { .vm = vm, .evidence = evidence, .n = n, .found = ret };

	ret->n = 0;
	for (size_t i = 0; n && i < m->n; i++)
		try_mapping(&s, &m->v[i]);
	if (unusual)
		try_cuts(&s, m);
	else if (s.best < n)
		try_unusual(&s, m);
	if (s.best < n)
		try_pairs(&s, m);
	vm->nslot = 0;
	if (!ret->n || s.contradiction)
		return -ENOENT;
	take_common(vm, ret);
	return 0;
}
