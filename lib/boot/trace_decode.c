/* SPDX-License-Identifier: MIT */
/*
 * trace_decode.c - system calls in words.
 *
 * `calls` has a letter for each argument of the calls that are known:
 *
 *	d int	u unsigned	l long	x hexadecimal	o octal	p pointer
 *	s string	w bytes that are written	r bytes that are read: known at the end
 *	F descriptor of a directory	O flags of open	m mode, if the flags before it make a file
 *	P protection	M flags of mmap	S signal	C flags of clone	A AT_ flags	W flags of wait
 *	H whence	D address family	T type of socket	h how a signal mask changes	f futex
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "trace.h"

static const char *const names[TRACE_CALLS] = {
#include "syscall_names.h"
};

static const char *const calls[TRACE_CALLS] = {
	[SYS_read] = "drl",
	[SYS_write] = "dwl",
	[SYS_open] = "sOm",
	[SYS_close] = "d",
	[SYS_stat] = "sp",
	[SYS_fstat] = "dp",
	[SYS_lstat] = "sp",
	[SYS_poll] = "pud",
	[SYS_lseek] = "dlH",
	[SYS_mmap] = "plPMdx",
	[SYS_mprotect] = "plP",
	[SYS_munmap] = "pl",
	[SYS_brk] = "p",
	[SYS_rt_sigaction] = "Sppl",
	[SYS_rt_sigprocmask] = "hppl",
	[SYS_rt_sigreturn] = "",
	[SYS_ioctl] = "dxp",
	[SYS_pread64] = "drll",
	[SYS_pwrite64] = "dwll",
	[SYS_readv] = "dpd",
	[SYS_writev] = "dpd",
	[SYS_access] = "so",
	[SYS_pipe] = "p",
	[SYS_select] = "dpppp",
	[SYS_sched_yield] = "",
	[SYS_mremap] = "pllxp",
	[SYS_madvise] = "pld",
	[SYS_dup] = "d",
	[SYS_dup2] = "dd",
	[SYS_pause] = "",
	[SYS_nanosleep] = "pp",
	[SYS_alarm] = "u",
	[SYS_setitimer] = "dpp",
	[SYS_getpid] = "",
	[SYS_sendfile] = "ddpl",
	[SYS_socket] = "DTd",
	[SYS_connect] = "dpd",
	[SYS_accept] = "dpp",
	[SYS_sendto] = "dwlxpd",
	[SYS_recvfrom] = "drlxpp",
	[SYS_sendmsg] = "dpx",
	[SYS_recvmsg] = "dpx",
	[SYS_shutdown] = "dd",
	[SYS_bind] = "dpd",
	[SYS_listen] = "dd",
	[SYS_getsockname] = "dpp",
	[SYS_getpeername] = "dpp",
	[SYS_socketpair] = "DTdp",
	[SYS_setsockopt] = "dddpd",
	[SYS_getsockopt] = "dddpp",
	[SYS_clone] = "Cpppp",
	[SYS_fork] = "",
	[SYS_vfork] = "",
	[SYS_execve] = "spp",
	[SYS_exit] = "d",
	[SYS_wait4] = "dpWp",
	[SYS_kill] = "dS",
	[SYS_uname] = "p",
	[SYS_fcntl] = "ddx",
	[SYS_flock] = "dx",
	[SYS_fsync] = "d",
	[SYS_fdatasync] = "d",
	[SYS_truncate] = "sl",
	[SYS_ftruncate] = "dl",
	[SYS_getcwd] = "pl",
	[SYS_chdir] = "s",
	[SYS_fchdir] = "d",
	[SYS_rename] = "ss",
	[SYS_mkdir] = "so",
	[SYS_rmdir] = "s",
	[SYS_creat] = "so",
	[SYS_link] = "ss",
	[SYS_unlink] = "s",
	[SYS_symlink] = "ss",
	[SYS_readlink] = "spl",
	[SYS_chmod] = "so",
	[SYS_fchmod] = "do",
	[SYS_chown] = "sdd",
	[SYS_fchown] = "ddd",
	[SYS_lchown] = "sdd",
	[SYS_umask] = "o",
	[SYS_getrlimit] = "dp",
	[SYS_getrusage] = "dp",
	[SYS_getuid] = "",
	[SYS_getgid] = "",
	[SYS_setuid] = "d",
	[SYS_setgid] = "d",
	[SYS_geteuid] = "",
	[SYS_getegid] = "",
	[SYS_setpgid] = "dd",
	[SYS_getppid] = "",
	[SYS_getpgrp] = "",
	[SYS_setsid] = "",
	[SYS_getgroups] = "dp",
	[SYS_setgroups] = "dp",
	[SYS_rt_sigsuspend] = "pl",
	[SYS_sigaltstack] = "pp",
	[SYS_statfs] = "sp",
	[SYS_fstatfs] = "dp",
	[SYS_prctl] = "dxxxx",
	[SYS_arch_prctl] = "xp",
	[SYS_sync] = "",
	[SYS_chroot] = "s",
	[SYS_mount] = "ssppp",
	[SYS_umount2] = "sx",
	[SYS_gettid] = "",
	[SYS_futex] = "pfdppx",
	[SYS_epoll_create] = "d",
	[SYS_getdents64] = "dpl",
	[SYS_set_tid_address] = "p",
	[SYS_fadvise64] = "dlld",
	[SYS_clock_gettime] = "dp",
	[SYS_clock_nanosleep] = "ddpp",
	[SYS_exit_group] = "d",
	[SYS_epoll_wait] = "dpdd",
	[SYS_epoll_ctl] = "dddp",
	[SYS_tgkill] = "ddS",
	[SYS_waitid] = "ddpWp",
	[SYS_openat] = "FsOm",
	[SYS_mkdirat] = "Fso",
	[SYS_newfstatat] = "FspA",
	[SYS_unlinkat] = "FsA",
	[SYS_renameat] = "FsFs",
	[SYS_linkat] = "FsFsA",
	[SYS_symlinkat] = "sFs",
	[SYS_readlinkat] = "Fspl",
	[SYS_fchmodat] = "Fso",
	[SYS_faccessat] = "Fso",
	[SYS_pselect6] = "dppppp",
	[SYS_ppoll] = "puppl",
	[SYS_set_robust_list] = "pl",
	[SYS_utimensat] = "FspA",
	[SYS_epoll_pwait] = "dpddpl",
	[SYS_fallocate] = "dxll",
	[SYS_accept4] = "dppx",
	[SYS_eventfd2] = "dx",
	[SYS_epoll_create1] = "x",
	[SYS_dup3] = "ddO",
	[SYS_pipe2] = "pO",
	[SYS_preadv] = "dpdll",
	[SYS_pwritev] = "dpdll",
	[SYS_prlimit64] = "ddpp",
	[SYS_renameat2] = "FsFsx",
	[SYS_getrandom] = "plx",
	[SYS_memfd_create] = "sx",
	[SYS_statx] = "FsAxp",
	[SYS_rseq] = "pdxx",
	[SYS_clone3] = "pl",
	[SYS_close_range] = "uux",
	[SYS_openat2] = "Fspl",
	[SYS_faccessat2] = "FsoA",
};

struct flag {
	uint64_t bits;
	const char *name;
};

#define FLAG(x)                   \
	{                         \
		(uint64_t)(x), #x \
	}

static const struct flag open_flags[] = {
	/* O_TMPFILE has O_DIRECTORY's bit, O_SYNC has O_DSYNC's, so they come first. */
	FLAG(O_TMPFILE),
	FLAG(O_SYNC),
	FLAG(O_CREAT),
	FLAG(O_EXCL),
	FLAG(O_NOCTTY),
	FLAG(O_TRUNC),
	FLAG(O_APPEND),
	FLAG(O_NONBLOCK),
	FLAG(O_DSYNC),
	FLAG(O_ASYNC),
	FLAG(O_DIRECT),
	FLAG(O_DIRECTORY),
	FLAG(O_NOFOLLOW),
	FLAG(O_NOATIME),
	FLAG(O_CLOEXEC),
	FLAG(O_PATH),
	{ 0100000, "O_LARGEFILE" },
};
static const struct flag protections[] = { FLAG(PROT_READ), FLAG(PROT_WRITE), FLAG(PROT_EXEC),
					   FLAG(PROT_GROWSDOWN) };
