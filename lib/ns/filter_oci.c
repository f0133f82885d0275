/* SPDX-License-Identifier: MIT */
/*
 * filter_oci.c - compiles linux.seccomp of the OCI runtime specification.
 *
 * Theory of operation
 *
 * The rules go to libseccomp, as runc, crun and containerd's shims do. What
 * runc adds is added here too: in front of a program that denies by default
 * stands a stub that answers ENOSYS to system calls which are newer than all
 * that the profile names, so that C libraries fall back to older ones. Classic
 * BPF jumps are relative, so a stub can be put in front of a program as it is.
 *
 * A configuration is an engine's file, but its contents come from whoever
 * starts containers: each array has a bound.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cleanup.h"
#include "filter.h"
#include "io.h"
#include "json.h"

#define CONFIG_MAX (16 * 1024 * 1024)
#define ARCHES_MAX 24
#define RULES_MAX  4096 /* members of linux.seccomp.syscalls */
#define NAMES_MAX  1024 /* names in one of them */
#define ARGS_MAX   6    /* of a system call */
#define CONDS_MAX  32   /* conditions of one rule */
#define STUB_MAX   (ARCHES_MAX * 7)
#define X32_BIT    (1u << 30)
#define ERRNO_MAX  4095

struct build {
	scmp_filter_ctx ctx;
	uint32_t default_action;
	uint32_t arches[ARCHES_MAX];
	size_t narches;
	int last[ARCHES_MAX]; /* the largest system call number that is named, by architecture */
	bool supervised;
};

static void release(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}
#define _cleanup_ctx_ _cleanup_(release)

