/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "forward"
#include "forwards.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "enter.h"
#include "forward_unix.h"
#include "io.h"
#include "log.h"
#include "mnt.h"
#include "pidfd.h"

#define BACKLOG 128
#define STOP_MS 1000

/* A socket that was bound, and where its connections go. */
struct socket_forward {
	struct forward_listener l;
	int root; /* of the side that has the socket */
	const char *path;
	int dir; /* where it was bound, under @name */
	const char *name;
	struct stat made; /* what was bound: nothing else is removed */
};

static struct socket_forward *of(struct forward_listener *l)
{
	return (struct socket_forward *)l; /* its first member */
}

/* --- the process --- */

static int dial_socket(struct forward_listener *l, int client)
{
	const struct socket_forward *s = of(l);
	_cleanup_close_ int fd = mnt_open_in(s->root, s->path, O_PATH);

	(void)client;
	return fd < 0 ? fd : forward_unix_connect(fd, l->packets ? SOCK_SEQPACKET : SOCK_STREAM);
}

static void end_socket(struct forward_listener *l)
{
	struct socket_forward *s = of(l);
	struct stat st;

	if (s->dir >= 0 && fstatat(s->dir, s->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_dev == s->made.st_dev && st.st_ino == s->made.st_ino)
		(void)unlinkat(s->dir, s->name, 0);
	closep(&s->dir);
	closep(&s->root);
	free(s);
}

/* Return: 1, the caller is gone or has closed its end. */
static int caller_gone(struct forward *f)
{
	char byte;
	ssize_t n = recv(f->control, &byte, 1, MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN);
}

/* The network is all that we need of the container; a caller without rights gets there by its user namespace only. */
static int enter_network(const struct target *t, struct err *e)
{
	int joined = 0, r = ns_enter(&t->ns, CLONE_NEWNET, &joined, e);

	return r == -EPERM ? ns_enter(&t->ns, CLONE_NEWUSER | CLONE_NEWNET, &joined, e) : r;
}

/* Nothing of the caller's is held that somebody waits on. */
static int keep_only(const struct forwards *s, struct err *e)
{
	int keep[1 + 3 * FORWARDS_MAX], null = open("/dev/null", O_RDWR | O_CLOEXEC), r;
	size_t n = 0;

	keep[n++] = s->f.control;
	for (unsigned int i = 0; i < s->f.n; i++) {
		keep[n++] = s->f.listener[i]->fd;
		if (s->f.listener[i]->end != end_socket)
			continue;
		keep[n++] = of(s->f.listener[i])->root;
		keep[n++] = of(s->f.listener[i])->dir;
	}
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (dup2(null, fd) < 0)
			(void)close(fd);
	r = io_close_others(keep, n);
	return r < 0 ? err_set(e, -r, "closing descriptors: %s", err_str(r)) : 0;
}

static bool has_ports(const struct forwards *s)
{
	for (unsigned int i = 0; i < s->n; i++)
		if (!s->spec[i].is_socket)
			return true;
	return false;
}

/* To reach sockets of either side, and to remove those of others where only their owner may (/tmp). */
static const uint64_t caps = FORWARD_CAP(CAP_DAC_OVERRIDE) | FORWARD_CAP(CAP_DAC_READ_SEARCH) |
			     FORWARD_CAP(CAP_FOWNER);

static int drop_caps(struct err *e)
{
	int r = forward_drop_caps(caps);

	return r < 0 ? err_set(e, -r, "giving up rights: %s", err_str(r)) : 0;
}

static _Noreturn void process_run(struct forwards *s, const struct target *t)
{
	struct err e = { 0 };
	int r;

	for (int sig = 1; sig < SIGSYS; sig++) /* the user's terminal or shell must not end us */
		(void)signal(sig, SIG_IGN);
	(void)setsid();
	(void)prctl(PR_SET_NAME, "attach-forward");
	(void)prctl(PR_SET_DUMPABLE, 0);
	r = has_ports(s) ? enter_network(t, &e) : 0;
	if (!r)
		r = drop_caps(&e);
	if (!r)
		r = keep_only(s, &e);
	(void)!io_send_fds(s->f.control, &e, sizeof(e), NULL, 0);
	if (!r)
		(void)!forward_run(&s->f, &e);
	forward_fini(&s->f);
	_exit(0);
}

/* --- sockets --- */

/* The directory of @path, which must be there, and the name in it. */
static int open_dir(int root, const char *path, const char **ret_name)
{
	const char *name = strrchr(path, '/') + 1;
	_cleanup_free_ char *dir = strndup(path, (size_t)(name - path));

	*ret_name = name;
	return dir ? mnt_open_in(root, *dir ? dir : "/", O_PATH | O_DIRECTORY) : -ENOMEM;
}

/* As @uid: a file of a user whom the container does not know cannot be made there. */
static int bind_at(int dir, const char *name, int type, uid_t uid, gid_t gid)
{
	_cleanup_close_ int sock = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int n = snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/%s", dir, name), r = 0;
	mode_t mask;

	if (sock < 0)
		return -errno;
	if (n >= (int)sizeof(a.sun_path))
		return -ENAMETOOLONG;
	mask = umask(0177);
	(void)setfsgid(gid);
	(void)setfsuid(uid);
	if (bind(sock, (const struct sockaddr *)&a, sizeof(a)) < 0)
		r = -errno;
	(void)setfsuid(geteuid());
	(void)setfsgid(getegid());
	(void)umask(mask);
	if (r == 0 && listen(sock, BACKLOG) < 0)
		r = -errno;
	return r < 0 ? r : take_fd(&sock);
}

static struct socket_forward *socket_new(void)
{
	struct socket_forward *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->l = (struct forward_listener){ .fd = -1, .dial = dial_socket, .end = end_socket };
	s->root = s->dir = -1;
	return s;
}

static int why_not(int r, const char *path, const char *side, struct err *e)
{
	if (r == -EADDRINUSE)
		return err_set(e, EEXIST, "there is something at '%s' %s already", path, side);
	if (r == -ENOENT || r == -ENOTDIR)
		return err_set(e, ENOENT, "'%s': there is no such directory %s", path, side);
	if (r == -EROFS)
		return err_set(e, EROFS, "'%s': nothing can be made there %s; /tmp may do", path,
			       side);
	if (r == -EACCES || r == -EPERM)
		return err_set(e, EACCES, "'%s': you may not make a socket there %s", path, side);
	return err_set(e, -r, "making the socket '%s' %s: %s", path, side, err_str(r));
}

static int side_type(int root, const char *path, const char *side, struct err *e)
{
	_cleanup_close_ int fd = mnt_open_in(root, path, O_PATH);
	struct stat st;
	int r;

	if (fd == -ENOENT)
		return err_set(e, ENOENT, "there is no socket '%s' %s", path, side);
	if (fd < 0)
		return err_set(e, -fd, "'%s' %s: %s", path, side, err_str(fd));
	if (fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode))
		return err_set(e, ENOTSOCK, "'%s' %s is not a socket", path, side);
	r = forward_unix_type(fd);
	if (r == 0)
		return err_set(e, ECONNREFUSED, "nobody listens at '%s' %s", path, side);
	if (r < 0)
		return err_set(e, -r, "you may not connect to '%s' %s: %s", path, side, err_str(r));
	return r;
}

