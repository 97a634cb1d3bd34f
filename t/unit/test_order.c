/*
 * test_order.c - host names as written, and RFC 2782's order with the random
 * numbers given: the share of each weight is exact, not likely.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "libkms/base/address.h"
#include "libkms/base/clock.h"
#include "libkms/client/discover.h"
#include "libkms/kms_error.h"
#include "libkms/os/net.h"

static const struct {
	const char *text, *name; /* NULL: refused */
	unsigned port;
} names[] = {
	{ "kms.example.org", "kms.example.org", 1688 },
	{ "kms:1700", "kms", 1700 },
	{ "192.0.2.1", "192.0.2.1", 1688 },
	{ "192.0.2.1:1", "192.0.2.1", 1 },
	{ "[2001:db8::1]:65535", "2001:db8::1", 65535 },
	{ "[2001:db8::1]", "2001:db8::1", 1688 },
	{ "2001:db8::1", "2001:db8::1", 1688 },
	{ "::1", "::1", 1688 },
	{ "", NULL, 0 },
	{ ":1688", NULL, 0 },
	{ "kms:", NULL, 0 },
	{ "kms:0", NULL, 0 },
	{ "kms:65536", NULL, 0 },
	{ "kms:100000", NULL, 0 },
	{ "kms:16x8", NULL, 0 },
	{ "kms:-1", NULL, 0 },
	{ "[::1", NULL, 0 },
	{ "[::1]x", NULL, 0 },
	{ "[::1]1688", NULL, 0 },
	{ "[]:1688", NULL, 0 },
};

static void
test_names(void **arg)
{
	struct discover_host h;
	char longest[300];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		int rc = discover_parse(&h, names[i].text, 1688);

		if (names[i].name == NULL) {
			if (rc != KMS_E_FORMAT)
				fail_msg("\"%s\" is taken", names[i].text);
			continue;
		}
		assert_int_equal(rc, KMS_OK);
		assert_string_equal(h.name, names[i].name);
		assert_int_equal(h.port, names[i].port);
	}
	memset(longest, 'a', sizeof(longest));
	longest[DISCOVER_NAME] = '\0';
	assert_int_equal(discover_parse(&h, longest, 1688), KMS_E_FORMAT);
	longest[DISCOVER_NAME - 1] = '\0';
	assert_int_equal(discover_parse(&h, longest, 1688), KMS_OK);
}

struct numbers {
	const uint32_t *list;
	const uint32_t *uppers;
	size_t at;
};

static uint32_t
given(void *arg, uint32_t upper)
{
	struct numbers *n = arg;

	if (n->uppers != NULL)
		assert_int_equal(upper, n->uppers[n->at]);
	assert_true(n->list[n->at] < upper);
	return n->list[n->at++];
}

static void
make(struct discover_host *out, const char *names_text, const unsigned (*pw)[2], size_t count)
{
	size_t i;

	memset(out, 0, count * sizeof(*out));
	for (i = 0; i < count; i++) {
		out[i].name[0] = names_text[i];
		out[i].priority = (uint16_t)pw[i][0];
		out[i].weight = (uint16_t)pw[i][1];
	}
}

static void
test_priority(void **arg)
{
	static const unsigned pw[][2] = { { 20, 5 }, { 10, 0 }, { 30, 0 }, { 10, 0 },
		{ 0, 65535 } };
	static const uint32_t zeros[5];
	struct numbers n = { zeros, NULL, 0 };
	struct discover_host h[5];
	char order[6] = "";
	size_t i;

	make(h, "abcde", pw, 5);
	discover_order(h, 5, given, &n);
	for (i = 0; i < 5; i++)
		order[i] = h[i].name[0];
	assert_string_equal(order, "ebdac");
}

