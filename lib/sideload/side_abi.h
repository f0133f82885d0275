/* SPDX-License-Identifier: MIT */
/*
 * side_abi.h - what the host and its library inside of a guest's kernel have in common: the memory that both map.
 *
 *	0		the library's code; the guest can't write to it
 *	SIDE_HEADER_AT	struct side_header, for whoever finds all this later; nor to it
 *	SIDE_STATE_AT	struct side_state, then the two rings; the guest can't execute it, nor what follows
 *	SIDE_PROGRAM_AT	the program that is to run in the guest
 *
 * Behind all that there may be a page of nothing: what the guest writes there is its doorbell (side_door.h).
 *
 * The kernel's functions are listed here with the types that they have in all
 * versions; pointers to its structures are void. Where members of those are,
 * the guest's BTF says.
 */
#ifndef SIDELOAD_SIDE_ABI_H
#define SIDELOAD_SIDE_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "side_disk_abi.h"
#include "side_ring.h"

#define SIDE_PAGE        (2ULL << 20) /* one entry of a page table */
#define SIDE_STATE_AT    SIDE_PAGE
#define SIDE_TO_GUEST_AT (SIDE_STATE_AT + (512U << 10))
#define SIDE_TO_HOST_AT  (SIDE_STATE_AT + (1024U << 10))
#define SIDE_PROGRAM_AT  (2 * SIDE_PAGE)
#define SIDE_CODE_MAX    (16U << 10)
#define SIDE_PROGRAM_MAX (32U << 20)
#define SIDE_ARGS_MAX    16
#define SIDE_ARG_BYTES   2048
#define SIDE_FD          3 /* of the program: the channel */
#define SIDE_HEADER_AT   (SIDE_PAGE - (4U << 10))
#define SIDE_LAYOUT      2 /* of struct side_header, and of what there is beside the memory */
#define SIDE_LAYOUT_OLD  1 /* the same without a doorbell */
#define SIDE_MEMFD \
	"vmsh" /* and ":", SIDE_LAYOUT, ":", the machine's descriptor, ":", the doorbell's id: the memory's name */
#define SIDE_MAGIC 0x6564697368736d76ULL

