/* SPDX-License-Identifier: MIT */
#include "tree_size.h"

#include <errno.h>
#include <fts.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "compiler.h"

#define BLOCK         4096
#define FAST_LINK_MAX 59 /* bytes of a link that its inode has room for */
#define EXTENT_RUN \
	(64 << 20) /* bytes that one extent surely covers when a file is written in one go */
#define INODE_EXTENTS 4
#define DIR_ENTRY     8 /* and the name, in multiples of 4 */

/* What is counted, and the files with several names that were seen. */
struct count {
	struct tree_size size;
	void *links;
};

struct link_id {
	dev_t dev;
	ino_t ino;
};

static int compare_links(const void *a, const void *b)
{
	const struct link_id *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return x->ino == y->ino ? 0 : x->ino < y->ino ? -1 : 1;
}

/* 1 it is another name of a file that was counted; 0; -ENOMEM. */
static int seen_before(struct count *c, const struct stat *st)
{
	struct link_id *id, **at;

	if (st->st_nlink < 2 || S_ISDIR(st->st_mode))
		return 0;
	id = malloc(sizeof(*id));
	if (!id)
		return -ENOMEM;
	*id = (struct link_id){ .dev = st->st_dev, .ino = st->st_ino };
	at = tsearch(id, &c->links, compare_links);
	if (!at || *at != id)
		free(id);
	return !at ? -ENOMEM : *at != id;
}

static uint64_t blocks_of(uint64_t bytes)
{
	return bytes / BLOCK + !!(bytes % BLOCK);
}

static uint64_t file_blocks(const struct stat *st)
{
	uint64_t whole = blocks_of((uint64_t)st->st_size);
	uint64_t taken = blocks_of((uint64_t)st->st_blocks * 512);
	uint64_t blocks = taken < whole ? taken : whole;

	/* A block of extents for what has many, be it large or with holes. */
	if ((uint64_t)st->st_size / EXTENT_RUN >= INODE_EXTENTS || taken < whole)
		blocks++;
	return blocks;
}

static int count_entry(struct count *c, const FTSENT *en)
{
	const struct stat *st = en->fts_statp;
	int r = seen_before(c, st);

	if (en->fts_parent && en->fts_level > 0)
		en->fts_parent->fts_number += DIR_ENTRY + (long)((en->fts_namelen + 3) & ~3U);
	if (r)
		return r < 0 ? r : 0;
	c->size.inodes++;
	if (S_ISREG(st->st_mode))
		c->size.blocks += file_blocks(st);
	else if (S_ISLNK(st->st_mode) && st->st_size > FAST_LINK_MAX)
		c->size.blocks++;
	/* Most fit into the inode; a block if they do not. */
	if (llistxattr(en->fts_accpath, NULL, 0) > 0)
		c->size.blocks++;
	return 0;
}

/* Entries do not cross blocks, and each block has a checksum: half a block of loss is more than enough. */
static void count_dir(struct count *c, const FTSENT *en)
{
	uint64_t blocks = blocks_of((uint64_t)en->fts_number + 64);

	c->size.blocks += blocks + blocks / 8;
}

static int walk(FTS *fts, struct count *c, struct err *e)
{
	FTSENT *en;

	while ((errno = 0, en = fts_read(fts))) {
		int r = 0;

		if (en->fts_info == FTS_DNR || en->fts_info == FTS_ERR || en->fts_info == FTS_NS)
			return err_set(e, en->fts_errno, "cannot read '%.150s': %s", en->fts_path,
				       err_str(en->fts_errno));
		if (en->fts_info == FTS_DC)
			return err_set(e, ELOOP, "'%.150s' contains itself", en->fts_path);
		if (en->fts_info == FTS_DP)
			count_dir(c, en);
		else
			r = count_entry(c, en);
		if (r < 0)
			return err_set(e, -r, "no memory");
	}
	return errno ? err_set(e, errno, "reading the tree: %s", err_str(errno)) : 0;
}

int tree_measure(const char *dir, struct tree_size *ret, struct err *e)
{
	char *const roots[] = { (char *)(uintptr_t)dir, NULL };
	struct count c = { 0 };
	struct stat st;
	FTS *fts;
	int r;

	if (stat(dir, &st) < 0)
		return err_set(e, errno, "cannot read '%.150s': %s", dir, err_str(errno));
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ENOTDIR, "'%.150s' is not a directory", dir);
	fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_COMFOLLOW, NULL);
	if (!fts)
		return err_set(e, errno, "cannot read '%.150s': %s", dir, err_str(errno));
	r = walk(fts, &c, e);
	(void)fts_close(fts);
	tdestroy(c.links, free);
	if (!r)
		*ret = c.size;
	return r;
}
