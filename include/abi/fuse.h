/* SPDX-License-Identifier: MIT */
/*
 * fuse.h - the FUSE protocol, versions 7.31 to 7.45: what lies on the wire.
 *
 * Theory of operation
 *
 * A request is a struct fuse_in_header, a structure that depends on the opcode, NUL-terminated names,
 * data, and extensions at its end. A reply is a struct fuse_out_header and, if its error is 0, a
 * structure or data. Integers are in the byte order of the machine. Names are those of Linux, whose
 * header in Debian 12 ends at 7.38; this one holds the facts, and no more of them than we use.
 */
#ifndef ABI_FUSE_H
#define ABI_FUSE_H

#include <stdint.h>
#include <sys/ioctl.h>

#define FUSE_MAJOR     7
#define FUSE_MINOR_MIN 31
#define FUSE_MINOR     45
/* From here on there is FUSE_NOTIFY_INC_EPOCH. */
#define FUSE_MINOR_EPOCH 44

#define FUSE_ROOT_ID 1
/* The device refuses to be read into less. */
#define FUSE_MIN_READ_BUFFER 8192

enum fuse_opcode {
	FUSE_LOOKUP = 1,
	FUSE_FORGET = 2,
	FUSE_GETATTR = 3,
	FUSE_SETATTR = 4,
	FUSE_READLINK = 5,
	FUSE_SYMLINK = 6,
	FUSE_MKNOD = 8,
	FUSE_MKDIR = 9,
	FUSE_UNLINK = 10,
	FUSE_RMDIR = 11,
	FUSE_RENAME = 12,
	FUSE_LINK = 13,
	FUSE_OPEN = 14,
	FUSE_READ = 15,
	FUSE_WRITE = 16,
	FUSE_STATFS = 17,
	FUSE_RELEASE = 18,
	FUSE_FSYNC = 20,
	FUSE_SETXATTR = 21,
	FUSE_GETXATTR = 22,
	FUSE_LISTXATTR = 23,
	FUSE_REMOVEXATTR = 24,
	FUSE_FLUSH = 25,
	FUSE_INIT = 26,
	FUSE_OPENDIR = 27,
	FUSE_READDIR = 28,
	FUSE_RELEASEDIR = 29,
	FUSE_FSYNCDIR = 30,
	FUSE_GETLK = 31,
	FUSE_SETLK = 32,
	FUSE_SETLKW = 33,
	FUSE_ACCESS = 34,
	FUSE_CREATE = 35,
	FUSE_INTERRUPT = 36,
	FUSE_BMAP = 37,
	FUSE_DESTROY = 38,
	FUSE_IOCTL = 39,
	FUSE_POLL = 40,
	FUSE_NOTIFY_REPLY = 41,
	FUSE_BATCH_FORGET = 42,
	FUSE_FALLOCATE = 43,
	FUSE_READDIRPLUS = 44,
	FUSE_RENAME2 = 45,
	FUSE_LSEEK = 46,
	FUSE_COPY_FILE_RANGE = 47,
	FUSE_SETUPMAPPING = 48,
	FUSE_REMOVEMAPPING = 49,
	FUSE_SYNCFS = 50,             /* 7.34 */
	FUSE_TMPFILE = 51,            /* 7.37 */
	FUSE_STATX = 52,              /* 7.39 */
	FUSE_COPY_FILE_RANGE_64 = 53, /* 7.45 */
	FUSE_OPCODES                  /* one past the last */
};

enum fuse_notify_code {
	FUSE_NOTIFY_INVAL_INODE = 2,
	FUSE_NOTIFY_INVAL_ENTRY = 3,
	FUSE_NOTIFY_DELETE = 6,
	FUSE_NOTIFY_INC_EPOCH = 8 /* 7.44 */
};

