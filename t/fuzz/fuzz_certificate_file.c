/*
 * fuzz_certificate_file.c - host certificate files. What is accepted decodes,
 * and is written and read back as the same bytes.
 */
#include <string.h>

#include "libkms/core/certificate.h"
#include "policy/host_key.h"
#include "policy/values.h"
#include "t/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t cert[CERTIFICATE_MAX], again[CERTIFICATE_MAX];
	char text[2 * CERTIFICATE_MAX];
	struct certificate c;
	struct fault err;
	size_t len, n, again_len;

	if (certificate_file_parse(cert, sizeof(cert), &len, (const char *)data, size, &err) !=
	    KMS_OK) {
		MUST(len == 0);
		return 0;
	}
	MUST(certificate_decode(&c, cert, len) == KMS_OK);
	n = certificate_file_format(text, sizeof(text), cert, len);
	/* Dates past the year 9999 cannot be written in words. */
	MUST(n > 0 || c.not_before > VALUE_TIME_MAX || c.not_after > VALUE_TIME_MAX);
	if (n > 0) {
		MUST(certificate_file_parse(again, sizeof(again), &again_len, text, n, &err) ==
		     KMS_OK);
		MUST(again_len == len && memcmp(cert, again, len) == 0);
	}
	return 0;
}
