/*
 * test_control.c - the control protocol's codec: what is built is read back, and
 * nothing else is accepted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kmsd/ipc/control.h"

static void
build_sample(struct control_buf *b)
{
	control_row(b, "client");
	control_text(b, "name", "pc-17");
	control_textf(b, "state", "%s %d", "seen", 7);
	control_number(b, "expires", 0x0102030405060708u);
	control_octets(b, "hash", "\0\xff", 2);
	control_text(b, "empty", "");
}

static void
round_trip(void **state)
{
	struct control_buf b = { 0 };
	struct wire_reader r;
	struct control_field f;

	build_sample(&b);
	assert_false(b.bad);
	wire_reader_init(&r, b.data, b.len);
	assert_true(control_next(&r, &f));
	assert_int_equal(f.type, 'r');
	assert_int_equal(f.name_len, 0);
	assert_memory_equal(f.value, "client", 6);
	assert_true(control_next(&r, &f));
	assert_true(control_field_is(&f, 's', "name"));
	assert_false(control_field_is(&f, 'u', "name"));
	assert_false(control_field_is(&f, 's', "nam"));
	assert_false(control_field_is(&f, 's', "names"));
	assert_int_equal(f.value_len, 5);
	assert_memory_equal(f.value, "pc-17", 5);
	assert_true(control_next(&r, &f));
	assert_memory_equal(f.value, "seen 7", 6);
	assert_true(control_next(&r, &f));
	assert_true(control_field_is(&f, 'u', "expires"));
	assert_true(f.number == 0x0102030405060708u);
	assert_true(control_next(&r, &f));
	assert_int_equal(f.type, 'b');
	assert_memory_equal(f.value, "\0\xff", 2);
	assert_true(control_next(&r, &f));
	assert_int_equal(f.value_len, 0);
	assert_false(control_next(&r, &f));
	assert_false(r.bad);
	control_buf_free(&b);
	assert_null(b.data);
}

/* The layout itself: two programs of different age must agree. */
static void
octets(void **state)
{
	static const uint8_t expected[] =
	    "r\0\0\0\0\4poolu\2\0\0\0\10id\0\0\0\0\0\0\1\0s\4\0\0\0\1nameX";
	struct control_buf b = { 0 };

	control_row(&b, "pool");
	control_number(&b, "id", 256);
	control_text(&b, "name", "X");
	assert_int_equal(b.len, sizeof(expected) - 1);
	assert_memory_equal(b.data, expected, b.len);
	control_buf_free(&b);
}

/* Cut at every byte: whole fields before the cut are read, and a cut inside one is seen. */
static void
truncation(void **state)
{
	struct control_buf b = { 0 };
	struct wire_reader r;
	struct control_field f;
	size_t ends[8], n = 0, cut, i, whole;
	uint8_t *copy;

	build_sample(&b);
	wire_reader_init(&r, b.data, b.len);
	while (control_next(&r, &f))
		ends[n++] = (size_t)(r.at - b.data);
	assert_int_equal(n, 6);
	for (cut = 0; cut <= b.len; cut++) {
		copy = malloc(cut + 1); /* its own block, so that a sanitizer sees a read past it */
		assert_non_null(copy);
		memcpy(copy, b.data, cut);
		wire_reader_init(&r, copy, cut);
		for (i = 0; control_next(&r, &f);)
			i++;
		for (whole = 0; whole < n && ends[whole] <= cut;)
			whole++;
		assert_int_equal(i, whole);
		assert_int_equal(r.bad, cut != 0 && (whole == 0 || ends[whole - 1] != cut));
		assert_false(control_next(&r, &f)); /* bad stays */
		free(copy);
	}
	control_buf_free(&b);
}

static void
malformed(void **state)
{
	static const struct {
		const char *what;
		const char *octets;
		size_t len;
	} rows[] = {
#define ROW(what, octets) { what, octets, sizeof(octets) - 1 }
		ROW("unknown type", "x\1\0\0\0\0a"),
		ROW("type zero", "\0\1\0\0\0\0a"),
		ROW("row with a name", "r\1\0\0\0\1ab"),
		ROW("row without a kind", "r\0\0\0\0\0"),
		ROW("text without a name", "s\0\0\0\0\1a"),
		ROW("octets without a name", "b\0\0\0\0\1a"),
		ROW("number of 7 octets", "u\1\0\0\0\7a\0\0\0\0\0\0\0"),
		ROW("number of 9 octets", "u\1\0\0\0\11a\0\0\0\0\0\0\0\0\0"),
		ROW("zero octet in text", "s\1\0\0\0\3aa\0b"),
		ROW("value longer than what is there", "s\1\0\0\0\2aa"),
		ROW("length of 4 GiB", "s\1\377\377\377\377aa"),
		ROW("one octet", "s"),
	};
	static const char trailing[] = "s\1\0\0\0\1aab";
	struct wire_reader r;
	struct control_field f;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		wire_reader_init(&r, rows[i].octets, rows[i].len);
		if (control_next(&r, &f) || !r.bad)
			fail_msg("accepted: %s", rows[i].what);
	}
	wire_reader_init(&r, trailing, 9); /* a byte after a good field */
	assert_true(control_next(&r, &f));
	assert_false(control_next(&r, &f));
	assert_true(r.bad);
	assert_ptr_equal(r.at, trailing + 8);
}

