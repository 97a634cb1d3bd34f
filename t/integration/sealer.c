/*
 * sealer.c - pretend clients by line, for tests that own the sockets: seals a request with any
 * fields, right or wrong, and opens what came back.
 *
 *     host HOST-ID EXCHANGE-KEY                  the host to seal for, in hexadecimal
 *     seal CLIENT [field=value ...]              -> frame HEX
 *         product=UUID time=SECONDS sequence=N operation=N state=N flags=N name=TEXT id=HEX
 *         host=HEX (another host id) text=HEX (instead of a request text)
 *     open CLIENT HEX                            -> status N lease OCTETS [show N], or: bad STATUS
 *     read CLIENT HEX                            -> text HEX, the whole reply text, or: bad STATUS
 */
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libkms/kms_error.h"
#include "t/lib/player.h"

#define LINE 65536
#define SEED 1

struct wanted {
	struct message_request m;
	uint8_t host_id[SEAL_HOST];
	uint8_t text[FRAME_MAX_REQUEST];
	size_t text_len;
};

static size_t
hex(uint8_t *out, size_t size, const char *text)
{
	size_t n = 0;

	if (sodium_hex2bin(out, size, text, strlen(text), NULL, &n, NULL) != 0)
		player_die(text);
	return n;
}

static void
take_field(struct wanted *w, const char *name, const char *value)
{
	struct message_request *m = &w->m;

	if (strcmp(name, "product") == 0)
		player_uuid(m->product, value);
	else if (strcmp(name, "time") == 0)
		m->time = strtoull(value, NULL, 10);
	else if (strcmp(name, "sequence") == 0)
		m->sequence = strtoull(value, NULL, 10);
	else if (strcmp(name, "operation") == 0)
		m->operation = (uint8_t)strtoul(value, NULL, 10);
	else if (strcmp(name, "state") == 0)
		m->state = (uint8_t)strtoul(value, NULL, 10);
	else if (strcmp(name, "flags") == 0)
		m->flags = (uint16_t)strtoul(value, NULL, 10);
	else if (strcmp(name, "name") == 0)
		snprintf(m->name, sizeof(m->name), "%s", value);
	else if (strcmp(name, "id") == 0)
		hex(m->request_id, sizeof(m->request_id), value);
	else if (strcmp(name, "host") == 0)
		hex(w->host_id, sizeof(w->host_id), value);
	else if (strcmp(name, "text") == 0)
		w->text_len = hex(w->text, sizeof(w->text), value);
	else
		player_die(name);
}

static void
print_hex(const uint8_t *octets, size_t len)
{
	for (size_t i = 0; i < len; i++)
		printf("%02x", octets[i]);
	putchar('\n');
}

static void
do_seal(const struct player_host *h, struct player *p)
{
	struct wanted w = { .m = { .operation = MESSAGE_ACTIVATE, .sequence = 1 } };
	uint8_t frame[FRAME_HEADER + FRAME_MAX_REQUEST];
	char *field, *value;
	size_t n;

	w.m.time = (uint64_t)time(NULL);
	memcpy(w.m.salt, p->salt, sizeof(w.m.salt));
	w.m.highest_version = FRAME_VERSION;
	memcpy(w.host_id, h->certificate.host_id, sizeof(w.host_id));
	randombytes_buf(w.m.request_id, sizeof(w.m.request_id));
	while ((field = strtok(NULL, " \n")) != NULL) {
		if ((value = strchr(field, '=')) == NULL)
			player_die(field);
		*value++ = '\0';
		take_field(&w, field, value);
	}
	if (w.text_len == 0)
		w.text_len = message_request_encode(w.text, sizeof(w.text), &w.m);
	n = seal_request(frame, sizeof(frame), &p->keys, w.host_id, h->exchange.key_id, p->pk, NULL,
	    w.text, w.text_len);
	if (n == 0)
		player_die("seal");
	printf("frame ");
	print_hex(frame, n);
}

static void
print_reply(const struct message_reply *m)
{
	printf("status %u lease %zu", m->status, m->bundle_len);
	if (m->show != 0)
		printf(" show %" PRIu64, m->show);
	putchar('\n');
}

static void
do_open(const struct player *p, const char *octets, bool whole)
{
	uint8_t frame[PLAYER_REPLY], text[FRAME_MAX_REPLY];
	struct message_reply m;
	size_t len, n = 0;
	int rc;

	if (octets == NULL)
		player_die("open");
	len = hex(frame, sizeof(frame), octets);
	if ((rc = seal_open_reply(text, sizeof(text), &n, &p->keys, frame, len)) != KMS_OK ||
	    (rc = message_reply_decode(&m, text, n)) != KMS_OK)
		printf("bad %d\n", rc);
	else if (!whole)
		print_reply(&m);
	else {
		printf("text ");
		print_hex(text, n);
	}
}

int
main(void)
{
	static char line[LINE];
	struct player_host host = { 0 };
	struct player client;
	const char *word;

	if (sodium_init() < 0)
		return 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		char *command = strtok(line, " \n");

		if (command == NULL || (word = strtok(NULL, " \n")) == NULL)
			player_die("a command and what it is for");
		if (strcmp(command, "host") == 0) {
			hex(host.certificate.host_id, SEAL_HOST, word);
			if ((word = strtok(NULL, " \n")) == NULL)
				player_die("host: no exchange key");
			hex(host.exchange.pk, SEAL_PUBLIC, word);
			exchange_key_id(host.exchange.key_id, host.exchange.pk);
			printf("ok\n");
			continue;
		}
		player_make(&client, &host, SEED, strtoull(word, NULL, 10));
		if (strcmp(command, "seal") == 0)
			do_seal(&host, &client);
		else
			do_open(&client, strtok(NULL, " \n"), strcmp(command, "read") == 0);
	}
	return 0;
}
