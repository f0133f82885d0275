/* SPDX-License-Identifier: MIT */
#include "core.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "io.h"
#include "status.h"

#define MAPS_TEXT_MAX (32 << 20)
#define SEGMENTS_MAX  4096
#define CHUNK         (1 << 20)
#define GENERATIONS   4                     /* launched, zygote, the one */
#define RAM_NAME      "libos-ram (deleted)" /* of a memfd, or in a tmpfs */
#define NOTE_NAME     "CORE"

_Static_assert(LO_PANIC_REGS == ELF_NGREG, "the registers of a core file");

struct segment {
	uint64_t start, end, off; /* @off: in the file that is mapped */
	uint32_t flags;           /* PF_* */
	bool ram;                 /* that file is RAM */
};

struct dump {
	const struct lo_panic *report;
	pid_t pid;
	int mem, ram, out;
	struct segment *v;
	size_t n, room;
	uint8_t *buf; /* CHUNK */
};

static void dump_fini(const struct dump *d)
{
	closep(&d->mem);
	closep(&d->ram);
	closep(&d->out);
	free(d->v);
	free(d->buf);
}

/* Whoever is in the machine chooses the number. */
static int check_pid(pid_t pid, pid_t launched, struct err *e)
{
	pid_t at = pid;

	for (int i = 0; i < GENERATIONS && at != launched; i++) {
		_cleanup_pid_ struct pid_ref p = PID_REF_INIT;
		_cleanup_status_ struct proc_status s = { 0 };
		int r = pid_open(at, &p, e);

		if (!r)
			r = proc_status_read(&p, &s, e);
		if (r < 0)
			return r;
		at = s.ppid;
	}
	return at == launched ? 0 : err_set(e, EPROTO, "process %d is not of this machine", pid);
}

static bool is_kernel(const struct lo_panic *r, uint64_t start, uint64_t end)
{
	for (int i = 0; i < LO_PANIC_RANGES; i++)
		if (start >= r->range[i].start && end <= r->range[i].end)
			return true;
	return false;
}

/* Of a line of /proc/PID/maps, which the kernel has written: start-end perms off dev inode path. */
static bool is_ram(const char *path)
{
	return !strcmp(path, "/" RAM_NAME) || !strcmp(path, "/memfd:" RAM_NAME);
}

static int take_line(struct dump *d, const char *line)
{
	struct segment s = { 0 };
	char perms[8] = "";
	int path = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %*s %*s %n", &s.start, &s.end,
		   perms, &s.off, &path) != 4)
		return -EPROTO;
	if (!is_kernel(d->report, s.start, s.end) || perms[0] != 'r')
		return 0;
	s.flags = PF_R | (perms[1] == 'w' ? PF_W : 0) | (perms[2] == 'x' ? PF_X : 0);
	s.ram = path && is_ram(line + path);
	if (d->n == SEGMENTS_MAX)
		return -E2BIG;
	if (d->n == d->room) {
		struct segment *more = realloc(d->v, (d->room * 2 + 64) * sizeof(*more));

		if (!more)
			return -ENOMEM;
		d->v = more;
		d->room = d->room * 2 + 64;
	}
	d->v[d->n++] = s;
	return 0;
}

static int read_maps(struct dump *d)
{
	_cleanup_free_ char *text = NULL;
	char path[40], *rest, *line;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/maps", d->pid);
	r = io_read_at(AT_FDCWD, path, MAPS_TEXT_MAX, &text, NULL);
	rest = text;
	while (!r && (line = strsep(&rest, "\n")))
		r = *line ? take_line(d, line) : 0;
	return r;
}

