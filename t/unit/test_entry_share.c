/*
 * test_entry_share.c - entries of a host that counts together with others: what each kind says, and
 * that a field which only just is not what its kind may have makes no entry.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libkms/base/wire.h"
#include "libkms/core/entry.h"
#include "libkms/core/entry_blobs.h"
#include "libkms/core/entry_share.h"
#include "libkms/kms_error.h"

#define NOW UINT64_C(1800000000)
#define OWN 7 /* each octet of the subject */
#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static size_t
encode(uint8_t *out, int kind, const char *text, const uint8_t *blob, size_t len)
{
	struct entry_admin e = { .kind = (uint8_t)kind, .time = NOW, .text = text, .blob = blob };

	memset(e.subject, OWN, sizeof(e.subject));
	e.text_len = strlen(text);
	e.blob_len = len;
	return entry_admin_encode(out, ENTRY_MAX, &e);
}

/* The bytes of an entry that no encoder checked; what each reader says of them. */
static int
read_back(int kind, const char *text, const uint8_t *blob, size_t len, uint8_t digest)
{
	static uint8_t octets[ENTRY_MAX];
	struct wire_writer w;
	struct entry_admin e;
	int rc;

	wire_writer_init(&w, octets, sizeof(octets));
	wire_put_u8(&w, ENTRY_VERSION);
	wire_put_u8(&w, (uint8_t)kind);
	wire_put_u16(&w, 0);
	wire_put_u32(&w, 0);
	wire_put_u64(&w, NOW);
	for (int i = 0; i < 16; i++)
		wire_put_u8(&w, OWN);
	for (int i = 0; i < 32; i++)
		wire_put_u8(&w, digest);
	wire_put_u16(&w, (uint16_t)strlen(text));
	wire_put(&w, text, strlen(text));
	wire_put_u16(&w, (uint16_t)len);
	wire_put(&w, blob, len);
	assert_int_equal(entry_kind(octets, wire_written(&w)), kind);
	assert_false(entry_may_have_aside(octets, wire_written(&w)));
	rc = entry_admin_decode(&e, octets, wire_written(&w));
	assert_int_equal(entry_check(octets, wire_written(&w)), rc);
	assert_int_equal(encode(octets, kind, text, blob, len) > 0, rc == KMS_OK || digest != 0);
	return rc;
}

static void
expect(const char *what, int kind, const char *text, const uint8_t *blob, size_t len, int status)
{
	int rc = read_back(kind, text, blob, len, 0);

	if (rc != status)
		fail_msg("%s: %s", what, kms_strerror((uint32_t)rc));
}

