/* SPDX-License-Identifier: MIT */
/*
 * storage.h - containers-storage: where podman and CRI-O keep containers. Private to lib/ctr.
 *
 * Theory of operation
 *
 * A store is a pair of directories: the graph root, which stays, and the run
 * root, which goes with the next boot. Both have DRIVER-containers/ID/userdata
 * for each container. root's store is named by storage.conf; a user's is below
 * the home directory and the runtime directory. Root sees the stores of all
 * users in /etc/passwd, and what stands there is believed only about processes
 * of that user.
 */
#ifndef CTR_STORAGE_H
#define CTR_STORAGE_H

#include "host.h"

struct store {
	char graph[PATH_MAX], run[PATH_MAX]; /* with the root in them */
	char runtimes[PATH_MAX];             /* where runc and crun have their roots, without it */
	uid_t owner;                         /* TASK_ANY_OWNER for root's */
	const char *user;                    /* name of another user than the caller, or NULL */
};

/* Return: 0, or -errno to end. */
typedef int (*store_fn)(const struct store *s, void *arg);

/* root's store. */
int store_system(const struct ctr_env *env, struct store *ret) _must_check_;
/* Call @fn for each store that the caller can see. */
int stores_each(const struct ctr_env *env, store_fn fn, void *arg) _must_check_;

/* Call @fn with each directory DIR/DRIVER-containers. 0 if @dir is not there; -EACCES. */
typedef int (*driver_fn)(const char *dir, const char *driver, void *arg);
int store_drivers(const char *dir, driver_fn fn, void *arg) _must_check_;

#endif
