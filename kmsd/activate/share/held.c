/*
 * held.c - see held.h.
 */
#include "kmsd/activate/share/held.h"

#include <stdlib.h>
#include <string.h>

#include "libkms/kms_error.h"

void
held_init(struct held *h)
{
	*h = (struct held){ .end = &h->first };
}

int
held_put(struct held *h, const struct held_reply *r, const uint8_t *frame)
{
	size_t size = sizeof(*r) + r->len;
	struct held_reply *copy;

	if (size > HELD_OCTETS - h->octets)
		return KMS_E_LIMIT;
	if ((copy = malloc(size)) == NULL)
		return KMS_E_NO_MEMORY;
	*copy = *r;
	copy->next = NULL;
	memcpy(copy->frame, frame, r->len);
	*h->end = copy;
	h->end = &copy->next;
	h->octets += size;
	h->count++;
	return KMS_OK;
}

/*
 * A repeat waits for an older batch than the reply before it, and leaves with that one: the order
 * is that in which they came.
 */
struct held_reply *
held_take(struct held *h, uint64_t through)
{
	struct held_reply *r = h->first;

	if (r == NULL || r->batch > through)
		return NULL;
	h->first = r->next;
	if (h->first == NULL)
		h->end = &h->first;
	h->octets -= sizeof(*r) + r->len;
	h->count--;
	return r;
}
