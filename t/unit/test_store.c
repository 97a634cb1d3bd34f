/*
 * test_store.c - files under the state directory: whole, replaced at once, never
 * through a symbolic link; and the host's own key, made once and the same ever after.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "kmsd/activate/host_identity.h"
#include "kmsd/activate/store.h"
#include "libkms/kms_error.h"

struct place {
	char path[64];
	int fd;
};

static int
set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	strcpy(p->path, "/tmp/test_store.XXXXXX");
	if (mkdtemp(p->path) == NULL)
		return -1;
	p->fd = open(p->path, O_RDONLY | O_DIRECTORY);
	*state = p;
	return p->fd < 0;
}

static int
remove_name(const char *name, void *arg)
{
	return unlinkat(*(int *)arg, name, 0);
}

static int
tear_down(void **state)
{
	struct place *p = *state;
	int keys = openat(p->fd, "keys", O_RDONLY | O_DIRECTORY);

	if (keys >= 0) {
		store_each(keys, ".", "key", remove_name, &keys);
		close(keys);
		unlinkat(p->fd, "keys", AT_REMOVEDIR);
	}
	store_each(p->fd, ".", "x", remove_name, &p->fd);
	close(p->fd);
	assert_int_equal(rmdir(p->path), 0);
	free(p);
	return 0;
}

static void
test_round_trip(void **state)
{
	struct place *p = *state;
	struct stat st;
	uint8_t *data;
	size_t len;

	assert_int_equal(store_read(p->fd, "a.x", 100, &data, &len), KMS_E_NOT_FOUND);
	assert_int_equal(store_write(p->fd, "a.x", "first", 5), KMS_OK);
	assert_int_equal(store_write(p->fd, "a.x", "second!", 7), KMS_OK);
	assert_int_equal(store_read(p->fd, "a.x", 7, &data, &len), KMS_OK);
	assert_int_equal(len, 7);
	assert_string_equal((char *)data, "second!");
	free(data);
	assert_int_equal(store_read(p->fd, "a.x", 6, &data, &len), KMS_E_TOO_LARGE);
	assert_int_equal(fstatat(p->fd, "a.x", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(fstatat(p->fd, "a.x.new", &st, 0), -1);
}

static void
test_no_links(void **state)
{
	struct place *p = *state;
	uint8_t *data;
	size_t len;

	assert_int_equal(symlinkat("/etc/hostname", p->fd, "link.x"), 0);
	assert_int_equal(store_read(p->fd, "link.x", 4096, &data, &len), KMS_E_IO);
	/* A write replaces the link, not what it points to. */
	assert_int_equal(store_write(p->fd, "link.x", "mine", 4), KMS_OK);
	assert_int_equal(store_read(p->fd, "link.x", 4096, &data, &len), KMS_OK);
	assert_string_equal((char *)data, "mine");
	free(data);
	/* A directory is no file. */
	assert_int_equal(store_mkdir(p->fd, "keys"), KMS_OK);
	assert_int_equal(store_read(p->fd, "keys", 4096, &data, &len), KMS_E_IO);
}

static int
count_name(const char *name, void *arg)
{
	*(unsigned *)arg += strcmp(name, "b.x") == 0 || strcmp(name, "a.x") == 0 ? 1 : 100;
	return KMS_OK;
}

static void
test_remove_and_rename(void **state)
{
	struct place *p = *state;
	uint8_t *data;
	size_t len;

	assert_int_equal(store_remove(p->fd, "none.x"), KMS_OK);
	assert_int_equal(store_rename(p->fd, "none.x", "b.x"), KMS_E_NOT_FOUND);
	assert_int_equal(store_write(p->fd, "a.x", "first", 5), KMS_OK);
	assert_int_equal(store_rename(p->fd, "a.x", "b.x"), KMS_OK);
	assert_int_equal(store_read(p->fd, "a.x", 9, &data, &len), KMS_E_NOT_FOUND);
	assert_int_equal(store_read(p->fd, "b.x", 9, &data, &len), KMS_OK);
	assert_memory_equal(data, "first", 6);
	free(data);
	assert_int_equal(store_remove(p->fd, "b.x"), KMS_OK);
	assert_int_equal(store_read(p->fd, "b.x", 9, &data, &len), KMS_E_NOT_FOUND);
	assert_int_equal(store_remove(p->fd, "none/b.x"), KMS_OK);
}

