/* SPDX-License-Identifier: MIT */
#include "size.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cursor.h"

static const char units[] = "KMGT";

int size_parse(const char *text, uint64_t *ret)
{
	size_t digits = strspn(text, "0123456789");
	const char *unit = text + digits, *at;
	unsigned int shift = 0;
	uint64_t v;
	int r = span_u64((struct span){ text, digits }, 10, &v);

	if (r < 0 || !digits)
		return digits ? r : -EINVAL;
	if (*unit) {
		at = strchr(units, toupper((unsigned char)*unit));
		if (!at || (unit[1] && strcmp(unit + 1, "iB") != 0))
			return -EINVAL;
		shift = 10 * (unsigned int)(at - units + 1);
	}
	if (v > UINT64_MAX >> shift)
		return -ERANGE;
	*ret = v << shift;
	return 0;
}

/* Whole units, or up to 9999 of the smaller one: three digits at least are told. */
const char *size_show(uint64_t size, char ret[SIZE_TEXT])
{
	char unit[2] = "";

	for (size_t i = 0; i < strlen(units); i++) {
		if (size <= 9999 && (size < 1024 || size & 1023))
			break;
		size = (size >> 10) + !!(size & 1023);
		unit[0] = units[i];
	}
	(void)snprintf(ret, SIZE_TEXT, "%" PRIu64 "%s", size, unit);
	return ret;
}
