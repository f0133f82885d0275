/* SPDX-License-Identifier: MIT */
/* program.c - from a description to a running program, or to a sentence that says why not. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init.h"
#include "passwd.h"

/* At most NS_PASSWD_MAX bytes of a regular file; a file that isn't there is empty. */
static struct span load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char *text = fd < 0 ? NULL : malloc(NS_PASSWD_MAX);
	struct span s = { .p = text };
	struct stat st;
	ssize_t n;

	if (!text || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return (struct span){ .p = "" };
	while (s.len < NS_PASSWD_MAX && (n = read(fd, text + s.len, NS_PASSWD_MAX - s.len)) > 0)
		s.len += (size_t)n;
	(void)close(fd);
	return s;
}

/* Where HOME is the old user's, it becomes the new one's. */
static void change_home(char **env, const char *home)
{
	static char text[NS_PATH_MAX + 8];

	(void)snprintf(text, sizeof(text), "HOME=%s", *home ? home : "/");
	for (; *env; env++)
		if (!strcmp(*env, "HOME=/root"))
			*env = text;
}

static void change_user(const char *spec, char **env)
{
	static struct ns_user user;
	struct err e = { 0 };

	if (ns_user_resolve(spec, "image's", load("/etc/passwd"), load("/etc/group"), &user, &e) <
	    0) {
		dprintf(STDERR_FILENO, "rktio: %s\n", e.msg);
		_exit(EXIT_FAILED);
	}
	/* Its terminal or pipes are there to be used: /dev/stderr opens them again. */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fchown(fd, user.uid, (gid_t)-1) < 0)
			init_fail("giving its streams to", spec);
	if (setgroups(user.ngroups, user.groups) < 0 || setresgid(user.gid, user.gid, user.gid) ||
	    setresuid(user.uid, user.uid, user.uid) < 0)
		init_fail("becoming the user", spec);
	change_home(env, user.home);
}

static const char *machine_name(unsigned int machine)
{
	static const struct {
		unsigned int machine;
		const char *name;
	} known[] = { { EM_386, "32-bit x86" }, { EM_AARCH64, "arm64" }, { EM_ARM, "32-bit arm" },
		      { EM_RISCV, "risc-v" },   { EM_PPC64, "powerpc" }, { EM_S390, "s390" },
		      { EM_X86_64, "x32" },     { EM_MIPS, "mips" },     { 258, "loongarch" } };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].machine == machine)
			return known[i].name;
	return "another";
}

/* The next place of $PATH, at *@dirs, for @name; NULL after the last. */
static const char *next_path(const char **dirs, const char *name)
{
	static char path[4096];
	size_t len;

	if (!*dirs || !**dirs)
		return NULL;
	len = strcspn(*dirs, ":");
	(void)snprintf(path, sizeof(path), "%.*s/%s", (int)len, *dirs, name);
	*dirs += len + ((*dirs)[len] == ':');
	return path;
}

/* What there is to execute; NULL if there is nothing. */
static const char *find(const char *name)
{
	const char *dirs = getenv("PATH"), *path;

	if (strchr(name, '/'))
		return name;
	while ((path = next_path(&dirs, name)))
		if (access(path, X_OK) == 0)
			return path;
	return NULL;
}

/* As execvp(), but what is no program is not given to a shell. Returns why not. */
static int execute(char **argv)
{
	const char *dirs = getenv("PATH"), *path;
	int error = ENOENT;

	if (strchr(argv[0], '/')) {
		(void)execve(argv[0], argv, environ);
		return errno;
	}
	while ((path = next_path(&dirs, argv[0]))) {
		(void)execve(path, argv, environ);
		if (errno == EACCES)
			error = EACCES; /* there may be another */
		else if (errno != ENOENT && errno != ENOTDIR)
			return errno;
	}
	return error;
}

/* Why an existing file with the right to execute it can't be. */
static void explain_format(const char *name)
{
	const char *path = find(name);
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
	Elf64_Ehdr h; /* what is looked at has its place in both classes */

	if (fd < 0 || read(fd, &h, sizeof(h)) < (ssize_t)sizeof(Elf32_Ehdr) ||
	    memcmp(h.e_ident, ELFMAG, SELFMAG) != 0)
		dprintf(STDERR_FILENO,
			"rktio: '%s' is neither a program nor a script that begins with \"#!\"\n",
			name);
	else if (h.e_machine != EM_X86_64 || h.e_ident[EI_CLASS] != ELFCLASS64)
		dprintf(STDERR_FILENO,
			"rktio: '%s' is a program for %s processors; only 64-bit x86 runs here\n",
			name, machine_name(h.e_machine));
	else
		dprintf(STDERR_FILENO, "rktio: '%s' is a damaged program\n", name);
}

static void explain(const char *name, int error)
{
	const char *path = find(name);

	if (error == ENOEXEC)
		explain_format(name);
	else if (error == ENOENT && path && access(path, F_OK) == 0)
		dprintf(STDERR_FILENO,
			"rktio: executing '%s': its interpreter or loader is missing in the image\n",
			name);
	else if (error == ENOENT)
		dprintf(STDERR_FILENO,
			"rktio: executing '%s': there is no such program in the image\n", name);
	else
		dprintf(STDERR_FILENO, "rktio: executing '%s': %s\n", name, strerror(error));
}

void become(const struct conf *c, char **env)
{
	const char *cwd = conf_next(c, "cwd", NULL), *user = conf_next(c, "user", NULL);
	char **argv = conf_list(c, "arg");
	sigset_t none;
	int error;

	if (!argv || !argv[0] || !env)
		init_fail("no memory for", "a program");
	if (user)
		change_user(user, env);
	if (cwd && chdir(cwd) < 0)
		init_fail("changing to the directory", cwd);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	environ = env;
	error = execute(argv);
	explain(argv[0], error);
	_exit(error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT);
}
