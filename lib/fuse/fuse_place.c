/* SPDX-License-Identifier: MIT */
#include "fuse_place.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "loop.h"

#define MS          1000000ULL
#define BURST       8        /* requests in LOOK_NS: they come one after the other */
#define LOOK_NS     (2 * MS) /* a look takes 6 us */
#define WAIT_NS     (MS / 4) /* for the processor, per request: too long */
#define BUSY_NS     (500 * MS)
#define BUSY_MAX_NS (32000 * MS)

#define TICK_NS    (4 * MS)
#define TICKS_IDLE 25

#define FOLLOW_EACH   8  /* requests; a look takes 12 us */
#define FOLLOW_MAX    64 /* while each look finds the same: twice as many as before */
#define STAT_CPU      39 /* proc_pid_stat(5) */
#define STAT_LINE_MAX 1024

/* --- what /proc says --- */

static int read_line(int fd, char *ret, size_t size)
{
	ssize_t n = pread(fd, ret, size - 1, 0);

	if (n <= 0)
		return n < 0 ? -errno : -EPROTO;
	ret[n] = '\0';
	return 0;
}

static int open_proc(pid_t tid, const char *name)
{
	char path[48];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", tid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

int fuse_place_stat_field(const char *line, unsigned int n, uint64_t *ret)
{
	const char *p = strrchr(line, ')');
	char *end;

	for (unsigned int i = 2; p && i < n; i++) {
		p = strchr(p, ' ');
		p = p ? p + 1 : NULL;
	}
	if (!p)
		return -EPROTO;
	errno = 0;
	*ret = strtoull(p, &end, 10);
	return end == p || errno ? -EPROTO : 0;
}

/* The processor that thread @tid is on. Return: -1, not known. */
static int cpu_of(pid_t tid)
{
	_cleanup_close_ int fd = open_proc(tid, "stat");
	char line[STAT_LINE_MAX];
	uint64_t cpu;

	if (fd < 0 || read_line(fd, line, sizeof(line)) < 0 ||
	    fuse_place_stat_field(line, STAT_CPU, &cpu) < 0)
		return -1;
	return cpu < CPU_SETSIZE ? (int)cpu : -1;
}

/* Of a thread: how long it ran, and how long it was ready to and did not. Return: 0; -errno. */
static int read_schedstat(int fd, uint64_t *ret_ran, uint64_t *ret_waited)
{
	char line[128];
	int r = read_line(fd, line, sizeof(line));

	if (r < 0)
		return r;
	return sscanf(line, "%" SCNu64 " %" SCNu64, ret_ran, ret_waited) == 2 ? 0 : -EPROTO;
}

static bool is_ready_to_run(const struct fuse_place *p)
{
	char line[STAT_LINE_MAX];
	const char *name_end;

	if (read_line(p->stat, line, sizeof(line)) < 0)
		return true;
	name_end = strrchr(line, ')');
	return name_end && strncmp(name_end, ") R", 3) == 0;
}

/* --- calm and ordinary --- */

static void close_proc(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

/* How long @tid ran since the last look, if it was the one who asked then as well. */
static uint64_t asker_ran(struct fuse_place *p, pid_t tid)
{
	bool same = tid == p->asker.tid && p->asker.schedstat >= 0;
	uint64_t before = p->asker.ran_ns, waited;

	if (!same && tid > 0) {
		close_proc(&p->asker.schedstat);
		p->asker.tid = tid;
		p->asker.schedstat = open_proc(tid, "schedstat");
	}
	if (p->asker.schedstat < 0 ||
	    read_schedstat(p->asker.schedstat, &p->asker.ran_ns, &waited) < 0)
		return 0;
	return same ? p->asker.ran_ns - before : 0;
}

/* How long all threads of the server ran since the last look. */
static uint64_t server_ran(struct fuse_place *p)
{
	uint64_t before = p->server_ran_ns;
	struct timespec ts = { 0 };

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	p->server_ran_ns = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
	return p->server_ran_ns - before;
}

/* Look how long we waited for the processor. Return: whether that was too long. */
static bool look(struct fuse_place *p, pid_t asker, uint64_t now_ns)
{
	uint64_t for_us = asker_ran(p, asker) + server_ran(p), before = p->waited_ns, ran,
		 others = 0;
	bool known = read_schedstat(p->schedstat, &ran, &p->waited_ns) == 0;
	bool too_long;

	if (p->waited_ns - before > for_us)
		others = p->waited_ns - before - for_us;
	too_long = others > WAIT_NS * p->requests && others > (now_ns - p->looked_ns) / 4;
	p->looked_ns = now_ns;
	p->requests = 0;
	return !known || too_long;
}

static void become_calm(struct fuse_place *p, pid_t asker, uint64_t now_ns)
{
	const struct sched_param none = { 0 };

	(void)look(p, asker, now_ns);
	p->calm_ns = now_ns;
	/* In this order: what the watching thread does last is to make it ordinary. */
	if (sched_setscheduler(0, SCHED_IDLE, &none) < 0)
		return;
	atomic_store(&p->calm, true);
	if (atomic_fetch_add(&p->all->calm, 1) == 0)
		(void)sem_post(&p->all->woken);
	/* To be bound, with the others. */
	atomic_store(&p->all->cpu, -1);
	atomic_store(&p->all->follow_each, FOLLOW_EACH);
	atomic_store(&p->all->since_followed, FOLLOW_EACH);
}

static void become_ordinary(struct fuse_place *p)
{
	const struct sched_param none = { 0 };

	if (!atomic_exchange(&p->calm, false))
		return;
	atomic_fetch_sub(&p->all->calm, 1);
	/* In this order: who is seen to be ordinary is not bound any more. */
	if (p->follows)
		(void)sched_setaffinity(p->tid, sizeof(p->cpus), &p->cpus);
	(void)sched_setscheduler(p->tid, SCHED_OTHER, &none);
}

/* Others want the processor. */
static void give_up(struct fuse_place *p, uint64_t now_ns)
{
	become_ordinary(p);
	if (now_ns - p->calm_ns >= p->busy_ns)
		p->busy_ns = BUSY_NS;
	else if (p->busy_ns < BUSY_MAX_NS)
		p->busy_ns *= 2;
	p->until_ns = now_ns + p->busy_ns;
}

static void bind_to(const struct fuse_place *p, int cpu)
{
	cpu_set_t one;

	if (!CPU_ISSET((unsigned int)cpu, &p->cpus))
		return;
	CPU_ZERO(&one);
	CPU_SET((unsigned int)cpu, &one);
	(void)sched_setaffinity(p->tid, sizeof(one), &one);
	/* It may have become ordinary meanwhile. */
	if (!atomic_load(&p->calm))
		(void)sched_setaffinity(p->tid, sizeof(p->cpus), &p->cpus);
}

static void follow(struct fuse_places *ps, pid_t asker)
{
	int cpu;

	if (asker <= 0 || atomic_fetch_add(&ps->since_followed, 1) < atomic_load(&ps->follow_each))
		return;
	/* Threads that race here look once too often. */
	atomic_store(&ps->since_followed, 1);
	cpu = cpu_of(asker);
	if (cpu < 0)
		return;
	if (atomic_exchange(&ps->cpu, cpu) == cpu) {
		if (atomic_load(&ps->follow_each) < FOLLOW_MAX)
			atomic_fetch_add(&ps->follow_each, atomic_load(&ps->follow_each));
		return;
	}
	atomic_store(&ps->follow_each, FOLLOW_EACH);
	for (unsigned int i = 0; i < ps->n; i++) {
		if (ps->place[i].follows && atomic_load(&ps->place[i].calm))
			bind_to(&ps->place[i], cpu);
	}
}

void fuse_place_take(struct fuse_place *p, bool follows)
{
	if (!p->all->may || sched_getscheduler(0) != SCHED_OTHER)
		return;
	p->tid = gettid();
	p->follows = follows && sched_getaffinity(0, sizeof(p->cpus), &p->cpus) == 0;
	p->stat = open_proc(p->tid, "stat");
	p->schedstat = open_proc(p->tid, "schedstat");
}

void fuse_place_leave(struct fuse_place *p)
{
	become_ordinary(p);
}

void fuse_place_begin(struct fuse_place *p)
{
	atomic_store_explicit(&p->busy, true, memory_order_relaxed);
}

void fuse_place_turn(struct fuse_place *p, pid_t asker)
{
	uint64_t now;

	if (p->stat < 0 || p->schedstat < 0)
		return;
	atomic_store_explicit(&p->busy, false, memory_order_relaxed);
	atomic_fetch_add_explicit(&p->turns, 1, memory_order_relaxed);
	p->requests++;
	now = loop_now_ns();
	if (atomic_load(&p->calm)) {
		if (now - p->looked_ns >= LOOK_NS && look(p, asker, now))
			give_up(p, now);
		else if (p->follows)
			follow(p->all, asker);
	} else if (atomic_exchange(&p->roused, false)) {
		if (look(p, asker, now))
			give_up(p, now);
	} else if (now - p->looked_ns >= LOOK_NS) {
		p->looked_ns = now;
		p->requests = 1;
	} else if (p->requests >= BURST && now >= p->until_ns) {
		become_calm(p, asker, now);
	}
}

/* --- who watches --- */

/* Whether it answered something since the last tick. */
static bool has_moved(struct fuse_place *p)
{
	uint32_t turns = atomic_load_explicit(&p->turns, memory_order_relaxed);
	bool moved = turns != p->seen;

	p->seen = turns;
	p->ticks = moved ? 0 : p->ticks + 1;
	return moved;
}

static void watch_all(struct fuse_places *ps)
{
	bool moved = false;

	for (unsigned int i = 0; i < ps->n; i++)
		moved |= has_moved(&ps->place[i]) && ps->place[i].follows;
	for (unsigned int i = 0; i < ps->n; i++) {
		struct fuse_place *p = &ps->place[i];
		bool others = p->follows && moved && !atomic_load(&p->busy);

		if (!p->ticks || !atomic_load(&p->calm))
			continue;
		if (!others && is_ready_to_run(p))
			atomic_store(&p->roused, true);
		else if (p->ticks < TICKS_IDLE)
			continue;
		become_ordinary(p);
	}
}

static void *watch(void *arg)
{
	const struct timespec tick = { .tv_nsec = TICK_NS };
	struct fuse_places *ps = arg;

	while (!atomic_load(&ps->over)) {
		if (!atomic_load(&ps->calm)) {
			while (sem_wait(&ps->woken) < 0 && errno == EINTR)
				;
			continue;
		}
		(void)nanosleep(&tick, NULL);
		watch_all(ps);
	}
	return NULL;
}

static void *try_it(void *arg)
{
	const struct sched_param none = { 0 };
	bool *may = arg;

	*may = sched_setscheduler(0, SCHED_IDLE, &none) == 0 &&
	       sched_setscheduler(0, SCHED_OTHER, &none) == 0;
	return NULL;
}

/* Tried by a thread that isn't needed any more if it can't come back. */
static bool may_be_calm(void)
{
	pthread_t id;
	bool may = false;

	if (pthread_create(&id, NULL, try_it, &may) != 0)
		return false;
	(void)pthread_join(id, NULL);
	return may;
}

void fuse_places_start(struct fuse_places *ps, struct fuse_place *place, unsigned int n,
		       bool ordinary)
{
	ps->place = place;
	ps->n = n;
	ps->cpu = -1;
	for (unsigned int i = 0; i < n; i++)
		place[i] = (struct fuse_place){ .all = ps,
						.stat = -1,
						.schedstat = -1,
						.asker.schedstat = -1,
						.busy_ns = BUSY_NS };
	ps->may = !ordinary && may_be_calm() && sem_init(&ps->woken, 0, 0) == 0;
	if (ps->may && pthread_create(&ps->watching, NULL, watch, ps) != 0) {
		(void)sem_destroy(&ps->woken);
		ps->may = false;
	}
}

void fuse_places_end(struct fuse_places *ps)
{
	if (ps->may) {
		atomic_store(&ps->over, true);
		(void)sem_post(&ps->woken);
		(void)pthread_join(ps->watching, NULL);
		(void)sem_destroy(&ps->woken);
	}
	for (unsigned int i = 0; i < ps->n; i++) {
		close_proc(&ps->place[i].stat);
		close_proc(&ps->place[i].schedstat);
		close_proc(&ps->place[i].asker.schedstat);
	}
}
