/*
 * code_forms.c - what the codes of code.h carry: a host key and its signature, what a
 * host needs to make its certificate, and the installation id. kms.key(5) defines them.
 *
 * Both sides build the same signed bytes from the fields, so the code contains only what the other
 * side does not know, and the signature of the file.
 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/core/certificate.h"
#include "policy/code.h"
#include "policy/values.h"

#define ID_GROUPS 9

/* Seven bits an byte, the highest first; a set top bit: more follow. */
static void
put_number(struct wire_writer *w, uint64_t v)
{
	unsigned shift = 0;

	while (shift < 63 && v >> (shift + 7) != 0)
		shift += 7;
	for (; shift > 0; shift -= 7)
		wire_put_u8(w, (uint8_t)(0x80 | (v >> shift & 0x7f)));
	wire_put_u8(w, v & 0x7f);
}

/* Only in its shortest form; otherwise the reader fails. */
static uint64_t
get_number(struct wire_reader *r, uint64_t max)
{
	uint8_t octet = wire_get_u8(r);
	uint64_t v = octet & 0x7f;

	if (octet == 0x80)
		r->bad = true;
	for (unsigned n = 1; octet & 0x80 && !r->bad; n++) {
		octet = wire_get_u8(r);
		if (n > 8)
			r->bad = true;
		v = v << 7 | (octet & 0x7f);
	}
	if (v > max)
		r->bad = true;
	return v;
}

static void
put_string(struct wire_writer *w, const char *text)
{
	wire_put_u8(w, (uint8_t)strlen(text));
	wire_put(w, text, strlen(text));
}

static void
get_string(struct wire_reader *r, char *out, size_t max)
{
	size_t len = wire_get_u8(r);
	const uint8_t *text;

	out[0] = '\0';
	if (len > max || memchr(r->at, '\0', len < wire_left(r) ? len : wire_left(r)) != NULL) {
		r->bad = true;
		return;
	}
	if ((text = wire_view(r, len)) == NULL)
		return;
	memcpy(out, text, len);
	out[len] = '\0';
}

/* -- KMS host key -- */

int
host_key_code(char out[CODE_TEXT], const struct host_key *key, const uint8_t signature[64])
{
	uint8_t octets[CODE_OCTETS];
	struct wire_writer w;

	wire_writer_init(&w, octets, sizeof(octets));
	wire_put(&w, key->id, sizeof(key->id));
	wire_put(&w, key->publisher, sizeof(key->publisher));
	put_string(&w, key->customer);
	put_string(&w, key->group);
	put_number(&w, key->issued);
	put_number(&w, key->not_before ^ key->issued); /* most often the same: nothing to type */
	put_number(&w, key->not_after - key->not_before);
	put_number(&w, key->capacity);
	put_number(&w, key->hosts);
	put_number(&w, key->confirmations);
	wire_put(&w, signature, 64);
	if (w.bad || key->entitlements.len > 0 || key->not_after < key->not_before ||
	    code_format(out, CODE_TEXT, CODE_HOST_KEY, octets, wire_written(&w)) == 0)
		return KMS_E_ARGUMENT;
	return KMS_OK;
}

static bool
host_key_ok(const struct host_key *k)
{
	return k->customer[0] != '\0' && value_text_ok(k->customer, sizeof(k->customer) - 1) &&
	       value_name_ok(k->group, sizeof(k->group) - 1) && k->not_before <= VALUE_TIME_MAX &&
	       k->not_after >= k->not_before && k->not_after <= VALUE_TIME_MAX && k->hosts > 0 &&
	       k->confirmations > 0 && !sodium_is_zero(k->id, sizeof(k->id));
}

int
host_key_code_parse(
    struct host_key *out, uint8_t signature[64], const char *text, size_t len, struct fault *err)
{
	uint8_t octets[CODE_OCTETS];
	struct wire_reader r;
	size_t n;
	int rc;

	memset(out, 0, sizeof(*out));
	if ((rc = code_parse(octets, &n, CODE_HOST_KEY, text, len, err)) != KMS_OK)
		return rc;
	wire_reader_init(&r, octets, n);
	wire_get(&r, out->id, sizeof(out->id));
	wire_get(&r, out->publisher, sizeof(out->publisher));
	get_string(&r, out->customer, sizeof(out->customer) - 1);
	get_string(&r, out->group, sizeof(out->group) - 1);
	out->issued = get_number(&r, VALUE_TIME_MAX);
	out->not_before = out->issued ^ get_number(&r, UINT64_MAX >> 1);
	out->not_after = out->not_before + get_number(&r, VALUE_TIME_MAX);
	out->capacity = (uint32_t)get_number(&r, UINT32_MAX);
	out->hosts = (uint16_t)get_number(&r, UINT16_MAX);
	out->confirmations = (uint16_t)get_number(&r, UINT16_MAX);
	wire_get(&r, signature, 64);
	if (wire_finish(&r) == KMS_OK && host_key_ok(out))
		return KMS_OK;
	memset(out, 0, sizeof(*out));
	return fault_set(err, KMS_E_FORMAT, "the code contains no KMS host key");
}

