/* SPDX-License-Identifier: MIT */
/*
 * fuse_place.h - where and when the scheduler runs threads that serve: right behind the one who asks.
 *
 * Theory of operation
 *
 * A request is two hand-overs, and the scheduler makes each of them one to another processor if it can: the
 * one that the waker runs on is busy, and another is idle. To wake an idle processor takes longer than to
 * answer. A thread of the policy SCHED_IDLE does not count: its processor is idle to whoever wakes there (Linux
 * 5.4, sched_idle_cpu()), so the one who asked goes on where it was. And such a thread, bound to the
 * processor of the one who asked last, is woken there. So while requests come one after the other a thread
 * is *calm*: SCHED_IDLE, and it follows, together with the others, for each of them may take the next
 * request. Where the one who asks is, each 8th to 64th request is looked up (/proc/TID/stat).
 *
 * That is right as long as nobody else wants the processor, for whoever does has it first. So a calm thread
 * looks how long it had to wait for it, per request (/proc/PID/schedstat). What the one who asked computed
 * meanwhile does not count: it is woken by the reply, and the thread can only go to sleep after that. Nor does what
 * other threads of the server did. If it was too long, it is an ordinary thread again, on all processors, for half a
 * second, or longer if it was so before.
 *
 * A thread that doesn't run can't look. One more thread, an ordinary one, watches those that are calm: each that is
 * ready to run and has not answered anything for some milliseconds becomes ordinary, save one without a
 * request while others take them; and so do all that have nothing to do.
 */
#ifndef FUSE_PLACE_H
#define FUSE_PLACE_H

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct fuse_places;

/* Of one thread, which alone uses what is not _Atomic. */
struct fuse_place {
	struct fuse_places *all;
	pid_t tid;
	int stat, schedstat; /* its own, in /proc; -1: it stays what it is */
	_Atomic bool
		follows; /* nobody else binds it; set when the thread begins, while others may look */
	cpu_set_t cpus; /* where it may run */

	_Atomic bool calm;      /* set by the thread; whoever takes that back makes it ordinary */
	_Atomic bool busy;      /* has a request */
	_Atomic bool roused;    /* was made ordinary although it was ready to run */
	_Atomic uint32_t turns; /* requests that it answered */
	uint32_t seen, ticks;   /* the watching thread's: @turns, and for how long they are that */

	/* when it was last looked how long it waited */
	uint64_t looked_ns, waited_ns, server_ran_ns;
	unsigned int requests; /* since then */
	struct {
		pid_t tid;
		int schedstat; /* -1: none */
		uint64_t ran_ns;
	} asker;
	uint64_t calm_ns, until_ns, busy_ns; /* calm since; not calm before; not calm for */
};

struct fuse_places {
	bool may; /* be calm */
	struct fuse_place *place;
	unsigned int n;
	_Atomic bool over;
	_Atomic unsigned int calm;
	/* where those that follow are; -1: not known */
	_Atomic int cpu;
	_Atomic unsigned int
		since_followed; /* requests since it was looked, which is done each so many */
	_Atomic unsigned int follow_each;
	sem_t woken; /* there is a calm one, or it is over */
	pthread_t watching;
};

/*
 * fuse_places_start() - Places of @n threads at @place, which are the caller's.
 *
 * Without the right to come back from SCHED_IDLE (CAP_SYS_NICE, RLIMIT_NICE), or a thread that watches, or with
 * @ordinary, all stay ordinary.
 */
void fuse_places_start(struct fuse_places *ps, struct fuse_place *place, unsigned int n,
		       bool ordinary);
/* No thread takes a turn any more. */
void fuse_places_end(struct fuse_places *ps);

/* The calling thread's. @follows: nobody else binds it to a processor. */
void fuse_place_take(struct fuse_place *p, bool follows);

/* The calling thread takes no turn any more. */
void fuse_place_leave(struct fuse_place *p);

/* A request is there; and of the thread @asker (0: not known), was answered. */
void fuse_place_begin(struct fuse_place *p);
void fuse_place_turn(struct fuse_place *p, pid_t asker);

/* Between fuse_place.c and its test. Field @n > 3 of a line of /proc/PID/stat. Return: 0; -EPROTO. */
int fuse_place_stat_field(const char *line, unsigned int n, uint64_t *ret);

#endif
