/* SPDX-License-Identifier: MIT */
/* vu_sock.h - vhost-user messages over a Unix socket. */
#ifndef VHOST_VU_SOCK_H
#define VHOST_VU_SOCK_H

#include "err.h"
#include "vu_front.h"
#include "vu_msg.h"

/* A connected socket at @path; the caller's to close. */
int vu_sock_connect(const char *path, int *ret, struct err *e) _must_check_;

/*
 * A listening socket at @path, the caller's to close. A socket that is left there
 * and answers nobody is replaced; anything else that is there is an error.
 */
int vu_sock_listen(const char *path, int *ret, struct err *e) _must_check_;

int vu_sock_accept(int listener, int *ret, struct err *e) _must_check_;

/* The front end's functions over socket *@fd, which must outlive them. */
struct vu_io vu_sock_io(int *fd);

/*
 * vu_sock_recv() - Receive a request; its descriptors are the caller's, and close-on-exec.
 *
 * Return: 1 a well-formed one; 0 the peer is gone; -EPROTO and a sentence, another -errno.
 */
int vu_sock_recv(int fd, struct vu_msg *m, struct err *e) _must_check_;

/* Send @m's header and payload, without descriptors. */
int vu_sock_send(int fd, const struct vu_msg *m) _must_check_;

/*
 * vu_sock_pass() - Receive a message of either kind and send it on, with its descriptors, without a look at it.
 *
 * Return: 1; 0 the peer at @from is gone; -EPIPE or -ECONNRESET: the one at @to is; another -errno.
 */
int vu_sock_pass(int from, int to) _must_check_;

void vu_msg_close_fds(struct vu_msg *m);

#endif
