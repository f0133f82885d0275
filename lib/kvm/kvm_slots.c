/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * KVM has no call that lists memory slots, but KVM_SET_USER_MEMORY_REGION checks
 * in this order (virt/kvm/kvm_main.c, the same from 5.10 to 6.12):
 *
 *  - a slot that is in use, and another size, address here or KVM_MEM_READONLY: EINVAL;
 *  - all the same, and the same guest address and flags: 0, nothing is changed;
 *  - all the same, and another guest address: EEXIST if another slot is there, else *the slot is moved*;
 *  - a slot that is not in use: EEXIST if another slot is there, else *it is made*.
 *
 * So the address of a probe always covers a byte that is in a slot for certain
 * (KVM executes the guest's kernel there), and for the slot that this byte is in
 * - which may be any, until it is found - address here and guest address belong
 * together, as page tables proved. With that no probe can succeed but the one
 * that changes nothing. Once that slot is known, every other one is probed at
 * its address, where each that fits gives EEXIST.
 *
 * All of that holds only while slots stand still: all threads of the process
 * are stopped. And it holds for each probe alone: they are made many at a time, and
 * those behind a hit do no more than those before it.
 *
 * A hit with other flags would change those: a slot whose writes are logged, for
 * a migration, would no longer be. KVM_CLEAR_DIRTY_LOG tells: asked for pages
 * that no slot has, it says ENOENT for a slot that is not logged, else EINVAL.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#include "kvm_private.h"

#define IDS_MAX    512
#define IDS_UNUSED 32 /* in a row end the search */
#define NOWHERE \
	PT_PAGE /* an address here that nothing is mapped at (vm.mmap_min_addr), and that is no slot's */
#define IDS_AT_ONCE 48
#define BATCH_MAX   512
#define BATCH_TIMED 64          /* one list of calls; then the clock is looked at */
#define PROBES_MAX  8000        /* some us each, while the machine stands */
#define OTHERS_MAX  16          /* mappings that are tried as a whole */
#define REST_NS     50000000ULL /* that a machine stands for slots that are no memory of its kernel */
#define BOUNDS_MAX  8
#define NO_PAGE     (1ULL << 50) /* the first of pages that no slot has */

struct prober {
	struct tracee *t;
	struct kvm_vm *vm;
	gpa_t known; /* its page is in a slot */
	struct id {
		int id;
		bool logged, found;
	} ids[KVM_SLOTS_MAX]; /* in use */
	size_t nids;
	size_t probes;
	uint64_t end_ns; /* no probe after that */
};

/* The part of @whole from @a to @b, as slot @id. */
static struct kvm_slot part(const struct kvm_slot *whole, int id, uint64_t a, uint64_t b)
{
	struct kvm_slot s = *whole;

	s.id = id;
	s.gpa.v += a;
	s.hva.v += a;
	s.size = b - a;
	return s;
}

static bool logged(const struct prober *p, int id)
{
	for (size_t i = 0; i < p->nids; i++)
		if (p->ids[i].id == id)
			return p->ids[i].logged;
	return false;
}

/* Probes that are made together. */
struct batch {
	struct kvm_slot slot[BATCH_MAX];
	struct kvm_userspace_memory_region region[BATCH_MAX];
	struct tracee_ioctl call[BATCH_MAX]; /* with the answers */
	size_t n;
};

static void add(const struct prober *p, struct batch *b, const struct kvm_slot *s)
{
	uint32_t flags = (s->readonly ? KVM_MEM_READONLY : 0) |
			 (logged(p, s->id) ? KVM_MEM_LOG_DIRTY_PAGES : 0);

	b->slot[b->n] = *s;
	b->region[b->n] = (struct kvm_userspace_memory_region){ .slot = (uint32_t)s->id,
								.flags = flags,
								.guest_phys_addr = s->gpa.v,
								.memory_size = s->size,
								.userspace_addr = s->hva.v };
	b->call[b->n] = (struct tracee_ioctl){ p->vm->vmfd, KVM_SET_USER_MEMORY_REGION,
					       &b->region[b->n], sizeof(b->region[b->n]), -EINVAL };
	b->n++;
}

/* Up to the first that succeeds. Return: how many were made; -errno. */
static int probe(struct prober *p, struct batch *b, struct err *e)
{
	if (p->probes + b->n > PROBES_MAX || tracee_now_ns() > p->end_ns)
		return err_set(e, E2BIG, "the memory slots were not found by %d probes",
			       PROBES_MAX);
	p->probes += b->n;
	p->vm->probes += (unsigned int)b->n; /* of all attempts */
	return tracee_ioctls(p->t, b->call, b->n, true, e);
}

static int undo(struct prober *p, struct batch *b, int id, struct err *e)
{
	const struct kvm_slot s = { .id = id, .gpa = p->known };

	b->n = 0;
	add(p, b, &s);
	(void)!probe(p, b, NULL);
	return err_set(e, EPROTO, "the guest's kernel says that it is where no memory is");
}

/* Are writes to the slots that are in use logged? */
static int ask_logged(struct prober *p, struct err *e)
{
	struct kvm_clear_dirty_log log[KVM_SLOTS_MAX];
	struct tracee_ioctl c[KVM_SLOTS_MAX];
	int r;

	for (size_t i = 0; i < p->nids; i++) {
		log[i] = (struct kvm_clear_dirty_log){ .slot = (uint32_t)p->ids[i].id,
						       .num_pages = 64,
						       .first_page = NO_PAGE };
		c[i] = (struct tracee_ioctl){ p->vm->vmfd, KVM_CLEAR_DIRTY_LOG, &log[i],
					      sizeof(log[i]), 0 };
	}
	r = tracee_ioctls(p->t, c, p->nids, false, e);
	for (size_t i = 0; r >= 0 && i < p->nids; i++) {
		p->ids[i].logged = c[i].ret == -EINVAL;
		if (c[i].ret != -EINVAL && c[i].ret != -ENOENT)
			return err_set(
				e, ENOTSUP,
				"KVM does not say whether writes to its memory slots are logged");
	}
	return r < 0 ? r : 0;
}

/* Return: 1 to go on; 0 no slot has this number or one behind it; -errno. */
static int take_id(struct prober *p, int id, long answer, int *unused, struct err *e)
{
	*unused = answer == -EEXIST ? *unused + 1 : 0;
	if (answer == -EPERM || answer == -EACCES)
		return err_set(
			e, EPERM,
			"the hypervisor's seccomp filter does not let its memory slots be asked for");
	if (answer == -EINVAL)
		p->ids[p->nids++].id = id;
	return *unused < IDS_UNUSED && p->nids < KVM_SLOTS_MAX;
}

/* Which slots are in use? */
static int find_ids(struct prober *p, struct batch *b, struct err *e)
{
	int unused = 0, r = 1;

	for (int first = 0; r > 0 && first < IDS_MAX; first += IDS_AT_ONCE) {
		b->n = 0;
		for (int id = first; id < first + IDS_AT_ONCE; id++) {
			const struct kvm_slot s = {
				.id = id, .gpa = p->known, .size = PT_PAGE, .hva = { NOWHERE }
			};

			add(p, b, &s);
		}
		r = probe(p, b, e);
		if (r > 0 && !b->call[r - 1].ret)
			return undo(p, b, b->slot[r - 1].id, e);
		for (size_t i = 0; r > 0 && i < b->n; i++)
			r = take_id(p, b->slot[i].id, b->call[i].ret, &unused, e);
	}
	return r < 0 ? r : ask_logged(p, e);
}

/* Where slots of a mapping begin and end: its own ends first; below 1 MiB there are ROMs and devices. */
static size_t bounds(uint64_t size, uint64_t ret[BOUNDS_MAX])
{
	static const uint64_t inner[] = { 0x100000, 0xa0000, 0xc0000, 0xe0000 };
	size_t n = 0;

	ret[n++] = 0;
	ret[n++] = size;
	for (size_t i = 0; i < ARRAY_SIZE(inner); i++)
		if (inner[i] < size)
			ret[n++] = inner[i];
	return n;
}

/* The slot that the known page is in: of the range @whole, some part. Return: 1 found; 0 not; -errno. */
static int find_first(struct prober *p, struct batch *b, const struct kvm_slot *whole,
		      struct kvm_slot *ret, struct err *e)
{
	uint64_t known = p->known.v - whole->gpa.v, bound[BOUNDS_MAX];
	size_t n = bounds(whole->size, bound), tries = n * n * p->nids;

	for (size_t pair = 0; pair < tries;) {
		int r;

		for (b->n = 0; pair < tries && b->n < BATCH_MAX; pair++) {
			uint64_t from = bound[pair / p->nids / n], to = bound[pair / p->nids % n];
			const struct kvm_slot s = part(whole, p->ids[pair % p->nids].id, from, to);

			if (from <= known && to >= known + PT_PAGE)
				add(p, b, &s);
		}
		r = probe(p, b, e);
		if (r < 0)
			return r;
		if (r && !b->call[r - 1].ret) {
			*ret = b->slot[r - 1];
			return 1;
		}
	}
	return 0;
}

/* Two slots seldom have the same bytes, and never in what hypervisors call memory. */
static bool taken(const struct kvm_vm *vm, const struct kvm_slot *s)
{
	for (size_t i = 0; i < vm->nslot; i++)
		if (vm->slot[i].hva.v < s->hva.v + s->size &&
		    s->hva.v < vm->slot[i].hva.v + vm->slot[i].size)
			return true;
	return false;
}

/* What fits of what was asked, in the order in which that was. */
static void take_parts(struct prober *p, const struct batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		struct kvm_slot s = b->slot[i];
		struct id *id = &p->ids[0];

		while (id->id != s.id)
			id++;
		if (b->call[i].ret != -EEXIST || id->found || taken(p->vm, &s))
			continue;
		id->found = true;
		p->vm->slot[p->vm->nslot++] = s;
	}
}

