/*
 * test_replay.c - what the keys of a pool would have changed: rows of events, and the sums of each
 * world. And a seeded history, in which the world of the pack in force counts what a plain recount
 * counts.
 */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kmsctl/ledger/replay.h"
#include "libkms/kms_error.h"
#include "t/unit/seeded.h"

#define NOW UINT64_C(1800000000) /* the end of a slot of each width that is used here */
#define DAY 1440u

struct world {
	struct publisher publisher;
	struct policy_pack before, after;
	struct replay replay;
};

static void
fill_pack(struct policy_pack *pack, const struct policy_pool *pool)
{
	pack->pool_count = 1;
	pack->pools[0] = *pool;
	pack->product_count = 1;
	pack->products[0] = (struct policy_product){
		.threshold = 1, .activation_interval = 5, .renewal_interval = 10, .validity = 40
	};
	memset(pack->products[0].id, 7, 16);
}

static struct world *
make(const struct policy_pool *before, const struct policy_pool *after)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	fill_pack(&w->before, before);
	fill_pack(&w->after, after);
	memset(w->publisher.public.key.id, 9, 8);
	w->publisher.pack = &w->before;
	assert_int_equal(replay_init(&w->replay, &w->publisher, &w->after, 1, NULL), KMS_OK);
	return w;
}

static void
end(struct world *w)
{
	replay_free(&w->replay);
	free(w);
}

/* What happens: minute, client, and a letter. */
struct event {
	unsigned minute;
	char client;
	/*
	 * a: a lease; s: of a client without state; b: borrowed for ten hours; x: released; c:
	 * refused, full; n: refused, without state; l: refused a loan; f: forgotten by an
	 * administrator; r: the host took the seat back
	 */
	char what;
};

static void
about(struct world *w, const struct event *v, uint8_t kind)
{
	struct entry_about e = { .kind = kind, .time = NOW + v->minute * 60 };

	e.cmid[0] = (uint8_t)v->client;
	replay_about(&w->replay, &e);
}

static void
happen(struct world *w, const struct event *v)
{
	struct entry_client e = { .kind = ENTRY_LEASE,
		.time = NOW + v->minute * 60,
		.sequence = 1,
		.operation = MESSAGE_ACTIVATE,
		.pool = 1 };

	e.cmid[0] = (uint8_t)v->client;
	memset(e.publisher, 9, 8);
	memset(e.product, 7, 16);
	e.expires = e.time + 40 * 60;
	switch (v->what) {
	case 's':
		e.flags = ENTRY_STATELESS;
		break;
	case 'b':
		e.flags = ENTRY_BORROWED;
		e.expires = e.time + 600 * 60;
		break;
	case 'x':
		e.kind = ENTRY_RELEASE;
		e.operation = MESSAGE_RELEASE;
		break;
	case 'c':
	case 'n':
	case 'l':
		e.kind = ENTRY_REFUSAL;
		e.flags = v->what == 'n' ? ENTRY_STATELESS : 0;
		e.status = v->what == 'c'   ? KMS_E_CAPACITY
			   : v->what == 'n' ? KMS_E_STATELESS
					    : KMS_E_BORROW;
		break;
	case 'f':
		about(w, v, ENTRY_FORGET);
		return;
	case 'r':
		about(w, v, ENTRY_RECLAIM);
		return;
	}
	replay_client(&w->replay, &e, NULL);
}

struct sums {
	unsigned peak, refused, overdraft, reclaimed, borrowed, refused_borrow, refused_stateless;
};
struct row {
	const char *what;
	struct policy_pool before, after;
	struct event events[8];
	struct sums before_sums, after_sums;
};

#define PLAIN                                                                                      \
	{                                                                                          \
		.number = 1, .name = "float", .capacity = 2, .window = 64                          \
	}
#define POOL(seats, minutes, ...)                                                                  \
	{                                                                                          \
		.number = 1, .name = "float", .capacity = seats, .window = minutes, __VA_ARGS__    \
	}
