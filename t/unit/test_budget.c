/*
 * test_budget.c - what clients and fronts may have written is bounded, for each source and for all,
 * and nobody who is within the bounds loses by others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kmsd/activate/budget.h"

#define NOW UINT64_C(1700000000)

struct all {
	struct budget b;
	struct config c;
};

static void
v4(uint8_t out[16], uint32_t n)
{
	memset(out, 0, 16);
	out[10] = out[11] = 0xff;
	for (int i = 0; i < 4; i++)
		out[12 + i] = (uint8_t)(n >> (24 - 8 * i));
}

static struct all *
made(void)
{
	struct all *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	budget_init(&a->b, 7);
	a->c.new_clients_per_source = (struct rate){ 20000, 20 };
	a->c.new_clients = (struct rate){ 200000, 200 };
	a->c.entries = (struct rate){ 1000000, 500 };
	return a;
}

/* How many of n are free. */
static uint64_t
many(struct all *a, enum budget_entry entry, const uint8_t source[16], uint64_t n, uint64_t now)
{
	uint64_t taken = 0;

	while (n-- > 0)
		taken += budget_take(&a->b, &a->c, entry, source, now) == BUDGET_FREE;
	return taken;
}

static void
test_one(void **state)
{
	struct all *a = made();
	uint8_t source[16], other[16];

	v4(source, 0x0a000001);
	v4(other, 0x0a000002);
	assert_int_equal(many(a, BUDGET_NEW_CLIENT, source, 40000, NOW), 20000);
	assert_int_equal(budget_take(&a->b, &a->c, BUDGET_NEW_CLIENT, source, NOW), BUDGET_SOURCE);
	assert_int_equal(budget_take(&a->b, &a->c, BUDGET_OTHER, source, NOW), BUDGET_SOURCE);
	/* Renewals go on, and so does everybody else. */
	assert_int_equal(many(a, BUDGET_PACED, source, 10, NOW), 10);
	assert_int_equal(many(a, BUDGET_NEW_CLIENT, other, 2, NOW), 2);
	/* A clock that is set back gives nothing; ten seconds give ten times the refill. */
	assert_int_equal(many(a, BUDGET_NEW_CLIENT, source, 40000, NOW - 1000), 0);
	assert_int_equal(many(a, BUDGET_NEW_CLIENT, source, 40000, NOW + 10), 200);
	/* Full again after a day of silence, not fuller. */
	assert_int_equal(many(a, BUDGET_NEW_CLIENT, source, 40000, NOW + 200000), 20000);
	assert_int_equal(a->b.bites[BUDGET_SOURCE].last, NOW + 200000);
	assert_memory_equal(a->b.bites[BUDGET_SOURCE].address, source, 16);
	free(a);
	(void)state;
}

static void
test_prefix(void **state)
{
	struct all *a = made();
	uint8_t source[16] = { 0x20, 0x01, 0x0d, 0xb8 };
	uint64_t taken = 0;

	for (int i = 0; i < 40000; i++) {
		source[14] = (uint8_t)(i >> 8);
		source[15] = (uint8_t)i;
		taken += many(a, BUDGET_NEW_CLIENT, source, 1, NOW);
	}
	assert_int_equal(taken, 20000);
	source[7] = 1;
	assert_int_equal(many(a, BUDGET_NEW_CLIENT, source, 1, NOW), 1);
	free(a);
	(void)state;
}

/* One line can have thousands of /64s: their /48 has five times the tokens of one. */
static void
test_wide(void **state)
{
	struct all *a = made();
	uint8_t source[16] = { 0x20, 0x01, 0x0d, 0xb8 };
	uint64_t taken = 0;

	a->c.new_clients = (struct rate){ 0 };
	for (int i = 0; i < 20; i++) {
		source[7] = (uint8_t)i;
		taken += many(a, BUDGET_NEW_CLIENT, source, 20000, NOW);
	}
	assert_int_equal(taken, 100000);
	source[5] = 1; /* another /48 */
	assert_int_equal(many(a, BUDGET_NEW_CLIENT, source, 1, NOW), 1);
	free(a);
	(void)state;
}

