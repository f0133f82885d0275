/* SPDX-License-Identifier: MIT */
/* test_pty.c - real sessions behind the relay, in terminals played by tests/pty/term.c. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "io.h"
#include "session.h"
#include "stream.h"
#include "term.h"

#define SH(mode, script) JOB(mode, "sh", "-c", script)
#define SELF             "/proc/self/exe" /* gen, sum and heed: see main() */
#define MIB              ((size_t)1 << 20)

static void pause_ms(long ms)
{
	const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	(void)nanosleep(&t, NULL);
}

static int unread(int fd)
{
	int n;

	assert_int_equal(ioctl(fd, FIONREAD, &n), 0);
	return n;
}

/* Read @size bytes of a stream from @fd; @slow: with pauses, at first. */
static void assert_stream(int fd, size_t size, bool slow)
{
	struct stream s = { 0 };
	uint8_t buf[16384];

	for (int i = 0; s.size < size; i++) {
		ssize_t n = read(fd, buf, sizeof(buf));

		assert_true(n > 0);
		stream_add(&s, buf, (size_t)n);
		if (slow && i % 8 == 0 && i < 400)
			pause_ms(5);
	}
	assert_int_equal(s.size, size);
	assert_true(s.sum == stream_sum(size));
}

static void test_exit_codes(void **state)
{
	static const struct {
		int code, status, want;
	} table[] = {
		{ CLD_EXITED, 0, 0 },    { CLD_EXITED, 1, 1 },    { CLD_EXITED, 255, 255 },
		{ CLD_EXITED, 256, 0 },  { CLD_KILLED, 9, 137 },  { CLD_KILLED, 15, 143 },
		{ CLD_DUMPED, 11, 139 }, { CLD_KILLED, 64, 192 }, { CLD_STOPPED, 19, 125 },
		{ 0, 0, 125 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		siginfo_t si = { .si_code = table[i].code };

		si.si_status = table[i].status;
		assert_int_equal(pty_exit_code(&si), table[i].want);
	}
	assert_int_equal(pty_exec_exit_code(ENOENT), 127);
	assert_int_equal(pty_exec_exit_code(-ENOENT), 127);
	assert_int_equal(pty_exec_exit_code(EACCES), 126);
	assert_int_equal(pty_exec_exit_code(ENOEXEC), 126);
}

/* Run @job in a terminal until it ends; its exit code. The terminal must be as before. */
static int run(const struct job *job)
{
	struct term t;
	int code;

	term_start(&t, job);
	code = term_end(&t);
	assert_true(term_is_restored(&t));
	term_stop(&t);
	return code;
}

static void test_codes_through(void **state)
{
	(void)state;
	for (int mode = PTY_AUTO; mode <= PTY_NEVER; mode++) {
		assert_int_equal(run(&(struct job)SH(mode, "exit 0")), 0);
		assert_int_equal(run(&(struct job)SH(mode, "exit 255")), 255);
		assert_int_equal(run(&(struct job)SH(mode, "kill -9 $$")), 137);
		assert_int_equal(run(&(struct job)SH(mode, "kill -TERM $$")), 143);
		assert_int_equal(run(&(struct job)JOB(mode, "/nonexistent")), 127);
		assert_int_equal(run(&(struct job)JOB(mode, "/etc/passwd")), 126);
	}
}

static void test_pty(void **state)
{
	struct job job = SH(PTY_AUTO, "test -t 0 && test -t 1 && test -t 2 && stty size &&"
				      "stty -a | grep -o 'intr = ^[A-Z]' && tty </dev/tty; exit 7");
	struct term t;

	(void)state;
	term_start(&t, &job);
	term_expect(&t, "30 90\r\n");
	term_expect(&t, "intr = ^C\r\n");
	term_expect(&t, "/dev/");
	assert_int_equal(term_end(&t), 7);
	assert_true(term_is_restored(&t));
	term_stop(&t);
}

/* The command must not get at the user's terminal in any mode: it could type into it. */
static void test_no_host_terminal(void **state)
{
	struct job job = SH(PTY_NEVER, "for i in 0 1 2; do test -t $i && exit 1; done;"
				       "(: </dev/tty) 2>/dev/null && exit 2; exit 3");

	(void)state;
	assert_int_equal(run(&job), 3);
}

/* A command without any open slave may come back to its terminal. */
static void test_slave_closed(void **state)
{
	struct job job = SH(PTY_AUTO, "exec </dev/null >/dev/null 2>&1; sleep 0.2;"
				      "echo late >/dev/tty; exit 3");
	struct term t;

	(void)state;
	term_start(&t, &job);
	term_expect(&t, "late");
	assert_int_equal(term_end(&t), 3);
	term_stop(&t);
}

static void test_resize(void **state)
{
	struct job job = SH(PTY_AUTO, "trap 'stty size; exit 5' WINCH; echo up;"
				      "for i in $(seq 4000); do sleep 0.05; done");
	struct winsize ws = { .ws_row = 41, .ws_col = 123 };
	struct term t;

	(void)state;
	term_start(&t, &job);
	term_expect(&t, "up");
	term_await_raw(&t, true);
	assert_int_equal(ioctl(t.master, TIOCSWINSZ, &ws), 0);
	term_expect(&t, "41 123");
	assert_int_equal(term_end(&t), 5);
	term_stop(&t);
}

static void test_keys(void **state)
{
	struct job job = SH(PTY_AUTO, "trap 'i=1; echo got int' INT; echo up;"
				      "until [ \"$i\" ]; do sleep 0.02; done;"
				      "read x; echo =$x=; cat; exit 6");
	struct term t;

	(void)state;
	term_start(&t, &job);
	term_expect(&t, "up");
	term_await_raw(&t, true);
	term_type(&t, "\003");
	term_expect(&t, "got int");
	term_type(&t, "abc\n");
	term_expect(&t, "=abc=");
	term_type(&t, "last words\n\004");
	term_expect(&t, "last words");
	assert_int_equal(term_end(&t), 6);
	term_stop(&t);
}

static void test_forwarded(void **state)
{
	static const int sigs[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2 };
	static const char script[] =
		"for s in TERM HUP INT QUIT USR1 USR2; do trap \"echo $s; exit 40\" "
		"$s; done; echo up; for i in $(seq 4000); do sleep 0.05; done";

	(void)state;
	for (int mode = PTY_AUTO; mode <= PTY_NEVER; mode += PTY_NEVER) {
		for (size_t i = 0; i < ARRAY_SIZE(sigs); i++) {
			struct job job = SH(mode, script);
			struct term t;

			term_start(&t, &job);
			term_expect(&t, "up");
			if (mode == PTY_AUTO)
				term_await_raw(&t, true);
			assert_int_equal(kill(t.job, sigs[i]), 0);
			term_expect(&t, sigabbrev_np(sigs[i]));
			assert_int_equal(term_end(&t), 40);
			assert_true(term_is_restored(&t));
			term_stop(&t);
		}
	}
}

/* Signals that are not the command's end us, but not before the terminal is as it was. */
static void test_fatal(void **state)
{
	static const int sigs[] = { SIGALRM, SIGABRT, SIGSEGV, SIGXCPU, SIGSYS,   SIGBUS,
				    SIGPROF, SIGTRAP, SIGPWR,  SIGIO,   SIGVTALRM };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sigs); i++) {
		struct job job = SH(PTY_AUTO, "echo up; sleep 300");
		struct term t;

		term_start(&t, &job);
		term_expect(&t, "up");
		term_await_raw(&t, true);
		assert_int_equal(kill(t.job, sigs[i]), 0);
		assert_int_not_equal(term_end(&t), 0);
		assert_true(term_is_restored(&t));
		term_stop(&t);
	}
}

