/* SPDX-License-Identifier: MIT */
#include "nspawn.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define PID_MAX  (1 << 22) /* PID_MAX_LIMIT, linux/threads.h */
#define ARGS_MAX 1024      /* arguments that are looked at */

static struct span after(struct span s, size_t n)
{
	return (struct span){ s.p + n, s.len - n };
}

int nspawn_machine_parse(const char *text, size_t len, struct nspawn_machine *ret)
{
	struct nspawn_machine m = { 0 };
	struct cursor c = cur_of(text, len);
	struct span line;

	while (cur_until(&c, '\n', &line) == 1) { /* bounded by @len */
		uint64_t pid;

		if (span_starts(line, "LEADER=")) {
			if (span_u64(after(line, 7), 10, &pid) < 0 || !pid || pid > PID_MAX)
				return -EPROTO;
			m.leader = (pid_t)pid;
		} else if (span_eq(line, "CLASS=container")) {
			m.container = true;
		} else if (span_starts(line, "ROOT=")) {
			m.root = after(line, 5);
		}
	}
	if (!m.leader)
		return -EPROTO;
	*ret = m;
	return 0;
}

void nspawn_name_of_path(struct span path, char ret[NSPAWN_NAME_MAX])
{
	const char *slash;
	size_t n = 0;

	while (path.len && path.p[path.len - 1] == '/')
		path.len--;
	slash = path.len ? memrchr(path.p, '/', path.len) : NULL;
	if (slash)
		path = after(path, (size_t)(slash + 1 - path.p));
	if (path.len > 4 && !memcmp(path.p + path.len - 4, ".raw", 4))
		path.len -= 4;
	if (span_eq(path, ".") || span_eq(path, ".."))
		path.len = 0;
	/* a host name takes no other characters */
	for (size_t i = 0; i < path.len && n < NSPAWN_NAME_MAX - 1; i++)
		if (isalnum((unsigned char)path.p[i]) || strchr("-_.", path.p[i]))
			ret[n++] = path.p[i];
	ret[n] = '\0';
}

/* Options whose argument is the next word unless it hangs on the option (systemd 252 and later). */
static const char short_with_arg[] = "DuLMSZipE";
static const char *const long_with_arg[] = {
	"ambient-capability",
	"background",
	"bind",
	"bind-ro",
	"bind-user",
	"capability",
	"chdir",
	"console",
	"cpu-affinity",
	"directory",
	"drop-capability",
	"hostname",
	"image",
	"image-policy",
	"inaccessible",
	"kill-signal",
	"link-journal",
	"load-credential",
	"machine",
	"network-bridge",
	"network-interface",
	"network-ipvlan",
	"network-macvlan",
	"network-namespace-path",
	"network-veth-extra",
	"network-zone",
	"notify-ready",
	"oci-bundle",
	"oom-score-adjust",
	"overlay",
	"overlay-ro",
	"personality",
	"pivot-root",
	"port",
	"private-users-ownership",
	"property",
	"register",
	"resolv-conf",
	"rlimit",
	"root-hash",
	"root-hash-sig",
	"selinux-apifs-context",
	"selinux-context",
	"set-credential",
	"setenv",
	"settings",
	"slice",
	"suppress-sync",
	"system-call-filter",
	"template",
	"timezone",
	"tmpfs",
	"user",
	"uuid",
	"verity-data",
};

static bool takes_arg(struct span name)
{
	for (size_t i = 0; i < ARRAY_SIZE(long_with_arg); i++)
		if (span_eq(name, long_with_arg[i]))
			return true;
	return false;
}

struct found {
	struct span machine, directory, image;
};

static void set(struct found *f, char option, struct span value)
{
	if (option == 'M')
		f->machine = value;
	else if (option == 'D')
		f->directory = value;
	else if (option == 'i')
		f->image = value;
}

static void long_option(struct cursor *c, struct span arg, struct found *f)
{
	const char *eq = memchr(arg.p, '=', arg.len);
	struct span name = arg, value = { 0 };

	if (eq) {
		name.len = (size_t)(eq - arg.p);
		value = after(arg, name.len + 1);
	} else if (!takes_arg(name) || cur_until(c, '\0', &value) != 1) {
		return;
	}
	set(f,
	    span_eq(name, "machine")     ? 'M'
	    : span_eq(name, "directory") ? 'D'
	    : span_eq(name, "image")     ? 'i'
					 : '\0',
	    value);
}

/* "-bD DIR", "-bDDIR" */
static void short_options(struct cursor *c, struct span arg, struct found *f)
{
	for (size_t i = 0; i < arg.len; i++) {
		struct span value = after(arg, i + 1);

		if (!strchr(short_with_arg, arg.p[i]))
			continue;
		if (value.len || cur_until(c, '\0', &value) == 1)
			set(f, arg.p[i], value);
		return;
	}
}

void nspawn_args_parse(const char *cmdline, size_t len, struct nspawn_args *ret)
{
	struct cursor c = cur_of(cmdline, len);
	struct found f = { 0 };
	struct span arg;

	*ret = (struct nspawn_args){ .name = "" };
	if (cur_until(&c, '\0', &arg) != 1)
		return;
	for (int i = 0; i < ARGS_MAX && cur_until(&c, '\0', &arg) == 1; i++) {
		/* options end where the container's command begins */
		if (arg.len < 2 || arg.p[0] != '-' || span_eq(arg, "--"))
			break;
		if (arg.p[1] == '-')
			long_option(&c, after(arg, 2), &f);
		else
			short_options(&c, after(arg, 1), &f);
	}
	ret->image = f.image.len ? f.image : f.directory;
	nspawn_name_of_path(f.machine.len ? f.machine : ret->image, ret->name);
}
