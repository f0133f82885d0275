/* SPDX-License-Identifier: MIT */
/* Engines over fixtures of their state directories, and names resolved among them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctr_fixture.h"
#include "engine.h"
#include "table.h"

static void list_of(const struct engine_ops *ops, const struct fixture *f, struct ctr_list *l)
{
	struct err e = { 0 };

	*l = (struct ctr_list){ 0 };
	if (ops->list(&f->env, l, &e) < 0)
		fail_msg("%s: %s", ops->name, e.msg);
}

/* It is there with that pid (0: stopped), image and scope; NULL is "don't know". */
static void expect(const struct ctr_list *l, const char *engine, const char *name, pid_t pid,
		   const char *image, const char *scope)
{
	const struct ctr *c = fixture_get(l, engine, name);

	assert_int_equal(c->pid, pid);
	assert_int_equal(c->state, pid ? CTR_RUNNING : CTR_STOPPED);
	if (!image)
		assert_null(c->image);
	else
		assert_string_equal(c->image, image);
	if (!scope)
		assert_null(c->scope);
	else
		assert_string_equal(c->scope, scope);
}

/* find() and the filtered list() agree for @ref, and give @want. */
static void expect_find(const struct engine_ops *ops, const struct fixture *f, const char *ref,
			size_t want)
{
	struct ctr_list found = { 0 }, all;
	struct err e = { 0 };
	size_t n = 0, m = 0;

	list_of(ops, f, &all);
	assert_int_equal(ops->find(&f->env, ref, &found, &e), 0);
	for (size_t i = 0; i < all.n; i++)
		n += ctr_match(&all.v[i], ref) > 0;
	for (size_t i = 0; i < found.n; i++)
		m += ctr_match(&found.v[i], ref) > 0;
	assert_int_equal(n, want);
	assert_int_equal(m, want);
	ctr_list_fini(&found);
	ctr_list_fini(&all);
}

static void test_docker_files(void **state)
{
	struct fixture f;
	struct ctr_list l;
	const struct ctr *c;

	(void)state;
	fixture_init(&f, "docker");
	list_of(&engine_docker, &f, &l);
	assert_int_equal(l.n, 3); /* neither the garbage nor the nameless one */
	expect(&l, "docker", "web", f.live[0], "debian:12", NULL);
	expect(&l, "docker", "old", 0, "debian:12", NULL);
	expect(&l, "docker", "stale", 0, "debian:12", NULL);
	c = fixture_get(&l, "docker", "web");
	assert_non_null(c->oci_config);
	assert_non_null(strstr(c->oci_config, "/moby/f31f384749f9"));
	assert_int_equal(access(c->oci_config, R_OK), 0);
	ctr_list_fini(&l);
	expect_find(&engine_docker, &f, "web", 1);
	expect_find(&engine_docker, &f, "f31f38", 1);
	expect_find(&engine_docker, &f, "f31f39", 0);
	expect_find(&engine_docker, &f, "we", 0);
	fixture_fini(&f);
}

