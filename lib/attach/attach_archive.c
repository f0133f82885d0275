/* SPDX-License-Identifier: MIT */
#include "attach_archive.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "cpio_put.h"
#include "cursor.h"
#include "io.h"

#define NAMES_MAX 65536 /* bytes of what "busybox --list" prints */
#define LINK      "busybox"

static const char *const places[] = { "/bin/busybox", "/usr/bin/busybox", "/sbin/busybox" };

/* Without an interpreter: it runs in a guest that has no libraries. */
static bool is_static(int fd)
{
	Elf64_Phdr ph;
	Elf64_Ehdr h;

	if (pread(fd, &h, sizeof(h), 0) != sizeof(h) || memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 ||
	    h.e_ident[EI_CLASS] != ELFCLASS64)
		return false;
	for (unsigned int i = 0; i < h.e_phnum; i++) {
		off_t off = (off_t)(h.e_phoff + i * sizeof(ph));

		if (pread(fd, &ph, sizeof(ph), off) != sizeof(ph) || ph.p_type == PT_INTERP)
			return false;
	}
	return true;
}

static int open_busybox(const char **ret_path, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		_cleanup_close_ int fd = open(places[i], O_RDONLY | O_CLOEXEC);

		*ret_path = places[i];
		if (fd >= 0 && is_static(fd))
			return take_fd(&fd);
	}
	return err_set(e, ENOENT,
		       "this guest takes tools as an archive, and this host has no static busybox "
		       "to make one of: install busybox-static");
}

static _Noreturn void list_names(const char *path, int to)
{
	if (dup2(to, STDOUT_FILENO) >= 0)
		(void)execl(path, LINK, "--list", (char *)NULL);
	_exit(127);
}

/* The names that the program answers to, a line each. */
static int read_names(const char *path, char **ret)
{
	int fd[2], r;
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (!pid)
		list_names(path, fd[1]);
	(void)close(fd[1]);
	r = pid < 0 ? -errno : io_read_fd(fd[0], NAMES_MAX, ret, NULL);
	(void)close(fd[0]);
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	return r;
}

static int put_names(int fd, const char *names)
{
	struct cursor c = cur_of(names, strlen(names));
	struct span s;
	int r = 0;

	while (!r && cur_until(&c, '\n', &s) == 1) {
		char name[NAME_MAX];
		struct cpio_put en = { name, S_IFLNK | 0777, 0, strlen(LINK) };

		if (!s.len || memchr(s.p, '/', s.len) || span_eq(s, LINK))
			continue;
		(void)snprintf(name, sizeof(name), "bin/%.*s", (int)s.len, s.p);
		r = cpio_put_data(fd, &en, LINK);
	}
	return r;
}

static int put_all(int fd, int busybox, const char *names)
{
	static const struct cpio_put dirs[] = {
		{ "bin", S_IFDIR | 0755, 0, 0 },  { "dev", S_IFDIR | 0755, 0, 0 },
		{ "etc", S_IFDIR | 0755, 0, 0 },  { "proc", S_IFDIR | 0755, 0, 0 },
		{ "root", S_IFDIR | 0700, 0, 0 }, { "sys", S_IFDIR | 0755, 0, 0 },
		{ "tmp", S_IFDIR | 01777, 0, 0 }, { "var", S_IFDIR | 0755, 0, 0 },
	};
	static const struct cpio_put end = { .name = CPIO_TRAILER };
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(dirs); i++)
		r = cpio_put_header(fd, &dirs[i]);
	if (!r)
		r = cpio_put_file(fd, "bin/busybox", busybox);
	if (!r)
		r = put_names(fd, names);
	return r ? r : cpio_put_header(fd, &end);
}

static int make_default(const char *names, struct err *e)
{
	const char *path;
	_cleanup_close_ int busybox = open_busybox(&path, e), fd = -1;
	int r;

	if (busybox < 0)
		return busybox;
	if (!names)
		return err_set(e, ENOENT, "'%s' does not say its names", path);
	fd = memfd_create("vmsh-tools", MFD_CLOEXEC);
	r = fd < 0 ? -errno : put_all(fd, busybox, names);
	if (!r && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	return r < 0 ? err_set(e, -r, "making an archive of '%s': %s", path, err_str(r))
		     : take_fd(&fd);
}

char *attach_archive_names(void)
{
	const char *path;
	_cleanup_close_ int busybox = open_busybox(&path, NULL);
	_cleanup_free_ char *names = NULL;

	return busybox < 0 || read_names(path, &names) < 0 || !names || !*names ? NULL
										: take_ptr(names);
}

int attach_archive_open(const char *path, const char *names, struct err *e)
{
	int fd;

	if (!path)
		return make_default(names, e);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_set(e, errno, "archive '%s': %s", path, err_str(errno)) : fd;
}
