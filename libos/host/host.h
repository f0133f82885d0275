/* SPDX-License-Identifier: MIT */
/* host.h - all that the library OS asks of its host. */
#ifndef LIBOS_HOST_H
#define LIBOS_HOST_H

#include <linux/types.h>

/*
 * Theory of operation
 *
 * No other code of the library OS makes a system call of the host: the kernel arms "syscall user
 * dispatch" so that only host.c's section may, and installs a filter that knows this list alone.
 * Each function is one system call, returns what it returns (-errno on failure) and knows nothing
 * about its use. A unit test links a fake in place of host.c.
 *
 * Calls marked (start) are made before a program runs, and are forbidden after host_lock_down().
 */

#define HOST_PROT_READ  1
#define HOST_PROT_WRITE 2
#define HOST_PROT_EXEC  4

struct host_timespec {
	long long sec;
	long nsec;
};

struct host_pollfd {
	int fd;
	short events, revents;
};
#define HOST_POLLIN  0x1
#define HOST_POLLOUT 0x4
#define HOST_POLLERR 0x8
#define HOST_POLLHUP 0x10

struct host_winsize {
	unsigned short rows, columns, x_pixels, y_pixels;
};

typedef void (*host_handler_t)(int signal, void *info, void *context);

/* --- memory --- */

/*
 * (start) A file that is in memory only, closed on exec; `name` is for /proc. It comes in huge pages from
 * who may mount a tmpfs; memfds do only where /sys/kernel/mm/transparent_hugepage/shmem_enabled says so.
 */
long host_memory(const char *name);
/* (start) An anonymous file of `size` bytes, and nobody can make it shorter or longer. */
long host_memfd_sealed(const char *name, unsigned long size);
long host_truncate(int fd, unsigned long size); /* (start) */
/* A shared mapping of `fd` at exactly `addr`, in place of what is there. */
long host_map(unsigned long addr, unsigned long size, int prot, int fd, unsigned long off);
/*
 * Fills the host's page tables with pages of a file that are there: many at once, and writable where
 * the mapping is.
 */
long host_fill(unsigned long addr, unsigned long size);
/* The same, better for pages that aren't there yet and for writing. */
long host_fill_new(unsigned long addr, unsigned long size);
/* (start) Private zero pages at exactly `addr`. */
long host_map_private(unsigned long addr, unsigned long size, int prot);
/* -ENOMEM if not all of it is mapped; what is may have changed. */
long host_protect(unsigned long addr, unsigned long size, int prot);
long host_unmap(unsigned long addr, unsigned long size);
/* Gives the pages of a range of `fd` back to the host; they read as zeros. */
long host_punch(int fd, unsigned long off, unsigned long size);
/* Asks for huge pages in a range. */
/* Where the next byte of `fd` is that isn't in a hole, from `off` on; -ENXIO: there is none. */
long host_next_data(int fd, unsigned long off);
long host_advise_huge(unsigned long addr, unsigned long size);

/* --- descriptors --- */

long host_open(const char *path); /* (start) read-only */
long host_read(int fd, void *buf, unsigned long size);
long host_write(int fd, const void *buf, unsigned long size);
long host_pwrite(int fd, const void *buf, unsigned long size, unsigned long off); /* (start) */
long host_close(int fd);
/* (start) Sends `size` bytes and descriptors as one message; `fds` at most HOST_FDS_MAX. */
long host_send_fds(int socket, const void *buf, unsigned long size, const int *fds,
		   unsigned int count);
#define HOST_FDS_MAX 8
/* `timeout` NULL waits for ever. */
long host_poll(struct host_pollfd *fds, unsigned int count, const struct host_timespec *timeout);
long host_window_size(int fd, struct host_winsize *ret_size);
int host_is_tty(int fd); /* 1 or 0 */
long host_eventfd(void); /* (start) non-blocking, closed on exec */

/* --- time and chance --- */

#define HOST_CLOCK_REALTIME  0
#define HOST_CLOCK_MONOTONIC 1
long host_clock(int clock, struct host_timespec *ret_time);
long host_random(void *buf, unsigned long size); /* (start) */

/* --- host processes --- */

/*
 * A child with a copy of the memory that isn't shared and the same descriptor table. It runs `run`
 * on its own copy of `stack`, which must be private memory, and never comes back. Returns its pid.
 */
long host_spawn(unsigned long stack, void (*run)(void));
long host_pid(void);
/* (start) How many we may run on, as far as a count to 1024 goes; they are kept for host_bind(). */
int host_processors(void);
int host_cpu(void); /* the processor that this runs on, negative: not known; no system call */
/* `pid` may run on `cpu` alone; negative: on all that host_processors() found, or on any if none of them is ours. */
long host_bind(int pid, int cpu);
long host_parent_pid(void);
long host_kill(int pid, int signal);
/* Any child; the pid, `ret_status` as wait4 has it. `flags`: HOST_WNOHANG. */
long host_wait(int *ret_status, int flags);
#define HOST_WNOHANG 1
void host_exit(int status) __attribute__((noreturn));
long host_die_with_parent(int signal);
long host_adopt_orphans(void); /* (start) */
/* Sleeps while *word is `value`; words are shared between host processes. */
long host_futex_wait(int *word, int value);
long host_futex_wake(int *word);

/* --- signals --- */

/* (start) With an alternate stack, without a mask; `ret` must be host_signal_return. */
long host_handle(int signal, host_handler_t handler);
long host_unblock_signals(void);                                 /* (start) */
long host_signal_stack(unsigned long start, unsigned long size); /* (start) */
/* A SIGPROF each `us` of processor time; forks don't inherit it. */
long host_tick(long us);
/* System calls from outside of host.c become SIGSYS; forks don't inherit it. */
long host_catch_syscalls(void);
/* Sleeps end when they are due, not up to 50 us later; (start). */
long host_exact_sleep(void);

/* --- lock-down --- */

/* Whether this host can do it all; NULL, or what it lacks. (start) */
const char *host_check(void);
/* From now on only the calls that aren't (start) ones; for good, and for all children. */
long host_lock_down(void);
/* The name of the n-th allowed call, NULL after the last. */
const char *host_allowed_name(unsigned int n);
/* How often the n-th allowed call was made, before the lock-down too. */
unsigned long host_calls(unsigned int n);

#endif