/* What is in a user's files is believed about that user's processes alone. */
static void test_podman(void **state)
{
	bool root = !getuid();
	struct fixture f;
	struct ctr_list l;

	(void)state;
	fixture_init(&f, "podman");
	f.env.uid = 0;
	if (root && (chown(f.root, 0, 0) < 0))
		fail();
	list_of(&engine_podman, &f, &l);
	expect(&l, "podman", "web", f.live[0], "localhost/app:1", NULL);
	expect(&l, "podman", "old", 0, "localhost/app:1", NULL);
	expect(&l, "podman", "never", 0, "localhost/app:1", NULL);
	expect(&l, "podman", "oneshot", f.live[1], "localhost/app:2", NULL);
	assert_null(fixture_find(&l, "podman", "k8s_app_pod_ns_1"));
	assert_null(fixture_find(&l, "podman", "debian-working-container"));
	if (root) {
		expect(&l, "podman", "web-of-alice", f.live[2], "localhost/app:1", "alice");
		expect(&l, "podman", "thief", 0, "localhost/app:1", "bob");
	}
	assert_int_equal(l.n, 6);
	ctr_list_fini(&l);
	expect_find(&engine_podman, &f, "web", 1);
	expect_find(&engine_podman, &f, "alice/web-of-alice", 1);
	expect_find(&engine_podman, &f, "bob/web-of-alice", 0);
	expect_find(&engine_podman, &f, "1aeaabc832df", 1);

	f.env.uid = FIXTURE_ALICE; /* she sees her own */
	f.env.home = "/home/alice";
	list_of(&engine_podman, &f, &l);
	assert_int_equal(l.n, 1);
	if (root)
		expect(&l, "podman", "web-of-alice", f.live[2], "localhost/app:1", NULL);
	ctr_list_fini(&l);
	f.env.runtime_dir = "/nowhere"; /* the pid file is not found */
	list_of(&engine_podman, &f, &l);
	expect(&l, "podman", "web-of-alice", 0, "localhost/app:1", NULL);
	ctr_list_fini(&l);
	f.env.data_home = "/nowhere";
	list_of(&engine_podman, &f, &l);
	assert_int_equal(l.n, 0);
	ctr_list_fini(&l);
	fixture_fini(&f);
}

static void test_containerd(void **state)
{
	struct fixture f;
	struct ctr_list l;

	(void)state;
	fixture_init(&f, "containerd");
	list_of(&engine_containerd, &f, &l);
	assert_int_equal(l.n, 6); /* without docker's */
	expect(&l, "containerd", "nerd", f.live[2], NULL, "default");
	expect(&l, "containerd", "job", 0, NULL, "team");
	expect(&l, "containerd", "made", 0, NULL, "team");
	expect(&l, "containerd", "kit", f.live[4], NULL, "build");
	ctr_list_fini(&l);
	expect_find(&engine_containerd, &f, "web", 2);
	expect_find(&engine_containerd, &f, "team/web", 1);
	expect_find(&engine_containerd, &f, "tea/web", 0);
	expect_find(&engine_containerd, &f, "nerd", 1);
	expect_find(&engine_containerd, &f, "default/nerd", 1);
	expect_find(&engine_containerd, &f, "5cabaa953bd3", 1);
	expect_find(&engine_containerd, &f, "default/5cabaa953bd3", 1);
	fixture_fini(&f);
}

static void test_cri_containerd(void **state)
{
	struct fixture f;
	struct ctr_list l;

	(void)state;
	fixture_init(&f, "cri-containerd");
	list_of(&engine_cri, &f, &l);
	assert_int_equal(l.n, 4); /* neither sandboxes nor the nameless one */
	expect(&l, "cri", "dns-5d/dns", f.live[0], "registry.k8s.io/dns:1.9", "kube-system");
	expect(&l, "cri", "dns-5d/sidecar", 0, "registry.k8s.io/sidecar:1", "kube-system");
	ctr_list_fini(&l);
	expect_find(&engine_cri, &f, "dns-5d/dns", 1);
	expect_find(&engine_cri, &f, "kube-system/dns-5d/dns", 1);
	expect_find(&engine_cri, &f, "shop/dns-5d/dns", 0);
	expect_find(&engine_cri, &f, "web-0/app", 2);
	expect_find(&engine_cri, &f, "shop/web-0/app",
		    1); /* named by the sandbox's log directory */
	expect_find(&engine_cri, &f, "fba6f33df889", 1);
	expect_find(&engine_cri, &f, "ed1bcdac5989", 0); /* a sandbox */
	list_of(&engine_containerd, &f, &l);             /* Kubernetes' are not listed twice */
	assert_int_equal(l.n, 0);
	fixture_fini(&f);
}

