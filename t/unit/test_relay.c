/*
 * test_relay.c - the relay's parser of PDUs with tables of bad ones, its rules of who may say what,
 * the choice among hosts, and [relay]'s texts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

#include "kmsd/front/relay/exchange.h"
#include "kmsd/front/relay/upstream.h"
#include "kmsd/ipc/ipc.h"
#include "libkms/base/address.h"
#include "libkms/kms_error.h"

/* A bind of the KMS interface with NDR, as bytes of C706 12.6.4.3. */
static const uint8_t bind_pdu[72] = { 5, 0, 11, 3, 0x10, 0, 0, 0, 72, 0, 0, 0, 1, 0, 0, 0, 0xd0,
	0x16, 0xd0, 0x16, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0x75, 0x21, 0xc8, 0x51, 0x4e, 0x84,
	0x50, 0x47, 0xb0, 0xd8, 0xec, 0x25, 0x55, 0x55, 0xbc, 0x06, 1, 0, 0, 0, 0x04, 0x5d, 0x88,
	0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48, 0x60, 2, 0, 0, 0 };
static const uint8_t ack_pdu[60] = { 5, 0, 12, 3, 0x10, 0, 0, 0, 60, 0, 0, 0, 1, 0, 0, 0, 0xd0,
	0x16, 0xd0, 0x16, 0x34, 0x12, 0, 0, 5, 0, '1', '6', '8', '8', 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
	0x04, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48,
	0x60, 2, 0, 0, 0 };
static const uint8_t request_pdu[32] = { 5, 0, 0, 3, 0x10, 0, 0, 0, 32, 0, 0, 0, 2, 0, 0, 0, 8, 0,
	0, 0, 0, 0, 0, 0, 1, 0, 6, 0, 0xaa, 0xbb, 0xcc, 0xdd };
static const uint8_t response_pdu[28] = { 5, 0, 2, 3, 0x10, 0, 0, 0, 28, 0, 0, 0, 2, 0, 0, 0, 4, 0,
	0, 0, 0, 0, 0, 0, 1, 2, 3, 4 };
static const uint8_t fault_pdu[32] = { 5, 0, 3, 3, 0x10, 0, 0, 0, 32, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0x1b, 0, 0, 0x1c, 0, 0, 0, 0 };

static int
parse(struct pdu *p, const uint8_t *octets, size_t len)
{
	enum pdu_whole how = pdu_look(p, octets, len);

	return how == PDU_WHOLE ? pdu_parse(p, octets) : -1 - (int)how;
}

static void
test_good(void **state)
{
	struct pdu p;

	assert_int_equal(parse(&p, bind_pdu, sizeof(bind_pdu)), KMS_OK);
	assert_int_equal(p.context_count, 1);
	assert_true(p.contexts[0].kms);
	assert_int_equal(p.max_xmit, 5840);
	assert_int_equal(parse(&p, ack_pdu, sizeof(ack_pdu)), KMS_OK);
	assert_int_equal(p.contexts[0].result, PDU_ACCEPTED);
	assert_int_equal(parse(&p, request_pdu, sizeof(request_pdu)), KMS_OK);
	assert_int_equal(p.stub, 24);
	assert_int_equal(p.stub_length, 8);
	assert_int_equal(parse(&p, fault_pdu, sizeof(fault_pdu)), KMS_OK);
	assert_int_equal(p.status, 0x1c00001b);
	(void)state;
}

static void
test_build_bind(void **state)
{
	uint8_t out[PDU_BIND_SIZE];

	assert_int_equal(pdu_build_bind(out, 1), sizeof(bind_pdu));
	assert_memory_equal(out, bind_pdu, sizeof(bind_pdu));
	pdu_build_bind(out, 0x01020304);
	assert_memory_equal(out + 12, "\4\3\2\1", 4);
	(void)state;
}