/* Every number once: a target is first exactly as often as its weight, weight 0 once in sum + 1. */
static void
test_weight(void **arg)
{
	static const unsigned pw[][2] = { { 1, 60 }, { 1, 0 }, { 1, 30 }, { 1, 10 } };
	unsigned first[4] = { 0 };
	struct discover_host h[4];
	uint32_t r;

	for (r = 0; r <= 100; r++) {
		uint32_t list[4] = { r, 0, 0, 0 };
		struct numbers n = { list, NULL, 0 };

		make(h, "abcd", pw, 4);
		discover_order(h, 4, given, &n);
		first[h[0].name[0] - 'a']++;
		assert_int_equal(n.at, 4);
	}
	assert_int_equal(first[0], 60);
	assert_int_equal(first[1], 1);
	assert_int_equal(first[2], 30);
	assert_int_equal(first[3], 10);
}

/* What is drawn leaves the sum: the next draws are among the rest. */
static void
test_draws(void **arg)
{
	static const unsigned pw[][2] = { { 1, 60 }, { 1, 0 }, { 1, 30 }, { 1, 10 } };
	static const uint32_t list[] = { 61, 70, 1, 0 }, uppers[] = { 101, 71, 61, 1 };
	struct numbers n = { list, uppers, 0 };
	struct discover_host h[4];

	make(h, "abcd", pw, 4);
	discover_order(h, 4, given, &n);
	assert_int_equal(h[0].name[0], 'c'); /* 0 b, 60 a, 90 c */
	assert_int_equal(h[1].name[0], 'd'); /* 0 b, 60 a, 70 d */
	assert_int_equal(h[2].name[0], 'a');
	assert_int_equal(h[3].name[0], 'b');
}

static void
test_largest(void **arg)
{
	static uint32_t list[DISCOVER_HOSTS];
	struct discover_host h[DISCOVER_HOSTS];
	struct numbers n = { list, NULL, 0 };
	size_t i;

	memset(h, 0, sizeof(h));
	for (i = 0; i < DISCOVER_HOSTS; i++)
		h[i].weight = 65535;
	list[0] = 65535u * DISCOVER_HOSTS;
	discover_order(h, DISCOVER_HOSTS, given, &n);
	assert_int_equal(n.at, DISCOVER_HOSTS);
	discover_order(h, 0, given, &n);
}

/* A name server that says nothing is asked nothing: an address is its own answer. */
static void
test_addresses(void **arg)
{
	static const char *const literal[] = { "192.0.2.7", "2001:db8::7" };
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int first = os_socket(AF_INET); /* begins with sockets, where that is needed */
	int server = (int)socket(AF_INET, SOCK_DGRAM, 0);
	struct pollfd asked = { .fd = server, .events = POLLIN };
	char nameserver[32], text[ADDRESS_TEXT];

	assert_int_equal(bind(server, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(server, (struct sockaddr *)&at, &len), 0);
	snprintf(nameserver, sizeof(nameserver), "127.0.0.1:%u", ntohs(at.sin_port));
	for (size_t i = 0; i < sizeof(literal) / sizeof(literal[0]); i++) {
		struct discover d = { .nameserver = nameserver, .deadline = clock_ms() + 10000 };
		struct discover_address out[DISCOVER_ADDRESSES];
		struct discover_host h;
		uint8_t address[16];
		uint16_t port;
		size_t count;

		assert_int_equal(discover_parse(&h, literal[i], 1689), KMS_OK);
		assert_int_equal(discover_addresses(&d, &h, out, &count), KMS_OK);
		assert_int_equal(count, 1);
		assert_true(address_take(address, &port, (struct sockaddr *)&out[0].to));
		assert_string_equal(address_text(text, address), literal[i]);
		assert_int_equal(port, 1689);
		assert_int_equal(os_poll(&asked, 1, 0), 0);
	}
	os_close_socket(server);
	os_close_socket(first);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_priority),
		cmocka_unit_test(test_weight),
		cmocka_unit_test(test_draws),
		cmocka_unit_test(test_largest),
		cmocka_unit_test(test_addresses),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
