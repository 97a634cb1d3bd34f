/*
 * test_client_filter.c - which clients the options choose, in which order, and what is counted of
 * them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kmsctl/ledger/bulk.h"
#include "kmsctl/ledger/client_filter.h"
#include "kmsctl/ledger/client_sums.h"
#include "kmsctl/ledger/flock.h"
#include "libkms/base/address.h"
#include "libkms/kms_error.h"

#define NOW UINT64_C(1800000000)
#define MINUTES (NOW / 60)

static void
test_spans(void **ignored)
{
	static const char *const bad[] = { "", "3", "0h", "h", "-2h", "2 h", "2h30m", "2x",
		"1e3h" };
	uint64_t n = 0;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (client_filter_span(&n, bad[i]))
			fail_msg("\"%s\" is taken", bad[i]);
	assert_true(client_filter_span(&n, "90m"));
	assert_int_equal(n, 90);
	assert_true(client_filter_span(&n, "2h"));
	assert_int_equal(n, 120);
	assert_true(client_filter_span(&n, "30d"));
	assert_int_equal(n, 43200);
}

static void
test_flags(void **ignored)
{
	uint64_t n = 0;

	assert_false(client_filter_flag(&n, ""));
	assert_false(client_filter_flag(&n, "VM"));
	assert_false(client_filter_flag(&n, "vm,clone"));
	assert_int_equal(n, 0);
	assert_true(client_filter_flag(&n, "vm"));
	assert_true(client_filter_flag(&n, "borrowed"));
	assert_int_equal(n, CLIENT_VM | CLIENT_BORROWED);
}

/* One with a seat in pool 1 of product 7.... */
static void
make(struct kmsdb_client *c, struct kmsdb_cold *cold)
{
	memset(c, 0, sizeof(*c));
	memset(cold, 0, sizeof(*cold));
	c->product[0] = 7;
	c->seated = true;
	c->pool = 1;
	c->kind = ENTRY_LEASE;
	c->until = MINUTES + 10;
	c->last_seen = NOW - 7200;
	c->expires = NOW + 60;
	cold->first_seen = NOW - 86400;
	snprintf(cold->name, sizeof(cold->name), "build-7.corp.example");
	assert_true(address_parse(cold->address, "10.2.3.4"));
}

static struct products
packs(void)
{
	static struct product_name products[] = { { { 7 }, "Writer", "acme" },
		{ { 8 }, "Server", "zeta" } };
	static struct pool_name pools[] = { { 1, "desks", "acme" }, { 1, "others", "zeta" } };

	return (struct products){ products, 2, pools, 2 };
}

static void
test_has(void **ignored)
{
	const struct products known = packs();
	struct network ten = { .bits = 128 - 16 }, eleven = { .bits = 128 };
	struct kmsdb_client c;
	struct kmsdb_cold cold;
	struct {
		struct client_filter f;
		bool has;
	} cases[] = {
		{ {}, true },
		{ { .name = "build-7.corp.example" }, true },
		{ { .name = "BUILD-7" }, true },
		{ { .name = "build-?" }, true }, /* of the first label */
		{ { .name = "build-*" }, true },
		{ { .name = "*.example" }, true },
		{ { .name = "build" }, false },
		{ { .name = "" }, false },
		{ { .named = "build-7" }, true },
		{ { .named = "build-7", .whole_name = true }, false },
		{ { .address = "x", .network = ten }, true },
		{ { .address = "x", .network = eleven }, false },
		{ { .pool = "desks" }, true },
		{ { .pool = "DESKS" }, true },
		{ { .pool = "others" }, false }, /* of the other publisher */
		{ { .pool = "1" }, true },
		{ { .pool = "2" }, false },
		{ { .product = "x", .product_id = { 7 } }, true },
		{ { .product = "x", .product_id = { 8 } }, false },
		{ { .unseen = 120 }, true }, /* exactly so long */
		{ { .unseen = 121 }, false },
		{ { .seen_since = NOW - 7200 }, true },
		{ { .seen_since = NOW - 7199 }, false },
		{ { .first_since = NOW - 86400 }, true },
		{ { .first_since = NOW - 86399 }, false },
		{ { .first_until = NOW - 86400 }, true },
		{ { .first_until = NOW - 86401 }, false },
		{ { .active = true }, true },
		{ { .counted = true }, true },
		{ { .flags = CLIENT_VM }, true },
		{ { .flags = CLIENT_VM | CLIENT_STATELESS }, false }, /* all of them */
		{ { .flags = CLIENT_CLONE }, false },
		{ { .name = "build-*", .pool = "desks", .unseen = 121 }, false },
	};

	assert_true(address_parse(ten.address, "10.2.0.0"));
	assert_true(address_parse(eleven.address, "11.2.3.4"));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		make(&c, &cold);
		c.flags = ENTRY_VM;
		if (cases[i].f.address != NULL)
			memcpy(cases[i].f.network.address,
			    cases[i].f.network.bits == 128 ? eleven.address : ten.address, 16);
		cases[i].f.now = NOW;
		cases[i].f.products = &known;
		if (client_filter_has(&cases[i].f, &c, &cold) != cases[i].has)
			fail_msg("case %zu", i);
	}
}

