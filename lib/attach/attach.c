/* SPDX-License-Identifier: MIT */
#define LOG_MODULE "attach"
#include "attach.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "attach_archive.h"
#include "attach_private.h"
#include "cleanup.h"
#include "cursor.h"
#include "log.h"
#include "request.h"
#include "text.h"
#include "tty.h"

#define OUR_WARNING "vmsh: warning: " /* of lib/base/log.h, in the guest */
#define NS_PER_MS   1000000ULL
#define DISK_MS     30000        /* for the guest to load its drivers and to look at the disk */
#define FLUSH_MS    5            /* how often is tried whether the guest takes more */
#define GOODBYE_MS  500          /* for it to take our END */
#define ARCHIVE_MAX (256u << 10) /* bytes of it that wait for room */

struct attach {
	struct attach_conf conf;
	struct attach_tree tree;
	int archive; /* descriptor, or -1 */
	char *names; /* for one that has yet to be made; or NULL */
	struct attach_link link;
	struct attach_files *files;
	struct attach_out out;
	struct attach_term term;
	struct loop_src wake;
	struct loop_timer beat, flush;
	struct wire_tx archive_tx;
	off_t archive_off;
	unsigned int missed, stuck,
		beats;      /* beats: without a message; without taking one of ours; all */
	size_t sent;        /* of our messages, when was looked last */
	bool asked, served; /* the request is said; by files */
	bool done;
	int status;
	int failed; /* -errno, and @e says it */
	struct err e;
};

int attach_open(const struct attach_conf *conf, struct attach **ret, struct err *e)
{
	struct attach *a = calloc(1, sizeof(*a));
	int r = 0;

	if (!a)
		return err_set(e, ENOMEM, "no memory");
	a->conf = *conf;
	a->tree = (struct attach_tree)ATTACH_TREE_INIT;
	a->archive = -1;
	attach_term_choose(&a->term, conf->mode);
	if (conf->tools == ATTACH_AUTO || conf->tools == ATTACH_FUSE)
		r = attach_tree_open(conf, &a->tree, e);
	/* without a loop device, or that file system, here: the guest's kernel perhaps has it */
	if ((r == -ENOENT || r == -ENODEV) && conf->tools == ATTACH_AUTO && conf->disk) {
		log_info("%s", e->msg);
		a->conf.tools = ATTACH_DISK;
		r = 0;
	}
	if (!r && !conf->archive && (a->conf.tools == ATTACH_AUTO || conf->tools == ATTACH_ARCHIVE))
		a->names = attach_archive_names();
	/* A guest with FUSE does not need it, unless it was asked for: then it isn't made, nor missed. */
	if (!r &&
	    (conf->tools == ATTACH_ARCHIVE || (a->conf.tools == ATTACH_AUTO && conf->archive))) {
		a->archive = attach_archive_open(conf->archive, a->names, e);
		r = a->archive < 0 ? a->archive : 0;
	}
	if (r < 0) {
		attach_close(a);
		return r;
	}
	*ret = a;
	return 0;
}

void attach_close(struct attach *a)
{
	if (!a)
		return;
	attach_tree_close(&a->tree);
	closep(&a->archive);
	free(a->names);
	free(a);
}

static void fail(struct attach *a, int r, const struct err *e)
{
	if (a->failed)
		return;
	a->failed = r;
	a->e = *e;
}

static void fail_with(struct attach *a, int r, const char *what)
{
	struct err e = { 0 };

	(void)err_set(&e, -r, "%s: %s", what, err_str(r));
	fail(a, r, &e);
}

/* --- the request --- */

static bool has_variable(const struct attach_conf *c, const char *name)
{
	size_t len = strlen(name);

	for (const char *const *v = c->env; v && *v; v++)
		if (!strncmp(*v, name, len) && (*v)[len] == '=')
			return true;
	return false;
}

