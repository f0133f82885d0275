/* SPDX-License-Identifier: MIT */
/* mini.h - what the two sorts of guests of minivmm share. */
#ifndef KVM_MINI_H
#define KVM_MINI_H

/* Says what, and why; ends the process. */
_Noreturn void mini_die(const char *what);

/* On every thread: kills for most system calls. */
void mini_filter(void);

/* A stock kernel, as argv says. */
_Noreturn void mini_linux(int argc, char **argv);

#endif
