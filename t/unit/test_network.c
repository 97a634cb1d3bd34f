/*
 * test_network.c - networks, endpoints and names: what is read and what is not, that it is written
 * so that it reads back as the same, and which ports follow for the relay.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kmsd/common/network.h"
#include "kmsd/common/relay_config.h"

#define N60 "012345678901234567890123456789012345678901234567890123456789"

/* NULL: it is not read. */
static const struct {
	const char *word, *text;
	bool literal;
	uint16_t port, priority, weight;
} endpoints[] = {
	{ "kms.example.com", "kms.example.com", false, 1688, 0, 0 },
	{ "KMS.Example.com.", "kms.example.com", false, 1688, 0, 0 },
	{ "kms.example.com:1689/10/5", "kms.example.com:1689/10/5", false, 1689, 10, 5 },
	{ "kms/0/5", "kms/0/5", false, 1688, 0, 5 },
	{ "10.0.0.1", "10.0.0.1", true, 1688, 0, 0 },
	{ "10.0.0.2:1700/1", "10.0.0.2:1700/1", true, 1700, 1, 0 },
	{ "[2001:db8::1]:99", "[2001:db8::1]:99", true, 99, 0, 0 },
	{ "2001:DB8::2", "2001:db8::2", true, 1688, 0, 0 },
	{ "[2001:db8::2]:1688", "2001:db8::2", true, 1688, 0, 0 },
	{ "[2001:db8::2]", "2001:db8::2", true, 1688, 0, 0 },
	{ "win_kms", "win_kms", false, 1688, 0, 0 },
	{ "kms.example.com:0", NULL, false, 0, 0, 0 },
	{ "kms.example.com:65536", NULL, false, 0, 0, 0 },
	{ "kms.example.com:01688", NULL, false, 0, 0, 0 },
	{ "kms.example.com:", NULL, false, 0, 0, 0 },
	{ "kms.example.com:1688/", NULL, false, 0, 0, 0 },
	{ "kms.example.com/65536", NULL, false, 0, 0, 0 },
	{ "kms.example.com/1/2/3", NULL, false, 0, 0, 0 },
	{ "kms.example.com/-1", NULL, false, 0, 0, 0 },
	{ "10.0.0", NULL, false, 0, 0, 0 },
	{ "10.0.0.256", NULL, false, 0, 0, 0 },
	{ "[10.0.0.1]", NULL, false, 0, 0, 0 },
	{ "[kms]", NULL, false, 0, 0, 0 },
	{ "[2001:db8::1", NULL, false, 0, 0, 0 },
	{ "[2001:db8::1]x", NULL, false, 0, 0, 0 },
	{ "2001:db8:::1", NULL, false, 0, 0, 0 },
	{ "http://kms.example.com", NULL, false, 0, 0, 0 },
	{ "-kms", NULL, false, 0, 0, 0 },
	{ "kms-", NULL, false, 0, 0, 0 },
	{ "kms..example", NULL, false, 0, 0, 0 },
	{ "kms\nexample", NULL, false, 0, 0, 0 },
	{ N60 "0123x", NULL, false, 0, 0, 0 },
	{ N60 "." N60 "." N60 "." N60 "." N60 ".x", NULL, false, 0, 0, 0 },
	{ "", NULL, false, 0, 0, 0 },
};

static void
test_endpoints(void **state)
{
	for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
		struct endpoint e, again;
		char text[ENDPOINT_TEXT];
		bool read = endpoint_parse_ranked(&e, endpoints[i].word, RELAY_PORT);

		if (read != (endpoints[i].text != NULL))
			fail_msg("\"%s\" is %s", endpoints[i].word, read ? "read" : "not read");
		if (!read)
			continue;
		assert_string_equal(endpoint_text(text, &e, RELAY_PORT), endpoints[i].text);
		assert_int_equal(e.literal, endpoints[i].literal);
		assert_int_equal(e.port, endpoints[i].port);
		assert_int_equal(e.priority, endpoints[i].priority);
		assert_int_equal(e.weight, endpoints[i].weight);
		assert_true(endpoint_parse_ranked(&again, text, RELAY_PORT));
		assert_memory_equal(&e, &again, sizeof(e));
	}
	(void)state;
}

/* A name server has another port when none is named, and no priority. */
static void
test_name_server(void **state)
{
	struct endpoint e;
	char text[ENDPOINT_TEXT];

	assert_true(endpoint_parse(&e, "192.0.2.1:5353", DNS_PORT));
	assert_int_equal(e.port, 5353);
	assert_true(endpoint_parse(&e, "[2001:db8::1]", DNS_PORT));
	assert_int_equal(e.port, 53);
	assert_string_equal(endpoint_text(text, &e, DNS_PORT), "2001:db8::1");
	assert_false(endpoint_parse(&e, "192.0.2.1/1", DNS_PORT));
	assert_false(endpoint_parse(&e, "192.0.2.1:70000", DNS_PORT));
	(void)state;
}

