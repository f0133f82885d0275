/* SPDX-License-Identifier: MIT */
#include "vu_mem.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void vu_mem_init(struct vu_mem *m)
{
	*m = (struct vu_mem){ .gmem.nregions = 0 };
	m->gmem.region = m->at;
}

void vu_mem_fini(struct vu_mem *m)
{
	for (size_t i = 0; i < m->gmem.nregions; i++)
		(void)munmap(m->slot[i].map, m->slot[i].map_size);
	vu_mem_init(m);
}

/* For ranges that don't wrap. */
static bool overlap(uint64_t a, uint64_t b, uint64_t a_size, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

static int region_check(const struct vu_mem *m, const struct vu_region *r, struct err *e)
{
	uint64_t end;

	if (!r->size || __builtin_add_overflow(r->gpa, r->size, &end) ||
	    __builtin_add_overflow(r->user_addr, r->size, &end) ||
	    __builtin_add_overflow(r->fd_off, r->size, &end) || end > INT64_MAX)
		return err_set(e, EPROTO, "a memory region is empty or wraps around");
	for (size_t i = 0; i < m->gmem.nregions; i++)
		if (overlap(r->gpa, m->at[i].base.v, r->size, m->at[i].size) ||
		    overlap(r->user_addr, m->slot[i].user.v, r->size, m->at[i].size))
			return err_set(e, EPROTO, "two memory regions overlap");
	if (m->gmem.nregions >= VU_SLOTS_MAX)
		return err_set(e, EPROTO, "there are more than %d memory regions", VU_SLOTS_MAX);
	return 0;
}

int vu_mem_add(struct vu_mem *m, const struct vu_region *r, int fd, struct err *e)
{
	size_t n = m->gmem.nregions;
	struct stat st;
	size_t size;
	void *p;
	int ret = region_check(m, r, e);

	if (ret < 0)
		return ret;
	/* Mapped from the file's start: the offset need not be of whole (huge) pages. */
	size = (size_t)(r->fd_off + r->size);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size < size)
		return err_set(e, EPROTO, "a memory region is not within its file");
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return err_set(e, errno, "cannot map %" PRIu64 " bytes of shared memory: %s",
			       r->size, err_str(errno));
	m->at[n] = (struct gmem_region){ { r->gpa }, r->size, (uint8_t *)p + r->fd_off };
	m->slot[n].user.v = r->user_addr;
	m->slot[n].map = p;
	m->slot[n].map_size = size;
	m->gmem.nregions++;
	return 0;
}

int vu_mem_del(struct vu_mem *m, const struct vu_region *r, struct err *e)
{
	for (size_t i = 0; i < m->gmem.nregions; i++) {
		size_t last = m->gmem.nregions - 1;

		if (m->at[i].base.v != r->gpa || m->at[i].size != r->size ||
		    m->slot[i].user.v != r->user_addr)
			continue;
		(void)munmap(m->slot[i].map, m->slot[i].map_size);
		m->at[i] = m->at[last];
		m->slot[i] = m->slot[last];
		m->gmem.nregions = last;
		return 0;
	}
	return err_set(e, EPROTO, "there is no such memory region to remove");
}

int vu_mem_gpa(const struct vu_mem *m, rva_t a, gpa_t *ret)
{
	for (size_t i = 0; i < m->gmem.nregions; i++) {
		uint64_t off = a.v - m->slot[i].user.v; /* wraps to a huge value below it */

		if (off >= m->at[i].size)
			continue;
		ret->v = m->at[i].base.v + off;
		return 0;
	}
	return -EFAULT;
}

static const char *last_words;

static void on_bus_error(int sig)
{
	(void)sig;
	(void)!write(STDERR_FILENO, last_words, strlen(last_words));
	_exit(1);
}

int vu_mem_guard(const char *sentence)
{
	struct sigaction sa = { .sa_handler = on_bus_error };

	last_words = sentence;
	return sigaction(SIGBUS, &sa, NULL) < 0 ? -errno : 0;
}
