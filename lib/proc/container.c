/* SPDX-License-Identifier: MIT */
#include "container.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgroup.h"
#include "cleanup.h"
#include "io.h"
#include "nsid.h"
#include "stat.h"

#define NAME_LEN_MAX 256
#define CGROUP_MAX   (256U << 10)
#define STATE_MAX    (4U << 20)
#define IDS_MAX      16   /* that have the name */
#define FOUND_MAX    16   /* containers that may be meant */
#define SHOWN        4    /* of them, in a message */
#define SHOWN_MAX    30   /* characters of each */
#define ENTRIES_MAX  4096 /* of a directory of state */
#define ID_LENGTH    64

/* What stands before a name or id in a component, and after it. */
static const char *const forms[][2] = {
	{ "docker-", ".scope" },           { "libpod-", ".scope" },  { "crio-", ".scope" },
	{ "cri-containerd-", ".scope" },   { "nerdctl-", ".scope" }, { "machine-", ".scope" },
	{ "systemd-nspawn@", ".service" }, { "lxc.payload.", "" },
};

/* Below these a component is a container's name, of an older LXC. */
static const char *const parents[] = { "lxc", "lxc.payload" };

/* Units that are none of the above. */
static const char *const units[] = { ".scope", ".service", ".slice" };

static bool ends(const char *s, const char *with)
{
	size_t n = strlen(s), k = strlen(with);

	return n > k && !strcmp(s + n - k, with);
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* As systemd escapes names in those of units: "\x2d". */
static bool unescape(struct span part, char ret[NAME_LEN_MAX])
{
	size_t n = 0;

	if (part.len >= NAME_LEN_MAX)
		return false;
	for (size_t i = 0; i < part.len; i++) {
		const char *p = part.p + i;

		if (part.len - i >= 4 && p[0] == '\\' && p[1] == 'x' && hex_digit(p[2]) >= 0 &&
		    hex_digit(p[3]) >= 0) {
			ret[n++] = (char)(hex_digit(p[2]) << 4 | hex_digit(p[3]));
			i += 3;
		} else {
			ret[n++] = *p;
		}
	}
	ret[n] = '\0';
	return true;
}

static bool is_id(const char *s)
{
	size_t n = 0;

	while (hex_digit(s[n]) >= 0)
		n++;
	return n == ID_LENGTH && !s[n];
}

/* What a component says without its form, if it has one; NULL: it is a unit of another kind. */
static const char *bare(char *part, bool *ret_form)
{
	*ret_form = false;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		size_t n = strlen(forms[i][0]);

		if (strncmp(part, forms[i][0], n) != 0 || !ends(part + n - 1, forms[i][1]))
			continue;
		part[strlen(part) - strlen(forms[i][1])] = '\0';
		*ret_form = true;
		return part + n;
	}
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (ends(part, units[i]))
			return NULL;
	return part;
}

static enum container_match match_text(const char *what, const char *name)
{
	if (!strcmp(what, name))
		return CONTAINER_BY_NAME;
	return strlen(name) >= CONTAINER_ID_LEAST && is_id(what) &&
			       !strncmp(what, name, strlen(name))
		       ? CONTAINER_BY_PREFIX
		       : CONTAINER_NO;
}

static bool is_parent(struct span part)
{
	for (size_t i = 0; i < ARRAY_SIZE(parents); i++)
		if (span_eq(part, parents[i]))
			return true;
	return false;
}

/* "docker", "kubepods", "default" have containers below them, and "container", "init" are parts of one. */
enum container_match container_match(struct span path, const char *name, struct span *ret_which)
{
	struct cursor c = cur_of(path.p, path.len);
	enum container_match ret = CONTAINER_NO;
	bool inside = false, named = false;
	struct span part;

