/* SPDX-License-Identifier: MIT */
#include "term.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "io.h"
#include "session.h"

/* Only what hangs takes so long. */
#define WAIT_MS     100000
#define END_AFTER_S 300

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "term: %s: %s\n", what, strerror(errno));
	abort();
}

void term_no_test(void)
{
	static const int sigs[] = { SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGSYS };

	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		(void)signal(sigs[i], SIG_DFL);
	(void)alarm(END_AFTER_S);
}

static void job_run(const struct job *job, int slave)
{
	sigset_t none;

	(void)setpgid(0, 0);
	if (!job->background)
		check(tcsetpgrp(slave, getpid()) == 0, "tcsetpgrp");
	(void)signal(SIGTTOU, SIG_DFL);
	(void)signal(SIGHUP, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	for (int i = 0; i < 3; i++)
		check(dup2(job->fd[i] < 0 ? slave : job->fd[i], i) == i, "dup2");
	if (job->before)
		job->before();
	exit(session_run(job->mode, job->argv));
}

/* The shell: serves requests until the test is gone. */
static void leader_run(const struct job *job, int slave, int ask, int answer)
{
	int status = -1, what;
	pid_t pid;

	check(setsid() >= 0 && ioctl(slave, TIOCSCTTY, 0) == 0, "session");
	(void)signal(SIGTTOU, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	pid = fork();
	check(pid >= 0, "fork");
	if (!pid)
		job_run(job, slave);
	(void)setpgid(pid, pid);
	check(io_write_all(answer, &pid, sizeof(pid)) == 0, "answer");
	while (io_read_all(ask, &what, sizeof(what)) == 0) {
		int said = 0;

		if (what == TERM_WAIT)
			check(waitpid(pid, &said, WUNTRACED) == pid, "waitpid");
		if (what == TERM_GIVE || what == TERM_CONTINUE)
			check(tcsetpgrp(slave, pid) == 0, "tcsetpgrp");
		if (what == TERM_CONTINUE)
			(void)kill(-pid, SIGCONT);
		if (what == TERM_STATE)
			said = waitpid(pid, &status, WNOHANG | WUNTRACED) == pid ? status : -1;
		check(io_write_all(answer, &said, sizeof(said)) == 0, "answer");
	}
	_exit(0);
}

void term_start(struct term *t, const struct job *job)
{
	struct winsize ws = { .ws_row = 30, .ws_col = 90 };
	int ask[2], answer[2], unlock = 0;

	memset(t, 0, sizeof(*t));
	t->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	check(t->master >= 0 && ioctl(t->master, TIOCSPTLCK, &unlock) == 0, "posix_openpt");
	t->slave = ioctl(t->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	check(t->slave >= 0 && ioctl(t->slave, TIOCSWINSZ, &ws) == 0, "slave");
	check(tcgetattr(t->slave, &t->before) == 0, "tcgetattr");
	check(pipe2(ask, O_CLOEXEC) == 0 && pipe2(answer, O_CLOEXEC) == 0, "pipe2");
	t->leader = fork();
	check(t->leader >= 0, "fork");
	if (!t->leader) {
		term_no_test();
		(void)close(ask[1]);
		(void)close(t->master);
		leader_run(job, t->slave, ask[0], answer[1]);
	}
	(void)close(ask[0]);
	(void)close(answer[1]);
	t->ask = ask[1];
	t->answer = answer[0];
	check(io_read_all(t->answer, &t->job, sizeof(t->job)) == 0, "starting the job");
}

void term_stop(struct term *t)
{
	(void)close(t->ask);
	(void)close(t->answer);
	(void)close(t->master);
	(void)close(t->slave);
	(void)kill(t->leader, SIGKILL);
	(void)waitpid(t->leader, NULL, 0);
}

int term_do(struct term *t, enum term_do what)
{
	int value = (int)what;

	check(io_write_all(t->ask, &value, sizeof(value)) == 0, "asking the leader");
	check(io_read_all(t->answer, &value, sizeof(value)) == 0, "its answer");
	return value;
}

void term_type(struct term *t, const char *text)
{
	check(io_write_all(t->master, text, strlen(text)) == 0, "typing");
}

void term_expect(struct term *t, const char *text)
{
	for (;;) {
		struct pollfd p = { .fd = t->master, .events = POLLIN };
		char *found = memmem(t->out, t->len, text, strlen(text));
		ssize_t n;

		if (found) {
			size_t used = (size_t)(found - t->out) + strlen(text);

			memmove(t->out, t->out + used, t->len - used);
			t->len -= used;
			return;
		}
		n = -1;
		if (t->len < sizeof(t->out) && poll(&p, 1, WAIT_MS) == 1)
			n = read(t->master, t->out + t->len, sizeof(t->out) - t->len);
		if (n <= 0)
			(void)fprintf(stderr, "expected '%s', got '%.*s'\n", text, (int)t->len,
				      t->out);
		check(n > 0, "term_expect");
		t->len += (size_t)n;
	}
}

void term_await_raw(struct term *t, bool raw)
{
	const struct timespec step = { .tv_nsec = 5000000 };
	struct termios now;

	for (int i = 0; i < WAIT_MS / 5; i++) {
		check(tcgetattr(t->slave, &now) == 0, "tcgetattr");
		if (raw == !(now.c_lflag & ICANON))
			return;
		(void)nanosleep(&step, NULL);
	}
	check(false, raw ? "waiting for raw mode" : "waiting for raw mode to end");
}

bool term_is_restored(struct term *t)
{
	struct termios now;

	return tcgetattr(t->slave, &now) == 0 && now.c_iflag == t->before.c_iflag &&
	       now.c_oflag == t->before.c_oflag && now.c_cflag == t->before.c_cflag &&
	       now.c_lflag == t->before.c_lflag &&
	       !memcmp(now.c_cc, t->before.c_cc, sizeof(now.c_cc));
}

int term_end(struct term *t)
{
	int status = term_do(t, TERM_WAIT);

	check(!WIFSTOPPED(status), "the job stopped instead of ending");
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
