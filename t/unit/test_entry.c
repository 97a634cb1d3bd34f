/*
 * test_entry.c - journal entries: round trips, every cut, each field out of
 * range, for the layout of clients, of what the host does to one, and of the others.
 */
#include <stdbool.h>

#include "libkms/core/entry.h"
#include "libkms/core/entry_about.h"
#include "libkms/core/entry_base.h"
#include "libkms/core/entry_blobs.h"
#include "libkms/core/entry_relayed.h"
#include "t/unit/core_test.h"

static const struct entry_client client = {
	.kind = ENTRY_LEASE,
	.flags = ENTRY_VM | ENTRY_CLONE,
	.status = KMS_OK,
	.time = 1800000000,
	.cmid = { 1, 1 },
	.product = { 2, 2 },
	.request_id = { 3, 3 },
	.sequence = 0x0102030405060708,
	.expires = 1815552000,
	.renew_after = 1800604800,
	.count = 26,
	.required = 25,
	.publisher = { 4, 4 },
	.pool = 0x0506,
	.class = 0x0708,
	.until = 30044160,
	.width = 1440,
	.operation = MESSAGE_RENEW,
	.state = MESSAGE_CLOCK_BACK,
	.grace_minutes = 43200,
	.commitments = { { 5 }, { 6 }, { 7 } },
	.bound = true,
	.binding = { 8 },
};

static int
decode_client(const uint8_t *in, size_t len)
{
	struct entry_client e;

	return entry_client_decode(&e, in, len);
}

static void
test_client(void **state)
{
	uint8_t buffer[ENTRY_CLIENT_MAX + 8], again[ENTRY_CLIENT_MAX];
	struct entry_client out, e = client;
	size_t n;

	memset(&out, 0, sizeof(out));
	n = entry_client_encode(buffer, sizeof(buffer), &e);
	assert_int_equal(n, ENTRY_CLIENT_FIXED + 20);
	assert_int_equal(entry_client_decode(&out, buffer, n), KMS_OK);
	assert_true(out.bound);
	assert_memory_equal(out.binding, client.binding, 16);
	assert_int_equal(entry_client_encode(again, n, &out), n);
	assert_memory_equal(buffer, again, n);
	e.bound = false;
	n = entry_client_encode(buffer, sizeof(buffer), &e);
	assert_int_equal(n, ENTRY_CLIENT_FIXED);
	assert_int_equal(entry_client_encode(again, n - 1, &e), 0);
	assert_int_equal(entry_kind(buffer, n), ENTRY_LEASE);
	assert_true(entry_time(buffer, n) == client.time);
	assert_int_equal(entry_client_decode(&out, buffer, n), KMS_OK);
	assert_false(out.bound);
	assert_true(out.sequence == client.sequence && out.expires == client.expires);
	assert_int_equal(out.pool, client.pool);
	assert_int_equal(out.class, client.class);
	assert_int_equal(out.until, client.until);
	assert_memory_equal(&out.commitments, &client.commitments, sizeof(out.commitments));
	check_truncations(decode_client, buffer, n);
	check_truncations(entry_check, buffer, n);
	memcpy(buffer + n, "\x10\x00\x00\x01x", 5);
	for (size_t i = 1; i < 5; i++)
		assert_int_equal(decode_exact(decode_client, buffer, n + i), KMS_E_TRUNCATED);
	assert_int_equal(decode_exact(decode_client, buffer, n + 5), KMS_OK);
	buffer[n] = 0x90;
	assert_int_equal(decode_exact(decode_client, buffer, n + 5), KMS_E_SCHEMA);
	(void)state;
}