static int ask_parts(struct prober *p, struct batch *b, struct err *e)
{
	struct kvm_vm *vm = p->vm;
	int r;

	/* where the first slot is, anything that fits is EEXIST: where the guest has it is not asked */
	for (size_t i = 0; i < b->n; i++)
		b->region[i].guest_phys_addr = vm->slot[0].gpa.v;
	r = b->n ? probe(p, b, e) : 0;
	if (r >= 0)
		take_parts(p, b);
	b->n = 0;
	return r < 0 ? r : 0;
}

/* How many are asked together. */
static size_t batch_room(const struct prober *p)
{
	return p->end_ns == UINT64_MAX ? BATCH_MAX : BATCH_TIMED;
}

/* Is one of the slots that are not found yet @s? It is asked when there is enough to ask, and by ask_parts(). */
static int add_part(struct prober *p, struct batch *b, struct kvm_slot s, struct err *e)
{
	if (!s.size || taken(p->vm, &s))
		return 0;
	for (size_t i = 0; i < p->nids; i++)
		for (int readonly = 0; !p->ids[i].found && readonly < 2; readonly++) {
			int r = b->n >= batch_room(p) ? ask_parts(p, b, e) : 0;

			if (r < 0)
				return r;
			s.id = p->ids[i].id;
			s.readonly = readonly;
			add(p, b, &s);
		}
	return 0;
}

