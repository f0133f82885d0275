/* SPDX-License-Identifier: MIT */
#include "mountinfo.h"

#include <errno.h>
#include <string.h>

static bool is_octal(const char *p)
{
	return p[0] >= '0' && p[0] <= '3' && p[1] >= '0' && p[1] <= '7' && p[2] >= '0' &&
	       p[2] <= '7';
}

static int unescape(struct span s, char ret[PATH_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (c == '\\' && s.len - i > 3 && is_octal(s.p + i + 1)) {
			c = (char)((s.p[i + 1] - '0') << 6 | (s.p[i + 2] - '0') << 3 |
				   (s.p[i + 3] - '0'));
			i += 3;
		}
		if (n + 1 >= PATH_MAX)
			return -ENAMETOOLONG;
		ret[n++] = c;
	}
	ret[n] = '\0';
	return 0;
}

static int take_number(struct span *line, uint64_t *ret)
{
	struct span word;

	if (span_word(line, &word) != 1)
		return -EPROTO;
	return span_u64(word, 10, ret);
}

/* The optional fields (shared:N, master:N, ...) end with a lone dash. */
static int skip_optional(struct span *line)
{
	struct span word;

	while (span_word(line, &word) == 1)
		if (span_eq(word, "-"))
			return 0;
	return -EPROTO;
}

int mountinfo_next(struct cursor *c, struct mount_entry *ret)
{
	struct span line, device, root, point;

	if (cur_until(c, '\n', &line) != 1)
		return 0;
	if (take_number(&line, &ret->id) < 0 || take_number(&line, &ret->parent) < 0 ||
	    span_word(&line, &device) != 1 || span_word(&line, &root) != 1 ||
	    span_word(&line, &point) != 1 || span_word(&line, &ret->opts) != 1 ||
	    skip_optional(&line) < 0 || span_word(&line, &ret->fstype) != 1 ||
	    span_word(&line, &ret->source) != 1)
		return -EPROTO;
	ret->super_opts = span_trim(line);
	if (unescape(root, ret->root) < 0 || unescape(point, ret->point) < 0)
		return -EPROTO;
	return 1;
}

bool mount_has_opt(struct span opts, const char *word)
{
	struct cursor c = cur_of(opts.p, opts.len);
	struct span opt;

	while (cur_until(&c, ',', &opt) == 1)
		if (span_eq(opt, word))
			return true;
	return false;
}

const char *path_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	if (!strcmp(dir, "/"))
		return *path == '/' ? path + 1 : NULL;
	if (strncmp(path, dir, len) != 0)
		return NULL;
	if (!path[len])
		return path + len;
	return path[len] == '/' ? path + len + 1 : NULL;
}
