/* SPDX-License-Identifier: MIT */
/*
 * rktio-net - a network for a vhost-user front end: "rktio run" starts one, or you do by hand.
 *
 * With ports to publish it is two processes: this one moves packets, its child the bytes of TCP connections. For a
 * back end that is somebody else's it carries only what is said at the start.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "forward.h"
#include "log.h"
#include "net.h"
#include "opt.h"
#include "out.h"
#include "start.h"
#include "vu_relay.h"
#include "vu_sandbox.h"
#include "vu_serve.h"
#include "vu_sock.h"

#define PRIVATE_PREFIX 24
#define READY          "ready\n"
/* Before each try to connect again: the library OS has seen by then that the one before is gone. */
#define RETRY_US 500000

struct conf {
	const char *socket;
	long fd;    /* connected already; -1: none */
	long ready; /* say there that we serve, or why not; -1: on standard error */
	const char *tap, *relay;
	struct in_addr private, guest; /* 0: none */
	uint8_t mac[6];
	bool has_mac, keep, no_sandbox, again;
	long poll_us;
	struct forward_port port[FORWARD_PORTS_MAX];
	unsigned int nports;
};

enum {
	O_SOCKET = OPT_LONG,
	O_FD,
	O_READY,
	O_TAP,
	O_PRIVATE,
	O_RELAY,
	O_AGAIN,
	O_MAC,
	O_PUBLISH,
	O_GUEST,
	O_KEEP,
	O_POLL,
	O_NO_SANDBOX,
	O_CAPABILITIES,
	O_VERSION
};

static const struct opt opts[] = {
	{ O_SOCKET, "socket-path", "PATH", "listen there for a front end", OPT_COMPLETE_FILE },
	{ O_FD, "fd", "N", "talk to a front end over this descriptor" },
	{ O_READY, "ready", "N", "write 'ready' to this descriptor once it serves, else why not" },
	{ O_TAP, "tap", "NAME", "the tap that packets go to and come from" },
	{ O_PRIVATE, "private", "ADDRESS",
	  "instead: a network of our own, where this host has that address, /24" },
	{ O_RELAY, "relay", "SOCKET",
	  "instead: the back end that listens there, connected to for the front end",
	  OPT_COMPLETE_FILE },
	{ O_AGAIN, "again", NULL,
	  "there was a connection to that before: wait until somebody listens" },
	{ O_MAC, "mac", "MAC", "tell the driver that this is its address" },
	{ O_PUBLISH, "publish", "[ADDR:]PORT:PROGRAMPORT",
	  "carry TCP connections on to the guest; may be repeated" },
	{ O_GUEST, "guest", "ADDRESS", "where the guest is, for --publish" },
	{ O_KEEP, "keep", NULL, "serve the next front end when one is gone" },
	{ O_POLL, "poll-us", "N", "look for packets that long before sleeping, 20 by default" },
	{ O_NO_SANDBOX, "no-sandbox", NULL, "keep all system calls, for debuggers and sanitizers" },
	{ O_CAPABILITIES, "print-capabilities", NULL, "print what this back end can, as JSON" },
	{ O_VERSION, "version", NULL, "print the version" },
	{ 0 },
};

static const struct verb self = {
	.name = "",
	.operands = "",
	.summary = "a network for a vhost-user front end",
	.details =
		"Exit status: 0 when the front end is gone, 1 if something failed, 2 for wrong usage,\n"
		"3 when the back end of --relay is gone.",
	.opts = opts,
};

static int say(const char *text)
{
	puts(text);
	return 1;
}

static int set_address(const char *arg, const char *option, struct in_addr *ret, struct err *e)
{
	return inet_pton(AF_INET, arg, ret) == 1
		       ? 0
		       : err_set(e, EINVAL, "%s '%.40s' is no IPv4 address", option, arg);
}

static int set_mac(struct conf *c, const char *arg, struct err *e)
{
	int end = 0;

	if (sscanf(arg, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &c->mac[0], &c->mac[1], &c->mac[2],
		   &c->mac[3], &c->mac[4], &c->mac[5], &end) != 6 ||
	    arg[end] || c->mac[0] & 1)
		return err_set(e, EINVAL, "--mac '%.40s' is no address of an interface", arg);
	c->has_mac = true;
	return 0;
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
	case O_READY:
		return opt_number(arg, "--ready", 0, 1 << 20, &c->ready, e);
	case O_TAP:
		c->tap = arg;
		return 0;
	case O_PRIVATE:
		return set_address(arg, "--private", &c->private, e);
	case O_RELAY:
		c->relay = arg;
		return 0;
	case O_AGAIN:
		c->again = true;
		return 0;
	case O_MAC:
		return set_mac(c, arg, e);
	case O_PUBLISH:
		if (c->nports == FORWARD_PORTS_MAX)
			return err_set(e, E2BIG, "more than %d ports", FORWARD_PORTS_MAX);
		return forward_parse(arg, &c->port[c->nports++], e);
	case O_GUEST:
		return set_address(arg, "--guest", &c->guest, e);
	case O_KEEP:
		c->keep = true;
		return 0;
	case O_POLL:
		return opt_number(arg, "--poll-us", 0, 1000000, &c->poll_us, e);
	case O_NO_SANDBOX:
		c->no_sandbox = true;
		return 0;
	case O_CAPABILITIES:
		return say("{\"type\": \"net\", \"features\": []}");
	default:
		return say("rktio-net " DVS_VERSION);
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
	if (!!c->tap + !!c->private.s_addr + !!c->relay != 1)
		return err_set(e, EINVAL, "give one of --tap, --private and --relay");
	if (c->relay && (c->fd < 0 || c->nports))
		return err_set(e, EINVAL, "--relay goes with --fd, and not with --publish");
	if (c->again && !c->relay)
		return err_set(e, EINVAL, "--again needs --relay");
	if (c->nports && !c->guest.s_addr)
		return err_set(e, EINVAL, "--publish needs --guest");
	return 0;
}

