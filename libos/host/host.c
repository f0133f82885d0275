// SPDX-License-Identifier: MIT
/* host.c - the only code of the library OS that makes system calls of its host. */
/*
 * Theory of operation
 *
 * host_call() stands in a section of its own: host_catch_syscalls() names that section as the only
 * range from which the host takes system calls. `allowed` is the list for the filter, with reasons.
 * x86-64 only; numbers are the host's, so they are written down here and not taken from headers of
 * the kernel that is being built.
 */
#include "host.h"

#define HOST_TEXT __attribute__((section(".host.text"), __noinline__))

enum {
	NR_READ = 0,
	NR_WRITE = 1,
	NR_OPEN = 2,
	NR_CLOSE = 3,
	NR_LSEEK = 8,
	NR_MMAP = 9,
	NR_MPROTECT = 10,
	NR_MUNMAP = 11,
	NR_SIGACTION = 13,
	NR_SIGPROCMASK = 14,
	NR_SIGRETURN = 15,
	NR_IOCTL = 16,
	NR_PWRITE = 18,
	NR_MADVISE = 28,
	NR_SETITIMER = 38,
	NR_GETPID = 39,
	NR_SENDMSG = 46,
	NR_CLONE = 56,
	NR_WAIT4 = 61,
	NR_KILL = 62,
	NR_FCNTL = 72,
	NR_FTRUNCATE = 77,
	NR_GETPPID = 110,
	NR_SIGALTSTACK = 131,
	NR_PRCTL = 157,
	NR_FUTEX = 202,
	NR_SCHED_SETAFFINITY = 203,
	NR_SCHED_GETAFFINITY = 204,
	NR_RESTART_SYSCALL = 219,
	NR_CLOCK_GETTIME = 228,
	NR_EXIT_GROUP = 231,
	NR_OPENAT = 257,
	NR_UNLINKAT = 263,
	NR_PPOLL = 271,
	NR_FALLOCATE = 285,
	NR_EVENTFD2 = 290,
	NR_SECCOMP = 317,
	NR_GETRANDOM = 318,
	NR_MEMFD_CREATE = 319,
	NR_FSOPEN = 430,
	NR_FSCONFIG = 431,
	NR_FSMOUNT = 432,
};

/* What remains after the lock-down. */
static const struct {
	unsigned short nr;
	const char *name, *why;
} allowed[] = {
	{ NR_MMAP, "mmap", "installs pages of RAM at the program's addresses" },
	{ NR_MUNMAP, "munmap", "flushes them" },
	{ NR_MPROTECT, "mprotect", "makes them read-only when the program forks" },
	{ NR_MADVISE, "madvise", "fills the host's page tables" },
	{ NR_FALLOCATE, "fallocate", "gives unused RAM back" },
	{ NR_LSEEK, "lseek", "whether RAM was ever used" },
	{ NR_FUTEX, "futex", "hands the vCPU from one host process to the next" },
	{ NR_SCHED_SETAFFINITY, "sched_setaffinity",
	  "the vCPU stays on its processor when handed on" },
	{ NR_CLOCK_GETTIME, "clock_gettime", "the time of day" },
	{ NR_PPOLL, "ppoll", "sleeps until there is something to do" },
	{ NR_READ, "read", "console and device events, open descriptors only" },
	{ NR_WRITE, "write", "console and device events, open descriptors only" },
	{ NR_CLOSE, "close", "a device that is gone" },
	{ NR_IOCTL, "ioctl", "the size of the terminal window" },
	{ NR_SIGRETURN, "rt_sigreturn", "end of a tick that came while the kernel ran" },
	{ NR_RESTART_SYSCALL, "restart_syscall", "a sleep goes on after SIGSTOP and SIGCONT" },
	{ NR_CLONE, "clone", "one more host process" },
	{ NR_PRCTL, "prctl", "its system calls are caught, it dies with its parent" },
	{ NR_SETITIMER, "setitimer", "its clock tick" },
	{ NR_GETPPID, "getppid", "whether its parent still lives" },
	{ NR_WAIT4, "wait4", "which of them died" },
	{ NR_KILL, "kill", "the end of all of them" },
	{ NR_EXIT_GROUP, "exit_group", "the end of one" },
};

#define ALLOWED (sizeof(allowed) / sizeof(allowed[0]))