static void
test_client_bad(void **state)
{
	static const struct bad_field rows[] = {
		{ "version 1", 0, 1, 1, KMS_E_SCHEMA },
		{ "version 3", 0, 3, 1, KMS_E_SCHEMA },
		{ "kind 0", 1, 0, 1, KMS_E_SCHEMA },
		{ "kind 4 with the status of a lease", 1, 4, 1, KMS_E_FORMAT },
		{ "kind 5", 1, 5, 1, KMS_E_SCHEMA },
		{ "kind of another layout", 1, ENTRY_START, 1, KMS_E_FORMAT },
		{ "flag 0x0100", 2, 0x0100, 2, KMS_E_SCHEMA },
		{ "flag 0x8000", 2, 0x8000, 2, KMS_E_SCHEMA },
		{ "all known flags", 2, 0x00ff, 2, KMS_OK },
		{ "a lease with a status", 4, KMS_E_CLONE, 4, KMS_E_FORMAT },
		{ "a lease with a status", 4, KMS_E_COUNT_TOO_LOW, 4, KMS_E_FORMAT },
		{ "expires with its time", 72, 1800000000, 8, KMS_E_FORMAT },
		{ "renew after the end", 80, 1815552001, 8, KMS_E_FORMAT },
		{ "renew at the end", 80, 1815552000, 8, KMS_OK },
		{ "sequence 0", 64, 0, 8, KMS_E_FORMAT },
		{ "sequence 2^62", 64, ENTRY_SEQUENCE_MAX, 8, KMS_OK },
		{ "sequence 2^62 + 1", 64, ENTRY_SEQUENCE_MAX + 1, 8, KMS_E_FORMAT },
		{ "counts until 0", 108, 0, 4, KMS_OK },
		{ "counts until its own minute", 108, 30000000, 4, KMS_E_FORMAT },
		{ "no multiple of the width", 108, 30044161, 4, KMS_E_FORMAT },
		{ "width 0", 112, 0, 2, KMS_E_FORMAT },
		{ "width 720", 112, 720, 2, KMS_OK },
		{ "width 1441", 112, 1441, 2, KMS_E_FORMAT },
		{ "operation 0", 114, 0, 1, KMS_E_FORMAT },
		{ "operation 4", 114, 4, 1, KMS_E_FORMAT },
		{ "state 6", 115, 6, 1, KMS_E_FORMAT },
		{ "no commitment to the name", 120, 0, 1, KMS_E_FORMAT },
		{ "none to the user", 136, 0, 1, KMS_OK },
		{ "none to the address", 152, 0, 1, KMS_E_FORMAT },
		{ "binding of another length", 170, 15, 2, KMS_E_FORMAT },
		{ "critical TLV 1", 168, 0x8001, 2, KMS_E_SCHEMA },
		{ "TLV 2", 168, 2, 2, KMS_OK },
	};
	uint8_t buffer[ENTRY_MAX + 1] = { 0 };
	struct entry_client e = client;
	size_t n = entry_client_encode(buffer, sizeof(buffer), &e);

	check_bad_fields(decode_client, buffer, n, rows, COUNT(rows));
	/* The binding twice; and behind a higher type. */
	memcpy(buffer + n, buffer + ENTRY_CLIENT_FIXED, 20);
	assert_int_equal(decode_exact(decode_client, buffer, n + 20), KMS_E_FORMAT);
	buffer[n + 1] = 0;
	assert_int_equal(decode_exact(decode_client, buffer, n + 20), KMS_E_FORMAT);
	/* A tail of 256, and one byte more. */
	memset(buffer + ENTRY_CLIENT_FIXED, 0, 300);
	buffer[ENTRY_CLIENT_FIXED + 1] = 9;
	buffer[ENTRY_CLIENT_FIXED + 3] = 252;
	assert_int_equal(decode_exact(decode_client, buffer, ENTRY_CLIENT_MAX), KMS_OK);
	buffer[ENTRY_CLIENT_FIXED + 3] = 253;
	assert_int_equal(decode_exact(decode_client, buffer, ENTRY_CLIENT_MAX + 1), KMS_E_FORMAT);
	assert_int_equal(entry_check(buffer, ENTRY_MAX + 1), KMS_E_FORMAT);
	e.kind = ENTRY_START;
	assert_int_equal(entry_client_encode(buffer, sizeof(buffer), &e), 0);
	e = client;
	e.flags |= 0x0100;
	assert_int_equal(entry_client_encode(buffer, sizeof(buffer), &e), 0);
	(void)state;
}

