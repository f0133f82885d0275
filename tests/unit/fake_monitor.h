/* SPDX-License-Identifier: MIT */
/*
 * fake_monitor.h - monitors of LXC containers of our own, each a process on an abstract socket.
 *
 * host_init(), start() for each monitor, host_ready(), then the engines can be asked through
 * h->tree.env; host_fini() ends the monitors.
 */
#ifndef TESTS_FAKE_MONITOR_H
#define TESTS_FAKE_MONITOR_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "fake_tree.h"
#include "io.h"
#include "lxc_cmd.h"
#include "pidfd.h"

#define NOBODY      65534
#define END_AFTER_S 300

/* How a monitor answers. */
enum manner {
	HONEST,
	HONEST_PIDFD, /* knows GET_INIT_PIDFD, as liblxc >= 4.0 */
	FROZEN,
	STARTING,
	HANGS_UP, /* as to another user */
	DENIES,   /* as liblxc does where it may say so */
	SILENT,
	SHORT,
	GARBAGE,
	HUGE, /* announces 1 GiB of data */
	BAD_STATE,
	LIAR,       /* of another user, as those that follow; says that init is pid 1 */
	LIAR_OTHER, /* says that the init of the monitor before it is its own */
	LIAR_ROOT,  /* has a child of root's, as who runs a setuid program */
	STRANGER,   /* honest */
	STRANGE_SILENT,
};

struct monitor {
	char socket[100];           /* abstract name */
	const char *lxcpath, *name; /* what it says about itself, if asked */
	pid_t pid, init;
	int init_fd; /* a pidfd: init may be gone, and its pid with it */
};

#define MONITORS 8

struct host {
	struct tree tree;
	char lxcpath[80];
	struct monitor m[MONITORS];
	size_t n;
};

struct reply {
	int32_t ret, datalen;
	uint64_t value;
};

static inline void answer_text(int fd, const char *text)
{
	struct reply r = { .datalen = (int32_t)strlen(text) + 1, .value = 0x7ffc00001000 };

	(void)!write(fd, &r, sizeof(r));
	(void)!write(fd, text, (size_t)r.datalen);
}

static inline void answer_value(int fd, int32_t ret, uint64_t value)
{
	struct reply r = { .ret = ret, .value = value };

	(void)!write(fd, &r, sizeof(r));
}

static inline void answer_pidfd(int fd, pid_t init)
{
	struct reply r = { 0 };
	int pidfd = pidfd_open_nr(init);

	(void)!io_send_fds(fd, &r, sizeof(r), &pidfd, 1);
	(void)close(pidfd);
}

static inline void answer_wrongly(int fd, enum manner how)
{
	static const uint8_t garbage[16] = { 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff };
	struct reply huge = { .datalen = 1 << 30 };

	if (how == SILENT || how == STRANGE_SILENT)
		(void)sleep(END_AFTER_S);
	else if (how == SHORT)
		(void)!write(fd, garbage, 7);
	else if (how == GARBAGE)
		(void)!write(fd, garbage, sizeof(garbage));
	else if (how == HUGE)
		(void)!write(fd, &huge, sizeof(huge));
	else if (how == DENIES)
		answer_value(fd, -EPERM, 0);
}

static inline void answer(int fd, const struct monitor *m, enum manner how)
{
	static const uint64_t state[] = { [FROZEN] = LXC_FROZEN,
					  [STARTING] = LXC_STARTING,
					  [BAD_STATE] = 99,
					  [STRANGE_SILENT] = 0 };
	int32_t req[4];

	if (recv(fd, req, sizeof(req), MSG_WAITALL) != sizeof(req))
		return;
	if (how >= HANGS_UP && how <= HUGE)
		return answer_wrongly(fd, how);
	if (how == STRANGE_SILENT)
		return answer_wrongly(fd, how);
	if (req[0] == LXC_CMD_GET_STATE)
		answer_value(fd, 0, state[how] ? state[how] : LXC_RUNNING);
	else if (req[0] == LXC_CMD_GET_INIT_PID)
		answer_value(fd, 0,
			     how == LIAR         ? 1
			     : how == LIAR_OTHER ? (uint64_t)m[-1].init
						 : (uint64_t)m->init);
	else if (req[0] == LXC_CMD_GET_NAME)
		answer_text(fd, m->name);
	else if (req[0] == LXC_CMD_GET_LXCPATH)
		answer_text(fd, m->lxcpath);
	else if (req[0] == LXC_CMD_GET_INIT_PIDFD && how == HONEST_PIDFD)
		answer_pidfd(fd, m->init);
	else
		answer_value(fd, -ENOSYS, 0);
}

