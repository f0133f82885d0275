/* SPDX-License-Identifier: MIT */
#include "sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "cleanup.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U /* linux/memfd.h; the sysctl vm.memfd_noexec wants it */
#endif

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* Up to here the file is loaded; what follows (symbols, debug information) can be two thirds of it. */
static off_t loaded_end(void)
{
	const ElfW(Phdr) *ph = (const ElfW(Phdr) *)getauxval(AT_PHDR);
	off_t end = 0;

	for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++) {
		off_t part = (off_t)(ph[i].p_offset + ph[i].p_filesz);

		if (ph[i].p_type == PT_LOAD && part > end)
			end = part;
	}
	return end;
}

static int copy_into(int from, int to)
{
	off_t off = 0, end = loaded_end();

	while (off < end)
		if (sendfile(to, from, &off, (size_t)(end - off)) <= 0)
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
		return err_set(e, -r, "copying ourselves to memory: %s%s", err_str(r),
			       r == -EFBIG
				       ? "; the limit on the size of files (ulimit -f) is too low"
				       : "");
	(void)execveat(copy, "", argv, environ, AT_EMPTY_PATH);
	return err_set(e, errno, "executing a copy of ourselves: %s", err_str(errno));
}
