/* SPDX-License-Identifier: MIT */
/* The half of cred.h that runs in the child; no memory is taken but the stack's. */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "cred.h"
#include "enter.h"
#include "io.h"

#define CAP_BITS 64

/* The sets to have before execve(), by the rules in cred.h. */
static struct proc_caps caps_before_exec(const struct ns_cred *c)
{
	struct proc_caps w = c->caps;

	if (c->uid == 0 && !c->noroot) {
		w.bnd &= w.prm;
		w.inh &= w.prm;
		return w;
	}
	w.amb = w.prm;
	w.inh |= w.amb;
	return w;
}

static int caps_get(struct proc_caps *ret)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &h, d) < 0)
		return -errno;
	ret->eff = d[0].effective | (uint64_t)d[1].effective << 32;
	ret->prm = d[0].permitted | (uint64_t)d[1].permitted << 32;
	ret->inh = d[0].inheritable | (uint64_t)d[1].inheritable << 32;
	ret->bnd = 0;
	for (unsigned long i = 0; i < CAP_BITS; i++)
		if (prctl(PR_CAPBSET_READ, i) == 1)
			ret->bnd |= UINT64_C(1) << i;
	return 0;
}

/* The permitted set becomes effective as a whole. */
static int caps_set(uint64_t prm, uint64_t inh)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3] = {
		{ (uint32_t)prm, (uint32_t)prm, (uint32_t)inh },
		{ (uint32_t)(prm >> 32), (uint32_t)(prm >> 32), (uint32_t)(inh >> 32) },
	};

	return syscall(SYS_capset, &h, d) < 0 ? -errno : 0;
}

static int drop_bounding(uint64_t have, uint64_t want)
{
	for (unsigned long i = 0; i < CAP_BITS; i++)
		if (have & ~want & UINT64_C(1) << i && prctl(PR_CAPBSET_DROP, i) < 0)
			return -errno;
	return 0;
}

static int raise_ambient(uint64_t want)
{
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	for (unsigned long i = 0; i < CAP_BITS; i++)
		if (want & UINT64_C(1) << i &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0)
			return -errno;
	return 0;
}

static bool groups_are(const gid_t *groups, size_t n)
{
	static gid_t ours[PROC_GROUPS_MAX];
	int count = getgroups(PROC_GROUPS_MAX, ours);

	return count >= 0 && (size_t)count == n && !memcmp(ours, groups, n * sizeof(*groups));
}

/* Out here the ids that the target's namespace doesn't map can be kept as well. */
static bool prepare_groups(const struct ns_cred *c)
{
	return groups_are(c->outer_groups, c->nouter_groups) ||
	       setgroups(c->nouter_groups, c->outer_groups) == 0;
}

/* A soft limit would bind us already now; a hard one above it does not. */
static uint32_t raise_limits(const struct proc_limits *l)
{
	uint32_t failed = 0;

	for (unsigned int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit now;

		if (getrlimit(i, &now) < 0 || now.rlim_max >= l->v[i].rlim_max)
			continue;
		now.rlim_max = l->v[i].rlim_max;
		if (setrlimit(i, &now) < 0)
			failed |= 1u << i;
	}
	return failed;
}

static uint32_t set_limits(const struct proc_limits *l)
{
	uint32_t failed = 0;

	for (unsigned int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit now, want = l->v[i];

		if (getrlimit(i, &now) < 0)
			continue;
		if (want.rlim_max > now.rlim_max) {
			want.rlim_max = now.rlim_max;
			failed |= 1u << i;
		}
		if (want.rlim_cur > want.rlim_max)
			want.rlim_cur = want.rlim_max;
		if (setrlimit(i, &want) < 0)
			failed |= 1u << i;
	}
	return failed;
}

static bool set_oom(int proc, int score)
{
	_cleanup_free_ char *now = NULL;
	char text[16];
	int len = snprintf(text, sizeof(text), "%d\n", score);

	if (io_read_at(proc, "thread-self/oom_score_adj", sizeof(text), &now, NULL) == 0 &&
	    !strcmp(now, text))
		return true;
	return io_write_at(proc, "thread-self/oom_score_adj", text, (size_t)len) == 0;
}

void ns_cred_prepare(const struct ns_cred *c, int proc, struct ns_cred_report *report)
{
	*report = (struct ns_cred_report){ 0 };
	report->groups = !prepare_groups(c);
	if (c->privileged)
		return;
	report->limits = raise_limits(&c->limits);
	report->oom_score_adj = !set_oom(proc, c->oom_score_adj);
}

/* AppArmor's own directory is there since Linux 5.8. */
static const char *const apparmor_dirs[] = { "thread-self/attr/apparmor", "thread-self/attr" };

static int set_apparmor(int proc, const char *label)
{
	char path[64], text[NS_LABEL_MAX + 8];
	size_t len = (size_t)snprintf(text, sizeof(text), "exec %s", label);
	int r = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(apparmor_dirs) && r == -ENOENT; i++) {
		_cleanup_free_ char *now = NULL;

		(void)snprintf(path, sizeof(path), "%s/current", apparmor_dirs[i]);
		if (io_read_at(proc, path, NS_LABEL_MAX, &now, NULL) == 0 &&
		    !strncmp(now, label, len - 5) && strchr(" \n", now[len - 5]))
			return 0;
		(void)snprintf(path, sizeof(path), "%s/exec", apparmor_dirs[i]);
		r = io_write_at(proc, path, text, len);
	}
	return r;
}

