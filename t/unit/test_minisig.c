/*
 * test_minisig.c - keys and signatures made by the real minisign at test time,
 * prehashed and legacy, and everything wrong with such files.
 */
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libkms/core/minisig.h"
#include "t/unit/core_test.h"

static const char content[] = "[pack]\nid = example\n";

/* Made once by main's setup; removed by its teardown. */
struct scene {
	char dir[64];
	char pub[512], sig[2048], legacy[2048], other_pub[512];
	struct minisig_key key;
};
static struct scene scene;

static const char *const files[] = { "file", "file.minisig", "file.legacy", "k.pub", "k.key",
	"o.pub", "o.key", NULL };

static char *
path(const char *name)
{
	static char out[4][128];
	static unsigned next;
	char *p = out[next++ % 4];

	snprintf(p, sizeof(out[0]), "%s/%s", scene.dir, name);
	return p;
}

/* Run minisign, silent and without anybody to ask. */
static int
minisign(const char *const argv[])
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
slurp(const char *name, char *out, size_t size)
{
	FILE *f = fopen(path(name), "r");
	size_t n;

	assert_non_null(f);
	n = fread(out, 1, size - 1, f);
	out[n] = '\0';
	fclose(f);
}

static int
setup(void **state)
{
	FILE *f;

	strcpy(scene.dir, "/tmp/kms-minisig-XXXXXX");
	assert_non_null(mkdtemp(scene.dir));
	f = fopen(path("file"), "w");
	assert_non_null(f);
	assert_int_equal(fwrite(content, 1, sizeof(content) - 1, f), sizeof(content) - 1);
	fclose(f);
	assert_int_equal(minisign((const char *const[]){ "minisign", "-G", "-W", "-p",
			     path("k.pub"), "-s", path("k.key"), NULL }),
	    0);
	assert_int_equal(minisign((const char *const[]){ "minisign", "-G", "-W", "-p",
			     path("o.pub"), "-s", path("o.key"), NULL }),
	    0);
	assert_int_equal(minisign((const char *const[]){ "minisign", "-S", "-s", path("k.key"),
			     "-t", "trusted words", "-m", path("file"), NULL }),
	    0);
	assert_int_equal(minisign((const char *const[]){ "minisign", "-S", "-l", "-s",
			     path("k.key"), "-x", path("file.legacy"), "-m", path("file"), NULL }),
	    0);
	slurp("k.pub", scene.pub, sizeof(scene.pub));
	slurp("o.pub", scene.other_pub, sizeof(scene.other_pub));
	slurp("file.minisig", scene.sig, sizeof(scene.sig));
	slurp("file.legacy", scene.legacy, sizeof(scene.legacy));
	assert_int_equal(minisig_key_parse(&scene.key, scene.pub), KMS_OK);
	(void)state;
	return 0;
}

static int
teardown(void **state)
{
	for (const char *const *f = files; *f != NULL; f++)
		unlink(path(*f));
	(void)state;
	return rmdir(scene.dir);
}

static int
verify(const char *sig, size_t len)
{
	return minisig_verify(&scene.key, content, sizeof(content) - 1, sig, len, NULL, 0);
}

static void
test_good(void **state)
{
	char comment[64], cut[8];

	assert_int_equal(minisig_verify(&scene.key, content, sizeof(content) - 1, scene.sig,
			     strlen(scene.sig), comment, sizeof(comment)),
	    KMS_OK);
	assert_string_equal(comment, "trusted words");
	assert_int_equal(minisig_verify(&scene.key, content, sizeof(content) - 1, scene.sig,
			     strlen(scene.sig), cut, sizeof(cut)),
	    KMS_OK);
	assert_string_equal(cut, "trusted");
	assert_int_equal(verify(scene.legacy, strlen(scene.legacy)), KMS_OK);
	/* Without the last line's end, as some editors leave it. */
	assert_int_equal(verify(scene.sig, strlen(scene.sig) - 1), KMS_OK);
	/* The two forms differ in what is signed, and say so. */
	assert_memory_equal(strchr(scene.sig, '\n') + 1, "RUQ", 2);
	assert_memory_equal(strchr(scene.legacy, '\n') + 1, "RWQ", 2);
	(void)state;
}

