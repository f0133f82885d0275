/* SPDX-License-Identifier: MIT */
#include "ident.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Thread_local uid_t now_uid;
static _Thread_local gid_t now_gid;
static _Thread_local mode_t now_umask;
static _Thread_local struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];

/* Of this thread alone: the C library's wrappers for sets of ids would change all threads. */
static int set_caps(const struct __user_cap_data_struct *data)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };

	return syscall(SYS_capset, &h, data) < 0 ? -errno : 0;
}

int ident_start(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };

	if (syscall(SYS_capget, &h, caps) < 0)
		return -errno;
	if (!(caps[CAP_TO_INDEX(CAP_SETUID)].effective & CAP_TO_MASK(CAP_SETUID)))
		return -EPERM;
	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) < 0 ||
	    unshare(CLONE_FS) < 0 || chdir("/proc/self/fd") < 0)
		return -errno;
	caps[CAP_TO_INDEX(CAP_SYS_RESOURCE)].effective &= ~CAP_TO_MASK(CAP_SYS_RESOURCE);
	now_uid = geteuid();
	now_gid = getegid();
	(void)umask(0);
	now_umask = 0;
	return set_caps(caps);
}

int ident_become_owner(uid_t uid, gid_t gid)
{
	/* They give the old value, and say of a failure nothing: -1 never changes, and so reads. */
	if (gid != now_gid) {
		(void)syscall(SYS_setfsgid, gid);
		if ((gid_t)syscall(SYS_setfsgid, -1) != gid)
			return -EPERM;
		now_gid = gid;
	}
	if (uid != now_uid) {
		(void)syscall(SYS_setfsuid, uid);
		if ((uid_t)syscall(SYS_setfsuid, -1) != uid)
			return -EPERM;
		now_uid = uid;
	}
	return 0;
}

int ident_become(uid_t uid, gid_t gid, mode_t mask)
{
	int r = ident_become_owner(uid, gid);

	if (r < 0)
		return r;
	if (mask != now_umask)
		(void)umask(mask);
	now_umask = mask;
	return 0;
}

int ident_drop_fsetid(void)
{
	struct __user_cap_data_struct less[_LINUX_CAPABILITY_U32S_3] = { caps[0], caps[1] };

	less[CAP_TO_INDEX(CAP_FSETID)].effective &= ~CAP_TO_MASK(CAP_FSETID);
	return set_caps(less);
}

void ident_restore_fsetid(void)
{
	(void)set_caps(caps);
}
