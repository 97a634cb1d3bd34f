/*
 * fuzz_reply.c - what a host may send a client: reply text and HELLO_REPLY.
 */
#include <string.h>

#include "libkms/core/certificate.h"
#include "libkms/core/frame.h"
#include "libkms/core/message.h"
#include "libkms/kms_error.h"
#include "t/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t again[FRAME_MAX_REPLY];
	struct message_reply m, n;
	struct message_hello_reply hello;
	size_t len;

	if (message_hello_reply_decode(&hello, data, size) == KMS_OK)
		MUST(hello.certificate_len <= CERTIFICATE_MAX &&
		     hello.certificate + hello.certificate_len <= data + size);
	if (message_reply_decode(&m, data, size) != KMS_OK)
		return 0;
	MUST(m.bundle_len == 0 || m.bundle + m.bundle_len <= data + size);
	if ((len = message_reply_encode(again, sizeof(again), &m)) > 0) {
		MUST(message_reply_decode(&n, again, len) == KMS_OK);
		MUST(n.status == m.status && n.highest_sequence == m.highest_sequence &&
		     n.retry_after == m.retry_after && n.bundle_len == m.bundle_len);
	}
	return 0;
}
