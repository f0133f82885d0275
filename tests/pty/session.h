/* SPDX-License-Identifier: MIT */
/* session.h - a command in a session of its own behind the relay, and nothing else around it. */
#ifndef TESTS_PTY_SESSION_H
#define TESTS_PTY_SESSION_H

#include "relay.h"

/* With descriptors 0 to 2 of this process. Returns the exit code. */
int session_run(enum pty_mode mode, const char *const *argv);

#endif
