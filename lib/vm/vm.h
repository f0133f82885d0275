/* SPDX-License-Identifier: MIT */
/*
 * vm.h - the virtual machines of this host, and the kernel in one of them.
 *
 * Theory of operation
 *
 * vm_list() looks at the descriptors of every process, vm_resolve() makes one
 * of them of a TARGET. vm_open() stops it for some milliseconds (kvm_look()) and
 * copies the image of its kernel; vm_open_kernel() decodes symbols and types
 * in that copy, and infers what of them it can where the kernel has none. From then on @guest reads what kguest.h offers. The machine runs.
 */
#ifndef VM_VM_H
#define VM_VM_H

#include "kguest.h"
#include "ksyms.h"
#include "kvm.h"

#define VM_NAME_MAX 256

struct vm_info {
	pid_t pid;
	int vmfd;
	bool several; /* its process has more than one: only PID:VMFD names it */
	size_t ncpu;
	char hypervisor[32], name[VM_NAME_MAX]; /* as it was started with; anything */
};

struct vm_list {
	struct vm_info *v; /* owned */
	size_t n, room;
	size_t unreadable; /* processes whose descriptors may not be read */
};

int vm_list(struct vm_list *ret, struct err *e) _must_check_;
void vm_list_fini(struct vm_list *l);
#define _cleanup_vm_list_ _cleanup_(vm_list_fini)

/* PID, PID:VMFD, or a name that only one machine has. Return: 0; -ENOENT, -EEXIST several, -EACCES; @e says it. */
int vm_resolve(const char *target, struct vm_info *ret, struct err *e) _must_check_;

/* The name that a hypervisor was started with, out of its command line; false if there is none. */
bool vm_name(const char *cmdline, size_t len, char ret[VM_NAME_MAX]);

struct vm {
	struct vm_info info;
	struct pid_ref ref;
	struct kvm_fds fds;
	struct kvm_vm kvm;

	/* a Linux whose image was copied */
	struct gview view;
	uint64_t *
		top; /* owned; a copy of the uppermost table, if that is a process's, which goes with it; else NULL */
	gpa_t top_at;
	gpa_t entry; /* of system calls */
	struct krange range;
	struct kimage image; /* owned */
	char release[KRELEASE_MAX];

	/* vm_open_kernel() */
	struct ksyms symbols;
	char *coreinfo; /* owned; of @symbols */
	uint64_t slide; /* what KASLR added */
	struct btf btf;
	uint32_t *btf_index;
	bool have_types; /* @btf; @fields and @guest are filled by it */
	struct err
		no_types; /* else why not; @fields may have some all the same, which were inferred (kinfer.h) */
	struct err no_tasks; /* why it has none of tasks; else @code 0 */
	struct kfields fields;
	struct kguest guest;
};
#define VM_INIT                     \
	{                           \
		.ref = PID_REF_INIT \
	}

/*
 * vm_look() - Processors and memory. vm_open() - and its kernel's image.
 *
 * The struct must not move from then on. Return: 0; -ENOTSUP no Linux runs in it, and @e says what does; -errno.
 */
int vm_look(const struct vm_info *info, struct vm *ret, struct err *e) _must_check_;
int vm_open(const struct vm_info *info, struct vm *ret, struct err *e) _must_check_;
int vm_open_kernel(struct vm *v, struct err *e) _must_check_;
void vm_close(struct vm *v);
#define _cleanup_vm_ _cleanup_(vm_close)

/* Bytes of memory, ROMs left out. */
uint64_t vm_memory(const struct vm *v);

/* Drivers that decide how something can get into the guest. */
enum vm_driver_state {
	VM_DRIVER_NONE,
	VM_DRIVER_BUILTIN,
	VM_DRIVER_MODULE /* loaded */
};
struct vm_driver {
	const char *name;
	const char *symbol; /* one that it has */
	enum vm_driver_state state;
};
#define VM_DRIVERS 10
/* After vm_open_kernel(). */
void vm_drivers(const struct vm *v, struct vm_driver ret[VM_DRIVERS]);

/* What this user and kernel allow. */
struct vm_probe {
	const char *name;
	bool works;
	const char *without; /* what does not work without it */
	char detail[160];
};
#define VM_PROBES 7
void vm_probe_all(struct vm_probe ret[VM_PROBES]);

#endif
