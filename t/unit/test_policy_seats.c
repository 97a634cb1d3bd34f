/*
 * test_policy_seats.c - the decision about seats: clients without state, borrowing, classes,
 * capacity, overdraft, and a seat that is taken back. One row for each rule and each side of a
 * boundary; a row is a change to a situation in which all is well.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "libkms/core/entry.h"
#include "policy/policy.h"

#define NOW UINT64_C(1800000000) /* minute 30000000, the end of a slot of 2 minutes */
#define MINUTE 30000000u
#define WINDOW 90
#define VALIDITY 60
#define RENEWAL 20
#define CAPACITY 10
#define PLAIN (MINUTE + 92) /* until when a client counts that is seen now */

struct situation {
	struct policy_pack pack;
	struct policy_product product;
	struct policy_host host;
	struct policy_counters counters;
	struct policy_class classes[3];
	struct policy_client client;
	struct message_request request;
};

static struct policy_pool *
pool(struct situation *s)
{
	return &s->pack.pools[0];
}

/* A client asks for its first seat of a floating pool in which half of the seats are free. */
static void
all_well(struct situation *s)
{
	memset(s, 0, sizeof(*s));
	s->pack.pool_count = 1;
	*pool(s) = (struct policy_pool){ .capacity = CAPACITY, .window = WINDOW };
	s->product = (struct policy_product){ .threshold = 1,
		.activation_interval = 120,
		.renewal_interval = RENEWAL,
		.validity = VALIDITY };
	s->host = (struct policy_host){ .installed = true,
		.confirmed = true,
		.covered = true,
		.not_before = NOW - 1000,
		.not_after = NOW + 100 * UINT64_C(86400) };
	s->counters = (struct policy_counters){ .counted = 5,
		.next = MINUTE + 4,
		.next_borrowed = MINUTE + 600,
		.classes = s->classes };
	s->request =
	    (struct message_request){ .operation = MESSAGE_ACTIVATE, .time = NOW, .sequence = 1 };
}

/* clang-format off */
static void well(struct situation *s) { (void)s; }
static void full(struct situation *s) { s->counters.counted = CAPACITY; }
static void one_left(struct situation *s) { s->counters.counted = CAPACITY - 1; }
static void seated(struct situation *s)
{
	s->client = (struct policy_client){ .known = true, .counted = true, .sequence = 4 };
	s->request.sequence = 5;
	s->request.operation = MESSAGE_RENEW;
}
static void seated_full(struct situation *s) { seated(s); full(s); }
static void lapsed(struct situation *s) { seated(s); s->client.counted = false; }
static void nothing_counts(struct situation *s) { full(s); s->counters.next = 0; }
static void next_now(struct situation *s) { full(s); s->counters.next = MINUTE; }
static void next_soon(struct situation *s) { full(s); s->counters.next = MINUTE + 1; }
static void next_never(struct situation *s) { full(s); s->counters.next = UINT32_MAX; }

/* Without state. */
static void stateless(struct situation *s) { s->request.flags = MESSAGE_STATELESS; }
static void refuses(struct situation *s) { pool(s)->stateless_refuse = true; }
static void stateless_refused(struct situation *s) { stateless(s); refuses(s); }
static void stateless_seated(struct situation *s) { seated(s); stateless_refused(s); }
static void stateless_full(struct situation *s) { stateless_refused(s); full(s); }
static void stateless_release(struct situation *s) { stateless_seated(s); s->request.operation = MESSAGE_RELEASE; }
static void stateless_borrows(struct situation *s) { stateless(s); pool(s)->borrow = 600; s->request.borrow = 1; }

