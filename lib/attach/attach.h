/* SPDX-License-Identifier: MIT */
/*
 * attach.h - a command in a guest, over a channel to our program there.
 *
 * Theory of operation
 *
 * Whoever can bring vmsh-stage2 into a guest, start it there as root with a channel as its descriptor 3, and
 * has the other end (attach_chan.h), calls
 *
 *	attach_open()	with a single thread: opens what the tools come from
 *	attach_run()	the session: terminal, streams, signals, files, to the exit status
 *	attach_close()
 *
 * attach_run() says END before it returns, save if the channel is broken; the guest's side ends with the
 * channel in any case. It uses three kinds of threads (attach_link.h); the caller's is the one that has the
 * terminal, and waits neither for a file nor for the channel.
 *
 * The terminal is treated as by lib/pty/relay.h: a pty in the guest if standard output is a terminal, raw mode
 * that is always taken back, sizes, and the same signals go on. What is no terminal is carried byte for byte.
 */
#ifndef ATTACH_H
#define ATTACH_H

#include <stdbool.h>
#include <sys/types.h>

#include "attach_chan.h"
#include "err.h"
#include "relay.h"

/* How the tools come. */
enum attach_tools {
	ATTACH_AUTO, /* as files that we serve if the guest has FUSE; else by @disk if there is one; else as an archive */
	ATTACH_FUSE,
	ATTACH_ARCHIVE,
	ATTACH_DISK, /* the image, by @disk */
	ATTACH_NONE  /* no tools: the guest's own view */
};

/* What gives the guest the file system in an image as a block device. */
struct attach_disk {
	/* From attach_run(), once; then until the guest has it. Return: 1 it has; 0 not yet; -errno. */
	int (*start)(void *arg, struct err *e);
	int (*ready)(void *arg, struct err *e);
	void *arg;
	const char *id, *type; /* the serial number of the device; the file system there */
};

#define ATTACH_TIMEOUT_S 60

struct attach_conf {
	const char *const *argv; /* ends with NULL */
	const char *const *env; /* "NAME=VALUE" over those of the process that is joined; or NULL */
	const char *cwd, *user; /* "USER[:GROUP]"; or NULL */
	pid_t pid; /* of the guest, whose namespaces and rights the command gets; 0: 1 */
	const char *
		container; /* instead: the first of this container of the guest (container.h); or NULL */
	bool privileged;
	enum pty_mode mode;
	enum attach_tools tools;
	const char *
		dir; /* the tools' tree; NULL: our own root, of which only what everybody may read is served */
	const char *
		image; /* instead: this file or block device has a file system, or partitions with one; read-only */
	const struct attach_disk *disk; /* for @image; or NULL */
	bool writable; /* it may be written, and if it is our own root, read without that limit */
	const char *archive;    /* NULL: of a static busybox */
	unsigned int timeout_s; /* for the command to start; 0: ATTACH_TIMEOUT_S */
};

struct attach;

int attach_open(const struct attach_conf *conf, struct attach **ret, struct err *e) _must_check_;
void attach_close(struct attach *a);

/*
 * attach_run() - A session over @c, to its end. Once per struct attach.
 *
 * Return: 0 and the exit status; -errno, @e, and the exit status for that.
 */
int attach_run(struct attach *a, struct attach_chan *c, int *ret_exit, struct err *e) _must_check_;

#endif
