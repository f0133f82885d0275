/* SPDX-License-Identifier: MIT */
/* net.c - the network inside: loopback, and the one interface that the launcher has asked for. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "init.h"

#define RESOLV     "/etc/resolv.conf"
#define OWN_RESOLV "/run/resolv.conf"

static int fd4, fd6;

static void name_it(char *to, const char *name)
{
	(void)snprintf(to, IFNAMSIZ, "%s", name);
}

static void bring_up(const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_UP | IFF_RUNNING };

	name_it(ifr.ifr_name, name);
	if (ioctl(fd4, SIOCSIFFLAGS, &ifr) < 0)
		init_fail("bringing up", name);
}

static int index_of(const char *name)
{
	struct ifreq ifr = { .ifr_ifindex = 0 };

	name_it(ifr.ifr_name, name);
	return ioctl(fd4, SIOCGIFINDEX, &ifr) < 0 ? 0 : ifr.ifr_ifindex;
}

static void set_mac(const char *name, const char *mac)
{
	struct ifreq ifr = { .ifr_hwaddr.sa_family = ARPHRD_ETHER };
	uint8_t b[6];

	if (sscanf(mac, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", b, b + 1, b + 2, b + 3, b + 4,
		   b + 5) != 6) {
		errno = EINVAL;
		init_fail("setting the interface's address", mac);
	}
	memcpy(ifr.ifr_hwaddr.sa_data, b, sizeof(b));
	name_it(ifr.ifr_name, name);
	if (ioctl(fd4, SIOCSIFHWADDR, &ifr) < 0)
		init_fail("setting the interface's address", mac);
}

/* Nobody else in this network has our address: no second of waiting for one who says so. */
static void no_search_for_duplicates(const char *name)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/accept_dad", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		(void)!write(fd, "0", 1);
	(void)close(fd);
}

static void put(struct sockaddr *to, struct in_addr address)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr = address };

	memcpy(to, &sin, sizeof(sin));
}

static int add4(const char *name, struct in_addr address, unsigned int len, unsigned int n)
{
	struct in_addr mask = { htonl(len ? UINT32_MAX << (32 - len) : 0) };
	struct ifreq ifr;

	/* An alias has a label of its own. */
	(void)snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), n ? "%.8s:%u" : "%.8s", name, n);
	put(&ifr.ifr_addr, address);
	if (ioctl(fd4, SIOCSIFADDR, &ifr) < 0)
		return -1;
	put(&ifr.ifr_netmask, mask);
	return ioctl(fd4, SIOCSIFNETMASK, &ifr);
}

static int add6(const char *name, const struct in6_addr *address, unsigned int len)
{
	struct in6_ifreq ifr = { .ifr6_addr = *address,
				 .ifr6_prefixlen = len,
				 .ifr6_ifindex = index_of(name) };

	return ioctl(fd6, SIOCSIFADDR, &ifr);
}

static void add_address(const char *name, const char *text, unsigned int n)
{
	const char *slash = strchr(text, '/');
	unsigned int len = slash ? (unsigned int)strtoul(slash + 1, NULL, 10) : 0;
	char copy[INET6_ADDRSTRLEN];
	struct in6_addr six;
	struct in_addr four;
	int r = -1;

	(void)snprintf(copy, sizeof(copy), "%.*s", (int)strcspn(text, "/"), text);
	errno = EINVAL;
	if (inet_pton(AF_INET, copy, &four) == 1 && len <= 32)
		r = add4(name, four, len, n);
	else if (inet_pton(AF_INET6, copy, &six) == 1)
		r = add6(name, &six, len);
	if (r < 0)
		init_fail("setting the address", text);
}

static void add_gateway(const char *name, const char *text)
{
	struct in6_rtmsg six = { .rtmsg_flags = RTF_UP | RTF_GATEWAY,
				 .rtmsg_metric = 1,
				 .rtmsg_ifindex = index_of(name) };
	struct rtentry four = { .rt_flags = RTF_UP | RTF_GATEWAY };
	struct in_addr any = { 0 }, via;
	int r = -1;

	errno = EINVAL;
	if (inet_pton(AF_INET, text, &via) == 1) {
		put(&four.rt_dst, any);
		put(&four.rt_genmask, any);
		put(&four.rt_gateway, via);
		r = ioctl(fd4, SIOCADDRT, &four);
	} else if (inet_pton(AF_INET6, text, &six.rtmsg_gateway) == 1) {
		r = ioctl(fd6, SIOCADDRT, &six);
	}
	if (r < 0)
		init_fail("setting the gateway", text);
}

/* Over the image's own, which stays as it is. */
static void set_dns(const struct conf *c)
{
	int fd = open(OWN_RESOLV, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), over;

	if (fd < 0)
		init_fail("writing", OWN_RESOLV);
	for (const char *p = NULL; (p = conf_next(c, "dns", p));)
		dprintf(fd, "nameserver %s\n", p);
	(void)close(fd);
	over = open(RESOLV, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	(void)close(over);
	if (mount(OWN_RESOLV, RESOLV, NULL, MS_BIND, NULL) < 0)
		init_fail("setting name servers in", RESOLV);
}

void net_up(const struct conf *c)
{
	const char *name = conf_next(c, "net", NULL), *mac = conf_next(c, "mac", NULL), *p;
	unsigned int n = 0;

	fd4 = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	fd6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd4 < 0 || fd6 < 0)
		init_fail("making a", "socket");
	bring_up("lo");
	if (name) {
		if (!index_of(name))
			init_fail("there is no interface", name);
		if (mac)
			set_mac(name, mac);
		no_search_for_duplicates(name);
		bring_up(name);
		for (p = NULL; (p = conf_next(c, "ip", p));)
			add_address(name, p, n++);
		for (p = NULL; (p = conf_next(c, "gw", p));)
			add_gateway(name, p);
	}
	if (conf_next(c, "dns", NULL))
		set_dns(c);
	(void)close(fd4);
	(void)close(fd6);
}