#ifndef __clang__ /* which does not know this one */
#pragma GCC diagnostic ignored "-Wanalyzer-unsafe-call-within-signal-handler"
#endif
static void leave(int sig)
{
	(void)sig;
	exit(9); /* in order, for what it interrupts, epoll_wait(), is async-signal-safe (POSIX) */
}

static void exit_on_child(void)
{
	(void)signal(SIGCHLD, leave);
}

static void test_atexit(void **state)
{
	struct job job = SH(PTY_AUTO, "echo up; read x; exit 3");
	struct term t;

	(void)state;
	job.before = exit_on_child;
	term_start(&t, &job);
	term_expect(&t, "up");
	term_await_raw(&t, true);
	assert_int_equal(kill(t.job, SIGCHLD), 0);
	assert_int_equal(term_end(&t), 9);
	assert_true(term_is_restored(&t));
	term_stop(&t);
}

static void ignore_int(void)
{
	(void)signal(SIGINT, SIG_IGN);
}

/* What we ignore is not for the command either, though it does not ignore it. */
static void test_ignored(void **state)
{
	struct job job = JOB(PTY_AUTO, SELF, "heed", "echo up; read x; exit $x");
	struct term t;

	(void)state;
	job.before = ignore_int;
	term_start(&t, &job);
	term_expect(&t, "up");
	term_await_raw(&t, true);
	assert_int_equal(kill(t.job, SIGINT), 0);
	term_type(&t, "8\n");
	assert_int_equal(term_end(&t), 8);
	term_stop(&t);
}

