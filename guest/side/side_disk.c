/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * side_disk.c - a disk of the host's, by the guest's own drivers.
 *
 * Theory of operation
 *
 * Once the host wants it, side_disk_look() makes two threads. disk_thread() loads the drivers, makes an interrupt that no hardware has and
 * the device, and takes all of that back at the end. The device's interrupt is made by ours (side_bell.c), or without
 * one by poll_thread(), which looks whether the host has answered.
 *
 * That thread is also who rings the host. It is woken when a driver has given the last piece of a request (side_dma.c), which is just before the
 * request is offered, and with the driver's lock held: on one processor it runs after that, on another it waits for it. So the
 * host, when it is rung, finds what it is rung for; and if it has said that it sleeps and then looked in vain, it is rung.
 */
#include "side.h"

#define POLL_MS        100
#define WAIT_MS        20
#define LOST_MS        20 /* for an interrupt that did not come */
#define NEAR_NS        1000000LL
#define OFFER_LOOKS    1000 /* of a request that is made just now: microseconds */
#define IORESOURCE_MEM 0x200
#define IORESOURCE_IRQ 0x400
#define RFLAGS_IF      0x200
#define DEVICE_AUTO    (-2) /* PLATFORM_DEVID_AUTO */

/* virtio 1.2, 4.2.2, 2.1, 2.8.13, 5.2.6 */
#define REG_STATUS   0x70
#define REG_DESC_LOW 0x80
#define REG_NUM      0x38
#define REG_READY    0x44
#define STATUS_OK    4
#define READY_NEW    1
#define READY_TAKEN  2 /* BLK_PAGE_TAKEN of lib/vdev/blk_page.h */
#define DESC_NEXT    1
#define DESC_AVAIL   (1 << 7)
#define DESC_USED    (1 << 15)
#define BLK_IOERR    1

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t id, flags;
};

static struct side_disk *disk(void)
{
	return &side_state()->disk;
}

static uint32_t reg(uint32_t off)
{
	return *(volatile uint32_t *)(void *)side_at(disk()->area + off);
}

static void set_reg(uint32_t off, uint32_t value)
{
	*(volatile uint32_t *)(void *)side_at(disk()->area + off) = value;
}

/* --- answers --- */

/* The driver's interrupt, with ours off. One at a time: Linux drops one that comes while the same is handled. */
static void raise(struct side_disk *d)
{
	while (!__atomic_exchange_n(&d->raising, 1, __ATOMIC_ACQUIRE)) {
		const uint32_t done = side_get(&d->done);
		const int irq = d->irq;

		side_set(&d->seen, done);
		if (irq)
			(void)d->call.generic_handle_irq((unsigned int)irq);
		side_set(&d->raising, 0);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		/* whoever came meanwhile has left it to us */
		if (side_get(&d->done) == done)
			break;
	}
}

/* With interrupts on: a thread's, which a handler is, too, in a kernel with PREEMPT_RT. */
static void raise_here(struct side_disk *d)
{
	uint64_t flags;

	__asm__ volatile("pushfq; popq %0; cli" : "=r"(flags) : : "memory");
	raise(d);
	if (flags & RFLAGS_IF)
		__asm__ volatile("sti" : : : "memory");
}

void side_disk_interrupt(void)
{
	struct side_disk *d = disk();

	if (side_get(&d->done) != side_get(&d->seen))
		raise_here(d);
}

/* The first of a request: is it offered, and not answered? */
static bool is_in(uint16_t flags, bool wrap, bool used)
{
	return !!(flags & DESC_AVAIL) == wrap && (!!(flags & DESC_USED) == wrap) == used;
}

/* With an error. Return: the position behind it. */
static uint32_t fail_one(struct desc *ring, uint32_t count, uint32_t at, bool wrap)
{
	const uint64_t area = disk()->area;
	struct desc *first = &ring[at], *last = first;
	uint32_t n = 1;

	while (last->flags & DESC_NEXT && n < count) {
		last = &ring[(at + n) % count];
		n++;
	}
	if (last->addr >= area && last->len && last->addr + last->len <= area + SIDE_DISK_SIZE)
		*side_at(last->addr + last->len - 1) = BLK_IOERR;
	first->id = last->id;
	first->len = 0;
	__atomic_store_n(&first->flags, (uint16_t)(wrap ? DESC_AVAIL | DESC_USED : 0),
			 __ATOMIC_RELEASE);
	at += n;
	return at < count ? at | (wrap ? SIDE_DISK_WRAP : 0)
			  : (at - count) | (wrap ? 0 : SIDE_DISK_WRAP);
}

