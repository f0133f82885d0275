/* SPDX-License-Identifier: MIT */
/* try.c - the relay by hand: pty-try [-t|-T] COMMAND... */
#include <string.h>
#include <unistd.h>

#include "session.h"
#include "start.h"

int main(int argc, char **argv)
{
	enum pty_mode mode = PTY_AUTO;
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "-t"))
			mode = PTY_ALWAYS;
		else if (!strcmp(argv[i], "-T"))
			mode = PTY_NEVER;
	}
	if (i >= argc || start_program() < 0)
		return PTY_EXIT_FAILED;
	return session_run(mode, (const char *const *)argv + i);
}