static void test_crio(void **state)
{
	struct fixture f;
	struct ctr_list l;

	(void)state;
	fixture_init(&f, "crio");
	list_of(&engine_cri, &f, &l);
	assert_int_equal(l.n, 2);
	expect(&l, "cri", "api-0/api", f.live[0], "quay.io/api:3", "prod");
	assert_int_equal(fixture_get(&l, "cri", "api-0/log")->pid, f.live[1]);
	ctr_list_fini(&l);
	expect_find(&engine_cri, &f, "prod/api-0/log", 1);
	expect_find(&engine_cri, &f, "b495dd", 1);
	list_of(&engine_podman, &f, &l);
	assert_int_equal(l.n, 0);
	fixture_fini(&f);
}

static void test_runtimes(void **state)
{
	struct fixture f;
	struct ctr_list l;

	(void)state;
	fixture_init(&f, "runc");
	list_of(&engine_runc, &f, &l);
	assert_int_equal(l.n, 4);
	expect(&l, "runc", "box", f.live[0], NULL, NULL);
	expect(&l, "runc", "reused", 0, NULL, NULL); /* that pid began at another time */
	expect(&l, "runc", "ended", 0, NULL, NULL);
	expect(&l, "runc", "ancient", f.live[1], NULL, NULL);
	assert_non_null(strstr(fixture_get(&l, "runc", "box")->oci_config, "/srv/bundle/config"));
	ctr_list_fini(&l);
	list_of(&engine_crun, &f, &l);
	assert_int_equal(l.n, 1);
	expect(&l, "crun", "crate", f.live[2], NULL, NULL);
	ctr_list_fini(&l);
	list_of(&engine_youki, &f, &l);
	assert_int_equal(l.n, 1);
	expect(&l, "youki", "yak", f.live[3], NULL, NULL);
	ctr_list_fini(&l);
	expect_find(&engine_runc, &f, "box", 1);
	expect_find(&engine_runc, &f, "bo", 0);
	fixture_fini(&f);
}

/* A user's state in /run/user names a process that is not his. */
static void test_runtime_of_user(void **state)
{
	struct fixture f;
	struct ctr_list l;
	char text[256];

	(void)state;
	if (getuid()) {
		print_message("skipped: needs root\n");
		skip();
	}
	fixture_init(&f, NULL);
	for (int i = 0; i < 2; i++) { /* process 1 is root's, process 3 is alice's */
		(void)snprintf(text, sizeof(text),
			       "{\"init_process_pid\":%d,\"init_process_start\":%llu}",
			       f.live[i * 2], (unsigned long long)f.start[i * 2]);
		fixture_put(&f,
			    i ? "/run/user/1001/runc/mine/state.json"
			      : "/run/user/1001/runc/roots/state.json",
			    text);
	}
	list_of(&engine_runc, &f, &l);
	expect(&l, "runc", "roots", 0, NULL, NULL);
	expect(&l, "runc", "mine", f.live[2], NULL, NULL);
	ctr_list_fini(&l);
	fixture_fini(&f);
}

/* A shim at an unusual place is found by its working directory, but only if it is believable. */
static void test_unusual_containerd(void **state)
{
	char dir[128], pid_text[16];
	struct fixture f;
	struct ctr_list l;
	pid_t shim;

	(void)state;
	fixture_init(&f, NULL);
	(void)snprintf(pid_text, sizeof(pid_text), "%d", f.live[0]);
	fixture_put(&f, "/x/io.containerd.runtime.v2.task/lab/mouse/init.pid", pid_text);
	fixture_put(&f, "/x/io.containerd.runtime.v2.task/lab/mouse/config.json", "{}");
	(void)snprintf(dir, sizeof(dir), "%s/x/io.containerd.runtime.v2.task/lab/mouse", f.root);
	list_of(&engine_containerd, &f, &l);
	assert_int_equal(l.n, 0);
	shim = fork();
	assert_true(shim >= 0);
	if (!shim) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (chdir(dir) < 0)
			_exit(1);
		(void)prctl(PR_SET_NAME, "containerd-shim-runc-v2");
		for (;;)
			pause();
	}
	fixture_show(&f, shim);
	for (int i = 0; i < 10000 && !l.n; i++) {
		usleep(10000);
		ctr_list_fini(&l);
		list_of(&engine_containerd, &f, &l);
	}
	expect(&l, "containerd", "mouse", f.live[0], NULL, "lab");
	ctr_list_fini(&l);
	f.env.uid = 4242; /* somebody else's shim says nothing */
	if (getuid()) {
		list_of(&engine_containerd, &f, &l);
		assert_int_equal(l.n, 0);
		ctr_list_fini(&l);
	}
	(void)kill(shim, SIGKILL);
	(void)waitpid(shim, NULL, 0);
	fixture_fini(&f);
}

