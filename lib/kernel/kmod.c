/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "kguest.h"

#define MODULE_BYTES_MAX 8192
#define MEM_MAX          16 /* kinds of memory that a module has */

static uint64_t memory(const struct kguest *g, const uint8_t *buf, size_t size)
{
	const struct kfield *mem = &g->fields->f[MODULE_MEM], *one = &g->fields->f[MODMEM_SIZE];
	uint64_t sum = 0;
	size_t n;

	if (!mem->there || !one->there || !one->size)
		return kguest_number(g, MODULE_CORE_SIZE, buf, size) +
		       kguest_number(g, MODULE_INIT_SIZE, buf, size);
	n = mem->size / one->size;
	for (size_t i = 0; i < n && i < MEM_MAX; i++) {
		size_t off = mem->off + i * one->size;

		if (off < size)
			sum += kguest_number(g, MODMEM_BYTES, buf + off, size - off);
	}
	return sum;
}

static void read_name(const struct kguest *g, gva_t module, char ret[KMOD_NAME + 1])
{
	uint8_t raw[KMOD_NAME] = { 0 };

	if (gview_read(g->view, (gva_t){ module.v + g->fields->f[MODULE_NAME].off }, raw,
		       sizeof(raw)) < 0)
		raw[0] = '?';
	kguest_text(raw, sizeof(raw), ret);
}

/* Names of those that use the module at @module: a list of struct module_use, by their source_list. Cut where it breaks off. */
static void read_users(const struct kguest *g, gva_t module, struct kmod_iter *i, struct kmod *ret)
{
	uint64_t head = module.v + g->fields->f[MODULE_USERS].off, at = head, source;
	struct klist list = { 0 };
	size_t len = 0;

	if (!kguest_has(g, MODULE_USERS) || !kguest_has(g, USE_SOURCE) ||
	    !kguest_has(g, USE_SOURCE_LIST))
		return;
	while (i->users < KMOD_USERS_ALL) {
		char name[KMOD_NAME + 1];
		gva_t use;
		size_t k;

		if (gview_read(g->view, (gva_t){ at }, &at, sizeof(at)) < 0 || at == head ||
		    !klist_next(&list, at, KMOD_USERS_MAX))
			return;
		i->users++;
		use.v = at - g->fields->f[USE_SOURCE_LIST].off;
		if (kguest_field(g, use, USE_SOURCE, &source) < 0)
			return;
		read_name(g, (gva_t){ source }, name);
		k = strlen(name);
		if (k + 2 > sizeof(ret->users) - len)
			return;
		if (len)
			ret->users[len++] = ',';
		memcpy(ret->users + len, name, k + 1);
		len += k;
	}
}

int kmod_next(const struct kguest *g, struct kmod_iter *i, struct kmod *ret)
{
	uint8_t buf[MODULE_BYTES_MAX];
	uint64_t next = 0;
	size_t size;
	gva_t at;

	if (!g->modules.v || !kguest_has(g, MODULE_LIST) || !kguest_has(g, MODULE_NAME))
		return -ENOENT;
	if (!i->next && gview_read(g->view, g->modules, &i->next, sizeof(i->next)) < 0)
		return -EPROTO;
	if (i->next == g->modules.v)
		return 0;
	at.v = i->next - g->fields->f[MODULE_LIST].off;
	if (!klist_next(&i->list, i->next, KMODS_MAX))
		return -EPROTO;
	/* the size of the whole is not asked for: its end is of no use here */
	size = gview_read_some(g->view, at, buf, sizeof(buf));
	next = kguest_number(g, MODULE_LIST, buf, size);
	if (!next || next == i->next)
		return -EPROTO;
	i->next = next;
	*ret = (struct kmod){ .size = memory(g, buf, size),
			      .state = (uint32_t)kguest_number(g, MODULE_STATE, buf, size),
			      .refs = (int32_t)kguest_number(g, MODULE_REFCNT, buf, size) - 1 };
	read_name(g, at, ret->name);
	read_users(g, at, i, ret);
	return 1;
}
