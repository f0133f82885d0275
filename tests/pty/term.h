/* SPDX-License-Identifier: MIT */
/*
 * term.h - a terminal with a small job-control shell in it, played by a test.
 *
 * The test holds the master, as a terminal emulator does. A leader process is
 * the shell: it runs one job, session_run() in a process group of its own, and
 * does to it what the test asks for.
 */
#ifndef TESTS_PTY_TERM_H
#define TESTS_PTY_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <termios.h>

#include "relay.h"

struct job {
	enum pty_mode mode;
	const char *const *argv;
	int fd[3];            /* -1: the terminal */
	bool background;      /* do not give it the terminal */
	void (*before)(void); /* called in the job, or NULL */
};
#define JOB(m, ...)                                                              \
	{                                                                        \
		.mode = (m), .argv = (const char *const[]){ __VA_ARGS__, NULL }, \
		.fd = { -1,                                                      \
			-1,                                                      \
			-1 }                                                     \
	}

struct term {
	int master;
	int slave; /* to look at modes and what is unread */
	int ask, answer;
	pid_t leader, job;
	struct termios before;
	char out[16384]; /* what the terminal has shown */
	size_t len;
};

enum term_do {
	TERM_WAIT,     /* for the job to end or stop; the answer is its wait status */
	TERM_GIVE,     /* make it the foreground group, without SIGCONT */
	TERM_CONTINUE, /* make it the foreground group, and SIGCONT */
	TERM_STATE     /* its wait status, or -1 while it runs */
};

/* In a forked child: away with the test framework's handlers, and a time limit. */
void term_no_test(void);

/* All of them fail by abort(), with a message. */
void term_start(struct term *t, const struct job *job);
void term_stop(struct term *t);
int term_do(struct term *t, enum term_do what);
void term_type(struct term *t, const char *text);
/* Read until @text has been shown, and forget all up to its end. */
void term_expect(struct term *t, const char *text);
/* Wait until raw mode is on or off. */
void term_await_raw(struct term *t, bool raw);
bool term_is_restored(struct term *t);
/* Wait for the end and give the exit code, 128 + n for a signal. */
int term_end(struct term *t);

#endif
