/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "attach"
#include "attach_files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "fuse_serve.h"
#include "log.h"
#include "vfs.h"

#define THREADS 4
#define TAKE_UP (WIRE_FUSE_WINDOW / 2) /* so many before they are credited */
#define NOBODY \
	0xfffffff0U /* no user of the host: "nobody" owns files, and may signal his threads */
#define TIME_NS        UINT64_C(1000000000) /* how long the guest believes names and attributes */
#define PARTS_MAX      8
#define OPEN_MAX_GUEST 4096 /* a directory costs 32 KiB */

struct attach_files {
	struct fuse_chan chan; /* first; of all threads */
	struct attach_link *link;
	struct attach_files_conf conf;
	struct fuse_fs fs;
	struct fuse_session session;
	pthread_t thread;
	bool started;
	/* under @lock */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct {
		uint8_t *msg;
		size_t size;
	} queue[WIRE_FUSE_WINDOW];
	unsigned int head, tail;
	unsigned int taken; /* and not credited */
	bool over;
};

/* --- the transport --- */

static struct attach_files *files_of(struct fuse_chan *c)
{
	return (struct attach_files *)c; /* its first member */
}

static int give_places(struct attach_files *f, unsigned int n)
{
	uint8_t head[WIRE_HEAD];
	const struct iovec iov = { head, sizeof(head) };

	wire_head(head, WIRE_CREDIT, WIRE_REQUESTS, n);
	return attach_link_put(f->link, &iov, 1);
}

static ssize_t files_receive(struct fuse_chan *c, void *buf, size_t size)
{
	struct attach_files *f = files_of(c);
	unsigned int credit = 0;
	ssize_t n = 0;

	pthread_mutex_lock(&f->lock);
	while (f->head == f->tail && !f->over)
		pthread_cond_wait(&f->changed, &f->lock);
	if (!f->over) {
		unsigned int i = f->head++ % WIRE_FUSE_WINDOW;

		/* What does not fit is no request of what was agreed on. */
		n = f->queue[i].size <= size ? (ssize_t)f->queue[i].size : -EAGAIN;
		if (n > 0)
			memcpy(buf, f->queue[i].msg, (size_t)n);
		if (++f->taken == TAKE_UP) {
			credit = f->taken;
			f->taken = 0;
		}
	}
	pthread_mutex_unlock(&f->lock);
	if (credit)
		(void)!give_places(f, credit);
	return n;
}

static int files_send(struct fuse_chan *c, const struct iovec *iov, int n)
{
	struct attach_files *f = files_of(c);
	struct iovec parts[PARTS_MAX];
	uint8_t head[WIRE_HEAD];
	size_t size = 0;

	for (int i = 0; i < n; i++)
		size += iov[i].iov_len;
	if (n >= PARTS_MAX || size > WIRE_PAYLOAD_MAX)
		return -EMSGSIZE;
	wire_head(head, WIRE_FUSE, 0, 0);
	parts[0] = (struct iovec){ head, sizeof(head) };
	memcpy(parts + 1, iov, (size_t)n * sizeof(*iov));
	/* If it fails, the session is over, and receive() says so. */
	(void)!attach_link_put(f->link, parts, n + 1);
	return 0;
}

static const struct fuse_transport files_transport = {
	.receive = files_receive,
	.send = files_send,
	.late = true,
};

/* Who is woken takes the lock first thing: where that is on the same processor it should be free by then. */
static int take_one(struct attach_files *f, struct span request)
{
	int r = -EPROTO;

	pthread_mutex_lock(&f->lock);
	if (f->tail - f->head + f->taken < WIRE_FUSE_WINDOW) {
		unsigned int i = f->tail++ % WIRE_FUSE_WINDOW;

		memcpy(f->queue[i].msg, request.p, request.len);
		f->queue[i].size = request.len;
		r = 0;
	}
	pthread_mutex_unlock(&f->lock);
	if (!r)
		pthread_cond_signal(&f->changed);
	return r;
}

int attach_files_take(struct attach_files *f, const struct wire_msg *m)
{
	struct span request;
	size_t off = 0;
	int r;

	while ((r = wire_fuse_next(m, &off, &request)) > 0) {
		r = take_one(f, request);
		if (r < 0)
			break;
	}
	return r;
}

