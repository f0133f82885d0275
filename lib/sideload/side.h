/* SPDX-License-Identifier: MIT */
/*
 * side.h - a program of ours in a running guest, and messages between it and us.
 *
 * Theory of operation
 *
 * side_open() puts a library beside the guest's kernel (side_inject.h), which starts the program there: a process of the
 * guest with all rights, in its first namespaces, whose working directory is a tmpfs of its own that holds the
 * program, and which has one descriptor: SIDE_FD. There read(2) gives one message of ours, write(2) sends us one, and
 * poll(2) works; read(2) gives 0 once we are gone. A program that starts others has to close it for them (FD_CLOEXEC).
 *
 * All that touches the hypervisor is done by a process of its own, the guard: it gives the guest a sign of life, and
 * undoes everything when it is told to, when the program ends, and when it loses us, by kill -9 too. side_fd() becomes readable by the guest's
 * doorbell itself (side_ear.h); a guest that has not rung yet is looked at by the guard. If the guard itself is killed the guest's side ends by itself, and side_close()
 * does the rest.
 *
 * One thread at a time; SIGCHLD is not ignored, and nobody else waits for the guard. Nothing here blocks but
 * side_open(), side_wait() and side_close().
 */
#ifndef SIDELOAD_SIDE_H
#define SIDELOAD_SIDE_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "side_found.h"
#include "side_ring.h"
#include "vm.h"

struct side_opts {
	const struct vm *vm; /* after vm_open_kernel(); borrowed until side_close() */
	const void *program; /* a static ELF; @size <= SIDE_PROGRAM_MAX */
	size_t size;
	const char *const
		*argv; /* with a NULL at the end; the first is the program's name, without '/' */
	unsigned int timeout_ms; /* for the guest to start it; 0: 5 s */
	bool disk;               /* there is to be room for side_disk_start() */
};

/* Who answers for a disk. One thread, which is not the caller's. */
struct side_server {
	/* Answer what is asked. Return: > 0 something was; 0; < 0 it can't go on. */
	int (*turn)(void *arg);
	void *arg;
	bool far; /* it knows of the guest's own memory (struct side_disk_memory) */
};

/* Memory that the guest's disk is in, and how far its queue came (side_disk_abi.h). */
struct side_disk_memory {
	uint8_t *p;
	uint64_t address, size; /* of the device */
	uint32_t piece_max;     /* bytes of a buffer */
	/* memory of the guest that is read into by side_disk_put(), and by nothing else */
	const struct gmem_region *far;
	size_t nfar;
	uint32_t *position, *next;
};

/* What it took: how long threads of the hypervisor stood, and where it all was. */
struct side_report {
	uint64_t map_ns;   /* one of them, for memory; the machine ran */
	uint64_t start_ns; /* all, to start */
	uint64_t undo_ns;  /* all, to undo */
	bool saved;        /* it was ended, for the machine was about to be migrated or saved */
	bool door, irq;    /* doorbells that have rung: of the guest's, and at it */
	int slot;
	gpa_t gpa;
	gva_t gva;
};

struct side;

/* Return: 0; -ENOTSUP this guest can't; -EBUSY it is paused, migrated or saved; -ETIMEDOUT; the error that the program's execve(2) got. */
int side_open(const struct side_opts *o, struct side **ret, struct err *e) _must_check_;

/* Readable when there may be a message, or room, or the end; a side_recv() or side_wait() that finds no message makes it unreadable again. */
int side_fd(const struct side *s);
/* Readable once more: for whoever else may wait for what a call has not found. */
void side_look_again(const struct side *s);

/*
 * side_recv() - One message.
 *
 * Return: its length; 0 the program has ended, and all of its messages were read; -EAGAIN there is none yet;
 *	   -EMSGSIZE @room is too small, the message stays; -EPROTO the guest wrote nonsense, for good.
 */
ssize_t side_recv(struct side *s, void *buf, size_t room) _must_check_;

/*
 * side_send() - One message of 1 to SIDE_MESSAGE_MAX bytes, in @n parts.
 *
 * Return: 0; 1 it is to be told to the guest (side_ring_guest()), which may wait for it; -EAGAIN no room yet; -EMSGSIZE; -EPIPE it has ended; -EPROTO.
 */
int side_send(struct side *s, const struct iovec *iov, int n) _must_check_;
/* The guest's processor goes on at once, perhaps on this one: so it is done without a lock that others want. By any thread. */
void side_ring_guest(const struct side *s);

/* Room for the largest message; or side_send() says why there is none. */
bool side_has_room(const struct side *s);

/* Until there is a message or an end, @timeout_ms at most. Return: 1; 0. */
int side_wait(struct side *s, int timeout_ms);

/* So far; what it takes to undo it is not known yet. */
struct side_report side_so_far(const struct side *s);

/*
 * side_disk_memory() - Where a disk is to be.
 *
 * Return: 0; -ENOTSUP this guest can't have one, and @e says why, or there was no @disk in the options.
 */
int side_disk_memory(struct side *s, struct side_disk_memory *ret, struct err *e) _must_check_;

/* From a turn of the server: copy from @from into @n buffers of @far. @side is the struct side. Return: 0; -errno. */
int side_disk_put(void *side, const void *from, const struct iovec *to, unsigned int n)
	_must_check_;

/*
 * side_disk_start() - Have the guest's drivers take the disk whose registers are in its memory by now; once.
 *
 * @server's turns begin, and go on until side_close() is over, which waits for the guest to let go of the disk. Return: 0; -errno.
 */
int side_disk_start(struct side *s, const struct side_server *server, struct err *e) _must_check_;

/* Return: 1 the guest has the disk; 0 not yet; -ENODEV it has no drivers; -errno. */
int side_disk_ready(const struct side *s, struct err *e) _must_check_;

/*
 * side_close() - End the program, undo everything.
 *
 * *@ret (may be NULL) is what it all took. Return: 0; -EBUSY the guest does not let go (it is paused, or the program is
 * not to be ended), and the guard stays until it does; -errno. @s is gone in any case.
 */
int side_close(struct side *s, struct side_report *ret, struct err *e);

struct side_left {
	size_t undone;
	uint64_t undo_ns; /* for so long the machine stood, in all */
	size_t used;      /* by somebody who is alive */
	size_t unknown;   /* left by another version, in a layout that this one does not know */
	size_t failed;    /* could not be undone */
	struct err why[SIDE_FOUND_MAX]; /* of each of these */
};

/*
 * side_detach() - Undo what somebody left who was killed together with the guard, of whatever build of SIDE_LAYOUT.
 *
 * side_found.h tells beforehand whether there is anything. Takes CAP_SYS_ADMIN. What can't be undone does not keep the rest from
 * being undone. Return: 0 and how many there were; -errno it could not be looked, or the hypervisor has ended.
 */
int side_detach(const struct vm *vm, struct side_left *ret, struct err *e) _must_check_;

#endif