static const struct policy_pool plain = PLAIN;
/* clang-format off */
static const struct row rows[] = {
	{ "an overdraft", PLAIN, POOL(2, 64, .overdraft = 50),
	    { { 0, 'A', 'a' }, { 1, 'B', 'a' }, { 2, 'C', 'c' }, { 3, 'D', 'c' } },
	    { 2, 2, 0, 0, 0, 0, 0 }, { 3, 1, 1, 0, 0, 0, 0 } },
	{ "an overdraft that nobody needs", PLAIN, POOL(2, 64, .overdraft = 50),
	    { { 0, 'A', 'a' }, { 1, 'B', 'a' } }, { 2, 0, 0, 0, 0, 0, 0 }, { 2, 0, 0, 0, 0, 0, 0 } },
	{ "a longer window: the seat is not back yet", PLAIN, POOL(2, 128, .overdraft = 0),
	    { { 0, 'A', 'a' }, { 1, 'B', 'a' }, { 70, 'C', 'a' } },
	    { 2, 0, 0, 0, 0, 0, 0 }, { 2, 1, 0, 0, 0, 0, 0 } },
	{ "the last minute of the slot", PLAIN, POOL(2, 5, .overdraft = 0),
	    { { 0, 'A', 'a' }, { 0, 'B', 'a' }, { 64, 'C', 'c' } },
	    { 2, 1, 0, 0, 0, 0, 0 }, { 2, 0, 0, 0, 0, 0, 0 } },
	{ "and the minute behind it", PLAIN, POOL(2, 128, .overdraft = 0),
	    { { 0, 'A', 'a' }, { 0, 'B', 'a' }, { 65, 'C', 'a' } },
	    { 2, 0, 0, 0, 0, 0, 0 }, { 2, 1, 0, 0, 0, 0, 0 } },
	{ "from days to minutes", POOL(2, 30 * DAY, .overdraft = 0), PLAIN,
	    { { 0, 'A', 'a' }, { 1, 'B', 'a' }, { 100, 'C', 'c' }, { 101, 'D', 'c' } },
	    { 2, 2, 0, 0, 0, 0, 0 }, { 2, 0, 0, 0, 0, 0, 0 } },
	{ "fewer seats: who renews is taken for new", PLAIN, POOL(1, 64, .overdraft = 0),
	    { { 0, 'A', 'a' }, { 1, 'B', 'a' }, { 2, 'B', 'a' }, { 3, 'A', 'x' }, { 4, 'B', 'a' } },
	    { 2, 0, 0, 0, 0, 0, 0 }, { 1, 2, 0, 0, 0, 0, 0 } },
	{ "no client without state", PLAIN, POOL(2, 64, .stateless_refuse = true),
	    { { 0, 'A', 's' }, { 1, 'B', 'a' }, { 2, 'C', 'c' } },
	    { 2, 1, 0, 0, 0, 0, 0 }, { 2, 0, 0, 0, 0, 0, 1 } },
	{ "clients without state are let in", POOL(2, 64, .stateless_refuse = true), PLAIN,
	    { { 0, 'A', 'n' } }, { 0, 0, 0, 0, 0, 0, 1 }, { 1, 0, 0, 0, 0, 0, 0 } },
	{ "loans", PLAIN, POOL(2, 64, .borrow = 600),
	    { { 0, 'A', 'l' }, { 500, 'B', 'a' }, { 501, 'C', 'a' } },
	    { 2, 0, 0, 0, 0, 1, 0 }, { 2, 1, 0, 0, 1, 0, 0 } },
	{ "one loan at once", POOL(2, 64, .borrow = 600), POOL(2, 64, .borrow = 600, .borrow_seats = 1),
	    { { 0, 'A', 'b' }, { 1, 'B', 'b' }, { 2, 'A', 'b' } },
	    { 2, 0, 0, 0, 2, 0, 0 }, { 1, 0, 0, 0, 1, 1, 0 } },
	{ "shorter loans", POOL(2, 64, .borrow = 600), POOL(2, 64, .borrow = 599),
	    { { 0, 'A', 'b' } }, { 1, 0, 0, 0, 1, 0, 0 }, { 0, 0, 0, 0, 0, 1, 0 } },
	{ "the one unseen for longest", PLAIN, POOL(2, 64, .reclaim = 10),
	    { { 0, 'A', 'a' }, { 1, 'B', 'a' }, { 9, 'C', 'c' }, { 10, 'C', 'c' }, { 11, 'A', 'a' } },
	    { 2, 2, 0, 0, 0, 0, 0 }, { 2, 1, 0, 2, 0, 0, 0 } },
	{ "never one that is lent", POOL(2, 64, .borrow = 600), POOL(2, 64, .borrow = 600, .reclaim = 10),
	    { { 0, 'A', 'b' }, { 1, 'B', 'b' }, { 30, 'C', 'c' } },
	    { 2, 1, 0, 0, 2, 0, 0 }, { 2, 1, 0, 0, 2, 0, 0 } },
	{ "what the host took back itself is judged anew", POOL(2, 64, .reclaim = 10), PLAIN,
	    { { 0, 'A', 'a' }, { 1, 'B', 'a' }, { 20, 'A', 'r' }, { 20, 'C', 'a' } },
	    { 2, 0, 0, 1, 0, 0, 0 }, { 2, 1, 0, 0, 0, 0, 0 } },
	{ "a seat that was given back or forgotten", PLAIN, POOL(1, 64, .overdraft = 0),
	    { { 0, 'A', 'a' }, { 1, 'A', 'x' }, { 2, 'B', 'a' }, { 3, 'B', 'f' }, { 4, 'C', 'a' }, { 5, 'D', 'x' }, { 6, 'E', 'f' } },
	    { 1, 0, 0, 0, 0, 0, 0 }, { 1, 0, 0, 0, 0, 0, 0 } },
};
/* clang-format on */

