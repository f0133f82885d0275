// SPDX-License-Identifier: GPL-2.0-only
/* vhost.c - virtio devices of vhost-user back ends: the transport for the in-tree drivers. */
/*
 * Theory of operation
 *
 * For each kernel argument vhost=TYPE:FD (TYPE: blk, net, console, rng) there is a back end at the
 * other end of the socket FD. vhost_start() makes a window, a sealed memfd of its own, mapped in all host
 * processes at the same address; agrees on features, reads the configuration, shares the window, and
 * registers a virtio device. The driver asks for queues; vhost_queue.c has them.
 *
 * All that is said over the socket is said before the lock-down, for descriptors cannot be sent after it;
 * a driver that is bound again later gets no queues. From listen() on, whatever comes from the socket
 * means that the back end is gone, but for the reply to the end of a queue. One that closed the connection may
 * come again, over sockets that are given for that (vhost=TYPE:FD:SCRIPT:SPARE...; vhost_again.c): a network
 * has no link until then; of a disk nothing but time is lost, if it is not more than `vhost_patience` seconds. Then, and
 * if no other can come, or a rule was broken, requests fail for good: lo_vhost_kill().
 *
 * Work is found by polling the rings, from the idle loop, from ticks, and when the driver rings. Before
 * the idle loop sleeps, it asks the back ends to call.
 */
#include <asm/map.h>
#include <linux/bitmap.h>
#include <linux/init.h>
#include <linux/slab.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "../host/host.h"
#include "vhost.h"

#define BIT_OF(f)        (1ULL << (f))
#define PHYSICAL_EXP_MAX 8

/* What a network device says in its configuration. */
#define NET_CONFIG (BIT_OF(VIRTIO_NET_F_MAC) | BIT_OF(VIRTIO_NET_F_MTU))

/* What of each type is let through: what the driver is known to bear from anybody. */
static const struct type {
	const char *name;
	u32 id;
	u64 features;
} types[] = {
	{ "blk", VIRTIO_ID_BLOCK,
	  BIT_OF(VIRTIO_BLK_F_RO) | BIT_OF(VIRTIO_BLK_F_BLK_SIZE) | BIT_OF(VIRTIO_BLK_F_FLUSH) |
		  BIT_OF(VIRTIO_BLK_F_TOPOLOGY) | BIT_OF(VIRTIO_BLK_F_DISCARD) |
		  BIT_OF(VIRTIO_BLK_F_WRITE_ZEROES) },
	{ "net", VIRTIO_ID_NET,
	  NET_CONFIG | BIT_OF(VIRTIO_NET_F_MRG_RXBUF) | BIT_OF(VIRTIO_NET_F_CSUM) |
		  BIT_OF(VIRTIO_NET_F_HOST_TSO4) | BIT_OF(VIRTIO_NET_F_HOST_TSO6) |
		  BIT_OF(VIRTIO_NET_F_HOST_ECN) | BIT_OF(VIRTIO_NET_F_GUEST_CSUM) |
		  BIT_OF(VIRTIO_NET_F_GUEST_TSO4) | BIT_OF(VIRTIO_NET_F_GUEST_TSO6) |
		  BIT_OF(VIRTIO_NET_F_GUEST_ECN) },
	{ "console", VIRTIO_ID_CONSOLE, 0 },
	{ "rng", VIRTIO_ID_RNG, 0 },
};

/* What we say of a disk in place of the back end: requests that fit a lo_vhost_req. */
#define DISK_LIMITS (BIT_OF(VIRTIO_BLK_F_SEG_MAX) | BIT_OF(VIRTIO_BLK_F_SIZE_MAX))
/* And of a network: whether the back end is there. */
#define NET_LINK BIT_OF(VIRTIO_NET_F_STATUS)

static struct wanted {
	const struct type *type;
	int fd[2 + LO_VHOST_SPARES]; /* the socket; the script, and spares */
	unsigned int nfds;
} wanted[LO_VHOST_DEVICES] __initdata;
static unsigned int nwanted __initdata;

static struct lo_vhost *devices[LO_VHOST_DEVICES];
static unsigned int patience_s = 30;

static struct lo_vhost *of_virtio(struct virtio_device *v)
{
	return container_of(v, struct lo_vhost, virtio);
}

static const struct type *type_of(const struct lo_vhost *dev)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i].id == dev->virtio.id.device)
			return &types[i];
	return NULL;
}

