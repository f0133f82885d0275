/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * The file system is made, detached; threads begin to serve it; then it is attached, so that nobody
 * finds a mount that nobody serves. From then on this thread waits: for the threads' end, when somebody
 * unmounted, or for a signal, when it writes what is not on the disk yet, and unmounts. A mount that is
 * in use then goes out of sight, and with us, at once: who still has a file of it open gets ENOTCONN.
 */
#define LOG_MODULE "vfs"
#include "vfs_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cleanup.h"
#include "fuse_dev.h"
#include "fuse_ring.h"
#include "fuse_serve.h"
#include "io.h"
#include "log.h"
#include "mnt.h"
#include "mountinfo.h"
#include "vfs.h"
#include "vfs_map.h"
#include "vfs_sockets.h"
#include "vfs_watch.h"

#define SECOND UINT64_C(1000000000)

/*
 * A change of a name is told of, but who holds a directory's lock can delay that. Of attributes, a last
 * access and some writes are not told.
 */
static const struct vfs_times when_told = { 60 * SECOND, 10 * SECOND, 60 * SECOND };
static const struct vfs_times when_not = { SECOND, SECOND, 0 };

/* For the kernel to tell us of the end after a mount that nobody uses is gone. */
#define GRACE_MS 1000

struct mounted {
	struct fuse_session session;
	struct fuse_dev dev[FUSE_WORKERS_MAX];
	struct fuse_chan *chan[FUSE_WORKERS_MAX];
	unsigned int n; /* channels */
	unsigned int ndevs;
	struct fuse_rings rings;
	struct vfs *vfs;
	struct merge *merge; /* of which @vfs is the upper layer; or NULL */
	struct merge_trees trees;
	struct vfs_watch *watch;     /* or NULL */
	struct vfs_sockets *sockets; /* NULL: none */
	struct fuse_dev_mount conf;
	int tree;     /* a copy of the mounts at and below the source, of our own */
	int source;   /* its top, open for reading */
	bool alone;   /* nothing is mounted in it */
	char *target; /* where, absolute */
	uint64_t mount_id;
};

/*
 * What is served is a detached copy of the mounts: the mount that we make, should it lie in the source, is
 * not in it, else the server would wait for itself.
 */