/* X(name, name in other kernels or NULL, type, parameters) */
#define SIDE_FUNCTIONS(X)                                                                      \
	X(queue_work_on, NULL, bool, (int cpu, void *wq, void *work))                          \
	X(kthread_create_on_node, NULL, void *,                                                \
	  (int (*fn)(void *), void *data, int node, const char *name, ...))                    \
	X(wake_up_process, NULL, int, (void *task))                                            \
	X(kthread_complete_and_exit, "complete_and_exit", void, (void *completion, long code)) \
	X(complete, NULL, void, (void *completion))                                            \
	X(__init_swait_queue_head, NULL, void, (void *q, const char *name, void *key))         \
	X(unshare_fs_struct, NULL, int, (void))                                                \
	X(get_fs_type, NULL, void *, (const char *name))                                       \
	X(kern_mount, NULL, void *, (void *type))                                              \
	X(kern_unmount, NULL, void, (void *mnt))                                               \
	X(set_fs_pwd, NULL, void, (void *fs, const void *path))                                \
	X(filp_open, NULL, void *, (const char *name, int flags, unsigned short mode))         \
	X(kernel_write, NULL, long, (void *file, const void *buf, size_t n, long long *pos))   \
	X(__fput_sync, NULL, void, (void *file))                                               \
	X(fput, NULL, void, (void *file))                                                      \
	X(anon_inode_getfile, NULL, void *,                                                    \
	  (const char *name, const void *fops, void *priv, int flags))                         \
	X(replace_fd, NULL, int, (unsigned int fd, void *file, unsigned int flags))            \
	X(call_usermodehelper_setup, NULL, void *,                                             \
	  (const char *path, char **argv, char **envp, unsigned int gfp,                       \
	   int (*init)(void *info, void *cred), void (*cleanup)(void *info), void *data))      \
	X(call_usermodehelper_exec, NULL, int, (void *info, int wait))                         \
	X(get_task_pid, NULL, void *, (void *task, int type))                                  \
	X(kill_pid, NULL, int, (void *pid, int sig, int priv))                                 \
	X(put_pid, NULL, void, (void *pid))                                                    \
	X(__init_waitqueue_head, NULL, void, (void *wq, const char *name, void *key))          \
	X(init_wait_entry, NULL, void, (void *entry, int flags))                               \
	X(prepare_to_wait_event, NULL, long, (void *wq, void *entry, int state))               \
	X(finish_wait, NULL, void, (void *wq, void *entry))                                    \
	X(__wake_up, NULL, void, (void *wq, unsigned int mode, int n, void *key))              \
	X(schedule_timeout, NULL, long, (long jiffies))                                        \
	X(schedule_timeout_interruptible, NULL, long, (long jiffies))                          \
	X(usleep_range_state, "usleep_range", void,                                            \
	  (unsigned long least, unsigned long most, unsigned int state))                       \
	X(request_threaded_irq, NULL, int,                                                     \
	  (unsigned int irq, int (*handler)(int irq, void *dev), int (*thread)(int, void *),   \
	   unsigned long flags, const char *name, void *dev))                                  \
	X(free_irq, NULL, const void *, (unsigned int irq, void *dev))                         \
	X(__msecs_to_jiffies, NULL, unsigned long, (unsigned int ms))                          \
	X(ktime_get, NULL, int64_t, (void))                                                    \
	X(_copy_to_user, NULL, unsigned long, (void *to, const void *from, unsigned long n))   \
	X(_copy_from_user, NULL, unsigned long, (void *to, const void *from, unsigned long n))

/* X(name, structure, member or "" for its size, member in other kernels or NULL) */
#define SIDE_FIELDS(X)                                         \
	X(irq_work_size, "irq_work", "", NULL)                 \
	X(irq_work_func, "irq_work", "func", NULL)             \
	X(irq_work_flags, "irq_work", "node.a_flags", "flags") \
	X(work_size, "work_struct", "", NULL)                  \
	X(work_entry, "work_struct", "entry", NULL)            \
	X(work_func, "work_struct", "func", NULL)              \
	X(completion_size, "completion", "", NULL)             \
	X(completion_done, "completion", "done", NULL)         \
	X(completion_wait, "completion", "wait", NULL)         \
	X(wait_head_size, "wait_queue_head", "", NULL)         \
	X(wait_entry_size, "wait_queue_entry", "", NULL)       \
	X(mnt_root, "vfsmount", "mnt_root", NULL)              \
	X(task_fs, "task_struct", "fs", NULL)                  \
	X(fops_size, "file_operations", "", NULL)              \
	X(fops_read, "file_operations", "read", NULL)          \
	X(fops_write, "file_operations", "write", NULL)        \
	X(fops_poll, "file_operations", "poll", NULL)          \
	X(fops_release, "file_operations", "release", NULL)    \
	X(file_flags, "file", "f_flags", NULL)                 \
	X(file_fops, "file", "f_op", NULL)                     \
	X(path_size, "path", "", NULL)                         \
	X(path_mnt, "path", "mnt", NULL)                       \
	X(path_dentry, "path", "dentry", NULL)                 \
	X(poll_qproc, "poll_table_struct", "_qproc", NULL)

struct side_functions {
#define X(name, other, type, args) \
	type(*name) args; /* NOLINT(bugprone-macro-parentheses): a declaration */
	SIDE_FUNCTIONS(X)
#undef X
};

struct side_fields {
#define X(name, structure, member, other) uint32_t name;
	SIDE_FIELDS(X)
#undef X
};

