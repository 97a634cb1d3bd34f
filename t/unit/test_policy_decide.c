/*
 * test_policy_decide.c - the table of decisions: one row a rule and one each
 * side of a boundary. A row is a change to a situation in which all is well.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libkms/core/entry.h"
#include "policy/policy.h"

#define NOW UINT64_C(1800000000)
#define DAY 86400
#define THRESHOLD 25
#define VALIDITY (180 * 1440)
#define RENEWAL (7 * 1440)
#define SEQUENCE 10
#define HOLD (7 * 1440)

struct situation {
	struct policy_pack pack;
	struct policy_product product;
	bool no_product;
	struct policy_host host;
	struct policy_counters counters;
	struct policy_client client;
	struct message_request request;
};

/* A known, counted client of a full pool asks for its renewal. */
static void
all_well(struct situation *s)
{
	memset(s, 0, sizeof(*s));
	s->pack.pool_count = 1;
	s->product = (struct policy_product){ .threshold = THRESHOLD,
		.activation_interval = 120,
		.renewal_interval = RENEWAL,
		.validity = VALIDITY,
		.vm = POLICY_ALLOW,
		.clones = POLICY_REFUSE,
		.clone_hold = HOLD };
	s->host = (struct policy_host){ .installed = true,
		.confirmed = true,
		.covered = true,
		.not_before = NOW - DAY,
		.not_after = NOW + 3650 * (uint64_t)DAY };
	s->counters.counted = 30;
	s->client = (struct policy_client){ .known = true, .counted = true, .sequence = SEQUENCE };
	memset(s->client.request_id, 0xaa, 16);
	s->request = (struct message_request){ .operation = MESSAGE_RENEW,
		.state = MESSAGE_ACTIVATED,
		.time = NOW,
		.sequence = SEQUENCE + 1 };
	memset(s->request.request_id, 0xbb, 16);
}

/* One change a line reads as the table that it is. */
/* clang-format off */
static void well(struct situation *s) { (void)s; }
static void unknown_product(struct situation *s) { s->no_product = true; }
static void no_key(struct situation *s) { s->host.installed = false; }
static void not_confirmed(struct situation *s) { s->host.confirmed = false; }
static void host_revoked(struct situation *s) { s->host.revoked = true; }
static void not_covered(struct situation *s) { s->host.covered = false; }
static void starts_now(struct situation *s) { s->host.not_before = NOW; }
static void starts_next_second(struct situation *s) { s->host.not_before = NOW + 1; }
static void ends_now(struct situation *s) { s->host.not_after = NOW; }
static void ended_last_second(struct situation *s) { s->host.not_after = NOW - 1; }
static void ahead_at_limit(struct situation *s) { s->request.time = NOW + POLICY_SKEW; }
static void ahead_past_limit(struct situation *s) { s->request.time = NOW + POLICY_SKEW + 1; }
static void behind_at_limit(struct situation *s) { s->request.time = NOW - POLICY_SKEW; }
static void behind_past_limit(struct situation *s) { s->request.time = NOW - POLICY_SKEW - 1; }
static void time_zero(struct situation *s) { s->request.time = 0; }
static void time_huge(struct situation *s) { s->request.time = UINT64_MAX; }
static void revoked(struct situation *s) { s->client.revoked = true; }

static void new_client(struct situation *s)
{
	memset(&s->client, 0, sizeof(s->client));
	s->request.sequence = 1;
	s->request.operation = MESSAGE_ACTIVATE;
}
static void count_24(struct situation *s) { new_client(s); s->counters.counted = THRESHOLD - 2; }
static void count_25(struct situation *s) { new_client(s); s->counters.counted = THRESHOLD - 1; }
static void counted_24(struct situation *s) { s->counters.counted = THRESHOLD - 1; }
static void counted_25(struct situation *s) { s->counters.counted = THRESHOLD; }
static void first_of_all(struct situation *s) { new_client(s); s->counters.counted = 0; }
static void threshold_one(struct situation *s) { first_of_all(s); s->product.threshold = 1; }
static void fell_out(struct situation *s) { s->client.counted = false; s->counters.counted = 24; }

