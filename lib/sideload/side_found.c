/* SPDX-License-Identifier: MIT */
#include "side_found.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "cursor.h"
#include "io.h"
#include "side_abi.h"

#define MAPS_MAX  (64U << 20)
#define LOCKS_MAX (16U << 20)
#define END_MS    20000 /* a guard's time to undo, and more */

void side_found_name(int vmfd, int64_t door, char ret[SIDE_NAME_MAX])
{
	int n = snprintf(ret, SIDE_NAME_MAX, SIDE_MEMFD ":%d:%d", SIDE_LAYOUT, vmfd);

	if (door >= 0)
		(void)snprintf(ret + n, SIDE_NAME_MAX - (size_t)n, ":%" PRId64, door);
}

int side_found_hold(int fd, enum side_holder who)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = who, .l_len = 1 };

	return fcntl(fd, F_SETLK, &lock) < 0 ? -errno : 0;
}

/* ":LAYOUT:VMFD", ":LAYOUT:VMFD:DOOR", or nothing. Return: is it a name of ours? */
static bool take_name(struct span name, struct side_one *o)
{
	struct cursor c = cur_of(name.p, name.len);
	struct span s;
	uint64_t fd, door;

	o->layout = 0;
	o->vmfd = -1;
	o->door = -1;
	if (!name.len)
		return true;
	if (cur_u8(&c) != ':' || cur_until(&c, ':', &s) <= 0 || span_u64(s, 10, &o->layout) < 0)
		return false;
	if (cur_until(&c, ':', &s) > 0 && !span_u64(s, 10, &fd) && fd <= INT32_MAX)
		o->vmfd = (int)fd;
	if (cur_until(&c, '\0', &s) > 0 && !span_u64(s, 10, &door) && door <= INT32_MAX)
		o->door = (int64_t)door;
	return true;
}

/* START-END RIGHTS OFFSET DEVICE INODE NAME (deleted) */
static bool take_mapping(struct span line, struct side_one *o)
{
	static const char prefix[] = "/memfd:" SIDE_MEMFD;
	struct span word[6];
	struct cursor range;
	struct span s;

	for (size_t i = 0; i < ARRAY_SIZE(word); i++)
		if (span_word(&line, &word[i]) <= 0)
			return false;
	if (!span_starts(word[5], prefix))
		return false;
	s = (struct span){ word[5].p + strlen(prefix), word[5].len - strlen(prefix) };
	range = cur_of(word[0].p, word[0].len);
	*o = (struct side_one){ .vmfd = -1 };
	if (!take_name(s, o) || cur_until(&range, '-', &s) <= 0 || span_u64(s, 16, &o->start) < 0 ||
	    cur_until(&range, '\0', &s) <= 0 || span_u64(s, 16, &o->end) < 0 || o->end <= o->start)
		return false;
	(void)snprintf(o->file, sizeof(o->file), "%.*s %.*s", (int)word[3].len, word[3].p,
		       (int)word[4].len, word[4].p);
	return true;
}

void side_found_maps(const char *maps, size_t len, int vmfd, struct side_found *ret)
{
	struct cursor c = cur_of(maps, len);
	struct span line;

	ret->n = 0;
	while (ret->n < SIDE_FOUND_MAX && cur_until(&c, '\n', &line) > 0) {
		struct side_one *o = &ret->v[ret->n];

		ret->n += take_mapping(line, o) && (o->vmfd < 0 || vmfd < 0 || o->vmfd == vmfd);
	}
}

/* N: POSIX ADVISORY WRITE PID MAJOR:MINOR:INODE START END; one that waits has an arrow before its kind. */
static void take_lock(struct span line, struct side_found *f)
{
	struct span word[8];
	uint64_t pid, byte;

	for (size_t i = 0; i < ARRAY_SIZE(word); i++)
		if (span_word(&line, &word[i]) <= 0)
			return;
	if (!span_eq(word[1], "POSIX") || span_u64(word[4], 10, &pid) < 0 || !pid ||
	    pid > INT32_MAX || span_u64(word[6], 10, &byte) < 0 || byte >= SIDE_HOLDERS)
		return;
	for (size_t i = 0; i < f->n; i++) {
		const char *inode = strchr(f->v[i].file, ' ');
		size_t n = (size_t)(inode - f->v[i].file);

		if (word[5].len == strlen(f->v[i].file) && word[5].p[n] == ':' &&
		    !memcmp(word[5].p, f->v[i].file, n) &&
		    !memcmp(word[5].p + n + 1, inode + 1, word[5].len - n - 1))
			f->v[i].holder[byte] = (pid_t)pid;
	}
}