static int put_list(struct wire_text *t, const char *key, const char *const *list)
{
	int r = 0;

	for (; !r && list && *list; list++)
		r = wire_text_put(t, key, *list);
	return r;
}

static int put_env(struct wire_text *t, const struct attach *a)
{
	static const char *const ours[] = { "TERM", "LANG" };
	int r = put_list(t, "env", a->conf.env);

	for (size_t i = 0; !r && i < ARRAY_SIZE(ours); i++) {
		const char *value = getenv(ours[i]);
		_cleanup_free_ char *assignment = NULL;

		if (!value || has_variable(&a->conf, ours[i]) || (!a->term.slaves && !i))
			continue;
		if (asprintf(&assignment, "%s=%s", ours[i], value) < 0)
			return -ENOMEM;
		r = wire_text_put(t, "env", assignment);
	}
	return r;
}

static int put_optional(struct wire_text *t, const char *key, const char *value)
{
	return value ? wire_text_put(t, key, value) : 0;
}

static int make_request(const struct attach *a, enum wire_tools tools, struct wire_text *t)
{
	const struct attach_conf *c = &a->conf;
	char pid[16];
	int r = put_list(t, "arg", c->argv);

	(void)snprintf(pid, sizeof(pid), "%d", c->pid ? c->pid : 1);
	if (!r)
		r = put_env(t, a);
	if (!r)
		r = put_optional(t, "cwd", c->cwd);
	if (!r)
		r = put_optional(t, "user", c->user);
	if (!r)
		r = c->container ? wire_text_put(t, "container", c->container)
				 : wire_text_put(t, "pid", pid);
	if (!r)
		r = put_optional(t, "privileged", c->privileged ? "1" : NULL);
	if (!r && tools != WIRE_TOOLS_NONE)
		r = wire_text_put(t, "tools",
				  tools == WIRE_TOOLS_FUSE   ? "fuse"
				  : tools == WIRE_TOOLS_DISK ? "disk"
							     : "archive");
	if (!r && tools == WIRE_TOOLS_DISK)
		r = wire_text_put(t, "disk", c->disk->id);
	if (!r && tools == WIRE_TOOLS_DISK)
		r = wire_text_put(t, "type", c->disk->type);
	if (!r)
		r = put_optional(t, "rw", c->writable ? "1" : NULL);
	return r ? r : attach_term_request(&a->term, t);
}

/* Whoever said where they come from hears if they come from elsewhere. */
static void say_elsewhere(const struct attach_conf *c)
{
	const char *wanted = c->image ? c->image : c->dir;

	if (c->tools == ATTACH_AUTO && wanted)
		log_warn("the guest has no FUSE: it gets %s, not the tools of '%s'",
			 c->archive ? "the archive" : "a busybox", wanted);
}

static void make_safe(struct err *e)
{
	_cleanup_free_ char *safe = text_safe(e->msg);

	(void)err_set(e, e->code, "%s", safe ? safe : "no memory");
}

/* Return: 0; -errno the session has ended meanwhile, and @e says why. */
static int check_link(struct attach *a, struct err *e)
{
	int r = 0;

	pthread_mutex_lock(&a->link.lock);
	if (a->link.in.over) {
		*e = a->link.in.error;
		r = e->code ? -e->code : err_set(e, ECONNRESET, "the guest has ended the session");
	}
	pthread_mutex_unlock(&a->link.lock);
	if (r)
		make_safe(e);
	return r;
}

/* Until the guest has the image as a disk; its program hears meanwhile that we are still there. Return: has it? */
static bool start_disk(struct attach *a, struct err *e)
{
	const struct attach_disk *d = a->conf.disk;
	int r = d->start(d->arg, e);

	for (unsigned int ms = 0; !r && !(r = d->ready(d->arg, e)); ms++) {
		if (ms >= DISK_MS)
			r = err_set(e, ETIMEDOUT, "the guest has not taken its disk");
		if (ms % WIRE_BEAT_MS == 0)
			attach_out_say(&a->out, WIRE_PING, 0, 0);
		(void)attach_out_flush(&a->out);
		if (!r)
			r = check_link(a, e);
		(void)usleep(1000);
	}
	if (r > 0)
		log_info("the guest has a disk with the %s file system", d->type);
	return r > 0;
}

