/*
 * test_host_identity.c - keys/host.key in its three kinds: what is written is read back, every
 * damaged or absurd file is refused before anything is spent on it, a golden file still opens,
 * passphrases are tried a bounded number of times, and a conversion that is ended at any system
 * call leaves the old file or the new one.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kmsd/activate/activate.h"
#include "kmsd/activate/control/control_verbs.h"
#include "kmsd/activate/host_identity.h"
#include "kmsd/activate/identity_file.h"
#include "libkms/base/file.h"
#include "t/unit/core_test.h"

#define NAME "keys/host.key"

static const struct identity_secret right = { (const uint8_t *)"correct horse", 13 };
static const struct identity_secret wrong = { (const uint8_t *)"correct horsf", 13 };
static const uint8_t machine_a[32] = { 1, 2, 3 }, machine_b[32] = { 1, 2, 4 };
static const struct identity_secret a = { machine_a, 32 }, b = { machine_b, 32 };

/* A file of that kind over the seed 0, 1, 2 ... 31, as cheap as is allowed. */
static size_t
make_file(uint8_t file[IDENTITY_SIZE], enum identity_kind kind)
{
	struct identity_file f = { .kind = kind, .made = 1750000000 };
	uint8_t secret[IDENTITY_SECRET], sk[64];
	size_t len;

	for (unsigned i = 0; i < IDENTITY_SECRET; i++)
		secret[i] = (uint8_t)i;
	crypto_sign_seed_keypair(f.sign_pk, sk, secret);
	if (kind == IDENTITY_PASSPHRASE) {
		f.passes = 1;
		f.memory = IDENTITY_MEMORY_MIN;
	}
	assert_int_equal(
	    identity_file_encode(file, &len, &f, secret, kind == IDENTITY_MACHINE ? &a : &right),
	    KMS_OK);
	return len;
}

static void
redigest(uint8_t *file, size_t len)
{
	crypto_hash_sha256(file + len - 32, file, len - 32);
}

/* Whatever the kind, without the secret that it is sealed with. */
static void
check_public(const uint8_t *seed, const uint8_t *file, size_t len)
{
	uint8_t sk[64], want[32], pk[32];

	crypto_sign_seed_keypair(want, sk, seed);
	assert_int_equal(identity_file_public(pk, file, len), KMS_OK);
	assert_memory_equal(pk, want, sizeof(want));
	assert_int_equal(identity_file_public(pk, file, len - 1), KMS_E_FORMAT);
}

static void
test_kinds(void **state)
{
	uint8_t file[IDENTITY_SIZE], secret[IDENTITY_SECRET];

	for (int kind = IDENTITY_PLAIN; kind <= IDENTITY_MACHINE; kind++) {
		const struct identity_secret *s = kind == IDENTITY_MACHINE ? &a : &right;
		size_t len = make_file(file, (enum identity_kind)kind);
		struct identity_file f;

		assert_int_equal(len, kind == IDENTITY_PLAIN ? IDENTITY_PLAIN_SIZE : IDENTITY_SIZE);
		assert_int_equal(identity_file_decode(&f, file, len), KMS_OK);
		assert_int_equal(f.kind, kind);
		assert_int_equal(f.made, 1750000000);
		memset(secret, 0xff, sizeof(secret));
		assert_int_equal(identity_file_open(secret, file, len, s), KMS_OK);
		check_public(secret, file, len);
		for (unsigned i = 0; i < IDENTITY_SECRET; i++)
			assert_int_equal(secret[i], i);
		if (kind == IDENTITY_PLAIN)
			continue;
		/* No eight bytes of the secret are in a sealed file. */
		for (size_t at = 0; at + 8 <= len; at++)
			for (unsigned i = 0; i + 8 <= IDENTITY_SECRET; i += 8)
				assert_memory_not_equal(file + at, secret + i, 8);
		assert_int_equal(
		    identity_file_open(secret, file, len, kind == IDENTITY_MACHINE ? &b : &wrong),
		    KMS_E_PASSPHRASE);
		assert_int_equal(
		    identity_file_open(secret, file, len, &(struct identity_secret){ NULL, 0 }),
		    KMS_E_PASSPHRASE);
	}
	(void)state;
}