#define NR_MAX 512
static unsigned long counts[NR_MAX];

/* The only host system call instruction but for two below. */
static HOST_TEXT long host_call(long nr, unsigned long a, unsigned long b, unsigned long c,
				unsigned long d, unsigned long e)
{
	long r;
	register unsigned long r10 asm("r10") = d;
	register unsigned long r8 asm("r8") = e;
	register unsigned long r9 asm("r9") = 0;

	counts[nr]++;
	asm volatile("syscall"
		     : "=a"(r)
		     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
		     : "rcx", "r11", "memory");
	return r;
}

/* mmap alone has a sixth argument that matters; this one also is the hot path of page faults. */
static HOST_TEXT long host_mmap(unsigned long addr, unsigned long size, int prot, int flags, int fd,
				unsigned long off)
{
	long r;
	register long r10 asm("r10") = flags;
	register long r8 asm("r8") = fd;
	register unsigned long r9 asm("r9") = off;

	counts[NR_MMAP]++;
	asm volatile("syscall"
		     : "=a"(r)
		     : "a"((long)NR_MMAP), "D"(addr), "S"(size), "d"((long)prot), "r"(r10), "r"(r8),
		       "r"(r9)
		     : "rcx", "r11", "memory");
	return r;
}

/* The restorer of signal handlers, entered with the frame on top of the stack. */
void host_signal_return(void);
asm(".pushsection .host.text, \"ax\"\n"
    ".globl host_signal_return\n"
    "host_signal_return:\n"
    "	mov $15, %eax\n"
    "	syscall\n"
    ".popsection");

#define CLONE_FILES   0x400
#define CHILD_SIGNAL  17
#define MAP_SHARED    0x1
#define MAP_PRIVATE   0x2
#define MAP_FIXED     0x10
#define MAP_ANONYMOUS 0x20
#define MAP_NORESERVE 0x4000

static long fsconfig(long fs, unsigned long cmd, const char *key, const char *value)
{
	return host_call(NR_FSCONFIG, fs, cmd, (unsigned long)key, (unsigned long)value, 0);
}

/* A tmpfs that is mounted nowhere, as a directory. */
static long huge_tmpfs(void)
{
	const unsigned long cloexec = 1, set_string = 1, create = 6;
	long fs = host_call(NR_FSOPEN, (unsigned long)"tmpfs", cloexec, 0, 0, 0), r;

	if (fs < 0)
		return fs;
	r = fsconfig(fs, set_string, "huge", "within_size");
	if (r == 0)
		r = fsconfig(fs, set_string, "size", "0"); /* no limit */
	if (r == 0)
		r = fsconfig(fs, create, NULL, NULL);
	if (r == 0)
		r = host_call(NR_FSMOUNT, fs, cloexec, 0, 0, 0);
	host_close(fs);
	return r;
}

long host_memory(const char *name)
{
	const unsigned long rdwr_creat_excl_cloexec = 02 | 0100 | 0200 | 02000000;
	const unsigned long cloexec = 1;
	long dir = huge_tmpfs(), fd = dir;

	if (dir >= 0) {
		fd = host_call(NR_OPENAT, dir, (unsigned long)name, rdwr_creat_excl_cloexec, 0600,
			       0);
		host_call(NR_UNLINKAT, dir, (unsigned long)name, 0, 0, 0);
		host_close(dir);
	}
	return fd >= 0 ? fd : host_call(NR_MEMFD_CREATE, (unsigned long)name, cloexec, 0, 0, 0);
}

long host_memfd_sealed(const char *name, unsigned long size)
{
	const unsigned long cloexec = 1, allow_sealing = 2, add_seals = 1033;
	const unsigned long seal = 1, shrink = 2, grow = 4;
	long fd = host_call(NR_MEMFD_CREATE, (unsigned long)name, cloexec | allow_sealing, 0, 0, 0);
	long r;

	if (fd < 0)
		return fd;
	r = host_call(NR_FTRUNCATE, fd, size, 0, 0, 0);
	if (r == 0)
		r = host_call(NR_FCNTL, fd, add_seals, seal | shrink | grow, 0, 0);
	if (r == 0)
		return fd;
	host_close(fd);
	return r;
}

long host_truncate(int fd, unsigned long size)
{
	return host_call(NR_FTRUNCATE, fd, size, 0, 0, 0);
}

