/*
 * test_policy_pack.c - policy packs: the shipped example, a table of bad packs
 * with the line and message that each must give, and which pack may follow which.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libkms/base/uuid.h"
#include "policy/pack.h"
#include "policy/values.h"

#define POLICY "[policy]\nid = p\ntitle = P\nversion = 1.0\nissued = 2026-01-01\n" /* 5 lines */
#define GROUP "[group g]\n"                                                        /* 6 */
#define POOL "[pool p]\nnumber = 1\n"                                              /* 7, 8 */
#define UUID_1 "00000000-0000-4000-8000-000000000001"
#define UUID_2 "00000000-0000-4000-8000-000000000002"
#define PRODUCT_HEAD "[product " UUID_1 "]\n"                                  /* 9 */
#define PRODUCT PRODUCT_HEAD "name = N\ngroup = g\npool = p\nthreshold = 25\n" /* 10-13 */
#define GOOD POLICY GROUP POOL PRODUCT                                         /* 13 lines */
#define NEW_HOST "requires-host = " PACKAGE_VERSION "\n" /* in [policy]: one line more */
/* A floating pool; its product's line is 11. */
#define FLOATING(w) POLICY NEW_HOST GROUP POOL "window = " w "\n" PRODUCT
#define SEATS POLICY NEW_HOST GROUP POOL /* its next line is 10 */
#define SHORT "validity = 3h\nrenewal-interval = 1h\n"
#define FIFTY "12345678901234567890123456789012345678901234567890"
#define LINE_198 "# " FIFTY FIFTY FIFTY "1234567890123456789012345678901234567890123456"

static struct policy_pack pack; /* large */

static int
parse(const char *text, struct fault *err)
{
	return policy_pack_parse(&pack, text, strlen(text), err);
}

static void
must_parse(const char *text)
{
	struct fault err;
	int rc = parse(text, &err);

	if (rc != KMS_OK)
		fail_msg("status %d, line %d: %s", rc, err.line, err.text);
}