static void pool_limit(struct situation *s, uint32_t counted)
{
	new_client(s);
	s->pack.pools[0].capacity = 40;
	s->counters.counted = counted;
}
static void pool_one_below(struct situation *s) { pool_limit(s, 39); }
static void pool_reached(struct situation *s) { pool_limit(s, 40); }
static void pool_passed(struct situation *s) { pool_limit(s, 41); }
static void host_one_below(struct situation *s) { pool_limit(s, 34); s->host.capacity = 35; }
static void host_reached(struct situation *s) { pool_limit(s, 35); s->host.capacity = 35; }
static void pool_smaller(struct situation *s) { pool_limit(s, 40); s->host.capacity = 50; }
static void host_alone(struct situation *s) { host_reached(s); s->pack.pools[0].capacity = 0; }
static void no_limit(struct situation *s) { new_client(s); s->counters.counted = 4000000000u; }
static void seat_at_capacity(struct situation *s)
{
	s->counters.counted = 40;
	s->host.capacity = 40;
}
static void lapsed_at_capacity(struct situation *s)
{
	seat_at_capacity(s);
	s->client.counted = false;
}
/* Its lease is that many seconds old, and may be renewed eight times in the interval. */
static void leased(struct situation *s, int64_t ago)
{
	s->host.renewals = 8;
	s->client.leased = (uint64_t)((int64_t)NOW - ago);
}
#define LEAST (RENEWAL * 60 / 8)
static void renewed_just_now(struct situation *s) { leased(s, 0); }
static void renewed_too_soon(struct situation *s) { leased(s, LEAST - 1); }
static void renewed_in_time(struct situation *s) { leased(s, LEAST); }
static void leased_ahead(struct situation *s) { leased(s, -1); }
static void no_pace(struct situation *s) { leased(s, 0); s->host.renewals = 0; }
static void soon_after_certificate(struct situation *s) { leased(s, 60); s->client.old_certificate = true; }
static void soon_not_counted(struct situation *s) { leased(s, 60); s->client.counted = false; }
static void soon_repeat(struct situation *s);
static void elsewhere(struct situation *s);
static void soon_elsewhere(struct situation *s) { elsewhere(s); leased(s, 60); }
static void soon_next(struct situation *s) { leased(s, 60); s->client.elsewhere = true; }
static void soon_release(struct situation *s) { leased(s, 60); s->request.operation = MESSAGE_RELEASE; }
static void soon_lost(struct situation *s) { leased(s, 60); s->request.state = MESSAGE_UNLICENSED; }
static void soon_expired(struct situation *s) { leased(s, 60); s->request.state = MESSAGE_EXPIRED; }
static void soon_clock_back(struct situation *s) { leased(s, 60); s->request.state = MESSAGE_CLOCK_BACK; }
static void soon_vm(struct situation *s)
{
	leased(s, 60);
	s->product.vm = POLICY_REFUSE;
	s->request.flags = MESSAGE_VM;
}
static void rule(struct situation *s, enum policy_rule r) { s->product.clones = r; }
static void again(struct situation *s)
{
	s->request.sequence = SEQUENCE;
	memcpy(s->request.request_id, s->client.request_id, 16);
}
static void repeat(struct situation *s) { again(s); }
/* Another host served this request, and the client asks here. */
static void elsewhere(struct situation *s) { again(s); s->client.elsewhere = true; }
static void elsewhere_next(struct situation *s) { s->client.elsewhere = true; }
static void elsewhere_other_id(struct situation *s) { elsewhere(s); s->request.request_id[0] ^= 1; }
static void elsewhere_lower(struct situation *s) { elsewhere(s); s->request.sequence--; }
static void elsewhere_held(struct situation *s) { elsewhere(s); s->client.held_until = NOW + 1000; }
static void elsewhere_full(struct situation *s) { elsewhere(s); s->client.counted = false; s->host.capacity = 30; }
static void elsewhere_few(struct situation *s) { elsewhere(s); s->counters.counted = 24; }
static void elsewhere_release(struct situation *s) { elsewhere(s); s->request.operation = MESSAGE_RELEASE; }
static void elsewhere_revoked(struct situation *s) { elsewhere(s); s->client.revoked = true; }
static void soon_repeat(struct situation *s) { again(s); leased(s, 60); }
static void repeat_flag(struct situation *s) { again(s); rule(s, POLICY_FLAG); }
static void repeat_skewed(struct situation *s) { again(s); ahead_past_limit(s); }
static void repeat_revoked(struct situation *s) { again(s); revoked(s); }
static void repeat_release(struct situation *s)
{
	again(s);
	s->request.operation = MESSAGE_RELEASE;
	s->client.released = true;
}
static void equal(struct situation *s) { s->request.sequence = SEQUENCE; }
static void equal_flag(struct situation *s) { equal(s); rule(s, POLICY_FLAG); }
static void equal_allow(struct situation *s) { equal(s); rule(s, POLICY_ALLOW); }
static void last_octet_differs(struct situation *s) { again(s); s->request.request_id[15] ^= 1; }
static void lower(struct situation *s) { s->request.sequence = SEQUENCE - 1; }
static void lower_flag(struct situation *s) { lower(s); rule(s, POLICY_FLAG); }
static void lower_allow(struct situation *s) { lower(s); rule(s, POLICY_ALLOW); }
/* The same id with a lower number is an old message, not the last one again. */
static void lower_same_id(struct situation *s) { again(s); lower(s); rule(s, POLICY_ALLOW); }
static void higher_by_many(struct situation *s) { s->request.sequence = UINT64_MAX; }
static void vm_refuse_now(struct situation *s)
{
	s->request.flags = MESSAGE_VM;
	s->product.vm = POLICY_REFUSE;
}
/* An answer to the host's challenge, or what looks like one. */
static const uint8_t some_echo[MESSAGE_ECHO_SIZE] = { 1 };
static void wrong_echo(struct situation *s) { s->request.echo = some_echo; }
static void echo(struct situation *s) { wrong_echo(s); s->client.echoed = true; }
static void echo_of_old(struct situation *s) { echo(s); s->request.sequence = SEQUENCE; s->client.echoed = false; }
static void echo_unknown(struct situation *s) { wrong_echo(s); s->client.known = false; }
static void echo_no_number(struct situation *s) { wrong_echo(s); s->client.sequence = 0; }
static void again_with_echo(struct situation *s) { again(s); wrong_echo(s); }
static void echo_at(struct situation *s, uint64_t caught_up) { echo(s); s->client.caught_up = caught_up; }
static void second_echo(struct situation *s) { echo_at(s, NOW - 60); }
static void second_flag(struct situation *s) { second_echo(s); rule(s, POLICY_FLAG); }
static void second_allow(struct situation *s) { second_echo(s); rule(s, POLICY_ALLOW); }
/* It was served for another product before. */
static const struct policy_product lenient = { .clones = POLICY_ALLOW, .clone_hold = 60 },
	marking = { .clones = POLICY_FLAG, .clone_hold = 60 }, strict = { .clones = POLICY_REFUSE, .clone_hold = 2 * HOLD },
	strict_short = { .clones = POLICY_REFUSE, .clone_hold = 60 };
