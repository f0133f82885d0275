/* SPDX-License-Identifier: MIT */
#include "packages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "cursor.h"
#include "io.h"
#include "program.h"

#define SOURCES_MAX  64
#define NAME_CHARS   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.:=~_"
#define LOST_PREFIX  "Unable to locate package "
#define OS_RELEASE   "/etc/os-release"
#define CODENAME     "VERSION_CODENAME="
#define NAMES_LENGTH 8192

/* What apt says on standard error, boiled down. */
struct said {
	const struct progress *progress;
	char lost[100]; /* the first package that there is none of */
	char why[200];  /* the first error */
};

static void hear_error(void *arg, const char *line)
{
	struct said *s = arg;
	const char *lost = strstr(line, LOST_PREFIX);

	if (lost && !s->lost[0])
		(void)snprintf(s->lost, sizeof(s->lost), "%s", lost + strlen(LOST_PREFIX));
	if (!strncmp(line, "E: ", 3) && !s->why[0])
		(void)snprintf(s->why, sizeof(s->why), "%s", line + 3);
	if (!strncmp(line, "I: ", 3))
		progress_tell(s->progress, line + 3, 0, 0);
}

static int lost_package(const struct said *s, struct err *e)
{
	return err_set(e, ENOENT, "this machine's apt knows no package '%s' (apt-get update?)",
		       s->lost);
}

struct sources {
	char *path[SOURCES_MAX];
	size_t n;
	bool failed;
};

static void sources_fini(struct sources *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->path[i]);
}

/* FILENAME|PATH:NUMBER; a list that apt could not get is not there. */
static void hear_source(void *arg, const char *line)
{
	struct sources *s = arg;
	const char *bar = strchr(line, '|'), *colon = strrchr(line, ':');
	_cleanup_free_ char *list = bar ? strndup(line, (size_t)(bar - line)) : NULL;
	char *path;

	if (!list || !colon || colon < bar || bar[1] != '/' || access(list, R_OK) < 0)
		return;
	path = strndup(bar + 1, (size_t)(colon - bar - 1));
	for (size_t i = 0; path && i < s->n; i++)
		if (!strcmp(s->path[i], path)) {
			free(path);
			return;
		}
	if (path && s->n < SOURCES_MAX)
		s->path[s->n++] = path;
	else
		free(path);
}

static int find_sources(struct sources *ret, struct err *e)
{
	static const char *const argv[] = { "apt-get",
					    "indextargets",
					    "--format",
					    "$(FILENAME)|$(SOURCESENTRY)",
					    "Created-By: Packages",
					    NULL };
	struct program_run p = {
		.argv = argv, .keep_fd = -1, .out = true, .line = hear_source, .arg = ret
	};
	int r = program_run(&p, e);

	if (r < 0)
		return r;
	return ret->n ? 0
		      : err_set(e, ENOENT,
				"this machine's apt has no package lists; try apt-get "
				"update");
}

