/* SPDX-License-Identifier: MIT */
#include "kinfer_files.h"

#include <errno.h>

#include "ksyms_code.h"

#define OPS_BYTES    256 /* of struct file_operations, in which all is that is looked for */
#define FS_BYTES     96  /* of struct fs_struct: its two paths end before */
#define FILES_BYTES  128 /* of struct files_struct: what leads to its table is in it */
#define FILE_BYTES   192 /* of struct file */
#define TASKS_MAX    8   /* whose files are looked at */
#define FILES_MAX    24
#define FILES_LEAST  3
#define SLOTS        64                    /* of the first table: BITS_PER_LONG */
#define SLOTS_MAX    (1U << 20)            /* sysctl_nr_open of fs/file.c */
#define OPS_LEAST    3                     /* functions that operations have at least */
#define MODULES_END  0xffffffffff000000ULL /* Documentation/arch/x86/x86_64/mm.rst */
#define FLAG_PATH    010000000U            /* O_PATH */
#define FMODE_OPENED (1U << 19)            /* include/linux/fs.h, Linux 4.19 to 7.3 */
#define ACCESS_BOTH  3U                    /* FMODE_READ, FMODE_WRITE: O_ACCMODE + 1 */
/* What open(2) leaves in f_flags: include/uapi/asm-generic/fcntl.h, from O_WRONLY on; those that make a file are taken away. */
#define FLAGS_KNOWN                                                                            \
	(3U | 02000U | 04000U | 010000U | 020000U | 040000U | 0100000U | 0200000U | 0400000U | \
	 01000000U | 02000000U | 04000000U | 010000000U | 020000000U)

struct file {
	uint8_t data[FILE_BYTES];
};

struct look {
	const struct kinfer *k;
	const struct ksyms *s;
	struct file file[FILES_MAX];
	size_t n;
};

static int lacks(const char *what, struct err *e)
{
	return err_set(e, ENOENT, "the guest's memory does not tell where %s", what);
}

static bool in_image(uint64_t v)
{
	return v >= KIMAGE_AREA && v < KIMAGE_AREA_END;
}

/* --- operations --- */

/* The first place of @function in the operations at @at; -ENOENT. */
static int find_in(const struct ksyms *s, gva_t at, gva_t function, uint32_t *ret)
{
	const uint8_t *p = kimage_at(s->image, at, OPS_BYTES);

	for (uint32_t off = 0; p && function.v && off < OPS_BYTES; off += 8)
		if (kload64(p + off) == function.v) {
			*ret = off;
			return 0;
		}
	return -ENOENT;
}

/* Three functions of /dev/null follow each other among the constants. */
static bool has_row(const struct ksyms *s, gva_t first, gva_t second, gva_t third)
{
	const struct kimage *k = s->image;

	for (size_t off = 0; first.v && off + 24 <= k->size; off += 8)
		if (kload64(k->data + off) == first.v && kload64(k->data + off + 8) == second.v &&
		    kload64(k->data + off + 16) == third.v)
			return true;
	return false;
}

/* Those of pipes: what special files are given, and what opens one is where that of other devices has it. */
static gva_t find_pipe(const struct ksyms *s, gva_t fifo_open, uint32_t open)
{
	struct kcode_refs refs;
	uint32_t at;

	ksyms_refs(s, "init_special_inode", &refs);
	for (size_t i = 0; i < refs.n; i++)
		if (!find_in(s, (gva_t){ refs.to[i] }, fifo_open, &at) && at == open)
			return (gva_t){ refs.to[i] };
	return (gva_t){ 0 };
}

static int find_ops(const struct ksyms *s, struct kinfer_files *f, struct err *e)
{
	struct ksym_want want[] = {
		{ .name = "def_chr_fops" }, { .name = "chrdev_open" }, { .name = "noop_llseek" },
		{ .name = "null_lseek" },   { .name = "read_null" },   { .name = "write_null" },
		{ .name = "fifo_open" },    { .name = "pipe_poll" },   { .name = "pipe_release" },
	};
	gva_t pipe;

	if (ksyms_lookup(s, want, ARRAY_SIZE(want)) < ARRAY_SIZE(want) ||
	    find_in(s, want[0].addr, want[1].addr, &f->open) < 0 ||
	    find_in(s, want[0].addr, want[2].addr, &f->llseek) < 0 ||
	    !has_row(s, want[3].addr, want[4].addr, want[5].addr))
		return lacks("file operations have 'read'", e);
	f->read = f->llseek + 8;
	f->write = f->llseek + 16;
	pipe = find_pipe(s, want[6].addr, f->open);
	if (!pipe.v || find_in(s, pipe, want[7].addr, &f->poll) < 0 ||
	    find_in(s, pipe, want[8].addr, &f->release) < 0 || f->poll <= f->write ||
	    f->open <= f->poll || f->release <= f->open)
		return lacks("file operations have 'poll'", e);
	return 0;
}