static void
test_crlf(void **state)
{
	char out[4096];
	size_t n = 0;

	for (const char *p = scene.sig; *p != '\0'; p++) {
		if (*p == '\n')
			out[n++] = '\r';
		out[n++] = *p;
	}
	assert_int_equal(verify(out, n), KMS_OK);
	(void)state;
}

static void
test_wrong_content(void **state)
{
	char changed[sizeof(content)];
	struct minisig_key other;

	memcpy(changed, content, sizeof(content));
	changed[0] ^= 1;
	for (int legacy = 0; legacy < 2; legacy++) {
		const char *sig = legacy ? scene.legacy : scene.sig;
		size_t len = strlen(sig);

		assert_int_equal(
		    minisig_verify(&scene.key, changed, sizeof(content) - 1, sig, len, NULL, 0),
		    KMS_E_SIGNATURE);
		assert_int_equal(
		    minisig_verify(&scene.key, content, sizeof(content) - 2, sig, len, NULL, 0),
		    KMS_E_SIGNATURE);
		assert_int_equal(
		    minisig_verify(&scene.key, "", 0, sig, len, NULL, 0), KMS_E_SIGNATURE);
		assert_int_equal(minisig_key_parse(&other, scene.other_pub), KMS_OK);
		assert_int_equal(
		    minisig_verify(&other, content, sizeof(content) - 1, sig, len, NULL, 0),
		    KMS_E_PUBLISHER);
		/* Another key under the same id must not do. */
		memcpy(other.id, scene.key.id, 8);
		assert_int_equal(
		    minisig_verify(&other, content, sizeof(content) - 1, sig, len, NULL, 0),
		    KMS_E_SIGNATURE);
	}
	(void)state;
}

/* Any byte behind the untrusted comment changed, or the file cut: never well. */
static void
test_every_octet(void **state)
{
	size_t len = strlen(scene.sig), first = (size_t)(strchr(scene.sig, '\n') - scene.sig);
	char sig[2048];

	for (size_t i = first; i < len - 1; i++) {
		memcpy(sig, scene.sig, len);
		sig[i] = sig[i] == 'A' ? 'B' : 'A';
		assert_int_not_equal(verify(sig, len), KMS_OK);
		sig[i] = '\0';
		assert_int_not_equal(verify(sig, len), KMS_OK);
	}
	for (size_t i = 0; i < len - 1; i++)
		assert_int_equal(verify(scene.sig, i), KMS_E_FORMAT);
	(void)state;
}

static void
test_comments(void **state)
{
	char sig[2048], *words;

	strcpy(sig, scene.sig);
	assert_non_null(words = strstr(sig, "trusted words"));
	words[0] = 'T';
	assert_int_equal(verify(sig, strlen(sig)), KMS_E_SIGNATURE);
	/* Nobody signs the untrusted one. */
	strcpy(sig, scene.sig);
	sig[strlen("untrusted comment: ")] ^= 1;
	assert_int_equal(verify(sig, strlen(sig)), KMS_OK);
	sig[0] = 'U';
	assert_int_equal(verify(sig, strlen(sig)), KMS_E_FORMAT);
	strcpy(sig, scene.sig);
	strcat(sig, "x");
	assert_int_equal(verify(sig, strlen(sig)), KMS_E_FORMAT);
	strcpy(sig, scene.sig);
	strcat(sig, "\n");
	assert_int_equal(verify(sig, strlen(sig)), KMS_E_FORMAT);
	(void)state;
}

static void
test_trusted_comment_too_long(void **state)
{
	static char sig[16384];
	char *at = strstr(scene.sig, "trusted words");
	size_t head = (size_t)(at - scene.sig);

	memcpy(sig, scene.sig, head);
	memset(sig + head, 'w', 8193);
	strcpy(sig + head + 8193, strchr(at, '\n'));
	assert_int_equal(verify(sig, strlen(sig)), KMS_E_FORMAT);
	/* One less is read to the end, and then does not verify. */
	strcpy(sig + head + 8192, strchr(at, '\n'));
	assert_int_equal(verify(sig, strlen(sig)), KMS_E_SIGNATURE);
	(void)state;
}

