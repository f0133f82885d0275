/* SPDX-License-Identifier: MIT */
/*
 * lxc_cmd.h - asks the monitor of a running LXC container through its command socket. Private to lib/ctr.
 *
 * Theory of operation
 *
 * liblxc's monitor process listens on an abstract unix socket for as long as
 * the container lives; LXD and Incus use liblxc, so theirs do too:
 *
 *	@LXCPATH/NAME/command	or, where that is too long for a socket address,
 *	@lxc/HASH/command	with 16 hexadecimal digits
 *
 * A request is the C struct { int cmd; int datalen; void *data; }, with the
 * sender's credentials beside it; the reply is { int ret; int datalen;
 * void *data; }, followed by datalen bytes. A pid or a state travels in place of
 * the pointer, a pidfd as an ancillary message. One request per connection.
 *
 * Anybody may bind an abstract name. So we take the monitor's pid from the
 * kernel (SO_PASSCRED on our side gives it with each reply), and the caller
 * believes an init pid only of that monitor's child. A silent peer costs time
 * from a budget, which strangers share.
 */
#ifndef CTR_LXC_CMD_H
#define CTR_LXC_CMD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cursor.h"

/* The commands that we use; numbers as in liblxc since 3.0 (a pidfd: since 4.0). */
enum lxc_cmd {
	LXC_CMD_GET_STATE = 3,
	LXC_CMD_GET_INIT_PID = 4,
	LXC_CMD_GET_NAME = 8,
	LXC_CMD_GET_LXCPATH = 9,
	LXC_CMD_GET_INIT_PIDFD = 18,
};

enum lxc_state {
	LXC_STOPPED,
	LXC_STARTING,
	LXC_RUNNING,
	LXC_STOPPING,
	LXC_ABORTING,
	LXC_FREEZING,
	LXC_FROZEN,
	LXC_THAWED,
	LXC_STATES
};

#define LXC_REPLY_SIZE 16   /* struct lxc_cmd_rsp of a 64-bit liblxc */
#define LXC_DATA_MAX   4096 /* we ask for nothing longer than a path */
#define LXC_WAIT_MS    1000 /* for one answer of a monitor of root's or ours, */
#define LXC_STRANGE_MS 500  /* and for all answers of other users' together */

struct lxc_reply {
	int32_t ret;      /* 0 or -errno */
	uint32_t datalen; /* bytes that follow, <= LXC_DATA_MAX */
	uint64_t value;   /* in place of the pointer */
};

/* -EPROTO unless @buf is exactly one well-formed reply. */
int lxc_reply_parse(const void *buf, size_t size, struct lxc_reply *ret) _must_check_;

struct lxc_answer {
	struct lxc_reply reply;
	char *data;    /* reply.datalen bytes and a NUL; ours to free; NULL if none */
	int fd;        /* that came along, or -1 */
	pid_t monitor; /* who answered, in our pid namespace; 0 if it is not visible there */
	uid_t uid;     /* of who listens */
};
void lxc_answer_fini(struct lxc_answer *a);
#define _cleanup_lxc_answer_ _cleanup_(lxc_answer_fini)

/*
 * lxc_ask() - One request to the socket with the abstract name @socket (without the leading NUL).
 *
 * @strange_ms is what is left of the strangers' budget, and is charged.
 * Return: 0; -ECONNREFUSED nobody listens (any more); -EACCES it answers not to us;
 *	   -ETIMEDOUT; -EPROTO; another -errno.
 */
int lxc_ask(const char *socket, enum lxc_cmd cmd, int *strange_ms, struct lxc_answer *ret)
	_must_check_;

/* A name taken apart. Spans are borrowed. */
struct lxc_socket {
	struct span lxcpath; /* empty if hashed */
	struct span name;    /* or the hash */
	bool hashed;
};

/* Is @s (no leading '@') the name of a command socket? -ENOENT if not. */
int lxc_socket_parse(struct span s, struct lxc_socket *ret) _must_check_;

/*
 * lxc_socket_next() - The next line of /proc/net/unix that is a listening command socket.
 *
 * Return: 1, the name as it is bound in *@ret_name and taken apart in *@ret; 0 the end.
 */
int lxc_socket_next(struct cursor *c, struct span *ret_name, struct lxc_socket *ret) _must_check_;

#endif