static void before(struct situation *s, enum policy_rule r, const struct policy_product *b)
{
	second_echo(s);
	rule(s, r);
	s->client.before = b;
}
static void from_lenient(struct situation *s) { before(s, POLICY_REFUSE, &lenient); }
static void from_strict(struct situation *s) { before(s, POLICY_ALLOW, &strict); }
static void from_strict_flag(struct situation *s) { before(s, POLICY_FLAG, &strict); }
static void from_marking(struct situation *s) { before(s, POLICY_ALLOW, &marking); }
static void from_lenient_flag(struct situation *s) { before(s, POLICY_FLAG, &lenient); }
static void from_short(struct situation *s) { before(s, POLICY_REFUSE, &strict_short); }
static void from_long(struct situation *s) { before(s, POLICY_REFUSE, &strict); s->client.caught_up = NOW - HOLD * 60 - 60; }
static void second_within(struct situation *s) { echo_at(s, NOW - HOLD * 60 + 1); }
static void second_later(struct situation *s) { echo_at(s, NOW - HOLD * 60); }
static void second_ahead(struct situation *s) { echo_at(s, NOW + HOLD * 60 - 1); }
static void second_far_ahead(struct situation *s) { echo_at(s, NOW + HOLD * 60); }
static void second_release(struct situation *s) { second_echo(s); s->request.operation = MESSAGE_RELEASE; }
static void second_full(struct situation *s) { second_echo(s); s->client.counted = false; s->host.capacity = 30; }
static void echo_full(struct situation *s) { echo(s); s->client.counted = false; s->host.capacity = 30; }
static void echo_low(struct situation *s) { echo(s); counted_24(s); }
static void echo_release(struct situation *s) { echo(s); s->request.operation = MESSAGE_RELEASE; }
static void held(struct situation *s) { s->client.held_until = NOW + 1000; }
static void held_lower(struct situation *s) { lower(s); held(s); }
static void held_echo(struct situation *s) { echo(s); held(s); }
static void held_wrong_echo(struct situation *s) { wrong_echo(s); held(s); }
static void held_allow(struct situation *s) { held_lower(s); rule(s, POLICY_ALLOW); }
static void held_repeat(struct situation *s) { again(s); held(s); }
static void held_last_second(struct situation *s) { echo(s); s->client.held_until = NOW + 1; }
static void hold_over(struct situation *s) { s->client.held_until = NOW; }
static void held_release(struct situation *s) { held_echo(s); s->request.operation = MESSAGE_RELEASE; }
static void held_long(struct situation *s) { lower(s); s->client.held_until = UINT64_MAX; }
/* What a request says of the one that was served last. */
static void known(struct situation *s) { s->client.after = POLICY_KNOWN; }
static void passed(struct situation *s) { s->client.after = POLICY_PASSED; }
static void known_wrong_echo(struct situation *s) { wrong_echo(s); known(s); }
static void known_second_echo(struct situation *s) { second_echo(s); known(s); }
static void known_lower(struct situation *s) { lower(s); known(s); }
static void known_held(struct situation *s) { held(s); known(s); }
static void passed_again(struct situation *s) { again(s); passed(s); }
static void passed_echo(struct situation *s) { echo(s); passed(s); }
static void passed_second_echo(struct situation *s) { second_echo(s); passed(s); }
static void passed_flag(struct situation *s) { passed(s); rule(s, POLICY_FLAG); }
static void passed_allow(struct situation *s) { passed(s); rule(s, POLICY_ALLOW); }
static void passed_release(struct situation *s) { passed(s); s->request.operation = MESSAGE_RELEASE; }
static void passed_new(struct situation *s) { new_client(s); passed(s); }
static void passed_no_number(struct situation *s) { passed(s); s->client.sequence = 0; }
static void passed_held(struct situation *s) { held(s); passed(s); }

/* It was told COUNT_TOO_LOW and repeats that request, when 25 are counted, or 24. */
static void too_few(struct situation *s) { again(s); s->client.seen = true; s->counters.counted = 24; }
static void enough_now(struct situation *s) { too_few(s); s->counters.counted = 25; }
static void enough_with_it(struct situation *s) { too_few(s); s->client.counted = false; }
static void enough_echo(struct situation *s) { enough_now(s); wrong_echo(s); }
static void enough_held(struct situation *s) { enough_now(s); held(s); }
static void enough_release(struct situation *s) { enough_now(s); s->request.operation = MESSAGE_RELEASE; }
static void enough_full(struct situation *s) { enough_with_it(s); s->counters.counted = 30; s->host.capacity = 30; }

static const uint8_t machine[MESSAGE_BINDING_SIZE] = { 1 }, other_machine[MESSAGE_BINDING_SIZE] = { 2 };
static void bind(struct situation *s, const uint8_t *row, const uint8_t *told)
{
	s->product.bind = true;
	s->client.bound = row != NULL;
	if (row != NULL)
		memcpy(s->client.binding, row, sizeof(s->client.binding));
	s->request.binding = told;
}
static void strictly(struct situation *s, const uint8_t *row, const uint8_t *told)
{
	bind(s, row, told);
	s->product.bind_refuse = true;
}
static void bind_first(struct situation *s) { bind(s, NULL, machine); }
static void bind_nothing(struct situation *s) { bind(s, NULL, NULL); }
static void bind_same(struct situation *s) { bind(s, machine, machine); }
static void bind_other(struct situation *s) { bind(s, machine, other_machine); }
static void bind_left_out(struct situation *s) { bind(s, machine, NULL); }
static void strict_first(struct situation *s) { strictly(s, NULL, machine); }
static void strict_nothing(struct situation *s) { strictly(s, NULL, NULL); }
static void strict_same(struct situation *s) { strictly(s, machine, machine); }
static void strict_other(struct situation *s) { strictly(s, machine, other_machine); }
static void strict_left_out(struct situation *s) { strictly(s, machine, NULL); }
static void strict_release(struct situation *s) { strict_other(s); s->request.operation = MESSAGE_RELEASE; }
static void not_bound(struct situation *s) { bind_other(s); s->product.bind = false; }

static void release_at_revoked(struct situation *s) { host_revoked(s); s->request.operation = MESSAGE_RELEASE; }
static void order_bind(struct situation *s) { strict_other(s); vm_refuse_now(s); }
static void order_bind_pace(struct situation *s) { strict_other(s); leased(s, 60); }
static void order_held(struct situation *s) { held(s); revoked(s); }

static void unknown_low(struct situation *s)
{
	new_client(s);
	s->client.sequence = 99; /* of nobody: known is false */
}
/* What a client record holds that is not known: nothing of it counts. */
static void stale_record(struct situation *s)
{
	again(s);
	s->client.known = false;
	s->client.revoked = true;
	s->client.released = true;
}
static void stale_at_capacity(struct situation *s) { seat_at_capacity(s); s->client.known = false; }
static void count_at_its_end(struct situation *s)
{
	new_client(s);
	s->counters.counted = UINT32_MAX;
}