/* Slots among the parts of a range whose place is known. */
static int add_parts(struct prober *p, struct batch *b, const struct kvm_slot *whole, struct err *e)
{
	uint64_t bound[BOUNDS_MAX];
	size_t n = bounds(whole->size, bound);
	int r = add_part(p, b, part(whole, -1, 0, whole->size), e);

	for (size_t pair = 0; !r && pair < n * n; pair++) {
		uint64_t from = bound[pair / n], to = bound[pair % n];

		if (from < to)
			r = add_part(p, b, part(whole, -1, from, to), e);
	}
	return r;
}

/* Do both have the same memory below 4 GiB? */
static bool same_low(const struct kvm_layout *a, const struct kvm_layout *b)
{
	return a->range[0].hva.v == b->range[0].hva.v && a->range[0].size == b->range[0].size;
}

/*
 * All slots but the first: what layouts have at 4 GiB, then what else there is, for as long as a machine should
 * stand for that: the rest is ROMs and the memory of displays.
 */
static int find_others(struct prober *p, struct batch *b, const struct kvm_layouts *l,
		       const struct kvm_layout *layout, const struct kvm_mappings *m, struct err *e)
{
	int r = 0;

	b->n = 0;
	for (size_t i = 0; !r && i < l->n; i++)
		if (l->v[i].n > 1 && same_low(&l->v[i], layout))
			r = add_part(p, b, l->v[i].range[1], e);
	if (!r)
		r = add_parts(p, b, &layout->range[0], e);
	if (!r && layout->n > 1)
		r = add_parts(p, b, &layout->range[1], e);
	if (!r)
		r = ask_parts(p, b, e);
	p->end_ns = tracee_now_ns() + REST_NS;
	for (size_t i = 0; !r && i < m->n && i < OTHERS_MAX; i++) {
		struct kvm_slot whole = { .hva = m->v[i].start, .size = m->v[i].size };

		r = add_part(p, b, whole, e);
	}
	return r ? r : ask_parts(p, b, e);
}

