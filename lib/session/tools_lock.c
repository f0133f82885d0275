/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "tools"
#include "tools_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "enter.h"
#include "io.h"
#include "mnt.h"

/* In the child: a clone with locked flags, or -errno. */
static int clone_locked(const struct tools *t)
{
	_cleanup_close_ int root = -1, tree = -1;
	int r;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = root < 0 ? -errno : tools_attach(t, root);
	if (r < 0)
		return r;
	/*
	 * The working directory goes along to the copy of its mount. Who stands in another
	 * root than the topmost may not have a user namespace (current_chrooted()).
	 */
	if (fchdir(t->mount[0].fd) < 0 || chroot(".") < 0 ||
	    unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return -errno;
	tree = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return tree < 0 ? -errno : mnt_clone(tree, true, MS_SLAVE);
}

static _Noreturn void child_run(const struct tools *t, int sock)
{
	int r = clone_locked(t);

	(void)!io_send_fds(sock, &r, sizeof(r), &r, r < 0 ? 0 : 1);
	_exit(0);
}

static int hear_child(int sock, int *ret_fd)
{
	size_t nfds = 0;
	int r, fd = -1;
	ssize_t n = io_recv_fds(sock, &r, sizeof(r), &fd, 1, &nfds);

	if (n != sizeof(r))
		return n < 0 ? (int)n : -ECHILD;
	if (r >= 0 && nfds != 1)
		return -EPROTO;
	*ret_fd = fd;
	return r < 0 ? r : 0;
}

int tools_lock(struct tools *t, struct err *e)
{
	int sock[2], fd = -1, r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) < 0)
		return err_set(e, errno, "making a socket pair: %s", err_str(errno));
	pid = fork();
	if (!pid)
		child_run(t, sock[1]);
	(void)close(sock[1]);
	r = pid < 0 ? -errno : hear_child(sock[0], &fd);
	(void)close(sock[0]);
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	if (r < 0)
		return err_set(e, -r,
			       "locking the tools tree against changes by the %s (takes a "
			       "user namespace): %s",
			       ns_words.what, err_str(r));
	for (size_t i = 0; i < t->n; i++) {
		closep(&t->mount[i].fd);
		t->mount[i].fd = -1;
	}
	t->mount[0].fd = fd;
	return 0;
}