static void set_link(struct lo_vhost *dev, u16 status)
{
	if (dev->virtio.id.device != VIRTIO_ID_NET)
		return;
	((struct virtio_net_config *)dev->config)->status = cpu_to_le16(status);
	virtio_config_changed(&dev->virtio);
}

void lo_vhost_kill(struct lo_vhost *dev, const char *why)
{
	if (dev->dead)
		return;
	WRITE_ONCE(dev->dead, true);
	dev->away = false;
	/* Not dev_err(), which cannot be put off (printk_deferred_enter()). */
	pr_err("%s %s: the back end is gone: %s\n", dev_driver_string(&dev->virtio.dev),
	       dev_name(&dev->virtio.dev), why);
	set_link(dev, 0);
}

static bool work(struct lo_vhost *dev)
{
	bool done = false;
	unsigned int i;

	for (i = 0; i < LO_VHOST_QUEUES; i++)
		done |= lo_vhost_queue_work(&dev->queue[i]);
	return done;
}

static bool on_poll(struct lo_poll *poll)
{
	return work(container_of(poll, struct lo_vhost, poll));
}

static bool on_arm(struct lo_poll *poll, bool on)
{
	struct lo_vhost *dev = container_of(poll, struct lo_vhost, poll);
	bool done = false;
	unsigned int i;

	for (i = 0; i < LO_VHOST_QUEUES; i++) {
		if (on)
			done |= lo_vhost_queue_arm(&dev->queue[i]);
		else
			lo_vhost_queue_disarm(&dev->queue[i]);
	}
	return done;
}

static void on_call(struct lo_event *event)
{
	u64 count;

	host_read(event->fd, &count, sizeof(count));
	work(container_of(event, struct lo_vhost, call));
}

/* No other comes: what waits for it fails. */
static void give_up(struct lo_vhost *dev)
{
	if (!dev->away)
		return;
	del_timer(&dev->patience);
	lo_vhost_kill(dev, "no other one came");
	work(dev);
}

/* At the next spare socket, or never. */
static void wait_for_another(struct lo_vhost *dev)
{
	if (!lo_vhost_again_begin(dev)) {
		give_up(dev);
		return;
	}
	dev->gone.fd = dev->sock;
	lo_event_add(&dev->gone);
}

static void on_impatience(struct timer_list *timer)
{
	struct lo_vhost *dev = from_timer(dev, timer, patience);
	unsigned long flags;

	local_irq_save(flags);
	if (dev->away) {
		lo_event_del(&dev->gone);
		host_close(dev->sock);
		dev->sock = -1;
		lo_vhost_again_never(dev);
		give_up(dev);
	}
	local_irq_restore(flags);
}

static void revive(struct lo_vhost *dev)
{
	unsigned int i;

	del_timer(&dev->patience);
	dev->away = false;
	WRITE_ONCE(dev->dead, false);
	for (i = 0; i < LO_VHOST_QUEUES; i++)
		lo_vhost_queue_again(&dev->queue[i]);
	dev_info(&dev->virtio.dev, "there is a back end again\n");
	set_link(dev, VIRTIO_NET_S_LINK_UP);
	work(dev);
}

/* The socket of a device that waits for a back end has something to say. */
static void on_greeting(struct lo_vhost *dev)
{
	int r = lo_vhost_again_hear(dev);

	if (r == 1)
		revive(dev);
	if (r >= 0)
		return;
	lo_event_del(&dev->gone);
	if (r == -EPROTO)
		dev_err(&dev->virtio.dev, "it is another back end than it was\n");
	wait_for_another(dev);
}

/* A back end that is there says nothing. */
static bool has_closed(const struct lo_vhost *dev)
{
	u8 word;

	return host_read(dev->sock, &word, sizeof(word)) <= 0;
}

static void on_gone(struct lo_event *event)
{
	struct lo_vhost *dev = container_of(event, struct lo_vhost, gone);
	bool again;

	if (dev->again.waiting) {
		on_greeting(dev);
		return;
	}
	lo_event_del(event);
	work(dev); /* what it gave back before is done */
	again = !dev->dead && has_closed(dev) && dev->again.next < dev->again.nspare;
	if (again && lo_vhost_is_disk(dev)) {
		dev->away = true;
		mod_timer(&dev->patience, jiffies + patience_s * HZ);
		dev_warn(&dev->virtio.dev, "the back end is gone; requests wait for another one\n");
	} else {
		lo_vhost_kill(dev, "it closed the connection or broke silence");
		work(dev);
	}
	if (again)
		wait_for_another(dev);
	else
		lo_vhost_again_never(dev);
}