/* What each kind may say of status, expiry, count and flags. */
static void
test_client_kinds(void **state)
{
	static const struct {
		uint8_t kind;
		uint32_t status;
		uint16_t flags;
		uint64_t expires, renew;
		uint32_t until;
		uint16_t width;
		bool good;
	} rows[] = {
		{ ENTRY_LEASE, KMS_OK, 0x00ff, 1800000001, 1800000001, 30001440, 1440, false },
		{ ENTRY_LEASE, KMS_OK, 0x00ff, 1800000001, 1800000001, 30002400, 1440, true },
		{ ENTRY_LEASE, KMS_OK, 0x00ff, 1800000001, 0, 30000001, 1, true },
		{ ENTRY_LEASE, KMS_E_COUNT_TOO_LOW, 0, 1800000001, 0, 30000001, 1, false },
		{ ENTRY_LEASE, KMS_E_CLONE, 0, 1800000001, 0, 30000001, 1, false },
		{ ENTRY_RELEASE, KMS_E_COUNT_TOO_LOW, 0, 0, 0, 0, 0, false },
		{ ENTRY_SEEN, KMS_E_COUNT_TOO_LOW, 0x00ff, 0, 0, 30000960, 1440, true },
		{ ENTRY_SEEN, KMS_E_COUNT_TOO_LOW, 0, 5, 0, 0, 1440, true },
		{ ENTRY_SEEN, KMS_E_COUNT_TOO_LOW, 0, 5, 4, 0, 1440, false },
		{ ENTRY_SEEN, KMS_OK, 0, 0, 0, 0, 1440, false },
		{ ENTRY_RELEASE, KMS_OK, 0x00c7, 0, 0, 0, 0, true },
		{ ENTRY_RELEASE, KMS_OK, ENTRY_BORROWED, 0, 0, 0, 0, false },
		{ ENTRY_RELEASE, KMS_OK, 0, 5, 0, 0, 0, false },
		{ ENTRY_RELEASE, KMS_OK, 0, 0, 0, 30000960, 1440, false },
		{ ENTRY_RELEASE, KMS_OK, 0, 0, 0, 0, 1440, false },
		{ ENTRY_REFUSAL, KMS_E_CLONE, 0x00c3, 0, 0, 0, 0, true },
		{ ENTRY_REFUSAL, KMS_E_CLONE, ENTRY_CAUGHT_UP, 0, 0, 0, 0, false },
		{ ENTRY_REFUSAL, KMS_E_CLONE, ENTRY_OVERDRAFT, 0, 0, 0, 0, false },
		{ ENTRY_REFUSAL, KMS_OK, 0, 0, 0, 0, 0, false },
		{ ENTRY_REFUSAL, KMS_E_COUNT_TOO_LOW, 0, 0, 0, 0, 0, false },
	};
	uint8_t buffer[ENTRY_CLIENT_MAX];

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct entry_client e = client;

		e.kind = rows[i].kind;
		e.status = rows[i].status;
		e.flags = rows[i].flags;
		e.expires = rows[i].expires;
		e.renew_after = rows[i].renew;
		e.until = rows[i].until;
		e.width = rows[i].width;
		if ((entry_client_encode(buffer, sizeof(buffer), &e) > 0) != rows[i].good)
			fail_msg("row %zu", i);
	}
	(void)state;
}

