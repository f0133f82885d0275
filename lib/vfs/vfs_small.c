/* SPDX-License-Identifier: MIT */
/*
 * vfs_small.c - who writes small files, and so does better without passthrough.
 *
 * Theory of operation
 *
 * To register a backing file for a new file and to forget it again are four system calls; the kernel asks for
 * security.capability before the first write; and the write, which is not ours, comes back as a change by somebody else
 * that has to be told (vfs_watch.h). A file that is written once and closed goes cheaper through us: FOPEN_DIRECT_IO, a
 * message for each write. A file that is written often, or is large, does not.
 *
 * Which of the two it will be nobody says. But who has written several small files one after the other (tar, git, a mail
 * server) will most likely write another. So it is remembered for a few threads how many small files each wrote in a row:
 * from SMALL_STREAK on, what it opens to write and nothing else is expected to be small. One that was not
 * begins anew.
 *
 * Such an open counts as one through us: others of the node follow it until it is closed (vfs_pass.c). Nothing can be mapped
 * by it, for that takes a file that can be read.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "vfs_private.h"

#define SMALL_STREAK 4
#define SMALL_WRITES 2
#define SMALL_SIZE   65536

uint32_t vfs_small_writer(const struct fuse_call *c, uint32_t flags)
{
	bool can = c->params->flags & FUSE_PASSTHROUGH && c->chan->ops->backing_open;

	/* O_DIRECT is the backing file's affair; what is appended to is a log, and stays open. */
	return can && (flags & (O_ACCMODE | O_DIRECT | O_APPEND)) == O_WRONLY ? c->req->h.pid : 0;
}

static struct vfs_writer *slot_of(struct vfs *v, uint32_t writer)
{
	return &v->writer[writer % SMALL_WRITERS];
}

bool vfs_small_expected(struct vfs *v, uint32_t writer)
{
	const struct vfs_writer *w = slot_of(v, writer);

	if (v->conf.small != VFS_SMALL_AUTO)
		return writer && v->conf.small == VFS_SMALL_ALWAYS;
	return writer && atomic_load(&w->pid) == writer && atomic_load(&w->streak) >= SMALL_STREAK;
}

/* What was passed through we did not see. */
static bool was_small(struct file *f)
{
	struct stat st;

	if (f->direct)
		return fstat(file_fd(f), &st) == 0 && st.st_size <= SMALL_SIZE;
	return f->writes <= SMALL_WRITES && f->written <= SMALL_SIZE;
}

void vfs_small_closed(struct vfs *v, struct file *f)
{
	struct vfs_writer *w = slot_of(v, f->writer);

	if (!f->writer || v->conf.small != VFS_SMALL_AUTO)
		return;
	/* Two threads of one place may take it from each other: they lose a guess. */
	if (atomic_exchange(&w->pid, f->writer) != f->writer)
		atomic_store(&w->streak, 0);
	if (!was_small(f))
		atomic_store(&w->streak, 0);
	else if (atomic_load(&w->streak) < SMALL_STREAK)
		atomic_fetch_add(&w->streak, 1);
}