void side_found_locks(const char *locks, size_t len, struct side_found *f)
{
	struct cursor c = cur_of(locks, len);
	struct span line;

	while (cur_until(&c, '\n', &line) > 0)
		take_lock(line, f);
}

int side_found_read(const struct pid_ref *hypervisor, int vmfd, struct side_found *ret)
{
	_cleanup_free_ char *maps = NULL, *locks = NULL;
	size_t len = 0;
	int r = io_read_at(hypervisor->procfd, "maps", MAPS_MAX, &maps, &len);

	if (r < 0)
		return r;
	side_found_maps(maps, len, vmfd, ret);
	if (!ret->n)
		return 0;
	r = io_read_at(AT_FDCWD, "/proc/locks", LOCKS_MAX, &locks, &len);
	if (!r)
		side_found_locks(locks, len, ret);
	return r;
}

pid_t side_found_who(const struct side_one *o)
{
	return o->holder[SIDE_OWNER] ? o->holder[SIDE_OWNER] : o->holder[SIDE_GUARD];
}

/* As @o was: is it still there, and does @who still hold it? */
static pid_t still(const struct pid_ref *hypervisor, const struct side_one *o, enum side_holder who)
{
	struct side_found now;

	if (side_found_read(hypervisor, o->vmfd, &now) < 0)
		return 0;
	for (size_t i = 0; i < now.n; i++)
		if (now.v[i].start == o->start && !strcmp(now.v[i].file, o->file))
			return now.v[i].holder[who];
	return 0;
}

/*
 * Who holds a lock is what the kernel noted when it was taken. A hypervisor that shares its descriptors can have one taken by
 * a process that ends, and whose pid then somebody else gets. Of ours each maps the memory; it is no other user's.
 */
static bool is_ours(const struct pid_ref *hypervisor, const struct pid_ref *ref,
		    const struct side_one *o)
{
	_cleanup_free_ char *maps = NULL;
	struct side_found has;
	struct stat st;
	size_t len = 0;

	if (ref->pid == hypervisor->pid || fstat(ref->procfd, &st) < 0 ||
	    (st.st_uid && st.st_uid != geteuid()) ||
	    io_read_at(ref->procfd, "maps", MAPS_MAX, &maps, &len) < 0)
		return false;
	side_found_maps(maps, len, -1, &has);
	for (size_t i = 0; i < has.n; i++)
		if (!strcmp(has.v[i].file, o->file))
			return true;
	return false;
}

static int end_holder(const struct pid_ref *hypervisor, const struct side_one *o,
		      enum side_holder who, int sig, struct err *e)
{
	_cleanup_pid_ struct pid_ref ref = PID_REF_INIT;
	struct pollfd p;
	int r = pid_open(o->holder[who], &ref, NULL);

	/* its pid may be somebody else's by now */
	if (r == -ESRCH || still(hypervisor, o, who) != o->holder[who])
		return 0;
	if (!r && !is_ours(hypervisor, &ref, o))
		return !pid_alive(&ref)
			       ? 0
			       : err_set(e, EPERM,
					 "process %d is said to be attached, but does not look like vmsh; it was not ended",
					 ref.pid);
	if (!r)
		r = pidfd_signal(ref.pidfd, sig);
	if (r < 0)
		return err_set(e, -r, "ending process %d: %s", o->holder[who], err_str(r));
	p = (struct pollfd){ .fd = ref.pidfd, .events = POLLIN };
	if (poll(&p, 1, END_MS) > 0)
		return 0;
	return err_set(
		e, EBUSY,
		"process %d has been told to end the session, and the guest does not let go; it undoes all as soon as the guest does",
		o->holder[who]);
}

int side_found_end(const struct pid_ref *hypervisor, const struct side_one *o, struct err *e)
{
	if (o->holder[SIDE_GUARD])
		return end_holder(hypervisor, o, SIDE_GUARD, SIGTERM, e);
	return o->holder[SIDE_OWNER] ? end_holder(hypervisor, o, SIDE_OWNER, SIGKILL, e) : 0;
}
