/* SPDX-License-Identifier: MIT */
#include "side_inject.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "kvm_msrs.h"
#include "side_door.h"
#include "side_found.h"
#include "side_slot.h"

#define IRQ_WORK_VECTOR  0xf6 /* asm/irq_vectors.h of Linux, 2.6.38 and later */
#define IRQ_WORK_CLAIMED 3    /* IRQ_WORK_PENDING, IRQ_WORK_BUSY */
#define FREE_GSI \
	13 /* of coprocessors, which have had none since they are part of the processor; no device has it */
#define MSI_ADDRESS    0xfee00000U
#define LAPIC_ID       0x20
#define LAPIC_SPIV     0xf0
#define LAPIC_SPIV_ON  (1U << 8)
#define PAUSED_LOOKS   5
#define PAUSED_WAIT_US 20000
#define NODES_MAX      1024
#define KERNEL_HALF    (1ULL << 63) /* of addresses */

static gpa_t door_gpa(const struct side_made *m)
{
	return (gpa_t){ m->gpa.v + m->size };
}

/* What there is to be had of them. One that could not be found again is not left open there. Return: its id; -1. */
static int64_t make_bells(struct side_inject *i, struct tracee *t)
{
	struct side_eventfd door;

	if (side_door_irq(t, i->vm->info.vmfd, FREE_GSI, &i->bells.irq, NULL) < 0)
		i->bells.irq = -1;
	if (side_door_open(t, SIDE_DOOR_NEW, &door, NULL) < 0)
		return -1;
	i->made->door = door.theirs;
	i->made->door_id = door.id;
	i->made->has_door = i->made->door_ours = true;
	i->bells.door = door.ours;
	if (door.id < 0) {
		closep(&i->bells.door);
		i->made->has_door = side_door_close(t, door.theirs, NULL) != 0;
	}
	return door.id;
}

