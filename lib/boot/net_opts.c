/* SPDX-License-Identifier: MIT */
#include "net_opts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "cleanup.h"
#include "forward.h"

#define DEVICE "eth0"

/* @text: an address of either family, with @suffix behind it "/LEN". Its bytes, 4 or 16; or 0. */
static size_t address(const char *text, bool suffix, uint8_t ret[16])
{
	char copy[INET6_ADDRSTRLEN + 8], *slash, *end;
	unsigned long len;
	size_t size;

	if (strlen(text) >= sizeof(copy))
		return 0;
	memcpy(copy, text, strlen(text) + 1);
	slash = strchr(copy, '/');
	if (!slash != !suffix)
		return 0;
	if (slash)
		*slash++ = 0;
	size = inet_pton(AF_INET, copy, ret) == 1    ? 4
	       : inet_pton(AF_INET6, copy, ret) == 1 ? 16
						     : 0;
	if (!size || !slash)
		return size;
	len = strtoul(slash, &end, 10);
	return *slash >= '0' && *slash <= '9' && !*end && len <= 8 * size ? size : 0;
}

static bool is_mac(const char *s)
{
	for (unsigned int i = 0; i < 17; i++)
		if (i % 3 == 2 ? s[i] != ':' : !s[i] || !strchr("0123456789abcdefABCDEF", s[i]))
			return false;
	/* One of many, or none, is no interface's own. */
	return !s[17] && !strchr("13579bdfBDF", s[1]) && strcmp(s, "00:00:00:00:00:00") != 0;
}

static int take_address(const char **list, unsigned int *n, const char *text, bool suffix,
			struct err *e)
{
	uint8_t bytes[16];

	if (!address(text, suffix, bytes))
		return err_set(e, EINVAL, "'%.60s' is not %s", text,
			       suffix ? "an address with its length, as 10.0.0.2/24 is"
				      : "an address");
	if (*n == NET_ADDRESSES_MAX)
		return err_set(e, E2BIG, "more than %d addresses", NET_ADDRESSES_MAX);
	list[(*n)++] = text;
	return 0;
}

static int take_word(struct net_opts *n, char *word, struct err *e)
{
	if (!strncmp(word, "ip=", 3))
		return take_address(n->ip, &n->nip, word + 3, true, e);
	if (!strncmp(word, "gw=", 3))
		return take_address(n->gw, &n->ngw, word + 3, false, e);
	if (!strncmp(word, "dns=", 4))
		return take_address(n->dns, &n->ndns, word + 4, false, e);
	if (strncmp(word, "mac=", 4) != 0)
		return err_set(e, EINVAL,
			       "'%.60s' is no part of --net: ip=ADDRESS/LENGTH, gw=ADDRESS, "
			       "dns=ADDRESS and mac=MAC are",
			       word);
	n->mac = word + 4;
	return is_mac(n->mac) ? 0
			      : err_set(e, EINVAL,
					"mac '%.40s' is not one of an interface: "
					"52:54:00:12:34:56 is",
					n->mac);
}

static int take_kind(struct net_opts *n, char *word, struct err *e)
{
	if (!strcmp(word, "none"))
		return 0;
	if (!strncmp(word, "tap:", 4)) {
		n->kind = NET_TAP;
		n->where = word + 4;
		return *n->where && strlen(n->where) < IF_NAMESIZE
			       ? 0
			       : err_set(e, EINVAL, "'%.40s' is no name of an interface", n->where);
	}
	if (!strncmp(word, "vhost-user:", 11)) {
		n->kind = NET_VHOST_USER;
		n->where = word + 11;
		return *n->where && strlen(n->where) < sizeof(((struct sockaddr_un *)0)->sun_path)
			       ? 0
			       : err_set(e, EINVAL, "'%.40s' is no path of a socket", n->where);
	}
	return err_set(e, EINVAL, "--net '%.60s' is not tap:NAME, vhost-user:SOCKET or none", word);
}