/* --- a task's context --- */

/*
 * The first places of the table that @files leads to: its own one, of 64, or a larger one elsewhere. (A list without elements
 * before it leads to what is no number of places.)
 */
static bool find_slots(const struct kinfer *k, uint64_t files, uint64_t slot[SLOTS])
{
	uint8_t p[FILES_BYTES], table[16];

	if (!kinfer_is_pointer(files) || gview_read(k->view, (gva_t){ files }, p, sizeof(p)) < 0)
		return false;
	for (size_t off = 8; off + 8 <= sizeof(p); off += 8) {
		const gva_t at = { kload64(p + off) };
		uint32_t n;

		if (!kinfer_is_pointer(at.v) || gview_read(k->view, at, table, sizeof(table)) < 0)
			continue;
		n = kload32(table);
		if (n >= SLOTS && n <= SLOTS_MAX && n % SLOTS == 0 &&
		    kinfer_is_pointer(kload64(table + 8)) &&
		    !gview_read(k->view, (gva_t){ kload64(table + 8) }, slot,
				SLOTS * sizeof(*slot)))
			return true;
	}
	return false;
}

/* The root of a mount is a directory, and the first that it says. */
static bool is_root(const struct kinfer *k, const uint8_t *path)
{
	const uint64_t mount = kload64(path), directory = kload64(path + 8);
	uint64_t root = 0;

	return kinfer_is_pointer(mount) && kinfer_is_pointer(directory) &&
	       !gview_read(k->view, (gva_t){ mount }, &root, sizeof(root)) && root == directory;
}

/* Root and working directory follow each other: those of a thread of the kernel are both "/". */
static bool has_paths(const struct kinfer *k, uint64_t fs, bool both)
{
	uint8_t p[FS_BYTES];

	if (!kinfer_is_pointer(fs) || gview_read(k->view, (gva_t){ fs }, p, sizeof(p)) < 0)
		return false;
	for (size_t off = 8; off + 32 <= sizeof(p); off += 8)
		if (is_root(k, p + off) && (!both || is_root(k, p + off + 16)))
			return true;
	return false;
}

/* Behind it are the open files; before it may be a second one (Linux 7.x), behind which they are not. */
static bool fits_fs(const struct kinfer *k, uint32_t off)
{
	uint64_t slot[SLOTS];

	/* the second task is the one that makes threads of the kernel */
	return has_paths(k, kload64(k->idle.data + off), true) &&
	       has_paths(k, kload64(k->task[0].data + off), false) &&
	       has_paths(k, kload64(k->task[1].data + off), true) &&
	       find_slots(k, kload64(k->task[0].data + off + 8), slot);
}

static int find_fs(const struct kinfer *k, struct kinfer_files *f, struct err *e)
{
	const uint32_t end = k->comm + KINFER_BEHIND_COMM;
	size_t found = 0;

	for (uint32_t off = k->comm + 16; off + 8 <= end; off += 8)
		if (fits_fs(k, off)) {
			f->fs = off;
			found++;
		}
	return found == 1 ? 0 : lacks("'struct task_struct' has 'fs'", e);
}

/* --- open files --- */

