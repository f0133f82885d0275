// SPDX-License-Identifier: GPL-2.0-only
/* stop.c - the end, and its exit status. */
/*
 * Theory of operation
 *
 * Power off, halt and restart are one thing here: every host process ends, and the first one exits
 * with what lo_set_exit_status() was given. The exit of init sets it (kernel/syscall.c). A panic
 * exits with LO_EXIT_FAILED, but for the one that Linux makes of init's death by a signal: that is
 * 128 and the signal, as a shell has it.
 */
#include <asm/hostproc.h>
#include <asm/lo.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/notifier.h>
#include <linux/panic_notifier.h>
#include <linux/reboot.h>
#include <linux/string.h>

#include "../host/host.h"

static int exit_status;
static bool want_stats;

static int __init stats_on(char *arg)
{
	want_stats = true;
	return 0;
}
early_param("stats", stats_on);

static void print_stats(void)
{
	const struct lo_stats *s = &lo_stats;

	pr_emerg("system calls: %lu trapped, %lu direct from %lu sites; %lu ticks\n", s->trapped,
		 s->direct, s->patched, s->ticks);
	pr_emerg("faults: %lu, %lu of them refills; %lu for the kernel, %lu in vmalloc\n",
		 s->faults, s->refills, s->kernel_faults, s->vmalloc_faults);
	pr_emerg("host: %lu maps of %lu pages, %lu unmaps, %lu protects, %lu times emptied\n",
		 s->maps, s->map_pages, s->unmaps, s->protects, s->emptied);
	pr_emerg("host: %lu processes, %lu switches, %lu of them spun for, %lu stolen\n",
		 s->hostprocs, s->mm_switches, s->spun, s->steals);
	pr_emerg("host: %lu pages given back\n", s->given_back);
}

void lo_set_exit_status(int status)
{
	exit_status = status;
}

void __noreturn lo_stop(int status)
{
	if (want_stats)
		print_stats();
	lo_hostproc_end(status);
}

void __noreturn lo_fail(const char *text)
{
	host_write(2, text, strlen(text));
	lo_hostproc_end(LO_EXIT_FAILED);
}

/* "Attempted to kill init! exitcode=0x0000000b": a wait status. */
static int status_of_panic(const char *message)
{
	const char *code = strstr(message, "exitcode=0x");
	unsigned int status;

	if (!code || sscanf(code, "exitcode=0x%x", &status) != 1)
		return LO_EXIT_FAILED;
	return status & 0x7f ? 128 + (status & 0x7f) : (status >> 8) & 0xff;
}

static int on_panic(struct notifier_block *block, unsigned long event, void *message)
{
	lo_set_exit_status(status_of_panic(message));
	return NOTIFY_DONE;
}

static struct notifier_block panic_block = { .notifier_call = on_panic };

static int __init stop_init(void)
{
	atomic_notifier_chain_register(&panic_notifier_list, &panic_block);
	/* As soon as the message is out. */
	panic_timeout = -1;
	return 0;
}
early_initcall(stop_init);

void machine_halt(void)
{
	lo_stop(exit_status);
}

void machine_power_off(void)
{
	lo_stop(exit_status);
}

void machine_restart(char *command)
{
	lo_stop(exit_status);
}

void (*pm_power_off)(void);
