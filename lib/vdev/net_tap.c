/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cleanup.h"
#include "net.h"

#define TUN "/dev/net/tun"

static int say_refused(const char *name, int error, struct err *e)
{
	switch (error) {
	case EBUSY:
		return err_set(e, error, "tap '%s' is in use", name);
	case EPERM:
		return err_set(
			e, error,
			"tap '%s' is not for this user: 'ip tuntap add %s mode tap user USER' "
			"makes one that is",
			name, name);
	case EINVAL:
		return err_set(e, error,
			       "'%s' is no tap, or one with other settings (several queues?)",
			       name);
	default:
		return err_set(e, error, "cannot use tap '%s': %s", name, err_str(error));
	}
}

int net_tap_open(const char *name, bool create, struct err *e)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int header = sizeof(struct virtio_net_hdr_mrg_rxbuf), little = 1;
	_cleanup_close_ int fd = -1;

	if (!*name || strlen(name) >= sizeof(ifr.ifr_name))
		return err_set(e, EINVAL, "'%.40s' is no name of an interface", name);
	/* The kernel would make one that is not there. */
	if (!create && !if_nametoindex(name))
		return err_set(e, ENODEV,
			       "there is no tap '%s': 'ip tuntap add %s mode tap' makes one", name,
			       name);
	fd = open(TUN, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_set(e, errno, "cannot open %s: %s", TUN, err_str(errno));
	memcpy(ifr.ifr_name, name, strlen(name));
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		return say_refused(name, errno, e);
	if (ioctl(fd, TUNSETVNETHDRSZ, &header) < 0 || ioctl(fd, TUNSETVNETLE, &little) < 0)
		return err_set(e, errno, "tap '%s' does not know virtio's header: %s", name,
			       err_str(errno));
	return take_fd(&fd);
}