/* Borrowing. */
static void asks(struct situation *s, uint32_t minutes) { s->request.borrow = minutes; pool(s)->borrow = 600; }
static void lends_none(struct situation *s) { s->request.borrow = 1; }
static void borrows(struct situation *s) { asks(s, 300); }
static void longest(struct situation *s) { asks(s, 600); }
static void too_long(struct situation *s) { asks(s, 601); }
static void shortest(struct situation *s) { asks(s, 1); }
static void one_out_of_one(struct situation *s) { borrows(s); pool(s)->borrow_seats = 1; s->counters.borrowed = 1; }
static void one_out_of_two(struct situation *s) { borrows(s); pool(s)->borrow_seats = 2; s->counters.borrowed = 1; }
static void all_lent(struct situation *s) { borrows(s); s->counters.borrowed = 9; }
static void holds(struct situation *s)
{
	seated(s);
	pool(s)->borrow = 600;
	s->client.borrowed = MINUTE + 300;
	s->client.borrowed_end = (MINUTE + 299) * UINT64_C(60);
	s->counters.borrowed = 1;
}
static void has_the_one(struct situation *s) { holds(s); asks(s, 400); pool(s)->borrow_seats = 1; }
static void lapsed_the_one(struct situation *s) { has_the_one(s); s->client.counted = false; }
static void shorter_now(struct situation *s) { holds(s); asks(s, 10); }
static void release_borrowed(struct situation *s) { holds(s); s->request.operation = MESSAGE_RELEASE; }
static void past_certificate(struct situation *s) { longest(s); s->host.not_after = NOW + 599 * 60; }
static void at_certificate(struct situation *s) { longest(s); s->host.not_after = NOW + 600 * 60; }
static void odd_end(struct situation *s) { longest(s); s->host.not_after = NOW + 599 * 60 + 1; }
static void borrow_full(struct situation *s) { borrows(s); full(s); }
static void borrow_low(struct situation *s) { borrows(s); s->product.threshold = 7; }
static void borrow_soon(struct situation *s)
{
	seated(s);
	borrows(s);
	s->request.state = MESSAGE_ACTIVATED;
	s->host.renewals = 8;
	s->client.leased = NOW - 1;
}
static void renew_soon(struct situation *s) { borrow_soon(s); s->request.borrow = 0; }
static void lends_no_more(struct situation *s) { holds(s); pool(s)->borrow = 0; }
/* Its own end is that far ahead, and that of its seat. */
static void end_ahead(struct situation *s, uint32_t lease, uint32_t seat)
{
	holds(s);
	s->client.borrowed = MINUTE + seat;
	s->client.borrowed_end = NOW + lease * UINT64_C(60);
}
static void both_reached(struct situation *s) { end_ahead(s, VALIDITY, 92); }
static void lease_beyond(struct situation *s) { end_ahead(s, VALIDITY + 1, 92); }
static void seat_beyond(struct situation *s) { end_ahead(s, VALIDITY, 94); }
static void other_width(struct situation *s) { end_ahead(s, 299, 301); }
static void held_low(struct situation *s) { holds(s); s->product.threshold = 7; }
static void ended_low(struct situation *s) { end_ahead(s, 0, 92); s->product.threshold = 7; }
static void long_lease(struct situation *s) { end_ahead(s, 2000, 300); }

/* Overdraft. */
static void overdraft(struct situation *s, uint8_t percent, uint32_t counted) { pool(s)->overdraft = percent; s->counters.counted = counted; }
static void draw_first(struct situation *s) { overdraft(s, 10, 10); }
static void draw_second(struct situation *s) { overdraft(s, 10, 11); }
static void draw_not_yet(struct situation *s) { overdraft(s, 10, 9); }
static void one_percent(struct situation *s) { overdraft(s, 1, 10); }
static void one_percent_twice(struct situation *s) { overdraft(s, 1, 11); }
static void eleven_percent(struct situation *s) { overdraft(s, 11, 11); }
static void eleven_over(struct situation *s) { overdraft(s, 11, 12); }
static void all_again(struct situation *s) { overdraft(s, 100, 19); }
static void all_gone(struct situation *s) { overdraft(s, 100, 20); }
static void host_part(struct situation *s) { overdraft(s, 50, 4); s->host.capacity = 4; }
static void host_part_gone(struct situation *s) { overdraft(s, 50, 6); s->host.capacity = 4; }
static void no_capacity(struct situation *s) { overdraft(s, 100, 4000000000u); pool(s)->capacity = 0; }
static void huge(struct situation *s) { overdraft(s, 100, UINT32_MAX - 1); pool(s)->capacity = UINT32_MAX; }
static void drawn(struct situation *s, uint32_t counted) { seated(s); overdraft(s, 10, counted); s->client.overdraft = true; }
static void drawn_above(struct situation *s) { drawn(s, 11); }
static void drawn_within(struct situation *s) { drawn(s, 10); }
static void drawn_lapsed(struct situation *s) { drawn(s, 9); s->client.counted = false; }
static void plain_above(struct situation *s) { drawn(s, 11); s->client.overdraft = false; }
static void pack_without(struct situation *s) { drawn(s, 11); pool(s)->overdraft = 0; }
static void draw_borrow(struct situation *s) { draw_first(s); borrows(s); }

