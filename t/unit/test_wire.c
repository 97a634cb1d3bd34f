/*
 * test_wire.c - cursors: bounds, the error that sticks, text and TLVs.
 */
#include <stdio.h>

#include "libkms/base/octets.h"
#include "libkms/base/wire.h"
#include "t/unit/core_test.h"

static void
test_integers(void **state)
{
	uint8_t buffer[15];
	struct wire_writer w;
	struct wire_reader r;

	wire_writer_init(&w, buffer, sizeof(buffer));
	wire_put_u8(&w, 0x01);
	wire_put_u16(&w, 0x0203);
	wire_put_u32(&w, 0x04050607);
	wire_put_u64(&w, 0x08090a0b0c0d0e0f);
	assert_int_equal(wire_written(&w), 15);
	for (unsigned i = 0; i < 15; i++)
		assert_int_equal(buffer[i], i + 1);
	wire_reader_init(&r, buffer, sizeof(buffer));
	assert_int_equal(wire_get_u8(&r), 0x01);
	assert_int_equal(wire_get_u16(&r), 0x0203);
	assert_int_equal(wire_left(&r), 12);
	assert_int_equal(wire_finish(&r), KMS_E_TRAILING);
	assert_int_equal(wire_get_u32(&r), 0x04050607);
	assert_true(wire_get_u64(&r) == 0x08090a0b0c0d0e0f);
	assert_int_equal(wire_finish(&r), KMS_OK);
	(void)state;
}

static void
test_reader_error_sticks(void **state)
{
	static const uint8_t in[3] = { 1, 2, 3 };
	uint8_t out[4] = { 9, 9, 9, 9 };
	struct wire_reader r;

	wire_reader_init(&r, in, sizeof(in));
	assert_int_equal(wire_get_u32(&r), 0);
	/* There would be room for these, but the first error counts. */
	assert_int_equal(wire_get_u8(&r), 0);
	assert_null(wire_view(&r, 1));
	assert_int_equal(wire_left(&r), 0);
	wire_get(&r, out, sizeof(out));
	assert_memory_equal(out, "\0\0\0\0", 4);
	assert_int_equal(wire_finish(&r), KMS_E_TRUNCATED);
	(void)state;
}

static void
test_reader_huge_view(void **state)
{
	uint8_t in[4] = { 0 };
	struct wire_reader r;

	wire_reader_init(&r, in, sizeof(in));
	assert_null(wire_view(&r, SIZE_MAX));
	assert_int_equal(wire_finish(&r), KMS_E_TRUNCATED);
	wire_reader_init(&r, NULL, 0);
	assert_int_equal(wire_finish(&r), KMS_OK);
	assert_int_equal(wire_get_u8(&r), 0);
	assert_int_equal(wire_finish(&r), KMS_E_TRUNCATED);
	(void)state;
}

static void
test_writer_error_sticks(void **state)
{
	uint8_t buffer[4] = { 7, 7, 7, 7 };
	struct wire_writer w;

	wire_writer_init(&w, buffer, 3);
	wire_put_u16(&w, 0x0102);
	wire_put_u16(&w, 0x0304);
	wire_put_u8(&w, 5);
	wire_put_zero(&w, 1);
	assert_int_equal(wire_written(&w), 0);
	assert_memory_equal(buffer, "\1\2\7\7", 4);
	wire_writer_init(&w, NULL, 0);
	wire_put_u8(&w, 1);
	assert_int_equal(wire_written(&w), 0);
	(void)state;
}