/* A monitor of podman: this program again, under another name. Its child is the container. */
static int be_conmon(const char *pidfile)
{
	pid_t pid;
	FILE *f;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	pid = fork();
	if (!pid) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	f = fopen(pidfile, "we");
	if (!f || fprintf(f, "%d", pid) < 0 || fclose(f))
		return 1;
	for (;;)
		pause();
}

static pid_t read_pid(const char *path)
{
	char *text = NULL;
	pid_t pid = 0;

	if (io_read_at(AT_FDCWD, path, 32, &text, NULL) == 0 && task_pid_parse(text, &pid) < 0)
		pid = 0;
	free(text);
	return pid;
}

static pid_t start_conmon(const struct fixture *f, const char *id, const char *name)
{
	char exe[128], bundle[128], pidfile[128];
	pid_t pid;

	(void)snprintf(exe, sizeof(exe), "%s/conmon", f->root);
	(void)snprintf(bundle, sizeof(bundle), "/store/x-containers/%s/userdata", "ID");
	(void)snprintf(pidfile, sizeof(pidfile), "/%s.pid", name);
	if (symlink("/proc/self/exe", exe) < 0 && errno != EEXIST)
		fixture_die(exe);
	pid = fork();
	if (!pid) {
		execl(exe, "conmon", "-c", id, "-n", name, "-b", bundle, "-p", pidfile, f->root,
		      NULL);
		_exit(127);
	}
	return pid;
}

#define MONITORED "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void test_unusual_podman(void **state)
{
	struct fixture f;
	struct ctr_list l = { 0 };
	char path[128], text[16];
	pid_t conmon, child = 0;

	(void)state;
	fixture_init(&f, NULL);
	fixture_put(&f, "/store/x-containers/ID/userdata/config.json",
		    "{\"annotations\":{\"io.container.manager\":\"libpod\"}}");
	fixture_put(&f, "/store/x-containers/containers.json",
		    "[{\"id\":\"" MONITORED "\",\"names\":[\"lost\"],"
		    "\"metadata\":\"{\\\"image-name\\\":\\\"app:1\\\"}\"}]");
	conmon = start_conmon(&f, MONITORED, "lost");
	assert_true(conmon > 0);
	(void)snprintf(path, sizeof(path), "%s/lost.pid", f.root);
	for (int i = 0; i < 10000 && !child; i++) {
		usleep(10000);
		child = read_pid(path);
	}
	assert_true(child > 0);
	fixture_show(&f, conmon);
	fixture_show(&f, child);
	list_of(&engine_podman, &f, &l);
	assert_int_equal(l.n, 1);
	expect(&l, "podman", "lost", child, "app:1", NULL);
	ctr_list_fini(&l);

	/* A monitor that points to a process which is not its child is a liar. */
	(void)snprintf(text, sizeof(text), "%d", f.live[0]);
	fixture_put(&f, "/lost.pid", text);
	list_of(&engine_podman, &f, &l);
	assert_int_equal(l.n, 0);
	(void)kill(conmon, SIGKILL);
	(void)waitpid(conmon, NULL, 0);
	(void)kill(child, SIGKILL);
	fixture_fini(&f);
}

