/*
 * test_etcd.c - what kmsd-share writes to etcd and reads from it, without a socket: base64, the
 * names of keys, requests, answers as etcd gives them, and answers as it never would.
 */
#include <stdio.h>

#include "kmsd/share/etcd.h"
#include "kmsd/share/share_keys.h"
#include "t/unit/core_test.h"

static void
test_base64(void **ignored)
{
	/* RFC 4648, section 10 */
	static const char *const vectors[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" },
		{ "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" }, { "\xff\xfe\xfb", "//77" } };
	static const char *const bad[] = { "Z", "Zg",
		"Zg=", "Zg===", "Zh==", "Zm9=", "====", "Z===", "Zg==Zg==", "Zm 8", "Zm8\n", "Zm_-",
		"=Zm8", "Z=8=", "Zm9vYmF\x80" };
	uint8_t bytes[256], again[256];
	char text[BASE64_TEXT(256) + 1];
	size_t len;

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		size_t n = strlen(vectors[i][0]);

		base64_format(text, (const uint8_t *)vectors[i][0], n);
		assert_string_equal(text, vectors[i][1]);
		assert_int_equal(strlen(text), BASE64_TEXT(n));
		assert_true(base64_parse(again, n, &len, text, strlen(text)));
		assert_int_equal(len, n);
		assert_memory_equal(again, vectors[i][0], n);
		if (n > 0)
			assert_false(base64_parse(again, n - 1, &len, text, strlen(text)));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (base64_parse(again, sizeof(again), &len, bad[i], strlen(bad[i])))
			fail_msg("\"%s\" is base64", bad[i]);
	for (size_t n = 0; n < sizeof(bytes); n++)
		bytes[n] = (uint8_t)(n * 7 + 1);
	for (size_t n = 0; n < sizeof(bytes); n++) {
		base64_format(text, bytes, n);
		assert_true(base64_parse(again, sizeof(again), &len, text, strlen(text)));
		assert_int_equal(len, n);
		assert_memory_equal(again, bytes, n);
	}
}

static void
test_keys(void **ignored)
{
	static const uint8_t host[16] = { 0xab, 1 };
	static const char *const no_parcels[] = { "kms/s/b/ab010000000000000000000000000000/",
		"kms/s/b/ab010000000000000000000000000000/000000000000000",
		"kms/s/b/ab010000000000000000000000000000/00000000000000001",
		"kms/s/b/ab010000000000000000000000000000/000000000000000G",
		"kms/s/b/ab010000000000000000000000000000/000000000000000A",
		"kms/s/b/ac010000000000000000000000000000/0000000000000001",
		"kms/t/b/ab010000000000000000000000000000/0000000000000001",
		"kms/s/h/ab010000000000000000000000000000/0000000000000001", "" };
	static const char *const no_beats[] = { "kms/s/h/", "kms/s/h/ab",
		"kms/s/h/AB010000000000000000000000000000",
		"kms/s/h/ab010000000000000000000000000000/", "kms/s/b/", "" };
	char key[SHARE_KEY], longest[SHARE_NAME + 1];
	uint8_t got[16];
	uint64_t first;

	assert_string_equal(share_key_parcel(key, "s", host, 0x1f),
	    "kms/s/b/ab010000000000000000000000000000/000000000000001f");
	assert_true(share_key_is_parcel(key, "s", host, &first));
	assert_int_equal(first, 0x1f);
	share_key_parcel(key, "s", host, UINT64_MAX);
	assert_true(share_key_is_parcel(key, "s", host, &first) && first == UINT64_MAX);
	assert_string_equal(
	    share_key_parcels(key, "s", host), "kms/s/b/ab010000000000000000000000000000/");
	assert_string_equal(
	    share_key_parcels_end(key, "s", host), "kms/s/b/ab0100000000000000000000000000000");
	for (size_t i = 0; i < sizeof(no_parcels) / sizeof(no_parcels[0]); i++)
		assert_false(share_key_is_parcel(no_parcels[i], "s", host, &first));
	assert_true(share_key_is_beat(share_key_beat(key, "s", host), "s", got));
	assert_memory_equal(got, host, 16);
	for (size_t i = 0; i < sizeof(no_beats) / sizeof(no_beats[0]); i++)
		assert_false(share_key_is_beat(no_beats[i], "s", got));
	/* The longest name has room. */
	memset(longest, 'x', SHARE_NAME);
	longest[SHARE_NAME] = '\0';
	share_key_parcel(key, longest, host, 1);
	assert_true(share_key_is_parcel(key, longest, host, &first) && first == 1);
}

