/* SPDX-License-Identifier: MIT */
/*
 * A number is asked for with a region that covers what is in a slot for certain, so that nothing can come of it
 * (lib/kvm/kvm_slots.c says how KVM answers).
 */
#include "side_slot.h"

#include <cpuid.h>
#include <errno.h>
#include <linux/kvm.h>
#include <sys/syscall.h>

#define CPUID_SIZES   0x80000008
#define CPUID_MAX     100 /* as many as fit into scratch memory */
#define PHYS_BITS_MAX 46
#define NOWHERE       PT_PAGE /* nothing is mapped there (vm.mmap_min_addr) */
#define IDS_TRIED     32
#define PLACES_TRIED  32

long side_call(struct tracee *t, long nr, const uint64_t arg[6], struct err *e)
{
	long ret = 0;
	int r = tracee_call(t, nr, arg, &ret, e);

	return r < 0 ? r : ret;
}

int side_ask(struct tracee *t, int fd, unsigned long request, void *arg, size_t size, struct err *e)
{
	struct tracee_ioctl c = { .fd = fd, .request = request, .arg = arg, .size = size };
	int r = tracee_ioctl(t, &c, e);

	if (r < 0 || c.ret >= 0)
		return r;
	return err_set(e, (int)-c.ret, "asking KVM in process %d about its machine: %s",
		       t->ref->pid, err_str((int)c.ret));
}

union cpuid {
	struct kvm_cpuid2 list;
	uint8_t room[sizeof(struct kvm_cpuid2) + CPUID_MAX * sizeof(struct kvm_cpuid_entry2)];
};

/* Of the guest's processor, and of ours: what only the first is said to have can't be mapped. */
static unsigned int phys_bits(struct tracee *t, int cpu)
{
	union cpuid c = { .list.nent = CPUID_MAX };
	unsigned int bits = 36, eax, unused[3];

	_Static_assert(sizeof(c) <= TRACEE_SCRATCH, "it fits into scratch memory");
	if (side_ask(t, cpu, KVM_GET_CPUID2, &c, sizeof(c), NULL) < 0 || c.list.nent > CPUID_MAX)
		return bits;
	for (uint32_t k = 0; k < c.list.nent; k++)
		if (c.list.entries[k].function == CPUID_SIZES)
			bits = c.list.entries[k].eax & 0xff;
	if (__get_cpuid(CPUID_SIZES, &eax, &unused[0], &unused[1], &unused[2]) &&
	    (eax & 0xff) < bits)
		bits = eax & 0xff;
	return bits < 32 ? 32 : bits > PHYS_BITS_MAX ? PHYS_BITS_MAX : bits;
}

static int set_region(struct tracee *t, int vmfd, const struct kvm_userspace_memory_region *region,
		      int *ret, struct err *e)
{
	struct kvm_userspace_memory_region copy = *region;
	struct tracee_ioctl c = { vmfd, KVM_SET_USER_MEMORY_REGION, &copy, sizeof(copy), 0 };
	int r = tracee_ioctl(t, &c, e);

	*ret = (int)c.ret;
	return r;
}

/* How many slots there can be, and a page that is in one. */
static int look(const struct side_inject *i, struct tracee *t, gpa_t *ret_known, struct err *e)
{
	const uint64_t args[6] = { (uint64_t)i->vm->info.vmfd, KVM_CHECK_EXTENSION,
				   KVM_CAP_NR_MEMSLOTS };
	long n = side_call(t, SYS_ioctl, args, e);

	if (n <= 0 ||
	    pt_translate(&i->vm->view.pt, (gva_t){ i->vm->kvm.cpu[0].lstar }, ret_known) < 0)
		return n < 0 ? (int)n : err_set(e, ENOTSUP, "KVM says nothing of its slots");
	ret_known->v &= ~(PT_PAGE - 1);
	return (int)n;
}

/*
 * EEXIST: a slot that is not in use; or one in use with this very mapping. EINVAL: one in use with another.
 *
 * Return: 0 and what KVM said; -errno.
 */
static int probe(const struct side_inject *i, struct tracee *t,
		 const struct kvm_userspace_memory_region *region, int *ret, struct err *e)
{
	int r = set_region(t, i->vm->info.vmfd, region, ret, e);

	if (!r && !*ret) {
		/* the guest's kernel is where no memory is */
		struct kvm_userspace_memory_region none = *region;
		int answer;

		none.memory_size = 0;
		(void)!set_region(t, i->vm->info.vmfd, &none, &answer, NULL);
		return err_set(e, EPROTO, "the guest's kernel says that it is where no memory is");
	}
	return r;
}

static struct kvm_userspace_memory_region region_of(int id, gpa_t gpa, uint64_t size, hva_t hva)
{
	return (struct kvm_userspace_memory_region){ .slot = (uint32_t)id,
						     .guest_phys_addr = gpa.v,
						     .memory_size = size,
						     .userspace_addr = hva.v };
}

