/*
 * licence.h - what the facts in the state file mean at a given time: the
 * licence, the grace that is left, and when to ask next. Pure: no clock, no file.
 */
#ifndef KMS_LIBKMS_CLIENT_LICENCE_H
#define KMS_LIBKMS_CLIENT_LICENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "libkms/kms.h"

/*
 * How far behind the highest time seen a clock may be before it counts as
 * moved back. Four hours, both ends included: what a host accepts as skew.
 */
#define LICENCE_TOLERANCE (4 * 3600)
#define LICENCE_GRACE (30 * 24 * 60)    /* minutes, when the product names none */
#define LICENCE_ACTIVATION_INTERVAL 120 /* minutes, until a host tells */

struct licence_facts {
	uint64_t now;
	uint64_t highest_seen;
	uint64_t first_use;
	uint64_t last_attempt;        /* 0: never */
	uint32_t grace_minutes;       /* as kms_options */
	uint32_t activation_interval; /* minutes, 0: not told */
	uint32_t retry_after;         /* seconds, 0: not told */
	bool lease;    /* a lease is stored, and everything but its dates is verified */
	bool borrowed; /* of a borrowed seat */
	uint64_t expires;
	uint64_t renew_after;
	uint8_t cmid[16]; /* spreads machines over time */
};

/* now, but never before the latest time seen: setting the clock back a little gains nothing. */
uint64_t licence_time(uint64_t now, uint64_t highest_seen);
bool licence_clock_back(uint64_t now, uint64_t highest_seen);
enum kms_licence licence_state(const struct licence_facts *f);
uint32_t licence_grace_left(const struct licence_facts *f); /* minutes, rounded up */
uint64_t licence_next_attempt(const struct licence_facts *f);

#endif
