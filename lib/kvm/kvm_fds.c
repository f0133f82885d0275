/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "io.h"
#include "kvm.h"

#define CPU_PREFIX "anon_inode:kvm-vcpu:"

static int by_int(const void *a, const void *b)
{
	return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

static int by_fd(const void *a, const void *b)
{
	return by_int(&((const struct kvm_cpu_fd *)a)->fd, &((const struct kvm_cpu_fd *)b)->fd);
}

static void take(struct kvm_fds *f, int fd, const char *what)
{
	bool vm = !strcmp(what, "anon_inode:kvm-vm");
	bool cpu = !strncmp(what, CPU_PREFIX, strlen(CPU_PREFIX));

	if ((vm && f->nvm == KVM_VMS_MAX) || (cpu && f->ncpu == KVM_CPUS_MAX))
		f->more = true;
	else if (vm)
		f->vm[f->nvm++] = fd;
	else if (cpu)
		f->cpu[f->ncpu++] =
			(struct kvm_cpu_fd){ .fd = fd, .idx = atoi(what + strlen(CPU_PREFIX)) };
}

/* A hypervisor may have several descriptors of one processor (Firecracker has two); no two processors of a machine have the same number. */
static void drop_copies(struct kvm_fds *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->ncpu; i++) {
		bool known = false;

		for (size_t k = 0; k < n; k++)
			known |= f->cpu[k].vm == f->cpu[i].vm && f->cpu[k].idx == f->cpu[i].idx;
		if (!known)
			f->cpu[n++] = f->cpu[i];
	}
	f->ncpu = n;
}

int kvm_fds_find(const struct pid_ref *p, struct kvm_fds *ret, struct err *e)
{
	int fd = openat(p->procfd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const int why = dir ? 0 : errno;
	struct dirent *d;

	if (!dir)
		closep(&fd);
	*ret = (struct kvm_fds){ 0 };
	if (!dir && (why == EACCES || why == EPERM))
		return err_set(
			e, EACCES,
			"the descriptors of process %d can't be read: it takes CAP_SYS_PTRACE in its user namespace, or to be its user",
			p->pid);
	if (!dir && (why == ENOENT || why == ESRCH))
		return err_set(e, ESRCH, "process %d has just ended", p->pid);
	if (!dir)
		return err_set(e, why, "the descriptors of process %d can't be read: %s", p->pid,
			       err_str(why));
	while ((d = readdir(dir))) {
		_cleanup_free_ char *what = NULL;

		if (d->d_name[0] == '.')
			continue;
		if (io_readlink_at(dirfd(dir), d->d_name, &what) == 0)
			take(ret, atoi(d->d_name), what);
		else if (errno == EACCES)
			return err_set(
				e, EACCES,
				"the descriptors of process %d can't be read: it takes CAP_SYS_PTRACE in its user namespace",
				p->pid);
	}
	qsort(ret->vm, ret->nvm, sizeof(ret->vm[0]), by_int);
	qsort(ret->cpu, ret->ncpu, sizeof(ret->cpu[0]), by_fd);
	/* a machine's descriptor is made before those of its processors */
	for (size_t i = 0; i < ret->ncpu; i++) {
		ret->cpu[i].vm = ret->nvm ? ret->vm[0] : -1;
		for (size_t k = 0; k < ret->nvm && ret->vm[k] < ret->cpu[i].fd; k++)
			ret->cpu[i].vm = ret->vm[k];
	}
	drop_copies(ret);
	return 0;
}