static void test_stop_pty(void **state)
{
	struct job job = SH(PTY_AUTO, "echo up; read x; exit $x");
	struct term t;

	(void)state;
	term_start(&t, &job);
	term_expect(&t, "up");
	for (int i = 0; i < 3; i++) {
		term_await_raw(&t, true);
		assert_int_equal(kill(t.job, SIGTSTP), 0);
		assert_true(WIFSTOPPED(term_do(&t, TERM_WAIT)));
		assert_true(term_is_restored(&t));
		(void)term_do(&t, TERM_CONTINUE);
	}
	term_await_raw(&t, true);
	/* A stop that cannot be seen coming; the shell sets its own modes. */
	assert_int_equal(kill(t.job, SIGSTOP), 0);
	assert_true(WIFSTOPPED(term_do(&t, TERM_WAIT)));
	assert_int_equal(tcsetattr(t.slave, TCSANOW, &t.before), 0);
	(void)term_do(&t, TERM_CONTINUE);
	term_await_raw(&t, true);
	term_type(&t, "4\n");
	assert_int_equal(term_end(&t), 4);
	assert_true(term_is_restored(&t));
	term_stop(&t);
}

/* ^Z with pipes stops the command as well; when continued it goes on. */
static void test_stop_pipes(void **state)
{
	struct job job =
		SH(PTY_NEVER, "for i in $(seq 9000); do sleep 0.02; echo tick; done & wait");
	struct term t;

	(void)state;
	term_start(&t, &job);
	term_expect(&t, "tick");
	term_type(&t, "\032");
	assert_true(WIFSTOPPED(term_do(&t, TERM_WAIT)));
	(void)term_do(&t, TERM_CONTINUE);
	pause_ms(300);
	term_expect(&t, "tick");
	/* Nothing was said while it stood still: all output since is not much. */
	term_type(&t, "\003");
	assert_int_equal(term_end(&t), 130);
	term_stop(&t);
}

/* Time passes for us, not for the stopped command. */
static void test_stopped_command_rests(void **state)
{
	struct job job = SH(PTY_NEVER, "for i in $(seq 9000); do sleep 0.02; echo tick; done");
	struct term t;
	int before;

	(void)state;
	term_start(&t, &job);
	term_expect(&t, "tick");
	term_type(&t, "\032");
	assert_true(WIFSTOPPED(term_do(&t, TERM_WAIT)));
	before = unread(t.master);
	pause_ms(500);
	assert_in_range(unread(t.master) - before, 0, 6); /* a line that was being said, not 25 */
	before = unread(t.master);
	(void)term_do(&t, TERM_CONTINUE);
	while (unread(t.master) <= before)
		pause_ms(5);
	term_type(&t, "\003");
	assert_int_equal(term_end(&t), 130);
	term_stop(&t);
}

