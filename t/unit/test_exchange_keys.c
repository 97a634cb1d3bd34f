/*
 * test_exchange_keys.c - keys/exchange.key: its bytes, and the life of the keys in it by a clock
 * that the test turns: rotation, the end of the old key and of its secret on the disk, clocks that
 * were wrong, damaged files and a directory that cannot be written.
 */
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmsd/activate/exchange_file.h"
#include "kmsd/activate/exchange_keys.h"
#include "libkms/base/file.h"
#include "t/unit/core_test.h"

#define NAME "keys/exchange.key"
#define DAY UINT64_C(86400)
#define START (1000 * DAY)
#define DAYS 7

static const uint8_t host_id[16] = { 1 }, seal_key[32] = { 2 };

static size_t
make_file(uint8_t out[EXCHANGE_FILE_MAX], struct exchange_pairs *p, unsigned count)
{
	for (size_t i = 0; i < sizeof(p->at); i++)
		((uint8_t *)p->at)[i] = (uint8_t)i;
	p->count = count;
	return exchange_file_encode(out, p, host_id, seal_key);
}

static void
test_file(void **state)
{
	uint8_t file[EXCHANGE_FILE_MAX + 1] = { 0 }, other[32] = { 3 };
	struct exchange_pairs p, got;

	for (unsigned count = 1; count <= EXCHANGE_KEYS; count++) {
		size_t len = make_file(file, &p, count);

		assert_int_equal(len, 56 + 192 * count + 16 + 32);
		assert_int_equal(exchange_file_decode(&got, file, len, host_id, seal_key), KMS_OK);
		assert_int_equal(got.count, count);
		assert_memory_equal(got.at, p.at, 192 * count);
		for (size_t n = 0; n < len; n++)
			assert_int_equal(
			    exchange_file_decode(&got, file, n, host_id, seal_key), KMS_E_FORMAT);
		assert_int_equal(
		    exchange_file_decode(&got, file, len + 1, host_id, seal_key), KMS_E_FORMAT);
		for (size_t i = 0; i < len; i++) {
			file[i] ^= 1;
			assert_int_equal(
			    exchange_file_decode(&got, file, len, host_id, seal_key), KMS_E_FORMAT);
			assert_int_equal(got.count, 0);
			file[i] ^= 1;
		}
		assert_int_equal(
		    exchange_file_decode(&got, file, len, host_id, other), KMS_E_BAD_SEAL);
		assert_int_equal(
		    exchange_file_decode(&got, file, len, other, seal_key), KMS_E_UNKNOWN_HOST);
	}
	(void)state;
}

/* With a digest that fits. */
static void
test_bad_file(void **state)
{
	static const struct bad_field rows[] = {
		{ "another magic", 0, 'k', 1, KMS_E_FORMAT },
		{ "another version", 8, 2, 1, KMS_E_SCHEMA },
		{ "no key", 9, 0, 1, KMS_E_FORMAT },
		{ "another number of keys", 9, 1, 1, KMS_E_FORMAT },
		{ "three keys", 9, 3, 1, KMS_E_FORMAT },
		{ "not zero", 15, 1, 1, KMS_E_FORMAT },
		{ "another nonce", 32, 0, 8, KMS_E_BAD_SEAL },
		{ "another secret", 56, 0, 8, KMS_E_BAD_SEAL },
	};
	uint8_t file[EXCHANGE_FILE_MAX];
	struct exchange_pairs p;

	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t len = make_file(file, &p, 2);

		bad_field_apply(&rows[i], file);
		crypto_hash_sha256(file + len - 32, file, len - 32);
		if (exchange_file_decode(&p, file, len, host_id, seal_key) != rows[i].status)
			fail_msg("%s", rows[i].what);
	}
	(void)state;
}

/* -- the life of the keys -- */

struct host {
	char path[64];
	int fd;
	struct host_identity *identity;
	struct exchange_keys *keys;
	uint8_t gone[4][EXCHANGE_KEY_ID];
	unsigned gone_count;
};

static void
begin(struct host *h, uint64_t now)
{
	assert_int_equal(exchange_keys_open(&h->keys, h->identity, h->fd, now, DAYS), KMS_OK);
}

static int
set_up(void **state)
{
	struct host *h = calloc(1, sizeof(*h));
	const struct secrets none = { 0 };
	char why[256] = "";
	bool made;

	strcpy(h->path, "/tmp/test_exchange_keys.XXXXXX");
	if (mkdtemp(h->path) == NULL || (h->fd = open(h->path, O_RDONLY | O_DIRECTORY)) < 0)
		return -1;
	assert_int_equal(host_identity_open(&h->identity, h->fd, 1, &none, &made, why), KMS_OK);
	*state = h;
	return 0;
}

