/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "fuse"
#include "fuse_session.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

/* Errors beyond are the kernel's own, and refused on the wire. */
#define ERRNO_MAX 511

void fuse_session_init(struct fuse_session *s, const struct fuse_fs *fs, void *arg,
		       const struct fuse_conf *conf)
{
	memset(s, 0, sizeof(*s));
	s->fs = fs;
	s->arg = arg;
	s->conf = *conf;
}

/* --- replies --- */

static int send_reply(struct fuse_chan *c, uint64_t unique, int error, const struct fuse_out *out)
{
	size_t size = error ? 0 : out->size;
	struct fuse_out_header h = {
		.len = (uint32_t)(sizeof(h) + size),
		.error = error < -ERRNO_MAX || error > 0 ? -EIO : error,
		.unique = unique,
	};
	struct iovec iov[2] = { { &h, sizeof(h) }, { out->buf, size } };

	return c->ops->send(c, iov, size ? 2 : 1);
}

int fuse_session_reply(struct fuse_chan *c, uint64_t unique, int error, const struct fuse_out *out)
{
	return send_reply(c, unique, error, out);
}

static int notify(struct fuse_chan *c, enum fuse_notify_code code, struct iovec *iov, int n)
{
	struct fuse_out_header h = { .len = sizeof(h), .error = (int)code };

	iov[0] = (struct iovec){ &h, sizeof(h) };
	for (int i = 1; i < n; i++)
		h.len += (uint32_t)iov[i].iov_len;
	return c->ops->send(c, iov, n);
}

int fuse_notify_inode(struct fuse_chan *c, uint64_t nodeid, int64_t off, int64_t len)
{
	struct fuse_notify_inval_inode_out out = { nodeid, off, len };
	struct iovec iov[2] = { [1] = { &out, sizeof(out) } };

	return notify(c, FUSE_NOTIFY_INVAL_INODE, iov, 2);
}

int fuse_notify_entry(struct fuse_chan *c, uint64_t parent, const char *name)
{
	struct fuse_notify_inval_entry_out out = { parent, (uint32_t)strlen(name), 0 };
	struct iovec iov[3] = {
		[1] = { &out, sizeof(out) }, [2] = { (char *)(uintptr_t)name, strlen(name) + 1 }
	};

	return notify(c, FUSE_NOTIFY_INVAL_ENTRY, iov, 3);
}

int fuse_notify_epoch(struct fuse_chan *c)
{
	struct iovec iov[1];

	return notify(c, FUSE_NOTIFY_INC_EPOCH, iov, 1);
}

/* --- requests of the protocol itself --- */

static uint64_t init_flags(const struct fuse_init_in *in)
{
	uint64_t flags = in->flags;

	if (flags & FUSE_INIT_EXT)
		flags |= (uint64_t)in->flags2 << 32;
	return flags;
}

static void agree(struct fuse_session *s, const struct fuse_init_in *in, struct fuse_init_out *out)
{
	uint64_t want = s->conf.flags | FUSE_INIT_EXT | FUSE_MAX_PAGES;

	s->params.minor = in->minor < FUSE_MINOR ? in->minor : FUSE_MINOR;
	s->params.flags = want & init_flags(in);
	out->major = FUSE_MAJOR;
	out->minor = FUSE_MINOR;
	out->max_readahead = in->max_readahead > s->conf.max_readahead ? in->max_readahead
								       : s->conf.max_readahead;
	out->flags = (uint32_t)s->params.flags;
	out->flags2 = (uint32_t)(s->params.flags >> 32);
	out->max_background = 64;
	out->congestion_threshold = 48;
	out->max_write = s->conf.max_write;
	out->time_gran = 1;
	out->max_pages = (uint16_t)((s->conf.max_write + 4095) / 4096);
	if (s->params.flags & FUSE_PASSTHROUGH)
		out->max_stack_depth = s->conf.max_stack_depth;
}

static int do_init(struct fuse_session *s, struct fuse_call *call)
{
	const struct fuse_init_in *in = &call->req->in.init;
	struct fuse_init_out *out;
	int new = FUSE_STATE_NEW;

	if (in->major < FUSE_MAJOR || (in->major == FUSE_MAJOR && in->minor < FUSE_MINOR_MIN))
		return -EPROTO;
	if (!atomic_compare_exchange_strong(&s->state, &new, FUSE_STATE_STARTING))
		return -EIO;
	out = fuse_out_add(&call->out, sizeof(*out));
	if (in->major > FUSE_MAJOR) {
		/* It will ask again, with ours. */
		out->major = FUSE_MAJOR;
		out->minor = FUSE_MINOR;
		atomic_store(&s->state, FUSE_STATE_NEW);
		return 0;
	}
	agree(s, in, out);
	log_debug("protocol 7.%u, offered %#" PRIx64 ", agreed on %#" PRIx64, s->params.minor,
		  init_flags(in), s->params.flags);
	/* Pairs with the load in dispatch(): who sees RUNNING sees @params. */
	atomic_store_explicit(&s->state, FUSE_STATE_RUNNING, memory_order_release);
	return 0;
}

