/* SPDX-License-Identifier: MIT */
/* sandbox.h - what bubblewrap and flatpak write about a sandbox. Private to lib/ctr. */
#ifndef CTR_SANDBOX_H
#define CTR_SANDBOX_H

#include <stdint.h>
#include <sys/types.h>

#include "cursor.h"
#include "json.h"

/* What "bwrap --info-fd" prints. */
struct bwrap_info {
	pid_t child;    /* pid 1 of the sandbox, or its command */
	uint64_t pidns; /* 0 where it has none of its own, or bwrap (before 0.5) does not say */
};

/* -EPROTO without a child-pid. */
int bwrap_info_parse(struct json_object *o, struct bwrap_info *ret) _must_check_;

/* The "info" of a flatpak instance, a key file. Spans are borrowed and may be empty. */
struct flatpak_info {
	struct span app;     /* "org.gimp.GIMP" */
	struct span runtime; /* "org.gnome.Platform/x86_64/43" */
};
void flatpak_info_parse(const char *text, size_t len, struct flatpak_info *ret);

/* Is @ref a name of ours, "COMMAND-PID"? -EINVAL if not. */
int sandbox_name_parse(const char *ref, pid_t *ret_pid) _must_check_;

#endif