/* Windows of days are those of yesterday: through the day seen and as many more. */
static void
test_slots(void **state)
{
	static const struct {
		uint32_t minute, window;
		uint16_t width;
		uint32_t until;
	} rows[] = {
		{ 0, 1440, 1440, 2 * 1440 },
		{ 1439, 1440, 1440, 2 * 1440 },
		{ 1440, 1440, 1440, 3 * 1440 },
		{ 20000 * 1440 + 60, 30 * 1440, 1440, 20031 * 1440 },
		{ 100, 5, 1, 106 },
		{ 100, 64, 1, 165 },
		{ 99, 65, 2, 166 },
		{ 100, 65, 2, 166 },
		{ 101, 65, 2, 168 },
		{ 100, 240, 4, (25 + 60 + 1) * 4 },
		{ 103, 240, 4, (25 + 60 + 1) * 4 },
		{ 104, 240, 4, (26 + 60 + 1) * 4 },
		{ 1000, 1439, 23, (106 + 1) * 23 },
		{ 1000, 1441, 23, (106 + 1) * 23 },
		{ 0, 100 * 1440 + 60, 1440, (100 + 1) * 1440 },
		{ 0, 366 * 1440, 1440, 367 * 1440 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t time = rows[i].minute * UINT64_C(60) + 59;

		assert_int_equal(entry_slot_width(rows[i].window), rows[i].width);
		if (entry_counts_until(time, rows[i].window) != rows[i].until)
			fail_msg("row %zu: %u", i, entry_counts_until(time, rows[i].window));
	}
	assert_int_equal(entry_counts_until(UINT64_MAX, 1440), UINT32_MAX / 1440 * 1440);
	assert_int_equal(entry_counts_through(0, 5), 0);
	assert_int_equal(entry_counts_through(1, 5), 1);
	assert_int_equal(entry_counts_through(60, 5), 1);
	assert_int_equal(entry_counts_through(61, 5), 2);
	assert_int_equal(entry_counts_through(99 * 60, 65), 100);
	assert_int_equal(entry_counts_through(100 * 60, 65), 100);
	assert_int_equal(entry_counts_through(100 * 60 + 1, 65), 102);
	assert_int_equal(entry_counts_through(86400 - 1, 1440), 1440);
	assert_int_equal(entry_counts_through(86400, 1440), 1440);
	assert_int_equal(entry_counts_through(86400 + 1, 1440), 2880);
	assert_int_equal(entry_counts_through(UINT64_MAX, 5), UINT32_MAX);
	assert_int_equal(entry_counts_through(UINT64_MAX, 1440), UINT32_MAX / 1440 * 1440);
	(void)state;
}

static const struct entry_about about = {
	.kind = ENTRY_REVOKE,
	.time = 1800000000,
	.cmid = { 1 },
	.counter = 5,
	.through = 9,
	.product = { 2 },
	.publisher = { 3 },
	.pool = 4,
	.class = 5,
	.reason = "stolen",
};

static int
decode_about(const uint8_t *in, size_t len)
{
	struct entry_about e;

	return entry_about_decode(&e, in, len);
}

static void
test_about(void **state)
{
	static const struct bad_field rows[] = {
		{ "version 1", 0, 1, 1, KMS_E_SCHEMA },
		{ "kind 31", 1, 31, 1, KMS_E_SCHEMA },
		{ "kind 39", 1, 39, 1, KMS_E_SCHEMA },
		{ "a flag", 2, 1, 2, KMS_E_SCHEMA },
		{ "a status", 4, KMS_E_CLONE, 4, KMS_E_FORMAT },
		{ "no client", 16, 0, 1, KMS_E_FORMAT },
		{ "counter 0", 32, 0, 8, KMS_E_FORMAT },
		{ "through 2^62 + 1", 40, ENTRY_SEQUENCE_MAX + 1, 8, KMS_E_FORMAT },
		{ "a value", 48, 1, 8, KMS_E_FORMAT },
		{ "another client", 56, 1, 1, KMS_E_FORMAT },
		{ "a reason of 101", 100, 101, 1, KMS_E_TRUNCATED },
		{ "a reason with a control", 103, 7, 1, KMS_E_FORMAT },
		{ "a reason cut by its length", 100, 5, 1, KMS_E_TRUNCATED },
	};
	uint8_t buffer[ENTRY_ABOUT_MAX + 8], again[ENTRY_ABOUT_MAX];
	struct entry_about out;
	size_t n = entry_about_encode(buffer, sizeof(buffer), &about);

	assert_int_equal(n, ENTRY_ABOUT_FIXED + 6);
	assert_int_equal(entry_about_encode(again, n - 1, &about), 0);
	assert_int_equal(entry_about_decode(&out, buffer, n), KMS_OK);
	assert_int_equal(entry_about_encode(again, n, &out), n);
	assert_memory_equal(buffer, again, n);
	assert_string_equal(out.reason, "stolen");
	check_truncations(decode_about, buffer, n);
	check_truncations(entry_check, buffer, n);
	check_bad_fields(decode_about, buffer, n, rows, COUNT(rows));
	memcpy(buffer + n, "\x80\x01\x00\x00", 4);
	assert_int_equal(decode_exact(decode_about, buffer, n + 4), KMS_E_SCHEMA);
	buffer[n] = 0;
	assert_int_equal(decode_exact(decode_about, buffer, n + 4), KMS_OK);
	(void)state;
}

static void
test_about_kinds(void **state)
{
	static const struct {
		uint8_t kind, cmid, through, other, product;
		uint64_t value;
		bool good;
	} rows[] = {
		{ ENTRY_UNREVOKE, 1, 9, 0, 1, 0, true },
		{ ENTRY_FORGET, 1, 9, 0, 0, 0, true },
		{ ENTRY_FORGET, 0, 9, 0, 0, 0, false },
		{ ENTRY_RECLAIM, 1, 9, 1, 1, 0, true },
		{ ENTRY_RECLAIM, 1, 9, 0, 1, 0, false },
		{ ENTRY_HOLD, 1, 9, 0, 0, 1800000001, true },
		{ ENTRY_HOLD, 1, 9, 0, 0, 0, false },
		{ ENTRY_HOLD, 1, 9, 0, 1, 1800000001, false },
		{ ENTRY_ERASE, 1, 0, 0, 0, 1800000000, true },
		{ ENTRY_ERASE, 0, 0, 0, 0, 1700000000, true },
		{ ENTRY_ERASE, 1, 0, 0, 0, 1800000001, false },
		{ ENTRY_ERASE, 1, 1, 0, 0, 1800000000, false },
		{ ENTRY_ERASE, 1, 0, 0, 1, 1800000000, false },
		{ ENTRY_EXPIRE, 0, 1, 0, 0, 1800000000, true },
		{ ENTRY_EXPIRE, 0, 7, 0, 0, 1700000000, true },
		{ ENTRY_EXPIRE, 0, 0, 0, 0, 1700000000, false },
		{ ENTRY_EXPIRE, 0, 8, 0, 0, 1700000000, false },
		{ ENTRY_EXPIRE, 1, 1, 0, 0, 1700000000, false },
		{ ENTRY_EXPIRE, 0, 1, 1, 0, 1700000000, false },
		{ ENTRY_EXPIRE, 0, 1, 0, 1, 1700000000, false },
		{ ENTRY_EXPIRE, 0, 1, 0, 0, 1800000001, false },
		{ ENTRY_EXPIRE + 1, 0, 0, 0, 0, 0, false },
	};
	uint8_t buffer[ENTRY_ABOUT_MAX];

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct entry_about e = { .kind = rows[i].kind, .time = 1800000000, .counter = 1 };
		size_t n;

		e.cmid[0] = rows[i].cmid;
		e.through = rows[i].through;
		e.other[0] = rows[i].other;
		e.product[0] = rows[i].product;
		e.value = rows[i].value;
		n = entry_about_encode(buffer, sizeof(buffer), &e);
		if ((n > 0) != rows[i].good || (n > 0 && decode_about(buffer, n) != KMS_OK))
			fail_msg("row %zu", i);
	}
	(void)state;
}