	while (cur_until(&c, '/', &part) == 1) {
		char text[NAME_LEN_MAX];
		bool form = false;
		const char *what = unescape(part, text) ? bare(text, &form) : NULL;
		const bool sure = what && *what && (form || named || is_id(what));
		enum container_match how = CONTAINER_NO;

		if (sure || (what && *what && !inside && !cur_left(&c)))
			how = match_text(what, name);
		if (how) {
			ret = how;
			*ret_which =
				is_id(what) ? part
					    : (struct span){ path.p,
							     (size_t)(part.p + part.len - path.p) };
		}
		inside |= sure;
		named = !sure && is_parent(part);
	}
	return ret;
}

/* --- names that engines write down --- */

static bool skip(const char **at, const char *end, char c)
{
	while (*at < end && strchr(" \t\r\n", **at) && **at)
		(*at)++;
	if (*at == end || **at != c)
		return false;
	(*at)++;
	return true;
}

/* A string without anything escaped. */
static bool take_string(const char **at, const char *end, struct span *ret)
{
	const char *from;

	if (!skip(at, end, '"'))
		return false;
	from = *at;
	while (*at < end && **at != '"' && **at != '\\')
		(*at)++;
	*ret = (struct span){ from, (size_t)(*at - from) };
	return skip(at, end, '"');
}

static bool quoted(const char **at, const char *end, const char *s)
{
	struct span is;

	return take_string(at, end, &is) && span_eq(is, s);
}

bool container_json_has(struct span text, const char *key, const char *value)
{
	const char *end = text.p + text.len, *at = text.p, *next;

	while ((at = memchr(at, '"', (size_t)(end - at)))) {
		next = at++;
		if (quoted(&next, end, key) && skip(&next, end, ':') && quoted(&next, end, value))
			return true;
	}
	return false;
}

struct names {
	const char *name;
	char id[IDS_MAX][ID_LENGTH + 1];
	size_t n;
};

static void add_id(struct names *names, const char *id)
{
	if (names->n < IDS_MAX && is_id(id))
		memcpy(names->id[names->n++], id, ID_LENGTH + 1);
}

typedef void (*entry_fn)(int dirfd, const char *entry, struct names *names);

static void each_entry(int at, const char *path, entry_fn fn, struct names *names)
{
	_cleanup_close_ int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;

	if (!dir)
		return;
	(void)take_fd(&fd);
	for (int i = 0; i < ENTRIES_MAX && (d = readdir(dir)); i++)
		if (d->d_name[0] != '.')
			fn(dirfd(dir), d->d_name, names);
}

/* The file @name in the directory @entry. NULL: there is none. */
static char *read_in(int dirfd, const char *entry, const char *name, size_t *ret_len)
{
	char path[2 * NAME_LEN_MAX + 2], *text = NULL;

	(void)snprintf(path, sizeof(path), "%s/%s", entry, name);
	return io_read_at(dirfd, path, STATE_MAX, &text, ret_len) < 0 ? NULL : text;
}

static void look_docker(int dirfd, const char *entry, struct names *names)
{
	size_t len = 0;
	_cleanup_free_ char *text = is_id(entry) ? read_in(dirfd, entry, "config.v2.json", &len)
						 : NULL;
	char name[NAME_LEN_MAX + 1];

	(void)snprintf(name, sizeof(name), "/%s", names->name);
	if (text && container_json_has((struct span){ text, len }, "Name", name))
		add_id(names, entry);
}

/* Of Kubernetes a container has one, too, but its pod's sandbox only that of the pod. */
static void look_containerd(int dirfd, const char *entry, struct names *names)
{
	size_t len = 0;
	_cleanup_free_ char *text = is_id(entry) ? read_in(dirfd, entry, "config.json", &len)
						 : NULL;
	const struct span s = { text, len };
	const char *slash = strchr(names->name, '/');
	char pod[NAME_LEN_MAX];
	bool is;

	if (!text)
		return;
	(void)snprintf(pod, sizeof(pod), "%.*s", slash ? (int)(slash - names->name) : 0,
		       names->name);
	is = container_json_has(s, "io.kubernetes.cri.container-name",
				slash ? slash + 1 : names->name);
	if (is && slash)
		is = container_json_has(s, "io.kubernetes.cri.sandbox-name", pod);
	if (is || container_json_has(s, "nerdctl/name", names->name))
		add_id(names, entry);
}

