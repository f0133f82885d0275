/* SPDX-License-Identifier: MIT */
/*
 * tty.h - the user's terminal: raw mode that is always taken back, foreground, ownership.
 *
 * Theory of operation
 *
 * One terminal per process can be raw at a time; its former modes are kept in
 * this module, since signal handlers and exit() have to find them. While it
 * is raw, handlers for the fatal synchronous signals (SIGSEGV, SIGABRT, ...)
 * restore it and pass the signal on to whoever had it before; an atexit handler
 * covers exit(). All other signals are the caller's to block.
 */
#ifndef PTY_TTY_H
#define PTY_TTY_H

#include <stdbool.h>

#include "compiler.h"

/* Our process group may read the terminal: it is the foreground one, or it is not our
 * controlling terminal, so that there is no job control. False too once it is hung up. */
bool tty_is_ours(int fd);
bool tty_is_canonical(int fd);
bool tty_is_hung_up(int fd);

/*
 * tty_raw() - Raw mode, as cfmakeraw(); when it is on already, it is made sure of.
 * Mustn't be called from the background: the kernel would stop us.
 */
int tty_raw(int fd) _must_check_;

/* While raw: whether the key for it (^C) is SIGINT still, for as long as nobody reads what is typed. */
void tty_set_interrupt(bool on);

/*
 * tty_restore() - Set the modes back. Does nothing if not raw, in another process
 * than the one that made it raw, or if somebody else has the terminal now and
 * changed its modes. Async-signal-safe.
 */
void tty_restore(void);

/*
 * tty_reopen() - A descriptor for the same terminal or FIFO with a file description of
 * its own, non-blocking and close-on-exec. @flags: O_RDWR, O_WRONLY, ...
 * Return: the descriptor; -ENOTSUP for what cannot be opened twice; -errno.
 */
int tty_reopen(int fd, int flags) _must_check_;

#endif
