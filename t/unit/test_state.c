/*
 * test_state.c - the client's two files: whole or refused, never half, never replaced behind the
 * owner's back; one process at a time that writes, any number that read.
 */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "libkms/client/state_file.h"
#include "libkms/kms_error.h"
#include "t/lib/folder.h"

struct place {
	char directory[FOLDER_PATH];
	char path[FOLDER_PATH + 2];
	char other[FOLDER_PATH + 16];
};

static int
setup(void **arg)
{
	struct place *p = calloc(1, sizeof(*p));

	if (!folder_make(p->directory))
		return -1;
	snprintf(p->path, sizeof(p->path), "%s/s", p->directory);
	*arg = p;
	return 0;
}

static int
teardown(void **arg)
{
	static const char *const names[] = { "", ".key", ".lock", ".new", ".key.new" };
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
	s->rotation_count = 2;
	memset(s->rotations, 0xc4, 2 * ROTATION_SIZE);
	s->has_statement = true;
	memset(s->statement, 0xc5, sizeof(s->statement));
	s->host_count = 2;
	memset(s->hosts[0].id, 0xd1, 16);
	s->hosts[0].last_use = 22;
	s->hosts[0].header_wanted = true;
	memset(s->hosts[0].highest, 0xd2, MESSAGE_HEADER_SIZE);
	memset(s->hosts[1].id, 0xd3, 16);
	s->hosts[1].last_use = 23;
	s->hosts[1].evidence = true;
	memset(s->hosts[1].highest, 0xd4, MESSAGE_HEADER_SIZE);
	memset(s->hosts[1].contradiction, 0xd5, 2 * MESSAGE_HEADER_SIZE);
}

static void
fill_secret(struct secret *s)
{
	static const uint8_t host[16] = { 0xb1 };
	struct asked q = { .id = { 0xc1 }, .sequence = 0x0102030405060707, .operation = 1 };

	s->sequence = 0x0102030405060708;
	s->pending_operation = 2;
	memset(s->pending_id, 0xa1, sizeof(s->pending_id));
	memset(s->pending_product, 0xa2, sizeof(s->pending_product));
	s->pending_time = 11;
	s->borrow_minutes = 24;
	memset(s->challenge, 0xa3, sizeof(s->challenge));
	memcpy(q.product, s->pending_product, sizeof(q.product));
	after_sending(&s->after, host, &q, 12);
	after_answered(&s->after, host, true, true);
	q.sequence++;
	memcpy(q.id, s->pending_id, sizeof(q.id));
	after_sending(&s->after, host, &q, 13);
	after_answered(&s->after, host, false, true);
}

/* Bytes of a file that fill made. */
#define FILLED                                                                                     \
	(STATE_MIN + 903 + 2 * ROTATION_SIZE + EXCHANGE_SIZE + 2 * 25 + 4 * MESSAGE_HEADER_SIZE)

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

static int
open_state(struct place *p, struct state_file **f, struct state **s, uint64_t now)
{
	return state_open(f, s, p->path, now, NULL);
}

/* With the lock, as a request does. */
static void
save(struct state_file *f)
{
	assert_int_equal(state_save(f, NULL), KMS_OK);
	state_unlock(f);
}

static unsigned
mode_of(const char *path, const char *suffix)
{
	char name[FOLDER_PATH + 16];

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	return folder_mode(name);
}

static void
test_round_trip(void **arg)
{
	struct place *p = *arg;
	struct state_file *f;
	struct state *s, *kept = calloc(1, sizeof(*kept));
	struct secret *key, kept_key;
	struct stat st;
	mode_t old = umask(077);

	assert_int_equal(open_state(p, &f, &s, 1000), KMS_OK);
	umask(old);
	assert_int_equal(s->first_use, 1000);
	assert_int_equal(s->highest_seen, 1000);
	assert_int_equal(state_lock(f, NULL), KMS_OK);
	assert_int_equal(state_secret(f, &key, NULL), KMS_OK);
	fill(s);
	fill_secret(key);
	kept_key = *key;
	memcpy(kept, s, sizeof(*kept));
	assert_int_equal(state_save_secret(f, NULL), KMS_OK);
	save(f);
	state_close(f);
	assert_int_equal(mode_of(p->path, ""), 0644);
	assert_int_equal(mode_of(p->path, ".key"), 0600);
	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_size, FILLED);
	assert_int_equal(open_state(p, &f, &s, 2000), KMS_OK);
	assert_memory_equal(s, kept, sizeof(*kept));
	assert_int_equal(state_lock(f, NULL), KMS_OK);
	assert_int_equal(state_secret(f, &key, NULL), KMS_OK);
	assert_memory_equal(key, &kept_key, sizeof(kept_key));
	state_close(f);
	free(kept);
}

