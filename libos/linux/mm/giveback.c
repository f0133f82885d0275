// SPDX-License-Identifier: GPL-2.0-only
/* giveback.c - RAM that Linux has no use for goes back to the host. */
/*
 * Theory of operation
 *
 * Linux's page reporting looks every two seconds, while memory is being freed, for large free
 * blocks that it has not reported yet, and takes them out of its lists while lo_report()
 * punches them out of the memfd. The host then has those pages; who uses the block again gets
 * zero pages, as at the start. Mappings of it that a host process without work still has do not
 * matter: they are of the same file.
 */
#include <asm/lo.h>
#include <linux/init.h>
#include <linux/page_reporting.h>
#include <linux/scatterlist.h>

#include "../host/host.h"

/* Blocks of 2 MiB and more. */
#define GIVEBACK_ORDER 9

static int lo_report(struct page_reporting_dev_info *info, struct scatterlist *sg,
		     unsigned int count)
{
	long r = 0;

	for (; count && r >= 0; count--, sg = sg_next(sg))
		r = host_punch(lo_ram_fd, sg_phys(sg), sg->length);
	return r;
}

static int __init lo_giveback_init(void)
{
	static struct page_reporting_dev_info info = { .report = lo_report,
						       .order = GIVEBACK_ORDER };

	return page_reporting_register(&info);
}
late_initcall(lo_giveback_init);