/* Those that are open before and after they are copied: what was closed meanwhile may be something else by now. */
static void copy_files(struct look *l, const struct kinfer_task *t, uint32_t off)
{
	const uint64_t files = kload64(t->data + off);
	uint64_t slot[SLOTS], again[SLOTS], now = 0;
	size_t n = l->n, from[FILES_MAX];

	if (!find_slots(l->k, files, slot))
		return;
	for (size_t i = 0; i < SLOTS && n < FILES_MAX; i++)
		if (kinfer_is_pointer(slot[i]) &&
		    !gview_read(l->k->view, (gva_t){ slot[i] }, l->file[n].data, FILE_BYTES))
			from[n++] = i;
	if (!find_slots(l->k, files, again) ||
	    gview_read(l->k->view, (gva_t){ t->at.v + off }, &now, sizeof(now)) < 0 || now != files)
		return;
	for (size_t i = l->n; i < n; i++)
		if (again[from[i]] == slot[from[i]])
			l->file[l->n++] = l->file[i];
}

/* Nothing but functions of the kernel's image from llseek on, and no module before. */
static bool is_ops(const struct look *l, const struct kinfer_files *f, uint64_t at)
{
	const uint8_t *p = kimage_at(l->s->image, (gva_t){ at }, OPS_BYTES);
	size_t n = 0;

	if (!p || at % 8 || kload64(p))
		return false;
	for (uint32_t off = f->llseek; off <= f->release; off += 8) {
		uint64_t v = kload64(p + off);

		/* between poll and open are flags of how memory is mapped, to Linux 6.9 */
		if (v && !in_image(v) && (off < f->poll || off > f->open))
			return false;
		n += in_image(v);
	}
	return n >= OPS_LEAST;
}

/* Of a module, or of a program of ours that is in there already, behind the image: in no copy of constants. */
static bool is_elsewhere(const struct look *l, uint64_t v)
{
	return v >= KIMAGE_AREA && v < MODULES_END && v % 8 == 0 &&
	       !kimage_at(l->s->image, (gva_t){ v }, 8);
}

static bool fits_op(const struct look *l, const struct kinfer_files *f, uint32_t off)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		const uint64_t op = kload64(l->file[i].data + off);

		if (is_elsewhere(l, op))
			continue;
		if (!is_ops(l, f, op))
			return false;
		n++;
	}
	return n >= FILES_LEAST;
}

/* Flags that are known, and in @mode what they say of reading and writing: of what was opened as a path alone, nothing. */
static bool fits_flags(const struct look *l, uint32_t off, uint32_t mode)
{
	bool writes = false;

	for (size_t i = 0; i < l->n; i++) {
		uint32_t flags = kload32(l->file[i].data + off),
			 m = kload32(l->file[i].data + mode);

		if ((flags & ~FLAGS_KNOWN) || !(m & FMODE_OPENED))
			return false;
		if (flags & FLAG_PATH)
			continue;
		if ((m & ACCESS_BOTH) != ((flags + 1) & ACCESS_BOTH))
			return false;
		writes |= flags & ACCESS_BOTH;
	}
	return writes;
}

static bool has_mode(const struct look *l, uint32_t off)
{
	for (uint32_t mode = 0; mode + 4 <= FILE_BYTES; mode += 4)
		if (mode != off && fits_flags(l, off, mode))
			return true;
	return false;
}

static int find_file(const struct look *l, struct kinfer_files *f, struct err *e)
{
	size_t ops = 0, flags = 0;

	if (l->n < FILES_LEAST)
		return lacks("open files are", e);
	for (uint32_t off = 0; off + 8 <= FILE_BYTES; off += 8)
		if (fits_op(l, f, off)) {
			f->op = off;
			ops++;
		}
	for (uint32_t off = 0; off + 4 <= FILE_BYTES; off += 4)
		if (has_mode(l, off)) {
			f->flags = off;
			flags++;
		}
	if (ops != 1)
		return lacks("'struct file' has 'f_op'", e);
	return flags == 1 ? 0 : lacks("'struct file' has 'f_flags'", e);
}

int kinfer_files(const struct kinfer *k, const struct ksyms *s, struct kinfer_files *ret,
		 struct err *e)
{
	struct look l = { .k = k, .s = s };
	size_t tasks = 0;
	int r = find_ops(s, ret, e);

	if (!r)
		r = find_fs(k, ret, e);
	/* files are the next member; threads of the kernel have none open */
	for (size_t i = 0; !r && i < k->n && tasks < TASKS_MAX; i++)
		if (!k->task[i].kernel) {
			copy_files(&l, &k->task[i], ret->fs + 8);
			tasks++;
		}
	return r < 0 ? r : find_file(&l, ret, e);
}