/* MAP_NORESERVE, for the pages are the memfd's. */
long host_map(unsigned long addr, unsigned long size, int prot, int fd, unsigned long off)
{
	return host_mmap(addr, size, prot, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd, off);
}

/* MADV_POPULATE_READ and _WRITE, Linux 5.14; before, the pages come by faults. */
long host_fill(unsigned long addr, unsigned long size)
{
	const unsigned long populate_read = 22;

	return host_call(NR_MADVISE, addr, size, populate_read, 0, 0);
}

long host_fill_new(unsigned long addr, unsigned long size)
{
	const unsigned long populate_write = 23;

	return host_call(NR_MADVISE, addr, size, populate_write, 0, 0);
}

long host_map_private(unsigned long addr, unsigned long size, int prot)
{
	return host_mmap(addr, size, prot, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
}

long host_protect(unsigned long addr, unsigned long size, int prot)
{
	return host_call(NR_MPROTECT, addr, size, prot, 0, 0);
}

long host_unmap(unsigned long addr, unsigned long size)
{
	return host_call(NR_MUNMAP, addr, size, 0, 0, 0);
}

long host_punch(int fd, unsigned long off, unsigned long size)
{
	const unsigned long keep_size = 1, punch_hole = 2;

	return host_call(NR_FALLOCATE, fd, keep_size | punch_hole, off, size, 0);
}

long host_next_data(int fd, unsigned long off)
{
	const unsigned long seek_data = 3;

	return host_call(NR_LSEEK, fd, off, seek_data, 0, 0);
}

long host_advise_huge(unsigned long addr, unsigned long size)
{
	const unsigned long hugepage = 14;

	return host_call(NR_MADVISE, addr, size, hugepage, 0, 0);
}

long host_open(const char *path)
{
	const unsigned long cloexec = 02000000;

	return host_call(NR_OPEN, (unsigned long)path, cloexec, 0, 0, 0);
}

long host_read(int fd, void *buf, unsigned long size)
{
	return host_call(NR_READ, fd, (unsigned long)buf, size, 0, 0);
}

long host_write(int fd, const void *buf, unsigned long size)
{
	return host_call(NR_WRITE, fd, (unsigned long)buf, size, 0, 0);
}

long host_pwrite(int fd, const void *buf, unsigned long size, unsigned long off)
{
	return host_call(NR_PWRITE, fd, (unsigned long)buf, size, off, 0);
}

long host_close(int fd)
{
	return host_call(NR_CLOSE, fd, 0, 0, 0, 0);
}

long host_send_fds(int socket, const void *buf, unsigned long size, const int *fds,
		   unsigned int count)
{
	const unsigned long nosignal = 0x4000;
	struct {
		unsigned long len;
		int level, type;
		int fd[HOST_FDS_MAX];
	} rights = { 16 + count * sizeof(int), 1, 1, { 0 } };
	struct {
		const void *base;
		unsigned long size;
	} iov = { buf, size };
	struct {
		void *name;
		unsigned int name_size, pad;
		void *iov;
		unsigned long iov_count;
		void *control;
		unsigned long control_size;
		unsigned int flags, pad2;
	} msg = { (void *)0, 0, 0, &iov, 1, &rights, rights.len, 0, 0 };
	unsigned int i;

	if (count > HOST_FDS_MAX)
		return -22;
	for (i = 0; i < count; i++)
		rights.fd[i] = fds[i];
	return host_call(NR_SENDMSG, socket, (unsigned long)&msg, nosignal, 0, 0);
}

long host_poll(struct host_pollfd *fds, unsigned int count, const struct host_timespec *timeout)
{
	struct host_timespec left; /* the host writes what is left of it */

	if (!timeout)
		return host_call(NR_PPOLL, (unsigned long)fds, count, 0, 0, 0);
	left = *timeout;
	return host_call(NR_PPOLL, (unsigned long)fds, count, (unsigned long)&left, 0, 0);
}

long host_window_size(int fd, struct host_winsize *ret_size)
{
	const unsigned long tiocgwinsz = 0x5413;

	return host_call(NR_IOCTL, fd, tiocgwinsz, (unsigned long)ret_size, 0, 0);
}

int host_is_tty(int fd)
{
	struct host_winsize size;

	return host_window_size(fd, &size) == 0;
}

long host_eventfd(void)
{
	const unsigned long cloexec = 02000000, nonblock = 04000;

	return host_call(NR_EVENTFD2, 0, cloexec | nonblock, 0, 0, 0);
}

long host_clock(int clock, struct host_timespec *ret_time)
{
	return host_call(NR_CLOCK_GETTIME, clock, (unsigned long)ret_time, 0, 0, 0);
}

long host_random(void *buf, unsigned long size)
{
	return host_call(NR_GETRANDOM, (unsigned long)buf, size, 0, 0, 0);
}

/* The child may not return through a stack that it shares, so it leaves from here. */
HOST_TEXT long host_spawn(unsigned long stack, void (*run)(void))
{
	long pid;
	register unsigned long r10 asm("r10") = 0;
	register unsigned long r8 asm("r8") = 0;

	counts[NR_CLONE]++;
	asm volatile("syscall\n"
		     "	test %%rax, %%rax\n"
		     "	jnz 1f\n"
		     "	mov %[stack], %%rsp\n"
		     "	and $-16, %%rsp\n"
		     "	xor %%ebp, %%ebp\n"
		     "	call *%[run]\n"
		     "	ud2\n"
		     "1:"
		     : "=a"(pid)
		     : "a"((long)NR_CLONE), "D"((long)(CLONE_FILES | CHILD_SIGNAL)), "S"(0L),
		       "d"(0L), "r"(r10), "r"(r8), [stack] "r"(stack), [run] "r"(run)
		     : "rcx", "r11", "memory");
	return pid;
}

long host_pid(void)
{
	return host_call(NR_GETPID, 0, 0, 0, 0, 0);
}

#define MASK_WORDS 16
#define MASK_BITS  (MASK_WORDS * 64)

static unsigned long processors[MASK_WORDS]; /* that we were started on */

int host_processors(void)
{
	const unsigned long size = sizeof(processors);
	int count = 0, i;

	if (host_call(NR_SCHED_GETAFFINITY, 0, size, (unsigned long)processors, 0, 0) < 0)
		return 1;
	for (i = 0; i < MASK_BITS; i++)
		count += processors[i / 64] >> i % 64 & 1;
	return count > 0 ? count : 1;
}

/* The limit of a segment is where the host's vDSO finds it, too. */
int host_cpu(void)
{
	const unsigned int segment = 0x7b, processor = 0xfff;
	unsigned long limit = MASK_BITS;

	asm volatile("lsl %1, %0" : "+r"(limit) : "r"((unsigned long)segment) : "cc");
	limit &= processor;
	return limit < MASK_BITS ? (int)limit : -1;
}

long host_bind(int pid, int cpu)
{
	unsigned long mask[MASK_WORDS] = { 0 };
	long r;
	int i;

	if (cpu >= 0) {
		mask[cpu / 64] = 1UL << cpu % 64;
		return host_call(NR_SCHED_SETAFFINITY, pid, sizeof(mask), (unsigned long)mask, 0,
				 0);
	}
	r = host_call(NR_SCHED_SETAFFINITY, pid, sizeof(processors), (unsigned long)processors, 0,
		      0);
	if (r == 0)
		return 0;
	/* Somebody has moved us to others. The host leaves out those that are not ours. */
	for (i = 0; i < MASK_WORDS; i++)
		mask[i] = ~0UL;
	return host_call(NR_SCHED_SETAFFINITY, pid, sizeof(mask), (unsigned long)mask, 0, 0);
}

long host_parent_pid(void)
{
	return host_call(NR_GETPPID, 0, 0, 0, 0, 0);
}

long host_kill(int pid, int signal)
{
	return host_call(NR_KILL, pid, signal, 0, 0, 0);
}

long host_wait(int *ret_status, int flags)
{
	return host_call(NR_WAIT4, -1, (unsigned long)ret_status, flags, 0, 0);
}

void host_exit(int status)
{
	for (;;)
		host_call(NR_EXIT_GROUP, status, 0, 0, 0, 0);
}

long host_die_with_parent(int signal)
{
	const unsigned long set_pdeathsig = 1;

	return host_call(NR_PRCTL, set_pdeathsig, signal, 0, 0, 0);
}

long host_adopt_orphans(void)
{
	const unsigned long set_child_subreaper = 36;

	return host_call(NR_PRCTL, set_child_subreaper, 1, 0, 0, 0);
}

long host_futex_wait(int *word, int value)
{
	const unsigned long wait = 0;

	return host_call(NR_FUTEX, (unsigned long)word, wait, value, 0, 0);
}

long host_futex_wake(int *word)
{
	const unsigned long wake = 1;

	return host_call(NR_FUTEX, (unsigned long)word, wake, 1, 0, 0);
}

long host_handle(int signal, host_handler_t handler)
{
	const unsigned long siginfo = 4, onstack = 0x08000000, nodefer = 0x40000000,
			    restorer = 0x04000000, nocldstop = 1;
	struct {
		host_handler_t handler;
		unsigned long flags;
		void (*restorer)(void);
		unsigned long mask;
	} action = { handler, siginfo | onstack | nodefer | restorer | nocldstop,
		     host_signal_return, 0 };

	return host_call(NR_SIGACTION, signal, (unsigned long)&action, 0, sizeof(action.mask), 0);
}

long host_unblock_signals(void)
{
	const unsigned long setmask = 2;
	unsigned long none = 0;

	return host_call(NR_SIGPROCMASK, setmask, (unsigned long)&none, 0, sizeof(none), 0);
}

long host_signal_stack(unsigned long start, unsigned long size)
{
	struct {
		unsigned long start;
		int flags;
		unsigned long size;
	} stack = { start, 0, size };

	return host_call(NR_SIGALTSTACK, (unsigned long)&stack, 0, 0, 0, 0);
}

long host_tick(long us)
{
	const unsigned long itimer_prof = 2;
	const long period[4] = { 0, us, 0, us };

	return host_call(NR_SETITIMER, itimer_prof, (unsigned long)period, 0, 0, 0);
}

extern char __host_text_start[], __host_text_end[];

long host_catch_syscalls(void)
{
	const unsigned long set_dispatch = 59, on = 1;

	return host_call(NR_PRCTL, set_dispatch, on, (unsigned long)__host_text_start,
			 (unsigned long)(__host_text_end - __host_text_start), 0);
}

long host_exact_sleep(void)
{
	const unsigned long set_timerslack = 29;

	return host_call(NR_PRCTL, set_timerslack, 1, 0, 0, 0);
}

const char *host_check(void)
{
	const unsigned long set_dispatch = 59, off = 0;

	if (host_call(NR_PRCTL, set_dispatch, off, 0, 0, 0) < 0)
		return "the host's kernel has no syscall user dispatch (Linux 5.11, CONFIG_GENERIC_ENTRY)";
	return (void *)0;
}

/* A classic BPF program: one comparison per allowed call; then kill. */
struct filter_insn {
	unsigned short code;
	unsigned char jt, jf;
	unsigned int k;
};

long host_lock_down(void)
{
	const unsigned short load = 0x20, jeq = 0x15, ret = 0x06;
	const unsigned int allow = 0x7fff0000, kill_process = 0x80000000, arch_x86_64 = 0xc000003e;
	const unsigned long set_no_new_privs = 38, set_mode_filter = 1;
	struct filter_insn prog[ALLOWED + 5];
	struct {
		unsigned short count;
		struct filter_insn *prog;
	} filter = { ALLOWED + 5, prog };
	unsigned int i;
	long r;

	prog[0] = (struct filter_insn){ load, 0, 0, 4 };
	prog[1] = (struct filter_insn){ jeq, 0, ALLOWED + 1, arch_x86_64 };
	prog[2] = (struct filter_insn){ load, 0, 0, 0 };
	for (i = 0; i < ALLOWED; i++)
		prog[3 + i] = (struct filter_insn){ jeq, ALLOWED - i, 0, allowed[i].nr };
	prog[3 + i] = (struct filter_insn){ ret, 0, 0, kill_process };
	prog[4 + i] = (struct filter_insn){ ret, 0, 0, allow };
	r = host_call(NR_PRCTL, set_no_new_privs, 1, 0, 0, 0);
	if (r < 0)
		return r;
	return host_call(NR_SECCOMP, set_mode_filter, 0, (unsigned long)&filter, 0, 0);
}

const char *host_allowed_name(unsigned int n)
{
	return n < ALLOWED ? allowed[n].name : (void *)0;
}

unsigned long host_calls(unsigned int n)
{
	return n < ALLOWED ? counts[allowed[n].nr] : 0;
}
