/*
 * test_dns_records.c - records from kms.ini, lines of dns.published good and bad, and the
 * firewall's rules that come from the same file.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kmsctl/dns/records.h"
#include "kmsctl/firewall/ruleset.h"
#include "kmsd/common/config_text.h"
#include "libkms/kms_error.h"

#define L63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PUBLISHER                                                                                  \
	"[publisher acme]\nkey = RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n"
#define N255 L63 "." L63 "." L63 "." L63 "."

static void
parse(struct config *c, const char *text)
{
	struct fault e;

	if (config_parse(c, text, strlen(text), &e, 1) != 0)
		fail_msg("%d: %s", e.line, e.text);
}

static void
test_lines(void **ignored)
{
	static const char *const good[] = {
		"_kms._tcp.example.com. 3600 IN SRV 0 100 1688 kms1.example.com.",
		"_vlmcs._tcp.a.b. 0 IN SRV 65535 65535 65535 x.y.",
		"kms1.example.com. 4294967295 IN A 192.0.2.10",
		"kms1.example.com. 60 IN AAAA 2001:db8::10",
	};
	static const char *const bad[] = {
		"",
		"_kms._tcp.example.com.",
		"_kms._tcp.example.com. 3600 IN SRV 0 100 1688",
		"_kms._tcp.example.com. 3600 IN SRV 0 100 1688 kms1.example.com",
		"_kms._tcp.example.com 3600 IN SRV 0 100 1688 kms1.example.com.",
		"_kms._tcp.example.com. 3600 IN SRV 0 100 65536 kms1.example.com.",
		"_kms._tcp.example.com. 3600 IN SRV -1 100 1688 kms1.example.com.",
		"_kms._tcp.example.com. 3600 IN SRV 0 100 1688 kms1.example.com. x",
		"_kms._tcp.example.com. 3600 CH SRV 0 100 1688 kms1.example.com.",
		"_kms._tcp.example.com. 4294967296 IN SRV 0 100 1688 kms1.example.com.",
		"_kms._tcp.example.com. 3600 IN TXT x",
		"_kms._tcp.example.com. 3600 IN SRV 0 100 1688 kms;1.example.com.",
		"_kms._tcp.example.com. 3600 IN SRV 0 100 1688 kms1.example.com.\nsend",
		"kms1.example.com. 3600 IN A 192.0.2",
		"kms1.example.com. 3600 IN A 2001:db8::10",
		"kms1.example.com. 3600 IN AAAA 192.0.2.10",
		"kms1.example.com. 3600 IN A 192.0.2.10 192.0.2.11",
		". 3600 IN A 192.0.2.10",
		".. 3600 IN A 192.0.2.10",
		"a.b\". 3600 IN A 192.0.2.10",
		N255 "a." N255 " 3600 IN A 192.0.2.10",
		"_kms._tcp.a. 3600 IN SRV 0 0 1 " N255 "a.",
	};
	char text[RECORD_TEXT];
	struct record r;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
		if (!record_parse(&r, good[i]))
			fail_msg("refused: %s", good[i]);
		record_text(text, &r);
		assert_string_equal(text, good[i]);
	}
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (record_parse(&r, bad[i]))
			fail_msg("accepted: %s", bad[i]);
}

static void
test_wanted(void **ignored)
{
	static struct records set;
	struct config c;
	struct fault fault = { 0 };

	parse(&c, "[dns]\nhost = kms.one.test\ndomains = one.test two.test\npublish_vlmcs = yes\n"
		  "addresses = 192.0.2.1 2001:db8::1\n" PUBLISHER);
	assert_int_equal(records_wanted(&set, &c, &fault), KMS_OK);
	assert_int_equal(set.count, 6);
	assert_string_equal(set.rows[1].name, "_vlmcs._tcp.one.test");
	assert_int_equal(set.rows[1].port, 1688);
	assert_int_equal(set.rows[5].type, RECORD_AAAA);
	/* One that serves no publisher's clients, but relays. */
	parse(&c, "[dns]\nhost = kms.one.test\npublish_vlmcs = yes\n");
	assert_int_equal(records_wanted(&set, &c, &fault), KMS_OK);
	assert_int_equal(set.count, 1);
	assert_string_equal(set.rows[0].name, "_vlmcs._tcp.one.test");
	parse(&c, "[dns]\nhost = kms.one.test\n");
	assert_int_equal(records_wanted(&set, &c, &fault), KMS_OK);
	assert_int_equal(set.count, 1);
	assert_string_equal(set.rows[0].name, "_kms._tcp.one.test");
	c.port = 0;
	assert_int_equal(records_wanted(&set, &c, NULL), KMS_E_CONFIG);
	c.port = 1;
	strcpy(c.dns_domains.at[0],
	    L63 "." L63 "." L63 ".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	c.dns_domains.count = 1;
	assert_int_equal(records_wanted(&set, &c, &fault), KMS_E_CONFIG);
	assert_non_null(strstr(fault.text, "longer than DNS allows"));
}

