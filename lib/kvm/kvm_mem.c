/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "kvm.h"
#include "tracee.h"

int kvm_read(void *arg, gpa_t gpa, void *dst, size_t len)
{
	const struct kvm_vm *vm = arg;
	uint8_t *out = dst;

	while (len) {
		const struct kvm_slot *s = NULL;
		size_t n = len;
		uint64_t off = 0;
		int r;

		for (size_t i = 0; i < vm->nslot && !s; i++) {
			off = gpa.v - vm->slot[i].gpa.v; /* wraps to a huge value below it */
			if (vm->slot[i].placed && off < vm->slot[i].size)
				s = &vm->slot[i];
		}
		if (!s)
			return -EFAULT;
		if (n > s->size - off)
			n = (size_t)(s->size - off);
		r = tracee_read(vm->pid, (rva_t){ s->hva.v + off }, out, n);
		if (r < 0)
			return r;
		out += n;
		gpa.v += n;
		len -= n;
	}
	return 0;
}
