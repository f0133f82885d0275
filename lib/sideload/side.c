/* SPDX-License-Identifier: MIT */
#include "side.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "io.h"
#include "side_disk.h"
#include "side_found.h"
#include "side_guard.h"
#include "side_saved.h"
#include "tracee.h"

#define STOPS_MS 10000 /* for the guard's stops of the hypervisor, beside what it waits for */
#define CR4_CET  (1U << 23)
#define CLOSE_MS (SIDE_UNDO_MS + STOPS_MS)
#define DISK_MS  45000 /* for what is still to be written to a disk */

struct side {
	const struct vm *vm; /* borrowed */
	struct side_target target;
	struct side_shared *shared;
	struct side_state *state; /* NULL until it runs */
	uint64_t size;
	struct side_ring in, out;
	pid_t guard;
	int sock, bell, memory;
	int irq;             /* -1: the guest looks by itself */
	int door;            /* -1: the guard looks at the guest */
	struct side_ear ear; /* for the guard's bell and the door */
	uint32_t finds;      /* of that one, and of the disk's */
	bool broken, has_disk, told;
	struct side_disk_host disk;
};

static bool over(const struct side *s)
{
	return __atomic_load_n(&s->shared->ended, __ATOMIC_ACQUIRE);
}

/* Wait for something to be readable. Return: 1; 0 nothing was. */
static int wait_for(int fd, int timeout_ms)
{
	const uint64_t deadline = tracee_now_ns() + (uint64_t)timeout_ms * 1000000;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (;;) {
		uint64_t now = tracee_now_ns();
		int left = timeout_ms < 0   ? -1
			   : now > deadline ? 0
					    : (int)((deadline - now + 999999) / 1000000),
		    r = poll(&p, 1, left);

		if (r >= 0 || errno != EINTR)
			return r > 0;
	}
}

static void release(struct side *s)
{
	if (s->state)
		(void)munmap((uint8_t *)s->state - SIDE_STATE_AT, s->size);
	if (s->shared)
		(void)munmap(s->shared, sizeof(*s->shared));
	side_far_close(&s->disk.far);
	closep(&s->sock);
	closep(&s->bell);
	closep(&s->memory);
	closep(&s->irq);
	closep(&s->door);
	side_ear_close(&s->ear);
	free(s);
}

static int guard_failed(const struct side *s, struct err *e)
{
	if (s->shared->r >= 0)
		return err_set(
			e, EIO,
			"the process that watches over what is in the guest, the guard, has ended");
	if (e)
		*e = s->shared->err;
	return s->shared->r;
}