/* Of memory that another process could open, too: one that makes it shorter would end us by SIGBUS. */
static int fix_size(int fd, uint64_t size)
{
	if (ftruncate(fd, (off_t)size) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	return 0;
}

/* Return: the descriptor, ours; in the hypervisor there is none left. */
static int make_memory(struct side_inject *i, struct tracee *t, uint64_t size, struct err *e)
{
	const uint64_t create[6] = { 0, MFD_CLOEXEC | MFD_ALLOW_SEALING };
	char text[SIDE_NAME_MAX];
	const struct tracee_data name = { 0, text, sizeof(text) };
	uint64_t args[6] = { 0 }, map[6] = { 0, size, PROT_READ | PROT_WRITE, MAP_SHARED };
	_cleanup_close_ int fd = -1;
	long theirs = 0, at, r;

	side_found_name(i->vm->info.vmfd, make_bells(i, t), text);
	r = tracee_call_with(t, SYS_memfd_create, create, &name, &theirs, e);
	if (r < 0)
		return (int)r;
	if (theirs < 0)
		return err_set(e, (int)-theirs, "making memory in process %d: %s", t->ref->pid,
			       err_str((int)theirs));
	fd = (int)syscall(SYS_pidfd_getfd, t->ref->pidfd, (int)theirs, 0);
	r = fd < 0 ? -errno : fix_size(fd, size);
	if (!r)
		r = side_found_hold(fd, SIDE_GUARD);
	map[4] = args[0] = (uint64_t)theirs;
	at = r < 0 ? r : side_call(t, SYS_mmap, map, e);
	if (at > 0) {
		i->made->hva.v = (uint64_t)at;
		i->made->size = size;
		i->made->mapped = true;
	}
	r = side_call(t, SYS_close, args, e);
	if (at < 0 || r < 0)
		return err_set(e, (int)-(at < 0 ? at : r), "mapping memory in process %d: %s",
			       t->ref->pid, err_str((int)(at < 0 ? at : r)));
	return take_fd(&fd);
}

int side_inject_map(struct side_inject *i, uint64_t size, uint64_t *ret_ns, struct err *e)
{
	struct tracee t;
	int fd, end, r = tracee_stop(&i->vm->ref, i->vm->info.pid, &t, e);

	if (r < 0)
		return r;
	fd = make_memory(i, &t, size, e);
	end = tracee_release(&t, ret_ns, e);
	if (end < 0 && fd >= 0) {
		(void)close(fd);
		return end;
	}
	return fd;
}

void side_inject_ring(const struct side_inject *i)
{
	const uint64_t one = 1;

	if (i->bells.irq >= 0 && __atomic_load_n(&i->state->listens, __ATOMIC_ACQUIRE))
		(void)!write(i->bells.irq, &one, sizeof(one));
}

int side_inject_place(const struct side_inject *i, uint64_t size, struct side_entries *ret,
		      struct err *e)
{
	/* one more for the doorbell */
	int r = side_place_virtual(&i->vm->view.pt, i->vm->range, (size_t)(size / SIDE_PAGE) + 1,
				   ret);

	if (r < 0)
		return err_set(e, -r,
			       "there is no room beside the guest's kernel; nothing was changed");
	for (size_t k = 0; k < ret->n; k++) {
		uint64_t n;
		hva_t hva;

		if (!kvm_at(&i->vm->kvm, ret->gpa[k], true, &hva, &n) || n < sizeof(uint64_t))
			return err_set(
				e, ENOTSUP,
				"the page tables of the guest's kernel are not in memory that is known");
	}
	return 0;
}

/* --- the stop in which it starts --- */

struct cpu {
	int fd, number; /* the descriptor; what the guest calls it */
	uint64_t memory;
	struct kvm_sregs sregs;
	uint32_t apic_id;
};

/* What KVM says where the own memory of each processor is. */
struct bases {
	union kvm_two_msrs msrs[KVM_CPUS_MAX];
	struct tracee_ioctl call[KVM_CPUS_MAX];
	size_t n;
};

static int read_bases(const struct side_inject *i, struct tracee *t, struct bases *b, struct err *e)
{
	int r;

	for (size_t k = 0; k < i->vm->fds.ncpu; k++) {
		union kvm_two_msrs *m = &b->msrs[b->n];

		if (i->vm->fds.cpu[k].vm != i->vm->info.vmfd)
			continue;
		m->list.nmsrs = 2;
		m->list.entries[0].index = MSR_GS_BASE;
		m->list.entries[1].index = MSR_KERNEL_GS_BASE;
		b->call[b->n++] = (struct tracee_ioctl){ i->vm->fds.cpu[k].fd, KVM_GET_MSRS, m,
							 sizeof(*m), -EINVAL };
	}
	r = tracee_ioctls(t, b->call, b->n, false, e);
	return r < 0 ? r : 0;
}

/* The guest's number of a processor, by its own memory. Return: 1; 0 it is none that is known. */
static int match_cpu(const struct side_inject *i, const struct bases *b, size_t idx,
		     struct cpu *ret)
{
	for (size_t k = 0; k < i->target->ncpu; k++)
		for (size_t m = 0; m < 2 && (long)m < b->call[idx].ret; m++)
			if (i->target->per_cpu[k] &&
			    i->target->per_cpu[k] == b->msrs[idx].list.entries[m].data) {
				ret->fd = b->call[idx].fd;
				ret->number = (int)k;
				ret->memory = i->target->per_cpu[k];
				return 1;
			}
	return 0;
}

static int look_at_apic(struct tracee *t, struct cpu *c, struct err *e)
{
	struct kvm_lapic_state lapic;
	struct tracee_ioctl calls[] = {
		{ c->fd, KVM_GET_SREGS, &c->sregs, sizeof(c->sregs), -EINVAL },
		{ c->fd, KVM_GET_LAPIC, &lapic, sizeof(lapic), -EINVAL },
	};
	uint32_t id, spiv;
	int r = tracee_ioctls(t, calls, ARRAY_SIZE(calls), false, e);

	for (size_t k = 0; r >= 0 && k < ARRAY_SIZE(calls); k++)
		if (calls[k].ret < 0)
			r = err_set(e, (int)-calls[k].ret,
				    "asking KVM in process %d about its machine: %s", t->ref->pid,
				    err_str((int)calls[k].ret));
	if (r < 0)
		return r;
	memcpy(&id, lapic.regs + LAPIC_ID, sizeof(id));
	memcpy(&spiv, lapic.regs + LAPIC_SPIV, sizeof(spiv));
	/* in x2APIC mode the whole register, unless the hypervisor wants it as before */
	c->apic_id = id >> 24 ? id >> 24 : id;
	if (!(spiv & LAPIC_SPIV_ON) || c->apic_id > 255)
		return err_set(e, ENOTSUP, "the guest's processor %d takes no interrupts",
			       c->number);
	return 0;
}

static int choose_cpu(const struct side_inject *i, struct tracee *t, struct cpu *ret, struct err *e)
{
	static struct bases bases; /* in a process of its own */
	bool tried = false;
	int r;

	bases.n = 0;
	r = read_bases(i, t, &bases, e);
	for (size_t k = 0; !r && k < bases.n; k++) {
		if (!match_cpu(i, &bases, k, ret))
			continue;
		if (!look_at_apic(t, ret, e))
			return 0;
		/* one that is offline, in the guest */
		tried = true;
	}
	if (r < 0)
		return r;
	return tried ? -ENOTSUP
		     : err_set(e, EAGAIN,
			       "none of the guest's processors is where its kernel would have it; try again");
}

/* Are the entries still where they were, and free? By the tables that the processor has now. */
static int check_entries(const struct side_inject *i, const struct cpu *c,
			 const struct side_entries *where, struct err *e)
{
	const struct pt_regs_cr cr = { c->sregs.cr0, c->sregs.cr3, c->sregs.cr4, c->sregs.efer };
	struct gview v;
	int r = gview_init_kernel(&v, &cr, (gva_t){ i->vm->kvm.cpu[0].lstar }, kvm_read,
				  (void *)(uintptr_t)&i->vm->kvm);

	for (size_t k = 0; !r && k < where->n; k++) {
		gpa_t at = { 0 };
		uint64_t entry = 1;

		r = pt_entry(&v.pt, (gva_t){ where->at.v + k * SIDE_PAGE }, 2, &at, &entry);
		if (!r && (at.v != where->gpa[k].v || entry))
			r = -EAGAIN;
	}
	return r < 0 ? err_set(e, EAGAIN,
			       "the guest's kernel has just changed its page tables; try again")
		     : 0;
}

static int write_guest(const struct side_inject *i, hva_t at, uint64_t value, struct err *e)
{
	int r = tracee_write(i->vm->info.pid, (rva_t){ at.v }, &value, sizeof(value));

	return r < 0 ? err_set(e, -r, "writing to the guest's memory: %s", err_str(r)) : 0;
}

static int write_entries(const struct side_inject *i, const struct side_entries *where,
			 struct err *e)
{
	struct side_made *m = i->made;
	int r = 0;

	m->at = where->at;
	/* the last is the doorbell's */
	for (size_t k = 0; !r && k < where->n - !m->door_set; k++) {
		gpa_t gpa = { m->gpa.v + k * SIDE_PAGE };
		uint64_t n;

		if (!kvm_at(&i->vm->kvm, where->gpa[k], true, &m->entry[k].hva, &n))
			return err_set(e, EFAULT, "the guest's page tables have gone");
		/* code can't be written to, the rest not be executed */
		m->entry[k].value = pt_make_large(gpa, k > 0, !k);
		m->nentry = k + 1;
		r = write_guest(i, m->entry[k].hva, m->entry[k].value, e);
	}
	return r;
}

/* Where the head of the processor's list of irq_work is. */
static int find_list(const struct side_inject *i, const struct cpu *c, hva_t *ret,
		     uint64_t *ret_first, struct err *e)
{
	const gva_t head = { c->memory + i->target->raised_list.v };
	uint64_t n;
	gpa_t gpa;

	if (head.v % sizeof(uint64_t) || pt_translate(&i->vm->view.pt, head, &gpa) < 0 ||
	    !kvm_at(&i->vm->kvm, gpa, true, ret, &n) || n < sizeof(*ret_first) ||
	    tracee_read(i->vm->info.pid, (rva_t){ ret->v }, ret_first, sizeof(*ret_first)) < 0 ||
	    (*ret_first && (*ret_first % sizeof(uint64_t) || !(*ret_first & KERNEL_HALF))))
		return err_set(e, EPROTO, "the guest's list of work for interrupts makes no sense");
	return 0;
}

/* A slot, and behind it the doorbell if there is one. */
static int make_slot(const struct side_inject *i, struct tracee *t, int cpu, struct err *e)
{
	struct side_made *m = i->made;
	bool room = false;
	int r = side_slot_make(i, t, cpu, &room, e);

	if (!r && m->has_door && !room)
		r = side_slot_shift(i, t, e);
	if (!r && m->has_door) {
		m->door_set = true;
		r = side_door_set(t, i->vm->info.vmfd, m->door, door_gpa(m), true, e);
		m->door_set = r <= 0;
	}
	return r < 0 ? r : 0;
}

/* What the library is told of it all, before it starts. */
static void fill_places(const struct side_inject *i, gva_t at)
{
	const struct side_made *m = i->made;

	side_header_of(i->state)->gpa = m->gpa.v;
	side_header_of(i->state)->gva = at.v;
	i->state->disk.gpa = m->gpa.v + i->state->disk.area;
	i->state->door_at = m->door_set ? (uint32_t)m->size : 0;
	i->state->gsi = i->bells.irq >= 0 ? FREE_GSI + 1 : 0;
}

/* As irq_work_queue() of a processor does it, and the interrupt that it sends to itself then. */
static int queue(const struct side_inject *i, struct tracee *t, const struct cpu *c, hva_t list,
		 uint64_t first, struct err *e)
{
	struct kvm_msi msi = { .address_lo = MSI_ADDRESS | c->apic_id << 12,
			       .data = IRQ_WORK_VECTOR };
	uint8_t *work = i->state->irq_work;
	const struct side_fields *at = &i->target->at;
	uint32_t claimed = IRQ_WORK_CLAIMED;
	uint64_t function = i->made->at.v;
	int r;

	memset(work, 0, SIDE_ROOM_IRQ_WORK);
	memcpy(work, &first, sizeof(first));
	memcpy(work + at->irq_work_flags, &claimed, sizeof(claimed));
	memcpy(work + at->irq_work_func, &function, sizeof(function));
	i->state->cpu = (uint32_t)c->number;
	i->made->list = list;
	i->made->node.v = i->made->at.v + SIDE_STATE_AT + offsetof(struct side_state, irq_work);
	i->made->queued = true;
	side_header_of(i->state)->queued = 1;
	r = write_guest(i, list, i->made->node.v, e);
	i->made->queued = !r;
	if (!r)
		r = side_ask(t, i->vm->info.vmfd, KVM_SIGNAL_MSI, &msi, sizeof(msi), e);
	return r;
}

static int start_stopped(const struct side_inject *i, struct tracee *t,
			 const struct side_entries *where, struct err *e)
{
	uint64_t first = 0;
	struct cpu c = { 0 };
	hva_t list = { 0 };
	int r = choose_cpu(i, t, &c, e);

	if (!r)
		r = check_entries(i, &c, where, e);
	if (!r)
		r = find_list(i, &c, &list, &first, e);
	if (!r)
		r = make_slot(i, t, c.fd, e);
	if (!r) {
		fill_places(i, where->at);
		r = write_entries(i, where, e);
	}
	if (!r)
		r = queue(i, t, &c, list, first, e);
	return r;
}

int side_inject_start(const struct side_inject *i, const struct side_entries *where,
		      uint64_t *ret_ns, struct err *e)
{
	for (int look = 0; look < PAUSED_LOOKS; look++) {
		struct tracee t;
		int end, r = tracee_stop(&i->vm->ref, 0, &t, e);

		if (r < 0)
			return r;
		/* between two runs a processor is in the hypervisor for a moment, of a paused machine all are */
		r = tracee_in_call(&t, SYS_ioctl, KVM_RUN) ? start_stopped(i, &t, where, e) : 1;
		end = tracee_release(&t, ret_ns, r ? NULL : e);
		if (r <= 0)
			return r < 0 ? r : end;
		(void)usleep(PAUSED_WAIT_US);
	}
	return err_set(e, EBUSY, "the machine of process %d is paused; nothing was changed",
		       i->vm->info.pid);
}

/* --- back --- */

bool side_inject_over(const struct side_inject *i)
{
	const struct side_fields *at = &i->target->at;
	const uint8_t *completion = i->state->completion;
	uint32_t stage = __atomic_load_n(&i->state->stage, __ATOMIC_ACQUIRE), done, lock;

	if (stage == SIDE_NOTHING)
		return true;
	memcpy(&done, completion + at->completion_done, sizeof(done));
	memcpy(&lock, completion + at->completion_wait, sizeof(lock));
	return stage == SIDE_ENDED && done && !lock;
}

/* Does @cr3 lead to our first entry? */
static bool leads_to_us(const struct side_inject *i, const struct kvm_sregs *s, uint64_t cr3)
{
	const struct pt_regs_cr cr = { s->cr0, cr3, s->cr4, s->efer };
	uint64_t entry = 0;
	struct gview v;
	gpa_t at;

	return !gview_init(&v, &cr, kvm_read, (void *)(uintptr_t)&i->vm->kvm) &&
	       !pt_entry(&v.pt, i->made->at, 2, &at, &entry) && entry == i->made->entry[0].value;
}

/* Return: 1 a processor has us in its tables; 0; -errno. */
static int is_mapped(const struct side_inject *i, struct tracee *t, struct err *e)
{
	for (size_t k = 0; k < i->vm->fds.ncpu; k++) {
		struct kvm_sregs s = { 0 };
		int r;

		if (i->vm->fds.cpu[k].vm != i->vm->info.vmfd)
			continue;
		r = side_ask(t, i->vm->fds.cpu[k].fd, KVM_GET_SREGS, &s, sizeof(s), e);
		if (r < 0)
			return r;
		/* in user mode it may have tables without most of the kernel */
		if (leads_to_us(i, &s, s.cr3) || leads_to_us(i, &s, s.cr3 & ~PT_CR3_ISOLATION))
			return 1;
	}
	return 0;
}

bool side_inject_lost(const struct side_inject *i)
{
	int32_t panic = -1;
	struct tracee t;
	int r;

	if (i->target->panic_cpu.v &&
	    !gview_read(&i->vm->view, i->target->panic_cpu, &panic, sizeof(panic)) && panic != -1)
		return true;
	if (tracee_stop(&i->vm->ref, 0, &t, NULL) < 0)
		return false;
	r = is_mapped(i, &t, NULL);
	if (tracee_release(&t, NULL, NULL) < 0)
		return false;
	return !r;
}

/* Take the irq_work out of its list if it is still in there. Return: 1; 0 it is not; -errno. */
static int unqueue(const struct side_inject *i, struct err *e)
{
	const struct side_made *m = i->made;
	uint64_t next, at, link = 0;
	hva_t from = m->list;

	memcpy(&next, i->state->irq_work, sizeof(next));
	for (int n = 0; n < NODES_MAX; n++) {
		uint64_t room;
		gpa_t gpa;

		if (tracee_read(i->vm->info.pid, (rva_t){ from.v }, &link, sizeof(link)) < 0)
			return 0;
		if (link == m->node.v) {
			int r = write_guest(i, from, next, e);

			return r < 0 ? r : 1;
		}
		at = link;
		if (!at || pt_translate(&i->vm->view.pt, (gva_t){ at }, &gpa) < 0 ||
		    !kvm_at(&i->vm->kvm, gpa, true, &from, &room) || room < sizeof(link))
			return 0;
	}
	return 0;
}

/* An entry with something else in it is somebody else's by now: the guest has started anew. */
static int clear_entries(const struct side_inject *i, struct err *e)
{
	struct side_made *m = i->made;
	int r = 0;

	while (!r && m->nentry) {
		const size_t k = m->nentry - 1;
		uint64_t now = 0;

		r = tracee_read(i->vm->info.pid, (rva_t){ m->entry[k].hva.v }, &now, sizeof(now));
		if (!r && now == m->entry[k].value)
			r = write_guest(i, m->entry[k].hva, 0, e);
		if (!r)
			m->nentry = k;
	}
	return r;
}

/* KVM may not have it: then it is closed only if it is ours for certain. */
static int remove_door(const struct side_inject *i, struct tracee *t, struct err *e)
{
	struct side_made *m = i->made;
	int r = 1;
	uint64_t count;
	int64_t id = -1;

	/* somebody there who closes what he does not know */
	m->has_door = !side_door_id(&i->vm->ref, m->door, &id, &count) && id == m->door_id;
	if (m->has_door && m->door_set)
		r = side_door_set(t, i->vm->info.vmfd, m->door, door_gpa(m), false, e);
	if (r < 0)
		return r;
	m->door_set = false;
	if (m->has_door && (!r || m->door_ours))
		r = side_door_close(t, m->door, e);
	m->has_door = r < 0;
	return r < 0 ? r : 0;
}

static int unmap(const struct side_inject *i, struct tracee *t, struct err *e)
{
	const uint64_t args[6] = { i->made->hva.v, i->made->size };
	long r = side_call(t, SYS_munmap, args, e);

	if (!r)
		i->made->mapped = false;
	return (int)r;
}

static int undo_stopped(const struct side_inject *i, struct tracee *t, struct err *e)
{
	struct side_made *m = i->made;
	int r = 1;

	if (m->queued && __atomic_load_n(&i->state->stage, __ATOMIC_ACQUIRE) == SIDE_NOTHING) {
		r = unqueue(i, e);
		m->queued = r <= 0;
	}
	if (r < 0)
		return r;
	/* it has begun since it was asked, or a processor has just taken it and is about to */
	if (!r || (m->queued && !side_inject_over(i)))
		return -EAGAIN;
	r = clear_entries(i, e);
	if (!r && m->has_door)
		r = remove_door(i, t, e);
	if (!r && m->slot)
		r = side_slot_delete(i, t, e);
	if (!r && m->mapped)
		r = unmap(i, t, e);
	return r;
}

int side_inject_undo(const struct side_inject *i, uint64_t *ret_ns, struct err *e)
{
	struct tracee t;
	int end, r;

	if ((!i->made->mapped && !i->made->has_door) || !pid_alive(&i->vm->ref))
		return 0;
	if (i->made->queued && (!i->state || !side_inject_over(i)))
		return -EAGAIN;
	r = tracee_stop(&i->vm->ref, 0, &t, e);
	if (r < 0)
		return pid_alive(&i->vm->ref) ? r : 0;
	r = undo_stopped(i, &t, e);
	end = tracee_release(&t, ret_ns, r ? NULL : e);
	return r < 0 ? r : end;
}

/* --- found again --- */

/* The addresses are the guest's word: what is not in its tables just so is not touched. */
static void find_entries(const struct side_inject *i)
{
	struct side_made *m = i->made;

	/* with that of the doorbell */
	for (size_t k = 0; k <= m->size / SIDE_PAGE && k < SIDE_ENTRIES_MAX; k++) {
		uint64_t n, is = 0,
			    want = pt_make_large((gpa_t){ m->gpa.v + k * SIDE_PAGE }, k > 0, !k);
		gpa_t at;

		if (pt_entry(&i->vm->view.pt, (gva_t){ m->at.v + k * SIDE_PAGE }, 2, &at, &is) <
			    0 ||
		    is != want || !kvm_at(&i->vm->kvm, at, true, &m->entry[m->nentry].hva, &n) ||
		    n < sizeof(is))
			continue;
		m->entry[m->nentry++].value = is;
	}
}

/* Whether KVM has it, and so it is what it is taken for, comes out when it is taken back. */
static void find_door(const struct side_inject *i, int64_t door)
{
	struct side_made *m = i->made;
	uint64_t count = 0;

	m->door_id = door;
	m->door = door < 0 ? -1 : side_door_find(&i->vm->ref, door, &count);
	m->has_door = m->door_set = m->door >= 0;
	m->door_ours = m->has_door && count == SIDE_DOOR_NEW;
}

int side_inject_find(const struct side_inject *i, int64_t door, uint64_t *ret_ns, struct err *e)
{
	struct side_made *m = i->made;
	struct tracee t;
	int end, id, r = tracee_stop(&i->vm->ref, 0, &t, e);

	if (r < 0)
		return r;
	id = side_slot_find(i, &t, e);
	find_door(i, door);
	end = tracee_release(&t, ret_ns, id < 0 ? NULL : e);
	if (id < 0 && id != -ENOENT)
		return id;
	m->mapped = true;
	m->slot = id >= 0;
	m->id = id;
	if (m->at.v)
		find_entries(i);
	return end;
}
