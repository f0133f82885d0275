/* SPDX-License-Identifier: MIT */
/*
 * vmsh-stage2 [TYPE] - runs in a guest, as root in its first namespaces, with a channel to vmsh at descriptor 3.
 *
 * Theory of operation
 *
 *	main()		says hello, takes the request, has the tools' tree made (files.h), and forks
 *	inside_run()	the session (inside.h)
 *	pump_run()	carries (pump.h)
 *	bury()		waits until nothing is left of it
 *
 * It writes no file of the guest and changes none of its mounts: all that it makes is in mount namespaces
 * of its own, and goes with the last of its processes. The channel's end is its end.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "files.h"
#include "inside.h"
#include "io.h"
#include "link.h"
#include "pump.h"
#include "relay.h"

#define CHANNEL      3
#define BURY_MS      5000
#define BURY_STEP    10
#define DISK_MS      25000 /* for what is still to be written; the kernel's side waits for 30 s */
#define FAREWELL_MAX 1024  /* messages */

static struct link channel; /* without an initialiser, which would be as large in the file */

/* A guest may be without /dev/null, and then whatever is opened next would stand there. */
static int reserve_std(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			fd = open("/", O_PATH);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return -errno;
	(void)close(fd);
	return 0;
}

static int prepare(void)
{
	const int keep[] = { CHANNEL };
	int r = fcntl(CHANNEL, F_SETFD, FD_CLOEXEC) < 0 ? -errno : reserve_std();

	if (!r)
		r = io_close_others(keep, 1);
	/* Not all channels know it, and none needs it: it is asked before. */
	(void)fcntl(CHANNEL, F_SETFL, O_NONBLOCK);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	(void)!chdir("/");
	(void)prctl(PR_SET_DUMPABLE, 0);
	/* What the session leaves behind comes to us, not to the guest's first process. */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	return r;
}

/* Until START; then the text is parsed. */
static int take_request(struct wire_text *text, struct wire_request *ret, struct err *e)
{
	bool hello = false;
	struct wire_msg m;
	int r;

	while ((r = link_wait(&channel, &m)) > 0) {
		if (m.kind == WIRE_HELLO) {
			hello = m.value == WIRE_VERSION;
			if (!hello)
				return err_set(e, EPROTO,
					       "the program in the guest is of another version");
		} else if (m.kind == WIRE_REQUEST && hello) {
			r = wire_text_add(text, m.data, m.size);
		} else if (m.kind == WIRE_PING) {
			r = link_tell(&channel, WIRE_PONG, 0, m.value);
		} else if (m.kind == WIRE_START && hello) {
			break;
		} else {
			r = -EPROTO;
		}
		if (r < 0)
			return err_set(e, -r, "the request: %s", err_str(r));
	}
	if (r <= 0)
		return err_set(e, r ? -r : EPIPE, "the host went away");
	r = wire_request_parse(text, ret);
	return r < 0 ? err_set(e, -r, "the request is malformed") : 0;
}

/* @fuse: the device, which is left only if it is used. */
static int make_tree(const struct wire_request *req, int *fuse, int *ret_tree, struct err *e)
{
	if (req->tools == WIRE_TOOLS_FUSE && *fuse < 0)
		return err_set(e, ENODEV, "the guest has no FUSE");
	if (req->tools == WIRE_TOOLS_FUSE)
		return files_mount_fuse(*fuse, req->writable, ret_tree, e);
	closep(fuse);
	*fuse = -1;
	if (req->tools == WIRE_TOOLS_DISK)
		return files_mount_disk(req->disk, req->type, req->writable, ret_tree, e);
	return req->tools == WIRE_TOOLS_ARCHIVE ? files_unpack(&channel, ret_tree, e) : 0;
}

