/*
 * test_setup.c - the pure parts of kmsctl setup: a section written into an ini text, and what a
 * file is by its bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kmsctl/setup/ini_section.h"
#include "kmsctl/setup/recognise.h"
#include "libkms/kms_error.h"

static const struct ini_value values[] = {
	{ .key = "key", .value = "RW" },
	{ .key = "policy", .value = "/p" },
};

static void
test_section(void **ignored)
{
	static const struct {
		const char *before, *after;
	} table[] = {
		/* a new section, at the end */
		{ "", "[publisher acme]\nkey = RW\npolicy = /p\n" },
		{ "; mine\n[kms]\n", "; mine\n[kms]\n\n[publisher acme]\nkey = RW\npolicy = /p\n" },
		{ "[kms]", "[kms]\n\n[publisher acme]\nkey = RW\npolicy = /p\n" },
		{ "[kms]\r\n", "[kms]\r\n\r\n[publisher acme]\r\nkey = RW\r\npolicy = /p\r\n" },
		/* one that is there already */
		{ "[publisher acme]\nkey = XX\npolicy = /q\n", NULL },
		{ "[publisher acme]\nkey = XX\npolicy = /q", NULL },
		{ "[publisher acme]\nkey=XX\npolicy:/q ; mine\n", NULL },
		/* what it lacks comes after its last key, before the comment of the next section */
		{ "[publisher acme]\nkey = XX\n\n; next\n[kms]\n",
		    "[publisher acme]\nkey = XX\npolicy = /p\n\n; next\n[kms]\n" },
		{ "[publisher acme]\nkey = XX", "[publisher acme]\nkey = XX\npolicy = /p\n" },
		{ "[publisher acme]", "[publisher acme]\nkey = RW\npolicy = /p\n" },
		{ "[publisher acme]\n[kms]\n", "[publisher acme]\nkey = RW\npolicy = /p\n[kms]\n" },
		{ "[publisher  acme] ; x\r\nkey = XX\r\n[kms]\r\n",
		    "[publisher  acme] ; x\r\nkey = XX\r\npolicy = /p\r\n[kms]\r\n" },
		/* a key without a value */
		{ "[publisher acme]\npolicy =\nkey = XX\n",
		    "[publisher acme]\npolicy = /p\nkey = XX\n" },
		{ "[publisher acme]\nkey = XX\npolicy = ; none\n",
		    "[publisher acme]\nkey = XX\npolicy = /p\n" },
		{ "[publisher acme]\nkey = XX\npolicy =",
		    "[publisher acme]\nkey = XX\npolicy = /p\n" },
		{ "\xef\xbb\xbf[publisher acme]\r\nkey = XX\r\n",
		    "\xef\xbb\xbf[publisher acme]\r\nkey = XX\r\npolicy = /p\r\n" },
		/* others with its name in it */
		{ "[publisher acme2]\nkey = XX\n",
		    "[publisher acme2]\nkey = XX\n\n[publisher acme]\nkey = RW\npolicy = /p\n" },
		{ ";[publisher acme]\n;key =\n",
		    ";[publisher acme]\n;key =\n\n[publisher acme]\nkey = RW\npolicy = /p\n" },
		{ "[publisher other]\npolicy =\n[publisher acme]\nkey = XX\n",
		    "[publisher other]\npolicy =\n[publisher acme]\nkey = XX\npolicy = /p\n" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const char *after = table[i].after != NULL ? table[i].after : table[i].before;
		char *out, *again;

		assert_int_equal(
		    ini_section_write(&out, table[i].before, "publisher", "acme", values, 2),
		    KMS_OK);
		assert_string_equal(out, after);
		assert_int_equal(
		    ini_section_write(&again, out, "publisher", "acme", values, 2), KMS_OK);
		assert_string_equal(again, after);
		free(out);
		free(again);
	}
}