/* --- the device --- */

struct device {
	struct vu_device vu;
	struct net net;
};

static int config_get(void *arg, uint32_t off, uint8_t *ret_data, uint32_t len)
{
	const struct device *d = arg;

	net_config(&d->net, off, ret_data, len);
	return 0;
}

static void negotiated(void *arg, uint64_t features)
{
	struct device *d = arg;

	net_set_features(&d->net, features);
}

static int take(void *arg, unsigned int queue, struct vq_dev *vq)
{
	struct device *d = arg;

	return queue == NET_RX ? net_receive(&d->net, vq) : net_send(&d->net, vq);
}

/* Nothing is ever under way but the buffers that we keep. */
static unsigned int reap(void *arg, bool wait)
{
	struct device *d = arg;

	if (d->net.error) {
		log_error("the tap is gone: %s", err_str(d->net.error));
		exit(OPT_EXIT_FAILED);
	}
	if (wait)
		net_release(&d->net);
	d->vu.fd = net_has_room(&d->net) ? d->net.tap : -1;
	return 0;
}

static bool wants_kick(void *arg, unsigned int queue)
{
	const struct device *d = arg;

	return queue == NET_TX || !net_has_room(&d->net);
}

/* --- serving --- */

static void say_ready(struct conf *c, const char *text)
{
	if (c->ready < 0)
		return;
	(void)!write((int)c->ready, text, strlen(text));
	(void)close((int)c->ready);
	c->ready = -1;
}

static int serve(struct conf *c, int tap, int listener, struct err *e)
{
	struct device d = { .vu = { .nqueues = 2,
				    .config_get = config_get,
				    .take = take,
				    .reap = reap,
				    .wants_kick = wants_kick,
				    .negotiated = negotiated,
				    .fd = -1 } };
	uint64_t poll_ns = (uint64_t)c->poll_us * 1000;
	int r;

	if (net_init(&d.net, tap, c->has_mac ? c->mac : NULL) < 0)
		return err_set(e, ENOMEM, "out of memory");
	d.vu.features = net_features(&d.net);
	d.vu.arg = &d;
	r = vu_mem_guard("rktio-net: the front end took back memory that it had shared\n");
	if (r == 0 && !c->no_sandbox)
		r = vu_sandbox(net_ioctl, e);
	if (r == 0)
		say_ready(c, READY);
	if (r == 0)
		r = c->socket ? vu_serve_listener(&d.vu, listener, c->keep, poll_ns, e)
			      : vu_serve_one(&d.vu, (int)c->fd, poll_ns, e);
	log_debug("%llu packets sent, %llu received, %llu dropped", (unsigned long long)d.net.sent,
		  (unsigned long long)d.net.received, (unsigned long long)d.net.dropped);
	net_fini(&d.net);
	return r;
}

static int connect_relay(const struct conf *c, int *ret, struct err *e)
{
	int r;

	do {
		if (c->again)
			(void)usleep(RETRY_US);
		r = vu_sock_connect(c->relay, ret, e);
	} while (r < 0 && c->again);
	return r;
}

static int relay(struct conf *c, struct err *e)
{
	_cleanup_close_ int back = -1;
	int r = connect_relay(c, &back, e);

	if (r == 0 && !c->no_sandbox)
		r = vu_sandbox(0, e);
	if (r < 0)
		return r;
	say_ready(c, READY);
	r = vu_relay((int)c->fd, back, e);
	return r > 0 ? VU_RELAY_BACK_GONE : r;
}

/* Sockets first: they stay in the network that we start in. */
static int run(struct conf *c, struct forward *f, struct err *e)
{
	_cleanup_close_ int listener = -1, tap = -1;
	int r = c->socket ? vu_sock_listen(c->socket, &listener, e) : 0;

	for (unsigned int i = 0; !r && i < c->nports; i++)
		r = forward_listen(f, &c->port[i], c->guest, e);
	if (r < 0)
		return r;
	tap = c->tap ? net_tap_open(c->tap, false, e) : net_private(c->private, PRIVATE_PREFIX, e);
	if (tap < 0)
		return tap;
	if (f->n)
		r = forward_start(f, (const int[]){ tap, listener, (int)c->fd, (int)c->ready }, 4,
				  !c->no_sandbox, e);
	return r < 0 ? r : serve(c, tap, listener, e);
}

int main(int argc, char **argv)
{
	struct conf c = { .fd = -1, .ready = -1, .poll_us = 20 };
	struct forward f = FORWARD_INIT;
	struct err e = { 0 };
	int r;

	if (start_program() < 0)
		return OPT_EXIT_FAILED;
	log_init("rktio-net", "RKTIO_LOG", false);
	if (argc > 1 && opt_wants_help(argv[argc - 1]))
		return opt_print_help("rktio-net", &self);
	r = parse(argc, argv, &c, &e);
	if (r > 0)
		return out_exit();
	if (r < 0) {
		log_error("%s; see 'rktio-net --help'", e.msg);
		return OPT_EXIT_USAGE;
	}
	r = c.relay ? relay(&c, &e) : run(&c, &f, &e);
	forward_fini(&f);
	if (r < 0 && c.ready >= 0)
		say_ready(&c, e.msg);
	else if (r < 0)
		log_error("%s", e.msg);
	return r < 0 ? OPT_EXIT_FAILED : r;
}