/* From now on the socket has nothing more to say. */
static void listen(struct lo_vhost *dev)
{
	if (dev->listening)
		return;
	dev->listening = true;
	lo_vhost_again_told_all(dev);
	lo_event_add(&dev->gone);
}

/* --- what virtio asks of a transport --- */

static void vhost_get(struct virtio_device *v, unsigned int off, void *buf, unsigned int len)
{
	struct lo_vhost *dev = of_virtio(v);

	memset(buf, 0, len);
	if (off < LO_VHOST_CONFIG)
		memcpy(buf, dev->config + off, min_t(unsigned int, len, LO_VHOST_CONFIG - off));
}

static void vhost_set(struct virtio_device *v, unsigned int off, const void *buf, unsigned int len)
{
	dev_warn_once(&v->dev, "a write to the configuration is ignored\n");
}

static u8 vhost_get_status(struct virtio_device *v)
{
	return of_virtio(v)->status;
}

/* A driver that is ready has its queues, and may wait for the first request. */
static void vhost_set_status(struct virtio_device *v, u8 status)
{
	struct lo_vhost *dev = of_virtio(v);

	dev->status = status;
	if (status & VIRTIO_CONFIG_S_DRIVER_OK)
		listen(dev);
}

static void vhost_reset(struct virtio_device *v)
{
	of_virtio(v)->status = 0;
}

static u64 vhost_get_features(struct virtio_device *v)
{
	struct lo_vhost *dev = of_virtio(v);
	u64 features = dev->front.offered & type_of(dev)->features;

	if (v->id.device == VIRTIO_ID_BLOCK)
		features |= DISK_LIMITS;
	if (v->id.device == VIRTIO_ID_NET) {
		features |= NET_LINK;
		if (!(dev->front.protocol & VU_P_CONFIG))
			features &= ~NET_CONFIG;
	}
	return features | BIT_OF(VIRTIO_F_VERSION_1) | BIT_OF(VIRTIO_RING_F_INDIRECT_DESC);
}

/* Of the ring that the back end sees, which the driver does not. */
static int vhost_finalize_features(struct virtio_device *v)
{
	struct lo_vhost *dev = of_virtio(v);
	u64 ring = BIT_OF(VIRTIO_F_VERSION_1) | BIT_OF(VIRTIO_RING_F_EVENT_IDX);

	vring_transport_features(v);
	if (dev->listening)
		return -EBUSY;
	return vu_front_set_features(&dev->front, (v->features & type_of(dev)->features) | ring);
}

static void vhost_del_vqs(struct virtio_device *v)
{
	struct lo_vhost *dev = of_virtio(v);
	unsigned int i;
	u16 base;

	if (dev->listening && (!dev->dead || dev->again.waiting))
		lo_event_del(&dev->gone);
	del_timer_sync(&dev->patience);
	for (i = 0; i < LO_VHOST_QUEUES; i++) {
		if (!dev->queue[i].vq)
			continue;
		if (!dev->dead && !dev->away && vu_front_stop(&dev->front, i, &base) < 0)
			lo_vhost_kill(dev, "it does not stop a queue");
		lo_vhost_queue_fini(&dev->queue[i]);
	}
}

static int vhost_find_vqs(struct virtio_device *v, unsigned int n, struct virtqueue *vqs[],
			  struct virtqueue_info infos[], struct irq_affinity *affinity)
{
	struct lo_vhost *dev = of_virtio(v);
	unsigned int i;
	int r;

	if (n > LO_VHOST_QUEUES)
		return -EINVAL;
	if (dev->listening)
		return -EBUSY;
	for (i = 0; i < n; i++) {
		vqs[i] = NULL;
		if (!infos[i].name)
			continue;
		r = lo_vhost_queue_init(&dev->queue[i], i, infos[i].callback, infos[i].name,
					infos[i].ctx);
		if (r < 0) {
			dev_err(&v->dev, "cannot start queue %u: %s (%d)\n", i,
				dev->front.why ? dev->front.why : "the back end does not answer",
				r);
			vhost_del_vqs(v);
			return r;
		}
		vqs[i] = dev->queue[i].vq;
	}
	on_arm(&dev->poll, false);
	return 0;
}

