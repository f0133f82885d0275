/* SPDX-License-Identifier: MIT */
/*
 * relay.h - between the user's terminal and a command that runs in a session of its own.
 *
 * Theory of operation
 *
 * The user's terminal never gets into the container: whoever holds a descriptor
 * of it, or has it as controlling terminal, can type into the user's shell
 * (TIOCSTI). So the command always runs in a new session, and each of its
 * descriptors 0, 1, 2 is one of
 *
 *   passed on	the caller's own, if that is no terminal: no copy, binary-clean
 *   slave	of a fresh pseudo-terminal, which the parent relays to the terminal
 *   pipe	where no pseudo-terminal is wanted, relayed as well
 *
 *   mode	 stdin	   stdout    stderr
 *   PTY_AUTO	 any	   terminal  any       a pty; what is no terminal is passed on
 *   PTY_AUTO	 any	   other     any       no pty; a terminal becomes a pipe
 *   PTY_NEVER	 any	   any	     any       no pty; a terminal becomes a pipe
 *   PTY_ALWAYS  any	   any	     any       the pty on all three, as ssh -tt: the command believes
 *					       in a terminal even in a pipeline
 *
 * With a pty the keyboard is the terminal of stdin, else that of stdout
 * ("dmesg | cntr attach t -- less").
 *
 * Who calls what:
 *
 *   parent	relay_init()		before fork: decides, makes the pipes
 *		relay_own_pipes()	if the command runs as another user
 *   child	pty_open_at()		if .pty: a pair from a devpts that it trusts or checks; it
 *					sends the master to the parent (io_send_fds) and closes it
 *		relay_child_take()	new session, controlling terminal, descriptors 0 to 2
 *		exec
 *   parent	relay_run()		until the child ends; gives the exit code
 *		relay_fini()		on every path
 *
 * relay_run() is one loop over at most two or three channels, each a ring
 * buffer that moves bytes one way: a full ring stops the reading, nothing is
 * dropped and memory is bounded. Our own ends do not block. Those of the
 * user are shared with other processes, so O_NONBLOCK is not set on them: a
 * terminal or a FIFO is opened again through /proc/self/fd to have a file
 * description of our own, and where that cannot be, writes are small and come
 * after a poll.
 *
 * The keyboard:
 *   with a pty	the terminal is in raw mode; ^C and ^Z are bytes for the session inside
 *   with pipes	the terminal stays as it is. It is read only while it is in canonical mode: in
 *		"cntr attach t -- ls | less" the keys are less's. ^D is end of file.
 *   Only the foreground process group reads a terminal or changes it. In the background we
 *   relay output alone, look again several times a second, and take the keyboard when
 *   it is ours. So we are never stopped by SIGTTIN.
 *
 * Signals, while relay_run() runs:
 *   INT QUIT HUP TERM USR1 USR2	go on to the command; from the terminal's keys, to its process
 *					group. Those that our caller ignores stay ignored.
 *   WINCH	the new size goes to the pty
 *   TSTP	the terminal is restored and we stop. With pipes the command's group is stopped
 *		before, by SIGSTOP: its group is orphaned, where the kernel drops SIGTSTP.
 *   CONT	raw mode and size again; with pipes, to the command's group
 *   others	act on us as ever, but the terminal is restored before
 * Terminal hang-up, or a closed pipe in place of it: the master is closed, and so the kernel
 * hangs up the session inside; we stay until the command has ended.
 *
 * The end: the command is watched by its pidfd. When it has exited, what it left in the pty
 * or the pipes is delivered; processes that it left in the background and that still hold the
 * slave are not waited for, and what they go on writing is bounded (DRAIN_MAX).
 *
 * One relay at a time per process, single-threaded.
 */
#ifndef PTY_RELAY_H
#define PTY_RELAY_H

#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/types.h>
#include <termios.h>

#include "err.h"

/* Exit codes of a verb that runs a command: the command's own, or one of these. */
#define PTY_EXIT_FAILED    125 /* we failed */
#define PTY_EXIT_CANNOT    126 /* the command is there, but cannot be executed */
#define PTY_EXIT_NOT_FOUND 127 /* there is no such command */
#define PTY_EXIT_SIGNAL    128 /* + n: it was ended by signal n */