static void
test_largest(void **arg)
{
	struct place *p = *arg;
	struct state_file *f;
	struct state *s;
	struct stat st;

	assert_int_equal(open_state(p, &f, &s, 1), KMS_OK);
	assert_int_equal(state_lock(f, NULL), KMS_OK);
	s->certificate_len = sizeof(s->certificate);
	s->lease_certificate_len = sizeof(s->lease_certificate);
	s->bundle_len = sizeof(s->bundle);
	s->rotation_count = ROTATION_CHAIN_MAX;
	s->has_statement = true;
	s->host_count = STATE_HOSTS;
	for (unsigned i = 0; i < STATE_HOSTS; i++)
		s->hosts[i].evidence = true;
	save(f);
	state_close(f);
	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_size, STATE_MAX);
	assert_int_equal(open_state(p, &f, &s, 1), KMS_OK);
	assert_int_equal(s->bundle_len, sizeof(s->bundle));
	assert_int_equal(state_lock(f, NULL), KMS_OK);
	s->host_count++;
	assert_int_equal(state_save(f, NULL), KMS_E_STATE);
	state_close(f);
}

static size_t
good_file(struct place *p, uint8_t *bytes, size_t size)
{
	struct state_file *f;
	struct state *s;

	assert_int_equal(open_state(p, &f, &s, 1), KMS_OK);
	assert_int_equal(state_lock(f, NULL), KMS_OK);
	fill(s);
	save(f);
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
	assert_int_equal(open_state(p, &f, &s, 1), KMS_E_STATE);
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
		assert_int_equal(state_decode(s, bytes, i, NULL), KMS_E_STATE);
	assert_int_equal(state_decode(s, bytes, len, NULL), KMS_OK);
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
		assert_int_equal(state_decode(s, bytes, len, NULL), KMS_E_STATE);
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

/* A right checksum does not save what cannot be right. Offsets are those of fill. */
static void
test_bad_fields(void **arg)
{
	enum {
		CHAIN = STATE_FIXED,
		CERT = CHAIN + 1 + 2 * ROTATION_SIZE,
		HAS = CERT + 2 + 300,
		LEASE_CERT = HAS + 1 + EXCHANGE_SIZE,
		BUNDLE = LEASE_CERT + 2 + 301,
		HOSTS = BUNDLE + 2 + 302
	};
	static const struct {
		const char *what;
		size_t at;
		uint8_t value;
	} rows[] = {
		{ "zero behind the version", 11, 1 },
		{ "length", 15, 1 },
		{ "host name with a control", 104, '\n' },
		{ "host name behind its end", 199, 'x' },
		{ "one rotation less", CHAIN, 1 },
		{ "33 rotations", CHAIN, 33 },
		{ "certificate too long", CERT, 0xff },
		{ "statement 2", HAS, 2 },
		{ "statement 0, but there", HAS, 0 },
		{ "certificate of the lease too long", LEASE_CERT, 0xff },
		{ "bundle one less", BUNDLE + 1, 0x2d },
		{ "one host less", HOSTS, 1 },
		{ "nine hosts", HOSTS, 9 },
		{ "unknown flag of a host", HOSTS + 1 + 24, 9 },
		{ "shown, and not wanted", HOSTS + 1 + 24, 4 },
		{ "evidence that is not there", HOSTS + 1 + 24, 3 },
	};
	static uint8_t bytes[STATE_MAX], bad[STATE_MAX];
	size_t len = good_file(*arg, bytes, sizeof(bytes));
	struct state *s = calloc(1, sizeof(*s));

	assert_int_equal(len, FILLED);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		memcpy(bad, bytes, len);
		bad[rows[i].at] = rows[i].value;
		again(bad, len);
		if (state_decode(s, bad, len, NULL) != KMS_E_STATE)
			fail_msg("%s", rows[i].what);
	}
	again(bytes, len);
	assert_int_equal(state_decode(s, bytes, len, NULL), KMS_OK);
	free(s);
}

