/* SPDX-License-Identifier: MIT */
/*
 * oci.h - what OCI runtimes and their bundles leave on disk. Private to lib/ctr.
 *
 * Theory of operation
 *
 * A runtime has a directory per container below its root, with a JSON file:
 *
 *	runc	state.json	"init_process_pid", "init_process_start" (clock ticks),
 *				"config.labels": ["bundle=PATH", ...]
 *	crun	status		"pid", "process-start-time", "bundle"
 *	youki	state.json	"pid", "bundle", "status" (the specification's state, and more)
 *
 * Its bundle is a directory with config.json, the runtime configuration, where
 * engines keep what they know as "annotations".
 */
#ifndef CTR_OCI_H
#define CTR_OCI_H

#include "host.h"

struct oci_state {
	pid_t pid;      /* 0: it says that there is no process */
	uint64_t start; /* clock ticks since boot; 0 if unknown */
	char *id;       /* NULL if it says none */
	char *bundle;   /* absolute path, or NULL */
	uint64_t written_ns;
};

/* Return: 0; -EPROTO if it is none of the three; -ENOMEM. */
int oci_state_parse(struct json_object *o, struct oci_state *ret) _must_check_;

/* The state in the directory @dir of one container (with the root in it). -ENOENT if there is none. */
int oci_state_read(const char *dir, struct oci_state *ret) _must_check_;
void oci_state_fini(struct oci_state *s);
#define _cleanup_oci_state_ _cleanup_(oci_state_fini)

/*
 * oci_state_find() - The state of @id in the roots of runc, crun and youki below @run ("/run").
 *
 * Return: 0; -ENOENT.
 */
int oci_state_find(const struct ctr_env *env, const char *run, const char *id,
		   struct oci_state *ret) _must_check_;

/* The annotation @key of a configuration, borrowed, or NULL. */
const char *oci_annotation(struct json_object *config, const char *key);

/* The process id in the file @path, 0 if there is none or the text is no pid. */
pid_t oci_pidfile(const char *path, uint64_t *ret_written_ns);

/*
 * oci_set_live() - Set @c's pid and state from a claim that has been made about its process.
 *
 * A claim that does not hold means that the container is stopped.
 */
struct task_claim;
void oci_set_live(const struct ctr_env *env, struct ctr *c, const struct task_claim *claim);

#endif
