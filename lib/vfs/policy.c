/* SPDX-License-Identifier: MIT */
#include "policy.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"

/* Marks: 0 nothing, 1 below a place that cannot be changed, else a place: its index and 2. */
#define MARK_PROTECTED 1
#define MARK_PLACES    2

struct policy_place {
	char *name;
	uint16_t child, next; /* index + 1 of a place; 0: none */
	bool hides, protects; /* the latter is its parents', too */
};

static uint16_t find_child(const struct policy *p, size_t of, const char *name, size_t len)
{
	for (uint16_t i = p->place[of].child; i; i = p->place[i - 1].next)
		if (strncmp(p->place[i - 1].name, name, len) == 0 && !p->place[i - 1].name[len])
			return i;
	return 0;
}

static int new_place(struct policy *p, const char *name, size_t len)
{
	char *copy;

	if (p->n == POLICY_PLACES_MAX)
		return -E2BIG;
	copy = strndup(name, len);
	if (!copy || array_room(&p->place, &p->room, p->n + 1, sizeof(*p->place)) < 0) {
		free(copy);
		return -ENOMEM;
	}
	p->place[p->n] = (struct policy_place){ .name = copy };
	return (int)p->n++;
}

static int child_of(struct policy *p, size_t of, const char *name, size_t len)
{
	uint16_t i = find_child(p, of, name, len);
	int fresh;

	if (i)
		return i - 1;
	fresh = new_place(p, name, len);
	if (fresh < 0)
		return fresh;
	p->place[fresh].next = p->place[of].child;
	p->place[fresh].protects = p->place[of].protects;
	p->place[of].child = (uint16_t)(fresh + 1);
	return fresh;
}

/* Children come after their parents. */
static void protect(struct policy *p, size_t at)
{
	p->place[at].protects = true;
	for (size_t i = at; i < p->n; i++)
		for (uint16_t c = p->place[i].protects ? p->place[i].child : 0; c;
		     c = p->place[c - 1].next)
			p->place[c - 1].protects = true;
}

static bool is_dots(const char *name, size_t len)
{
	return (len == 1 && name[0] == '.') || (len == 2 && name[0] == '.' && name[1] == '.');
}

/* Return: the place of @path, made if need be; 0, it is the root; -errno. */
static int place_of(struct policy *p, const char *path)
{
	int at = p->n ? 0 : new_place(p, "", 0);

	while (at >= 0 && *(path += strspn(path, "/"))) {
		size_t len = strcspn(path, "/");

		if (is_dots(path, len) || len > NAME_MAX)
			return -EINVAL;
		at = child_of(p, (size_t)at, path, len);
		path += len;
	}
	return at;
}

static int add_named(struct policy *p, enum policy_rule rule, const char *path)
{
	char *copy;

	for (size_t i = 0; i < p->count; i++)
		if (p->named[i].rule == rule && strcmp(p->named[i].path, path) == 0)
			return 0;
	copy = strdup(path);
	if (!copy || array_room(&p->named, &p->named_room, p->count + 1, sizeof(*p->named)) < 0) {
		free(copy);
		return -ENOMEM;
	}
	p->named[p->count++] = (struct policy_named){ copy, rule };
	return 0;
}

int policy_add(struct policy *p, enum policy_rule rule, const char *path, struct err *e)
{
	int at = place_of(p, path);

	if (at > 0) {
		int r = add_named(p, rule, path);

		at = r < 0 ? r : at;
	}
	if (at == -EINVAL || at == 0)
		return err_set(e, EINVAL,
			       "'%.100s' is no path below the root, without '.' and '..'", path);
	if (at < 0)
		return err_set(e, -at, "too many paths: %s", err_str(at));
	if (rule == POLICY_HIDE)
		p->place[at].hides = true;
	else
		protect(p, (size_t)at);
	return 0;
}

void policy_fini(struct policy *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->place[i].name);
	free(p->place);
	for (size_t i = 0; i < p->count; i++)
		free(p->named[i].path);
	free(p->named);
	*p = (struct policy){ 0 };
}

policy_mark policy_root(const struct policy *p)
{
	return p && p->n ? MARK_PLACES : 0;
}

policy_mark policy_step(const struct policy *p, policy_mark dir, const char *name)
{
	size_t of = (size_t)dir - MARK_PLACES;
	uint16_t child;

	if (dir < MARK_PLACES)
		return dir;
	child = find_child(p, of, name, strlen(name));
	if (child)
		return (policy_mark)(child - 1 + MARK_PLACES);
	return p->place[of].protects ? MARK_PROTECTED : 0;
}

bool policy_hides(const struct policy *p, policy_mark m)
{
	return m >= MARK_PLACES && p->place[m - MARK_PLACES].hides;
}

bool policy_protects(const struct policy *p, policy_mark m)
{
	return m == MARK_PROTECTED || (m >= MARK_PLACES && p->place[m - MARK_PLACES].protects);
}

bool policy_is_place(policy_mark m)
{
	return m >= MARK_PLACES;
}

policy_mark policy_next(const struct policy *p, policy_mark dir, policy_mark last,
			const char **ret_name)
{
	uint16_t i = 0;

	if (last >= MARK_PLACES)
		i = p->place[last - MARK_PLACES].next;
	else if (dir >= MARK_PLACES)
		i = p->place[dir - MARK_PLACES].child;
	if (!i)
		return 0;
	*ret_name = p->place[i - 1].name;
	return (policy_mark)(i - 1 + MARK_PLACES);
}

policy_mark policy_at(const struct policy *p, const char *path)
{
	policy_mark m = policy_root(p);

	while (m >= MARK_PLACES && *(path += strspn(path, "/"))) {
		size_t len = strcspn(path, "/");
		uint16_t child = find_child(p, (size_t)m - MARK_PLACES, path, len);

		if (child)
			m = (policy_mark)(child - 1 + MARK_PLACES);
		else
			m = p->place[m - MARK_PLACES].protects ? MARK_PROTECTED : 0;
		path += len;
	}
	return m;
}

/* Children come after their parents, so the way down ends. */
bool policy_hides_in(const struct policy *p, policy_mark m)
{
	const char *name;

	if (policy_hides(p, m))
		return true;
	for (policy_mark c = 0; (c = policy_next(p, m, c, &name));)
		if (policy_hides_in(p, c))
			return true;
	return false;
}

bool policy_covers(const struct policy *p, policy_mark a, policy_mark b)
{
	const char *name;

	if (policy_hides(p, a))
		return true;
	if (policy_hides(p, b) || (policy_protects(p, b) && !policy_protects(p, a)))
		return false;
	for (policy_mark c = 0; (c = policy_next(p, b, c, &name));)
		if (!policy_covers(p, policy_step(p, a, name), c))
			return false;
	return true;
}