/* A source that is refused all the time leaves room in the journal for the refusals of others. */
static void
test_refusals(void **state)
{
	struct all *a = made();
	uint8_t source[16], other[16];

	v4(source, 0x0a000001);
	v4(other, 0x0a000002);
	assert_int_equal(many(a, BUDGET_REFUSED_NEW, source, 60, NOW), 60);
	assert_int_equal(many(a, BUDGET_REFUSED, source, 1000, NOW), BUDGET_REFUSALS - 60);
	assert_int_equal(budget_take(&a->b, &a->c, BUDGET_REFUSED, source, NOW), BUDGET_REFUSAL);
	assert_int_equal(many(a, BUDGET_NEW_CLIENT, source, 10, NOW), 10);
	assert_int_equal(many(a, BUDGET_REFUSED, other, 10, NOW), 10);
	free(a);
	(void)state;
}

/* What a source made of late: also when it comes slowly, and when there is no limit. */
static void
test_made(void **state)
{
	struct all *a = made();
	uint8_t source[16];

	v4(source, 0x0a000001);
	a->c.new_clients_per_source = (struct rate){ 0 };
	for (unsigned i = 1; i <= 200; i++)
		assert_in_range(budget_made(&a->b, &a->c, source, NOW + i), i > 2 ? i - 2 : 1, i);
	/* A day later most are forgotten. */
	assert_in_range(budget_made(&a->b, &a->c, source, NOW + 86400), 1, 2);
	free(a);
	(void)state;
}

static void
test_all(void **state)
{
	struct all *a = made();
	uint8_t source[16];
	uint64_t taken = 0;

	/* more sources than the table has room for, each of them within its own bound */
	for (uint32_t i = 0; i < 100000; i++) {
		v4(source, 0x0a000000 + i);
		taken += many(a, BUDGET_NEW_CLIENT, source, 10, NOW);
	}
	assert_int_equal(taken, 200000);
	assert_int_equal(budget_take(&a->b, &a->c, BUDGET_NEW_CLIENT, source, NOW), BUDGET_CLIENTS);
	assert_int_equal(many(a, BUDGET_NEW_CLIENT, source, 1000, NOW + 2), 400);
	/* Clients that are known already are not new. */
	assert_int_equal(many(a, BUDGET_OTHER, source, 10, NOW + 2), 10);
	/* The ceiling is for all kinds. */
	assert_int_equal(
	    many(a, BUDGET_PACED, source, 2000000, NOW + 2), 1000000 - 200000 - 410 + 2 * 500);
	assert_int_equal(budget_take(&a->b, &a->c, BUDGET_PACED, source, NOW + 2), BUDGET_ENTRIES);
	assert_int_equal(many(a, BUDGET_PACED, source, 2000, NOW + 3), 500);
	free(a);
	(void)state;
}

/* One that floods keeps its empty bucket, however many others pass through the table. */
static void
test_flood_stays(void **state)
{
	struct all *a = made();
	uint8_t flood[16], source[16];

	v4(flood, 0x0a000001);
	many(a, BUDGET_NEW_CLIENT, flood, 20000, NOW);
	for (uint32_t i = 0; i < 100000; i++) {
		v4(source, 0x0b000000 + i);
		assert_int_equal(many(a, BUDGET_NEW_CLIENT, source, 1, NOW), 1);
	}
	assert_int_equal(many(a, BUDGET_NEW_CLIENT, flood, 1, NOW), 0);
	free(a);
	(void)state;
}

/* Ten thousand machines behind one address that are switched on together, as shipped. */
static void
test_shared_address(void **state)
{
	struct all *a = made();
	uint8_t source[16];

	v4(source, 0xc0000201);
	assert_int_equal(many(a, BUDGET_NEW_CLIENT, source, 10000, NOW), 10000);
	assert_true(network_parse(&a->c.exempt.at[0], "192.0.2.0/24"));
	a->c.exempt.count = 1;
	assert_int_equal(many(a, BUDGET_NEW_CLIENT, source, 50000, NOW), 50000);
	assert_int_equal(budget_made(&a->b, &a->c, source, NOW), 0);
	free(a);
	(void)state;
}

