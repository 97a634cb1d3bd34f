/*
 * grow.h - a list on the heap that gets one more: its room doubles when it is full.
 */
#ifndef KMS_LIBKMS_BASE_GROW_H
#define KMS_LIBKMS_BASE_GROW_H

#include <stddef.h>
#include <stdlib.h>

#define GROW_FIRST 64

/*
 * The list of count members with room for one more: where it was, or elsewhere. NULL: no memory,
 * and the list stays as it was.
 */
static inline void *
grow_list(void *list, size_t count, size_t *room, size_t member)
{
	size_t more = *room == 0 ? GROW_FIRST : 2 * *room;
	void *grown;

	if (count < *room)
		return list;
	if ((grown = reallocarray(list, more, member)) != NULL)
		*room = more;
	return grown;
}

#endif
