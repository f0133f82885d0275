/* SPDX-License-Identifier: MIT */
/* test_blk_page.c - a disk whose registers are memory, with a driver that follows the rules and one that doesn't. */
#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "blk_page.h"
#include "store_far.h"

#define AT                0x200000 /* where the driver sees its memory */
#define SIZE              (64 << 10)
#define RING              4096  /* from the beginning of it */
#define BUFFERS           20480 /* 32 bytes of each id, then data */
#define SECTORS           64
#define NOTIFICATION_DATA 38 /* virtio 1.2, 6 */
#define FAR               (BLK_PAGE_FAR + 0x4000)
#define FAR_SIZE          8192
#define FAR_PIECE_MAX     2048
#define AVAIL             (1 << VRING_PACKED_DESC_F_AVAIL)
#define USED              (1 << VRING_PACKED_DESC_F_USED)

struct rig {
	struct blk_page page;
	struct store *store;
	char path[32];
	uint8_t *memory;
	uint32_t position, next;
	/* the driver's */
	uint16_t size, at, seen;
	bool wrap, seen_wrap;
};

static uint32_t reg(const struct rig *r, uint32_t off)
{
	uint32_t v;

	memcpy(&v, r->memory + off, sizeof(v));
	return v;
}

static void set_reg(struct rig *r, uint32_t off, uint32_t v)
{
	memcpy(r->memory + off, &v, sizeof(v));
}

static struct vring_packed_desc *desc(struct rig *r, unsigned int idx)
{
	return (struct vring_packed_desc *)(void *)(r->memory + RING) + idx;
}

/* As virtio_mmio of Linux: the queue, then DRIVER_OK. */
static void driver_begins(struct rig *r, uint16_t size)
{
	memset(r->memory + RING, 0, sizeof(struct vring_packed_desc) * size);
	assert_int_equal(reg(r, VIRTIO_MMIO_QUEUE_READY), 0);
	assert_true(reg(r, VIRTIO_MMIO_QUEUE_NUM_MAX) >= size);
	set_reg(r, VIRTIO_MMIO_DRIVER_FEATURES, 1 << VIRTIO_BLK_F_FLUSH);
	set_reg(r, VIRTIO_MMIO_QUEUE_NUM, size);
	set_reg(r, VIRTIO_MMIO_QUEUE_DESC_LOW, AT + RING);
	set_reg(r, VIRTIO_MMIO_QUEUE_DESC_HIGH, 0);
	set_reg(r, VIRTIO_MMIO_QUEUE_READY, 1);
	set_reg(r, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_DRIVER_OK);
	r->size = size;
	r->at = r->seen = 0;
	r->wrap = r->seen_wrap = true;
}

/* Memory of somebody else's: two regions, as the driver sees them, of addresses that nothing is mapped at here. */
struct far {
	struct gmem_region region[2];
	uint8_t *p, theirs[FAR_SIZE];
	int r;    /* what reading into it gives */
	int pipe; /* if not 0: where the system is to copy it to */
};

static int put(void *arg, const void *from, const struct iovec *to, unsigned int n)
{
	struct far *f = arg;
	const uint8_t *p = from;

	if (f->pipe)
		return write(f->pipe, from, to->iov_len) < 0 ? -errno : 0;
	for (unsigned int i = 0; i < n; p += to[i++].iov_len)
		memcpy(f->theirs + ((uint8_t *)to[i].iov_base - f->p), p, to[i].iov_len);
	return f->r;
}

/* A page that the driver sees at FAR, another at FAR + 0x10000. */
static void far_init(struct far *f)
{
	*f = (struct far){ .p = mmap(NULL, FAR_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
				     0) };
	assert_ptr_not_equal(f->p, MAP_FAILED);
	f->region[0] = (struct gmem_region){ { FAR }, FAR_SIZE / 2, f->p };
	f->region[1] = (struct gmem_region){ { FAR + 0x10000 }, FAR_SIZE / 2, f->p + FAR_SIZE / 2 };
}