static const struct entry_admin admin = {
	.kind = ENTRY_CERTIFICATE,
	.time = 1800000000,
	.subject = { 7 },
	.digest = { 8 },
	.text = "confirmed",
	.text_len = 9,
	.blob = (const uint8_t *)"certificate",
	.blob_len = 11,
};

static int
decode_admin(const uint8_t *in, size_t len)
{
	struct entry_admin e;

	return entry_admin_decode(&e, in, len);
}

static void
test_admin(void **state)
{
	static const struct bad_field rows[] = {
		{ "version 1", 0, 1, 1, KMS_E_SCHEMA },
		{ "kind of a client", 1, ENTRY_LEASE, 1, KMS_E_SCHEMA },
		{ "kind 15", 1, 15, 1, KMS_E_SCHEMA },
		{ "kind 20, which is retired", 1, 20, 1, KMS_E_SCHEMA },
		{ "kind 23", 1, 23, 1, KMS_E_SCHEMA },
		{ "kind 255", 1, 255, 1, KMS_E_SCHEMA },
		{ "a kind without a blob", 1, ENTRY_KEY, 1, KMS_E_FORMAT },
		{ "a kind with another blob", 1, ENTRY_START, 1, KMS_E_FORMAT },
		{ "flags", 2, 1, 2, KMS_E_SCHEMA },
		{ "status", 4, 1, 4, KMS_E_FORMAT },
		{ "text with a control", 66, 7, 1, KMS_E_FORMAT },
		{ "text past the end", 64, 0xffff, 2, KMS_E_TRUNCATED },
		{ "blob past the end", 75, 0xffff, 2, KMS_E_TRUNCATED },
	};
	uint8_t buffer[256];
	struct entry_admin out;
	size_t n = entry_admin_encode(buffer, sizeof(buffer), &admin);

	assert_int_equal(n, 66 + 9 + 2 + 11);
	assert_int_equal(entry_admin_encode(buffer, n - 1, &admin), 0);
	assert_int_equal(entry_admin_encode(buffer, n, &admin), n);
	assert_int_equal(entry_admin_decode(&out, buffer, n), KMS_OK);
	assert_int_equal(out.kind, ENTRY_CERTIFICATE);
	assert_int_equal(out.text_len, 9);
	assert_memory_equal(out.text, "confirmed", 9);
	assert_int_equal(out.blob_len, 11);
	assert_memory_equal(out.blob, "certificate", 11);
	check_truncations(decode_admin, buffer, n);
	check_truncations(entry_check, buffer, n);
	assert_int_equal(decode_exact(decode_admin, buffer, n + 1), KMS_E_TRUNCATED);
	check_bad_fields(decode_admin, buffer, n, rows, COUNT(rows));
	(void)state;
}

