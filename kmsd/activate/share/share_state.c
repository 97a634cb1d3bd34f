/*
 * share_state.c - see share_state.h.
 */
#include "kmsd/activate/share/share_state.h"

#include <string.h>

#include "libkms/kms_error.h"

static void
become(struct share_state *s, enum share_status status, int64_t now)
{
	if (s->status == status || s->status == SHARE_STOPPED)
		return;
	s->status = status;
	s->since = now;
}

/* What follows of itself from what is known. */
static void
follow(struct share_state *s, int64_t now)
{
	if (s->own <= s->stored)
		s->waits_since = 0;
	else if (s->waits_since == 0)
		s->waits_since = now;
	if (s->status == SHARE_WAITING && s->signs && s->placed && s->stored >= s->start)
		become(s, SHARE_JOINING, now);
	if (s->status == SHARE_ALONE && s->up && s->placed && s->own == s->stored)
		become(s, s->joined ? SHARE_TOGETHER : SHARE_JOINING, now);
	if (s->status == SHARE_JOINING && s->joined)
		become(s, SHARE_TOGETHER, now);
}

void
share_state_init(struct share_state *s, uint64_t own, int64_t now)
{
	memset(s, 0, sizeof(*s));
	s->own = own;
	s->since = s->down_since = now;
}

void
share_state_up(struct share_state *s, uint64_t cluster, int64_t now)
{
	if (s->cluster != cluster) {
		s->cluster_changed = s->cluster_changed || s->cluster != 0;
		s->cluster = cluster;
		s->placed = false;
	}
	s->up = true;
	follow(s, now);
}

void
share_state_down(struct share_state *s, int64_t now)
{
	if (s->up)
		s->down_since = now;
	s->up = false;
}

void
share_state_place(struct share_state *s, enum share_place found, uint64_t through, int64_t now)
{
	s->found = found;
	switch (found) {
	case SHARE_PLACE_FREE:
		/* Others say in their beats what they lack of what is before. */
		s->stored = through;
		s->placed = true;
		break;
	case SHARE_PLACE_SAME:
		s->stored = through;
		s->placed = true;
		break;
	case SHARE_PLACE_AHEAD:
	case SHARE_PLACE_OTHER:
		become(s, SHARE_STOPPED, now);
		break;
	case SHARE_PLACE_JUNK:
		s->placed = false;
		break;
	}
	follow(s, now);
}

void
share_state_started(struct share_state *s, uint64_t batch, int64_t now)
{
	s->signs = true;
	s->start = batch;
	share_state_committed(s, batch, now);
}

void
share_state_committed(struct share_state *s, uint64_t batch, int64_t now)
{
	s->own = batch;
	follow(s, now);
}

void
share_state_stored(struct share_state *s, uint64_t through, int64_t now)
{
	if (through > s->stored)
		s->stored = through;
	if (s->own > s->stored)
		s->waits_since =
		    now; /* the engine takes what comes: the next one has its own time */
	follow(s, now);
}

void
share_state_joined(struct share_state *s, int64_t now)
{
	s->joined = true;
	follow(s, now);
}

void
share_state_rejoin(struct share_state *s, int64_t now)
{
	s->joined = false;
	if (s->status == SHARE_TOGETHER)
		become(s, SHARE_JOINING, now);
}

int
share_state_alone(struct share_state *s, int64_t now)
{
	if (s->status != SHARE_WAITING && s->status != SHARE_JOINING)
		return KMS_E_EXISTS;
	s->said = true;
	become(s, SHARE_ALONE, now);
	return KMS_OK;
}

void
share_state_tick(struct share_state *s, int64_t now)
{
	if (s->status == SHARE_TOGETHER &&
	    ((s->waits_since != 0 && now - s->waits_since >= SHARE_PATIENCE) ||
		(!s->up && now - s->down_since >= SHARE_SILENCE)))
		become(s, SHARE_ALONE, now);
	follow(s, now);
}

bool
share_state_asks_place(const struct share_state *s)
{
	return s->status != SHARE_STOPPED && s->up && !s->placed;
}

bool
share_state_starts(const struct share_state *s)
{
	return !s->signs &&
	       ((s->status == SHARE_WAITING && s->up && s->placed && s->stored == s->own) ||
		   s->status == SHARE_ALONE);
}

bool
share_state_stores(const struct share_state *s)
{
	return s->status != SHARE_STOPPED && s->up && s->placed && s->own > s->stored;
}

bool
share_state_signs(const struct share_state *s)
{
	return s->signs && s->status != SHARE_STOPPED;
}

bool
share_state_serves(const struct share_state *s)
{
	return s->signs && (s->status == SHARE_TOGETHER || s->status == SHARE_ALONE);
}

bool
share_state_waits(const struct share_state *s, uint64_t batch)
{
	return s->status != SHARE_ALONE && batch > s->stored;
}

const char *
share_status_name(enum share_status status)
{
	static const char *const names[] = {
		[SHARE_WAITING] = "waiting",
		[SHARE_JOINING] = "joining",
		[SHARE_TOGETHER] = "together",
		[SHARE_ALONE] = "alone",
		[SHARE_STOPPED] = "stopped",
	};

	return names[status];
}