/* --- rights --- */

/*
 * Of this thread, and of those that it starts: the C library's functions would change all of the process.
 * lib/vfs finds its files by /proc/self/fd, as the working directory.
 */
static int become_nobody(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	if (unshare(CLONE_FS) < 0 || chdir("/proc/self/fd") < 0)
		return -errno;
	(void)umask(0);
	if (geteuid() == NOBODY) /* the thread that started us was */
		return 0;
	if (syscall(SYS_setgroups, 0, NULL) < 0 ||
	    syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY) < 0 ||
	    syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY) < 0 ||
	    syscall(SYS_capset, &h, none) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		return -errno;
	return 0;
}

static int start_public(void *fs)
{
	(void)fs;
	return become_nobody();
}

/* --- threads --- */

static int serve(struct attach_files *f, struct err *e)
{
	const struct vfs_conf conf = { .max_open = OPEN_MAX_GUEST,
				       .times = { TIME_NS, TIME_NS, TIME_NS } };
	/* The threads that ask are the guest's: their numbers say nothing here. */
	const struct fuse_conf fuse = { .flags = vfs_flags(&conf),
					.max_write = WIRE_FUSE_WRITE,
					.max_readahead = WIRE_FUSE_AHEAD,
					.ordinary = true };
	struct fuse_chan *chan[THREADS];
	struct fuse_server *server = NULL;
	struct vfs *vfs = NULL;
	int r = f->fs.thread_start(NULL);

	if (r < 0)
		return err_set(e, -r, "cannot take on the rights to serve files with: %s",
			       err_str(r));
	r = vfs_new(f->conf.tree, &conf, &vfs, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < THREADS; i++)
		chan[i] = &f->chan;
	fuse_session_init(&f->session, &f->fs, vfs, &fuse);
	r = fuse_serve_init(&f->session, &f->chan);
	if (!r)
		r = fuse_serve_start(&f->session, chan, THREADS, &server, e);
	fuse_serve_wait(server);
	vfs_free(vfs);
	pthread_mutex_lock(&f->lock);
	if (f->over)
		r = 0;
	else if (!r)
		r = err_set(e, ECHILD, "the threads that serve files have ended");
	pthread_mutex_unlock(&f->lock);
	return r;
}

static void *files_main(void *arg)
{
	struct attach_files *f = arg;
	struct err e = { 0 };

	if (serve(f, &e) < 0) {
		if (!e.code)
			(void)err_set(&e, EPROTO, "the guest's kernel does not begin with FUSE");
		attach_link_fail(f->link, &e);
	}
	return NULL;
}

int attach_files_new(struct attach_link *l, const struct attach_files_conf *conf,
		     struct attach_files **ret, struct err *e)
{
	struct attach_files *f = calloc(1, sizeof(*f));

	if (!f)
		return err_set(e, ENOMEM, "no memory");
	f->chan.ops = &files_transport;
	f->link = l;
	f->conf = *conf;
	f->fs = vfs_fs;
	/* It would be syncfs(2) of the host's own file systems. */
	f->fs.op[FUSE_SYNCFS] = NULL;
	if (conf->public)
		f->fs.thread_start = start_public;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	for (size_t i = 0; i < WIRE_FUSE_WINDOW; i++) {
		f->queue[i].msg = malloc(WIRE_PAYLOAD_MAX);
		if (!f->queue[i].msg) {
			attach_files_free(f);
			return err_set(e, ENOMEM, "no memory");
		}
	}
	*ret = f;
	atomic_store(&l->files, f);
	return 0;
}

int attach_files_start(struct attach_files *f, struct err *e)
{
	int r = attach_thread_start(&f->thread, files_main, f, e);

	f->started = !r;
	return r;
}

void attach_files_free(struct attach_files *f)
{
	if (!f)
		return;
	pthread_mutex_lock(&f->lock);
	f->over = true;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
	if (f->started)
		(void)pthread_join(f->thread, NULL);
	for (size_t i = 0; i < WIRE_FUSE_WINDOW; i++)
		free(f->queue[i].msg);
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
	free(f);
}