static const struct {
	const char *text;
	size_t len;
	bool ok;
} texts[] = {
	{ "", 0, true }, { "plain ~", 7, true }, { "M\xc3\xbcller", 7, true },
	{ "\xe2\x82\xac", 3, true },                /* U+20AC */
	{ "\xf0\x9f\x98\x80", 4, true },            /* U+1F600 */
	{ "\xf4\x8f\xbf\xbf", 4, true },            /* U+10FFFF */
	{ "\xee\x80\x80", 3, true },                /* U+E000, after the surrogates */
	{ "\xed\x9f\xbf", 3, true },                /* U+D7FF, before them */
	{ "\x1f", 1, false },                       /* C0 */
	{ "a\nb", 3, false }, { "\x7f", 1, false }, /* DEL */
	{ "a\0b", 3, false }, { "\x80", 1, false }, /* continuation alone */
	{ "\xc3", 1, false },                       /* cut */
	{ "\xe2\x82", 2, false }, { "\xf0\x9f\x98", 3, false }, { "\xc3(", 2, false },
	{ "\xc0\x80", 2, false }, /* overlong */
	{ "\xc1\xbf", 2, false }, { "\xe0\x9f\xbf", 3, false }, { "\xf0\x8f\xbf\xbf", 4, false },
	{ "\xed\xa0\x80", 3, false },     /* surrogate */
	{ "\xf4\x90\x80\x80", 4, false }, /* past U+10FFFF */
	{ "\xf5\x80\x80\x80", 4, false }, { "\xff", 1, false }, { "\xc2\x80", 2, false }, /* C1 */
	{ "\xc2\x9f", 2, false }, { "\xc2\xa0", 2, true }, { "a\xd8\x9c", 3, false }, /* U+061C */
	{ "\xe2\x80\x8d", 3, true },                                                  /* U+200D */
	{ "\xe2\x80\x8e", 3, false },                                                 /* U+200E */
	{ "\xe2\x80\x8f", 3, false },                                                 /* U+200F */
	{ "\xe2\x80\xa7", 3, true },                                                  /* U+2027 */
	{ "\xe2\x80\xa8", 3, false },                                                 /* U+2028 */
	{ "\xe2\x80\xae", 3, false },                                                 /* U+202E */
	{ "\xe2\x80\xaf", 3, true },                                                  /* U+202F */
	{ "\xe2\x81\xa6", 3, false },                                                 /* U+2066 */
	{ "\xe2\x81\xa9", 3, false },                                                 /* U+2069 */
	{ "\xe2\x81\xaa", 3, true },                                                  /* U+206A */
	{ "\xef\xbb\xbf", 3, false },                                                 /* U+FEFF */
};

static void
test_text_ok(void **state)
{
	for (size_t i = 0; i < COUNT(texts); i++)
		if (wire_text_ok(texts[i].text, texts[i].len) != texts[i].ok)
			fail_msg("row %zu", i);
	(void)state;
}

static void
test_octets_zero(void **state)
{
	uint8_t octets[33] = { 0 };

	for (size_t len = 0; len <= 32; len++) {
		octets[len] = 1;
		assert_true(octets_zero(octets, len));
		assert_false(octets_zero(octets, len + 1));
		octets[len] = 0;
	}
	octets[0] = 0x80;
	assert_false(octets_zero(octets, sizeof(octets)));
	(void)state;
}

static void
test_text_field(void **state)
{
	static const struct {
		const char *field;
		bool ok;
	} rows[] = {
		{ "abc\0\0", true },
		{ "abcde", true },
		{ "\0\0\0\0\0", true },
		{ "ab\0c\0", false },
		{ "\0\0\0\0x", false },
		{ "a\tb\0\0", false },
		{ "abcd\xc3", false },
	};
	struct wire_reader r;
	char out[6];

	for (size_t i = 0; i < COUNT(rows); i++) {
		wire_reader_init(&r, rows[i].field, 5);
		if (wire_get_text(&r, out, 5) != rows[i].ok || wire_finish(&r) != KMS_OK)
			fail_msg("row %zu", i);
		if (rows[i].ok)
			assert_string_equal(out, rows[i].field);
	}
	wire_reader_init(&r, "abcd", 4);
	assert_false(wire_get_text(&r, out, 5));
	assert_string_equal(out, "");
	assert_int_equal(wire_finish(&r), KMS_E_TRUNCATED);
	(void)state;
}

