/* SPDX-License-Identifier: MIT */
/*
 * fake_tree.h - a root directory for struct ctr_env: files, and processes in a /proc of our own.
 *
 * tree_init() makes an empty one below /tmp, tree_fini() removes it.
 */
#ifndef TESTS_FAKE_TREE_H
#define TESTS_FAKE_TREE_H

#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctr.h"

struct tree {
	char root[64];
	struct ctr_env env;
};

static inline void tree_init(struct tree *t)
{
	*t = (struct tree){ .root = "/tmp/dvs-tree-XXXXXX" };
	assert_non_null(mkdtemp(t->root));
	t->env = (struct ctr_env){ .root = t->root, .uid = 0 };
}

static inline int tree_remove(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline void tree_fini(struct tree *t)
{
	(void)nftw(t->root, tree_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* The directories above @path (which has the root in it). */
static inline void tree_mkdirs(const char *path)
{
	char buf[512];

	(void)snprintf(buf, sizeof(buf), "%s", path);
	for (char *p = strchr(buf + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		(void)mkdir(buf, 0755);
		*p = '/';
	}
}

static inline void tree_write(struct tree *t, const char *path, const void *data, size_t len)
{
	char full[512];
	FILE *f;

	(void)snprintf(full, sizeof(full), "%s%s", t->root, path);
	tree_mkdirs(full);
	f = fopen(full, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static inline void tree_text(struct tree *t, const char *path, const char *text)
{
	tree_write(t, path, text, strlen(text));
}

static inline void tree_link(struct tree *t, const char *path, const char *target)
{
	char full[512];

	(void)snprintf(full, sizeof(full), "%s%s", t->root, path);
	tree_mkdirs(full);
	assert_int_equal(symlink(target, full), 0);
}

struct tree_proc {
	int pid, ppid;
	const char *comm;
	int pidns, userns, mntns; /* numbers of our choice; the reader's are 1 */
	int nspid;                /* pid in its own pid namespace, 0 if that is the reader's */
	const char *children;     /* "61 62" or NULL */
};

static inline void tree_ns(struct tree *t, const char *who, const char *ns, int ino)
{
	char path[64], link[64];

	(void)snprintf(path, sizeof(path), "/proc/%s/ns/%s", who, ns);
	(void)snprintf(link, sizeof(link), "%s:[%d]", ns, ino);
	tree_link(t, path, link);
}

static inline void tree_self(struct tree *t)
{
	tree_ns(t, "self", "pid", 1);
	tree_ns(t, "self", "user", 1);
	tree_ns(t, "self", "mnt", 1);
}

static inline void tree_add(struct tree *t, const struct tree_proc *p)
{
	char who[16], path[64], text[1024];

	(void)snprintf(who, sizeof(who), "%d", p->pid);
	tree_ns(t, who, "pid", p->pidns);
	tree_ns(t, who, "user", p->userns);
	tree_ns(t, who, "mnt", p->mntns);
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", p->pid);
	(void)snprintf(text, sizeof(text),
		       "%d (%s) S %d 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 100 0 0\n", p->pid,
		       p->comm, p->ppid);
	tree_text(t, path, text);
	(void)snprintf(path, sizeof(path), "/proc/%d/status", p->pid);
	(void)snprintf(
		text, sizeof(text),
		"Name:\t%s\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t%d\nPid:\t%d\nPPid:\t%d\n"
		"TracerPid:\t0\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nGroups:\t\nNSpid:\t%d%s%.0d\n"
		"Threads:\t1\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\n"
		"CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n"
		"CapAmb:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t0\n"
		"Seccomp_filters:\t0\n",
		p->comm, p->pid, p->pid, p->ppid, p->pid, p->nspid ? "\t" : "", p->nspid);
	tree_text(t, path, text);
	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", p->pid, p->pid);
	if (p->children)
		tree_text(t, path, p->children);
}

/* The container called @name, which the list must have. */
static inline const struct ctr *tree_ctr(const struct ctr_list *l, const char *name)
{
	static const struct ctr none; /* analysers do not know that fail_msg() goes no further */

	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->v[i].name, name))
			return &l->v[i];
	fail_msg("no container '%s'", name);
	return &none;
}

#endif
