/* SPDX-License-Identifier: MIT */
/* array.h - arrays on the heap that grow. */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compiler.h"

/*
 * array_room() - See that an array has room for @n elements of @size bytes.
 *
 * @array: the address of the pointer to its elements, which may move.
 * @room: how many it has room for, kept up to date; more than doubled.
 *
 * Return: 0; -ENOMEM, and the array is as it was.
 */
static inline int _must_check_ array_room(void *array, size_t *room, size_t n, size_t size)
{
	size_t more = *room * 2 + 16 < n ? n : *room * 2 + 16;
	void *v, *bigger;
	size_t bytes;

	if (n <= *room)
		return 0;
	if (__builtin_mul_overflow(more, size, &bytes))
		return -ENOMEM;
	memcpy(&v, array, sizeof(v));
	bigger = realloc(v, bytes);
	if (!bigger)
		return -ENOMEM;
	memcpy(array, &bigger, sizeof(bigger));
	*room = more;
	return 0;
}

#endif
