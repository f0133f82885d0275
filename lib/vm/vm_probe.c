/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cleanup.h"
#include "io.h"
#include "status.h"
#include "vm.h"

#define CAP_PTRACE 19
#define CAP_ADMIN  21

/* @probe is yes or no for a reason. */
static void say(struct vm_probe *p, bool works, const char *detail)
{
	p->works = works;
	(void)snprintf(p->detail, sizeof(p->detail), "%s", detail);
}

static long yama(void)
{
	_cleanup_free_ char *text = NULL;

	return io_read_at(AT_FDCWD, "/proc/sys/kernel/yama/ptrace_scope", 64, &text, NULL) < 0
		       ? 0
		       : strtol(text, NULL, 10);
}

void vm_probe_all(struct vm_probe ret[VM_PROBES])
{
	_cleanup_status_ struct proc_status st = { 0 };
	_cleanup_pid_ struct pid_ref self = PID_REF_INIT;
	_cleanup_vm_list_ struct vm_list l = { 0 };
	char count[32];
	bool kvm = !access("/dev/kvm", F_OK), pagemap = !access("/proc/self/pagemap", R_OK), known;

	ret[0] = (struct vm_probe){ .name = "kvm", .without = "no machine can be run here" };
	ret[1] = (struct vm_probe){ .name = "CAP_SYS_PTRACE",
				    .without = "only machines of this user can be looked at" };
	ret[2] = (struct vm_probe){ .name = "ptrace_scope",
				    .without =
					    "no machine can be looked at without CAP_SYS_PTRACE" };
	ret[3] = (struct vm_probe){
		.name = "seccomp suspension",
		.without =
			"hypervisors with a seccomp filter (Firecracker, crosvm) can't be looked at"
	};
	ret[4] = (struct vm_probe){
		.name = "pagemap",
		.without =
			"coredump has to touch memory that a machine has never used, which gives it that"
	};
	ret[5] = (struct vm_probe){
		.name = "attach",
		.without = "nothing can be brought into a machine, nor taken back: attach, detach"
	};
	ret[6] = (struct vm_probe){ .name = "machines", .without = "no machine is found" };

	known = !pid_open(getpid(), &self, NULL) && !proc_status_read(&self, &st, NULL);
	say(&ret[0], kvm, kvm ? "/dev/kvm is there" : "there is no /dev/kvm");
	say(&ret[1], known && st.caps.eff >> CAP_PTRACE & 1,
	    known && st.caps.eff >> CAP_PTRACE & 1
		    ? "held"
		    : "not held: run as root, or with that capability");
	say(&ret[2], ret[1].works || yama() == 0,
	    ret[1].works  ? "does not matter with CAP_SYS_PTRACE"
	    : yama() == 0 ? "processes of the same user may be traced"
			  : "kernel.yama.ptrace_scope forbids it");
	say(&ret[3], known && st.caps.eff >> CAP_ADMIN & 1 && !st.seccomp,
	    !known                         ? "not known"
	    : st.seccomp                   ? "this program runs under a seccomp filter itself"
	    : st.caps.eff >> CAP_ADMIN & 1 ? "CAP_SYS_ADMIN is held"
					   : "it takes CAP_SYS_ADMIN");
	say(&ret[4], pagemap,
	    pagemap ? "tells which pages a process has"
		    : "this kernel does not tell which pages a process has");
	say(&ret[5], ret[1].works && st.caps.eff >> CAP_ADMIN & 1,
	    ret[1].works && st.caps.eff >> CAP_ADMIN & 1
		    ? "CAP_SYS_PTRACE and CAP_SYS_ADMIN are held"
		    : "it takes CAP_SYS_PTRACE and CAP_SYS_ADMIN");
	if (vm_list(&l, NULL) < 0) {
		say(&ret[6], false, "/proc can't be read");
		return;
	}
	ret[6].works = true;
	(void)snprintf(count, sizeof(count), "%zu", l.n);
	(void)snprintf(ret[6].detail, sizeof(ret[6].detail), "%s running%s", l.n ? count : "none",
		       l.unreadable ? ", not counting those that this user may not see" : "");
}
