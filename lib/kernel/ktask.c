/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "kguest.h"

#define TASK_BYTES_MAX 16384
#define PF_KTHREAD     0x00200000
#define EXIT_DEAD      16
#define EXIT_ZOMBIE    32

bool kguest_has(const struct kguest *g, enum kfield_id id)
{
	return g->fields->f[id].there;
}

uint64_t kguest_number(const struct kguest *g, enum kfield_id id, const uint8_t *buf, size_t size)
{
	const struct kfield *f = &g->fields->f[id];
	size_t n = f->size < 8 ? f->size : 8;
	uint64_t v = 0;

	if (!f->there || f->off > size || n > size - f->off)
		return 0;
	memcpy(&v, buf + f->off, n);
	if (f->bits && f->bits < 64)
		v = v >> f->bit & ((1ULL << f->bits) - 1);
	return v;
}

int kguest_field(const struct kguest *g, gva_t at, enum kfield_id id, uint64_t *ret)
{
	const struct kfield *f = &g->fields->f[id];
	uint64_t v = 0;
	int r;

	if (!f->there)
		return -ENOENT;
	r = gview_read(g->view, (gva_t){ at.v + f->off }, &v, f->size < 8 ? f->size : 8);
	if (!r)
		*ret = v;
	return r;
}

bool klist_next(struct klist *l, uint64_t at, uint32_t max)
{
	if (!at || (l->n && at == l->mark) || l->n >= max)
		return false;
	if (!(l->n & (l->n - 1)))
		l->mark = at;
	l->n++;
	return true;
}

int kguest_walk(int (*walk)(void *arg), void *arg)
{
	int r = -EPROTO;

	for (int n = 0; r == -EPROTO && n < KGUEST_WALKS; n++)
		r = walk(arg);
	return r;
}

void kguest_text(const uint8_t *p, size_t max, char *ret)
{
	size_t n = 0;

	for (; n < max && p[n]; n++)
		ret[n] = p[n] < ' ' || p[n] == 0x7f ? '?' : (char)p[n];
	ret[n] = '\0';
}

static char state_letter(uint64_t state, uint64_t exit_state)
{
	static const char letters[] = "SDTtXZPI"; /* of bits 0 to 7; fs/proc/array.c */

	if (exit_state & EXIT_ZOMBIE)
		return 'Z';
	if (exit_state & EXIT_DEAD)
		return 'X';
	if ((state & 0x402) == 0x402) /* TASK_IDLE */
		return 'I';
	for (unsigned int i = 0; i < 7; i++)
		if (state >> i & 1)
			return letters[i];
	return 'R';
}

/* The command line, by the page tables of the process. */
static void read_cmdline(const struct kguest *g, gva_t mm, struct ktask *ret)
{
	uint64_t pgd = 0, start = 0, end = 0;
	struct gview user = *g->view;
	uint8_t raw[KTASK_CMDLINE];
	size_t n;

	if (kguest_field(g, mm, MM_PGD, &pgd) < 0 ||
	    kguest_field(g, mm, MM_ARG_START, &start) < 0 ||
	    kguest_field(g, mm, MM_ARG_END, &end) < 0 || end <= start ||
	    pt_translate(&g->view->pt, (gva_t){ pgd }, &user.pt.root) < 0)
		return;
	n = end - start < sizeof(raw) ? (size_t)(end - start) : sizeof(raw);
	n = gview_read_some(&user, (gva_t){ start }, raw, n);
	while (n && !raw[n - 1])
		n--;
	for (size_t i = 0; i < n; i++)
		if (!raw[i])
			raw[i] = ' ';
	if (n == sizeof(raw))
		n--;
	kguest_text(raw, n, ret->cmdline);
}

static void fill(const struct kguest *g, const uint8_t *buf, size_t size, struct ktask *ret)
{
	uint64_t v = 0;

	*ret = (struct ktask){ .pid = (int32_t)kguest_number(g, TASK_TGID, buf, size) };
	ret->state = state_letter(kguest_number(g, TASK_STATE, buf, size),
				  kguest_number(g, TASK_EXIT_STATE, buf, size));
	ret->kernel = kguest_number(g, TASK_FLAGS, buf, size) & PF_KTHREAD;
	ret->start_ns = kguest_number(g, TASK_START, buf, size);
	if (g->fields->f[TASK_COMM].off <= size - KTASK_COMM)
		kguest_text(buf + g->fields->f[TASK_COMM].off, KTASK_COMM, ret->comm);
	if (!kguest_field(g, (gva_t){ kguest_number(g, TASK_REAL_PARENT, buf, size) }, TASK_TGID,
			  &v))
		ret->ppid = (int32_t)v;
	if (!kguest_field(g, (gva_t){ kguest_number(g, TASK_CRED, buf, size) }, CRED_UID, &v))
		ret->uid = (uint32_t)v;
	if (!kguest_field(g, (gva_t){ kguest_number(g, TASK_SIGNAL, buf, size) }, SIGNAL_NR_THREADS,
			  &v))
		ret->threads = (uint32_t)v;
	v = kguest_number(g, TASK_MM, buf, size);
	if (v && !ret->kernel)
		read_cmdline(g, (gva_t){ v }, ret);
}

int ktask_next(const struct kguest *g, struct ktask_iter *i, struct ktask *ret)
{
	const uint32_t size = g->fields->f[TASK_SIZE].size, list = g->fields->f[TASK_TASKS].off;
	uint64_t head = g->init_task.v + list, next = 0;
	uint8_t buf[TASK_BYTES_MAX];

	if (!g->init_task.v)
		return -ENOENT;
	if (size > sizeof(buf) || size < KTASK_COMM)
		return -EPROTO;
	if (!i->next && (kguest_field(g, g->init_task, TASK_TASKS, &i->next) < 0 || !i->next))
		return -EPROTO;
	if (i->next == head)
		return 0;
	if (!klist_next(&i->list, i->next, KTASKS_MAX) ||
	    gview_read(g->view, (gva_t){ i->next - list }, buf, size) < 0)
		return -EPROTO;
	next = kguest_number(g, TASK_TASKS, buf, size);
	/* one that has left the list points at itself or is poisoned */
	if (!next || next == i->next)
		return -EPROTO;
	i->next = next;
	fill(g, buf, size, ret);
	return 1;
}
