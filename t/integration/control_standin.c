/*
 * control_standin.c - stands in for kmsd-activate on a control socket, honest
 * or not, so that kmsctl meets replies that the real one never sends.
 *
 *	control_standin SOCKET SCENARIO [STATUS]
 *
 * Writes "ready" when it listens, then a line for each request: verb, and name=length:value of each
 *argument. Ends when its standard input does.
 */
#include <ctype.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "kmsd/ipc/control.h"
#include "libkms/kms_error.h"

#define SHOWN 40 /* bytes of an argument's value */

static void
product(
    struct control_buf *b, const char *id, const char *name, uint64_t counted, uint64_t required)
{
	control_row(b, "product");
	control_text(b, "publisher", "acme");
	control_text(b, "id", id);
	control_text(b, "name", name);
	control_text(b, "group", "office");
	control_text(b, "pool", "desktops");
	control_number(b, "counted", counted);
	control_number(b, "required", required);
	control_number(b, "covered", 1);
}

static void
rows_status(struct control_buf *b)
{
	control_row(b, "service");
	control_text(b, "version", "9.9.9");
	control_number(b, "pid", 4711);
	control_number(b, "started", 1700000000);
	control_number(b, "port", 1688);
	control_number(b, "brand-new", 7); /* from a host newer than kmsctl */
	control_row(b, "sandbox");
	control_text(b, "process", "kmsd-activate");
	control_text(b, "layers", "seccomp landlock");
	control_text(b, "missing", "uid");
	control_row(b, "publisher");
	control_text(b, "name", "acme");
	control_number(b, "installed", 1);
	control_number(b, "confirmed", 1);
	product(b, "11111111-2222-4333-8444-555555555555", "Example Writer", 24, 25);
	product(b, "11111111-2222-4333-8444-666666666666", "Example Server", 6, 5);
	control_row(b, "pool");
	control_text(b, "publisher", "acme");
	control_number(b, "number", 1);
	control_text(b, "name", "desktops");
	control_number(b, "counted", 24);
	control_row(b, "front");
	control_number(b, "number", 0);
	control_number(b, "open", UINT64_MAX);
	control_row(b, "ledger");
	control_number(b, "clients", 30);
	control_number(b, "journal-octets", 1536);
	control_row(b, "surprise");
	control_text(b, "what", "a row of a kind that kmsctl does not know");
}

static void
rows_key(struct control_buf *b)
{
	control_row(b, "key");
	control_text(b, "id", "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee");
	control_text(b, "publisher", "acme");
	control_text(b, "customer", "Evil \033[31mEscape\033[0m Ltd");
	control_number(b, "not-after", 1900000000);
	control_number(b, "confirmed", 1);
}

static void
rows_request(struct control_buf *b)
{
	control_row(b, "request");
	control_text(b, "key", "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee");
	control_text(b, "installation-id", "123456-789012-345678");
	control_text(b, "text", "[confirm-request]\nhost = kms.example\nsignature = AAAA\n");
	control_row(b, "contact");
	control_text(b, "country", "DE");
	control_text(b, "text", "+49 30 5550100");
	control_row(b, "contact");
	control_text(b, "country", "US");
	control_text(b, "text", "+1 202 555 0100");
}

static void
rows_installed(struct control_buf *b)
{
	control_row(b, "installed");
	control_text(b, "publisher", "acme");
	control_text(b, "what", "acme: example 1.2");
}

static void
rows_policy(struct control_buf *b)
{
	control_row(b, "pack");
	control_text(b, "id", "example");
	control_text(b, "version", "1.2");
	control_row(b, "product");
	control_text(b, "id", "11111111-2222-4333-8444-555555555555");
	control_text(b, "name", "Example Writer");
	control_number(b, "threshold", 25);
	control_number(b, "renewal-interval", 10080);
}

static void
rows_client(struct control_buf *b)
{
	control_row(b, "client");
	control_text(b, "cmid", "00000000000000000000000000000007");
	control_text(b, "name", "pc-7");
	control_text(b, "state", "activated");
	control_number(b, "last-seen", 1700000000);
	control_number(b, "expires", 1900000000);
}

static void
rows_none(struct control_buf *b)
{
}

/* A host that cannot write its ledger. */
static void
rows_failing(struct control_buf *b)
{
	control_row(b, "ledger");
	control_number(b, "failing-since", 1700000000);
	rows_status(b);
}

static void
rows_relay(struct control_buf *b)
{
	control_row(b, "relay");
	control_number(b, "configured", 1);
	control_number(b, "answered", 0);
	control_number(b, "no-host", 7);
}

static void (*const rows[])(struct control_buf *) = {
	[CONTROL_STATUS] = rows_status,
	[CONTROL_CHECKPOINT] = rows_none,
	[CONTROL_KEY_INSTALL] = rows_installed,
	[CONTROL_KEY_SHOW] = rows_key,
	[CONTROL_KEY_REQUEST] = rows_request,
	[CONTROL_KEY_CONFIRM] = rows_installed,
	[CONTROL_POLICY_INSTALL] = rows_installed,
	[CONTROL_POLICY_SHOW] = rows_policy,
	[CONTROL_CLIENT_SHOW] = rows_client,
	[CONTROL_CLIENT_REVOKE] = rows_client,
	[CONTROL_CLIENT_FORGET] = rows_client,
	[CONTROL_RELAY_STATUS] = rows_relay,
};

