/* SPDX-License-Identifier: MIT */
/*
 * pause.c - the only program of a slim image: waits for SIGTERM, reaps, does nothing else.
 *
 * Built static for the scratch image and dynamic for the distroless one.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void on_term(int sig)
{
	(void)sig;
	_exit(0);
}

int main(void)
{
	struct sigaction reap = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };

	if (sigaction(SIGCHLD, &reap, NULL) || signal(SIGTERM, on_term) == SIG_ERR) {
		perror("pause");
		return EXIT_FAILURE;
	}
	for (;;)
		pause();
}