static void
test_no_limit(void **state)
{
	struct all *a = made();
	uint8_t source[16];

	v4(source, 0x0a000001);
	a->c.new_clients_per_source = a->c.new_clients = a->c.entries = (struct rate){ 0 };
	assert_int_equal(many(a, BUDGET_NEW_CLIENT, source, 300000, NOW), 300000);
	/* A reload that sets a limit finds the bucket full. */
	a->c.new_clients_per_source = (struct rate){ 5, 1 };
	assert_int_equal(many(a, BUDGET_NEW_CLIENT, source, 10, NOW + 1), 5);
	free(a);
	(void)state;
}

/* A reload with other rates begins anew; one with the same does not. */
static void
test_reload(void **state)
{
	struct all *a = made();
	struct config fresh = a->c;
	uint8_t source[16];

	v4(source, 0x0a000001);
	assert_int_equal(many(a, BUDGET_NEW_CLIENT, source, 20001, NOW), 20000);
	fresh.idle_timeout++;
	assert_false(budget_differs(&a->c, &fresh));
	fresh.entries.refill++;
	assert_true(budget_differs(&a->c, &fresh));
	budget_fill(&a->b);
	assert_int_equal(many(a, BUDGET_NEW_CLIENT, source, 20001, NOW), 20000);
	assert_int_equal(a->b.bites[BUDGET_SOURCE].count, 2);
	free(a);
	(void)state;
}

static void
test_disk(void **state)
{
	struct all *a = made();
	uint8_t source[16];

	v4(source, 0x0a000001);
	a->b.disk_low = true;
	assert_int_equal(budget_take(&a->b, &a->c, BUDGET_NEW_CLIENT, source, NOW), BUDGET_DISK);
	assert_int_equal(budget_take(&a->b, &a->c, BUDGET_OTHER, source, NOW), BUDGET_DISK);
	assert_int_equal(budget_take_relayed(&a->b, &a->c, 0, source, NOW), BUDGET_DISK);
	assert_int_equal(budget_take(&a->b, &a->c, BUDGET_PACED, source, NOW), BUDGET_FREE);
	assert_int_equal(a->b.bites[BUDGET_DISK].count, 3);
	free(a);
	(void)state;
}

/* A front that lies about addresses uses up its own bucket, not the other front's. */
static void
test_relayed(void **state)
{
	struct all *a = made();
	uint8_t source[16];
	uint64_t taken = 0;

	v4(source, 0x0a000001);
	for (int i = 0; i < 40000; i++)
		taken += budget_take_relayed(&a->b, &a->c, 0, source, NOW) == BUDGET_FREE;
	assert_int_equal(taken, BUDGET_RELAYED_BURST);
	for (uint32_t i = 0; i < 600000; i++) {
		v4(source, 0x0b000000 + i);
		taken += budget_take_relayed(&a->b, &a->c, 0, source, NOW) == BUDGET_FREE;
	}
	assert_int_equal(taken, BUDGET_FRONT_BURST);
	assert_int_equal(budget_take_relayed(&a->b, &a->c, 1, source, NOW), BUDGET_FREE);
	assert_int_equal(budget_take_relayed(&a->b, &a->c, 0, source, NOW), BUDGET_RELAYED);
	free(a);
	(void)state;
}

static uint64_t
reads(struct all *a, uint32_t cmid, const uint8_t source[16], unsigned n)
{
	uint8_t id[16] = { 0 };
	uint64_t taken = 0;

	memcpy(id, &cmid, sizeof(cmid));
	while (n-- > 0)
		taken += budget_take_read(&a->b, &a->c, id, source, NOW) == BUDGET_FREE;
	return taken;
}

/* Neither one client nor one source can use up what is read back for all. */
static void
test_reads(void **state)
{
	struct all *a = made();
	uint8_t source[16], other[16];
	uint64_t taken = 0;

	v4(source, 0x0a000001);
	v4(other, 0x0a000002);
	assert_int_equal(reads(a, 1, source, 1000), BUDGET_READS_CLIENT);
	for (uint32_t i = 2; i < 1000; i++)
		taken += reads(a, i, source, 4);
	assert_int_equal(taken, BUDGET_READS_SOURCE - BUDGET_READS_CLIENT);
	assert_int_equal(reads(a, 1000, other, 4), 4);
	assert_int_equal(budget_wait(&a->b, BUDGET_READS), 1);
	free(a);
	(void)state;
}

