/* SPDX-License-Identifier: MIT */
/* mini.h - what the two sorts of guests of minivmm share. */
#ifndef KVM_MINI_H
#define KVM_MINI_H

#include <stdint.h>

#define MINI_IOAPIC    0xfec00000U
#define MINI_ACPI_SIZE 4096

/* Says what, and why; ends the process. */
_Noreturn void mini_die(const char *what);

/* On every thread: kills for most system calls. */
void mini_filter(void);

/* A stock kernel, as argv says. */
_Noreturn void mini_linux(int argc, char **argv);

/* Tables for it at @at, in MINI_ACPI_SIZE bytes. Return: where the first is. */
uint64_t mini_acpi(uint8_t *ram, uint64_t at);

#endif