/* -- confirmation -- */

size_t
confirm_code_octets(uint8_t out[CODE_OCTETS], const struct confirm_code *c)
{
	struct wire_writer w;

	wire_writer_init(&w, out, CODE_OCTETS);
	wire_put(&w, c->key, sizeof(c->key));
	put_number(&w, c->serial);
	put_number(&w, c->issued);
	put_number(&w, c->confirmation);
	put_number(&w, c->major);
	put_number(&w, c->minor);
	wire_put(&w, c->signature, sizeof(c->signature));
	return wire_written(&w);
}

int
confirm_code_decode(struct confirm_code *out, const uint8_t *octets, size_t len)
{
	struct wire_reader r;

	memset(out, 0, sizeof(*out));
	wire_reader_init(&r, octets, len);
	wire_get(&r, out->key, sizeof(out->key));
	out->serial = get_number(&r, UINT64_MAX >> 1);
	out->issued = get_number(&r, VALUE_TIME_MAX);
	out->confirmation = (uint16_t)get_number(&r, UINT16_MAX);
	out->major = (uint16_t)get_number(&r, UINT16_MAX);
	out->minor = (uint16_t)get_number(&r, UINT16_MAX);
	wire_get(&r, out->signature, sizeof(out->signature));
	if (wire_finish(&r) == KMS_OK && out->confirmation > 0)
		return KMS_OK;
	memset(out, 0, sizeof(*out));
	return KMS_E_FORMAT;
}

/* Products that the key's group covers; the pack has them in ascending order. */
static int
take_products(struct certificate *cert, const struct policy_pack *pack)
{
	int group = policy_group_find(pack, cert->group);

	for (unsigned i = 0; group >= 0 && i < pack->product_count; i++) {
		const struct policy_product *p = &pack->products[i];

		if (!(pack->groups[group].covers & UINT32_C(1) << p->group))
			continue;
		if (cert->product_count == CERTIFICATE_PRODUCTS)
			return KMS_E_TOO_LARGE;
		memcpy(cert->products[cert->product_count++], p->id, 16);
	}
	return cert->product_count > 0 ? KMS_OK : KMS_E_NOT_COVERED;
}

int
confirm_code_certificate(uint8_t *out, size_t size, size_t *len, const struct confirm_code *c,
    const struct host_key *key, const struct policy_pack *pack, const uint8_t sign_pk[32])
{
	struct certificate cert = { .serial = c->serial,
		.issued = c->issued,
		.not_before = key->not_before,
		.not_after = key->not_after,
		.capacity = key->capacity,
		.confirmation = c->confirmation,
		.entitlements = key->entitlements };
	int rc;

	*len = 0;
	memcpy(cert.publisher, key->publisher, sizeof(cert.publisher));
	memcpy(cert.host_key_id, key->id, sizeof(cert.host_key_id));
	memcpy(cert.sign_pk, sign_pk, sizeof(cert.sign_pk));
	memcpy(cert.group, key->group, sizeof(cert.group));
	memcpy(cert.customer, key->customer, sizeof(cert.customer));
	if ((rc = take_products(&cert, pack)) != KMS_OK)
		return rc;
	if (size < sizeof(c->signature) ||
	    (*len = certificate_encode(out, size - sizeof(c->signature), &cert)) == 0)
		return KMS_E_TOO_LARGE;
	memcpy(out + *len, c->signature, sizeof(c->signature));
	*len += sizeof(c->signature);
	return KMS_OK;
}

/* -- installation id -- */

/* Luhn's digit: detects every wrong digit, and every two exchanged neighbours except 0 and 9. */
static unsigned
check_digit(unsigned value)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < 6; i++, value /= 10) {
		unsigned d = value % 10 * (i % 2 == 0 ? 2 : 1);

		sum += d > 9 ? d - 9 : d;
	}
	return (10 - sum % 10) % 10;
}

void
installation_id(
    char out[INSTALLATION_ID + 1], const uint8_t host_id[16], const uint8_t host_key_id[16])
{
	uint8_t text[19 + 16 + 16], hash[crypto_hash_sha256_BYTES];

	memcpy(text, "KMS installation v1", 19);
	memcpy(text + 19, host_id, 16);
	memcpy(text + 35, host_key_id, 16);
	crypto_hash_sha256(hash, text, sizeof(text));
	for (unsigned g = 0; g < ID_GROUPS; g++) {
		const uint8_t *at = hash + 3 * g;
		unsigned v = ((unsigned)at[0] << 16 | (unsigned)at[1] << 8 | at[2]) % 1000000;

		out += sprintf(out, "%s%06u%u", g > 0 ? "-" : "", v, check_digit(v));
	}
}
