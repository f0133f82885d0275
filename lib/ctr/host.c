/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cursor.h"
#include "io.h"

int host_path(const struct ctr_env *env, char *ret, const char *fmt, ...)
{
	int n = snprintf(ret, PATH_MAX, "%s", env->root), m;
	va_list ap;

	if (n < 0 || n >= PATH_MAX)
		return -ENAMETOOLONG;
	va_start(ap, fmt);
	m = vsnprintf(ret + n, (size_t)(PATH_MAX - n), fmt, ap);
	va_end(ap);
	return m < 0 || m >= PATH_MAX - n ? -ENAMETOOLONG : 0;
}

int host_read(const char *path, char **ret, size_t *ret_len, uint64_t *ret_written_ns)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	char link[40];
	struct stat st;
	int r;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	r = io_read_at(AT_FDCWD, link, ENGINE_FILE_MAX, ret, ret_len);
	if (r < 0)
		return r;
	if (ret_written_ns)
		*ret_written_ns =
			(uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec;
	return 0;
}

int host_read_json(const char *path, struct json_object **ret, uint64_t *ret_written_ns)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = host_read(path, &text, &len, ret_written_ns);

	return r < 0 ? r : json_parse(text, len, ret, NULL);
}

/* What follows KEY and "=" between quotes. */
static int line_value(struct span line, const char *key, char **ret)
{
	struct cursor c = cur_of(line.p, line.len);
	struct span part, value;

	if (cur_until(&c, '=', &part) != 1 || !span_eq(span_trim(part), key))
		return -ENOENT;
	value = span_trim((struct span){ line.p + c.off, line.len - c.off });
	if (value.len < 2 || (value.p[0] != '"' && value.p[0] != '\''))
		return -ENOENT;
	c = cur_of(value.p + 1, value.len - 1);
	if (cur_until(&c, value.p[0], &part) != 1 || part.len == value.len - 1)
		return -ENOENT;
	*ret = span_dup(part);
	return *ret ? 0 : -ENOMEM;
}

int host_conf_value(const char *path, const char *key, char **ret)
{
	_cleanup_free_ char *text = NULL;
	struct span line;
	struct cursor c;
	size_t len;
	int r = host_read(path, &text, &len, NULL);

	if (r < 0)
		return r;
	c = cur_of(text, len);
	r = -ENOENT;
	while (r == -ENOENT && cur_until(&c, '\n', &line))
		r = line_value(line, key, ret);
	return r;
}

bool host_readable(const char *path)
{
	return !faccessat(AT_FDCWD, path, R_OK, AT_EACCESS);
}

int host_dir_check(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : 0;
}

int host_dir_open(const char *path, struct host_dir *ret)
{
	DIR *d = opendir(path);

	if (!d)
		return -errno;
	*ret = (struct host_dir){ .d = d, .left = ENGINE_CONTAINERS_MAX };
	return 0;
}

const char *host_dir_next(struct host_dir *d)
{
	while (d->left--) {
		const struct dirent *ent = readdir(d->d);

		if (!ent)
			break;
		if (ent->d_name[0] != '.')
			return ent->d_name;
	}
	d->left = 0;
	return NULL;
}

void host_dir_close(struct host_dir *d)
{
	closedirp(&d->d);
	d->d = NULL;
}

int host_places_add(struct host_places *p, const char *path)
{
	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->v[i], path))
			return 0;
	if (p->n == ARRAY_SIZE(p->v))
		return 0;
	p->v[p->n] = strdup(path);
	if (!p->v[p->n])
		return -ENOMEM;
	p->n++;
	return 0;
}

void host_places_fini(struct host_places *p)
{
	while (p->n)
		free(p->v[--p->n]);
}