static void
expect(struct etcd_text *t, const char *path, const char *text)
{
	assert_string_equal(t->path, path);
	assert_string_equal(t->bytes, text);
	assert_int_equal(t->len, strlen(text));
	free(t->bytes);
}

/* a: YQ==, b: Yg==, c: Yw==, v: dg== */
static void
test_requests(void **ignored)
{
	struct etcd_text t;

	assert_true(etcd_create(&t, "a", (const uint8_t *)"v", 1));
	expect(&t, "/v3/kv/txn",
	    "{\"compare\":[{\"key\":\"YQ==\",\"target\":\"VERSION\",\"result\":\"EQUAL\",\"version\":\"0\"}],"
	    "\"success\":[{\"request_put\":{\"key\":\"YQ==\",\"value\":\"dg==\"}}],"
	    "\"failure\":[{\"request_range\":{\"key\":\"YQ==\"}}]}");
	assert_true(etcd_put_and_list(&t, "a", (const uint8_t *)"v", 1, "b", "c", 64));
	expect(&t, "/v3/kv/txn",
	    "{\"success\":[{\"request_put\":{\"key\":\"YQ==\",\"value\":\"dg==\"}},"
	    "{\"request_range\":{\"key\":\"Yg==\",\"range_end\":\"Yw==\",\"limit\":\"64\"}}]}");
	assert_true(etcd_first(&t, "a", "b", true));
	expect(&t, "/v3/kv/range",
	    "{\"key\":\"YQ==\",\"range_end\":\"Yg==\",\"limit\":\"1\",\"sort_target\":\"KEY\",\"sort_order\":\"DESCEND\"}");
	assert_true(etcd_probe(&t, "a", "b"));
	expect(&t, "/v3/kv/range",
	    "{\"key\":\"YQ==\",\"range_end\":\"Yg==\",\"limit\":\"1\",\"keys_only\":true}");
	assert_true(etcd_delete(&t, "a", "b"));
	expect(&t, "/v3/kv/deleterange", "{\"key\":\"YQ==\",\"range_end\":\"Yg==\"}");
}

#define HEADER                                                                                     \
	"\"header\":{\"cluster_id\":\"14841639068965178418\",\"member_id\":\"1\",\"revision\":\"7\",\"raft_term\":\"2\"}"
#define PAIR "{\"key\":\"YQ==\",\"create_revision\":\"2\",\"version\":\"1\",\"value\":\"dg==\"}"
#define PUT "{\"response_put\":{\"header\":{\"revision\":\"7\"}}}"
#define RANGE(pairs) "{\"response_range\":{\"header\":{\"revision\":\"7\"},\"kvs\":[" pairs "]}}"

static int
parse(struct etcd_answer *a, enum etcd_kind kind, const char *text)
{
	/* Its own memory, so that a sanitizer sees a read past it. */
	char *exact = malloc(strlen(text) + (*text == '\0'));
	int rc;

	assert_non_null(exact);
	memcpy(exact, text, strlen(text));
	rc = etcd_answer_parse(a, kind, exact, strlen(text));
	free(exact);
	return rc;
}