#if LO_LINUX_BEFORE(6, 11)
static int arrays_find_vqs(struct virtio_device *v, unsigned int n, struct virtqueue *vqs[],
			   vq_callback_t *callbacks[], const char *const names[], const bool *ctx,
			   struct irq_affinity *affinity)
{
	struct virtqueue_info infos[LO_VHOST_QUEUES] = { 0 };
	unsigned int i;

	for (i = 0; i < min(n, LO_VHOST_QUEUES); i++)
		infos[i] = (struct virtqueue_info){ names[i], callbacks[i], ctx && ctx[i] };
	return vhost_find_vqs(v, n, vqs, infos, affinity);
}
#else
#define arrays_find_vqs vhost_find_vqs
#endif

static const char *vhost_bus_name(struct virtio_device *v)
{
	return "vhost-user";
}

static const struct virtio_config_ops ops = {
	.get = vhost_get,
	.set = vhost_set,
	.get_status = vhost_get_status,
	.set_status = vhost_set_status,
	.reset = vhost_reset,
	.find_vqs = arrays_find_vqs,
	.del_vqs = vhost_del_vqs,
	.get_features = vhost_get_features,
	.finalize_features = vhost_finalize_features,
	.bus_name = vhost_bus_name,
};

/* --- start --- */

/* Sealed, so that the back end cannot take away what we touch. */
static int __init make_window(struct lo_vhost *dev, unsigned int index)
{
	unsigned int pages = LO_VHOST_WINDOW >> PAGE_SHIFT;
	unsigned long at = LO_WINDOWS + index * LO_VHOST_WINDOW;
	struct vu_region region = { .gpa = 0, .size = LO_VHOST_WINDOW, .user_addr = at };
	long r;

	dev->used = bitmap_zalloc(pages, GFP_KERNEL);
	if (!dev->used)
		return -ENOMEM;
	dev->memfd = host_memfd_sealed("libos-window", LO_VHOST_WINDOW);
	if (dev->memfd < 0)
		return dev->memfd;
	r = host_map(at, LO_VHOST_WINDOW, HOST_PROT_READ | HOST_PROT_WRITE, dev->memfd, 0);
	if (r < 0)
		return r;
	dev->window = (u8 *)at;
	bitmap_set(dev->used, 0, LO_VHOST_QUEUES * 0x4000 >> PAGE_SHIFT); /* the rings */
	return vu_front_share(&dev->front, &region, &dev->memfd, 1);
}

static void __init limit_disk(struct lo_vhost *dev)
{
	struct virtio_blk_config *c = (void *)dev->config;

	if (c->physical_block_exp > PHYSICAL_EXP_MAX)
		c->physical_block_exp = 0; /* the driver shifts by it, unchecked */
	c->size_max = cpu_to_le32(PAGE_SIZE);
	c->seg_max = cpu_to_le32(LO_VHOST_SEGS);
}

/* The link is up until the back end is gone; there is one pair of queues. */
static void __init limit_net(struct lo_vhost *dev)
{
	struct virtio_net_config *c = (void *)dev->config;
	const struct virtio_net_config told = *c;

	memset(dev->config, 0, sizeof(dev->config));
	memcpy(c->mac, told.mac, sizeof(c->mac));
	c->mtu = told.mtu;
	c->status = cpu_to_le16(VIRTIO_NET_S_LINK_UP);
}

static int __init agree(struct lo_vhost *dev)
{
	struct vu_io io = lo_vhost_io(dev);
	int r = vu_front_open(&dev->front, &io);

	if (r == 0)
		r = vu_front_set_protocol(&dev->front, VU_P_CONFIG | VU_P_REPLY_ACK);
	if (r == 0 && !(dev->front.offered & BIT_OF(VIRTIO_F_VERSION_1))) {
		dev->front.why = "it does not know virtio 1";
		return -EPROTO;
	}
	if (r == 0 && dev->front.protocol & VU_P_CONFIG)
		r = vu_front_config(&dev->front, 0, dev->config, LO_VHOST_CONFIG);
	if (r == 0 && dev->virtio.id.device == VIRTIO_ID_BLOCK) {
		if (!(dev->front.protocol & VU_P_CONFIG)) {
			dev->front.why = "it does not tell the size of its disk";
			return -EPROTO;
		}
		limit_disk(dev);
	}
	if (dev->virtio.id.device == VIRTIO_ID_NET)
		limit_net(dev);
	return r;
}

static void release(struct device *d)
{
}

