/* SPDX-License-Identifier: MIT */
/*
 * merge_policy.c - the rules of a policy, where paths have more than one name.
 *
 * Theory of operation
 *
 * A rule is one for a path. So that it can't be got around, or miss what was meant,
 *
 * - symbolic links of the trees are followed once, when the tree is opened: "/bin/su" is a rule for "/usr/bin/su", too,
 *   if "bin" is a link. Later ones need nothing: the kernel follows them, by names that are looked up here;
 * - what is found in a directory with a place of the policy is compared with what is at that place: names may differ in
 *   case (ext4's casefold, FAT), and mean the same;
 * - a file of several names, and all that is on another mount than the root, is compared with what is hidden
 *   anywhere: hard links and bind mounts are other names.
 *
 * What remains is said in cntrfs(8): hard links of files below a hidden directory, and what is moved behind us.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "merge_private.h"
#include "mnt.h"
#include "nodes_table.h"

/* As the kernel's own limit, MAXSYMLINKS of linux/namei.h. */
#define LINKS_MAX 40

/* --- where a path leads --- */

struct walk {
	int root;
	char at[PATH_MAX];       /* without a link in it; "": the root */
	char rest[2 * PATH_MAX]; /* still to go */
	unsigned int links;
	bool gone; /* nothing is at @at */
};

static void go_up(struct walk *w)
{
	char *slash = strrchr(w->at, '/');

	if (slash)
		*slash = 0;
}

/* The link at @path. Return: its length; -1: it is none. */
static ssize_t read_link(struct walk *w, const char *path, char target[PATH_MAX])
{
	_cleanup_close_ int fd = -1;
	ssize_t n;

	if (w->gone)
		return -1;
	fd = mnt_open_nolink(w->root, path, O_PATH | O_NOFOLLOW);
	w->gone = fd < 0;
	n = fd < 0 ? -1 : readlinkat(fd, "", target, PATH_MAX - 1);
	if (n >= 0)
		target[n] = 0;
	return n;
}

/* One name of @w->rest, which is not empty; the last is followed, too, if @last. */
static int step(struct walk *w, bool last)
{
	char name[NAME_MAX + 1], path[PATH_MAX], target[PATH_MAX], rest[2 * PATH_MAX];
	const char *p = w->rest + strspn(w->rest, "/");
	size_t len = strcspn(p, "/");
	const char *tail = p + len;
	bool is_last = !tail[strspn(tail, "/")];

	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, p, len);
	name[len] = 0;
	if (strcmp(name, "..") == 0)
		go_up(w);
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
		memmove(w->rest, tail, strlen(tail) + 1);
		return 0;
	}
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", w->at, name) >= sizeof(path))
		return -ENAMETOOLONG;
	if ((is_last && !last) || read_link(w, path, target) < 0) {
		memcpy(w->at, path, strlen(path) + 1);
		memmove(w->rest, tail, strlen(tail) + 1);
		return 0;
	}
	if (w->links++ == LINKS_MAX)
		return -ELOOP;
	if (*target == '/')
		w->at[0] = 0;
	if ((size_t)snprintf(rest, sizeof(rest), "%s%s", target, tail) >= sizeof(rest))
		return -ENAMETOOLONG;
	memcpy(w->rest, rest, strlen(rest) + 1);
	return 0;
}

/* Below @root, which no link leads out of. @w->at is what there is in the end, even if it is not there yet. */
static int lead(struct walk *w, int root, const char *path, bool last)
{
	int r = 0;

	*w = (struct walk){ .root = root };
	if ((size_t)snprintf(w->rest, sizeof(w->rest), "%s", path) >= sizeof(w->rest))
		return -ENAMETOOLONG;
	while (r == 0 && w->rest[strspn(w->rest, "/")])
		r = step(w, last);
	return r;
}

/* --- the rules --- */

static int follow_rule(struct merge *m, int root, const struct policy_named *rule, struct err *e)
{
	for (int last = 0; last < 2; last++) {
		struct walk w;
		int r = lead(&w, root, rule->path, last);

		if (r < 0)
			return err_set(e, -r, "cannot tell where '%.100s' leads: %s", rule->path,
				       err_str(r));
		/* All of it can't be meant: then the link alone is. */
		if (w.at[0] && (r = policy_add(&m->rules, rule->rule, w.at, e)) < 0)
			return r;
	}
	return 0;
}

