/* SPDX-License-Identifier: MIT */
/* init.h - what the files of init share. */
#ifndef INIT_INIT_H
#define INIT_INIT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "conf.h"
#include "frame.h"

#define EXIT_FAILED    125
#define EXIT_CANNOT    126
#define EXIT_NOT_FOUND 127
#define CONSOLE        "/dev/console"

/* Strings "KEY=VALUE", each with its NUL. */
struct conf {
	size_t size; /* of whole strings, NUL included */
	char *text;
};

/* The first value of @key behind @last, which is one of its values; NULL: from the start, and when there is none. */
const char *conf_next(const struct conf *c, const char *key, const char *last);

/* All values of @key, with a NULL behind them; NULL without memory. */
char **conf_list(const struct conf *c, const char *key);

/* Say it, with errno unless that is 0, and stop the machine with status 125. */
void init_fail(const char *what, const char *object) __attribute__((noreturn));

/* Mount, make devices, and move into the root file system. */
void set_up(struct conf *c);

/* Loopback and the network that the launcher wants. */
void net_up(const struct conf *c);

/* Make the device that @text ("NAME[-ro] SECTORS TYPE PARAMETERS") says. @text is wiped. */
void dm_make(char *text);

/*
 * Become the program that @c describes (arg, cwd, user), with the environment @env. The streams are in
 * place. What goes wrong is a sentence on stderr and 125, 126 or 127.
 */
void become(const struct conf *c, char **env) __attribute__((noreturn));

/*
 * Further programs (exec.c). @base: what the first one's environment is.
 *
 * A loop has exec_poll() add what it waits for, calls exec_ready() with what poll() said of that,
 * exec_frame() for each message of a session, and exec_reaped() for each child that is not its own.
 */
#define EXEC_POLL_MAX (3 * FRAME_SESSIONS)
struct pollfd;
void exec_init(const struct conf *base, int control);
size_t exec_poll(struct pollfd *fds);
void exec_ready(const struct pollfd *fds, size_t n);
void exec_frame(const struct frame *f, size_t size);
void exec_reaped(pid_t pid, int status);
/* The boot is over: what the launcher says from now on has a receiver. */
void exec_tell_started(void);
/* All have been killed: say so. */
void exec_stop(int status);

/* The exit status for a shell of what waitpid() said. */
int exit_status(int status);

#endif
