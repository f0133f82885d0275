/* SPDX-License-Identifier: MIT */
/* Names of machines, out of command lines as hypervisors and libvirt write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vm.h"

#define LINE(text) text, sizeof(text)

static const struct {
	const char *line; /* words that end with a NUL */
	size_t size;
	const char *want; /* NULL: none */
} names[] = {
	/* what libvirt 9 starts, about */
	{ LINE("/usr/bin/qemu-system-x86_64\0-name\0guest=debian12,debug-threads=on\0-S\0-object\0"
	       "{\"qom-type\":\"secret\",\"id\":\"masterKey0\",\"format\":\"raw\"}\0-machine\0"
	       "pc-q35-7.2,usb=off,vmport=off,dump-guest-core=off,memory-backend=pc.ram\0-accel\0kvm\0-uuid\0"
	       "deadbeef-0000-0000-0000-000000000001\0-no-user-config\0-nodefaults"),
	  "debian12" },
	/* a comma in a name is two in a list of QEMU's */
	{ LINE("qemu\0-name\0guest=a,,b,debug-threads=on"), "a,b" },
	{ LINE("qemu\0-name\0guest=,,,,x"), ",,x" },
	{ LINE("qemu\0-name\0guest=two words,debug-threads=on"), "two words" },
	{ LINE("qemu\0-name\0debug-threads=on,guest=last"), "last" },
	{ LINE("qemu\0-name\0plain"), "plain" },
	{ LINE("qemu\0-name\0plain,process=qemu:plain,debug-threads=on"), "plain" },
	{ LINE("qemu\0-name\0xguest=1,guest=real"), "real" },
	{ LINE("qemu\0-name\0x,,guest=no"), "x,guest=no" },
	{ LINE("qemu\0-name\0guest=a=b"), "a=b" },
	{ LINE("qemu\0--name\0guest=double"), "double" },
	{ LINE("lkvm\0run\0--name\0mine"), "mine" },
	{ LINE("crosvm\0run\0--name=theirs"), "theirs" },
	{ LINE("firecracker\0--id\0a-1,b\0--api-sock\0/x"), "a-1,b" },
	{ LINE("firecracker\0--id=a-2"), "a-2" },
	/* none */
	{ LINE("qemu\0-machine\0q35"), NULL },
	{ LINE("qemu\0-name"), NULL },
	{ LINE("qemu\0-name\0"), NULL },
	{ LINE("qemu\0-name\0debug-threads=on"), NULL },
	{ LINE("qemu\0-name\0guest="), NULL },
	{ LINE("qemu\0-nameless\0x"), NULL },
	{ LINE(""), NULL },
};

static void test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char name[VM_NAME_MAX] = "";
		bool found = vm_name(names[i].line, names[i].size, name);

		if (found != !!names[i].want || (found && strcmp(name, names[i].want) != 0))
			fail_msg("%zu: %s", i, found ? name : "none");
	}
}

/* Longer than any that libvirt takes: cut, and nothing behind it is written. */
static void test_long(void **state)
{
	static char line[70000] = "qemu\0-name\0guest=";
	char name[VM_NAME_MAX + 1];

	(void)state;
	memset(line + 17, 'n', sizeof(line) - 17);
	memset(name, 'x', sizeof(name));
	assert_true(vm_name(line, sizeof(line), name));
	assert_int_equal(strlen(name), VM_NAME_MAX - 1 - strlen("guest="));
	assert_int_equal(name[VM_NAME_MAX], 'x');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests_name("vm_list", tests, NULL, NULL);
}
