/* SPDX-License-Identifier: MIT */
/* uuid_text.h - a UUID of 16 bytes as text. */
#ifndef DISK_UUID_TEXT_H
#define DISK_UUID_TEXT_H

#include <stdint.h>
#include <stdio.h>

static inline void uuid_text(const uint8_t u[16], char ret[37])
{
	(void)snprintf(ret, 37,
		       "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0],
		       u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12],
		       u[13], u[14], u[15]);
}

#endif
