/* SPDX-License-Identifier: GPL-2.0-only */
/* event.h - what wakes the idle loop: descriptors of the host, and rings that are polled */
#ifndef LO_ASM_EVENT_H
#define LO_ASM_EVENT_H

#include <linux/list.h>

/*
 * `ready` is called in hard interrupt context, interrupts off, while `fd` is what it `wants`
 * (HOST_POLLIN or HOST_POLLOUT of host.h), has an error or has hung up; it may remove the event.
 */
struct lo_event {
	struct list_head node;
	int fd;
	short wants;
	void (*ready)(struct lo_event *event);
};

/*
 * `poll` is called with interrupts off from the idle loop and from each tick; true: there was work.
 * `arm` is called before the idle loop sleeps (`on`) and after it: the other side shall, or need not,
 * write to a descriptor; true: there is work already.
 */
struct lo_poll {
	struct list_head node;
	bool (*poll)(struct lo_poll *poll);
	bool (*arm)(struct lo_poll *poll, bool on);
};

void lo_event_add(struct lo_event *event);
void lo_event_del(struct lo_event *event);
/* While there is a poller, the idle loop polls for a while before it sleeps. */
void lo_poll_add(struct lo_poll *poll);
void lo_poll_del(struct lo_poll *poll);
/* Polls once and runs what is ready, without sleeping. */
void lo_event_check(void);

#endif
