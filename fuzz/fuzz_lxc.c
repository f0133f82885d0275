/* SPDX-License-Identifier: MIT */
/* What LXC's monitor, /proc/net/unix and lxc.conf say: the first byte chooses which. */
#include <assert.h>
#include <stdint.h>

#include "engine_lxc.h"
#include "lxc_cmd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;
	struct lxc_reply reply;
	struct lxc_socket s;
	struct span name;
	struct cursor c;

	if (!size)
		return 0;
	size--;
	if (data[0] == 'r') {
		if (!lxc_reply_parse(text, size, &reply))
			assert(size == LXC_REPLY_SIZE && reply.datalen <= LXC_DATA_MAX);
	} else if (data[0] == 'c') {
		if (!lxc_conf_parse(text, size, &name))
			assert(name.p >= text && name.len <= size && name.p[0] == '/');
	} else {
		c = cur_of(text, size);
		while (lxc_socket_next(&c, &name, &s) == 1)
			assert(s.name.len && s.name.len + s.lxcpath.len < name.len);
	}
	return 0;
}
