/* SPDX-License-Identifier: MIT */
/*
 * dying_blk.c - a back end that dies at a request that is chosen: a stand-in for rktio-blk, which "rktio run" starts the same way.
 *
 *	DYING=HOW:N,HOW:N... DYING_COUNT=FILE dying-blk --fd FD --blk-file IMAGE --blk-fd=FD --alive=FD [--read-only] [--again]
 *
 * The first process that is started does at its Nth request what the first HOW says, the second one what the second does, and
 * so on; FILE, which gets a byte from each, tells them apart. Those that come after the last one just serve.
 *
 *   before   is killed before it begins
 *   flying   is killed when the request is under way
 *   after    is killed when it is done, and not given back
 *   end      ends by itself
 *   other    is a disk of another size, from the beginning
 *   id       gives back a chain that was not offered
 *   length   claims to have written more than there was room for
 *   twice    gives back each request twice
 *   talk     says something over the socket, unasked
 */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blk_vhost.h"
#include "vu_serve.h"
#include "vu_sock.h"

static struct store *image;
static struct vu_back back;
static char how[16];
static unsigned long left; /* requests until it happens; 0: never, or it has */
static bool flying;

static bool is(const char *what)
{
	return !strcmp(how, what);
}

static _Noreturn void die(void)
{
	(void)raise(SIGKILL);
	abort();
}

static bool dying_submit(struct store *s, struct store_req *r)
{
	bool now = left && !--left, done;

	(void)s;
	if (now && is("before"))
		die();
	if (now && is("end"))
		exit(1);
	done = store_submit(image, r);
	if (now && is("after"))
		die();
	flying |= now && is("flying");
	return done;
}

static void dying_push(struct store *s)
{
	(void)s;
	store_push(image);
	if (flying)
		die();
}

static struct store_req *dying_reap(struct store *s, bool wait)
{
	(void)s;
	return store_reap(image, wait);
}

static int take(void *arg, unsigned int queue, struct vq_dev *vq)
{
	static const struct vu_msg unasked = { .h = { VU_GET_FEATURES, VU_VERSION, 0 } };
	bool breaks = is("id") || is("length") || is("twice") || is("talk");
	struct iovec iov[256];
	struct vq_chain c = { .iov = iov, .max = 256 };
	int r;

	(void)queue;
	if (!breaks || left > 1) {
		r = blk_take(arg, vq);
		if (breaks && r > 0)
			left = (unsigned long)r < left ? left - (unsigned long)r : 1;
		return r;
	}
	r = vq_dev_pop(vq, &c);
	if (r <= 0)
		return r;
	if (is("talk"))
		(void)!vu_sock_send(back.sock, &unasked);
	else
		vq_dev_push(vq, is("id") ? (uint16_t)(c.head + 77) : c.head,
			    is("length") ? UINT32_MAX : 0);
	if (is("twice"))
		vq_dev_push(vq, c.head, 0);
	return 1;
}

/* Which of them are we? */
static void choose(void)
{
	const char *spec = getenv("DYING"), *file = getenv("DYING_COUNT");
	int fd = file ? open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
	struct stat st = { 0 };

	if (!spec || fd < 0 || fstat(fd, &st) < 0 || write(fd, "x", 1) != 1)
		return;
	for (off_t i = 0; spec && i < st.st_size; i++) {
		spec = strchr(spec, ',');
		spec += spec != NULL;
	}
	if (spec && sscanf(spec, "%15[a-z]:%lu", how, &left) < 1)
		how[0] = 0;
	(void)close(fd);
}

static int parse(int argc, char **argv, struct store_file_conf *c)
{
	static const struct option options[] = {
		{ "fd", 1, NULL, 'f' },
		{ "blk-file", 1, NULL, 'i' },
		{ "blk-fd", 1, NULL, 'b' },
		{ "alive", 1, NULL, 'a' },
		{ "read-only", 0, NULL, 'r' },
		{ "again", 0, NULL, 'g' },
		{ 0 },
	};
	int id, sock = -1;

	while ((id = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (id == 'f')
			sock = atoi(optarg);
		else if (id == 'i')
			c->path = optarg;
		else if (id == 'b')
			c->fd = atoi(optarg);
		else if (id == 'a')
			c->alive = atoi(optarg);
		else if (id == 'r')
			c->read_only = true;
		else if (id == 'g')
			c->again = true;
		else
			return -1;
	}
	return sock;
}

int main(int argc, char **argv)
{
	static const struct store_ops ops = { "dying", dying_submit, dying_push, dying_reap, NULL };
	struct store_file_conf c = { .fd = -1, .alive = -1 };
	int sock = parse(argc, argv, &c), r;
	struct vu_device dev;
	struct store store;
	struct err e = { 0 };
	struct blk blk;

	choose();
	c.no_uring = is("after");
	if (sock < 0 || store_file_new(&c, &image, &e) < 0) {
		dprintf(STDERR_FILENO, "dying-blk: %s\n", e.msg);
		return 2;
	}
	store = (struct store){ .ops = &ops,
				.size = is("other") ? image->size / 2 : image->size,
				.physical = image->physical,
				.read_only = image->read_only,
				.fd = image->fd };
	if (blk_init(&blk, &store, "dying", 1) < 0)
		return 2;
	dev = blk_vhost(&blk, 1, store.fd);
	dev.take = take;
	vu_back_init(&back, &dev, sock);
	r = vu_serve(&back, VU_POLL_NS, &e);
	vu_back_fini(&back);
	blk_fini(&blk);
	store_free(image);
	return r < 0;
}