/* The next best where there is no FUSE, if all that it takes is there. */
static bool try_disk(struct attach *a, bool has_type)
{
	struct err e = { 0 };

	if (a->conf.tools != ATTACH_AUTO || !a->conf.disk)
		return false;
	if (!has_type) {
		log_info("the guest's kernel has no %s, which a disk would take",
			 a->conf.disk->type);
		return false;
	}
	if (start_disk(a, &e))
		return true;
	log_info("%s", e.msg);
	return false;
}

/* As the guest's kernel can, and as was asked. */
static int choose_tools(struct attach *a, bool has_fuse, bool has_type, enum wire_tools *ret)
{
	const enum attach_tools asked = a->conf.tools;
	struct err e = { 0 };

	*ret = WIRE_TOOLS_NONE;
	if (asked == ATTACH_NONE)
		return 0;
	*ret = WIRE_TOOLS_FUSE;
	if (has_fuse && (asked == ATTACH_AUTO || asked == ATTACH_FUSE))
		return 0;
	*ret = WIRE_TOOLS_DISK;
	if (asked == ATTACH_DISK ? start_disk(a, &e) : try_disk(a, has_type))
		return 0;
	if (e.code) {
		fail(a, -e.code, &e);
		return -e.code;
	}
	*ret = WIRE_TOOLS_ARCHIVE;
	if (a->conf.tools == ATTACH_FUSE)
		(void)err_set(&e, ENODEV, "the guest has no FUSE");
	else if (a->archive < 0)
		a->archive = attach_archive_open(NULL, a->names, &e);
	if (a->archive < 0) {
		fail(a, -e.code, &e);
		return -e.code;
	}
	say_elsewhere(&a->conf);
	return 0;
}

static int start_files(struct attach *a, struct err *e)
{
	const struct attach_files_conf conf = { a->tree.top, a->tree.host && !a->conf.writable };
	int r = attach_files_new(&a->link, &conf, &a->files, e);

	return r < 0 ? r : attach_files_start(a->files, e);
}

static void ask(struct attach *a, bool has_fuse, bool has_type)
{
	_cleanup_wire_text_ struct wire_text t = { .p = NULL };
	enum wire_tools tools;
	struct err e = { 0 };
	int r = choose_tools(a, has_fuse, has_type, &tools);

	if (r < 0)
		return;
	log_info("%s", tools == WIRE_TOOLS_FUSE      ? "tools come as files that are served"
		       : tools == WIRE_TOOLS_ARCHIVE ? "tools come as an archive"
		       : tools == WIRE_TOOLS_DISK    ? "tools come on a disk"
						     : "no tools come: / is the guest's own root");
	r = tools == WIRE_TOOLS_FUSE ? start_files(a, &e) : 0;
	if (r < 0) {
		fail(a, r, &e);
		return;
	}
	r = make_request(a, tools, &t);
	if (r < 0) {
		fail_with(a, r, "the command and its environment");
		return;
	}
	attach_out_say(&a->out, WIRE_HELLO, 0, WIRE_VERSION);
	for (size_t off = 0; off < t.size; off += WIRE_DATA_MAX)
		attach_out_send(&a->out, WIRE_REQUEST, 0, t.p + off,
				t.size - off < WIRE_DATA_MAX ? t.size - off : WIRE_DATA_MAX);
	attach_out_say(&a->out, WIRE_START, 0, 0);
	a->archive_tx.ended = tools != WIRE_TOOLS_ARCHIVE;
	a->asked = true;
}

