/* SPDX-License-Identifier: MIT */
/* engine_lxc.h - what the engines built on LXC, and the tests, need of it. Private to lib/ctr. */
#ifndef CTR_ENGINE_LXC_H
#define CTR_ENGINE_LXC_H

#include <stddef.h>

#include "cursor.h"
#include "engine.h"

/* The lxcpath that the text of an lxc.conf sets, inside @text. -ENOENT if it sets none. */
int lxc_conf_parse(const char *text, size_t len, struct span *ret) _must_check_;

/* Whose containers live in @lxcpath: "lxc", "lxd" or "incus". */
const char *lxc_path_engine(const char *lxcpath);

#endif
