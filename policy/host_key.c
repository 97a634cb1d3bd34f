/*
 * host_key.c - the small files that publisher and customer exchange, see kms.key(5): KMS host key,
 * confirmation request and host certificate file.
 */
#include "policy/host_key.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "libkms/base/hex.h"
#include "libkms/base/uuid.h"
#include "libkms/base/wire.h"
#include "libkms/core/certificate.h"
#include "libkms/kms_error.h"
#include "policy/ini_values.h"
#include "policy/text.h"
#include "policy/values.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define AT(type, field) offsetof(struct type, field), sizeof(((struct type *)0)->field)
#define SMALL_MAX (16 * 1024) /* bytes; a certificate's base64 needs about 6 K */
#define DATA_LINE 54          /* bytes of a certificate on one line: 72 characters */

static void
put_time(struct text *t, const char *key, uint64_t time)
{
	char s[VALUE_TIME + 1];

	if (!value_time_format(s, time))
		t->bad = true;
	text_put(t, "%s = %s\n", key, s);
}

static void
put_base64(struct text *t, const char *key, const uint8_t *in, size_t len)
{
	char s[128];

	if (!value_base64_format(s, sizeof(s), in, len))
		t->bad = true;
	text_put(t, "%s = %s\n", key, s);
}

static void
put_uuid(struct text *t, const char *key, const uint8_t id[16])
{
	char s[UUID_TEXT];

	uuid_format(s, id);
	text_put(t, "%s = %s\n", key, s);
}

static void
put_hex(struct text *t, const char *key, const uint8_t *in, size_t len)
{
	char s[65];

	if (2 * len >= sizeof(s)) {
		t->bad = true;
		return;
	}
	hex_format(s, in, len);
	text_put(t, "%s = %s\n", key, s);
}

/* -- KMS host key -- */

static void *
open_arg(struct ini_reader *r, const char *argument)
{
	return r->arg;
}

static unsigned
count_entitlements(const struct entitlements *all)
{
	struct entitlement e;
	struct wire_reader r;
	unsigned n = 0;

	wire_reader_init(&r, all->octets, all->len);
	while (entitlements_next(&r, &e))
		n++;
	return n;
}

/* KEY VALUE; the value may be empty. */
static bool
read_entitlement(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	struct host_key *k = record;
	char name[ENTITLEMENT_KEY + 1];
	size_t n = strcspn(value, " ");
	int rc = KMS_E_FORMAT;

	if (n <= ENTITLEMENT_KEY) {
		snprintf(name, sizeof(name), "%.*s", (int)n, value);
		value += n + (value[n] == ' ');
		rc = value_text_ok(value, ENTITLEMENT_VALUE)
			 ? entitlements_add(&k->entitlements, name, value)
			 : KMS_E_FORMAT;
	}
	if (rc == KMS_E_EXISTS)
		return ini_fail(r, r->line, "entitlement: %s is given twice", name);
	if (rc == KMS_E_TOO_LARGE)
		return ini_fail(r, r->line, "entitlement: together they have more than %d bytes",
		    ENTITLEMENTS_MAX);
	if (rc == KMS_OK && count_entitlements(&k->entitlements) > HOST_KEY_ENTITLEMENTS)
		return ini_fail(r, r->line, "entitlement: there are more than %d of them",
		    HOST_KEY_ENTITLEMENTS);
	return rc == KMS_OK
		   ? true
		   : ini_expected(r, key, value,
			 "KEY VALUE: a key of 1 to 32 of a-z 0-9 . - that begins with a letter, and text");
}

static const struct ini_key host_key_keys[] = {
	{ "id", ini_uuid, AT(host_key, id), 0, 0, NULL, false },
	{ "publisher", ini_hex, AT(host_key, publisher), 0, 0, NULL, false },
	{ "customer", ini_text, AT(host_key, customer), 1, 0, NULL, false },
	{ "group", ini_name, AT(host_key, group), 0, 0, NULL, false },
	{ "issued", ini_time, AT(host_key, issued), 0, 0, NULL, false },
	{ "not-before", ini_time, AT(host_key, not_before), 0, 0, NULL, false },
	{ "not-after", ini_time_end, AT(host_key, not_after), 0, 0, NULL, false },
	{ "capacity", ini_number, AT(host_key, capacity), 0, UINT32_MAX, "0", false },
	{ "hosts", ini_number, AT(host_key, hosts), 1, UINT16_MAX, "6", false },
	{ "confirmations", ini_number, AT(host_key, confirmations), 1, UINT16_MAX, "10", false },
	{ "entitlement", read_entitlement, 0, 0, 0, 0, "", INI_REPEATS },
};
static const struct ini_section host_key_sections[] = {
	{ "host-key", NULL, true, open_arg, host_key_keys, COUNT(host_key_keys) },
};