static int start_socket(struct forwards *s, const struct forward_spec *spec, const struct target *t,
			int host, int view, struct err *e)
{
	const char *from = spec->to_inner ? spec->host : spec->inner;
	const char *at = spec->to_inner ? spec->inner : spec->host;
	const char *from_side = spec->to_inner ? "of the host" : "in the session";
	const char *at_side = spec->to_inner ? "in the session" : "on the host";
	int from_root = spec->to_inner ? host : view, at_root = spec->to_inner ? view : host;
	uint32_t uid = geteuid(), gid = getegid();
	struct socket_forward *k;
	int type = side_type(from_root, from, from_side, e), r;

	if (type == -ENOENT && !spec->to_inner)
		return err_set(e, ENOENT,
			       "there is no socket '%s' on the host, nor '%s' in the session",
			       spec->host, spec->inner);
	if (type < 0)
		return type;
	if (spec->to_inner && (proc_idmap_out(&t->cred.uid_map, t->cred.uid, &uid) < 0 ||
			       proc_idmap_out(&t->cred.gid_map, t->cred.gid, &gid) < 0))
		return err_set(e, ERANGE, "the session's user has no id on the host");
	k = socket_new();
	if (!k)
		return err_set(e, ENOMEM, "out of memory");
	r = forward_take(&s->f, &k->l, e);
	if (r < 0) {
		free(k);
		return r;
	}
	k->path = from;
	k->l.packets = type == SOCK_SEQPACKET;
	k->root = fcntl(from_root, F_DUPFD_CLOEXEC, 0);
	k->dir = open_dir(at_root, at, &k->name);
	r = k->dir < 0 ? k->dir : k->root < 0 ? -errno : 0;
	if (r == 0)
		r = k->l.fd = bind_at(k->dir, k->name, type, uid, gid);
	if (r >= 0 && fstatat(k->dir, k->name, &k->made, AT_SYMLINK_NOFOLLOW) < 0)
		r = -errno;
	return r < 0 ? why_not(r, at, at_side, e) : 0;
}

