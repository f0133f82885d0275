/* SPDX-License-Identifier: MIT */
/*
 * ctr.h - who is container X: the containers of every engine on this host.
 *
 * Theory of operation
 *
 * Each engine has one file and one struct engine_ops (engine.h). No engine's
 * command line tool is run: state files, sockets and /proc tell. ctr_list()
 * asks all engines and skips what is not installed or not readable;
 * ctr_resolve() turns what the user typed into one running container:
 *
 *	1234		the process with that pid
 *	docker:web	engine and name, id, or a unique prefix (>= 3 characters) of a hexadecimal id
 *	web		the same, of any engine; several matches are an error that lists them
 *	process:nginx	a process by name, when it is the only one (with its children not counted)
 *	self		the caller
 *
 * Where a name is unique only within something (a containerd or Kubernetes
 * namespace, a user's own containers), that stands before it: "team/web",
 * "kube-system/dns/sidecar". An exact name or id wins over an id's prefix.
 * Engines at unusual places (other state directories than the default) are
 * looked for only when no usual place knows the name.
 *
 * All strings may come from a hostile container's labels; whoever prints them
 * goes through the terminal-safe printers.
 */
#ifndef CTR_CTR_H
#define CTR_CTR_H

#include <stddef.h>
#include <sys/types.h>

#include "err.h"
#include "pidfd.h"

enum ctr_state {
	CTR_RUNNING,
	CTR_PAUSED,
	CTR_STOPPED
};

struct ctr {
	const char *engine; /* static: "docker", "podman", ... */
	char *id;           /* the engine's own, full */
	char *name;         /* what its users call it; never NULL */
	char *scope;        /* what the name is unique in: a namespace, a user; or NULL */
	char *image;        /* NULL if the engine knows none */
	char *oci_config;   /* path of the OCI runtime configuration (config.json), or NULL */
	pid_t pid;          /* first process, in our pid namespace; 0 unless running or paused */
	enum ctr_state state;
};

#define CTR_SKIPPED_MAX 4

struct ctr_list {
	struct ctr *v;
	size_t n, room;
	/* Why engines that are there could not be asked; whoever lists should say so. */
	struct err skipped[CTR_SKIPPED_MAX];
	size_t nskipped;
};

struct scan;

/*
 * Where to look. Tests point @root at a tree of fixtures; otherwise it is "".
 * Everything is borrowed.
 */
struct ctr_env {
	const char *root;        /* stands before every absolute path that an engine opens */
	const char *docker_host; /* $DOCKER_HOST or NULL */
	const char *runtime_dir; /* $XDG_RUNTIME_DIR or NULL */
	const char *home;        /* $HOME or NULL */
	const char *data_home;   /* $XDG_DATA_HOME or NULL */
	uid_t uid;               /* of the caller */
	struct scan *scan; /* of /proc, shared by the engines of one call; NULL: each has its own */
};
void ctr_env_init(struct ctr_env *env);

/* Append the running and paused containers of all engines, sorted by engine and name. */
int ctr_list(const struct ctr_env *env, struct ctr_list *l, struct err *e) _must_check_;
/* The same with the stopped ones. */
int ctr_list_all(const struct ctr_env *env, struct ctr_list *l, struct err *e) _must_check_;

/*
 * ctr_resolve() - The one container that @target names; the caller's to ctr_fini().
 *
 * Return: 0; -ENOENT none, with a hint; -ENOTUNIQ several, which @e lists;
 *	   -EHOSTDOWN it is there, but stopped; -ESRCH a pid without a process.
 */
int ctr_resolve(const struct ctr_env *env, const char *target, struct ctr *ret, struct err *e)
	_must_check_;

/*
 * ctr_open() - ctr_resolve(), and hold the process that it means.
 *
 * Return: 0, *@ret and *@ret_ref, the caller's; as ctr_resolve(); -ESRCH if it has ended meanwhile,
 *	   whether its pid has a new owner or not.
 */
int ctr_open(const struct ctr_env *env, const char *target, struct ctr *ret,
	     struct pid_ref *ret_ref, struct err *e) _must_check_;

void ctr_fini(struct ctr *c);
#define _cleanup_ctr_ _cleanup_(ctr_fini)
void ctr_list_fini(struct ctr_list *l);
#define _cleanup_ctr_list_ _cleanup_(ctr_list_fini)

/* Move @c into the list; @c is left empty either way. -ENOMEM. */
int ctr_list_add(struct ctr_list *l, struct ctr *c) _must_check_;

#endif
