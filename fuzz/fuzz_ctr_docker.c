/* SPDX-License-Identifier: MIT */
/* A daemon's answer: HTTP, then JSON of a container, then each element of a list. First byte: end of stream. */
#include <stdlib.h>

#include "docker.h"
#include "http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse_one(struct json_object *o)
{
	struct ctr c = { 0 };

	if (docker_parse_inspect(o, &c) == 0) {
		if (!c.id[0] || !c.name[0] || (c.state != CTR_STOPPED) != (c.pid > 0))
			abort();
		ctr_fini(&c);
	}
	if (docker_parse_config(o, &c) == 0) {
		if (!c.id[0] || !c.name[0] || c.pid < 0)
			abort();
		ctr_fini(&c);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_http_response_ struct http_response resp = { 0 };
	_cleanup_json_ struct json_object *o = NULL;

	if (!size || http_parse(data + 1, size - 1, data[0] & 1, &resp) != 1)
		return 0;
	if (resp.len >= size || resp.body[resp.len])
		abort();
	if (json_parse(resp.body, resp.len, &o, NULL) < 0)
		return 0;
	parse_one(o);
	for (size_t i = 0; i < json_len(o); i++)
		parse_one(json_at(o, i));
	return 0;
}