static int set_label(const struct ns_cred *c, int proc, struct err *e)
{
	int r = 0;

	if (c->lsm == NS_LSM_APPARMOR)
		r = set_apparmor(proc, c->label);
	if (c->lsm == NS_LSM_SELINUX)
		r = io_write_at(proc, "thread-self/attr/exec", c->label, strlen(c->label));
	if (r < 0)
		return err_set(e, -r,
			       "cannot take on the %s's security label '%.100s': %s; "
			       "--privileged goes without it",
			       ns_words.what, c->label, err_str(r));
	return 0;
}

static int set_ids(const struct ns_cred *c, struct ns_cred_report *report, struct err *e)
{
	if (report->groups && c->setgroups) {
		if (setgroups(c->ngroups, c->groups) < 0)
			return err_set(e, errno, "cannot set the supplementary groups: %s",
				       err_str(errno));
		report->groups = false;
	}
	if (setresgid(c->gid, c->gid, c->gid) < 0)
		return err_set(e, errno, "cannot become group %u: %s", c->gid, err_str(errno));
	/* Permitted capabilities survive, effective and ambient ones do not. */
	if (prctl(PR_SET_KEEPCAPS, 1) < 0 || setresuid(c->uid, c->uid, c->uid) < 0)
		return err_set(e, errno, "cannot become user %u: %s", c->uid, err_str(errno));
	return 0;
}

/*
 * Inheritable before bounding, for the kernel takes nothing new into the
 * inheritable set that the bounding set lacks; ambient after setresuid(), which
 * clears it.
 */
static int set_ids_and_caps(const struct ns_cred *c, const struct proc_caps *want,
			    const struct proc_caps *have, struct ns_cred_report *report,
			    struct err *e)
{
	uint64_t inh = want->inh & (have->inh | (have->prm & have->bnd));
	uint64_t amb = want->amb & inh & have->prm;
	int r;

	report->caps = (want->bnd & ~have->bnd) | (want->inh & ~inh) | (want->amb & ~amb);
	r = caps_set(have->prm, inh);
	if (r == 0)
		r = drop_bounding(have->bnd, want->bnd);
	if (r < 0)
		return err_set(e, -r, "cannot reduce the capabilities: %s", err_str(r));
	r = set_ids(c, report, e);
	if (r < 0)
		return r;
	r = caps_set(have->prm, inh);
	if (r == 0)
		r = raise_ambient(amb);
	if (r < 0)
		return err_set(e, -r, "cannot set the capabilities: %s", err_str(r));
	return 0;
}

/* All that the caller has, carried over execve(). */
static struct proc_caps caps_of_caller(const struct ns_cred *c, const struct proc_caps *have)
{
	struct proc_caps w = *have;

	if (c->uid) {
		w.inh |= w.prm & w.bnd;
		w.amb = w.inh & w.prm;
	}
	return w;
}

int ns_cred_apply(const struct ns_cred *c, int proc, struct ns_cred_report *report, struct err *e)
{
	struct proc_caps have = { 0 }, want;
	int r = caps_get(&have);

	if (r < 0)
		return err_set(e, -r, "cannot read our capabilities: %s", err_str(r));
	if (c->unmapped)
		return err_set(e, ERANGE,
			       "the %s's user has no id in its own user namespace; "
			       "name another one with --user",
			       ns_words.what);
	if (prctl(PR_GET_SECUREBITS) > 0 && prctl(PR_SET_SECUREBITS, SECUREBITS_DEFAULT) < 0)
		return err_set(e, errno, "cannot reset the securebits: %s", err_str(errno));
	if (!c->privileged) {
		r = set_label(c, proc, e);
		if (r < 0)
			return r;
	}
	/* From here on nobody in the container may look into us. */
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return err_set(e, errno, "cannot forbid dumps: %s", err_str(errno));
	want = c->privileged ? caps_of_caller(c, &have) : caps_before_exec(c);
	r = set_ids_and_caps(c, &want, &have, report, e);
	if (r < 0 || c->privileged)
		return r;
	if (c->noroot && prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED) < 0)
		return err_set(e, errno, "cannot give up root's powers: %s", err_str(errno));
	report->limits |= set_limits(&c->limits);
	(void)umask(c->umask);
	if (c->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(e, errno, "cannot set no_new_privs: %s", err_str(errno));
	return 0;
}

struct text {
	char *buf;
	size_t size, len;
};

static void put(struct text *t, const char *before, const char *s)
{
	int n = snprintf(t->buf + t->len, t->size - t->len, "%s%s", before, s);

	if (n > 0)
		t->len = t->len + (size_t)n < t->size ? t->len + (size_t)n : t->size - 1;
}

static void put_caps(struct text *t, uint64_t caps)
{
	const char *before = t->len ? "; capabilities " : "capabilities ";

	for (int i = 0; i < CAP_BITS; i++) {
		char name[NS_CAP_NAME_MAX];

		if (!(caps & UINT64_C(1) << i))
			continue;
		ns_cap_name(i, name);
		put(t, before, name);
		before = ", ";
	}
}

bool ns_cred_report_text(const struct ns_cred_report *report, char *buf, size_t size)
{
	struct text t = { buf, size, 0 };
	const char *before = "limits (";

	buf[0] = '\0';
	for (int i = 0; i < (int)RLIM_NLIMITS; i++) {
		if (!(report->limits & 1u << i))
			continue;
		put(&t, before, proc_limit_name(i));
		before = ", ";
	}
	if (report->limits)
		put(&t, ")", "");
	if (report->caps)
		put_caps(&t, report->caps);
	if (report->oom_score_adj)
		put(&t, t.len ? "; " : "", "oom_score_adj");
	if (report->groups)
		put(&t, t.len ? "; " : "", "supplementary groups");
	return t.len > 0;
}