static inline int listen_at(const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(addr.sun_path + 1, name, strlen(name));
	if (bind(fd, (struct sockaddr *)&addr,
		 offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name)) < 0 ||
	    listen(fd, 8) < 0)
		return -1;
	return fd;
}

static inline pid_t fork_init(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	(void)alarm(END_AFTER_S); /* a monitor of another user's may not send us its death signal */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)pause();
	_exit(0);
}

/* The monitor: its init is a child that sleeps; it says through @ready which one. */
static inline void serve(struct monitor *m, enum manner how, int ready)
{
	int fd;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (how == LIAR_ROOT)
		m->init = fork_init();
	if (how >= LIAR && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
		_exit(1);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* setuid() took it away */
	if (how != LIAR_ROOT)
		m->init = fork_init();
	fd = listen_at(m->socket);
	if (fd < 0 || write(ready, &m->init, sizeof(m->init)) != sizeof(m->init))
		_exit(1);
	for (;;) {
		int c = accept(fd, NULL, NULL);

		answer(c, m, how);
		(void)close(c);
	}
}

/* A monitor at @lxcpath/@name, or, if @hashed, where only it can say whose it is. */
static inline struct monitor *start(struct host *h, const char *lxcpath, const char *name,
				    bool hashed, enum manner how)
{
	struct monitor *m = &h->m[h->n++];
	int ready[2];

	assert_true(h->n <= MONITORS);
	m->lxcpath = lxcpath;
	m->name = name;
	if (hashed)
		(void)snprintf(m->socket, sizeof(m->socket), "lxc/%016llx/command",
			       (unsigned long long)getpid() << 8 | h->n);
	else
		(void)snprintf(m->socket, sizeof(m->socket), "%s/%s/command", lxcpath, name);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	m->pid = fork();
	assert_true(m->pid >= 0);
	if (!m->pid)
		serve(m, how, ready[1]);
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &m->init, sizeof(m->init)), sizeof(m->init));
	(void)close(ready[0]);
	m->init_fd = pidfd_open_nr(m->init);
	assert_true(m->init_fd >= 0);
	return m;
}

static inline void host_init(struct host *h)
{
	*h = (struct host){ .n = 0 };
	tree_init(&h->tree);
	tree_text(&h->tree, "/etc/lxc/x", "");
	(void)snprintf(h->lxcpath, sizeof(h->lxcpath), "%s/c", h->tree.root);
}

/* Everything but /proc/net/unix is the real /proc, for the pids are real. */
static inline void host_ready(struct host *h)
{
	char text[4096] = "Num       RefCount Protocol Flags    Type St Inode Path\n";
	size_t len = strlen(text);

	for (size_t i = 0; i < h->n; i++) {
		char path[32], target[32];

		/* the listener, and a connection of its */
		len += (size_t)snprintf(
			text + len, sizeof(text) - len,
			"0000000000000000: 00000002 00000000 00010000 0001 01 1 @%s\n"
			"0000000000000000: 00000003 00000000 00000000 0001 03 2 @%s\n",
			h->m[i].socket, h->m[i].socket);
		(void)snprintf(path, sizeof(path), "/proc/%d", h->m[i].init);
		(void)snprintf(target, sizeof(target), "/proc/%d", h->m[i].init);
		tree_link(&h->tree, path, target);
	}
	tree_text(&h->tree, "/proc/net/unix", text);
	tree_link(&h->tree, "/proc/1", "/proc/1");
}

static inline void monitor_kill(struct monitor *m)
{
	(void)kill(m->pid, SIGKILL);
	(void)waitpid(m->pid, NULL, 0);
	m->pid = 0;
}

static inline void host_fini(struct host *h)
{
	for (size_t i = 0; i < h->n; i++) {
		if (h->m[i].pid > 0)
			monitor_kill(&h->m[i]);
		(void)pidfd_signal(h->m[i].init_fd, SIGKILL);
		(void)close(h->m[i].init_fd);
	}
	tree_fini(&h->tree);
}

#endif
