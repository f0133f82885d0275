/* SPDX-License-Identifier: MIT */
/* kvm_msrs.h - model specific registers (AMD64 Architecture Programmer's Manual 2, appendix A), and room for KVM_GET_MSRS. */
#ifndef KVM_KVM_MSRS_H
#define KVM_KVM_MSRS_H

#include <linux/kvm.h>
#include <stdint.h>

#define MSR_LSTAR          0xc0000082
#define MSR_GS_BASE        0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102

union kvm_two_msrs {
	struct kvm_msrs list;
	uint8_t room[sizeof(struct kvm_msrs) + 2 * sizeof(struct kvm_msr_entry)];
};

#endif
