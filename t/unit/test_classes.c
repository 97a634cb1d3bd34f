/*
 * test_classes.c - the classes of kms.ini: which one a client is of, their numbers, and what is
 * wrong with them under the packs that are installed.
 */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kmsd/activate/classes.h"
#include "kmsd/common/config_text.h"
#include "libkms/base/address.h"
#include "policy/policy.h"
#include "t/unit/ledger_fixture.h"

#define KEY "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
#define OTHER_KEY "RWRf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
#define PUBLISHERS "[publisher a]\nkey = " KEY "\n[publisher b]\nkey = " OTHER_KEY "\n"

struct scene {
	struct config config;
	struct class_list list;
	struct publisher at[2];
	struct policy_pack packs[2];
	struct publishers publishers;
};

/* Publisher a has pools one (capacity 10) and both, b has two and both. */
static void
scene_make(struct scene *s, const char *text)
{
	static const char *const names[2][2] = { { "one", "both" }, { "two", "both" } };
	struct fault f = { 0 };
	char ini[8192];

	memset(s, 0, sizeof(*s));
	snprintf(ini, sizeof(ini), "%s%s", PUBLISHERS, text);
	if (config_parse(&s->config, ini, strlen(ini), &f, 1) != 0)
		fail_msg("%d: %s", f.line, f.text);
	classes_take(&s->list, &s->config);
	for (unsigned i = 0; i < 2; i++) {
		struct publisher *p = &s->at[i];

		snprintf(p->name, sizeof(p->name), "%c", "ab"[i]);
		p->pack = &s->packs[i];
		p->pack->pool_count = 2;
		for (unsigned k = 0; k < 2; k++) {
			p->pack->pools[k].number = (uint16_t)(1 + k);
			snprintf(p->pack->pools[k].name, sizeof(p->pack->pools[k].name), "%s",
			    names[i][k]);
		}
		memcpy(p->public.key.id, "PUBLISHR", 8);
	}
	s->packs[0].pools[0].capacity = 10;
	s->publishers = (struct publishers){ .list = s->at, .count = 2, .dirfd = -1 };
}

static void
test_numbers(void **state)
{
	uint8_t hash[32];

	/* The first two bytes of SHA-256 of the name: a client of kms.journal(5) can do it, too. */
	assert_int_equal(class_number("developers"), class_number("developers"));
	crypto_hash_sha256(hash, (const uint8_t *)"dev", 3);
	assert_int_equal(class_number("dev"), hash[0] << 8 | hash[1]);
	for (unsigned i = 0; i < 200000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%u", i);
		assert_int_not_equal(class_number(name), 0);
	}
	(void)state;
}

static void
test_match(void **state)
{
	static const char text[] = "[class net]\npool = one\nnetworks = 10.4.0.0/16 2001:db8::/32\n"
				   "[class ci]\npool = one\nnames = build-* CI-?\n"
				   "[class ann]\npool = one\nnetworks = 192.0.2.0/24\nnames = ann\n"
				   "[class other]\npool = two\n"
				   "[class late]\npool = one\nnames = *.late\n"
				   "[class rest]\npool = one\nnetworks = 198.51.100.0/24\n";
	static const struct {
		const char *address, *name, *user, *class;
	} rows[] = {
		{ "10.4.1.2", "pc", "", "net" },
		{ "10.5.0.0", "pc", "", NULL },
		{ "10.3.255.255", "pc", "", NULL },
		{ "2001:db8::1", "pc", "", "net" },
		{ "10.4.1.2", "build-1", "ann", "net" }, /* the first */
		{ "203.0.113.1", "build-1", "", "ci" },
		{ "203.0.113.1", "BUILD-x.example.com", "", "ci" },
		{ "203.0.113.1", "build", "", NULL },
		{ "203.0.113.1", "ci-7", "", "ci" },
		{ "203.0.113.1", "ci-77", "", NULL },
		{ "203.0.113.1", "pc", "build-user", "ci" },
		{ "192.0.2.9", "pc", "ann", "ann" },
		{ "192.0.2.9", "ann", "", "ann" },
		{ "192.0.3.9", "pc", "ann", NULL }, /* both must match */
		{ "192.0.2.9", "pc", "bob", NULL },
		{ "198.51.100.7", "x.late", "", "late" },
		{ "198.51.100.7", "", "", "rest" },
		{ "203.0.113.1", "", "", NULL },
	};
	static struct scene s;
	struct class_pool p;
	struct fixture f;

	scene_make(&s, text);
	fixture_make(&f, NULL);
	fixture_open(&f);
	classes_of_pool(&p, &s.list, &s.at[0], &s.packs[0].pools[0], f.db, 1);
	assert_int_equal(p.count, 5);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t address[16];
		struct class_client c = { address, rows[i].name, rows[i].user };
		const struct policy_class *class;
		uint16_t number;

		assert_true(address_parse(address, rows[i].address));
		class = classes_match(&p, &c);
		number = classes_number(&p, class);
		if (number != (rows[i].class != NULL ? class_number(rows[i].class) : 0))
			fail_msg(
			    "row %zu: %s", i, class != NULL ? p.of[class - p.at]->name : "none");
		assert_ptr_equal(classes_numbered(&p, number), class);
	}
	assert_null(classes_numbered(&p, class_number("other")));
	classes_of_pool(&p, &s.list, &s.at[1], &s.packs[1].pools[0], f.db, 1);
	assert_int_equal(p.count, 1);
	classes_of_pool(&p, &s.list, &s.at[1], &s.packs[1].pools[1], f.db, 1);
	assert_int_equal(p.count, 0);
	fixture_remove(&f);
	(void)state;
}