static void release(struct situation *s) { s->request.operation = MESSAGE_RELEASE; }
static void release_unknown(struct situation *s) { new_client(s); release(s); }
static void release_released(struct situation *s)
{
	release(s);
	s->client.released = true;
	s->client.counted = false;
}
static void release_lapsed(struct situation *s) { release(s); s->client.counted = false; }
static void release_virtual(struct situation *s)
{
	release(s);
	s->request.flags = MESSAGE_VM;
	s->product.vm = POLICY_REFUSE;
}
static void released_returns(struct situation *s)
{
	s->client.released = true;
	s->client.counted = false;
	s->counters.counted = 24;
}

static void vm(struct situation *s, enum policy_rule r)
{
	s->request.flags = MESSAGE_VM;
	s->product.vm = r;
}
static void vm_allow(struct situation *s) { vm(s, POLICY_ALLOW); }
static void vm_flag(struct situation *s) { vm(s, POLICY_FLAG); }
static void vm_refuse(struct situation *s) { vm(s, POLICY_REFUSE); }
static void real_refuse(struct situation *s) { s->product.vm = POLICY_REFUSE; }
static void vm_flag_low(struct situation *s) { vm_flag(s); counted_24(s); }

/* Order: each row breaks two neighbouring rules; the earlier one answers. */
static void order_product(struct situation *s) { unknown_product(s); no_key(s); }
static void order_key(struct situation *s) { no_key(s); not_confirmed(s); }
static void order_unconfirmed(struct situation *s) { not_confirmed(s); host_revoked(s); }
static void order_host_revoked(struct situation *s) { host_revoked(s); not_covered(s); }
static void order_confirmed(struct situation *s) { not_confirmed(s); not_covered(s); }
static void order_covered(struct situation *s) { not_covered(s); ended_last_second(s); }
static void order_dates(struct situation *s) { ended_last_second(s); time_zero(s); }
static void order_skew(struct situation *s) { time_zero(s); revoked(s); }
static void order_revoked(struct situation *s) { revoked(s); lower(s); }
static void order_sequence(struct situation *s) { equal(s); release_released(s); }
static void order_vm(struct situation *s) { pool_reached(s); vm_refuse(s); }
static void order_capacity(struct situation *s) { pool_limit(s, 10); s->host.capacity = 10; }
static const struct row {
	const char *name;
	void (*change)(struct situation *s);
	enum policy_outcome outcome;
	enum kms_status status;
	uint32_t count;
	bool clone, vm;
} rows[] = {
	{ "renewal of a counted client", well, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "product in no pack", unknown_product, POLICY_DENY, KMS_E_UNKNOWN_PRODUCT, 30, 0, 0 },
	{ "no host key", no_key, POLICY_DENY, KMS_E_NOT_ENABLED, 30, 0, 0 },
	{ "host revoked", host_revoked, POLICY_DENY, KMS_E_KEY_INVALID, 30, 0, 0 },
	{ "host key not confirmed", not_confirmed, POLICY_DENY, KMS_E_NOT_CONFIRMED, 30, 0, 0 },
	{ "product not in the certificate", not_covered, POLICY_DENY, KMS_E_NOT_COVERED, 30, 0, 0 },

	{ "certificate begins this second", starts_now, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "certificate begins next second", starts_next_second, POLICY_DENY, KMS_E_KEY_EXPIRED, 30, 0, 0 },
	{ "certificate ends this second", ends_now, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "certificate ended last second", ended_last_second, POLICY_DENY, KMS_E_KEY_EXPIRED, 30, 0, 0 },

	{ "clock ahead, at the limit", ahead_at_limit, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "clock ahead, a second past it", ahead_past_limit, POLICY_DENY, KMS_E_TIME_SKEW, 30, 0, 0 },
	{ "clock behind, at the limit", behind_at_limit, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "clock behind, a second past it", behind_past_limit, POLICY_DENY, KMS_E_TIME_SKEW, 30, 0, 0 },
	{ "clock at zero", time_zero, POLICY_DENY, KMS_E_TIME_SKEW, 30, 0, 0 },
	{ "clock at its end", time_huge, POLICY_DENY, KMS_E_TIME_SKEW, 30, 0, 0 },
	{ "revoked", revoked, POLICY_DENY, KMS_E_REVOKED, 30, 0, 0 },

	{ "the first client of all", first_of_all, POLICY_RECORD, KMS_E_COUNT_TOO_LOW, 1, 0, 0 },
	{ "the 24th of 25", count_24, POLICY_RECORD, KMS_E_COUNT_TOO_LOW, 24, 0, 0 },
	{ "the 25th of 25", count_25, POLICY_GRANT, KMS_OK, 25, 0, 0 },
	{ "one of 24 returns", counted_24, POLICY_RECORD, KMS_E_COUNT_TOO_LOW, 24, 0, 0 },
	{ "one of 25 returns", counted_25, POLICY_GRANT, KMS_OK, 25, 0, 0 },
	{ "threshold 1", threshold_one, POLICY_GRANT, KMS_OK, 1, 0, 0 },
	{ "known, out of the window, is the 25th", fell_out, POLICY_GRANT, KMS_OK, 25, 0, 0 },

	{ "one seat below the pool's capacity", pool_one_below, POLICY_GRANT, KMS_OK, 40, 0, 0 },
	{ "the pool's capacity reached", pool_reached, POLICY_DENY, KMS_E_CAPACITY, 40, 0, 0 },
	{ "capacity lowered below the count", pool_passed, POLICY_DENY, KMS_E_CAPACITY, 41, 0, 0 },
	{ "one seat below the host's capacity", host_one_below, POLICY_GRANT, KMS_OK, 35, 0, 0 },
	{ "the host's capacity, the smaller", host_reached, POLICY_DENY, KMS_E_CAPACITY, 35, 0, 0 },
	{ "the pool's capacity, the smaller", pool_smaller, POLICY_DENY, KMS_E_CAPACITY, 40, 0, 0 },
	{ "the host's capacity alone", host_alone, POLICY_DENY, KMS_E_CAPACITY, 35, 0, 0 },
	{ "no capacity set: no limit", no_limit, POLICY_GRANT, KMS_OK, 4000000001u, 0, 0 },
	{ "already counted at capacity", seat_at_capacity, POLICY_GRANT, KMS_OK, 40, 0, 0 },
	{ "known but lapsed at capacity", lapsed_at_capacity, POLICY_DENY, KMS_E_CAPACITY, 40, 0, 0 },

	{ "same number, same id: repeat", repeat, POLICY_REPEAT, KMS_OK, 30, 0, 0 },
	{ "repeat is no clone under flag", repeat_flag, POLICY_REPEAT, KMS_OK, 30, 0, 0 },
	{ "renewed in the same second", renewed_just_now, POLICY_DENY, KMS_E_TOO_SOON, 30, 0, 0 },
	{ "a second too soon", renewed_too_soon, POLICY_DENY, KMS_E_TOO_SOON, 30, 0, 0 },
	{ "an eighth of the interval ago", renewed_in_time, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "leased when the clock was ahead", leased_ahead, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "no limit of renewals", no_pace, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "a certificate since the lease", soon_after_certificate, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "too soon but not counted", soon_not_counted, POLICY_GRANT, KMS_OK, 31, 0, 0 },
	{ "too soon but a repeat", soon_repeat, POLICY_REPEAT, KMS_OK, 30, 0, 0 },
	{ "too soon but a release", soon_release, POLICY_RELEASE_SEAT, KMS_OK, 29, 0, 0 },
	{ "too soon but without a lease", soon_lost, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "too soon but expired", soon_expired, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "too soon with a clock set back", soon_clock_back, POLICY_DENY, KMS_E_TOO_SOON, 30, 0, 0 },
	{ "too soon on a refused machine", soon_vm, POLICY_DENY, KMS_E_VM_REFUSED, 30, 0, 1 },
	{ "repeat with a wrong clock", repeat_skewed, POLICY_DENY, KMS_E_TIME_SKEW, 30, 0, 0 },
	{ "repeat by a revoked client", repeat_revoked, POLICY_DENY, KMS_E_REVOKED, 30, 0, 0 },
	{ "repeat of the release itself", repeat_release, POLICY_REPEAT, KMS_OK, 30, 0, 0 },
	{ "same number, another id, refuse", equal, POLICY_DENY, KMS_E_SEQUENCE, 30, 0, 0 },
	{ "same number, another id, flag", equal_flag, POLICY_DENY, KMS_E_SEQUENCE, 30, 0, 0 },
	{ "same number, another id, allow", equal_allow, POLICY_DENY, KMS_E_SEQUENCE, 30, 0, 0 },
	{ "ids that differ in the last octet", last_octet_differs, POLICY_DENY, KMS_E_SEQUENCE, 30, 0, 0 },
	{ "lower number, refuse", lower, POLICY_DENY, KMS_E_SEQUENCE, 30, 0, 0 },
	{ "lower number, flag", lower_flag, POLICY_DENY, KMS_E_SEQUENCE, 30, 0, 0 },
	{ "lower number, allow", lower_allow, POLICY_DENY, KMS_E_SEQUENCE, 30, 0, 0 },
	{ "lower number, same id", lower_same_id, POLICY_DENY, KMS_E_SEQUENCE, 30, 0, 0 },
	{ "an echo that is not right", wrong_echo, POLICY_DENY, KMS_E_SEQUENCE, 30, 0, 0 },
	{ "the right echo", echo, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "an echo with the old number", echo_of_old, POLICY_DENY, KMS_E_SEQUENCE, 30, 0, 0 },
	{ "an echo by nobody", echo_unknown, POLICY_GRANT, KMS_OK, 31, 0, 0 },
	{ "an echo when there is no number", echo_no_number, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "a repeat that echoes", again_with_echo, POLICY_REPEAT, KMS_OK, 30, 0, 0 },
	{ "after what was served last", known, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "after it, with another echo", known_wrong_echo, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "after it, with a second echo", known_second_echo, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "after it, with a lower number", known_lower, POLICY_DENY, KMS_E_SEQUENCE, 30, 0, 0 },
	{ "after it, held", known_held, POLICY_DENY, KMS_E_SEQUENCE, 30, 0, 0 },
	{ "after another, refuse", passed, POLICY_DENY, KMS_E_SEQUENCE, 30, 0, 0 },
	{ "after another, flag", passed_flag, POLICY_DENY, KMS_E_SEQUENCE, 30, 0, 0 },
	{ "after another, allow", passed_allow, POLICY_DENY, KMS_E_SEQUENCE, 30, 0, 0 },
	{ "after another, a release", passed_release, POLICY_DENY, KMS_E_SEQUENCE, 30, 0, 0 },
	{ "after another, a repeat", passed_again, POLICY_REPEAT, KMS_OK, 30, 0, 0 },
	{ "after another, the right echo", passed_echo, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "after another, a second echo", passed_second_echo, POLICY_DENY, KMS_E_CLONE, 30, 1, 0 },
	{ "after another, by nobody", passed_new, POLICY_GRANT, KMS_OK, 31, 0, 0 },
	{ "after another, no number", passed_no_number, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "after another, held", passed_held, POLICY_DENY, KMS_E_SEQUENCE, 30, 0, 0 },
	{ "a second echo, refuse", second_echo, POLICY_DENY, KMS_E_CLONE, 30, 1, 0 },
	{ "a second echo, flag", second_flag, POLICY_GRANT, KMS_OK, 30, 1, 0 },
	{ "a second echo, allow", second_allow, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "a second echo, refuse, before it allow", from_lenient, POLICY_DENY, KMS_E_CLONE, 30, 1, 0 },
	{ "a second echo, allow, before it refuse", from_strict, POLICY_DENY, KMS_E_CLONE, 30, 1, 0 },
	{ "a second echo, flag, before it refuse", from_strict_flag, POLICY_DENY, KMS_E_CLONE, 30, 1, 0 },
	{ "a second echo, allow, before it flag", from_marking, POLICY_GRANT, KMS_OK, 30, 1, 0 },
	{ "a second echo, flag, before it allow", from_lenient_flag, POLICY_GRANT, KMS_OK, 30, 1, 0 },
	{ "a second echo, last second of the hold", second_within, POLICY_DENY, KMS_E_CLONE, 30, 1, 0 },
	{ "a second echo after the hold", second_later, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "caught up by a clock a little ahead", second_ahead, POLICY_DENY, KMS_E_CLONE, 30, 1, 0 },
	{ "caught up by a clock far ahead", second_far_ahead, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "a second echo that releases", second_release, POLICY_DENY, KMS_E_CLONE, 30, 1, 0 },
	{ "a second echo at capacity", second_full, POLICY_DENY, KMS_E_CLONE, 30, 1, 0 },
	{ "the right echo at capacity", echo_full, POLICY_DENY, KMS_E_CAPACITY, 30, 0, 0 },
	{ "the right echo, count too low", echo_low, POLICY_RECORD, KMS_E_COUNT_TOO_LOW, 24, 0, 0 },
	{ "the right echo of a release", echo_release, POLICY_RELEASE_SEAT, KMS_OK, 29, 0, 0 },
	{ "held, with a higher number", held, POLICY_DENY, KMS_E_SEQUENCE, 30, 0, 0 },
	{ "held, with an echo that is not right", held_wrong_echo, POLICY_DENY, KMS_E_SEQUENCE, 30, 0, 0 },
	{ "held, with a lower number", held_lower, POLICY_DENY, KMS_E_CLONE, 30, 0, 0 },
	{ "held, with the right echo", held_echo, POLICY_DENY, KMS_E_CLONE, 30, 0, 0 },
	{ "held, whatever a pack says since", held_allow, POLICY_DENY, KMS_E_CLONE, 30, 0, 0 },
	{ "held, but a repeat of what was served", held_repeat, POLICY_REPEAT, KMS_OK, 30, 0, 0 },
	{ "last second of a hold", held_last_second, POLICY_DENY, KMS_E_CLONE, 30, 0, 0 },
	{ "the hold is over", hold_over, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "a held client releases", held_release, POLICY_DENY, KMS_E_CLONE, 30, 0, 0 },
	{ "held for ever", held_long, POLICY_DENY, KMS_E_CLONE, 30, 0, 0 },
	{ "a repeat of what another host served", elsewhere, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "the same, too soon for a renewal", soon_elsewhere, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "too soon after another host", soon_next, POLICY_DENY, KMS_E_TOO_SOON, 30, 0, 0 },
	{ "the next number after another host's", elsewhere_next, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "another host's number, another id", elsewhere_other_id, POLICY_DENY, KMS_E_SEQUENCE, 30, 0, 0 },
	{ "a number before another host's", elsewhere_lower, POLICY_DENY, KMS_E_SEQUENCE, 30, 0, 0 },
	{ "a repeat of another host's, held", elsewhere_held, POLICY_DENY, KMS_E_CLONE, 30, 0, 0 },
	{ "the same, at capacity", elsewhere_full, POLICY_DENY, KMS_E_CAPACITY, 30, 0, 0 },
	{ "the same, too few here", elsewhere_few, POLICY_RECORD, KMS_E_COUNT_TOO_LOW, 24, 0, 0 },
	{ "the same, as a release", elsewhere_release, POLICY_RELEASE_SEAT, KMS_OK, 29, 0, 0 },
	{ "the same, revoked", elsewhere_revoked, POLICY_DENY, KMS_E_REVOKED, 30, 0, 0 },
	{ "a repeat of too few, still too few", too_few, POLICY_REPEAT, KMS_OK, 24, 0, 0 },
	{ "a repeat of too few, now enough", enough_now, POLICY_GRANT, KMS_OK, 25, 0, 0 },
	{ "the same, not counted any more", enough_with_it, POLICY_GRANT, KMS_OK, 25, 0, 0 },
	{ "the same, with an old echo", enough_echo, POLICY_GRANT, KMS_OK, 25, 0, 0 },
	{ "the same, held", enough_held, POLICY_DENY, KMS_E_CLONE, 25, 0, 0 },
	{ "the same, as a release", enough_release, POLICY_REPEAT, KMS_OK, 25, 0, 0 },
	{ "the same, at capacity", enough_full, POLICY_DENY, KMS_E_CAPACITY, 30, 0, 0 },

	{ "binds", bind_first, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "has no id to bind to", bind_nothing, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "bound, the same machine", bind_same, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "bound, another machine", bind_other, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "bound, no id", bind_left_out, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "strict, binds", strict_first, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "strict, has no id", strict_nothing, POLICY_DENY, KMS_E_BINDING, 30, 0, 0 },
	{ "strict, the same machine", strict_same, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "strict, another machine", strict_other, POLICY_DENY, KMS_E_BINDING, 30, 0, 0 },
	{ "strict, no id", strict_left_out, POLICY_DENY, KMS_E_BINDING, 30, 0, 0 },
	{ "strict, another machine releases", strict_release, POLICY_RELEASE_SEAT, KMS_OK, 29, 0, 0 },
	{ "a product that is not bound", not_bound, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "highest number there is", higher_by_many, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "a new client has no sequence", unknown_low, POLICY_GRANT, KMS_OK, 31, 0, 0 },
	{ "a stale record is no client", stale_record, POLICY_GRANT, KMS_OK, 31, 0, 0 },
	{ "a stale record has no seat", stale_at_capacity, POLICY_DENY, KMS_E_CAPACITY, 40, 0, 0 },
	{ "the count does not wrap", count_at_its_end, POLICY_GRANT, KMS_OK, UINT32_MAX, 0, 0 },

	{ "release", release, POLICY_RELEASE_SEAT, KMS_OK, 29, 0, 0 },
	{ "release by a client unknown here", release_unknown, POLICY_DENY, KMS_E_UNKNOWN_CLIENT, 30, 0, 0 },
	{ "release twice", release_released, POLICY_DENY, KMS_E_UNKNOWN_CLIENT, 30, 0, 0 },
	{ "release after the window", release_lapsed, POLICY_RELEASE_SEAT, KMS_OK, 30, 0, 0 },
	{ "a virtual machine may always release", release_virtual, POLICY_RELEASE_SEAT, KMS_OK, 29, 0, 0 },
	{ "comes back after a release", released_returns, POLICY_GRANT, KMS_OK, 25, 0, 0 },

	{ "virtual machine, allow", vm_allow, POLICY_GRANT, KMS_OK, 30, 0, 0 },
	{ "virtual machine, flag", vm_flag, POLICY_GRANT, KMS_OK, 30, 0, 1 },
	{ "virtual machine, flag, count too low", vm_flag_low, POLICY_RECORD, KMS_E_COUNT_TOO_LOW, 24, 0, 1 },
	{ "virtual machine, refuse", vm_refuse, POLICY_DENY, KMS_E_VM_REFUSED, 30, 0, 1 },
	{ "real machine, refuse", real_refuse, POLICY_GRANT, KMS_OK, 30, 0, 0 },

	{ "product before host key", order_product, POLICY_DENY, KMS_E_UNKNOWN_PRODUCT, 30, 0, 0 },
	{ "host key before confirmation", order_key, POLICY_DENY, KMS_E_NOT_ENABLED, 30, 0, 0 },
	{ "confirmation before revocation", order_unconfirmed, POLICY_DENY, KMS_E_NOT_CONFIRMED, 30, 0, 0 },
	{ "revocation before coverage", order_host_revoked, POLICY_DENY, KMS_E_KEY_INVALID, 30, 0, 0 },
	{ "confirmation before coverage", order_confirmed, POLICY_DENY, KMS_E_NOT_CONFIRMED, 30, 0, 0 },
	{ "coverage before dates", order_covered, POLICY_DENY, KMS_E_NOT_COVERED, 30, 0, 0 },
	{ "dates before clock skew", order_dates, POLICY_DENY, KMS_E_KEY_EXPIRED, 30, 0, 0 },
	{ "clock skew before revocation", order_skew, POLICY_DENY, KMS_E_TIME_SKEW, 30, 0, 0 },
	{ "revocation before sequence", order_revoked, POLICY_DENY, KMS_E_REVOKED, 30, 0, 0 },
	{ "sequence before release", order_sequence, POLICY_DENY, KMS_E_SEQUENCE, 30, 0, 0 },
	{ "revocation before hold", order_held, POLICY_DENY, KMS_E_REVOKED, 30, 0, 0 },
	{ "virtual machine before binding", order_bind, POLICY_DENY, KMS_E_VM_REFUSED, 30, 0, 1 },
	{ "binding before pace", order_bind_pace, POLICY_DENY, KMS_E_BINDING, 30, 0, 0 },
	{ "a release at a revoked host", release_at_revoked, POLICY_RELEASE_SEAT, KMS_OK, 29, 0, 0 },
	{ "virtual machine before capacity", order_vm, POLICY_DENY, KMS_E_VM_REFUSED, 40, 0, 1 },
	{ "capacity before threshold", order_capacity, POLICY_DENY, KMS_E_CAPACITY, 10, 0, 0 },
};
/* clang-format on */

