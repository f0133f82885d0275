/* SPDX-License-Identifier: MIT */
/*
 * What is left is found by its name among the hypervisor's mappings (side_found.h), and by what the header says that whoever
 * made it wrote into it, of whatever build that was. The memory is the guest's to change: nothing in it is
 * believed that could do harm outside of the guest.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "side_found.h"
#include "side_guard.h"
#include "tracee.h"

#define BEAT_US   900000 /* a guard has more than one in it */
#define DETACH_MS 10000
#define SILENT_MS 2000 /* of a guest that may have panicked, or started anew */
#define TICK_US   1000

struct left {
	struct side_inject inject;
	struct side_made made;
	struct side_shared shared;
	uint8_t *memory;
	uint64_t stood_ns;         /* the machine, for all of them */
	struct side_header header; /* a copy */
};

static uint32_t *word(const struct left *l, uint32_t at)
{
	return (uint32_t *)(void *)(l->memory + at);
}

static uint32_t load(const struct left *l, uint32_t at)
{
	return __atomic_load_n(word(l, at), __ATOMIC_ACQUIRE);
}

/* Return: is there a header whose places are within its page of state? */
static bool take_header(struct left *l)
{
	struct side_header *h = &l->header;
	const uint32_t *const places[] = { &h->beat_at,       &h->stop_at, &h->stage_at,
					   &h->guest_beat_at, &h->done_at, &h->lock_at };

	memcpy(h, l->memory + SIDE_HEADER_AT, sizeof(*h));
	if (h->magic != SIDE_MAGIC)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (*places[i] < SIDE_STATE_AT || *places[i] > SIDE_STATE_AT + SIDE_PAGE - 4 ||
		    *places[i] % 4)
			return false;
	return true;
}

/* Does the guest execute nothing of it any more? */
static bool is_over(const struct left *l)
{
	const struct side_header *h = &l->header;

	return load(l, h->stage_at) == h->ended && load(l, h->done_at) && !load(l, h->lock_at);
}

/* Its side ends by itself, and at once if it is told to. Return: 0; -EBUSY. */
static int await_over(const struct left *l, struct err *e)
{
	const struct side_header *h = &l->header;
	uint64_t now = tracee_now_ns(), deadline = now + DETACH_MS * 1000000ULL, heard = now;
	uint32_t beat = load(l, h->guest_beat_at);

	__atomic_store_n(word(l, h->stop_at), 1, __ATOMIC_RELEASE);
	for (; !is_over(l); now = tracee_now_ns()) {
		if (load(l, h->guest_beat_at) != beat) {
			beat = load(l, h->guest_beat_at);
			heard = now;
		}
		if (now - heard > SILENT_MS * 1000000ULL) {
			if (load(l, h->stage_at) != SIDE_NOTHING && side_inject_lost(&l->inject))
				return 0;
			heard = now;
		}
		if (now > deadline)
			return err_set(
				e, EBUSY,
				"the guest %s what was put into it, as a machine that is paused does; try again when it runs",
				load(l, h->stage_at) == SIDE_NOTHING ? "has not begun with"
								     : "does not let go of");
		(void)usleep(TICK_US);
	}
	return 0;
}

static int undo(struct left *l, int64_t door, bool has_header, struct err *e)
{
	uint64_t find_ns = 0;
	int r;

	l->made.gpa.v = l->header.gpa;
	l->made.at.v = l->header.gva;
	l->shared.report.undo_ns = 0;
	r = side_inject_find(&l->inject, door, &find_ns, e);
	/* where no entry leads to it nothing can be executed */
	if (!r && has_header && l->header.queued && l->made.nentry)
		r = await_over(l, e);
	if (!r)
		r = side_guard_undo(&l->inject, &l->shared, DETACH_MS, e);
	l->stood_ns += find_ns + l->shared.report.undo_ns;
	return r;
}

/* Does @o have an owner or a guard by now? -ENOENT: it is gone. */
static int is_held(const struct left *l, const struct side_one *o)
{
	struct side_found now;
	int r = side_found_read(&l->inject.vm->ref, o->vmfd, &now);

	for (size_t i = 0; !r && i < now.n; i++)
		if (now.v[i].start == o->start)
			return side_found_who(&now.v[i]) != 0;
	return r < 0 ? r : -ENOENT;
}

