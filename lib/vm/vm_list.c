/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "cleanup.h"
#include "cursor.h"
#include "io.h"
#include "stat.h"
#include "vm.h"

#define CMDLINE_MAX (1U << 20)

/* Options whose value is the name, of QEMU, kvmtool, Firecracker and crosvm. */
static const char *const name_options[] = { "-name", "--name", "--id" };

/* One element of a list with commas, where two commas are one of the element. false at the end of the list. */
static bool next_element(const char **at, char ret[VM_NAME_MAX])
{
	size_t n = 0;
	const char *p = *at;

	if (!p)
		return false;
	for (; *p && (*p != ',' || p[1] == ','); p += *p == ',' ? 2 : 1)
		if (n < VM_NAME_MAX - 1)
			ret[n++] = *p;
	ret[n] = '\0';
	*at = *p ? p + 1 : NULL;
	return true;
}

/* QEMU's "guest=NAME,debug-threads=on", as libvirt gives it, or the name first. */
static void take_list(const char *value, char ret[VM_NAME_MAX])
{
	bool is_name = value[strcspn(value, "=,")] != '=';
	char element[VM_NAME_MAX];

	*ret = '\0';
	for (; next_element(&value, element); is_name = false) {
		if (is_name)
			memcpy(ret, element, sizeof(element));
		else if (!strncmp(element, "guest=", 6))
			(void)snprintf(ret, VM_NAME_MAX, "%s", element + 6);
	}
}

static bool take_name(const char *option, const char *value, char ret[VM_NAME_MAX])
{
	if (strcmp(option, "--id") != 0)
		take_list(value, ret);
	else
		(void)snprintf(ret, VM_NAME_MAX, "%s", value);
	return *ret;
}

bool vm_name(const char *cmdline, size_t len, char ret[VM_NAME_MAX])
{
	struct cursor c = cur_of(cmdline, len);
	const char *option = NULL;
	struct span s;

	while (cur_until(&c, '\0', &s) == 1) {
		_cleanup_free_ char *word = span_dup(s);

		if (!word)
			return false;
		if (option)
			return take_name(option, word, ret);
		for (size_t i = 0; i < ARRAY_SIZE(name_options); i++) {
			size_t n = strlen(name_options[i]);

			if (!strcmp(word, name_options[i]))
				option = name_options[i];
			else if (!strncmp(word, name_options[i], n) && word[n] == '=')
				return take_name(name_options[i], word + n + 1, ret);
		}
	}
	return false;
}

static void name_hypervisor(const char *comm, char ret[32])
{
	static const char *const known[][2] = { { "qemu", "qemu" },
						{ "kvm", "qemu" },
						{ "firecracker", "firecracker" },
						{ "cloud-hyperviso", "cloud-hypervisor" },
						{ "crosvm", "crosvm" },
						{ "lkvm", "kvmtool" } };

	(void)snprintf(ret, 32, "%s", comm);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!strncmp(comm, known[i][0], strlen(known[i][0])))
			(void)snprintf(ret, 32, "%s", known[i][1]);
}

static int describe(const struct pid_ref *p, const struct kvm_fds *fds, struct vm_list *l)
{
	_cleanup_free_ char *cmdline = NULL;
	struct vm_info info = { .pid = p->pid, .several = fds->nvm > 1 };
	struct proc_stat st = { .comm = "?" };
	size_t len = 0;

	(void)!proc_stat_read(p->procfd, &st);
	(void)!io_read_at(p->procfd, "cmdline", CMDLINE_MAX, &cmdline, &len);
	name_hypervisor(st.comm, info.hypervisor);
	if (!cmdline || !vm_name(cmdline, len, info.name))
		(void)snprintf(info.name, sizeof(info.name), "%s-%d", info.hypervisor, p->pid);
	for (size_t i = 0; i < fds->nvm; i++) {
		info.vmfd = fds->vm[i];
		info.ncpu = 0;
		for (size_t k = 0; k < fds->ncpu; k++)
			info.ncpu += fds->cpu[k].vm == info.vmfd;
		if (array_room(&l->v, &l->room, l->n + 1, sizeof(*l->v)) < 0)
			return -ENOMEM;
		l->v[l->n++] = info;
	}
	return 0;
}

