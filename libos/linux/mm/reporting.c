// SPDX-License-Identifier: GPL-2.0-only
/* reporting.c - RAM that is free for a while goes back to the host. */
/*
 * Theory of operation
 *
 * Linux collects large free blocks some seconds after they became free, and asks about each once
 * (mm/page_reporting.c). A hole in the RAM's memfd is what the host takes it back by; whoever uses
 * the block again finds zeros there. No program has such a block mapped, and a host process
 * that still does is emptied before it runs.
 */
#include <asm/lo.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/page_reporting.h>
#include <linux/scatterlist.h>

#include "../host/host.h"

static int give_back(struct page_reporting_dev_info *dev, struct scatterlist *list, unsigned int n)
{
	struct scatterlist *sg;
	unsigned int i;

	for (i = 0, sg = list; i < n; i++, sg = sg_next(sg)) {
		unsigned long start = page_to_phys(sg_page(sg));

		if (host_punch(lo_ram_fd, start, sg->length) == 0)
			lo_stats.given_back += sg->length >> PAGE_SHIFT;
	}
	return 0;
}

/* Of 128 KiB at least: after many small allocations and frees there are few of Linux's 4 MiB. */
static struct page_reporting_dev_info reporting = { .report = give_back, .order = 5 };

static int __init reporting_init(void)
{
	return page_reporting_register(&reporting);
}
device_initcall(reporting_init);