static int open_source(struct mounted *m, const struct vfs_mount_conf *o, struct err *e)
{
	const char *path = o->source;
	_cleanup_close_ int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	unsigned int attrs;
	int r;

	if (fd < 0)
		return err_set(e, errno, "cannot open '%s': %s", path, err_str(errno));
	m->tree = mnt_clone(fd, true, MS_PRIVATE);
	if (m->tree < 0)
		return err_set(e, -m->tree, "cannot copy the mount of '%s': %s%s", path,
			       err_str(m->tree),
			       m->tree == -EPERM ? "; it takes CAP_SYS_ADMIN: be root" : "");
	/* Times of access are written behind, by the rules of the mount there. Through one that is read-only nothing is. */
	attrs = o->attrs & MOUNT_ATTR_NODIRATIME;
	attrs |= o->read_only ? MOUNT_ATTR_NOATIME : o->attrs & MOUNT_ATTR__ATIME;
	/* Also if the mount should be made writable (remount). */
	attrs |= o->stateless ? MOUNT_ATTR_RDONLY : 0;
	r = attrs ? mnt_set(m->tree, attrs, 0, true) : 0;
	if (r < 0)
		return err_set(e, -r, "cannot set how times of access are kept: %s", err_str(r));
	m->source = openat(m->tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (m->source < 0)
		return err_set(e, errno, "cannot open '%s': %s", path, err_str(errno));
	return 0;
}

/* The connection, and the first of its channels. */
static int connect_first(struct mounted *m, const struct vfs_mount_conf *o, int *ret_mfd,
			 struct err *e)
{
	int r;

	m->conf = (struct fuse_dev_mount){ .source = o->source,
					   .subtype = "cntrfs",
					   .attrs = o->attrs,
					   .allow_other = o->allow_other };
	/* Of the mount, not of the file system: sockets are bound in that. */
	if (o->read_only)
		m->conf.attrs |= MOUNT_ATTR_RDONLY;
	/* Of a file system that is read-only the kernel does not forget the time of access after each read. */
	m->conf.read_only = o->stateless && !o->sockets;
	r = fuse_dev_mount(&m->conf, &m->dev[0], ret_mfd, e);
	if (r < 0)
		return r;
	m->n = m->ndevs = 1;
	m->chan[0] = &m->dev[0].chan;
	if (o->io_uring) {
		r = fuse_rings_init(&m->rings, &m->dev[0]);
		if (r < 0)
			log_info("no io_uring: %s", err_str(r));
	}
	return 0;
}

/* The others, once it is agreed of what kind they are: a ring for each processor; or one for each thread, fewer will do. */
static void connect_others(struct mounted *m, const struct vfs_mount_conf *o)
{
	if (m->rings.n && m->session.params.flags & FUSE_OVER_IO_URING) {
		log_info("FUSE over io_uring, %u queues", m->rings.n);
		for (unsigned int i = 0; i < m->rings.n; i++)
			m->chan[m->n++] = &m->rings.ring[i].chan;
		return;
	}
	if (m->rings.n)
		log_info("no FUSE over io_uring: Linux 6.14 has it, with "
			 "/sys/module/fuse/parameters/enable_uring");
	fuse_rings_fini(&m->rings);
	for (; m->ndevs < o->threads; m->ndevs++) {
		if (fuse_dev_clone(&m->dev[0], &m->dev[m->ndevs]) < 0)
			break;
		m->chan[m->n++] = &m->dev[m->ndevs].chan;
	}
}

static int attach(struct mounted *m, int mfd, struct err *e)
{
	_cleanup_close_ int target = open(m->target, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statx stx;
	int r;

	if (target < 0)
		return err_set(e, errno, "cannot mount on '%s': %s", m->target, err_str(errno));
	r = mnt_attach(mfd, target);
	if (r < 0)
		return err_set(e, -r, "cannot mount on '%s': %s", m->target, err_str(r));
	if (statx(mfd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &stx) == 0)
		m->mount_id = stx.stx_mnt_id;
	return 0;
}

/* Something else may be mounted there by now. */
static bool is_ours(const struct mounted *m)
{
	struct statx stx;

	return statx(AT_FDCWD, m->target, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_MNT_ID,
		     &stx) == 0 &&
	       stx.stx_mnt_id == m->mount_id;
}

static void unmount(struct mounted *m)
{
	if (syncfs(m->source) < 0)
		log_warn("cannot write what is not on the disk yet: %s", err_str(errno));
	if (!is_ours(m))
		return;
	if (umount2(m->target, UMOUNT_NOFOLLOW) == 0)
		return;
	if (errno == EBUSY)
		log_warn("'%s' is in use: files that are open there are lost to who has them",
			 m->target);
	if (umount2(m->target, UMOUNT_NOFOLLOW | MNT_DETACH) < 0)
		log_warn("cannot unmount '%s': %s", m->target, err_str(errno));
}

/* A second mount of it, which nobody sees, for sockets to be bound in. */
static int mount_for_sockets(void *arg)
{
	struct mounted *m = arg;
	struct fuse_dev_mount conf = m->conf;
	struct err e = { 0 };
	int mfd, r;

	conf.attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
	r = fuse_dev_mount_again(&m->dev[0], &conf, &mfd, &e);
	if (r < 0)
		log_warn("%s", e.msg);
	return r < 0 ? r : mfd;
}

/* How many mounts of our mount namespace @is says. What cannot be read is one. */
static unsigned int mnt_count(bool (*is)(const struct mount_entry *entry, const void *arg),
			      const void *arg)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ struct mount_entry *entry = malloc(sizeof(*entry));
	unsigned int n = 0;
	struct cursor c;
	size_t len;
	int r;

	if (!entry ||
	    io_read_at(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_SIZE_MAX, &text, &len) < 0)
		return 1;
	c = cur_of(text, len);
	while ((r = mountinfo_next(&c, entry)) != 0)
		n += r > 0 && is(entry, arg);
	return n;
}

static bool has_id(const struct mount_entry *entry, const void *arg)
{
	return entry->id == *(const uint64_t *)arg;
}

/* Anywhere: it may have been moved. */
static bool mnt_exists(uint64_t id)
{
	return mnt_count(has_id, &id) != 0;
}

static bool is_below(const struct mount_entry *entry, const void *arg)
{
	const char *rest = path_below(entry->point, arg);

	return rest && *rest;
}

static bool has_mounts_below(const char *dir)
{
	_cleanup_free_ char *path = realpath(dir, NULL);

	return !path || mnt_count(is_below, path) != 0;
}

/* With a mount of it for the sockets, the end of ours is to be noticed by looking. */
static void check_mount(const struct mounted *m)
{
	if (vfs_sockets_hold(m->sockets) && !mnt_exists(m->mount_id))
		vfs_sockets_end(m->sockets);
}

static void report(const struct mounted *m)
{
	struct vfs_watch_stats w;
	struct vfs_stats st;

	vfs_stats(m->vfs, &st);
	log_info("%u nodes, %u of them forgotten, %u descriptors", st.nodes, st.idle, st.fds);
	if (m->watch) {
		vfs_watch_stats(m->watch, &w);
		log_info("%" PRIu64 " changes by others, %" PRIu64 " of our own; %" PRIu64
			 " notifications, %" PRIu64 " repeated; %" PRIu64 " times all",
			 w.events, w.own, w.told, w.again, w.lost);
	}
	for (uint32_t i = 0; i < FUSE_OPCODES; i++) {
		uint64_t n = atomic_load(&m->session.count[i]);

		if (n)
			log_info("%s: %" PRIu64, i ? fuse_opcode_name(i) : "unknown", n);
	}
}

/* Return: false, it asks for a report only. */
static bool asks_for_end(int signals)
{
	struct signalfd_siginfo info;

	return read(signals, &info, sizeof(info)) != sizeof(info) || info.ssi_signo != SIGUSR2;
}

/* Return: false, the connection ended by itself. */
static bool wait_for_end(const struct mounted *m, int done, int signals)
{
	_cleanup_close_ int mounts = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	struct pollfd p[4] = { { .fd = done, .events = POLLIN },
			       { .fd = signals, .events = POLLIN },
			       { .fd = m->sockets ? vfs_sockets_fd(m->sockets) : -1,
				 .events = POLLIN },
			       { .fd = m->sockets ? mounts : -1, .events = POLLPRI } };

	for (;;) {
		if (poll(p, ARRAY_SIZE(p), -1) < 0)
			continue;
		if (p[0].revents)
			return false;
		if (p[1].revents && asks_for_end(signals))
			return true;
		if (p[1].revents)
			report(m);
		if (p[2].revents)
			vfs_sockets_handle(m->sockets);
		if (p[2].revents || p[3].revents)
			check_mount(m);
	}
}

/* Whoever started us waits for the byte, and may wait for the end of our output, too: let go of it. */
static void say_ready(int ready)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)setsid();
	for (int fd = 0; null >= 0 && fd < 3; fd++)
		(void)dup2(null, fd);
	if (null > 2)
		(void)close(null);
	(void)!write(ready, "", 1);
	(void)close(ready);
}