static const struct bad {
	const char *text;
	int line;
	const char *message; /* all or its beginning */
} bad[] = {
	{ "", 0, "[policy] is missing" },
	{ POLICY, 0, "[group NAME] is missing" },
	{ POLICY GROUP, 0, "[pool NAME] is missing" },
	{ POLICY GROUP POOL, 0, "[product UUID] is missing" },
	{ GROUP POOL PRODUCT, 0, "[policy] is missing" },
	{ "title = P\n" GOOD, 1, "key \"title\" comes before any [section]" },
	{ "[polcy]\n", 1, "unknown section [polcy]: did you mean [policy]?" },
	{ "[something]\n", 1, "unknown section [something]" },
	{ GOOD "[prodcut " UUID_2 "]\n", 14, "unknown section [prodcut]: did you mean [product]?" },
	{ "[policy\n", 1, "\"[policy\" is not a section: write [name]" },
	{ "[policy] id = p\n", 1, "\"[policy] id = p\" is not a section: write [name]" },
	{ "[policy 1]\n", 1, "[policy] takes no name" },
	{ POLICY "[group]\n", 6, "section [group] needs a name: [group NAME]" },
	{ POLICY "[group ]\n", 6, "section [group] needs a name: [group NAME]" },
	{ POLICY "[" FIFTY "]\n", 6, "unknown section [" },
	{ GOOD POLICY, 14, "second [policy]: there may be only one" },
	{ "[policy]\n [group g]\n", 2, "the line begins with a blank" },
	{ POLICY "nonsense\n", 6, "not a \"key = value\" line, a [section] or a ; comment" },
	{ POLICY "= 3\n", 6, "unknown key \"\" in [policy]" },

	{ POLICY "treshold = 3\n", 6, "unknown key \"treshold\" in [policy]" },
	{ GOOD "treshold = 3\n", 14,
	    "unknown key \"treshold\" in [product UUID]: did you mean \"threshold\"?" },
	{ GOOD "renewal-intervall = 7d\n", 14,
	    "unknown key \"renewal-intervall\" in [product UUID]: did you mean \"renewal-interval\"?" },
	{ GOOD "Threshold = 3\n", 14,
	    "unknown key \"Threshold\" in [product UUID]: did you mean \"threshold\"?" },
	{ GOOD "threshold = 3\n", 14,
	    "key \"threshold\" is given twice in [product UUID] of line 9" },
	{ POLICY "title = Q\n", 6, "key \"title\" is given twice in [policy]" },
	{ "[policy]\nid = p\n  q\n", 3,
	    "the line begins with a blank, which would continue the line before: remove it" },

	{ "[policy]\nid = p\ntitle = P\nissued = 2026-01-01\n" GROUP, 1,
	    "[policy] needs the key \"version\"" },
	{ POLICY GROUP "[pool p]\n" PRODUCT, 7, "[pool NAME] needs the key \"number\"" },
	{ POLICY GROUP POOL PRODUCT_HEAD "name = N\ngroup = g\npool = p\n", 9,
	    "[product UUID] needs the key \"threshold\"" },

	{ "[policy]\nid = a b\n", 2, "id = \"a b\": it must be a name of at most 64" },
	{ "[policy]\nid = \n", 2, "id = \"\": it must be a name of at most 64" },
	{ "[policy]\nid = ../etc\n", 2, "id = \"../etc\": it must be a name of at most 64" },
	{ "[policy]\ntitle = \n", 2, "title = \"\": it must be UTF-8 text of 1 to 64 bytes" },
	{ "[policy]\ntitle = " FIFTY "123456789012345\n", 2, "title = \"" },
	{ "[policy]\ntitle = a\xff\n", 2, "title = \"a\xff\": it must be UTF-8 text" },
	{ "[policy]\nversion = 1\n", 2, "version = \"1\": it must be a version such as 1.2" },
	{ "[policy]\nversion = 1.2.3\n", 2, "version = \"1.2.3\"" },
	{ "[policy]\nversion = 1.65536\n", 2, "version = \"1.65536\"" },
	{ "[policy]\nversion = -1.0\n", 2, "version = \"-1.0\"" },
	{ "[policy]\nissued = yesterday\n", 2, "issued = \"yesterday\": it must be a time in UTC" },
	{ "[policy]\nissued = 2026-02-29\n", 2, "issued = \"2026-02-29\"" },
	{ "[policy]\nissued = 2026-01-01T24:00:00Z\n", 2, "issued = \"2026-01-01T24:00:00Z\"" },
	{ "[policy]\nissued = 2026-01-01 00:00:00\n", 2, "issued = \"2026-01-01 00:00:00\"" },
	{ "[policy]\nrequires = 1.0 one\n", 2,
	    "requires = \"1.0 one\": it must be up to 8 versions" },
	{ "[policy]\nreplaces = 1.0 1.1 1.2 1.3 1.4 1.5 1.6 1.7 1.8\n", 2, "replaces = \"1.0 1.1" },

	{ POLICY "[group a b]\n", 6, "'a b' is not a name for a group" },
	{ POLICY "[group -x]\n", 6, "'-x' is not a name for a group" },
	{ POLICY "[group 123456789012345678901234567890123]\n", 6, "'1234567890" },
	{ POLICY GROUP GROUP, 7, "second [group g]" },
	{ POLICY "[group g]\ncovers = h\n" POOL PRODUCT, 7, "covers: there is no group 'h'" },
	{ POLICY "[group g]\ncovers = g\n" POOL PRODUCT, 7,
	    "covers leads in a circle back to group 'g'" },
	{ POLICY
	    "[group g]\ncovers = h\n[group h]\ncovers = i\n[group i]\ncovers = g\n" POOL PRODUCT,
	    7, "covers leads in a circle back to group 'g'" },
	{ POLICY
	    "[group a]\ncovers = g\n[group g]\ncovers = h\n[group h]\ncovers = g\n" POOL PRODUCT,
	    9, "covers leads in a circle back to group 'g'" },

	{ POLICY GROUP "[pool p]\nnumber = 0\n", 8,
	    "number = \"0\": it must be a number from 1 to 65535" },
	{ POLICY GROUP "[pool p]\nnumber = 65536\n", 8, "number = \"65536\"" },
	{ POLICY GROUP "[pool p]\nnumber = one\n", 8, "number = \"one\"" },
	{ POLICY GROUP "[pool p]\nnumber = 0x1\n", 8, "number = \"0x1\"" },
	{ POLICY GROUP POOL "window = 0\n", 9,
	    "window = \"0\": it must be a number of days from 1 to 366, or a time from 5m" },
	{ POLICY GROUP POOL "window = 4m\n", 9, "window = \"4m\"" },
	{ POLICY GROUP POOL "window = 367d\n", 9, "window = \"367d\"" },
	{ POLICY GROUP POOL "window = 1w\n", 9, "window = \"1w\"" },
	{ POLICY GROUP POOL "window = 527041m\n", 9, "window = \"527041m\"" },
	{ POLICY GROUP POOL "window = -1d\n", 9, "window = \"-1d\"" },
	{ POLICY GROUP POOL "window = 18446744073709551616d\n", 9, "window = \"184467" },
	{ POLICY GROUP POOL "surge = 10%\n", 9,
	    "unknown key \"surge\" in [pool NAME]; a newer kmsd may know it" },
	{ "[policy]\nrequires-host = 1\n", 2,
	    "requires-host = \"1\": it must be a version of kmsd" },
	{ "[policy]\nrequires-host = 0.1.2.3\n", 2, "requires-host = \"0.1.2.3\"" },
	{ "[policy]\nrequires-host = 0.65536\n", 2, "requires-host = \"0.65536\"" },
	{ "[policy]\nrequires-host = 0.1-rc1\n", 2, "requires-host = \"0.1-rc1\"" },
	{ POLICY GROUP POOL "window = 367\n", 9, "window = \"367\"" },
	{ POLICY GROUP POOL "capacity = 4294967296\n", 9, "capacity = \"4294967296\"" },
	{ POLICY GROUP POOL "capacity = 99999999999999999999999\n", 9, "capacity = \"" },
	{ POLICY GROUP POOL POOL PRODUCT, 9, "second [pool p]" },
	{ GOOD "[pool q]\nnumber = 1\n", 0, "two pools have the same number; one is 'q'" },

	{ GOOD PRODUCT_HEAD, 14, "second [product " UUID_1 "]: the first is in line 9" },
	{ GOOD "[product 00000000-0000-4000-8000-00000000000]\n", 14,
	    "'00000000-0000-4000-8000-00000000000' is not a UUID" },
	{ GOOD "[product 00000000000040008000000000000001]\n", 14, "'0000000000004000" },
	{ GOOD "[product 00000000-0000-4000-8000-00000000000g]\n", 14, "'00000000-0000-4000" },
	{ GOOD "[product 00000000-0000-4000-8000-0000000000010]\n", 14, "'00000000-0000-4000" },
	{ GOOD "[product 00000000-0000-0000-0000-000000000000]\n", 14, "'00000000-0000-0000" },
	{ POLICY GROUP POOL PRODUCT_HEAD "name = N\ngroup = h\npool = p\nthreshold = 1\n", 11,
	    "there is no group 'h'" },
	{ POLICY GROUP POOL PRODUCT_HEAD "name = N\ngroup = g\npool = q\nthreshold = 1\n", 12,
	    "there is no pool 'q'" },
	{ POLICY GROUP POOL PRODUCT_HEAD "threshold = 0\n", 10,
	    "threshold = \"0\": it must be a number from 1" },
	{ POLICY GROUP POOL PRODUCT_HEAD "threshold = 1000001\n", 10, "threshold = \"1000001\"" },
	{ POLICY GROUP POOL PRODUCT_HEAD "threshold = -1\n", 10, "threshold = \"-1\"" },
	{ GOOD "activation-interval = 0\n", 14,
	    "activation-interval = \"0\": it must be a number from 1 to" },
	{ GOOD "activation-interval = 31d\n", 14, "activation-interval = \"31d\"" },
	{ GOOD "renewal-interval = 2w\n", 14, "renewal-interval = \"2w\"" },
	{ GOOD "renewal-interval = 99999999999d\n", 14, "renewal-interval = \"99999999999d\"" },
	{ GOOD "grace = 367d\n", 14, "grace = \"367d\"" },
	{ GOOD "validity = 7d\n", 9,
	    "renewal-interval must be shorter than validity: product 'N'" },
	{ POLICY GROUP POOL "capacity = 24\n" PRODUCT, 10,
	    "threshold is above the capacity of its pool: product 'N'" },
	{ GOOD "virtual-machines = maybe\n", 14,
	    "virtual-machines = \"maybe\": it must be allow, flag or refuse" },
	{ GOOD "clones = no\n", 14, "clones = \"no\": it must be allow, flag or refuse" },
	{ GOOD "bind = yes\n", 14, "bind = \"yes\": it must be no or machine" },
	{ GOOD "bind = machine\nbind-change = flag\n", 15,
	    "bind-change = \"flag\": it must be mark or refuse" },
	{ GOOD "clone-hold = 7\n", 14,
	    "clone-hold = \"7\": it must be a time from 1h to 366d with its unit" },
	{ GOOD "clone-hold = 0\n", 14, "clone-hold = \"0\"" },
	{ GOOD "clone-hold = 59m\n", 14, "clone-hold = \"59m\"" },
	{ GOOD "clone-hold = 367d\n", 14, "clone-hold = \"367d\"" },
	{ GOOD "clone-hold = d\n", 14, "clone-hold = \"d\"" },
	{ GOOD "bind = machine\n", 14,
	    "older versions of kmsd do not know the key \"bind\": add requires-host = " PACKAGE_VERSION
	    " to [policy]" },
	{ GOOD "bind = no\n", 14, "older versions of kmsd do not know the key \"bind\"" },
	{ GOOD "clone-hold = 7d\n", 14,
	    "older versions of kmsd do not know the key \"clone-hold\"" },
	{ POLICY "requires-host = 0.0\n" GROUP POOL PRODUCT "clone-hold = 7d\n", 15,
	    "older versions of kmsd do not know the key \"clone-hold\"" },
	{ POLICY NEW_HOST GROUP POOL PRODUCT "bind-change = mark\n", 15,
	    "bind-change needs bind = machine: product 'N'" },
	{ POLICY NEW_HOST GROUP POOL PRODUCT "bind-change = refuse\nbind = no\n", 15,
	    "bind-change needs bind = machine: product 'N'" },

	{ POLICY GROUP POOL "window = 12h\n" PRODUCT SHORT, 9,
	    "older versions of kmsd do not know the key \"window\": add requires-host = " },
	{ POLICY GROUP POOL "window = 12h\n" PRODUCT, 10,
	    "validity must be below the window of 720m of pool 'p', which is no whole number of days: write, for example, validity = 360m and renewal-interval = 180m: product 'N'" },
	{ FLOATING("90m") "validity = 90m\nrenewal-interval = 30m\n", 11,
	    "validity must be below the window of 90m of pool 'p'" },
	{ FLOATING("90m") "validity = 89m\nrenewal-interval = 89m\n", 11,
	    "renewal-interval must be shorter than validity: product 'N'" },
	{ FLOATING("5m") "validity = 5m\nrenewal-interval = 1m\n", 11,
	    "validity must be below the window of 5m of pool 'p', which is no whole number of days: write, for example, validity = 2m and renewal-interval = 1m" },
	{ FLOATING("25h") "validity = 25h\n"
			  "renewal-interval = 1h\n",
	    11, "validity must be below the window of 1500m" },

	{ SEATS "stateless = maybe\n" PRODUCT, 10,
	    "stateless = \"maybe\": it must be allow or refuse" },
	{ SEATS "borrow = 14\n" PRODUCT, 10,
	    "borrow = \"14\": it must be a time from 5m to 366d with its unit, such as 12h or 14d" },
	{ SEATS "borrow = 4m\n" PRODUCT, 10, "borrow = \"4m\"" },
	{ SEATS "borrow = 367d\n" PRODUCT, 10, "borrow = \"367d\"" },
	{ SEATS "borrow = 0\n" PRODUCT, 10, "borrow = \"0\"" },
	{ SEATS "borrow = 1d\nborrow-seats = 0\n" PRODUCT, 11,
	    "borrow-seats = \"0\": it must be a number from 1 to 4294967295" },
	{ SEATS "borrow-seats = 3\n" PRODUCT, 10,
	    "borrow-seats is given without borrow, the longest time: pool 'p'" },
	{ SEATS "borrow = 1d\nborrow-seats = 26\ncapacity = 25\n" PRODUCT, 11,
	    "borrow-seats is above the capacity: pool 'p'" },
	{ POLICY NEW_HOST "audit-keep = 400\n" GROUP POOL PRODUCT, 7,
	    "audit-keep = \"400\": it must be 0, or a time up to 3660d with its unit, such as 400d" },
	{ POLICY NEW_HOST "audit-keep = 3661d\n" GROUP POOL PRODUCT, 7, "audit-keep = \"3661d\"" },
	{ POLICY NEW_HOST "audit-keep = forever\n" GROUP POOL PRODUCT, 7,
	    "audit-keep = \"forever\"" },
	{ POLICY "audit-keep = 1d\n" GROUP POOL PRODUCT, 6,
	    "older versions of kmsd do not know the key \"audit-keep\"" },
	{ SEATS "overdraft = 10\n" PRODUCT, 10,
	    "overdraft = \"10\": it must be a part of the capacity from 0% to 100%" },
	{ SEATS "overdraft = 101%\n" PRODUCT, 10, "overdraft = \"101%\"" },
	{ SEATS "overdraft = 4294967396%\n" PRODUCT, 10, "overdraft = \"4294967396%\"" },
	{ SEATS "overdraft = %\n" PRODUCT, 10, "overdraft = \"%\"" },
	{ SEATS "overdraft = -1%\n" PRODUCT, 10, "overdraft = \"-1%\"" },
	{ SEATS "overdraft = 10%%\n" PRODUCT, 10, "overdraft = \"10%%\"" },
	{ SEATS "overdraft = 10 %\n" PRODUCT, 10, "overdraft = \"10 %\"" },
	{ SEATS "when-full = wait\n" PRODUCT, 10,
	    "when-full = \"wait\": it must be refuse, or longest-unseen and a time from 5m to 366d" },
	{ SEATS "when-full = longest-unseen\n" PRODUCT, 10, "when-full = \"longest-unseen\"" },
	{ SEATS "when-full = longest-unseen 8\n" PRODUCT, 10, "when-full = \"longest-unseen 8\"" },
	{ SEATS "when-full = longest-unseen 4m\n" PRODUCT, 10, "when-full = \"longest-unseen 4m" },
	{ SEATS "when-full = longest-unseen 367d\n" PRODUCT, 10, "when-full = \"longest-unseen 3" },
	{ SEATS "when-full = longest-unseen8h\n" PRODUCT, 10, "when-full = \"longest-unseen8h\"" },
	{ SEATS "when-full = refuse 8h\n" PRODUCT, 10, "when-full = \"refuse 8h\"" },
	{ POLICY GROUP POOL "when-full = refuse\n" PRODUCT, 9,
	    "older versions of kmsd do not know the key \"when-full\"" },
	{ POLICY GROUP POOL "overdraft = 10%\n" PRODUCT, 9,
	    "older versions of kmsd do not know the key \"overdraft\": add requires-host" },
	{ POLICY GROUP POOL "stateless = allow\n" PRODUCT, 9,
	    "older versions of kmsd do not know the key \"stateless\"" },
	{ POLICY GROUP POOL "borrow = 1d\n" PRODUCT, 9,
	    "older versions of kmsd do not know the key \"borrow\"" },

	{ GOOD "[contact Germany]\n", 14, "'Germany' is not a country" },
	{ GOOD "[contact de]\n", 14, "'de' is not a country" },
	{ GOOD "[contact DE]\n", 14, "[contact COUNTRY] needs the key \"text\"" },
	{ GOOD LINE_198 "9\n", 14, "the line is longer than 198 bytes" },
	{ GOOD "[contact DE]\ntext = " FIFTY FIFTY FIFTY FIFTY "\n", 15,
	    "the line is longer than 198" },
};

