/* SPDX-License-Identifier: MIT */
#include "vfs_mount.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "cleanup.h"
#include "fuse_session.h"
#include "opt.h"
#include "vfs_map.h"

#define SECONDS_MAX 1000000.0

/* A word that sets bits of the mount's attributes, after those of @clear are off. */
struct word {
	const char *name;
	unsigned int set, clear;
};

static const struct word words[] = {
	{ "nosuid", MOUNT_ATTR_NOSUID, 0 },
	{ "suid", 0, MOUNT_ATTR_NOSUID },
	{ "nodev", MOUNT_ATTR_NODEV, 0 },
	{ "dev", 0, MOUNT_ATTR_NODEV },
	{ "noexec", MOUNT_ATTR_NOEXEC, 0 },
	{ "exec", 0, MOUNT_ATTR_NOEXEC },
	{ "noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME },
	{ "strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME },
	{ "relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME },
	{ "nodiratime", MOUNT_ATTR_NODIRATIME, 0 },
	{ "diratime", 0, MOUNT_ATTR_NODIRATIME },
	{ "nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0 },
	/* what mount(8) is told and passes on, or what is so in any case */
	{ "defaults", 0, 0 },
	{ "default_permissions", 0, 0 },
	{ "auto", 0, 0 },
	{ "noauto", 0, 0 },
	{ "nofail", 0, 0 },
	{ "_netdev", 0, 0 },
	{ "async", 0, 0 },
};

static const struct flag {
	const char *name;
	size_t at;
	bool value;
} flags[] = {
	{ "ro", offsetof(struct vfs_mount_conf, read_only), true },
	{ "rw", offsetof(struct vfs_mount_conf, read_only), false },
	{ "remount", offsetof(struct vfs_mount_conf, again), true },
	{ "allow_other", offsetof(struct vfs_mount_conf, allow_other), true },
	{ "noallow_other", offsetof(struct vfs_mount_conf, allow_other), false },
	{ "passthrough", offsetof(struct vfs_mount_conf, passthrough), true },
	{ "sockets", offsetof(struct vfs_mount_conf, sockets), true },
	{ "nosockets", offsetof(struct vfs_mount_conf, sockets), false },
	{ "io_uring", offsetof(struct vfs_mount_conf, io_uring), true },
	{ "noio_uring", offsetof(struct vfs_mount_conf, io_uring), false },
	{ "watch", offsetof(struct vfs_mount_conf, watch), true },
	{ "nowatch", offsetof(struct vfs_mount_conf, watch), false },
	{ "stateless", offsetof(struct vfs_mount_conf, stateless), true },
	{ "sched_idle", offsetof(struct vfs_mount_conf, ordinary), false },
	{ "nosched_idle", offsetof(struct vfs_mount_conf, ordinary), true },
	{ "nopassthrough", offsetof(struct vfs_mount_conf, passthrough), false },
};

static int set_seconds(const char *name, const char *text, uint64_t *ret, struct err *e)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || !(seconds >= 0) || seconds > SECONDS_MAX)
		return err_set(e, EINVAL, "%s=%.40s is no number of seconds", name, text);
	*ret = (uint64_t)(seconds * 1e9);
	return 0;
}

static int set_path(char **at, const char *name, const char *value, struct err *e)
{
	if (!*value)
		return err_set(e, EINVAL, "%s= wants a directory", name);
	free(*at);
	*at = strdup(value);
	return *at ? 0 : err_set(e, ENOMEM, "out of memory");
}

static int set_small(const char *text, enum vfs_small *ret, struct err *e)
{
	static const char *const names[] = { "auto", "never", "always" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret = (enum vfs_small)i;
			return 0;
		}
	}
	return err_set(e, EINVAL, "small=%.40s is none of auto, never, always", text);
}

static int set_value(struct vfs_mount_conf *o, const char *name, const char *value, struct err *e)
{
	if (strcmp(name, "threads") == 0)
		return opt_number(value, name, 1, FUSE_WORKERS_MAX, &o->threads, e);
	if (strcmp(name, "entry_timeout") == 0)
		return set_seconds(name, value, &o->times.entry_ns, e);
	if (strcmp(name, "attr_timeout") == 0)
		return set_seconds(name, value, &o->times.attr_ns, e);
	if (strcmp(name, "negative_timeout") == 0)
		return set_seconds(name, value, &o->times.negative_ns, e);
	if (strcmp(name, "small") == 0)
		return set_small(value, &o->small, e);
	if (strcmp(name, "lower") == 0)
		return set_path(&o->merge.lower, name, value, e);
	if (strcmp(name, "scratch") == 0)
		return set_path(&o->merge.scratch, name, value, e);
	if (strcmp(name, "hide") == 0)
		return policy_add(&o->merge.policy, POLICY_HIDE, value, e);
	if (strcmp(name, "ro") == 0)
		return policy_add(&o->merge.policy, POLICY_READ_ONLY, value, e);
	if (strcmp(name, "map-users") == 0)
		return vfs_map_add(&o->users, value, e);
	if (strcmp(name, "map-groups") == 0)
		return vfs_map_add(&o->groups, value, e);
	/* Notes of others: systemd's, and comments. */
	if (strcmp(name, "comment") == 0 || strncmp(name, "x-", 2) == 0)
		return 0;
	return err_set(e, EINVAL, "there is no option '%.40s'", name);
}

static int set_one(struct vfs_mount_conf *o, char *word, struct err *e)
{
	char *value = strchr(word, '=');

	if (value) {
		*value++ = 0;
		return set_value(o, word, value, e);
	}
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(word, words[i].name) == 0) {
			o->attrs = (o->attrs & ~words[i].clear) | words[i].set;
			return 0;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		if (strcmp(word, flags[i].name) == 0) {
			memcpy((char *)o + flags[i].at, &flags[i].value, sizeof(bool));
			return 0;
		}
	}
	if (strncmp(word, "x-", 2) == 0)
		return 0;
	return err_set(e, EINVAL, "there is no option '%.40s'", word);
}

void vfs_mount_conf_fini(struct vfs_mount_conf *conf)
{
	merge_conf_fini(&conf->merge);
	free(conf->users);
	free(conf->groups);
	conf->users = conf->groups = NULL;
}

int vfs_mount_options(struct vfs_mount_conf *conf, const char *list, struct err *e)
{
	_cleanup_free_ char *copy = strdup(list);
	char *word = copy;
	int r = 0;

	if (!copy)
		return err_set(e, ENOMEM, "out of memory");
	while (r == 0 && word) {
		char *next = opt_cut_word(word);

		if (*word)
			r = set_one(conf, word, e);
		word = next;
	}
	return r;
}