/* The length of each kind's blob. */
static void
test_admin_kinds(void **state)
{
	static const struct {
		uint8_t kind;
		size_t blob;
	} rows[] = { { ENTRY_START, 32 }, { ENTRY_KEY, 0 }, { ENTRY_POLICY, 0 },
		{ ENTRY_KEY_REMOVE, 0 }, { ENTRY_RELAYED, 39 }, { ENTRY_ROTATION, 232 },
		{ ENTRY_REVOCATIONS, 4 }, { ENTRY_RELAYED_NAME, 28 }, { ENTRY_WITNESS, 172 },
		{ ENTRY_RESTORED, 17 }, { ENTRY_CLOCK, 16 }, { ENTRY_COUNTERS, 20 } };
	uint8_t buffer[512], blob[256];

	memset(blob, 1, sizeof(blob));
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t len = 0; len < sizeof(blob); len++) {
			struct entry_admin e = { .kind = rows[i].kind, .text = "", .blob = blob };

			e.blob_len = len;
			if ((entry_admin_encode(buffer, sizeof(buffer), &e) > 0) !=
			    (len == rows[i].blob))
				fail_msg("kind %u, %zu", rows[i].kind, len);
		}
	(void)state;
}

/* Each part of a base: its length on both sides, and what an unknown one is. */
static void
test_base(void **state)
{
	static const struct {
		uint8_t part;
		size_t least, most; /* of the blob */
	} rows[] = { { BASE_HEAD, 98, 98 }, { BASE_RELAYED, 265, 265 }, { BASE_CLIENT, 237, 237 },
		{ BASE_SUMS, 2, 2 }, { BASE_USAGE, 26, ENTRY_MAX - 68 }, { BASE_END, 14, 14 } };
	static uint8_t blob[ENTRY_MAX], buffer[ENTRY_MAX];

	for (size_t i = 0; i < COUNT(rows); i++) {
		blob[0] = rows[i].part;
		blob[1] = BASE_VERSION;
		for (size_t len = 0; len < 400; len++)
			assert_int_equal(entry_base_check(blob, len),
			    len >= rows[i].least && len <= rows[i].most ? KMS_OK : KMS_E_FORMAT);
	}
	for (unsigned part = 0; part < 256; part += part < 9 ? 1 : 247) {
		struct entry_admin e = { .kind = ENTRY_BASE, .text = "", .blob = blob };
		size_t n;

		blob[0] = BASE_SUMS;
		blob[1] = BASE_VERSION;
		e.blob_len = 2;
		n = entry_admin_encode(buffer, sizeof(buffer), &e);
		assert_int_equal(n, 70);
		assert_int_equal(decode_admin(buffer, n), KMS_OK);
		buffer[68] = (uint8_t)part;
		assert_int_equal(decode_admin(buffer, n),
		    part == BASE_SUMS                           ? KMS_OK
		    : part == BASE_NONE || part > (int)BASE_END ? KMS_E_SCHEMA
								: KMS_E_FORMAT);
		buffer[68] = BASE_SUMS;
		buffer[69] = 2;
		assert_int_equal(decode_admin(buffer, n), KMS_E_SCHEMA);
	}
	(void)state;
}

