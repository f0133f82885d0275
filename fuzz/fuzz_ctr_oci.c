/* SPDX-License-Identifier: MIT */
/* The state of a runtime, and a bundle's configuration as Kubernetes' runtimes annotate it. */
#include <stdlib.h>
#include <string.h>

#include "cri.h"
#include "oci.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_oci_state_ struct oci_state s = { 0 };
	_cleanup_json_ struct json_object *o = NULL;
	_cleanup_ctr_ struct ctr c = { 0 };
	const char *sandbox;

	if (json_parse((const char *)data, size, &o, NULL) < 0)
		return 0;
	if (oci_state_parse(o, &s) == 0 && (s.pid < 0 || (s.bundle && s.bundle[0] != '/')))
		abort();
	sandbox = cri_needs_sandbox(o);
	if (sandbox && strchr(sandbox, '/'))
		abort();
	if (cri_parse(o, o, &c) == 1 && (!cri_is(o) || !strchr(c.name, '/')))
		abort();
	return 0;
}
