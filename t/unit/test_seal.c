/*
 * test_seal.c - both ends agree on keys, and nothing of a sealed frame can be
 * changed, cut, lengthened or turned round.
 */
#include <sodium.h>

#include "libkms/core/frame.h"
#include "libkms/core/seal.h"
#include "t/unit/core_test.h"

struct ends {
	uint8_t client_pk[32], client_sk[32], host_pk[32], host_sk[32], host_id[16], key_id[8];
	struct seal_keys client, host;
};

static const uint8_t text[] = "a request text of some length";

static int
make_ends(void **state)
{
	static struct ends e;

	crypto_kx_keypair(e.client_pk, e.client_sk);
	crypto_kx_keypair(e.host_pk, e.host_sk);
	memset(e.host_id, 0x42, sizeof(e.host_id));
	memset(e.key_id, 0x43, sizeof(e.key_id));
	assert_int_equal(seal_client_keys(&e.client, e.client_pk, e.client_sk, e.host_pk), KMS_OK);
	assert_int_equal(seal_host_keys(&e.host, e.host_pk, e.host_sk, e.client_pk), KMS_OK);
	*state = &e;
	return 0;
}

static void
test_keys(void **state)
{
	struct ends *e = *state;
	uint8_t zero[32] = { 0 };
	struct seal_keys k;

	assert_memory_equal(e->client.to_host, e->host.to_host, 32);
	assert_memory_equal(e->client.to_client, e->host.to_client, 32);
	assert_memory_not_equal(e->client.to_client, e->host.to_host, 32);
	assert_int_equal(seal_host_keys(&k, e->host_pk, e->host_sk, zero), KMS_E_FORMAT);
	assert_int_equal(seal_client_keys(&k, e->client_pk, e->client_sk, zero), KMS_E_FORMAT);
}

static void
test_request(void **state)
{
	struct ends *e = *state;
	uint8_t frame[FRAME_HEADER + FRAME_MAX_REQUEST], out[64];
	struct seal_request_view v;
	size_t len, n = seal_request(frame, sizeof(frame), &e->client, e->host_id, e->key_id,
			e->client_pk, NULL, text, sizeof(text));

	assert_int_equal(n, FRAME_HEADER + SEAL_REQUEST_OVERHEAD + sizeof(text));
	assert_int_equal(seal_request_parse(&v, frame, n), KMS_OK);
	assert_memory_equal(v.host_id, e->host_id, 16);
	assert_memory_equal(v.key_id, e->key_id, 8);
	assert_memory_equal(v.client_pk, e->client_pk, 32);
	assert_ptr_equal(v.sealed + v.sealed_len, frame + n);
	assert_int_equal(seal_open_request(out, sizeof(out), &len, &e->host, frame, n), KMS_OK);
	assert_int_equal(len, sizeof(text));
	assert_memory_equal(out, text, sizeof(text));
	assert_int_equal(
	    seal_open_request(out, sizeof(text) - 1, &len, &e->host, frame, n), KMS_E_TOO_LARGE);
	assert_int_equal(len, 0);
}

typedef int (*open_fn)(uint8_t *out, size_t size, size_t *len, const struct seal_keys *keys,
    const uint8_t *frame, size_t frame_len);

/* A copy of its exact size, for sanitizers. */
static int
open_exact(open_fn fn, const struct seal_keys *keys, const uint8_t *frame, size_t len)
{
	uint8_t out[128], *copy = malloc(len + (len == 0));
	size_t got;
	int rc;

	assert_non_null(copy);
	memcpy(copy, frame, len);
	rc = fn(out, sizeof(out), &got, keys, copy, len);
	free(copy);
	return rc;
}

/* Every bit, every cut, one byte more. Only the header's own errors may come before BAD_SEAL. */
static void
check_tampering(open_fn fn, const struct seal_keys *keys, uint8_t *frame, size_t n)
{
	for (size_t i = 0; i < 8 * n; i++) {
		int rc;

		frame[i / 8] ^= (uint8_t)(1 << i % 8);
		rc = open_exact(fn, keys, frame, n);
		frame[i / 8] ^= (uint8_t)(1 << i % 8);
		if (i / 8 >= FRAME_HEADER)
			assert_int_equal(rc, KMS_E_BAD_SEAL);
		else
			assert_int_not_equal(rc, KMS_OK);
	}
	for (size_t i = 0; i < n; i++)
		assert_int_equal(open_exact(fn, keys, frame, i), KMS_E_TRUNCATED);
	frame[n] = 0;
	assert_int_equal(open_exact(fn, keys, frame, n + 1), KMS_E_TRAILING);
	assert_int_equal(open_exact(fn, keys, frame, n), KMS_OK);
}