/* Classes: the client's is the first, and two others. */
static void classes(struct situation *s, uint32_t counted)
{
	s->counters.class_count = 3;
	s->counters.class = &s->classes[0];
	s->counters.counted = counted;
	s->classes[0].next = MINUTE + 30;
}
static void limit(struct situation *s, uint32_t in_class) { classes(s, 5); s->classes[0].limit = 3; s->classes[0].counted = in_class; }
static void below_limit(struct situation *s) { limit(s, 2); }
static void at_limit(struct situation *s) { limit(s, 3); }
static void above_limit(struct situation *s) { limit(s, 4); }
static void limit_and_full(struct situation *s) { limit(s, 3); full(s); }
static void limit_of_others(struct situation *s) { classes(s, 5); s->classes[1].limit = 1; s->classes[1].counted = 1; }
static void limit_no_class(struct situation *s) { limit(s, 3); s->counters.class = NULL; }
static void seat_in_class(struct situation *s) { limit(s, 3); seated(s); s->counters.seat_class = &s->classes[0]; }
static void moves_to_full(struct situation *s) { limit(s, 3); seated(s); s->counters.seat_class = &s->classes[1]; }
static void moves_from_none(struct situation *s) { limit(s, 3); seated(s); }
static void moves(struct situation *s) { limit(s, 2); seated(s); s->counters.seat_class = &s->classes[1]; }
static void lapsed_limit(struct situation *s) { limit(s, 3); lapsed(s); }
static void reserve(struct situation *s, uint32_t kept, uint32_t there, uint32_t counted)
{
	classes(s, counted);
	s->classes[1].reserve = kept;
	s->classes[1].counted = there;
}
static void reserve_leaves_one(struct situation *s) { reserve(s, 3, 0, 6); }
static void reserve_takes_rest(struct situation *s) { reserve(s, 3, 0, 7); }
static void reserve_half_there(struct situation *s) { reserve(s, 3, 1, 7); }
static void reserve_half_rest(struct situation *s) { reserve(s, 3, 1, 8); }
static void reserve_met(struct situation *s) { reserve(s, 3, 3, 9); }
static void reserve_passed(struct situation *s) { reserve(s, 3, 5, 9); }
static void reserve_is_mine(struct situation *s) { reserve(s, 3, 0, 9); s->counters.class = &s->classes[1]; }
static void reserve_mine_full(struct situation *s) { reserve(s, 3, 0, 10); s->counters.class = &s->classes[1]; }
static void reserves_of_two(struct situation *s) { reserve(s, 2, 0, 6); s->classes[2].reserve = 2; }
static void reserves_leave_one(struct situation *s) { reserve(s, 2, 0, 5); s->classes[2].reserve = 2; }
static void reserve_no_class(struct situation *s) { reserve_takes_rest(s); s->counters.class = NULL; }
static void reserve_above(struct situation *s) { reserve(s, 4000000000u, 0, 5); s->classes[2].reserve = 4000000000u; }
static void reserve_seated(struct situation *s) { reserve(s, 3, 0, 10); seated(s); }
static void reserve_no_draw(struct situation *s) { reserve(s, 1, 0, 9); pool(s)->overdraft = 50; }
static void reserve_draw(struct situation *s) { reserve(s, 1, 0, 10); pool(s)->overdraft = 20; }
static void reserve_last_draw(struct situation *s) { reserve(s, 1, 0, 11); pool(s)->overdraft = 20; }
static void reserve_mine_draw(struct situation *s) { reserve_last_draw(s); s->counters.class = &s->classes[1]; }