static void
check(const char *what, const struct replay_world *w, const struct sums *s)
{
	const struct sums is = { (unsigned)w->peak, (unsigned)w->refused, (unsigned)w->overdraft,
		(unsigned)w->reclaimed, (unsigned)w->borrowed, (unsigned)w->refused_borrow,
		(unsigned)w->refused_stateless };

	if (memcmp(&is, s, sizeof(is)) != 0)
		fail_msg(
		    "%s, %s: peak %u, refused %u, overdraft %u, taken back %u, lent %u, not lent %u, stateless %u",
		    what, w->key[0] != '\0' ? w->key : "none", is.peak, is.refused, is.overdraft,
		    is.reclaimed, is.borrowed, is.refused_borrow, is.refused_stateless);
}

/* Each row changes one key, so the world of that key and that of all are alike. */
static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct world *w = make(&row->before, &row->after);

		for (unsigned k = 0; k < 8 && row->events[k].what != '\0'; k++)
			happen(w, &row->events[k]);
		assert_int_equal(w->replay.failed, KMS_OK);
		assert_int_equal(w->replay.count, 3);
		check(row->what, &w->replay.worlds[0], &row->before_sums);
		check(row->what, &w->replay.worlds[1], &row->after_sums);
		check(row->what, &w->replay.worlds[2], &row->after_sums);
		end(w);
	}
}

