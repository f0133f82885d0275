/* SPDX-License-Identifier: MIT */
#include "sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U /* linux/memfd.h; the sysctl vm.memfd_noexec wants it */
#endif

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static int copy_into(int from, int to)
{
	struct stat st;
	off_t off = 0;

	if (fstat(from, &st) < 0)
		return -errno;
	while (off < st.st_size)
		if (sendfile(to, from, &off, (size_t)(st.st_size - off)) <= 0)
			return errno ? -errno : -EIO;
	return fcntl(to, F_ADD_SEALS, SEALS) < 0 ? -errno : 0;
}

int sealed_self(char **argv, struct err *e)
{
	_cleanup_close_ int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), copy = -1;
	int r;

	if (exe < 0)
		return err_set(e, errno, "opening /proc/self/exe: %s", err_str(errno));
	if (fcntl(exe, F_GET_SEALS) == SEALS) {
		(void)prctl(PR_SET_NAME, "cntr"); /* it was named after the descriptor */
		return 0;
	}
	copy = memfd_create("cntr", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC); /* Linux 6.3 */
	if (copy < 0 && errno == EINVAL)
		copy = memfd_create("cntr", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	r = copy < 0 ? -errno : copy_into(exe, copy);
	if (r < 0)
		return err_set(e, -r, "copying ourselves to memory: %s", err_str(r));
	(void)execveat(copy, "", argv, environ, AT_EMPTY_PATH);
	return err_set(e, errno, "executing a copy of ourselves: %s", err_str(errno));
}
