/* SPDX-License-Identifier: MIT */
#include "task.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <linux/nsfs.h>

#include "cgroup.h"
#include "cursor.h"
#include "io.h"

#define STAT_MAX      4096
#define CGROUP_MAX    65536
#define CMDLINE_MAX   65536
#define PID_MAX       (1 << 22) /* PID_MAX_LIMIT, linux/threads.h */
#define USERNS_NEST   33        /* user_namespaces(7): 32 levels */
#define CLOCK_SLOP_NS 2000000000ULL

static int read_proc(const struct ctr_env *env, pid_t pid, const char *name, size_t max, char **ret,
		     size_t *ret_len)
{
	char path[PATH_MAX];
	int r = host_path(env, path, "/proc/%d/%s", pid, name);

	return r < 0 ? r : io_read_at(AT_FDCWD, path, max, ret, ret_len);
}

int task_stat(const struct ctr_env *env, pid_t pid, struct proc_stat *ret)
{
	_cleanup_free_ char *text = NULL;
	struct proc_stat st;
	size_t len;

	if (pid <= 0 || read_proc(env, pid, "stat", STAT_MAX, &text, &len) < 0)
		return -ESRCH;
	if (proc_stat_parse(text, len, &st) < 0 || strchr("ZXx", st.state))
		return -ESRCH;
	*ret = st;
	return 0;
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* When the process began, on CLOCK_REALTIME as it is set now. */
static uint64_t begun_ns(const struct proc_stat *t)
{
	uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK);

	return now_ns(CLOCK_REALTIME) - now_ns(CLOCK_BOOTTIME) + t->start / hz * 1000000000 +
	       t->start % hz * (1000000000 / hz);
}

/* "/docker/ID", "/system.slice/docker-ID.scope", "...:cri-containerd:ID" */
static bool component_names(struct span s, const char *id)
{
	size_t len = strlen(id);

	if (s.len > 6 && !memcmp(s.p + s.len - 6, ".scope", 6))
		s.len -= 6;
	if (!len || s.len < len || memcmp(s.p + s.len - len, id, len) != 0)
		return false;
	return s.len == len || strchr("-:", s.p[s.len - len - 1]);
}

/* Is one of the cgroups of @pid such as @is says? */
static bool any_cgroup(const struct ctr_env *env, pid_t pid,
		       bool (*is)(const struct ctr_env *env, const struct cgroup_line *line,
				  const char *arg),
		       const char *arg)
{
	_cleanup_free_ char *text = NULL;
	struct cgroup_line line;
	struct cursor c;
	size_t len;

	if (read_proc(env, pid, "cgroup", CGROUP_MAX, &text, &len) < 0)
		return false;
	c = cur_of(text, len);
	for (int i = 0; i < CGROUP_HIERARCHIES_MAX && cgroup_next(&c, &line) == 1; i++)
		if (is(env, &line, arg))
			return true;
	return false;
}

static bool path_names(const struct ctr_env *env, const struct cgroup_line *line, const char *id)
{
	struct cursor path = cur_of(line->path.p, line->path.len);
	struct span part;

	(void)env;
	while (cur_until(&path, '/', &part))
		if (component_names(part, id))
			return true;
	return false;
}

/* NS_GET_OWNER_UID and NS_GET_PARENT: Linux 4.11 and 4.9. */
static bool userns_below(const char *path, uid_t owner)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	for (int i = 0; fd >= 0 && i < USERNS_NEST; i++) {
		uid_t uid;
		int parent;

		if (ioctl(fd, NS_GET_OWNER_UID, &uid) < 0)
			return false;
		if (uid == owner)
			return true;
		parent = ioctl(fd, NS_GET_PARENT);
		(void)close(fd);
		fd = parent;
	}
	return false;
}

uid_t task_uid(const struct ctr_env *env, pid_t pid)
{
	char path[PATH_MAX];
	struct stat st;

	if (host_path(env, path, "/proc/%d", pid) < 0 || stat(path, &st) < 0)
		return TASK_ANY_OWNER;
	return st.st_uid;
}

static bool owned_by(const struct ctr_env *env, pid_t pid, uid_t owner)
{
	char path[PATH_MAX];

	if (owner == TASK_ANY_OWNER || owner == 0 || task_uid(env, pid) == owner)
		return true;
	return host_path(env, path, "/proc/%d/ns/user", pid) == 0 && userns_below(path, owner);
}

