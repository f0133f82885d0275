/* SPDX-License-Identifier: MIT */
#include "cred.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/capability.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "cursor.h"
#include "enter.h"
#include "io.h"

#define SMALL_FILE_MAX 4096

/* A file of @p that holds one short line; the newline (or NUL) at its end is gone. */
static int read_line(const struct pid_ref *p, const char *path, char **ret)
{
	size_t len;
	int r = io_read_at(p->procfd, path, SMALL_FILE_MAX, ret, &len);

	if (r < 0)
		return r;
	while (len && ((*ret)[len - 1] == '\n' || (*ret)[len - 1] == '\0'))
		(*ret)[--len] = '\0';
	return 0;
}

static int read_oom(const struct pid_ref *p, int *ret, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	char *end;
	long v;
	int r = read_line(p, "oom_score_adj", &text);

	if (r < 0)
		return err_set(e, -r, "cannot read oom_score_adj of process %d: %s", p->pid,
			       err_str(r));
	errno = 0;
	v = strtol(text, &end, 10);
	if (errno || end == text || *end || v < -1000 || v > 1000)
		return err_set(e, EPROTO, "oom_score_adj of process %d is '%.20s'", p->pid, text);
	*ret = (int)v;
	return 0;
}

/*
 * AppArmor writes "profile (mode)" or "unconfined", SELinux at least
 * "user:role:type"; a profile's name may begin with ":namespace:", but then it
 * has its mode at the end.
 */
static enum ns_lsm label_kind(char *label, bool apparmor)
{
	size_t len = strlen(label);
	char *mode = len && label[len - 1] == ')' ? strrchr(label, '(') : NULL;

	if (mode && mode > label + 1 && mode[-1] == ' ') {
		bool unconfined = !strcmp(mode, "(unconfined)");

		mode[-1] = '\0';
		return unconfined ? NS_LSM_NONE : NS_LSM_APPARMOR;
	}
	if (!strcmp(label, "unconfined") || apparmor)
		return NS_LSM_NONE;
	mode = strchr(label, ':');
	return mode && strchr(mode + 1, ':') ? NS_LSM_SELINUX : NS_LSM_NONE;
}

/* A kernel without a security module has no such file, or refuses to read it (EINVAL). */
static int read_label(const struct pid_ref *p, struct ns_cred *c, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	bool apparmor = true;
	int r = read_line(p, "attr/apparmor/current", &text); /* since Linux 5.8 */

	if (r == -ENOENT) {
		apparmor = false;
		r = read_line(p, "attr/current", &text);
	}
	c->lsm = NS_LSM_NONE;
	if (r == -ESRCH)
		return err_set(e, ESRCH, "process %d is gone", p->pid);
	if (r < 0)
		return 0;
	c->lsm = label_kind(text, apparmor);
	if (c->lsm != NS_LSM_NONE)
		(void)snprintf(c->label, sizeof(c->label), "%s", text);
	return 0;
}

/*
 * An id that its namespace doesn't map can't be taken on by number; but if it
 * is ours, then leaving it alone (-1) does that.
 */
static bool map_id(const struct proc_idmap *m, uint32_t outside, uint32_t ours, uint32_t *ret)
{
	if (proc_idmap_in(m, outside, ret) == 0)
		return true;
	*ret = UINT32_MAX;
	return outside == ours;
}

static void map_ids(const struct proc_status *s, struct ns_cred *c)
{
	bool uid = map_id(&c->uid_map, s->uid[PROC_EFFECTIVE], geteuid(), &c->uid);
	bool gid = map_id(&c->gid_map, s->gid[PROC_EFFECTIVE], getegid(), &c->gid);

	c->unmapped = !uid || !gid;
}

/* Takes the list out of @s. A group that is not mapped cannot be named inside. */
static int map_groups(struct proc_status *s, struct ns_cred *c)
{
	c->groups = calloc(s->ngroups + 1, sizeof(*c->groups));
	if (!c->groups)
		return -ENOMEM;
	for (size_t i = 0; i < s->ngroups; i++)
		if (proc_idmap_in(&c->gid_map, s->groups[i], &c->groups[c->ngroups]) == 0)
			c->ngroups++;
	c->outer_groups = take_ptr(s->groups);
	c->nouter_groups = s->ngroups;
	return 0;
}

/* "deny" or "allow"; a kernel without user namespaces has no such file. */
static bool setgroups_allowed(const struct pid_ref *p)
{
	_cleanup_free_ char *text = NULL;

	return read_line(p, "setgroups", &text) < 0 || strcmp(text, "deny") != 0;
}