static int
tear_down(void **state)
{
	static const char *const files[] = { NAME, NAME ".bad", "keys/host.key" };
	struct host *h = *state;

	exchange_keys_free(h->keys);
	host_identity_free(h->identity);
	for (size_t i = 0; i < COUNT(files); i++)
		unlinkat(h->fd, files[i], 0);
	unlinkat(h->fd, "keys", AT_REMOVEDIR);
	close(h->fd);
	assert_int_equal(rmdir(h->path), 0);
	free(h);
	return 0;
}

static void
note_gone(const uint8_t key_id[EXCHANGE_KEY_ID], void *arg)
{
	struct host *h = arg;

	assert_true(h->gone_count < COUNT(h->gone));
	memcpy(h->gone[h->gone_count++], key_id, EXCHANGE_KEY_ID);
}

static void
tick(struct host *h, uint64_t now)
{
	exchange_keys_tick(h->keys, now, DAYS, note_gone, h);
}

static struct exchange
newest(const struct host *h)
{
	return *exchange_keys_newest(h->keys);
}

/* What is on the disk. */
static void
read_back(struct host *h, struct exchange_pairs *out)
{
	uint8_t file[EXCHANGE_FILE_MAX], key[32];
	size_t len;

	assert_int_equal(file_read_into(h->fd, NAME, FILE_OURS, file, sizeof(file), &len), KMS_OK);
	assert_int_equal(host_identity_at_rest(h->identity, key), KMS_OK);
	assert_int_equal(
	    exchange_file_decode(out, file, len, host_identity_id(h->identity), key), KMS_OK);
}