static void look_namespace(int dirfd, const char *entry, struct names *names)
{
	each_entry(dirfd, entry, look_containerd, names);
}

/* "id":"ID","names":["NAME", ...]: in the order of the structure that it is made from. */
static void take_podman(const char *at, const char *end, struct names *names)
{
	struct span id, name;
	char text[ID_LENGTH + 1];
	bool is = false;

	if (!quoted(&at, end, "id") || !skip(&at, end, ':') || !take_string(&at, end, &id) ||
	    id.len != ID_LENGTH || !skip(&at, end, ',') || !quoted(&at, end, "names") ||
	    !skip(&at, end, ':') || !skip(&at, end, '['))
		return;
	while (!is && take_string(&at, end, &name)) {
		is = span_eq(name, names->name);
		if (!skip(&at, end, ','))
			break;
	}
	(void)snprintf(text, sizeof(text), "%.*s", ID_LENGTH, id.p);
	if (is)
		add_id(names, text);
}

static void look_podman(int dirfd, const char *entry, struct names *names)
{
	size_t len = 0;
	_cleanup_free_ char *text =
		ends(entry, "-containers") ? read_in(dirfd, entry, "containers.json", &len) : NULL;
	const char *at = text, *end = text + len;

	while (at && (at = memchr(at, '"', (size_t)(end - at))))
		take_podman(at++, end, names);
}

static void look_up(int rootfd, struct names *names)
{
	each_entry(rootfd, "var/lib/docker/containers", look_docker, names);
	each_entry(rootfd, "var/lib/containers/storage", look_podman, names);
	each_entry(rootfd, "run/containerd/io.containerd.runtime.v2.task", look_namespace, names);
	each_entry(rootfd, "run/k3s/containerd/io.containerd.runtime.v2.task", look_namespace,
		   names);
}

/* --- processes --- */

struct candidate {
	char which[NAME_LEN_MAX]; /* the end of what container_match() says */
	enum container_match how;
	pid_t pid; /* its first */
	uint64_t start;
};

struct search {
	const char *name;
	struct names names;
	uint64_t mntns; /* of pid 1 */
	struct candidate v[FOUND_MAX];
	size_t n;
};

/* -EOVERFLOW: there are too many that may be meant. */
static int add(struct search *s, struct span which, enum container_match how, pid_t pid,
	       uint64_t start)
{
	const size_t most = sizeof(s->v->which) - 1;
	struct candidate *c = s->v;

	if (which.len > most)
		which = (struct span){ which.p + which.len - most, most };
	while (c < s->v + s->n && !span_eq(which, c->which))
		c++;
	if (c == s->v + FOUND_MAX)
		return -EOVERFLOW;
	if (c == s->v + s->n) {
		*c = (struct candidate){ .how = how, .pid = pid, .start = start };
		memcpy(c->which, which.p, which.len);
		s->n++;
	} else if (start < c->start || (start == c->start && pid < c->pid)) {
		c->pid = pid;
		c->start = start;
	}
	return 0;
}

static enum container_match match(const struct search *s, struct span path, struct span *ret_which)
{
	enum container_match how = container_match(path, s->name, ret_which);

	for (size_t i = 0; how != CONTAINER_BY_NAME && i < s->names.n; i++)
		if (container_match(path, s->names.id[i], ret_which))
			how = CONTAINER_BY_NAME;
	return how;
}

static int look_at_cgroups(struct search *s, const char *text, size_t len, pid_t pid,
			   uint64_t start)
{
	struct cursor c = cur_of(text, len);
	struct cgroup_line line;
	int r = 0;

	while (!r && cgroup_next(&c, &line) == 1) {
		struct span which;
		enum container_match how = match(s, line.path, &which);

		r = how ? add(s, which, how, pid, start) : 0;
	}
	return r;
}