static bool same_user_ns(const struct pid_ref *p)
{
	struct stat ours, theirs;

	if (stat("/proc/self/ns/user", &ours) < 0 || fstatat(p->procfd, "ns/user", &theirs, 0) < 0)
		return true;
	return ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

static int read_all(const struct pid_ref *p, struct ns_cred *c, struct proc_status *s,
		    struct err *e)
{
	int r;

	if ((r = proc_status_read(p, s, e)) < 0 || (r = proc_limits_read(p, &c->limits, e)) < 0 ||
	    (r = proc_idmap_read(p, "uid_map", &c->uid_map, e)) < 0 ||
	    (r = proc_idmap_read(p, "gid_map", &c->gid_map, e)) < 0 ||
	    (r = read_oom(p, &c->oom_score_adj, e)) < 0 || (r = read_label(p, c, e)) < 0)
		return r;
	if (s->state == 'Z' || s->state == 'X')
		return err_set(e, ESRCH, "process %d has ended", p->pid);
	c->caps = s->caps;
	c->no_new_privs = s->no_new_privs;
	c->umask = s->umask;
	c->setgroups = c->gid_map.n && setgroups_allowed(p);
	c->foreign = !same_user_ns(p);
	return 0;
}

int ns_cred_read(const struct pid_ref *p, struct ns_cred *ret, struct err *e)
{
	_cleanup_status_ struct proc_status s = { 0 };
	int r;

	memset(ret, 0, sizeof(*ret));
	r = read_all(p, ret, &s, e);
	if (r < 0)
		return r;
	if (map_groups(&s, ret) < 0)
		return err_set(e, ENOMEM, "out of memory");
	map_ids(&s, ret);
	ret->noroot = ret->uid == 0 && ret->caps.prm == ret->caps.amb &&
		      ret->caps.prm != (ret->caps.bnd | ret->caps.inh);
	return 0;
}

void ns_cred_fini(struct ns_cred *c)
{
	free(c->groups);
	free(c->outer_groups);
	c->groups = c->outer_groups = NULL;
	c->ngroups = c->nouter_groups = 0;
}

/* What engines give: uid 0 what execve() makes of the bounding set, another uid nothing. */
static void change_uid(struct ns_cred *c, uid_t uid)
{
	uint64_t root = c->caps.bnd | c->caps.inh;

	if (uid == c->uid)
		return;
	c->caps.prm = c->caps.eff = uid ? 0 : root;
	c->caps.amb = 0;
	if (uid)
		c->caps.inh = 0;
	c->uid = uid;
	c->noroot = false;
}

int ns_cred_set_user(struct ns_cred *c, const struct ns_user *u, struct err *e)
{
	_cleanup_free_ gid_t *inner = calloc(u->ngroups + 1, sizeof(*inner));
	_cleanup_free_ gid_t *outer = calloc(u->ngroups + 1, sizeof(*outer));
	uint32_t id;
	size_t n = 0;

	if (!inner || !outer)
		return err_set(e, ENOMEM, "out of memory");
	if (proc_idmap_out(&c->uid_map, u->uid, &id) < 0)
		return err_set(e, ERANGE, "the %s's user namespace has no user %u", ns_words.what,
			       u->uid);
	if (proc_idmap_out(&c->gid_map, u->gid, &id) < 0)
		return err_set(e, ERANGE, "the %s's user namespace has no group %u", ns_words.what,
			       u->gid);
	for (size_t i = 0; i < u->ngroups; i++) {
		if (proc_idmap_out(&c->gid_map, u->groups[i], &outer[n]) < 0)
			continue;
		inner[n++] = u->groups[i];
	}
	ns_cred_fini(c);
	c->groups = take_ptr(inner);
	c->outer_groups = take_ptr(outer);
	c->ngroups = c->nouter_groups = n;
	c->gid = u->gid;
	c->unmapped = false;
	change_uid(c, u->uid);
	return 0;
}

bool ns_cred_may_trace(const struct ns_cred *c)
{
	return !c->foreign && c->caps.bnd & UINT64_C(1) << CAP_SYS_PTRACE;
}

uint64_t ns_caps_all(void)
{
	int n = cap_max_bits();

	return n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

void ns_cap_name(int cap, char ret[NS_CAP_NAME_MAX])
{
	char *name = cap_to_name(cap);

	if (name && !strncmp(name, "cap_", 4))
		(void)snprintf(ret, NS_CAP_NAME_MAX, "%s", name + 4);
	else
		(void)snprintf(ret, NS_CAP_NAME_MAX, "%d", cap);
	(void)cap_free(name);
}

static int parse_cap(struct span word, uint64_t *ret)
{
	char name[NS_CAP_NAME_MAX] = "cap_";
	cap_value_t v;
	size_t len = 4;

	if (word.len >= 4 && !strncasecmp(word.p, "cap_", 4))
		word = (struct span){ word.p + 4, word.len - 4 };
	if (!word.len || word.len >= sizeof(name) - len)
		return -EINVAL;
	for (size_t i = 0; i < word.len; i++)
		name[len++] = (char)tolower((unsigned char)word.p[i]);
	name[len] = '\0';
	if (!strcmp(name, "cap_all")) {
		*ret = ns_caps_all();
		return 0;
	}
	/* cap_from_name(3) takes numbers as well, and ends at the first odd character. */
	if (name[strspn(name, "abcdefghijklmnopqrstuvwxyz_")] || cap_from_name(name, &v) < 0 ||
	    v < 0 || v >= 64)
		return -EINVAL;
	*ret = UINT64_C(1) << v;
	return 0;
}

int ns_caps_parse(const char *names, uint64_t *ret, struct err *e)
{
	struct cursor c = cur_of(names, strlen(names));
	struct span word;
	uint64_t mask = 0, bit = 0;

	while (cur_until(&c, ',', &word)) {
		if (!span_trim(word).len)
			return err_set(e, EINVAL, "'%.40s' has a comma without a capability",
				       names);
		if (parse_cap(span_trim(word), &bit) < 0)
			return err_set(e, EINVAL,
				       "'%.*s' is no capability; capabilities(7) lists them",
				       (int)(word.len > 40 ? 40 : word.len), word.p);
		mask |= bit;
	}
	if (!mask)
		return err_set(e, EINVAL, "no capability is named");
	*ret = mask;
	return 0;
}

void ns_cred_add_caps(struct ns_cred *c, uint64_t mask)
{
	c->caps.bnd |= mask;
	c->caps.prm |= mask;
	c->caps.eff |= mask;
	if (c->uid || c->noroot) {
		c->caps.inh |= mask;
		c->caps.amb |= mask;
	}
}

void ns_cred_drop_caps(struct ns_cred *c, uint64_t mask)
{
	c->caps.bnd &= ~mask;
	c->caps.prm &= ~mask;
	c->caps.eff &= ~mask;
	c->caps.inh &= ~mask;
	c->caps.amb &= ~mask;
}
