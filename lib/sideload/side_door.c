/* SPDX-License-Identifier: MIT */
#include "side_door.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "cursor.h"
#include "io.h"
#include "side_slot.h"

#define FDINFO_MAX \
	65536 /* an epoll's has a line for each of its descriptors, and is none of ours then */

/* "NAME: VALUE". Return: is it a line of that name? */
static bool take_value(struct span line, const char *name, unsigned int base, uint64_t *ret)
{
	struct span word;

	return span_word(&line, &word) > 0 && span_eq(word, name) && span_word(&line, &word) > 0 &&
	       !span_u64(word, base, ret);
}

int side_door_id(const struct pid_ref *p, int fd, int64_t *ret_id, uint64_t *ret_count)
{
	_cleanup_free_ char *text = NULL;
	uint64_t id = 0, count = 0;
	bool has_id = false, has_count = false;
	struct span line;
	struct cursor c;
	char path[32];
	size_t len;
	int r;

	(void)snprintf(path, sizeof(path), "fdinfo/%d", fd);
	r = io_read_at(p->procfd, path, FDINFO_MAX, &text, &len);
	if (r < 0)
		return r;
	c = cur_of(text, len);
	while (cur_until(&c, '\n', &line) > 0) {
		has_id |= take_value(line, "eventfd-id:", 10, &id);
		has_count |= take_value(line, "eventfd-count:", 16, &count);
	}
	if (!has_id || !has_count || id > INT32_MAX)
		return -ENOTSUP;
	*ret_id = (int64_t)id;
	*ret_count = count;
	return 0;
}

int side_door_find(const struct pid_ref *p, int64_t id, uint64_t *ret_count)
{
	int fd = openat(p->procfd, "fdinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;

	if (!dir)
		return -errno;
	while ((d = readdir(dir))) {
		int64_t is;

		if (d->d_name[0] != '.' && !side_door_id(p, atoi(d->d_name), &is, ret_count) &&
		    is == id)
			return atoi(d->d_name);
	}
	return -ENOENT;
}

int side_door_close(struct tracee *t, int theirs, struct err *e)
{
	const uint64_t args[6] = { (uint64_t)theirs };

	return (int)side_call(t, SYS_close, args, e);
}

int side_door_open(struct tracee *t, uint32_t count, struct side_eventfd *ret, struct err *e)
{
	const uint64_t args[6] = { count, EFD_CLOEXEC | EFD_NONBLOCK };
	long theirs = side_call(t, SYS_eventfd2, args, e);
	int ours, why;
	uint64_t is;

	if (theirs < 0)
		return err_set(e, (int)-theirs, "making a doorbell in process %d: %s", t->ref->pid,
			       err_str((int)theirs));
	ours = (int)syscall(SYS_pidfd_getfd, t->ref->pidfd, (int)theirs, 0);
	why = errno;
	if (ours < 0) {
		(void)!side_door_close(t, (int)theirs, NULL);
		return err_set(e, why, "taking a doorbell of process %d: %s", t->ref->pid,
			       err_str(why));
	}
	*ret = (struct side_eventfd){ (int)theirs, ours, -1 };
	if (side_door_id(t->ref, (int)theirs, &ret->id, &is) < 0)
		ret->id = -1;
	return 0;
}

int side_door_set(struct tracee *t, int vmfd, int theirs, gpa_t gpa, bool on, struct err *e)
{
	/* of any length: KVM need not look at what the guest executes (Linux 4.4, as all that say an id) */
	struct kvm_ioeventfd door = { .addr = gpa.v,
				      .fd = theirs,
				      .flags = on ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN };
	struct tracee_ioctl c = { vmfd, KVM_IOEVENTFD, &door, sizeof(door), 0 };
	int r = tracee_ioctl(t, &c, e);

	return r < 0 ? r : c.ret < 0;
}

int side_door_irq(struct tracee *t, int vmfd, uint32_t gsi, int *ret, struct err *e)
{
	struct side_eventfd bell;
	struct kvm_irqfd irq = { .gsi = gsi };
	int end, r = side_door_open(t, 0, &bell, e);

	if (r < 0)
		return r;
	irq.fd = (uint32_t)bell.theirs;
	r = side_ask(t, vmfd, KVM_IRQFD, &irq, sizeof(irq), e);
	end = side_door_close(t, bell.theirs, r ? NULL : e);
	if (r < 0 || end < 0) {
		(void)close(bell.ours);
		return r < 0 ? r : end;
	}
	*ret = bell.ours;
	return 0;
}
