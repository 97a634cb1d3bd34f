/*
 * test_config_wire.c - what a child is given of kms.ini: its own rows and no others, whole; and
 * that it refuses what is cut, too long, out of range or of another version.
 *
 * KMS_UPDATE=1 rewrites the seeds of fuzz_config_wire.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kmsd/common/config_text.h"
#include "kmsd/common/config_wire.h"
#include "libkms/kms_error.h"

#define KEY "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
#define ROWS 20 /* where the first row begins */

static const char full[] =
    "[kms]\nfront_user = net\nactivate_user = act\ncontrol_group = adm\n"
    "runtime_directory = /r\nstate_directory = /s\n"
    "[limits]\nconnections = 7\ncredits = 9\n"
    "[ledger]\nsegment_size = 2M\n"
    "[sandbox]\nrequired = no\nallow_missing = seccomp uid\n"
    "[log]\nlevel = debug\ntarget = syslog\n"
    "[relay]\nupstream = kms.example.com:1689/10/5 [2001:db8::9]:1700\ndomain = example.com\n"
    "nameserver = 192.0.2.53:5353\nports = 1688 1999\nallow = 10.0.0.0/8 2001:db8::/32\n"
    "[share]\nname = north-1\nmembers = etcd1.example.com 192.0.2.7:2380 [2001:db8::7]:1\n"
    "authority = /a\ncertificate = /b\nkey = /c\nalone = renew\nalone_for = 7d\nreserve = 0\n"
    "[publisher acme]\nkey = " KEY "\npolicy = /p\n"
    "[class dev]\npool = float\npublisher = acme\nnetworks = 10.0.0.0/8 2001:db8::/32\n"
    "names = build-* ann?\nreserve = 3\nlimit = 5\n";

static const struct {
	const char *name;
	enum config_reader reader;
} readers[] = {
	{ "front", CONFIG_FRONT },
	{ "activate", CONFIG_ACTIVATE },
	{ "resolve", CONFIG_RESOLVE },
	{ "share", CONFIG_SHARE },
};
#define READERS (sizeof(readers) / sizeof(readers[0]))

static void
parse(struct config *c, const char *text)
{
	struct fault f;

	if (config_parse(c, text, strlen(text), &f, 1) != 0)
		fail_msg("%d: %s", f.line, f.text);
}

static bool
is_zero(const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((const uint8_t *)bytes)[i] != 0)
			return false;
	return true;
}

/* A seed of another version would be refused at its first byte, and nothing be tried. */
static void
check_seed(const char *path, enum config_reader reader)
{
	uint8_t bytes[CONFIG_WIRE_MAX];
	struct config c;
	FILE *f = fopen(path, "r");
	size_t len;

	assert_non_null(f);
	len = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	if (config_decode(&c, bytes, len, reader) != KMS_OK)
		fail_msg("%s is of another version: run this test with KMS_UPDATE=1", path);
}

static void
keep_seed(size_t reader, const char *text, const uint8_t *bytes, size_t len)
{
	const char *dir = getenv("KMS_SRC");
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/t/fuzz/corpus/fuzz_config_wire/%s-%s",
	    dir != NULL ? dir : ".", readers[reader].name, text);
	if (getenv("KMS_UPDATE") == NULL) {
		check_seed(path, readers[reader].reader);
		return;
	}
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

/* Every row that is the reader's has the value of kms.ini, every other one is nothing. */
static void
rows_are(const struct config *got, const struct config *c, enum config_reader reader)
{
	for (const struct config_key *k = config_schema(); k->section != NULL; k++) {
		const struct config_record *d = config_record_of(k);
		bool theirs = (k->readers & reader) != 0;
		const char *a = d != NULL ? config_record_at(d, got, 0) : (const char *)got;
		const char *b = d != NULL ? config_record_at(d, c, 0) : (const char *)c;

		if (theirs ? memcmp(a + k->offset, b + k->offset, k->size) != 0
			   : !is_zero(a + k->offset, k->size))
			fail_msg("[%s] %s", k->section, k->key);
	}
}

static void
test_rows(void **state)
{
	static const char *const texts[] = { full, "" };
	struct config c, got;

	for (size_t t = 0; t < 2; t++) {
		parse(&c, texts[t]);
		for (size_t i = 0; i < READERS; i++) {
			uint8_t bytes[CONFIG_WIRE_MAX];
			size_t len = config_encode(bytes, &c, readers[i].reader);

			keep_seed(i, t == 0 ? "full" : "defaults", bytes, len);
			assert_int_equal(
			    config_decode(&got, bytes, len, readers[i].reader), KMS_OK);
			rows_are(&got, &c, readers[i].reader);
			assert_true(got.marks[false] == config_mark(&c, false));
			assert_true(got.marks[true] == config_mark(&c, true));
			assert_int_equal(got.publisher_count,
			    readers[i].reader == CONFIG_ACTIVATE ? c.publisher_count : 0);
			assert_int_equal(got.class_count,
			    readers[i].reader == CONFIG_ACTIVATE ? c.class_count : 0);
		}
	}
	(void)state;
}

