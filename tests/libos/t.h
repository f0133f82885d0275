/* SPDX-License-Identifier: MIT */
/* t.h - what the test programs for the library OS share: a case fails with a sentence. */
#ifndef TESTS_LIBOS_T_H
#define TESTS_LIBOS_T_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                            \
	do {                                                                        \
		if (!(condition)) {                                                 \
			printf("FAIL %s:%d: %s\n", __FILE__, __LINE__, #condition); \
			exit(1);                                                    \
		}                                                                   \
	} while (0)

struct t_case {
	const char *name;
	void (*run)(void);
};

/*
 * Runs all, or the one named in argv[1]; prints "ok NAME" for each; exits 1 at the first failure.
 */
static inline int t_main(int argc, char **argv, const struct t_case *cases)
{
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	for (; cases->name; cases++) {
		if (argc > 1 && strcmp(argv[1], cases->name) != 0)
			continue;
		cases->run();
		printf("ok %s\n", cases->name);
	}
	return 0;
}

#endif