static void
growth_limit(void **state)
{
	struct control_buf b = { 0 };
	uint8_t out[CONTROL_REPLY_HEADER];
	char *big = calloc(1, CONTROL_MAX + 1);
	size_t fields = CONTROL_MAX - CONTROL_REPLY_HEADER, before;

	assert_non_null(big);
	control_octets(&b, "x", big, fields - 7);
	assert_false(b.bad);
	assert_int_equal(b.len, fields);
	assert_true(control_reply_header(out, 0, b.len));
	before = b.len;
	control_octets(&b, "y", "", 0);
	assert_true(b.bad);
	assert_int_equal(b.len, before);
	control_buf_free(&b);

	control_octets(&b, "x", big, CONTROL_MAX);
	assert_true(b.bad);
	control_text(&b, "later", "too late"); /* the first error sticks */
	assert_true(b.bad);
	assert_int_equal(b.len, 0);
	control_buf_free(&b);

	memset(big, 'n', 256); /* a name's length is one byte */
	big[256] = '\0';
	control_text(&b, big, "value");
	assert_true(b.bad);
	control_buf_free(&b);
	big[255] = '\0';
	control_text(&b, big, "value");
	assert_false(b.bad);
	control_buf_free(&b);
	assert_false(control_reply_header(out, 0, CONTROL_MAX));
	free(big);
}

static void
request_framing(void **state)
{
	static const uint8_t request[] = "\0\0\0\13\0\5s\1\0\0\0\2kab";
	size_t len = sizeof(request) - 1, cut;
	struct wire_reader args;
	struct control_field f;
	uint16_t verb = 0;

	for (cut = 0; cut < len; cut++)
		assert_int_equal(control_request_parse(request, cut, &verb, &args), 0);
	assert_int_equal(control_request_parse(request, len, &verb, &args), 1);
	assert_int_equal(verb, CONTROL_KEY_REQUEST);
	assert_true(control_next(&args, &f));
	assert_true(control_field_is(&f, 's', "k"));
	assert_false(control_next(&args, &f));
	assert_false(args.bad);
	assert_int_equal(control_request_parse(request, len + 1, &verb, &args), -1); /* trailing */
	assert_int_equal(control_request_parse("\0\0\0\1\0\5", 6, &verb, &args), -1);
	assert_int_equal(control_request_parse("\0\0\0\0", 4, &verb, &args), -1);
	assert_int_equal(control_request_parse("\0\20\0\1", 4, &verb, &args), -1);
	assert_int_equal(control_request_parse("\0\20\0\0", 4, &verb, &args), 0);
	assert_int_equal(control_request_parse("\377\377\377\377", 4, &verb, &args), -1);
	assert_int_equal(control_request_parse("\0\0\0\2\0\1", 6, &verb, &args), 1);
	assert_true(args.at == args.end);
}

static void
reply_framing(void **state)
{
	static const uint8_t reply[] = "\0\0\0\15\0\0\0\7s\1\0\0\0\2kab";
	size_t len = sizeof(reply) - 1, cut;
	uint8_t head[CONTROL_REQUEST_HEADER];
	struct wire_reader rows;
	struct control_field f;
	uint32_t status = 0;

	for (cut = 0; cut < len; cut++)
		assert_int_equal(control_reply_parse(reply, cut, &status, &rows), 0);
	assert_int_equal(control_reply_parse(reply, len, &status, &rows), 1);
	assert_int_equal(status, 7);
	assert_true(control_next(&rows, &f));
	assert_true(control_field_is(&f, 's', "k"));
	assert_false(control_next(&rows, &f));
	assert_false(rows.bad);
	assert_int_equal(control_reply_parse(reply, len + 1, &status, &rows), -1); /* trailing */
	assert_int_equal(control_reply_parse("\0\0\0\3\0\0\0", 7, &status, &rows), -1);
	assert_int_equal(control_reply_parse("\0\0\0\0", 4, &status, &rows), -1);
	assert_int_equal(control_reply_parse("\0\20\0\1", 4, &status, &rows), -1);
	assert_int_equal(control_reply_parse("\0\20\0\0", 4, &status, &rows), 0);
	assert_int_equal(control_reply_parse("\0\0\0\4\0\0\0\1", 8, &status, &rows), 1);
	assert_true(rows.at == rows.end);
	control_request_header(head, CONTROL_KEY_REQUEST, 9);
	assert_memory_equal(head, "\0\0\0\13\0\5", sizeof(head));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(octets),
		cmocka_unit_test(truncation),
		cmocka_unit_test(malformed),
		cmocka_unit_test(growth_limit),
		cmocka_unit_test(request_framing),
		cmocka_unit_test(reply_framing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