static void
test_keys(void **state)
{
	static const char *const said[][3] = { { "capacity", "2", "all" },
		{ "window", "64m", "12h" }, { "stateless", "allow", "refuse" },
		{ "overdraft", "0%", "10%" }, { "borrow", "none", "14d" },
		{ "borrow-seats", "all", "1" }, { "when-full", "refuse", "longest-unseen 8h" } };
	const struct policy_pool all = { .number = 1,
		.window = 720,
		.stateless_refuse = true,
		.overdraft = 10,
		.borrow = 14 * DAY,
		.borrow_seats = 1,
		.reclaim = 480 };
	struct world *w = make(&plain, &all);

	(void)state;
	assert_int_equal(w->replay.count, REPLAY_WORLDS - REPLAY_CLASSES);
	for (size_t i = 0; i < 7; i++) {
		assert_string_equal(w->replay.worlds[i + 1].key, said[i][0]);
		assert_string_equal(w->replay.worlds[i + 1].was, said[i][1]);
		assert_string_equal(w->replay.worlds[i + 1].is, said[i][2]);
	}
	assert_string_equal(w->replay.worlds[0].key, "");
	assert_string_equal(w->replay.worlds[8].key, "all");
	end(w);
	w = make(&plain, &plain);
	assert_int_equal(w->replay.count, 0);
	end(w);
}

/* -- classes -- */

/* A client asks. A capital letter has a name of class ci; any other letter is in no class. */
static void
class_event(struct world *w, unsigned minute, char client, bool named, bool release)
{
	static const uint8_t address[16] = { [10] = 0xff, 0xff, 10, 1, 1, 1 };
	char name[] = "build-?";
	struct class_client who = { .address = address, .name = name, .user = "" };
	bool ci = client >= 'A' && client <= 'Z';
	struct entry_client e = { .kind = release ? ENTRY_RELEASE : ENTRY_LEASE,
		.time = NOW + minute * 60,
		.sequence = 1,
		.operation = release ? MESSAGE_RELEASE : MESSAGE_ACTIVATE,
		.class = ci ? class_number("ci") : 0,
		.pool = 1 };

	name[0] = ci ? 'b' : 'x';
	name[6] = e.cmid[0] = (uint8_t)client;
	memset(e.publisher, 9, 8);
	memset(e.product, 7, 16);
	replay_client(&w->replay, &e, named ? &who : NULL);
}

/*
 * Each class alone, and with the others: a limit; a reserve; a seat that is not taken back, because
 * its class keeps it; clients whose names are erased, so that only the number of their class is
 * left.
 */
static void
test_classes(void **state)
{
	static const struct {
		const char *what, *events;
		uint32_t reserve, limit, reclaim, capacity;
		bool named;
		const char *says;
		unsigned peak, refused, class, reclaimed; /* in the world of the class */
	} cases[] = {
		{ "nothing said", "ABcd", 0, 0, 0, 0, true, "no limit", 4, 0, 0, 0 },
		{ "a limit", "ABCd", 0, 2, 0, 0, true, "limit 2", 3, 1, 1, 0 },
		{ "a limit that nobody meets", "ABCd", 0, 3, 0, 0, true, "limit 3", 4, 0, 0, 0 },
		{ "a limit, and a seat given back", "AB-ACd", 0, 2, 0, 0, true, "limit 2", 3, 0, 0,
		    0 },
		{ "its number is left", "ABCd", 0, 2, 0, 0, false, "limit 2", 3, 1, 1, 0 },
		{ "a reserve", "abcA", 2, 0, 0, 3, true, "reserve 2", 2, 2, 2, 0 },
		{ "the last seat is not reserved", "abA", 1, 0, 0, 3, true, "reserve 1", 3, 0, 0,
		    0 },
		{ "both", "abABCc", 1, 2, 0, 4, true, "reserve 1, limit 2", 4, 2, 1, 0 },
		{ "taken back from no reserve", "Aabc", 1, 0, 1, 3, true, "reserve 1", 3, 0, 0, 1 },
		{ "taken back for a class", "abcA", 0, 3, 1, 3, true, "limit 3", 3, 0, 0, 1 },
	};
	struct config_class ci = { .name = "ci", .pool = "float" };
	struct config_class other = { .name = "other", .pool = "else" };
	struct class_list list = { .count = 2,
		.at = { { &other, class_number("other") }, { &ci, class_number("ci") } } };

	(void)state;
	ci.names.count = 1;
	strcpy(ci.names.at[0], "build-*");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct policy_pool pool =
		    POOL(cases[i].capacity, 64, .reclaim = cases[i].reclaim);
		struct world *w = make(&pool, &pool);
		const struct replay_world *of = &w->replay.worlds[1], *none = &w->replay.worlds[0];

		assert_int_equal(w->replay.count, 0); /* without classes */
		ci.reserve = cases[i].reserve;
		ci.limit = cases[i].limit;
		assert_int_equal(
		    replay_init(&w->replay, &w->publisher, &w->after, 1, &list), KMS_OK);
		assert_int_equal(w->replay.count, 3);
		for (unsigned minute = 0, k = 0; cases[i].events[k] != '\0'; k++, minute++) {
			bool release = cases[i].events[k] == '-';

			k += release;
			class_event(w, minute, cases[i].events[k], cases[i].named, release);
		}
		assert_string_equal(of->key, "class ci");
		assert_string_equal(of->was, "none");
		assert_string_equal(of->is, cases[i].says);
		if (of->peak != cases[i].peak || of->refused != cases[i].refused ||
		    of->refused_class != cases[i].class || of->reclaimed != cases[i].reclaimed)
			fail_msg("%s: peak %u, refused %u, by the class %u, taken back %u",
			    cases[i].what, (unsigned)of->peak, (unsigned)of->refused,
			    (unsigned)of->refused_class, (unsigned)of->reclaimed);
		assert_int_equal(none->refused_class, 0);
		assert_int_equal(w->replay.worlds[2].refused, of->refused); /* all there are */
		end(w);
	}
}

