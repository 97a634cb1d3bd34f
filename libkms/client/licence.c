/*
 * licence.c - the licence as a function of facts and time; kms(3), "Licence",
 * has the same rules as a table.
 */
#include "libkms/client/licence.h"

#define LEAST_WAIT 60 /* seconds */

uint64_t
licence_time(uint64_t now, uint64_t highest_seen)
{
	return now > highest_seen ? now : highest_seen;
}

bool
licence_clock_back(uint64_t now, uint64_t highest_seen)
{
	return now < highest_seen && highest_seen - now > LICENCE_TOLERANCE;
}

uint32_t
licence_grace_left(const struct licence_facts *f)
{
	uint64_t minutes = f->grace_minutes, now = licence_time(f->now, f->highest_seen), end;

	if (minutes == KMS_NO_GRACE)
		return 0;
	if (minutes == 0)
		minutes = LICENCE_GRACE;
	end = f->first_use + minutes * 60;
	return now < end ? (uint32_t)((end - now + 59) / 60) : 0;
}

enum kms_licence
licence_state(const struct licence_facts *f)
{
	uint64_t now = licence_time(f->now, f->highest_seen);

	if (licence_clock_back(f->now, f->highest_seen))
		return KMS_CLOCK_BACK;
	if (!f->lease)
		return licence_grace_left(f) > 0 ? KMS_GRACE : KMS_UNLICENSED;
	if (now >= f->expires)
		return KMS_EXPIRED;
	return now >= f->renew_after ? KMS_RENEWAL_DUE : KMS_ACTIVATED;
}

static uint64_t
sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* 0..span, the same on every call and different on every machine. */
static uint64_t
jitter(const uint8_t cmid[16], uint64_t span)
{
	uint64_t v =
	    (uint64_t)cmid[0] << 24 | (uint64_t)cmid[1] << 16 | (uint64_t)cmid[2] << 8 | cmid[3];

	return v * span >> 32;
}

/*
 * After an attempt without a new lease: the interval from the policy, or the time that the host
 * asked for. Whoever told them: while there is a lease, at most a quarter of what is left of it, so
 * that another attempt comes before its end.
 */
static uint64_t
after_attempt(const struct licence_facts *f, uint64_t interval)
{
	uint64_t wait = f->retry_after > 0 ? f->retry_after : interval;

	if (f->lease && f->last_attempt < f->expires)
		wait = sooner(wait, (f->expires - f->last_attempt) / 4 + LEAST_WAIT);
	/* An attempt in the future was made with another clock. */
	if (f->last_attempt == 0 || f->last_attempt > f->now)
		return f->now;
	return f->last_attempt + wait + jitter(f->cmid, wait / 4);
}

uint64_t
licence_next_attempt(const struct licence_facts *f)
{
	uint64_t interval = f->activation_interval, due, quarter;

	interval = 60 * (interval == 0 ? LICENCE_ACTIVATION_INTERVAL : interval);
	/* Only a host can say that a clock set back is right: ask one soon. */
	if (!f->lease || licence_clock_back(f->now, f->highest_seen))
		return after_attempt(f, interval);
	quarter = f->expires > f->renew_after ? (f->expires - f->renew_after) / 4 : 0;
	due = f->renew_after + jitter(f->cmid, sooner(quarter, interval));
	return f->last_attempt < due ? due : after_attempt(f, interval);
}
