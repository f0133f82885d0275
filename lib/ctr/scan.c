/* SPDX-License-Identifier: MIT */
#include "scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "cleanup.h"
#include "cursor.h"
#include "io.h"
#include "status.h"

#define STATUS_MAX   (1 << 20) /* a line of 65536 groups */
#define CHILDREN_MAX (1 << 20)
#define PROCS_MAX    65536 /* that we keep; those beyond are not looked at */

static const char *const ns_link[SCAN_NS] = { "pid", "user", "mnt" };

void scan_fini(struct scan *s)
{
	free(s->v);
	*s = (struct scan){ 0 };
}

/* A file below /proc/PID; a process that is gone is -ESRCH. */
static int read_of(const struct ctr_env *env, pid_t pid, const char *name, size_t max,
		   char **ret_text, size_t *ret_len)
{
	char path[PATH_MAX];
	int r = host_path(env, path, "/proc/%d/%s", pid, name);

	if (!r)
		r = io_read_at(AT_FDCWD, path, max, ret_text, ret_len);
	return r == -ENOENT ? -ESRCH : r;
}

/* Is it pid 1 of a pid namespace below ours? */
static bool is_ns_init(const struct ctr_env *env, pid_t pid)
{
	_cleanup_status_ struct proc_status st = { 0 };
	_cleanup_free_ char *text = NULL;
	size_t len;

	return !read_of(env, pid, "status", STATUS_MAX, &text, &len) &&
	       !proc_status_parse(text, len, &st) && st.nnspid > 1 && st.nspid[st.nnspid - 1] == 1;
}

static int first_child(const struct ctr_env *env, pid_t pid, pid_t *ret)
{
	_cleanup_free_ char *text = NULL;
	char name[64];
	struct span rest, word;
	uint64_t lowest = UINT64_MAX, v;
	size_t len;
	int r;

	(void)snprintf(name, sizeof(name), "task/%d/children", pid);
	r = read_of(env, pid, name, CHILDREN_MAX, &text, &len);
	if (r < 0)
		return r;
	rest = (struct span){ text, len };
	while (span_word(&rest, &word) == 1) /* bounded: CHILDREN_MAX bytes */
		if (!span_u64(word, 10, &v) && v && v < lowest)
			lowest = v;
	if (lowest > INT_MAX)
		return -ENOENT;
	*ret = (pid_t)lowest;
	return 0;
}

pid_t scan_payload(const struct ctr_env *env, pid_t pid)
{
	struct proc_stat t;
	pid_t child;

	if (task_stat(env, pid, &t) < 0 ||
	    (strcmp(t.comm, "bwrap") != 0 && strcmp(t.comm, "(sd-stubinit)") != 0) ||
	    first_child(env, pid, &child) < 0)
		return pid;
	return child;
}

/* "pid:[4026531836]" */
static int ns_link_ino(int procfd, const char *who, enum scan_ns ns, uint64_t *ret)
{
	char path[48], link[48];
	struct span s;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s/ns/%s", who, ns_link[ns]);
	n = readlinkat(procfd, path, link, sizeof(link));
	if (n < 0)
		return -errno;
	s = (struct span){ link, (size_t)n };
	if (!span_starts(s, ns_link[ns]))
		return -EPROTO;
	s.p += strlen(ns_link[ns]);
	s.len -= strlen(ns_link[ns]);
	if (s.len < 4 || s.p[0] != ':' || s.p[1] != '[' || s.p[s.len - 1] != ']')
		return -EPROTO;
	return span_u64((struct span){ s.p + 2, s.len - 3 }, 10, ret) < 0 ? -EPROTO : 0;
}

static int open_proc(const struct ctr_env *env)
{
	char path[PATH_MAX];
	int r = host_path(env, path, "/proc");
	int fd = r < 0 ? r : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return r < 0 ? r : fd < 0 ? -errno : fd;
}

int scan_ns_ino(const struct ctr_env *env, pid_t pid, enum scan_ns ns, uint64_t *ret)
{
	_cleanup_close_ int procfd = open_proc(env);
	char who[16];

	if (procfd < 0)
		return procfd;
	(void)snprintf(who, sizeof(who), "%d", pid);
	return ns_link_ino(procfd, who, ns, ret);
}

