/* SPDX-License-Identifier: MIT */
/* pty.c - the pair itself, and the exit codes. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cleanup.h"
#include "relay.h"

int pty_exit_code(const siginfo_t *si)
{
	switch (si->si_code) {
	case CLD_EXITED:
		return si->si_status & 0xff;
	case CLD_KILLED:
	case CLD_DUMPED:
		return PTY_EXIT_SIGNAL + (si->si_status & 0x7f);
	default:
		return PTY_EXIT_FAILED;
	}
}

int pty_exec_exit_code(int error)
{
	return error == ENOENT || error == -ENOENT ? PTY_EXIT_NOT_FOUND : PTY_EXIT_CANNOT;
}

static bool is_devpts(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == DEVPTS_SUPER_MAGIC;
}

int pty_open_at(int devpts_dirfd, int *ret_master, int *ret_slave, struct err *e)
{
	struct open_how how = {
		.flags = O_RDWR | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
	};
	_cleanup_close_ int master = -1, slave = -1;
	struct stat st;
	int unlock = 0;

	/* On devpts only the kernel makes nodes, so that with the directory checked and no
	 * mount crossed, what opens is a ptmx: nothing else is opened to find out. */
	if (!is_devpts(devpts_dirfd))
		return err_set(e, ENOTTY, "opening a terminal: the directory is no devpts mount");
	master = (int)syscall(SYS_openat2, devpts_dirfd, "ptmx", &how, sizeof(how)); /* Linux 5.6 */
	if (master < 0)
		return err_set(e, errno, "opening a terminal: devpts/ptmx: %s", err_str(errno));
	if (!is_devpts(master) || fstat(master, &st) < 0 || !S_ISCHR(st.st_mode) ||
	    st.st_rdev != makedev(5, 2))
		return err_set(e, ENOTTY, "opening a terminal: devpts/ptmx is no ptmx");
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return err_set(e, errno, "unlocking a terminal: %s", err_str(errno));
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC); /* Linux 4.13 */
	if (slave < 0)
		return err_set(e, errno, "opening a terminal's slave: %s", err_str(errno));
	*ret_master = take_fd(&master);
	*ret_slave = take_fd(&slave);
	return 0;
}