/* A seat that is taken back. */
static void victim(struct situation *s) { full(s); s->counters.victim = true; }
static void victim_not_needed(struct situation *s) { one_left(s); s->counters.victim = true; }
static void victim_seated(struct situation *s) { seated(s); victim(s); }
static void victim_before_draw(struct situation *s) { draw_first(s); victim(s); }
static void victim_above(struct situation *s) { draw_second(s); s->counters.victim = true; }
static void victim_far_above(struct situation *s) { overdraft(s, 10, 12); s->counters.victim = true; }
static void victim_of(struct situation *s, uint32_t kept, uint32_t there)
{
	classes(s, 10);
	s->counters.victim = true;
	s->counters.victim_class = &s->classes[1];
	s->classes[1].reserve = kept;
	s->classes[1].counted = there;
}
static void victim_reserved(struct situation *s) { victim_of(s, 3, 3); }
static void victim_spare(struct situation *s) { victim_of(s, 3, 4); }
static void victim_same_class(struct situation *s) { victim_of(s, 3, 3); s->counters.class = &s->classes[1]; }
static void victim_reserve(struct situation *s) { victim(s); classes(s, 10); s->classes[1].reserve = 1; }
static void victim_low(struct situation *s) { victim(s); s->product.threshold = 11; pool(s)->capacity = 0; s->host.capacity = 10; }
static void victim_limit(struct situation *s) { victim(s); limit(s, 3); full(s); }
static void victim_borrow(struct situation *s) { victim(s); borrows(s); }
static void reclaimed(struct situation *s) { lapsed(s); s->client.reclaimed = true; }
static void reclaimed_full(struct situation *s) { reclaimed(s); full(s); }
static void reclaimed_limit(struct situation *s) { at_limit(s); reclaimed(s); }
static void reclaimed_unknown(struct situation *s) { full(s); s->client.reclaimed = true; }

/* The pool is shared with other hosts, of which this one has rights to so many seats. */
static void rights(struct situation *s, uint64_t rights) { s->counters.shared = true; s->counters.rights = rights; }
static void one_right(struct situation *s) { rights(s, 1); }
static void no_right(struct situation *s) { rights(s, 0); }
static void no_right_seated(struct situation *s) { seated(s); rights(s, 0); }
static void no_right_full(struct situation *s) { full(s); rights(s, 0); }
static void right_above(struct situation *s) { full(s); rights(s, 1); }
static void right_unlimited(struct situation *s) { pool(s)->capacity = 0; rights(s, 0); }
static void right_victim(struct situation *s) { victim(s); rights(s, 0); }
static void right_low(struct situation *s) { s->product.threshold = 7; rights(s, 1); }
static void right_reserved(struct situation *s) { classes(s, 5); s->classes[1].reserve = 3; rights(s, 2); }
static void right_spare(struct situation *s) { classes(s, 5); s->classes[1].reserve = 3; rights(s, 4); }
static void right_released(struct situation *s) { seated(s); s->request.operation = MESSAGE_RELEASE; rights(s, 0); }

#define GRANT POLICY_GRANT, KMS_OK
#define DENY(status) POLICY_DENY, KMS_E_##status