/* Any byte changed or missing, in every kind, with the digest as it was and made to fit. */
static void
test_damaged(void **state)
{
	uint8_t file[IDENTITY_SIZE + 1], secret[IDENTITY_SECRET];

	for (int kind = IDENTITY_PLAIN; kind <= IDENTITY_MACHINE; kind++) {
		const struct identity_secret *s = kind == IDENTITY_MACHINE ? &a : &right;
		size_t len = make_file(file, (enum identity_kind)kind);
		struct identity_file f;

		for (size_t n = 0; n < len; n++) {
			uint8_t *cut = malloc(n ? n : 1);

			memcpy(cut, file, n);
			assert_int_equal(identity_file_decode(&f, cut, n), KMS_E_FORMAT);
			if (n >= 48) {
				redigest(cut, n);
				assert_int_equal(identity_file_decode(&f, cut, n), KMS_E_FORMAT);
			}
			free(cut);
		}
		file[len] = 0;
		assert_int_equal(identity_file_decode(&f, file, len + 1), KMS_E_FORMAT);
		for (size_t i = 0; i < len; i++) {
			file[i] ^= 0x10;
			assert_int_equal(identity_file_decode(&f, file, len), KMS_E_FORMAT);
			file[i] ^= 0x10;
		}
		/* Somebody who mends the digest changes nothing that is sealed. */
		for (size_t i = 16; kind != IDENTITY_PLAIN && i < len - 32; i++) {
			file[i] ^= 1;
			redigest(file, len);
			assert_int_not_equal(identity_file_open(secret, file, len, s), KMS_OK);
			file[i] ^= 1;
		}
	}
	(void)state;
}

/* A file may not make us spend what it likes. */
static void
test_parameters(void **state)
{
	static const struct bad_field rows[] = {
		{ "no passes", 72, 0, 4, KMS_E_FORMAT },
		{ "too many passes", 72, IDENTITY_PASSES_MAX + 1, 4, KMS_E_FORMAT },
		{ "4294967295 passes", 72, UINT32_MAX, 4, KMS_E_FORMAT },
		{ "no memory", 76, 0, 4, KMS_E_FORMAT },
		{ "too little memory", 76, IDENTITY_MEMORY_MIN - 1, 4, KMS_E_FORMAT },
		{ "a KiB too much", 76, IDENTITY_MEMORY_MAX + 1, 4, KMS_E_FORMAT },
		{ "4 TiB", 76, UINT32_MAX, 4, KMS_E_FORMAT },
		{ "both", 72, UINT64_MAX, 8, KMS_E_FORMAT },
		{ "not zero", 10, 1, 1, KMS_E_FORMAT },
		{ "not zero", 15, 1, 1, KMS_E_FORMAT },
		{ "a later version", 8, 3, 1, KMS_E_SCHEMA },
		{ "a later kind", 9, 3, 1, KMS_E_SCHEMA },
		{ "the kind of no size", 9, IDENTITY_PLAIN, 1, KMS_E_FORMAT },
		{ "bound, with parameters", 9, IDENTITY_MACHINE, 1, KMS_E_FORMAT },
		{ "another magic", 0, 0x4b4d53484f53544c, 8, KMS_E_FORMAT },
	};
	uint8_t file[IDENTITY_SIZE], secret[IDENTITY_SECRET];
	struct identity_file f;

	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t len = make_file(file, IDENTITY_PASSPHRASE);

		bad_field_apply(&rows[i], file);
		redigest(file, len);
		if (identity_file_decode(&f, file, len) != rows[i].status)
			fail_msg("%s", rows[i].what);
		assert_int_equal(identity_file_open(secret, file, len, &right), rows[i].status);
	}
	make_file(file, IDENTITY_MACHINE);
	file[75] = 1;
	redigest(file, IDENTITY_SIZE);
	assert_int_equal(identity_file_decode(&f, file, IDENTITY_SIZE), KMS_E_FORMAT);
	(void)state;
}