static void
test_request_tampering(void **state)
{
	struct ends *e = *state;
	uint8_t frame[FRAME_HEADER + FRAME_MAX_REQUEST];
	size_t n = seal_request(frame, sizeof(frame), &e->client, e->host_id, e->key_id,
	    e->client_pk, NULL, text, sizeof(text));

	check_tampering(seal_open_request, &e->host, frame, n);
}

static void
test_reply_tampering(void **state)
{
	struct ends *e = *state;
	uint8_t frame[256];
	size_t n = seal_reply(frame, sizeof(frame), &e->host, NULL, text, sizeof(text));

	assert_int_equal(n, FRAME_HEADER + SEAL_REPLY_OVERHEAD + sizeof(text));
	check_tampering(seal_open_reply, &e->client, frame, n);
}

/* A request is no reply, not even for a holder of both keys. */
static void
test_directions(void **state)
{
	struct ends *e = *state;
	struct seal_keys turned;
	uint8_t frame[256];
	size_t n = seal_reply(frame, sizeof(frame), &e->host, NULL, text, sizeof(text));

	assert_int_equal(open_exact(seal_open_request, &e->host, frame, n), KMS_E_BAD_FRAME);
	memcpy(turned.to_client, e->host.to_host, 32);
	memcpy(turned.to_host, e->host.to_client, 32);
	assert_int_equal(open_exact(seal_open_reply, &turned, frame, n), KMS_E_BAD_SEAL);
}

static void
test_limits(void **state)
{
	static uint8_t big[FRAME_MAX_REPLY + 1], frame[FRAME_HEADER + FRAME_MAX_REPLY + 1];
	struct ends *e = *state;
	size_t request = FRAME_MAX_REQUEST - SEAL_REQUEST_OVERHEAD;
	size_t reply = FRAME_MAX_REPLY - SEAL_REPLY_OVERHEAD;

	assert_int_equal(seal_request(frame, sizeof(frame), &e->client, e->host_id, e->key_id,
			     e->client_pk, NULL, big, request),
	    FRAME_HEADER + FRAME_MAX_REQUEST);
	assert_int_equal(seal_request(frame, sizeof(frame), &e->client, e->host_id, e->key_id,
			     e->client_pk, NULL, big, request + 1),
	    0);
	assert_int_equal(seal_request(frame, FRAME_HEADER + FRAME_MAX_REQUEST - 1, &e->client,
			     e->host_id, e->key_id, e->client_pk, NULL, big, request),
	    0);
	assert_int_equal(seal_reply(frame, sizeof(frame), &e->host, NULL, big, reply),
	    FRAME_HEADER + FRAME_MAX_REPLY);
	assert_int_equal(seal_reply(frame, sizeof(frame), &e->host, NULL, big, reply + 1), 0);
	assert_int_equal(seal_reply(frame, sizeof(frame), &e->host, NULL, big, SIZE_MAX), 0);
	assert_int_equal(seal_reply(frame, 51, &e->host, NULL, big, 0), 0);
	assert_int_equal(seal_reply(frame, 52, &e->host, NULL, big, 0), 52);
}

/* Too short for host id, key, nonce and tag, though the header agrees. */
static void
test_short_payload(void **state)
{
	struct ends *e = *state;
	uint8_t frame[FRAME_HEADER + SEAL_REQUEST_OVERHEAD] = { 0 };
	struct seal_request_view v;

	for (uint32_t n = 0; n < SEAL_REQUEST_OVERHEAD; n++) {
		frame_encode(frame, FRAME_REQUEST, n);
		assert_int_equal(seal_request_parse(&v, frame, FRAME_HEADER + n), KMS_E_TRUNCATED);
		assert_int_equal(open_exact(seal_open_request, &e->host, frame, FRAME_HEADER + n),
		    KMS_E_TRUNCATED);
	}
	frame_encode(frame, FRAME_REQUEST, SEAL_REQUEST_OVERHEAD);
	assert_int_equal(
	    open_exact(seal_open_request, &e->host, frame, sizeof(frame)), KMS_E_BAD_SEAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_request_tampering),
		cmocka_unit_test(test_reply_tampering),
		cmocka_unit_test(test_directions),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_short_payload),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("seal", tests, make_ends, NULL);
}
