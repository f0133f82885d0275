/* SPDX-License-Identifier: MIT */
/* A kernel without a description of its types: proofs, and a small table of what needs none. */
#include <errno.h>
#include <stdlib.h>

#include "cleanup.h"
#include "kinfer_files.h"
#include "side_target.h"

/*
 * The releases whose types were compared with this table (by the BTF of Debian's 5.10, 6.1, 6.12 and 7.3): nothing between them
 * differs. In include/linux: irq_work.h and smp_types.h, workqueue.h, completion.h and swait.h, wait.h, path.h, poll.h, ioport.h.
 */
#define RELEASE_LEAST 5010 /* major times 1000, and minor */
#define RELEASE_MOST  7003

static const struct side_fields same = {
	.irq_work_size = 32,
	.irq_work_flags = 8,
	.irq_work_func = 16,
	.work_size = 32,
	.work_entry = 8,
	.work_func = 24,
	.completion_size = 32,
	.completion_done = 0,
	.completion_wait = 8,
	.wait_head_size = 24,
	.wait_entry_size = 40,
	.mnt_root = 0,
	.path_size = 16,
	.path_mnt = 0,
	.path_dentry = 8,
	.poll_qproc = 0,
};
static const struct side_resource_fields resource = {
	.start = 0,
	.end = 8,
	.child = 56,
	.sibling = 48,
};
#define RESOURCE_PARENT 40

/* Functions of kernels whose locks are larger: with lockdep, or that look for errors in their use (CONFIG_DEBUG_SPINLOCK). */
static const char *const larger[] = { "lockdep_init_map_type", "do_raw_spin_lock" };

static int cannot(const struct vm *v, const char *why, struct err *e)
{
	return err_set(e, ENOTSUP, "%s, and %s; nothing was changed", v->no_types.msg, why);
}

static int check_release(const struct vm *v, struct err *e)
{
	struct ksym_want want[ARRAY_SIZE(larger)];
	char *end;
	unsigned long major = strtoul(v->release, &end, 10),
		      minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0, is;

	is = *end == '.' && major < 100 && minor < 1000 ? major * 1000 + minor : 0;
	if (is < RELEASE_LEAST || is > RELEASE_MOST)
		return cannot(
			v, "of its release it is not known how locks and work items are laid out",
			e);
	for (size_t i = 0; i < ARRAY_SIZE(larger); i++)
		want[i] = (struct ksym_want){ .name = larger[i] };
	return ksyms_lookup(&v->symbols, want, ARRAY_SIZE(larger))
		       ? cannot(v, "its locks are those of a kernel that is debugged", e)
		       : 0;
}

/* Each of the resources below the first leads back to it. */
static int check_resources(const struct vm *v, gva_t root, struct err *e)
{
	uint64_t at = 0, parent = 0;
	size_t n = 0;

	if (gview_read(&v->view, (gva_t){ root.v + resource.child }, &at, sizeof(at)) < 0)
		at = 0;
	for (; at && n < SIDE_TAKEN_MAX; n++)
		if (gview_read(&v->view, (gva_t){ at + RESOURCE_PARENT }, &parent, sizeof(parent)) <
			    0 ||
		    parent != root.v ||
		    gview_read(&v->view, (gva_t){ at + resource.sibling }, &at, sizeof(at)) < 0)
			n = SIDE_TAKEN_MAX;
	return n && n < SIDE_TAKEN_MAX
		       ? 0
		       : cannot(v, "its list of resources is not what it is in any other", e);
}

int side_target_infer(const struct vm *v, gva_t resources, struct side_fields *ret,
		      struct side_resource_fields *ret_resource, struct err *e)
{
	_cleanup_free_ struct kinfer *k = calloc(1, sizeof(*k));
	struct kfields fields = { 0 };
	struct kinfer_files files = { 0 };
	struct err why = { 0 };
	int r = check_release(v, e);

	if (!k)
		return err_set(e, ENOMEM, "no memory for what is inferred of the guest's kernel");
	if (!r)
		r = check_resources(v, resources, e);
	if (r < 0)
		return r;
	r = -ENOENT;
	for (int i = 0; r < 0 && i < KINFER_TRIES; i++) {
		r = kinfer_tasks(k, &v->view, v->guest.init_task, &fields, &why);
		if (!r)
			r = kinfer_files(k, &v->symbols, &files, &why);
	}
	if (r < 0)
		return cannot(v, why.msg, e);
	*ret = same;
	ret->task_fs = files.fs;
	ret->fops_size = SIDE_ROOM_FOPS; /* what is behind those that are known is 0 */
	ret->fops_read = files.read;
	ret->fops_write = files.write;
	ret->fops_poll = files.poll;
	ret->fops_release = files.release;
	ret->file_flags = files.flags;
	ret->file_fops = files.op;
	*ret_resource = resource;
	return side_target_fits(ret) ? 0 : cannot(v, "its structures have no room", e);
}
