/* SPDX-License-Identifier: MIT */
/* forward_port.c - ports to forward: what the user writes, and the sockets that listen there. */
#include <arpa/inet.h>
#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "forward.h"
#include "log.h"

#define BACKLOG 1024

static int parse_port(const char *text, uint16_t *ret)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || !v || v > UINT16_MAX)
		return -EINVAL;
	*ret = (uint16_t)v;
	return 0;
}

static int parse_address(char *text, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *four = (struct sockaddr_in *)ret;
	size_t len = text ? strlen(text) : 0;

	*ret = (struct sockaddr_storage){ 0 };
	if (!text || *text != '[') {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
		return !text || inet_pton(AF_INET, text, &four->sin_addr) == 1 ? 0 : -EINVAL;
	}
	if (text[len - 1] != ']')
		return -EINVAL;
	text[len - 1] = 0;
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(port);
	return inet_pton(AF_INET6, text + 1, &six->sin6_addr) == 1 ? 0 : -EINVAL;
}

int forward_parse(const char *text, struct forward_port *ret, struct err *e)
{
	_cleanup_free_ char *copy = strdup(text);
	char *guest, *host, *address = NULL;
	uint16_t port;

	if (!copy)
		return err_set(e, ENOMEM, "no memory");
	guest = strrchr(copy, ':');
	if (guest)
		*guest++ = 0;
	host = guest ? strrchr(copy, ':') : NULL;
	if (host) {
		*host++ = 0;
		address = copy;
	} else {
		host = copy;
	}
	if (!guest || parse_port(guest, &ret->to) < 0 || parse_port(host, &port) < 0 ||
	    parse_address(address, port, &ret->at) < 0)
		return err_set(e, EINVAL,
			       "'%.60s' is not [ADDR:]PORT:PROGRAMPORT: 8080:80, "
			       "127.0.0.1:8080:80, [::1]:8080:80",
			       text);
	return 0;
}

static int dial_tcp(struct forward_listener *l, int client)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)client;
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&l->to, sizeof(l->to)) < 0 &&
	    errno != EINPROGRESS) {
		int r = -errno;

		(void)close(fd);
		/* Of TCP that is a lack of ports, which trying again does not help. */
		return r == -EAGAIN ? -EADDRNOTAVAIL : r;
	}
	return fd;
}

static void listener_free(struct forward_listener *l)
{
	free(l);
}

int forward_take(struct forward *f, struct forward_listener *l, struct err *e)
{
	if (f->n == FORWARD_PORTS_MAX)
		return err_set(e, E2BIG, "more than %d of them", FORWARD_PORTS_MAX);
	f->listener[f->n++] = l;
	return 0;
}

int forward_listen(struct forward *f, const struct forward_port *port, struct in_addr guest,
		   struct err *e)
{
	_cleanup_close_ int fd =
		socket(port->at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const struct sockaddr_in *four = (const struct sockaddr_in *)&port->at;
	uint16_t number = ntohs(four->sin_port); /* at the same place in both families */
	socklen_t size = port->at.ss_family == AF_INET ? sizeof(struct sockaddr_in)
						       : sizeof(struct sockaddr_in6);
	struct forward_listener *l;
	int one = 1;

	if (f->n == FORWARD_PORTS_MAX)
		return err_set(e, E2BIG, "more than %d ports are published", FORWARD_PORTS_MAX);
	if (fd >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (const struct sockaddr *)&port->at, size) < 0 ||
	    listen(fd, BACKLOG) < 0) {
		if (errno == EADDRINUSE)
			return err_set(e, errno, "port %u is in use", number);
		if (errno == EACCES)
			return err_set(e, errno, "port %u is not for this user", number);
		return err_set(e, errno, "cannot listen on port %u: %s", number, err_str(errno));
	}
	l = calloc(1, sizeof(*l));
	if (!l)
		return err_set(e, ENOMEM, "out of memory");
	*l = (struct forward_listener){
		.fd = take_fd(&fd),
		.dial = dial_tcp,
		.end = listener_free,
		.to = { .sin_family = AF_INET, .sin_port = htons(port->to), .sin_addr = guest }
	};
	f->listener[f->n++] = l;
	return 0;
}

void forward_fini(struct forward *f)
{
	for (unsigned int i = 0; i < f->n; i++) {
		closep(&f->listener[i]->fd);
		if (f->listener[i]->end)
			f->listener[i]->end(f->listener[i]);
	}
	f->n = 0;
}

int forward_sandbox(struct err *e)
{
	static const int allowed[] = {
		/* connections */
		SCMP_SYS(accept4),
		SCMP_SYS(connect),
		SCMP_SYS(setsockopt),
		SCMP_SYS(getsockopt),
		SCMP_SYS(recvmsg),
		SCMP_SYS(sendto),
		SCMP_SYS(shutdown),
		SCMP_SYS(close),
		/* waiting */
		SCMP_SYS(epoll_create1),
		SCMP_SYS(epoll_ctl),
		SCMP_SYS(epoll_wait),
		SCMP_SYS(clock_gettime), /* where it is not read without a call */
		SCMP_SYS(restart_syscall),
		/* memory, limits, messages */
		SCMP_SYS(mmap),
		SCMP_SYS(munmap),
		SCMP_SYS(brk),
		SCMP_SYS(mprotect),
		SCMP_SYS(madvise),
		SCMP_SYS(getrlimit),
		SCMP_SYS(setrlimit),
		SCMP_SYS(prlimit64),
		SCMP_SYS(write),
		SCMP_SYS(exit_group),
	};
	scmp_filter_ctx ctx =
		seccomp_init(ADDRESS_SANITIZER ? SCMP_ACT_LOG : SCMP_ACT_KILL_PROCESS);
	int r = ctx ? seccomp_rule_add(
			      ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
			      SCMP_A0(SCMP_CMP_EQ, AF_INET),
			      SCMP_A1(SCMP_CMP_EQ, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK))
		    : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(allowed); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
	if (r >= 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r < 0 ? err_set(e, -r, "cannot restrict our own system calls: %s", err_str(r)) : 0;
}

int forward_start(struct forward *f, const int *not_for_it, size_t n, bool restricted,
		  struct err *e)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
			_exit(1);
		for (size_t i = 0; i < n; i++)
			closep(&not_for_it[i]);
		if ((!restricted || forward_sandbox(e) == 0) && forward_run(f, e) < 0)
			log_warn("%s", e->msg);
		_exit(1);
	}
	forward_fini(f);
	return pid < 0 ? err_set(e, errno, "forking: %s", err_str(errno)) : 0;
}