static const struct row {
	const char *name;
	void (*change)(struct situation *s);
	enum policy_outcome outcome;
	enum kms_status status;
	uint32_t count;
	const char *marks; /* reclaim, overdraft, borrowed, keeps class, right */
	uint32_t until, lease; /* minutes from NOW; 0: not looked at */
	uint32_t retry; /* seconds */
} rows[] = {
	{ "the first seat", well, GRANT, 6, "", 92, VALIDITY, 0 },
	{ "the last seat", one_left, GRANT, 10, "", 92, VALIDITY, 0 },
	{ "full", full, DENY(CAPACITY), 10, "", 0, 0, 240 },
	{ "full, and nobody knows until when", nothing_counts, DENY(CAPACITY), 10, "", 0, 0, 0 },
	{ "full, and a seat ends now", next_now, DENY(CAPACITY), 10, "", 0, 0, 0 },
	{ "full for a minute", next_soon, DENY(CAPACITY), 10, "", 0, 0, 60 },
	{ "full for ever", next_never, DENY(CAPACITY), 10, "", 0, 0, 0 },
	{ "full, but it has its seat", seated_full, GRANT, 10, "", 92, VALIDITY, 0 },

	{ "without state", stateless, GRANT, 6, "", 92, VALIDITY, 0 },
	{ "with state, where it is required", refuses, GRANT, 6, "", 92, VALIDITY, 0 },
	{ "without state, refused", stateless_refused, DENY(STATELESS), 5, "", 0, 0, 0 },
	{ "a renewal without state, refused", stateless_seated, DENY(STATELESS), 5, "", 0, 0, 0 },
	{ "state before capacity", stateless_full, DENY(STATELESS), 10, "", 0, 0, 0 },
	{ "a release without state", stateless_release, POLICY_RELEASE_SEAT, KMS_OK, 4, "", 0, 0, 0 },
	{ "borrows without state", stateless_borrows, DENY(BORROW), 5, "", 0, 0, 0 },

	{ "a pool that lends none", lends_none, DENY(BORROW), 5, "", 0, 0, 0 },
	{ "borrows", borrows, GRANT, 6, "B", 300, 300, 0 },
	{ "borrows for the longest time", longest, GRANT, 6, "B", 600, 600, 0 },
	{ "borrows for a minute more", too_long, DENY(BORROW), 5, "", 0, 0, 0 },
	{ "borrows for a minute", shortest, GRANT, 6, "B", 2, 1, 0 },
	{ "the one that is lent is out", one_out_of_one, DENY(BORROWED_OUT), 5, "", 0, 0, 36000 },
	{ "one of two is out", one_out_of_two, GRANT, 6, "B", 300, 300, 0 },
	{ "all are lent", all_lent, GRANT, 6, "B", 300, 300, 0 },
	{ "has the one that is out, borrows again", has_the_one, GRANT, 5, "B", 400, 400, 0 },
	{ "had the one that is out", lapsed_the_one, DENY(BORROWED_OUT), 5, "", 0, 0, 36000 },
	{ "borrows again for a shorter time", shorter_now, GRANT, 5, "B", 10, 10, 0 },
	{ "gives back what it borrowed", release_borrowed, POLICY_RELEASE_SEAT, KMS_OK, 4, "", 0, 0, 0 },
	{ "borrows past the certificate", past_certificate, GRANT, 6, "B", 600, 599, 0 },
	{ "borrows up to the certificate", at_certificate, GRANT, 6, "B", 600, 600, 0 },
	{ "an end within a slot", odd_end, GRANT, 6, "B", 600, 599, 0 },
	{ "borrows from a full pool", borrow_full, DENY(CAPACITY), 10, "", 0, 0, 240 },
	{ "borrows below the threshold", borrow_low, POLICY_RECORD, KMS_E_COUNT_TOO_LOW, 6, "", 92, 0, 0 },
	{ "borrows a second after a renewal", borrow_soon, GRANT, 5, "B", 300, 300, 0 },
	{ "renews a second after a renewal", renew_soon, DENY(TOO_SOON), 5, "", 0, 0, 149 },
	{ "renews what it borrowed", holds, GRANT, 5, "B", 300, 299, 0 },
	{ "renews when no more is lent", lends_no_more, GRANT, 5, "B", 300, 299, 0 },
	{ "its own lease and seat reach as far", both_reached, GRANT, 5, "", 92, VALIDITY, 0 },
	{ "its own lease is a minute short", lease_beyond, GRANT, 5, "B", 92, VALIDITY + 1, 0 },
	{ "its own seat is a slot short", seat_beyond, GRANT, 5, "B", 94, VALIDITY, 0 },
	{ "a seat of slots of another width", other_width, GRANT, 5, "B", 302, 299, 0 },
	{ "renews what it borrowed, count too low", held_low, POLICY_RECORD, KMS_E_COUNT_TOO_LOW, 5, "B", 300, 0, 0 },
	{ "the same at its end", ended_low, POLICY_RECORD, KMS_E_COUNT_TOO_LOW, 5, "", 92, 0, 0 },
	{ "a lease that outlives its seat", long_lease, GRANT, 5, "B", 300, 300, 0 },

	{ "shared, with its last right", one_right, GRANT, 6, "T", 92, VALIDITY, 0 },
	{ "shared, without a right", no_right, DENY(CAPACITY), 5, "", 0, 0, 240 },
	{ "shared, without a right, but it counts", no_right_seated, GRANT, 5, "", 92, VALIDITY, 0 },
	{ "shared and full, without a right", no_right_full, DENY(CAPACITY), 10, "", 0, 0, 240 },
	{ "shared and full by what is heard, with a right", right_above, GRANT, 11, "OT", 92, VALIDITY, 0 },
	{ "shared, without a capacity", right_unlimited, GRANT, 6, "", 92, VALIDITY, 0 },
	{ "shared: another's seat is no right", right_victim, DENY(CAPACITY), 10, "", 0, 0, 240 },
	{ "shared: a right below the threshold", right_low, POLICY_RECORD, KMS_E_COUNT_TOO_LOW, 6, "T", 92, 0, 0 },
	{ "shared: the rights are kept for a class", right_reserved, DENY(CLASS_FULL), 5, "", 0, 0, 240 },
	{ "shared: and one more", right_spare, GRANT, 6, "T", 92, VALIDITY, 0 },
	{ "shared: a release needs no right", right_released, POLICY_RELEASE_SEAT, KMS_OK, 4, "", 0, 0, 0 },

	{ "the first beyond the capacity", draw_first, GRANT, 11, "O", 92, VALIDITY, 0 },
	{ "the second of a tenth of 10", draw_second, DENY(CAPACITY), 11, "", 0, 0, 240 },
	{ "the last within the capacity", draw_not_yet, GRANT, 10, "", 92, VALIDITY, 0 },
	{ "a part of a seat is one", one_percent, GRANT, 11, "O", 92, VALIDITY, 0 },
	{ "a part of a seat is not two", one_percent_twice, DENY(CAPACITY), 11, "", 0, 0, 240 },
	{ "11% of 10 are two", eleven_percent, GRANT, 12, "O", 92, VALIDITY, 0 },
	{ "11% of 10 are not three", eleven_over, DENY(CAPACITY), 12, "", 0, 0, 240 },
	{ "100%", all_again, GRANT, 20, "O", 92, VALIDITY, 0 },
	{ "100% are gone", all_gone, DENY(CAPACITY), 20, "", 0, 0, 240 },
	{ "of the host's capacity", host_part, GRANT, 5, "O", 92, VALIDITY, 0 },
	{ "half of the host's 4 are gone", host_part_gone, DENY(CAPACITY), 6, "", 0, 0, 240 },
	{ "no capacity has no overdraft", no_capacity, GRANT, 4000000001u, "", 92, VALIDITY, 0 },
	{ "the largest capacity does not wrap", huge, GRANT, UINT32_MAX, "", 92, VALIDITY, 0 },
	{ "renews above the capacity", drawn_above, GRANT, 11, "O", 92, VALIDITY, 0 },
	{ "renews when the count is within it again", drawn_within, GRANT, 10, "", 92, VALIDITY, 0 },
	{ "comes back when there is a seat", drawn_lapsed, GRANT, 10, "", 92, VALIDITY, 0 },
	{ "a seat within is never marked later", plain_above, GRANT, 11, "", 92, VALIDITY, 0 },
	{ "renews after the pack took it away", pack_without, GRANT, 11, "O", 92, VALIDITY, 0 },
	{ "borrows beyond the capacity", draw_borrow, GRANT, 11, "OB", 300, 300, 0 },

	{ "one below the limit of its class", below_limit, GRANT, 6, "", 92, VALIDITY, 0 },
	{ "at the limit of its class", at_limit, DENY(CLASS_FULL), 5, "", 0, 0, 1800 },
	{ "a limit that was lowered", above_limit, DENY(CLASS_FULL), 5, "", 0, 0, 1800 },
	{ "class before capacity", limit_and_full, DENY(CLASS_FULL), 10, "", 0, 0, 1800 },
	{ "another class is at its limit", limit_of_others, GRANT, 6, "", 92, VALIDITY, 0 },
	{ "a client of no class", limit_no_class, GRANT, 6, "", 92, VALIDITY, 0 },
	{ "renews in a class at its limit", seat_in_class, GRANT, 5, "", 92, VALIDITY, 0 },
	{ "would move to a class at its limit", moves_to_full, GRANT, 5, "K", 92, VALIDITY, 0 },
	{ "the same from no class", moves_from_none, GRANT, 5, "K", 92, VALIDITY, 0 },
	{ "moves to a class with room", moves, GRANT, 5, "", 92, VALIDITY, 0 },
	{ "lapsed, its class at its limit", lapsed_limit, DENY(CLASS_FULL), 5, "", 0, 0, 1800 },
	{ "a reserve leaves one", reserve_leaves_one, GRANT, 7, "", 92, VALIDITY, 0 },
	{ "a reserve takes the rest", reserve_takes_rest, DENY(CLASS_FULL), 7, "", 0, 0, 240 },
	{ "a part of the reserve is there", reserve_half_there, GRANT, 8, "", 92, VALIDITY, 0 },
	{ "the rest of it takes the rest", reserve_half_rest, DENY(CLASS_FULL), 8, "", 0, 0, 240 },
	{ "the reserve is there", reserve_met, GRANT, 10, "", 92, VALIDITY, 0 },
	{ "more than the reserve is there", reserve_passed, GRANT, 10, "", 92, VALIDITY, 0 },
	{ "its own reserve", reserve_is_mine, GRANT, 10, "", 92, VALIDITY, 0 },
	{ "its own reserve came too late", reserve_mine_full, DENY(CAPACITY), 10, "", 0, 0, 240 },
	{ "two reserves take the rest", reserves_of_two, DENY(CLASS_FULL), 6, "", 0, 0, 240 },
	{ "two reserves leave one", reserves_leave_one, GRANT, 6, "", 92, VALIDITY, 0 },
	{ "reserved, for a client of no class", reserve_no_class, DENY(CLASS_FULL), 7, "", 0, 0, 240 },
	{ "reserves above all", reserve_above, DENY(CLASS_FULL), 5, "", 0, 0, 240 },
	{ "a seat is not lost to a reserve", reserve_seated, GRANT, 10, "", 92, VALIDITY, 0 },
	{ "no overdraft while a reserve is free", reserve_no_draw, DENY(CLASS_FULL), 9, "", 0, 0, 240 },
	{ "overdraft beside a reserve", reserve_draw, GRANT, 11, "O", 92, VALIDITY, 0 },
	{ "the last of it is for the reserve", reserve_last_draw, DENY(CAPACITY), 11, "", 0, 0, 240 },
	{ "the reserve gets the last of it", reserve_mine_draw, GRANT, 12, "O", 92, VALIDITY, 0 },

	{ "takes a seat back", victim, GRANT, 10, "R", 92, VALIDITY, 0 },
	{ "none is taken while one is free", victim_not_needed, GRANT, 10, "", 92, VALIDITY, 0 },
	{ "none is taken for a renewal", victim_seated, GRANT, 10, "", 92, VALIDITY, 0 },
	{ "taken back before overdraft", victim_before_draw, GRANT, 10, "R", 92, VALIDITY, 0 },
	{ "a seat for a seat beyond the capacity", victim_above, GRANT, 11, "RO", 92, VALIDITY, 0 },
	{ "not when even that is too many", victim_far_above, DENY(CAPACITY), 12, "", 0, 0, 240 },
	{ "not from a reserve", victim_reserved, DENY(CAPACITY), 10, "", 0, 0, 240 },
	{ "from what is above a reserve", victim_spare, GRANT, 10, "R", 92, VALIDITY, 0 },
	{ "within one class", victim_same_class, GRANT, 10, "R", 92, VALIDITY, 0 },
	{ "not when a reserve waits for it", victim_reserve, DENY(CAPACITY), 10, "", 0, 0, 240 },
	{ "not below the threshold", victim_low, DENY(CAPACITY), 10, "", 0, 0, 240 },
	{ "not over the limit of a class", victim_limit, DENY(CLASS_FULL), 10, "", 0, 0, 1800 },
	{ "borrows what was taken back", victim_borrow, GRANT, 10, "RB", 300, 300, 0 },
	{ "its own was taken, and one is free", reclaimed, GRANT, 6, "", 92, VALIDITY, 0 },
	{ "its own was taken, and none is free", reclaimed_full, DENY(RECLAIMED), 10, "", 0, 0, 240 },
	{ "the same, at the limit of its class", reclaimed_limit, DENY(CLASS_FULL), 5, "", 0, 0, 1800 },
	{ "an unknown client lost nothing", reclaimed_unknown, DENY(CAPACITY), 10, "", 0, 0, 240 },
};
/* clang-format on */

