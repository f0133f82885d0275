/* SPDX-License-Identifier: MIT */
#include "counters.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "client.h"
#include "cursor.h"
#include "io.h"
#include "locate.h"

#define NAME_CHARS    "abcdefghijklmnopqrstuvwxyz0123456789_"
#define LINUX_COMMAND "rktio-linux" /* and a version, cut to 15 characters */
#define MAPS_MAX      (16 << 20)
#define CHILDREN_MAX  4096
#define DEPTH_MAX     4 /* launcher, process 1, zygote, the others */

static int parse_line(struct span line, struct counter *ret)
{
	struct span name, value;

	if (!span_word(&line, &name) || !span_word(&line, &value) || span_trim(line).len)
		return -EPROTO;
	if (name.len >= sizeof(ret->name) || span_u64(value, 10, &ret->value) < 0)
		return -EPROTO;
	memcpy(ret->name, name.p, name.len);
	ret->name[name.len] = '\0';
	return strspn(ret->name, NAME_CHARS) == name.len ? 0 : -EPROTO;
}

int counters_parse(const char *text, size_t len, struct counters *ret)
{
	struct cursor c = cur_of(text, len);
	struct span line;

	ret->n = 0;
	while (cur_until(&c, '\n', &line)) {
		if (ret->n == COUNTERS_MAX || parse_line(line, &ret->v[ret->n]) < 0)
			return -EPROTO;
		ret->n++;
	}
	return 0;
}

static void add(struct counters *c, const char *name, uint64_t value)
{
	if (c->n == COUNTERS_MAX)
		return;
	(void)snprintf(c->v[c->n].name, sizeof(c->v[c->n].name), "%s", name);
	c->v[c->n++].value = value;
}

struct host_side {
	uint64_t processes, mappings, most;
};

static char *read_proc(pid_t pid, const char *name, size_t max)
{
	char path[64], *text = NULL;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return io_read_at(AT_FDCWD, path, max, &text, NULL) == 0 ? text : NULL;
}

static void count_process(pid_t pid, struct host_side *h)
{
	_cleanup_free_ char *maps = read_proc(pid, "maps", MAPS_MAX);
	uint64_t n = 0;

	for (const char *p = maps; p && (p = strchr(p, '\n')); p++)
		n++;
	h->processes++;
	h->mappings += n;
	h->most = n > h->most ? n : h->most;
}

/* @pid's descendants that are host processes of a library OS. */
static void count_below(pid_t pid, int depth, struct host_side *h)
{
	_cleanup_free_ char *children = NULL;
	char name[48], *rest, *end;

	(void)snprintf(name, sizeof(name), "task/%d/children", pid);
	children = read_proc(pid, name, CHILDREN_MAX * 8);
	for (rest = children; rest && *rest; rest = end + (*end == ' ')) {
		pid_t child = (pid_t)strtol(rest, &end, 10);
		_cleanup_free_ char *comm = NULL;

		if (end == rest)
			return;
		comm = read_proc(child, "comm", 64);
		if (!comm || strncmp(comm, LINUX_COMMAND, strlen(LINUX_COMMAND)) != 0)
			continue;
		count_process(child, h);
		if (depth)
			count_below(child, depth - 1, h);
	}
}

struct text {
	char data[COUNTERS_TEXT];
	size_t len;
};

static int take_text(void *arg, const void *data, size_t size, struct err *e)
{
	struct text *t = arg;

	if (size > sizeof(t->data) - t->len)
		return err_set(e, EPROTO, "the library OS gives too many counters");
	memcpy(t->data + t->len, data, size);
	t->len += size;
	return 0;
}

/* What /proc/lo/stats says. */
static int ask(int sock, struct text *ret, struct err *e)
{
	struct client c = { .show = "stats", .mode = PTY_NEVER, .sink = take_text, .arg = ret };
	int status = 0, r = client_run(sock, &c, &status, e);

	return !r && status ? err_set(e, EPROTO, "the library OS gives no counters") : r;
}

int counters_read(pid_t pid, struct counters *ret, struct err *e)
{
	struct host_side h = { 0 };
	struct text text = { .len = 0 };
	pid_t launcher = 0;
	_cleanup_close_ int sock = locate_connect(pid, &launcher, e);
	int r = sock < 0 ? sock : ask(sock, &text, e);

	if (!r && counters_parse(text.data, text.len, ret) < 0)
		r = err_set(e, EPROTO, "the library OS gives counters that are none");
	if (r < 0)
		return r;
	count_below(launcher, DEPTH_MAX, &h);
	add(ret, "host_processes", h.processes);
	add(ret, "host_vmas", h.mappings);
	add(ret, "host_vmas_most", h.most);
	return 0;
}