static void do_forgets(struct fuse_session *s, const struct fuse_req *req)
{
	struct fuse_forget_one one;

	for (size_t off = 0; off < req->data.len; off += sizeof(one)) {
		memcpy(&one, req->data.p + off, sizeof(one));
		s->fs->forget(s->arg, one.nodeid, one.nlookup);
	}
}

/* Return: 0; -EAGAIN, it is not under way: not yet, or no longer. */
static int do_interrupt(struct fuse_session *s, uint64_t unique)
{
	for (unsigned int i = 0; unique && i < FUSE_WORKERS_MAX; i++) {
		struct fuse_worker *w = &s->worker[i];

		if (!atomic_load(&w->live) || atomic_load(&w->unique) != unique)
			continue;
		atomic_store(&w->interrupted, unique);
		(void)pthread_kill(w->thread, FUSE_INTERRUPT_SIGNAL);
		return 0;
	}
	return -EAGAIN;
}

/* --- dispatch --- */

static int dispatch(struct fuse_session *s, struct fuse_call *call)
{
	uint32_t opcode = call->req->h.opcode;
	int state = atomic_load_explicit(&s->state, memory_order_acquire);
	fuse_op op;

	if (opcode == FUSE_INIT)
		return do_init(s, call);
	if (state != FUSE_STATE_RUNNING)
		return -EIO;
	switch (opcode) {
	case FUSE_DESTROY:
		return 0;
	case FUSE_FORGET:
		s->fs->forget(s->arg, call->req->h.nodeid, call->req->in.forget.nlookup);
		return 0;
	case FUSE_BATCH_FORGET:
		do_forgets(s, call->req);
		return 0;
	case FUSE_INTERRUPT:
		return do_interrupt(s, call->req->in.interrupt.unique);
	default:
		op = opcode < FUSE_OPCODES ? s->fs->op[opcode] : NULL;
		return op ? op(s->arg, call) : -ENOSYS;
	}
}

static int run(struct fuse_session *s, struct fuse_worker *w, struct fuse_call *call)
{
	uint64_t unique = call->req->h.unique;
	int r;

	atomic_store(&w->unique, unique);
	do {
		call->out.size = 0;
		r = dispatch(s, call);
	} while (r == -EINTR && atomic_load(&w->interrupted) != unique);
	atomic_store(&w->unique, 0);
	return r;
}

static void count(struct fuse_session *s, uint32_t opcode)
{
	atomic_fetch_add_explicit(&s->count[fuse_opcode_name(opcode) ? opcode : 0], 1,
				  memory_order_relaxed);
}

int fuse_session_handle(struct fuse_session *s, struct fuse_chan *c, unsigned int worker,
			const void *msg, size_t size, const struct fuse_out *out)
{
	struct fuse_req req;
	struct fuse_call call = { .req = &req, .chan = c, .params = &s->params, .out = *out };
	bool running = atomic_load_explicit(&s->state, memory_order_acquire) == FUSE_STATE_RUNNING;
	int r = fuse_req_parse(msg, size, running ? s->params.flags : 0, &req);

	if (!req.h.len) {
		log_limited("a message of %zu bytes has no proper header", size);
		return 0;
	}
	count(s, req.h.opcode);
	if (r < 0)
		log_limited("a malformed %s", fuse_opcode_name(req.h.opcode));
	else
		r = run(s, &s->worker[worker], &call);
	log_trace("%" PRIu64 " %s node %#" PRIx64 " %s: %d, %zu bytes", req.h.unique,
		  fuse_opcode_name(req.h.opcode), req.h.nodeid, req.name[0] ? req.name[0] : "", r,
		  call.out.size);
	if (r == FUSE_LATER)
		return 0;
	if (req.h.opcode == FUSE_INTERRUPT ? r != -EAGAIN : fuse_opcode_silent(req.h.opcode))
		return 0;
	r = send_reply(c, req.h.unique, r, &call.out);
	/* The one who waited has been killed; what an open gave him the kernel releases. */
	return r == -ENOENT ? 0 : r;
}

void fuse_session_end(struct fuse_session *s)
{
	if (atomic_exchange(&s->state, FUSE_STATE_OVER) != FUSE_STATE_OVER && s->fs->destroy)
		s->fs->destroy(s->arg);
}
