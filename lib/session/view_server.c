/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "view"
#include "view_server.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "enter.h"
#include "fuse_dev.h"
#include "fuse_serve.h"
#include "io.h"
#include "log.h"
#include "merge.h"
#include "mnt.h"
#include "mountinfo.h"
#include "vfs.h"
#include "vfs_sockets.h"

#define THREADS 4
#define STOP_MS 3000
/* The scratch layer is memory that the container's limits do not count. */
#define SCRATCH_SIZE   "256m"
#define SCRATCH_INODES "65536"
#define TIMEOUT_NS     UINT64_C(1000000000) /* how long the kernel believes names and attributes */
#define SERVER_TITLE   "attach-files"

/* What goes from the mounter to the server, and from that to the caller: both ends are our code. */
struct server_msg {
	struct err err; /* code 0: all is well, and the descriptors come along */
};

struct server {
	const struct session *s;
	int sock;   /* to the caller */
	int parent; /* a pidfd of the caller */
	bool early; /* in the container's user namespace, for want of rights on the host */
	struct tools tools;
	int top[MERGE_LAYERS]; /* of the trees, open for reading, or -1; the tools are MERGE_LOWER */
	struct merge_stats *stats;
	int mfd;
	struct vfs_sockets *sockets; /* NULL: none */
	int hidden;                  /* one more mount, for sockets to be bound in */
	struct fuse_dev dev[THREADS];
	struct fuse_chan *chan[THREADS];
	unsigned int n;
	struct fuse_session session;
};

static bool foreign_user(const struct target *t)
{
	return t->ns.fd[NS_USER] >= 0 && !t->ns.ours[NS_USER];
}

static bool is_merged(const struct server *sv)
{
	return sv->s->view->merge || sv->s->view->policy;
}

/* Can anything be changed? */
static bool is_writable(const struct server *sv)
{
	return sv->s->view->writable || sv->s->view->merge;
}

/* --- the file system, in the user namespace that it is to belong to --- */

static int connect_all(struct server *sv, struct err *e)
{
	bool writable = is_writable(sv);
	/* Read-only is the mount, and what is served; not the file system, in which sockets are bound. */
	struct fuse_dev_mount conf = {
		.source = sv->s->view->merge ? "merged" : "tools",
		.subtype = "cntrfs",
		.attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (writable ? 0 : MOUNT_ATTR_RDONLY),
		.allow_other = true,
	};
	int r = fuse_dev_mount(&conf, &sv->dev[0], &sv->mfd, e);

	conf.attrs &= ~(unsigned int)MOUNT_ATTR_RDONLY;
	if (!r && sv->sockets)
		r = fuse_dev_mount_again(&sv->dev[0], &conf, &sv->hidden, e);
	if (r < 0)
		return err_wrap(e, r, "--view fuse");
	for (sv->n = 1; sv->n < THREADS; sv->n++)
		if (fuse_dev_clone(&sv->dev[0], &sv->dev[sv->n]) < 0)
			break; /* fewer will do */
	return 0;
}

static int send_msg(int sock, const struct err *e, const int *fds, size_t nfds)
{
	struct server_msg msg = { .err = *e };

	return io_send_fds(sock, &msg, sizeof(msg), fds, nfds);
}

/* Return: 0 and *@ret_nfds > 0 descriptors; -errno. */
static int hear_msg(int sock, int *ret_fds, size_t max, size_t *ret_nfds, struct err *e)
{
	struct server_msg msg;
	ssize_t n = io_recv_fds(sock, &msg, sizeof(msg), ret_fds, max, ret_nfds);

	if (n != sizeof(msg) || (!msg.err.code && !*ret_nfds))
		return err_set(e, ECHILD, "the server of the view was killed while it was set up");
	if (!msg.err.code)
		return 0;
	*e = msg.err;
	return -msg.err.code;
}

static _Noreturn void mounter_run(struct server *sv, int sock)
{
	struct err e = { 0 };
	int fds[THREADS + 1], joined = 0;
	int r = ns_enter(&sv->s->target->ns, CLONE_NEWUSER, &joined, &e);

	/* A file system is made by whom the mount namespace belongs to. */
	if (!r && unshare(CLONE_NEWNS) < 0)
		r = err_set(&e, errno, "unsharing the mount namespace: %s", err_str(errno));
	if (!r)
		r = connect_all(sv, &e);
	fds[0] = sv->mfd;
	for (unsigned int i = 0; i < sv->n; i++)
		fds[1 + i] = sv->dev[i].fd;
	(void)!send_msg(sock, &e, fds, r < 0 ? 0 : 1 + sv->n);
	_exit(0);
}