int task_check(const struct ctr_env *env, const struct task_claim *claim)
{
	struct proc_stat t;
	int r = task_stat(env, claim->pid, &t);

	if (r < 0)
		return r;
	if (!owned_by(env, claim->pid, claim->owner))
		return -ESRCH;
	if (claim->start)
		return t.start == claim->start ? 0 : -ESRCH;
	if (claim->id && any_cgroup(env, claim->pid, path_names, claim->id))
		return 0;
	if (claim->written_ns && begun_ns(&t) > claim->written_ns + CLOCK_SLOP_NS)
		return -ESRCH;
	return 0;
}

static bool file_says(const struct ctr_env *env, struct span dir, const char *mount,
		      const char *file, const char *word)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];

	if (dir.len >= PATH_MAX / 2 ||
	    host_path(env, path, "/sys/fs/cgroup%s%.*s/%s", mount, (int)dir.len, dir.p, file) < 0)
		return false;
	if (io_read_at(AT_FDCWD, path, STAT_MAX, &text, NULL) < 0)
		return false;
	return strstr(text, word) != NULL;
}

static bool is_frozen(const struct ctr_env *env, const struct cgroup_line *line, const char *arg)
{
	(void)arg;
	if (span_eq(line->controllers, "freezer"))
		return file_says(env, line->path, "/freezer", "freezer.state", "FROZEN") ||
		       file_says(env, line->path, "/freezer", "freezer.state", "FREEZING");
	if (!line->controllers.len)
		return file_says(env, line->path, "", "cgroup.events", "frozen 1") ||
		       file_says(env, line->path, "/unified", "cgroup.events", "frozen 1");
	return false;
}

bool task_frozen(const struct ctr_env *env, pid_t pid)
{
	return any_cgroup(env, pid, is_frozen, NULL);
}

bool task_beside_us(const struct ctr_env *env, pid_t pid)
{
	char path[PATH_MAX];
	struct stat theirs, ours;

	return host_path(env, path, "/proc/%d/ns/mnt", pid) == 0 && stat(path, &theirs) == 0 &&
	       stat("/proc/self/ns/mnt", &ours) == 0 && theirs.st_ino == ours.st_ino &&
	       theirs.st_dev == ours.st_dev;
}

int task_pid_parse(const char *text, pid_t *ret)
{
	size_t len = strcspn(text, " \t\r\n");
	uint64_t v;

	if (text[len + strspn(text + len, " \t\r\n")])
		return -EINVAL;
	if (span_u64((struct span){ text, len }, 10, &v) < 0 || !v || v > PID_MAX)
		return -EINVAL;
	*ret = (pid_t)v;
	return 0;
}

int tasks_open(const struct ctr_env *env, struct host_dir *ret)
{
	char path[PATH_MAX];
	int r = host_path(env, path, "/proc");

	if (r < 0)
		return r;
	r = host_dir_open(path, ret);
	if (!r)
		ret->left = PID_MAX; /* as many as there can be */
	return r;
}

int tasks_next(struct host_dir *d, pid_t *ret)
{
	const char *name;

	while ((name = host_dir_next(d)))
		if (task_pid_parse(name, ret) == 0)
			return 1;
	return 0;
}

bool task_comm_starts(const struct ctr_env *env, pid_t pid, const char *prefix)
{
	_cleanup_close_ int fd = -1;
	char buf[PATH_MAX];
	ssize_t n;

	if (host_path(env, buf, "/proc/%d/comm", pid) < 0)
		return false;
	fd = open(buf, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));
	return n > 0 && span_starts((struct span){ buf, (size_t)n }, prefix);
}

int task_cmdline(const struct ctr_env *env, pid_t pid, char **ret, size_t *ret_len)
{
	return read_proc(env, pid, "cmdline", CMDLINE_MAX, ret, ret_len);
}

const char *task_arg(const char *cmdline, size_t len, const char *name)
{
	struct cursor c = cur_of(cmdline, len);
	size_t name_len = strlen(name);
	struct span arg;

	while (cur_until(&c, '\0', &arg)) {
		if (arg.len > name_len && arg.p[name_len] == '=' && span_starts(arg, name))
			return arg.p + name_len + 1;
		if (span_eq(arg, name))
			return cur_until(&c, '\0', &arg) ? arg.p : NULL;
	}
	return NULL;
}