static void test_background(void **state)
{
	struct job job =
		SH(PTY_AUTO,
		   "for i in 1 2 3; do sleep 0.1; echo n$i; done; read x; read y; exit $x$y");
	struct term t;

	(void)state;
	job.background = true;
	term_start(&t, &job);
	term_expect(&t, "n3");
	assert_true(term_is_restored(&t));
	term_type(&t, "5\n"); /* waits in the terminal for whoever comes to the foreground */
	pause_ms(300);
	assert_int_equal(term_do(&t, TERM_STATE), -1);
	assert_true(term_is_restored(&t));
	(void)term_do(&t, TERM_GIVE);
	term_await_raw(&t, true);
	term_type(&t, "6\n");
	assert_int_equal(term_end(&t), 56);
	assert_true(term_is_restored(&t));
	term_stop(&t);
}

static void test_background_pipes(void **state)
{
	struct job job = SH(PTY_NEVER, "echo up; read x; exit $x");
	struct term t;

	(void)state;
	job.background = true;
	term_start(&t, &job);
	term_expect(&t, "up");
	term_type(&t, "5\n");
	pause_ms(300);
	assert_int_equal(term_do(&t, TERM_STATE), -1);
	(void)term_do(&t, TERM_GIVE);
	assert_int_equal(term_end(&t), 5);
	term_stop(&t);
}