static void
decide(struct policy_decision *d, const struct situation *s)
{
	memset(d, 0xff, sizeof(*d)); /* nothing of it may be left over */
	policy_decide(d, &s->pack, s->no_product ? NULL : &s->product, &s->host, &s->counters,
	    &s->client, &s->request, NOW);
}

static void
check_row(const struct row *r)
{
	struct situation s, before;
	struct policy_decision d;

	all_well(&s);
	r->change(&s);
	before = s;
	decide(&d, &s);
	if (d.outcome != r->outcome || d.status != r->status || d.count != r->count ||
	    d.clone != r->clone || d.vm != r->vm)
		fail_msg("%s: outcome %d status %d count %u clone %d vm %d", r->name,
		    (int)d.outcome, (int)d.status, d.count, d.clone, d.vm);
	assert_memory_equal(&s, &before, sizeof(s));
	if (s.no_product) {
		assert_int_equal(d.required, 0);
		assert_int_equal(d.activation_interval, 0);
		assert_int_equal(d.renewal_interval, 0);
	} else {
		assert_int_equal(d.required, s.product.threshold);
		assert_int_equal(d.activation_interval, 120);
		assert_int_equal(d.renewal_interval, RENEWAL);
	}
	if (d.outcome != POLICY_GRANT) {
		assert_int_equal(d.expires, 0);
		assert_int_equal(d.renew_after, 0);
	} else {
		assert_true(d.expires <= s.host.not_after);
		assert_true(d.expires >= NOW);
		assert_true(d.renew_after <= d.expires);
	}
}