/* The machines of process @pid. Return: 0; -EACCES; -errno. */
static int add_process(pid_t pid, struct vm_list *l, struct err *e)
{
	_cleanup_pid_ struct pid_ref p = PID_REF_INIT;
	struct kvm_fds fds = { 0 };
	int r = pid_open(pid, &p, e);

	if (!r)
		r = kvm_fds_find(&p, &fds, e);
	return r < 0 ? r : describe(&p, &fds, l);
}

int vm_list(struct vm_list *ret, struct err *e)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc");
	struct dirent *d;

	if (!dir)
		return err_set(e, errno, "reading /proc: %s", err_str(errno));
	*ret = (struct vm_list){ 0 };
	while ((d = readdir(dir))) {
		pid_t pid = (pid_t)strtol(d->d_name, NULL, 10);
		int r = pid > 0 ? add_process(pid, ret, NULL) : 0;

		if (r == -EACCES)
			ret->unreadable++;
		if (r == -ENOMEM)
			return err_set(e, ENOMEM, "no memory for a list of machines");
	}
	return 0;
}

void vm_list_fini(struct vm_list *l)
{
	free(l->v);
	*l = (struct vm_list){ 0 };
}

static int resolve_pid(pid_t pid, int vmfd, struct vm_info *ret, struct err *e)
{
	_cleanup_vm_list_ struct vm_list l = { 0 };
	int r = add_process(pid, &l, e);

	if (r < 0)
		return r;
	if (!l.n)
		return err_set(e, ENOENT,
			       "process %d is no virtual machine: it has no KVM descriptor", pid);
	if (vmfd < 0 && l.n > 1)
		return err_set(e, EEXIST,
			       "process %d has %zu machines; name one of them, such as %d:%d", pid,
			       l.n, pid, l.v[0].vmfd);
	for (size_t i = 0; i < l.n; i++)
		if (vmfd < 0 || l.v[i].vmfd == vmfd) {
			*ret = l.v[i];
			return 0;
		}
	return err_set(e, ENOENT, "descriptor %d of process %d is no virtual machine", vmfd, pid);
}

static int resolve_name(const char *name, struct vm_info *ret, struct err *e)
{
	_cleanup_vm_list_ struct vm_list l = { 0 };
	size_t found = 0, at = 0;
	int r = vm_list(&l, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < l.n; i++)
		if (!strcmp(l.v[i].name, name)) {
			at = i;
			found++;
		}
	if (found > 1)
		return err_set(e, EEXIST,
			       "%zu machines are called '%.100s'; give a pid, 'vmsh ps' has them",
			       found, name);
	if (!found)
		return err_set(e, ENOENT,
			       "no virtual machine is called '%.100s'; 'vmsh ps' lists those %s",
			       name, l.unreadable ? "that this user may see" : "that run");
	*ret = l.v[at];
	return 0;
}

int vm_resolve(const char *target, struct vm_info *ret, struct err *e)
{
	char *end;
	long pid = strtol(target, &end, 10), fd = -1;
	int r;

	if (end != target && *end == ':' && end[1]) {
		char *rest;

		fd = strtol(end + 1, &rest, 10);
		end = *rest || fd < 0 || fd > INT32_MAX ? end : rest;
	}
	if (end == target || *end || pid <= 0 || pid > INT32_MAX)
		return resolve_name(target, ret, e);
	/* a machine may be called by a number */
	r = resolve_pid((pid_t)pid, (int)fd, ret, e);
	return r == -ENOENT || r == -ESRCH ? (resolve_name(target, ret, NULL) ? r : 0) : r;
}
