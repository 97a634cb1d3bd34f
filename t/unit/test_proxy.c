/*
 * test_proxy.c - the PROXY header: good ones of both versions, every prefix of them, and a table of
 * bad ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kmsd/front/proxy.h"
#include "libkms/base/address.h"
#include "libkms/kms_error.h"

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define V4 "\xc0\x00\x02\x01\xc0\x00\x02\x09\x9c\x40\x06\x98"
#define V6                                                                                         \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"     \
	"\x9c\x40\x06\x98"
#define TEXT(s) s, sizeof(s) - 1

struct row {
	const char *name, *octets;
	size_t len;
	const char *address; /* NULL: the balancer's own */
	uint16_t port;
};

static const struct row good[] = {
	{ "v1 IPv4", TEXT("PROXY TCP4 192.0.2.1 192.0.2.9 40000 1688\r\n"), "192.0.2.1", 40000 },
	{ "v1 IPv6", TEXT("PROXY TCP6 2001:db8::1 2001:db8::2 40000 1688\r\n"), "2001:db8::1",
	    40000 },
	{ "v1 unknown", TEXT("PROXY UNKNOWN\r\n"), NULL, 0 },
	{ "v1 unknown with words",
	    TEXT("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"), NULL, 0 },
	{ "v2 IPv4", TEXT(V2 "\x21\x11\x00\x0c" V4), "192.0.2.1", 40000 },
	{ "v2 IPv4 with a TLV", TEXT(V2 "\x21\x11\x00\x10" V4 "\x04\x00\x01x"), "192.0.2.1",
	    40000 },
	{ "v2 IPv6", TEXT(V2 "\x21\x21\x00\x24" V6), "2001:db8::1", 40000 },
	{ "v2 local", TEXT(V2 "\x20\x00\x00\x00"), NULL, 0 },
	{ "v2 local with an address", TEXT(V2 "\x20\x11\x00\x0c" V4), NULL, 0 },
	{ "v2 unspecified", TEXT(V2 "\x21\x00\x00\x00"), NULL, 0 },
};

static const struct row bad[] = {
	{ "another protocol", TEXT("GET / HTTP/1.0\r\n\r\n"), NULL, 0 },
	{ "a frame", TEXT("KMSD"), NULL, 0 },
	{ "lower case", TEXT("proxy TCP4 192.0.2.1 192.0.2.9 40000 1688\r\n"), NULL, 0 },
	{ "no carriage return", TEXT("PROXY TCP4 192.0.2.1 192.0.2.9 40000 1688\n"), NULL, 0 },
	{ "UDP", TEXT("PROXY UDP4 192.0.2.1 192.0.2.9 40000 1688\r\n"), NULL, 0 },
	{ "no port", TEXT("PROXY TCP4 192.0.2.1 192.0.2.9 40000\r\n"), NULL, 0 },
	{ "a word too many", TEXT("PROXY TCP4 192.0.2.1 192.0.2.9 40000 1688 1\r\n"), NULL, 0 },
	{ "two blanks", TEXT("PROXY TCP4  192.0.2.1 192.0.2.9 40000 1688\r\n"), NULL, 0 },
	{ "a blank at the end", TEXT("PROXY TCP4 192.0.2.1 192.0.2.9 40000 1688 \r\n"), NULL, 0 },
	{ "a port of 65536", TEXT("PROXY TCP4 192.0.2.1 192.0.2.9 65536 1688\r\n"), NULL, 0 },
	{ "a port with a sign", TEXT("PROXY TCP4 192.0.2.1 192.0.2.9 +1 1688\r\n"), NULL, 0 },
	{ "no address", TEXT("PROXY TCP4 192.0.2 192.0.2.9 40000 1688\r\n"), NULL, 0 },
	{ "IPv6 as IPv4", TEXT("PROXY TCP4 2001:db8::1 192.0.2.9 40000 1688\r\n"), NULL, 0 },
	{ "IPv4 as IPv6", TEXT("PROXY TCP6 192.0.2.1 2001:db8::1 40000 1688\r\n"), NULL, 0 },
	{ "a zero octet", TEXT("PROXY TCP4 192.0.2.1\0 192.0.2.9 40000 1688\r\n"), NULL, 0 },
	{ "unknown and more", TEXT("PROXY UNKNOWNS\r\n"), NULL, 0 },
	{ "v2 version 1", TEXT(V2 "\x11\x11\x00\x0c" V4), NULL, 0 },
	{ "v2 another command", TEXT(V2 "\x22\x11\x00\x0c" V4), NULL, 0 },
	{ "v2 UDP", TEXT(V2 "\x21\x12\x00\x0c" V4), NULL, 0 },
	{ "v2 a path", TEXT(V2 "\x21\x31\x00\x0c" V4), NULL, 0 },
	{ "v2 too short for IPv4", TEXT(V2 "\x21\x11\x00\x0b" V4), NULL, 0 },
	{ "v2 too short for IPv6", TEXT(V2 "\x21\x21\x00\x0c" V4), NULL, 0 },
	{ "v2 longer than any", TEXT(V2 "\x21\x11\x02\x09" V4), NULL, 0 },
};

static void
test_good(void **state)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const struct row *r = &good[i];
		uint8_t octets[PROXY_MAX], want[16] = { 0 };
		struct proxy_header h;

		memcpy(octets, r->octets, r->len);
		octets[r->len] = 'K';
		for (size_t n = 1; n < r->len; n++)
			assert_int_equal(proxy_parse(&h, octets, n), KMS_E_TIMEOUT);
		/* What follows is not its own. */
		for (size_t n = r->len; n <= r->len + 1; n++) {
			assert_int_equal(proxy_parse(&h, octets, n), KMS_OK);
			assert_int_equal(h.size, r->len);
			assert_int_equal(h.named, r->address != NULL);
			if (r->address != NULL)
				assert_true(address_parse(want, r->address));
			assert_memory_equal(h.address, want, 16);
			assert_int_equal(h.port, r->port);
		}
	}
	(void)state;
}

static void
test_bad(void **state)
{
	struct proxy_header h;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (proxy_parse(&h, (const uint8_t *)bad[i].octets, bad[i].len) != KMS_E_FORMAT)
			fail_msg("%s is taken", bad[i].name);
	}
	(void)state;
}

/* A line that never ends is refused at the longest that there is. */
static void
test_long_line(void **state)
{
	uint8_t octets[PROXY_MAX];
	struct proxy_header h;

	memset(octets, 'x', sizeof(octets));
	memcpy(octets, "PROXY ", 6);
	assert_int_equal(proxy_parse(&h, octets, 106), KMS_E_TIMEOUT);
	assert_int_equal(proxy_parse(&h, octets, 107), KMS_E_FORMAT);
	assert_int_equal(proxy_parse(&h, octets, sizeof(octets)), KMS_E_FORMAT);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_long_line),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