/* One byte of a good PDU changed. */
static const struct spoilt {
	const uint8_t *pdu;
	uint8_t size, at, value;
	int status; /* of parse() */
	const char *what;
} spoilt[] = {
	{ bind_pdu, 72, 0, 4, -1 - PDU_OTHER_VERSION, "version 4" },
	{ bind_pdu, 72, 1, 2, -1 - PDU_OTHER_VERSION, "version 5.2" },
	{ bind_pdu, 72, 2, 16, -1 - PDU_BAD, "auth3" },
	{ bind_pdu, 72, 2, 18, -1 - PDU_BAD, "co_cancel" },
	{ bind_pdu, 72, 2, 200, -1 - PDU_BAD, "no type" },
	{ bind_pdu, 72, 3, 1, KMS_E_FORMAT, "the first fragment of a bind" },
	{ bind_pdu, 72, 3, 0, KMS_E_FORMAT, "no fragment flags" },
	{ bind_pdu, 72, 4, 0x20, -1 - PDU_BAD, "no byte order" },
	{ bind_pdu, 72, 4, 0x00, -1 - PDU_BAD, "the other byte order: the length is 18432" },
	{ bind_pdu, 72, 6, 1, -1 - PDU_BAD, "reserved octet of the data representation" },
	{ bind_pdu, 72, 8, 71, KMS_E_FORMAT, "one octet short" },
	{ bind_pdu, 72, 8, 27, -1 - PDU_BAD, "shorter than a bind" },
	{ bind_pdu, 72, 8, 0, -1 - PDU_BAD, "no length" },
	{ bind_pdu, 72, 8, 73, -1 - PDU_MORE, "an octet is missing" },
	{ bind_pdu, 72, 9, 22, -1 - PDU_MORE, "5704 octets are still possible" },
	{ bind_pdu, 72, 9, 23, -1 - PDU_BAD, "5960 octets are too many" },
	{ bind_pdu, 72, 11, 1, KMS_E_FORMAT, "an auth verifier larger than the PDU" },
	{ bind_pdu, 72, 24, 0, KMS_E_FORMAT, "no contexts" },
	{ bind_pdu, 72, 24, 2, KMS_E_FORMAT, "a context that is not there" },
	{ bind_pdu, 72, 24, 17, KMS_E_TOO_LARGE, "more contexts than are kept" },
	{ bind_pdu, 72, 30, 0, KMS_E_FORMAT, "no transfer syntax" },
	{ bind_pdu, 72, 30, 2, KMS_E_FORMAT, "a transfer syntax that is not there" },
	{ bind_pdu, 72, 30, 255, KMS_E_FORMAT, "255 of them" },
	{ ack_pdu, 60, 24, 255, KMS_E_FORMAT, "a secondary address past the end" },
	{ ack_pdu, 60, 24, 0, KMS_E_FORMAT, "none, so that all that follows moves" },
	{ ack_pdu, 60, 32, 0, KMS_E_FORMAT, "no results" },
	{ ack_pdu, 60, 32, 2, KMS_E_FORMAT, "a result that is not there" },
	{ ack_pdu, 60, 36, 4, KMS_E_FORMAT, "a result that there is not" },
	{ request_pdu, 32, 3, 0x83, KMS_E_FORMAT, "an object that is not there" },
	{ request_pdu, 32, 8, 23, -1 - PDU_BAD, "shorter than a request" },
	{ request_pdu, 32, 10, 9, KMS_E_FORMAT, "a verifier past the end" },
	{ fault_pdu, 32, 8, 27, -1 - PDU_BAD, "shorter than a fault" },
	{ fault_pdu, 32, 3, 1, KMS_E_FORMAT, "a fault in fragments" },
};

static void
test_spoilt(void **state)
{
	for (size_t i = 0; i < sizeof(spoilt) / sizeof(spoilt[0]); i++) {
		uint8_t octets[72];
		struct pdu p;
		int status;

		memcpy(octets, spoilt[i].pdu, spoilt[i].size);
		octets[spoilt[i].at] = spoilt[i].value;
		status = parse(&p, octets, spoilt[i].size);
		if (status != spoilt[i].status)
			fail_msg("%s: %d, not %d", spoilt[i].what, status, spoilt[i].status);
	}
	(void)state;
}