/* Made with libsodium from Python, not with our encoder; and what version 1 was, which is named. */
static void
test_golden(void **state)
{
	static const char hex[] =
	    "4b4d53484f53544b020100000000000000000000684ee18003a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b86465666768696a6b6c6d6e6f707172730000000100000400c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf94770fc43a05ef5fc066bcb0270f1dccdae5088c8e3f69653b2efafc3e86e1a4830390d265207b10e5a3e245dc92fa5fe220a964b6678f84c736d0b3db4b76acbd38701b6119c675b67b21d01ec600ab";
	static const char version1[] =
	    "4b4d53484f53544b010100000000000000000000684ee18003a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd1662546465666768696a6b6c6d6e6f707172730000000100000400c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf94770fc43a05ef5fc066bcb0270f1dccdae5088c8e3f69653b2efafc3e86e1a414c1a7de217d4630db50db12c699d460e0f77ad5c87c7b43d43e9f3691bfe28cb0111e414c679ff94b6c27d80f9b70085b0c0d582457450d0830234ce38856f31a73c2e764b0174f7101e7e24f83c584";
	uint8_t file[256], secret[IDENTITY_SECRET];
	struct identity_file f;
	size_t len;

	assert_int_equal(
	    sodium_hex2bin(file, sizeof(file), version1, strlen(version1), NULL, &len, NULL), 0);
	assert_int_equal(identity_file_decode(&f, file, len), KMS_E_SCHEMA);
	file[60] ^= 1;
	assert_int_equal(identity_file_decode(&f, file, len), KMS_E_FORMAT);
	assert_int_equal(sodium_hex2bin(file, sizeof(file), hex, strlen(hex), NULL, &len, NULL), 0);
	assert_int_equal(len, IDENTITY_SIZE);
	assert_int_equal(identity_file_open(secret, file, len, &right), KMS_OK);
	for (unsigned i = 0; i < IDENTITY_SECRET; i++)
		assert_int_equal(secret[i], i);
	(void)state;
}

/* -- on disk -- */

struct place {
	char path[64];
	int fd;
	struct secrets secrets;
};

static int
set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	strcpy(p->path, "/tmp/test_host_identity.XXXXXX");
	if (mkdtemp(p->path) == NULL || (p->fd = open(p->path, O_RDONLY | O_DIRECTORY)) < 0)
		return -1;
	file_make_dir(p->fd, "keys", 0700);
	p->secrets.machine = sodium_malloc(32);
	memcpy(p->secrets.machine, machine_a, 32);
	*state = p;
	return 0;
}

static int
tear_down(void **state)
{
	struct place *p = *state;

	unlinkat(p->fd, NAME, 0);
	unlinkat(p->fd, NAME ".new", 0);
	unlinkat(p->fd, "keys", AT_REMOVEDIR);
	close(p->fd);
	rmdir(p->path);
	secrets_free(&p->secrets);
	free(p);
	return 0;
}

static struct host_identity *
open_key(struct place *p, const struct secrets *s)
{
	struct host_identity *k;
	char why[256] = "";
	bool made;

	assert_int_equal(host_identity_open(&k, p->fd, 1, s, &made, why), KMS_OK);
	return k;
}

static bool
signs(struct host_identity *k)
{
	struct batch_header h = { .number = 1, .size = 1 };
	uint8_t header[BATCH_HEADER], sig[BATCH_SIGNATURE];

	memcpy(h.host_id, host_identity_id(k), 16);
	batch_header_encode(header, &h);
	return host_identity_batch(sig, header, k) == KMS_OK &&
	       batch_verify(header, sig, host_identity_sign_pk(k)) == KMS_OK;
}

static void
write_key(struct place *p, enum identity_kind kind)
{
	uint8_t file[IDENTITY_SIZE];
	size_t len = make_file(file, kind);

	assert_int_equal(file_write(p->fd, NAME, file, len, 0600, true), KMS_OK);
}

static void
test_locked(void **state)
{
	struct place *p = *state;
	const struct secrets none = { 0 };
	struct confirm_request r = { 0 };
	struct host_identity *k;
	const struct exchange e = { .pk = { 9 } };
	uint8_t octets[EXCHANGE_SIZE];

	write_key(p, IDENTITY_PASSPHRASE);
	k = open_key(p, &none);
	assert_true(host_identity_locked(k));
	assert_false(signs(k));
	assert_int_equal(host_identity_confirm(k, &r), KMS_E_LOCKED);
	assert_int_equal(host_identity_exchange(k, octets, &e), KMS_E_LOCKED);
	assert_int_equal(host_identity_at_rest(k, octets), KMS_E_LOCKED);
	assert_int_equal(host_identity_unlock(k, wrong.octets, wrong.len), KMS_E_PASSPHRASE);
	assert_true(host_identity_locked(k));
	assert_int_equal(host_identity_unlock(k, right.octets, right.len), KMS_OK);
	assert_false(host_identity_locked(k));
	assert_true(signs(k));
	host_identity_free(k);
}

static void
test_machine(void **state)
{
	struct place *p = *state;
	struct secrets none = { 0 }, other = { .machine = sodium_malloc(32) };
	struct host_identity *k;
	char why[256] = "";
	bool made;

	memcpy(other.machine, machine_b, 32);
	write_key(p, IDENTITY_MACHINE);
	assert_int_equal(host_identity_open(&k, p->fd, 1, &none, &made, why), KMS_E_PASSPHRASE);
	assert_non_null(strstr(why, "machine_file"));
	assert_int_equal(host_identity_open(&k, p->fd, 1, &other, &made, why), KMS_E_PASSPHRASE);
	assert_non_null(strstr(why, "another machine file"));
	k = open_key(p, &p->secrets);
	assert_true(signs(k));
	host_identity_free(k);
	secrets_free(&other);
}

