/* SPDX-License-Identifier: MIT */
#include "side_saved.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "compiler.h"

#define COMM_MAX 16 /* with its end; 15 characters are kept (TASK_COMM_LEN) */

/* QEMU's migration/migration.c: to 9.0, and later ones. Threads that only measure are called otherwise. */
static const char *const names[] = { "live_migration", "bg_snapshot", "mig/src/main",
				     "mig/snapshot" };

static bool saves(int task, const char *tid)
{
	char path[32], comm[COMM_MAX + 1] = "";
	_cleanup_close_ int fd = -1;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%.10s/comm", tid);
	fd = openat(task, path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, comm, sizeof(comm) - 1);
	if (n <= 0)
		return false;
	comm[strcspn(comm, "\n")] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(comm, names[i]))
			return true;
	return false;
}

bool side_saved(const struct pid_ref *hypervisor)
{
	int fd = openat(hypervisor->procfd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;

	if (!dir) {
		closep(&fd);
		return false;
	}
	while ((d = readdir(dir)))
		if (d->d_name[0] != '.' && saves(dirfd(dir), d->d_name))
			return true;
	return false;
}