/* A process that ends meanwhile is none. */
static int look_at(struct search *s, int procfd, pid_t pid)
{
	char number[16];
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *text = NULL;
	struct proc_stat st;
	uint64_t mntns = 0;
	size_t len = 0;

	(void)snprintf(number, sizeof(number), "%d", pid);
	fd = openat(procfd, number, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || ns_ino(fd, NS_MNT, &mntns) < 0 || mntns == s->mntns ||
	    proc_stat_read(fd, &st) < 0 || io_read_at(fd, "cgroup", CGROUP_MAX, &text, &len) < 0)
		return 0;
	return look_at_cgroups(s, text, len, pid, st.start);
}

static int look_at_all(struct search *s, int procfd, struct err *e)
{
	_cleanup_close_ int fd = openat(procfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
			    first = openat(procfd, "1", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *d;
	int r = first < 0 ? -errno : ns_ino(first, NS_MNT, &s->mntns);

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (r < 0 || !dir)
		return err_set(e, r < 0 ? -r : errno, "the processes can't be read: %s",
			       err_str(r < 0 ? r : errno));
	(void)take_fd(&fd);
	while (!r && (d = readdir(dir))) {
		pid_t pid = (pid_t)strtol(d->d_name, NULL, 10);

		r = pid > 0 ? look_at(s, procfd, pid) : 0;
	}
	return r;
}

/* Is it one of the first @n by another name, that of another hierarchy? */
static bool is_known(const struct search *s, size_t n, const struct candidate *c)
{
	for (size_t i = 0; i < n; i++)
		if (s->v[i].pid == c->pid)
			return true;
	return false;
}

/* A whole name goes before the beginning of an id. */
static void drop_others(struct search *s)
{
	bool by_name = false;
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		by_name |= s->v[i].how == CONTAINER_BY_NAME;
	for (size_t i = 0; i < s->n; i++)
		if ((!by_name || s->v[i].how == CONTAINER_BY_NAME) && !is_known(s, n, &s->v[i]))
			s->v[n++] = s->v[i];
	s->n = n;
}

/* An id by its beginning, a path by its end. */
static const char *shown(const char *which)
{
	size_t n = strlen(which);

	return strchr(which, '/') && n > SHOWN_MAX ? which + n - SHOWN_MAX : which;
}

static int several(const struct search *s, struct err *e)
{
	char list[ERR_MSG_MAX / 2] = "";
	size_t at = 0;

	for (size_t i = 0; i < s->n && i < SHOWN && at < sizeof(list); i++)
		at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%.*s", i ? ", " : "",
				       SHOWN_MAX, shown(s->v[i].which));
	return err_set(e, ENOTUNIQ, "'%.60s' may be any of several containers: %s%s", s->name, list,
		       s->n > SHOWN ? ", ..." : "");
}

/* What engines take for names, and POD/CONTAINER. */
static bool can_be_name(const char *name)
{
	size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				"_.:@+-/");

	return n && n < NAME_LEN_MAX - 1 && !name[n];
}

int container_find(int procfd, int rootfd, const char *name, pid_t *ret, struct err *e)
{
	_cleanup_free_ struct search *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(e, ENOMEM, "no memory");
	if (!can_be_name(name))
		return err_set(e, EINVAL, "no container can be called '%.100s'", name);
	s->name = s->names.name = name;
	look_up(rootfd, &s->names);
	r = look_at_all(s, procfd, e);
	if (r < 0 && r != -EOVERFLOW)
		return r;
	drop_others(s);
	if (s->n > 1)
		return several(s, e);
	if (!s->n)
		return err_set(e, ENOENT, "no container that runs is called '%.100s'", name);
	*ret = s->v[0].pid;
	return 0;
}
