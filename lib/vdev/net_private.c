/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "net.h"

#define NAME "tap0"

static int enter(struct err *e)
{
	/* Root needs no user namespace, and may be forbidden one. */
	if (unshare(CLONE_NEWNET) == 0 ||
	    (errno == EPERM && unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0))
		return 0;
	return err_set(e, errno,
		       "cannot make a network of our own: %s (are user namespaces permitted?)",
		       err_str(errno));
}

static void put(struct ifreq *ifr, in_addr_t address)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = address };

	memcpy(&ifr->ifr_addr, &sin, sizeof(sin));
}

static int bring_up(struct in_addr address, unsigned int prefix)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = { .ifr_name = NAME };

	if (fd < 0)
		return -errno;
	put(&ifr, address.s_addr);
	if (ioctl(fd, SIOCSIFADDR, &ifr) < 0)
		return -errno;
	put(&ifr, htonl(prefix ? UINT32_MAX << (32 - prefix) : 0));
	if (ioctl(fd, SIOCSIFNETMASK, &ifr) < 0)
		return -errno;
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	return ioctl(fd, SIOCSIFFLAGS, &ifr) < 0 ? -errno : 0;
}

int net_private(struct in_addr address, unsigned int prefix, struct err *e)
{
	_cleanup_close_ int tap = -1;
	int r = enter(e);

	if (r < 0)
		return r;
	tap = net_tap_open(NAME, true, e);
	if (tap < 0)
		return tap;
	r = bring_up(address, prefix);
	return r < 0 ? err_set(e, -r, "cannot set up a network of our own: %s", err_str(r))
		     : take_fd(&tap);
}
