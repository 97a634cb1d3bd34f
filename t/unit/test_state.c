/*
 * test_state.c - the client state file: whole or refused, never half, never
 * replaced behind the owner's back, and one process at a time.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "libkms/client/state_file.h"
#include "libkms/kms_error.h"

struct place {
	char directory[64];
	char path[80];
	char other[96];
};

static int
setup(void **arg)
{
	struct place *p = calloc(1, sizeof(*p));

	snprintf(p->directory, sizeof(p->directory), "/tmp/test_state.XXXXXX");
	if (mkdtemp(p->directory) == NULL)
		return -1;
	snprintf(p->path, sizeof(p->path), "%s/s", p->directory);
	*arg = p;
	return 0;
}

static int
teardown(void **arg)
{
	static const char *const names[] = { "", ".lock", ".new" };
	struct place *p = *arg;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(p->other, sizeof(p->other), "%s%s", p->path, names[i]);
		unlink(p->other);
	}
	i = (size_t)rmdir(p->directory); /* fails when something was left behind */
	free(p);
	return (int)i;
}

/* Every field with another value, so that two swapped ones show. */
static void
fill(struct state *s)
{
	s->sequence = 0x0102030405060708;
	s->pending_operation = 2;
	memset(s->pending_id, 0xa1, sizeof(s->pending_id));
	memset(s->pending_product, 0xa2, sizeof(s->pending_product));
	s->pending_time = 11;
	s->highest_seen = 12;
	s->first_use = 13;
	s->last_exchange = 14;
	s->last_attempt = 15;
	s->last_status = 16;
	s->count = 17;
	s->required = 18;
	s->activation_interval = 19;
	s->renewal_interval = 20;
	s->retry_after = 21;
	strcpy(s->host, "2001:db8::1 port 1688");
	memset(s->certificate, 0xc1, s->certificate_len = 300);
	memset(s->lease_certificate, 0xc2, s->lease_certificate_len = 301);
	memset(s->bundle, 0xc3, s->bundle_len = 302);
}

static size_t
slurp(const char *path, uint8_t *out, size_t size)
{
	FILE *f = fopen(path, "rb");
	size_t n;

	assert_non_null(f);
	n = fread(out, 1, size, f);
	fclose(f);
	return n;
}

static void
spill(const char *path, const uint8_t *bytes, size_t len)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void
test_round_trip(void **arg)
{
	struct place *p = *arg;
	struct state_file *f;
	struct state *s, *kept = calloc(1, sizeof(*kept));
	struct stat st;

	assert_int_equal(state_open(&f, &s, p->path, 1000), KMS_OK);
	assert_int_equal(s->first_use, 1000);
	assert_int_equal(s->highest_seen, 1000);
	fill(s);
	assert_int_equal(state_save(f), KMS_OK);
	memcpy(kept, s, sizeof(*kept));
	state_close(f);
	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, STATE_FIXED + 6 + 903 + STATE_CHECKSUM);
	assert_int_equal(state_open(&f, &s, p->path, 2000), KMS_OK);
	assert_memory_equal(s, kept, sizeof(*kept));
	state_close(f);
	free(kept);
}

static void
test_largest(void **arg)
{
	struct place *p = *arg;
	struct state_file *f;
	struct state *s;

	assert_int_equal(state_open(&f, &s, p->path, 1), KMS_OK);
	s->certificate_len = sizeof(s->certificate);
	s->lease_certificate_len = sizeof(s->lease_certificate);
	s->bundle_len = sizeof(s->bundle);
	assert_int_equal(state_save(f), KMS_OK);
	state_close(f);
	assert_int_equal(state_open(&f, &s, p->path, 1), KMS_OK);
	assert_int_equal(s->bundle_len, sizeof(s->bundle));
	state_close(f);
}

static size_t
good_file(struct place *p, uint8_t *bytes, size_t size)
{
	struct state_file *f;
	struct state *s;

	assert_int_equal(state_open(&f, &s, p->path, 1), KMS_OK);
	fill(s);
	assert_int_equal(state_save(f), KMS_OK);
	state_close(f);
	return slurp(p->path, bytes, size);
}

