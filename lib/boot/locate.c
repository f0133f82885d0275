/* SPDX-License-Identifier: MIT */
#include "locate.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "array.h"
#include "cleanup.h"
#include "cursor.h"
#include "frame.h"
#include "io.h"
#include "status.h"

#define GENERATIONS 64
#define SOCKETS_MAX (64 << 20) /* bytes of the table of unix sockets */
#define PATIENCE_MS 5000
#define COMMAND     "rktio"

static int enter_network(const struct pid_ref *p, struct err *e)
{
	_cleanup_close_ int fd = openat(p->procfd, "ns/net", O_RDONLY | O_CLOEXEC);
	struct stat theirs, ours;

	if (fd < 0 || fstat(fd, &theirs) < 0 || stat("/proc/self/ns/net", &ours) < 0)
		return err_set(e, errno, "the network namespace of process %d: %s", p->pid,
			       err_str(errno));
	if (theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev)
		return 0;
	if (setns(fd, CLONE_NEWNET) < 0)
		return err_set(e, errno, "process %d is in another network namespace: %s", p->pid,
			       err_str(errno));
	return 0;
}

/* Of a listening socket the kernel says who listens. */
static int connect_to(struct span name, const struct pid_ref *p)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (fd < 0 || name.len > sizeof(to.sun_path))
		return -1;
	/* Shown with "@" for the first byte, which is NUL. */
	memcpy(&to.sun_path[1], name.p + 1, name.len - 1);
	if (connect(fd, (struct sockaddr *)&to,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + name.len)) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.pid != p->pid)
		return -1;
	return take_fd(&fd);
}

/* -ENOENT: it doesn't listen. @inner: its pid as it sees it. */
static int try_process(const struct pid_ref *p, pid_t inner, struct err *e)
{
	_cleanup_free_ char *table = NULL;
	struct span line, word;
	struct cursor c;
	char prefix[32];
	size_t len;
	int r = io_read_at(p->procfd, "net/unix", SOCKETS_MAX, &table, &len);

	if (r < 0)
		return err_set(e, -r, "the sockets of process %d: %s", p->pid, err_str(r));
	(void)snprintf(prefix, sizeof(prefix), "@rktio/%d/", inner);
	c = cur_of(table, len);
	while (cur_until(&c, '\n', &line)) {
		const char *at = memrchr(line.p, ' ', line.len);

		word = at ? (struct span){ at + 1, line.len - (size_t)(at + 1 - line.p) } : line;
		if (!span_starts(word, prefix))
			continue;
		r = enter_network(p, e);
		if (r < 0)
			return r;
		r = connect_to(word, p);
		if (r >= 0)
			return r;
	}
	return -ENOENT;
}

/* As try_process(); *@ret_parent in any case but an error of another kind. */
static int try_pid(pid_t pid, pid_t *ret_parent, struct err *e)
{
	_cleanup_pid_ struct pid_ref p = PID_REF_INIT;
	_cleanup_status_ struct proc_status s = { 0 };
	int r = pid_open(pid, &p, e);

	if (!r)
		r = proc_status_read(&p, &s, e);
	if (r < 0)
		return r;
	*ret_parent = s.ppid;
	r = try_process(&p, s.nnspid ? s.nspid[s.nnspid - 1] : pid, e);
	if ((r >= 0 || r == -EACCES || r == -EPERM) && geteuid() &&
	    s.uid[PROC_EFFECTIVE] != geteuid()) {
		if (r >= 0)
			(void)close(r);
		return err_set(e, EACCES, "process %d belongs to another user", pid);
	}
	return r;
}

int locate_connect(pid_t pid, pid_t *ret_launcher, struct err *e)
{
	pid_t at = pid, parent = 0;

	for (int i = 0; i < GENERATIONS && at > 0; i++, at = parent) {
		int r = try_pid(at, &parent, e);

		if (r >= 0)
			*ret_launcher = at;
		if (r != -ENOENT)
			return r;
	}
	return err_set(e, ENOENT, "process %d is not part of a running 'rktio run'; see 'rktio ps'",
		       pid);
}

static int is_named(pid_t pid)
{
	_cleanup_free_ char *name = NULL;
	char path[40];

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	return io_read_at(AT_FDCWD, path, 64, &name, NULL) == 0 && !strcmp(name, COMMAND "\n");
}

int locate_all(pid_t **ret, size_t *ret_n, struct err *e)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc");
	_cleanup_free_ pid_t *v = NULL;
	size_t n = 0, room = 0;
	struct dirent *d;

	if (!dir)
		return err_set(e, errno, "reading /proc: %s", err_str(errno));
	while ((d = readdir(dir))) {
		int pid = atoi(d->d_name);

		if (pid <= 0 || pid == getpid() || !is_named(pid))
			continue;
		if (array_room(&v, &room, n + 1, sizeof(*v)) < 0)
			return err_set(e, ENOMEM, "no memory");
		v[n++] = pid;
	}
	*ret = take_ptr(v);
	*ret_n = n;
	return 0;
}

int locate_info(int sock, char ret[LOCATE_INFO_MAX], struct err *e)
{
	const struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
	struct frame f = { .kind = FRAME_INFO };
	ssize_t n;

	(void)setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (send(sock, &f, FRAME_HEAD, MSG_NOSIGNAL) < 0)
		return err_set(e, errno, "asking it: %s", err_str(errno));
	n = recv(sock, &f, sizeof(f), 0);
	if (n < FRAME_HEAD || f.kind != FRAME_INFO)
		return err_set(e, EPROTO, "it gives no answer");
	memcpy(ret, f.data, (size_t)n - FRAME_HEAD);
	ret[(size_t)n - FRAME_HEAD] = '\0';
	return 0;
}
