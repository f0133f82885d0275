/* SPDX-License-Identifier: MIT */
/* io.h - whole files, whole buffers, and descriptors over a socket. */
#ifndef BASE_IO_H
#define BASE_IO_H

#include <stddef.h>
#include <sys/types.h>

#include "compiler.h"

/*
 * io_read_at() - Read the whole of @path below @dirfd (or AT_FDCWD) into fresh memory.
 *
 * The file is opened O_NONBLOCK|O_NOCTTY, so that a FIFO or a terminal cannot
 * hang us; sizes are not believed, for /proc has none.
 * *@ret_buf is NUL-terminated beyond *@ret_len (which may be NULL) and the caller's to free.
 *
 * Return: 0; -EFBIG if there are more than @max bytes; another -errno.
 */
int io_read_at(int dirfd, const char *path, size_t max, char **ret_buf, size_t *ret_len)
	_must_check_;

/* The same for a descriptor that is open already; it stays open. */
int io_read_fd(int fd, size_t max, char **ret_buf, size_t *ret_len) _must_check_;

/* Write @len bytes in one write() to an existing file: what control files in /proc and cgroups want. */
int io_write_at(int dirfd, const char *path, const void *buf, size_t len) _must_check_;

/* Write or read exactly @len bytes; a short read is -ENODATA. */
int io_write_all(int fd, const void *buf, size_t len) _must_check_;
int io_read_all(int fd, void *buf, size_t len) _must_check_;

/* The target of a symbolic link, NUL-terminated and the caller's to free. */
int io_readlink_at(int dirfd, const char *path, char **ret) _must_check_;

#define IO_FDS_MAX 16

/* Close all descriptors behind the standard ones but the @n of @keep; negative ones there are none. */
int io_close_others(const int *keep, size_t n) _must_check_;

/*
 * io_send_fds() - Send @len > 0 bytes and @nfds <= IO_FDS_MAX descriptors as one message.
 * io_recv_fds() - Receive them; *@ret_nfds says how many came, each close-on-exec and ours.
 *
 * Return: 0 or the number of bytes received (0: the peer is gone), else -errno.
 */
int io_send_fds(int sock, const void *buf, size_t len, const int *fds, size_t nfds) _must_check_;
ssize_t io_recv_fds(int sock, void *buf, size_t len, int *ret_fds, size_t max_fds, size_t *ret_nfds)
	_must_check_;

#endif
