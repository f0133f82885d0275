/* SPDX-License-Identifier: MIT */
#include "needs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "program.h"
#include "scratch.h"

static bool is_root(void)
{
	return geteuid() == 0;
}

static bool has_mke2fs(void)
{
	return program_found("mke2fs");
}

static bool has_mmdebstrap(void)
{
	return program_found("mmdebstrap") && program_found("unshare");
}

static void note(void *arg, const char *line)
{
	const char *bar = strchr(line, '|');
	_cleanup_free_ char *path = bar ? strndup(line, (size_t)(bar - line)) : NULL;

	if (path && !access(path, R_OK))
		*(bool *)arg = true;
}

static bool has_lists(void)
{
	static const char *const argv[] = { "apt-get",      "indextargets",         "--format",
					    "$(FILENAME)|", "Created-By: Packages", NULL };
	bool found = false;
	struct program_run p = {
		.argv = argv, .keep_fd = -1, .out = true, .line = note, .arg = &found
	};

	return program_run(&p, NULL) == 0 && found;
}

static bool has_tmpfile(void)
{
	_cleanup_close_ int fd = -1;
	const char *top;

	if (scratch_top(&top, NULL) == 0)
		fd = open(top, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return fd >= 0;
}

size_t needs_all(struct need v[NEEDS_MAX])
{
	static const struct {
		struct need need;
		bool (*works)(void);
	} all[] = {
		{ { .name = "file systems",
		    .needs = "the package e2fsprogs",
		    .without = "no image can be made",
		    .fatal = true },
		  has_mke2fs },
		{ { .name = "images of packages",
		    .needs = "the packages mmdebstrap and util-linux",
		    .without = "no --packages" },
		  has_mmdebstrap },
		{ { .name = "package lists",
		    .needs = "apt's sources, and apt-get update",
		    .without = "no --packages" },
		  has_lists },
		{ { .name = "owners and devices of other users",
		    .needs = "root",
		    .without = "no --packages, and --oci gives all files to you" },
		  is_root },
		{ { .name = "files without names where images are prepared",
		    .needs = "an absolute TMPDIR on ext4, xfs, btrfs or tmpfs",
		    .without = "temporary files have names, and are removed at the end" },
		  has_tmpfile },
	};
	size_t n = sizeof(all) / sizeof(all[0]);

	for (size_t i = 0; i < n; i++) {
		v[i] = all[i].need;
		v[i].works = all[i].works();
	}
	return n;
}