static void
refused(struct place *p, const uint8_t *bytes, size_t len)
{
	static uint8_t after[STATE_MAX + 1];
	struct state_file *f;
	struct state *s;

	spill(p->path, bytes, len);
	assert_int_equal(state_open(&f, &s, p->path, 1), KMS_E_STATE);
	assert_null(f);
	assert_int_equal(slurp(p->path, after, sizeof(after)), len);
	assert_memory_equal(after, bytes, len);
}

static void
test_truncated_everywhere(void **arg)
{
	static uint8_t bytes[STATE_MAX];
	size_t i, len = good_file(*arg, bytes, sizeof(bytes));
	struct state *s = calloc(1, sizeof(*s));

	for (i = 0; i < len; i++)
		assert_int_equal(state_decode(s, bytes, i), KMS_E_STATE);
	assert_int_equal(state_decode(s, bytes, len), KMS_OK);
	free(s);
	/* On disk at the edges that matter: nothing, in the fixed part, one byte short. */
	refused(*arg, bytes, 0);
	refused(*arg, bytes, 100);
	refused(*arg, bytes, len - 1);
}

static void
test_flipped_everywhere(void **arg)
{
	static uint8_t bytes[STATE_MAX];
	size_t i, len = good_file(*arg, bytes, sizeof(bytes));
	struct state *s = calloc(1, sizeof(*s));

	for (i = 0; i < len; i++) {
		bytes[i] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(state_decode(s, bytes, len), KMS_E_STATE);
		bytes[i] ^= (uint8_t)(1 << i % 8);
	}
	bytes[80] ^= 1;
	refused(*arg, bytes, len);
	free(s);
}

static void
test_trailing(void **arg)
{
	static uint8_t bytes[STATE_MAX + 1];
	size_t len = good_file(*arg, bytes, sizeof(bytes));

	refused(*arg, bytes, len + 1);
	memset(bytes + len, 'x', sizeof(bytes) - len);
	refused(*arg, bytes, sizeof(bytes));
}

static void
again(uint8_t *bytes, size_t len)
{
	crypto_generichash(bytes + len - 32, 32, bytes, len - 32, NULL, 0);
}

static void
test_other_version(void **arg)
{
	static uint8_t bytes[STATE_MAX];
	size_t len = good_file(*arg, bytes, sizeof(bytes));
	struct state *s = calloc(1, sizeof(*s));

	bytes[9] = 3;
	again(bytes, len);
	assert_int_equal(state_decode(s, bytes, len), KMS_E_SCHEMA);
	/* 2 is 1 with a rotation statement, which is not there. */
	bytes[9] = 2;
	again(bytes, len);
	assert_int_equal(state_decode(s, bytes, len), KMS_E_STATE);
	bytes[9] = 1;
	again(bytes, len);
	assert_int_equal(state_decode(s, bytes, len), KMS_OK);
	/* With one. */
	s->rotation_len = sizeof(s->rotation);
	memset(s->rotation, 7, sizeof(s->rotation));
	static uint8_t longer[STATE_MAX];
	size_t more = state_encode(longer, sizeof(longer), s);
	assert_int_equal(more, len + 2 + ROTATION_SIZE);
	assert_int_equal(longer[9], 2);
	s->rotation_len = 0;
	assert_int_equal(state_decode(s, longer, more), KMS_OK);
	assert_int_equal(s->rotation_len, ROTATION_SIZE);
	assert_int_equal(s->rotation[231], 7);
	/* A right checksum does not save what cannot be right: another public key, lengths that
	 * lie. */
	bytes[16] ^= 1;
	again(bytes, len);
	assert_int_equal(state_decode(s, bytes, len), KMS_E_STATE);
	bytes[16] ^= 1;
	bytes[95] = 1;
	again(bytes, len);
	assert_int_equal(state_decode(s, bytes, len), KMS_E_STATE);
	bytes[95] = 0;
	bytes[STATE_FIXED + 1]++;
	again(bytes, len);
	assert_int_equal(state_decode(s, bytes, len), KMS_E_STATE);
	free(s);
}

static void
test_one_at_a_time(void **arg)
{
	struct place *p = *arg;
	struct state_file *f, *g;
	struct state *s;

	assert_int_equal(state_open(&f, &s, p->path, 1), KMS_OK);
	assert_int_equal(state_open(&g, &s, p->path, 1), KMS_E_EXISTS);
	assert_int_equal(state_save(f), KMS_OK); /* the rename must not lose the lock */
	assert_int_equal(state_open(&g, &s, p->path, 1), KMS_E_EXISTS);
	state_close(f);
	assert_int_equal(state_open(&g, &s, p->path, 1), KMS_OK);
	state_close(g);
}