/* Cut anywhere, with a byte too many, and for another process. */
static void
test_whole(void **state)
{
	uint8_t bytes[CONFIG_WIRE_MAX];
	struct config c, got;
	size_t len;

	parse(&c, full);
	for (size_t i = 0; i < READERS; i++) {
		len = config_encode(bytes, &c, readers[i].reader);
		for (size_t cut = 0; cut < len; cut++) {
			assert_int_not_equal(
			    config_decode(&got, bytes, cut, readers[i].reader), KMS_OK);
			assert_true(is_zero(&got, sizeof(got)));
		}
		bytes[len] = 0;
		assert_int_equal(
		    config_decode(&got, bytes, len + 1, readers[i].reader), KMS_E_TRAILING);
		for (size_t k = 0; k < READERS; k++)
			assert_int_equal(config_decode(&got, bytes, len, readers[k].reader),
			    k == i ? KMS_OK : KMS_E_BAD_VERSION);
	}
	(void)state;
}

/* No byte that is changed can make a value that kms.ini could not have. */
static void
test_altered(void **state)
{
	uint8_t bytes[CONFIG_WIRE_MAX], again[CONFIG_WIRE_MAX];
	struct config c, got;

	parse(&c, full);
	for (size_t i = 0; i < READERS; i++) {
		size_t len = config_encode(bytes, &c, readers[i].reader);

		for (size_t at = ROWS; at < len; at++) {
			uint8_t was = bytes[at];

			for (unsigned flip = 1; flip < 256; flip++) {
				bytes[at] = (uint8_t)(was ^ flip);
				if (config_decode(&got, bytes, len, readers[i].reader) != KMS_OK)
					continue;
				assert_int_equal(
				    config_encode(again, &got, readers[i].reader), len);
				assert_memory_equal(again + ROWS, bytes + ROWS, len - ROWS);
			}
			bytes[at] = was;
		}
	}
	(void)state;
}

/* What the rows allow at most fits, and each row's bounds are checked. */
static void
test_bounds(void **state)
{
	static struct config c;
	uint8_t bytes[CONFIG_WIRE_MAX];
	struct config got;
	size_t len;

	config_defaults(&c);
	c.relay_upstream.count = CONFIG_ENDPOINTS;
	for (unsigned i = 0; i < CONFIG_ENDPOINTS; i++) {
		memset(c.relay_upstream.at[i].name, 'a', DNS_NAME - 1);
		c.relay_upstream.at[i].port = 1;
	}
	c.relay_allow.count = CONFIG_NETWORKS;
	c.publisher_count = CONFIG_PUBLISHERS;
	for (unsigned i = 0; i < CONFIG_PUBLISHERS; i++) {
		memset(c.publishers[i].name, 'p', 64);
		memcpy(c.publishers[i].key, KEY, 56);
	}
	c.class_count = CONFIG_CLASSES;
	for (unsigned i = 0; i < CONFIG_CLASSES; i++) {
		struct config_class *class = &c.classes[i];

		memset(class->name, 'c', 32);
		memset(class->publisher, 'p', 64);
		memset(class->pool, 'q', 32);
		class->networks.count = CONFIG_NETWORKS;
		class->names.count = CONFIG_PATTERNS;
		for (unsigned k = 0; k < CONFIG_PATTERNS; k++)
			memset(class->names.at[k], '*', CONFIG_PATTERN);
	}
	memset(c.share_name, 's', 32);
	c.share_members = (struct config_endpoints){ .count = CONFIG_MEMBERS };
	for (unsigned i = 0; i < CONFIG_MEMBERS; i++) {
		memset(c.share_members.at[i].name, 'b', DNS_NAME - 1);
		c.share_members.at[i].port = 2379;
	}
	for (size_t i = 0; i < READERS; i++) {
		len = config_encode(bytes, &c, readers[i].reader);
		assert_true(len < CONFIG_WIRE_MAX / 2);
		assert_int_equal(config_decode(&got, bytes, len, readers[i].reader), KMS_OK);
	}
	c.relay_upstream.at[3].port = 0;
	len = config_encode(bytes, &c, CONFIG_FRONT);
	assert_int_equal(config_decode(&got, bytes, len, CONFIG_FRONT), KMS_E_FORMAT);
	config_defaults(&c);
	c.relay_allow.at[0].bits = 200;
	len = config_encode(bytes, &c, CONFIG_FRONT);
	assert_int_equal(config_decode(&got, bytes, len, CONFIG_FRONT), KMS_E_FORMAT);
	config_defaults(&c);
	c.connections = 0;
	len = config_encode(bytes, &c, CONFIG_FRONT);
	assert_int_equal(config_decode(&got, bytes, len, CONFIG_FRONT), KMS_E_FORMAT);
	config_defaults(&c);
	strcpy(c.share_name, "a/b");
	len = config_encode(bytes, &c, CONFIG_ACTIVATE);
	assert_int_equal(config_decode(&got, bytes, len, CONFIG_ACTIVATE), KMS_E_FORMAT);
	config_defaults(&c);
	c.share_alone = CONFIG_ALONE_REFUSE + 1;
	len = config_encode(bytes, &c, CONFIG_ACTIVATE);
	assert_int_equal(config_decode(&got, bytes, len, CONFIG_ACTIVATE), KMS_E_FORMAT);
	config_defaults(&c);
	c.front_user[1] = '\n';
	len = config_encode(bytes, &c, CONFIG_FRONT);
	assert_int_equal(config_decode(&got, bytes, len, CONFIG_FRONT), KMS_E_FORMAT);
	(void)state;
}

/* A reload takes over what needs no restart, and nothing else. */
static void
test_reload(void **state)
{
	struct config running, fresh, before;

	parse(&running, "");
	before = running;
	parse(&fresh, full);
	config_reload(&running, &fresh);
	for (const struct config_key *k = config_schema(); k->section != NULL; k++)
		if (config_differs(k, &running, k->restart ? &before : &fresh))
			fail_msg("[%s] %s", k->section, k->key);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_altered),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_reload),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
