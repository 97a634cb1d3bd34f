/*
 * test_batch.c - the batch header: layout, ranges, hash and signature.
 */
#include <sodium.h>

#include "libkms/core/batch.h"
#include "t/unit/core_test.h"

static const struct batch_header header = {
	.host_id = { 1, 2, 3 },
	.number = 2,
	.previous = { 4, 5, 6 },
	.size = 5,
	.root = { 7, 8, 9 },
	.time = 1800000000,
};

static int
decode(const uint8_t *in, size_t len)
{
	struct batch_header h;

	(void)len;
	return batch_header_decode(&h, in);
}

static void
test_codec(void **state)
{
	static const struct bad_field rows[] = {
		{ "magic", 0, 'k', 1, KMS_E_FORMAT },
		{ "magic's end", 7, 0, 1, KMS_E_FORMAT },
		{ "number 0", 24, 0, 8, KMS_E_FORMAT },
		{ "number 1 with one before", 24, 1, 8, KMS_E_FORMAT },
		{ "number 2 with none before", 32, 0, 3, KMS_E_FORMAT },
		{ "size 0", 64, 0, 4, KMS_E_FORMAT },
		{ "largest size", 64, 1 << 20, 4, KMS_OK },
		{ "too large a size", 64, (1 << 20) + 1, 4, KMS_E_FORMAT },
	};
	uint8_t octets[BATCH_HEADER], again[BATCH_HEADER];
	struct batch_header out;

	batch_header_encode(octets, &header);
	assert_int_equal(batch_header_decode(&out, octets), KMS_OK);
	batch_header_encode(again, &out);
	assert_memory_equal(octets, again, BATCH_HEADER);
	assert_true(out.number == 2 && out.size == 5 && out.time == 1800000000);
	check_bad_fields(decode, octets, BATCH_HEADER, rows, COUNT(rows));
	out.number = 1;
	memset(out.previous, 0, 32);
	batch_header_encode(octets, &out);
	assert_int_equal(decode(octets, BATCH_HEADER), KMS_OK);
	(void)state;
}

static void
test_signature(void **state)
{
	uint8_t octets[BATCH_HEADER], sig[BATCH_SIGNATURE], pk[32], sk[64], other[32], hash[32];

	batch_header_encode(octets, &header);
	crypto_sign_keypair(other, sk);
	crypto_sign_keypair(pk, sk);
	crypto_sign_detached(sig, NULL, octets, BATCH_HEADER, sk);
	assert_int_equal(batch_verify(octets, sig, pk), KMS_OK);
	assert_int_equal(batch_verify(octets, sig, other), KMS_E_SIGNATURE);
	for (size_t i = 0; i < BATCH_HEADER; i++) {
		octets[i] ^= 1;
		assert_int_equal(batch_verify(octets, sig, pk), KMS_E_SIGNATURE);
		octets[i] ^= 1;
	}
	for (size_t i = 0; i < BATCH_SIGNATURE; i++) {
		sig[i] ^= 1;
		assert_int_equal(batch_verify(octets, sig, pk), KMS_E_SIGNATURE);
		sig[i] ^= 1;
	}
	batch_header_hash(hash, octets);
	crypto_hash_sha256(other, octets, BATCH_HEADER);
	assert_memory_equal(hash, other, 32);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codec),
		cmocka_unit_test(test_signature),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
