/*
 * test_frame.c - the outer frame and the ERROR payload.
 */
#include "libkms/core/frame.h"
#include "t/unit/core_test.h"

static const uint8_t good[FRAME_HEADER] = { 'K', 'M', 'S', 'D', 2, FRAME_REQUEST, 0, 0, 0, 0, 4,
	0 };

static int
decode(const uint8_t *in, size_t len)
{
	struct frame f;

	(void)len;
	return frame_decode(&f, in, FRAME_MAX_REQUEST);
}

static void
test_good(void **state)
{
	uint8_t again[FRAME_HEADER];
	struct frame f;

	for (int type = FRAME_HELLO; type <= FRAME_ERROR; type++) {
		frame_encode(again, (enum frame_type)type, 1024);
		assert_int_equal(frame_decode(&f, again, 1024), KMS_OK);
		assert_int_equal(f.version, FRAME_VERSION);
		assert_int_equal(f.type, type);
		assert_int_equal(f.flags, 0);
		assert_int_equal(f.length, 1024);
	}
	frame_encode(again, FRAME_REQUEST, 1024);
	assert_memory_equal(again, good, FRAME_HEADER);
	(void)state;
}

static void
test_bad(void **state)
{
	static const struct bad_field rows[] = {
		{ "magic 0", 0, 'k', 1, KMS_E_BAD_FRAME },
		{ "magic 1", 1, 0, 1, KMS_E_BAD_FRAME },
		{ "magic 2", 2, 0, 1, KMS_E_BAD_FRAME },
		{ "magic 3", 3, 'd', 1, KMS_E_BAD_FRAME },
		{ "DCE/RPC", 0, 0x0500, 2, KMS_E_BAD_FRAME },
		{ "version 0", 4, 0, 1, KMS_E_BAD_VERSION },
		{ "version 1", 4, 1, 1, KMS_E_BAD_VERSION },
		{ "version 3", 4, 3, 1, KMS_E_BAD_VERSION },
		{ "version 3 with anything", 4, 0x03ffffffffffffff, 8, KMS_E_BAD_VERSION },
		{ "version 1 of an ERROR", 4, 0x0105, 2, KMS_OK },
		{ "type 0", 5, 0, 1, KMS_E_BAD_FRAME },
		{ "type 6", 5, 6, 1, KMS_E_BAD_FRAME },
		{ "type 255", 5, 255, 1, KMS_E_BAD_FRAME },
		{ "flag, low", 6, 1, 2, KMS_E_BAD_FRAME },
		{ "flag, high", 6, 0x8000, 2, KMS_E_BAD_FRAME },
		{ "one too long", 8, 1025, 4, KMS_E_TOO_LARGE },
		{ "longest", 8, UINT32_MAX, 4, KMS_E_TOO_LARGE },
		{ "empty", 8, 0, 4, KMS_OK },
	};

	check_bad_fields(decode, good, sizeof(good), rows, COUNT(rows));
	(void)state;
}

/* The front answers in words about a frame it refuses. */
static void
test_filled_when_refused(void **state)
{
	uint8_t in[FRAME_HEADER];
	struct frame f;

	memcpy(in, good, sizeof(in));
	in[4] = 9;
	in[7] = 1;
	assert_int_equal(frame_decode(&f, in, 0), KMS_E_BAD_VERSION);
	assert_int_equal(f.version, 9);
	assert_int_equal(f.type, FRAME_REQUEST);
	assert_int_equal(f.flags, 1);
	assert_int_equal(f.length, 1024);
	in[0] = 5;
	assert_int_equal(frame_decode(&f, in, 0), KMS_E_BAD_FRAME);
	assert_int_equal(f.length, 0);
	(void)state;
}

static int
decode_error(const uint8_t *in, size_t len)
{
	struct frame_error e;

	return frame_error_decode(&e, in, len);
}

static void
test_error(void **state)
{
	const struct frame_error in = {
		.status = KMS_E_OVERLOAD, .retry_after = 15, .time = 0x0102030405060708
	};
	uint8_t frame[FRAME_ERROR_SIZE + 1] = { 0 };
	struct frame_error out;
	struct frame f;

	frame_error_encode(frame, &in);
	assert_int_equal(frame_decode(&f, frame, FRAME_MAX_REPLY), KMS_OK);
	assert_int_equal(f.type, FRAME_ERROR);
	assert_int_equal(f.length, FRAME_ERROR_PAYLOAD);
	assert_int_equal(frame_error_decode(&out, frame + FRAME_HEADER, 16), KMS_OK);
	assert_int_equal(out.status, in.status);
	assert_int_equal(out.retry_after, 15);
	assert_true(out.time == in.time);
	/* Of any version: every client can read it. */
	for (unsigned version = 1; version < 256; version++) {
		struct frame_error of = in;

		of.version = (uint8_t)version;
		frame_error_encode(frame, &of);
		assert_int_equal(frame[FRAME_VERSION_AT], version);
		assert_int_equal(frame_decode(&f, frame, FRAME_MAX_REPLY), KMS_OK);
	}
	check_truncations(decode_error, frame + FRAME_HEADER, 16);
	assert_int_equal(decode_exact(decode_error, frame + FRAME_HEADER, 17), KMS_E_TRAILING);
	(void)state;
}

static void
test_downgrade(void **state)
{
	static const struct {
		uint8_t used, client, host;
		bool downgraded;
	} rows[] = { { 2, 2, 2, false }, { 2, 3, 2, false }, { 2, 2, 3, false }, { 2, 3, 3, true },
		{ 3, 3, 3, false }, { 2, 9, 3, true }, { 3, 4, 9, true } };

	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(frame_downgraded(rows[i].used, rows[i].client, rows[i].host),
		    rows[i].downgraded);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_filled_when_refused),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_downgrade),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