static int follow_all(struct merge *m, struct vfs *v, const struct policy *asked, struct err *e)
{
	_cleanup_node_ struct node_ref root = { 0 };
	int r = node_ref(&v->nodes, FUSE_ROOT_ID, &root);

	if (r < 0)
		return err_set(e, -r, "cannot use the directory: %s", err_str(r));
	for (size_t i = 0; r == 0 && i < asked->count; i++)
		r = follow_rule(m, root.fd, &asked->named[i], e);
	return r;
}

int merge_policy_init(struct merge *m, const struct policy *asked, struct err *e)
{
	int r = 0;

	if (!asked || !asked->n)
		return 0;
	for (size_t i = 0; r == 0 && i < asked->count; i++)
		r = policy_add(&m->rules, asked->named[i].rule, asked->named[i].path, e);
	for (unsigned int i = 0; r == 0 && i < MERGE_LAYERS; i++)
		r = m->layer[i] ? follow_all(m, m->layer[i], asked, e) : 0;
	m->policy = &m->rules;
	return r;
}

bool merge_policy_follow(struct merge *m, int root, const char *name, policy_mark *mark)
{
	struct walk w;
	policy_mark to;

	if (!m->policy)
		return true;
	if (lead(&w, root, name, true) < 0)
		return false;
	to = policy_at(m->policy, w.at);
	/* What is read-only there is not changed here: what is written goes to the scratch layer. */
	if (!policy_hides_in(m->policy, to))
		return true;
	if (!policy_is_place(to) || policy_hides(m->policy, to) ||
	    (*mark && !policy_covers(m->policy, to, *mark)))
		return false;
	*mark = to;
	return true;
}

/* --- other names --- */

struct inode {
	uint64_t ino, dev;
	bool other_mount;
};

static int inode_of(struct vfs *v, uint64_t id, struct inode *ret)
{
	const struct node *n;

	pthread_mutex_lock(&v->nodes.lock);
	n = table_get(&v->nodes, id);
	if (n)
		*ret = (struct inode){ n->ino, v->nodes.mount[n->mount].dev, n->mount != 0 };
	pthread_mutex_unlock(&v->nodes.lock);
	return n ? 0 : -ESTALE;
}

static bool is_at(const struct inode *i, int dir, const char *name, int flags)
{
	struct statx stx;

	/* Its number does not change: no server of a network file system has to be asked. */
	return statx(dir, name, AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC | flags, STATX_INO,
		     &stx) == 0 &&
	       stx.stx_ino == i->ino && makedev(stx.stx_dev_major, stx.stx_dev_minor) == i->dev;
}

/* Of a place in the directory itself. */
static int see_in_dir(struct merge *m, const struct merge_ref *dir, enum merge_layer layer,
		      const struct inode *found, policy_mark *mark)
{
	_cleanup_node_ struct node_ref ref = { 0 };
	const char *name;
	int r;

	if (!policy_next(m->policy, dir->parts.mark, 0, &name) || policy_is_place(*mark))
		return 0;
	r = node_ref(&m->layer[layer]->nodes, dir->parts.id[layer], &ref);
	for (policy_mark c = 0;
	     r == 0 && (c = policy_next(m->policy, dir->parts.mark, c, &name));) {
		if (!is_at(found, ref.fd, name, 0))
			continue;
		*mark = c;
		break;
	}
	return r;
}

/* Of a hidden place anywhere. Return: 1, 0, -errno. */
static int is_hidden_thing(struct merge *m, enum merge_layer layer, const struct inode *found)
{
	_cleanup_node_ struct node_ref root = { 0 };
	int r = node_ref(&m->layer[layer]->nodes, FUSE_ROOT_ID, &root);

	for (size_t i = 0; r == 0 && i < m->policy->count; i++) {
		_cleanup_close_ int fd = -1;

		if (m->policy->named[i].rule != POLICY_HIDE)
			continue;
		fd = mnt_open_nolink(root.fd, m->policy->named[i].path, O_PATH | O_NOFOLLOW);
		if (fd >= 0 && is_at(found, fd, "", AT_EMPTY_PATH))
			return 1;
	}
	return r;
}

int merge_policy_see(struct merge *m, const struct merge_ref *dir, enum merge_layer layer,
		     const struct fuse_entry_out *out, policy_mark *mark)
{
	struct inode found;
	int r;

	if (!m->policy)
		return 1;
	r = inode_of(m->layer[layer], out->nodeid, &found);
	if (r == 0)
		r = see_in_dir(m, dir, layer, &found, mark);
	if (r == 0 && (found.other_mount || (!S_ISDIR(out->attr.mode) && out->attr.nlink > 1)))
		r = is_hidden_thing(m, layer, &found);
	if (r != 0)
		return r < 0 ? r : 0;
	return !policy_hides(m->policy, *mark);
}
