/* SPDX-License-Identifier: MIT */
#include "inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "cleanup.h"

/* What there is of @size bytes at @off. */
static int read_some(int fd, void *buf, size_t size, uint64_t off, size_t *ret, struct err *e)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, (char *)buf + done, size - done, (off_t)(off + done));

		if (n < 0 && errno != EINTR)
			return err_set(e, errno, "reading it: %s", err_str(errno));
		if (!n)
			break;
		done += n > 0 ? (size_t)n : 0;
	}
	*ret = done;
	return 0;
}

static int measure(int fd, struct disk *d, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "%s", err_str(errno));
	if (S_ISBLK(st.st_mode))
		return ioctl(fd, BLKGETSIZE64, &d->size) < 0
			       ? err_set(e, errno, "its size: %s", err_str(errno))
			       : 0;
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "neither a file nor a block device");
	d->size = (uint64_t)st.st_size;
	d->allocated = (uint64_t)st.st_blocks * 512;
	return 0;
}

static int inspect_integrity(int fd, struct disk *d, struct err *e)
{
	uint8_t buf[INTEGRITY_SECTOR];
	struct integrity_sb sb;
	size_t got;
	int r = read_some(fd, buf, sizeof(buf), d->luks.offset, &got, e);

	if (r < 0)
		return r;
	r = integrity_sb_parse(buf, got, &sb);
	if (!r)
		r = integrity_layout(&sb, d->luks.offset, &d->integrity);
	if (r < 0)
		return err_set(e, -r,
			       "its LUKS2 header promises authenticated data, but the integrity "
			       "superblock is %s",
			       r == -ENOENT       ? "missing"
			       : r == -EOPNOTSUPP ? "of a newer version"
						  : "damaged");
	d->has_integrity = true;
	d->truncated = d->integrity.size > d->size;
	return 0;
}

static int inspect_luks(int fd, struct disk *d, struct err *e)
{
	_cleanup_free_ uint8_t *buf = malloc(LUKS_HEADER_MAX);
	size_t got, want;
	int r;

	if (!buf)
		return err_set(e, ENOMEM, "no memory");
	r = read_some(fd, buf, 4096, 0, &got, e);
	if (r < 0 || luks_want(buf, got, &want) < 0)
		return r;
	r = read_some(fd, buf, want, 0, &got, e);
	if (!r)
		r = luks_parse(buf, got, &d->luks, e);
	if (r < 0)
		return r;
	d->has_luks = true;
	d->truncated = d->luks.offset >= d->size;
	return d->luks.integrity[0] ? inspect_integrity(fd, d, e) : 0;
}

/* Where the file system ends there may be a hash tree. */
static int inspect_verity(int fd, struct disk *d, struct err *e)
{
	uint8_t buf[VERITY_SB_SIZE];
	size_t got;
	int r;

	if (d->size <= d->ext4.size)
		return 0;
	r = read_some(fd, buf, sizeof(buf), d->ext4.size, &got, e);
	if (r < 0)
		return r;
	r = verity_parse(buf, got, &d->verity);
	if (r == -ENOENT)
		return 0;
	if (r < 0 || d->verity.data_blocks * d->verity.data_block != d->ext4.size)
		return err_set(e, EPROTO, "the superblock of its hash tree is damaged");
	d->has_verity = true;
	return 0;
}

static int inspect_ext4(int fd, struct disk *d, struct err *e)
{
	uint8_t buf[EXT4_SB_SIZE];
	size_t got;
	int r = read_some(fd, buf, sizeof(buf), EXT4_SB_OFF, &got, e);

	if (r < 0)
		return r;
	r = ext4_parse(buf, got, &d->ext4);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return err_set(e, EPROTO, "its ext4 superblock is damaged");
	d->has_ext4 = true;
	d->truncated = d->ext4.size > d->size;
	return inspect_verity(fd, d, e);
}

int disk_inspect(int fd, struct disk *ret, struct err *e)
{
	struct disk d = { 0 };
	int r = measure(fd, &d, e);

	if (!r)
		r = inspect_luks(fd, &d, e);
	if (!r && !d.has_luks)
		r = inspect_ext4(fd, &d, e);
	if (!r)
		*ret = d;
	return r;
}

int disk_check_kind(const struct disk *d, bool key, bool root, struct err *e)
{
	if (key && root)
		return err_set(e, EINVAL, "a key file and a root hash exclude each other");
	if (key && !d->has_integrity)
		return err_set(e, EINVAL,
			       "a key is given, but it is not encrypted and authenticated");
	if (root && !d->has_verity)
		return err_set(e, EINVAL, "a root hash is given, but it has no hash tree");
	return 0;
}

static int in_use(struct err *e)
{
	return err_set(e, EBUSY, "it is in use by another process");
}

int disk_check_free(int fd, bool read_only, struct err *e)
{
	struct flock l = { .l_type = read_only ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK ? in_use(e) : 0;
}

/* Where there are no locks, nobody else has one. */
int disk_hold(int fd, struct err *e)
{
	struct flock l = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLK, &l) < 0 && (errno == EAGAIN || errno == EACCES) ? in_use(e)
										      : 0;
}