static void put_runc(struct fixture *f, const char *runtime, const char *name, int who)
{
	char path[128], text[128];

	(void)snprintf(path, sizeof(path), "/run/%s/%s/state.json", runtime, name);
	(void)snprintf(text, sizeof(text), "{\"init_process_pid\":%d,\"init_process_start\":%llu}",
		       f->live[who], (unsigned long long)f->start[who]);
	fixture_put(f, path, text);
}

static void expect_error(const struct fixture *f, const char *target, int code, const char *words)
{
	struct ctr c = { 0 };
	struct err e = { 0 };
	int r = ctr_resolve(&f->env, target, &c, &e);

	if (r != -code || !strstr(e.msg, words))
		fail_msg("'%s' gave %d: %s", target, r, e.msg);
}

static void expect_pid(const struct fixture *f, const char *target, pid_t pid)
{
	struct err e = { 0 };
	struct ctr c = { 0 };

	if (ctr_resolve(&f->env, target, &c, &e) < 0)
		fail_msg("'%s': %s", target, e.msg);
	assert_int_equal(c.pid, pid);
	ctr_fini(&c);
}

static void test_resolve(void **state)
{
	struct fixture f;
	char pid[16];

	(void)state;
	fixture_init(&f, "containerd");
	put_runc(&f, "runc", "box", 1);
	put_runc(&f, "runc", "web", 3);
	put_runc(&f, "runc", "nerd", 2); /* the runtime below containerd: the same process */
	put_runc(&f, "runc", "5cabaa95", 1);
	put_runc(&f, "runc", "12345678", 1);
	put_runc(&f, "crun", "line\nbreak\033[2J", 1);

	expect_pid(&f, "box", f.live[1]);
	expect_pid(&f, "runc:box", f.live[1]);
	expect_error(&f, "crun:box", ENOENT, "no crun container is called 'box'");
	expect_pid(&f, "team/web", f.live[1]);
	expect_pid(&f, "containerd:default/web", f.live[0]);
	expect_error(&f, "web", ENOTUNIQ,
		     "'web' is ambiguous: containerd:default/web, containerd:team/web, runc:web");
	expect_pid(&f, "nerd", f.live[2]);      /* once, as the engine's */
	expect_pid(&f, "runc:nerd", f.live[2]); /* but asked for as such */
	expect_pid(&f, "5cabaa953", f.live[2]); /* the prefix of nerd's id */
	expect_error(&f, "5cabaa", ENOTUNIQ, "containerd:nerd, runc:5cabaa95");
	expect_pid(&f, "5cabaa95", f.live[1]); /* exact beats prefix */
	expect_error(&f, "5c", ENOENT, "5c");
	expect_error(&f, "team/job", EHOSTDOWN, "container 'job' is stopped");
	expect_error(&f, "nerb", ENOENT, "did you mean 'containerd:nerd'?");
	expect_error(&f, "nothing-like-it", ENOENT, "'cntr ps' lists all");
	expect_error(&f, "podman:box", ENOENT, "no podman container is called 'box'");
	expect_error(&f, "", ENOENT, "");
	expect_error(&f, "runc:", ENOENT, "names no container");
	expect_error(&f, "nix:box", ENOENT, "nix:box");
	expect_pid(&f, "line\nbreak\033[2J", f.live[1]);

	(void)snprintf(pid, sizeof(pid), "%d", f.live[4]);
	expect_pid(&f, pid, f.live[4]);
	expect_pid(&f, "12345678", f.live[1]); /* no pid is that high: a name */
	expect_error(&f, "4194303", ESRCH, "no process has the pid 4194303");
	expect_error(&f, "process:4194303", ESRCH, "no process has the pid 4194303");
	expect_error(&f, "99999999999999999999", ESRCH, "no process has the pid");
	expect_error(&f, "process:no-such-process", ENOENT, "no process is called");
	fixture_fini(&f);
}

