/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cleanup.h"
#include "io.h"
#include "kvm_msrs.h"
#include "kvm_private.h"

#define ATTEMPTS 4

/* What the child makes, in memory that the parent sees. */
struct result {
	struct kvm_vm vm;
	struct kvm_mappings mappings;
	struct kvm_layouts layouts;
};

int kvm_ask_all(struct tracee *t, struct tracee_ioctl *c, size_t n, struct err *e)
{
	int r = tracee_ioctls(t, c, n, false, e);

	for (size_t i = 0; r >= 0 && i < n; i++)
		if (c[i].ret < 0)
			return err_set(
				e, (int)-c[i].ret,
				"asking KVM in process %d about its machine: %s%s", t->ref->pid,
				err_str((int)c[i].ret),
				t->filtered
					? "; its seccomp filter could not be suspended, which takes CAP_SYS_ADMIN"
					: "");
	return r < 0 ? r : 0;
}

/* What is asked of a processor. */
struct asked {
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	union kvm_two_msrs msrs;
};
#define ASKED 3 /* calls */

static void take_cpu(const struct asked *a, int msrs, struct kvm_cpu *ret)
{
	const struct kvm_sregs *s = &a->sregs;

	ret->cpl = s->cs.selector & 3;
	ret->lstar = msrs > 0 ? a->msrs.list.entries[0].data : 0;
	ret->gs = !ret->cpl ? s->gs.base : msrs > 1 ? a->msrs.list.entries[1].data : 0;
	ret->rip = a->regs.rip;
	ret->rsp = a->regs.rsp;
	ret->rflags = a->regs.rflags;
	ret->cr = (struct pt_regs_cr){ s->cr0, s->cr3, s->cr4, s->efer };
}

/* All processors of the machine; @calls are ASKED for each. */
static int look_at_cpus(struct tracee *t, const int *fd, struct kvm_vm *vm, struct asked *asked,
			struct tracee_ioctl *calls, struct err *e)
{
	int r;

	for (size_t i = 0; i < vm->ncpu; i++) {
		struct asked *a = &asked[i];

		a->msrs.list.nmsrs = 2;
		a->msrs.list.entries[0].index = MSR_LSTAR;
		a->msrs.list.entries[1].index = MSR_KERNEL_GS_BASE;
		calls[ASKED * i] = (struct tracee_ioctl){ fd[i], KVM_GET_SREGS, &a->sregs,
							  sizeof(a->sregs), 0 };
		calls[ASKED * i + 1] =
			(struct tracee_ioctl){ fd[i], KVM_GET_REGS, &a->regs, sizeof(a->regs), 0 };
		calls[ASKED * i + 2] =
			(struct tracee_ioctl){ fd[i], KVM_GET_MSRS, &a->msrs, sizeof(a->msrs), 0 };
	}
	r = kvm_ask_all(t, calls, ASKED * vm->ncpu, e);
	for (size_t i = 0; !r && i < vm->ncpu; i++)
		take_cpu(&asked[i], (int)calls[ASKED * i + 2].ret, &vm->cpu[i]);
	return r;
}

/*
 * How KVM translates some addresses of the guest's kernel; the entry of system calls is the first. Data of a
 * processor are mapped by tables that a kernel makes at the top of its memory: above 4 GiB, if there is any.
 */
static int collect(struct tracee *t, int fd, const struct kvm_cpu *cpu,
		   struct kvm_evidence ret[EVIDENCE_MAX], size_t *ret_n)
{
	const uint64_t at[EVIDENCE_MAX] = { cpu->lstar,
					    cpu->lstar + PT_PAGE,
					    cpu->lstar + (2 << 20),
					    cpu->lstar - (2 << 20),
					    cpu->lstar + (8 << 20),
					    cpu->rip,
					    cpu->gs };
	struct kvm_translation tr[EVIDENCE_MAX];
	struct tracee_ioctl c[EVIDENCE_MAX];
	size_t n = 0;

