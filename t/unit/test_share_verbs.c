/*
 * test_share_verbs.c - what activation and kmsd-share may say to each other: each verb there and
 * back, everything that neither may say, beats, and credits.
 */
#include "kmsd/ipc/share_verbs.h"
#include "t/unit/core_test.h"

static const uint8_t own[16] = { 1, 2, 3 };
static uint8_t many[SHARE_OCTETS + 1];

#define OWN                                                                                        \
	{                                                                                          \
		1, 2, 3                                                                            \
	}

static const struct {
	enum share_end from;
	struct share_message m;
} good[] = {
	{ SHARE_BY_ACTIVATE,
	    { SHARE_WELCOME, 0, OWN, 0, SHARE_VERSION, (const uint8_t *)"site-1", 6 } },
	{ SHARE_BY_ACTIVATE, { SHARE_STORE, 7, OWN, 1, 0, many, SHARE_PARCEL } },
	{ SHARE_BY_ACTIVATE, { SHARE_BEAT, 7, OWN, 0, 0, many, SHARE_BEAT_MAX } },
	{ SHARE_BY_ACTIVATE, { SHARE_FETCH, 7, OWN, UINT64_MAX, SHARE_UP_TO, NULL, 0 } },
	{ SHARE_BY_ACTIVATE, { SHARE_PRUNE, UINT64_MAX, OWN, 9, 0, NULL, 0 } },
	{ SHARE_BY_SHARE, { SHARE_READY, 0, { 0 }, 255, SHARE_VERSION, NULL, 0 } },
	{ SHARE_BY_SHARE, { SHARE_STORED, 7, OWN, 1, 0, NULL, 0 } },
	{ SHARE_BY_SHARE, { SHARE_TAKEN, 7, OWN, 1, 0, many, SHARE_PARCEL } },
	{ SHARE_BY_SHARE, { SHARE_TAKEN, 7, OWN, 1, 0, NULL, 0 } },
	{ SHARE_BY_SHARE, { SHARE_PARCEL_IS, 7, OWN, 5, 0, many, 1 } },
	{ SHARE_BY_SHARE, { SHARE_PARCEL_IS, 7, OWN, 0, 0, NULL, 0 } },
	{ SHARE_BY_SHARE, { SHARE_BEATS_ARE, 7, { 0 }, 0, 0, many, SHARE_BEATS } },
	{ SHARE_BY_SHARE, { SHARE_PRUNED, 7, OWN, 0, 0, NULL, 0 } },
	{ SHARE_BY_SHARE, { SHARE_FAILED, 7, OWN, 0, KMS_E_TIMEOUT, NULL, 0 } },
	{ SHARE_BY_SHARE, { SHARE_LINK, 0, { 0 }, UINT64_MAX, KMS_OK, NULL, 0 } },
	{ SHARE_BY_SHARE, { SHARE_LINK, 0, { 0 }, 0, KMS_E_TIMEOUT, NULL, 0 } },
};

static void
test_there_and_back(void **ignored)
{
	static uint8_t body[SHARE_BODY];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const struct share_message *m = &good[i].m;
		struct share_message again;
		struct ipc_frame f;

		assert_int_equal(share_encode(&f, body, m, good[i].from), KMS_OK);
		if (m->len > 0)
			memcpy(body + SHARE_FIXED, m->octets, m->len);
		assert_int_equal(f.length, SHARE_FIXED + m->len);
		assert_int_equal(share_decode(&again, &f, body, good[i].from), KMS_OK);
		assert_int_equal(again.verb, m->verb);
		assert_true(again.token == m->token && again.number == m->number);
		assert_int_equal(again.value, m->value);
		assert_memory_equal(again.host, m->host, 16);
		assert_int_equal(again.len, m->len);
		if (m->len > 0)
			assert_memory_equal(again.octets, m->octets, m->len);
		/* The other end may not say it. */
		assert_int_equal(share_decode(&again, &f, body, !good[i].from), KMS_E_FORMAT);
		assert_int_equal(share_encode(&f, body, m, !good[i].from), KMS_E_ARGUMENT);
	}
}

