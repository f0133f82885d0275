/* SPDX-License-Identifier: MIT */
/* cmd_dmesg.c - vmsh dmesg: the log of a machine's kernel. */
#include <errno.h>
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

static struct json_object *to_json(const struct klog_record *k, const char *text)
{
	struct json_object *o = json_object_new_object();

	json_add_int(o, "seq", (int64_t)k->seq);
	json_add_int(o, "time_ns", (int64_t)k->time_ns);
	json_add_int(o, "facility", k->facility);
	json_add_int(o, "level", k->level);
	json_add_str(o, "text", text);
	return o;
}

/* A log may have a million records: each is printed before the next is read. Return: as klog_next(); > 0 they can't be printed. */
static int print_records(const struct target *t, struct json_stream *array)
{
	struct klog_iter i = { 0 };
	struct klog_record k;
	int r;

	while ((r = klog_next(&t->vm.guest, &i, &k)) == 1) {
		_cleanup_free_ char *text = strndup(k.text, k.len);

		if (!text)
			return 1;
		if (!t->json)
			print_record(&k, text);
		else if (json_stream_add(array, to_json(&k, text)) < 0)
			return 1;
		if (ferror(stdout))
			return 1;
	}
	return r;
}

int cmd_dmesg(struct opt_parser *p)
{
	_cleanup_target_ struct target t = TARGET_INIT;
	struct json_stream array = { .f = stdout };
	int r = target_open(p, RB_DESC_COUNT_BITS, &t), printed = 0;

	if (r)
		return r;
	r = print_records(&t, &array);
	if (t.json)
		printed = json_stream_end(&array);
	if (printed < 0 || r > 0)
		return target_printed(printed < 0 ? printed : ferror(stdout) ? 0 : -ENOMEM);
	return target_end(r, "log records");
}