/* Entries of another publisher, another product, other refusals. */
static void
test_others(void **state)
{
	const struct policy_pool more = POOL(3, 64, .overdraft = 0);
	struct world *w = make(&plain, &more);
	struct entry_client e = { .kind = ENTRY_LEASE, .time = NOW, .sequence = 1 };

	(void)state;
	memset(e.product, 7, 16);
	replay_client(&w->replay, &e, NULL);
	memset(e.publisher, 9, 8);
	memset(e.product, 8, 16);
	replay_client(&w->replay, &e, NULL);
	memset(e.product, 7, 16);
	e.kind = ENTRY_REFUSAL;
	e.status = KMS_E_TIME_SKEW;
	replay_client(&w->replay, &e, NULL);
	assert_int_equal(w->replay.requests, 0);
	assert_int_equal(w->replay.worlds[0].peak, 0);
	end(w);
}

/* -- a seeded history -- */

#define CLIENTS 3000
#define EVENTS 60000

/* No pool limit: what counts is what was seen within the window, and the table grows and shrinks.
 */
static void
test_history(void **state)
{
	const struct policy_pool wide = POOL(0, 64, .overdraft = 0),
				 over = POOL(0, 64, .overdraft = 1);
	static uint32_t until[CLIENTS];
	struct world *w = make(&wide, &over);
	struct entry_client e = { .kind = ENTRY_LEASE, .sequence = 1, .time = NOW };

	(void)state;
	start_seed("history");
	memset(until, 0, sizeof(until));
	memset(e.publisher, 9, 8);
	memset(e.product, 7, 16);
	for (unsigned i = 0; i < EVENTS; i++) {
		uint32_t who = pick(CLIENTS), counted = 0;

		e.time += pick(i < EVENTS / 2 ? 3 : 30);
		e.kind = pick(4) == 0 ? ENTRY_RELEASE : ENTRY_LEASE;
		memcpy(e.cmid, &who, sizeof(who));
		until[who] = e.kind == ENTRY_LEASE ? entry_counts_until(e.time, 64) : 0;
		replay_client(&w->replay, &e, NULL);
		if (i % 500 != 0)
			continue;
		for (unsigned k = 0; k < CLIENTS; k++)
			counted += until[k] > e.time / 60;
		assert_int_equal(replay_counted(&w->replay.table, 0), counted);
		assert_int_equal(replay_counted(&w->replay.table, 1), counted);
	}
	assert_true(w->replay.table.used <= CLIENTS);
	end(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_history),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
