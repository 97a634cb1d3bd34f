/*
 * rights_state.c - see rights_state.h.
 */
#include "kmsdb/rights_state.h"

#include <stdlib.h>
#include <string.h>

#include "libkms/kms_error.h"

void
rights_state_free(struct rights_state *s)
{
	free(s->pools);
	free(s->held);
	lingering_free(&s->lingering);
	memset(s, 0, sizeof(*s));
}

struct rights_given *
rights_state_pool(struct rights_state *s, const uint8_t publisher[8], uint16_t pool, bool make)
{
	struct rights_given *more;
	size_t i = 0;

	while (i < s->pool_count &&
	       (s->pools[i].pool != pool || memcmp(s->pools[i].publisher, publisher, 8) != 0))
		i++;
	if (i < s->pool_count)
		return &s->pools[i];
	if (!make)
		return NULL;
	if (s->pool_count == s->pool_room) {
		size_t room = s->pool_room == 0 ? 16 : s->pool_room * 2;

		if ((more = realloc(s->pools, room * sizeof(*more))) == NULL)
			return NULL;
		s->pools = more;
		s->pool_room = room;
	}
	s->pools[i] = (struct rights_given){ .pool = pool };
	memcpy(s->pools[i].publisher, publisher, 8);
	s->pool_count++;
	return &s->pools[i];
}

int
rights_state_give(struct rights_state *s, const struct entry_give *g, bool own)
{
	struct rights_given *p =
	    rights_state_pool(s, g->publisher, g->pool, own || s->pool_count < RIGHTS_POOLS);

	if (p == NULL)
		return own || s->pool_count < RIGHTS_POOLS ? KMS_E_NO_MEMORY : KMS_OK;
	p->given += own ? g->rights : 0;
	p->received += own ? 0 : g->rights;
	return KMS_OK;
}

int
rights_state_held(struct rights_state *s, const struct entry_held *h)
{
	struct entry_held *more;

	if (s->held_count == s->held_room) {
		size_t room = s->held_room == 0 ? 16 : s->held_room * 2;

		if ((more = realloc(s->held, room * sizeof(*more))) == NULL)
			return KMS_E_NO_MEMORY;
		s->held = more;
		s->held_room = room;
	}
	s->held[s->held_count++] = *h;
	return KMS_OK;
}
