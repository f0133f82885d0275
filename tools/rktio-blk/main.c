/* SPDX-License-Identifier: MIT */
/*
 * rktio-blk - a disk for a vhost-user front end: "rktio run" starts one for each disk, or you do by hand.
 *
 * The options that QEMU's conventions for vhost-user back ends name are named so.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "blk_vhost.h"
#include "cleanup.h"
#include "log.h"
#include "opt.h"
#include "out.h"
#include "start.h"
#include "vu_sandbox.h"
#include "vu_serve.h"
#include "vu_sock.h"

#define NULL_SIZE (UINT64_C(1) << 30)

struct conf {
	const char *socket;
	long fd; /* connected already; -1: none */
	struct store_file_conf file;
	bool null, keep, no_sandbox;
	long queues, poll_us;
};

enum {
	O_SOCKET = OPT_LONG,
	O_FD,
	O_FILE,
	O_FILE_FD,
	O_ALIVE,
	O_AGAIN,
	O_READ_ONLY,
	O_NULL,
	O_KEEP,
	O_QUEUES,
	O_POLL,
	O_NO_DIRECT,
	O_NO_URING,
	O_NO_SANDBOX,
	O_CAPABILITIES,
	O_VERSION
};

static const struct opt opts[] = {
	{ O_SOCKET, "socket-path", "PATH", "listen there for a front end", OPT_COMPLETE_FILE },
	{ O_FD, "fd", "N", "talk to a front end over this descriptor" },
	{ O_FILE, "blk-file", "IMAGE", "file or block device that is the disk", OPT_COMPLETE_FILE },
	{ O_FILE, "file", "IMAGE", "the same", OPT_COMPLETE_FILE },
	{ O_FILE_FD, "blk-fd", "N", "it is open already, and --blk-file its name in messages" },
	{ O_ALIVE, "alive", "N", "hold that descriptor until no I/O is under way any more" },
	{ O_AGAIN, "again", NULL,
	  "go on for one that was killed, if nothing it had written to --blk-fd was lost" },
	{ O_READ_ONLY, "read-only", NULL, "refuse writes; others may read the image too" },
	{ O_NULL, "null", NULL, "a disk of 1 GiB that keeps nothing, for measuring" },
	{ O_KEEP, "keep", NULL, "serve the next front end when one is gone" },
	{ O_QUEUES, "num-queues", "N", "queues of the disk, 1 by default" },
	{ O_POLL, "poll-us", "N",
	  "look for work that long before sleeping, if it pays; 200 by default" },
	{ O_NO_DIRECT, "no-direct", NULL, "use the page cache" },
	{ O_NO_URING, "no-uring", NULL, "use plain system calls instead of io_uring" },
	{ O_NO_SANDBOX, "no-sandbox", NULL, "keep all system calls, for debuggers and sanitizers" },
	{ O_CAPABILITIES, "print-capabilities", NULL, "print what this back end can, as JSON" },
	{ O_VERSION, "version", NULL, "print the version" },
	{ 0 },
};

static const struct verb self = {
	.name = "",
	.operands = "",
	.summary = "a disk for a vhost-user front end",
	.details =
		"The image is locked: no two writers, no reader beside a writer. A socket that is left over\n"
		"is replaced. Exit status: 0 when the front end is gone, 1 if something failed, 2 for\n"
		"wrong usage.",
	.opts = opts,
};

static int say_capabilities(void)
{
	puts("{\"type\": \"block\", \"features\": [\"read-only\", \"blk-file\"]}");
	return 1;
}

static int say_version(void)
{
	puts("rktio-blk " DVS_VERSION);
	return 1;
}