static void
check_row(const struct row *r)
{
	struct situation s, before;
	struct policy_decision d;
	char marks[8];

	all_well(&s);
	r->change(&s);
	before = s;
	memset(&d, 0xff, sizeof(d));
	policy_decide(&d, &s.pack, &s.product, &s.host, &s.counters, &s.client, &s.request, NOW);
	snprintf(marks, sizeof(marks), "%s%s%s%s%s", d.reclaim ? "R" : "", d.overdraft ? "O" : "",
	    d.borrowed ? "B" : "", d.keep_class ? "K" : "", d.right ? "T" : "");
	if (d.outcome != r->outcome || d.status != r->status || d.count != r->count ||
	    strcmp(marks, r->marks) != 0 || d.retry_after != r->retry)
		fail_msg("%s: outcome %d status %d count %u marks %s retry %u", r->name,
		    (int)d.outcome, (int)d.status, d.count, marks, d.retry_after);
	if (d.until != (r->until != 0 ? MINUTE + r->until : 0) && r->outcome != POLICY_DENY)
		fail_msg("%s: counts for %d minutes", r->name, (int)(d.until - MINUTE));
	if (r->lease != 0 &&
	    (d.expires < NOW + r->lease * 60 || d.expires > NOW + r->lease * 60 + 1))
		fail_msg("%s: a lease of %d s", r->name, (int)(d.expires - NOW));
	assert_memory_equal(&s, &before, sizeof(s));
	if (d.outcome != POLICY_GRANT && d.outcome != POLICY_RECORD)
		assert_int_equal(d.until, 0);
	/* What an entry of it must keep to (entry.h). */
	if (d.until != 0) {
		assert_int_equal(d.until % entry_slot_width(WINDOW), 0);
		assert_true(d.until > MINUTE);
	}
	if (d.outcome == POLICY_GRANT) {
		assert_true(d.expires <= s.host.not_after);
		assert_true(d.renew_after <= d.expires);
		assert_true(d.renew_after <= NOW + RENEWAL * 60);
		/* In a floating pool no lease outlives its seat. */
		assert_true(d.expires <= d.until * UINT64_C(60) || r->change == long_lease);
	}
}

