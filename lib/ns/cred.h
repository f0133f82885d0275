/* SPDX-License-Identifier: MIT */
/*
 * cred.h - a process's rights, read from a container's first process and given to ours.
 *
 * Theory of operation
 *
 * ns_cred_read() takes everything from a process while we still stand outside
 * its namespaces, and maps its ids into its user namespace.
 * ns_cred_set_user(), ns_cred_add_caps() and ns_cred_drop_caps(), in this
 * order, change what the user wants changed. A child that will become the
 * attached command then calls, with nothing left out:
 *
 *	ns_cred_prepare()	before it enters any namespace: what needs the
 *				caller's rights (raised hard limits, oom_score_adj)
 *	...			setns() and the view
 *	ns_cred_apply()		inside all namespaces: everything else
 *	ns_seccomp_install()	(filter.h)
 *	execve()		which computes the capabilities
 *
 * What a process may do after execve() is not what it could do before. With P
 * for before, P' for after, and a file without capabilities of its own
 * (capabilities(7)):
 *
 *	uid 0		P'(permitted) = P'(effective) = P(bounding) | P(inheritable) | P(ambient)
 *	another		P'(permitted) = P'(effective) = P(ambient)
 *	no_new_privs	the above & P(permitted)
 *
 * So ns_cred_apply() sets bounding, inheritable and ambient sets and leaves
 * permitted and effective full: CAP_SYS_ADMIN is still there for the filters,
 * and execve() takes it away. What follows from the rules:
 *
 *  - A process of uid 0 whose permitted set is just its ambient one, though the
 *    rules would give it more, is without root's powers (SECBIT_NOROOT): so are we.
 *  - Another process of uid 0 whose permitted set is smaller than its bounding set
 *    (a daemon that dropped rights for itself) gives us both as small as the
 *    permitted set: never more than the target has, at the price of a smaller
 *    bounding set.
 *  - A process of another uid with permitted capabilities that are not ambient
 *    (they came from a file, or were kept over setuid) gives them to us as
 *    ambient and inheritable ones: nothing else survives execve().
 *  - An effective set that is smaller than the permitted one cannot be
 *    reproduced; the target could raise it at any time anyway.
 *  - Otherwise the target's securebits, which cannot be read, are as if unset.
 *  - The capabilities that the caller lacks are missing; the report says so.
 *
 * CAP_SYS_PTRACE is the caller's to add (ns_cred_add_caps()).
 */
#ifndef NS_CRED_H
#define NS_CRED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "err.h"
#include "idmap.h"
#include "passwd.h"
#include "pidfd.h"
#include "rlimits.h"
#include "status.h"

#define NS_LABEL_MAX 4096

enum ns_lsm {
	NS_LSM_NONE, /* unconfined, or no such module: nothing to do */
	NS_LSM_APPARMOR,
	NS_LSM_SELINUX
};

struct ns_cred {
	/* as the target's user namespace sees them; -1 is left as it is */
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* ours to free */
	size_t ngroups;
	/* the same groups as the reader sees them, those that are not mapped too */
	gid_t *outer_groups;
	size_t nouter_groups;
	bool unmapped;  /* uid or gid has no partner in there and isn't ours: apply refuses */
	bool setgroups; /* the user namespace allows setgroups(2) */
	bool foreign;   /* the target's user namespace is another than ours */

	struct proc_caps caps; /* what shall be there after execve() */
	bool noroot;           /* uid 0 gives it nothing at execve() */
	bool no_new_privs;
	mode_t umask;
	int oom_score_adj;
	struct proc_limits limits;
	enum ns_lsm lsm;
	char label[NS_LABEL_MAX]; /* without AppArmor's " (mode)" */

	struct proc_idmap uid_map, gid_map; /* of the target's user namespace */

	/* keep the caller's rights: only uid, gid and groups are applied. Set by the caller. */
	bool privileged;
};

/* What could not be given, for one warning. Plain data: it goes down a pipe as it is. */
struct ns_cred_report {
	uint32_t limits; /* bit RLIMIT_*: as near as possible instead */
	uint64_t caps;   /* the caller has not got these */
	bool oom_score_adj;
	bool groups; /* supplementary groups are the caller's; between the halves: still to do */
};

/*
 * ns_cred_read() - The rights of @p.
 *
 * Should: be called outside the target's namespaces, with *@ret zeroed or fresh.
 *
 * An id that the process's own user namespace doesn't map is no error yet, for
 * ns_cred_set_user() may follow.
 *
 * Return: 0 and *@ret, the caller's to ns_cred_fini(); -ESRCH the process is
 *	   gone; another -errno.
 */
int ns_cred_read(const struct pid_ref *p, struct ns_cred *ret, struct err *e) _must_check_;
void ns_cred_fini(struct ns_cred *c);
#define _cleanup_cred_ _cleanup_(ns_cred_fini)

/*
 * ns_cred_set_user() - Become @u (ids inside the target's user namespace) instead.
 *
 * If the uid changes, the capabilities become those that engines give: uid 0
 * has all of the bounding set, others none. -ERANGE if the ids are not mapped.
 */
int ns_cred_set_user(struct ns_cred *c, const struct ns_user *u, struct err *e) _must_check_;

/* A set of capabilities by their names: one, or several with commas; any case, with or without "cap_"; "all". -EINVAL. */
int ns_caps_parse(const char *names, uint64_t *ret, struct err *e) _must_check_;

/*
 * Add or take the capabilities of a set. Adding goes to the bounding set as well, and for a uid
 * other than 0 to the inheritable and ambient sets. After ns_cred_set_user().
 */
void ns_cred_add_caps(struct ns_cred *c, uint64_t caps);
void ns_cred_drop_caps(struct ns_cred *c, uint64_t caps);

/* May root of the container trace a process of ours that still has the caller's rights? */
bool ns_cred_may_trace(const struct ns_cred *c);

/* All capabilities that this kernel knows, as a set. */
uint64_t ns_caps_all(void);
#define NS_CAP_NAME_MAX 64
/* The name of the capability with number @cap, such as "sys_ptrace"; its number if it has none. */
void ns_cap_name(int cap, char ret[NS_CAP_NAME_MAX]);

/*
 * ns_cred_prepare() - First half, in the child, before it enters any namespace.
 *
 * Raises hard limits up to the target's (soft limits stay as they are), sets
 * oom_score_adj and, where the caller may, the supplementary groups. @proc is a
 * descriptor of the host's /proc. Lack of rights goes to @report, which is
 * passed on to the second half.
 * Mustn't be called by a process that lives on as something else, or that
 * shares its memory with one (vfork).
 */
void ns_cred_prepare(const struct ns_cred *c, int proc, struct ns_cred_report *report);

/*
 * ns_cred_apply() - Second half, in the child, inside all namespaces, with its full rights there.
 *
 * @proc as above, opened before the namespaces were entered. After it the
 * process has the uid, gid, groups, umask, limits, label (for the next execve)
 * and no_new_privs of @c, and the sets from which execve() makes its
 * capabilities; it is not dumpable until then. The kernel has cleared the
 * parent-death signal. Mustn't be followed by anything but ns_seccomp_install() and execve().
 */
int ns_cred_apply(const struct ns_cred *c, int proc, struct ns_cred_report *report, struct err *e)
	_must_check_;

/*
 * ns_cred_report_text() - What @report lists, such as "limits nofile, nproc; oom_score_adj".
 *
 * Return: false and "" if there is nothing to report.
 */
bool ns_cred_report_text(const struct ns_cred_report *report, char *buf, size_t size);

#endif
