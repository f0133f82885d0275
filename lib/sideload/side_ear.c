/* SPDX-License-Identifier: MIT */
#include "side_ear.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "cleanup.h"

#define VAIN_MAX \
	32 /* one for each message is usual: who rings may find that it was read meanwhile */
#define PAUSE_LEAST_NS 100000ULL
#define PAUSE_MOST_NS  5000000ULL

/* Each ring is told of once, whoever else hears it. */
static int hear(const struct side_ear *ear)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.fd = ear->door };

	return epoll_ctl(ear->fd, EPOLL_CTL_ADD, ear->door, &ev);
}

static int add(const struct side_ear *ear, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	return fd < 0 ? 0 : epoll_ctl(ear->fd, EPOLL_CTL_ADD, fd, &ev);
}

int side_ear_open(struct side_ear *ear, int door, int bell, uint32_t *finds, struct err *e)
{
	*ear = (struct side_ear){
		.door = door, .bell = bell, .finds = finds, .pause_ns = PAUSE_LEAST_NS
	};
	ear->fd = epoll_create1(EPOLL_CLOEXEC);
	ear->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (ear->fd < 0 || ear->timer < 0 || add(ear, bell) < 0 || add(ear, ear->timer) < 0 ||
	    (door >= 0 && hear(ear) < 0)) {
		int r = err_set(e, errno, "listening to a guest: %s", err_str(errno));

		side_ear_close(ear);
		return r;
	}
	return 0;
}

void side_ear_close(struct side_ear *ear)
{
	closep(&ear->fd);
	closep(&ear->timer);
	*ear = SIDE_EAR_NONE;
}

void side_ear_found(struct side_ear *ear)
{
	__atomic_add_fetch(ear->finds, 1, __ATOMIC_RELAXED);
}

/* Has nobody found anything since the last ring, for long? */
static bool in_vain(struct side_ear *ear)
{
	const uint32_t finds = __atomic_load_n(ear->finds, __ATOMIC_RELAXED);

	if (finds != ear->known) {
		ear->known = finds;
		ear->vain = 0;
		ear->pause_ns = PAUSE_LEAST_NS;
	}
	return ++ear->vain >= VAIN_MAX;
}

/* Not to the door, for a while. */
static void be_deaf(struct side_ear *ear)
{
	const struct itimerspec its = { .it_value = { 0, (long)ear->pause_ns } };

	if (timerfd_settime(ear->timer, 0, &its, NULL) < 0)
		return;
	(void)epoll_ctl(ear->fd, EPOLL_CTL_DEL, ear->door, NULL);
	ear->pause_ns = ear->pause_ns * 2 < PAUSE_MOST_NS ? ear->pause_ns * 2 : PAUSE_MOST_NS;
}

/* Return: had the door rung? *@ret_again: it is heard again, and says at once that it has rung some day. */
static bool take(const struct side_ear *ear, bool *ret_again)
{
	struct epoll_event ev[3];
	int n = epoll_wait(ear->fd, ev, ARRAY_SIZE(ev), 0);
	bool rung = false;
	uint64_t count;

	*ret_again = false;
	for (int k = 0; k < n; k++) {
		if (ev[k].data.fd == ear->door) {
			rung = true;
			continue;
		}
		(void)!read(ev[k].data.fd, &count, sizeof(count));
		if (ev[k].data.fd == ear->timer)
			*ret_again = !hear(ear);
	}
	return rung;
}

bool side_ear_clear(struct side_ear *ear)
{
	bool again, rung = take(ear, &again);

	if (again)
		(void)take(ear, &again);
	if (rung && in_vain(ear))
		be_deaf(ear);
	return rung;
}