static void push_archive(struct attach *a)
{
	static uint8_t buf[WIRE_DATA_MAX];
	struct wire_tx *tx = &a->archive_tx;

	while (a->asked && !tx->ended && tx->credit && a->out.bytes < ARCHIVE_MAX) {
		size_t most = tx->credit < sizeof(buf) ? tx->credit : sizeof(buf);
		ssize_t n = pread(a->archive, buf, most, a->archive_off);

		if (n < 0) {
			fail_with(a, -errno, "reading the archive");
			return;
		}
		attach_out_send(&a->out, WIRE_DATA, WIRE_ARCHIVE, buf, (size_t)n);
		wire_tx_sent(tx, (uint32_t)n);
		a->archive_off += n;
		a->beats = 0;
		tx->ended = !n;
	}
}

/* --- the inbox --- */

/* The guest's sentences: nothing in them acts on our terminal. */
static void say_notes(const char *notes, size_t len)
{
	struct cursor c = cur_of(notes, len);
	struct span s;

	while (cur_until(&c, '\n', &s) == 1) {
		_cleanup_free_ char *raw = NULL, *safe = NULL;

		if (span_starts(s, OUR_WARNING))
			s = (struct span){ s.p + strlen(OUR_WARNING), s.len - strlen(OUR_WARNING) };
		raw = span_dup(s);
		safe = raw ? text_safe(raw) : NULL;
		if (safe && *safe)
			log_warn_limited("guest: %s", safe);
	}
}

static void look(struct attach *a)
{
	static struct attach_inbox now;
	struct attach_inbox *in = &a->link.in;
	int r;

	pthread_mutex_lock(&a->link.lock);
	now = *in;
	in->notes_len = 0;
	memset(in->credit, 0, sizeof(in->credit));
	pthread_mutex_unlock(&a->link.lock);
	say_notes(now.notes, now.notes_len);
	if (now.hello && !a->asked)
		ask(a, now.has_fuse, now.has_type);
	if (now.ready && !a->term.started && attach_term_start(&a->term) < 0)
		fail_with(a, -EIO, "the terminal");
	r = now.credit[WIRE_ARCHIVE] ? wire_tx_credit(&a->archive_tx, now.credit[WIRE_ARCHIVE]) : 0;
	if (!r)
		r = attach_term_look(&a->term, now.credit);
	if (r < 0)
		fail_with(a, r, "what came from the guest");
	push_archive(a);
	if (now.exited) {
		a->status = now.status;
		a->done = attach_term_done(&a->term);
	}
	if (a->done && now.error.code)
		make_safe(&now.error);
	if ((a->done && now.error.code) || (!now.exited && now.over))
		fail(a, -now.error.code, &now.error);
}

static void on_wake(struct loop_src *s, uint32_t events)
{
	eventfd_t n;

	(void)events;
	(void)eventfd_read(s->fd, &n);
	look(s->arg);
}

static void fail_silent(struct attach *a)
{
	struct err e = { 0 };

	(void)err_set(
		&e, ETIMEDOUT,
		"the guest has stopped answering: it %s for %d s; a machine that is paused does so",
		a->missed >= WIRE_BEATS ? "said nothing" : "took nothing that it was sent",
		WIRE_BEATS * WIRE_BEAT_MS / 1000);
	fail(a, -ETIMEDOUT, &e);
}

static void fail_late(struct attach *a, unsigned int timeout_s)
{
	struct err e = { 0 };

	(void)err_set(&e, ETIMEDOUT,
		      "the command has not started in the guest within %u s, the --timeout",
		      timeout_s);
	fail(a, -ETIMEDOUT, &e);
}

