/* SPDX-License-Identifier: MIT */
#include "fuse_mem.h"

#include <errno.h>
#include <string.h>

static struct fuse_mem *mem_of(struct fuse_chan *c)
{
	return (struct fuse_mem *)c; /* its first member */
}

static ssize_t mem_receive(struct fuse_chan *c, void *buf, size_t size)
{
	struct fuse_mem *m = mem_of(c);
	ssize_t r = 0;

	pthread_mutex_lock(&m->lock);
	while (m->head == m->tail && !m->over)
		pthread_cond_wait(&m->changed, &m->lock);
	if (m->head != m->tail) {
		unsigned int i = m->head++ % FUSE_MEM_QUEUE;

		/* What does not fit is lost, and nobody answers it. */
		r = m->queue[i].size <= size ? (ssize_t)m->queue[i].size : -EAGAIN;
		if (r > 0)
			memcpy(buf, m->queue[i].msg, m->queue[i].size);
		pthread_cond_broadcast(&m->changed);
	}
	pthread_mutex_unlock(&m->lock);
	return r;
}

static int mem_send(struct fuse_chan *c, const struct iovec *iov, int n)
{
	struct fuse_mem *m = mem_of(c);

	m->replied(m->arg, iov, n);
	return 0;
}

static const struct fuse_transport mem_transport = {
	.receive = mem_receive,
	.send = mem_send,
	.late = true,
};

void fuse_mem_init(struct fuse_mem *m, void (*replied)(void *arg, const struct iovec *iov, int n),
		   void *arg)
{
	*m = (struct fuse_mem){ .chan = { &mem_transport }, .replied = replied, .arg = arg };
	pthread_mutex_init(&m->lock, NULL);
	pthread_cond_init(&m->changed, NULL);
}

void fuse_mem_fini(struct fuse_mem *m)
{
	pthread_cond_destroy(&m->changed);
	pthread_mutex_destroy(&m->lock);
}

void fuse_mem_push(struct fuse_mem *m, const void *msg, size_t size)
{
	pthread_mutex_lock(&m->lock);
	while (m->tail - m->head == FUSE_MEM_QUEUE)
		pthread_cond_wait(&m->changed, &m->lock);
	m->queue[m->tail % FUSE_MEM_QUEUE].msg = msg;
	m->queue[m->tail++ % FUSE_MEM_QUEUE].size = size;
	pthread_cond_broadcast(&m->changed);
	pthread_mutex_unlock(&m->lock);
}

void fuse_mem_end(struct fuse_mem *m)
{
	pthread_mutex_lock(&m->lock);
	m->over = true;
	pthread_cond_broadcast(&m->changed);
	pthread_mutex_unlock(&m->lock);
}