static void
test_share_alone(void **state)
{
	static const char long_name[] = "0a-zzzzzzzzzzzzzzzzzzzzzzzzzzzzzz";
	char reason[ENTRY_ALONE_REASON + 2];
	const struct {
		const char *what, *text;
		int kind;
		uint8_t octet;
		size_t len;
		int status;
	} rows[] = {
		{ "the shortest name", "a", ENTRY_SHARE, 0, 1, KMS_OK },
		{ "the first rights", "a", ENTRY_SHARE, 1, 1, KMS_OK },
		{ "the longest name", long_name + 1, ENTRY_SHARE, 1, 1, KMS_OK },
		{ "a longer one", long_name, ENTRY_SHARE, 1, 1, KMS_E_FORMAT },
		{ "no name", "", ENTRY_SHARE, 1, 1, KMS_E_FORMAT },
		{ "a dash first", "-a", ENTRY_SHARE, 1, 1, KMS_E_FORMAT },
		{ "an upper case letter", "aB", ENTRY_SHARE, 1, 1, KMS_E_FORMAT },
		{ "a slash", "a/b", ENTRY_SHARE, 1, 1, KMS_E_FORMAT },
		{ "an octet 2", "a", ENTRY_SHARE, 2, 1, KMS_E_FORMAT },
		{ "no octet", "a", ENTRY_SHARE, 1, 0, KMS_E_FORMAT },
		{ "two octets", "a", ENTRY_SHARE, 1, 2, KMS_E_FORMAT },
		{ "alone", "", ENTRY_ALONE, 1, 1, KMS_OK },
		{ "no longer", "", ENTRY_ALONE, 0, 1, KMS_OK },
		{ "a reason", reason + 1, ENTRY_ALONE, 1, 1, KMS_OK },
		{ "a longer one", reason, ENTRY_ALONE, 1, 1, KMS_E_FORMAT },
		{ "a reason with a control", "a\n", ENTRY_ALONE, 1, 1, KMS_E_FORMAT },
		{ "a reason of the end", "r", ENTRY_ALONE, 0, 1, KMS_E_FORMAT },
		{ "an octet 2", "", ENTRY_ALONE, 2, 1, KMS_E_FORMAT },
		{ "no octet", "", ENTRY_ALONE, 1, 0, KMS_E_FORMAT },
	};

	memset(reason, 'r', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	for (size_t i = 0; i < COUNT(rows); i++) {
		const uint8_t blob[2] = { rows[i].octet, 0 };

		expect(rows[i].what, rows[i].kind, rows[i].text, blob, rows[i].len, rows[i].status);
	}
	(void)state;
}

static size_t
make_heard(uint8_t *blob, unsigned count)
{
	static struct entry_heard list[ENTRY_HEARD_MAX + 1];

	for (unsigned i = 0; i < count; i++) {
		memset(list[i].host, (int)(i + 0x10), 16);
		list[i].number = i + 1;
		memset(list[i].hash, (int)i, 32);
	}
	return entry_heard_put(blob, ENTRY_MAX, list, count);
}

static void
test_heard(void **state)
{
	static uint8_t blob[ENTRY_MAX];
	struct entry_heard h;
	size_t len;

	for (unsigned n = 0; n <= ENTRY_HEARD_MAX + 1; n++) {
		len = make_heard(blob, n);
		assert_int_equal(len, n * ENTRY_HEARD_ONE);
		expect("a number of hosts", ENTRY_HEARD, "", blob, len,
		    n > 0 && n <= ENTRY_HEARD_MAX ? KMS_OK : KMS_E_FORMAT);
	}
	len = make_heard(blob, 3);
	assert_int_equal(entry_heard_put(blob, len - 1, &h, 1), ENTRY_HEARD_ONE);
	len = make_heard(blob, 3);
	assert_int_equal(entry_heard_count(len), 3);
	entry_heard_get(&h, blob, 2);
	assert_int_equal(h.host[15], 0x12);
	assert_int_equal(h.number, 3);
	assert_int_equal(h.hash[31], 2);
	for (size_t n = 0; n < len; n++)
		expect("cut off", ENTRY_HEARD, "", blob, n,
		    n > 0 && n % ENTRY_HEARD_ONE == 0 ? KMS_OK : KMS_E_FORMAT);
	expect("a text", ENTRY_HEARD, "t", blob, len, KMS_E_FORMAT);
	blob[ENTRY_HEARD_ONE + 15] = 0x0f;
	expect("in another order at the last octet", ENTRY_HEARD, "", blob, len, KMS_OK);
	memset(blob + ENTRY_HEARD_ONE, 0x10, 16);
	expect("a host twice", ENTRY_HEARD, "", blob, len, KMS_E_FORMAT);
	memset(blob + ENTRY_HEARD_ONE, 0x0f, 16);
	expect("descending", ENTRY_HEARD, "", blob, len, KMS_E_FORMAT);
	make_heard(blob, 3);
	memset(blob, OWN, 16);
	expect("itself", ENTRY_HEARD, "", blob, len, KMS_E_FORMAT);
	blob[15]++;
	expect("another", ENTRY_HEARD, "", blob, len, KMS_OK);
	memset(blob + 16, 0, 8);
	expect("batch 0", ENTRY_HEARD, "", blob, len, KMS_E_FORMAT);
	(void)state;
}

static void
test_give(void **state)
{
	struct entry_give g = { .publisher = "PUBLISHR", .pool = 3, .rights = 1 }, out;
	uint8_t blob[ENTRY_GIVE_BLOB + 1] = { 0 };

	memset(g.to, OWN, 16);
	g.to[3]++;
	assert_int_equal(entry_give_put(blob, ENTRY_GIVE_BLOB - 1, &g), 0);
	assert_int_equal(entry_give_put(blob, sizeof(blob), &g), ENTRY_GIVE_BLOB);
	entry_give_get(&out, blob);
	assert_memory_equal(out.publisher, g.publisher, 8);
	assert_memory_equal(out.to, g.to, 16);
	assert_int_equal(out.pool, 3);
	assert_int_equal(out.rights, 1);
	for (size_t n = 0; n <= sizeof(blob); n++)
		expect("a length", ENTRY_GIVE, "", blob, n,
		    n == ENTRY_GIVE_BLOB ? KMS_OK : KMS_E_FORMAT);
	expect("a text", ENTRY_GIVE, "t", blob, ENTRY_GIVE_BLOB, KMS_E_FORMAT);
	g.rights = 0;
	entry_give_put(blob, sizeof(blob), &g);
	expect("nothing", ENTRY_GIVE, "", blob, ENTRY_GIVE_BLOB, KMS_E_FORMAT);
	g.rights = UINT32_MAX;
	entry_give_put(blob, sizeof(blob), &g);
	expect("the most", ENTRY_GIVE, "", blob, ENTRY_GIVE_BLOB, KMS_OK);
	g.to[3]--;
	entry_give_put(blob, sizeof(blob), &g);
	expect("to itself", ENTRY_GIVE, "", blob, ENTRY_GIVE_BLOB, KMS_E_FORMAT);
	(void)state;
}

static void
test_held(void **state)
{
	struct entry_held h = { "PUBLISHR", 3, 12, NOW + 1 }, out;
	uint8_t blob[ENTRY_HELD_BLOB + 1] = { 0 };

	assert_int_equal(entry_held_put(blob, ENTRY_HELD_BLOB - 1, &h), 0);
	assert_int_equal(entry_held_put(blob, sizeof(blob), &h), ENTRY_HELD_BLOB);
	entry_held_get(&out, blob);
	assert_memory_equal(out.publisher, h.publisher, 8);
	assert_int_equal(out.pool, 3);
	assert_int_equal(out.rights, 12);
	assert_int_equal(out.until, NOW + 1);
	for (size_t n = 0; n <= sizeof(blob); n++)
		expect("a length", ENTRY_HELD, "", blob, n,
		    n == ENTRY_HELD_BLOB ? KMS_OK : KMS_E_FORMAT);
	h.rights = 0;
	entry_held_put(blob, sizeof(blob), &h);
	expect("nothing", ENTRY_HELD, "", blob, ENTRY_HELD_BLOB, KMS_E_FORMAT);
	h.rights = 1;
	h.until = NOW;
	entry_held_put(blob, sizeof(blob), &h);
	expect("that is over", ENTRY_HELD, "", blob, ENTRY_HELD_BLOB, KMS_E_FORMAT);
	expect("a text", ENTRY_HELD, "t", blob, ENTRY_HELD_BLOB, KMS_E_FORMAT);
	(void)state;
}

/* And what no kind has. */
static void
test_digest(void **state)
{
	static const uint8_t one[1] = { 1 };

	assert_int_equal(read_back(ENTRY_SHARE, "a", one, 1, 0), KMS_OK);
	assert_int_equal(read_back(ENTRY_SHARE, "a", one, 1, 1), KMS_E_FORMAT);
	assert_int_equal(read_back(ENTRY_ALONE, "", one, 1, 1), KMS_E_FORMAT);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_share_alone),
		cmocka_unit_test(test_heard),
		cmocka_unit_test(test_give),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_digest),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
