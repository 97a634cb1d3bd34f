/*
 * rights.c - see rights.h.
 */
#include "policy/rights.h"

uint64_t
rights_free(const struct rights_member *m)
{
	return m->claimed > m->used ? m->claimed - m->used : 0;
}

uint32_t
rights_since(const struct rights_member *members, unsigned count)
{
	uint64_t earliest = UINT64_MAX, minute;

	for (unsigned i = 0; i < count; i++) {
		if (members[i].beat < earliest)
			earliest = members[i].beat;
	}
	minute = earliest / 60;
	if (minute <= RIGHTS_SLACK)
		return 0;
	minute -= RIGHTS_SLACK;
	return minute < UINT32_MAX ? (uint32_t)minute : UINT32_MAX;
}

uint64_t
rights_room(const struct rights_member *members, unsigned count, uint64_t capacity, uint64_t taken)
{
	for (unsigned i = 0; i < count; i++) {
		uint64_t free = rights_free(&members[i]);

		if (taken >= capacity || free > capacity - taken)
			return 0;
		taken += free;
	}
	return taken < capacity ? capacity - taken : 0;
}

uint64_t
rights_left(const struct rights_purse *p)
{
	uint64_t has = p->first + p->received, gone = p->given + p->bound + p->held;

	return has > gone ? has - gone : 0;
}

bool
rights_lingers(const struct rights_act *loser, const struct rights_act *winner)
{
	return loser->until != 0 && (winner->until < loser->until || winner->pool != loser->pool);
}

bool
rights_heard(const struct rights_act *act, const uint64_t *heard, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (heard[i] < act->batch)
			return false;
	}
	return true;
}

enum rights_again
rights_again(bool counted, uint64_t free)
{
	if (counted)
		return RIGHTS_AGAIN_SEAT;
	return free > 0 ? RIGHTS_AGAIN_RIGHT : RIGHTS_AGAIN_NONE;
}