static void set_up_far(struct rig *r, bool read_only, struct far *far)
{
	struct err e = { 0 };
	uint8_t sector[512];
	int fd;

	*r = (struct rig){ .position = 1, .next = 1 };
	strcpy(r->path, "/tmp/test-blk-page.XXXXXX");
	fd = mkstemp(r->path);
	for (unsigned int i = 0; i < SECTORS; i++) {
		memset(sector, (int)i, sizeof(sector));
		assert_int_equal(write(fd, sector, sizeof(sector)), sizeof(sector));
	}
	close(fd);
	const struct store_file_conf file = { .path = r->path,
					      .fd = -1,
					      .alive = -1,
					      .read_only = read_only,
					      .no_uring = true,
					      .off = 512,
					      .size = (SECTORS - 2) * 512 };
	assert_int_equal(store_file_new(&file, &r->store, &e), 0);
	r->memory = aligned_alloc(4096, SIZE);
	memset(r->memory, 0xee, SIZE);
	struct blk_page_conf conf = { r->store, "it",  r->memory,    AT,
				      SIZE,     65536, &r->position, &r->next };
	if (far) {
		const struct store_far_conf c = { far->p, FAR_SIZE, put, far, 512 };

		assert_int_equal(store_far_new(r->store, &c, &r->store), 0);
		conf.store = r->store;
		conf.far = far->region;
		conf.nfar = ARRAY_SIZE(far->region);
		conf.piece_max = FAR_PIECE_MAX;
	}
	assert_int_equal(blk_page_init(&r->page, &conf, &e), 0);
}

static void set_up(struct rig *r, bool read_only)
{
	set_up_far(r, read_only, NULL);
}

static void tear_down(struct rig *r)
{
	blk_page_fini(&r->page);
	store_free(r->store);
	free(r->memory);
	unlink(r->path);
}

struct buf {
	uint32_t off, len;
	bool write; /* by the device */
};

/* Offer a chain. Return: the index of its first descriptor. */
static uint16_t offer(struct rig *r, const struct buf *b, unsigned int n, uint16_t id)
{
	uint16_t first = r->at, first_flags = 0;

	for (unsigned int i = 0; i < n; i++) {
		uint16_t flags = (r->wrap ? AVAIL : USED) | (i + 1 < n ? VRING_DESC_F_NEXT : 0) |
				 (b[i].write ? VRING_DESC_F_WRITE : 0);
		struct vring_packed_desc *d = desc(r, r->at);

		*d = (struct vring_packed_desc){ AT + b[i].off, b[i].len, id,
						 i ? flags : d->flags };
		if (!i)
			first_flags = flags;
		if (++r->at == r->size) {
			r->at = 0;
			r->wrap = !r->wrap;
		}
	}
	desc(r, first)->flags = first_flags;
	return first;
}

static uint16_t ask(struct rig *r, uint32_t type, uint64_t sector, uint32_t data, uint32_t len,
		    uint16_t id)
{
	const struct virtio_blk_outhdr h = { .type = type, .sector = sector };
	const bool read = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
	const uint32_t head = BUFFERS + 32u * id;
	const struct buf b[] = { { head, sizeof(h), false },
				 { data, len, read },
				 { head + 16, 1, true } };
	const struct buf none[] = { b[0], b[2] };

	memcpy(r->memory + head, &h, sizeof(h));
	r->memory[head + 16] = 0xff;
	return len ? offer(r, b, 3, id) : offer(r, none, 2, id);
}

/* The next answer. Return: its status. */
static int answered(struct rig *r, unsigned int count, uint16_t id)
{
	const struct vring_packed_desc *d = desc(r, r->seen);

	assert_int_equal(!!(d->flags & AVAIL), r->seen_wrap);
	assert_int_equal(!!(d->flags & USED), r->seen_wrap);
	assert_int_equal(d->id, id);
	r->seen += count;
	if (r->seen >= r->size) {
		r->seen -= r->size;
		r->seen_wrap = !r->seen_wrap;
	}
	return r->memory[BUFFERS + 32u * id + 16];
}

