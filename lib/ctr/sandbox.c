/* SPDX-License-Identifier: MIT */
#include "sandbox.h"

#include <errno.h>
#include <string.h>

#define PID_MAX (1 << 22) /* PID_MAX_LIMIT, linux/threads.h */

int bwrap_info_parse(struct json_object *o, struct bwrap_info *ret)
{
	struct bwrap_info v = { 0 };
	int64_t n;

	if (json_int(o, "child-pid", &n) < 0 || n <= 0 || n > PID_MAX)
		return -EPROTO;
	v.child = (pid_t)n;
	if (!json_int(o, "pid-namespace", &n) && n > 0)
		v.pidns = (uint64_t)n;
	*ret = v;
	return 0;
}

static struct span value_of(struct span line, const char *key)
{
	size_t len = strlen(key);

	if (!span_starts(line, key) || line.len <= len || line.p[len] != '=')
		return (struct span){ 0 };
	return span_trim((struct span){ line.p + len + 1, line.len - len - 1 });
}

void flatpak_info_parse(const char *text, size_t len, struct flatpak_info *ret)
{
	struct cursor c = cur_of(text, len);
	bool in_app = false;
	struct span line;

	*ret = (struct flatpak_info){ 0 };
	while (cur_until(&c, '\n', &line) == 1) { /* bounded by @len */
		struct span app = value_of(line, "name"), runtime = value_of(line, "runtime");

		if (span_starts(line, "[")) {
			/* [Runtime] where a runtime is run without an application */
			in_app = span_eq(line, "[Application]") || span_eq(line, "[Runtime]");
			continue;
		}
		if (!in_app)
			continue;
		if (app.len)
			ret->app = app;
		if (!runtime.len)
			continue;
		if (span_starts(runtime, "runtime/"))
			runtime = (struct span){ runtime.p + 8, runtime.len - 8 };
		ret->runtime = runtime;
	}
}

int sandbox_name_parse(const char *ref, pid_t *ret_pid)
{
	const char *dash = strrchr(ref, '-');
	uint64_t pid;

	if (!dash || dash == ref ||
	    span_u64((struct span){ dash + 1, strlen(dash + 1) }, 10, &pid) < 0 || !pid ||
	    pid > PID_MAX)
		return -EINVAL;
	*ret_pid = (pid_t)pid;
	return 0;
}
