/* SPDX-License-Identifier: MIT */
/*
 * spawnbench - how long commands take from their start to their end, in turn.
 *
 *	spawnbench ROUNDS PAUSE_MS NAME [VAR=VALUE...] COMMAND... [++ NAME COMMAND...]...
 *
 * Theory of operation
 *
 * What is measured takes one to ten milliseconds, so the measuring itself must not:
 * posix_spawn(3) shares our memory until the execve(), and ours is small. All commands run once
 * per round, so that whatever else the machine does meets them all alike; each round
 * starts with another one, so that none has always the same one's aftermath
 * (engines clean up after they have answered); a pause lets that pass. The
 * first round warms up and does not count. Input and output are /dev/null;
 * a command that fails ends the run, for a failure's time says nothing.
 *
 * Output, JSON: {"NAME": {"wall_ns": [...], "cpu_ns": [...]}, ...}. The processor
 * time is that of the command and of what it has waited for.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMANDS_MAX 32
#define ROUNDS_MAX   100000
#define ENV_MAX      8 /* variables of one command */
#define NS_PER_SEC   1000000000ULL

struct command {
	const char *name;
	char **argv;
	char **env;
	uint64_t *wall_ns;
	uint64_t *cpu_ns;
};

struct bench {
	struct command v[COMMANDS_MAX];
	unsigned int n, rounds;
	struct timespec pause;
	posix_spawn_file_actions_t stdio;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
}

static uint64_t timeval_ns(struct timeval t)
{
	return (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_usec * 1000;
}

static void *must_calloc(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p) {
		(void)fputs("spawnbench: no memory\n", stderr);
		exit(1);
	}
	return p;
}

/* Ours, with the first @n of @vars put before it: the first of two equal names counts. */
static char **make_env(char **vars, size_t n)
{
	size_t have = 0;
	char **env;

	while (environ[have])
		have++;
	env = must_calloc(n + have + 1, sizeof(*env));
	memcpy(env, vars, n * sizeof(*env));
	memcpy(env + n, environ, have * sizeof(*env));
	return env;
}

static int run_once(const struct bench *b, struct command *c, uint64_t *ret_wall, uint64_t *ret_cpu)
{
	struct rusage use;
	int status, r;
	uint64_t start = now_ns();
	pid_t pid;

	r = posix_spawnp(&pid, c->argv[0], &b->stdio, NULL, c->argv, c->env);
	if (r) {
		(void)fprintf(stderr, "spawnbench: %s: %s\n", c->argv[0], strerror(r));
		return -r;
	}
	while (wait4(pid, &status, 0, &use) < 0)
		if (errno != EINTR)
			return -errno;
	*ret_wall = now_ns() - start;
	*ret_cpu = timeval_ns(use.ru_utime) + timeval_ns(use.ru_stime);
	if (!status)
		return 0;
	(void)fprintf(stderr, "spawnbench: '%s' failed, status 0x%x\n", c->name, status);
	return -EIO;
}

static int run_round(struct bench *b, unsigned int round)
{
	for (unsigned int i = 0; i < b->n; i++) {
		struct command *c = &b->v[(round + i) % b->n];
		int r = run_once(b, c, &c->wall_ns[round], &c->cpu_ns[round]);

		if (r < 0)
			return r;
		(void)nanosleep(&b->pause, NULL);
	}
	return 0;
}

/* The words up to the next "++" are the next command. */
static int parse_commands(struct bench *b, char **argv)
{
	while (*argv) {
		struct command *c = &b->v[b->n];
		char **vars;
		size_t nvars;

		if (b->n++ == COMMANDS_MAX || !argv[1])
			return -EINVAL;
		c->name = *argv++;
		vars = argv;
		while (*argv && strchr(*argv, '=') && argv - vars < ENV_MAX)
			argv++;
		nvars = (size_t)(argv - vars);
		c->argv = argv;
		while (*argv && strcmp(*argv, "++") != 0)
			argv++;
		if (argv == c->argv)
			return -EINVAL;
		if (*argv)
			*argv++ = NULL;
		c->env = make_env(vars, nvars);
		c->wall_ns = must_calloc(b->rounds + 1, sizeof(*c->wall_ns));
		c->cpu_ns = must_calloc(b->rounds + 1, sizeof(*c->cpu_ns));
	}
	return b->n ? 0 : -EINVAL;
}

static void print_times(const char *what, const uint64_t *v, unsigned int rounds)
{
	(void)printf("\"%s\": [", what);
	for (unsigned int i = 1; i <= rounds; i++)
		(void)printf("%s%llu", i > 1 ? ", " : "", (unsigned long long)v[i]);
	(void)printf("]");
}

static void print_all(const struct bench *b)
{
	for (unsigned int i = 0; i < b->n; i++) {
		(void)printf("%s\n\"%s\": {", i ? "," : "{", b->v[i].name);
		print_times("wall_ns", b->v[i].wall_ns, b->rounds);
		(void)printf(", ");
		print_times("cpu_ns", b->v[i].cpu_ns, b->rounds);
		(void)printf("}");
	}
	(void)printf("\n}\n");
}

int main(int argc, char **argv)
{
	struct bench b = { 0 };
	long pause_ms;

	if (argc < 5) {
		(void)fputs("usage: spawnbench ROUNDS PAUSE_MS NAME COMMAND... [++ ...]\n", stderr);
		return 2;
	}
	b.rounds = (unsigned int)strtoul(argv[1], NULL, 10);
	pause_ms = strtol(argv[2], NULL, 10);
	b.pause = (struct timespec){ pause_ms / 1000, pause_ms % 1000 * 1000000 };
	if (!b.rounds || b.rounds > ROUNDS_MAX || pause_ms < 0 ||
	    parse_commands(&b, argv + 3) < 0) {
		(void)fputs("spawnbench: bad arguments\n", stderr);
		return 2;
	}
	if (posix_spawn_file_actions_init(&b.stdio) ||
	    posix_spawn_file_actions_addopen(&b.stdio, 0, "/dev/null", O_RDONLY, 0) ||
	    posix_spawn_file_actions_addopen(&b.stdio, 1, "/dev/null", O_WRONLY, 0))
		return 1;
	for (unsigned int round = 0; round <= b.rounds; round++)
		if (run_round(&b, round) < 0)
			return 1;
	print_all(&b);
	return 0;
}