static void
test_rules(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(&rows[i]);
	(void)state;
}

/* A part of a seat counts as one. */
static void
test_overdraft(void **state)
{
	static const struct {
		uint32_t capacity;
		uint8_t percent;
		uint32_t seats;
	} table[] = {
		{ 0, 100, 0 },
		{ 1, 0, 0 },
		{ 1, 1, 1 },
		{ 10, 10, 1 },
		{ 10, 11, 2 },
		{ 100, 1, 1 },
		{ 101, 1, 2 },
		{ 99, 100, 99 },
		{ UINT32_MAX, 100, UINT32_MAX },
		{ UINT32_MAX, 1, 42949673 },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct policy_pool p = { .overdraft = table[i].percent };

		assert_int_equal(policy_overdraft(&p, table[i].capacity), table[i].seats);
	}
	(void)state;
}

/*
 * Renewals of what was borrowed, one behind another, as the row keeps them: it is borrowed until
 * the end that was asked for, and then no more.
 */
static void
test_borrowed_ends(void **state)
{
	static const struct {
		uint32_t window, validity, borrow;
	} table[] = {
		{ 90, 60, 300 },                     /* floating */
		{ 30 * 1440, 2880, 20160 },          /* a lease shorter than the window */
		{ 5 * 1440, 180 * 1440, 30 * 1440 }, /* a lease longer than the window */
		{ 30 * 1440, 180 * 1440, 14 * 1440 },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct situation s;
		struct policy_decision d;
		uint32_t step = table[i].borrow / 40, left = 0;

		all_well(&s);
		seated(&s);
		pool(&s)->window = table[i].window;
		pool(&s)->borrow = table[i].borrow;
		s.product.validity = table[i].validity;
		s.product.renewal_interval = 1;
		s.host.not_after = UINT64_MAX;
		s.request.borrow = table[i].borrow;
		for (uint32_t minute = 0; minute < 2 * table[i].borrow; minute += step) {
			uint64_t now = NOW + minute * UINT64_C(60);
			uint64_t end = NOW + table[i].borrow * UINT64_C(60);

			s.request.time = now;
			policy_decide(&d, &s.pack, &s.product, &s.host, &s.counters, &s.client,
			    &s.request, now);
			assert_int_equal(d.outcome, POLICY_GRANT);
			if (now < end) {
				assert_true(d.expires >= end);
				assert_true(d.until * UINT64_C(60) >= end);
			}
			left += !d.borrowed;
			/* Once it is no longer borrowed, it stays so. */
			assert_true(d.borrowed == (left == 0));
			s.client.borrowed = d.borrowed ? d.until : 0;
			s.client.borrowed_end = d.borrowed ? d.expires : 0;
			s.request.borrow = 0;
			s.request.sequence++;
			s.client.sequence++;
		}
		assert_true(left > 0);
	}
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_overdraft),
		cmocka_unit_test(test_borrowed_ends),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
