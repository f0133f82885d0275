/* SPDX-License-Identifier: MIT */
#include "kvm_hold.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "kvm_msrs.h"
#include "kvm_private.h"

/* What the child makes, in memory that the parent sees. */
struct kvm_held {
	struct kvm_cpu_state cpu[KVM_CPUS_MAX];
	size_t ncpu;
	uint64_t stopped_ns;
	struct err err;
	int r;
};

union one_msr {
	struct kvm_msrs list;
	uint8_t room[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
};

static int read_cpu(struct tracee *t, int fd, struct kvm_cpu_state *ret, struct err *e)
{
	union one_msr msr = { .list.nmsrs = 1 };
	struct tracee_ioctl c[] = {
		{ fd, KVM_GET_REGS, &ret->regs, sizeof(ret->regs), 0 },
		{ fd, KVM_GET_SREGS, &ret->sregs, sizeof(ret->sregs), 0 },
		{ fd, KVM_GET_MSRS, &msr, sizeof(msr), 0 },
	};
	int r;

	msr.list.entries[0].index = MSR_KERNEL_GS_BASE;
	r = kvm_ask_all(t, c, ARRAY_SIZE(c), e);
	ret->kernel_gs_base = !r && c[2].ret == 1 ? msr.list.entries[0].data : 0;
	return r;
}

/* Until the parent says so, or is gone. The tracee's ticks interrupt it. */
static void wait_for_end(int fd)
{
	char c;

	while (read(fd, &c, 1) < 0 && errno == EINTR)
		;
}

static void hold(const struct pid_ref *p, const struct kvm_fds *fds, int vmfd, struct kvm_held *h,
		 int end, int ready)
{
	struct tracee t;
	int back = 0, r = tracee_stop(p, 0, &t, &h->err);

	if (r < 0) {
		h->r = r;
		return;
	}
	for (size_t i = 0; !r && i < fds->ncpu; i++)
		if (fds->cpu[i].vm == vmfd) {
			h->cpu[h->ncpu].idx = fds->cpu[i].idx;
			r = read_cpu(&t, fds->cpu[i].fd, &h->cpu[h->ncpu++], &h->err);
		}
	/* before the wait: whatever ends this child then, the thread goes on with its own registers */
	if (!r)
		r = tracee_restore(&t, &h->err);
	h->r = r;
	if (!r && write(ready, "", 1) == 1)
		wait_for_end(end);
	back = tracee_release(&t, &h->stopped_ns, &h->err);
	if (!r)
		h->r = back;
}

/* In the child, which has the ends of the pipes that are its own. */
static _Noreturn void be_holder(const struct pid_ref *p, const struct kvm_fds *fds, int vmfd,
				struct kvm_held *h, const int end[2], const int ready[2])
{
	(void)close(end[1]);
	(void)close(ready[0]);
	hold(p, fds, vmfd, h, end[0], ready[1]);
	_exit(0);
}

/* Wait for the child's end. Return: 0; -EIO it did not come to its own. */
static int reap(struct kvm_hold *h)
{
	int status = -1;

	closep(&h->pipe);
	h->pipe = -1;
	while (waitpid(h->child, &status, 0) < 0 && errno == EINTR)
		;
	h->child = -1;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
}

static int start(const struct pid_ref *p, const struct kvm_fds *fds, int vmfd, struct kvm_hold *h)
{
	int end[2], ready[2];
	char c;

	if (pipe2(end, O_CLOEXEC) < 0)
		return -errno;
	h->pipe = end[1];
	if (pipe2(ready, O_CLOEXEC) < 0) {
		(void)close(end[0]);
		return -errno;
	}
	h->child = tracee_fork();
	if (!h->child)
		be_holder(p, fds, vmfd, h->held, end, ready);
	(void)close(end[0]);
	(void)close(ready[1]);
	/* the end of the file if it did not work */
	while (h->child > 0 && read(ready[0], &c, 1) < 0 && errno == EINTR)
		;
	(void)close(ready[0]);
	return h->child < 0 ? -EAGAIN : 0;
}

int kvm_hold(const struct pid_ref *p, const struct kvm_fds *fds, int vmfd, struct kvm_hold *ret,
	     struct err *e)
{
	struct kvm_held *held = mmap(NULL, sizeof(*held), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int r;

	*ret = (struct kvm_hold)KVM_HOLD_INIT;
	if (held == MAP_FAILED)
		return err_set(e, ENOMEM, "no memory");
	ret->held = held;
	held->r = -EIO;
	r = start(p, fds, vmfd, ret);
	if (r < 0)
		return err_set(e, -r, "cannot start what stops process %d: %s", p->pid, err_str(r));
	ret->cpu = held->cpu;
	ret->ncpu = held->ncpu;
	if (!held->r)
		return 0;
	r = held->r;
	if (reap(ret) < 0)
		return err_set(e, EIO, "stopping process %d broke off", p->pid);
	if (e)
		*e = held->err;
	return r;
}

int kvm_hold_end(struct kvm_hold *h, uint64_t *ret_ns, struct err *e)
{
	if (reap(h) < 0)
		return err_set(e, EIO, "what stopped the machine was killed");
	if (h->held->r < 0 && e)
		*e = h->held->err;
	*ret_ns = h->held->stopped_ns;
	return h->held->r;
}

void kvm_hold_fini(struct kvm_hold *h)
{
	if (h->child > 0)
		(void)reap(h);
	closep(&h->pipe);
	if (h->held)
		(void)munmap(h->held, sizeof(*h->held));
	*h = (struct kvm_hold)KVM_HOLD_INIT;
}