static void
test_made(void **state)
{
	struct host *h = *state;
	struct exchange first;
	struct seal_keys host, client;
	uint8_t pk[32], sk[32], zero[32] = { 0 };
	struct stat st;

	begin(h, START);
	first = newest(h);
	assert_int_equal(first.made, START);
	assert_int_equal(first.until, START + DAYS * DAY);
	assert_int_equal(first.ends, first.until + DAY);
	assert_int_equal(fstatat(h->fd, NAME, &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	crypto_kx_keypair(pk, sk);
	assert_int_equal(exchange_keys_session(h->keys, &host, first.key_id, pk, START), KMS_OK);
	assert_int_equal(seal_client_keys(&client, pk, sk, first.pk), KMS_OK);
	assert_memory_equal(&host, &client, sizeof(host));
	assert_int_equal(
	    exchange_keys_session(h->keys, &host, first.key_id, zero, START), KMS_E_FORMAT);
	assert_int_equal(exchange_keys_session(h->keys, &host, zero, pk, START), KMS_E_UNKNOWN_KEY);
	/* The same after a restart. */
	exchange_keys_free(h->keys);
	begin(h, START + DAY);
	assert_memory_equal(newest(h).key_id, first.key_id, 8);
	tick(h, first.until - 1);
	assert_memory_equal(newest(h).key_id, first.key_id, 8);
	assert_int_equal(h->gone_count, 0);
}

static void
test_rotation(void **state)
{
	struct host *h = *state;
	struct exchange first, second;
	struct exchange_pairs before, after;
	struct seal_keys k;
	uint8_t pk[32], sk[32];

	crypto_kx_keypair(pk, sk);
	begin(h, START);
	first = newest(h);
	read_back(h, &before);
	tick(h, first.until);
	second = newest(h);
	assert_memory_not_equal(second.key_id, first.key_id, 8);
	assert_int_equal(second.made, first.until);
	/* Requests under the old key are still opened, until its last second. */
	read_back(h, &after);
	assert_int_equal(after.count, 2);
	assert_memory_equal(&after.at[1], &before.at[0], sizeof(before.at[0]));
	tick(h, first.ends);
	assert_int_equal(exchange_keys_session(h->keys, &k, first.key_id, pk, first.ends), KMS_OK);
	assert_int_equal(exchange_keys_session(h->keys, &k, first.key_id, pk, first.ends + 1),
	    KMS_E_UNKNOWN_KEY);
	assert_int_equal(h->gone_count, 0);
	tick(h, first.ends + 1);
	assert_int_equal(h->gone_count, 1);
	assert_memory_equal(h->gone[0], first.key_id, 8);
	assert_false(exchange_keys_has(h->keys, first.key_id, first.ends));
	assert_true(exchange_keys_has(h->keys, second.key_id, first.ends));
	read_back(h, &after);
	assert_int_equal(after.count, 1);
	assert_memory_equal(after.at[0].statement, exchange_keys_statement(h->keys), EXCHANGE_SIZE);
}

/* The old file's bytes are overwritten, also for somebody who holds it open. */
static void
test_wiped(void **state)
{
	struct host *h = *state;
	uint8_t file[EXCHANGE_FILE_MAX], zero[EXCHANGE_FILE_MAX] = { 0 };
	ssize_t len;
	int fd;

	begin(h, START);
	assert_true((fd = openat(h->fd, NAME, O_RDONLY)) >= 0);
	tick(h, newest(h).until);
	len = pread(fd, file, sizeof(file), 0);
	assert_int_equal(len, 56 + 192 + 16 + 32);
	assert_memory_equal(file, zero, (size_t)len);
	close(fd);
}

/* A host that was off for a year keeps nothing of then. */
static void
test_long_off(void **state)
{
	struct host *h = *state;
	struct exchange first;
	struct exchange_pairs pairs;

	begin(h, START);
	first = newest(h);
	exchange_keys_free(h->keys);
	begin(h, START + 365 * DAY);
	assert_memory_not_equal(newest(h).key_id, first.key_id, 8);
	read_back(h, &pairs);
	assert_int_equal(pairs.count, 1);
}

/* The clock was ahead: the key made then is replaced and destroyed at once. */
static void
test_ahead(void **state)
{
	struct host *h = *state;
	struct exchange wrong, right;

	begin(h, START + 365 * DAY);
	wrong = newest(h);
	tick(h, START + 365 * DAY - 4 * 3600);
	assert_memory_equal(newest(h).key_id, wrong.key_id, 8);
	tick(h, START);
	right = newest(h);
	assert_memory_not_equal(right.key_id, wrong.key_id, 8);
	assert_int_equal(right.made, START);
	assert_int_equal(h->gone_count, 1);
	assert_false(exchange_keys_has(h->keys, wrong.key_id, START));
}

/* Before a third would be kept, the oldest goes, though it has not ended. */
static void
test_third(void **state)
{
	struct host *h = *state;
	struct exchange first, second;

	begin(h, START);
	first = newest(h);
	tick(h, first.until);
	second = newest(h);
	exchange_keys_tick(h->keys, first.until + 1, 1, note_gone, h);
	assert_memory_equal(newest(h).key_id, second.key_id, 8);
	/* A reload to one day counts from the next pair on. */
	exchange_keys_tick(h->keys, second.until, 1, note_gone, h);
	assert_int_equal(newest(h).until, second.until + DAY);
	exchange_keys_tick(h->keys, second.until + DAY, 1, note_gone, h);
	assert_true(exchange_keys_has(h->keys, newest(h).key_id, second.until + DAY));
	assert_false(exchange_keys_has(h->keys, second.key_id, second.until + DAY));
	assert_int_equal(h->gone_count, 2);
}

/* It is not put aside: that one octet is wrong does not hide the secret. */
static void
test_damaged(void **state)
{
	struct host *h = *state;
	struct exchange first;
	uint8_t file[EXCHANGE_FILE_MAX], old[EXCHANGE_FILE_MAX], zero[EXCHANGE_FILE_MAX] = { 0 };
	size_t len;
	int fd;

	begin(h, START);
	first = newest(h);
	exchange_keys_free(h->keys);
	assert_int_equal(file_read_into(h->fd, NAME, FILE_OURS, file, sizeof(file), &len), KMS_OK);
	file[100] ^= 1;
	assert_int_equal(file_write(h->fd, NAME, file, len, 0600, true), KMS_OK);
	assert_true((fd = openat(h->fd, NAME, O_RDONLY)) >= 0);
	begin(h, START);
	assert_memory_not_equal(newest(h).key_id, first.key_id, 8);
	assert_false(file_exists(h->fd, NAME ".bad"));
	assert_int_equal(pread(fd, old, sizeof(old), 0), (ssize_t)len);
	assert_memory_equal(old, zero, len);
	close(fd);
	assert_true(file_exists(h->fd, NAME));
}

/* A directory in the file's place: it cannot be written, and clients are served all the same. */
static void
test_unwritten(void **state)
{
	struct host *h = *state;
	struct exchange first;
	struct exchange_pairs pairs;

	assert_int_equal(mkdirat(h->fd, NAME ".new", 0700), 0);
	begin(h, START);
	first = newest(h);
	assert_false(file_exists(h->fd, NAME));
	assert_true(exchange_keys_has(h->keys, first.key_id, START));
	assert_int_equal(unlinkat(h->fd, NAME ".new", AT_REMOVEDIR), 0);
	tick(h, START + 59);
	assert_false(file_exists(h->fd, NAME));
	tick(h, START + 60);
	read_back(h, &pairs);
	assert_memory_equal(pairs.at[0].statement, exchange_keys_statement(h->keys), EXCHANGE_SIZE);
	assert_memory_equal(newest(h).key_id, first.key_id, 8);
}

#define HOST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_bad_file),
		HOST(test_made),
		HOST(test_rotation),
		HOST(test_wiped),
		HOST(test_long_off),
		HOST(test_ahead),
		HOST(test_third),
		HOST(test_damaged),
		HOST(test_unwritten),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("exchange keys", tests, NULL, NULL);
}
