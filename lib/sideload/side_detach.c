/* SPDX-License-Identifier: MIT */
/*
 * What is left is found by its name among the hypervisor's mappings, and known by the library's code in it. Its memory
 * is the guest's to change: nothing in it is believed that could do harm outside of the guest.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cleanup.h"
#include "io.h"
#include "side_guard.h"
#include "side_image.h"

#define MAPS_MAX  (64U << 20)
#define BEAT_US   500000 /* a guard has more than one in it */
#define DETACH_MS 10000

struct left {
	struct side_inject inject;
	struct side_made made;
	struct side_shared shared;
};

/* Undo the one whose memory is at @p here. Return: 1; 0 it is used; -errno. */
static int undo(struct left *l, uint8_t *p, struct err *e)
{
	struct side_state *s = (struct side_state *)(void *)(p + SIDE_STATE_AT);
	uint32_t beat = __atomic_load_n(&s->beat, __ATOMIC_ACQUIRE);
	int r;

	(void)usleep(BEAT_US);
	if (__atomic_load_n(&s->beat, __ATOMIC_ACQUIRE) != beat)
		return 0;
	l->inject.state = s;
	r = side_inject_find(&l->inject, e);
	if (!r && !l->made.queued && l->made.nentry)
		return err_set(e, EBUSY,
			       "the guest has not begun with what was put into it; try again");
	if (!r)
		r = side_guard_undo(&l->inject, &l->shared, DETACH_MS, e);
	if (r == -EAGAIN)
		return err_set(e, EBUSY,
			       "the guest does not let go of what was put into it; try again");
	return r < 0 ? r : 1;
}

/* The mapping from @start to @end of the hypervisor, as undo(). */
static int undo_mapping(struct left *l, uint64_t start, uint64_t end, struct err *e)
{
	_cleanup_close_ int fd = -1;
	char path[64];
	uint8_t *p;
	int r;

	if (end - start < SIDE_PROGRAM_AT || (end - start) % SIDE_PAGE)
		return 0;
	(void)snprintf(path, sizeof(path), "map_files/%" PRIx64 "-%" PRIx64, start, end);
	fd = openat(l->inject.vm->ref.procfd, path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return err_set(
			e, errno,
			"memory of process %d can't be opened, which takes CAP_SYS_ADMIN: %s",
			l->inject.vm->info.pid, err_str(errno));
	p = mmap(NULL, end - start, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return err_set(e, errno, "mapping memory of process %d: %s", l->inject.vm->info.pid,
			       err_str(errno));
	l->made = (struct side_made){ .hva = { start }, .size = end - start };
	r = memcmp(p, side_image, sizeof(side_image)) != 0 ? 0 : undo(l, p, e);
	(void)munmap(p, end - start);
	return r;
}

int side_detach(const struct vm *vm, struct side_left *ret, struct err *e)
{
	_cleanup_free_ char *maps = NULL;
	struct side_target target;
	struct left l = { .inject = { vm, &target, &l.made, NULL } };
	char *line, *rest;
	int r = side_target_find(vm, &target, e);

	*ret = (struct side_left){ 0 };
	if (!r && io_read_at(vm->ref.procfd, "maps", MAPS_MAX, &maps, NULL) < 0)
		r = err_set(e, EACCES, "the mappings of process %d can't be read", vm->info.pid);
	for (rest = maps; r >= 0 && (line = strsep(&rest, "\n"));) {
		uint64_t start, end;

		if (!strstr(line, "/memfd:" SIDE_MEMFD " ") ||
		    sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) != 2)
			continue;
		r = undo_mapping(&l, start, end, e);
		ret->undone += r > 0;
		ret->used += r == 0;
	}
	return r < 0 ? r : 0;
}