static bool is_over(const struct fuse_server *server)
{
	struct pollfd p = { .fd = fuse_serve_fd(server), .events = POLLIN };

	return poll(&p, 1, GRACE_MS) > 0;
}

static int run(struct mounted *m, int mfd, int ready, int signals, struct err *e)
{
	struct fuse_server *server = NULL;
	int r = fuse_serve_start(&m->session, m->chan, m->n, &server, e);
	bool asked;

	if (r < 0)
		return r;
	r = attach(m, mfd, e);
	/* As long as the mount has a descriptor, it is in use. */
	(void)close(mfd);
	if (r < 0) {
		fuse_serve_wait(server);
		return r;
	}
	if (ready >= 0)
		say_ready(ready);
	asked = wait_for_end(m, fuse_serve_fd(server), signals);
	if (asked)
		unmount(m);
	if (m->sockets)
		vfs_sockets_end(m->sockets);
	report(m);
	/* With files still open the connection lives on. */
	if (asked && !is_over(server))
		return 1;
	fuse_serve_wait(server);
	return 0;
}

static void mounted_fini(struct mounted *m)
{
	/* It may be waiting in the kernel for one who waits for us: the connection has to be over. */
	vfs_watch_stop(m->watch);
	fuse_rings_fini(&m->rings);
	for (unsigned int i = 0; i < m->ndevs; i++)
		fuse_dev_fini(&m->dev[i]);
	if (m->merge)
		merge_free(m->merge);
	else
		vfs_free(m->vfs);
	merge_trees_fini(&m->trees);
	vfs_sockets_free(m->sockets);
	if (m->source >= 0)
		(void)close(m->source);
	if (m->tree >= 0)
		(void)close(m->tree);
	free(m->target);
	free(m);
}

static uint64_t choose(uint64_t asked, uint64_t best)
{
	return asked == VFS_TIME_BEST ? best : asked;
}

static struct vfs_times choose_times(const struct vfs_times *asked, const struct vfs_times *best)
{
	return (struct vfs_times){ choose(asked->entry_ns, best->entry_ns),
				   choose(asked->attr_ns, best->attr_ns),
				   choose(asked->negative_ns, best->negative_ns) };
}

/*
 * Is a position in a directory right for whoever opens it anew, whatever happened to it meanwhile? Not so of what makes up its
 * list when it is opened (overlayfs), or counts entries (tmpfs before Linux 6.6); what is mounted in the tree may be that.
 */
static bool has_lasting_positions(const struct mounted *m)
{
	static const uint32_t types[] = { EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC,
					  F2FS_SUPER_MAGIC };
	struct statfs s;

	if (!m->alone || fstatfs(m->source, &s) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if ((uint32_t)s.f_type == types[i])
			return true;
	}
	return false;
}

