/* SPDX-License-Identifier: GPL-2.0-only */
/* lo.h - the rest of what the files of this port know of each other */
#ifndef LO_ASM_LO_H
#define LO_ASM_LO_H

#include <asm/sections.h>
#include <linux/types.h>

/* Nanoseconds of the host since the start; kernel/time.c. */
u64 lo_time_ns(void);
/* Measures the processor's clock; before the kernel proper. */
void lo_time_calibrate(void);
/* Runs the timer interrupt if it is due; interrupts are off. */
void lo_timer_check(void);
/* The same, in whatever state interrupts are. */
void lo_timer_poll(void);
/* Nanoseconds until it is due, at most `max_ns`. */
u64 lo_timer_left(u64 max_ns);

/* Exit status when the kernel itself failed. */
#define LO_EXIT_FAILED 125
/* Ends all that there is, with this exit status; kernel/stop.c. */
void lo_stop(int status) __attribute__((noreturn));
/* The same with LO_EXIT_FAILED and `text`, a line, for stderr: from anywhere, Linux isn't asked. */
void lo_fail(const char *text) __attribute__((noreturn));
/* What the first host process will exit with when Linux powers off; 0 at first. */
void lo_set_exit_status(int status);

extern int lo_ram_fd;
extern char __lo_shared_start[];

/*
 * Counters: a member of struct lo_stats each, and under the same name in /proc/lo/stats.
 * System calls that trapped and that came from patched sites, of which there are `patched`, by form; sites
 * that trap, by reason; page faults; what was asked of the host; mappings that a flush found to be right, and that
 * a fork got before it asked; how often a host process was emptied for want of
 * room, pages of RAM that went back, how often a host process
 * was bound to a processor, or freed.
 */
/* clang-format off */
#define LO_STATS(X)                                                                            \
	X(trapped) X(direct)                                                                   \
	X(patched) X(patched_before) X(patched_across) X(patched_after)                        \
	X(trapping_rarely) X(trapping_sigreturn) X(trapping_no_window) X(trapping_jump_in)     \
	X(trapping_unproved) X(trapping_writable) X(trapping_open) X(trapping_no_place)        \
	X(trapping_no_memory)                                                                  \
	X(faults) X(refills) X(kernel_faults) X(vmalloc_faults) X(ticks)                       \
	X(maps) X(map_pages) X(unmaps) X(kept) X(hatched) X(emptied) X(given_back)             \
	X(mm_switches) X(binds) X(hostprocs) X(steals) X(device_requests)
/* clang-format on */

struct lo_stats {
#define LO_STATS_FIELD(name) unsigned long name;
	LO_STATS(LO_STATS_FIELD)
#undef LO_STATS_FIELD
};
extern struct lo_stats lo_stats;
/* On stderr, if the kernel argument "stats" is given; kernel/stats.c. */
void lo_stats_print(void);

#endif