static const struct {
	const char *network, *text; /* NULL: it is not read */
	const char *address;
	bool in;
} networks[] = {
	{ "10.0.0.0/8", "10.0.0.0/8", "10.255.1.2", true },
	{ "10.0.0.0/8", "10.0.0.0/8", "11.0.0.0", false },
	{ "172.16.0.0/12", "172.16.0.0/12", "172.31.255.255", true },
	{ "172.16.0.0/12", "172.16.0.0/12", "172.32.0.0", false },
	{ "192.0.2.7", "192.0.2.7", "192.0.2.7", true },
	{ "192.0.2.7/32", "192.0.2.7", "192.0.2.6", false },
	{ "0.0.0.0/0", "0.0.0.0/0", "203.0.113.9", true },
	{ "0.0.0.0/0", "0.0.0.0/0", "2001:db8::1", false },
	{ "fc00::/7", "fc00::/7", "fdff::1", true },
	{ "FC00::/7", "fc00::/7", "fe00::1", false },
	{ "::1/128", "::1", "::1", true },
	{ "::/0", "::/0", "2001:db8::1", true },
	{ "10.0.0.1/8", NULL, NULL, false },
	{ "2001:db8::1/64", NULL, NULL, false },
	{ "10.0.0.0/33", NULL, NULL, false },
	{ "10.0.0.0/08", NULL, NULL, false },
	{ "10.0.0.0/-1", NULL, NULL, false },
	{ "fc00::/129", NULL, NULL, false },
	{ "10.0.0.0/", NULL, NULL, false },
	{ "/8", NULL, NULL, false },
	{ "all", NULL, NULL, false },
	{ "", NULL, NULL, false },
};

static void
test_networks(void **state)
{
	for (size_t i = 0; i < sizeof(networks) / sizeof(networks[0]); i++) {
		struct network n, again;
		char text[NETWORK_TEXT];
		uint8_t address[16];

		if (network_parse(&n, networks[i].network) != (networks[i].text != NULL))
			fail_msg("%s", networks[i].network);
		if (networks[i].text == NULL)
			continue;
		assert_string_equal(network_text(text, &n), networks[i].text);
		assert_true(network_parse(&again, text));
		assert_memory_equal(&n, &again, sizeof(n));
		assert_true(address_parse(address, networks[i].address));
		if (network_has(&n, address) != networks[i].in)
			fail_msg("%s in %s", networks[i].address, networks[i].network);
	}
	(void)state;
}

static void
test_within(void **state)
{
	static const struct {
		const char *inner, *outer;
		bool within;
	} rows[] = {
		{ "10.1.0.0/16", "10.0.0.0/8", true },
		{ "10.0.0.0/8", "10.1.0.0/16", false },
		{ "10.0.0.0/8", "10.0.0.0/8", true },
		{ "10.0.0.0/8", "0.0.0.0/0", true },
		{ "10.0.0.0/8", "::/0", false },
		{ "2001:db8::1", "2001:db8::/32", true },
		{ "2001:db9::1", "2001:db8::/32", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct network inner, outer;

		assert_true(network_parse(&inner, rows[i].inner));
		assert_true(network_parse(&outer, rows[i].outer));
		if (network_within(&inner, &outer) != rows[i].within)
			fail_msg("%s in %s", rows[i].inner, rows[i].outer);
	}
	(void)state;
}

static void
test_relay_ports(void **state)
{
	struct config c = { .relay_ports = { 2, { 1688, 1999 } } };
	uint16_t ports[RELAY_PORTS];
	char text[RELAY_UPSTREAM_TEXT];
	static const char *const hosts[] = { "10.0.0.1:1700", "10.0.0.2:1700/1", "10.0.0.3" };

	assert_false(relay_configured(&c));
	assert_int_equal(relay_ports(&c, ports), 0);
	for (size_t i = 0; i < 3; i++)
		assert_true(endpoint_parse_ranked(
		    &c.relay_upstream.at[c.relay_upstream.count++], hosts[i], RELAY_PORT));
	assert_int_equal(relay_ports(&c, ports), 2);
	assert_false(relay_has_names(&c));
	assert_string_equal(
	    relay_upstream_text(&c, text), "10.0.0.1:1700 10.0.0.2:1700/1 10.0.0.3");
	strcpy(c.relay_domain, "example.com");
	assert_int_equal(relay_ports(&c, ports), 3);
	assert_true(relay_has_names(&c));
	assert_true(relay_port_allowed(&c, 1999));
	assert_false(relay_port_allowed(&c, 1998));
	assert_int_equal(relay_nameserver_port(&c), 53);
	assert_null(relay_nameserver(&c, text));
	assert_true(endpoint_parse(&c.relay_nameserver, "[2001:db8::53]:5353", DNS_PORT));
	assert_int_equal(relay_nameserver_port(&c), 5353);
	assert_string_equal(relay_nameserver(&c, text), "[2001:db8::53]:5353");
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_name_server),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_within),
		cmocka_unit_test(test_relay_ports),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