static const struct flag map_flags[] = {
	FLAG(MAP_SHARED_VALIDATE), FLAG(MAP_SHARED),
	FLAG(MAP_PRIVATE),         FLAG(MAP_FIXED_NOREPLACE),
	FLAG(MAP_FIXED),           FLAG(MAP_ANONYMOUS),
	FLAG(MAP_GROWSDOWN),       FLAG(MAP_LOCKED),
	FLAG(MAP_NORESERVE),       FLAG(MAP_POPULATE),
	FLAG(MAP_NONBLOCK),        FLAG(MAP_STACK),
	FLAG(MAP_HUGETLB),         { 0x800, "MAP_DENYWRITE" },
	{ 0x40, "MAP_32BIT" },
};
static const struct flag clone_flags[] = {
	FLAG(CLONE_VM),
	FLAG(CLONE_FS),
	FLAG(CLONE_FILES),
	FLAG(CLONE_SIGHAND),
	FLAG(CLONE_PIDFD),
	FLAG(CLONE_PTRACE),
	FLAG(CLONE_VFORK),
	FLAG(CLONE_PARENT),
	FLAG(CLONE_THREAD),
	FLAG(CLONE_NEWNS),
	FLAG(CLONE_SYSVSEM),
	FLAG(CLONE_SETTLS),
	FLAG(CLONE_PARENT_SETTID),
	FLAG(CLONE_CHILD_CLEARTID),
	FLAG(CLONE_DETACHED),
	FLAG(CLONE_UNTRACED),
	FLAG(CLONE_CHILD_SETTID),
	FLAG(CLONE_NEWCGROUP),
	FLAG(CLONE_NEWUTS),
	FLAG(CLONE_NEWIPC),
	FLAG(CLONE_NEWUSER),
	FLAG(CLONE_NEWPID),
	FLAG(CLONE_NEWNET),
	FLAG(CLONE_IO),
};
static const struct flag at_flags[] = {
	FLAG(AT_SYMLINK_NOFOLLOW),
	{ 0x200, "AT_REMOVEDIR" },
	FLAG(AT_SYMLINK_FOLLOW),
	FLAG(AT_NO_AUTOMOUNT),
	FLAG(AT_EMPTY_PATH),
	{ 0x2000, "AT_STATX_FORCE_SYNC" },
	{ 0x4000, "AT_STATX_DONT_SYNC" },
};
static const struct flag wait_flags[] = { FLAG(WNOHANG),
					  FLAG(WSTOPPED),
					  FLAG(WEXITED),
					  FLAG(WCONTINUED),
					  FLAG(WNOWAIT),
					  { 0x40000000, "__WALL" },
					  { 0x80000000, "__WCLONE" } };
