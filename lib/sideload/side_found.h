/* SPDX-License-Identifier: MIT */
/*
 * side_found.h - what vmsh has in a hypervisor, and who is there: told by /proc alone, with nobody stopped.
 *
 * Theory of operation
 *
 * The memory that a hypervisor is made to map has a name with the layout of what is in it, the machine's descriptor and the doorbell's id in it.
 * Who is attached, and the guard, hold locks on it (fcntl(2)), which end with them, however they end, and which the guest
 * can't reach; /proc/locks has them. So memory without a lock was left behind. A reader in another pid namespace
 * than theirs does not see their locks.
 */
#ifndef SIDELOAD_SIDE_FOUND_H
#define SIDELOAD_SIDE_FOUND_H

#include <stddef.h>
#include <stdint.h>

#include "pidfd.h"

#define SIDE_FOUND_MAX 32 /* there are not as many memory slots for more */
#define SIDE_NAME_MAX  40

/* Who holds a lock: the byte that it is on. */
enum side_holder {
	SIDE_OWNER, /* who wanted it, and is attached */
	SIDE_GUARD,
	SIDE_HOLDERS
};

struct side_one {
	uint64_t start, end;        /* of the mapping */
	uint64_t layout;            /* SIDE_LAYOUT; 0 of a build before there were any */
	int vmfd;                   /* -1: it does not say */
	int64_t door;               /* the id of the doorbell's eventfd there; -1: there is none */
	char file[48];              /* "DEVICE INODE", as the kernel prints it */
	pid_t holder[SIDE_HOLDERS]; /* 0: not there */
};

struct side_found {
	struct side_one v[SIDE_FOUND_MAX];
	size_t n;
};

/* The name of a new one, whose doorbell is the eventfd @door; -1: none. */
void side_found_name(int vmfd, int64_t door, char ret[SIDE_NAME_MAX]);

/* Hold the lock of memory @fd, until any descriptor of it is closed by this process. Return: 0; -errno. */
int side_found_hold(int fd, enum side_holder who) _must_check_;

/* What is in the process @hypervisor of its machine @vmfd. Return: 0; -EACCES; -errno. */
int side_found_read(const struct pid_ref *hypervisor, int vmfd, struct side_found *ret)
	_must_check_;

/* The parts of it: from the text of /proc/PID/maps; and who is there, from that of /proc/locks. */
void side_found_maps(const char *maps, size_t len, int vmfd, struct side_found *ret);
void side_found_locks(const char *locks, size_t len, struct side_found *f);

/* Who is there: the owner, or the guard that undoes what it left. 0: nobody, it was left behind. */
pid_t side_found_who(const struct side_one *o);

/*
 * side_found_end() - End the session that has @o, of somebody else: its guard undoes what there is of it, its owner hears of the end.
 *
 * If only the owner is left, it is killed. Return: 0 they are gone, or do no more; -EBUSY the guest does not let go;
 * -EPERM who is said to hold it does not map it, or is another user's than ours or root; -errno.
 */
int side_found_end(const struct pid_ref *hypervisor, const struct side_one *o, struct err *e)
	_must_check_;

#endif
