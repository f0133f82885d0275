/* SPDX-License-Identifier: MIT */
#include "ksyms.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ksyms_code.h"

#define KEY_MAX 128

int ksyms_info(const struct ksyms *s, const char *kind, const char *name, int base, uint64_t *ret)
{
	char key[KEY_MAX], number[24] = { 0 };
	const char *p = s->info, *end = s->info + s->info_size;
	int n = snprintf(key, sizeof(key), "\n%s(%s)=", kind, name);
	size_t len = 0;
	char *stop;

	if (n < 0 || (size_t)n >= sizeof(key))
		return -ENOENT;
	p = memmem(p, s->info_size, key, (size_t)n);
	if (!p)
		return -ENOENT;
	p += n;
	while (p + len < end && p[len] != '\n' && len < sizeof(number) - 1) {
		number[len] = p[len];
		len++;
	}
	errno = 0;
	*ret = strtoull(number, &stop, base);
	return len && !*stop && !errno && (p + len == end || p[len] == '\n') ? 0 : -ENOENT;
}

/* It says of which kernel it is: one that another kernel left in memory is none of this one's. */
static bool is_ours(const struct ksyms *s)
{
	char line[KRELEASE_MAX + 16];
	int n = snprintf(line, sizeof(line), "OSRELEASE=%s\n", s->release);

	return n > 0 && (size_t)n <= s->info_size && !memcmp(s->info, line, (size_t)n);
}

static bool read_info(struct ksyms *s, const struct kcoreinfo_symbols *at)
{
	if (kcoreinfo_read(s->view, at, s->info, &s->info_size) < 0 || !is_ours(s))
		s->info_size = 0;
	return s->info_size;
}

/* Where its symbols are not there, by the pointer that its function reads. */
int ksyms_read_info(struct ksyms *s)
{
	struct ksym_want want[] = { { .name = "vmcoreinfo_note" },
				    { .name = "vmcoreinfo_data" },
				    { .name = "vmcoreinfo_size" } };
	struct kcode_refs refs = { .n = 0 };

	if (!s->info_size && s->whole) {
		(void)kallsyms_lookup(&s->all, want, ARRAY_SIZE(want));
		(void)read_info(
			s, &(struct kcoreinfo_symbols){ want[0].addr, want[1].addr, want[2].addr });
	} else if (!s->info_size && s->all.count)
		ksyms_refs(s, "paddr_vmcoreinfo_note", &refs);
	for (size_t i = 0; i < refs.n && !s->info_size; i++)
		if (read_info(s, &(struct kcoreinfo_symbols){ .note = { refs.to[i] } }))
			s->note.v = refs.to[i];
	return s->info_size ? 0 : -ENOENT;
}

int ksyms_open(struct ksyms *s, const struct kimage *k, const struct gview *v, char *info)
{
	struct ksym_want has = { .name = "init_task" };
	int r = kallsyms_find(k, &s->all);

	s->image = k;
	s->view = v;
	s->info = info;
	s->note.v = 0;
	s->exported.count = 0;
	s->info_size = 0;
	if (r < 0)
		s->all.count = 0;
	s->whole = !r && kallsyms_lookup(&s->all, &has, 1);
	if (kimage_release(k, s->release) < 0)
		s->release[0] = '\0';
	if (s->whole)
		return 0;
	if (ksymtab_find(k, &s->exported) < 0)
		s->exported.count = 0;
	(void)!ksyms_read_info(s);
	return s->all.count || s->exported.count ? 0 : r;
}

uint32_t ksyms_count(const struct ksyms *s)
{
	return s->all.count + (uint32_t)s->exported.count;
}

static gva_t elsewhere(const struct ksyms *s, const char *name)
{
	gva_t at = { 0 };

	if (s->exported.count && !ksymtab_lookup(&s->exported, name, &at))
		return at;
	if (s->info_size && !ksyms_info(s, "SYMBOL", name, 16, &at.v))
		return at;
	if (s->note.v && !strcmp(name, "vmcoreinfo_note"))
		return s->note;
	return s->all.count ? ksyms_by_code(s, name) : (gva_t){ 0 };
}

size_t ksyms_lookup(const struct ksyms *s, struct ksym_want *want, size_t n)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		want[i].addr.v = 0;
	if (s->all.count)
		found = kallsyms_lookup(&s->all, want, n);
	for (size_t i = 0; i < n && !s->whole; i++)
		if (!want[i].addr.v) {
			want[i].addr = elsewhere(s, want[i].name);
			found += want[i].addr.v != 0;
		}
	return found;
}
