/* SPDX-License-Identifier: MIT */
#include "kvm_pages.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "array.h"
#include "cleanup.h"
#include "cursor.h"
#include "io.h"
#include "pt.h"
#include "tracee.h"

#define MAPS_MAX (256U << 20)
#define PRESENT  (1ULL << 63) /* Documentation/admin-guide/mm/pagemap.rst */
#define SWAPPED  (1ULL << 62)

struct kvm_pages_mapping {
	uint64_t start, end;
	uint64_t off; /* of @start in its file */
	dev_t dev;
	uint64_t inode; /* 0: it has no file */
	int fd;         /* of that; -1: not opened */
	bool no_file;   /* it can't be opened */
	bool on_demand; /* userfaultfd, for pages that are missing, or not mapped yet */
};

/* "start-end rwxp offset major:minor inode path" */
static int take_mapping(struct span line, struct kvm_pages *k)
{
	struct kvm_pages_mapping m = { .fd = -1 };
	struct cursor c = cur_of(line.p, line.len);
	uint64_t major, minor;
	struct span s;

	if (cur_until(&c, '-', &s) != 1 || span_u64(s, 16, &m.start) < 0 ||
	    cur_until(&c, ' ', &s) != 1 || span_u64(s, 16, &m.end) < 0 ||
	    cur_until(&c, ' ', &s) != 1 || cur_until(&c, ' ', &s) != 1 ||
	    span_u64(s, 16, &m.off) < 0 || cur_until(&c, ':', &s) != 1 ||
	    span_u64(s, 16, &major) < 0 || cur_until(&c, ' ', &s) != 1 ||
	    span_u64(s, 16, &minor) < 0 || cur_until(&c, ' ', &s) != 1 ||
	    span_u64(s, 10, &m.inode) < 0)
		return 0; /* a line of smaps about the mapping before it */
	m.dev = makedev((unsigned int)major, (unsigned int)minor);
	if (array_room(&k->v, &k->room, k->n + 1, sizeof(*k->v)) < 0)
		return -ENOMEM;
	k->v[k->n++] = m;
	return 0;
}

static bool has_flag(struct span line, const char *flag)
{
	struct span word;

	while (span_word(&line, &word) == 1)
		if (span_eq(word, flag))
			return true;
	return false;
}

static int read_mappings(struct kvm_pages *k)
{
	_cleanup_free_ char *text = NULL;
	struct cursor c;
	struct span line;
	size_t len;
	/* smaps is maps with more lines, where the kernel has it (CONFIG_PROC_PAGE_MONITOR) */
	int r = io_read_at(k->ref->procfd, "smaps", MAPS_MAX, &text, &len);

	if (r < 0)
		r = io_read_at(k->ref->procfd, "maps", MAPS_MAX, &text, &len);
	if (r < 0)
		return r;
	c = cur_of(text, len);
	while (!r && cur_until(&c, '\n', &line) == 1) {
		if (!span_starts(line, "VmFlags:"))
			r = take_mapping(line, k);
		else if (k->n)
			k->v[k->n - 1].on_demand = has_flag(line, "um") || has_flag(line, "ui");
	}
	return r < 0 ? r : k->n ? 0 : -ESRCH;
}

int kvm_pages_open(const struct pid_ref *p, struct kvm_pages *ret, struct err *e)
{
	int r;

	*ret = (struct kvm_pages){ .ref = p, .pagemap = -1 };
	r = read_mappings(ret);
	if (r < 0) {
		kvm_pages_close(ret);
		return err_set(e, -r, "the mappings of process %d can't be read: %s", p->pid,
			       err_str(r));
	}
	ret->pagemap = openat(p->procfd, "pagemap", O_RDONLY | O_CLOEXEC);
	return 0;
}

void kvm_pages_close(struct kvm_pages *k)
{
	for (size_t i = 0; i < k->n; i++)
		closep(&k->v[i].fd);
	free(k->v);
	closep(&k->pagemap);
	*k = (struct kvm_pages)KVM_PAGES_INIT;
}

/* The mapping that @at is in, or NULL. */
static struct kvm_pages_mapping *find(const struct kvm_pages *k, uint64_t at)
{
	size_t low = 0, high = k->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (at < k->v[mid].start)
			high = mid;
		else if (at >= k->v[mid].end)
			low = mid + 1;
		else
			return &k->v[mid];
	}
	return NULL;
}

bool kvm_pages_on_demand(const struct kvm_pages *k, hva_t at, uint64_t size)
{
	for (size_t i = 0; i < k->n; i++)
		if (k->v[i].on_demand && k->v[i].end > at.v &&
		    (k->v[i].start < at.v || k->v[i].start - at.v < size))
			return true;
	return false;
}

/* Keeps @fd if it is the file of @m. */
static bool take_file(struct kvm_pages_mapping *m, int fd)
{
	struct stat st;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_ino != m->inode ||
	    st.st_dev != m->dev) {
		(void)close(fd);
		return false;
	}
	m->fd = fd;
	return true;
}

