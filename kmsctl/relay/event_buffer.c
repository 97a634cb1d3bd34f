/*
 * event_buffer.c - see event_buffer.h.
 */
#include "kmsctl/relay/event_buffer.h"

#include <stdlib.h>
#include <string.h>

#define RECORD_MAX ((size_t)1 << 20) /* bytes; more is no event */

void
event_buffer_put(struct event_buffer *b, const char *text, size_t len)
{
	if (b->full || b->failed)
		return;
	if (b->len + len > RECORD_MAX) {
		b->full = true;
		return;
	}
	if (b->len + len > b->room) {
		size_t room = b->room * 2 > b->len + len ? b->room * 2 : b->len + len + 1024;
		char *more = realloc(b->text, room);

		if (more == NULL) {
			b->failed = true;
			return;
		}
		b->text = more;
		b->room = room;
	}
	if (len > 0)
		memcpy(b->text + b->len, text, len);
	b->len += len;
}

void
event_buffer_free(struct event_buffer *b)
{
	free(b->text);
	*b = (struct event_buffer){ 0 };
}
