/* SPDX-License-Identifier: MIT */
/* cmd_image.c - rktio image: which of its actions, with which options. */
#include "cmd_image.h"

#include <errno.h>
#include <string.h>

#include "cmd.h"

enum {
	IMAGE_PACKAGES = OPT_LONG,
	IMAGE_DIR,
	IMAGE_OCI,
	IMAGE_REF,
	IMAGE_VERITY,
	IMAGE_ENCRYPT,
	IMAGE_KEY_FILE,
	IMAGE_ROOT_HASH,
	IMAGE_JSON
};

const struct opt cmd_image_opts[] = {
	{ IMAGE_PACKAGES, "packages", "NAMES",
	  "create: from these Debian packages (with commas) and the essential ones" },
	{ IMAGE_DIR, "dir", "DIR", "create: from this directory", OPT_COMPLETE_DIR },
	{ IMAGE_OCI, "oci", "ARCHIVE", "create: from an OCI archive or that of docker save",
	  OPT_COMPLETE_FILE },
	{ IMAGE_REF, "ref", "NAME", "create: this image of an archive that has several" },
	{ 's', "size", "SIZE", "create: the file system's size, such as 2G; else what it takes" },
	{ IMAGE_VERITY, "verity", NULL, "create: read-only, with a hash tree" },
	{ IMAGE_ENCRYPT, "encrypt", NULL, "create: encrypted and authenticated" },
	{ IMAGE_KEY_FILE, "key-file", "FILE",
	  "create, verify: the key; - is standard input, /dev/fd/N a descriptor",
	  OPT_COMPLETE_FILE },
	{ IMAGE_ROOT_HASH, "root-hash", "HEX",
	  "verify: the root hash; else that of IMAGE.roothash" },
	{ 'f', "force", NULL, "create: replace an image that nobody uses" },
	{ IMAGE_JSON, "json", NULL, "print one object" },
	{ 'q', "quiet", NULL, "no progress, even on a terminal" },
	{ 0 },
};

static const struct action {
	const char *name;
	int (*check)(const struct image_args *a, struct err *e);
	int (*run)(const struct image_args *a, struct err *e);
} actions[] = {
	{ "create", image_create_check, image_create },
	{ "info", image_info_check, image_info },
	{ "verify", image_verify_check, image_verify },
};

static void take_option(struct image_args *a, int id, const char *arg)
{
	switch (id) {
	case IMAGE_PACKAGES:
		a->packages = arg;
		break;
	case IMAGE_DIR:
		a->dir = arg;
		break;
	case IMAGE_OCI:
		a->oci = arg;
		break;
	case IMAGE_REF:
		a->ref = arg;
		break;
	case 's':
		a->size = arg;
		break;
	case IMAGE_VERITY:
		a->verity = true;
		break;
	case IMAGE_ENCRYPT:
		a->encrypt = true;
		break;
	case IMAGE_KEY_FILE:
		a->key_file = arg;
		break;
	case IMAGE_ROOT_HASH:
		a->root_hash = arg;
		break;
	case 'f':
		a->force = true;
		break;
	case IMAGE_JSON:
		a->json = true;
		break;
	default:
		a->quiet = true;
	}
}

/* NULL and @e for a wrong command line. */
static const struct action *take_operands(const struct opt_parser *p, struct image_args *a,
					  struct err *e)
{
	if (p->noperands != 2) {
		(void)err_set(e, EINVAL, "image takes create, info or verify, and one IMAGE");
		return NULL;
	}
	a->path = p->operand[1];
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (!strcmp(p->operand[0], actions[i].name))
			return &actions[i];
	(void)err_set(e, EINVAL, "image takes create, info or verify, not '%.40s'", p->operand[0]);
	return NULL;
}

int cmd_image(struct opt_parser *p)
{
	const struct action *action;
	struct image_args a = { 0 };
	struct err e = { 0 };
	int id;

	while ((id = opt_next(p, &e)) > 0)
		take_option(&a, id, p->arg);
	action = id < 0 ? NULL : take_operands(p, &a, &e);
	if (!action || action->check(&a, &e) < 0)
		return cmd_usage(p, &e);
	return action->run(&a, &e) < 0 ? cmd_failed(&e) : 0;
}