/* In which layout is the slot of the known page? Return: as find_first(). */
static int find_layout(struct prober *p, struct batch *b, const struct kvm_layouts *l,
		       const struct kvm_layout **ret, struct kvm_slot *ret_first, struct err *e)
{
	int r = 0;

	for (size_t i = 0; !r && i < l->n; i++) {
		*ret = &l->v[i];
		for (size_t k = 0; !r && k < l->v[i].n; k++)
			if (p->known.v - l->v[i].range[k].gpa.v < l->v[i].range[k].size)
				r = find_first(p, b, &l->v[i].range[k], ret_first, e);
	}
	return r;
}

/*
 * Below 1 MiB a machine may have more slots than are worth a probe for each place where they could end: copies of
 * ROMs. What is memory there is the beginning of the same mapping.
 */
static void presume_low(struct kvm_vm *vm, const struct kvm_slot *whole)
{
	static const uint64_t at[][2] = { { 0, 0xa0000 }, { 0xc0000, 0x100000 } };

	for (size_t i = 0; i < ARRAY_SIZE(at) && vm->nslot < KVM_SLOTS_MAX; i++) {
		bool overlaps = whole->gpa.v || whole->size < at[i][1];

		for (size_t k = 0; k < vm->nslot; k++)
			overlaps |= vm->slot[k].placed && vm->slot[k].gpa.v < at[i][1] &&
				    at[i][0] < vm->slot[k].gpa.v + vm->slot[k].size;
		if (!overlaps)
			vm->slot[vm->nslot++] = part(whole, -1, at[i][0], at[i][1]);
	}
}

int kvm_slots_probe(struct tracee *t, struct kvm_vm *vm, const struct kvm_mappings *m,
		    const struct kvm_layouts *l, gpa_t known, struct err *e)
{
	struct prober p = {
		.t = t, .vm = vm, .known = { known.v & ~(PT_PAGE - 1) }, .end_ns = UINT64_MAX
	};
	static struct batch batch; /* in a process of its own */
	const struct kvm_layout *layout = &l->v[0];
	struct kvm_slot first;
	int r = find_ids(&p, &batch, e);

	if (!r)
		r = find_layout(&p, &batch, l, &layout, &first, e);
	vm->unknown_slots = (unsigned int)p.nids;
	if (r <= 0)
		return r;
	vm->slot[0] = first;
	vm->nslot = 1;
	vm->exact = true;
	for (size_t i = 0; i < p.nids; i++)
		p.ids[i].found = p.ids[i].id == first.id;
	r = find_others(&p, &batch, l, layout, m, e);
	/* enough of it: what was found until then is right */
	if (r < 0 && r != -E2BIG)
		return r;
	for (size_t i = 0; i < p.nids; i++)
		vm->unknown_slots -= p.ids[i].found;
	for (size_t i = 0; i < vm->nslot; i++)
		vm->slot[i].logged = logged(&p, vm->slot[i].id);
	if (vm->unknown_slots)
		presume_low(vm, &layout->range[0]);
	return 0;
}
