/* SPDX-License-Identifier: MIT */
/*
 * passwd.h - users of a container, from its own /etc/passwd and /etc/group.
 *
 * Both files are the container's and may hold anything. They are bytes here,
 * read by the caller (from a regular file, at most NS_PASSWD_MAX). A line that
 * is not well formed is as if it were not there; the first match counts, as
 * in getpwnam(3). No C library function is asked: it would read our files.
 */
#ifndef NS_PASSWD_H
#define NS_PASSWD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "cursor.h"
#include "err.h"

#define NS_PASSWD_MAX      (1024 * 1024) /* bytes of a file */
#define NS_USER_GROUPS_MAX 1024          /* supplementary groups taken from /etc/group */
#define NS_NAME_MAX        256           /* bytes of a user's or group's name, with its NUL */
#define NS_PATH_MAX        4096

struct ns_user {
	uid_t uid;
	gid_t gid;
	bool known; /* has a line in passwd; otherwise name, home and shell are empty */
	char name[NS_NAME_MAX];
	char home[NS_PATH_MAX];
	char shell[NS_PATH_MAX];
	gid_t groups[NS_USER_GROUPS_MAX];
	size_t ngroups;
};

/* The line of the user @name, or of @uid. -ENOENT without one. Groups are not filled in. */
int ns_passwd_by_name(struct span passwd, const char *name, struct ns_user *ret) _must_check_;
int ns_passwd_by_uid(struct span passwd, uid_t uid, struct ns_user *ret) _must_check_;

/* The id of group @name; -ENOENT. */
int ns_group_by_name(struct span group, const char *name, gid_t *ret) _must_check_;
/* The groups that list @name as a member, at most @max; how many. */
size_t ns_group_list(struct span group, const char *name, gid_t *ret, size_t max);

/*
 * ns_user_resolve() - What "USER" or "USER:GROUP" means; names or numbers.
 *
 * As the engines do: a number needs no line in the files and has then group 0;
 * supplementary groups come from @group unless GROUP is given. A name
 * made of digits alone is a number.
 *
 * @whose: the files are, for the message: "container's".
 * Return: 0; -EINVAL malformed; -ENOENT no such name. *@ret is big: not for small stacks.
 */
int ns_user_resolve(const char *spec, const char *whose, struct span passwd, struct span group,
		    struct ns_user *ret, struct err *e) _must_check_;
/* What of that can be told without the files: is @spec well formed? -EINVAL. */
int ns_user_check(const char *spec, struct err *e) _must_check_;

#endif