static void
test_full(void **ignored)
{
	struct record r = { .type = RECORD_SRV, .name = "a.b", .data = "c.d" };
	static struct records set;
	unsigned i;

	for (i = 0; i < RECORDS_MAX; i++) {
		r.port = (uint16_t)i;
		assert_true(records_add(&set, &r));
	}
	assert_true(records_add(&set, &r));
	assert_int_equal(set.count, RECORDS_MAX);
	r.port = RECORDS_MAX;
	assert_false(records_add(&set, &r));
}

/* Networks within others are left out, those that only touch are not. */
static void
test_networks(void **ignored)
{
	struct config c;
	char *text;

	parse(&c, "[firewall]\nallow = 10.0.0.0/9 10.128.0.0/9 10.1.2.3 0.0.0.0/32 ::/0 fe80::/10\n"
		  "rate = 7\n");
	assert_int_equal(ruleset_networks(&c, AF_INET), 3);
	assert_int_equal(ruleset_networks(&c, AF_INET6), 1);
	text = ruleset_text(&c);
	assert_non_null(text);
	assert_non_null(strstr(text, "limit rate over 7/minute burst 7 packets"));
	assert_null(strstr(text, "10.1.2.3"));
	free(text);
	parse(&c, "[firewall]\nallow = 192.0.2.1\nrate = 0\n");
	text = ruleset_text(&c);
	assert_non_null(text);
	assert_null(strstr(text, "rate"));
	assert_non_null(strstr(text, "ip6 saddr != @allow6"));
	free(text);
}

/* With a relay, its network processes get no further than the KMS hosts, and names. */
static void
test_relay_output(void **ignored)
{
	static const struct {
		const char *relay, *want;
	} rows[] = {
		{ "upstream = 192.0.2.1 192.0.2.2:1700\n",
		    "tcp dport != { 1688, 1700 } counter drop" },
		{ "upstream = kms1.example.com\n", "tcp dport != { 1688, 53 } counter drop" },
		{ "domain = example.com\nports = 1688 1689\n",
		    "tcp dport != { 1688, 1689, 53 } counter drop" },
		{ "domain = example.com\nnameserver = 192.0.2.53:5353\n",
		    "tcp dport != { 1688, 5353 } counter drop" },
		{ "domain = example.com\nnameserver = [2001:db8::53]:5353\n",
		    "tcp dport != { 1688, 5353 } counter drop" },
		{ "domain = example.com\nnameserver = 2001:db8::53\n",
		    "tcp dport != { 1688, 53 } counter drop" },
	};
	struct config c;
	char ini[512], *text;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		snprintf(ini, sizeof(ini), "[kms]\nfront_user = root\n[relay]\n%s", rows[i].relay);
		parse(&c, ini);
		text = ruleset_text(&c);
		assert_non_null(text);
		if (strstr(text, "meta skuid 0 ") == NULL || strstr(text, rows[i].want) == NULL)
			fail_msg("%s: %s", rows[i].relay, text);
		free(text);
	}
	parse(&c, "[kms]\nfront_user = nobody-has-it\n[relay]\nupstream = 192.0.2.1\n");
	text = ruleset_text(&c);
	assert_null(strstr(text, "output"));
	free(text);
	parse(&c, "[kms]\nfront_user = root\n");
	text = ruleset_text(&c);
	assert_null(strstr(text, "output"));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_wanted),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_relay_output),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
