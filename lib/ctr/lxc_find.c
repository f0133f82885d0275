/* SPDX-License-Identifier: MIT */
#include "lxc_find.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "cleanup.h"
#include "io.h"
#include "lxc_cmd.h"
#include "task.h"

#define LOG_MODULE "ctr"
#include "log.h"

#define UNIX_MAX    (64 << 20) /* bytes of /proc/net/unix: about 700,000 sockets */
#define SOCKETS_MAX 4096       /* command sockets that are asked */

struct search {
	const struct ctr_env *env;
	bool (*wanted)(const char *lxcpath, const char *name, void *arg);
	void *arg;
	struct lxc_finds *finds;
	int strange_ms;
};

static void found_fini(struct lxc_found *f)
{
	free(f->lxcpath);
	free(f->name);
	*f = (struct lxc_found){ 0 };
}

void lxc_finds_fini(struct lxc_finds *f)
{
	for (size_t i = 0; i < f->n; i++)
		found_fini(&f->v[i]);
	free(f->v);
	*f = (struct lxc_finds){ 0 };
}

static int add_found(struct lxc_finds *l, struct lxc_found *f)
{
	if (array_room(&l->v, &l->room, l->n + 1, sizeof(*l->v)) < 0)
		return -ENOMEM;
	l->v[l->n++] = *f;
	*f = (struct lxc_found){ 0 };
	return 0;
}

/* A string that a monitor gave: terminated where it says it ends, and nowhere else. */
static int ask_text(struct search *s, const char *socket, enum lxc_cmd cmd, char **ret)
{
	_cleanup_lxc_answer_ struct lxc_answer a = { .fd = -1 };
	int r = lxc_ask(socket, cmd, &s->strange_ms, &a);

	if (r < 0)
		return r;
	if (a.reply.ret < 0 || !a.data || strlen(a.data) + 1 != a.reply.datalen)
		return -EPROTO;
	*ret = take_ptr(a.data);
	return 0;
}

/* The name of a socket says it, or the monitor does where that is a hash only. */
static int identify(struct search *s, const char *socket, const struct lxc_socket *parts,
		    struct lxc_found *f)
{
	int r;

	if (!parts->hashed) {
		f->lxcpath = span_dup(parts->lxcpath);
		f->name = span_dup(parts->name);
		return f->lxcpath && f->name ? 0 : -ENOMEM;
	}
	r = ask_text(s, socket, LXC_CMD_GET_LXCPATH, &f->lxcpath);
	if (!r)
		r = ask_text(s, socket, LXC_CMD_GET_NAME, &f->name);
	if (r < 0)
		return r;
	return f->lxcpath[0] == '/' && f->name[0] && !strchr(f->name, '/') ? 0 : -EPROTO;
}

/* The pid in our pid namespace of the process that @pidfd holds. */
static int pid_of_pidfd(int pidfd, pid_t *ret)
{
	_cleanup_free_ char *text = NULL;
	char path[48];
	struct cursor c;
	struct span line;
	size_t len;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	r = io_read_at(AT_FDCWD, path, 4096, &text, &len);
	if (r < 0)
		return r;
	c = cur_of(text, len);
	while (cur_until(&c, '\n', &line) == 1) { /* bounded: 4096 bytes of the kernel's */
		uint64_t pid;

		if (!span_starts(line, "Pid:\t"))
			continue;
		line = (struct span){ line.p + 5, line.len - 5 };
		if (span_u64(line, 10, &pid) < 0 || !pid || pid > INT_MAX)
			return -ESRCH; /* -1: dead, 0: not in our pid namespace */
		*ret = (pid_t)pid;
		return 0;
	}
	return -EPROTO; /* not a pidfd */
}

/*
 * The init process, first as a pidfd, which is right in any pid namespace;
 * liblxc before 4.0 has the number only. Anybody's process can listen and
 * name root's init as its own; so it must be a child of the one who answers,
 * and belong to that user: who runs a setuid program has a child of root's.
 */
