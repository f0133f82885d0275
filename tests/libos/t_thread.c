// SPDX-License-Identifier: MIT
/* t_thread.c - threads: their own storage and registers, futexes, robust and PI locks. */
#include "t.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 8
#define ROUNDS  20000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long counter;
static __thread long own;
static sem_t ping, pong;

static void *add(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&lock);
		counter++;
		pthread_mutex_unlock(&lock);
		own += (intptr_t)arg;
	}
	return (void *)own;
}

static void counters(void)
{
	pthread_t threads[THREADS];
	void *sum;

	for (intptr_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, add, (void *)i) == 0);
	for (intptr_t i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], &sum) == 0 && (intptr_t)sum == i * ROUNDS);
	CHECK(counter == THREADS * ROUNDS && own == 0);
}

/* Long enough to be preempted, in registers that no one saves but the kernel. */
static void *series(void *arg)
{
	double sum = 0;

	for (long i = 1; i < 10000000; i++)
		sum += 1.0 / (double)(i + (intptr_t)arg);
	memcpy(&arg, &sum, sizeof(arg));
	return arg;
}

static void vectors_are_own(void)
{
	pthread_t threads[4];
	void *results[4], *again;

	for (intptr_t i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, series, (void *)i) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_join(threads[i], &results[i]) == 0);
	for (intptr_t i = 0; i < 4; i++) {
		again = series((void *)i);
		CHECK(again == results[i]);
	}
}

static void *answer(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		sem_wait(&ping);
		sem_post(&pong);
	}
	return arg;
}

static void ping_pong(void)
{
	pthread_t thread;

	CHECK(sem_init(&ping, 0, 0) == 0 && sem_init(&pong, 0, 0) == 0);
	CHECK(pthread_create(&thread, NULL, answer, NULL) == 0);
	for (int i = 0; i < ROUNDS; i++) {
		sem_post(&ping);
		sem_wait(&pong);
	}
	CHECK(pthread_join(thread, NULL) == 0);
}

/* A lock in shared memory whose owner dies goes to the next one, with word of it. */
static void robust_between_processes(void)
{
	pthread_mutex_t *shared =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t attr;
	int status;

	CHECK(shared != MAP_FAILED);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	CHECK(pthread_mutex_init(shared, &attr) == 0);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		_exit(pthread_mutex_lock(shared));
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(pthread_mutex_lock(shared) == EOWNERDEAD);
	CHECK(pthread_mutex_consistent(shared) == 0 && pthread_mutex_unlock(shared) == 0);
}

static void *fork_from_thread(void *arg)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit((int)own + 3);
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 3);
	return arg;
}

static void forks_in_threads(void)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, fork_from_thread, NULL) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
}

int main(int argc, char **argv)
{
	static const struct t_case cases[] = {
		{ "counters", counters },
		{ "vectors_are_own", vectors_are_own },
		{ "ping_pong", ping_pong },
		{ "robust_between_processes", robust_between_processes },
		{ "forks_in_threads", forks_in_threads },
		{ NULL, NULL },
	};

	return t_main(argc, argv, cases);
}