/* Our end, which does not block, and the command's; or its terminal. */
static int make_pipe(bool terminal, bool to_command, int *ours, int *theirs)
{
	int fd[2];

	*theirs = RELAY_SLAVE;
	if (terminal)
		return 0;
	if (pipe2(fd, O_CLOEXEC) < 0)
		return -errno;
	*ours = fd[to_command];
	*theirs = fd[!to_command];
	return fcntl(*ours, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int make_streams(const struct wire_request *req, struct pump_conf *pump, struct inside *in)
{
	int notes[2], sock[2], r;
	int *const ours[3] = { &pump->in, &pump->out, &pump->err };

	for (int i = 0; i < 3; i++) {
		r = make_pipe(req->tty >> i & 1, i == STDIN_FILENO, ours[i], &in->fd[i]);
		if (r < 0)
			return r;
	}
	if (pipe2(notes, O_CLOEXEC) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) < 0)
		return -errno;
	pump->notes = notes[0];
	in->notes = notes[1];
	pump->sock = sock[0];
	in->sock = sock[1];
	return 0;
}

static int run(const struct wire_request *req, int fuse, int tree, char **argv, struct err *e)
{
	struct pump_conf pump = {
		.link = &channel, .req = req, .fuse = fuse, .in = -1, .out = -1, .err = -1
	};
	struct inside in = { .req = req, .tree = tree, .argv = argv };
	pid_t self = getpid(), pid;
	int r = make_streams(req, &pump, &in);

	if (r < 0)
		return err_set(e, -r, "making pipes: %s", err_str(r));
	pid = fork();
	if (!pid)
		inside_run(&in, self);
	for (int i = 0; i < 3; i++)
		closep(&in.fd[i]);
	closep(&in.sock);
	closep(&in.notes);
	closep(&tree);
	if (pid < 0)
		return err_set(e, errno, "forking: %s", err_str(errno));
	r = pump_run(&pump);
	/* a disk is there as long as the channel is */
	if (req->tools != WIRE_TOOLS_DISK)
		(void)close(CHANNEL);
	return r;
}

/* All processes of the session are our children, or become it. What does not end is killed with us. */
static void bury(void)
{
	const struct timespec step = { .tv_nsec = BURY_STEP * 1000000L };

	for (int ms = 0; ms < BURY_MS; ms += BURY_STEP) {
		siginfo_t si = { 0 };

		if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | __WALL) < 0 && errno == ECHILD)
			return;
		if (si.si_pid)
			continue;
		(void)nanosleep(&step, NULL);
	}
}

/* The host reads it before it says END, or is gone: what is on its way to us is dropped until then. */
static void say_failure(const struct err *e)
{
	struct wire_msg m = { .kind = 0 };
	int r = link_say(&channel, WIRE_ERROR, PTY_EXIT_FAILED, e->msg,
			 strnlen(e->msg, sizeof(e->msg)));

	for (int i = 0; !r && i < FAREWELL_MAX && m.kind != WIRE_END; i++)
		r = link_wait(&channel, &m) <= 0;
}

int main(int argc, char **argv)
{
	_cleanup_wire_text_ struct wire_text text = { .p = NULL };
	_cleanup_wire_request_ struct wire_request req = { .argv = NULL };
	_cleanup_close_ int fuse = -1;
	struct err e = { 0 };
	int tree = -1, has = 0, r = prepare();

	channel.fd = CHANNEL;
	if (r < 0)
		return PTY_EXIT_FAILED;
	fuse = files_open_fuse();
	if (fuse >= 0)
		has = WIRE_HAS_FUSE;
	else if (argc > 1 && files_has_type(argv[1]))
		has = WIRE_HAS_TYPE;
	r = link_tell(&channel, WIRE_HELLO, (unsigned int)has, WIRE_VERSION);
	if (r < 0)
		return PTY_EXIT_FAILED;
	r = take_request(&text, &req, &e);
	if (!r)
		r = make_tree(&req, &fuse, &tree, &e);
	if (!r)
		r = run(&req, take_fd(&fuse), tree, argv, &e);
	if (r < 0 && *e.msg)
		say_failure(&e);
	bury();
	files_await_disk(DISK_MS);
	return r < 0 ? PTY_EXIT_FAILED : 0;
}
