/*
 * publisher.c - signs as minisign does (prehashed, "ED").
 */
#include "t/lib/publisher.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "libkms/core/certificate.h"
#include "libkms/kms_error.h"
#include "policy/host_key.h"
#include "t/lib/player.h"

#define DAY 86400u

void
publisher_make_from(struct test_publisher *p, const uint8_t seed[32])
{
	crypto_sign_seed_keypair(p->key.pk, p->sk, seed);
	memcpy(p->key.id, p->key.pk, sizeof(p->key.id));
	minisig_key_format(p->line, &p->key);
}

void
publisher_make(struct test_publisher *p)
{
	uint8_t seed[32];

	randombytes_buf(seed, sizeof(seed));
	publisher_make_from(p, seed);
}

static void
base64(char *out, size_t size, const uint8_t *in, size_t len)
{
	sodium_bin2base64(out, size, in, len, sodium_base64_VARIANT_ORIGINAL);
}

void
publisher_sign(const struct test_publisher *p, struct test_file *f)
{
	static const char comment[] = "test";
	uint8_t hash[64], raw[74] = "ED", whole[64 + sizeof(comment)], global[64];
	char first[128], second[128];

	crypto_generichash(hash, sizeof(hash), (const uint8_t *)f->text, f->len, NULL, 0);
	memcpy(raw + 2, p->key.id, 8);
	crypto_sign_detached(raw + 10, NULL, hash, sizeof(hash), p->sk);
	memcpy(whole, raw + 10, 64);
	memcpy(whole + 64, comment, sizeof(comment) - 1);
	crypto_sign_detached(global, NULL, whole, 64 + sizeof(comment) - 1, p->sk);
	base64(first, sizeof(first), raw, sizeof(raw));
	base64(second, sizeof(second), global, sizeof(global));
	f->signature_len = (size_t)snprintf(f->signature, sizeof(f->signature),
	    "untrusted comment: a test\n%s\ntrusted comment: %s\n%s\n", first, comment, second);
}

void
publisher_pack(const struct test_publisher *p, struct test_file *f, const char *version)
{
	f->len = (size_t)snprintf(f->text, sizeof(f->text),
	    "[policy]\nid = test\ntitle = Test\nversion = %s\nissued = 2026-01-01\n"
	    "[group all]\n"
	    "[pool one]\nnumber = 1\nwindow = 30\n"
	    "[pool five]\nnumber = 2\nwindow = 30\n"
	    "[product " PUBLISHER_ONE "]\nname = One\ngroup = all\npool = one\nthreshold = 1\n"
	    "[product " PUBLISHER_FIVE "]\nname = Five\ngroup = all\npool = five\nthreshold = 5\n",
	    version);
	publisher_sign(p, f);
}

void
publisher_host_key(const struct test_publisher *p, struct test_file *f, const uint8_t id[16])
{
	uint64_t now = (uint64_t)time(NULL);
	struct host_key k = {
		.customer = "Customer",
		.group = "all",
		.issued = now,
		.not_before = now - DAY,
		.not_after = now + 300 * DAY,
		.hosts = 6,
		.confirmations = 10,
	};

	memcpy(k.id, id, 16);
	memcpy(k.publisher, p->key.id, 8);
	f->len = host_key_format(f->text, sizeof(f->text), &k);
	publisher_sign(p, f);
}

int
publisher_confirm(
    const struct test_publisher *p, struct test_file *f, const char *request, size_t len)
{
	uint64_t now = (uint64_t)time(NULL);
	uint8_t octets[CERTIFICATE_MAX];
	struct certificate c = {
		.serial = 1,
		.issued = now,
		.not_before = now - DAY,
		.not_after = now + 300 * DAY,
		.confirmation = 1,
		.group = "all",
		.customer = "Customer",
		.product_count = 2,
	};
	struct confirm_request r;
	struct fault err;
	size_t n;
	int rc;

	if ((rc = confirm_request_parse(&r, request, len, &err)) != KMS_OK)
		return rc;
	memcpy(c.publisher, p->key.id, 8);
	memcpy(c.host_key_id, r.host_key_id, 16);
	memcpy(c.sign_pk, r.sign_pk, 32);
	player_uuid(c.products[0], PUBLISHER_ONE);
	player_uuid(c.products[1], PUBLISHER_FIVE);
	n = certificate_encode(octets, sizeof(octets) - 64, &c);
	crypto_sign_detached(octets + n, NULL, octets, n, p->sk);
	f->len = certificate_file_format(f->text, sizeof(f->text), octets, n + 64);
	publisher_sign(p, f);
	return f->len > 0 ? KMS_OK : KMS_E_TOO_LARGE;
}
