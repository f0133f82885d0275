/* SPDX-License-Identifier: MIT */
/* stage2.h - guest/stage2, as it was built. */
#ifndef VMSH_STAGE2_H
#define VMSH_STAGE2_H

#include <stdint.h>

extern const uint8_t stage2_image[];
extern const uint64_t stage2_image_size;

#endif
