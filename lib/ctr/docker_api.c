/* SPDX-License-Identifier: MIT */
#include "docker.h"

#include <errno.h>
#include <string.h>

#include "http.h"
#include "task.h"

/* A name as docker accepts it ([a-zA-Z0-9][a-zA-Z0-9_.-]+): nothing in it needs escaping in a URL. */
static bool is_name(const char *s)
{
	static const char ok[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	return s[0] && s[0] != '.' && strlen(s) < 256 && !s[strspn(s, ok)];
}

int docker_parse_inspect(struct json_object *o, struct ctr *ret)
{
	_cleanup_ctr_ struct ctr c = { .engine = engine_docker.name, .state = CTR_STOPPED };
	const char *id = json_str(o, "Id"), *name = json_str(o, "Name");
	int64_t pid;

	if (!id || !id[0] || !name)
		return -EPROTO;
	name += name[0] == '/';
	if (!name[0] || strchr(id, '/'))
		return -EPROTO;
	if (ctr_str_set(&c.id, id) < 0 || ctr_str_set(&c.name, name) < 0 ||
	    ctr_str_set(&c.image, json_str(o, "Config.Image")) < 0)
		return -ENOMEM;
	if (json_flag(o, "State.Running") && json_int(o, "State.Pid", &pid) == 0 && pid > 0 &&
	    pid <= INT32_MAX) {
		c.pid = (pid_t)pid;
		c.state = json_flag(o, "State.Paused") ? CTR_PAUSED : CTR_RUNNING;
	}
	*ret = c;
	c = (struct ctr){ 0 };
	return 0;
}

/* 0 and *@ret; -ENOENT for status 404; -EAGAIN for an answer that is neither. */
static int get_json(int fd, const char *target, bool *ret_close, struct json_object **ret)
{
	_cleanup_http_response_ struct http_response resp = { 0 };
	int r = http_get(fd, target, ENGINE_TIMEOUT_NS, ENGINE_FILE_MAX, &resp);

	if (r < 0)
		return r;
	*ret_close = resp.close;
	if (resp.status == 404)
		return -ENOENT;
	if (resp.status != 200)
		return -EAGAIN;
	return json_parse(resp.body, resp.len, ret, NULL);
}

static int inspect(const struct ctr_env *env, int fd, const char *ref, bool *ret_close,
		   struct ctr_list *l)
{
	_cleanup_json_ struct json_object *o = NULL;
	_cleanup_ctr_ struct ctr c = { 0 };
	struct proc_stat t;
	char target[320];
	int r;

	(void)snprintf(target, sizeof(target), "/containers/%s/json", ref);
	r = get_json(fd, target, ret_close, &o);
	if (!r)
		r = docker_parse_inspect(o, &c);
	if (r < 0)
		return r;
	/* It may have ended since; what the daemon says of a zombie it will soon know better. */
	if (c.pid && task_stat(env, c.pid, &t) < 0) {
		c.pid = 0;
		c.state = CTR_STOPPED;
	}
	r = docker_set_bundle(env, &c);
	return r < 0 ? r : ctr_list_add(l, &c);
}

/* What the list says of one container is enough if it does not run. */
static int add_stopped(struct json_object *o, struct ctr_list *l)
{
	_cleanup_ctr_ struct ctr c = { .engine = engine_docker.name, .state = CTR_STOPPED };
	struct json_object *first = json_at(json_get(o, "Names"), 0);
	const char *name = json_object_is_type(first, json_type_string)
				   ? json_object_get_string(first)
				   : json_str(o, "Id");

	name += name[0] == '/';
	if (ctr_str_set(&c.id, json_str(o, "Id")) < 0 || ctr_str_set(&c.name, name) < 0 ||
	    ctr_str_set(&c.image, json_str(o, "Image")) < 0)
		return -ENOMEM;
	return ctr_list_add(l, &c);
}

/* The list has no pids: those that run are asked for one by one, over the same connection. */
static int list_all(const struct ctr_env *env, const char *sock, int *fd, struct ctr_list *l)
{
	_cleanup_json_ struct json_object *all = NULL;
	bool closed = false;
	int r = get_json(*fd, "/containers/json?all=1", &closed, &all);

	if (!r && !json_object_is_type(all, json_type_array))
		r = -EPROTO;
	for (size_t i = 0; !r && i < json_len(all) && i < ENGINE_CONTAINERS_MAX; i++) {
		struct json_object *o = json_at(all, i);
		const char *id = json_str(o, "Id"), *state = json_str(o, "State");

		if (!id || !is_name(id))
			return -EPROTO;
		if (state && strcmp(state, "running") != 0 && strcmp(state, "paused") != 0) {
			r = add_stopped(o, l);
			continue;
		}
		if (closed) {
			closep(fd);
			*fd = http_connect(sock, ENGINE_TIMEOUT_NS);
			if (*fd < 0)
				return *fd;
		}
		r = inspect(env, *fd, id, &closed, l);
		if (r == -ENOENT)
			r = 0; /* removed since the list was made */
	}
	return r;
}

int docker_api(const struct ctr_env *env, const char *sock, const char *ref, struct ctr_list *l)
{
	_cleanup_close_ int fd = -1;
	bool closed = false;
	int r;

	if (ref && !is_name(ref))
		return 0;
	fd = http_connect(sock, ENGINE_TIMEOUT_NS);
	if (fd < 0)
		return fd;
	if (!ref)
		return list_all(env, sock, &fd, l);
	r = inspect(env, fd, ref, &closed, l);
	if (r != -EAGAIN)
		return r == -ENOENT ? 0 : r;
	/* Neither there nor not: the prefix of several ids. */
	closep(&fd);
	fd = http_connect(sock, ENGINE_TIMEOUT_NS);
	return fd < 0 ? fd : list_all(env, sock, &fd, l);
}
