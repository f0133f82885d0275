/* SPDX-License-Identifier: MIT */
#include "attach_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attach_image.h"
#include "cleanup.h"
#include "io.h"
#include "mnt.h"
#include "tools.h"

void attach_tree_close(struct attach_tree *t)
{
	closep(&t->top);
	closep(&t->mntns);
	*t = (struct attach_tree)ATTACH_TREE_INIT;
}

static bool is_own_root(int fd)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat("/", &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

static int take_image(const char *path, struct tools *ret, struct err *e)
{
	int mfd = attach_image_mount(path, e);

	if (mfd < 0)
		return mfd;
	ret->mount[0].fd = mfd;
	ret->n = 1;
	return 0;
}

static int take_dir(const struct attach_conf *c, struct tools *ret, bool *ret_host, struct err *e)
{
	struct tools_src src = TOOLS_SRC_INIT;
	int r = tools_src_dir(c->dir ? c->dir : "/", &src, e);

	if (!r)
		r = tools_clone(&src, c->writable, -1, ret, e);
	*ret_host = !r && is_own_root(src.rootfd);
	return r;
}

/* In the process between. Its memory goes with it. */
static int build(const struct attach_conf *c, struct attach_tree *ret, struct err *e)
{
	struct tools tools = { .n = 0 };
	_cleanup_close_ int root = -1;
	int r;

	if (unshare(CLONE_NEWNS) < 0)
		return err_set(e, errno, "making a mount namespace for the tools: %s%s",
			       err_str(errno), errno == EPERM ? "; it takes CAP_SYS_ADMIN" : "");
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_set(e, errno, "cutting off mount propagation: %s", err_str(errno));
	r = c->image ? take_image(c->image, &tools, e) : take_dir(c, &tools, &ret->host, e);
	if (r < 0)
		return r;
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = root < 0 ? -errno : tools_attach(&tools, root);
	if (r < 0)
		return err_set(e, -r, "mounting the tools tree: %s", err_str(r));
	ret->top = openat(tools.mount[0].fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ret->mntns = open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (ret->top < 0 || ret->mntns < 0)
		return err_set(e, errno, "opening the tools tree: %s", err_str(errno));
	return 0;
}

struct answer {
	struct err err; /* code 0: the descriptors come along */
	bool host;
};

static _Noreturn void answer(int sock, const struct attach_conf *c)
{
	struct attach_tree tree = ATTACH_TREE_INIT;
	struct answer a = { .host = false };
	int r = build(c, &tree, &a.err);
	int fds[2] = { tree.top, tree.mntns };

	a.host = tree.host;
	(void)!io_send_fds(sock, &a, sizeof(a), fds, r < 0 ? 0 : ARRAY_SIZE(fds));
	_exit(0);
}

static int hear(int sock, struct attach_tree *ret, struct err *e)
{
	size_t nfds = 0;
	struct answer a;
	int fds[2];
	ssize_t n = io_recv_fds(sock, &a, sizeof(a), fds, ARRAY_SIZE(fds), &nfds);

	if (n != sizeof(a) || (!a.err.code && nfds != ARRAY_SIZE(fds)))
		return err_set(e, ECHILD, "the process that opens the tools was killed");
	if (a.err.code) {
		*e = a.err;
		return -a.err.code;
	}
	*ret = (struct attach_tree){ fds[0], fds[1], a.host };
	return 0;
}

int attach_tree_open(const struct attach_conf *conf, struct attach_tree *ret, struct err *e)
{
	int sock[2], r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) < 0)
		return err_set(e, errno, "making a socket pair: %s", err_str(errno));
	pid = fork();
	if (!pid)
		answer(sock[1], conf);
	(void)close(sock[1]);
	r = pid < 0 ? err_set(e, errno, "forking: %s", err_str(errno)) : hear(sock[0], ret, e);
	(void)close(sock[0]);
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	return r;
}