static const struct flag socket_flags[] = { FLAG(SOCK_CLOEXEC), FLAG(SOCK_NONBLOCK) };

static void print_flags(FILE *f, uint64_t value, const struct flag *v, size_t n, const char *none)
{
	const char *bar = "";

	for (size_t i = 0; i < n; i++) {
		if ((value & v[i].bits) != v[i].bits)
			continue;
		(void)fprintf(f, "%s%s", bar, v[i].name);
		value &= ~v[i].bits;
		bar = "|";
	}
	if (value)
		(void)fprintf(f, "%s0x%" PRIx64, bar, value);
	else if (!*bar)
		(void)fputs(none, f);
}
#define PRINT_FLAGS(f, value, v, none) print_flags(f, value, v, ARRAY_SIZE(v), none)

/* @bar: printed before what follows. */
static void print_open(FILE *f, uint32_t value)
{
	static const char *const access[] = { "O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE" };

	(void)fputs(access[value & O_ACCMODE], f);
	value &= ~(uint32_t)O_ACCMODE;
	if (!value)
		return;
	(void)fputc('|', f);
	PRINT_FLAGS(f, value, open_flags, "");
}

static void print_bytes(FILE *f, const char *p, size_t size)
{
	static const char escaped[] = "\n\t\r\v\f\"\\", letter[] = "ntrvf\"\\";

	(void)fputc('"', f);
	for (size_t i = 0; i < size; i++) {
		const char *e = p[i] ? strchr(escaped, p[i]) : NULL;
		bool digit = i + 1 < size && p[i + 1] >= '0' && p[i + 1] <= '9';

		if (e)
			(void)fprintf(f, "\\%c", letter[e - escaped]);
		else if (p[i] >= ' ' && p[i] <= '~')
			(void)fputc(p[i], f);
		else
			(void)fprintf(f, digit ? "\\%03o" : "\\%o", (unsigned char)p[i]);
	}
	(void)fputc('"', f);
}

static void print_pointer(FILE *f, uint64_t value)
{
	if (value)
		(void)fprintf(f, "0x%" PRIx64, value);
	else
		(void)fputs("NULL", f);
}