/* The words of a refusal by version; nothing is changed. */
static void
test_other_version(void **arg)
{
	static uint8_t bytes[STATE_MAX], after[STATE_MAX];
	struct place *p = *arg;
	size_t len = good_file(p, bytes, sizeof(bytes));
	struct fault fault = { 0 };
	struct state_file *f;
	struct state *s;
	uint8_t key[SECRET_MAX];
	size_t key_len;
	struct secret *secret;

	bytes[9] = 4;
	again(bytes, len);
	spill(p->path, bytes, len);
	assert_int_equal(state_open(&f, &s, p->path, 1, &fault), KMS_E_SCHEMA);
	assert_non_null(strstr(fault.text, "client state version 4; this is libkms "));
	assert_non_null(strstr(fault.text, "reads client state version 3. "));
	assert_int_equal(slurp(p->path, after, sizeof(after)), len);
	assert_memory_equal(after, bytes, len);
	bytes[9] = 3;
	again(bytes, len);
	spill(p->path, bytes, len);
	snprintf(p->other, sizeof(p->other), "%s.key", p->path);
	key_len = slurp(p->other, key, sizeof(key));
	key[9] = 3;
	again(key, key_len);
	spill(p->other, key, key_len);
	fault = (struct fault){ 0 };
	assert_int_equal(open_state(p, &f, &s, 1), KMS_OK); /* a status needs no secret */
	assert_int_equal(state_lock(f, NULL), KMS_OK);
	assert_int_equal(state_secret(f, &secret, &fault), KMS_E_SCHEMA);
	assert_non_null(
	    strstr(fault.text, ".key: written by another version: client key version 3"));
	state_close(f);
}

/* FILE.key: every cut, every bit, every field that must be zero. */
static void
test_secret(void **arg)
{
	struct secret s, t = { 0 };
	uint8_t bytes[SECRET_MAX + 1];
	size_t len;

	memset(&s, 0, sizeof(s));
	memset(s.sk, 0x42, sizeof(s.sk));
	fill_secret(&s);
	len = secret_encode(bytes, &s);
	assert_int_equal(len, SECRET_MIN + 54 + 2 * 16);
	assert_int_equal(secret_decode(&t, bytes, len, NULL), KMS_OK);
	assert_memory_equal(&t, &s, sizeof(s));
	for (size_t i = 0; i < len; i++) {
		assert_int_equal(secret_decode(&t, bytes, i, NULL), KMS_E_STATE);
		bytes[i] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(secret_decode(&t, bytes, len, NULL), KMS_E_STATE);
		bytes[i] ^= (uint8_t)(1 << i % 8);
	}
	bytes[len] = 0;
	assert_int_equal(secret_decode(&t, bytes, len + 1, NULL), KMS_E_STATE);
	for (size_t i = 57; i < 64; i++) {
		secret_encode(bytes, &s);
		bytes[i] = 1;
		again(bytes, len);
		assert_int_equal(secret_decode(&t, bytes, len, NULL), KMS_E_STATE);
	}
	secret_encode(bytes, &s);
	bytes[111] = 1;
	again(bytes, len);
	assert_int_equal(secret_decode(&t, bytes, len, NULL), KMS_E_STATE);
	(void)arg;
}