/* The numbers of a merged tree's nodes are others. */
static void watch(struct mounted *m, const struct vfs_mount_conf *o)
{
	const struct vfs_times times = choose_times(&o->times, &when_told);
	int r;

	if (!o->watch || m->merge)
		return;
	r = vfs_watch_start(m->vfs, m->source, &m->session, m->chan[0], &times, &m->watch);
	if (r < 0)
		log_info("changes in '%s' are seen by timeouts only: %s", o->source, err_str(r));
	else if (o->stateless && has_lasting_positions(m))
		vfs_stateless_dirs(m->vfs);
}

/* The trees, opened, and what serves them. */
static int open_trees(struct mounted *m, const struct vfs_mount_conf *o,
		      const struct vfs_conf *conf, struct err *e)
{
	int r = open_source(m, o, e);

	if (r == 0)
		r = merge_trees_open(&o->merge, &m->trees, e);
	if (r < 0)
		return r;
	r = vfs_fs.thread_start(NULL);
	if (r < 0)
		return err_set(e, -r, "cannot act for other users: %s; be root", err_str(r));
	r = vfs_new(m->source, conf, &m->vfs, e);
	if (r < 0)
		return err_wrap(e, r, "'%s'", o->source);
	return merge_is_wanted(&o->merge)
		       ? merge_open(&m->trees, &o->merge.policy, m->vfs, conf, &m->merge, e)
		       : 0;
}

static void init_session(struct mounted *m, const struct vfs_conf *vc, bool ordinary)
{
	const struct fuse_fs *fs = m->merge ? &merge_fs : vfs_functions(m->vfs);
	void *arg = m->merge ? (void *)m->merge : (void *)m->vfs;
	const struct vfs_sockets_conf conf = { .fs = fs,
					       .fs_arg = arg,
					       .again = m->merge ? merge_again : vfs_again,
					       .path = m->merge ? merge_path : vfs_path,
					       .mount = mount_for_sockets,
					       .arg = m };
	struct fuse_conf fuse = { .flags = m->merge ? merge_flags(vc) : vfs_flags(vc),
				  .max_write = FUSE_MAX_WRITE,
				  .max_stack_depth = VFS_STACK_DEPTH,
				  .ordinary = ordinary };

	if (m->rings.n)
		fuse.flags |= FUSE_OVER_IO_URING;
	if (m->sockets) {
		vfs_sockets_init(m->sockets, &conf);
		fs = vfs_sockets_fs(m->sockets);
		arg = m->sockets;
	}
	fuse_session_init(&m->session, fs, arg, &fuse);
}

static int prepare(struct mounted *m, const struct vfs_mount_conf *o, bool quiet, int *ret_mfd,
		   struct err *e)
{
	const struct vfs_conf conf = { .times = choose_times(&o->times, &when_not),
				       .passthrough = o->passthrough && !o->stateless,
				       .stateless = o->stateless,
				       .small = o->small,
				       .carry_sockets = o->sockets,
				       .users = o->users,
				       .groups = o->groups,
				       .share = o->merge.lower ? MERGE_LAYERS : 1 };
	int r;

	m->target = realpath(o->target, NULL);
	if (!m->target)
		return err_set(e, errno, "cannot mount on '%s': %s", o->target, err_str(errno));
	m->alone = o->stateless && !has_mounts_below(o->source);
	r = o->sockets ? vfs_sockets_new(quiet, &m->sockets, e) : 0;
	if (r == 0)
		r = open_trees(m, o, &conf, e);
	if (r == 0)
		r = connect_first(m, o, ret_mfd, e);
	if (r < 0)
		return r;
	init_session(m, &conf, o->ordinary);
	r = fuse_serve_init(&m->session, m->chan[0]);
	if (r < 0)
		return err_set(e, -r, "the kernel does not begin: %s", err_str(r));
	connect_others(m, o);
	watch(m, o);
	return 0;
}

int vfs_mount_serve(const struct vfs_mount_conf *conf, int ready, struct err *e)
{
	struct mounted *m = calloc(1, sizeof(*m));
	_cleanup_close_ int signals = -1;
	int mfd = -1, r;
	sigset_t mask;

	if (!m)
		return err_set(e, ENOMEM, "out of memory");
	m->tree = m->source = -1;
	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGUSR2);
	(void)sigprocmask(SIG_BLOCK, &mask, NULL);
	signals = signalfd(-1, &mask, SFD_CLOEXEC);
	r = signals < 0 ? err_set(e, errno, "no signalfd: %s", err_str(errno))
			: prepare(m, conf, ready >= 0, &mfd, e);
	if (r == 0)
		r = run(m, mfd, ready, signals, e);
	if (r <= 0)
		mounted_fini(m);
	return r;
}