static void
test_put_text(void **state)
{
	uint8_t buffer[5];
	struct wire_writer w;

	wire_writer_init(&w, buffer, sizeof(buffer));
	wire_put_text(&w, "abc", 5);
	assert_int_equal(wire_written(&w), 5);
	assert_memory_equal(buffer, "abc\0\0", 5);
	wire_writer_init(&w, buffer, sizeof(buffer));
	wire_put_text(&w, "abcdef", 5);
	assert_int_equal(wire_written(&w), 0);
	wire_writer_init(&w, buffer, sizeof(buffer));
	wire_put_text(&w, "a\x01", 5);
	assert_int_equal(wire_written(&w), 0);
	(void)state;
}

static void
test_text_clean(void **state)
{
	static const struct {
		const char *text;
		const char *clean;
	} rows[] = {
		{ "", "" },
		{ "M\xc3\xbcller", "M\xc3\xbcller" },
		{ "a\nb\x7f", "a?b?" },
		{ "\xe2\x80\xae"
		  "txt",
		    "?txt" },
		{ "\xc2\x9b"
		  "2J",
		    "?2J" },
		{ "\xff\xc3", "??" },
		{ "\xe2\x82", "??" },
	};
	char text[16];
	size_t n;

	for (size_t i = 0; i < COUNT(rows); i++) {
		snprintf(text, sizeof(text), "%s", rows[i].text);
		n = wire_text_clean(text, strlen(text));
		if (n != strlen(rows[i].clean) || memcmp(text, rows[i].clean, n) != 0)
			fail_msg("row %zu", i);
		assert_true(wire_text_ok(text, n));
	}
	(void)state;
}

/* Type 1 has 2 bytes, type 0x8002 any; 3 may follow itself. */
static int
read_tail(const void *bytes, size_t len, unsigned *seen)
{
	struct wire_reader r;
	struct wire_tail tail;
	struct wire_tlv t;

	*seen = 0;
	wire_reader_init(&r, bytes, len);
	wire_tail_init(&tail, &r, 24);
	tail.repeats = 3;
	while (wire_tail_next(&tail, &t)) {
		(*seen)++;
		if (t.type == 1)
			wire_tail_expect(&tail, &t, 2);
		else if (t.type != 0x8002 && t.type != 3)
			wire_tail_unknown(&tail, &t);
	}
	assert_int_equal(wire_left(&r), 0);
	return wire_tail_finish(&tail);
}

static void
test_tail(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		int rc;
		unsigned seen;
	} rows[] = {
		{ "", 0, KMS_OK, 0 }, { "\0\1\0\2ab", 6, KMS_OK, 1 },
		{ "\0\1\0\1a", 5, KMS_E_FORMAT, 1 },             /* length of a known one */
		{ "\0\1\0\2ab\0\1\0\2ab", 12, KMS_E_FORMAT, 1 }, /* twice */
		{ "\0\7\0\0\0\7\0\0", 8, KMS_E_FORMAT, 1 },      /* unknown, twice */
		{ "\0\7\0\0\0\5\0\0", 8, KMS_E_FORMAT, 1 },      /* descends */
		{ "\0\3\0\0\0\3\0\0\0\5\0\0", 12, KMS_OK, 3 },   /* may repeat */
		{ "\0\1\0\2ab\x80\2\0\0", 10, KMS_OK, 2 },       /* critical, known */
		{ "\x80\1\0\0", 4, KMS_E_SCHEMA, 1 },            /* critical, unknown */
		{ "\x80\1\0\0\0\7\0\0", 8, KMS_E_FORMAT, 1 },    /* malformed comes first */
		{ "\x7f\xff\0\0\xff\xff\0\0", 8, KMS_E_SCHEMA, 2 },
		{ "\0\1\0", 3, KMS_E_TRUNCATED, 0 }, { "\0\5\0\1", 4, KMS_E_TRUNCATED, 0 },
		{ "\0\5\0\x14"
		  "01234567890123456789",
		    24, KMS_OK, 1 },
		{ "\0\5\0\x15"
		  "012345678901234567890",
		    25, KMS_E_FORMAT, 0 }, /* over the limit */
	};
	unsigned seen;

	for (size_t i = 0; i < COUNT(rows); i++) {
		int rc = read_tail(rows[i].bytes, rows[i].len, &seen);

		if (rc != rows[i].rc || seen != rows[i].seen)
			fail_msg("row %zu: %d, %u seen", i, rc, seen);
	}
	(void)state;
}

