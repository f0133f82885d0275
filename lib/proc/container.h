/* SPDX-License-Identifier: MIT */
/*
 * container.h - the first process of a container, by what anybody on its host can read: for a guest, where nobody asks engines.
 *
 * Theory of operation
 *
 * A process is in a container NAME if its mount namespace is not that of pid 1, and a component of the path
 * of one of its cgroups is NAME, or NAME as an engine writes it: docker-ID.scope, libpod-ID.scope, crio-ID.scope,
 * cri-containerd-ID.scope, lxc.payload.NAME, machine-NAME.scope, systemd-nspawn@NAME.service. NAME alone, if it
 * is no id, must be the last component, and not within a container; or be directly below "lxc". Of a hexadecimal
 * id the first characters are enough. For engines that name their cgroups by ids alone, names are looked up in what they write down:
 *
 *	docker				/var/lib/docker/containers/ID/config.v2.json
 *	podman				/var/lib/containers/storage/DRIVER-containers/containers.json
 *	containerd: Kubernetes, nerdctl	/run/containerd/io.containerd.runtime.v2.task/NAMESPACE/ID/config.json
 *
 * There a container of Kubernetes may be called POD/CONTAINER as well. The one that began first of such processes is the first.
 * (lib/ctr, for the host, knows more, and needs more.)
 */
#ifndef PROC_CONTAINER_H
#define PROC_CONTAINER_H

#include <stdbool.h>
#include <sys/types.h>

#include "cursor.h"
#include "err.h"

#define CONTAINER_ID_LEAST 3 /* characters of an id that will do */

/*
 * container_find() - The first process of the container @name.
 *
 * @procfd: /proc of all processes. @rootfd: the root that the files above are in.
 * Return: 0; -ENOENT there is none; -ENOTUNIQ several, and @e names them; -EINVAL it can't be a name; -errno.
 */
int container_find(int procfd, int rootfd, const char *name, pid_t *ret, struct err *e)
	_must_check_;

enum container_match {
	CONTAINER_NO,
	CONTAINER_BY_PREFIX, /* of its id */
	CONTAINER_BY_NAME
};

/*
 * container_match() - Is the cgroup @path the one of the container @name, or within it?
 *
 * Then @ret_which is what tells it from others of that name, of the last component that says so: its id, or the path up to there.
 */
enum container_match container_match(struct span path, const char *name, struct span *ret_which);

/* Has the JSON @text a member "@key" that is the string @value, in whatever object? No parser: neither has a character to escape. */
bool container_json_has(struct span text, const char *key, const char *value);

#endif