/* FILE.key of before, without the requests to each host: of none is anything known. */
static void
test_old_secret(void **arg)
{
	uint8_t bytes[SECRET_MAX], said[16 * MESSAGE_AFTER_MAX];
	struct secret s = { .sequence = 7 }, t;
	uint16_t version;

	fill_secret(&s);
	secret_encode(bytes, &s);
	bytes[9] = SECRET_OLD;
	bytes[14] = 0;
	bytes[15] = SECRET_OLD_SIZE;
	again(bytes, SECRET_OLD_SIZE);
	assert_int_equal(secret_decode(&t, bytes, SECRET_OLD_SIZE, &version), KMS_OK);
	assert_int_equal(version, SECRET_OLD);
	assert_int_equal(t.sequence, s.sequence);
	assert_memory_equal(t.challenge, s.challenge, sizeof(t.challenge));
	assert_int_equal(t.after.count, 0);
	assert_true(t.after.partial);
	assert_int_equal(after_say(&t.after, s.after.hosts[0].id, s.pending_id, said), 0);
	for (size_t len = SECRET_OLD_SIZE - 1; len <= SECRET_OLD_SIZE + 1; len += 2) {
		bytes[15] = (uint8_t)len;
		again(bytes, len);
		assert_int_equal(secret_decode(&t, bytes, len, NULL), KMS_E_STATE);
	}
	(void)arg;
}

/* What is known of hosts, byte by byte: behind 128 bytes flags, number, and one host. */
static void
test_bad_after(void **arg)
{
	static const struct {
		const char *what;
		size_t at;
		uint8_t value;
	} rows[] = {
		{ "an unknown flag", 128, 2 },
		{ "more hosts than there are", 129, 2 },
		{ "more hosts than may be", 129, AFTER_HOSTS + 1 },
		{ "fewer", 129, 0 },
		{ "no id", 179, 0 },
		{ "more ids than may be", 179, AFTER_IDS + 1 },
		{ "more answered than there are", 180, 3 },
		{ "an answer that is missing", 181, 1 },
		{ "an unknown flag of a host", 181, 2 },
		{ "an answer that was refused", 183, 1 },
		{ "a refusal of no id", 183, 4 },
	};
	struct secret s = { .sequence = 7 }, t;
	uint8_t bytes[SECRET_MAX];
	size_t len;

	fill_secret(&s);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		len = secret_encode(bytes, &s);
		bytes[rows[i].at] = rows[i].value;
		again(bytes, len);
		if (secret_decode(&t, bytes, len, NULL) != KMS_E_STATE)
			fail_msg("%s", rows[i].what);
	}
	len = secret_encode(bytes, &s);
	memset(bytes + 184, 0, 16);
	again(bytes, len);
	assert_int_equal(secret_decode(&t, bytes, len, NULL), KMS_E_STATE); /* an id of zeros */
	(void)arg;
}

/* Which of the two files are there decides what can be done. */
static void
test_one_of_two(void **arg)
{
	struct place *p = *arg;
	struct fault fault = { 0 };
	struct state_file *f;
	struct state *s;
	struct secret *secret;
	uint8_t pk[32], key[SECRET_MAX];
	size_t len;

	assert_int_equal(open_state(p, &f, &s, 1), KMS_OK);
	memcpy(pk, s->pk, sizeof(pk));
	state_close(f);
	snprintf(p->other, sizeof(p->other), "%s.key", p->path);
	/* FILE.key alone, as a crash in the first moment leaves it: the same client. */
	assert_int_equal(unlink(p->path), 0);
	assert_int_equal(open_state(p, &f, &s, 50), KMS_OK);
	assert_memory_equal(s->pk, pk, sizeof(pk));
	assert_int_equal(s->first_use, 50);
	/* FILE alone: it can be read, and nothing can be asked. */
	len = slurp(p->other, key, sizeof(key));
	assert_int_equal(unlink(p->other), 0);
	assert_int_equal(state_read(f, NULL), KMS_OK);
	assert_int_equal(state_lock(f, NULL), KMS_OK);
	assert_int_equal(state_secret(f, &secret, &fault), KMS_E_STATE);
	assert_non_null(strstr(fault.text, ".key is missing. "));
	/* The key of another client. */
	key[17] ^= 1; /* bit 0 of the first byte is not used */
	again(key, len);
	spill(p->other, key, len);
	fault = (struct fault){ 0 };
	assert_int_equal(state_secret(f, &secret, &fault), KMS_E_STATE);
	assert_non_null(strstr(fault.text, ".key is not the key of "));
	state_close(f);
	/* FILE.key alone and damaged: nothing is made. */
	key[20] ^= 1;
	spill(p->other, key, len);
	assert_int_equal(unlink(p->path), 0);
	assert_int_equal(open_state(p, &f, &s, 1), KMS_E_STATE);
	assert_int_equal(access(p->path, F_OK), -1);
}

