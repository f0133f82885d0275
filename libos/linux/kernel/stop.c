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
#include <asm/map.h>
#include <asm/vcpu.h>
#include <linux/init.h>
#include <linux/instruction_pointer.h>
#include <linux/kernel.h>
#include <linux/notifier.h>
#include <linux/panic_notifier.h>
#include <linux/reboot.h>
#include <linux/string.h>

#include "../host/host.h"
#include "../host/lo_panic.h"

static int exit_status;
static int panic_fd = -1;

/* panicfd=FD, libos/host/lo_panic.h */
static int __init panic_arg(char *arg)
{
	return arg ? kstrtoint(arg, 10, &panic_fd) : -EINVAL;
}
early_param("panicfd", panic_arg);

void lo_set_exit_status(int status)
{
	exit_status = status;
}

void __noreturn lo_stop(int status)
{
	lo_stats_print();
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

/* As struct user_regs_struct has them; of the registers of a caller only those that survive a call. */
enum {
	REG_R15,
	REG_R14,
	REG_R13,
	REG_R12,
	REG_BP,
	REG_BX,
	REG_IP = 16,
	REG_SP = 19
};

/* The launcher may want to look before everything goes. */
static noinline void report_panic(const char *message)
{
	static struct lo_panic report = { .range = { { LO_IMAGE, LO_IMAGE_END },
						     { LO_RAM, LO_VMALLOC },
						     { LO_VMALLOC, LO_VMALLOC_END } } };
	char answer;

	report.pid = lo_hostprocs[lo_vcpu()->hostproc].pid;
	asm volatile("mov %%r15, %0" : "=m"(report.reg[REG_R15]));
	asm volatile("mov %%r14, %0" : "=m"(report.reg[REG_R14]));
	asm volatile("mov %%r13, %0" : "=m"(report.reg[REG_R13]));
	asm volatile("mov %%r12, %0" : "=m"(report.reg[REG_R12]));
	asm volatile("mov %%rbp, %0" : "=m"(report.reg[REG_BP]));
	asm volatile("mov %%rbx, %0" : "=m"(report.reg[REG_BX]));
	asm volatile("mov %%rsp, %0" : "=m"(report.reg[REG_SP]));
	report.reg[REG_IP] = _THIS_IP_;
	strscpy(report.text, message, sizeof(report.text));
	if (host_write(panic_fd, &report, sizeof(report)) == sizeof(report))
		host_read(panic_fd, &answer, 1);
}

static int on_panic(struct notifier_block *block, unsigned long event, void *message)
{
	int status = status_of_panic(message);

	lo_set_exit_status(status);
	if (panic_fd >= 0 && status == LO_EXIT_FAILED)
		report_panic(message);
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

void (*pm_power_off)(void) = machine_power_off;