static uint64_t
witnesses(struct all *a, const uint8_t source[16], unsigned count, uint64_t now)
{
	static uint64_t clients;
	uint64_t taken = 0;
	uint8_t cmid[16] = { 0 };

	for (unsigned i = 0; i < count; i++) {
		clients++;
		memcpy(cmid, &clients, sizeof(clients));
		taken += budget_take_witness(&a->b, &a->c, cmid, source, now);
	}
	return taken;
}

/* One client that comes from many addresses leaves the others theirs. */
static void
test_witness_client(void **state)
{
	struct all *a = made();
	uint8_t source[16], cmid[16] = { 7 };
	unsigned taken = 0;

	for (uint32_t i = 0; i < 1000; i++) {
		v4(source, 0x0a000001 + i);
		taken += budget_take_witness(&a->b, &a->c, cmid, source, NOW);
	}
	assert_int_equal(taken, BUDGET_WITNESS_CLIENT);
	assert_int_equal(witnesses(a, source, 100, NOW), BUDGET_WITNESS_SOURCE);
	assert_false(budget_take_witness(&a->b, &a->c, cmid, source, NOW + 99));
	assert_true(budget_take_witness(&a->b, &a->c, cmid, source, NOW + 100));
	assert_false(budget_take_witness(&a->b, &a->c, cmid, source, NOW + 101));
	free(a);
	(void)state;
}

/* A signature costs time: one source cannot take all that is there for others. */
static void
test_witnesses(void **state)
{
	struct all *a = made();
	uint8_t source[16], other[16], third[16];

	v4(source, 0x0a000001);
	v4(other, 0x0a000002);
	v4(third, 0x0a000003);
	assert_int_equal(witnesses(a, source, 100, NOW), BUDGET_WITNESS_SOURCE);
	assert_int_equal(witnesses(a, other, 100, NOW), BUDGET_WITNESS_ALL - BUDGET_WITNESS_SOURCE);
	assert_int_equal(witnesses(a, third, 100, NOW), 0);
	assert_int_equal(witnesses(a, source, 100, NOW + 1), BUDGET_WITNESS_SOURCE / 2);
	assert_int_equal(witnesses(a, third, 100, NOW + 1), BUDGET_WITNESS_SOURCE);
	/* An owner who reserves the whole disk would hear no witness. */
	a->b.disk_low = true;
	assert_int_equal(witnesses(a, third, 100, NOW + 60), BUDGET_WITNESS_SOURCE);
	for (unsigned i = 0; i < BUDGET_LIMITS; i++)
		assert_int_equal(a->b.bites[i].count, 0);
	free(a);
	(void)state;
}

static void
test_waits(void **state)
{
	struct all *a = made();
	uint8_t source[16];
	uint32_t first;

	v4(source, 0x0a000001);
	budget_bite(&a->b, BUDGET_SOURCE, source, NOW);
	first = budget_wait(&a->b, BUDGET_SOURCE);
	budget_bite(&a->b, BUDGET_SOURCE, source, NOW);
	assert_int_not_equal(budget_wait(&a->b, BUDGET_SOURCE), first);
	for (int i = 0; i < 500; i++) {
		budget_bite(&a->b, BUDGET_SOURCE, source, NOW);
		assert_in_range(budget_wait(&a->b, BUDGET_SOURCE), 60, 119);
	}
	for (unsigned i = 0; i < BUDGET_LIMITS; i++)
		assert_non_null(budget_name(i));
	free(a);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_wide),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_made),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_flood_stays),
		cmocka_unit_test(test_shared_address),
		cmocka_unit_test(test_no_limit),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_disk),
		cmocka_unit_test(test_relayed),
		cmocka_unit_test(test_reads),
		cmocka_unit_test(test_witnesses),
		cmocka_unit_test(test_witness_client),
		cmocka_unit_test(test_waits),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