static void
test_rules(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(&rows[i]);
}

static void
test_lease_times(void **state)
{
	static const struct {
		uint64_t not_after, expires, renew_after;
	} table[] = {
		{ NOW + (uint64_t)VALIDITY * 60 + 1, NOW + (uint64_t)VALIDITY * 60,
		    NOW + RENEWAL * 60 },
		{ NOW + (uint64_t)VALIDITY * 60, NOW + (uint64_t)VALIDITY * 60,
		    NOW + RENEWAL * 60 },
		{ NOW + (uint64_t)VALIDITY * 60 - 1, NOW + (uint64_t)VALIDITY * 60 - 1,
		    NOW + RENEWAL * 60 },
		{ NOW + RENEWAL * 60 - 1, NOW + RENEWAL * 60 - 1, NOW + RENEWAL * 60 - 1 },
		{ NOW, NOW, NOW },
		{ UINT64_MAX, NOW + (uint64_t)VALIDITY * 60, NOW + RENEWAL * 60 },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct situation s;
		struct policy_decision d;

		all_well(&s);
		s.host.not_after = table[i].not_after;
		decide(&d, &s);
		assert_int_equal(d.outcome, POLICY_GRANT);
		assert_int_equal(d.expires, table[i].expires);
		assert_int_equal(d.renew_after, table[i].renew_after);
	}
}

