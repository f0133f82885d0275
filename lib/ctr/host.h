/* SPDX-License-Identifier: MIT */
/*
 * host.h - files and directories of the host, below the root that ctr_env names. Private to lib/ctr.
 *
 * Theory of operation
 *
 * A state directory may belong to an unprivileged user who knows that root
 * will read it. So a file is first opened with O_PATH, which has no effect on
 * devices and FIFOs, and read only if it turns out to be a regular one; sizes
 * and numbers of entries are bounded. What a file says about a pid is checked
 * by task.h.
 */
#ifndef CTR_HOST_H
#define CTR_HOST_H

#include <limits.h>
#include <stdint.h>

#include "cleanup.h"
#include "engine.h"
#include "json.h"

/* An absolute path @fmt below @env's root into @ret[PATH_MAX]. Return: 0, -ENAMETOOLONG. */
int host_path(const struct ctr_env *env, char *ret, const char *fmt, ...) _printf_(3, 4)
	_must_check_;

/*
 * host_read() - The regular file @path (with the root in it already) as text, at most ENGINE_FILE_MAX.
 *
 * @ret_written_ns (may be NULL) is its time of modification on CLOCK_REALTIME.
 * Return: 0; -EINVAL if it is no regular file; another -errno.
 */
int host_read(const char *path, char **ret, size_t *ret_len, uint64_t *ret_written_ns) _must_check_;
int host_read_json(const char *path, struct json_object **ret, uint64_t *ret_written_ns)
	_must_check_;

/*
 * host_conf_value() - The value of the first line KEY = "VALUE" (TOML) of the file @path, unquoted.
 *
 * Sections are not looked at: it is for keys that a file has once.
 * Return: 0, *@ret is the caller's to free; -ENOENT if there is none; another -errno.
 */
int host_conf_value(const char *path, const char *key, char **ret) _must_check_;

/* May the caller read @path? */
bool host_readable(const char *path);
/* Is @path a directory that the caller can list? 0, -ENOENT, -EACCES, ... */
int host_dir_check(const char *path) _must_check_;

struct host_dir {
	DIR *d;
	size_t left; /* entries that we still take */
};
#define HOST_DIR_INIT     \
	{                 \
		.d = NULL \
	}
int host_dir_open(const char *path, struct host_dir *ret) _must_check_;
/* The next entry, those that begin with a dot left out; borrowed until the next call. NULL: no more. */
const char *host_dir_next(struct host_dir *d);
void host_dir_close(struct host_dir *d);
#define _cleanup_host_dir_ _cleanup_(host_dir_close)

/* Distinct directories, owned. */
struct host_places {
	char *v[ENGINE_PLACES_MAX];
	size_t n;
};
/* Add a copy of @path unless it is there, or the set is full. -ENOMEM. */
int host_places_add(struct host_places *p, const char *path) _must_check_;
void host_places_fini(struct host_places *p);
#define _cleanup_host_places_ _cleanup_(host_places_fini)

#endif
