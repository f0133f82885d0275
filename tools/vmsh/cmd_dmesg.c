/* SPDX-License-Identifier: MIT */
/* cmd_dmesg.c - vmsh dmesg: the log of a machine's kernel. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "cmd.h"
#include "json.h"
#include "target.h"
#include "text.h"

const struct opt cmd_dmesg_opts[] = { TARGET_OPTS, { 0 } };

/* Of what a terminal acts on, tabs stay. */
static void print_line(char *line)
{
	char *piece;

	while ((piece = strsep(&line, "\t"))) {
		_cleanup_free_ char *safe = text_safe(piece);

		printf("%s%c", safe ? safe : "?", line ? '\t' : '\n');
	}
}

/* A record may have several lines; each but the first is indented. */
static void print_record(const struct klog_record *k, char *text)
{
	char *line, *rest = text;
	bool first = true;

	while ((line = strsep(&rest, "\n"))) {
		if (first)
			printf("[%5" PRIu64 ".%06" PRIu64 "] ", k->time_ns / 1000000000,
			       k->time_ns % 1000000000 / 1000);
		else
			printf("%15s", "");
		print_line(line);
		first = false;
	}
}

static void add_record(struct json_object *array, const struct klog_record *k, const char *text)
{
	struct json_object *o = json_object_new_object();

	json_add_int(o, "seq", (int64_t)k->seq);
	json_add_int(o, "time_ns", (int64_t)k->time_ns);
	json_add_int(o, "facility", k->facility);
	json_add_int(o, "level", k->level);
	json_add_str(o, "text", text);
	(void)json_object_array_add(array, o);
}

int cmd_dmesg(struct opt_parser *p)
{
	_cleanup_target_ struct target t = TARGET_INIT;
	_cleanup_json_ struct json_object *array = json_object_new_array();
	struct klog_iter i = { 0 };
	struct klog_record k;
	int r = target_open(p, RB_DESC_COUNT_BITS, &t);

	if (r)
		return r;
	while ((r = klog_next(&t.vm.guest, &i, &k)) == 1) {
		_cleanup_free_ char *text = strndup(k.text, k.len);

		if (!text)
			return OPT_EXIT_FAILED;
		if (t.json)
			add_record(array, &k, text);
		else
			print_record(&k, text);
	}
	return target_print(&t, NULL, array, r, "log records");
}