/* A guesser is made to wait, and is sent away after ten. */
static void
test_tries(void **state)
{
	struct place *p = *state;
	const struct secrets none = { 0 };
	struct control_buf args = { 0 }, rows = { 0 };
	char why[CONTROL_WHY];
	struct activate act = { .key = NULL };
	struct control_request q = { .activate = &act, .out = &rows, .why = why };

	write_key(p, IDENTITY_PASSPHRASE);
	act.key = open_key(p, &none);
	control_octets(&args, "passphrase", wrong.octets, wrong.len);
	for (unsigned i = 0; i < 10; i++) {
		wire_reader_init(&q.args, args.data, args.len);
		assert_int_equal(control_unlock(&q), KMS_E_PASSPHRASE);
		assert_non_null(strstr(why, "wrong passphrase"));
		if (i == 9)
			break;
		assert_int_equal(control_unlock(&q), KMS_E_OVERLOAD);
		act.try_again = 0; /* as if one had waited */
	}
	control_buf_free(&args);
	control_octets(&args, "passphrase", right.octets, right.len);
	act.try_again = 0;
	wire_reader_init(&q.args, args.data, args.len);
	assert_int_equal(control_unlock(&q), KMS_E_PASSPHRASE);
	assert_non_null(strstr(why, "restarted"));
	assert_true(host_identity_locked(act.key));
	control_buf_free(&args);
	control_buf_free(&rows);
	host_identity_free(act.key);
}

/* One that has no other name is overwritten; a hard link is somebody's backup. */
static void
test_scrub(void **state)
{
	struct place *p = *state;
	const struct secrets none = { 0 };
	uint8_t before[IDENTITY_PLAIN_SIZE], after[IDENTITY_SIZE] = { 0 };
	static const uint8_t zero[IDENTITY_PLAIN_SIZE];
	struct host_identity *k;
	size_t len;
	int fd;

	write_key(p, IDENTITY_PLAIN);
	file_read_into(p->fd, NAME, FILE_OURS, before, sizeof(before), &len);
	fd = openat(p->fd, NAME, O_RDONLY);
	k = open_key(p, &none);
	assert_int_equal(
	    host_identity_seal(k, p->fd, IDENTITY_MACHINE, NULL, 0, &p->secrets), KMS_OK);
	assert_true(pread(fd, after, sizeof(after), 0) >= IDENTITY_PLAIN_SIZE);
	assert_memory_equal(after, zero, IDENTITY_PLAIN_SIZE);
	close(fd);
	assert_int_equal(
	    host_identity_seal(k, p->fd, IDENTITY_PLAIN, NULL, 0, &p->secrets), KMS_OK);
	assert_int_equal(linkat(p->fd, NAME, p->fd, "backup", 0), 0);
	assert_int_equal(
	    host_identity_seal(k, p->fd, IDENTITY_MACHINE, NULL, 0, &p->secrets), KMS_OK);
	assert_int_equal(
	    file_read_into(p->fd, "backup", FILE_OURS, after, sizeof(after), &len), KMS_OK);
	assert_memory_equal(after, before, IDENTITY_PLAIN_SIZE);
	unlinkat(p->fd, "backup", 0);
	host_identity_free(k);
}

/* The child converts; it is ended before its nth system call from here on. True: it got through. */
static bool
convert_and_end_at(struct place *p, unsigned n, enum identity_kind to, bool *refused)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct host_identity *k = open_key(p, &p->secrets);

		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			_exit(3);
		raise(SIGSTOP);
		_exit(host_identity_seal(k, p->fd, to, NULL, 0, &p->secrets) == KMS_OK ? 0 : 4);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	*refused = WIFEXITED(status) && WEXITSTATUS(status) == 3;
	if (*refused)
		return true;
	assert_true(WIFSTOPPED(status));
	for (unsigned i = 0; i < n && WIFSTOPPED(status); i++) {
		ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
	}
	if (WIFSTOPPED(status)) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		return false;
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	return true;
}