static void
test_every_length(void **state)
{
	struct pdu p;

	for (size_t len = 0; len < sizeof(bind_pdu); len++)
		assert_int_equal(pdu_look(&p, bind_pdu, len), PDU_MORE);
	(void)state;
}

static void
test_kms_only(void **state)
{
	struct pdu p;

	/* each byte of the interface's name and version matters */
	for (size_t i = 32; i < 52; i++) {
		uint8_t octets[72];

		memcpy(octets, bind_pdu, 72);
		octets[i] ^= 1;
		assert_int_equal(parse(&p, octets, 72), KMS_OK);
		assert_false(p.contexts[0].kms);
	}
	(void)state;
}

static void
expect(struct exchange *x, bool client, const uint8_t *pdu, size_t len, enum exchange_do what)
{
	enum exchange_do got = client ? exchange_client(x, pdu, len) : exchange_host(x, pdu, len);

	assert_int_equal(got, what);
}
#define CLIENT(pdu, what) expect(&x, true, pdu, sizeof(pdu), what)
#define HOST(pdu, what) expect(&x, false, pdu, sizeof(pdu), what)

static struct exchange
bound(void)
{
	struct exchange x;

	exchange_init(&x);
	CLIENT(bind_pdu, EXCHANGE_CONNECT);
	HOST(ack_pdu, EXCHANGE_PASS);
	return x;
}

static void
test_call(void **state)
{
	struct exchange x = bound();

	for (int i = 0; i < 3; i++) {
		CLIENT(request_pdu, EXCHANGE_PASS);
		CLIENT(request_pdu, EXCHANGE_WAIT);
		HOST(response_pdu, EXCHANGE_PASS);
		assert_true(x.call.ended);
		assert_int_equal(x.call.outcome, IPC_RELAYED_DONE);
		assert_int_equal(x.call.major, 6);
		assert_int_equal(x.call.minor, 1);
		assert_int_equal(x.call.sent, 8);
		assert_int_equal(x.call.received, 4);
		x.call.ended = false;
	}
	HOST(response_pdu, EXCHANGE_CLOSE);
	(void)state;
}

/* The version's four bytes, behind an NDR or NDR64 array's lengths or none; and what only looks
 * like it. */
