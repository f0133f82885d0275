/* SPDX-License-Identifier: MIT */
#include "mkfs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "cleanup.h"
#include "ext4.h"
#include "mkfs_times.h"
#include "program.h"
#include "size.h"
#include "tree_size.h"

#define MIB             (1ULL << 20)
#define SIZE_MIN        MIB
#define SIZE_MAX_FS     (16ULL << 40)
#define BYTES_PER_INODE 16384 /* mke2fs' own default */
#define OWN_INODES      11
#define TRIES           16

/* What mke2fs is told. */
struct spec {
	uint64_t size, inodes;
	bool fixed;
	const char *dir; /* or NULL: an empty one */
};

static uint64_t round_up(uint64_t v, uint64_t to)
{
	return (v + to - 1) / to * to;
}

/* Its last complaint is the reason; earlier ones lead there. */
static void keep_last(void *arg, const char *line)
{
	(void)snprintf(arg, ERR_MSG_MAX, "%.150s", line);
}

static int run_mke2fs(int fd, const struct spec *s, struct err *e)
{
	char path[32], blocks[24], inodes[24], said[ERR_MSG_MAX] = "";
	const char *argv[24] = { "mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-m", "0",
				 /* a new file is empty: nothing has to be written to have zeros */
				 "-E", "assume_storage_prezeroed=1,nodiscard,root_owner=0:0", "-O",
				 s->fixed ? "^has_journal" : "has_journal", "-N", inodes };
	struct program_run p = { .argv = argv, .keep_fd = fd, .line = keep_last, .arg = said };
	size_t n = 0;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	(void)snprintf(inodes, sizeof(inodes), "%" PRIu64, s->inodes);
	(void)snprintf(blocks, sizeof(blocks), "%" PRIu64, s->size / MKFS_BLOCK);
	while (argv[n])
		n++;
	if (s->dir) {
		argv[n++] = "-d";
		argv[n++] = s->dir;
	}
	argv[n++] = path;
	argv[n] = blocks;
	if (ftruncate(fd, (off_t)s->size) < 0)
		return err_set(e, errno, "cannot make a file of %" PRIu64 " bytes: %s", s->size,
			       err_str(errno));
	r = program_run(&p, e);
	if (r > 0)
		return err_set(e, EIO, "making the file system: %s",
			       said[0] ? said : "mke2fs did not say why");
	return r;
}

static int read_super(int fd, struct ext4 *ret)
{
	uint8_t sb[EXT4_SB_SIZE];

	if (pread(fd, sb, sizeof(sb), EXT4_SB_OFF) != (ssize_t)sizeof(sb))
		return -EIO;
	return ext4_parse(sb, sizeof(sb), ret);
}

/* The free blocks of an empty file system. */
static int free_blocks(const struct spec *s, uint64_t *ret, struct err *e)
{
	_cleanup_close_ int fd = memfd_create("mkfs", MFD_CLOEXEC);
	struct spec empty = *s;
	struct ext4 x;
	int r;

	if (fd < 0)
		return err_set(e, errno, "no memory for a file system: %s", err_str(errno));
	empty.dir = NULL;
	r = run_mke2fs(fd, &empty, e);
	if (r < 0)
		return r;
	r = read_super(fd, &x);
	if (r < 0)
		return err_set(e, EIO, "mke2fs made no file system");
	*ret = x.free_blocks;
	return 0;
}

static void set_size(struct spec *s, uint64_t size, const struct tree_size *t)
{
	uint64_t wanted = t->inodes + t->inodes / 8 + OWN_INODES + 64;

	s->size = size;
	s->inodes = size / BYTES_PER_INODE > wanted ? size / BYTES_PER_INODE : wanted;
}

/* The least size, in MiB, that has room for the tree: @s has it then. */
static int find_least(struct spec *s, const struct tree_size *t, struct err *e)
{
	/* Files are not always in one piece, nor are they packed to the last block. */
	uint64_t blocks = t->blocks + t->blocks / 64 + 64, have = 0;

	set_size(s, round_up(blocks * MKFS_BLOCK + MIB, MIB), t);
	for (int i = 0; i < TRIES; i++) {
		int r = free_blocks(s, &have, e);

		if (r < 0 || have >= blocks)
			return r;
		set_size(s, round_up(s->size + (blocks - have) * MKFS_BLOCK, MIB), t);
	}
	return err_set(e, EIO, "no size is large enough for the tree");
}

static int choose_size(struct spec *s, const struct mkfs_opts *opts, const struct tree_size *t,
		       struct err *e)
{
	uint64_t least, room;
	int r;

	if (opts->size > SIZE_MAX_FS)
		return err_set(e, EFBIG, "a file system has 16T at most");
	r = find_least(s, t, e);
	if (r < 0)
		return r;
	least = s->size;
	if (opts->size && opts->size < least) {
		char has[SIZE_TEXT], needs[SIZE_TEXT];

		return err_set(e, ENOSPC, "a size of %s is too small: this tree needs %s",
			       size_show(opts->size, has), size_show(least, needs));
	}
	room = least / 4 > 64 * MIB ? round_up(least / 4, MIB) : 64 * MIB;
	if (opts->size)
		set_size(s, opts->size, t);
	else if (!opts->fixed)
		set_size(s, least + room, t);
	return 0;
}

int mkfs_tree(const char *dir, int fd, const struct mkfs_opts *opts, uint64_t *ret_size,
	      struct err *e)
{
	struct spec s = { .fixed = opts->fixed, .dir = dir };
	struct tree_size t;
	int r = tree_measure(dir, &t, e);

	if (!r)
		r = choose_size(&s, opts, &t, e);
	if (r < 0)
		return r;
	progress_tell(opts->progress, "making the file system", 0, 0);
	r = run_mke2fs(fd, &s, e);
	if (!r)
		r = mkfs_copy_times(dir, fd, e);
	if (!r)
		*ret_size = s.size;
	return r;
}