/* The highest number that no slot has: hypervisors begin with the lowest. */
static int choose_id(const struct side_inject *i, struct tracee *t, struct err *e)
{
	gpa_t known;
	int n = look(i, t, &known, e);

	for (int id = n - 1; id >= 0 && id >= n - IDS_TRIED; id--) {
		struct kvm_userspace_memory_region region =
			region_of(id, known, PT_PAGE, (hva_t){ NOWHERE });
		int answer, r = probe(i, t, &region, &answer, e);

		if (r < 0)
			return r;
		if (answer == -EEXIST)
			return id;
	}
	return n < 0 ? n : err_set(e, ENOSPC, "KVM has no memory slot left");
}

int side_slot_find(const struct side_inject *i, struct tracee *t, struct err *e)
{
	gpa_t known;
	int n = look(i, t, &known, e);

	for (int id = n - 1; id >= 0 && id >= n - IDS_TRIED; id--) {
		struct kvm_userspace_memory_region other = region_of(id, known, PT_PAGE,
								     (hva_t){ NOWHERE }),
						   ours = region_of(id, known, i->made->size,
								    i->made->hva);
		int used, same = 0, r = probe(i, t, &other, &used, e);

		if (!r)
			r = probe(i, t, &ours, &same, e);
		if (r < 0)
			return r;
		if (used == -EINVAL && same == -EEXIST)
			return id;
	}
	return n < 0 ? n : -ENOENT;
}

/* Has no slot whose place is known a byte of the page at @gpa? */
static bool is_free(const struct kvm_vm *vm, gpa_t gpa)
{
	for (size_t k = 0; k < vm->nslot; k++) {
		const struct kvm_slot *s = &vm->slot[k];

		if (s->placed && s->gpa.v < gpa.v + SIDE_PAGE && s->gpa.v + s->size > gpa.v)
			return false;
	}
	return true;
}

int side_slot_make(const struct side_inject *i, struct tracee *t, int cpu, bool *ret_room,
		   struct err *e)
{
	struct side_made *m = i->made;
	uint64_t below = 1ULL << phys_bits(t, cpu);
	int id = choose_id(i, t, e);
	bool met = false; /* something that the guest does not know of */

	if (id < 0)
		return id;
	m->id = id;
	for (int k = 0; k < PLACES_TRIED; k++) {
		struct kvm_userspace_memory_region region;
		int answer, r;

		if (side_place_physical(i->target->taken, i->target->ntaken, below,
					m->size + SIDE_PAGE, &m->gpa) < 0)
			break;
		met |= !is_free(&i->vm->kvm, (gpa_t){ m->gpa.v + m->size });
		m->gpa.v += met ? SIDE_PAGE : 0;
		region = region_of(id, m->gpa, m->size, m->hva);
		m->slot = true;
		r = set_region(t, i->vm->info.vmfd, &region, &answer, e);
		if (r < 0)
			return r;
		m->slot = !answer;
		*ret_room = !met;
		if (!answer)
			return 0;
		/* more than KVM maps on this processor: encrypted memory costs address bits */
		if (answer == -EINVAL) {
			below /= 2;
			continue;
		}
		if (answer != -EEXIST)
			return err_set(e, -answer, "adding a memory slot to process %d: %s",
				       t->ref->pid, err_str(answer));
		/* a device's, or another vmsh's */
		met = true;
		below = m->gpa.v;
	}
	return err_set(e, ENOSPC, "the guest has no room for another memory slot");
}

int side_slot_shift(const struct side_inject *i, struct tracee *t, struct err *e)
{
	struct side_made *m = i->made;
	const struct kvm_userspace_memory_region region =
		region_of(m->id, (gpa_t){ m->gpa.v - SIDE_PAGE }, m->size, m->hva);
	int answer, r = set_region(t, i->vm->info.vmfd, &region, &answer, e);

	if (r < 0 || answer < 0)
		return r < 0 ? r : 1;
	m->gpa.v -= SIDE_PAGE;
	return 0;
}

int side_slot_delete(const struct side_inject *i, struct tracee *t, struct err *e)
{
	struct side_made *m = i->made;
	const struct kvm_userspace_memory_region region = { .slot = (uint32_t)m->id,
							    .guest_phys_addr = m->gpa.v,
							    .userspace_addr = m->hva.v };
	int answer, r = set_region(t, i->vm->info.vmfd, &region, &answer, e);

	if (r < 0 || answer < 0)
		return r < 0 ? r
			     : err_set(e, -answer, "removing the memory slot of process %d: %s",
				       t->ref->pid, err_str(answer));
	m->slot = false;
	return 0;
}
