/* SPDX-License-Identifier: MIT */
/* nsid.h - the namespaces of a process: descriptors to join them, numbers to tell them apart. */
#ifndef PROC_NSID_H
#define PROC_NSID_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "pidfd.h"

enum ns_kind {
	NS_USER,
	NS_PID,
	NS_NET,
	NS_UTS,
	NS_IPC,
	NS_TIME,
	NS_CGROUP,
	NS_MNT,
	NS_KINDS
};

struct ns_desc {
	const char *name; /* of the file in /proc/PID/ns */
	int flag;         /* CLONE_NEW* */
};
extern const struct ns_desc ns_desc[NS_KINDS];

struct ns_set {
	int fd[NS_KINDS];       /* -1 if the kernel has no such namespace (time: Linux 5.6) */
	uint64_t ino[NS_KINDS]; /* what readlink shows in brackets */
	bool ours[NS_KINDS];    /* the caller is in it already */
};

#define NS_SET_INIT                                      \
	{                                                \
		.fd = { -1, -1, -1, -1, -1, -1, -1, -1 } \
	}

/* Return: 0; -EACCES if the process is another user's; @e says it. */
int ns_set_open(const struct pid_ref *p, struct ns_set *ret, struct err *e) _must_check_;
void ns_set_close(struct ns_set *s);

/* The inode number of the namespace @kind of the process whose /proc directory is @procfd. */
int ns_ino(int procfd, enum ns_kind kind, uint64_t *ret) _must_check_;

#endif