static void test_list(void **state)
{
	struct fixture f;
	struct ctr_list l = { 0 };
	struct err e = { 0 };

	(void)state;
	fixture_init(&f, "containerd");
	put_runc(&f, "runc", "nerd", 2);
	put_runc(&f, "runc", "box", 3);
	assert_int_equal(ctr_list(&f.env, &l, &e), 0);
	/* job and made are stopped, runc's nerd is containerd's */
	assert_int_equal(l.n, 5);
	assert_string_equal(l.v[0].name, "kit");
	assert_string_equal(l.v[1].name, "nerd");
	assert_string_equal(l.v[1].engine, "containerd");
	assert_string_equal(l.v[2].name, "web");
	assert_string_equal(l.v[4].engine, "runc");
	for (size_t i = 0; i < l.nskipped; i++)
		print_message("skipped: %s\n", l.skipped[i].msg);
	assert_int_equal(l.nskipped, 0);
	ctr_list_fini(&l);
	assert_int_equal(ctr_list_all(&f.env, &l, &e), 0);
	assert_int_equal(l.n, 7);
	ctr_list_fini(&l);
	fixture_fini(&f);
}

/* Without permission an engine says so when it is asked for, and doesn't keep others from answering. */
static void test_permission(void **state)
{
	struct fixture f;
	struct ctr_list l = { 0 };
	struct err e = { 0 };
	char path[128];

	(void)state;
	fixture_init(&f, "containerd");
	(void)snprintf(path, sizeof(path), "%s/run/containerd/io.containerd.runtime.v2.task",
		       f.root);
	assert_int_equal(chmod(path, 0), 0);
	if (!getuid() && seteuid(FIXTURE_ALICE) < 0)
		fail();
	f.env.uid = FIXTURE_ALICE;
	expect_error(&f, "containerd:web", EACCES, "containerd: no permission to read its state");
	expect_error(&f, "web", ENOENT, "containerd: no permission");
	assert_int_equal(ctr_list(&f.env, &l, &e), 0);
	assert_int_equal(l.nskipped, 1);
	assert_int_equal(l.skipped[0].code, EACCES);
	ctr_list_fini(&l);
	if (!getuid() && seteuid(0) < 0)
		fail();
	assert_int_equal(chmod(path, 0755), 0);
	fixture_fini(&f);
}

static void test_process_names(void **state)
{
	struct fixture f;
	pid_t parent, child;
	int fds[2];

	(void)state;
	fixture_init(&f, NULL);
	assert_int_equal(pipe(fds), 0);
	parent = fork();
	if (!parent) { /* a server and its worker, of one name */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)prctl(PR_SET_NAME, "dvs-server");
		child = fork();
		if (!child)
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		else if (write(fds[1], &child, sizeof(child)) != sizeof(child))
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(fds[0], &child, sizeof(child)), sizeof(child));
	fixture_show(&f, parent);
	fixture_show(&f, child);
	expect_pid(&f, "process:dvs-server", parent);
	expect_error(&f, "dvs-server", ENOENT, "no container");
	fixture_show(&f, getpid());
	expect_pid(&f, "self", getpid());
	/* All children of this program have its name on their command line, and it is left out itself. */
	expect_error(&f, "process:test-ctr", ENOENT, "no process");
	(void)kill(parent, SIGKILL);
	(void)waitpid(parent, NULL, 0);
	(void)kill(child, SIGKILL);
	fixture_fini(&f);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_docker_files),
		cmocka_unit_test(test_podman),
		cmocka_unit_test(test_containerd),
		cmocka_unit_test(test_cri_containerd),
		cmocka_unit_test(test_crio),
		cmocka_unit_test(test_runtimes),
		cmocka_unit_test(test_runtime_of_user),
		cmocka_unit_test(test_unusual_containerd),
		cmocka_unit_test(test_unusual_podman),
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_permission),
		cmocka_unit_test(test_process_names),
	};

	if (argc == 10 && !strcmp(argv[0], "conmon")) {
		char path[256];

		(void)snprintf(path, sizeof(path), "%s%s", argv[9], argv[8]);
		return be_conmon(path);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