static void test_hang_up(void **state)
{
	static const struct {
		enum pty_mode mode;
		const char *script;
		int code;
	} table[] = {
		{ PTY_AUTO, "echo up; sleep 300", 129 },
		{ PTY_AUTO, "trap '' HUP; echo up; cat; exit 6", 6 },
		{ PTY_NEVER, "trap '' HUP; echo up; cat; exit 6", 6 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct job job = SH(table[i].mode, table[i].script);
		struct term t;

		term_start(&t, &job);
		term_expect(&t, "up");
		if (table[i].mode == PTY_AUTO)
			term_await_raw(&t, true);
		(void)close(t.master);
		t.master = -1;
		assert_int_equal(term_end(&t), table[i].code);
		term_stop(&t);
	}
}

static void test_eof_pipes(void **state)
{
	struct job job = SH(PTY_NEVER, "cat; echo end; exit 3");
	struct term t;

	(void)state;
	term_start(&t, &job);
	term_type(&t, "abc\n");
	term_expect(&t, "abc\r\nabc\r\n"); /* the terminal's echo and cat's */
	term_type(&t, "\004");
	term_expect(&t, "end");
	assert_int_equal(term_end(&t), 3);
	term_stop(&t);
}

/* "ls | less": the keys are less's as soon as it asks for single ones. */
static void test_keys_of_others(void **state)
{
	struct job job = SH(PTY_AUTO, "test -t 0 && exit 1; test -t 2 && exit 2; echo up >&2;"
				      "read x; echo got $x >&2; exit $x");
	struct termios raw;
	struct term t;
	int out[2];

	(void)state;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	job.fd[1] = out[1];
	term_start(&t, &job);
	term_expect(&t, "up");
	raw = t.before;
	cfmakeraw(&raw);
	assert_int_equal(tcsetattr(t.slave, TCSANOW, &raw), 0);
	term_type(&t, "q\n");
	while (unread(t.slave) < 2)
		pause_ms(5);
	pause_ms(400);
	assert_int_equal(unread(t.slave), 2);
	assert_int_equal(tcflush(t.slave, TCIFLUSH), 0);
	assert_int_equal(tcsetattr(t.slave, TCSANOW, &t.before), 0);
	term_type(&t, "44\n");
	term_expect(&t, "got 44");
	assert_int_equal(term_end(&t), 44);
	term_stop(&t);
	(void)close(out[0]);
	(void)close(out[1]);
}

/* "dmesg | ... less": data from the pipe, keys from the terminal of stdout. */
static void test_stdin_passed_on(void **state)
{
	struct job job = SH(PTY_AUTO, "test -t 0 && exit 1; read x; echo =$x=;"
				      "read x </dev/tty; exit $x");
	struct term t;
	int in[2];

	(void)state;
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	job.fd[0] = in[0];
	term_start(&t, &job);
	assert_int_equal(io_write_all(in[1], "data\n", 5), 0);
	term_expect(&t, "=data=");
	term_type(&t, "9\n");
	assert_int_equal(term_end(&t), 9);
	assert_true(term_is_restored(&t));
	term_stop(&t);
	(void)close(in[0]);
	(void)close(in[1]);
}

static void test_background_holders(void **state)
{
	static const struct {
		enum pty_mode mode;
		const char *script;
	} table[] = {
		{ PTY_AUTO, "(trap '' HUP; exec sleep 200) & sleep 0.1; echo last; exit 4" },
		{ PTY_AUTO, "(trap '' HUP; exec yes) & sleep 0.1; exit 4" },
		{ PTY_NEVER, "sleep 200 & echo last; exit 4" },
		{ PTY_NEVER, "yes & sleep 0.1; exit 4" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct job job = SH(table[i].mode, table[i].script);
		time_t start = time(NULL);
		char buf[4096];
		struct term t;
		int status;

		term_start(&t, &job);
		if (strstr(table[i].script, "last"))
			term_expect(&t, "last");
		while ((status = term_do(&t, TERM_STATE)) == -1) {
			struct pollfd p = { .fd = t.master, .events = POLLIN };

			if (poll(&p, 1, 10) == 1)
				assert_true(read(t.master, buf, sizeof(buf)) > 0);
			pause_ms(5); /* the flood is faster */
		}
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 4);
		assert_in_range(time(NULL) - start, 0, 100); /* nor waits for them */
		assert_true(term_is_restored(&t));
		term_stop(&t);
	}
}

static void raw_terminal(void)
{
	struct termios raw;

	if (tcgetattr(0, &raw) < 0)
		abort();
	cfmakeraw(&raw);
	(void)tcsetattr(0, TCSANOW, &raw);
}

/* Output to a terminal, also a slow one: through the pty, and through a pipe. */
static void test_output_stream(void **state)
{
	struct job job[] = { JOB(PTY_AUTO, SELF, "gen", "8"), JOB(PTY_NEVER, SELF, "gen", "8") };

	(void)state;
	job[1].before = raw_terminal; /* or the terminal would translate newlines */
	for (int i = 0; i < 4; i++) {
		struct term t;

		term_start(&t, &job[i / 2]);
		assert_stream(t.master, 8 * MIB, i % 2);
		assert_int_equal(term_end(&t), 0);
		assert_true(i / 2 || term_is_restored(&t));
		term_stop(&t);
	}
}

static void test_input_stream(void **state)
{
	struct job job = JOB(PTY_AUTO, SELF, "sum", "4");
	struct stream s = { 0 };
	struct term t;
	uint8_t buf[4096];

	(void)state;
	term_start(&t, &job);
	term_await_raw(&t, true);
	term_expect(&t, "ready");
	for (; s.size < 4 * MIB; s.size += sizeof(buf)) {
		stream_make(&s, buf, sizeof(buf));
		assert_int_equal(io_write_all(t.master, buf, sizeof(buf)), 0);
	}
	assert_int_equal(term_end(&t), 0);
	term_stop(&t);
}

/* Start a session with pipes (or whatever @fd are) in place of a terminal. */
static pid_t spawn(enum pty_mode mode, const char *const *argv, const int fd[3])
{
	pid_t pid = fork();

	if (pid)
		return pid;
	term_no_test();
	for (int i = 0; i < 3; i++) {
		if (fd[i] >= 0 && dup2(fd[i], i) < 0)
			_exit(99);
	}
	(void)close_range(3, ~0u, 0); /* the test's ends of the pipes */
	_exit(session_run(mode, argv));
}

static int reap(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void test_binary_clean(void **state)
{
	const char *const argv[] = { "cat", NULL };
	int in[2], out[2];
	pid_t feeder, pid;

	(void)state;
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	feeder = fork();
	if (!feeder) {
		term_no_test();
		if (dup2(in[1], 1) < 0)
			_exit(1);
		_exit(stream_command_gen(64 * MIB));
	}
	(void)close(in[1]);
	pid = spawn(PTY_AUTO, argv, (int[]){ in[0], out[1], -1 });
	(void)close(in[0]);
	(void)close(out[1]);
	assert_stream(out[0], 64 * MIB, false);
	assert_int_equal(reap(feeder), 0);
	assert_int_equal(reap(pid), 0);
	(void)close(out[0]);
}

/* -t without any terminal: over a pipe and over a socket, which cannot be opened again. */
static void test_forced(void **state)
{
	const char *const cat[] = { "sh", "-c",
				    "test -t 0 && test -t 1 && test -t 2 && cat; exit 5", NULL };
	const char *const gen[] = { SELF, "gen", "8", NULL };
	char buf[256] = "";
	const char *echo;
	int in[2], out[2];
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(io_write_all(in[1], "line\nopen end", 13), 0);
	(void)close(in[1]);
	pid = spawn(PTY_ALWAYS, cat, (int[]){ in[0], out[1], -1 });
	(void)close(in[0]);
	(void)close(out[1]);
	assert_int_equal(reap(pid), 5);
	assert_true(read(out[0], buf, sizeof(buf) - 1) > 0);
	echo = strstr(buf, "open end");
	assert_non_null(echo);
	assert_non_null(strstr(echo + 1, "open end")); /* what cat says */
	(void)close(out[0]);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out), 0);
	pid = spawn(PTY_ALWAYS, gen, (int[]){ -1, out[1], -1 });
	(void)close(out[1]);
	assert_stream(out[0], 8 * MIB, true);
	assert_int_equal(reap(pid), 0);
	(void)close(out[0]);
}