static void
test_each(void **state)
{
	struct place *p = *state;
	unsigned n = 0;

	assert_int_equal(store_each(p->fd, "none", ".x", count_name, &n), KMS_OK);
	assert_int_equal(n, 0);
	store_write(p->fd, "a.x", "", 0);
	store_write(p->fd, "b.x", "", 0);
	store_mkdir(p->fd, "keys");
	assert_int_equal(store_each(p->fd, ".", ".x", count_name, &n), KMS_OK);
	assert_int_equal(n, 2);
}

static const struct secrets no_secrets;

static void
test_host_key(void **state)
{
	struct place *p = *state;
	struct signing_key *first, *second;
	struct seal_keys host, client;
	uint8_t pk[32], sk[32];
	char why[256] = "";
	bool made;

	assert_int_equal(signing_key_open(&first, p->fd, 1000, &no_secrets, &made, why), KMS_OK);
	assert_true(made);
	assert_int_equal(signing_key_open(&second, p->fd, 2000, &no_secrets, &made, why), KMS_OK);
	assert_false(made);
	assert_memory_equal(signing_key_host_id(first), signing_key_host_id(second), 16);
	assert_memory_equal(signing_key_sign_pk(first), signing_key_sign_pk(second), 32);
	crypto_kx_keypair(pk, sk);
	assert_int_equal(signing_key_session(second, &host, pk), KMS_OK);
	assert_int_equal(seal_client_keys(&client, pk, sk, signing_key_kx_pk(first)), KMS_OK);
	assert_memory_equal(&host, &client, sizeof(host));
	signing_key_free(first);
	signing_key_free(second);
}

/* Only headers of batches, and only this host's, are ever signed. */
static void
test_signs_batches_only(void **state)
{
	struct place *p = *state;
	struct batch_header h = { .number = 1, .size = 1 };
	uint8_t header[BATCH_HEADER], sig[BATCH_SIGNATURE];
	struct signing_key *k;
	char why[256] = "";
	bool made;

	assert_int_equal(signing_key_open(&k, p->fd, 1000, &no_secrets, &made, why), KMS_OK);
	memcpy(h.host_id, signing_key_host_id(k), 16);
	batch_header_encode(header, &h);
	assert_int_equal(signing_key_batch(sig, header, k), KMS_OK);
	assert_int_equal(batch_verify(header, sig, signing_key_sign_pk(k)), KMS_OK);
	header[0] ^= 1;
	assert_int_equal(signing_key_batch(sig, header, k), KMS_E_FORMAT);
	h.host_id[0] ^= 1;
	batch_header_encode(header, &h);
	assert_int_equal(signing_key_batch(sig, header, k), KMS_E_FORMAT);
	signing_key_free(k);
}

static void
test_damaged_key(void **state)
{
	struct place *p = *state;
	struct signing_key *k;
	uint8_t *file;
	size_t len;
	char why[256] = "";
	bool made;

	assert_int_equal(signing_key_open(&k, p->fd, 1000, &no_secrets, &made, why), KMS_OK);
	signing_key_free(k);
	assert_int_equal(store_read(p->fd, "keys/host.key", 4096, &file, &len), KMS_OK);
	for (size_t i = 0; i < len; i++) {
		file[i] ^= 0x10;
		store_write(p->fd, "keys/host.key", file, len);
		assert_int_not_equal(
		    signing_key_open(&k, p->fd, 1000, &no_secrets, &made, why), KMS_OK);
		file[i] ^= 0x10;
	}
	store_write(p->fd, "keys/host.key", file, len - 1);
	assert_int_equal(signing_key_open(&k, p->fd, 1000, &no_secrets, &made, why), KMS_E_FORMAT);
	file = realloc(file, len + 1);
	store_write(p->fd, "keys/host.key", file, len + 1);
	assert_int_equal(signing_key_open(&k, p->fd, 1000, &no_secrets, &made, why), KMS_E_FORMAT);
	free(file);
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(test_round_trip),
		WITH_PLACE(test_no_links),
		WITH_PLACE(test_remove_and_rename),
		WITH_PLACE(test_each),
		WITH_PLACE(test_remove_and_rename),
		WITH_PLACE(test_host_key),
		WITH_PLACE(test_signs_batches_only),
		WITH_PLACE(test_damaged_key),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