static int ask_init(struct search *s, const char *socket, pid_t *ret)
{
	_cleanup_lxc_answer_ struct lxc_answer a = { .fd = -1 };
	struct task_claim claim;
	struct proc_stat init;
	pid_t pid;
	int r = lxc_ask(socket, LXC_CMD_GET_INIT_PIDFD, &s->strange_ms, &a);

	if (r < 0)
		return r;
	r = a.fd >= 0 ? pid_of_pidfd(a.fd, &pid) : -ENOENT;
	if (r < 0) {
		lxc_answer_fini(&a);
		r = lxc_ask(socket, LXC_CMD_GET_INIT_PID, &s->strange_ms, &a);
		if (r < 0)
			return r;
		if (a.reply.ret < 0 || !a.reply.value || a.reply.value > INT_MAX)
			return -EPROTO;
		pid = (pid_t)a.reply.value;
	}
	claim = (struct task_claim){ .pid = pid, .owner = a.uid };
	if (task_stat(s->env, pid, &init) < 0 || task_check(s->env, &claim) < 0)
		return -ESRCH;
	if (a.uid != 0 && (!a.monitor || init.ppid != a.monitor))
		return -EPROTO;
	*ret = pid;
	return 0;
}

static int ask_state(struct search *s, const char *socket, enum ctr_state *ret)
{
	static const enum ctr_state state[LXC_STATES] = {
		[LXC_STOPPED] = CTR_STOPPED,  [LXC_STARTING] = CTR_STOPPED,
		[LXC_RUNNING] = CTR_RUNNING,  [LXC_STOPPING] = CTR_RUNNING,
		[LXC_ABORTING] = CTR_STOPPED, [LXC_FREEZING] = CTR_PAUSED,
		[LXC_FROZEN] = CTR_PAUSED,    [LXC_THAWED] = CTR_RUNNING,
	};
	_cleanup_lxc_answer_ struct lxc_answer a = { .fd = -1 };
	int r = lxc_ask(socket, LXC_CMD_GET_STATE, &s->strange_ms, &a);

	if (r < 0)
		return r;
	if (a.reply.ret < 0 || a.reply.value >= LXC_STATES)
		return -EPROTO;
	*ret = state[a.reply.value];
	return 0;
}

static int ask_one(struct search *s, const char *socket, const struct lxc_socket *parts)
{
	_cleanup_(found_fini) struct lxc_found f = { 0 };
	int r = identify(s, socket, parts, &f);

	if (r < 0)
		return r;
	if (!s->wanted(f.lxcpath, f.name, s->arg))
		return 0;
	r = ask_state(s, socket, &f.state);
	if (!r && f.state != CTR_STOPPED)
		r = ask_init(s, socket, &f.pid);
	return r < 0 ? r : add_found(s->finds, &f);
}

/* Which failures are worth a word: not a container that stops meanwhile, nor somebody's pretence. */
static bool is_worth_saying(int r)
{
	return r != -ECONNREFUSED && r != -ESRCH && r != -EPROTO && r != -EPIPE && r != -ECONNRESET;
}

int lxc_find_running(const struct ctr_env *env,
		     bool (*wanted)(const char *lxcpath, const char *name, void *arg), void *arg,
		     struct lxc_finds *ret, struct err *e)
{
	struct search s = { env, wanted, arg, ret, LXC_STRANGE_MS };
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	struct lxc_socket parts;
	struct span bound;
	struct cursor c;
	size_t len;
	int first = 0, r = host_path(env, path, "/proc/net/unix");

	if (!r)
		r = io_read_at(AT_FDCWD, path, UNIX_MAX, &text, &len);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return err_set(e, -r, "reading '%s': %s", path, err_str(r));
	c = cur_of(text, len);
	for (int i = 0; i < SOCKETS_MAX && lxc_socket_next(&c, &bound, &parts) == 1; i++) {
		_cleanup_free_ char *socket = span_dup(bound);

		r = socket ? ask_one(&s, socket, &parts) : -ENOMEM;
		if (r == -ENOMEM)
			return err_set(e, ENOMEM, "no memory for the list of LXC containers");
		if (r < 0)
			log_debug("lxc: '@%s': %s", socket, err_str(r));
		if (r < 0 && !first && is_worth_saying(r))
			first = err_set(e, -r, "asking LXC's monitor at '@%s': %s", socket,
					r == -EACCES ? "it belongs to another user; try as root"
						     : err_str(r));
	}
	return first;
}