/* The layout, byte by byte. */
static void
test_layout(void **ignored)
{
	static const uint8_t body[] = { 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 1 };
	const struct share_message m = { SHARE_FETCH, 5, OWN, 0x102, SHARE_UP_TO, NULL, 0 };
	uint8_t fixed[SHARE_FIXED];
	struct ipc_frame f;

	assert_int_equal(share_encode(&f, fixed, &m, SHARE_BY_ACTIVATE), KMS_OK);
	assert_memory_equal(fixed, body, sizeof(body));
	assert_int_equal(f.verb, 67);
	assert_true(f.token == 5);
	assert_memory_equal(f.address, own, 16);
	assert_int_equal(f.port, 0);
	assert_int_equal(f.flags, 0);
}

static const struct {
	const char *what;
	struct share_message m;
	enum share_end from;
	int status;
} bad[] = {
	{ "no verb", { .verb = 0 }, SHARE_BY_ACTIVATE, KMS_E_FORMAT },
	{ "no such verb", { .verb = 69, .token = 1 }, SHARE_BY_ACTIVATE, KMS_E_FORMAT },
	{ "a verb of the fronts", { .verb = IPC_REPLY, .token = 1 }, SHARE_BY_SHARE, KMS_E_FORMAT },
	{ "a request without a number", { SHARE_PRUNE, 0, OWN, 1, 0, NULL, 0 }, SHARE_BY_ACTIVATE,
	    KMS_E_FORMAT },
	{ "WELCOME with a number", { SHARE_WELCOME, 1, OWN, 0, 1, (const uint8_t *)"a", 1 },
	    SHARE_BY_ACTIVATE, KMS_E_FORMAT },
	{ "a share without a name", { SHARE_WELCOME, 0, OWN, 0, 1, NULL, 0 }, SHARE_BY_ACTIVATE,
	    KMS_E_TRUNCATED },
	{ "a name with a slash", { SHARE_WELCOME, 0, OWN, 0, 1, (const uint8_t *)"a/b", 3 },
	    SHARE_BY_ACTIVATE, KMS_E_FORMAT },
	{ "a name with a zero", { SHARE_WELCOME, 0, OWN, 0, 1, (const uint8_t *)"a\0b", 3 },
	    SHARE_BY_ACTIVATE, KMS_E_FORMAT },
	{ "a long name", { SHARE_WELCOME, 0, OWN, 0, 1, many, SHARE_NAME + 1 }, SHARE_BY_ACTIVATE,
	    KMS_E_TOO_LARGE },
	{ "STORE of batch 0", { SHARE_STORE, 1, OWN, 0, 0, many, 1 }, SHARE_BY_ACTIVATE,
	    KMS_E_FORMAT },
	{ "STORE of nothing", { SHARE_STORE, 1, OWN, 1, 0, NULL, 0 }, SHARE_BY_ACTIVATE,
	    KMS_E_TRUNCATED },
	{ "STORE of too much", { SHARE_STORE, 1, OWN, 1, 0, many, SHARE_PARCEL + 1 },
	    SHARE_BY_ACTIVATE, KMS_E_TOO_LARGE },
	{ "STORE with a value", { SHARE_STORE, 1, OWN, 1, 1, many, 1 }, SHARE_BY_ACTIVATE,
	    KMS_E_FORMAT },
	{ "a long beat", { SHARE_BEAT, 1, OWN, 0, 0, many, SHARE_BEAT_MAX + 1 }, SHARE_BY_ACTIVATE,
	    KMS_E_TOO_LARGE },
	{ "a beat of a batch", { SHARE_BEAT, 1, OWN, 1, 0, many, 1 }, SHARE_BY_ACTIVATE,
	    KMS_E_FORMAT },
	{ "FETCH of what", { SHARE_FETCH, 1, OWN, 1, 2, NULL, 0 }, SHARE_BY_ACTIVATE,
	    KMS_E_FORMAT },
	{ "FETCH with more", { SHARE_FETCH, 1, OWN, 1, 0, many, 1 }, SHARE_BY_ACTIVATE,
	    KMS_E_TOO_LARGE },
	{ "STORED with more", { SHARE_STORED, 1, OWN, 1, 0, many, 1 }, SHARE_BY_SHARE,
	    KMS_E_TOO_LARGE },
	{ "a parcel without a batch", { SHARE_PARCEL_IS, 1, OWN, 0, 0, many, 1 }, SHARE_BY_SHARE,
	    KMS_E_FORMAT },
	{ "a batch without a parcel", { SHARE_PARCEL_IS, 1, OWN, 1, 0, NULL, 0 }, SHARE_BY_SHARE,
	    KMS_E_FORMAT },
	{ "BEATS of one host", { SHARE_BEATS_ARE, 1, OWN, 0, 0, NULL, 0 }, SHARE_BY_SHARE,
	    KMS_E_FORMAT },
	{ "too many beats", { SHARE_BEATS_ARE, 1, { 0 }, 0, 0, many, SHARE_BEATS + 1 },
	    SHARE_BY_SHARE, KMS_E_TOO_LARGE },
	{ "FAILED with success", { SHARE_FAILED, 1, OWN, 0, KMS_OK, NULL, 0 }, SHARE_BY_SHARE,
	    KMS_E_FORMAT },
	{ "LINK as an answer", { SHARE_LINK, 1, { 0 }, 0, 0, NULL, 0 }, SHARE_BY_SHARE,
	    KMS_E_FORMAT },
};

