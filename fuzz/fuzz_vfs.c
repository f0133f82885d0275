/* SPDX-License-Identifier: MIT */
/*
 * The input is what a peer does with a real tree, on tmpfs. FUSE_INIT comes first, with the flags that the
 * first byte chooses; then each step of STEP bytes is a request whose lengths are right and whose node
 * and file are such as earlier replies gave, mostly; the rest of its structure is the input's.
 *
 * Nothing beside the tree may change, a reply must be one that the kernel takes, and all descriptors must
 * come back.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/capability.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fuse_session.h"
#include "vfs.h"

#define STEP      24
#define STEPS_MAX 200
#define KNOWN     16
#define FILE_MAX  (1 << 20)

static struct {
	char top[64]; /* has the tree, "t", and "outside", which nobody may touch */
	bool ready, tried;
	int cwd; /* the fuzzer's, which names its files from there */
	struct stat outside, file;
} bed;

/* What the peer knows from replies. */
static struct {
	uint64_t node[KNOWN], fh[KNOWN];
	unsigned int nodes, files;
	uint32_t opcode; /* that is being answered */
	bool backing[64];
} peer;

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void path_of(char *buf, size_t size, const char *name)
{
	(void)snprintf(buf, size, "%s/%s", bed.top, name);
}

static void look(struct stat *dir, struct stat *file)
{
	char path[128];

	path_of(path, sizeof(path), "outside");
	check(lstat(path, dir) == 0);
	path_of(path, sizeof(path), "outside/f");
	check(lstat(path, file) == 0);
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_mode == b->st_mode && a->st_uid == b->st_uid &&
	       a->st_nlink == b->st_nlink && a->st_size == b->st_size &&
	       !memcmp(&a->st_ctim, &b->st_ctim, sizeof(a->st_ctim)) &&
	       !memcmp(&a->st_atim, &b->st_atim, sizeof(a->st_atim));
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void remove_all(const char *path)
{
	check(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

static void leave(void)
{
	remove_all(bed.top);
}

/* What is made has to be removable, and stay small. */
static bool lose_rights(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct caps[2];
	const struct rlimit size = { FILE_MAX, FILE_MAX };

	if (syscall(SYS_capget, &h, caps) < 0)
		return false;
	caps[0].permitted &= ~CAP_TO_MASK(CAP_LINUX_IMMUTABLE);
	caps[0].effective &= ~CAP_TO_MASK(CAP_LINUX_IMMUTABLE);
	return syscall(SYS_capset, &h, caps) == 0 && setrlimit(RLIMIT_FSIZE, &size) == 0;
}

static bool prepare(void)
{
	char path[128];
	int fd;

	bed.tried = true;
	strcpy(bed.top, "/dev/shm/fuzz-vfs.XXXXXX");
	if (geteuid() != 0 || !mkdtemp(bed.top))
		return false;
	(void)atexit(leave);
	path_of(path, sizeof(path), "outside");
	check(mkdir(path, 0777) == 0);
	path_of(path, sizeof(path), "outside/f");
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	check(fd >= 0 && close(fd) == 0);
	look(&bed.outside, &bed.file);
	bed.cwd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return bed.cwd >= 0 && lose_rights() && vfs_fs.thread_start(NULL) == 0 &&
	       fchdir(bed.cwd) == 0;
}

/* --- the peer's side of a channel --- */

static bool gives_entry(uint32_t opcode)
{
	return opcode == FUSE_LOOKUP || opcode == FUSE_MKNOD || opcode == FUSE_MKDIR ||
	       opcode == FUSE_SYMLINK || opcode == FUSE_LINK || opcode == FUSE_CREATE ||
	       opcode == FUSE_TMPFILE;
}

static bool gives_file(uint32_t opcode)
{
	return opcode == FUSE_OPEN || opcode == FUSE_OPENDIR || opcode == FUSE_CREATE ||
	       opcode == FUSE_TMPFILE;
}

static void learn(const uint8_t *reply, size_t size)
{
	struct fuse_entry_out entry;
	struct fuse_open_out file;
	size_t off = 0;

	if (gives_entry(peer.opcode)) {
		check(size >= sizeof(entry));
		memcpy(&entry, reply, sizeof(entry));
		peer.node[peer.nodes++ % KNOWN] = entry.nodeid;
		off = sizeof(entry);
	}
	if (gives_file(peer.opcode)) {
		check(size - off == sizeof(file));
		memcpy(&file, reply + off, sizeof(file));
		peer.fh[peer.files++ % KNOWN] = file.fh;
	}
}

static int peer_send(struct fuse_chan *c, const struct iovec *iov, int n)
{
	struct fuse_out_header h;
	size_t size = 0;

	(void)c;
	for (int i = 0; i < n; i++)
		size += iov[i].iov_len;
	memcpy(&h, iov[0].iov_base, sizeof(h));
	check(h.len == size);
	/* A notification's code stands where the error would. */
	if (h.unique == 0)
		return 0;
	check(h.error <= 0 && h.error >= -511 && (h.error == 0 || size == sizeof(h)));
	if (h.error == 0 && n == 2)
		learn(iov[1].iov_base, iov[1].iov_len);
	return 0;
}

static int peer_backing_open(struct fuse_chan *c, int fd)
{
	(void)c;
	check(fcntl(fd, F_GETFD) >= 0);
	for (int i = 1; i < (int)(sizeof(peer.backing)); i++) {
		if (!peer.backing[i]) {
			peer.backing[i] = true;
			return i;
		}
	}
	return -ENOSPC;
}

static void peer_backing_close(struct fuse_chan *c, int id)
{
	(void)c;
	check(id > 0 && id < (int)sizeof(peer.backing) && peer.backing[id]);
	peer.backing[id] = false;
}

static const struct fuse_transport peer_transport = { .send = peer_send,
						      .backing_open = peer_backing_open,
						      .backing_close = peer_backing_close };

/* --- requests --- */

struct msg {
	union {
		struct fuse_in_header h;
		uint8_t buf[4096];
	};
	size_t size;
};

static void put(struct msg *m, const void *p, size_t n)
{
	check(n <= sizeof(m->buf) - m->size);
	memcpy(m->buf + m->size, p, n);
	m->size += n;
	m->h.len = (uint32_t)m->size;
}

static const char *name_of(unsigned int i)
{
	static char outside[128], longest[256];
	const char *names[] = { "a",     "b",      "c",         "d",
				"e",     "f",      ".",         "..",
				"",      "/",      "a/../b",    longest,
				outside, "user.x", "trusted.y", "security.capability" };

	memset(longest, 'l', sizeof(longest) - 1);
	path_of(outside, sizeof(outside), "outside/f");
	return names[i % 16];
}

/* Bytes of the structure, and of names and data behind it. @fh: where a file's number is, or SIZE_MAX. */
struct shape {
	uint8_t size, names;
	size_t fh, data;
};

#define NONE SIZE_MAX
#define WITH(type, n, at)                     \
	{                                     \
		sizeof(struct type), n, at, 0 \
	}

static struct shape shape_of(uint32_t opcode)
{
	static const struct shape shapes[FUSE_OPCODES] = {
		[FUSE_LOOKUP] = { 0, 1, NONE, 0 },
		[FUSE_FORGET] = WITH(fuse_forget_in, 0, NONE),
		[FUSE_GETATTR] = WITH(fuse_getattr_in, 0, NONE),
		[FUSE_STATX] = WITH(fuse_statx_in, 0, NONE),
		[FUSE_SETATTR] = WITH(fuse_setattr_in, 0, offsetof(struct fuse_setattr_in, fh)),
		[FUSE_READLINK] = { 0, 0, NONE, 0 },
		[FUSE_SYMLINK] = { 0, 2, NONE, 0 },
		[FUSE_MKNOD] = WITH(fuse_mknod_in, 1, NONE),
		[FUSE_MKDIR] = WITH(fuse_mkdir_in, 1, NONE),
		[FUSE_UNLINK] = { 0, 1, NONE, 0 },
		[FUSE_RMDIR] = { 0, 1, NONE, 0 },
		[FUSE_RENAME] = WITH(fuse_rename_in, 2, NONE),
		[FUSE_RENAME2] = WITH(fuse_rename2_in, 2, NONE),
		[FUSE_LINK] = WITH(fuse_link_in, 1, NONE),
		[FUSE_OPEN] = WITH(fuse_open_in, 0, NONE),
		[FUSE_OPENDIR] = WITH(fuse_open_in, 0, NONE),
		[FUSE_READ] = WITH(fuse_read_in, 0, 0),
		[FUSE_READDIR] = WITH(fuse_read_in, 0, 0),
		[FUSE_READDIRPLUS] = WITH(fuse_read_in, 0, 0),
		[FUSE_WRITE] = { sizeof(struct fuse_write_in), 0, 0, 300 },
		[FUSE_RELEASE] = WITH(fuse_release_in, 0, 0),
		[FUSE_RELEASEDIR] = WITH(fuse_release_in, 0, 0),
		[FUSE_FSYNC] = WITH(fuse_fsync_in, 0, 0),
		[FUSE_FSYNCDIR] = WITH(fuse_fsync_in, 0, 0),
		[FUSE_CREATE] = WITH(fuse_create_in, 1, NONE),
		[FUSE_TMPFILE] = WITH(fuse_create_in, 1, NONE),
		[FUSE_SETXATTR] = { sizeof(struct fuse_setxattr_in), 1, NONE, 20 },
		[FUSE_GETXATTR] = WITH(fuse_getxattr_in, 1, NONE),
		[FUSE_LISTXATTR] = WITH(fuse_getxattr_in, 0, NONE),
		[FUSE_REMOVEXATTR] = { 0, 1, NONE, 0 },
		[FUSE_IOCTL] = { sizeof(struct fuse_ioctl_in), 0, 0, 32 },
		[FUSE_FALLOCATE] = WITH(fuse_fallocate_in, 0, 0),
		[FUSE_LSEEK] = WITH(fuse_lseek_in, 0, 0),
		[FUSE_COPY_FILE_RANGE] = WITH(fuse_copy_file_range_in, 0, 0),
		[FUSE_COPY_FILE_RANGE_64] = WITH(fuse_copy_file_range_in, 0, 0),
		[FUSE_STATFS] = { 0, 0, NONE, 0 },
		[FUSE_SYNCFS] = { 8, 0, NONE, 0 },
	};

	return shapes[opcode % FUSE_OPCODES];
}

/* Numbers that the protocol has in places of their own. */
static void set_numbers(uint32_t opcode, uint8_t *arg, size_t data, uint64_t node, uint64_t fh)
{
	uint32_t n = (uint32_t)data;

	if (opcode == FUSE_WRITE)
		memcpy(arg + offsetof(struct fuse_write_in, size), &n, sizeof(n));
	if (opcode == FUSE_SETXATTR)
		memcpy(arg + offsetof(struct fuse_setxattr_in, size), &n, sizeof(n));
	if (opcode == FUSE_IOCTL)
		memcpy(arg + offsetof(struct fuse_ioctl_in, in_size), &n, sizeof(n));
	if (opcode == FUSE_LINK || opcode == FUSE_RENAME || opcode == FUSE_RENAME2)
		memcpy(arg, &node, sizeof(node));
	if (opcode == FUSE_COPY_FILE_RANGE || opcode == FUSE_COPY_FILE_RANGE_64)
		memcpy(arg + offsetof(struct fuse_copy_file_range_in, fh_out), &fh, sizeof(fh));
}

/*
 * A step: opcode; node, another node; file, another file; two names; user; where in the structure the last
 * 16 bytes go.
 */
static void build(struct msg *m, const uint8_t *step, uint64_t unique)
{
	static const uint8_t bytes[512];
	struct fuse_in_header h = { .opcode = step[0] % FUSE_OPCODES,
				    .unique = unique,
				    .nodeid = peer.node[step[1] % KNOWN],
				    .uid = step[6] & 1 ? 1234 : 0,
				    .gid = step[6] & 2 ? 1234 : 0 };
	struct shape s = shape_of(h.opcode);
	uint8_t arg[UINT8_MAX] = { 0 };
	size_t at = s.size ? step[7] % s.size : 0;

	memcpy(arg + at, step + 8, s.size - at < 16 ? s.size - at : 16);
	if (s.size && s.fh != NONE)
		memcpy(arg + s.fh, &peer.fh[step[3] % KNOWN], sizeof(uint64_t));
	set_numbers(h.opcode, arg, s.data, peer.node[step[2] % KNOWN], peer.fh[step[4] % KNOWN]);
	m->size = 0;
	put(m, &h, sizeof(h));
	put(m, arg, s.size);
	for (unsigned int i = 0; i < s.names; i++) {
		const char *name = name_of(i ? step[5] >> 4 : step[5]);

		put(m, name, strlen(name) + 1);
	}
	put(m, bytes, s.data);
}

static void handle(struct fuse_session *s, const struct msg *m)
{
	static uint8_t *buf;
	struct fuse_chan chan = { &peer_transport };
	struct fuse_out out = { .room = FUSE_OUT_MIN };

	if (!buf)
		buf = aligned_alloc(4096, FUSE_OUT_MIN);
	check(buf);
	out.buf = buf;
	peer.opcode = m->h.opcode;
	check(fuse_session_handle(s, &chan, 0, m->buf, m->size, &out) == 0);
}

static void run(struct fuse_session *s, const uint8_t *data, size_t size)
{
	const uint32_t offered = data[0] & 1 ? 0 : UINT32_MAX;
	const struct fuse_init_in init = { .major = 7,
					   .minor = data[0] & 2 ? 31 : FUSE_MINOR,
					   .flags = offered,
					   .flags2 = offered };
	const struct fuse_in_header h = { .opcode = FUSE_INIT, .unique = 2 };
	struct msg m = { .size = 0 };

	put(&m, &h, sizeof(h));
	put(&m, &init, sizeof(init));
	handle(s, &m);
	data++;
	size--;
	for (unsigned int i = 0; i < STEPS_MAX && size >= STEP; i++, data += STEP, size -= STEP) {
		build(&m, data, i + 4);
		/* INIT comes once, and who forgets the session's end has no more to say. */
		if (m.h.opcode != FUSE_INIT && m.h.opcode != FUSE_DESTROY)
			handle(s, &m);
	}
}

/* Which descriptor would be next. */
static void find_next(int *ret_fd)
{
	*ret_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	check(*ret_fd >= 0 && close(*ret_fd) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuse_session session;
	const struct vfs_conf conf = {
		.passthrough = true, .max_fds = 4, .max_idle = 4, .times = { 1, 1, 0 }
	};
	const struct fuse_conf fuse = { .flags = vfs_flags(&conf), .max_write = FUSE_OUT_MIN };
	struct vfs *v;
	struct stat dir, file;
	struct err e;
	char tree[128];
	int root, before, after;

	if (!bed.tried)
		bed.ready = prepare();
	if (!bed.ready || !size)
		return 0;
	check(chdir("/proc/self/fd") == 0);
	memset(&peer, 0, sizeof(peer));
	peer.node[peer.nodes++] = FUSE_ROOT_ID;
	path_of(tree, sizeof(tree), "t");
	check(mkdir(tree, 0777) == 0);
	find_next(&before);
	root = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	check(vfs_new(root, &conf, &v, &e) == 0);
	fuse_session_init(&session, &vfs_fs, v, &fuse);
	run(&session, data, size);
	fuse_session_end(&session);
	vfs_free(v);
	check(close(root) == 0);
	find_next(&after);
	check(before == after);
	look(&dir, &file);
	check(same(&dir, &bed.outside) && same(&file, &bed.file));
	remove_all(tree);
	check(fchdir(bed.cwd) == 0);
	return 0;
}