static int set_option(void *conf, int id, const char *arg, struct err *e)
{
	struct conf *c = conf;

	switch (id) {
	case O_SOCKET:
		c->socket = arg;
		return 0;
	case O_FD:
		return opt_number(arg, "--fd", 0, 1 << 20, &c->fd, e);
	case O_FILE:
		c->file.path = arg;
		return 0;
	case O_FILE_FD:
		return opt_number(arg, "--blk-fd", 0, 1 << 20, &c->file.fd, e);
	case O_ALIVE:
		return opt_number(arg, "--alive", 0, 1 << 20, &c->file.alive, e);
	case O_AGAIN:
		c->file.again = true;
		return 0;
	case O_READ_ONLY:
		c->file.read_only = true;
		return 0;
	case O_NULL:
		c->null = true;
		return 0;
	case O_KEEP:
		c->keep = true;
		return 0;
	case O_QUEUES:
		return opt_number(arg, "--num-queues", 1, VU_QUEUES_MAX, &c->queues, e);
	case O_POLL:
		return opt_number(arg, "--poll-us", 0, 1000000, &c->poll_us, e);
	case O_NO_DIRECT:
		c->file.no_direct = true;
		return 0;
	case O_NO_URING:
		c->file.no_uring = true;
		return 0;
	case O_NO_SANDBOX:
		c->no_sandbox = true;
		return 0;
	case O_CAPABILITIES:
		return say_capabilities();
	default:
		return say_version();
	}
}

/* Return: 0; 1 if there is nothing more to do; -EINVAL. */
static int parse(int argc, char **argv, struct conf *c, struct err *e)
{
	_cleanup_free_ const char **operand = calloc((size_t)argc + 1, sizeof(*operand));
	struct opt_parser p = { .verb = &self, .argc = argc, .argv = argv, .operand = operand };
	int r;

	if (!operand)
		return err_set(e, ENOMEM, "out of memory");
	r = opt_each(&p, set_option, c, e);
	if (r != 0)
		return r;
	if (p.noperands)
		return err_set(e, EINVAL, "there are only options, not '%.60s'", p.operand[0]);
	if (!c->socket == (c->fd < 0))
		return err_set(e, EINVAL, "give one of --socket-path and --fd");
	if (!c->file.path == !c->null)
		return err_set(e, EINVAL, "give one of --blk-file and --null");
	if (c->file.again && c->file.fd < 0)
		return err_set(e, EINVAL, "--again needs --blk-fd");
	return 0;
}

static int serve(const struct conf *c, struct store *store, struct err *e)
{
	_cleanup_close_ int listener = -1;
	uint64_t poll_ns = (uint64_t)c->poll_us * 1000;
	struct vu_device dev;
	struct blk blk;
	int r = c->socket ? vu_sock_listen(c->socket, &listener, e) : 0;

	if (r < 0)
		return r;
	if (blk_init(&blk, store, "rktio", (unsigned int)c->queues) < 0)
		return err_set(e, ENOMEM, "out of memory");
	dev = blk_vhost(&blk, (unsigned int)c->queues, store->fd);
	r = vu_mem_guard("rktio-blk: the front end took back memory that it had shared\n");
	if (r == 0 && !c->no_sandbox)
		r = vu_sandbox(0, e);
	if (r == 0)
		r = c->socket ? vu_serve_listener(&dev, listener, c->keep, poll_ns, e)
			      : vu_serve_one(&dev, (int)c->fd, poll_ns, e);
	blk_fini(&blk);
	return r;
}

int main(int argc, char **argv)
{
	struct conf c = { .fd = -1,
			  .file = { .fd = -1, .alive = -1 },
			  .queues = 1,
			  .poll_us = VU_POLL_NS / 1000 };
	struct err e = { 0 };
	struct store *store;
	int r;

	if (start_program() < 0)
		return OPT_EXIT_FAILED;
	log_init("rktio-blk", "RKTIO_LOG", false);
	if (argc > 1 && opt_wants_help(argv[argc - 1]))
		return opt_print_help("rktio-blk", &self);
	r = parse(argc, argv, &c, &e);
	if (r > 0)
		return out_exit();
	if (r < 0) {
		log_error("%s; see 'rktio-blk --help'", e.msg);
		return OPT_EXIT_USAGE;
	}
	r = c.null ? store_null_new(NULL_SIZE, &store, &e) : store_file_new(&c.file, &store, &e);
	if (r == 0) {
		r = serve(&c, store, &e);
		store_free(store);
	}
	if (r < 0)
		log_error("%s", e.msg);
	return r < 0 ? OPT_EXIT_FAILED : 0;
}