static void
test_bad(void **ignored)
{
	static uint8_t body[SHARE_BODY + 1];

	memset(many, 'a', sizeof(many));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct share_message *m = &bad[i].m;
		struct ipc_frame f = {
			.verb = m->verb, .token = m->token, .length = SHARE_FIXED + m->len
		};
		struct wire_writer w;
		struct share_message got;
		int rc;

		memcpy(f.address, m->host, 16);
		wire_writer_init(&w, body, sizeof(body));
		wire_put_u64(&w, m->number);
		wire_put_u32(&w, m->value);
		wire_put(&w, m->octets, m->len);
		rc = share_decode(&got, &f, body, bad[i].from);
		if (rc != bad[i].status)
			fail_msg("%s: %d", bad[i].what, rc);
		assert_int_equal(share_encode(&f, body, m, bad[i].from), KMS_E_ARGUMENT);
	}
}

static void
test_bad_headers(void **ignored)
{
	static const uint8_t body[SHARE_FIXED] = { 0, 0, 0, 0, 0, 0, 0, 1 };
	struct ipc_frame f = { .verb = SHARE_PRUNE, .token = 1, .address = { 1 } };
	struct share_message m;

	for (f.length = 0; f.length < SHARE_FIXED; f.length++)
		assert_int_equal(share_decode(&m, &f, body, SHARE_BY_ACTIVATE), KMS_E_TRUNCATED);
	assert_int_equal(share_decode(&m, &f, body, SHARE_BY_ACTIVATE), KMS_OK);
	f.flags = IPC_CLOSE;
	assert_int_equal(share_decode(&m, &f, body, SHARE_BY_ACTIVATE), KMS_E_FORMAT);
	f.flags = 0;
	f.port = 1;
	assert_int_equal(share_decode(&m, &f, body, SHARE_BY_ACTIVATE), KMS_E_FORMAT);
}