/* @fd becomes ours: it has our lock. */
static int map_memory(struct side *s, int fd, struct err *e)
{
	struct stat st;
	uint8_t *memory = fstat(fd, &st) < 0 ? MAP_FAILED
					     : mmap(NULL, (size_t)st.st_size,
						    PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	int r;

	s->memory = fd;
	if (memory == MAP_FAILED)
		return err_set(e, ENOMEM, "no memory to share with the guest");
	s->size = (uint64_t)st.st_size;
	s->state = (struct side_state *)(void *)(memory + SIDE_STATE_AT);
	s->in = (struct side_ring){ &s->state->to_host, memory + SIDE_TO_HOST_AT, 0 };
	s->out = (struct side_ring){ &s->state->to_guest, memory + SIDE_TO_GUEST_AT, 0 };
	r = side_found_hold(fd, SIDE_OWNER);
	return r < 0 ? err_set(e, -r, "locking memory of the guest: %s", err_str(r)) : 0;
}

/* The memory, from the guard, and then a byte once the program runs, with what rings the guest. */
static int await_guard(struct side *s, const struct side_opts *o, struct err *e)
{
	const unsigned int start_ms = o->timeout_ms ? o->timeout_ms : SIDE_START_MS;
	int r = 0;

	for (int step = 0; !r && step < 2; step++) {
		int fd[2] = { -1, -1 };
		char has;
		size_t n = 0;

		if (!wait_for(s->sock, (int)start_ms + CLOSE_MS))
			return err_set(
				e, ETIMEDOUT,
				"%s%sthe guest does not let go of what was put into it; that is undone as soon as it does",
				s->shared->err.msg, *s->shared->err.msg ? "; and " : "");
		if (io_recv_fds(s->sock, &has, 1, fd, ARRAY_SIZE(fd), &n) < 1)
			return guard_failed(s, e);
		if (n && !step) {
			r = map_memory(s, fd[0], e);
			continue;
		}
		s->door = has & SIDE_HAS_DOOR ? fd[0] : -1;
		s->irq = has & SIDE_HAS_IRQ ? fd[has & SIDE_HAS_DOOR ? 1 : 0] : -1;
	}
	if (!r && !s->state)
		r = guard_failed(s, e);
	return r < 0 ? r : side_ear_open(&s->ear, s->door, s->bell, &s->finds, e);
}

static int make_guard(struct side *s, const struct side_opts *o, struct err *e)
{
	int sock[2];

	s->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->bell < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock) < 0)
		return err_set(e, errno, "no descriptors for a guard: %s", err_str(errno));
	s->sock = sock[0];
	s->guard = tracee_fork();
	if (!s->guard) {
		const struct side_guard g = { o, &s->target, s->shared, sock[1], s->bell };

		side_guard_run(&g);
	}
	(void)close(sock[1]);
	return s->guard < 0 ? err_set(e, errno, "no process for a guard: %s", err_str(errno)) : 0;
}

/*
 * What a hypervisor saves of a machine has our entries in the page table, and not the memory behind them: a guest that goes on
 * elsewhere would execute what is not there.
 */
static int check_saved(const struct vm *v, struct err *e)
{
	const struct kvm_slot *s = v->kvm.slot;
	/* its "track_dirty_pages" is on for good; it stops the machine for each snapshot */
	bool logged = false, always = !strcmp(v->info.hypervisor, "firecracker");

	for (size_t i = 0; i < v->kvm.nslot; i++)
		logged |= s[i].logged && s[i].placed && v->entry.v - s[i].gpa.v < s[i].size;
	if ((logged && !always) || side_saved(&v->ref))
		return err_set(
			e, EBUSY,
			"the machine of process %d is being migrated or saved, or its writes are logged for that; nothing was changed",
			v->info.pid);
	return 0;
}

static int check_opts(const struct side_opts *o, struct err *e)
{
	/* Our library calls functions without an ENDBR, which is a trap where branches are tracked. */
	for (size_t i = 0; i < o->vm->kvm.ncpu; i++)
		if (o->vm->kvm.cpu[i].cr.cr4 & CR4_CET)
			return err_set(
				e, ENOTSUP,
				"the guest's processor has control-flow enforcement (CET) on; nothing was "
				"changed");
	if (!o->size || o->size > SIDE_PROGRAM_MAX)
		return err_set(e, E2BIG, "a program for the guest has 1 to %u bytes",
			       SIDE_PROGRAM_MAX);
	if (!o->argv[0] || !*o->argv[0] || strchr(o->argv[0], '/'))
		return err_set(e, EINVAL, "a program for the guest has a name without '/'");
	return check_saved(o->vm, e);
}