/* What was read of the program's memory for argument @arg, or the pointer alone. */
static void print_text(FILE *f, const struct lo_trace *r, unsigned int arg, bool string)
{
	const char *p = (const char *)(r + 1);

	for (int i = 0; i < LO_TRACE_TEXTS; p += r->text[i++].size) {
		size_t size = r->text[i].size;
		bool whole = string ? size && !p[size - 1] : false;

		if (!size || r->text[i].arg != arg)
			continue;
		print_bytes(f, p, size - whole);
		if (string ? !whole
			   : size < (uint64_t)(r->kind == LO_TRACE_EXIT ? r->arg[0] : r->arg[2]))
			(void)fputs("...", f);
		return;
	}
	if (!string && r->arg[arg] && !(r->kind == LO_TRACE_EXIT ? r->arg[0] : r->arg[2]))
		(void)fputs("\"\"", f);
	else
		print_pointer(f, (uint64_t)r->arg[arg]);
}

static void print_word(FILE *f, uint64_t value, const char *const *words, size_t n)
{
	if (value < n && words[value])
		(void)fputs(words[value], f);
	else
		(void)fprintf(f, "%" PRIu64, value);
}

static void print_signal(FILE *f, uint64_t value)
{
	const char *name = value < NSIG ? sigabbrev_np((int)value) : NULL;

	if (name)
		(void)fprintf(f, "SIG%s", name);
	else if (value >= 32 && value <= 64)
		(void)fprintf(f, "SIGRT_%u", (unsigned int)value - 32);
	else
		(void)fprintf(f, "%" PRIu64, value);
}

static void print_clone(FILE *f, uint64_t value)
{
	if (value & ~0xffULL)
		PRINT_FLAGS(f, value & ~0xffULL, clone_flags, "0");
	if (value & ~0xffULL && value & 0xff)
		(void)fputc('|', f);
	if (value & 0xff || !value)
		print_signal(f, value & 0xff);
}

static void print_futex(FILE *f, uint64_t value)
{
	static const char *const ops[] = { "WAIT",           "WAKE",        "FD",
					   "REQUEUE",        "CMP_REQUEUE", "WAKE_OP",
					   "LOCK_PI",        "UNLOCK_PI",   "TRYLOCK_PI",
					   "WAIT_BITSET",    "WAKE_BITSET", "WAIT_REQUEUE_PI",
					   "CMP_REQUEUE_PI", "LOCK_PI2" };
	uint64_t op = value & FUTEX_CMD_MASK & UINT32_MAX;

	if (op >= ARRAY_SIZE(ops)) {
		(void)fprintf(f, "0x%" PRIx64, value);
		return;
	}
	(void)fprintf(f, "FUTEX_%s%s%s", ops[op], value & FUTEX_PRIVATE_FLAG ? "_PRIVATE" : "",
		      value & FUTEX_CLOCK_REALTIME ? "|FUTEX_CLOCK_REALTIME" : "");
}

static void print_socket_type(FILE *f, uint32_t value)
{
	static const char *const types[] = { NULL,       "SOCK_STREAM", "SOCK_DGRAM",
					     "SOCK_RAW", "SOCK_RDM",    "SOCK_SEQPACKET" };

	print_word(f, value & 0xf, types, ARRAY_SIZE(types));
	if (!(value & ~0xfU))
		return;
	(void)fputc('|', f);
	PRINT_FLAGS(f, value & ~0xfU, socket_flags, "");
}

/* What the C library's headers name, else a number. */
static void print_small(FILE *f, char kind, uint32_t value)
{
	static const char *const whence[] = { "SEEK_SET", "SEEK_CUR", "SEEK_END", "SEEK_DATA",
					      "SEEK_HOLE" };
	static const char *const family[] = {
		[AF_UNSPEC] = "AF_UNSPEC", [AF_UNIX] = "AF_UNIX",       [AF_INET] = "AF_INET",
		[AF_INET6] = "AF_INET6",   [AF_NETLINK] = "AF_NETLINK", [AF_PACKET] = "AF_PACKET",
		[AF_ALG] = "AF_ALG"
	};
	static const char *const how[] = { "SIG_BLOCK", "SIG_UNBLOCK", "SIG_SETMASK" };

	if (kind == 'H')
		print_word(f, value, whence, ARRAY_SIZE(whence));
	else if (kind == 'D')
		print_word(f, value, family, ARRAY_SIZE(family));
	else
		print_word(f, value, how, ARRAY_SIZE(how));
}

