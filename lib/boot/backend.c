/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "boot"
#include "backend.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "log.h"
#include "vu_relay.h"

static void shut(int *fd)
{
	closep(fd);
	*fd = -1;
}

void backend_fini(const struct backend *b)
{
	closep(&b->alive);
	script_fini(&b->script);
	for (int end = 0; end < 2; end++) {
		closep(&b->sock[end]);
		closep(&b->says[end]);
		for (unsigned int i = 0; i < BACKEND_SPARES; i++)
			closep(&b->spare[i][end]);
	}
}

int backend_open(struct backend *b, struct err *e)
{
	int r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, b->sock);

	if (r == 0)
		r = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, b->says);
	if (r == 0)
		r = fcntl(b->says[0], F_SETFL, O_NONBLOCK);
	for (unsigned int i = 0; r == 0 && i < BACKEND_SPARES; i++) {
		r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, b->spare[i]);
		/* Whoever is in the machine may have filled it. */
		if (r == 0)
			r = fcntl(b->spare[i][1], F_SETFL, O_NONBLOCK);
	}
	if (r < 0)
		return err_set(e, errno, "making a socket pair: %s", err_str(errno));
	return 0;
}

/* *@sock is closed here once the process has it. */
static int start_at(struct backend *b, int *sock, bool again, struct err *e)
{
	int alive[2] = { -1, -1 };
	pid_t pid;

	if (pipe2(alive, O_CLOEXEC) < 0)
		return err_set(e, errno, "making a pipe: %s", err_str(errno));
	pid = b->start(b->arg, *sock, alive[1], again, e);
	closep(&alive[1]);
	if (pid < 0) {
		closep(&alive[0]);
		return pid;
	}
	b->alive = alive[0];
	b->pid = pid;
	shut(sock);
	return 0;
}

int backend_start(struct backend *b, struct err *e)
{
	return start_at(b, &b->sock[0], false, e);
}

void backend_fds(const struct backend *b, int ret[BACKEND_FDS])
{
	*ret++ = b->sock[1];
	*ret++ = b->says[1];
	for (unsigned int i = 0; i < BACKEND_SPARES; i++)
		*ret++ = b->spare[i][1];
}

void backend_word(const struct backend *b, const char *type, char ret[BACKEND_WORD_MAX])
{
	int fds[BACKEND_FDS];
	int n = snprintf(ret, BACKEND_WORD_MAX, "vhost=%.8s", type);

	backend_fds(b, fds);
	for (unsigned int i = 0; i < BACKEND_FDS && fds[i] >= 0; i++)
		n += snprintf(ret + n, (size_t)(BACKEND_WORD_MAX - n), ":%d", fds[i]);
}

/* Of the spares its ends are kept: over them the script is said to who comes. */
void backend_started(struct backend *b)
{
	shut(&b->sock[1]);
	shut(&b->says[1]);
}

/* --- while it runs --- */

/* None comes after it. */
static void leave(struct backend *b)
{
	for (unsigned int i = 0; i < BACKEND_SPARES; i++) {
		shut(&b->spare[i][0]);
		shut(&b->spare[i][1]);
	}
}

static bool machine_ended(const struct backend *b)
{
	struct pollfd p = { .fd = b->machine, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

static int next(struct backend *b, struct err *e)
{
	int *spare = b->spare[b->used++];
	int r = script_say(&b->script, spare[1]);

	if (r < 0)
		err_set(e, -r, "repeating what the library OS said: %s", err_str(r));
	else
		r = start_at(b, &spare[0], true, e);
	shut(&spare[1]);
	if (r < 0)
		return r;
	b->on_alive.fd = b->alive;
	r = loop_add(b->loop, &b->on_alive, EPOLLIN);
	return r < 0 ? err_set(e, -r, "watching it: %s", err_str(r)) : 0;
}

/* One that ended before all was said waits for the rest of it. */
static void try_next(struct backend *b)
{
	struct err e = { 0 };

	if (!b->over || !b->script.whole)
		return;
	b->over = false;
	if (next(b, &e) < 0) {
		log_error("the %s's back end: %s", b->name, e.msg);
		leave(b);
	}
}

static void on_says(struct loop_src *src, uint32_t events)
{
	struct backend *b = src->arg;
	int r = script_hear(&b->script, src->fd);

	(void)events;
	if (r < 0) {
		log_error("what the library OS said to the %s's back end: %s", b->name, err_str(r));
		leave(b);
	}
	if (r < 0 || b->script.whole) {
		loop_del(b->loop, src);
		shut(&b->says[0]);
		try_next(b);
	}
}

/* Why another one is worth a try, after @status; NULL: it has said why it ended, and would again, or nobody needs it. */
static const char *passing(const struct backend *b, int status, char buf[40])
{
	if (WIFSIGNALED(status))
		(void)snprintf(buf, 40, "was ended by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) == VU_RELAY_BACK_GONE)
		(void)snprintf(buf, 40, "is gone");
	else if (b->stubborn && b->used && WEXITSTATUS(status))
		(void)snprintf(buf, 40, "ended");
	else
		return NULL;
	return buf;
}

static void on_alive(struct loop_src *src, uint32_t events)
{
	struct backend *b = src->arg;
	const char *what;
	int status = 0;
	char buf[40];

	(void)events;
	loop_del(b->loop, src);
	shut(&b->alive);
	/* It closed that one. Its status is the same if it has ended. */
	(void)kill(b->pid, SIGKILL);
	what = waitpid(b->pid, &status, 0) == b->pid ? passing(b, status, buf) : NULL;
	b->pid = 0;
	if (machine_ended(b))
		return;
	if (!what || b->used == BACKEND_SPARES) {
		if (what)
			log_error("the %s's back end %s, for the last time", b->name, what);
		leave(b);
		return;
	}
	log_warn("the %s's back end %s, and is %s", b->name, what,
		 WIFEXITED(status) && WEXITSTATUS(status) == VU_RELAY_BACK_GONE ? "waited for"
										: "started again");
	b->over = true;
	try_next(b);
}

int backend_watch(struct backend *b, struct loop *loop, int machine)
{
	int r;

	if (b->alive < 0)
		return 0;
	b->loop = loop;
	b->machine = machine;
	b->on_alive = (struct loop_src){ .fd = b->alive, .fn = on_alive, .arg = b };
	b->on_says = (struct loop_src){ .fd = b->says[0], .fn = on_says, .arg = b };
	r = loop_add(loop, &b->on_alive, EPOLLIN);
	return r < 0 ? r : loop_add(loop, &b->on_says, EPOLLIN);
}