/* What a dishonest host sends, header and all. NULL bytes: nothing. */
static const struct {
	const char *scenario;
	const char *octets;
	size_t len;
} lies[] = {
#define LIE(scenario, octets)                                                                      \
	{                                                                                          \
		scenario, octets, sizeof(octets) - 1                                               \
	}
	{ "close", NULL, 0 },
	LIE("half-header", "\0\0\0"),
	LIE("no-status", "\0\0\0\4\0"),
	LIE("cut-rows", "\0\0\0\24\0\0\0\0r\0\0\0\0\4po"),
	LIE("oversized", "\0\20\0\1\0\0\0\0"),
	LIE("huge", "\377\377\377\377\0\0\0\0"),
	LIE("short-length", "\0\0\0\3\0\0\0"),
	LIE("trailing", "\0\0\0\4\0\0\0\0more"),
	LIE("wrong-type", "\0\0\0\36\0\0\0\0r\0\0\0\0\7products\7\0\0\0\0counted"),
	LIE("unknown-type", "\0\0\0\14\0\0\0\0q\2\0\0\0\0ab"),
	LIE("bad-number", "\0\0\0\33\0\0\0\0r\0\0\0\0\4poolu\3\0\0\0\4pid\0\0\0\1"),
	LIE("field-before-row", "\0\0\0\13\0\0\0\0s\1\0\0\0\0a"),
	LIE("field-too-long", "\0\0\0\23\0\0\0\0r\0\0\0\0\4pools\1\377\377\377"),
	LIE("error-without-row", "\0\0\0\4\0\0\0\6"),
	LIE("unknown-status", "\0\0\0\4\0\0\47\17"),
};

static void
print_argument(const struct control_field *f)
{
	uint32_t i;

	printf(" %.*s=%" PRIu32 ":", (int)f->name_len, f->name, f->value_len);
	for (i = 0; i < f->value_len && i < SHOWN; i++)
		putchar(isgraph(f->value[i]) ? f->value[i] : '_');
}

static bool
read_request(int fd, uint8_t *data, uint16_t *verb, struct wire_reader *args)
{
	size_t len = 0;
	ssize_t n;

	for (;;) {
		n = read(fd, data + len, CONTROL_MAX + 8 - len);
		if (n <= 0)
			return false;
		len += (size_t)n;
		if (control_request_parse(data, len, verb, args) != 0)
			return control_request_parse(data, len, verb, args) > 0;
	}
}

static void
answer(int fd, const char *scenario, uint32_t status, const char *message, uint16_t verb)
{
	uint8_t head[CONTROL_REPLY_HEADER];
	struct control_buf b = { 0 };

	if (message != NULL) {
		control_row(&b, "error");
		control_text(&b, "message", message);
	} else if (verb == CONTROL_STATUS && strcmp(scenario, "failing") == 0) {
		rows_failing(&b);
	} else if (verb < sizeof(rows) / sizeof(*rows) && rows[verb] != NULL) {
		rows[verb](&b);
	}
	if (b.bad || !control_reply_header(head, status, b.len) ||
	    write(fd, head, sizeof(head)) != (ssize_t)sizeof(head) ||
	    (b.len > 0 && write(fd, b.data, b.len) != (ssize_t)b.len))
		fprintf(stderr, "control_standin: reply not sent\n");
	control_buf_free(&b);
}

static void
lie(int fd, const char *scenario)
{
	size_t i;

	for (i = 0; i < sizeof(lies) / sizeof(*lies); i++)
		if (strcmp(lies[i].scenario, scenario) == 0) {
			if (lies[i].len > 0 &&
			    write(fd, lies[i].octets, lies[i].len) != (ssize_t)lies[i].len)
				fprintf(stderr, "control_standin: lie not sent\n");
			return;
		}
	fprintf(stderr, "control_standin: no scenario %s\n", scenario);
}

/* Nothing more to say, or not a word: until the other side gives up. */
static void
wait_for_end(int fd)
{
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = 0, .events = POLLIN } };

	poll(p, 2, -1);
}

static void
serve(int fd, const char *scenario, uint32_t status)
{
	static uint8_t data[CONTROL_MAX + 8];
	struct wire_reader args;
	struct control_field f;
	uint16_t verb;

	if (!read_request(fd, data, &verb, &args)) {
		printf("bad request\n");
		fflush(stdout);
		return;
	}
	printf("%u", (unsigned)verb);
	while (control_next(&args, &f))
		print_argument(&f);
	printf("%s\n", args.bad ? " BAD" : "");
	fflush(stdout);
	if (strcmp(scenario, "good") == 0 || strcmp(scenario, "failing") == 0)
		answer(fd, scenario, KMS_OK, NULL, verb);
	else if (strcmp(scenario, "refuse") == 0)
		answer(fd, scenario, status, "because the stand-in says so", verb);
	else if (strcmp(scenario, "silent") == 0)
		wait_for_end(fd);
	else if (strcmp(scenario, "empty") == 0)
		answer(fd, scenario, KMS_OK, NULL, 0);
	else
		lie(fd, scenario);
}

int
main(int argc, char **argv)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct pollfd p[2] = { { .fd = 0, .events = POLLIN }, { .events = POLLIN } };
	int fd;

	if (argc < 3 || strlen(argv[1]) >= sizeof(sun.sun_path)) {
		fprintf(stderr, "usage: control_standin SOCKET SCENARIO [STATUS]\n");
		return 2;
	}
	strcpy(sun.sun_path, argv[1]);
	p[1].fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (p[1].fd < 0 || bind(p[1].fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 ||
	    listen(p[1].fd, 8) < 0) {
		perror("control_standin");
		return 2;
	}
	printf("ready\n");
	fflush(stdout);
	while (poll(p, 2, -1) >= 0 && p[0].revents == 0) {
		fd = accept(p[1].fd, NULL, NULL);
		if (fd < 0)
			continue;
		serve(fd, argv[2], argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 0) : 0);
		close(fd);
	}
	return 0;
}
