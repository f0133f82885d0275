/* SPDX-License-Identifier: MIT */
#include "oci.h"

#include <errno.h>
#include <string.h>

#include "cursor.h"
#include "task.h"

#define PID_MAX    (1 << 22)
#define LABELS_MAX 1024

/* An integer, or a string of digits as runc wrote before 1.0. */
static uint64_t number(struct json_object *o, const char *key)
{
	const char *s = json_str(o, key);
	int64_t v;
	uint64_t u;

	if (s)
		return span_u64((struct span){ s, strlen(s) }, 10, &u) < 0 ? 0 : u;
	return json_int(o, key, &v) < 0 || v < 0 ? 0 : (uint64_t)v;
}

static const char *label_bundle(struct json_object *labels)
{
	for (size_t i = 0; i < json_len(labels) && i < LABELS_MAX; i++) {
		struct json_object *v = json_at(labels, i);
		const char *s = json_object_is_type(v, json_type_string) ? json_object_get_string(v)
									 : NULL;

		if (s && !strncmp(s, "bundle=", 7))
			return s + 7;
	}
	return NULL;
}

int oci_state_parse(struct json_object *o, struct oci_state *ret)
{
	_cleanup_oci_state_ struct oci_state s = { 0 };
	const char *bundle = json_str(o, "bundle");
	uint64_t pid;

	if (json_get(o, "init_process_pid")) {
		pid = number(o, "init_process_pid");
		s.start = number(o, "init_process_start");
		bundle = label_bundle(json_path(o, "config.labels"));
	} else if (json_get(o, "process-start-time")) {
		pid = number(o, "pid");
		s.start = number(o, "process-start-time");
	} else if (json_str(o, "ociVersion") && json_str(o, "status")) {
		pid = number(o, "pid");
	} else {
		return -EPROTO;
	}
	if (pid > PID_MAX)
		return -EPROTO;
	s.pid = (pid_t)pid;
	if (ctr_str_set(&s.id, json_str(o, "id")) < 0)
		return -ENOMEM;
	if (bundle && bundle[0] == '/' && ctr_str_set(&s.bundle, bundle) < 0)
		return -ENOMEM;
	*ret = s;
	s = (struct oci_state){ 0 };
	return 0;
}

int oci_state_read(const char *dir, struct oci_state *ret)
{
	static const char *const files[] = { "state.json", "status" };
	int r = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(files) && r == -ENOENT; i++) {
		_cleanup_json_ struct json_object *o = NULL;
		char path[PATH_MAX];
		uint64_t written;

		if (snprintf(path, sizeof(path), "%s/%s", dir, files[i]) >= (int)sizeof(path))
			return -ENAMETOOLONG;
		r = host_read_json(path, &o, &written);
		if (r < 0)
			continue;
		r = oci_state_parse(o, ret);
		if (!r)
			ret->written_ns = written;
	}
	return r;
}

void oci_state_fini(struct oci_state *s)
{
	free(s->id);
	free(s->bundle);
	*s = (struct oci_state){ 0 };
}

int oci_state_find(const struct ctr_env *env, const char *run, const char *id,
		   struct oci_state *ret)
{
	static const char *const runtimes[] = { "crun", "runc", "youki" };

	for (size_t i = 0; i < ARRAY_SIZE(runtimes); i++) {
		char dir[PATH_MAX];

		if (host_path(env, dir, "%s/%s/%s", run, runtimes[i], id) < 0)
			return -ENAMETOOLONG;
		if (oci_state_read(dir, ret) == 0)
			return 0;
	}
	return -ENOENT;
}

const char *oci_annotation(struct json_object *config, const char *key)
{
	struct json_object *v = json_get(json_get(config, "annotations"), key);

	return json_object_is_type(v, json_type_string) ? json_object_get_string(v) : NULL;
}

pid_t oci_pidfile(const char *path, uint64_t *ret_written_ns)
{
	_cleanup_free_ char *text = NULL;
	pid_t pid;

	if (host_read(path, &text, NULL, ret_written_ns) < 0 || task_pid_parse(text, &pid) < 0)
		return 0;
	return pid;
}

void oci_set_live(const struct ctr_env *env, struct ctr *c, const struct task_claim *claim)
{
	c->pid = 0;
	c->state = CTR_STOPPED;
	if (!claim->pid || task_check(env, claim) < 0)
		return;
	c->pid = claim->pid;
	c->state = task_frozen(env, claim->pid) ? CTR_PAUSED : CTR_RUNNING;
}
