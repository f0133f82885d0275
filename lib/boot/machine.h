/* SPDX-License-Identifier: MIT */
/*
 * machine.h - one program in the library OS: started, attended, ended.
 *
 * Theory of operation
 *
 * The library OS is a program of the host (libos/), and each of its devices is served by another, over
 * a socket pair. All are children of ours. The program inside gets the host's terminal as its console if
 * standard input and output are one; else its standard streams are ours, byte for byte (libos/linux/drivers/hostfd.c).
 * A signal that ends programs ends the boot, for there is nobody yet to pass it on to.
 * While it runs, signals and window sizes go to its init over one more socket (libos/init/conf.h). The
 * library OS ends with the program, and its exit status is the program's.
 *
 * Whoever dies, the others follow: the library OS has a death signal and ends with us, and a device
 * ends when its socket closes.
 */
#ifndef BOOT_MACHINE_H
#define BOOT_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "net_opts.h"
#include "root.h"

#define MACHINE_EXIT_FAILED 125
#define MACHINE_LINUX       "6.1"

struct machine {
	struct root_opts
		disk; /* its path NULL: none, and the program is in the initial file system */
	struct net_opts net;
	uint64_t memory;         /* bytes */
	const char *const *argv; /* the program; ends with NULL */
	const char *const
		*env; /* "NAME=VALUE", besides PATH, HOME and TERM; ends with NULL, or is it */
	const char *workdir;       /* or NULL: "/" */
	const char *user;          /* "USER[:GROUP]" or NULL: root */
	const char *core;          /* file or directory for a core if the kernel panics; or NULL */
	const char *linux_version; /* or NULL: $RKTIO_LINUX, or MACHINE_LINUX */
	bool verbose, stats;
};

/*
 * machine_run() - From an image to the end of the program.
 *
 * Return: 0 and the program's exit status; -errno and MACHINE_EXIT_FAILED.
 */
int machine_run(const struct machine *m, int *ret_exit, struct err *e) _must_check_;

/*
 * machine_file() - The path of one of our parts: "rktio-linux-6.1", "rktio-init", "rktio-blk", "rktio-net".
 *
 * In $RKTIO_LIBEXEC, else beside our own program, else where it is installed.
 * Return: 0 and *@ret, the caller's to free; -ENOENT.
 */
int machine_file(const char *name, char **ret, struct err *e) _must_check_;

/* The name of the library OS, one of our parts; @version NULL: $RKTIO_LINUX, or MACHINE_LINUX. */
#define MACHINE_NAME_MAX 48
const char *machine_linux(const char *version, char ret[MACHINE_NAME_MAX]);

#endif