static void
test_one_at_a_time(void **arg)
{
	struct place *p = *arg;
	struct state_file *f, *g;
	struct state *s, *t;

	assert_int_equal(open_state(p, &f, &s, 1), KMS_OK);
	assert_int_equal(open_state(p, &g, &t, 1), KMS_OK);
	assert_int_equal(state_lock(f, NULL), KMS_OK);
	assert_int_equal(state_lock(g, NULL), KMS_E_EXISTS);
	s->count = 7;
	assert_int_equal(state_save(f, NULL), KMS_OK); /* the rename must not lose the lock */
	assert_int_equal(state_lock(g, NULL), KMS_E_EXISTS);
	assert_int_equal(t->count, 0);
	assert_int_equal(state_read(g, NULL), KMS_OK); /* reading needs no lock */
	assert_int_equal(t->count, 7);
	s->count = 8;
	save(f);
	assert_int_equal(state_lock(g, NULL), KMS_OK);
	assert_int_equal(t->count, 8); /* what was written meanwhile is not overwritten */
	state_close(f);
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
	chmod(p->other, 0666);
	assert_int_equal(open_state(p, &f, &s, 1), KMS_OK);
	assert_int_equal(s->count, 17);
	assert_int_equal(state_lock(f, NULL), KMS_OK);
	s->count++;
	save(f);
	assert_int_equal(access(p->other, F_OK), -1);
	assert_int_equal(mode_of(p->path, ""), 0644);
	state_close(f);
	assert_int_equal(open_state(p, &f, &s, 1), KMS_OK);
	assert_int_equal(s->count, 18);
	state_close(f);
}

static void
test_nowhere(void **arg)
{
	struct place *p = *arg;
	struct state_file *f;
	struct state *s;

	snprintf(p->other, sizeof(p->other), "%s/none/s", p->directory);
	assert_int_equal(state_open(&f, &s, p->other, 1, NULL), KMS_E_IO);
	assert_true(folder_add(p->path));
	assert_int_equal(open_state(p, &f, &s, 1), KMS_E_STATE);
	assert_int_equal(rmdir(p->path), 0);
	if (folder_link(p->path)) {
		assert_int_equal(open_state(p, &f, &s, 1), KMS_E_STATE);
		assert_int_equal(unlink(p->path), 0);
	}
	/* The temporary file cannot be made: nothing is, and nothing is left. */
	snprintf(p->other, sizeof(p->other), "%s.key.new", p->path);
	assert_true(folder_add(p->other));
	assert_int_not_equal(open_state(p, &f, &s, 1), KMS_OK);
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
	struct state_file *f;
	struct state *s;

	if (!folder_limit(100))
		skip();
	assert_true(folder_limit(0));
	assert_int_equal(open_state(p, &f, &s, 1), KMS_OK);
	assert_true(folder_limit(100));
	assert_int_equal(state_lock(f, NULL), KMS_OK);
	s->count++;
	assert_int_equal(state_save(f, NULL), KMS_E_FULL);
	assert_true(folder_limit(0));
	assert_int_equal(slurp(p->path, after, sizeof(after)), len);
	assert_memory_equal(after, before, len);
	snprintf(p->other, sizeof(p->other), "%s.new", p->path);
	assert_int_equal(access(p->other, F_OK), -1);
	save(f);
	state_close(f);
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
		cmocka_unit_test_setup_teardown(test_bad_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_version, setup, teardown),
		cmocka_unit_test(test_secret),
		cmocka_unit_test(test_old_secret),
		cmocka_unit_test(test_bad_after),
		cmocka_unit_test_setup_teardown(test_one_of_two, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_crash_before_rename, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nowhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_write_fails, setup, teardown),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
