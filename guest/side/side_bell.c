/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * side_bell.c - doorbells: a write to memory that is not there rings the host, an interrupt of its own rings us.
 *
 * Neither has to work. The host looks at the rings without being rung, only less often; so do we until the
 * interrupt has come once, and every now and then after that.
 */
#include "side.h"

#define EDGE    1 /* ACPI_EDGE_SENSITIVE */
#define HIGH    0 /* ACPI_ACTIVE_HIGH */
#define HANDLED 1 /* IRQ_HANDLED */
/* IRQF_SHARED, IRQF_PROBE_SHARED: with another one of us; that it fails beside a device is nothing to tell of */
#define SHARED (0x80 | 0x100)

void side_bell_ring(void)
{
	const struct side_state *s = side_state();

	if (s->door_at)
		*(volatile uint32_t *)(void *)side_at(s->door_at) = 1;
}

/* Is there something in the channel since it was said last? The disk's answers come by the same interrupt, and wake nobody else. */
static bool has_news(struct side_state *s)
{
	const uint32_t head = side_get(&s->to_guest.head), tail = side_get(&s->to_host.tail);
	const bool news = head != s->disk.woken_head || tail != s->disk.woken_tail;

	s->disk.woken_head = head;
	s->disk.woken_tail = tail;
	return news;
}

/* In an interrupt: whoever reads or writes the file goes on by itself, the thread if it is told to stop. */
static int interrupt(int irq, void *dev)
{
	struct side_state *s = dev;

	(void)irq;
	side_set(&s->rung, 1);
	if (has_news(s) || !s->disk.area)
		side_file_wake();
	side_disk_interrupt();
	if (side_get(&s->stop) || side_disk_wanted())
		(void)s->call.wake_up_process(s->task);
	return HANDLED;
}

void side_bell_open(void)
{
	struct side_state *s = side_state();
	int irq;

	if (!s->gsi)
		return;
	/* without ACPI the old ones are called what they are */
	irq = s->register_gsi ? s->register_gsi(NULL, s->gsi - 1, EDGE, HIGH) : (int)s->gsi - 1;
	if (irq < 0)
		return;
	s->irq = (uint32_t)irq;
	if (!s->call.request_threaded_irq(s->irq, interrupt, NULL, SHARED, "vmsh", s))
		side_set(&s->listens, 1);
	else if (s->unregister_gsi)
		s->unregister_gsi(s->gsi - 1);
}

/* After it nobody is in interrupt() any more. */
void side_bell_close(void)
{
	struct side_state *s = side_state();

	if (!side_get(&s->listens))
		return;
	(void)s->call.free_irq(s->irq, s);
	if (s->unregister_gsi)
		s->unregister_gsi(s->gsi - 1);
	side_set(&s->listens, 0);
}
