/* SPDX-License-Identifier: MIT */
/* cmd_inspect.c - vmsh inspect: memory, processors and kernel of a machine. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cleanup.h"
#include "cmd.h"
#include "json.h"
#include "target.h"
#include "text.h"

const struct opt cmd_inspect_opts[] = { TARGET_OPTS, { 0 } };

static const char *const state_name[] = {
	[VM_DRIVER_NONE] = "no", [VM_DRIVER_BUILTIN] = "built in", [VM_DRIVER_MODULE] = "loaded"
};

static void add_hex(struct json_object *o, const char *key, uint64_t v)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "0x%" PRIx64, v);
	json_add_str(o, key, text);
}

static struct json_object *slots_json(const struct kvm_vm *k)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < k->nslot; i++) {
		struct json_object *o = json_object_new_object();
		const struct kvm_slot *s = &k->slot[i];

		if (s->id >= 0)
			json_add_int(o, "slot", s->id);
		else
			json_add_str(o, "slot", NULL);
		if (s->placed)
			add_hex(o, "guest", s->gpa.v);
		else
			json_add_str(o, "guest", NULL);
		json_add_int(o, "size", (int64_t)s->size);
		add_hex(o, "host", s->hva.v);
		json_add_bool(o, "readonly", s->readonly);
		json_add_bool(o, "logged", s->logged);
		(void)json_object_array_add(array, o);
	}
	return array;
}

static struct json_object *cpus_json(const struct kvm_vm *k)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < k->ncpu; i++) {
		struct json_object *o = json_object_new_object();
		const struct kvm_cpu *c = &k->cpu[i];

		json_add_int(o, "cpu", c->idx);
		json_add_int(o, "ring", c->cpl);
		add_hex(o, "rip", c->rip);
		add_hex(o, "rsp", c->rsp);
		add_hex(o, "rflags", c->rflags);
		add_hex(o, "cr0", c->cr.cr0);
		add_hex(o, "cr3", c->cr.cr3);
		add_hex(o, "cr4", c->cr.cr4);
		add_hex(o, "efer", c->cr.efer);
		add_hex(o, "lstar", c->lstar);
		(void)json_object_array_add(array, o);
	}
	return array;
}

/* What is known of structures without types. */
static const char *inferred(const struct vm *v)
{
	const bool tasks = v->fields.f[TASK_SIZE].there,
		   log = v->fields.f[RB_DESC_COUNT_BITS].there;

	return v->have_types  ? "nothing"
	       : tasks && log ? "tasks, log"
	       : tasks        ? "tasks"
	       : log          ? "log"
			      : "nothing";
}

static int print_json(const struct vm *v)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();
	struct json_object *drivers = json_object_new_object();
	struct vm_driver d[VM_DRIVERS];

	vm_drivers(v, d);
	for (size_t i = 0; i < VM_DRIVERS; i++)
		json_add_str(drivers, d[i].name, state_name[d[i].state]);
	json_add_int(o, "pid", v->info.pid);
	json_add_int(o, "vmfd", v->info.vmfd);
	json_add_str(o, "hypervisor", v->info.hypervisor);
	json_add_str(o, "name", v->info.name);
	json_add_str(o, "kernel", v->release);
	add_hex(o, "text",
		ksyms_count(&v->symbols) ? v->slide + 0xffffffff81000000 : v->range.start.v);
	add_hex(o, "kaslr", v->slide);
	json_add_int(o, "symbols", ksyms_count(&v->symbols));
	json_add_int(o, "types", v->have_types ? v->btf.count : 0);
	json_add_str(o, "no_types", v->have_types ? NULL : v->no_types.msg);
	json_add_str(o, "inferred", inferred(v));
	json_add_int(o, "paging_levels", v->view.pt.levels);
	json_add_int(o, "memory", (int64_t)vm_memory(v));
	json_add_bool(o, "slots_exact", v->kvm.exact);
	json_add_int(o, "slots_unknown", v->kvm.unknown_slots);
	(void)json_object_object_add(o, "slots", slots_json(&v->kvm));
	(void)json_object_object_add(o, "cpus", cpus_json(&v->kvm));
	(void)json_object_object_add(o, "drivers", drivers);
	json_add_int(o, "stopped_us", (int64_t)(v->kvm.stopped_ns / 1000));
	json_add_int(o, "probing_us", (int64_t)(v->kvm.probing_ns / 1000));
	json_add_int(o, "probes", v->kvm.probes);
	return json_print(o, stdout);
}

static void print_slots(const struct kvm_vm *k)
{
	printf("\nMemory%s\n",
	       k->exact ? "" : " (KVM was not asked for bounds: mappings as a whole)");
	for (size_t i = 0; i < k->nslot; i++) {
		const struct kvm_slot *s = &k->slot[i];

		if (s->id >= 0)
			printf("  slot %-3d ", s->id);
		else
			printf("  mapping  ");
		if (s->placed)
			printf("%#14" PRIx64, s->gpa.v);
		else
			printf("%14s", "somewhere");
		printf("  %8" PRIu64 " KiB  at %#" PRIx64 "%s%s\n", s->size >> 10, s->hva.v,
		       s->readonly ? "  read-only" : "", s->logged ? "  writes are logged" : "");
	}
	if (k->unknown_slots)
		printf("  %u more slots are in use, of which only that is known\n",
		       k->unknown_slots);
}

static void print_text(const struct vm *v)
{
	_cleanup_free_ char *name = text_safe(v->info.name);
	_cleanup_free_ char *hypervisor = text_safe(v->info.hypervisor);
	struct vm_driver d[VM_DRIVERS];

	printf("%s (%s, pid %d, descriptor %d)\n\nKernel\n", name ? name : "?",
	       hypervisor ? hypervisor : "?", v->info.pid, v->info.vmfd);
	printf("  release   %s\n  KASLR     %#" PRIx64 "\n  paging    %u levels\n", v->release,
	       v->slide, v->view.pt.levels);
	printf("  symbols   %u\n  types     ", ksyms_count(&v->symbols));
	if (v->have_types)
		printf("%u\n", v->btf.count);
	else
		printf("none: %s\n  inferred  %s\n", v->no_types.msg, inferred(v));
	printf("\nProcessors\n");
	for (size_t i = 0; i < v->kvm.ncpu; i++) {
		const struct kvm_cpu *c = &v->kvm.cpu[i];

		printf("  %-3d ring %u  rip %016" PRIx64 "  rsp %016" PRIx64 "  cr3 %#" PRIx64 "\n",
		       c->idx, c->cpl, c->rip, c->rsp, c->cr.cr3);
	}
	print_slots(&v->kvm);
	printf("\nDrivers\n");
	vm_drivers(v, d);
	for (size_t i = 0; i < VM_DRIVERS; i++)
		printf("  %-16s %s\n", d[i].name, state_name[d[i].state]);
	printf("\nThe machine stood for %.1f ms, and for another %.1f ms for %u questions about its memory.\n",
	       (double)v->kvm.stopped_ns / 1e6, (double)v->kvm.probing_ns / 1e6, v->kvm.probes);
}

int cmd_inspect(struct opt_parser *p)
{
	_cleanup_target_ struct target t = TARGET_INIT;
	int r = target_open(p, KFIELDS, &t);

	if (r)
		return r;
	if (t.json)
		return target_printed(print_json(&t.vm));
	print_text(&t.vm);
	return target_printed(0);
}