static void
test_crash_before_rename(void **arg)
{
	static uint8_t bytes[STATE_MAX];
	struct place *p = *arg;
	size_t len = good_file(p, bytes, sizeof(bytes));
	struct state_file *f;
	struct state *s;

	/* What a crash between temporary file and rename leaves: a half one, of any mode. */
	snprintf(p->other, sizeof(p->other), "%s.new", p->path);
	spill(p->other, bytes, len / 2);
	chmod(p->other, 0644);
	assert_int_equal(state_open(&f, &s, p->path, 1), KMS_OK);
	assert_int_equal(s->sequence, 0x0102030405060708);
	s->sequence++;
	assert_int_equal(state_save(f), KMS_OK);
	assert_int_equal(access(p->other, F_OK), -1);
	state_close(f);
	assert_int_equal(state_open(&f, &s, p->path, 1), KMS_OK);
	assert_int_equal(s->sequence, 0x0102030405060709);
	state_close(f);
}

static void
test_nowhere(void **arg)
{
	struct place *p = *arg;
	struct state_file *f;
	struct state *s;

	snprintf(p->other, sizeof(p->other), "%s/none/s", p->directory);
	assert_int_equal(state_open(&f, &s, p->other, 1), KMS_E_IO);
	assert_int_equal(mkdir(p->path, 0700), 0);
	assert_int_equal(state_open(&f, &s, p->path, 1), KMS_E_STATE);
	assert_int_equal(rmdir(p->path), 0);
	assert_int_equal(symlink("/dev/null", p->path), 0);
	assert_int_equal(state_open(&f, &s, p->path, 1), KMS_E_STATE);
	assert_int_equal(unlink(p->path), 0);
	/* The temporary file cannot be made: nothing is, and nothing is left. */
	snprintf(p->other, sizeof(p->other), "%s.new", p->path);
	assert_int_equal(mkdir(p->other, 0700), 0);
	assert_int_not_equal(state_open(&f, &s, p->path, 1), KMS_OK);
	assert_int_equal(access(p->path, F_OK), -1);
	assert_int_equal(rmdir(p->other), 0);
}

/* Writing fails half way: the old file stays, and nothing is left beside it. */
static void
test_write_fails(void **arg)
{
	static uint8_t before[STATE_MAX], after[STATE_MAX];
	struct place *p = *arg;
	size_t len = good_file(p, before, sizeof(before));
	struct rlimit old, low;
	struct state_file *f;
	struct state *s;

	assert_int_equal(state_open(&f, &s, p->path, 1), KMS_OK);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	low = old;
	low.rlim_cur = 100;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	s->sequence++;
	assert_int_equal(state_save(f), KMS_E_FULL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(slurp(p->path, after, sizeof(after)), len);
	assert_memory_equal(after, before, len);
	snprintf(p->other, sizeof(p->other), "%s.new", p->path);
	assert_int_equal(access(p->other, F_OK), -1);
	assert_int_equal(state_save(f), KMS_OK);
	state_close(f);
}

/* Golden: what version 1 looks like does not change. Made independently, from kms.state(5). */
static void
test_golden(void **arg)
{
	static uint8_t bytes[STATE_MAX];
	struct state *s = calloc(1, sizeof(*s));
	uint8_t digest[32];
	char hex[65];
	size_t len;

	memset(s->sk, 0x42, sizeof(s->sk));
	crypto_scalarmult_base(s->pk, s->sk);
	fill(s);
	len = state_encode(bytes, sizeof(bytes), s);
	crypto_hash_sha256(digest, bytes, len);
	sodium_bin2hex(hex, sizeof(hex), digest, sizeof(digest));
	assert_string_equal(
	    hex, "75d4a8f4de05577812f51a28a69874320038b1d2a00abbdf1f4b59230f5852be");
	free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_largest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_truncated_everywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flipped_everywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_trailing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_version, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_crash_before_rename, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nowhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_write_fails, setup, teardown),
		cmocka_unit_test(test_golden),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