/* In the place of the host. */
static void fail_all(struct side_disk *d)
{
	uint32_t count = reg(REG_NUM), where = reg(REG_DESC_LOW), n = 0;
	struct desc *ring = (struct desc *)(void *)side_at(where);

	if (!(reg(REG_STATUS) & STATUS_OK) || !count || where < d->area ||
	    where + count * sizeof(*ring) > d->area + SIDE_DISK_SIZE)
		return;
	/* as the host does it: a queue that nobody has begun with */
	if (reg(REG_READY) == READY_NEW) {
		d->position = d->next = SIDE_DISK_WRAP;
		set_reg(REG_READY, READY_TAKEN);
	}
	while (n++ < count) {
		uint32_t at = d->position & ~SIDE_DISK_WRAP;
		bool wrap = d->position & SIDE_DISK_WRAP;
		uint16_t flags = at < count ? __atomic_load_n(&ring[at].flags, __ATOMIC_ACQUIRE)
					    : (uint16_t)(wrap ? 0 : DESC_AVAIL);

		if (is_in(flags, wrap, true) && d->next != d->position)
			d->position = d->next; /* answered, and then came the end */
		else if (is_in(flags, wrap, false))
			d->position = d->next = fail_one(ring, count, at, wrap);
		else
			break;
	}
	if (n > 1)
		__atomic_add_fetch(&d->done, 1, __ATOMIC_RELEASE);
}

/* --- questions --- */

/* Is the request offered that was begun last? */
static bool is_offered(const struct side_disk *d)
{
	const uint32_t count = reg(REG_NUM), where = reg(REG_DESC_LOW), at = side_get(&d->last);
	const struct desc *ring = (const struct desc *)(const void *)side_at(where);

	if (!count || where < d->area || where + count * sizeof(*ring) > d->area + SIDE_DISK_SIZE)
		return true;
	return !!(__atomic_load_n(&ring[at % count].flags, __ATOMIC_ACQUIRE) & DESC_AVAIL) ==
	       !(at / count % 2);
}

/* Who answers, if it sleeps. */
static void tell(struct side_state *s)
{
	struct side_disk *d = &s->disk;

	if (side_get(&d->asked) == d->told)
		return;
	d->told = side_get(&d->asked);
	for (int k = 0; !is_offered(d) && k < OFFER_LOOKS; k++)
		(void)s->call.schedule_timeout(0);
	/* the partner is in serve() of lib/sideload/side_disk.c: either it sees the request, or we see that it sleeps */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (side_get(&d->asleep))
		side_bell_ring();
}

static bool has_work(const struct side_disk *d)
{
	return side_get(&d->asked) != d->told || side_get(&d->poll_stop);
}

/* Until a driver begins something, @ms at most. */
static void wait_for_work(struct side_state *s, unsigned int ms)
{
	uint64_t entry[SIDE_ROOM_WAIT_ENTRY / 8];

	s->call.init_wait_entry(entry, 0);
	(void)s->call.prepare_to_wait_event(s->disk.wait_head, entry, TASK_INTERRUPTIBLE);
	if (!has_work(&s->disk))
		(void)s->call.schedule_timeout((long)s->call.__msecs_to_jiffies(ms));
	s->call.finish_wait(s->disk.wait_head, entry);
}

static int poll_thread(void *data)
{
	struct side_state *s = data;
	struct side_disk *d = &s->disk;
	int64_t active_ns = s->call.ktime_get();

	while (!side_get(&d->poll_stop)) {
		/* before it is answered here, if nobody does: what is begun meanwhile is offered by then */
		tell(s);
		if (side_get(&d->served) == SIDE_DISK_NOT)
			fail_all(d);
		if (side_get(&d->done) != side_get(&d->seen)) {
			raise_here(d);
			active_ns = s->call.ktime_get();
		}
		if (!side_get(&d->mapped)) {
			wait_for_work(s, POLL_MS);
			active_ns = s->call.ktime_get();
		} else if (side_get(&s->rung))
			wait_for_work(s, LOST_MS);
		else if (s->call.ktime_get() - active_ns < NEAR_NS)
			(void)s->call.schedule_timeout(0);
		else
			s->call.usleep_range_state(50, 100, TASK_INTERRUPTIBLE);
	}
	s->call.kthread_complete_and_exit(d->polled, 0);
	return 0;
}

/* --- the device --- */

static void load(struct side_disk *d, const char *module)
{
	/* one that is built in, or not there: the device will tell */
	if (d->call.__request_module)
		(void)d->call.__request_module(true, module);
}

static int make_irq(struct side_disk *d)
{
	int irq = d->call.__irq_alloc_descs(-1, 1, 1, -1, NULL, NULL);

	if (irq < 0)
		return irq;
	d->irq = irq;
	d->call.irq_set_chip_and_handler_name((unsigned int)irq, (const void *)(uintptr_t)d->chip,
					      (const void *)(uintptr_t)d->handler, NULL);
	return 0;
}

