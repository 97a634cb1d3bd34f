/*
 * test_connection.c - the parts of kmsd-front that can be wrong without a socket:
 * who a token names, who has waited too long, and how many connections a source has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kmsd/front/connection.h"
#include "kmsd/front/deadline.h"
#include "kmsd/front/throttle.h"
#include "libkms/base/address.h"
#include "libkms/kms_error.h"

#define MANY 1000

static void
test_size(void **state)
{
	/* ten thousand idle connections in 16 MiB, with everything else */
	assert_true(sizeof(struct connection) < 400);
}

static void
test_token(void **state)
{
	struct connections t;
	struct connection *s, *found = NULL;
	uint64_t token;

	connections_init(&t);
	s = connections_take(&t);
	assert_non_null(s);
	token = connection_token(s);
	assert_int_equal(connection_find(&t, token, &found), CONNECTION_NEVER); /* has not asked */
	s->state = CONNECTION_ASKED;
	assert_int_equal(connection_find(&t, token, &found), CONNECTION_FOUND);
	assert_ptr_equal(found, s);

	found = NULL;
	assert_int_equal(
	    connection_find(&t, token + 1, &found), CONNECTION_NEVER); /* a slot not in use */
	assert_int_equal(connection_find(&t, token | 0xffffffff, &found), CONNECTION_NEVER);
	assert_int_equal(connection_find(&t, (uint32_t)token, &found), CONNECTION_NEVER);
	assert_int_equal(
	    connection_find(&t, token + ((uint64_t)1 << 32), &found), CONNECTION_NEVER);
	assert_int_equal(connection_find(&t, UINT64_MAX, &found), CONNECTION_NEVER);
	assert_null(found);
	connections_free(&t);
}

static void
test_stale_token(void **state)
{
	struct connections t;
	struct connection *first, *second, *found = NULL;
	uint64_t token;

	connections_init(&t);
	first = connections_take(&t);
	first->state = CONNECTION_ASKED;
	token = connection_token(first);
	connections_give(&t, first);
	assert_int_equal(connection_find(&t, token, &found), CONNECTION_LEFT);
	second = connections_take(&t);
	assert_ptr_equal(second, first); /* the very same slot */
	second->state = CONNECTION_ASKED;
	assert_int_equal(connection_find(&t, token, &found), CONNECTION_LEFT);
	assert_null(found);
	assert_int_equal(connection_find(&t, connection_token(second), &found), CONNECTION_FOUND);
	connections_free(&t);
}

static void
test_table(void **state)
{
	struct connection *all[MANY];
	struct connections t;

	connections_init(&t);
	for (uint32_t i = 0; i < MANY; i++) {
		all[i] = connections_take(&t);
		assert_non_null(all[i]);
	}
	assert_int_equal(t.open, MANY);
	for (uint32_t i = 0; i < MANY; i++) {
		/* no block moved while others were added, and each is found where its name says */
		assert_ptr_equal(connections_at(&t, all[i]->index), all[i]);
		connections_give(&t, all[i]);
	}
	assert_int_equal(t.open, 0);
	for (uint32_t i = 0; i < MANY; i++)
		assert_non_null(connections_take(&t));
	assert_null(connections_at(&t, MANY + 1000)); /* nothing more was allocated */
	connections_free(&t);
}

static void
test_deadline(void **state)
{
	struct connection a = { 0 }, b = { 0 };
	struct deadlines d;

	deadlines_init(&d);
	d.seconds[DEADLINE_FIRST] = 10;
	d.seconds[DEADLINE_FRAME] = 3;
	deadline_set(&d, &a, DEADLINE_FIRST, 100);
	deadline_set(&d, &b, DEADLINE_FIRST, 101);
	assert_null(deadline_expired(&d, 110)); /* may be 9.01 seconds in truth */
	assert_ptr_equal(deadline_expired(&d, 111), &a);
	deadline_set(&d, &a, DEADLINE_FRAME, 111);
	assert_null(deadline_expired(&d, 111));
	assert_ptr_equal(deadline_expired(&d, 112), &b);
	deadline_set(&d, &b, DEADLINE_NONE, 112);
	assert_null(deadline_expired(&d, 114));
	assert_ptr_equal(deadline_expired(&d, 115), &a);
	/* begun again: the order of the queue follows */
	deadline_set(&d, &b, DEADLINE_FRAME, 112);
	deadline_set(&d, &a, DEADLINE_FRAME, 115);
	assert_ptr_equal(deadline_expired(&d, 116), &b);
	deadline_set(&d, &b, DEADLINE_NONE, 116);
	deadline_set(&d, &a, DEADLINE_NONE, 116);
	assert_null(deadline_expired(&d, UINT64_MAX));
}

static void
v4(uint8_t address[16], uint32_t number)
{
	memset(address, 0, 16);
	address[10] = address[11] = 0xff;
	for (int i = 0; i < 4; i++)
		address[12 + i] = (uint8_t)(number >> (24 - 8 * i));
}