/* What counts in each, with what kms.ini says of it. */
static void
test_counts(void **state)
{
	static struct scene s;
	struct class_pool p;
	struct fixture f;
	struct fixture_entry e = {
		.kind = ENTRY_LEASE, .product = 1, .pool = 1, .sequence = 1, .time = FIXTURE_NOW
	};

	scene_make(&s, "[class x]\npool = one\nreserve = 3\nlimit = 5\n[class y]\npool = one\n");
	fixture_make(&f, NULL);
	fixture_open(&f);
	for (e.client = 0; e.client < 5; e.client++) {
		e.class = e.client < 2 ? class_number("x") : e.client < 3 ? class_number("y") : 0;
		fixture_stage(&f, &e);
	}
	fixture_commit(&f);
	classes_of_pool(
	    &p, &s.list, &s.at[0], &s.packs[0].pools[0], f.db, FIXTURE_MINUTE(FIXTURE_DAY));
	assert_int_equal(p.count, 2);
	assert_int_equal(p.at[0].counted, 2);
	assert_int_equal(p.at[0].reserve, 3);
	assert_int_equal(p.at[0].limit, 5);
	assert_int_equal(p.at[0].next, (FIXTURE_DAY + 31) * 1440);
	assert_int_equal(p.at[1].counted, 1);
	assert_int_equal(p.at[1].reserve, 0);
	fixture_remove(&f);
	(void)state;
}

static void
test_check(void **state)
{
	/* Two names that SHA-256 gives one number; found by trying. */
	char twin[64], text[512];
	static const struct {
		const char *text, *words; /* NULL: nothing is wrong */
		uint32_t certificate;
	} rows[] = {
		{ "", NULL, 0 },
		{ "[class a]\npool = one\nreserve = 10\n", NULL, 0 },
		{ "[class a]\npool = one\nreserve = 11\n",
		    "pool one of publisher a reserve 11 seats, 1 more than its capacity of 10", 0 },
		{ "[class a]\npool = one\nreserve = 6\n[class b]\npool = one\nreserve = 7\n",
		    "reserve 13 seats, 3 more than its capacity of 10", 0 },
		{ "[class a]\npool = one\nreserve = 6\n[class b]\npool = two\nreserve = 7\n", NULL,
		    0 },
		{ "[class a]\npool = two\nreserve = 4294967295\n", NULL, 0 }, /* no capacity */
		{ "[class a]\npool = one\nreserve = 4294967295\n[class b]\npool = one\nreserve = 4294967295\n",
		    "reserve 8589934590 seats, 8589934580 more", 0 },
		{ "[class a]\npool = one\nreserve = 8\n", "1 more than its capacity of 7", 7 },
		{ "[class a]\npool = one\nreserve = 7\n", NULL, 7 },
		{ "[class a]\npool = two\nreserve = 8\n", NULL, 0 },
		{ "[class a]\npool = both\n", "publishers a and b both have: add publisher = NAME",
		    0 },
		{ "[class a]\npool = both\npublisher = b\n", NULL, 0 },
		{ "[class a]\npool = nowhere\nreserve = 99\n", NULL, 0 },
	};
	static struct scene s;
	struct fault f;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc;

		scene_make(&s, rows[i].text);
		s.at[0].confirmed = rows[i].certificate != 0;
		s.at[0].certificate.capacity = rows[i].certificate;
		f = (struct fault){ 0 };
		rc = classes_check(&s.list, &s.publishers, &f);
		if (rc != (rows[i].words != NULL ? KMS_E_CONFIG : KMS_OK) ||
		    (rows[i].words != NULL && strstr(f.text, rows[i].words) == NULL))
			fail_msg("row %zu: %d %s", i, rc, f.text);
	}
	for (unsigned i = 0;; i++) {
		snprintf(twin, sizeof(twin), "t%u", i);
		if (class_number(twin) == class_number("dev"))
			break;
	}
	snprintf(text, sizeof(text), "[class dev]\npool = one\n[class %s]\npool = two\n", twin);
	scene_make(&s, text);
	f = (struct fault){ 0 };
	assert_int_equal(classes_check(&s.list, &s.publishers, &f), KMS_E_CONFIG);
	assert_non_null(strstr(f.text, "would have the same number in the journal: rename one"));
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_check),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
