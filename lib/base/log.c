/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "text.h"

#define LINES_PER_SECOND 10
#define NS_PER_S         1000000000ULL

/* Set once by log_init(), before any thread or fork. */
static struct {
	const char *program;
	const char *spec; /* the environment's string, or NULL */
	enum log_level level;
} conf = { .program = "dvs", .level = LOG_WARN };

static const char *const level_name[] = {
	[LOG_ERROR] = "error", [LOG_WARN] = "warn",   [LOG_INFO] = "info",
	[LOG_DEBUG] = "debug", [LOG_TRACE] = "trace",
};

static int level_parse(const char *s, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(level_name); i++)
		if (strlen(level_name[i]) == len && !memcmp(level_name[i], s, len))
			return (int)i;
	return -1;
}

/* Find the level of @module in "info,ns=trace"; NULL asks for the bare one. */
static int spec_level(const char *spec, const char *module)
{
	int found = -1;

	while (spec && *spec) {
		size_t len = strcspn(spec, ",");
		const char *eq = memchr(spec, '=', len);

		if (!eq && !module)
			found = level_parse(spec, len);
		if (eq && module && strlen(module) == (size_t)(eq - spec) &&
		    !memcmp(module, spec, (size_t)(eq - spec)))
			return level_parse(eq + 1, len - (size_t)(eq - spec) - 1);
		spec += len + (spec[len] == ',');
	}
	return found;
}

static bool is_meant(const char *word, size_t len)
{
	const char *eq = memchr(word, '=', len);
	size_t skip = eq ? (size_t)(eq - word) + 1 : 0;

	return !len || level_parse(word + skip, len - skip) >= 0;
}

/* Programs that we start, ourselves again among them, read the rest: it is said once. */
static void drop_odd_words(const char *env)
{
	const char *spec = getenv(env);
	char *rest = spec ? strdup(spec) : NULL, *p = rest;
	bool odd = false;

	if (!p)
		return;
	while (*p) {
		size_t len = strcspn(p, ","), next = len + (p[len] == ',');

		if (is_meant(p, len)) {
			p += next;
			continue;
		}
		log_warn(
			"%s: '%.*s' is no log level; there are error, warn, info, debug, trace, and MODULE=LEVEL",
			env, (int)(len > 40 ? 40 : len), p);
		memmove(p, p + next, strlen(p + next) + 1);
		odd = true;
	}
	if (odd)
		(void)setenv(env, rest, 1);
	free(rest);
}

void log_init(const char *program, const char *env, bool verbose)
{
	int level;

	conf.program = program;
	drop_odd_words(env);
	conf.spec = getenv(env);
	level = spec_level(conf.spec, NULL);
	conf.level = level >= 0 ? (enum log_level)level : verbose ? LOG_INFO : LOG_WARN;
}

bool log_on(const char *module, enum log_level level)
{
	int own = conf.spec ? spec_level(conf.spec, module) : -1;

	return level <= (own >= 0 ? (enum log_level)own : conf.level);
}

/* What is printed may come from a container or a guest: nothing that a terminal acts on, or does not show, reaches it. */
static void defang(char *s)
{
	for (size_t len = strlen(s), n; len; s += n, len -= n) {
		uint32_t c;

		n = text_decode(s, len, &c);
		if (n && !text_invisible(c))
			continue;
		n = n ? n : 1;
		memset(s, '?', n);
	}
}

void log_line(const char *module, enum log_level level, const char *fmt, ...)
{
	int saved = errno, n, m;
	char line[512];
	va_list ap;

	if (level <= LOG_WARN)
		n = snprintf(line, sizeof(line), "%s: %s", conf.program,
			     level == LOG_WARN ? "warning: " : "");
	else
		n = snprintf(line, sizeof(line), "%s: %s: ", conf.program, module);
	va_start(ap, fmt);
	m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	if (m < 0)
		return;
	defang(line);
	n = (int)strlen(line);
	line[n++] = '\n';
	(void)!write(STDERR_FILENO, line, (size_t)n);
	errno = saved;
}

bool log_allowed(struct log_limit *limit)
{
	struct timespec ts;
	uint64_t now;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
	if (now - limit->window_ns >= NS_PER_S)
		*limit = (struct log_limit){ .window_ns = now };
	return limit->count++ < LINES_PER_SECOND;
}