/* A reader that goes away hangs the session up. */
static void test_forced_broken(void **state)
{
	const char *const yes[] = { "yes", NULL };
	char buf[1000];
	int out[2];
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = spawn(PTY_ALWAYS, yes, (int[]){ -1, out[1], -1 });
	(void)close(out[1]);
	assert_true(read(out[0], buf, sizeof(buf)) > 0);
	(void)close(out[0]);
	assert_int_equal(reap(pid), 129);
}

/* The caller's descriptors keep their flags: others share them. */
static void test_flags_untouched(void **state)
{
	struct job job = SH(PTY_AUTO, "echo up; read x; exit 0");
	struct term t;

	(void)state;
	term_start(&t, &job);
	term_expect(&t, "up");
	term_await_raw(&t, true);
	assert_int_equal(fcntl(t.slave, F_GETFL) & O_NONBLOCK, 0); /* the one the job has too */
	term_type(&t, "\n");
	assert_int_equal(term_end(&t), 0);
	term_stop(&t);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exit_codes),
		cmocka_unit_test(test_codes_through),
		cmocka_unit_test(test_pty),
		cmocka_unit_test(test_no_host_terminal),
		cmocka_unit_test(test_slave_closed),
		cmocka_unit_test(test_resize),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_forwarded),
		cmocka_unit_test(test_fatal),
		cmocka_unit_test(test_atexit),
		cmocka_unit_test(test_ignored),
		cmocka_unit_test(test_stop_pty),
		cmocka_unit_test(test_stop_pipes),
		cmocka_unit_test(test_stopped_command_rests),
		cmocka_unit_test(test_background),
		cmocka_unit_test(test_background_pipes),
		cmocka_unit_test(test_hang_up),
		cmocka_unit_test(test_eof_pipes),
		cmocka_unit_test(test_keys_of_others),
		cmocka_unit_test(test_stdin_passed_on),
		cmocka_unit_test(test_background_holders),
		cmocka_unit_test(test_output_stream),
		cmocka_unit_test(test_input_stream),
		cmocka_unit_test(test_binary_clean),
		cmocka_unit_test(test_forced),
		cmocka_unit_test(test_forced_broken),
		cmocka_unit_test(test_flags_untouched),
	};

	if (argc == 3 && !strcmp(argv[1], "gen"))
		return stream_command_gen((size_t)atoi(argv[2]) * MIB);
	if (argc == 3 && !strcmp(argv[1], "sum"))
		return stream_command_sum((size_t)atoi(argv[2]) * MIB);
	if (argc == 3 && !strcmp(argv[1], "heed")) {
		(void)signal(SIGINT, SIG_DFL);
		return execl("/bin/sh", "sh", "-c", argv[2], NULL);
	}
	(void)alarm(500); /* a hang is a failure */
	return cmocka_run_group_tests_name("pty", tests, NULL, NULL);
}
