/* SPDX-License-Identifier: MIT */
#include "script.h"

#include <errno.h>
#include <unistd.h>

#include "io.h"

void script_fini(const struct script *s)
{
	for (unsigned int i = 0; i < s->nfds; i++)
		(void)close(s->fd[i]);
}

/* Return: 1; 0: it is whole; -errno. */
static int hear_one(struct script *s, int sock)
{
	size_t room = sizeof(s->data) - s->len, nfds = 0;
	int fds[SCRIPT_FDS];
	ssize_t n;

	if (s->n == SCRIPT_PACKETS || !room)
		return -E2BIG;
	n = io_recv_fds(sock, s->data + s->len, room, fds, SCRIPT_FDS, &nfds);
	if (n <= 0)
		return (int)n;
	if (nfds > SCRIPT_FDS - s->nfds) {
		for (size_t i = 0; i < nfds; i++)
			(void)close(fds[i]);
		return -E2BIG;
	}
	for (size_t i = 0; i < nfds; i++)
		s->fd[s->nfds++] = fds[i];
	s->len += (size_t)n;
	s->packet[s->n].len = (size_t)n;
	s->packet[s->n++].nfds = (unsigned int)nfds;
	return 1;
}

int script_hear(struct script *s, int sock)
{
	int r = 1;

	while (r > 0)
		r = hear_one(s, sock);
	s->whole = !r;
	return r == -EAGAIN ? 0 : r;
}

int script_say(const struct script *s, int sock)
{
	const uint8_t *data = s->data;
	const int *fd = s->fd;
	int r = 0;

	for (unsigned int i = 0; !r && i < s->n; i++) {
		r = io_send_fds(sock, data, s->packet[i].len, fd, s->packet[i].nfds);
		data += s->packet[i].len;
		fd += s->packet[i].nfds;
	}
	return r;
}