/* The descriptor that all host processes have of RAM; -1. */
static int open_ram(pid_t pid)
{
	char path[64];

	for (int fd = 0; fd < 256; fd++) {
		_cleanup_free_ char *to = NULL;

		(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
		if (io_readlink_at(AT_FDCWD, path, &to) == 0 && is_ram(to))
			return open(path, O_RDONLY | O_CLOEXEC);
	}
	return -1;
}

static int open_memory(struct dump *d, struct err *e)
{
	char path[40];

	(void)snprintf(path, sizeof(path), "/proc/%d/mem", d->pid);
	d->mem = open(path, O_RDONLY | O_CLOEXEC);
	if (d->mem < 0)
		return err_set(e, errno, "reading the memory of process %d: %s", d->pid,
			       err_str(errno));
	d->ram = open_ram(d->pid);
	d->buf = malloc(CHUNK);
	return d->buf ? 0 : err_set(e, ENOMEM, "no memory");
}

int core_check(const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *dir = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	struct stat st;
	int mode = W_OK;

	if (!dir)
		return err_set(e, ENOMEM, "no memory");
	if (stat(path, &st) < 0) {
		/* A name at the end of it is what is missing. */
		if (errno != ENOENT || !*path || (slash && !slash[1]))
			return err_set(e, errno, "'%.100s': %s", path, err_str(errno));
		path = dir;
		mode |= X_OK;
	} else if (S_ISDIR(st.st_mode)) {
		mode |= X_OK;
	} else if (!S_ISREG(st.st_mode)) {
		return err_set(e, EINVAL, "the core '%.100s' is not a file", path);
	}
	return faccessat(AT_FDCWD, path, mode, AT_EACCESS) < 0
		       ? err_set(e, errno, "'%.100s': %s", path, err_str(errno))
		       : 0;
}

static int open_out(struct dump *d, const char *path, char **ret_path, struct err *e)
{
	_cleanup_free_ char *name = NULL;
	struct stat st;
	int n;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		n = asprintf(&name, "%s/rktio-core.%d", path, d->pid);
	else
		n = asprintf(&name, "%s", path);
	if (n < 0) {
		name = NULL;
		return err_set(e, ENOMEM, "no memory");
	}
	d->out = open(name, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (d->out < 0 || fstat(d->out, &st) < 0)
		return err_set(e, errno, "making the core '%.100s': %s", name, err_str(errno));
	/* Before anything is changed: it may be /dev/null. */
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "the core '%.100s' is not a file", name);
	/* One that was there may have been readable for others. */
	if (fchmod(d->out, 0600) < 0)
		return err_set(e, errno, "making the core '%.100s': %s", name, err_str(errno));
	*ret_path = take_ptr(name);
	return 0;
}

static int put(const struct dump *d, const void *data, size_t size, uint64_t off)
{
	const uint8_t *p = data;

	while (size) {
		ssize_t n = pwrite(d->out, p, size, (off_t)off);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		off += (uint64_t)n;
		size -= (size_t)n;
	}
	return 0;
}

/* What can't be read is a hole. */
static int copy(const struct dump *d, int from, uint64_t at, uint64_t end, uint64_t to)
{
	while (at < end) {
		size_t want = end - at < CHUNK ? (size_t)(end - at) : CHUNK;
		ssize_t n = pread(from, d->buf, want, (off_t)at);
		int r;

		if (n <= 0)
			return 0;
		r = put(d, d->buf, (size_t)n, to);
		if (r < 0)
			return r;
		at += (uint64_t)n;
		to += (uint64_t)n;
	}
	return 0;
}

/* Only what is there: reading a hole through a mapping would fill it. */
static int copy_ram(const struct dump *d, const struct segment *s, uint64_t to)
{
	off_t start = (off_t)s->off, end = start + (off_t)(s->end - s->start), hole = start, data;
	int r = 0;

	while (!r && hole < end && (data = lseek(d->ram, hole, SEEK_DATA)) >= 0 && data < end) {
		hole = lseek(d->ram, data, SEEK_HOLE);
		if (hole < 0 || hole > end)
			hole = end;
		r = copy(d, d->ram, (uint64_t)data, (uint64_t)hole, to + (uint64_t)(data - start));
	}
	return r;
}

struct note {
	Elf64_Nhdr h;
	char name[8];
	struct elf_prstatus status;
} __attribute__((packed));

static int put_headers(const struct dump *d, uint64_t first)
{
	_cleanup_free_ Elf64_Phdr *ph = calloc(d->n + 1, sizeof(*ph));
	Elf64_Ehdr eh = { .e_type = ET_CORE,
			  .e_machine = EM_X86_64,
			  .e_version = EV_CURRENT,
			  .e_phoff = sizeof(eh),
			  .e_ehsize = sizeof(eh),
			  .e_phentsize = sizeof(*ph),
			  .e_phnum = (Elf64_Half)(d->n + 1) };
	struct note note = { .h = { sizeof(NOTE_NAME), sizeof(note.status), NT_PRSTATUS },
			     .name = NOTE_NAME };
	uint64_t note_off = sizeof(eh) + (d->n + 1) * sizeof(*ph), off = first;
	int r;

	if (!ph)
		return -ENOMEM;
	memcpy(eh.e_ident, ELFMAG, SELFMAG);
	eh.e_ident[EI_CLASS] = ELFCLASS64;
	eh.e_ident[EI_DATA] = ELFDATA2LSB;
	eh.e_ident[EI_VERSION] = EV_CURRENT;
	note.status.pr_pid = d->pid;
	memcpy(&note.status.pr_reg, d->report->reg, sizeof(d->report->reg));
	ph[0] = (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = note_off, .p_filesz = sizeof(note) };
	for (size_t i = 0; i < d->n; i++) {
		uint64_t size = d->v[i].end - d->v[i].start;

		ph[i + 1] = (Elf64_Phdr){ .p_type = PT_LOAD,
					  .p_flags = d->v[i].flags,
					  .p_offset = off,
					  .p_vaddr = d->v[i].start,
					  .p_filesz = size,
					  .p_memsz = size,
					  .p_align = 4096 };
		off += size;
	}
	r = put(d, &eh, sizeof(eh), 0);
	if (!r)
		r = put(d, ph, (d->n + 1) * sizeof(*ph), sizeof(eh));
	if (!r)
		r = put(d, &note, sizeof(note), note_off);
	return !r && ftruncate(d->out, (off_t)off) < 0 ? -errno : r;
}

static int put_all(const struct dump *d)
{
	uint64_t off = sizeof(Elf64_Ehdr) + (d->n + 1) * sizeof(Elf64_Phdr) + sizeof(struct note);
	int r;

	off = (off + 4095) / 4096 * 4096;
	r = put_headers(d, off);
	for (size_t i = 0; !r && i < d->n; i++) {
		const struct segment *s = &d->v[i];

		r = s->ram && d->ram >= 0 ? copy_ram(d, s, off)
					  : copy(d, d->mem, s->start, s->end, off);
		off += s->end - s->start;
	}
	return r;
}

int core_write(const struct lo_panic *report, pid_t launched, const char *path, char **ret_path,
	       struct err *e)
{
	_cleanup_(dump_fini) struct dump d = {
		.report = report, .pid = (pid_t)report->pid, .mem = -1, .ram = -1, .out = -1
	};
	_cleanup_free_ char *name = NULL;
	int r = check_pid(d.pid, launched, e);

	if (!r)
		r = open_memory(&d, e);
	if (!r)
		r = open_out(&d, path, &name, e);
	if (r < 0)
		return r;
	r = read_maps(&d);
	if (!r)
		r = put_all(&d);
	if (r < 0)
		return err_set(e, -r, "writing the core '%.100s': %s", name, err_str(r));
	*ret_path = take_ptr(name);
	return 0;
}