/* --- the whole --- */

int forwards_open(struct forwards *s, struct err *e)
{
	const struct in_addr loopback = { htonl(INADDR_LOOPBACK) };
	int r = 0;

	for (unsigned int i = 0; i < s->n && !r; i++) {
		struct forward_spec *spec = &s->spec[i];
		struct stat st;

		if (!spec->is_socket) {
			r = forward_listen(&s->f, &spec->port, loopback, e);
			continue;
		}
		if (stat(spec->host, &st) == 0) {
			spec->to_inner = true;
			if (!S_ISSOCK(st.st_mode))
				r = err_set(e, ENOTSOCK, "'%s' is not a socket", spec->host);
		} else if (errno != ENOENT) {
			r = err_set(e, errno, "'%s': %s", spec->host, err_str(errno));
		}
	}
	return r < 0 ? err_wrap(e, r, "--forward") : 0;
}

static int start_process(struct forwards *s, const struct target *t, struct err *e)
{
	int pair[2];
	struct err answer;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(e, errno, "making a socket pair: %s", err_str(errno));
	s->pid = fork();
	if (!s->pid) {
		s->f.control = pair[1];
		s->f.on_control = caller_gone;
		process_run(s, t);
	}
	(void)close(pair[1]);
	s->control = pair[0];
	if (s->pid < 0)
		return err_set(e, errno, "forking: %s", err_str(errno));
	s->pidfd = pidfd_open_nr(s->pid);
	if (recv(s->control, &answer, sizeof(answer), 0) != sizeof(answer))
		return err_set(e, ECHILD, "the process that forwards was killed");
	if (!answer.code)
		return 0;
	*e = answer;
	return -answer.code;
}

int forwards_start(struct forwards *s, const struct target *t, int root, struct err *e)
{
	_cleanup_close_ int host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = host < 0 ? err_set(e, errno, "opening '/': %s", err_str(errno)) : 0;

	for (unsigned int i = 0; i < s->n && !r; i++)
		if (s->spec[i].is_socket)
			r = start_socket(s, &s->spec[i], t, host, root, e);
	if (!r)
		r = start_process(s, t, e);
	return r < 0 ? err_wrap(e, r, "--forward") : 0;
}

/*
 * It ends by itself, with its control; but a path of the container's may be one that nobody answers for
 * (FUSE), where it can hang, even killed. Then it is left behind.
 */
static void reap(const struct forwards *s)
{
	struct pollfd p = { .fd = s->pidfd, .events = POLLIN };

	if (poll(&p, 1, STOP_MS) <= 0) {
		(void)kill(s->pid, SIGKILL);
		(void)poll(&p, 1, STOP_MS);
	}
	(void)waitpid(s->pid, NULL, WNOHANG);
}

/* What is bound is the process's to remove, for it lives longer if we are killed; ours if it never was. */
void forwards_stop(struct forwards *s)
{
	closep(&s->control);
	if (s->pid > 0)
		reap(s);
	closep(&s->pidfd);
	forward_fini(&s->f);
	for (unsigned int i = 0; i < s->n; i++) {
		free(s->spec[i].host);
		free(s->spec[i].inner);
	}
	free(s->spec);
	*s = (struct forwards)FORWARDS_INIT;
}
