/* SPDX-License-Identifier: MIT */
/* rktio trace: the system calls of what runs in a machine, seen from inside. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cleanup.h"
#include "client.h"
#include "cmd.h"
#include "locate.h"
#include "out.h"
#include "trace.h"

const struct opt cmd_trace_opts[] = {
	{ 'f', "filter", "N", "only the process or thread that has this pid inside" },
	{ 'e', "calls", "CALL,...", "only these system calls; may be repeated" },
	{ 'o', "output", "FILE", "to this file, not to standard error", OPT_COMPLETE_FILE },
	{ 'c', "count", NULL, "only a table of how often and how long, at the end" },
	{ 0 },
};

static int written(const struct trace *t, struct err *e)
{
	int r = out_flush(t->out);

	return r < 0 ? err_set(e, -r, "writing: %s", err_str(r)) : 0;
}

static int take_records(void *arg, const void *data, size_t size, struct err *e)
{
	struct trace *t = arg;

	if (trace_feed(t, data, size) < 0)
		return err_set(e, EPROTO, "the library OS sends what is no record");
	/* whoever looks at the file meanwhile sees all of it */
	return written(t, e);
}

static int take_option(struct trace *t, int id, const char *arg, struct err *e)
{
	long pid;
	int r;

	switch (id) {
	case 'f':
		r = opt_number(arg, "--filter", 1, 1 << 22, &pid, e);
		t->only = r ? 0 : (pid_t)pid;
		return r;
	case 'e':
		return trace_want(t, arg, e);
	default:
		t->summary = true;
		return 0;
	}
}

static int parse(struct trace *t, struct opt_parser *p, pid_t *ret_pid, const char **ret_file,
		 struct err *e)
{
	int id, r = 0;

	while (!r && (id = opt_next(p, e)) != 0) {
		if (id == 'o')
			*ret_file = p->arg;
		else
			r = id < 0 ? id : take_option(t, id, p->arg, e);
	}
	if (r < 0)
		return r;
	if (p->noperands != 1)
		return err_set(e, EINVAL, "trace takes one PID");
	return cmd_take_pid(p->operand[0], ret_pid, e);
}

/* Until ^C, or the end of the machine: both are what one waits for. A file at @path is touched only if there is one. */
static int trace(struct trace *t, pid_t pid, const char *path, struct err *e)
{
	struct client c = { .show = "trace", .mode = PTY_NEVER, .sink = take_records, .arg = t };
	pid_t launcher;
	_cleanup_close_ int sock = locate_connect(pid, &launcher, e);
	_cleanup_fclose_ FILE *file = sock >= 0 && path ? fopen(path, "we") : NULL;
	int status = 0, r;

	if (sock < 0)
		return sock;
	if (path && !file)
		return err_set(e, errno, "opening '%.150s': %s", path, err_str(errno));
	t->out = file ? file : stderr;
	r = client_run(sock, &c, &status, e);
	if (r == -EPIPE)
		r = 0;
	if (!r && status && status < 128)
		r = err_set(e, EIO, "the library OS gives no trace");
	if (!r)
		trace_end(t);
	return r ? r : written(t, e);
}

int cmd_trace(struct opt_parser *p)
{
	_cleanup_free_ struct trace *t = calloc(1, sizeof(*t));
	const char *path = NULL;
	struct err e = { 0 };
	pid_t pid = 0;

	if (!t)
		return OPT_EXIT_FAILED;
	if (parse(t, p, &pid, &path, &e) < 0)
		return cmd_usage(p, &e);
	return trace(t, pid, path, &e) < 0 ? cmd_failed(&e) : 0;
}
