/* SPDX-License-Identifier: MIT */
#include "mkfs_times.h"

#include <errno.h>
#include <ext2fs/ext2fs.h>
#include <fts.h>
#include <stdio.h>
#include <sys/stat.h>

#include "compiler.h"

static int failed(errcode_t r, const char *path, struct err *e)
{
	return err_set(e, EIO, "'%.120s' in the new file system: %s", path, error_message(r));
}

/* Bits 0-1 go on where 32 bits of seconds end, bits 2-31 are nanoseconds (Documentation/filesystems/ext4/inodes.rst). */
static void put_time(const struct timespec *t, uint32_t *ret, uint32_t *ret_extra)
{
	int64_t above = (int64_t)t->tv_sec - (int32_t)t->tv_sec;

	*ret = (uint32_t)t->tv_sec;
	*ret_extra = (uint32_t)((uint64_t)above >> 32 & 3) | (uint32_t)t->tv_nsec << 2;
}

static errcode_t copy_inode(ext2_filsys fs, ext2_ino_t ino, const struct stat *st)
{
	struct ext2_inode_large x = { 0 };
	struct ext2_inode *small = (struct ext2_inode *)&x;
	errcode_t r = ext2fs_read_inode_full(fs, ino, small, sizeof(x));

	if (r)
		return r;
	put_time(&st->st_mtim, &x.i_mtime, &x.i_mtime_extra);
	put_time(&st->st_atim, &x.i_atime, &x.i_atime_extra);
	if (ino == EXT2_ROOT_INO) {
		x.i_mode = (uint16_t)(LINUX_S_IFDIR | (st->st_mode & 07777));
		x.i_uid = (uint16_t)st->st_uid;
		x.osd2.linux2.l_i_uid_high = (uint16_t)(st->st_uid >> 16);
		x.i_gid = (uint16_t)st->st_gid;
		x.osd2.linux2.l_i_gid_high = (uint16_t)(st->st_gid >> 16);
	}
	return ext2fs_write_inode_full(fs, ino, small, sizeof(x));
}

/* An entry's inode is kept in its fts_number, for its children. */
static int copy_all(ext2_filsys fs, FTS *fts, struct err *e)
{
	FTSENT *en;

	while ((errno = 0, en = fts_read(fts))) {
		ext2_ino_t ino = EXT2_ROOT_INO;
		errcode_t r = 0;

		if (en->fts_info == FTS_DP)
			continue;
		if (en->fts_info == FTS_DNR || en->fts_info == FTS_ERR || en->fts_info == FTS_NS)
			return err_set(e, en->fts_errno, "cannot read '%.150s': %s", en->fts_path,
				       err_str(en->fts_errno));
		if (en->fts_level > 0)
			r = ext2fs_lookup(fs, (ext2_ino_t)en->fts_parent->fts_number, en->fts_name,
					  en->fts_namelen, NULL, &ino);
		en->fts_number = ino;
		if (!r)
			r = copy_inode(fs, ino, en->fts_statp);
		if (r)
			return failed(r, en->fts_path, e);
	}
	return errno ? err_set(e, errno, "reading the tree: %s", err_str(errno)) : 0;
}

int mkfs_copy_times(const char *dir, int fd, struct err *e)
{
	char *const roots[] = { (char *)(uintptr_t)dir, NULL };
	ext2_filsys fs = NULL;
	char path[32];
	errcode_t r;
	FTS *fts;
	int ret;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = ext2fs_open(path, EXT2_FLAG_RW | EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &fs);
	if (r)
		return failed(r, "/", e);
	fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_COMFOLLOW, NULL);
	ret = fts ? copy_all(fs, fts, e) : err_set(e, errno, "cannot read '%.150s'", dir);
	if (fts)
		(void)fts_close(fts);
	r = ext2fs_close_free(&fs);
	return ret < 0 ? ret : r ? failed(r, "/", e) : 0;
}