static void
test_beats(void **ignored)
{
	static uint8_t out[SHARE_BEATS], beat[SHARE_BEAT_MAX + 1];
	struct share_beats b = { .out = out };
	struct wire_reader r;
	const uint8_t *octets;
	uint8_t host[16] = { 0 };
	size_t len;

	assert_int_equal(share_beats_add(&b, host, beat, 0), KMS_E_TOO_LARGE);
	assert_int_equal(share_beats_add(&b, host, beat, SHARE_BEAT_MAX + 1), KMS_E_TOO_LARGE);
	for (unsigned i = 0; i < SHARE_MEMBERS; i++) {
		host[0] = (uint8_t)i;
		memset(beat, (int)i, sizeof(beat));
		assert_int_equal(share_beats_add(&b, host, beat, SHARE_BEAT_MAX - i), KMS_OK);
	}
	assert_int_equal(share_beats_add(&b, host, beat, 1), KMS_E_TOO_LARGE);
	wire_reader_init(&r, out, b.len);
	for (unsigned i = 0; i < SHARE_MEMBERS; i++) {
		assert_int_equal(share_beats_next(&r, host, &octets, &len), KMS_OK);
		assert_int_equal(host[0], i);
		assert_int_equal(len, SHARE_BEAT_MAX - i);
		assert_int_equal(octets[len - 1], i);
	}
	assert_int_equal(share_beats_next(&r, host, &octets, &len), KMS_E_NOT_FOUND);
	/* Cut off, in the head and in the octets; one of nothing. */
	for (size_t cut = 1; cut < 60; cut++) {
		wire_reader_init(&r, out, cut);
		assert_int_equal(share_beats_next(&r, host, &octets, &len), KMS_E_FORMAT);
	}
	memset(out, 0, SHARE_BEAT_HEAD);
	wire_reader_init(&r, out, SHARE_BEAT_HEAD);
	assert_int_equal(share_beats_next(&r, host, &octets, &len), KMS_E_FORMAT);
}

static void
test_credits(void **ignored)
{
	struct share_requests r = { 0 };
	struct share_message m = { SHARE_STORE, 1, OWN, 5, 0, many, 1 };
	struct share_message stored = { SHARE_STORED, 1, OWN, 5, 0, NULL, 0 };
	struct share_message link = { SHARE_LINK, 0, { 0 }, 0, 0, NULL, 0 };
	struct share_message other;

	assert_int_equal(share_answered(&r, &stored), KMS_E_FORMAT);
	assert_int_equal(share_answered(&r, &link), KMS_OK);
	assert_int_equal(share_answered(&r, &m), KMS_E_FORMAT);
	for (m.token = 1; m.token <= SHARE_REQUESTS; m.token++)
		assert_int_equal(share_asked(&r, &m), KMS_OK);
	assert_int_equal(share_unanswered(&r), SHARE_REQUESTS);
	assert_int_equal(share_asked(&r, &m), KMS_E_LIMIT);
	m.token = 3;
	assert_int_equal(share_asked(&r, &m), KMS_E_EXISTS);
	/* Another verb's answer, another batch, another host, another request. */
	other = stored;
	other.verb = SHARE_PRUNED;
	assert_int_equal(share_answered(&r, &other), KMS_E_FORMAT);
	other = stored;
	other.number = 6;
	assert_int_equal(share_answered(&r, &other), KMS_E_FORMAT);
	other = stored;
	other.host[15] = 1;
	assert_int_equal(share_answered(&r, &other), KMS_E_FORMAT);
	other = stored;
	other.token = 99;
	assert_int_equal(share_answered(&r, &other), KMS_E_FORMAT);
	/* Once, and the credit is back. */
	assert_int_equal(share_answered(&r, &stored), KMS_OK);
	assert_int_equal(share_answered(&r, &stored), KMS_E_FORMAT);
	assert_int_equal(share_unanswered(&r), SHARE_REQUESTS - 1);
	m.token = 99;
	assert_int_equal(share_asked(&r, &m), KMS_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_beats),
		cmocka_unit_test(test_credits),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