/* What is restated as it was is one of these kinds, and whole. */
static void
test_base_kept(void **state)
{
	static const char text[] = "t";
	uint8_t inner[ENTRY_MAX], blob[ENTRY_MAX], buffer[ENTRY_MAX];
	struct entry_base_kept k = { .batch = 7, .leaf = 3, .found = 9, .entry = inner }, got;
	struct entry_admin e = { .text = text, .text_len = 1, .blob = blob };
	static const uint8_t kinds[] = { ENTRY_KEY, ENTRY_POLICY, ENTRY_RELAYED };

	memset(blob, 0, sizeof(blob));
	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct entry_admin outer = { .kind = ENTRY_BASE, .text = "", .blob = blob };
		size_t n;

		e.kind = kinds[i];
		e.blob_len = e.kind == ENTRY_RELAYED ? ENTRY_RELAYED_BLOB : 0;
		k.entry_len = entry_admin_encode(inner, sizeof(inner), &e);
		assert_true(k.entry_len > 0);
		outer.blob_len = entry_base_put_kept(blob, sizeof(blob), &k);
		n = entry_admin_encode(buffer, sizeof(buffer), &outer);
		if (e.kind == ENTRY_RELAYED) {
			assert_int_equal(n, 0);
			break;
		}
		assert_int_equal(entry_check(buffer, n), KMS_OK);
		assert_int_equal(decode_admin(buffer, n), KMS_OK);
		entry_base_get_kept(&got, blob, outer.blob_len);
		assert_int_equal(got.batch, 7);
		assert_int_equal(got.leaf, 3);
		assert_int_equal(got.found, 9);
		assert_int_equal(got.entry_len, k.entry_len);
		assert_memory_equal(got.entry, inner, k.entry_len);
		/* Its own text is cut short: the decoder and the check agree. */
		buffer[68 + BASE_PREFIX + BASE_KEPT_HEAD + 65]++;
		assert_int_equal(entry_check(buffer, n), KMS_E_FORMAT);
		assert_int_equal(decode_admin(buffer, n), KMS_E_FORMAT);
		memset(blob, 0, sizeof(blob));
	}
	(void)state;
}

