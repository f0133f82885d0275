// SPDX-License-Identifier: GPL-2.0-only
/* stats.c - what is counted, one "name value" a line: in /proc/lo/stats, and at the end. */
#include <asm/lo.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

#include "../host/host.h"

struct lo_stats lo_stats;

static bool at_end; /* the kernel argument "stats" */

static const struct {
	const char *name;
	const unsigned long *value;
} counters[] = {
#define COUNTER(field) { #field, &lo_stats.field },
	LO_STATS(COUNTER)
#undef COUNTER
};

static int stats_show(struct seq_file *file, void *unused)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(counters); i++)
		seq_printf(file, "%s %lu\n", counters[i].name, *counters[i].value);
	for (i = 0; host_allowed_name(i); i++)
		seq_printf(file, "host_%s %lu\n", host_allowed_name(i), host_calls(i));
	return 0;
}

void lo_stats_print(void)
{
	unsigned int i;

	if (!at_end)
		return;
	for (i = 0; i < ARRAY_SIZE(counters); i++)
		pr_emerg("%s %lu\n", counters[i].name, *counters[i].value);
	for (i = 0; host_allowed_name(i); i++)
		pr_emerg("host_%s %lu\n", host_allowed_name(i), host_calls(i));
}

static int __init stats_on(char *arg)
{
	at_end = true;
	return 0;
}
early_param("stats", stats_on);

/* The directory is there before whatever else of ours lies in it. */
static int __init stats_init(void)
{
	return proc_mkdir("lo", NULL) && proc_create_single("lo/stats", 0444, NULL, stats_show)
		       ? 0
		       : -ENOMEM;
}
subsys_initcall(stats_init);