int side_open(const struct side_opts *o, struct side **ret, struct err *e)
{
	struct side *s;
	int r = check_opts(o, e);

	if (r < 0)
		return r;
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_set(e, ENOMEM, "no memory to share with the guest");
	s->sock = s->bell = s->memory = s->irq = s->door = -1;
	s->ear = SIDE_EAR_NONE;
	s->vm = o->vm;
	s->has_disk = o->disk;
	s->shared = mmap(NULL, sizeof(*s->shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s->shared == MAP_FAILED) {
		s->shared = NULL;
		r = err_set(e, ENOMEM, "no memory to share with the guest");
	}
	if (!r)
		r = side_target_find(o->vm, &s->target, e);
	if (!r)
		r = make_guard(s, o, e);
	if (!r)
		r = await_guard(s, o, e);
	if (r < 0) {
		if (s->guard > 0)
			(void)side_close(s, NULL, NULL);
		else
			release(s);
		return r;
	}
	*ret = s;
	return 0;
}

int side_fd(const struct side *s)
{
	return s->ear.fd;
}

void side_look_again(const struct side *s)
{
	const uint64_t one = 1;

	(void)!write(s->bell, &one, sizeof(one));
}

/* Nothing was found: who waits is left alone until somebody rings. What came meanwhile must be looked for once more. */
static void silence(struct side *s)
{
	const char byte = 0;

	(void)side_ear_clear(&s->ear);
	/* the guard, which hears no doorbell, is told of the end */
	if (!s->told && __atomic_load_n(&s->state->stage, __ATOMIC_ACQUIRE) == SIDE_ENDED)
		s->told = send(s->sock, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

/* Return: as side_ring_next(), and 0 only after a second look. */
static int next(struct side *s, uint32_t *ret_len)
{
	int r = side_ring_next(&s->in, ret_len);

	if (!r && !over(s)) {
		silence(s);
		r = side_ring_next(&s->in, ret_len);
	}
	if (r > 0)
		side_ear_found(&s->ear);
	return r;
}

void side_ring_guest(const struct side *s)
{
	const struct side_inject i = { .state = s->state, .bells = { -1, s->irq } };

	side_inject_ring(&i);
}

ssize_t side_recv(struct side *s, void *buf, size_t room)
{
	bool ended = over(s); /* before the ring: all that it wrote is there then */
	struct side_piece p[2];
	uint32_t len = 0;
	int r = s->broken ? -EPROTO : next(s, &len);

	if (r <= 0) {
		s->broken |= r < 0;
		return r < 0 ? -EPROTO : ended ? 0 : -EAGAIN;
	}
	if (len > room)
		return -EMSGSIZE;
	side_ring_pieces(&s->in, len, p);
	memcpy(buf, p[0].p, p[0].n);
	memcpy((uint8_t *)buf + p[0].n, p[1].p, p[1].n);
	if (side_ring_take(&s->in, len))
		side_ring_guest(s);
	return len;
}

/* As if they were one, into the two pieces of a ring. */
static void copy_parts(const struct side_piece p[2], const struct iovec *iov, int n)
{
	size_t at = 0;

	for (int i = 0; i < n; i++) {
		const uint8_t *from = iov[i].iov_base;
		size_t len = iov[i].iov_len;
		size_t first = at >= p[0].n ? 0 : len < p[0].n - at ? len : p[0].n - at;

		if (first)
			memcpy(p[0].p + at, from, first);
		if (len > first)
			memcpy(p[1].p + (at + first - p[0].n), from + first, len - first);
		at += len;
	}
}

int side_send(struct side *s, const struct iovec *iov, int n)
{
	struct side_piece p[2];
	size_t len = 0;
	int r;

	for (int i = 0; i < n; i++) {
		if (iov[i].iov_len > SIDE_MESSAGE_MAX - len)
			return -EMSGSIZE;
		len += iov[i].iov_len;
	}
	if (!len)
		return -EMSGSIZE;
	if (over(s))
		return -EPIPE;
	r = s->broken ? -EPROTO : side_ring_room(&s->out, (uint32_t)len);
	if (r <= 0) {
		s->broken |= r < 0;
		return r < 0 ? -EPROTO : -EAGAIN;
	}
	side_ring_pieces(&s->out, (uint32_t)len, p);
	copy_parts(p, iov, n);
	return side_ring_put(&s->out, (uint32_t)len);
}

bool side_has_room(const struct side *s)
{
	return s->broken || over(s) || side_ring_room(&s->out, SIDE_MESSAGE_MAX);
}

int side_wait(struct side *s, int timeout_ms)
{
	uint64_t deadline = tracee_now_ns() + (uint64_t)timeout_ms * 1000000;
	uint32_t len;

	for (;;) {
		uint64_t now = tracee_now_ns();

		if (s->broken || next(s, &len) || over(s))
			return 1;
		if (timeout_ms >= 0 && now >= deadline)
			return 0;
		(void)wait_for(s->ear.fd,
			       timeout_ms < 0 ? -1 : (int)((deadline - now) / 1000000 + 1));
	}
}

struct side_report side_so_far(const struct side *s)
{
	return s->shared->report;
}

/* Has the guard ended, within @timeout_ms? */
static bool guard_ended(struct side *s, int timeout_ms)
{
	uint64_t deadline = tracee_now_ns() + (uint64_t)timeout_ms * 1000000;

	for (;;) {
		pid_t r = waitpid(s->guard, NULL, WNOHANG);

		if (r == s->guard || (r < 0 && errno != EINTR))
			return true;
		if (tracee_now_ns() > deadline)
			return false;
		(void)usleep(1000);
	}
}

/* Apart, for we may be killed. */
static int undo(void *arg, struct err *e)
{
	const struct side *s = arg;
	const struct side_inject i = {
		s->vm, &s->target, &s->shared->made, s->state, { -1, s->irq }
	};

	return side_guard_undo(&i, s->shared, CLOSE_MS, e);
}

int side_disk_memory(struct side *s, struct side_disk_memory *ret, struct err *e)
{
	const struct side_target *t = &s->target;
	struct side_disk *d = &s->state->disk;
	uint64_t at = s->size - SIDE_DISK_SIZE;

	if (t->no_disk.code) {
		*e = t->no_disk;
		return -t->no_disk.code;
	}
	if (!s->has_disk)
		return err_set(e, ENOTSUP, "there is no room for a disk");
	if (!s->disk.far.vm)
		side_far_open(&s->disk.far, s->vm, &d->served);
	*ret = (struct side_disk_memory){ (uint8_t *)s->state - SIDE_STATE_AT + at,
					  at,
					  SIDE_DISK_SIZE,
					  SIDE_DISK_PIECE_MAX,
					  s->disk.far.region,
					  s->disk.far.n,
					  &d->position,
					  &d->next };
	return 0;
}

int side_disk_put(void *side, const void *from, const struct iovec *to, unsigned int n)
{
	const struct side *s = side;

	return side_far_put(&s->disk.far, from, to, n);
}

int side_disk_start(struct side *s, const struct side_server *server, struct err *e)
{
	s->disk = (struct side_disk_host){
		.shared = &s->state->disk,
		.server = *server,
		.far = s->disk.far,
		.inject = { .state = s->state, .bells = { -1, s->irq } },
		.has_door = &s->shared->report.door,
		.door = s->door,
		.finds = &s->finds,
	};
	return side_disk_host_start(&s->disk, e);
}

int side_disk_ready(const struct side *s, struct err *e)
{
	return side_disk_state(&s->state->disk, e);
}

int side_close(struct side *s, struct side_report *ret, struct err *e)
{
	const char byte = 0;
	int r = 0;

	/* it hears that we are still there, if somebody has to answer for a disk */
	(void)send(s->sock, &byte, 1, MSG_NOSIGNAL);

	(void)shutdown(s->sock, SHUT_RDWR);
	if (!guard_ended(s, s->disk.runs ? CLOSE_MS + DISK_MS : CLOSE_MS))
		r = err_set(
			e, EBUSY,
			"the guest does not let go of what was put into it; that is undone as soon as it does");
	else if (!__atomic_load_n(&s->shared->undone, __ATOMIC_ACQUIRE))
		r = tracee_apart(undo, s, e);
	side_disk_host_stop(&s->disk);
	if (ret)
		*ret = s->shared->report;
	release(s);
	return r;
}
