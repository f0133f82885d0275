/* SPDX-License-Identifier: MIT */
/*
 * addr.h - one type per address space, so that mixing them does not compile.
 *
 * No arithmetic and no cast turns one of these into a pointer: an accessor does,
 * for a range that it has checked.
 */
#ifndef MEM_ADDR_H
#define MEM_ADDR_H

#include <stdint.h>

/* Guest-physical, or whatever the descriptors of a virtqueue are written in. */
typedef struct {
	uint64_t v;
} gpa_t;

/* Guest-virtual: what the guest's page tables translate. */
typedef struct {
	uint64_t v;
} gva_t;

/* A virtual address of the hypervisor's process, behind which the guest's memory is. */
typedef struct {
	uint64_t v;
} hva_t;

/* A virtual address of the other process, the one that shares its memory with us. */
typedef struct {
	uint64_t v;
} rva_t;

#endif