int
host_key_parse(struct host_key *out, const char *text, size_t len, struct fault *err)
{
	int rc;

	memset(out, 0, sizeof(*out));
	rc = ini_read(host_key_sections, COUNT(host_key_sections), out, text, len, SMALL_MAX, err);
	if (rc == KMS_OK && out->not_after < out->not_before)
		return fault_set(err, KMS_E_FORMAT, "not-after is before not-before");
	return rc;
}

static void
put_entitlements(struct text *t, const struct entitlements *all)
{
	struct entitlement e;
	struct wire_reader r;
	char value[ENTITLEMENT_VALUE + 1];

	if (count_entitlements(all) > HOST_KEY_ENTITLEMENTS)
		t->bad = true;
	wire_reader_init(&r, all->octets, all->len);
	while (entitlements_next(&r, &e)) {
		snprintf(value, sizeof(value), "%.*s", e.value_len, e.value);
		if (!value_text_ok(value, ENTITLEMENT_VALUE) ||
		    sizeof("entitlement = ") + e.key_len + e.value_len > INI_LINE_MAX)
			t->bad = true;
		text_put(t, "entitlement = %.*s%s%s\n", e.key_len, e.key, *value ? " " : "", value);
	}
}

size_t
host_key_format(char *out, size_t size, const struct host_key *k)
{
	struct text t = { .out = out, .size = size };

	t.bad = !value_text_ok(k->customer, sizeof(k->customer) - 1) || k->customer[0] == '\0' ||
		!value_name_ok(k->group, sizeof(k->group) - 1);
	text_put(&t,
	    "# KMS host key for %s. Install it with: kmsctl key install FILE\n[host-key]\n",
	    k->customer);
	put_uuid(&t, "id", k->id);
	put_hex(&t, "publisher", k->publisher, sizeof(k->publisher));
	text_put(&t, "customer = %s\ngroup = %s\n", k->customer, k->group);
	put_time(&t, "issued", k->issued);
	put_time(&t, "not-before", k->not_before);
	put_time(&t, "not-after", k->not_after);
	text_put(&t, "capacity = %u\nhosts = %u\nconfirmations = %u\n", k->capacity, k->hosts,
	    k->confirmations);
	put_entitlements(&t, &k->entitlements);
	return text_end(&t);
}

/* -- confirmation request -- */

static const struct ini_key request_keys[] = {
	{ "host-key", ini_uuid, AT(confirm_request, host_key_id), 0, 0, NULL, false },
	{ "publisher", ini_hex, AT(confirm_request, publisher), 0, 0, NULL, false },
	{ "sign-key", ini_base64, AT(confirm_request, sign_pk), 0, 0, NULL, false },
	{ "time", ini_time, AT(confirm_request, time), 0, 0, NULL, false },
	{ "host-name", ini_text, AT(confirm_request, host_name), 0, 0, "", false },
	{ "signature", ini_base64, AT(confirm_request, signature), 0, 0, NULL, false },
};
static const struct ini_section request_sections[] = {
	{ "confirmation-request", NULL, true, open_arg, request_keys, COUNT(request_keys) },
};

void
confirm_request_octets(uint8_t out[CONFIRM_REQUEST_SIGNED], const struct confirm_request *r)
{
	struct wire_writer w;

	wire_writer_init(&w, out, CONFIRM_REQUEST_SIGNED);
	wire_put(&w, "KMSREQ02", 8);
	wire_put(&w, r->host_key_id, sizeof(r->host_key_id));
	wire_put(&w, r->publisher, sizeof(r->publisher));
	wire_put(&w, r->sign_pk, sizeof(r->sign_pk));
	wire_put_u64(&w, r->time);
	wire_put_text(&w, r->host_name, sizeof(r->host_name) - 1);
}

