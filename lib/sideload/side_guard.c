/* SPDX-License-Identifier: MIT */
#include "side_guard.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "io.h"
#include "side_disk.h"
#include "side_door.h"
#include "side_image.h"
#include "side_saved.h"
#include "tracee.h"

#define SILENCE_NS    5000000000ULL /* the guest takes us for gone */
#define LOST_NS       2000000000ULL /* of silence */
#define UNDO_AGAIN_US 500000
#define NEAR_NS       200000ULL
#define POLL_LEAST_US 100
#define POLL_MOST_US  5000
#define TICK_US       1000
#define RUNG_US \
	400000 /* where others are rung: a beat, and a look at what was missed; BEAT_US of a detach has two */
#define SAVED_NS \
	300000000ULL /* between two looks whether it is saved: with a name of each thread, each time */
#define ATTEMPTS 3

_Static_assert(sizeof(side_image) <= SIDE_CODE_MAX, "the linker script says so, too");

static uint32_t load(const uint32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void beat(struct side_state *s)
{
	__atomic_add_fetch(&s->beat, 1, __ATOMIC_RELEASE);
}

static uint64_t program_end(const struct side_opts *o)
{
	return SIDE_PROGRAM_AT + ((o->size + SIDE_PAGE - 1) & ~(SIDE_PAGE - 1));
}

static uint64_t memory_size(const struct side_opts *o)
{
	return program_end(o) + (o->disk ? SIDE_DISK_SIZE : 0);
}

static uint32_t at(const struct side_state *s, const void *member)
{
	return SIDE_STATE_AT + (uint32_t)((const uint8_t *)member - (const uint8_t *)s);
}

static void fill_header(struct side_state *s)
{
	*side_header_of(s) = (struct side_header){
		.magic = SIDE_MAGIC,
		.ended = SIDE_ENDED,
		.beat_at = at(s, &s->beat),
		.stop_at = at(s, &s->stop),
		.stage_at = at(s, &s->stage),
		.guest_beat_at = at(s, &s->guest_beat),
		.done_at = at(s, s->completion + s->at.completion_done),
		.lock_at = at(s, s->completion + s->at.completion_wait),
	};
}

static void fill_disk(const struct side_guard *g, struct side_disk *d)
{
	const struct side_target_disk *t = &g->target->disk;

	d->call = t->call;
	d->at = t->at;
	d->chip = t->chip;
	d->handler = t->handler;
	d->direct = t->direct;
	d->page_list = t->page_list;
	d->area = (uint32_t)program_end(g->opts);
}

/* Everything that is known before the guest sees it. */
static int fill(const struct side_guard *g, uint8_t *memory, struct err *e)
{
	struct side_state *s = (struct side_state *)(void *)(memory + SIDE_STATE_AT);
	const struct side_target *t = g->target;
	size_t used = 0;

	memcpy(memory, side_image, sizeof(side_image));
	memcpy(memory + SIDE_PROGRAM_AT, g->opts->program, g->opts->size);
	s->call = t->call;
	s->at = t->at;
	s->workqueue = t->workqueue;
	s->current_at = t->current_at;
	s->other_fops = t->other_fops;
	memcpy(&s->register_gsi, &t->register_gsi, sizeof(s->register_gsi));
	memcpy(&s->unregister_gsi, &t->unregister_gsi, sizeof(s->unregister_gsi));
	s->silence_ns = SILENCE_NS;
	s->program_size = (uint32_t)g->opts->size;
	if (g->opts->disk && !g->target->no_disk.code)
		fill_disk(g, &s->disk);
	for (; g->opts->argv[s->argc]; s->argc++) {
		size_t n = strlen(g->opts->argv[s->argc]) + 1;

		if (s->argc == SIDE_ARGS_MAX || n > sizeof(s->args) - used)
			return err_set(e, E2BIG, "too many arguments for a program in the guest");
		memcpy(s->args + used, g->opts->argv[s->argc], n);
		used += n;
	}
	fill_header(s);
	return 0;
}

/* Has the guest rung? What was in there at first does not count. After the first time nobody reads it any more (side_ear.h). */
static void hear(const struct side_guard *g, const struct side_inject *i)
{
	uint64_t n = 0;

	if (!g->shared->report.door && i->bells.door >= 0 &&
	    read(i->bells.door, &n, sizeof(n)) == sizeof(n) && n != SIDE_DOOR_NEW)
		g->shared->report.door = true;
}

/* It has to be heard once, so that it is believed. */
static void prove(const struct side_guard *g, const struct side_inject *i)
{
	if (load(&i->state->rung))
		g->shared->report.irq = true;
	else
		side_inject_ring(i);
}

/* How far the guest came with what was put into it, by the last step that it took. */
static const char *missing_step(uint32_t stage)
{
	static const char *const missing[] = {
		[SIDE_NOTHING] = "its processor has not taken up the work that it was given",
		[SIDE_INTERRUPT] = "its workers have not taken up what an interrupt left them",
		[SIDE_WORKER] = "it has not begun with the thread that was made in it",
		[SIDE_THREAD] = "its kernel has not executed the program",
	};

	return stage < ARRAY_SIZE(missing) ? missing[stage] : "what it says makes no sense";
}

/* Until the program runs. */
static int await_start(const struct side_guard *g, const struct side_inject *i, struct err *e)
{
	unsigned int ms = g->opts->timeout_ms ? g->opts->timeout_ms : SIDE_START_MS;
	uint64_t deadline = tracee_now_ns() + ms * 1000000ULL;
	struct pollfd fds[] = { { .fd = g->sock, .events = POLLIN },
				{ .fd = i->vm->ref.pidfd, .events = POLLIN },
				{ .fd = i->bells.door, .events = POLLIN } };

	for (;;) {
		uint32_t stage = load(&i->state->stage);
		int error = i->state->error;

		if (stage == SIDE_RUNS || (stage == SIDE_ENDED && !error))
			return 0;
		if (stage == SIDE_ENDED)
			return err_set(e, error < 0 && error > -4096 ? -error : EPROTO,
				       "starting a program in the guest: %s", err_str(error));
		if (tracee_now_ns() > deadline)
			return err_set(
				e, ETIMEDOUT,
				"the guest did not start vmsh's program within %g s, the --timeout: %s",
				ms / 1000.0, missing_step(stage));
		beat(i->state);
		prove(g, i);
		(void)poll(fds, ARRAY_SIZE(fds), 1);
		hear(g, i);
		if (fds[1].revents)
			return err_set(e, ECONNRESET, "the machine of process %d has ended",
				       i->vm->info.pid);
		if (fds[0].revents)
			return err_set(e, ECONNRESET, "who wanted a program in the guest has gone");
	}
}

/* Somebody else may have taken the same place meanwhile. */
static int inject(const struct side_guard *g, const struct side_inject *i,
		  struct side_entries *where, struct err *e)
{
	int r = -EAGAIN;

	for (int k = 0; r == -EAGAIN && k < ATTEMPTS; k++) {
		r = k ? side_inject_place(i, memory_size(g->opts), where, e) : 0;
		if (!r)
			r = side_inject_start(i, where, &g->shared->report.start_ns, e);
	}
	return r;
}

static int start(const struct side_guard *g, struct side_inject *i, struct err *e)
{
	const uint64_t size = memory_size(g->opts);
	struct side_entries where;
	uint8_t *memory;
	char byte = 0;
	int fd, r = side_inject_place(i, size, &where, e);

	if (r < 0)
		return r;
	/* open to our end: the lock goes with it */
	fd = side_inject_map(i, size, &g->shared->report.map_ns, e);
	if (fd < 0)
		return fd;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return err_set(e, ENOMEM, "no memory to share with the guest");
	i->state = (struct side_state *)(void *)(memory + SIDE_STATE_AT);
	r = fill(g, memory, e);
	/* from here on the parent could undo it, too */
	if (!r && io_send_fds(g->sock, &byte, 1, &fd, 1) < 0)
		r = err_set(e, ECONNRESET, "who wanted a program in the guest has gone");
	if (!r)
		r = inject(g, i, &where, e);
	if (!r)
		r = await_start(g, i, e);
	return r;
}

/* Whether the guest goes on, as far as it says. */
struct pulse {
	uint32_t beat;
	uint64_t since_ns;
};

/* A guest that has been silent for long is asked about. Return: is it never going to answer again? */
static bool is_lost(const struct side_inject *i, struct pulse *p)
{
	uint32_t now = load(&i->state->guest_beat);

	if (now != p->beat || !p->since_ns)
		*p = (struct pulse){ now, tracee_now_ns() };
	if (tracee_now_ns() - p->since_ns < LOST_NS)
		return false;
	p->since_ns = tracee_now_ns();
	return side_inject_lost(i);
}

/* Until the guest executes nothing of ours. */
static void await_over(const struct side_inject *i, uint64_t deadline)
{
	uint32_t heard = load(&i->state->guest_beat) - 1;
	struct pulse p = { 0 };

	__atomic_store_n(&i->state->stop, 1, __ATOMIC_RELEASE);
	while (i->made->queued && !side_inject_over(i) && pid_alive(&i->vm->ref) &&
	       tracee_now_ns() < deadline) {
		beat(i->state);
		/* it may have looked just before; one that is silent, and may be given up, is left alone */
		if (load(&i->state->guest_beat) != heard) {
			heard = load(&i->state->guest_beat);
			side_inject_ring(i);
		}
		(void)usleep(TICK_US);
		if (is_lost(i, &p))
			i->made->queued = false;
	}
}

int side_guard_undo(const struct side_inject *i, struct side_shared *shared,
		    unsigned int timeout_ms, struct err *e)
{
	uint64_t deadline = tracee_now_ns() + timeout_ms * 1000000ULL;
	unsigned int pause_us = TICK_US;
	int r;

	if (i->state)
		await_over(i, deadline);
	do {
		r = side_inject_undo(i, &shared->report.undo_ns, e);
		if (r != -EAGAIN)
			break;
		/* a guest that was paused in the instant in which it had taken our work from its list: each try stops the machine */
		(void)usleep(pause_us);
		pause_us = 2 * pause_us < UNDO_AGAIN_US ? 2 * pause_us : UNDO_AGAIN_US;
	} while (tracee_now_ns() < deadline);
	if (!r)
		__atomic_store_n(&shared->undone, 1, __ATOMIC_RELEASE);
	if (r == -EAGAIN)
		return err_set(
			e, EBUSY,
			"the guest does not let go of what was put into it, as a machine that is paused does; when it runs, 'vmsh detach' undoes it");
	return r;
}

/* What the guest does to the rings. */
struct watch {
	uint32_t head, tail;
	unsigned int pause_us;
	uint64_t active_ns;
};

/* Whoever waits for the guest is rung, if there was something. */
static void look(const struct side_guard *g, const struct side_state *s, struct watch *w)
{
	const uint64_t one = 1;
	uint32_t head = load(&s->to_host.head), tail = load(&s->to_guest.tail);

	if (head == w->head && tail == w->tail) {
		w->pause_us = w->pause_us * 5 / 4 < POLL_MOST_US ? w->pause_us * 5 / 4
								 : POLL_MOST_US;
		return;
	}
	*w = (struct watch){ head, tail, POLL_LEAST_US, tracee_now_ns() };
	(void)!write(g->bell, &one, sizeof(one));
}

/* How long to wait: a guest that has rung once rings whoever waits for it, and we only see what was missed. */
static struct timespec pause_of(const struct side_guard *g, const struct watch *w)
{
	if (g->shared->report.door)
		return (struct timespec){ 0, RUNG_US * 1000L };
	/* who has an answer may ask the next thing at once: that is shorter than the shortest sleep */
	if (tracee_now_ns() - w->active_ns < NEAR_NS) {
		(void)sched_yield();
		return (struct timespec){ 0, 0 };
	}
	return (struct timespec){ 0, w->pause_us * 1000L };
}

/* Of SIGTERM, which is blocked; -1: it is not heard. */
static int open_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/*
 * The parent says a byte before it leaves, and goes on to serve the guest's disk until all is undone. If it did not, the guest's side
 * has to answer what is asked for.
 */
static void hear_last(const struct side_guard *g, const struct side_inject *i)
{
	char byte;

	if (!recv(g->sock, &byte, 1, MSG_DONTWAIT))
		__atomic_store_n(&i->state->disk.served, SIDE_DISK_NOT, __ATOMIC_RELEASE);
}

/* Now and then: has the hypervisor begun to save the machine? */
static bool is_saved(const struct side_guard *g, uint64_t *last_ns)
{
	if (tracee_now_ns() - *last_ns < SAVED_NS)
		return false;
	*last_ns = tracee_now_ns();
	g->shared->report.saved = side_saved(&g->opts->vm->ref);
	return g->shared->report.saved;
}

/* Until the parent is gone or wants it to end, or somebody else does, or the program or the hypervisor has ended, or is about to save the guest. */
static void serve(const struct side_guard *g, const struct side_inject *i)
{
	struct watch w = { .pause_us = POLL_LEAST_US };
	struct pulse p = { 0 };
	uint64_t saved_ns = 0;
	_cleanup_close_ int told = open_signals();
	struct pollfd fds[] = { { .fd = g->sock, .events = POLLIN },
				{ .fd = i->vm->ref.pidfd, .events = POLLIN },
				{ .fd = told, .events = POLLIN },
				{ .fd = i->bells.door, .events = POLLIN } };

	for (;;) {
		const struct timespec ts = pause_of(g, &w);

		/* -1 is not waited for */
		fds[3].fd = g->shared->report.door ? -1 : i->bells.door;
		(void)ppoll(fds, ARRAY_SIZE(fds), &ts, NULL);
		if (fds[3].revents)
			hear(g, i);
		if (fds[0].revents || fds[1].revents || fds[2].revents ||
		    load(&i->state->stage) == SIDE_ENDED || is_lost(i, &p) ||
		    is_saved(g, &saved_ns))
			return;
		beat(i->state);
		prove(g, i);
		look(g, i->state, &w);
	}
}

static void ring(const struct side_guard *g)
{
	const uint64_t one = 1;

	__atomic_store_n(&g->shared->ended, 1, __ATOMIC_RELEASE);
	(void)!write(g->bell, &one, sizeof(one));
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* What the parent has open is not held open by us: a terminal, a pipe that somebody reads to its end. */
static void close_others(const struct side_guard *g)
{
	int keep[] = { g->sock, g->bell, g->opts->vm->ref.pidfd, g->opts->vm->ref.procfd };
	unsigned int from = 0;

	qsort(keep, ARRAY_SIZE(keep), sizeof(keep[0]), by_number);
	for (size_t k = 0; k < ARRAY_SIZE(keep); k++) {
		if ((unsigned int)keep[k] > from)
			(void)close_range(from, (unsigned int)keep[k] - 1, 0);
		from = (unsigned int)keep[k] + 1;
	}
	(void)close_range(from, ~0U, 0);
}

static void say_bells(const struct side_guard *g, const struct side_bells *b)
{
	const char has =
		(char)((b->door >= 0 ? SIDE_HAS_DOOR : 0) | (b->irq >= 0 ? SIDE_HAS_IRQ : 0));
	int fds[2];
	size_t n = 0;

	if (b->door >= 0)
		fds[n++] = b->door;
	if (b->irq >= 0)
		fds[n++] = b->irq;
	(void)!io_send_fds(g->sock, &has, 1, fds, n);
}

void side_guard_run(const struct side_guard *g)
{
	struct side_inject i = { g->opts->vm, g->target, &g->shared->made, NULL, SIDE_BELLS_NONE };
	struct side_shared *s = g->shared;
	const pid_t parent = getppid();
	struct err why = { 0 };

	(void)signal(SIGPIPE, SIG_IGN);
	close_others(g);
	s->r = start(g, &i, &s->err);
	s->report.slot = s->made.id;
	s->report.gpa = s->made.gpa;
	s->report.gva = s->made.at;
	if (!s->r) {
		say_bells(g, &i.bells);
		serve(g, &i);
		hear_last(g, &i);
		ring(g);
	}
	/* a guest that is paused goes on some day */
	while (side_guard_undo(&i, s, SIDE_UNDO_MS, &why) < 0 && pid_alive(&i.vm->ref)) {
		/* nobody answers for the disk any more */
		if (i.state && getppid() != parent)
			__atomic_store_n(&i.state->disk.served, SIDE_DISK_NOT, __ATOMIC_RELEASE);
		(void)usleep(UNDO_AGAIN_US);
	}
	_exit(0);
}