/* The file among the descriptors of the process: a link of them is followed by whoever may trace it. */
static bool find_descriptor(const struct kvm_pages *k, struct kvm_pages_mapping *m)
{
	int fd = openat(k->ref->procfd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;
	struct stat st;

	if (!dir) {
		closep(&fd);
		return false;
	}
	while ((d = readdir(dir)))
		/* looked at before it is opened, which a device may notice */
		if (fstatat(dirfd(dir), d->d_name, &st, 0) == 0 && S_ISREG(st.st_mode) &&
		    st.st_ino == m->inode && st.st_dev == m->dev &&
		    take_file(m, openat(dirfd(dir), d->d_name, O_RDONLY | O_NONBLOCK | O_CLOEXEC)))
			return true;
	return false;
}

static void open_file(const struct kvm_pages *k, struct kvm_pages_mapping *m)
{
	char path[64];

	/* takes CAP_SYS_ADMIN or, since Linux 5.9, CAP_CHECKPOINT_RESTORE */
	(void)snprintf(path, sizeof(path), "map_files/%" PRIx64 "-%" PRIx64, m->start, m->end);
	m->no_file =
		!take_file(m, openat(k->ref->procfd, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) &&
		!find_descriptor(k, m);
}

/* Page by page, after more at a time did not work. */
static int copy_pages(struct kvm_pages *k, uint64_t at, size_t n, uint8_t *dst)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t *to = dst + i * PT_PAGE;
		int r = tracee_read(k->ref->pid, (rva_t){ at + i * PT_PAGE }, to, PT_PAGE);

		if (r < 0 && r != -EFAULT && r != -EIO && r != -EHWPOISON)
			return r;
		if (r < 0) {
			memset(to, 0, PT_PAGE);
			k->lost++;
		}
	}
	return 0;
}

static int copy_run(struct kvm_pages *k, uint64_t at, size_t n, uint8_t *dst)
{
	int r = tracee_read(k->ref->pid, (rva_t){ at }, dst, n * PT_PAGE);

	return r == -ESRCH || !r ? r : copy_pages(k, at, n, dst);
}

/* From the file. What is behind its end, as what is in a hole, is zeros. */
static int file_run(const struct kvm_pages_mapping *m, uint64_t at, size_t n, uint8_t *dst)
{
	uint64_t off = m->off + (at - m->start), done = 0, size = n * PT_PAGE;
	off_t data = lseek(m->fd, (off_t)off, SEEK_DATA);

	memset(dst, 0, size);
	if (data < 0 && errno == ENXIO)
		return 0;
	if (data > (off_t)off)
		done = (uint64_t)data - off;
	while (done < size) {
		ssize_t got = pread(m->fd, dst + done, size - done, (off_t)(off + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got ? -errno : 0;
		done += (uint64_t)got;
	}
	return 0;
}

/* @n pages that are alike, within one mapping. */
static int read_run(struct kvm_pages *k, struct kvm_pages_mapping *m, bool there, uint64_t at,
		    size_t n, uint8_t *dst)
{
	int r;

	if (!there && m->inode && m->fd < 0 && !m->no_file)
		open_file(k, m);
	if (there || m->on_demand || m->no_file)
		return copy_run(k, at, n, dst);
	if (!m->inode) {
		memset(dst, 0, n * PT_PAGE);
		return 0;
	}
	r = file_run(m, at, n, dst);
	return r < 0 ? copy_run(k, at, n, dst) : 0;
}

/* Which of @n pages the process has. */
static void read_pagemap(const struct kvm_pages *k, uint64_t at, size_t n, bool there[])
{
	uint64_t entry[KVM_PAGES_CHUNK];
	ssize_t got = k->pagemap < 0 ? -1
				     : pread(k->pagemap, entry, n * 8, (off_t)(at / PT_PAGE * 8));

	for (size_t i = 0; i < n; i++)
		there[i] = got < (ssize_t)(n * 8) || entry[i] & (PRESENT | SWAPPED);
}

int kvm_pages_read(struct kvm_pages *k, hva_t at, size_t n, uint8_t *dst)
{
	bool there[KVM_PAGES_CHUNK];
	int r = 0;

	if (n > KVM_PAGES_CHUNK || at.v % PT_PAGE)
		return -EINVAL;
	read_pagemap(k, at.v, n, there);
	for (size_t i = 0, run; !r && i < n; i += run) {
		uint64_t from = at.v + i * PT_PAGE;
		struct kvm_pages_mapping *m = find(k, from);
		size_t end = n;

		if (m && (m->end - from) / PT_PAGE < n - i)
			end = i + (size_t)((m->end - from) / PT_PAGE);
		for (run = 1; m && i + run < end && there[i + run] == there[i];)
			run++;
		r = m ? read_run(k, m, there[i], from, run, dst + i * PT_PAGE)
		      : copy_run(k, from, run, dst + i * PT_PAGE);
	}
	return r;
}
