/* SPDX-License-Identifier: MIT */
/*
 * log.h - lines on standard error for whoever debugs us, and warnings for the user.
 *
 * Theory of operation
 *
 * log_init("CNTR_LOG", verbose) reads a list such as "info,ns=trace": a level
 * for everything, and levels for single modules. A file names its module once,
 * before it includes this header: #define LOG_MODULE "ns". Each line is one
 * write() from a stack buffer: no lock, no heap, safe after fork. log_warn()
 * is for the user: always shown, without module or level, after the program's
 * name. What a peer can trigger goes through log_limited(), at most ten lines
 * a second per place.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

enum log_level {
	LOG_ERROR,
	LOG_WARN,
	LOG_INFO,
	LOG_DEBUG,
	LOG_TRACE
};

/* One per calling place of log_limited(). */
struct log_limit {
	uint64_t window_ns; /* start of the second that is counted */
	unsigned int count;
};

/*
 * @program stands before each line and must outlive the process; @env names the variable. Words in it that say no
 * level are warned of, and taken out of it.
 */
void log_init(const char *program, const char *env, bool verbose);

bool log_on(const char *module, enum log_level level);
void log_line(const char *module, enum log_level level, const char *fmt, ...) _printf_(3, 4);
bool log_allowed(struct log_limit *limit);

#ifndef LOG_MODULE
#define LOG_MODULE "main"
#endif

#define log_at(level, ...)                                          \
	do {                                                        \
		if (unlikely(log_on(LOG_MODULE, (level))))          \
			log_line(LOG_MODULE, (level), __VA_ARGS__); \
	} while (0)

#define log_error(...) log_line(LOG_MODULE, LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_MODULE, LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
#define log_trace(...) log_at(LOG_TRACE, __VA_ARGS__)

#define log_limited(...)                               \
	do {                                           \
		static struct log_limit limit_;        \
		if (log_allowed(&limit_))              \
			log_at(LOG_INFO, __VA_ARGS__); \
	} while (0)

/* The same for what the user should know. */
#define log_warn_limited(...)                   \
	do {                                    \
		static struct log_limit limit_; \
		if (log_allowed(&limit_))       \
			log_warn(__VA_ARGS__);  \
	} while (0)

#endif