size_t
confirm_request_format(char *out, size_t size, const struct confirm_request *r)
{
	struct text t = { .out = out, .size = size };

	t.bad = !value_text_ok(r->host_name, sizeof(r->host_name) - 1);
	text_put(&t, "# Send this to the publisher; kmsissue confirm answers it.\n"
		     "[confirmation-request]\n");
	put_uuid(&t, "host-key", r->host_key_id);
	put_hex(&t, "publisher", r->publisher, sizeof(r->publisher));
	put_base64(&t, "sign-key", r->sign_pk, sizeof(r->sign_pk));
	put_time(&t, "time", r->time);
	text_put(&t, "host-name = %s\n", r->host_name);
	put_base64(&t, "signature", r->signature, sizeof(r->signature));
	return text_end(&t);
}

int
confirm_request_parse(struct confirm_request *out, const char *text, size_t len, struct fault *err)
{
	uint8_t octets[CONFIRM_REQUEST_SIGNED];
	int rc;

	memset(out, 0, sizeof(*out));
	rc = ini_read(request_sections, COUNT(request_sections), out, text, len, SMALL_MAX, err);
	if (rc != KMS_OK)
		return rc;
	confirm_request_octets(octets, out);
	if (crypto_sign_verify_detached(out->signature, octets, sizeof(octets), out->sign_pk) != 0)
		return fault_set(err, KMS_E_SIGNATURE,
		    "the request's own signature does not verify: the request was altered on its way");
	return KMS_OK;
}

/* -- host certificate file -- */

struct certificate_data {
	uint8_t *cert;
	size_t size, len;
};

/* One line of data; each holds whole bytes (four characters, three bytes). */
static bool
read_data(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	struct certificate_data *d = record;
	size_t got = 0;

	if (sodium_base642bin(d->cert + d->len, d->size - d->len, value, strlen(value), NULL, &got,
		NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
		return ini_fail(r, r->line,
		    "data: this is not base64, or it is longer than %zu bytes", d->size);
	d->len += got;
	return true;
}

static const struct ini_key certificate_keys[] = {
	{ "data", read_data, 0, 0, 0, 0, NULL, true },
};
static const struct ini_section certificate_sections[] = {
	{ "host-certificate", NULL, true, open_arg, certificate_keys, COUNT(certificate_keys) },
};

static void
put_comments(struct text *t, const struct certificate *c)
{
	char from[VALUE_TIME + 1], to[VALUE_TIME + 1], key[UUID_TEXT], host[33];

	if (!value_time_format(from, c->not_before) || !value_time_format(to, c->not_after))
		t->bad = true;
	uuid_format(key, c->host_key_id);
	hex_format(host, c->host_id, sizeof(c->host_id));
	text_put(t, "# Host certificate %llu for %s. Install it with: kmsctl key confirm FILE\n",
	    (unsigned long long)c->serial, c->customer);
	text_put(t, "# host key %s, group %s, confirmation %u\n# host %s\n", key, c->group,
	    c->confirmation, host);
	text_put(t, "# valid from %s to %s, %u products, capacity %u%s\n", from, to,
	    c->product_count, c->capacity, c->capacity == 0 ? " (no limit)" : "");
}

size_t
certificate_file_format(char *out, size_t size, const uint8_t *cert, size_t len)
{
	struct text t = { .out = out, .size = size };
	struct certificate c;

	if (len > CERTIFICATE_MAX || certificate_decode(&c, cert, len) != KMS_OK)
		return 0;
	put_comments(&t, &c);
	text_put(&t, "[host-certificate]\ndata =");
	for (size_t at = 0; at < len; at += DATA_LINE) {
		char line[DATA_LINE / 3 * 4 + 1];

		value_base64_format(
		    line, sizeof(line), cert + at, len - at < DATA_LINE ? len - at : DATA_LINE);
		text_put(&t, "%s %s\n", at == 0 ? "" : " ", line);
	}
	return text_end(&t);
}

int
certificate_file_parse(
    uint8_t *cert, size_t size, size_t *len, const char *text, size_t text_len, struct fault *err)
{
	struct certificate_data d = { .cert = cert, .size = size };
	struct certificate c;
	int rc;

	*len = 0;
	rc = ini_read(
	    certificate_sections, COUNT(certificate_sections), &d, text, text_len, SMALL_MAX, err);
	if (rc == KMS_OK && (rc = certificate_decode(&c, cert, d.len)) != KMS_OK)
		fault_set(err, rc, "data is not a host certificate: it %s",
		    rc == KMS_E_TRUNCATED  ? "ends too early"
		    : rc == KMS_E_TRAILING ? "continues after its end"
					   : "has an invalid field");
	if (rc == KMS_OK)
		*len = d.len;
	return rc;
}