static void
test_answers(void **ignored)
{
	struct etcd_answer a;
	char key[8];
	uint8_t value[8];
	size_t len;

	assert_int_equal(
	    parse(&a, ETCD_CREATE, "{" HEADER ",\"succeeded\":true,\"responses\":[" PUT "]}"),
	    KMS_OK);
	assert_true(a.created && a.cluster == UINT64_C(14841639068965178418));
	etcd_answer_free(&a);
	/* A lost comparison leaves "succeeded" out. */
	assert_int_equal(
	    parse(&a, ETCD_CREATE, "{" HEADER ",\"responses\":[" RANGE(PAIR) "]}"), KMS_OK);
	assert_false(a.created);
	assert_int_equal(a.count, 1);
	assert_true(etcd_answer_pair(&a, 0, key, sizeof(key), value, sizeof(value), &len));
	assert_string_equal(key, "a");
	assert_true(len == 1 && value[0] == 'v');
	/* Too small for it; no such pair. */
	assert_false(etcd_answer_pair(&a, 0, key, 1, value, sizeof(value), &len));
	assert_false(etcd_answer_pair(&a, 0, key, sizeof(key), value, 0, &len));
	assert_false(etcd_answer_pair(&a, 1, key, sizeof(key), value, sizeof(value), &len));
	etcd_answer_free(&a);
	assert_int_equal(
	    parse(&a, ETCD_PUT_AND_LIST,
		"{" HEADER ",\"succeeded\":true,\"responses\":[" PUT "," RANGE(PAIR "," PAIR) "]}"),
	    KMS_OK);
	assert_int_equal(a.count, 2);
	etcd_answer_free(&a);
	assert_int_equal(parse(&a, ETCD_RANGE, "{" HEADER "}"), KMS_OK);
	assert_int_equal(a.count, 0);
	etcd_answer_free(&a);
	assert_int_equal(parse(&a, ETCD_RANGE, "{" HEADER ",\"kvs\":[" PAIR "]}"), KMS_OK);
	assert_int_equal(a.count, 1);
	etcd_answer_free(&a);
	assert_int_equal(parse(&a, ETCD_DELETE, "{" HEADER ",\"deleted\":\"3\"}"), KMS_OK);
	assert_true(a.deleted == 3);
	etcd_answer_free(&a);
	assert_int_equal(parse(&a, ETCD_DELETE, "{" HEADER "}"), KMS_OK);
	assert_true(a.deleted == 0);
	etcd_answer_free(&a);
}

static const struct {
	enum etcd_kind kind;
	const char *text;
} bad_answers[] = {
	{ ETCD_RANGE, "" },
	{ ETCD_RANGE, "{" },
	{ ETCD_RANGE, "[]" },
	{ ETCD_RANGE, "null" },
	{ ETCD_RANGE, "{}" },
	{ ETCD_RANGE, "{" HEADER "} and more" },
	{ ETCD_RANGE, "{\"header\":7}" },
	{ ETCD_RANGE, "{\"header\":{}}" },
	{ ETCD_RANGE, "{\"header\":{\"cluster_id\":5}}" },
	{ ETCD_RANGE, "{\"header\":{\"cluster_id\":\"-5\"}}" },
	{ ETCD_RANGE, "{\"header\":{\"cluster_id\":\"18446744073709551616\"}}" },
	{ ETCD_RANGE, "{\"header\":{\"cluster_id\":\"0\"}}" },
	{ ETCD_RANGE, "{" HEADER ",\"kvs\":{}}" },
	{ ETCD_RANGE, "{" HEADER "," HEADER "}" },
	{ ETCD_RANGE, "{" HEADER ",\"x\":\"\xff\"}" },
	{ ETCD_RANGE, "{" HEADER ",\"x\":\"\\u0000\"}" },
	{ ETCD_CREATE, "{" HEADER "}" },
	{ ETCD_CREATE, "{" HEADER ",\"succeeded\":true}" },
	{ ETCD_CREATE, "{" HEADER ",\"succeeded\":\"true\",\"responses\":[" PUT "]}" },
	{ ETCD_CREATE, "{" HEADER ",\"succeeded\":true,\"responses\":[]}" },
	{ ETCD_CREATE, "{" HEADER ",\"succeeded\":true,\"responses\":[" RANGE(PAIR) "]}" },
	{ ETCD_CREATE, "{" HEADER ",\"responses\":[" PUT "]}" },
	{ ETCD_CREATE, "{" HEADER ",\"responses\":[" RANGE("") "]}" },
	{ ETCD_CREATE, "{" HEADER ",\"responses\":[" RANGE(PAIR "," PAIR) "]}" },
	{ ETCD_PUT_AND_LIST, "{" HEADER ",\"responses\":[" PUT "," RANGE("") "]}" },
	{ ETCD_PUT_AND_LIST, "{" HEADER ",\"succeeded\":true,\"responses\":[" PUT "]}" },
	{ ETCD_PUT_AND_LIST,
	    "{" HEADER ",\"succeeded\":true,\"responses\":[" RANGE("") "," PUT "]}" },
	{ ETCD_DELETE, "{" HEADER ",\"deleted\":3}" },
	{ ETCD_DELETE, "{" HEADER ",\"deleted\":\"x\"}" },
};

static void
test_bad_answers(void **ignored)
{
	struct etcd_answer a;

	for (size_t i = 0; i < sizeof(bad_answers) / sizeof(bad_answers[0]); i++) {
		if (parse(&a, bad_answers[i].kind, bad_answers[i].text) != KMS_E_FORMAT)
			fail_msg("taken: %s", bad_answers[i].text);
		etcd_answer_free(&a);
	}
}

