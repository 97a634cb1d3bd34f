/*
 * test_fast_sha256.c - the SHA-256 of the programs that hash much: the same as libsodium's, also in
 * a tree.
 */
#include <sodium.h>

#include "libkms/core/fast_sha256.h"
#include "libkms/core/merkle.h"
#include "t/unit/core_test.h"

static void
from_hex(uint8_t *out, size_t size, const char *hex)
{
	size_t len;

	assert_int_equal(sodium_hex2bin(out, size, hex, strlen(hex), NULL, &len, NULL), 0);
	assert_int_equal(len, size);
}

/* Examples of FIPS 180-2, and every length around the ends of blocks, cut at every place. */
static void
test_fast_sha256(void **state)
{
	static const struct {
		const char *text, *hash;
	} examples[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	};
	uint8_t text[200], hash[MERKLE_HASH], want[MERKLE_HASH];

	for (size_t i = 0; i < COUNT(examples); i++) {
		from_hex(want, sizeof(want), examples[i].hash);
		fast_sha256(hash, examples[i].text, strlen(examples[i].text), "", 0);
		assert_memory_equal(hash, want, sizeof(want));
	}
	randombytes_buf(text, sizeof(text));
	for (size_t n = 0; n <= sizeof(text); n++) {
		crypto_hash_sha256(want, text, n);
		for (size_t cut = 0; cut <= n; cut++) {
			fast_sha256(hash, text, cut, text + cut, n - cut);
			assert_memory_equal(hash, want, sizeof(want));
		}
	}
	(void)state;
}

/* Leaves and nodes: each size has another shape. */
static void
test_tree(void **state)
{
	enum { MOST = 70 };
	struct merkle_tree *fast = merkle_tree_with(MOST, fast_sha256);
	struct merkle_tree *plain = merkle_tree_new(MOST);
	uint8_t entry[200], root[MERKLE_HASH], want[MERKLE_HASH];

	assert_true(fast != NULL && plain != NULL);
	for (size_t n = 1; n <= MOST; n++) {
		randombytes_buf(entry, sizeof(entry));
		assert_int_equal(merkle_tree_add_entry(fast, entry, n), KMS_OK);
		assert_int_equal(merkle_tree_add_entry(plain, entry, n), KMS_OK);
		merkle_tree_close(fast, root);
		merkle_tree_close(plain, want);
		assert_memory_equal(root, want, sizeof(want));
	}
	merkle_tree_free(fast);
	merkle_tree_free(plain);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fast_sha256),
		cmocka_unit_test(test_tree),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("fast_sha256", tests, NULL, NULL);
}