/* A section without a name, and values that take the place of old ones. */
static void
test_section_replace(void **ignored)
{
	static const struct ini_value share[] = {
		{ .key = "name", .value = "x" },
		{ .key = "members", .value = "a b c", .replace = true },
	};
	static const struct {
		const char *before, *after;
	} table[] = {
		{ "", "[share]\nname = x\nmembers = a b c\n" },
		{ "[share]\nname = y\nmembers = a b\n", "[share]\nname = y\nmembers = a b c\n" },
		{ "[share]\nmembers = a\nalone = renew\nmembers = b\n\n[kms]\n",
		    "[share]\nmembers = a b c\nalone = renew\nname = x\n\n[kms]\n" },
		{ "[share x]\n[shared]\n",
		    "[share x]\n[shared]\n\n[share]\nname = x\nmembers = a b c\n" },
		{ "[share]", "[share]\nname = x\nmembers = a b c\n" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char *out;

		assert_int_equal(
		    ini_section_write(&out, table[i].before, "share", "", share, 2), KMS_OK);
		assert_string_equal(out, table[i].after);
		free(out);
	}
}

#define A50 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define PUBLIC "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"

static void
test_recognise(void **ignored)
{
	static const struct {
		const char *text;
		size_t len; /* 0: all of it */
		enum sent_kind kind;
		const char *what;
	} table[] = {
		{ "# by us\n[policy]\nid = x\n", 0, SENT_SIGNED, "policy pack" },
		{ "[host-key]\n", 0, SENT_SIGNED, "KMS host key" },
		{ "[host-certificate]\n", 0, SENT_SIGNED, "host certificate" },
		{ "[revocations]\n", 0, SENT_SIGNED, "revocation list" },
		{ "[rotation]\n", 0, SENT_SIGNED, "key rotation" },
		{ "[confirmation-request]\n", 0, SENT_REQUEST, "a request (.kmsreq)" },
		{ PUBLIC "\n", 0, SENT_PUBLIC_KEY, "a publisher's public key" },
		{ "untrusted comment: minisign public key\r\n" PUBLIC "\r\n", 0, SENT_PUBLIC_KEY,
		    "a publisher's public key" },
		{ "untrusted comment: x\n" A50 A50 "\ntrusted comment: y\n", 0, SENT_SIGNATURE,
		    "a signature (.minisig)" },
		{ "untrusted comment: x\n" A50 A50 A50 A50 "AAAAAAAAAAAA\n", 0, SENT_OTHER,
		    "a publisher's secret key" },
		{ "untrusted comment: x\n" A50 "\n", 0, SENT_OTHER, "a damaged file of minisign" },
		{ "untrusted comment: x", 0, SENT_OTHER, "a text that kmsd does not use" },
		{ "KABCD-ABCDE-ABCDE-ABCDE-ABCDE\nABCDE-ABCDE-ABCDE-ABCDE-ABCDE\n", 0,
		    SENT_KEY_CODE, "the code of a host key" },
		{ "cabcd abcde abcde abcde abcde abcde abcde abcde abcde abcde\n", 0,
		    SENT_CONFIRMATION_CODE, "the code of a confirmation" },
		{ "three words are here\n", 0, SENT_OTHER, "a text that kmsd does not use" },
		{ "1234567-1234567-1234567-1234567-1234567-1234567-1234567-1234567-1234567\n", 0,
		    SENT_OTHER, "an installation id" },
		{ "[listen]\nport = 1\n", 0, SENT_INI, "an ini file of kmsd" },
		{ " \n<!DocType HTML>", 0, SENT_OTHER, "a web page" },
		{ "Subject: x\n\n[host-key]\n", 0, SENT_OTHER, "a saved mail" },
		{ "\xff\xfe[\0h\0", 6, SENT_OTHER, "text in UTF-16, as Windows editors save it" },
		{ "\xff\xd8\xff\xe0", 0, SENT_OTHER, "a picture (JPEG)" },
		{ "RIFF\1\1\1\1WEBPVP8 ", 0, SENT_OTHER, "a picture (WebP)" },
		{ "\0\0\0\x18"
		  "ftypheic",
		    12, SENT_OTHER, "a picture (HEIF)" },
		{ "II*\0", 4, SENT_OTHER, "a picture (TIFF)" },
		{ "KMSSTKEY", 0, SENT_OTHER, "a client's secret key" },
		{ "KMSHOSTK", 0, SENT_OTHER, "the identity of a host (host.key)" },
		{ "KMSHOST", 0, SENT_OTHER, "a text that kmsd does not use" },
		{ "a\0b", 3, SENT_OTHER, "a file of an unknown kind" },
		{ "", 0, SENT_OTHER, "an empty file" },
	};
	struct recognised is;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		recognise(
		    &is, table[i].text, table[i].len > 0 ? table[i].len : strlen(table[i].text));
		assert_string_equal(is.what, table[i].what);
		assert_int_equal(is.kind, table[i].kind);
	}
	recognise(&is, "KMSSTKEY", 8);
	assert_true(is.secret);
	recognise(&is, "KMSSTATE", 8);
	assert_false(is.secret);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_section),
		cmocka_unit_test(test_section_replace),
		cmocka_unit_test(test_recognise),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