static const struct {
	const char *name;
	uint32_t action;
} actions[] = {
	{ "SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD },
	{ "SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD },
	{ "SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS },
	{ "SCMP_ACT_TRAP", SCMP_ACT_TRAP },
	{ "SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0) },
	{ "SCMP_ACT_TRACE", SCMP_ACT_TRACE(0) },
	{ "SCMP_ACT_ALLOW", SCMP_ACT_ALLOW },
	{ "SCMP_ACT_LOG", SCMP_ACT_LOG },
	/* Without a listener the kernel answers ENOSYS (seccomp_unotify(2)). */
	{ "SCMP_ACT_NOTIFY", SCMP_ACT_NOTIFY },
};

static const struct {
	const char *name;
	enum scmp_compare op;
} compares[] = {
	{ "SCMP_CMP_NE", SCMP_CMP_NE },
	{ "SCMP_CMP_LT", SCMP_CMP_LT },
	{ "SCMP_CMP_LE", SCMP_CMP_LE },
	{ "SCMP_CMP_EQ", SCMP_CMP_EQ },
	{ "SCMP_CMP_GE", SCMP_CMP_GE },
	{ "SCMP_CMP_GT", SCMP_CMP_GT },
	{ "SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ },
};

/* The action called @name with the errno that stands beside it in @o under @errno_key. */
static int parse_action(struct json_object *o, const char *action_key, const char *errno_key,
			uint32_t *ret)
{
	const char *name = json_str(o, action_key);
	int64_t code = EPERM;

	if (json_int(o, errno_key, &code) == 0 && (code < 0 || code > ERRNO_MAX))
		return -EPROTO;
	for (size_t i = 0; name && i < ARRAY_SIZE(actions); i++) {
		if (strcmp(name, actions[i].name) != 0)
			continue;
		*ret = actions[i].action;
		if (*ret == SCMP_ACT_ERRNO(0) || *ret == SCMP_ACT_TRACE(0))
			*ret |= (uint32_t)code;
		return 0;
	}
	return -EPROTO;
}

static int parse_u64(struct json_object *o, const char *key, uint64_t *ret)
{
	struct json_object *v = json_get(o, key);

	*ret = 0;
	if (!v)
		return 0;
	if (!json_object_is_type(v, json_type_int))
		return -EPROTO;
	*ret = json_object_get_uint64(v);
	return 0;
}

static int parse_cond(struct json_object *o, struct scmp_arg_cmp *ret)
{
	const char *name = json_str(o, "op");
	int64_t idx = -1;

	if (!name || json_int(o, "index", &idx) < 0 || idx < 0 || idx >= ARGS_MAX)
		return -EPROTO;
	ret->arg = (unsigned int)idx;
	if (parse_u64(o, "value", &ret->datum_a) < 0 || parse_u64(o, "valueTwo", &ret->datum_b) < 0)
		return -EPROTO;
	for (size_t i = 0; i < ARRAY_SIZE(compares); i++) {
		if (strcmp(name, compares[i].name) != 0)
			continue;
		ret->op = compares[i].op;
		return 0;
	}
	return -EPROTO;
}

/* Conditions, and whether two of them are about the same argument. */
static int parse_conds(struct json_object *list, struct scmp_arg_cmp *conds, size_t *ret_n,
		       bool *ret_repeated)
{
	size_t n = json_len(list);
	unsigned int seen = 0;

	*ret_repeated = false;
	if (n > CONDS_MAX)
		return -E2BIG;
	for (size_t i = 0; i < n; i++) {
		if (parse_cond(json_at(list, i), &conds[i]) < 0)
			return -EPROTO;
		*ret_repeated |= (seen & 1u << conds[i].arg) != 0;
		seen |= 1u << conds[i].arg;
	}
	*ret_n = n;
	return 0;
}

/* As runc: all conditions must hold, but those on the same argument are alternatives. */
static int add_rule(struct build *b, int nr, uint32_t action, const struct scmp_arg_cmp *conds,
		    size_t n, bool repeated)
{
	if (!repeated)
		return seccomp_rule_add_array(b->ctx, action, nr, (unsigned int)n, conds);
	for (size_t i = 0; i < n; i++) {
		int r = seccomp_rule_add_array(b->ctx, action, nr, 1, &conds[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

static void note_last(struct build *b, const char *name)
{
	for (size_t i = 0; i < b->narches; i++) {
		int nr = seccomp_syscall_resolve_name_arch(b->arches[i], name);

		if (nr > b->last[i])
			b->last[i] = nr;
	}
}

static int add_rules(struct build *b, struct json_object *rule)
{
	struct json_object *names = json_get(rule, "names");
	struct scmp_arg_cmp conds[CONDS_MAX] = { 0 };
	uint32_t action = 0;
	size_t nconds = 0;
	bool repeated = false;
	int r = parse_action(rule, "action", "errnoRet", &action);

	if (r == 0)
		r = parse_conds(json_get(rule, "args"), conds, &nconds, &repeated);
	if (r < 0)
		return r;
	if (json_len(names) > NAMES_MAX)
		return -E2BIG;
	for (size_t i = 0; i < json_len(names); i++) {
		const char *name = json_object_get_string(json_at(names, i));
		int nr = name ? seccomp_syscall_resolve_name(name) : __NR_SCMP_ERROR;

		if (!name || !*name)
			return -EPROTO;
		note_last(b, name);
		b->supervised |= action == SCMP_ACT_NOTIFY ||
				 (action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_TRACE;
		if (action == b->default_action || nr == __NR_SCMP_ERROR)
			continue;
		r = add_rule(b, nr, action, conds, nconds, repeated);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool has_arch(const struct build *b, uint32_t arch)
{
	for (size_t i = 0; i < b->narches; i++)
		if (b->arches[i] == arch)
			return true;
	return false;
}

/* "SCMP_ARCH_X86_64" of the specification is libseccomp's "x86_64"; 0 if there is none. */
static uint32_t parse_arch(const char *name)
{
	size_t skip = strlen("SCMP_ARCH_"), len = 0;
	char buf[32];

	if (!name || strncmp(name, "SCMP_ARCH_", skip) != 0)
		return 0;
	for (const char *p = name + skip; *p; p++) {
		if (len == sizeof(buf) - 1)
			return 0;
		buf[len++] = (char)tolower((unsigned char)*p);
	}
	buf[len] = '\0';
	return seccomp_arch_resolve_name(buf);
}

static int add_arches(struct build *b, struct json_object *list)
{
	for (size_t i = 0; i < json_len(list); i++) {
		uint32_t arch = parse_arch(json_object_get_string(json_at(list, i)));
		int r;

		if (!arch)
			return -EPROTO;
		if (has_arch(b, arch))
			continue;
		if (b->narches == ARCHES_MAX)
			return -E2BIG;
		r = seccomp_arch_add(b->ctx, arch);
		if (r < 0 && r != -EEXIST) /* the native one is there from the start */
			return r;
		b->arches[b->narches++] = arch;
	}
	return 0;
}

/* libseccomp's names are the kernel's numbers, but for x32, which the kernel tells by a bit. */
static uint32_t audit_arch(uint32_t scmp)
{
	return scmp == SCMP_ARCH_X32 ? AUDIT_ARCH_X86_64 : scmp;
}

/* Is the system call of this architecture, and newer than all that the profile names? */
static size_t stub_arch(const struct build *b, size_t i, struct sock_filter *out)
{
	bool x86_64 = b->arches[i] == SCMP_ARCH_X86_64, x32 = b->arches[i] == SCMP_ARCH_X32;
	size_t n = 0;

	out[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						offsetof(struct seccomp_data, arch));
	out[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, audit_arch(b->arches[i]),
						0, x86_64 || x32 ? 4 : 3);
	out[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						offsetof(struct seccomp_data, nr));
	/* Both have the same number of architecture; x32 marks its calls by a bit. */
	if (x86_64 || x32)
		out[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, X32_BIT,
							x32 ? 0 : 2, x32 ? 2 : 0);
	out[n++] =
		(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)b->last[i], 0, 1);
	out[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	return n;
}

static size_t make_stub(const struct build *b, struct sock_filter *out)
{
	uint32_t action = b->default_action & SECCOMP_RET_ACTION_FULL;
	size_t n = 0;

	if (action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG ||
	    action == SECCOMP_RET_TRACE || b->default_action == (SECCOMP_RET_ERRNO | ENOSYS))
		return 0;
	for (size_t i = 0; i < b->narches; i++)
		if (b->last[i] > 0)
			n += stub_arch(b, i, out + n);
	return n;
}

/* libseccomp 2.5 exports to a descriptor only. */
static int export_program(scmp_filter_ctx ctx, char **ret, size_t *ret_len)
{
	_cleanup_close_ int fd = memfd_create("filter", MFD_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = seccomp_export_bpf(ctx, fd);
	if (r < 0)
		return r;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	return io_read_fd(fd, BPF_MAXINSNS * sizeof(struct sock_filter), ret, ret_len);
}

static int finish(const struct build *b, unsigned int flags, struct ns_seccomp *ret)
{
	struct sock_filter stub[STUB_MAX];
	_cleanup_free_ char *prog = NULL;
	size_t nstub = make_stub(b, stub), len = 0, n;
	struct ns_seccomp_filter *f;
	int r = export_program(b->ctx, &prog, &len);

	if (r < 0)
		return r;
	n = nstub + len / sizeof(struct sock_filter);
	if (!n || len % sizeof(struct sock_filter) || n > BPF_MAXINSNS)
		return -E2BIG;
	ret->v = calloc(1, sizeof(*ret->v));
	if (!ret->v)
		return -ENOMEM;
	ret->n = 1;
	f = ret->v;
	f->insns = calloc(n, sizeof(*f->insns));
	if (!f->insns)
		return -ENOMEM;
	memcpy(f->insns, stub, nstub * sizeof(*stub));
	memcpy(f->insns + nstub, prog, len);
	f->n = (unsigned short)n;
	f->flags = flags;
	ret->supervised = b->supervised;
	return 0;
}

/* Without a list the runtimes ask for SPEC_ALLOW; TSYNC is about threads, of which we have one. */
static unsigned int parse_flags(struct json_object *list)
{
	unsigned int flags = list ? 0 : SECCOMP_FILTER_FLAG_SPEC_ALLOW;

	for (size_t i = 0; i < json_len(list); i++) {
		const char *name = json_object_get_string(json_at(list, i));

		if (name && !strcmp(name, "SECCOMP_FILTER_FLAG_LOG"))
			flags |= SECCOMP_FILTER_FLAG_LOG;
		if (name && !strcmp(name, "SECCOMP_FILTER_FLAG_SPEC_ALLOW"))
			flags |= SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	}
	return flags;
}

/* A chain of comparisons takes long for late rules; a tree needs libseccomp 2.5 and some rules. */
#define TREE_RULES 32

static int build(struct build *b, struct json_object *seccomp)
{
	struct json_object *rules = json_get(seccomp, "syscalls");
	int r = add_arches(b, json_get(seccomp, "architectures"));

	if (r < 0)
		return r;
	if (json_len(rules) > RULES_MAX)
		return -E2BIG;
	if (json_len(rules) > TREE_RULES)
		(void)seccomp_attr_set(b->ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; i < json_len(rules); i++) {
		r = add_rules(b, json_at(rules, i));
		if (r < 0)
			return r;
	}
	return 0;
}

int ns_seccomp_compile(struct json_object *seccomp, struct ns_seccomp *ret, struct err *e)
{
	_cleanup_ctx_ scmp_filter_ctx ctx = NULL;
	struct build b = { 0 };
	int r;

	memset(ret, 0, sizeof(*ret));
	if (!seccomp)
		return 0;
	if (parse_action(seccomp, "defaultAction", "defaultErrnoRet", &b.default_action) < 0 ||
	    b.default_action == SCMP_ACT_NOTIFY)
		return err_set(e, EPROTO, "linux.seccomp has no usable defaultAction");
	ctx = b.ctx = seccomp_init(b.default_action);
	if (!ctx)
		return err_set(e, ENOMEM, "libseccomp cannot start a filter");
	r = build(&b, seccomp);
	if (r == 0)
		r = finish(&b, parse_flags(json_get(seccomp, "flags")), ret);
	if (r < 0)
		return err_set(e, -r, "linux.seccomp cannot be compiled: %s", err_str(r));
	return 0;
}

int ns_seccomp_from_oci(const char *path, struct ns_seccomp *ret, struct err *e)
{
	_cleanup_json_ struct json_object *config = NULL;
	int r;

	memset(ret, 0, sizeof(*ret));
	r = json_read_at(AT_FDCWD, path, CONFIG_MAX, &config, e);
	if (r < 0)
		return r;
	r = ns_seccomp_compile(json_path(config, "linux.seccomp"), ret, e);
	return r < 0 ? err_wrap(e, r, "'%s'", path) : 0;
}
