/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "io.h"
#include "kvm_private.h"

#define MSR_LSTAR          0xc0000082
#define MSR_KERNEL_GS_BASE 0xc0000102
#define ATTEMPTS           3

union one_msr {
	struct kvm_msrs list;
	uint8_t room[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
};

/* What the child makes, in memory that the parent sees. */
struct result {
	struct kvm_vm vm;
	struct kvm_mappings mappings;
	struct kvm_layouts layouts;
	struct err err;
	int r;
};

int kvm_ask(struct tracee *t, int fd, unsigned long request, struct tracee_ioctl *c, struct err *e)
{
	int r;

	c->fd = fd;
	c->request = request;
	r = tracee_ioctl(t, c, e);
	if (!r && c->ret < 0)
		return err_set(
			e, (int)-c->ret, "asking KVM in process %d about its machine: %s%s",
			t->ref->pid, err_str((int)c->ret),
			t->filtered
				? "; its seccomp filter could not be suspended, which takes CAP_SYS_ADMIN"
				: "");
	return r;
}

int kvm_ask_msr(struct tracee *t, int fd, uint32_t index, uint64_t *ret, struct err *e)
{
	union one_msr msr = { .list.nmsrs = 1 };
	struct tracee_ioctl c = { .arg = &msr, .size = sizeof(msr) };
	int r;

	msr.list.entries[0].index = index;
	r = kvm_ask(t, fd, KVM_GET_MSRS, &c, e);
	if (!r)
		*ret = c.ret == 1 ? msr.list.entries[0].data : 0;
	return r;
}

static int look_at_cpu(struct tracee *t, int fd, struct kvm_cpu *ret, struct err *e)
{
	struct kvm_sregs s = { 0 };
	struct kvm_regs g = { 0 };
	struct tracee_ioctl sregs = { .arg = &s, .size = sizeof(s) },
			    regs = { .arg = &g, .size = sizeof(g) };
	int r = kvm_ask(t, fd, KVM_GET_SREGS, &sregs, e);

	if (!r)
		r = kvm_ask(t, fd, KVM_GET_REGS, &regs, e);
	if (!r)
		r = kvm_ask_msr(t, fd, MSR_LSTAR, &ret->lstar, e);
	if (r < 0)
		return r;
	ret->gs = s.gs.base;
	if (s.cs.selector & 3)
		r = kvm_ask_msr(t, fd, MSR_KERNEL_GS_BASE, &ret->gs, e);
	if (r < 0)
		return r;
	ret->rip = g.rip;
	ret->rsp = g.rsp;
	ret->rflags = g.rflags;
	ret->cr = (struct pt_regs_cr){ s.cr0, s.cr3, s.cr4, s.efer };
	ret->cpl = s.cs.selector & 3;
	return 0;
}

/*
 * How KVM translates some addresses of the guest's kernel; the entry of system calls is the first. Data of a
 * processor are mapped by tables that a kernel makes at the top of its memory: above 4 GiB, if there is any.
 */
static int collect(struct tracee *t, int fd, const struct kvm_cpu *cpu,
		   struct kvm_evidence ret[EVIDENCE_MAX], size_t *ret_n)
{
	const uint64_t at[] = { cpu->lstar,
				cpu->lstar + PT_PAGE,
				cpu->lstar + (2 << 20),
				cpu->lstar - (2 << 20),
				cpu->lstar + (8 << 20),
				cpu->rip,
				cpu->gs };

	*ret_n = 0;
	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		struct kvm_translation tr = { .linear_address = at[i] };
		struct tracee_ioctl c = { .arg = &tr, .size = sizeof(tr) };

		if (at[i] && !kvm_ask(t, fd, KVM_TRANSLATE, &c, NULL) && tr.valid)
			ret[(*ret_n)++] = (struct kvm_evidence){ { at[i] },
								 { tr.physical_address },
								 at[i] == cpu->gs };
		else if (!i)
			return -ENOENT;
	}
	return 0;
}

