/* SPDX-License-Identifier: MIT */
/* cmd_doctor.c - vmsh doctor: what this host and user allow. */
#include <errno.h>
#include <stdio.h>

#include "cmd.h"
#include "json.h"
#include "target.h"

enum {
	DOCTOR_JSON = OPT_LONG
};

const struct opt cmd_doctor_opts[] = {
	{ DOCTOR_JSON, "json", NULL, "print an array of objects" },
	{ 0 },
};

static int print_json(const struct vm_probe *v)
{
	_cleanup_json_ struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < VM_PROBES; i++) {
		struct json_object *o = json_object_new_object();

		json_add_str(o, "name", v[i].name);
		json_add_bool(o, "works", v[i].works);
		json_add_str(o, "without", v[i].without);
		json_add_str(o, "detail", v[i].detail);
		(void)json_object_array_add(array, o);
	}
	return target_printed(json_print(array, stdout));
}

int cmd_doctor(struct opt_parser *p)
{
	struct vm_probe v[VM_PROBES];
	struct err e = { 0 };
	bool json = false;
	int id;

	while ((id = opt_next(p, &e)) > 0)
		json = true;
	if (!id && p->noperands)
		id = err_set(&e, EINVAL, "doctor takes no operand");
	if (id < 0)
		return target_usage(p, &e);
	vm_probe_all(v);
	if (json)
		return print_json(v);
	for (size_t i = 0; i < VM_PROBES; i++) {
		printf("  %-3s  %-20s %s\n", v[i].works ? "yes" : "no", v[i].name, v[i].detail);
		if (!v[i].works)
			printf("       %-20s without: %s\n", "", v[i].without);
	}
	return target_printed(0);
}