int net_opts_parse(struct net_opts *n, char *text, struct err *e)
{
	char *rest = text, *word;
	int r;

	if (n->given)
		return err_set(e, EINVAL, "--net can be given once");
	n->given = true;
	r = take_kind(n, strsep(&rest, ","), e);
	if (!r && n->kind == NET_NONE && rest)
		return err_set(e, EINVAL, "--net none has no parts");
	while (!r && (word = strsep(&rest, ",")))
		r = take_word(n, word, e);
	return r;
}

int net_opts_publish(struct net_opts *n, const char *text, struct err *e)
{
	struct forward_port port;

	if (n->npublish == NET_PUBLISH_MAX)
		return err_set(e, E2BIG, "more than %d ports are published", NET_PUBLISH_MAX);
	n->publish[n->npublish++] = text;
	return forward_parse(text, &port, e);
}

/* The first IPv4 address, without its length; or NULL. */
static const char *guest_address(const struct net_opts *n, struct net_scratch *scratch)
{
	uint8_t bytes[16];

	if (n->kind == NET_PRIVATE)
		return NET_PRIVATE_GUEST;
	for (unsigned int i = 0; i < n->nip; i++)
		if (address(n->ip[i], true, bytes) == 4) {
			(void)snprintf(scratch->guest, sizeof(scratch->guest), "%.*s",
				       (int)strcspn(n->ip[i], "/"), n->ip[i]);
			return scratch->guest;
		}
	return NULL;
}

int net_opts_check(struct net_opts *n, struct err *e)
{
	struct net_scratch scratch;

	if (!n->npublish)
		return 0;
	if (n->kind == NET_NONE)
		n->kind = NET_PRIVATE;
	if (n->kind == NET_VHOST_USER)
		return err_set(
			e, EINVAL,
			"--publish does not go with --net vhost-user: this host is not in that network");
	return guest_address(n, &scratch)
		       ? 0
		       : err_set(e, EINVAL,
				 "--publish needs an IPv4 address in --net: ip=ADDRESS/LENGTH");
}

static void plan_mac(const struct net_opts *n, struct boot_conf *conf)
{
	const char *ip = n->kind == NET_PRIVATE ? NET_PRIVATE_GUEST "/24"
			 : n->nip               ? n->ip[0]
						: NULL;
	uint8_t b[16];
	size_t size;

	if (n->mac)
		boot_conf_add(conf, "mac", "%s", n->mac);
	else if (ip && (size = address(ip, true, b)))
		boot_conf_add(conf, "mac", "52:54:%02x:%02x:%02x:%02x", b[size - 4], b[size - 3],
			      b[size - 2], b[size - 1]);
}

void net_opts_plan(const struct net_opts *n, struct boot_conf *conf)
{
	if (n->kind == NET_NONE)
		return;
	boot_conf_add(conf, "net", "%s", DEVICE);
	plan_mac(n, conf);
	if (n->kind == NET_PRIVATE) {
		boot_conf_add(conf, "ip", "%s/24", NET_PRIVATE_GUEST);
		boot_conf_add(conf, "gw", "%s", NET_PRIVATE_HOST);
	}
	for (unsigned int i = 0; i < n->nip; i++)
		boot_conf_add(conf, "ip", "%s", n->ip[i]);
	for (unsigned int i = 0; i < n->ngw; i++)
		boot_conf_add(conf, "gw", "%s", n->gw[i]);
	for (unsigned int i = 0; i < n->ndns; i++)
		boot_conf_add(conf, "dns", "%s", n->dns[i]);
}

static void put(char **argv, size_t *at, const char *option, const char *value)
{
	argv[(*at)++] = (char *)(uintptr_t)option;
	argv[(*at)++] = (char *)(uintptr_t)value;
	argv[*at] = NULL;
}

void net_opts_argv(const struct net_opts *n, struct net_scratch *scratch, char *argv[NET_ARGS_MAX],
		   size_t at)
{
	if (n->kind == NET_TAP)
		put(argv, &at, "--tap", n->where);
	else if (n->kind == NET_VHOST_USER)
		put(argv, &at, "--relay", n->where);
	else
		put(argv, &at, "--private", NET_PRIVATE_HOST);
	if (n->npublish)
		put(argv, &at, "--guest", guest_address(n, scratch));
	for (unsigned int i = 0; i < n->npublish; i++)
		put(argv, &at, "--publish", n->publish[i]);
}