/* A clock near the end of time must not give a lease that ended in 1970. */
static void
test_no_wrap(void **state)
{
	struct situation s;
	struct policy_decision d;

	all_well(&s);
	s.host.not_after = UINT64_MAX;
	s.product.validity = UINT32_MAX;
	decide(&d, &s);
	assert_true(d.expires == NOW + UINT64_C(4294967295) * 60);
	s.request.time = UINT64_MAX - 10;
	policy_decide(
	    &d, &s.pack, &s.product, &s.host, &s.counters, &s.client, &s.request, UINT64_MAX - 10);
	assert_int_equal(d.outcome, POLICY_GRANT);
	assert_true(d.expires == UINT64_MAX);
	assert_true(d.renew_after == UINT64_MAX);
}

/* A client counts through the day on which it was seen and as many more as the window has. */
static void
test_window(void **state)
{
	static const struct {
		uint32_t seen, today; /* days */
		uint16_t window;
		bool counts;
	} table[] = {
		{ 20000, 20000, 30, true },
		{ 20000, 20029, 30, true },
		{ 20000, 20030, 30, true },
		{ 20000, 20031, 30, false },
		{ 20001, 20000, 30, true }, /* the clock went back a little */
		{ 20000, 20001, 1, true },
		{ 20000, 20002, 1, false },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct policy_pool pool = { .window = table[i].window * 1440u };
		uint32_t until =
		    entry_counts_until(table[i].seen * UINT64_C(86400) + 86399, pool.window);

		assert_int_equal(
		    until > policy_minute(table[i].today * UINT64_C(86400)), table[i].counts);
		assert_int_equal(until > policy_minute(table[i].today * UINT64_C(86400) + 86399),
		    table[i].counts);
	}
	assert_int_equal(policy_minute(59), 0);
	assert_int_equal(policy_minute(60), 1);
	assert_int_equal(policy_minute(UINT64_MAX), UINT32_MAX);
}

