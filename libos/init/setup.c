/* SPDX-License-Identifier: MIT */
/* setup.c - from an initial file system with nothing in it to the root of the program's own. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init.h"

#define NEW_ROOT "/newroot"

static const struct {
	const char *dir, *type, *options;
	unsigned long flags;
} early[] = {
	{ "/dev", "devtmpfs", "mode=0755", MS_NOSUID },
	{ "/proc", "proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
	{ "/sys", "sysfs", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
}, late[] = {
	{ "/dev/pts", "devpts", "ptmxmode=0666,mode=0620,gid=5", MS_NOSUID | MS_NOEXEC },
	{ "/dev/shm", "tmpfs", "mode=1777", MS_NOSUID | MS_NODEV },
	{ "/dev/mqueue", "mqueue", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
	{ "/run", "tmpfs", "mode=0755", MS_NOSUID | MS_NODEV },
};

static const struct {
	const char *name, *to;
} links[] = {
	{ "/dev/fd", "/proc/self/fd" },
	{ "/dev/stdin", "/proc/self/fd/0" },
	{ "/dev/stdout", "/proc/self/fd/1" },
	{ "/dev/stderr", "/proc/self/fd/2" },
};

static void mount_early(void)
{
	for (size_t i = 0; i < sizeof(early) / sizeof(early[0]); i++) {
		(void)mkdir(early[i].dir, 0755);
		if (mount(early[i].type, early[i].dir, early[i].type, early[i].flags,
			  early[i].options) < 0 &&
		    errno != EBUSY)
			init_fail("mounting", early[i].dir);
	}
}

/* A root file system that lacks a directory for one of these, and is only read, goes without. */
static void mount_late(void)
{
	for (size_t i = 0; i < sizeof(late) / sizeof(late[0]); i++) {
		(void)mkdir(late[i].dir, 0755);
		if (mount(late[i].type, late[i].dir, late[i].type, late[i].flags, late[i].options) <
			    0 &&
		    errno != ENOENT && errno != ENODEV)
			init_fail("mounting", late[i].dir);
	}
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (symlink(links[i].to, links[i].name) < 0 && errno != EEXIST)
			init_fail("making", links[i].name);
}

/*
 * Images of packages have no /etc/hosts, those of containers an empty one, for whoever runs them writes it; programs look
 * themselves up. What cannot be written, a root file system that is only read, goes without.
 */
static void name_hosts(const char *hostname)
{
	FILE *f = fopen("/etc/hosts", "ae");
	struct stat st;

	if (!f)
		return;
	if (!fstat(fileno(f), &st) && !st.st_size)
		(void)fprintf(f, "127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.1.1\t%s\n", hostname);
	(void)fclose(f);
}

static void make_ordered(const char *device)
{
	int fd = open("/proc/lo/ordered", O_WRONLY | O_CLOEXEC);
	size_t size = strlen(device);

	if (fd < 0 || write(fd, device, size) != (ssize_t)size)
		init_fail("making an ordered disk of", device);
	(void)close(fd);
}

static void mount_root(const struct conf *c)
{
	const char *root = conf_next(c, "root", NULL);
	const char *options = conf_next(c, "rootflags", NULL);
	unsigned long flags = MS_NOATIME;

	if (options && !strcmp(options, "ro")) {
		flags |= MS_RDONLY;
		options = NULL;
	}
	(void)mkdir(NEW_ROOT, 0755);
	if (mount(root, NEW_ROOT, "ext4", flags, options) < 0)
		init_fail("mounting the file system on", root);
}

/* As switch_root(8) does: the initial file system cannot be unmounted, only covered. */
static void enter_root(void)
{
	char to[64];

	for (size_t i = 0; i < sizeof(early) / sizeof(early[0]); i++) {
		(void)snprintf(to, sizeof(to), NEW_ROOT "%s", early[i].dir);
		(void)mkdir(to, 0755);
		if (mount(early[i].dir, to, NULL, MS_MOVE, NULL) < 0)
			init_fail("the image has no directory", early[i].dir);
	}
	if (chdir(NEW_ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
	    chdir("/") < 0)
		init_fail("entering", NEW_ROOT);
}

void set_up(struct conf *c)
{
	const char *hostname = conf_next(c, "hostname", NULL), *dm = NULL, *next;
	const char *ordered = conf_next(c, "ordered", NULL);

	mount_early();
	/* dm_make() wipes the string: where the next one begins is to be known before. */
	for (dm = conf_next(c, "dm", NULL); dm; dm = next) {
		next = conf_next(c, "dm", dm);
		dm_make((char *)(uintptr_t)dm);
	}
	if (ordered)
		make_ordered(ordered);
	if (conf_next(c, "root", NULL)) {
		mount_root(c);
		enter_root();
		if (hostname)
			name_hosts(hostname);
	}
	mount_late();
	net_up(c);
	if (hostname && sethostname(hostname, strlen(hostname)) < 0)
		init_fail("setting the host name", hostname);
}