static void
test_tlvs(void **state)
{
	uint8_t buffer[16];
	struct wire_writer w;
	struct wire_reader r;
	struct wire_tlv t;

	wire_writer_init(&w, buffer, sizeof(buffer));
	wire_put_tlv(&w, 0x0102, "xyz", 3);
	wire_put_tlv(&w, 0xffff, NULL, 0);
	assert_int_equal(wire_written(&w), 11);
	wire_reader_init(&r, buffer, 11);
	assert_true(wire_next_tlv(&r, &t));
	assert_int_equal(t.type, 0x0102);
	assert_int_equal(t.len, 3);
	assert_memory_equal(t.value, "xyz", 3);
	assert_true(wire_next_tlv(&r, &t));
	assert_int_equal(t.type, 0xffff);
	assert_int_equal(t.len, 0);
	assert_false(wire_next_tlv(&r, &t));
	assert_int_equal(wire_finish(&r), KMS_OK);
	for (size_t n = 1; n < 11; n++) {
		wire_reader_init(&r, buffer, n);
		while (wire_next_tlv(&r, &t))
			continue;
		assert_int_equal(wire_finish(&r), n == 7 ? KMS_OK : KMS_E_TRUNCATED);
	}
	(void)state;
}

static void
test_short_text(void **state)
{
	static const struct {
		const char *octets;
		size_t len;
		const char *text; /* NULL: refused */
	} rows[] = {
		{ "\0", 1, "" },
		{ "\4four", 5, "four" },
		{ "\5fives", 6, NULL },
		{ "\2a\0", 3, NULL },
		{ "\1\n", 2, NULL },
		{ "\3ab", 3, NULL },
		{ "", 0, NULL },
	};
	uint8_t buffer[8];
	char text[5];
	struct wire_reader r;
	struct wire_writer w;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(text, 'x', sizeof(text));
		wire_reader_init(&r, rows[i].octets, rows[i].len);
		assert_int_equal(wire_get_short_text(&r, text, 4), rows[i].text != NULL);
		assert_string_equal(text, rows[i].text != NULL ? rows[i].text : "");
		if (rows[i].text == NULL)
			continue;
		wire_writer_init(&w, buffer, sizeof(buffer));
		wire_put_short_text(&w, text, 4);
		assert_int_equal(wire_written(&w), rows[i].len);
		assert_memory_equal(buffer, rows[i].octets, rows[i].len);
	}
	wire_writer_init(&w, buffer, sizeof(buffer));
	wire_put_short_text(&w, "fives", 4);
	assert_int_equal(wire_written(&w), 0);
	wire_writer_init(&w, buffer, sizeof(buffer));
	wire_put_short_text(&w, "\n", 4);
	assert_int_equal(wire_written(&w), 0);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_reader_error_sticks),
		cmocka_unit_test(test_reader_huge_view),
		cmocka_unit_test(test_writer_error_sticks),
		cmocka_unit_test(test_text_ok),
		cmocka_unit_test(test_octets_zero),
		cmocka_unit_test(test_text_field),
		cmocka_unit_test(test_put_text),
		cmocka_unit_test(test_short_text),
		cmocka_unit_test(test_tlvs),
		cmocka_unit_test(test_text_clean),
		cmocka_unit_test(test_tail),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