/* Flags of FUSE_INIT. Those from 32 on travel in flags2, shifted down, if FUSE_INIT_EXT is set. */
#define FUSE_ASYNC_READ           (UINT64_C(1) << 0)
#define FUSE_POSIX_LOCKS          (UINT64_C(1) << 1)
#define FUSE_ATOMIC_O_TRUNC       (UINT64_C(1) << 3)
#define FUSE_EXPORT_SUPPORT       (UINT64_C(1) << 4)
#define FUSE_BIG_WRITES           (UINT64_C(1) << 5)
#define FUSE_DONT_MASK            (UINT64_C(1) << 6)
#define FUSE_FLOCK_LOCKS          (UINT64_C(1) << 10)
#define FUSE_HAS_IOCTL_DIR        (UINT64_C(1) << 11)
#define FUSE_AUTO_INVAL_DATA      (UINT64_C(1) << 12)
#define FUSE_DO_READDIRPLUS       (UINT64_C(1) << 13)
#define FUSE_READDIRPLUS_AUTO     (UINT64_C(1) << 14)
#define FUSE_ASYNC_DIO            (UINT64_C(1) << 15)
#define FUSE_WRITEBACK_CACHE      (UINT64_C(1) << 16)
#define FUSE_NO_OPEN_SUPPORT      (UINT64_C(1) << 17)
#define FUSE_PARALLEL_DIROPS      (UINT64_C(1) << 18)
#define FUSE_HANDLE_KILLPRIV      (UINT64_C(1) << 19)
#define FUSE_POSIX_ACL            (UINT64_C(1) << 20)
#define FUSE_ABORT_ERROR          (UINT64_C(1) << 21)
#define FUSE_MAX_PAGES            (UINT64_C(1) << 22)
#define FUSE_CACHE_SYMLINKS       (UINT64_C(1) << 23)
#define FUSE_NO_OPENDIR_SUPPORT   (UINT64_C(1) << 24)
#define FUSE_EXPLICIT_INVAL_DATA  (UINT64_C(1) << 25)
#define FUSE_HANDLE_KILLPRIV_V2   (UINT64_C(1) << 28)
#define FUSE_SETXATTR_EXT         (UINT64_C(1) << 29)
#define FUSE_INIT_EXT             (UINT64_C(1) << 30)
#define FUSE_SECURITY_CTX         (UINT64_C(1) << 32)
#define FUSE_CREATE_SUPP_GROUP    (UINT64_C(1) << 34)
#define FUSE_HAS_EXPIRE_ONLY      (UINT64_C(1) << 35)
#define FUSE_DIRECT_IO_ALLOW_MMAP (UINT64_C(1) << 36)
#define FUSE_PASSTHROUGH          (UINT64_C(1) << 37)
#define FUSE_ALLOW_IDMAP          (UINT64_C(1) << 40)
#define FUSE_OVER_IO_URING        (UINT64_C(1) << 41)

enum fuse_open_out_flag {
	FOPEN_DIRECT_IO = 1 << 0,
	FOPEN_KEEP_CACHE = 1 << 1,
	FOPEN_CACHE_DIR = 1 << 3,
	FOPEN_NOFLUSH = 1 << 5,
	FOPEN_PASSTHROUGH = 1 << 7
};

enum fuse_setattr_valid {
	FATTR_MODE = 1 << 0,
	FATTR_UID = 1 << 1,
	FATTR_GID = 1 << 2,
	FATTR_SIZE = 1 << 3,
	FATTR_ATIME = 1 << 4,
	FATTR_MTIME = 1 << 5,
	FATTR_FH = 1 << 6,
	FATTR_ATIME_NOW = 1 << 7,
	FATTR_MTIME_NOW = 1 << 8,
	FATTR_KILL_SUIDGID = 1 << 11
};

/* Flags of single requests. */
enum fuse_request_flag {
	FUSE_GETATTR_FH = 1 << 0,
	FUSE_OPEN_KILL_SUIDGID = 1 << 0,
	FUSE_WRITE_CACHE = 1 << 0, /* pages of the cache; whose they were is not known */
	FUSE_WRITE_KILL_SUIDGID = 1 << 2,
	FUSE_FSYNC_FDATASYNC = 1 << 0,
	FUSE_SETXATTR_ACL_KILL_SGID = 1 << 0,
	FUSE_IOCTL_COMPAT = 1 << 0,
	FUSE_IOCTL_UNRESTRICTED = 1 << 1,
	FUSE_IOCTL_DIR = 1 << 4
};

struct fuse_in_header {
	uint32_t len; /* of everything, this included */
	uint32_t opcode;
	uint64_t unique; /* even; the interrupt of a request is odd */
	uint64_t nodeid;
	uint32_t uid, gid; /* of the caller, for files it makes */
	uint32_t pid;
	uint16_t total_extlen; /* extensions at the end, in units of 8 bytes; 7.38 */
	uint16_t padding;
};

struct fuse_out_header {
	uint32_t len;
	int32_t error; /* -errno; the code of a notification, whose unique is 0 */
	uint64_t unique;
};

struct fuse_attr {
	uint64_t ino, size, blocks;
	uint64_t atime, mtime, ctime;
	uint32_t atimensec, mtimensec, ctimensec;
	uint32_t mode, nlink, uid, gid, rdev, blksize, flags;
};

