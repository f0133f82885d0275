/* SPDX-License-Identifier: MIT */
/*
 * try.c - attach_run() over a socket pair, with vmsh-stage2 started by a command of the caller's.
 *
 *	attach-try [OPTION...] ENTER -- COMMAND...
 *
 * ENTER is a shell command that becomes vmsh-stage2 where the guest is; its descriptor 3 is the channel.
 * With --no-disk the tools are on a disk that the guest is never ready with: it ends instead.
 */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attach.h"
#include "cleanup.h"
#include "log.h"

#define CHANNEL 3

static const struct option options[] = { { "tools", required_argument, NULL, 'o' },
					 { "dir", required_argument, NULL, 'd' },
					 { "image", required_argument, NULL, 'i' },
					 { "archive", required_argument, NULL, 'a' },
					 { "rw", no_argument, NULL, 'w' },
					 { "pid", required_argument, NULL, 'p' },
					 { "container", required_argument, NULL, 'C' },
					 { "user", required_argument, NULL, 'u' },
					 { "cwd", required_argument, NULL, 'c' },
					 { "env", required_argument, NULL, 'e' },
					 { "timeout", required_argument, NULL, 'l' },
					 { "privileged", no_argument, NULL, 'P' },
					 { "no-disk", no_argument, NULL, 'D' },
					 { "tty", no_argument, NULL, 't' },
					 { "no-tty", no_argument, NULL, 'T' },
					 { 0 } };

static enum attach_tools tools_of(const char *name)
{
	static const char *const names[] = { [ATTACH_AUTO] = "auto",
					     [ATTACH_FUSE] = "fuse",
					     [ATTACH_ARCHIVE] = "archive",
					     [ATTACH_DISK] = "", /* there is none */
					     [ATTACH_NONE] = "none" };
	unsigned int i = 0;

	while (i < ARRAY_SIZE(names) - 1 && strcmp(names[i], name) != 0)
		i++;
	return (enum attach_tools)i;
}

static pid_t guest;

static int start_disk(void *arg, struct err *e)
{
	(void)arg;
	(void)e;
	return 0;
}

static int end_guest(void *arg, struct err *e)
{
	(void)arg;
	(void)e;
	(void)kill(-guest, SIGKILL);
	return 0;
}

static const struct attach_disk no_disk = { start_disk, end_guest, NULL, "none", "ext4" };

static void take(struct attach_conf *c, int option, const char *env[2])
{
	switch (option) {
	case 'o':
		c->tools = tools_of(optarg);
		break;
	case 'd':
		c->dir = optarg;
		break;
	case 'a':
		c->archive = optarg;
		break;
	case 'w':
		c->writable = true;
		break;
	case 'p':
		c->pid = atoi(optarg);
		break;
	case 'i':
		c->image = optarg;
		break;
	case 'C':
		c->container = optarg;
		break;
	case 'l':
		c->timeout_s = (unsigned int)atoi(optarg);
		break;
	case 'u':
		c->user = optarg;
		break;
	case 'c':
		c->cwd = optarg;
		break;
	case 'e':
		env[0] = optarg;
		c->env = env;
		break;
	case 'P':
		c->privileged = true;
		break;
	case 'D':
		c->tools = ATTACH_DISK;
		c->disk = &no_disk;
		break;
	case 't':
		c->mode = PTY_ALWAYS;
		break;
	case 'T':
		c->mode = PTY_NEVER;
		break;
	default:
		exit(2);
	}
}

/* The guest's side: no descriptor but the channel, as one that a kernel starts. */
static _Noreturn void enter(const char *command, int sock)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd < 3; fd++)
		(void)dup2(null, fd);
	(void)dup2(sock, CHANNEL);
	(void)setsid();
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

int main(int argc, char **argv)
{
	const char *env[2] = { NULL, NULL };
	struct attach_conf conf = { 0 };
	struct attach_sock chan;
	struct err e = { 0 };
	struct attach *a;
	int sock[2], option, r, status = 125;

	log_init("attach-try", "VMSH_LOG", false);
	while ((option = getopt_long(argc, argv, "+tT", options, NULL)) >= 0)
		take(&conf, option, env);
	if (optind + 2 >= argc || strcmp(argv[optind + 1], "--") != 0)
		return 2;
	conf.argv = (const char *const *)&argv[optind + 2];
	if (attach_open(&conf, &a, &e) < 0) {
		log_error("%s", e.msg);
		return 125;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) < 0)
		return 125;
	guest = fork();
	if (!guest)
		enter(argv[optind], sock[1]);
	(void)close(sock[1]);
	chan = attach_sock_of(sock[0]);
	r = attach_run(a, &chan.chan, &status, &e);
	if (r < 0)
		log_error("%s", e.msg);
	attach_close(a);
	(void)close(sock[0]);
	if (guest > 0)
		(void)waitpid(guest, NULL, 0);
	return status;
}
