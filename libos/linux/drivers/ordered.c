// SPDX-License-Identifier: GPL-2.0-only
/* ordered.c - a disk over one that makes writes last in the order in which they were completed. */
/*
 * Theory of operation
 *
 * "DEVICE" written to /proc/lo/ordered makes /dev/ordered, once: the same blocks, each request handed down as it is, but
 * for one flag. A write with REQ_PREFLUSH and REQ_FUA, as a journal's commit record is, asks for two flushes: one that
 * makes last what was completed before it, and one for itself. Over a disk whose writes last in the order in which
 * they were completed the second does for both, so the first is dropped. A flush that stands alone is kept, and so
 * is the one of a write that does not wait for its own.
 *
 * dm-integrity with a journal is such a disk, and dm-crypt over it: docs/decisions/flushes-of-encrypted-disks.md.
 * Nothing here can find out whether DEVICE is. Who writes its name has to know.
 */
#include <linux/blkdev.h>
#include <linux/init.h>
#include <linux/mutex.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <asm/linux_versions.h>

#define NAME      "ordered"
#define PATH_SIZE 64

static DEFINE_MUTEX(lock);
static struct block_device *below; /* set before the disk is there, and for good */

static void ordered_submit_bio(struct bio *bio)
{
	if (bio->bi_opf & REQ_FUA && bio_op(bio) == REQ_OP_WRITE && bio_sectors(bio))
		bio->bi_opf &= ~REQ_PREFLUSH;
	bio_set_dev(bio, below);
	submit_bio_noacct(bio);
}

static const struct block_device_operations ordered_ops = {
	.owner = THIS_MODULE,
	.submit_bio = ordered_submit_bio,
};

#if LO_LINUX_BEFORE(6, 12)
static struct block_device *open_below(const char *path)
{
	return blkdev_get_by_path(path, FMODE_READ | FMODE_WRITE | FMODE_EXCL, &below);
}

static void close_below(struct block_device *bdev)
{
	blkdev_put(bdev, FMODE_READ | FMODE_WRITE | FMODE_EXCL);
}

static struct gendisk *alloc_disk_over(struct block_device *bdev)
{
	struct gendisk *disk = blk_alloc_disk(NUMA_NO_NODE);

	if (!disk)
		return ERR_PTR(-ENOMEM);
	blk_set_stacking_limits(&disk->queue->limits);
	disk_stack_limits(disk, bdev, 0);
	blk_queue_write_cache(disk->queue, true, true);
	return disk;
}
#else
static struct file *below_file;

static struct block_device *open_below(const char *path)
{
	struct file *file =
		bdev_file_open_by_path(path, BLK_OPEN_READ | BLK_OPEN_WRITE, &below, NULL);

	if (IS_ERR(file))
		return ERR_CAST(file);
	below_file = file;
	return file_bdev(file);
}

static void close_below(struct block_device *bdev)
{
	bdev_fput(below_file);
}

static struct gendisk *alloc_disk_over(struct block_device *bdev)
{
	struct queue_limits limits;

	blk_set_stacking_limits(&limits);
	queue_limits_stack_bdev(&limits, bdev, 0, NAME);
	limits.features |= BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA;
	return blk_alloc_disk(&limits, NUMA_NO_NODE);
}
#endif

static int add_over(struct block_device *bdev)
{
	struct gendisk *disk = alloc_disk_over(bdev);
	int r;

	if (IS_ERR(disk))
		return PTR_ERR(disk);
	disk->fops = &ordered_ops;
	disk->flags |= GENHD_FL_NO_PART;
	strscpy(disk->disk_name, NAME, sizeof(disk->disk_name));
	set_capacity(disk, bdev_nr_sectors(bdev));
	below = bdev;
	r = add_disk(disk);
	if (!r)
		return 0;
	below = NULL;
	put_disk(disk);
	return r;
}

static int make_over(const char *path)
{
	struct block_device *bdev;
	int r;

	if (below)
		return -EBUSY;
	bdev = open_below(path);
	if (IS_ERR(bdev))
		return PTR_ERR(bdev);
	r = add_over(bdev);
	if (r < 0)
		close_below(bdev);
	return r;
}

static ssize_t ordered_write(struct file *file, const char __user *from, size_t size, loff_t *pos)
{
	char path[PATH_SIZE];
	int r;

	if (!size || size >= sizeof(path))
		return -EINVAL;
	if (copy_from_user(path, from, size))
		return -EFAULT;
	path[size] = 0;
	mutex_lock(&lock);
	r = make_over(strim(path));
	mutex_unlock(&lock);
	return r < 0 ? r : size;
}

static const struct proc_ops ordered_proc_ops = {
	.proc_write = ordered_write,
	.proc_lseek = noop_llseek,
};

static int __init ordered_init(void)
{
	return proc_create("lo/" NAME, 0200, NULL, &ordered_proc_ops) ? 0 : -ENOMEM;
}
device_initcall(ordered_init);