/* How packages are to be fetched; what is said of the sources stands in their files. */
static bool wanted_setting(const char *line)
{
	static const char *const names[] = { "Acquire::http::",  "Acquire::https::",
					     "Acquire::ForceIP", "Acquire::Retries",
					     "Acquire::Check-",  "Acquire::Max-FutureTime" };

	if (strstr(line, " \"\";"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strncmp(line, names[i], strlen(names[i])))
			return true;
	return false;
}

static void hear_setting(void *arg, const char *line)
{
	FILE *f = arg;

	if (wanted_setting(line))
		(void)fprintf(f, "%s\n", line);
}

static int write_settings(const char *path, struct err *e)
{
	static const char *const argv[] = { "apt-config", "dump", NULL };
	_cleanup_fclose_ FILE *f = fopen(path, "wxe");
	struct program_run p = {
		.argv = argv, .keep_fd = -1, .out = true, .line = hear_setting, .arg = f
	};
	int r;

	if (!f)
		return err_set(e, errno, "cannot make '%s': %s", path, err_str(errno));
	r = program_run(&p, e);
	if (r < 0)
		return r;
	return fflush(f) ? err_set(e, errno, "cannot write '%s': %s", path, err_str(errno)) : 0;
}

static int codename(char *ret, size_t size, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	struct cursor c;
	struct span line;
	size_t len;

	if (io_read_at(AT_FDCWD, OS_RELEASE, 1 << 16, &text, &len) < 0)
		return err_set(e, ENOENT, "cannot read " OS_RELEASE);
	c = cur_of(text, len);
	while (cur_until(&c, '\n', &line)) {
		if (!span_starts(line, CODENAME))
			continue;
		(void)snprintf(ret, size, "%.*s", (int)(line.len - strlen(CODENAME)),
			       line.p + strlen(CODENAME));
		return 0;
	}
	return err_set(e, ENOENT, OS_RELEASE " names no release of Debian");
}

static int check_name(const char *name, struct err *e)
{
	if (!*name || strspn(name, NAME_CHARS) != strlen(name) || strchr("+-.:=~_", *name))
		return err_set(e, EINVAL, "'%.60s' cannot be the name of a package", name);
	return 0;
}

/* Installing takes a minute, and would say this only in the end. */
static int check_known(char *names, struct err *e)
{
	/* -q=0: it keeps quiet about what it does not know where it has no terminal. */
	const char *argv[PACKAGES_MAX + 6] = { "apt-cache", "-q=0", "show", "--no-all-versions",
					       "--" };
	struct said said = { 0 };
	struct program_run p = { .argv = argv, .keep_fd = -1, .line = hear_error, .arg = &said };
	size_t n = 5;
	int r;

	for (char *name; (name = strsep(&names, ","));) {
		r = check_name(name, e);
		if (r < 0)
			return r;
		if (n == PACKAGES_MAX + 5)
			return err_set(e, E2BIG, "more than %d packages", PACKAGES_MAX);
		argv[n++] = name;
	}
	r = program_run(&p, e);
	if (r < 0)
		return r;
	return said.lost[0] ? lost_package(&said, e) : 0;
}

static int install(const char *names, const struct sources *sources, struct scratch *s,
		   const struct progress *progress, struct err *e)
{
	char release[64], root[512], tmp[512], include[NAMES_LENGTH], option[512];
	/* What mmdebstrap copies of this machine: its name, and whom it asks for names. */
	static const char no_host[] =
		"--customize-hook=rm -f \"$1/etc/hostname\"; [ -L \"$1/etc/resolv.conf\" ] || : >\"$1/etc/resolv.conf\"";
	const char *argv[SOURCES_MAX + 20] = {
		"env",
		tmp,
		"unshare",
		"--pid",
		"--fork",
		"--kill-child",
		"--mount-proc",
		"mmdebstrap",
		"--mode=root",
		"--format=directory",
		"--variant=essential",
		include,
		option,
		"--customize-hook=rm -f \"$1/etc/apt/apt.conf.d/99mmdebstrap\"",
		no_host,
		release,
		root
	};
	struct said said = { .progress = progress };
	struct program_run p = { .argv = argv, .keep_fd = -1, .line = hear_error, .arg = &said };
	size_t n = 0;
	int r = codename(release, sizeof(release), e);

	if (r < 0)
		return r;
	(void)snprintf(root, sizeof(root), "%s/root", s->path);
	(void)snprintf(tmp, sizeof(tmp), "TMPDIR=%s", s->path);
	(void)snprintf(option, sizeof(option), "--aptopt=%s/apt.conf", s->path);
	(void)snprintf(include, sizeof(include), "--include=%s", names);
	while (argv[n])
		n++;
	for (size_t i = 0; i < sources->n; i++)
		argv[n++] = sources->path[i];
	r = write_settings(option + strlen("--aptopt="), e);
	if (!r)
		r = program_run(&p, e);
	if (r > 0)
		return said.lost[0]
			       ? lost_package(&said, e)
			       : err_set(e, EIO, "installing packages: %s",
					 said.why[0] ? said.why : "mmdebstrap did not say why");
	return r;
}

int packages_install(const char *names, struct scratch *s, const struct progress *progress,
		     struct err *e)
{
	_cleanup_(sources_fini) struct sources sources = { 0 };
	_cleanup_free_ char *copy = strdup(names);
	int r;

	if (!copy)
		return err_set(e, ENOMEM, "no memory");
	if (strlen(names) >= NAMES_LENGTH - 16)
		return err_set(e, E2BIG, "too many packages");
	if (geteuid() != 0)
		return err_set(e, EPERM, "packages can be installed by root only");
	if (!program_found("mmdebstrap"))
		return err_set(e, ENOENT,
			       "'mmdebstrap' is not installed: apt-get install mmdebstrap");
	progress_tell(progress, "looking for packages", 0, 0);
	r = check_known(copy, e);
	if (!r)
		r = find_sources(&sources, e);
	return r < 0 ? r : install(names, &sources, s, progress, e);
}