static int __init register_device(struct lo_vhost *dev, unsigned int index)
{
	dev->parent = platform_device_register_simple("vhost-user", index, NULL, 0);
	if (IS_ERR(dev->parent))
		return PTR_ERR(dev->parent);
	dev->virtio.dev.parent = &dev->parent->dev;
	dev->virtio.dev.release = release;
	dev->virtio.config = &ops;
	dev->call =
		(struct lo_event){ .fd = host_eventfd(), .wants = HOST_POLLIN, .ready = on_call };
	dev->gone = (struct lo_event){ .fd = dev->sock, .wants = HOST_POLLIN, .ready = on_gone };
	dev->poll = (struct lo_poll){ .poll = on_poll, .arm = on_arm };
	if (dev->call.fd < 0)
		return dev->call.fd;
	lo_event_add(&dev->call);
	lo_poll_add(&dev->poll);
	return register_virtio_device(&dev->virtio);
}

static void __init start_one(unsigned int index)
{
	struct lo_vhost *dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	const char *name = wanted[index].type->name;
	unsigned int i;
	int r;

	if (!dev)
		panic("no memory for a device");
	dev->virtio.id.device = wanted[index].type->id;
	dev->sock = wanted[index].fd[0];
	dev->again.script = -1;
	if (wanted[index].nfds > 2) {
		dev->again.script = wanted[index].fd[1];
		dev->again.nspare = wanted[index].nfds - 2;
		memcpy(dev->again.spare, wanted[index].fd + 2, sizeof(dev->again.spare));
	}
	timer_setup(&dev->patience, on_impatience, 0);
	dev->ram_region = (struct gmem_region){ { 0 }, lo_ram_size, (u8 *)PAGE_OFFSET };
	dev->ram = (struct gmem){ &dev->ram_region, 1 };
	spin_lock_init(&dev->window_lock);
	for (i = 0; i < LO_VHOST_QUEUES; i++)
		dev->queue[i].dev = dev;
	r = agree(dev);
	if (r == 0)
		r = make_window(dev, index);
	if (r == 0)
		r = register_device(dev, index);
	if (r < 0) {
		pr_err("vhost=%s:%d: no such device: %s (%d)\n", name, dev->sock,
		       dev->front.why ? dev->front.why : "its back end does not answer", r);
		return;
	}
	devices[index] = dev;
}

static int __init vhost_start(void)
{
	unsigned int i;

	for (i = 0; i < nwanted; i++)
		start_one(i);
	return 0;
}
device_initcall(vhost_start);

/* Those without a driver, too. */
static int __init vhost_listen(void)
{
	unsigned int i;

	for (i = 0; i < LO_VHOST_DEVICES; i++)
		if (devices[i])
			listen(devices[i]);
	return 0;
}
late_initcall(vhost_listen);

/* FD[:FD]... */
static bool __init parse_fds(const char *text, struct wanted *w)
{
	const bool may_come_again = w->type->id == VIRTIO_ID_NET || w->type->id == VIRTIO_ID_BLOCK;
	const unsigned int max = may_come_again ? ARRAY_SIZE(w->fd) : 1;
	char *end;

	for (w->nfds = 0; w->nfds < max; text = end + 1) {
		w->fd[w->nfds++] = simple_strtoul(text, &end, 10);
		if (end == text || (*end && *end != ':'))
			return false;
		if (!*end)
			return true;
	}
	return false;
}

/* TYPE:FD, and for a network or a disk script and spare sockets after that */
static int __init vhost_arg(char *arg)
{
	struct wanted *w = &wanted[nwanted];
	unsigned int i;

	for (i = 0; arg && nwanted < LO_VHOST_DEVICES && i < ARRAY_SIZE(types); i++) {
		size_t n = strlen(types[i].name);

		if (strncmp(arg, types[i].name, n) || arg[n] != ':')
			continue;
		w->type = &types[i];
		if (!parse_fds(arg + n + 1, w))
			break;
		nwanted++;
		return 0;
	}
	pr_err("vhost=%s: it is TYPE:FD, of blk, net, console, rng, at most %d times\n",
	       arg ? arg : "", LO_VHOST_DEVICES);
	return -EINVAL;
}
early_param("vhost", vhost_arg);

static int __init patience_arg(char *arg)
{
	return arg ? kstrtouint(arg, 10, &patience_s) : -EINVAL;
}
early_param("vhost_patience", patience_arg);