static int connect_there(struct server *sv, struct err *e)
{
	int sock[2], fds[THREADS + 1], r;
	size_t nfds = 0;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) < 0)
		return err_set(e, errno, "making a socket pair: %s", err_str(errno));
	pid = fork();
	if (!pid)
		mounter_run(sv, sock[1]);
	(void)close(sock[1]);
	r = pid < 0 ? err_set(e, errno, "forking: %s", err_str(errno))
		    : hear_msg(sock[0], fds, ARRAY_SIZE(fds), &nfds, e);
	(void)close(sock[0]);
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	if (r < 0)
		return r;
	sv->mfd = fds[0];
	for (size_t i = 1; i < nfds; i++)
		sv->dev[sv->n++] = fuse_dev_of(fds[i]);
	return 0;
}

/* --- the trees --- */

/*
 * A mount namespace of our own; one who may not have it is root of the container's user namespace.
 * If the target is in our mount namespace, the working directory leads to its root in the copy.
 */
static int own_mounts(struct server *sv, struct err *e)
{
	const struct target *t = sv->s->target;
	int joined = 0, r;

	if (t->ns.ours[NS_MNT] && fchdir(t->rootfd) < 0)
		return err_set(e, errno, "entering the target's root: %s", err_str(errno));
	if (unshare(CLONE_NEWNS) < 0) {
		if (errno != EPERM || !foreign_user(t))
			return err_set(
				e, errno, "unsharing the mount namespace: %s%s", err_str(errno),
				errno == EPERM ? "; attaching to this container takes root" : "");
		sv->early = true;
		r = ns_enter(&t->ns, CLONE_NEWUSER, &joined, e);
		if (r < 0)
			return r;
		if (unshare(CLONE_NEWNS) < 0)
			return err_set(e, errno, "unsharing the mount namespace: %s",
				       err_str(errno));
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_set(e, errno, "cutting off mount propagation: %s", err_str(errno));
	return 0;
}

/* On top of our root: below Linux 6.15 mounts are put together only where they are attached. */
static int attach_tree(int mfd)
{
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return root < 0 ? -errno : mnt_attach(mfd, root);
}

static int open_top(int mfd, int *ret, struct err *e)
{
	*ret = openat(mfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret < 0 ? err_set(e, errno, "opening a tree of the view: %s", err_str(errno)) : 0;
}

static int open_tools(struct server *sv, struct err *e)
{
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = tools_clone(sv->s->tools, sv->s->view->writable, -1, &sv->tools, e);

	if (r < 0)
		return r;
	r = root < 0 ? -errno : tools_attach(&sv->tools, root);
	if (r < 0)
		return err_set(e, -r, "mounting the tools tree: %s", err_str(r));
	return open_top(sv->tools.mount[0].fd, &sv->top[MERGE_LOWER], e);
}

/* The container's tree as it is now: what it mounts later could make us wait without end. */
static int clone_root(const struct target *t)
{
	_cleanup_close_ int here = -1, mfd = -1;

	if (t->ns.ours[NS_MNT]) {
		_cleanup_close_ int root = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

		return root < 0 ? -errno : mnt_clone(root, true, MS_PRIVATE);
	}
	here = open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (here < 0 || setns(t->ns.fd[NS_MNT], CLONE_NEWNS) < 0)
		return -errno;
	mfd = mnt_clone(t->rootfd, true, MS_PRIVATE);
	if (setns(here, CLONE_NEWNS) < 0)
		return -errno;
	return take_fd(&mfd);
}

/*
 * A process of the container's may answer for a FUSE file system in it, or for one that an overlay lies on,
 * or not: who waits for that cannot be killed. And our rights in files of the kernel, as those in /proc,
 * are not the container's.
 */
static bool has_no_place(const struct mount_entry *m)
{
	return span_starts(m->fstype, "fuse") || tools_skips(m->fstype);
}

/* In a tree of the caller's own container they may be locked, and stay. The top is what it is. */
static int drop_mounts(const struct server *sv, int mfd, struct err *e)
{
	const struct target *t = sv->s->target;
	_cleanup_free_ struct mount_entry *m = malloc(sizeof(*m));
	struct cursor c = cur_of(t->mountinfo, t->mountinfo_len);
	int r;

	while (m && (r = mountinfo_next(&c, m)) != 0) {
		_cleanup_close_ int fd = -1;
		char path[32];

		if (r < 0 || !strcmp(m->point, "/") || !has_no_place(m))
			continue;
		fd = mnt_open_nolink(mfd, m->point, O_PATH);
		if (fd < 0)
			continue; /* another mount covers it, or was dropped with it */
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (umount2(path, MNT_DETACH) == 0 || errno == EINVAL /* no mount any more */)
			continue;
		if (!sv->early)
			return err_set(e, errno,
				       "taking '%.100s' of the container out of the view: %s",
				       m->point, err_str(errno));
		log_info("'%s' of the container is in the view: %s", m->point, err_str(errno));
	}
	return m ? 0 : err_set(e, ENOMEM, "out of memory");
}

static int open_upper(struct server *sv, struct err *e)
{
	_cleanup_close_ int mfd = clone_root(sv->s->target);
	int r = mfd < 0 ? mfd : attach_tree(mfd);

	if (r < 0)
		return err_set(e, -r, "cloning the container's tree: %s", err_str(r));
	r = drop_mounts(sv, mfd, e);
	return r < 0 ? r : open_top(mfd, &sv->top[MERGE_UPPER], e);
}

static int open_scratch(struct server *sv, struct err *e)
{
	static const struct mnt_param params[] = {
		{ "mode", "0755" }, { "size", SCRATCH_SIZE }, { "nr_inodes", SCRATCH_INODES }, { 0 }
	};
	_cleanup_close_ int mfd = mnt_new("tmpfs", params, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	int r = mfd < 0 ? mfd : attach_tree(mfd);

	if (r < 0)
		return err_set(e, -r, "making a scratch layer: %s", err_str(r));
	return open_top(mfd, &sv->top[MERGE_SCRATCH], e);
}

static int open_trees(struct server *sv, struct err *e)
{
	int r = sv->s->view->merge ? open_upper(sv, e) : 0;

	if (!r && sv->s->view->merge)
		r = open_scratch(sv, e);
	return r < 0 ? r : open_tools(sv, e);
}

/* --- rights --- */

/* What it takes to read all files, to say whose a file is, and to register backing files. */
static const uint64_t caps_to_read = UINT64_C(1) << CAP_DAC_READ_SEARCH |
				     UINT64_C(1) << CAP_SETUID | UINT64_C(1) << CAP_SETGID |
				     UINT64_C(1) << CAP_SETPCAP | UINT64_C(1) << CAP_SYS_ADMIN |
				     UINT64_C(1) << CAP_DAC_OVERRIDE; /* who listens at a socket */
static const uint64_t caps_to_write =
	UINT64_C(1) << CAP_CHOWN | UINT64_C(1) << CAP_FOWNER | UINT64_C(1) << CAP_FSETID |
	UINT64_C(1) << CAP_MKNOD | UINT64_C(1) << CAP_SETFCAP | UINT64_C(1) << CAP_LINUX_IMMUTABLE;

static int drop_caps(const struct server *sv, struct err *e)
{
	uint64_t keep = caps_to_read | (is_writable(sv) ? caps_to_write : 0);
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &h, data) < 0)
		return err_set(e, errno, "capget: %s", err_str(errno));
	for (unsigned int i = 0; i < ARRAY_SIZE(data); i++) {
		data[i].permitted &= (uint32_t)(keep >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &h, data) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(e, errno, "giving up rights: %s", err_str(errno));
	return 0;
}

/* --- serving --- */

/* A pipe that somebody waits on must see its end; nor may a container's mount be held. */
static int keep_only(const struct server *sv, struct err *e)
{
	int keep[IO_FDS_MAX], n = 0, null = open("/dev/null", O_RDWR | O_CLOEXEC), r;

	keep[n++] = sv->sock;
	keep[n++] = sv->parent;
	keep[n++] = sv->mfd;
	keep[n++] = sv->hidden;
	if (sv->sockets) {
		vfs_sockets_fds(sv->sockets, keep + n);
		n += VFS_SOCKETS_FDS;
	}
	for (unsigned int i = 0; i < MERGE_LAYERS; i++)
		keep[n++] = sv->top[i];
	for (unsigned int i = 0; i < sv->n; i++)
		keep[n++] = sv->dev[i].fd;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (dup2(null, fd) < 0)
			(void)close(fd);
	r = io_close_others(keep, (size_t)n);
	return r < 0 ? err_set(e, -r, "closing descriptors: %s", err_str(r)) : 0;
}

static int hidden_mount(void *arg)
{
	struct server *sv = arg;

	return take_fd(&sv->hidden);
}

static void init_session(struct server *sv, struct merge *merge, struct vfs *single,
			 const struct fuse_conf *conf)
{
	const struct fuse_fs *fs = merge ? &merge_fs : &vfs_fs;
	void *arg = merge ? (void *)merge : single;
	const struct vfs_sockets_conf sockets = { .fs = fs,
						  .fs_arg = arg,
						  .again = merge ? merge_again : vfs_again,
						  .path = merge ? merge_path : vfs_path,
						  .mount = hidden_mount,
						  .arg = sv };

	if (sv->sockets) {
		vfs_sockets_init(sv->sockets, &sockets);
		fs = vfs_sockets_fs(sv->sockets);
		arg = sv->sockets;
	}
	fuse_session_init(&sv->session, fs, arg, conf);
}

/*
 * The container's files have the ids that the host knows them by; on the mount they have the container's.
 * The tools are to belong to the same numbers there as here.
 */
static int make_fs(struct server *sv, struct err *e)
{
	const struct ns_cred *cred = &sv->s->target->cred;
	const struct vfs_conf same = { .times = { TIMEOUT_NS, TIMEOUT_NS, 0 },
				       .passthrough = true,
				       .carry_sockets = sv->sockets != NULL,
				       .share = sv->s->view->merge ? MERGE_LAYERS : 1 };
	const struct fuse_conf fuse = { .flags = is_merged(sv) ? merge_flags(&same)
							       : vfs_flags(&same),
					.max_write = FUSE_MAX_WRITE,
					.max_stack_depth = VFS_STACK_DEPTH };
	struct vfs *layer[MERGE_LAYERS] = { NULL };
	struct vfs_conf mapped = same;
	struct merge *merge = NULL;
	int r = 0;

	if (foreign_user(sv->s->target) && !sv->early) {
		mapped.users = &cred->uid_map;
		mapped.groups = &cred->gid_map;
	}
	for (unsigned int i = 0; !r && i < MERGE_LAYERS; i++)
		if (sv->top[i] >= 0)
			r = vfs_new(sv->top[i], i == MERGE_UPPER ? &mapped : &same, &layer[i], e);
	/* A policy alone is that of a single tree. */
	if (!sv->s->view->merge && sv->s->view->policy) {
		layer[MERGE_UPPER] = layer[MERGE_LOWER];
		layer[MERGE_LOWER] = NULL;
	}
	if (!r && is_merged(sv))
		r = merge_new(layer, sv->s->view->policy, sv->stats, &merge, e);
	if (r < 0)
		return r;
	init_session(sv, merge, layer[MERGE_LOWER], &fuse);
	return 0;
}

static int set_up(struct server *sv, struct err *e)
{
	int r = own_mounts(sv, e);

	/*
	 * Root of another user namespace opens any file of the view, whose owners are of its numbers. It
	 * would reach what a mode of 600 keeps for the host's: there it has no sockets.
	 */
	if (!r && !foreign_user(sv->s->target))
		r = vfs_sockets_new(true, &sv->sockets, e);
	if (!r)
		r = foreign_user(sv->s->target) && !sv->early ? connect_there(sv, e)
							      : connect_all(sv, e);
	if (!r)
		r = open_trees(sv, e);
	if (!r)
		r = keep_only(sv, e);
	if (!r)
		r = drop_caps(sv, e);
	if (!r)
		r = vfs_fs.thread_start(NULL);
	if (r < 0)
		return e->code ? r : err_set(e, -r, "acting for other users: %s", err_str(r));
	for (unsigned int i = 0; i < sv->n; i++)
		sv->chan[i] = &sv->dev[i].chan;
	return make_fs(sv, e);
}

/* Not to outlive the caller, even stopped: the kernel kills us with it, unless it is gone already. */
static void die_with_parent(const struct server *sv)
{
	struct pollfd pfd = { .fd = sv->parent, .events = POLLIN };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || poll(&pfd, 1, 0) != 0)
		_exit(PTY_EXIT_FAILED);
}

/* The caller's end of the socket closes when the view is over: with our mount for sockets it would never end. */
static void let_go(struct server *sv)
{
	if (sv->sockets)
		vfs_sockets_end(sv->sockets);
	closep(&sv->hidden);
	sv->hidden = -1;
}

static void serve_all(struct server *sv, int done)
{
	struct pollfd p[4] = { { .fd = sv->parent, .events = POLLIN },
			       { .fd = done, .events = POLLIN },
			       { .fd = sv->sock, .events = POLLIN },
			       { .fd = sv->sockets ? vfs_sockets_fd(sv->sockets) : -1,
				 .events = POLLIN } };

	while (!p[0].revents && !p[1].revents) {
		if (poll(p, ARRAY_SIZE(p), -1) < 0)
			continue;
		if (p[2].revents) {
			let_go(sv);
			p[2].fd = p[3].fd = -1;
		} else if (p[3].revents) {
			vfs_sockets_handle(sv->sockets);
		}
	}
}

static void serve(struct server *sv)
{
	struct fuse_server *threads = NULL;
	struct err e = { 0 };
	int r = set_up(sv, &e);

	if (!r)
		r = fuse_serve_start(&sv->session, sv->chan, sv->n, &threads, &e);
	die_with_parent(sv); /* after all changes of rights, each of which clears it */
	(void)!send_msg(sv->sock, &e, &sv->mfd, r < 0 ? 0 : 1);
	closep(&sv->mfd); /* with a descriptor of ours it would never end */
	if (r == 0)
		serve_all(sv, fuse_serve_fd(threads));
}

static _Noreturn void server_run(const struct session *s, struct merge_stats *stats, int sock,
				 int parent)
{
	struct server sv = { .s = s,
			     .sock = sock,
			     .parent = parent,
			     .top = { -1, -1, -1 },
			     .stats = stats,
			     .mfd = -1,
			     .hidden = -1 };

	for (int sig = 1; sig < SIGSYS; sig++) /* the user's terminal or shell must not end us */
		(void)signal(sig, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	(void)setsid();
	(void)prctl(PR_SET_NAME, SERVER_TITLE);
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)umask(0);
	die_with_parent(&sv);
	serve(&sv);
	_exit(0);
}

/* Without memory that is shared the changes are not counted: no reason not to start. */
static struct merge_stats *stats_new(void)
{
	void *p = mmap(NULL, sizeof(struct merge_stats), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int view_server_start(const struct session *s, struct view_server *ret, struct err *e)
{
	_cleanup_close_ int parent = pidfd_open_nr(getpid());
	size_t nfds = 0;
	int sock[2], r;

	if (parent < 0)
		return err_set(e, -parent, "opening a pidfd: %s", err_str(parent));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) < 0)
		return err_set(e, errno, "making a socket pair: %s", err_str(errno));
	if (s->view->merge)
		ret->stats = stats_new();
	ret->pid = fork();
	if (!ret->pid) {
		(void)close(sock[0]);
		server_run(s, ret->stats, sock[1], parent);
	}
	(void)close(sock[1]);
	r = ret->pid < 0 ? err_set(e, errno, "forking: %s", err_str(errno))
			 : hear_msg(sock[0], &ret->mount, 1, &nfds, e);
	ret->sock = sock[0];
	if (ret->pid > 0)
		ret->pidfd = pidfd_open_nr(ret->pid);
	if (r < 0)
		view_server_stop(ret, false);
	return r;
}

/* A change of the tools is never silent: it seems to be one, and is gone now. */
static void tell_changes(struct view_server *v)
{
	uint32_t copied, hidden;

	if (!v->stats)
		return;
	copied = atomic_load(&v->stats->copied);
	hidden = atomic_load(&v->stats->hidden);
	if (copied || hidden)
		log_warn("%u files of the tools were changed and %u names removed, in a scratch "
			 "layer that is gone now",
			 copied, hidden);
	(void)munmap(v->stats, sizeof(*v->stats));
	v->stats = NULL;
}

void view_server_stop(struct view_server *v, bool flush)
{
	struct pollfd p = { .fd = v->pidfd, .events = POLLIN };

	closep(&v->mount);
	closep(&v->sock);
	v->mount = v->sock = -1;
	if (v->pid <= 0)
		return;
	if (flush && v->pidfd >= 0)
		(void)poll(&p, 1, STOP_MS);
	(void)kill(v->pid, SIGKILL);
	/* One that waits in a file system that does not answer cannot be ended, and is not to hold us. */
	if (v->pidfd < 0 || poll(&p, 1, STOP_MS) > 0)
		(void)waitpid(v->pid, NULL, 0);
	else
		log_warn("the file server of the view waits for a file system, and has not ended");
	closep(&v->pidfd);
	v->pid = 0;
	v->pidfd = -1;
	tell_changes(v);
}
