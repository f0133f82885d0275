/* SPDX-License-Identifier: MIT */
/* rktio run: one program of an image in the library OS. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "cleanup.h"
#include "cmd.h"
#include "log.h"
#include "machine.h"
#include "size.h"

#define MEMORY_MIN     (64ULL << 20)
#define MEMORY_MAX     (8ULL << 40) /* docs/libos.md, mem= */
#define MEMORY_DEFAULT (1ULL << 30)

enum {
	O_DISK = OPT_LONG,
	O_NET,
	O_PUBLISH,
	O_LINUX,
	O_STATS,
	O_CORE
};

const struct opt cmd_run_opts[] = {
	{ O_DISK, "disk", "IMAGE[,key-file=FILE|,verity=ROOTHASH][,ro]",
	  "the root file system, and what opens it", OPT_COMPLETE_FILE },
	{ 'm', "memory", "SIZE", "RAM of the library OS (default: 1G)" },
	{ O_NET, "net",
	  "tap:NAME|vhost-user:SOCKET[,ip=ADDR/LEN][,gw=ADDR][,dns=ADDR][,mac=MAC]|none",
	  "the network, and what is set inside (default: none)" },
	{ O_PUBLISH, "publish", "[ADDR:]PORT:PROGRAMPORT",
	  "let clients of this host reach a TCP server inside; may be repeated" },
	{ 'e', "env", "NAME=VALUE", "a variable of the program's environment; may be repeated" },
	{ O_LINUX, "linux", "VERSION", "the Linux to run it on (default: " MACHINE_LINUX ")",
	  OPT_COMPLETE_NONE },
	{ 'w', "workdir", "DIR", "where the program starts (default: /)", OPT_COMPLETE_NONE },
	{ 'u', "user", "USER[:GROUP]",
	  "who the program runs as: names of the image's /etc/passwd, or numbers (default: root)" },
	{ O_CORE, "core", "FILE|DIR", "keep what is in memory there if the kernel panics, for gdb",
	  OPT_COMPLETE_FILE },
	{ O_STATS, "stats", NULL, "print what the library OS has counted, at its end" },
	{ 'v', "verbose", NULL, "show the kernel's messages" },
	{ 0 },
};

struct args {
	struct machine m;
	char *disk, *net; /* the options' texts, in pieces */
	struct cmd_env env;
};

static void args_fini(const struct args *a)
{
	free(a->disk);
	free(a->net);
}

/* A comma ends a path, unless a backslash stands before it. */
static int take_disk(struct args *a, const char *text, struct err *e)
{
	struct root_opts *d = &a->m.disk;
	char *rest, *word;

	if (a->disk)
		return err_set(e, EINVAL, "--disk can be given once");
	a->disk = rest = strdup(text);
	if (!rest)
		return err_set(e, ENOMEM, "no memory");
	d->path = word = rest;
	rest = opt_cut_word(word);
	if (!*d->path)
		return err_set(e, EINVAL, "--disk begins with the path of an image");
	while ((word = rest)) {
		rest = opt_cut_word(word);
		if (!strncmp(word, "key-file=", 9) && word[9])
			d->key_file = word + 9;
		else if (!strncmp(word, "verity=", 7) && word[7])
			d->root_hash = word + 7;
		else if (!strcmp(word, "ro"))
			d->read_only = true;
		else
			return err_set(e, EINVAL,
				       "'%.80s' is no part of --disk: key-file=FILE, "
				       "verity=ROOTHASH and ro are",
				       word);
	}
	return 0;
}

static int take_net(struct args *a, const char *text, struct err *e)
{
	char *copy = strdup(text);
	int r = copy ? net_opts_parse(&a->m.net, copy, e) : err_set(e, ENOMEM, "no memory");

	free(a->net);
	a->net = copy;
	return r;
}

/* RAM and swap: a machine that fills more ends with the host's memory. 0: unknown. */
static uint64_t host_memory(void)
{
	struct sysinfo si;

	return sysinfo(&si) < 0 ? 0 : ((uint64_t)si.totalram + si.totalswap) * si.mem_unit;
}

static int take_memory(struct args *a, const char *text, struct err *e)
{
	char has[SIZE_TEXT];
	uint64_t host;

	if (size_parse(text, &a->m.memory) < 0)
		return err_set(e, EINVAL, "'%.40s' is not a size: 512M, 2G", text);
	if (a->m.memory < MEMORY_MIN)
		return err_set(e, EINVAL, "--memory %s is too little; 64M is the least", text);
	if (a->m.memory > MEMORY_MAX)
		return err_set(e, EINVAL, "--memory %s is too much; 8T is the most", text);
	host = host_memory();
	if (a->m.memory > MEMORY_DEFAULT && host && a->m.memory > host)
		return err_set(e, EINVAL, "--memory %s is too much; this host has %s", text,
			       size_show(host, has));
	return 0;
}

static int take_option(struct args *a, int id, const char *arg, struct err *e)
{
	switch (id) {
	case O_DISK:
		return take_disk(a, arg, e);
	case 'm':
		return take_memory(a, arg, e);
	case O_NET:
		return take_net(a, arg, e);
	case O_PUBLISH:
		return net_opts_publish(&a->m.net, arg, e);
	case 'e':
		return cmd_take_env(&a->env, arg, e);
	case 'w':
		return cmd_take_workdir(arg, &a->m.workdir, e);
	case O_LINUX:
		a->m.linux_version = arg;
		return 0;
	case 'u':
		a->m.user = arg;
		return 0;
	case O_STATS:
		a->m.stats = true;
		return 0;
	case O_CORE:
		a->m.core = arg;
		return 0;
	default:
		a->m.verbose = true;
		return 0;
	}
}

static int parse(struct args *a, struct opt_parser *p, struct err *e)
{
	int id, r = 0;

	while (!r && (id = opt_next(p, e)) != 0)
		r = id < 0 ? id : take_option(a, id, p->arg, e);
	if (r < 0)
		return r;
	if (!p->noperands)
		return err_set(e, EINVAL, "no program is given");
	if (!a->m.disk.path)
		return err_set(e, EINVAL,
			       "no --disk: it has the program; 'rktio image create' makes one");
	a->m.argv = p->operand;
	a->m.env = a->env.text;
	return net_opts_check(&a->m.net, e);
}

int cmd_run(struct opt_parser *p)
{
	_cleanup_(args_fini) struct args a = { .m = { .memory = MEMORY_DEFAULT } };
	int exit_code = MACHINE_EXIT_FAILED;
	struct err e = { 0 };

	if (parse(&a, p, &e) < 0)
		return cmd_usage(p, &e);
	if (machine_run(&a.m, &exit_code, &e) < 0)
		log_error("%s", e.msg);
	return exit_code;
}