static void on_beat(struct loop_timer *t)
{
	struct attach *a = t->arg;
	const unsigned int timeout_s = a->conf.timeout_s ? a->conf.timeout_s : ATTACH_TIMEOUT_S;

	/* Until it has said hello, it is the time for the command to start that counts. */
	a->missed = atomic_exchange(&a->link.heard, false) || !a->asked ? 0 : a->missed + 1;
	a->stuck = a->out.first && a->out.sent == a->sent ? a->stuck + 1 : 0;
	a->sent = a->out.sent;
	if (a->missed >= WIRE_BEATS || a->stuck >= WIRE_BEATS)
		fail_silent(a);
	if (!a->term.started && ++a->beats >= timeout_s)
		fail_late(a, timeout_s);
	if (a->asked)
		attach_out_say(&a->out, WIRE_PING, 0, 0);
	loop_timer_set(&a->term.loop, t, loop_now_ns() + WIRE_BEAT_MS * NS_PER_MS);
}

static void on_flush(struct loop_timer *t)
{
	struct attach *a = t->arg;

	if (attach_out_flush(&a->out))
		loop_timer_set(&a->term.loop, t, loop_now_ns() + FLUSH_MS * NS_PER_MS);
	else
		look(a); /* what was not read, for so much was waiting */
}

/* --- beginning and end --- */

static int start(struct attach *a, struct attach_chan *c)
{
	struct err e = { 0 };
	int r = attach_link_init(&a->link, c, &e);

	attach_out_init(&a->out, &a->link);
	a->archive_tx = wire_tx_of(WIRE_WINDOW);
	a->wake = (struct loop_src){ .fd = a->link.wake, .fn = on_wake, .arg = a };
	a->beat = (struct loop_timer){ .fn = on_beat, .arg = a };
	a->flush = (struct loop_timer){ .fn = on_flush, .arg = a };
	if (r < 0) {
		fail(a, r, &e);
		return r;
	}
	r = attach_term_init(&a->term, &a->link, &a->out);
	if (!r)
		r = loop_add(&a->term.loop, &a->wake, EPOLLIN);
	if (r < 0) {
		fail_with(a, r, "our standard streams");
		return r;
	}
	r = attach_link_start(&a->link, &e);
	if (r < 0)
		fail(a, r, &e);
	loop_timer_set(&a->term.loop, &a->beat, loop_now_ns() + WIRE_BEAT_MS * NS_PER_MS);
	return r;
}

static void step(struct attach *a)
{
	int r = loop_once(&a->term.loop);

	if (r < 0)
		fail_with(a, r, "waiting");
	if (attach_out_flush(&a->out) && !a->flush.armed)
		loop_timer_set(&a->term.loop, &a->flush, loop_now_ns() + FLUSH_MS * NS_PER_MS);
	if (a->term.failed)
		fail_with(a, a->term.failed,
			  a->term.started ? "the guest did not end the command when it was told to"
					  : "before the command ran");
	/* What else went wrong the reader tells, behind the guest's last words. */
	if (a->out.failed == -ENOMEM)
		fail_with(a, -ENOMEM, "messages that wait");
	/* What is delivered since may have been the last. */
	if (!a->done && attach_term_done(&a->term))
		look(a);
}

static void say_goodbye(struct attach *a)
{
	attach_out_say(&a->out, WIRE_END, 0, 0);
	for (int ms = 0; attach_out_flush(&a->out) && ms < GOODBYE_MS; ms += FLUSH_MS)
		(void)usleep(FLUSH_MS * 1000);
}

int attach_run(struct attach *a, struct attach_chan *c, int *ret_exit, struct err *e)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;

	a->status = *ret_exit = PTY_EXIT_FAILED;
	if (loop_init(&a->term.loop) < 0)
		return err_set(e, errno, "no event loop: %s", err_str(errno));
	(void)sigaction(SIGPIPE, &ignore, &old);
	(void)start(a, c);
	while (!a->failed && !a->done)
		step(a);
	say_goodbye(a);
	tty_restore();
	attach_link_stop(&a->link);
	attach_files_free(a->files);
	attach_out_fini(&a->out);
	attach_link_fini(&a->link);
	attach_term_fini(&a->term);
	(void)sigaction(SIGPIPE, &old, NULL);
	*ret_exit = a->status;
	if (a->failed)
		*e = a->e;
	return a->failed;
}