/* What waitid() said of an ended command, as an exit code. */
int pty_exit_code(const siginfo_t *si);
/* The exit code for a failed execve(); @error may be negative. */
int pty_exec_exit_code(int error);

/*
 * pty_open_at() - A fresh pair from the devpts file system mounted at @devpts_dirfd.
 *
 * The directory may be a hostile container's: that it is devpts is checked before
 * anything in it is opened, no mount point or link is crossed to "ptmx", and the slave
 * comes from the master, not by a path. Both are close-on-exec; the slave's owner
 * is the caller's fsuid.
 *
 * Return: 0; -ENOTTY if that is no devpts; -EXDEV or -ELOOP if ptmx was covered; -EACCES
 *	   if the mount's ptmxmode keeps us out; -ENOSPC if there are no more ptys.
 */
int pty_open_at(int devpts_dirfd, int *ret_master, int *ret_slave, struct err *e) _must_check_;

enum pty_mode {
	PTY_AUTO,
	PTY_ALWAYS, /* -t */
	PTY_NEVER   /* -T */
};

#define RELAY_SLAVE (-1)

struct relay {
	bool pty; /* the child has to open one */
	/* For the command's 0, 1, 2: RELAY_SLAVE, or a descriptor (the caller's or a pipe's). */
	int child_fd[3];

	/* private */
	int user_fd[3];    /* borrowed */
	int pipe_fd[3];    /* our ends, owned, -1: none; stderr may share stdout's */
	int pipe_child[3]; /* their other ends, owned */
	int keys_fd;       /* what feeds the pty or the stdin pipe; borrowed; -1: none */
	int size_fd;       /* the terminal that has the size; borrowed; -1: none */
	bool keys_tty;     /* keys_fd is a terminal */
	bool forced;       /* PTY_ALWAYS */
	bool have_termios; /* of the user's terminal, for the slave */
	struct termios termios;
	struct winsize winsize;
};

/*
 * relay_init() - Decide what the command gets for @user_fd (normally 0, 1, 2) under @mode.
 *
 * Makes the pipes and notes the terminal's modes and size; changes nothing about
 * the terminal. An ignored SIGCHLD is set to its default, for else there
 * is no exit status to wait for.
 */
int relay_init(struct relay *r, enum pty_mode mode, const int user_fd[3], struct err *e)
	_must_check_;
/*
 * relay_init_given() - For a caller who carries the streams itself, instead of relay_run().
 *
 * @fd: for the command's 0, 1, 2: descriptors, borrowed, or RELAY_SLAVE. @modes: for the terminal; or NULL.
 */
void relay_init_given(struct relay *r, const int fd[3], const struct termios *modes,
		      const struct winsize *size);
void relay_fini(struct relay *r);
#define _cleanup_relay_ _cleanup_(relay_fini)

/* Give the pipes to @uid (ours, before any namespace), so that the command may open /dev/stderr. */
int relay_own_pipes(const struct relay *r, uid_t uid) _must_check_;

/*
 * relay_child_take() - In the child: a session of its own, and descriptors 0, 1, 2.
 *
 * @slave is needed if @r->pty, and becomes the controlling terminal with the modes
 * and size of the user's; it is left open (close-on-exec). It is given to @owner
 * where that is permitted ((uid_t)-1: not). Call it after the last use of the caller's
 * standard descriptors, before rights are dropped.
 */
int relay_child_take(struct relay *r, int slave, uid_t owner, struct err *e) _must_check_;

/*
 * relay_run() - Relay until our child @pidfd has ended, and reap it.
 *
 * @master is the pty's if @r->pty, else -1; it is ours from now on, closed on
 * every path. The user's terminal is as before on return.
 *
 * Return: the exit code by pty_exit_code(), 0 to 255; or -errno and @e, then the child
 *	   has not been waited for.
 */
int relay_run(struct relay *r, int pidfd, int master, struct err *e) _must_check_;

#endif