static void
test_version(void **state)
{
	static const struct {
		uint8_t stub[24];
		uint8_t len;
		uint16_t major, minor;
	} rows[] = {
		{ { 2, 0, 4, 0 }, 4, 4, 2 },
		{ { 2, 0, 4 }, 3, 0, 0 },
		{ { 0 }, 0, 0, 0 },
		{ { 4, 0, 0, 0, 4, 0, 0, 0, 1, 0, 5, 0 }, 12, 5, 1 },
		{ { 4, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0 }, 20, 6, 0 },
		{ { 4, 0, 0, 0, 5, 0, 0, 0, 1, 0, 5, 0 }, 12, 0, 4 },
		{ { 0, 0, 6, 0, 0, 0, 6, 0, 1, 0, 5, 0 }, 12, 6, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct exchange x = bound();
		uint8_t pdu[48];

		memcpy(pdu, request_pdu, 24);
		memcpy(pdu + 24, rows[i].stub, rows[i].len);
		pdu[8] = (uint8_t)(24 + rows[i].len);
		expect(&x, true, pdu, 24u + rows[i].len, EXCHANGE_PASS);
		assert_int_equal(x.call.major, rows[i].major);
		assert_int_equal(x.call.minor, rows[i].minor);
	}
	(void)state;
}

static void
test_host_out_of_turn(void **state)
{
	struct exchange x;
	uint8_t other[sizeof(ack_pdu)];

	static const uint8_t shutdown_pdu[16] = { 5, 0, 17, 3, 0x10, 0, 0, 0, 16 };

	exchange_init(&x);
	HOST(ack_pdu, EXCHANGE_CLOSE);
	HOST(shutdown_pdu, EXCHANGE_CLOSE);
	exchange_init(&x);
	CLIENT(bind_pdu, EXCHANGE_CONNECT);
	HOST(response_pdu, EXCHANGE_CLOSE);
	memcpy(other, ack_pdu, sizeof(other));
	other[12] = 9; /* another call */
	HOST(other, EXCHANGE_CLOSE);
	x = bound();
	CLIENT(request_pdu, EXCHANGE_PASS);
	HOST(ack_pdu, EXCHANGE_CLOSE);
	(void)state;
}

static void
test_lost(void **state)
{
	struct exchange x;
	struct pdu p;

	exchange_init(&x);
	assert_int_equal(exchange_lost(&x, false, PDU_NAK_CONGESTION), EXCHANGE_CLOSE);
	CLIENT(bind_pdu, EXCHANGE_CONNECT);
	assert_int_equal(exchange_lost(&x, false, PDU_NAK_CONGESTION), EXCHANGE_ANSWER_CLOSE);
	assert_int_equal(parse(&p, x.answer, x.answer_len), KMS_OK);
	assert_int_equal(p.type, PDU_BIND_NAK);
	assert_int_equal(p.nak, PDU_NAK_CONGESTION);
	assert_int_equal(x.call.outcome, IPC_RELAYED_NO_HOST);
	x = bound();
	CLIENT(request_pdu, EXCHANGE_PASS);
	assert_int_equal(exchange_lost(&x, true, PDU_NAK_CONGESTION), EXCHANGE_ANSWER_CLOSE);
	assert_int_equal(parse(&p, x.answer, x.answer_len), KMS_OK);
	assert_int_equal(p.type, PDU_FAULT);
	assert_int_equal(p.status, PDU_COMM_FAILURE);
	assert_int_equal(p.call_id, 2);
	assert_int_equal(x.call.outcome, IPC_RELAYED_LATE);
	(void)state;
}

static struct ipc_upstreams
three_hosts(void)
{
	struct ipc_upstreams list = { .count = 3 };

	for (unsigned i = 0; i < 3; i++) {
		memset(list.at[i].address + 10, 0xff, 2);
		list.at[i].address[12] = 127;
		list.at[i].address[15] = (uint8_t)(i + 1);
		list.at[i].port = 1688;
		list.at[i].priority = (uint16_t)(i / 2);
		list.at[i].weight = i == 0 ? 9 : 0;
	}
	return list;
}

static void
test_choice(void **state)
{
	struct ipc_upstreams list = three_hosts();
	struct upstreams u;
	unsigned count[3] = { 0 };

	upstreams_init(&u, NULL, 1);
	assert_null(upstreams_choose(&u, 0));
	upstreams_replace(&u, &list);
	for (int i = 0; i < 11000; i++)
		count[upstreams_choose(&u, 0) - u.at]++;
	assert_int_equal(count[2], 0);
	assert_in_range(count[1], 700, 1300);
	assert_ptr_equal(upstreams_choose(&u, 3), &u.at[2]);
	assert_null(upstreams_choose(&u, 7));
	upstream_failed(&u.at[0], 1000, "test");
	upstream_failed(&u.at[1], 1000, "test");
	assert_ptr_equal(upstreams_choose(&u, 0), &u.at[2]);
	/* closing without an answer counts only when it goes on */
	for (int i = 0; i < UPSTREAM_STRIKES - 1; i++)
		upstreams_outdone(&u, 4, 0, 1000);
	assert_non_null(upstreams_choose(&u, 0));
	upstream_good(&u.at[2]);
	for (int i = 0; i < UPSTREAM_STRIKES; i++) {
		assert_non_null(upstreams_choose(&u, 0));
		upstreams_outdone(&u, 4, 0, 1000);
	}
	assert_null(upstreams_choose(&u, 0));
	/* a new list keeps what is known of those that stay */
	list.at[0] = list.at[2];
	list.count = 2;
	upstreams_replace(&u, &list);
	assert_int_equal(u.count, 2);
	assert_null(upstreams_choose(&u, 0));
	(void)state;
}

/* Between the processes: whole, cut anywhere, with an byte too many, and with what no sender
 * writes. */
static void
test_messages(void **state)
{
	struct ipc_upstreams list = three_hosts(), list_back;
	struct ipc_relayed r = { .outcome = 1, .port = 1688, .latency = 7, .name = "kms.example" },
			   back;
	uint8_t octets[IPC_UPSTREAMS_SIZE + 1];
	size_t len = ipc_relayed_encode(octets, &r);

	assert_int_equal(ipc_relayed_decode(&back, octets, len), KMS_OK);
	assert_string_equal(back.name, r.name);
	assert_int_equal(back.latency, 7);
	for (size_t i = 0; i < len; i++)
		assert_int_not_equal(ipc_relayed_decode(&back, octets, i), KMS_OK);
	assert_int_not_equal(ipc_relayed_decode(&back, octets, len + 1), KMS_OK);
	octets[0] = 0;
	assert_int_equal(ipc_relayed_decode(&back, octets, len), KMS_E_FORMAT);
	octets[0] = IPC_RELAYED_OUTCOMES + 1;
	assert_int_equal(ipc_relayed_decode(&back, octets, len), KMS_E_FORMAT);
	octets[0] = 1;
	octets[len - 1] = '\n';
	assert_int_equal(ipc_relayed_decode(&back, octets, len), KMS_E_FORMAT);

	len = ipc_upstreams_encode(octets, &list);
	assert_int_equal(ipc_upstreams_decode(&list_back, octets, len), KMS_OK);
	assert_int_equal(list_back.count, 3);
	assert_memory_equal(&list_back.at[2].address, &list.at[2].address, 16);
	for (size_t i = 0; i < len; i++)
		assert_int_not_equal(ipc_upstreams_decode(&list_back, octets, i), KMS_OK);
	assert_int_equal(ipc_upstreams_decode(&list_back, octets, len + 1), KMS_E_TRAILING);
	octets[1] = IPC_UPSTREAMS_MAX + 1;
	assert_int_equal(ipc_upstreams_decode(&list_back, octets, len), KMS_E_FORMAT);
	(void)state;
}

static void
test_addresses(void **state)
{
	const struct sockaddr_in v4 = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
		.sin6_addr.s6_addr = { 0xfd, 1 } };
	const struct sockaddr_un un = { .sun_family = AF_UNIX };
	static const uint8_t loopback[16] = { [10] = 0xff, 0xff, 127, 0, 0, 1 };
	static const uint8_t none[16];
	uint8_t out[16], listening[16];

	assert_false(address_take(out, NULL, (const struct sockaddr *)&un));
	assert_memory_equal(out, none, 16);
	assert_true(address_take(out, NULL, (const struct sockaddr *)&v6));
	assert_memory_equal(out, &v6.sin6_addr, 16);
	assert_false(address_is_own(none));
	assert_true(address_parse(listening, "fd01::"));
	assert_true(address_listens(listening, out));
	assert_true(address_take(out, NULL, (const struct sockaddr *)&v4));
	assert_memory_equal(out, loopback, 16);
	for (int i = 0; i < 4; i++) {
		static const char *const good[] = { "127.0.0.1", "0.0.0.0",
			"::", "::ffff:127.0.0.1" };
		static const char *const bad[] = { "127.0.0.2", "::1", "", "localhost" };

		assert_true(address_parse(listening, good[i]));
		assert_true(address_listens(listening, loopback));
		assert_int_equal(address_parse(listening, bad[i]), i < 2);
		assert_false(i < 2 && address_listens(listening, loopback));
	}
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_build_bind),
		cmocka_unit_test(test_spoilt),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_kms_only),
		cmocka_unit_test(test_call),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_host_out_of_turn),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_messages),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