static void
test_bad(void **state)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct fault err;
		int rc = parse(bad[i].text, &err);

		if (rc != KMS_E_FORMAT || err.line != bad[i].line ||
		    strncmp(err.text, bad[i].message, strlen(bad[i].message)) != 0)
			fail_msg("row %zu (%s): status %d, line %d: %s", i, bad[i].message, rc,
			    err.line, err.text);
	}
}

/* What a newer pack needs is said before whatever else is wrong with it. */
static void
test_requires_host(void **state)
{
	static const struct {
		const char *text;
		int rc;
		const char *message;
	} rows[] = {
		{ POLICY "requires-host = 0.0\n" GROUP POOL PRODUCT, KMS_OK, "" },
		{ POLICY "requires-host = " PACKAGE_VERSION "\n" GROUP POOL PRODUCT, KMS_OK, "" },
		{ POLICY "requires-host = 99.0\n" GROUP POOL PRODUCT, KMS_E_PREREQUISITE,
		    "the pack needs kmsd 99.0 or newer; this is " PACKAGE_VERSION },
		{ POLICY "requires-host = 99.0.7\nzebra = 1\n" GROUP POOL "overdraft = 10%\n",
		    KMS_E_PREREQUISITE, "the pack needs kmsd 99.0.7 or newer" },
		{ "[future]\nx = y\n" POLICY "requires-host = 65535.65535.65535\n",
		    KMS_E_PREREQUISITE, "the pack needs kmsd 65535.65535.65535 or newer" },
		{ POLICY "requires-host = 0.0\nzebra = 1\n" GROUP POOL PRODUCT, KMS_E_FORMAT,
		    "unknown key \"zebra\" in [policy]; a newer kmsd may know it" },
		{ POLICY GROUP POOL "window = 12h\n" PRODUCT "zebra = 1\n", KMS_E_FORMAT,
		    "unknown key" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fault err;
		int rc = parse(rows[i].text, &err);

		if (rc != rows[i].rc ||
		    strncmp(err.text, rows[i].message, strlen(rows[i].message)) != 0)
			fail_msg("row %zu: status %d: %s", i, rc, err.text);
	}
}

static void
test_window(void **state)
{
	static const struct {
		const char *text;
		unsigned minutes;
		bool floating;
	} rows[] = {
		{ POLICY GROUP POOL "window = 1\n" PRODUCT, 1440, false },
		{ POLICY GROUP POOL "window = 366\n" PRODUCT, 366 * 1440, false },
		{ POLICY GROUP POOL "window = 30d\n" PRODUCT, 30 * 1440, false },
		{ POLICY GROUP POOL "window = 48h\n" PRODUCT, 2 * 1440, false },
		{ POLICY GROUP POOL "window = 1440m\n" PRODUCT, 1440, false },
		{ POLICY GROUP POOL PRODUCT, 30 * 1440, false },
		{ FLOATING("5m") "validity = 4m\nrenewal-interval = 3m\n", 5, true },
		{ FLOATING("90m") "validity = 89m\nrenewal-interval = 30m\n", 90, true },
		{ FLOATING("1439m") SHORT, 1439, true },
		{ FLOATING("1441m") SHORT, 1441, true },
		{ FLOATING("25h") "validity = 1499m\nrenewal-interval = 1h\n", 1500, true },
		{ FLOATING("527039m") SHORT, 527039, true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fault err;

		assert_int_equal(parse(rows[i].text, &err), KMS_OK);
		assert_int_equal(pack.pools[0].window, rows[i].minutes);
		assert_int_equal(policy_floating(&pack.pools[0]), rows[i].floating);
	}
}

static void
test_audit_keep(void **state)
{
	must_parse(GOOD);
	assert_int_equal(pack.audit_keep, 400 * 1440);
	must_parse(POLICY NEW_HOST "audit-keep = 0\n" GROUP POOL PRODUCT);
	assert_int_equal(pack.audit_keep, 0);
	must_parse(POLICY NEW_HOST "audit-keep = 90m\n" GROUP POOL PRODUCT);
	assert_int_equal(pack.audit_keep, 90);
	must_parse(POLICY NEW_HOST "audit-keep = 3660d\n" GROUP POOL PRODUCT);
	assert_int_equal(pack.audit_keep, 3660 * 1440);
	(void)state;
}

static void
test_seats(void **state)
{
	const struct policy_pool *p = &pack.pools[0];

	must_parse(GOOD);
	assert_false(p->stateless_refuse);
	assert_int_equal(p->borrow, 0);
	assert_int_equal(p->borrow_seats, 0);
	assert_int_equal(p->overdraft, 0);
	assert_int_equal(p->reclaim, 0);
	must_parse(
	    SEATS "stateless = refuse\nborrow = 366d\nborrow-seats = 25\n"
		  "capacity = 25\noverdraft = 100%\nwhen-full = longest-unseen 366d\n" PRODUCT);
	assert_int_equal(p->reclaim, 366 * 1440);
	assert_true(p->stateless_refuse);
	assert_int_equal(p->borrow, 366 * 1440);
	assert_int_equal(p->borrow_seats, 25);
	assert_int_equal(p->overdraft, 100);
	must_parse(SEATS "when-full = refuse\n" PRODUCT);
	assert_int_equal(p->reclaim, 0);
	must_parse(SEATS "when-full = longest-unseen \t 5m\n" PRODUCT);
	assert_int_equal(p->reclaim, 5);
	must_parse(SEATS "stateless = allow\nborrow = 5m\noverdraft = 0%\n" PRODUCT);
	assert_false(p->stateless_refuse);
	assert_int_equal(p->borrow, 5);
	assert_int_equal(p->borrow_seats, 0);
	assert_int_equal(p->overdraft, 0);
}

static void
test_holders(void **state)
{
	const struct policy_product *p = &pack.products[0];

	must_parse(GOOD);
	assert_int_equal(p->clone_hold, 7 * 1440);
	assert_false(p->bind);
	assert_false(p->bind_refuse);
	must_parse(POLICY NEW_HOST GROUP POOL PRODUCT "clone-hold = 1h\nbind = machine\n");
	assert_int_equal(p->clone_hold, 60);
	assert_true(p->bind);
	assert_false(p->bind_refuse);
	must_parse(POLICY NEW_HOST GROUP POOL PRODUCT
	    "bind-change = refuse\nbind = machine\nclone-hold = 366d\n");
	assert_int_equal(p->clone_hold, 366 * 1440);
	assert_true(p->bind_refuse);
	must_parse(POLICY NEW_HOST GROUP POOL PRODUCT "bind = no\n");
	assert_false(p->bind);
	must_parse(POLICY NEW_HOST GROUP POOL PRODUCT "bind = machine\nbind-change = mark\n");
	assert_false(p->bind_refuse);
}

static void
test_sizes(void **state)
{
	struct fault err;
	char *large = malloc(PACK_MAX + 1);
	const char nul[] = GOOD "# \0 hidden\n";

	assert_non_null(large);
	memset(large, '\n', PACK_MAX + 1);
	assert_int_equal(policy_pack_parse(&pack, large, PACK_MAX + 1, &err), KMS_E_TOO_LARGE);
	assert_string_equal(err.text, "the file is larger than 262144 bytes");
	assert_int_equal(policy_pack_parse(&pack, large, PACK_MAX, &err), KMS_E_FORMAT);
	assert_string_equal(err.text, "[policy] is missing");
	free(large);
	assert_int_equal(policy_pack_parse(&pack, nul, sizeof(nul) - 1, &err), KMS_E_FORMAT);
	assert_string_equal(err.text, "the line contains a NUL byte: this is not a text file");
}

/* One more than the arrays hold must be refused, all that they hold must be read. */
static void
test_many(void **state)
{
	static const struct {
		const char *format;
		const char *after; /* makes the pack whole */
		int most;
		const char *message;
	} table[] = {
		{ "[group n%d]\n", POOL PRODUCT, POLICY_GROUPS - 1, "more than 32 groups" },
		{ "[pool n%d]\nnumber = 1%03d\n", PRODUCT, POLICY_POOLS - 1, "more than 32 pools" },
		{ "[product 00000000-0000-4000-9000-0000000%05d]\n"
		  "name = N\ngroup = g\npool = p\nthreshold = 1\n",
		    "", POLICY_PRODUCTS - 1, "more than 256 products" },
		{ "[contact DE]\ntext = %d\n", "", POLICY_CONTACTS, "more than 64 contacts" },
	};
	size_t room = 128 * 1024;
	char *text = malloc(room);

	assert_non_null(text);
	for (size_t row = 0; row < 4; row++) {
		for (int extra = 0; extra < 2; extra++) {
			struct fault err;
			size_t n = (size_t)snprintf(text, room, "%s",
			    row == 0   ? POLICY GROUP
			    : row == 1 ? POLICY GROUP POOL
				       : GOOD);
			int rc;

			for (int i = 0; i < table[row].most + extra; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
				n += (size_t)snprintf(text + n, room - n, table[row].format, i, i);
#pragma GCC diagnostic pop
			}
			snprintf(text + n, room - n, "%s", table[row].after);
			rc = parse(text, &err);
			if (extra == 0)
				assert_int_equal(rc, KMS_OK);
			else
				assert_string_equal(err.text, table[row].message);
		}
	}
	free(text);
}

static void
test_defaults_and_order(void **state)
{
	struct policy_product *p = &pack.products[0];

	must_parse("\xef\xbb\xbf" GOOD);
	assert_int_equal(pack.pools[0].window, 30 * 1440);
	assert_int_equal(pack.pools[0].capacity, 0);
	assert_int_equal(p->activation_interval, 120);
	assert_int_equal(p->renewal_interval, 10080);
	assert_int_equal(p->validity, 180 * 1440);
	assert_int_equal(p->grace, 30 * 1440);
	assert_int_equal(p->vm, POLICY_ALLOW);
	assert_int_equal(p->clones, POLICY_REFUSE);
	must_parse(POLICY GROUP POOL "capacity = 25\n" PRODUCT);
	/* Sections in any order, line ends of other systems, comments, values of every unit. */
	must_parse(LINE_198
	    "\r\n[product " UUID_2 "]\r\nname = Zwei ; comment\r\ngroup = g\r\npool = p\r\n"
	    "threshold = 5\r\nactivation-interval = 90\r\nrenewal-interval = 3h\r\n"
	    "validity = 2d\r\ngrace = 0m\r\nvirtual-machines = flag\r\nclones = allow\r\n" PRODUCT
		POOL "; comment\n" GROUP POLICY);
	assert_int_equal(pack.product_count, 2);
	assert_int_equal(pack.products[0].id[15], 1);
	p = &pack.products[1];
	assert_string_equal(p->name, "Zwei");
	assert_int_equal(p->id[15], 2);
	assert_int_equal(p->activation_interval, 90);
	assert_int_equal(p->renewal_interval, 180);
	assert_int_equal(p->validity, 2880);
	assert_int_equal(p->grace, 0);
	assert_int_equal(p->vm, POLICY_FLAG);
	assert_int_equal(p->clones, POLICY_ALLOW);
}

static void
test_covers(void **state)
{
	must_parse(
	    POLICY "[group wide]\ncovers = middle, other\n[group g]\n[group middle]\ncovers = g\n"
		   "[group other]\n" POOL PRODUCT);
	assert_int_equal(pack.groups[0].covers, 1 | 2 | 4 | 8);
	assert_int_equal(pack.groups[1].covers, 2);
	assert_int_equal(pack.groups[2].covers, 2 | 4);
	assert_int_equal(pack.groups[3].covers, 8);
	assert_int_equal(policy_group_find(&pack, "middle"), 2);
	assert_int_equal(policy_group_find(&pack, "midd"), -1);
}

static void
test_find(void **state)
{
	uint8_t id[16];

	must_parse(GOOD "[product " UUID_2 "]\nname = M\ngroup = g\npool = p\nthreshold = 2\n");
	assert_true(uuid_parse(id, UUID_1));
	assert_string_equal(policy_product_find(&pack, id)->name, "N");
	assert_true(uuid_parse(id, UUID_2));
	assert_string_equal(policy_product_find(&pack, id)->name, "M");
	id[15] = 3;
	assert_null(policy_product_find(&pack, id));
	id[15] = 0;
	assert_null(policy_product_find(&pack, id));
}

/* A pack of policy/packs/ into the common one. */
static void
must_parse_shipped(const char *name)
{
	const char *src = getenv("KMS_SRC");
	char path[1024], *text = calloc(1, PACK_MAX + 1);
	FILE *f;

	assert_non_null(text);
	snprintf(path, sizeof(path), "%s/policy/packs/%s.ini", src != NULL ? src : ".", name);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_true(fread(text, 1, PACK_MAX, f) > 500);
	fclose(f);
	must_parse(text);
	free(text);
}

static void
test_example(void **state)
{
	must_parse_shipped("example-1.0");
	assert_string_equal(pack.id, "example-writer");
	assert_int_equal(pack.product_count, 2);
	assert_int_equal(pack.products[0].threshold, 25);
	assert_int_equal(pack.products[1].threshold, 5);
	assert_int_equal(pack.groups[pack.products[1].group].covers, 3);
	assert_int_equal(pack.contact_count, 2);
}

/* What a key of each group may activate: last letter and digit of the products' UUIDs. */
static const struct {
	const char *pack, *group, *products;
} catalogue[] = {
	{ "catalogue-1.0", "client", "01" },
	{ "catalogue-1.1", "client", "01" },
	{ "catalogue-1.1", "server-a", "01 a1" },
	{ "catalogue-1.1", "server-b", "01 a1 b1" },
	{ "catalogue-1.1", "server-c", "01 a1 b1 c1" },
	{ "catalogue-1.2", "client", "01" },
	{ "catalogue-1.2", "server-a", "01 a1" },
	{ "catalogue-1.2", "server-b", "01 a1 b1" },
	{ "catalogue-1.2", "server-c", "01 a1 b1 c1" },
	{ "catalogue-1.2", "client-2", "01 02" },
	{ "catalogue-1.2", "server-a-2", "01 02 a1 a2" },
	{ "catalogue-1.2", "server-b-2", "01 02 a1 a2 b1 b2" },
	{ "catalogue-1.2", "server-c-2", "01 02 a1 a2 b1 b2 c1 c2" },
};

static void
test_catalogue(void **state)
{
	for (size_t i = 0; i < sizeof(catalogue) / sizeof(catalogue[0]); i++) {
		char covered[256] = "";
		size_t n = 0;
		int group;

		must_parse_shipped(catalogue[i].pack);
		assert_string_equal(pack.id, "example-catalogue");
		assert_int_equal(pack.contact_count, 3);
		group = policy_group_find(&pack, catalogue[i].group);
		assert_true(group >= 0);
		for (unsigned k = 0; k < pack.product_count; k++)
			if (pack.groups[group].covers & 1u << pack.products[k].group)
				n += (size_t)snprintf(covered + n, sizeof(covered) - n, "%s%02x",
				    n > 0 ? " " : "", pack.products[k].id[15]);
		if (strcmp(covered, catalogue[i].products) != 0)
			fail_msg(
			    "%s: %s covers %s", catalogue[i].pack, catalogue[i].group, covered);
	}
}

static const struct {
	const char *next, *installed;
	int status;
} catalogue_order[] = {
	{ "catalogue-1.0", NULL, KMS_OK },
	{ "catalogue-1.1", NULL, KMS_E_PREREQUISITE },
	{ "catalogue-1.2", NULL, KMS_E_PREREQUISITE },
	{ "catalogue-1.1", "catalogue-1.0", KMS_OK },
	{ "catalogue-1.2", "catalogue-1.0", KMS_OK },
	{ "catalogue-1.2", "catalogue-1.1", KMS_OK },
	{ "catalogue-1.2", "catalogue-1.2", KMS_E_EXISTS },
	{ "catalogue-1.1", "catalogue-1.2", KMS_E_OLDER },
	{ "catalogue-1.0", "catalogue-1.2", KMS_E_OLDER },
	{ "catalogue-1.1", "example-1.0", KMS_E_PREREQUISITE },
};

/* Products and pools of an older version are in every newer one: an update takes nothing away. */
static void
test_catalogue_order(void **state)
{
	struct policy_pack *installed = malloc(sizeof(*installed));

	assert_non_null(installed);
	for (size_t i = 0; i < sizeof(catalogue_order) / sizeof(catalogue_order[0]); i++) {
		const char *before = catalogue_order[i].installed;

		if (before != NULL) {
			must_parse_shipped(before);
			*installed = pack;
		}
		must_parse_shipped(catalogue_order[i].next);
		assert_int_equal(policy_pack_succeeds(&pack, before != NULL ? installed : NULL),
		    catalogue_order[i].status);
		if (catalogue_order[i].status != KMS_OK || before == NULL)
			continue;
		for (unsigned k = 0; k < installed->product_count; k++) {
			const struct policy_product *old = &installed->products[k], *new;

			new = policy_product_find(&pack, old->id);
			assert_non_null(new);
			assert_int_equal(
			    pack.pools[new->pool].number, installed->pools[old->pool].number);
		}
	}
	free(installed);
}

static const struct succession {
	const char *next, *requires, *replaces;
	const char *installed; /* NULL: nothing */
	const char *installed_replaces;
	const char *installed_id;
	int status;
} successions[] = {
	{ "1.0", "", "", NULL, "", "", KMS_OK },
	{ "1.1", "1.0", "", NULL, "", "", KMS_E_PREREQUISITE },
	{ "1.1", "1.0", "", "1.0", "", "p", KMS_OK },
	{ "1.1", "", "", "1.0", "", "p", KMS_OK },
	{ "1.1", "", "", "1.1", "", "p", KMS_E_EXISTS },
	{ "1.1", "", "", "1.2", "", "p", KMS_E_OLDER },
	{ "1.9", "", "", "1.10", "", "p", KMS_E_OLDER },
	{ "2.0", "", "", "1.10", "", "p", KMS_OK },
	{ "1.2", "1.0", "1.1", "1.0", "", "p", KMS_OK },
	{ "1.2", "1.0", "1.1", "1.1", "", "p", KMS_OK },
	{ "1.2", "1.0", "", "1.1", "1.0", "p", KMS_OK },
	{ "1.2", "1.0", "", "1.1", "", "p", KMS_E_PREREQUISITE },
	{ "1.3", "1.2 1.1", "", "1.1", "", "p", KMS_OK },
	{ "1.3", "1.2", "1.1", "1.0", "", "p", KMS_E_PREREQUISITE },
	{ "1.3", "", "", "1.0", "", "q", KMS_E_PREREQUISITE },
};

static void
make(struct policy_pack *out, const char *id, const char *version, const char *requires,
    const char *replaces)
{
	struct fault err;
	char text[2048];

	snprintf(text, sizeof(text),
	    "[policy]\nid = %s\ntitle = P\nversion = %s\nissued = 2026-01-01\nrequires = %s\n"
	    "replaces = %s\n" GROUP POOL PRODUCT,
	    id, version, requires, replaces);
	assert_int_equal(policy_pack_parse(out, text, strlen(text), &err), KMS_OK);
}

static void
test_succeeds(void **state)
{
	struct policy_pack *next = malloc(sizeof(*next)), *installed = malloc(sizeof(*installed));

	assert_non_null(next);
	assert_non_null(installed);
	for (size_t i = 0; i < sizeof(successions) / sizeof(successions[0]); i++) {
		const struct succession *s = &successions[i];
		int rc;

		make(next, "p", s->next, s->requires, s->replaces);
		if (s->installed != NULL)
			make(installed, s->installed_id, s->installed, "", s->installed_replaces);
		rc = policy_pack_succeeds(next, s->installed != NULL ? installed : NULL);
		if (rc != s->status)
			fail_msg("row %zu: %s over %s gives %d", i, s->next,
			    s->installed != NULL ? s->installed : "nothing", rc);
	}
	free(next);
	free(installed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_requires_host),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_audit_keep),
		cmocka_unit_test(test_seats),
		cmocka_unit_test(test_holders),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_defaults_and_order),
		cmocka_unit_test(test_covers),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_catalogue),
		cmocka_unit_test(test_catalogue_order),
		cmocka_unit_test(test_example),
		cmocka_unit_test(test_succeeds),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