static void
test_bad_pairs(void **ignored)
{
	static const char *const bad[] = { "7", "{\"key\":7}", "{\"key\":\"YQ\"}",
		"{\"key\":\"YQBh\",\"value\":\"\"}", "{\"key\":\"YQ==\",\"value\":\"=\"}",
		"{\"key\":\"YQ==\",\"value\":[]}" };
	struct etcd_answer a;
	char key[8], text[512];
	uint8_t value[8];
	size_t len;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "{" HEADER ",\"kvs\":[%s]}", bad[i]);
		assert_int_equal(parse(&a, ETCD_RANGE, text), KMS_OK);
		if (etcd_answer_pair(&a, 0, key, sizeof(key), value, sizeof(value), &len))
			fail_msg("taken: %s", bad[i]);
		etcd_answer_free(&a);
	}
}

/* Before the library allocates anything. */
static void
limited(char open, const char *close, size_t count, int status)
{
	static char text[65536];
	struct etcd_answer a;
	size_t n = (size_t)snprintf(text, sizeof(text), "{" HEADER ",\"x\":[");

	memset(text + n, open, count);
	snprintf(text + n + count, sizeof(text) - n - count, "%s]}", close);
	assert_int_equal(parse(&a, ETCD_RANGE, text), status);
	etcd_answer_free(&a);
}

static void
test_limits(void **ignored)
{
	char many[3 * ETCD_VALUES + 64];
	struct etcd_answer a;
	size_t n = (size_t)snprintf(many, sizeof(many), "{" HEADER ",\"x\":[");

	limited('[', "]]]]]]", 6, KMS_OK);
	limited('[', "]]]]]]]", 7, KMS_E_LIMIT);
	limited('[', "", 60000, KMS_E_LIMIT);
	limited('{', "", 60000, KMS_E_LIMIT);
	/* Elements, written close together. */
	for (size_t i = 0; i < ETCD_VALUES; i++)
		n += (size_t)snprintf(many + n, sizeof(many) - n, "1,");
	snprintf(many + n, sizeof(many) - n, "1]}");
	assert_int_equal(parse(&a, ETCD_RANGE, many), KMS_E_LIMIT);
	etcd_answer_free(&a);
	/* Brackets in a string are text, also behind an escaped quote. */
	assert_int_equal(
	    parse(&a, ETCD_RANGE, "{" HEADER ",\"x\":\"\\\"[[[[[[[[[[[[[[[[\\\\\"}"), KMS_OK);
	etcd_answer_free(&a);
}

static void
test_errors(void **ignored)
{
	static const struct {
		long http;
		const char *text;
		int status;
		const char *why;
	} rows[] = {
		{ 503, "{\"error\":\"etcdserver: request timed out\",\"code\":14}", KMS_E_NO_HOST,
		    "HTTP status 503: etcdserver: request timed out" },
		{ 429,
		    "{\"error\":\"etcdserver: mvcc: database space exceeded\",\"message\":\"x\",\"code\":8}",
		    KMS_E_FULL, NULL },
		{ 429, "{\"error\":\"etcdserver: too many requests\",\"code\":8}", KMS_E_NO_HOST,
		    NULL },
		{ 400, "{\"error\":\"etcdserver: request is too large\",\"code\":3}",
		    KMS_E_TOO_LARGE, NULL },
		{ 400, "{\"error\":\"x\",\"code\":16}", KMS_E_DENIED, NULL },
		{ 401, "CommonName of client sending a request against gateway will be ignored",
		    KMS_E_DENIED, "HTTP status 401" },
		{ 500, "", KMS_E_NO_HOST, "HTTP status 500" },
		{ 404, "{\"error\":[],\"code\":\"3\"}", KMS_E_NO_HOST, "HTTP status 404" },
		{ 302, "[[[[[[[[[[[[[[[[", KMS_E_NO_HOST, "HTTP status 302" },
	};
	char why[128];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(etcd_error(why, rows[i].http, rows[i].text, strlen(rows[i].text)),
		    rows[i].status);
		if (rows[i].why != NULL)
			assert_string_equal(why, rows[i].why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_bad_answers),
		cmocka_unit_test(test_bad_pairs),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_errors),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