static int read_ns(int procfd, const char *who, uint64_t ret[SCAN_NS])
{
	for (enum scan_ns k = 0; k < SCAN_NS; k++) {
		int r = ns_link_ino(procfd, who, k, &ret[k]);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Return: 1 and *@ret; 0 if it is all in our namespaces, gone, or not for us to see. */
static int look_at(const struct ctr_env *env, int procfd, const uint64_t self[SCAN_NS], pid_t pid,
		   struct scan_proc *ret)
{
	struct scan_proc p = { .pid = pid };
	bool any = false;
	char who[16];

	(void)snprintf(who, sizeof(who), "%d", pid);
	if (read_ns(procfd, who, p.ns) < 0)
		return 0;
	for (enum scan_ns k = 0; k < SCAN_NS; k++) {
		p.other[k] = p.ns[k] != self[k];
		any |= p.other[k];
	}
	if (!any || task_stat(env, pid, &p.task) < 0)
		return 0;
	*ret = p;
	return 1;
}

static int add_proc(struct scan *s, const struct scan_proc *p)
{
	if (array_room(&s->v, &s->room, s->n + 1, sizeof(*s->v)) < 0)
		return -ENOMEM;
	s->v[s->n++] = *p;
	return 0;
}

static int by_pid(const void *a, const void *b)
{
	const struct scan_proc *x = a, *y = b;

	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

const struct scan_proc *scan_find(const struct scan *s, pid_t pid)
{
	const struct scan_proc key = { .pid = pid };

	return s->n ? bsearch(&key, s->v, s->n, sizeof(key), by_pid) : NULL;
}

/* Its parent is not in its namespace: it, or an ancestor that is gone, came in from outside. */
static bool came_from_outside(const struct scan *s, const struct scan_proc *p, enum scan_ns ns)
{
	const struct scan_proc *parent = scan_find(s, p->task.ppid);

	return !parent || parent->ns[ns] != p->ns[ns];
}

static int by_userns(const void *a, const void *b)
{
	const struct scan_proc *x = *(struct scan_proc *const *)a,
			       *y = *(struct scan_proc *const *)b;

	if (x->ns[SCAN_USER] != y->ns[SCAN_USER])
		return x->ns[SCAN_USER] < y->ns[SCAN_USER] ? -1 : 1;
	return by_pid(x, y);
}

/* The @n processes @v share a user namespace: which of them is first in it? */
static void mark_first_of_userns(const struct scan *s, struct scan_proc **v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v[i]->first)
			return;
	for (size_t i = 0; i < n; i++) {
		if (v[i]->other[SCAN_USER] && !v[i]->other[SCAN_PID] &&
		    came_from_outside(s, v[i], SCAN_USER)) {
			v[i]->first = true;
			return;
		}
	}
}

/*
 * Pid namespaces go before user namespaces: whoever made a user namespace and
 * then a pid namespace in it ("unshare -Upf") is no container of its own.
 */
static int mark_first(const struct ctr_env *env, struct scan *s)
{
	_cleanup_free_ struct scan_proc **v = calloc(s->n + 1, sizeof(struct scan_proc *));
	size_t start = 0;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++) {
		struct scan_proc *p = v[i] = &s->v[i];

		p->first = p->other[SCAN_PID] && came_from_outside(s, p, SCAN_PID) &&
			   is_ns_init(env, p->pid);
	}
	qsort(v, s->n, sizeof(struct scan_proc *), by_userns);
	for (size_t i = 1; i <= s->n; i++) {
		if (i < s->n && v[i]->ns[SCAN_USER] == v[start]->ns[SCAN_USER])
			continue;
		mark_first_of_userns(s, v + start, i - start);
		start = i;
	}
	return 0;
}

int scan_load(const struct ctr_env *env, struct scan *s)
{
	_cleanup_scan_ struct scan fresh = { 0 };
	_cleanup_closedir_ DIR *dir = NULL;
	uint64_t self[SCAN_NS];
	int fd, r;

	if (s->loaded)
		return 0;
	fd = open_proc(env);
	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir) {
		closep(&fd);
		return -ENOMEM;
	}
	r = read_ns(fd, "self", self);
	if (r < 0)
		return r;
	for (struct dirent *d; fresh.n < PROCS_MAX && (d = readdir(dir));) {
		struct span name = { d->d_name, strlen(d->d_name) };
		struct scan_proc p;
		uint64_t pid;

		if (span_u64(name, 10, &pid) < 0 || pid > INT_MAX ||
		    !look_at(env, fd, self, (pid_t)pid, &p))
			continue;
		r = add_proc(&fresh, &p);
		if (r < 0)
			return r;
	}
	if (fresh.n)
		qsort(fresh.v, fresh.n, sizeof(*fresh.v), by_pid);
	r = mark_first(env, &fresh);
	if (r < 0)
		return r;
	fresh.loaded = true;
	*s = fresh;
	fresh = (struct scan){ 0 };
	return 0;
}

int scan_one(const struct ctr_env *env, pid_t pid, struct scan_proc *ret)
{
	_cleanup_close_ int procfd = open_proc(env);
	uint64_t self[SCAN_NS];
	struct scan_proc p;
	int r;

	if (procfd < 0)
		return procfd;
	r = read_ns(procfd, "self", self);
	if (r < 0)
		return r;
	if (!look_at(env, procfd, self, pid, &p))
		return -ESRCH;
	p.first = p.other[SCAN_PID] && is_ns_init(env, pid);
	*ret = p;
	return 0;
}