static void fill_resource(const struct side_disk *d, uint8_t *r, uint64_t start, uint64_t end,
			  uint64_t flags)
{
	side_store(r, d->at.resource_start, (const void *)(uintptr_t)start);
	side_store(r, d->at.resource_end, (const void *)(uintptr_t)end);
	side_store(r, d->at.resource_flags, (const void *)(uintptr_t)flags);
}

/* The drivers take it at once, or there are none. */
static int make_device(struct side_disk *d)
{
	uint8_t *second = d->resources + d->at.resource_size;
	void *device = d->call.platform_device_alloc("virtio-mmio", DEVICE_AUTO);
	int r;

	if (!device)
		return -EAGAIN;
	side_dma_init();
	fill_resource(d, d->resources, d->gpa, d->gpa + SIDE_DISK_PAGE - 1, IORESOURCE_MEM);
	fill_resource(d, second, (uint64_t)d->irq, (uint64_t)d->irq, IORESOURCE_IRQ);
	side_store(device, d->at.device_ops, d->ops);
	r = d->call.platform_device_add_resources(device, d->resources, 2);
	if (!r)
		r = d->call.platform_device_add(device);
	if (r < 0) {
		d->call.platform_device_put(device);
		return r;
	}
	d->device = device;
	return reg(REG_STATUS) & STATUS_OK ? 0 : -ENODEV;
}

static int start_poller(struct side_state *s)
{
	void *task = s->call.kthread_create_on_node(poll_thread, s, -1, "vmsh-disk");

	if (side_is_error(task))
		return side_error(task);
	s->disk.poller = task;
	(void)s->call.wake_up_process(task);
	return 0;
}

static int make(struct side_state *s)
{
	struct side_disk *d = &s->disk;
	int r;

	load(d, "virtio_mmio");
	load(d, "virtio_blk");
	r = make_irq(d);
	if (!r)
		r = start_poller(s);
	return r ? r : make_device(d);
}

static void unmake(struct side_state *s)
{
	struct side_disk *d = &s->disk;
	const int irq = d->irq;

	if (d->device)
		d->call.platform_device_unregister(d->device);
	side_set(&d->poll_stop, 1);
	while (d->poller && !side_completed(d->polled)) {
		s->call.__wake_up(d->wait_head, TASK_NORMAL, 0, NULL);
		(void)s->call.schedule_timeout_interruptible(1);
	}
	d->irq = 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	while (side_get(&d->raising))
		(void)s->call.schedule_timeout_interruptible(1);
	if (irq)
		d->call.irq_free_descs((unsigned int)irq, 1);
}

static int disk_thread(void *data)
{
	struct side_state *s = data;
	struct side_disk *d = &s->disk;
	int r = make(s);

	d->error = r;
	if (r < 0)
		unmake(s);
	side_set(&d->stage, r < 0 ? SIDE_DISK_FAILED : SIDE_DISK_READY);
	while (!side_get(&d->stop))
		(void)s->call.schedule_timeout_interruptible(
			(long)s->call.__msecs_to_jiffies(WAIT_MS));
	if (!r)
		unmake(s);
	s->call.kthread_complete_and_exit(d->gone, 0);
	return 0;
}

bool side_disk_wanted(void)
{
	const struct side_disk *d = disk();

	return d->stage == SIDE_DISK_NONE && d->area && side_get(&d->wanted);
}

void side_disk_look(void)
{
	struct side_state *s = side_state();
	struct side_disk *d = &s->disk;
	void *task;

	if (!side_disk_wanted())
		return;
	s->call.__init_swait_queue_head(d->gone + s->at.completion_wait, "vmsh", &d->lock_key);
	s->call.__init_swait_queue_head(d->polled + s->at.completion_wait, "vmsh", &d->lock_key);
	s->call.__init_waitqueue_head(d->wait_head, "vmsh", &d->lock_key);
	side_set(&d->stage, SIDE_DISK_STARTS);
	task = s->call.kthread_create_on_node(disk_thread, s, -1, "vmsh-disk");
	if (side_is_error(task)) {
		d->error = side_error(task);
		side_set(&d->stage, SIDE_DISK_FAILED);
		return;
	}
	d->started = 1;
	(void)s->call.wake_up_process(task);
}

bool side_disk_served(void)
{
	const struct side_disk *d = disk();

	return d->started && side_get(&d->served) != SIDE_DISK_NOT;
}

bool side_disk_end(void)
{
	struct side_disk *d = disk();

	side_set(&d->stop, 1);
	return !d->started || side_completed(d->gone);
}

void side_disk_alone(bool for_good)
{
	uint32_t *served = &disk()->served, expected = SIDE_DISK_SERVED;

	if (for_good)
		side_set(served, SIDE_DISK_NOT);
	else
		(void)__atomic_compare_exchange_n(served, &expected, SIDE_DISK_NOT, false,
						  __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}