static void
test_key(void **state)
{
	char line[MINISIG_KEY_LINE + 1], text[256];
	struct minisig_key k;

	minisig_key_format(line, &scene.key);
	assert_int_equal(strlen(line), MINISIG_KEY_LINE);
	assert_memory_equal(line, "RW", 2);
	assert_non_null(strstr(scene.pub, line));
	assert_int_equal(minisig_key_parse(&k, line), KMS_OK);
	assert_memory_equal(k.id, scene.key.id, 8);
	assert_memory_equal(k.pk, scene.key.pk, 32);
	snprintf(text, sizeof(text), "%s\r\n", line);
	assert_int_equal(minisig_key_parse(&k, text), KMS_OK);
	snprintf(text, sizeof(text), "%s\n%s\n", line, line);
	assert_int_equal(minisig_key_parse(&k, text), KMS_E_FORMAT);
	snprintf(text, sizeof(text), "%sA", line);
	assert_int_equal(minisig_key_parse(&k, text), KMS_E_FORMAT);
	snprintf(text, sizeof(text), " %s", line);
	assert_int_equal(minisig_key_parse(&k, text), KMS_E_FORMAT);
	for (size_t n = 0; n < MINISIG_KEY_LINE; n++) {
		memcpy(text, line, n);
		text[n] = '\0';
		assert_int_equal(minisig_key_parse(&k, text), KMS_E_FORMAT);
	}
	strcpy(text, line);
	text[1] = 'U'; /* "ED" is no key */
	assert_int_equal(minisig_key_parse(&k, text), KMS_E_FORMAT);
	assert_int_equal(minisig_key_parse(&k, "untrusted comment: only this\n"), KMS_E_FORMAT);
	(void)state;
}

/* The two lines that a typed code gives: the real signature's own, and nothing else. */
static void
test_plain(void **state)
{
	char plain[sizeof(scene.sig)], again[MINISIG_PLAIN], *end;
	uint8_t octets[74];
	size_t len, n;

	strcpy(plain, scene.sig);
	assert_non_null(end = strstr(plain, "\ntrusted comment:"));
	len = (size_t)(end + 1 - plain);
	assert_int_equal(
	    minisig_verify_plain(&scene.key, content, strlen(content), plain, len), KMS_OK);
	assert_int_equal(minisig_verify_plain(&scene.key, content, strlen(content) - 1, plain, len),
	    KMS_E_SIGNATURE);
	/* Neither form passes for the other. */
	assert_int_equal(minisig_verify_plain(
			     &scene.key, content, strlen(content), scene.sig, strlen(scene.sig)),
	    KMS_E_FORMAT);
	assert_int_equal(minisig_verify(&scene.key, content, strlen(content), plain, len, NULL, 0),
	    KMS_E_FORMAT);
	for (n = 0; n + 1 < len; n++)
		assert_int_equal(
		    minisig_verify_plain(&scene.key, content, strlen(content), plain, n),
		    KMS_E_FORMAT);
	assert_int_equal(sodium_base642bin(octets, sizeof(octets), strchr(plain, '\n') + 1, 100,
			     "\n", NULL, NULL, sodium_base64_VARIANT_ORIGINAL),
	    0);
	len = minisig_format_plain(again, octets + 2, octets + 10);
	assert_int_equal(len, strlen(again));
	assert_int_equal(
	    minisig_verify_plain(&scene.key, content, strlen(content), again, len), KMS_OK);
	octets[2] ^= 1;
	len = minisig_format_plain(again, octets + 2, octets + 10);
	assert_int_equal(minisig_verify_plain(&scene.key, content, strlen(content), again, len),
	    KMS_E_PUBLISHER);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_crlf),
		cmocka_unit_test(test_wrong_content),
		cmocka_unit_test(test_every_octet),
		cmocka_unit_test(test_comments),
		cmocka_unit_test(test_trusted_comment_too_long),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_key),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("minisig", tests, setup, teardown);
}