static void
test_admin_size(void **state)
{
	static char text[ENTRY_MAX];
	static uint8_t buffer[2 * ENTRY_MAX];
	struct entry_admin e = { .kind = ENTRY_POLICY, .text = text, .text_len = ENTRY_MAX - 68 };

	memset(text, 't', sizeof(text));
	assert_int_equal(entry_admin_encode(buffer, sizeof(buffer), &e), ENTRY_MAX);
	assert_int_equal(decode_admin(buffer, ENTRY_MAX), KMS_OK);
	e.text_len++;
	assert_int_equal(entry_admin_encode(buffer, sizeof(buffer), &e), 0);
	(void)state;
}

static void
test_relayed(void **state)
{
	const struct entry_relayed r = { .time = 1800000000,
		.subject = { 1 },
		.outcome = 1,
		.major = 6,
		.port = 1688,
		.name = "kms.example" };
	const struct entry_relayed_name m = {
		.time = 1800000000, .subject = { 1 }, .name = { 2 }, .cmid = { 3 }, .told = 9
	};
	struct entry_relayed r2;
	struct entry_relayed_name m2;
	uint8_t buffer[256];
	size_t n = entry_relayed_encode(buffer, sizeof(buffer), &r);

	assert_int_equal(entry_check(buffer, n), KMS_OK);
	assert_int_equal(entry_relayed_decode(&r2, buffer, n), KMS_OK);
	assert_string_equal(r2.name, "kms.example");
	assert_int_equal(r2.port, 1688);
	assert_int_equal(entry_relayed_name_decode(&m2, buffer, n), KMS_E_FORMAT);
	n = entry_relayed_name_encode(buffer, sizeof(buffer), &m);
	assert_int_equal(entry_check(buffer, n), KMS_OK);
	assert_int_equal(entry_relayed_name_decode(&m2, buffer, n), KMS_OK);
	assert_memory_equal(m2.name, m.name, COMMITMENT);
	assert_memory_equal(m2.cmid, m.cmid, 16);
	assert_true(m2.told == 9);
	buffer[32 + COMMITMENT] = 1;
	assert_int_equal(entry_relayed_name_decode(&m2, buffer, n), KMS_E_FORMAT);
	(void)state;
}

static void
test_kind(void **state)
{
	uint8_t in[ENTRY_MAX + 1] = { ENTRY_VERSION };

	for (int kind = 0; kind < 256; kind++) {
		bool known = (kind >= 1 && kind <= 4) || (kind >= 16 && kind <= 19) || kind == 22 ||
			     (kind >= 24 && kind <= 30) || (kind >= 32 && kind <= 38) ||
			     kind == 40 || kind == 41 || (kind >= 48 && kind <= 52);

		in[1] = (uint8_t)kind;
		assert_int_equal(entry_kind(in, 16), known ? kind : 0);
		if (!known)
			assert_int_equal(entry_check(in, 16), KMS_E_SCHEMA);
	}
	in[1] = ENTRY_LEASE;
	assert_int_equal(entry_kind(in, 15), 0);
	assert_int_equal(entry_kind(in, sizeof(in)), 0);
	in[0] = 1;
	assert_int_equal(entry_kind(in, 16), 0);
	assert_true(entry_kind_is_client(ENTRY_REFUSAL));
	assert_false(entry_kind_is_client(ENTRY_START));
	assert_false(entry_kind_is_client(0));
	assert_true(entry_kind_is_about(ENTRY_REVOKE));
	assert_false(entry_kind_is_about(ENTRY_EXPIRE + 1));
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_client),
		cmocka_unit_test(test_client_bad),
		cmocka_unit_test(test_client_kinds),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_about),
		cmocka_unit_test(test_about_kinds),
		cmocka_unit_test(test_admin),
		cmocka_unit_test(test_admin_kinds),
		cmocka_unit_test(test_base),
		cmocka_unit_test(test_base_kept),
		cmocka_unit_test(test_admin_size),
		cmocka_unit_test(test_relayed),
		cmocka_unit_test(test_kind),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("entry", tests, NULL, NULL);
}
