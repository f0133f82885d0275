/* SPDX-License-Identifier: MIT */
#include "vu_relay.h"

#include <errno.h>
#include <poll.h>

#include "vu_sock.h"

int vu_relay(int front, int back, struct err *e)
{
	struct pollfd p[2] = { { .fd = front, .events = POLLIN },
			       { .fd = back, .events = POLLIN } };

	for (;;) {
		if (poll(p, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			return err_set(e, errno, "waiting for messages: %s", err_str(errno));
		}
		for (int i = 0; i < 2; i++) {
			int r = p[i].revents ? vu_sock_pass(p[i].fd, p[!i].fd) : 1;

			if (!r)
				return i;
			if (r == -EPIPE || r == -ECONNRESET)
				return !i;
			if (r < 0)
				return err_set(e, -r, "passing a message on: %s", err_str(r));
		}
	}
}