/* What the client is told to wait, and which entries the caller need not charge for. */
static void
test_pace(void **state)
{
	static const struct {
		void (*change)(struct situation *s);
		uint32_t wait;
		bool paced;
	} table[] = {
		{ well, 0, false }, /* nobody knows when it got its lease */
		{ renewed_just_now, LEAST, false },
		{ renewed_too_soon, 1, false },
		{ renewed_in_time, 0, true },
		{ leased_ahead, 0, false },
		{ soon_after_certificate, 0, true },
		{ soon_lost, 0, false },
		{ soon_not_counted, 0, false },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct policy_decision d;
		struct situation s;

		all_well(&s);
		table[i].change(&s);
		policy_decide(
		    &d, &s.pack, &s.product, &s.host, &s.counters, &s.client, &s.request, NOW);
		assert_int_equal(d.retry_after, table[i].wait);
		assert_int_equal(d.paced, table[i].paced);
	}
	(void)state;
}

/* What else the caller is to write and to answer. */
static void
test_holders(void **state)
{
	static const struct {
		const char *name;
		void (*change)(struct situation *s);
		uint64_t highest, hold_end;
		uint32_t wait;
		bool caught_up, bound_other, stale;
	} table[] = {
		{ "well", well, 0, 0, 0, false, false, false },
		{ "lower", lower, SEQUENCE, 0, 0, false, false, true },
		{ "equal", equal, SEQUENCE, 0, 0, false, false, true },
		{ "a repeat", again, 0, 0, 0, false, false, true },
		{ "a wrong echo", wrong_echo, SEQUENCE + 1, 0, 0, false, false, false },
		{ "after the last", known, 0, 0, 0, false, false, false },
		{ "after the last, with an echo", known_second_echo, 0, 0, 0, false, false, false },
		{ "after another", passed, SEQUENCE + 1, 0, 0, false, false, false },
		{ "after another, with an echo", passed_echo, 0, 0, 0, true, false, false },
		{ "an echo", echo, 0, 0, 0, true, false, false },
		{ "count too low", echo_low, 0, 0, 0, true, false, false },
		{ "a release", echo_release, 0, 0, 0, true, false, false },
		{ "refused", echo_full, 0, 0, 0, false, false, false },
		{ "two holders", second_echo, 0, NOW + HOLD * 60, HOLD * 60, false, false, false },
		{ "by the product before", from_strict, 0, NOW + 2 * HOLD * 60, 2 * HOLD * 60,
		    false, false, false },
		{ "the longer hold", from_short, 0, NOW + HOLD * 60, HOLD * 60, false, false,
		    false },
		{ "within the longer hold", from_long, 0, NOW + 2 * HOLD * 60, 2 * HOLD * 60, false,
		    false, false },
		{ "flagged", second_flag, 0, 0, 0, true, false, false },
		{ "allowed", second_allow, 0, 0, 0, true, false, false },
		{ "held", held, SEQUENCE + 1, 0, 0, false, false, false },
		{ "held and echoed", held_echo, 0, 0, 1000, false, false, false },
		{ "held and lower", held_lower, 0, 0, 1000, false, false, true },
		{ "held for ever", held_long, 0, 0, UINT32_MAX, false, false, true },
		{ "wrong clock", repeat_skewed, 0, 0, 0, false, false, true },
		{ "an unknown client", new_client, 0, 0, 0, false, false, false },
		{ "enough now", enough_now, 0, 0, 0, false, false, true },
		{ "binds", bind_first, 0, 0, 0, false, false, false },
		{ "no id", bind_nothing, 0, 0, 0, false, false, false },
		{ "the same", bind_same, 0, 0, 0, false, false, false },
		{ "another", bind_other, 0, 0, 0, false, true, false },
		{ "left out", bind_left_out, 0, 0, 0, false, true, false },
		{ "refused as another", strict_other, 0, 0, 0, false, true, false },
		{ "refused without", strict_nothing, 0, 0, 0, false, false, false },
		{ "not bound", not_bound, 0, 0, 0, false, false, false },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct policy_decision d;
		struct situation s;

		all_well(&s);
		table[i].change(&s);
		decide(&d, &s);
		if (d.highest != table[i].highest || d.hold_end != table[i].hold_end ||
		    d.retry_after != table[i].wait || d.caught_up != table[i].caught_up ||
		    d.bound_other != table[i].bound_other || d.stale != table[i].stale)
			fail_msg(
			    "%s: highest %llu hold %llu wait %u caught up %d other %d stale %d",
			    table[i].name, (unsigned long long)d.highest,
			    (unsigned long long)d.hold_end, d.retry_after, d.caught_up,
			    d.bound_other, d.stale);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_holders),
		cmocka_unit_test(test_pace),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_lease_times),
		cmocka_unit_test(test_no_wrap),
		cmocka_unit_test(test_window),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
