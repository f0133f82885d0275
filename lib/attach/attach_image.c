/* SPDX-License-Identifier: MIT */
#include "attach_image.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "attach_volume.h"
#include "cleanup.h"
#include "mnt.h"

#define LOOP_TRIES 16 /* for a device that nobody else takes meanwhile */
#define LOOP_PATH  32

static int image_size(int fd, uint64_t *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISBLK(st.st_mode))
		return ioctl(fd, BLKGETSIZE64, ret) < 0 ? -errno : 0;
	*ret = (uint64_t)st.st_size;
	return S_ISREG(st.st_mode) ? 0 : S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
}

/* A loop device for @v of @image. Return: its descriptor; closed without a mount it is free again. */
static int make_loop(int image, const struct attach_volume *v, char ret_path[LOOP_PATH])
{
	struct loop_config c = { .fd = (uint32_t)image,
				 .info = { .lo_offset = v->offset,
					   .lo_sizelimit = v->size & ~511ULL,
					   .lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR } };
	_cleanup_close_ int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int r = control < 0 ? -errno : -EBUSY;

	for (int k = 0; r == -EBUSY && k < LOOP_TRIES; k++) {
		int n = ioctl(control, LOOP_CTL_GET_FREE), fd;

		if (n < 0)
			return -errno;
		(void)snprintf(ret_path, LOOP_PATH, "/dev/loop%d", n);
		fd = open(ret_path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		if (!ioctl(fd, LOOP_CONFIGURE, &c))
			return fd;
		r = -errno;
		(void)close(fd);
	}
	return r;
}

static int mount_volume(const struct attach_volume *v, const char *device)
{
	/* what the image says of errors is not what is done here, which may be a panic */
	const struct mnt_param ext4[] = { { "source", device },
					  { "ro", NULL },
					  { "noload", NULL },
					  { "errors", "remount-ro" },
					  { 0 } };
	const struct mnt_param plain[] = { { "source", device }, { "ro", NULL }, { 0 } };

	return mnt_new(v->fstype, strcmp(v->fstype, "ext4") == 0 ? ext4 : plain,
		       MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
}

int attach_image_find(const char *path, struct attach_volume *ret, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	uint64_t size = 0;
	int r = fd < 0 ? -errno : image_size(fd, &size);

	if (r < 0)
		return err_set(e, -r, "image '%s': %s", path,
			       r == -EINVAL ? "neither a file nor a block device" : err_str(r));
	r = attach_volume_find(fd, size, path, ret, e);
	return r < 0 ? r : take_fd(&fd);
}

int attach_image_mount(const char *path, struct err *e)
{
	struct attach_volume v;
	_cleanup_close_ int fd = attach_image_find(path, &v, e), loop = -1;
	char device[LOOP_PATH];
	int r;

	if (fd < 0)
		return fd;
	loop = make_loop(fd, &v, device);
	if (loop < 0)
		return err_set(e, -loop, "no loop device for image '%s': %s%s", path, err_str(loop),
			       loop == -ENOENT ? "; 'modprobe loop' may help" : "");
	r = mount_volume(&v, device);
	if (r < 0)
		return err_set(e, -r, "mounting the %s file system in image '%s': %s%s", v.fstype,
			       path, err_str(r),
			       r == -ENODEV ? "; this host's kernel does not have it" : "");
	return r;
}
