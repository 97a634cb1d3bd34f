/*
 * evidence.c - what a client can show against a host whose record went back: kms_evidence, and the
 * file that anybody can verify, "KMSEVID1", its beginning as in shown.h, and the two batch headers
 * with their signatures, the one that was seen first before the other.
 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "libkms/client/trust.h"
#include "libkms/core/batch.h"
#include "libkms/core/shown.h"
#include "libkms/kms_error.h"

static const char magic[8] = { 'K', 'M', 'S', 'E', 'V', 'I', 'D', '1' };

/* The index-th host with evidence; NULL: there is none. */
static const struct state_host *
find(const struct state *s, unsigned index)
{
	for (unsigned i = 0; i < s->host_count; i++)
		if (s->hosts[i].evidence && index-- == 0)
			return &s->hosts[i];
	return NULL;
}

struct shown_certificate {
	const uint8_t *octets;
	size_t len;
	struct certificate cert;
};

/* One of the two certificates that are kept, if it is this host's and verifies. */
static bool
find_certificate(
    struct shown_certificate *out, const struct kms_client *c, const struct state_host *h)
{
	const struct state *s = c->state;
	const struct shown_certificate kept[] = {
		{ .octets = s->lease_certificate, .len = s->lease_certificate_len },
		{ .octets = s->certificate, .len = s->certificate_len },
	};
	struct publisher_keys keys;

	trust_stored(&keys, c);
	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++) {
		*out = kept[i];
		if (trust_certificate(&keys, &out->cert, out->octets, out->len, 0) == KMS_OK &&
		    memcmp(out->cert.host_id, h->id, sizeof(h->id)) == 0)
			return true;
	}
	return false;
}

/* One of the two headers, whoever signed it. */
static int
tell_header(struct kms_evidence_info *info, unsigned i, const uint8_t header[MESSAGE_HEADER_SIZE])
{
	struct batch_header h;
	int rc = batch_header_decode(&h, header);

	if (rc != KMS_OK)
		return rc;
	if (i > 0 && memcmp(h.host_id, info->host_id, sizeof(h.host_id)) != 0)
		return KMS_E_FORMAT;
	memcpy(info->host_id, h.host_id, sizeof(info->host_id));
	info->number[i] = h.number;
	info->time[i] = h.time;
	batch_header_hash(info->hash[i], header);
	memcpy(info->header[i], header, BATCH_HEADER);
	memcpy(info->signature[i], header + BATCH_HEADER, BATCH_SIGNATURE);
	return KMS_OK;
}

/* An honest record may have both, the first before the second, or the same header twice. */
static int
tell_pair(struct kms_evidence_info *info, const uint8_t pair[2][MESSAGE_HEADER_SIZE])
{
	int rc;

	memset(info, 0, sizeof(*info));
	if ((rc = tell_header(info, 0, pair[0])) != KMS_OK ||
	    (rc = tell_header(info, 1, pair[1])) != KMS_OK)
		return rc;
	if (info->number[1] > info->number[0] ||
	    memcmp(info->hash[0], info->hash[1], sizeof(info->hash[0])) == 0)
		return KMS_E_FORMAT;
	info->kind = info->number[0] == info->number[1] ? KMS_CONTRADICTION : KMS_WENT_BACK;
	return KMS_OK;
}

/* Who signed them: the host of this certificate, and nobody else. */
static int
tell_signer(struct kms_evidence_info *info, const struct certificate *cert)
{
	int rc = KMS_OK;

	if (memcmp(info->host_id, cert->host_id, sizeof(info->host_id)) != 0)
		return KMS_E_SIGNATURE;
	for (unsigned i = 0; i < 2 && rc == KMS_OK; i++)
		rc = batch_verify(info->header[i], info->signature[i], cert->sign_pk);
	if (rc != KMS_OK)
		return rc;
	info->verified = 1;
	memcpy(info->signing_key, cert->sign_pk, sizeof(info->signing_key));
	snprintf(info->customer, sizeof(info->customer), "%s", cert->customer);
	return KMS_OK;
}

/* *with: the certificate, when full->verified. */
static int
collect(struct kms_client *c, unsigned index, struct kms_evidence_info *full,
    struct shown_certificate *with, const struct state_host **host)
{
	int rc = client_refresh(c);

	if (rc != KMS_OK)
		return rc;
	if ((*host = find(c->state, index)) == NULL)
		return KMS_E_NOT_FOUND;
	if ((rc = tell_pair(full, (*host)->contradiction)) != KMS_OK)
		return rc;
	if (memcmp(full->host_id, (*host)->id, sizeof(full->host_id)) != 0)
		return KMS_E_FORMAT;
	return find_certificate(with, c, *host) ? tell_signer(full, &with->cert) : KMS_OK;
}

int
kms_evidence(struct kms_client *c, unsigned index, struct kms_evidence_info *info)
{
	struct kms_evidence_info full;
	struct shown_certificate with;
	const struct state_host *host;
	int rc;

	if (c == NULL || info == NULL || info->size < sizeof(info->size))
		return KMS_E_ARGUMENT;
	if ((rc = collect(c, index, &full, &with, &host)) == KMS_OK)
		client_give(info, &full, sizeof(full));
	return rc;
}

int
kms_evidence_export(struct kms_client *c, unsigned index, void *out, size_t *size)
{
	struct kms_evidence_info full;
	struct shown_certificate with;
	const struct state_host *host;
	struct publisher_keys keys;
	struct wire_writer w;
	size_t need;
	int rc;

	if (c == NULL || size == NULL || (out == NULL && *size != 0))
		return KMS_E_ARGUMENT;
	if ((rc = collect(c, index, &full, &with, &host)) != KMS_OK)
		return rc;
	if (!full.verified)
		return KMS_E_NOT_FOUND;
	trust_stored(&keys, c);
	need = shown_size(&keys, with.len) + sizeof(host->contradiction);
	if (*size < need) {
		*size = need;
		return KMS_E_TOO_LARGE;
	}
	wire_writer_init(&w, out, need);
	shown_write(&w, magic, &keys, with.octets, with.len);
	wire_put(&w, host->contradiction, sizeof(host->contradiction));
	*size = need;
	return KMS_OK;
}

int
kms_evidence_verify(
    const void *file, size_t size, const char *publisher_key, struct kms_evidence_info *info)
{
	uint8_t pair[2][MESSAGE_HEADER_SIZE];
	struct kms_evidence_info full;
	struct minisig_key publisher;
	struct publisher_keys keys;
	struct certificate cert;
	struct wire_reader r;
	struct shown head;
	int rc;

	if (file == NULL || publisher_key == NULL ||
	    (info != NULL && info->size < sizeof(info->size)))
		return KMS_E_ARGUMENT;
	if (size > EVIDENCE_FILE_MAX)
		return KMS_E_TOO_LARGE;
	if (sodium_init() < 0)
		return KMS_E_NO_MEMORY;
	if ((rc = minisig_key_parse(&publisher, publisher_key)) != KMS_OK)
		return rc;
	wire_reader_init(&r, file, size);
	if ((rc = shown_read(&head, &r, magic)) != KMS_OK)
		return rc;
	wire_get(&r, pair, sizeof(pair));
	if ((rc = wire_finish(&r)) != KMS_OK ||
	    (rc = shown_trust(&head, &publisher, &keys, &cert)) != KMS_OK ||
	    (rc = tell_pair(&full, pair)) != KMS_OK || (rc = tell_signer(&full, &cert)) != KMS_OK)
		return rc;
	if (info != NULL)
		client_give(info, &full, sizeof(full));
	return KMS_OK;
}