struct proof {
	int cpu; /* the descriptor that was asked */
	struct kvm_evidence v[EVIDENCE_MAX];
	size_t n;
};

/* The first stop. */
static int look_stopped(const struct pid_ref *p, const struct kvm_fds *fds, struct kvm_vm *vm,
			struct proof *ret, struct err *e)
{
	struct tracee t;
	int cpu0 = -1, end, r = tracee_stop(p, 0, &t, e);

	ret->n = 0;
	if (r < 0)
		return r;
	for (size_t i = 0; !r && i < fds->ncpu; i++) {
		if (fds->cpu[i].vm != vm->vmfd)
			continue;
		cpu0 = cpu0 < 0 ? fds->cpu[i].fd : cpu0;
		vm->cpu[vm->ncpu].idx = fds->cpu[i].idx;
		r = look_at_cpu(&t, fds->cpu[i].fd, &vm->cpu[vm->ncpu++], e);
	}
	if (!r && cpu0 >= 0)
		(void)collect(&t, cpu0, &vm->cpu[0], ret->v, &ret->n);
	ret->cpu = cpu0;
	vm->filtered = t.filtered;
	end = tracee_release(&t, &vm->stopped_ns, e);
	return r < 0 ? r : end;
}

/* Does KVM still translate as it did before the machine ran on? */
static bool still(struct tracee *t, const struct proof *proof)
{
	struct kvm_translation tr = { .linear_address = proof->v[0].gva.v };
	struct tracee_ioctl c = { .arg = &tr, .size = sizeof(tr) };

	return !kvm_ask(t, proof->cpu, KVM_TRANSLATE, &c, NULL) && tr.valid &&
	       tr.physical_address == proof->v[0].gpa.v;
}

/*
 * The second stop, again of all threads: slots must not change while they are asked for. In between guest memory
 * was read, which a thread of the process may have to bring first (userfaultfd, in a migration).
 */
static int probe_stopped(const struct pid_ref *p, struct result *res, const struct proof *proof)
{
	struct tracee t;
	int end, r = tracee_stop(p, 0, &t, &res->err);

	if (r < 0)
		return r;
	if (still(&t, proof))
		r = kvm_slots_probe(&t, &res->vm, &res->mappings, &res->layouts, proof->v[0].gpa,
				    &res->err);
	end = tracee_release(&t, &res->vm.probing_ns, &res->err);
	return r < 0 ? r : end;
}

static int look(const struct pid_ref *p, const struct kvm_fds *fds, struct result *res)
{
	struct proof proof;
	int r = 0;

	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		res->vm.ncpu = 0;
		r = look_stopped(p, fds, &res->vm, &proof, &res->err);
		if (r < 0 || !proof.n)
			return r;
		r = kvm_mappings_read(p, &res->mappings, &res->err);
		if (r < 0)
			return r;
		/* the tables that a processor had may be gone by now, with the process that they were of */
		if (!kvm_layout_find(&res->vm, &res->mappings, proof.v, proof.n, &res->layouts))
			return probe_stopped(p, res, &proof);
	}
	/* a guest without page tables of its own, or with two memories that both fit, has no slots here */
	return 0;
}

static int wait_for(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
}

int kvm_look(const struct pid_ref *p, const struct kvm_fds *fds, int vmfd, struct kvm_vm *ret,
	     struct err *e)
{
	struct result *res =
		mmap(NULL, sizeof(*res), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child;
	int r;

	if (res == MAP_FAILED)
		return err_set(e, ENOMEM, "no memory");
	res->vm.pid = p->pid;
	res->vm.vmfd = vmfd;
	child = tracee_fork();
	if (!child) {
		res->r = look(p, fds, res);
		_exit(0);
	}
	r = child < 0 ? -errno : wait_for(child);
	if (r < 0)
		(void)err_set(e, -r, "looking at process %d broke off: %s", p->pid, err_str(r));
	else if (res->r < 0 && e)
		*e = res->err;
	if (!r)
		r = res->r;
	if (!r)
		*ret = res->vm;
	(void)munmap(res, sizeof(*res));
	return r;
}