static void print_flags_of(FILE *f, char kind, uint64_t value)
{
	switch (kind) {
	case 'O':
		print_open(f, (uint32_t)value);
		return;
	case 'P':
		PRINT_FLAGS(f, value, protections, "PROT_NONE");
		return;
	case 'M':
		PRINT_FLAGS(f, value, map_flags, "0");
		return;
	case 'C':
		print_clone(f, value);
		return;
	case 'A':
		PRINT_FLAGS(f, (uint32_t)value, at_flags, "0");
		return;
	case 'W':
		PRINT_FLAGS(f, (uint32_t)value, wait_flags, "0");
		return;
	case 'S':
		print_signal(f, (uint32_t)value);
		return;
	case 'f':
		print_futex(f, (uint32_t)value);
		return;
	case 'T':
		print_socket_type(f, (uint32_t)value);
		return;
	default:
		print_small(f, kind, (uint32_t)value);
	}
}

static void print_arg(FILE *f, const struct lo_trace *r, char kind, unsigned int i)
{
	int64_t v = r->arg[i];

	switch (kind) {
	case 'd':
		(void)fprintf(f, "%d", (int)v);
		return;
	case 'F':
		if ((int)v == AT_FDCWD)
			(void)fputs("AT_FDCWD", f);
		else
			(void)fprintf(f, "%d", (int)v);
		return;
	case 'u':
		(void)fprintf(f, "%u", (unsigned int)v);
		return;
	case 'l':
		(void)fprintf(f, "%" PRId64, v);
		return;
	case 'o':
	case 'm':
		(void)fprintf(f, "%#o", (unsigned int)v);
		return;
	case 'x':
		(void)fprintf(f, "%#" PRIx64, (uint64_t)v);
		return;
	case 'p':
		print_pointer(f, (uint64_t)v);
		return;
	case 's':
		print_text(f, r, i, true);
		return;
	case 'w':
	case 'r':
		print_text(f, r, i, false);
		return;
	default:
		print_flags_of(f, kind, (uint64_t)v);
	}
}

static const char *signature(uint32_t nr)
{
	return nr < TRACE_CALLS && calls[nr] ? calls[nr] : "xxxxxx";
}

const char *trace_name(uint32_t nr)
{
	return nr < TRACE_CALLS ? names[nr] : NULL;
}

unsigned int trace_known(uint32_t nr)
{
	const char *s = signature(nr), *r = strchr(s, 'r');

	return r ? (unsigned int)(r - s) : 6;
}

/* A mode that isn't looked at may be anything, and is left out. */
static bool has_mode(const struct lo_trace *r, unsigned int i)
{
	return i && (r->arg[i - 1] & O_CREAT || (r->arg[i - 1] & O_TMPFILE) == O_TMPFILE);
}

void trace_args(FILE *f, const struct lo_trace *r, unsigned int first, unsigned int end)
{
	const char *s = signature(r->nr);

	for (unsigned int i = first; i < end && i < strlen(s); i++) {
		if (s[i] == 'm' && !has_mode(r, i))
			continue;
		if (i > first)
			(void)fputs(", ", f);
		print_arg(f, r, s[i], i);
	}
	if (end < strlen(s))
		(void)fputs(", ", f);
}

static bool gives_pointer(uint32_t nr)
{
	return nr == SYS_mmap || nr == SYS_brk || nr == SYS_mremap;
}

void trace_result(FILE *f, const struct lo_trace *r)
{
	static const char *const again[] = { "ERESTARTSYS", "ERESTARTNOINTR", "ERESTARTNOHAND",
					     NULL, "ERESTART_RESTARTBLOCK" };
	int64_t v = r->arg[0];
	const char *name;

	if (v <= -512 && v >= -516 && again[-512 - v]) {
		(void)fprintf(f, " = ? %s", again[-512 - v]);
		return;
	}
	name = v < 0 && v >= -4095 ? strerrorname_np((int)-v) : NULL;
	if (name)
		(void)fprintf(f, " = -1 %s (%s)", name, strerrordesc_np((int)-v));
	else if (gives_pointer(r->nr))
		(void)fprintf(f, " = 0x%" PRIx64, (uint64_t)v);
	else
		(void)fprintf(f, " = %" PRId64, v);
}