enum side_stage {
	SIDE_NOTHING, /* it has not run */
	SIDE_INTERRUPT,
	SIDE_WORKER,
	SIDE_THREAD,
	SIDE_RUNS, /* the program does */
	SIDE_ENDED /* the thread is about to; or there was none. @error says why if the program did not run */
};

/* The room for structures of the kernel, whose sizes the host compares. */
#define SIDE_ROOM_IRQ_WORK   64
#define SIDE_ROOM_WORK       256
#define SIDE_ROOM_COMPLETION 256
#define SIDE_ROOM_WAIT_HEAD  256
#define SIDE_ROOM_WAIT_ENTRY 128
#define SIDE_ROOM_FOPS       640

struct side_state {
	/* the host's, before it starts */
	struct side_functions call;
	struct side_fields at;
	uint32_t cpu;       /* whose interrupt it is */
	uint64_t workqueue; /* system_wq */
	uint64_t
		current_at; /* of the pointer to the current task, from the processor's own memory */
	uint64_t other_fops; /* of the kernel, which a file has at its end */
	uint64_t silence_ns; /* without a beat of the host for so long it is gone */
	int (*register_gsi)(void *dev, uint32_t gsi, int trigger,
			    int polarity);    /* ACPI's; or NULL */
	void (*unregister_gsi)(uint32_t gsi); /* as long */
	uint32_t
		door_at; /* what is written there rings the host, from the memory's start; 0: nothing does */
	uint32_t gsi; /* what the host rings, + 1; 0: nothing */
	uint32_t program_size, argc;
	char args[SIDE_ARG_BYTES]; /* argc strings */

	/* the host's */
	uint32_t beat; /* goes on while there is a host */
	uint32_t stop; /* it is to end */

	/* the guest's */
	uint32_t stage; /* enum side_stage */
	int32_t error;  /* -errno of what went wrong on the way to SIDE_RUNS */
	uint32_t guest_beat;
	uint32_t listens; /* to @gsi */
	uint32_t rung;    /* by it, once at least */
	uint8_t irq_work[SIDE_ROOM_IRQ_WORK];
	uint8_t completion
		[SIDE_ROOM_COMPLETION]; /* done once the thread executes nothing of ours any more */

	struct side_ring_shared to_guest, to_host;

	/* the guest's own; the host does not read them */
	struct side_ring in, out;
	uint32_t in_busy, out_busy;
	uint32_t gone;                          /* no host, or it said stop */
	uint32_t opened;                        /* there is a file, or was */
	uint32_t closing;                       /* it is about to be closed */
	uint32_t irq;                           /* what @gsi is called here */
	uint8_t released[SIDE_ROOM_COMPLETION]; /* done once it has been closed */
	void *mnt, *file, *pid, *task;
	char *argv[SIDE_ARGS_MAX + 1], *envp[4];
	uint64_t lock_key;
	uint8_t work[SIDE_ROOM_WORK];
	uint8_t wait_head[SIDE_ROOM_WAIT_HEAD];
	uint8_t fops[SIDE_ROOM_FOPS];

	struct side_disk disk;
};

/* What any build of vmsh has to know to undo what another one left. It changes only together with SIDE_LAYOUT. */
struct side_header {
	uint64_t magic;
	uint64_t gpa, gva; /* where all of this is in the guest: noted before it is there */
	uint32_t queued;   /* it may have begun */
	uint32_t ended;    /* SIDE_ENDED */
	/* from the memory's start, of uint32_t; as in struct side_state */
	uint32_t beat_at, stop_at, stage_at, guest_beat_at;
	uint32_t done_at, lock_at; /* in its completion */
};

_Static_assert(sizeof(struct side_state) <= SIDE_TO_GUEST_AT - SIDE_STATE_AT, "the rings follow");
_Static_assert(SIDE_TO_HOST_AT + SIDE_RING_SIZE <= SIDE_PROGRAM_AT, "the program follows");

#endif
