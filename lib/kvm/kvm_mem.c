/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "kvm.h"
#include "tracee.h"

bool kvm_at(const struct kvm_vm *vm, gpa_t gpa, bool write, hva_t *ret, uint64_t *ret_n)
{
	for (size_t i = 0; i < vm->nslot; i++) {
		const struct kvm_slot *s = &vm->slot[i];
		uint64_t off = gpa.v - s->gpa.v; /* wraps to a huge value below it */

		if (!s->placed || off >= s->size || (write && s->readonly))
			continue;
		ret->v = s->hva.v + off;
		*ret_n = s->size - off;
		return true;
	}
	return false;
}

int kvm_read(void *arg, gpa_t gpa, void *dst, size_t len)
{
	const struct kvm_vm *vm = arg;
	uint8_t *out = dst;

	while (len) {
		uint64_t room;
		size_t n = len;
		hva_t hva;
		int r;

		if (!kvm_at(vm, gpa, false, &hva, &room))
			return -EFAULT;
		if (n > room)
			n = (size_t)room;
		r = tracee_read(vm->pid, (rva_t){ hva.v }, out, n);
		if (r < 0)
			return r;
		out += n;
		gpa.v += n;
		len -= n;
	}
	return 0;
}
