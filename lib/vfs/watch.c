/* SPDX-License-Identifier: MIT */
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cleanup.h"
#include "cursor.h"

/*
 * Not FAN_CLOSE_WRITE: data that is written in a mapping makes no FAN_MODIFY, and would be told at the end;
 * but so would every file that is written through the mount, twice.
 */
#define EVENTS                                                                               \
	(FAN_CREATE | FAN_DELETE | FAN_MOVED_FROM | FAN_MOVED_TO | FAN_ATTRIB | FAN_MODIFY | \
	 FAN_MOVE_SELF | FAN_DELETE_SELF | FAN_ONDIR)

/* All changes of these go through this kernel, and come here. */
static const uint32_t local[] = { EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, TMPFS_MAGIC,
				  F2FS_SUPER_MAGIC };

static bool is_local(int dir)
{
	struct statfs s;

	if (fstatfs(dir, &s) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(local); i++) {
		if ((uint32_t)s.f_type == local[i])
			return true;
	}
	return false;
}

int watch_open(int dir)
{
	_cleanup_close_ int fd = -1;

	if (!is_local(dir))
		return -EOPNOTSUPP;
	/* FAN_REPORT_DFID_NAME: Linux 5.9. */
	fd = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_REPORT_DFID_NAME |
				   FAN_REPORT_FID,
			   O_RDONLY);
	if (fd < 0)
		return -errno;
	if (fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, EVENTS, dir, NULL) < 0)
		return errno == ENODEV || errno == EXDEV ? -EOPNOTSUPP : -errno;
	return take_fd(&fd);
}

/* A record of an event: a handle, behind it maybe a name. */
static void take_record(struct cursor *c, struct watch_event *ret)
{
	const struct fanotify_event_info_header *h = cur_take(c, sizeof(*h));
	size_t size = h && h->len >= sizeof(*h) ? h->len - sizeof(*h) : 0;
	struct cursor r = cur_of(size ? cur_take(c, size) : NULL, size);
	struct watch_handle handle;
	const uint32_t *head;

	if (!h || !size || c->bad) {
		c->bad = true;
		return;
	}
	if (h->info_type != FAN_EVENT_INFO_TYPE_FID &&
	    h->info_type != FAN_EVENT_INFO_TYPE_DFID_NAME &&
	    h->info_type != FAN_EVENT_INFO_TYPE_DFID)
		return;
	(void)cur_take(&r, sizeof(__kernel_fsid_t));
	head = cur_take(&r, 2 * sizeof(*head));
	if (!head) {
		c->bad = true;
		return;
	}
	handle = (struct watch_handle){ (int32_t)head[1], head[0], NULL };
	handle.bytes = cur_take(&r, handle.size);
	if (h->info_type == FAN_EVENT_INFO_TYPE_FID) {
		ret->self = handle;
	} else {
		ret->dir = handle;
		if (h->info_type == FAN_EVENT_INFO_TYPE_DFID_NAME && cur_left(&r) &&
		    memchr(r.data + r.off, 0, cur_left(&r)))
			ret->name = (const char *)r.data + r.off;
	}
	c->bad |= !cur_ok(&r);
}

int watch_next(const void *buf, size_t size, size_t *off, struct watch_event *ret)
{
	struct cursor c = cur_of((const uint8_t *)buf + *off, size - *off);
	struct fanotify_event_metadata m;
	const void *p;

	*ret = (struct watch_event){ 0 };
	if (*off == size)
		return 0;
	p = cur_take(&c, sizeof(m));
	if (!p)
		return -EPROTO;
	/* Events are aligned to 4 bytes only. */
	memcpy(&m, p, sizeof(m));
	if (m.vers != FANOTIFY_METADATA_VERSION || m.event_len < sizeof(m) ||
	    m.event_len > size - *off)
		return -EPROTO;
	ret->mask = m.mask;
	ret->pid = m.pid;
	for (c.size = m.event_len; cur_left(&c);)
		take_record(&c, ret);
	*off += m.event_len;
	/* What happens to a directory itself is told as of its entry ".". */
	if (!ret->self.size && ret->name && strcmp(ret->name, ".") == 0)
		ret->self = ret->dir;
	return cur_ok(&c) ? 1 : -EPROTO;
}