static void
test_edges(void **ignored)
{
	const struct products known = packs();
	struct client_filter f = { .now = NOW, .products = &known, .counted = true };
	struct kmsdb_client c;
	struct kmsdb_cold cold;

	make(&c, &cold);
	c.until = MINUTES + 1;
	assert_true(client_filter_has(&f, &c, &cold));
	c.until = MINUTES; /* the seat came back */
	assert_false(client_filter_has(&f, &c, &cold));
	f.counted = false;
	assert_true(client_filter_has(&f, &c, &cold));
	c.flags = KMSDB_FORGOTTEN;
	assert_false(client_filter_has(&f, &c, &cold));
	c.flags |= KMSDB_REVOKED; /* is shown, because it is refused */
	assert_true(client_filter_has(&f, &c, &cold));
	make(&c, &cold);
	c.last_seen = 0; /* never heard from */
	f.unseen = 1;
	assert_true(client_filter_has(&f, &c, &cold));
	cold.last_clone = NOW;
	assert_int_equal(client_flags(&c, &cold), CLIENT_CLONE);
	c.flags = ENTRY_BORROWED | ENTRY_OVERDRAFT | ENTRY_STATELESS | ENTRY_VM | ENTRY_CLONE;
	assert_int_equal(client_flags(&c, NULL), 31);
	/* A product of no pack: by its number alone the pool has two names. */
	c.product[0] = 9;
	assert_null(products_pool(&known, &c));
	c.product[0] = 8;
	assert_string_equal(products_pool(&known, &c)->name, "others");
}

static void
test_sort(void **ignored)
{
	static const struct {
		enum bulk_order order;
		bool reverse;
		const char *names;
	} cases[] = {
		{ BULK_CMID, false, "abC" },
		{ BULK_CMID, true, "Cba" },
		{ BULK_NAME, false, "abC" },
		{ BULK_SEEN, false, "Cba" },
		{ BULK_FIRST, false, "aCb" },
		{ BULK_EXPIRES, true, "Cab" }, /* equal ones by the CMID, in that direction */
		{ BULK_STATE, false, "aCb" },
	};
	struct bulk_client at[3];
	struct bulk b = { at, 3, 3 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char names[4] = "";

		for (unsigned k = 0; k < 3; k++) {
			make(&at[k].client, &at[k].cold);
			at[k].client.cmid[0] = (uint8_t)k;
			at[k].client.last_seen = NOW - k;
			at[k].cold.first_seen = NOW - (k + 2) % 3;
			at[k].client.expires = k == 1 ? 5 : k == 2 ? NOW + 9 : NOW + 8;
			snprintf(at[k].cold.name, 2, "%c", "abC"[k]);
		}
		bulk_sort(&b, cases[i].order, cases[i].reverse, NOW);
		for (unsigned k = 0; k < 3; k++)
			names[k] = at[k].cold.name[0];
		assert_string_equal(names, cases[i].names);
	}
	b.count = 0;
	bulk_sort(&b, BULK_NAME, false, NOW);
}

static void
test_sums(void **ignored)
{
	const struct products known = packs();
	struct client_sums s = { 0 };
	struct kmsdb_client c;
	struct kmsdb_cold cold;

	for (unsigned i = 0; i < 100; i++) {
		make(&c, &cold);
		c.product[1] = (uint8_t)i; /* 100 products: the last ones are in one sum */
		c.until = i == 0 ? 0 : MINUTES + 1;
		client_sums_add(&s, &c, &known, NOW);
	}
	assert_int_equal(s.clients, 100);
	assert_int_equal(s.counted, 99);
	assert_int_equal(s.product_count, SUMS_MOST);
	assert_string_equal(s.products[0].name, "Writer");
	assert_int_equal(s.products[0].counted, 0);
	assert_string_equal(s.products[SUMS_MOST - 1].name, "others");
	assert_int_equal(s.products[SUMS_MOST - 1].clients, 100 - (SUMS_MOST - 1));
	assert_int_equal(s.state_count, 1);
	assert_string_equal(s.states[0].name, "activated");
}

static void
test_flocks(void **ignored)
{
	struct flocks f = { .now = NOW };
	struct kmsdb_client c;
	struct kmsdb_cold cold;

	/* Names in any case; another address, another product or no seat is not of the flock. */
	for (unsigned i = 0; i < 7; i++) {
		make(&c, &cold);
		snprintf(cold.name, sizeof(cold.name), "%s", i % 2 ? "Runner" : "runner");
		cold.address[15] = i == 4;
		c.product[0] = i == 5 ? 8 : 7;
		c.until = i == 6 ? 0 : MINUTES + 1;
		assert_int_equal(flocks_add(&f, &c, &cold), KMS_OK);
	}
	assert_int_equal(f.key_count, 6);
	cold.name[0] = '\0'; /* erased */
	c.until = MINUTES + 1;
	assert_int_equal(flocks_add(&f, &c, &cold), KMS_OK);
	assert_int_equal(f.key_count, 6);
	assert_int_equal(f.keys[0], f.keys[3]);
	assert_int_not_equal(f.keys[0], f.keys[4]);
	assert_int_not_equal(f.keys[0], f.keys[5]);
	flocks_free(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_has),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_sort),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_flocks),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