/*
 * One that lives has a beat, also where its locks can't be seen, from another pid namespace; one that just begins has
 * no header yet. Return: 1 it is undone; 0 it is used; -ENOENT it is gone; -errno.
 */
static int undo_unused(struct left *l, const struct side_one *o, struct err *e)
{
	bool has_header = take_header(l);
	uint32_t beat = has_header ? load(l, l->header.beat_at) : 0;
	int r;

	(void)usleep(BEAT_US);
	if (take_header(l) != has_header || (has_header && load(l, l->header.beat_at) != beat))
		return 0;
	r = is_held(l, o);
	if (r)
		return r < 0 ? r : 0;
	r = undo(l, o->door, has_header, e);
	return r < 0 ? r : 1;
}

static int undo_mapping(struct left *l, const struct side_one *o, struct err *e)
{
	const uint64_t size = o->end - o->start;
	const pid_t pid = l->inject.vm->info.pid;
	_cleanup_close_ int fd = -1;
	struct stat st;
	char path[64];
	int r;

	if (size < SIDE_PROGRAM_AT || size % SIDE_PAGE)
		return err_set(e, EPROTO, "memory of process %d that is called vmsh's is not", pid);
	(void)snprintf(path, sizeof(path), "map_files/%" PRIx64 "-%" PRIx64, o->start, o->end);
	fd = openat(l->inject.vm->ref.procfd, path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return err_set(
			e, errno,
			"memory of process %d can't be opened, which takes CAP_SYS_ADMIN: %s", pid,
			err_str(errno));
	/* beyond its end there is no memory, but SIGBUS */
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < 0 ||
	    (uint64_t)st.st_size < size)
		return err_set(e, EPROTO, "memory of process %d that is called vmsh's is not", pid);
	l->memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (l->memory == MAP_FAILED)
		return err_set(e, errno, "mapping memory of process %d: %s", pid, err_str(errno));
	l->made = (struct side_made){ .hva = { o->start }, .size = size };
	r = undo_unused(l, o, e);
	(void)munmap(l->memory, size);
	return r;
}

/* What the child is told, and what it says. */
struct task {
	const struct vm *vm;
	struct side_left left;
};

/* One whose layout is known. Return: 0; -errno nothing more can be undone. */
static int detach_one(struct task *task, struct left *l, const struct side_one *o, struct err *e)
{
	struct side_left *left = &task->left;
	struct err *why = &left->why[left->failed];
	int r = side_found_who(o) ? 0 : undo_mapping(l, o, why);

	if (r < 0 && !pid_alive(&task->vm->ref)) {
		*e = *why;
		return r;
	}
	left->undone += r > 0;
	left->used += r == 0;
	left->undo_ns = l->stood_ns;
	/* one that has gone meanwhile is somebody else's doing, and no failure */
	if (r < 0 && r != -ENOENT) {
		(void)err_wrap(why, r, "what was left at %#" PRIx64 " in process %d is still there",
			       o->start, task->vm->info.pid);
		left->failed++;
	}
	return 0;
}

static int detach(void *arg, struct err *e)
{
	struct task *task = arg;
	const struct vm *vm = task->vm;
	struct side_target target;
	struct side_found found;
	struct left l = { .inject = { vm, &target, &l.made, NULL, SIDE_BELLS_NONE } };
	int r = side_found_read(&vm->ref, vm->info.vmfd, &found);

	side_target_find_undo(vm, &target);
	if (r < 0)
		return err_set(e, -r, "the mappings of process %d can't be read: %s", vm->info.pid,
			       err_str(r));
	for (size_t i = 0; i < found.n; i++) {
		const struct side_one *o = &found.v[i];

		if (o->layout != SIDE_LAYOUT && o->layout != SIDE_LAYOUT_OLD &&
		    !side_found_who(o)) {
			task->left.unknown++;
			continue;
		}
		r = detach_one(task, &l, o, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int side_detach(const struct vm *vm, struct side_left *ret, struct err *e)
{
	struct task *task = mmap(NULL, sizeof(*task), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int r;

	*ret = (struct side_left){ 0 };
	if (task == MAP_FAILED)
		return err_set(e, ENOMEM, "no memory");
	task->vm = vm;
	/* apart, for we may be killed; locks that the caller has on such memory stay, too (side_found.h) */
	r = tracee_apart(detach, task, e);
	*ret = task->left;
	(void)munmap(task, sizeof(*task));
	return r;
}
