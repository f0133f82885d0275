/* SPDX-License-Identifier: MIT */
/*
 * ctr_fixture.h - a copy of a state directory of tests/fixtures, in which real processes are named.
 *
 * In the files @LIVE1@ to @LIVE5@ become pids of children that wait, @START1@
 * ... their start times, @DEAD@ a pid that nobody has. /proc of the copy has
 * these children alone, so that what else runs on the machine doesn't matter.
 * @LIVE3@ belongs to uid 1001 if the test runs as root.
 */
#ifndef TESTS_CTR_FIXTURE_H
#define TESTS_CTR_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctr.h"
#include "io.h"
#include "task.h"

#define FIXTURE_LIVE  5
#define FIXTURE_ALICE 1001
#define FIXTURE_DEAD  4194303

struct fixture {
	char root[64];
	pid_t live[FIXTURE_LIVE];
	uint64_t start[FIXTURE_LIVE];
	struct ctr_env env;
};

static struct fixture *fixture_now; /* for nftw's callbacks */
static char fixture_from[512];

static void fixture_die(const char *what)
{
	perror(what);
	abort();
}

static void fixture_put(struct fixture *f, const char *path, const char *text)
{
	char full[1024];
	FILE *out;

	(void)snprintf(full, sizeof(full), "%s%s", f->root, path);
	for (char *p = full + strlen(f->root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		if (mkdir(full, 0755) < 0 && errno != EEXIST)
			fixture_die(full);
		*p = '/';
	}
	out = fopen(full, "we");
	if (!out || fputs(text, out) < 0 || fclose(out))
		fixture_die(full);
}

/* A copy of @text with the words in @ replaced; the caller's to free. */
static char *fixture_expand(const struct fixture *f, const char *text)
{
	char *out = NULL, word[32], value[32];
	size_t size;
	FILE *mem = open_memstream(&out, &size);

	if (!mem)
		fixture_die("open_memstream");
	while (*text) {
		bool done = false;

		for (int i = 0; *text == '@' && !done && i < 2 * FIXTURE_LIVE + 1; i++) {
			int n = i / 2;

			if (i == 2 * FIXTURE_LIVE) {
				(void)strcpy(word, "@DEAD@");
				(void)snprintf(value, sizeof(value), "%d", FIXTURE_DEAD);
			} else if (i % 2) {
				(void)snprintf(word, sizeof(word), "@START%d@", n + 1);
				(void)snprintf(value, sizeof(value), "%llu",
					       (unsigned long long)f->start[n]);
			} else {
				(void)snprintf(word, sizeof(word), "@LIVE%d@", n + 1);
				(void)snprintf(value, sizeof(value), "%d", f->live[n]);
			}
			done = !strncmp(text, word, strlen(word));
		}
		if (done) {
			(void)fputs(value, mem);
			text += strlen(word);
		} else {
			(void)fputc(*text++, mem);
		}
	}
	if (fclose(mem))
		fixture_die("fclose");
	return out;
}

static int fixture_copy(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	char *text, *expanded;

	(void)st;
	(void)ftw;
	if (type != FTW_F)
		return 0;
	if (io_read_at(AT_FDCWD, path, 1 << 20, &text, NULL) < 0)
		fixture_die(path);
	expanded = fixture_expand(fixture_now, text);
	fixture_put(fixture_now, path + strlen(fixture_from), expanded);
	free(expanded);
	free(text);
	return 0;
}

static int fixture_rm(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* /proc/@pid is to be seen in the fixture. */
static void fixture_show(struct fixture *f, pid_t pid)
{
	char link[128], target[32];

	(void)snprintf(link, sizeof(link), "%s/proc/%d", f->root, pid);
	(void)snprintf(target, sizeof(target), "/proc/%d", pid);
	if (symlink(target, link) < 0)
		fixture_die(link);
}

static pid_t fixture_fork(int who)
{
	int ready[2];
	pid_t pid;
	char byte;

	if (pipe2(ready, O_CLOEXEC) < 0)
		fixture_die("pipe2");
	pid = fork();
	if (pid < 0)
		fixture_die("fork");
	if (!pid) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (who == 3 && !getuid() && setresuid(FIXTURE_ALICE, FIXTURE_ALICE, FIXTURE_ALICE))
			fixture_die("setresuid");
		(void)prctl(PR_SET_DUMPABLE, 1); /* else its /proc is root's */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		fixture_die("child");
	close(ready[0]);
	return pid;
}

/* @name: a directory of tests/fixtures, or NULL for an empty one. */
static void fixture_init(struct fixture *f, const char *name)
{
	struct ctr_env real = { .root = "" };
	char path[128];

	*f = (struct fixture){ .root = "/tmp/dvs-ctr-XXXXXX" };
	if (!mkdtemp(f->root) || chmod(f->root, 0755) < 0)
		fixture_die("mkdtemp");
	(void)snprintf(path, sizeof(path), "%s/proc", f->root);
	if (mkdir(path, 0755) < 0)
		fixture_die(path);
	(void)snprintf(path, sizeof(path), "%s/proc/self", f->root);
	if (symlink("/proc/self", path) < 0)
		fixture_die(path);
	for (int i = 0; i < FIXTURE_LIVE; i++) {
		struct proc_stat t;

		f->live[i] = fixture_fork(i + 1);
		if (task_stat(&real, f->live[i], &t) < 0)
			fixture_die("stat");
		f->start[i] = t.start;
		fixture_show(f, f->live[i]);
	}
	f->env = (struct ctr_env){ .root = f->root, .uid = getuid() };
	if (!name)
		return;
	fixture_now = f;
	(void)snprintf(fixture_from, sizeof(fixture_from), "%s/%s", FIXTURES, name);
	if (nftw(fixture_from, fixture_copy, 8, FTW_PHYS))
		fixture_die(fixture_from);
}

static void fixture_fini(struct fixture *f)
{
	for (int i = 0; i < FIXTURE_LIVE; i++) {
		(void)kill(f->live[i], SIGKILL);
		(void)waitpid(f->live[i], NULL, 0);
	}
	(void)nftw(f->root, fixture_rm, 8, FTW_DEPTH | FTW_PHYS);
}

/* The container of @engine that is called @name, or NULL. */
_unused_ static const struct ctr *fixture_find(const struct ctr_list *l, const char *engine,
					       const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->v[i].engine, engine) && !strcmp(l->v[i].name, name))
			return &l->v[i];
	return NULL;
}

/* The list must have it. */
_unused_ static const struct ctr *fixture_get(const struct ctr_list *l, const char *engine,
					      const char *name)
{
	static const struct ctr none; /* analysers do not know that fail_msg() goes no further */
	const struct ctr *c = fixture_find(l, engine, name);

	if (!c)
		fail_msg("%s: no '%s'", engine, name);
	return c ? c : &none;
}

#endif
