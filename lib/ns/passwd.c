/* SPDX-License-Identifier: MIT */
#include "passwd.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

/* Id -1 means "leave it as it is" to setresuid(2): nobody's. */
static int parse_id(struct span s, uint32_t *ret)
{
	uint64_t v;

	if (span_u64(s, 10, &v) < 0 || v >= UINT32_MAX)
		return -EINVAL;
	*ret = (uint32_t)v;
	return 0;
}

/* Take @line apart at its colons into exactly @n fields. */
static int split(struct span line, struct span *fields, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *colon = memchr(line.p, ':', line.len);

		if (!colon != (i == n - 1))
			return -EINVAL;
		if (!colon) {
			fields[i] = line;
			return 0;
		}
		fields[i] = (struct span){ line.p, (size_t)(colon - line.p) };
		line = (struct span){ colon + 1, line.len - fields[i].len - 1 };
	}
	return -EINVAL;
}

static int copy(struct span s, char *buf, size_t size)
{
	if (s.len >= size || memchr(s.p, '\0', s.len))
		return -EINVAL;
	memcpy(buf, s.p, s.len);
	buf[s.len] = '\0';
	return 0;
}

static int parse_user(struct span line, struct ns_user *ret)
{
	struct span f[7]; /* name:password:uid:gid:gecos:home:shell, passwd(5) */

	if (split(line, f, ARRAY_SIZE(f)) < 0 || !f[0].len)
		return -EINVAL;
	if (parse_id(f[2], &ret->uid) < 0 || parse_id(f[3], &ret->gid) < 0)
		return -EINVAL;
	if (copy(f[0], ret->name, sizeof(ret->name)) < 0 ||
	    copy(f[5], ret->home, sizeof(ret->home)) < 0 ||
	    copy(f[6], ret->shell, sizeof(ret->shell)) < 0)
		return -EINVAL;
	ret->known = true;
	ret->ngroups = 0;
	return 0;
}

static void clear_user(struct ns_user *u)
{
	u->known = false;
	u->name[0] = u->home[0] = u->shell[0] = '\0';
	u->ngroups = 0;
}

/* The first line that has @name, or else @uid. */
static int find_user(struct span passwd, const char *name, uid_t uid, struct ns_user *ret)
{
	struct cursor c = cur_of(passwd.p, passwd.len);
	struct span line;

	while (cur_until(&c, '\n', &line)) {
		if (parse_user(line, ret) < 0)
			continue;
		if (name ? !strcmp(ret->name, name) : ret->uid == uid)
			return 0;
	}
	clear_user(ret);
	return -ENOENT;
}

int ns_passwd_by_name(struct span passwd, const char *name, struct ns_user *ret)
{
	return find_user(passwd, name, 0, ret);
}

int ns_passwd_by_uid(struct span passwd, uid_t uid, struct ns_user *ret)
{
	return find_user(passwd, NULL, uid, ret);
}

static int parse_group(struct span line, struct span *ret_name, gid_t *ret_gid,
		       struct span *ret_members)
{
	struct span f[4]; /* name:password:gid:member,member, group(5) */

	if (split(line, f, ARRAY_SIZE(f)) < 0 || !f[0].len || parse_id(f[2], ret_gid) < 0)
		return -EINVAL;
	*ret_name = f[0];
	*ret_members = f[3];
	return 0;
}

int ns_group_by_name(struct span group, const char *name, gid_t *ret)
{
	struct cursor c = cur_of(group.p, group.len);
	struct span line, found, members;
	gid_t gid;

	while (cur_until(&c, '\n', &line)) {
		if (parse_group(line, &found, &gid, &members) < 0 || !span_eq(found, name))
			continue;
		*ret = gid;
		return 0;
	}
	return -ENOENT;
}

static bool has_member(struct span members, const char *name)
{
	struct cursor c = cur_of(members.p, members.len);
	struct span member;

	while (cur_until(&c, ',', &member))
		if (span_eq(span_trim(member), name))
			return true;
	return false;
}

size_t ns_group_list(struct span group, const char *name, gid_t *ret, size_t max)
{
	struct cursor c = cur_of(group.p, group.len);
	struct span line, found, members;
	size_t n = 0;
	gid_t gid;

	while (n < max && cur_until(&c, '\n', &line))
		if (parse_group(line, &found, &gid, &members) == 0 && has_member(members, name))
			ret[n++] = gid;
	return n;
}

static bool is_number(const char *s)
{
	return *s && s[strspn(s, "0123456789")] == '\0';
}

static int resolve_user(const char *name, const char *whose, struct span passwd,
			struct ns_user *ret, struct err *e)
{
	uint32_t uid;

	if (!is_number(name)) {
		if (ns_passwd_by_name(passwd, name, ret) < 0)
			return err_set(e, ENOENT,
				       "the %s /etc/passwd has no user '%s'; "
				       "a number needs no line there",
				       whose, name);
		return 0;
	}
	if (parse_id((struct span){ name, strlen(name) }, &uid) < 0)
		return -EINVAL;
	if (ns_passwd_by_uid(passwd, uid, ret) < 0) {
		ret->uid = uid;
		ret->gid = 0;
	}
	return 0;
}

static int resolve_group(const char *name, const char *whose, struct span group, gid_t *ret,
			 struct err *e)
{
	if (is_number(name))
		return parse_id((struct span){ name, strlen(name) }, ret);
	return ns_group_by_name(group, name, ret) < 0
		       ? err_set(e, ENOENT,
				 "the %s /etc/group has no group '%s'; "
				 "a number needs no line there",
				 whose, name)
		       : 0;
}

/* Return: the group, "" without one; NULL and @e. */
static const char *take_apart(const char *spec, char name[NS_NAME_MAX], struct err *e)
{
	const char *colon = strchrnul(spec, ':');
	size_t len = (size_t)(colon - spec);
	uint32_t id;

	if (!len || len >= NS_NAME_MAX || (*colon && !colon[1])) {
		(void)err_set(e, EINVAL, "'%.100s' is not USER or USER:GROUP", spec);
		return NULL;
	}
	memcpy(name, spec, len);
	name[len] = '\0';
	if (is_number(name) && parse_id((struct span){ name, len }, &id) < 0) {
		(void)err_set(e, EINVAL, "'%.100s' is no user id", name);
		return NULL;
	}
	colon += *colon == ':';
	if (is_number(colon) && parse_id((struct span){ colon, strlen(colon) }, &id) < 0) {
		(void)err_set(e, EINVAL, "'%.100s' is no group id", colon);
		return NULL;
	}
	return colon;
}

int ns_user_check(const char *spec, struct err *e)
{
	char name[NS_NAME_MAX];

	return take_apart(spec, name, e) ? 0 : -EINVAL;
}

int ns_user_resolve(const char *spec, const char *whose, struct span passwd, struct span group,
		    struct ns_user *ret, struct err *e)
{
	char name[NS_NAME_MAX];
	const char *group_name = take_apart(spec, name, e);
	int r;

	clear_user(ret);
	if (!group_name)
		return -EINVAL;
	r = resolve_user(name, whose, passwd, ret, e);
	if (r < 0)
		return r;
	if (*group_name)
		return resolve_group(group_name, whose, group, &ret->gid, e);
	if (ret->known)
		ret->ngroups = ns_group_list(group, ret->name, ret->groups, NS_USER_GROUPS_MAX);
	return 0;
}