static void
crash(struct place *p, enum identity_kind from, enum identity_kind to)
{
	bool done = false, refused = false, seen_old = false, seen_new = false;
	unsigned n;

	for (n = 1; !done && n < 1000; n++) {
		struct host_identity *k;

		write_key(p, from);
		done = convert_and_end_at(p, n, to, &refused);
		if (refused) {
			print_message("# NO PTRACE HERE: not ended in the middle\n");
			return;
		}
		k = open_key(p, &p->secrets);
		assert_true(signs(k));
		assert_true(host_identity_kind(k) == from || host_identity_kind(k) == to);
		seen_old |= host_identity_kind(k) == from;
		seen_new |= host_identity_kind(k) == to;
		/* What was half written is gone. */
		assert_int_equal(faccessat(p->fd, NAME ".new", F_OK, 0), -1);
		host_identity_free(k);
	}
	assert_true(done);
	assert_true(seen_old && seen_new);
	assert_true(n > 20);
}

static void
test_crash(void **state)
{
	crash(*state, IDENTITY_PLAIN, IDENTITY_MACHINE);
	crash(*state, IDENTITY_MACHINE, IDENTITY_PLAIN);
}

/* -- made once, and what it signs -- */

static const struct secrets no_secrets;

static void
test_made_once(void **state)
{
	struct place *p = *state;
	struct host_identity *first, *second;
	char why[256] = "";
	bool made;

	assert_int_equal(host_identity_open(&first, p->fd, 1000, &no_secrets, &made, why), KMS_OK);
	assert_true(made);
	assert_int_equal(host_identity_open(&second, p->fd, 2000, &no_secrets, &made, why), KMS_OK);
	assert_false(made);
	assert_memory_equal(host_identity_id(first), host_identity_id(second), 16);
	assert_memory_equal(host_identity_sign_pk(first), host_identity_sign_pk(second), 32);
	host_identity_free(first);
	host_identity_free(second);
}

/* Only headers of batches, and only this host's, are ever signed. */
static void
test_signs_batches_only(void **state)
{
	struct place *p = *state;
	struct batch_header h = { .number = 1, .size = 1 };
	uint8_t header[BATCH_HEADER], sig[BATCH_SIGNATURE];
	struct host_identity *k;
	char why[256] = "";
	bool made;

	assert_int_equal(host_identity_open(&k, p->fd, 1000, &no_secrets, &made, why), KMS_OK);
	memcpy(h.host_id, host_identity_id(k), 16);
	batch_header_encode(header, &h);
	assert_int_equal(host_identity_batch(sig, header, k), KMS_OK);
	assert_int_equal(batch_verify(header, sig, host_identity_sign_pk(k)), KMS_OK);
	header[0] ^= 1;
	assert_int_equal(host_identity_batch(sig, header, k), KMS_E_FORMAT);
	h.host_id[0] ^= 1;
	batch_header_encode(header, &h);
	assert_int_equal(host_identity_batch(sig, header, k), KMS_E_FORMAT);
	host_identity_free(k);
}

static void
test_damaged_key(void **state)
{
	struct place *p = *state;
	struct host_identity *k;
	char *file;
	size_t len;
	char why[256] = "";
	bool made;

	assert_int_equal(host_identity_open(&k, p->fd, 1000, &no_secrets, &made, why), KMS_OK);
	host_identity_free(k);
	assert_int_equal(file_read(p->fd, "keys/host.key", FILE_OURS, 4096, &file, &len), KMS_OK);
	for (size_t i = 0; i < len; i++) {
		file[i] ^= 0x10;
		file_write(p->fd, "keys/host.key", file, len, 0600, true);
		assert_int_not_equal(
		    host_identity_open(&k, p->fd, 1000, &no_secrets, &made, why), KMS_OK);
		file[i] ^= 0x10;
	}
	file_write(p->fd, "keys/host.key", file, len - 1, 0600, true);
	assert_int_equal(
	    host_identity_open(&k, p->fd, 1000, &no_secrets, &made, why), KMS_E_FORMAT);
	file = realloc(file, len + 1);
	file_write(p->fd, "keys/host.key", file, len + 1, 0600, true);
	assert_int_equal(
	    host_identity_open(&k, p->fd, 1000, &no_secrets, &made, why), KMS_E_FORMAT);
	free(file);
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_golden),
		WITH_PLACE(test_locked),
		WITH_PLACE(test_machine),
		WITH_PLACE(test_tries),
		WITH_PLACE(test_scrub),
		WITH_PLACE(test_crash),
		WITH_PLACE(test_made_once),
		WITH_PLACE(test_signs_batches_only),
		WITH_PLACE(test_damaged_key),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
