/*
 * test_authenticate.c - a REQUEST frame is believed only when every byte of it
 * is what its client sealed for this host; only then does the client enter the cache.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kmsd/activate/authenticate.h"
#include "libkms/core/frame.h"
#include "libkms/kms_error.h"

#define FRAME_SIZE (FRAME_HEADER + SEAL_REQUEST_OVERHEAD + MESSAGE_REQUEST_TEXT)

struct world {
	char path[64];
	int fd;
	struct host_identity *key;
	struct exchange_keys *exchange;
	uint64_t now;
	struct session_keys *cache;
	uint8_t pk[32], sk[32];
	struct seal_keys keys;
	uint8_t frame[FRAME_MAX_REQUEST + FRAME_HEADER];
	size_t len;
};

static struct message_request
request(void)
{
	struct message_request m = {
		.operation = MESSAGE_ACTIVATE,
		.time = 1000,
		.sequence = 9,
		.salt = { 1 },
		.highest_version = 2,
		.name = "client",
	};

	memset(m.request_id, 0xab, sizeof(m.request_id));
	return m;
}

static void
seal_text(struct world *w, const uint8_t *text, size_t len)
{
	w->len = seal_request(w->frame, sizeof(w->frame), &w->keys, host_identity_id(w->key),
	    exchange_keys_newest(w->exchange)->key_id, w->pk, NULL, text, len);
	assert_true(w->len > 0);
}

static int
set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct message_request m = request();
	uint8_t text[MESSAGE_REQUEST_TEXT];
	const struct secrets no_secrets = { 0 };
	char why[256] = "";
	bool made;

	strcpy(w->path, "/tmp/test_authenticate.XXXXXX");
	if (mkdtemp(w->path) == NULL || (w->fd = open(w->path, O_RDONLY | O_DIRECTORY)) < 0)
		return -1;
	assert_int_equal(host_identity_open(&w->key, w->fd, 1, &no_secrets, &made, why), KMS_OK);
	w->now = 1000;
	assert_int_equal(exchange_keys_open(&w->exchange, w->key, w->fd, w->now, 7), KMS_OK);
	w->cache = session_keys_new(8);
	crypto_kx_keypair(w->pk, w->sk);
	assert_int_equal(
	    seal_client_keys(&w->keys, w->pk, w->sk, exchange_keys_newest(w->exchange)->pk),
	    KMS_OK);
	assert_int_equal(message_request_encode(text, sizeof(text), &m), sizeof(text));
	seal_text(w, text, sizeof(text));
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	session_keys_free(w->cache);
	exchange_keys_free(w->exchange);
	host_identity_free(w->key);
	unlinkat(w->fd, "keys/exchange.key", 0);
	unlinkat(w->fd, "keys/host.key", 0);
	unlinkat(w->fd, "keys", AT_REMOVEDIR);
	close(w->fd);
	assert_int_equal(rmdir(w->path), 0);
	free(w);
	return 0;
}

static int
ask(struct world *w, struct authenticated *out, size_t len)
{
	struct seal_request_view view;
	int rc = authenticate_parse(&view, w->frame, len);

	memset(out, 0, sizeof(*out));
	return rc == KMS_OK ? authenticate(out, host_identity_id(w->key), w->exchange, w->cache,
				  &view, w->now)
			    : rc;
}

static size_t
cached(struct world *w)
{
	struct session_keys_info info;

	session_keys_info(w->cache, &info);
	return info.entries;
}

static void
test_twice(void **state)
{
	struct world *w = *state;
	struct authenticated a;
	struct session_keys_info info;
	uint8_t cmid[16];

	seal_cmid(cmid, w->pk);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ask(w, &a, w->len), KMS_OK);
		assert_int_equal(a.request.sequence, 9);
		assert_string_equal(a.request.name, "client");
		assert_memory_equal(a.session.cmid, cmid, 16);
		assert_memory_equal(&a.session.keys, &w->keys, sizeof(w->keys));
	}
	session_keys_info(w->cache, &info);
	assert_int_equal(info.entries, 1);
	assert_int_equal(info.hits, 1);
}

static void
test_every_bit(void **state)
{
	struct world *w = *state;
	struct authenticated a;

	for (size_t i = 0; i < w->len * 8; i++) {
		w->frame[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_not_equal(ask(w, &a, w->len), KMS_OK);
		w->frame[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	assert_int_equal(cached(w), 0);
	assert_int_equal(ask(w, &a, w->len), KMS_OK);
}

/* The same with the client's keys in the cache, where the path is another. */
static void
test_every_bit_cached(void **state)
{
	struct world *w = *state;
	struct authenticated a;

	assert_int_equal(ask(w, &a, w->len), KMS_OK);
	for (size_t i = 0; i < w->len * 8; i++) {
		w->frame[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_not_equal(ask(w, &a, w->len), KMS_OK);
		w->frame[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	assert_int_equal(cached(w), 1);
}

static void
test_lengths(void **state)
{
	struct world *w = *state;
	struct authenticated a;

	for (size_t len = 0; len < w->len; len++)
		assert_int_equal(ask(w, &a, len), KMS_E_BAD_FRAME);
	assert_int_equal(ask(w, &a, w->len + 1), KMS_E_BAD_FRAME);
	/* A header that tells the truth about a payload too short to be sealed. */
	for (uint32_t n = 0; n < SEAL_REQUEST_OVERHEAD; n++) {
		frame_encode(w->frame, FRAME_REQUEST, n);
		assert_int_not_equal(ask(w, &a, FRAME_HEADER + n), KMS_OK);
	}
	frame_encode(w->frame, FRAME_REQUEST, FRAME_MAX_REQUEST + 1);
	assert_int_equal(ask(w, &a, w->len), KMS_E_TOO_LARGE);
	assert_int_equal(cached(w), 0);
}

static void
test_wrong(void **state)
{
	struct world *w = *state;
	struct authenticated a;

	w->frame[FRAME_HEADER] ^= 1;
	assert_int_equal(ask(w, &a, w->len), KMS_E_UNKNOWN_HOST);
	w->frame[FRAME_HEADER] ^= 1;
	w->frame[w->len - 1] ^= 1;
	assert_int_equal(ask(w, &a, w->len), KMS_E_BAD_SEAL);
	w->frame[w->len - 1] ^= 1;
	frame_encode(w->frame, FRAME_HELLO, (uint32_t)(w->len - FRAME_HEADER));
	assert_int_equal(ask(w, &a, w->len), KMS_E_BAD_FRAME);
	/* A public key of small order gives a session that everybody knows. */
	frame_encode(w->frame, FRAME_REQUEST, (uint32_t)(w->len - FRAME_HEADER));
	memset(w->frame + FRAME_HEADER + 24, 0, 32);
	assert_int_equal(ask(w, &a, w->len), KMS_E_BAD_SEAL);
	assert_int_equal(cached(w), 0);
}

/* Before any cryptography, and also with the client's session in the cache. */
static void
test_unknown_key(void **state)
{
	struct world *w = *state;
	const struct exchange *e = exchange_keys_newest(w->exchange);
	struct authenticated a;

	w->frame[FRAME_HEADER + 16] ^= 1;
	assert_int_equal(ask(w, &a, w->len), KMS_E_UNKNOWN_KEY);
	w->frame[FRAME_HEADER + 16] ^= 1;
	w->now = e->ends;
	assert_int_equal(ask(w, &a, w->len), KMS_OK);
	w->now++;
	assert_int_equal(ask(w, &a, w->len), KMS_E_UNKNOWN_KEY);
}

/* A client that says it cannot read what it sends. */
static void
test_version(void **state)
{
	struct world *w = *state;
	struct message_request m = request();
	uint8_t text[MESSAGE_REQUEST_TEXT];
	struct authenticated a;

	m.highest_version = FRAME_VERSION - 1;
	message_request_encode(text, sizeof(text), &m);
	seal_text(w, text, sizeof(text));
	assert_int_equal(ask(w, &a, w->len), KMS_E_BAD_REQUEST);
	m.highest_version = FRAME_VERSION + 1;
	message_request_encode(text, sizeof(text), &m);
	seal_text(w, text, sizeof(text));
	assert_int_equal(ask(w, &a, w->len), KMS_OK);
}

static void
test_senseless_text(void **state)
{
	struct world *w = *state;
	struct message_request m = request();
	uint8_t text[MESSAGE_REQUEST_TEXT + 1];
	struct authenticated a;

	message_request_encode(text, sizeof(text), &m);
	text[0] = 99;
	seal_text(w, text, MESSAGE_REQUEST_TEXT);
	assert_int_equal(ask(w, &a, w->len), KMS_E_NOT_OFFERED);
	/* Sealed with good keys, so it can be answered: keys and request id are there. */
	assert_memory_equal(a.request.request_id, m.request_id, 16);
	assert_memory_equal(&a.session.keys, &w->keys, sizeof(w->keys));
	for (size_t len = 0; len < MESSAGE_REQUEST_TEXT; len++) {
		seal_text(w, text, len);
		assert_int_equal(ask(w, &a, w->len), KMS_E_BAD_REQUEST);
	}
	text[0] = MESSAGE_ACTIVATE;
	text[MESSAGE_REQUEST_TEXT] = 0;
	seal_text(w, text, sizeof(text));
	assert_int_equal(ask(w, &a, w->len), KMS_E_BAD_REQUEST);
	text[1] = 99; /* the licence state */
	seal_text(w, text, MESSAGE_REQUEST_TEXT);
	assert_int_equal(ask(w, &a, w->len), KMS_E_BAD_REQUEST);
	assert_memory_equal(a.request.request_id, m.request_id, 16);
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(test_twice),
		IN_WORLD(test_every_bit),
		IN_WORLD(test_every_bit_cached),
		IN_WORLD(test_lengths),
		IN_WORLD(test_wrong),
		IN_WORLD(test_unknown_key),
		IN_WORLD(test_version),
		IN_WORLD(test_senseless_text),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
