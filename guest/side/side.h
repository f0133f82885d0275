/* SPDX-License-Identifier: GPL-2.0-only */
/* side.h - between the files of the library that runs inside of a guest's kernel. */
#ifndef GUEST_SIDE_H
#define GUEST_SIDE_H

#include "side_abi.h"

/* Linux's, the same in all versions on x86-64. */
#define ERR_MAX            4095
#define EINTR              4
#define EIO                5
#define EAGAIN             11
#define EFAULT             14
#define ENODEV             19
#define EINVAL             22
#define EPIPE              32
#define EMSGSIZE           90
#define ESHUTDOWN          108
#define O_WRONLY           01
#define O_RDWR             02
#define O_CREAT            0100
#define O_NONBLOCK         04000
#define TASK_INTERRUPTIBLE 1
#define TASK_NORMAL        3
#define GFP_KERNEL         0xcc0
#define SIGKILL            9
#define PIDTYPE_PID        0
#define UMH_WAIT_EXEC      1
#define POLL_IN            0x0041 /* EPOLLIN | EPOLLRDNORM */
#define POLL_OUT           0x0104 /* EPOLLOUT | EPOLLWRNORM */
#define POLL_HUP           0x0010

/* Where the image begins; the linker script says it. */
extern uint8_t side_memory[] __attribute__((visibility("hidden")));

static inline uint8_t *side_at(uint64_t off)
{
	return side_memory + off;
}

static inline struct side_state *side_state(void)
{
	return (struct side_state *)(void *)side_at(SIDE_STATE_AT);
}

static inline bool side_is_error(const void *p)
{
	return (uintptr_t)p >= (uintptr_t)-ERR_MAX;
}

static inline int side_error(const void *p)
{
	return p ? (int)(intptr_t)p : -EIO;
}

static inline void *side_load(const void *base, uint32_t off)
{
	return *(void *const *)((const uint8_t *)base + off);
}

static inline void side_store(void *base, uint32_t off, const void *value)
{
	*(const void **)((uint8_t *)base + off) = value;
}

static inline uint32_t side_get(const uint32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void side_set(uint32_t *p, uint32_t value)
{
	__atomic_store_n(p, value, __ATOMIC_RELEASE);
}

/* A completion that is done, and that its lock is free of: who did it does not touch it any more. */
static inline bool side_completed(const uint8_t *completion)
{
	const struct side_fields *at = &side_state()->at;

	return side_get((const uint32_t *)(const void *)(completion + at->completion_done)) &&
	       !side_get((const uint32_t *)(const void *)(completion + at->completion_wait));
}

/* The file that is descriptor 3 of the program: its operations, for anon_inode_getfile(). */
void side_file_init(void);
/* Has it been made, and not been closed? */
bool side_file_open(void);
/* Those who wait for it look again. */
void side_file_wake(void);

/* The host looks again. */
void side_bell_ring(void);
/* Its interrupt, if there is one to be had: from then on it wakes who waits for the file. */
void side_bell_open(void);
void side_bell_close(void);

/* Is a disk wanted that is not there yet? */
bool side_disk_wanted(void);
/* Then it is made, by others. */
void side_disk_look(void);
/* In our interrupt: perhaps the host has answered. */
void side_disk_interrupt(void);
/* Is there one that the host answers for? */
bool side_disk_served(void);
/* Take it back. Return: is that over? To be asked until it is. */
bool side_disk_end(void);
/* Its operations for DMA. */
void side_dma_init(void);
/* The host is gone, and answers nothing any more. */
void side_disk_alone(void);

#endif
