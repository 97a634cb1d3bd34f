/*
 * fuzz_request.c - what a client may send, both as a sealed frame under fixed
 * keys and as the text that came out of one; HELLO too.
 */
#include <string.h>

#include "libkms/core/frame.h"
#include "libkms/core/message.h"
#include "libkms/core/seal.h"
#include "libkms/kms_error.h"
#include "t/fuzz/fuzz.h"

static void
text(const uint8_t *data, size_t size)
{
	struct message_request m;
	uint8_t again[FRAME_MAX_REQUEST];

	if (message_request_decode(&m, data, size) != KMS_OK)
		return;
	MUST(m.sequence > 0 && strlen(m.name) <= MESSAGE_NAME);
	MUST(message_request_encode(again, sizeof(again), &m) >= MESSAGE_REQUEST_TEXT);
	MUST(memcmp(again, data, MESSAGE_REQUEST_TEXT) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct seal_keys keys = { .to_host = { 1 }, .to_client = { 2 } };
	uint8_t opened[FRAME_MAX_REQUEST], frame[FRAME_HEADER + FRAME_MAX_REQUEST];
	struct seal_request_view view;
	struct message_hello hello;
	size_t len;

	if (seal_request_parse(&view, data, size) == KMS_OK)
		MUST(view.sealed + view.sealed_len == data + size);
	if (seal_open_request(opened, sizeof(opened), &len, &keys, data, size) == KMS_OK)
		text(opened, len);
	text(data, size);
	message_hello_decode(&hello, data, size);
	/* Sealed by an honest client it must come out as it went in. */
	len = seal_request(frame, sizeof(frame), &keys, keys.to_host, keys.to_host, keys.to_client,
	    (const uint8_t[SEAL_NONCE]){ 3 }, data, size);
	if (len > 0) {
		MUST(seal_open_request(opened, sizeof(opened), &len, &keys, frame, len) == KMS_OK);
		MUST(len == size && memcmp(opened, data, size) == 0);
	}
	return 0;
}