/* As struct statx of Linux. */
struct fuse_sx_time {
	int64_t sec;
	uint32_t nsec;
	int32_t reserved;
};

struct fuse_statx {
	uint32_t mask, blksize;
	uint64_t attributes;
	uint32_t nlink, uid, gid;
	uint16_t mode, pad;
	uint64_t ino, size, blocks, attributes_mask;
	struct fuse_sx_time atime, btime, ctime, mtime;
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
	uint64_t spare[14];
};

struct fuse_entry_out {
	uint64_t nodeid; /* 0: there is no such entry, remember that */
	uint64_t generation;
	uint64_t entry_valid, attr_valid; /* seconds */
	uint32_t entry_valid_nsec, attr_valid_nsec;
	struct fuse_attr attr;
};

struct fuse_attr_out {
	uint64_t attr_valid;
	uint32_t attr_valid_nsec, dummy;
	struct fuse_attr attr;
};

struct fuse_statx_out {
	uint64_t attr_valid;
	uint32_t attr_valid_nsec, flags;
	uint64_t spare[2];
	struct fuse_statx stat;
};

struct fuse_init_in {
	uint32_t major, minor, max_readahead, flags;
	uint32_t flags2; /* 7.36, as all from here */
	uint32_t unused[11];
};

struct fuse_init_out {
	uint32_t major, minor, max_readahead, flags;
	uint16_t max_background, congestion_threshold;
	uint32_t max_write, time_gran;
	uint16_t max_pages, map_alignment;
	uint32_t flags2;
	uint32_t max_stack_depth; /* 7.40 */
	uint16_t request_timeout; /* 7.43 */
	uint16_t unused[11];
};

struct fuse_forget_in {
	uint64_t nlookup;
};
struct fuse_forget_one {
	uint64_t nodeid, nlookup;
};
struct fuse_batch_forget_in {
	uint32_t count, dummy;
};
struct fuse_getattr_in {
	uint32_t getattr_flags, dummy;
	uint64_t fh;
};
struct fuse_statx_in {
	uint32_t getattr_flags, reserved;
	uint64_t fh;
	uint32_t sx_flags, sx_mask;
};
struct fuse_setattr_in {
	uint32_t valid, padding;
	uint64_t fh, size, lock_owner;
	uint64_t atime, mtime, ctime;
	uint32_t atimensec, mtimensec, ctimensec;
	uint32_t mode, unused4, uid, gid, unused5;
};
struct fuse_mknod_in {
	uint32_t mode, rdev, umask, padding;
};
struct fuse_mkdir_in {
	uint32_t mode, umask;
};
struct fuse_rename_in {
	uint64_t newdir;
};
struct fuse_rename2_in {
	uint64_t newdir;
	uint32_t flags, padding;
};
struct fuse_link_in {
	uint64_t oldnodeid;
};
struct fuse_open_in {
	uint32_t flags, open_flags;
};
struct fuse_create_in {
	uint32_t flags, mode, umask, open_flags;
};
struct fuse_open_out {
	uint64_t fh;
	uint32_t open_flags;
	int32_t backing_id; /* with FOPEN_PASSTHROUGH; 7.40 */
};
struct fuse_release_in {
	uint64_t fh;
	uint32_t flags, release_flags;
	uint64_t lock_owner;
};
struct fuse_flush_in {
	uint64_t fh;
	uint32_t unused, padding;
	uint64_t lock_owner;
};
struct fuse_read_in {
	uint64_t fh, offset;
	uint32_t size, read_flags;
	uint64_t lock_owner;
	uint32_t flags, padding;
};
struct fuse_write_in {
	uint64_t fh, offset;
	uint32_t size, write_flags;
	uint64_t lock_owner;
	uint32_t flags, padding;
};
struct fuse_write_out {
	uint32_t size, padding;
};
struct fuse_copy_file_range_out {
	uint64_t bytes_copied;
};
struct fuse_statfs_out {
	uint64_t blocks, bfree, bavail, files, ffree;
	uint32_t bsize, namelen, frsize, padding, spare[6];
};
struct fuse_fsync_in {
	uint64_t fh;
	uint32_t fsync_flags, padding;
};
/* Without FUSE_SETXATTR_EXT it ends before setxattr_flags. */
struct fuse_setxattr_in {
	uint32_t size, flags, setxattr_flags, padding;
};
#define FUSE_SETXATTR_IN_OLD 8
struct fuse_getxattr_in {
	uint32_t size, padding;
};
struct fuse_getxattr_out {
	uint32_t size, padding;
};
struct fuse_lk_in {
	uint64_t fh, owner, start, end;
	uint32_t type, pid, lk_flags, padding;
};
struct fuse_access_in {
	uint32_t mask, padding;
};
struct fuse_interrupt_in {
	uint64_t unique;
};
struct fuse_bmap_in {
	uint64_t block;
	uint32_t blocksize, padding;
};
struct fuse_ioctl_in {
	uint64_t fh;
	uint32_t flags, cmd;
	uint64_t arg;
	uint32_t in_size, out_size;
};
struct fuse_ioctl_out {
	int32_t result;
	uint32_t flags, in_iovs, out_iovs;
};
struct fuse_poll_in {
	uint64_t fh, kh;
	uint32_t flags, events;
};
struct fuse_fallocate_in {
	uint64_t fh, offset, length;
	uint32_t mode, padding;
};
struct fuse_lseek_in {
	uint64_t fh, offset;
	uint32_t whence, padding;
};
struct fuse_lseek_out {
	uint64_t offset;
};
struct fuse_copy_file_range_in {
	uint64_t fh_in, off_in, nodeid_out, fh_out, off_out, len, flags;
};
struct fuse_syncfs_in {
	uint64_t padding;
};