static void all_answered(const struct rig *r)
{
	assert_int_equal(r->position, r->seen | (r->seen_wrap ? BLK_PAGE_WRAP : 0));
	assert_int_equal(r->next, r->position);
}

static void registers(void **state)
{
	struct virtio_blk_config c;
	struct rig r;
	uint32_t f;

	(void)state;
	set_up(&r, true);
	f = reg(&r, VIRTIO_MMIO_DEVICE_FEATURES);
	memcpy(&c, r.memory + VIRTIO_MMIO_CONFIG, sizeof(c));
	assert_memory_equal(r.memory + VIRTIO_MMIO_MAGIC_VALUE, "virt", 4);
	assert_int_equal(reg(&r, VIRTIO_MMIO_VERSION), 2);
	assert_int_equal(reg(&r, VIRTIO_MMIO_DEVICE_ID), 2);
	assert_int_equal(reg(&r, VIRTIO_MMIO_STATUS), 0);
	assert_int_equal(reg(&r, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_VRING);
	/* as the higher half */
	assert_true(f & 1 << (VIRTIO_F_VERSION_1 - 32));
	assert_true(f & 1 << (VIRTIO_F_ACCESS_PLATFORM - 32));
	assert_true(f & 1 << (VIRTIO_F_RING_PACKED - 32));
	assert_false(f & 1 << (VIRTIO_F_IN_ORDER - 32));
	assert_false(f & 1 << (NOTIFICATION_DATA - 32));
	/* as the lower one */
	assert_true(f & 1 << VIRTIO_BLK_F_RO);
	assert_true(f & 1 << VIRTIO_BLK_F_FLUSH);
	assert_false(f & 1 << VIRTIO_BLK_F_MQ);
	assert_int_equal(c.capacity, SECTORS - 2);
	assert_int_equal(c.size_max, 65536);
	assert_int_equal(c.seg_max, BLK_PAGE_QUEUE - 2);
	/* nothing that is behind the page */
	assert_int_equal(r.memory[BLK_PAGE_SIZE], 0xee);
	tear_down(&r);
	set_up(&r, false);
	assert_false(reg(&r, VIRTIO_MMIO_DEVICE_FEATURES) & 1 << VIRTIO_BLK_F_RO);
	assert_int_equal(blk_page_turn(&r.page), 0);
	tear_down(&r);
}

/* More than once around the queue, of which a chain takes three and not four. */
static void requests(void **state)
{
	const uint32_t data = 32768, other = 33280;
	struct rig r;

	(void)state;
	set_up(&r, false);
	driver_begins(&r, 8);
	for (unsigned int i = 0; i < SECTORS - 2; i++) {
		(void)ask(&r, VIRTIO_BLK_T_IN, i, data, 512, 1);
		(void)ask(&r, VIRTIO_BLK_T_GET_ID, 0, other, 20, 2);
		assert_int_equal(blk_page_turn(&r.page), 2);
		assert_int_equal(answered(&r, 3, 1), VIRTIO_BLK_S_OK);
		assert_int_equal(answered(&r, 3, 2), VIRTIO_BLK_S_OK);
		all_answered(&r);
		/* the store begins at the second sector of the file */
		assert_int_equal(r.memory[data], i + 1);
		assert_int_equal(r.memory[data + 511], i + 1);
		assert_string_equal((char *)r.memory + other, "it");
	}
	memset(r.memory + data, 0x77, 512);
	(void)ask(&r, VIRTIO_BLK_T_OUT, 3, data, 512, 0);
	assert_int_equal(blk_page_turn(&r.page), 1);
	assert_int_equal(answered(&r, 3, 0), VIRTIO_BLK_S_OK);
	(void)ask(&r, VIRTIO_BLK_T_FLUSH, 0, 0, 0, 5);
	(void)ask(&r, VIRTIO_BLK_T_IN, 3, other, 512, 4);
	(void)ask(&r, VIRTIO_BLK_T_IN, SECTORS - 2, other, 512, 6);
	assert_int_equal(blk_page_turn(&r.page), 3);
	assert_int_equal(answered(&r, 2, 5), VIRTIO_BLK_S_OK);
	assert_int_equal(answered(&r, 3, 4), VIRTIO_BLK_S_OK);
	assert_int_equal(r.memory[other], 0x77);
	assert_int_equal(answered(&r, 3, 6), VIRTIO_BLK_S_IOERR);
	assert_int_equal(blk_page_turn(&r.page), 0);
	all_answered(&r);
	tear_down(&r);
}

/* All that a driver can offer at once: one chain of @n, and as many short ones as fit beside it. */
static void fill_queue(struct rig *r, unsigned int n)
{
	const struct virtio_blk_outhdr h = { .type = VIRTIO_BLK_T_IN };
	const uint32_t data = 32768, head = BUFFERS;
	struct buf b[BLK_PAGE_QUEUE];
	uint16_t id = 1;

	memcpy(r->memory + head, &h, sizeof(h));
	b[0] = (struct buf){ head, sizeof(h), false };
	for (unsigned int i = 1; i + 1 < n; i++)
		b[i] = (struct buf){ data, 512, true };
	b[n - 1] = (struct buf){ head + 16, 1, true };
	/* more than the disk has, which is an answer, too */
	(void)offer(r, b, n, 0);
	for (id = 1; n + 2u * id <= BLK_PAGE_QUEUE; id++)
		(void)ask(r, VIRTIO_BLK_T_FLUSH, 0, 0, 0, id);
	for (int given = 0; given < id;) {
		int k = blk_page_turn(&r->page);

		assert_true(k > 0);
		given += k;
	}
	assert_int_equal(answered(r, n, 0), VIRTIO_BLK_S_IOERR);
	for (uint16_t k = 1; k < id; k++)
		assert_int_equal(answered(r, 2, k), VIRTIO_BLK_S_OK);
	all_answered(r);
}

/* The longest chain that the driver was told of takes all of the queue. */
static void full(void **state)
{
	const uint16_t seg_max = BLK_PAGE_QUEUE - 2;
	struct virtio_blk_config c;
	struct rig r;

	(void)state;
	set_up(&r, false);
	assert_int_equal(reg(&r, VIRTIO_MMIO_QUEUE_NUM_MAX), BLK_PAGE_QUEUE);
	memcpy(&c, r.memory + VIRTIO_MMIO_CONFIG, sizeof(c));
	assert_int_equal(c.seg_max, seg_max);
	driver_begins(&r, BLK_PAGE_QUEUE);
	for (int round = 0; round < 3; round++) {
		fill_queue(&r, seg_max + 2);
		fill_queue(&r, BLK_SEG_MAX + 2);
	}
	tear_down(&r);
}

/* The driver lets go, and takes it again; or another one does, faster than anybody looked. */
static void again(void **state)
{
	struct rig r;

	(void)state;
	set_up(&r, true);
	for (int i = 0; i < 4; i++) {
		driver_begins(&r, i % 2 ? 4 : 16);
		(void)ask(&r, VIRTIO_BLK_T_IN, 1, 32768, 512, 1);
		assert_int_equal(blk_page_turn(&r.page), 1);
		assert_int_equal(answered(&r, 3, 1), VIRTIO_BLK_S_OK);
		assert_int_equal(reg(&r, VIRTIO_MMIO_QUEUE_READY), BLK_PAGE_TAKEN);
		set_reg(&r, VIRTIO_MMIO_STATUS, 0);
		set_reg(&r, VIRTIO_MMIO_QUEUE_READY, 0);
		if (i < 2)
			assert_int_equal(blk_page_turn(&r.page), 0);
	}
	tear_down(&r);
}

/* --- a driver that breaks the rules --- */

static void odd_size(struct rig *r)
{
	set_reg(r, VIRTIO_MMIO_QUEUE_NUM, 7);
}

static void large_size(struct rig *r)
{
	set_reg(r, VIRTIO_MMIO_QUEUE_NUM, 2 * BLK_PAGE_QUEUE);
}

static void no_size(struct rig *r)
{
	set_reg(r, VIRTIO_MMIO_QUEUE_NUM, 0);
}

static void crooked_ring(struct rig *r)
{
	set_reg(r, VIRTIO_MMIO_QUEUE_DESC_LOW, AT + RING + 8);
}

static void ring_in_registers(struct rig *r)
{
	set_reg(r, VIRTIO_MMIO_QUEUE_DESC_LOW, AT);
}

static void ring_at_end(struct rig *r)
{
	set_reg(r, VIRTIO_MMIO_QUEUE_DESC_LOW, AT + SIZE - 16);
}

static void ring_high(struct rig *r)
{
	set_reg(r, VIRTIO_MMIO_QUEUE_DESC_HIGH, 1);
}

/* Where the host keeps its own queue. */
static void ring_is_ours(struct rig *r)
{
	set_reg(r, VIRTIO_MMIO_QUEUE_DESC_LOW, 0);
	set_reg(r, VIRTIO_MMIO_QUEUE_DESC_HIGH, 1 << 8);
}

static void chain_without_end(struct rig *r)
{
	for (unsigned int i = 0; i < r->size; i++)
		*desc(r, i) = (struct vring_packed_desc){ AT + BUFFERS, 16, 0,
							  AVAIL | VRING_DESC_F_NEXT };
}

static void indirect(struct rig *r)
{
	*desc(r, 0) =
		(struct vring_packed_desc){ AT + BUFFERS, 16, 0, AVAIL | VRING_DESC_F_INDIRECT };
}

static void chain(struct rig *r, uint64_t addr, uint32_t len)
{
	(void)ask(r, VIRTIO_BLK_T_IN, 0, 32768, 512, 0);
	desc(r, 1)->addr = addr;
	desc(r, 1)->len = len;
}

static void beyond(struct rig *r)
{
	chain(r, AT + SIZE - 511, 512);
}

static void before(struct rig *r)
{
	chain(r, AT - 512, 512);
}

static void into_registers(struct rig *r)
{
	chain(r, AT + VIRTIO_MMIO_CONFIG, 512);
}

static void into_our_queue(struct rig *r)
{
	chain(r, UINT64_C(1) << 40, 512);
}

static void around(struct rig *r)
{
	chain(r, UINT64_MAX - 255, 512);
}

static void no_status(struct rig *r)
{
	(void)ask(r, VIRTIO_BLK_T_FLUSH, 0, 0, 0, 0);
	desc(r, 1)->flags &= ~VRING_DESC_F_WRITE;
}

static void short_header(struct rig *r)
{
	(void)ask(r, VIRTIO_BLK_T_FLUSH, 0, 0, 0, 0);
	desc(r, 0)->len = 15;
}

static void read_after_write(struct rig *r)
{
	(void)ask(r, VIRTIO_BLK_T_FLUSH, 0, 0, 0, 0);
	desc(r, 0)->flags |= VRING_DESC_F_WRITE;
	desc(r, 1)->flags &= ~VRING_DESC_F_WRITE;
}

static void breaks_the_rules(void **state)
{
	static void (*const bad[])(struct rig * r) = {
		odd_size,    large_size,   no_size,          crooked_ring,      ring_in_registers,
		ring_at_end, ring_high,    ring_is_ours,     chain_without_end, indirect,
		beyond,      before,       into_registers,   into_our_queue,    around,
		no_status,   short_header, read_after_write,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct rig r;

		set_up(&r, false);
		driver_begins(&r, 8);
		bad[i](&r);
		if (blk_page_turn(&r.page) != -EPROTO)
			fail_msg("bad %zu is taken", i);
		assert_true(reg(&r, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
		assert_int_equal(blk_page_turn(&r.page), -EPROTO);
		/* somebody else has to answer from here on */
		assert_int_equal(r.position, r.next);
		tear_down(&r);
	}
}

/* What came before the broken one is answered. */
static void until_it_breaks(void **state)
{
	struct rig r;

	(void)state;
	set_up(&r, true);
	driver_begins(&r, 16);
	(void)ask(&r, VIRTIO_BLK_T_IN, 1, 32768, 512, 1);
	(void)ask(&r, VIRTIO_BLK_T_OUT, 1, 32768, 512, 2);
	desc(&r, ask(&r, VIRTIO_BLK_T_IN, 1, 32768, 512, 3))->addr = 0;
	assert_int_equal(blk_page_turn(&r.page), -EPROTO);
	assert_int_equal(answered(&r, 3, 1), VIRTIO_BLK_S_OK);
	assert_int_equal(answered(&r, 3, 2), VIRTIO_BLK_S_IOERR);
	all_answered(&r);
	tear_down(&r);
}

/* A chain whose data are @n buffers, of which those from FAR on are somebody else's. */
static uint16_t ask_at(struct rig *r, uint32_t type, const uint64_t *addr, unsigned int n,
		       uint32_t len)
{
	uint16_t first = ask(r, type, 2, 32768, len, 0);

	/* of as many as it takes */
	assert_true(n == 1 || n == 2);
	if (n == 2) {
		*desc(r, first + 3) = *desc(r, first + 2);
		*desc(r, first + 2) = *desc(r, first + 1);
		r->at++;
	}
	for (unsigned int i = 0; i < n; i++)
		desc(r, first + 1 + i)->addr = addr[i];
	return first;
}

/* What is read goes there, and nothing else does. */
static void far_memory(void **state)
{
	const uint64_t both[] = { FAR + 0x10000 + 4096 - 512, AT + 32768 },
		       over[] = { FAR + 4096 - 512, FAR };
	struct far far;
	struct rig r;

	(void)state;
	far_init(&far);
	set_up_far(&r, false, &far);
	driver_begins(&r, 64);
	(void)ask_at(&r, VIRTIO_BLK_T_IN, both, 2, 512);
	assert_int_equal(blk_page_turn(&r.page), 1);
	assert_int_equal(answered(&r, 4, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(far.theirs[FAR_SIZE - 512], 3);
	assert_int_equal(far.theirs[FAR_SIZE - 1], 3);
	assert_int_equal(far.theirs[FAR_SIZE - 513], 0);
	assert_int_equal(r.memory[32768], 4);
	(void)ask_at(&r, VIRTIO_BLK_T_IN, over, 2, 512);
	assert_int_equal(blk_page_turn(&r.page), 1);
	assert_int_equal(answered(&r, 4, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(far.theirs[4095], 3);
	assert_int_equal(far.theirs[0], 4);
	assert_int_equal(far.theirs[512], 0);
	/* the name of a disk is not the store's to write */
	(void)ask_at(&r, VIRTIO_BLK_T_GET_ID, over, 1, 512);
	assert_int_equal(blk_page_turn(&r.page), 1);
	assert_int_equal(answered(&r, 3, 0), VIRTIO_BLK_S_IOERR);
	far.r = -EFAULT;
	(void)ask_at(&r, VIRTIO_BLK_T_IN, over, 1, 512);
	assert_int_equal(blk_page_turn(&r.page), 1);
	assert_int_equal(answered(&r, 3, 0), VIRTIO_BLK_S_IOERR);
	/* the file was mapped anew by now */
	far.r = 0;
	far.theirs[0] = 0;
	(void)ask_at(&r, VIRTIO_BLK_T_IN, over + 1, 1, 512);
	assert_int_equal(blk_page_turn(&r.page), 1);
	assert_int_equal(answered(&r, 3, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(far.theirs[0], 3);
	all_answered(&r);
	tear_down(&r);
	(void)munmap(far.p, FAR_SIZE);
}

static void far_end(struct rig *r)
{
	chain(r, FAR + 4096 - 511, 512);
}

/* All of it is there, but it is more than a piece may have. */
static void far_long(struct rig *r)
{
	chain(r, FAR, FAR_PIECE_MAX + 512);
}

static void far_hole(struct rig *r)
{
	chain(r, FAR + 0x10000 - 512, 512);
}

static void far_before(struct rig *r)
{
	chain(r, BLK_PAGE_FAR, 512);
}

static void far_wraps(struct rig *r)
{
	chain(r, UINT64_MAX - 511, 512);
}

static void far_header(struct rig *r)
{
	(void)ask(r, VIRTIO_BLK_T_IN, 0, 32768, 512, 0);
	desc(r, 0)->addr = FAR;
}

static void far_write(struct rig *r)
{
	(void)ask(r, VIRTIO_BLK_T_OUT, 0, 32768, 512, 0);
	desc(r, 1)->addr = FAR;
}

static void far_status(struct rig *r)
{
	(void)ask(r, VIRTIO_BLK_T_IN, 0, 32768, 512, 0);
	desc(r, 2)->addr = FAR;
}

/* So that the last byte is the data's. */
static void far_empty_status(struct rig *r)
{
	chain(r, FAR, 512);
	desc(r, 2)->len = 0;
}

static void far_ring(struct rig *r)
{
	set_reg(r, VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)FAR);
	set_reg(r, VIRTIO_MMIO_QUEUE_DESC_HIGH, (uint32_t)(FAR >> 32));
}

static void breaks_the_rules_far(void **state)
{
	static void (*const bad[])(struct rig * r) = {
		far_end,   far_hole,   far_before,       far_wraps, far_header,
		far_write, far_status, far_empty_status, far_ring,  far_long,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct far far;
		struct rig r;

		far_init(&far);
		set_up_far(&r, false, &far);
		driver_begins(&r, 8);
		bad[i](&r);
		if (blk_page_turn(&r.page) != -EPROTO)
			fail_msg("bad %zu is taken", i);
		for (size_t k = 0; k < FAR_SIZE; k++)
			assert_int_equal(far.theirs[k], 0);
		tear_down(&r);
		(void)munmap(far.p, FAR_SIZE);
	}
}

/* A file that is cut is an error, and what is mapped of it is not touched here. */
static void far_cut(void **state)
{
	const uint64_t at[] = { FAR };
	int fd[2];
	struct far far;
	struct rig r;

	(void)state;
	far_init(&far);
	set_up_far(&r, true, &far);
	driver_begins(&r, 8);
	assert_int_equal(truncate(r.path, 0), 0);
	assert_int_equal(pipe(fd), 0);
	far.pipe = fd[1];
	(void)ask_at(&r, VIRTIO_BLK_T_IN, at, 1, 512);
	assert_int_equal(blk_page_turn(&r.page), 1);
	assert_int_equal(answered(&r, 3, 0), VIRTIO_BLK_S_IOERR);
	close(fd[0]);
	close(fd[1]);
	tear_down(&r);
	(void)munmap(far.p, FAR_SIZE);
}

static void no_memory(void **state)
{
	static struct blk_page p;
	struct err e = { 0 };
	struct blk_page_conf conf = { .size = BLK_PAGE_SIZE - 1 };

	(void)state;
	assert_int_equal(blk_page_init(&p, &conf, &e), -EINVAL);
	conf = (struct blk_page_conf){ .address = (UINT64_C(1) << 40) - SIZE, .size = SIZE };
	assert_int_equal(blk_page_init(&p, &conf, &e), -EINVAL);
	blk_page_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers),
		cmocka_unit_test(requests),
		cmocka_unit_test(full),
		cmocka_unit_test(again),
		cmocka_unit_test(breaks_the_rules),
		cmocka_unit_test(until_it_breaks),
		cmocka_unit_test(far_memory),
		cmocka_unit_test(breaks_the_rules_far),
		cmocka_unit_test(far_cut),
		cmocka_unit_test(no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