	*ret_n = 0;
	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		if (!at[i])
			continue;
		tr[n] = (struct kvm_translation){ .linear_address = at[i] };
		c[n] = (struct tracee_ioctl){ fd, KVM_TRANSLATE, &tr[n], sizeof(tr[n]), 0 };
		n++;
	}
	if (!cpu->lstar || tracee_ioctls(t, c, n, false, NULL) != (int)n)
		return -ENOENT;
	for (size_t i = 0; i < n; i++)
		if (!c[i].ret && tr[i].valid)
			ret[(*ret_n)++] = (struct kvm_evidence){ { tr[i].linear_address },
								 { tr[i].physical_address },
								 tr[i].linear_address == cpu->gs };
		else if (!i)
			return -ENOENT;
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
	_cleanup_free_ struct asked *asked = calloc(fds->ncpu + 1, sizeof(*asked));
	_cleanup_free_ struct tracee_ioctl *calls = calloc(ASKED * (fds->ncpu + 1), sizeof(*calls));
	int fd[KVM_CPUS_MAX], end, r;
	struct tracee t;
	uint64_t ns;

	ret->n = 0;
	if (!asked || !calls)
		return err_set(e, ENOMEM, "no memory for the registers");
	for (size_t i = 0; i < fds->ncpu; i++)
		if (fds->cpu[i].vm == vm->vmfd) {
			fd[vm->ncpu] = fds->cpu[i].fd;
			vm->cpu[vm->ncpu++].idx = fds->cpu[i].idx;
		}
	r = tracee_stop(p, 0, &t, e);
	if (r < 0)
		return r;
	r = look_at_cpus(&t, fd, vm, asked, calls, e);
	if (!r && vm->ncpu)
		(void)collect(&t, fd[0], &vm->cpu[0], ret->v, &ret->n);
	ret->cpu = vm->ncpu ? fd[0] : -1;
	vm->filtered = t.filtered;
	end = tracee_release(&t, &ns, e);
	vm->stopped_ns += ns; /* of all attempts */
	return r < 0 ? r : end;
}

/* Does KVM still translate as it did before the machine ran on? */
static bool still(struct tracee *t, const struct proof *proof)
{
	struct kvm_translation tr = { .linear_address = proof->v[0].gva.v };
	struct tracee_ioctl c = { proof->cpu, KVM_TRANSLATE, &tr, sizeof(tr), 0 };

	return !kvm_ask_all(t, &c, 1, NULL) && tr.valid && tr.physical_address == proof->v[0].gpa.v;
}

/*
 * The second stop, again of all threads: slots must not change while they are asked for. In between guest memory
 * was read, which a thread of the process may have to bring first (userfaultfd, in a migration).
 */
static int probe_stopped(const struct pid_ref *p, struct result *res, const struct proof *proof,
			 struct err *e)
{
	uint64_t ns = 0;
	struct tracee t;
	int end, r = tracee_stop(p, 0, &t, e);

	if (r < 0)
		return r;
	if (still(&t, proof))
		r = kvm_slots_probe(&t, &res->vm, &res->mappings, &res->layouts, proof->v[0].gpa,
				    e);
	end = tracee_release(&t, &ns, e);
	res->vm.probing_ns += ns; /* of all attempts */
	return r < 0 ? r : end;
}

static int look(const struct pid_ref *p, const struct kvm_fds *fds, struct result *res,
		struct err *e)
{
	bool unusual = false;
	struct proof proof;
	int r = 0;

	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		res->vm.ncpu = 0;
		r = look_stopped(p, fds, &res->vm, &proof, e);
		if (r < 0 || !proof.n)
			return r;
		r = kvm_mappings_read(p, &res->mappings, e);
		if (r < 0)
			return r;
		/* the tables that a processor had may be gone by now, with the process that they were of */
		if (kvm_layout_find(&res->vm, &res->mappings, proof.v, proof.n, unusual,
				    &res->layouts) < 0)
			continue;
		r = probe_stopped(p, res, &proof, e);
		if (res->vm.exact || (r < 0 && !(unusual && r == -E2BIG)))
			return r;
		/* all that the walks need can be below a cut that is not usual: only KVM's answers speak against the others;
		   of a KVM that knows none of those either, what is usual is the last word */
		unusual = !unusual && attempt + 2 < ATTEMPTS;
	}
	/* a guest without page tables of its own, or with two memories that both fit, has no slots here */
	return 0;
}

/* What the child is told. */
struct task {
	const struct pid_ref *p;
	const struct kvm_fds *fds;
	struct result *res;
};

static int look_apart(void *arg, struct err *e)
{
	const struct task *t = arg;

	return look(t->p, t->fds, t->res, e);
}

int kvm_look(const struct pid_ref *p, const struct kvm_fds *fds, int vmfd, struct kvm_vm *ret,
	     struct err *e)
{
	struct result *res =
		mmap(NULL, sizeof(*res), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct task task = { p, fds, res };
	int r;

	if (res == MAP_FAILED)
		return err_set(e, ENOMEM, "no memory");
	res->vm.pid = p->pid;
	res->vm.vmfd = vmfd;
	r = tracee_apart(look_apart, &task, e);
	if (!r)
		*ret = res->vm;
	(void)munmap(res, sizeof(*res));
	return r;
}
