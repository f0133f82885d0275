/* SPDX-License-Identifier: MIT */
#include "side_far.h"

#include <errno.h>
#include <sys/mman.h>

#define AT_ONCE 64 /* buffers of one call; more are several calls */

/* What KVM was asked about. */
static bool is_usable(const struct kvm_slot *s)
{
	return s->id >= 0 && s->placed && !s->readonly && !s->logged && s->size;
}

/* The slot that the kernel is in; NULL: it is not known. */
static const struct kvm_slot *kernel_slot(const struct vm *v)
{
	for (size_t i = 0; i < v->kvm.nslot; i++) {
		const struct kvm_slot *s = &v->kvm.slot[i];

		if (is_usable(s) && v->entry.v - s->gpa.v < s->size)
			return s;
	}
	return NULL;
}

static void add(struct side_far *f, const struct kvm_slot *s)
{
	f->theirs[f->n] = s->hva;
	f->region[f->n++] =
		(struct gmem_region){ .base = { SIDE_DISK_FAR + s->gpa.v }, .size = s->size };
	f->size += s->size;
}

static bool has(const struct side_far *f, const struct kvm_slot *s)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->theirs[i].v == s->hva.v)
			return true;
	return false;
}

/* Is it beside one that we have? */
static bool is_beside(const struct side_far *f, const struct kvm_slot *s)
{
	for (size_t i = 0; i < f->n; i++)
		if (s->hva.v + s->size == f->theirs[i].v ||
		    f->theirs[i].v + f->region[i].size == s->hva.v)
			return true;
	return false;
}

/* The largest that is beside one that we have; NULL: there is none. */
static const struct kvm_slot *next_slot(const struct side_far *f, const struct vm *v)
{
	const struct kvm_slot *best = NULL;

	for (size_t i = 0; i < v->kvm.nslot; i++) {
		const struct kvm_slot *s = &v->kvm.slot[i];

		if (is_usable(s) && !has(f, s) && is_beside(f, s) &&
		    (!best || s->size > best->size))
			best = s;
	}
	return best;
}

static void choose(struct side_far *f, const struct vm *v)
{
	const struct kvm_slot *s = v->kvm.exact ? kernel_slot(v) : NULL;

	for (; s && f->n < SIDE_DISK_FARS; s = next_slot(f, v))
		add(f, s);
}

void side_far_open(struct side_far *f, const struct vm *v, const uint32_t *served)
{
	uint8_t *p;

	*f = (struct side_far){ .vm = v, .served = served };
	choose(f, v);
	p = f->n ? mmap(NULL, f->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			0)
		 : MAP_FAILED;
	if (p == MAP_FAILED) {
		f->n = 0;
		return;
	}
	f->p = p;
	for (size_t i = 0; i < f->n; i++) {
		f->region[i].hva = p;
		p += f->region[i].size;
	}
}

void side_far_close(struct side_far *f)
{
	if (f->p)
		(void)munmap(f->p, f->size);
	*f = (struct side_far){ .n = 0 };
}

/* Where the hypervisor has @v, all of which is in one region. */
static bool resolve(const struct side_far *f, const struct iovec *v, struct iovec *ret)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct gmem_region *r = &f->region[i];
		const uintptr_t off = (uintptr_t)v->iov_base - (uintptr_t)r->hva;

		if (off >= r->size)
			continue;
		/* NOLINTNEXTLINE(performance-no-int-to-ptr): another process's */
		*ret = (struct iovec){ (void *)(uintptr_t)(f->theirs[i].v + off), v->iov_len };
		return v->iov_len <= r->size - off;
	}
	return false;
}

/* As many of @n as go at once, those that lie in a row as one. Return: how many; 0 one is none of ours. */
static unsigned int collect(const struct side_far *f, const struct iovec *to, unsigned int n,
			    struct iovec theirs[AT_ONCE], unsigned int *ret_n, size_t *ret_len)
{
	unsigned int used = 0, k = 0;
	struct iovec v;

	for (*ret_len = 0; k < n; k++) {
		if (!resolve(f, to + k, &v))
			return 0;
		if (used && (uintptr_t)theirs[used - 1].iov_base + theirs[used - 1].iov_len ==
				    (uintptr_t)v.iov_base)
			theirs[used - 1].iov_len += v.iov_len;
		else if (used == AT_ONCE)
			break;
		else
			theirs[used++] = v;
		*ret_len += v.iov_len;
	}
	*ret_n = used;
	return k;
}

int side_far_put(const struct side_far *f, const void *from, const struct iovec *to, unsigned int n)
{
	const uint8_t *p = from;
	struct iovec theirs[AT_ONCE];

	while (n) {
		struct iovec ours = { (void *)(uintptr_t)p, 0 };
		unsigned int used, k = collect(f, to, n, theirs, &used, &ours.iov_len);
		ssize_t done;

		if (!k)
			return -EFAULT;
		/* neither a process that got its number, nor pages that the guest has taken back */
		if (!pid_alive(&f->vm->ref))
			return -ESRCH;
		if (__atomic_load_n(f->served, __ATOMIC_ACQUIRE) != SIDE_DISK_TURN)
			return -ECANCELED;
		done = process_vm_writev(f->vm->info.pid, &ours, 1, theirs, used, 0);
		if (done < 0)
			return -errno;
		if ((size_t)done != ours.iov_len)
			return -EFAULT;
		p += ours.iov_len;
		to += k;
		n -= k;
	}
	return 0;
}