static void
test_source_limit(void **state)
{
	uint8_t one[16], other[16];
	struct throttle t;

	assert_int_equal(throttle_init(&t, 1), KMS_OK);
	t.per_source = 2;
	v4(one, 0x0a000001);
	v4(other, 0x0a000002);
	assert_int_equal(throttle_enter(&t, one), KMS_OK);
	assert_int_equal(throttle_enter(&t, one), KMS_OK);
	assert_int_equal(throttle_enter(&t, one), KMS_E_LIMIT);
	assert_int_equal(throttle_enter(&t, other), KMS_OK);
	throttle_leave(&t, one);
	assert_int_equal(throttle_enter(&t, one), KMS_OK);
	assert_int_equal(throttle_enter(&t, one), KMS_E_LIMIT);
	throttle_free(&t);
}

static void
test_source_v6(void **state)
{
	uint8_t a[16] = { 0x20, 0x01, 0x0d, 0xb8 }, b[16] = { 0x20, 0x01, 0x0d, 0xb8 };
	struct throttle t;

	assert_int_equal(throttle_init(&t, 1), KMS_OK);
	t.per_source = 1;
	a[15] = 1;
	b[15] = 2; /* the same /64: the same host for all we know */
	assert_int_equal(throttle_enter(&t, a), KMS_OK);
	assert_int_equal(throttle_enter(&t, b), KMS_E_LIMIT);
	b[7] = 1;
	assert_int_equal(throttle_enter(&t, b), KMS_OK);
	throttle_free(&t);
}

/* Against a plain array: enter and leave in a disorder that makes and closes gaps. */
static void
test_sources_model(void **state)
{
	unsigned model[MANY] = { 0 }, open = 0;
	uint8_t address[16];
	struct throttle t;

	srand(1);
	assert_int_equal(throttle_init(&t, 7), KMS_OK);
	t.per_source = 3;
	for (unsigned step = 0; step < 200000; step++) {
		unsigned who = (unsigned)rand() % MANY;

		v4(address, who);
		if (rand() % 2) {
			int want = model[who] < 3 ? KMS_OK : KMS_E_LIMIT;

			assert_int_equal(throttle_enter(&t, address), want);
			open += want == KMS_OK && model[who] == 0;
			model[who] += want == KMS_OK;
		} else if (model[who] > 0) {
			throttle_leave(&t, address);
			open -= --model[who] == 0;
		}
		assert_int_equal(t.used, open);
	}
	for (unsigned who = 0; who < MANY; who++) {
		v4(address, who);
		for (; model[who] > 0; model[who]--)
			throttle_leave(&t, address);
	}
	assert_int_equal(t.used, 0);
	for (uint32_t i = 0; i < t.size; i++)
		assert_int_equal(t.slots[i].count, 0);
	/* one that is not there */
	throttle_leave(&t, address);
	assert_int_equal(t.used, 0);
	throttle_free(&t);
}

static void
test_peer(void **state)
{
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(4711) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(65535) };
	char text[ADDRESS_PORT_TEXT];
	uint8_t address[16];
	uint16_t port;

	in.sin_addr.s_addr = htonl(0xc0000201);
	memcpy(&ss, &in, sizeof(in));
	address_take(address, &port, (const struct sockaddr *)&ss);
	assert_string_equal(address_port_text(text, address, port), "192.0.2.1 port 4711");
	memset(&in6.sin6_addr, 0xff, 16);
	memcpy(&ss, &in6, sizeof(in6));
	address_take(address, &port, (const struct sockaddr *)&ss);
	assert_string_equal(address_port_text(text, address, port),
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff port 65535");
	/* a client that came to an IPv6 socket by IPv4 reads as what it is */
	v4(address, 0x7f000001);
	assert_string_equal(address_port_text(text, address, 1), "127.0.0.1 port 1");
}

/* Who has most, at each step; with thousands, nearly most. */
static void
test_largest(void **state)
{
	struct throttle t;
	uint8_t a[16] = { 1 }, b[16] = { 2 }, many[16] = { 3 };
	uint64_t source = 0;

	assert_int_equal(throttle_init(&t, 5), KMS_OK);
	assert_false(throttle_largest(&t, &source));
	assert_int_equal(throttle_enter(&t, a), KMS_OK);
	assert_int_equal(throttle_enter(&t, b), KMS_OK);
	assert_int_equal(throttle_enter(&t, b), KMS_OK);
	assert_true(throttle_largest(&t, &source));
	assert_true(source == address_source(b));
	throttle_leave(&t, b);
	throttle_leave(&t, b);
	assert_true(throttle_largest(&t, &source));
	assert_true(source == address_source(a));
	throttle_leave(&t, a);
	assert_false(throttle_largest(&t, &source));
	for (unsigned i = 0; i < 20000; i++) {
		many[6] = (uint8_t)(i >> 8);
		many[7] = (uint8_t)i;
		assert_int_equal(throttle_enter(&t, many), KMS_OK);
	}
	for (unsigned i = 0; i < 500; i++)
		assert_int_equal(throttle_enter(&t, a), KMS_OK);
	for (unsigned left = 500; left > 1; left--) {
		assert_true(throttle_largest(&t, &source));
		assert_true(source == address_source(a));
		throttle_leave(&t, a);
	}
	throttle_free(&t);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_largest),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_stale_token),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_source_limit),
		cmocka_unit_test(test_source_v6),
		cmocka_unit_test(test_sources_model),
		cmocka_unit_test(test_peer),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