/* Entries of a directory, each padded to 8 bytes; FUSE_READDIRPLUS puts a fuse_entry_out before each. */
struct fuse_dirent {
	uint64_t ino;
	uint64_t off; /* where to go on after it */
	uint32_t namelen, type;
	char name[];
};

struct fuse_notify_inval_inode_out {
	uint64_t ino;
	int64_t off, len; /* off < 0: attributes only */
};
struct fuse_notify_inval_entry_out {
	uint64_t parent;
	uint32_t namelen, flags;
};
struct fuse_notify_delete_out {
	uint64_t parent, child;
	uint32_t namelen, padding;
};

/* The device's own calls. */
struct fuse_backing_map {
	int32_t fd;
	uint32_t flags;
	uint64_t padding;
};
#define FUSE_DEV_IOC_CLONE         _IOR(229, 0, uint32_t)
#define FUSE_DEV_IOC_BACKING_OPEN  _IOW(229, 1, struct fuse_backing_map)
#define FUSE_DEV_IOC_BACKING_CLOSE _IOW(229, 2, uint32_t)

/*
 * FUSE over io_uring (7.42, Linux 6.14): IORING_OP_URING_CMD on the device, in entries of 128 bytes. A request comes in
 * pieces: its header, the structure of its opcode, and all else in the payload. The reply goes back the same way, its
 * structure in the payload.
 */
enum fuse_uring_cmd {
	FUSE_IO_URING_CMD_REGISTER =
		1, /* addr, len: two iovecs, a fuse_uring_head and the payload */
	FUSE_IO_URING_CMD_COMMIT_AND_FETCH = 2 /* the reply is there */
};
struct fuse_uring_ent {
	uint64_t flags;
	uint64_t commit_id;
	uint32_t payload_size, padding;
	uint64_t reserved;
};
struct fuse_uring_head {
	uint8_t in_out[128]; /* fuse_in_header; fuse_out_header */
	uint8_t op_in[128];
	struct fuse_uring_ent ent;
};
/* In the entry itself. */
struct fuse_uring_cmd_req {
	uint64_t flags;
	uint64_t commit_id;
	uint16_t qid; /* number of a processor */
	uint8_t padding[6];
};

#define FUSE_ASSERT_SIZE(s, n) _Static_assert(sizeof(struct s) == (n), "the size of struct " #s)
FUSE_ASSERT_SIZE(fuse_in_header, 40);
FUSE_ASSERT_SIZE(fuse_out_header, 16);
FUSE_ASSERT_SIZE(fuse_attr, 88);
FUSE_ASSERT_SIZE(fuse_entry_out, 128);
FUSE_ASSERT_SIZE(fuse_statx, 256);
FUSE_ASSERT_SIZE(fuse_statx_out, 288);
FUSE_ASSERT_SIZE(fuse_init_in, 64);
FUSE_ASSERT_SIZE(fuse_init_out, 64);
FUSE_ASSERT_SIZE(fuse_setattr_in, 88);
FUSE_ASSERT_SIZE(fuse_statfs_out, 80);
FUSE_ASSERT_SIZE(fuse_write_in, 40);
FUSE_ASSERT_SIZE(fuse_lk_in, 48);
FUSE_ASSERT_SIZE(fuse_uring_head, 288);
FUSE_ASSERT_SIZE(fuse_uring_cmd_req, 24);
#undef FUSE_ASSERT_SIZE

#endif
